//! What follows when a microgrid leaves the grid or comes back: what was asked of its members on
//! behalf of the grid is withdrawn, and their limits are lifted and set again.

use units::Timestamp;

use crate::microgrid::Coupling;
use crate::{Command, Control, ControlBase, DerId, Fleet, MicrogridId, Origin, Setting};

impl Fleet {
    /// What brings the controls of the members of a microgrid to the state that it is in.
    ///
    /// Interpretation: what asks for power is withdrawn as soon as the microgrid is not steadily
    /// connected, what limits it when the switch is open for sure. What keeps a DER off stays, and so
    /// do required settings, which are of the device and not of the grid's day. What is withdrawn does
    /// not come back: on reconnection a dispatch is planned anew, and an envelope holds as it is then.
    pub(super) fn microgrid_commands(&self, id: MicrogridId, now: Timestamp) -> Vec<Command> {
        let Some((microgrid, operation)) = self.microgrids.microgrid(id) else {
            return Vec::new();
        };
        let coupling = operation.state().coupling();
        let members = microgrid.members.iter().map(|member| member.der);
        members
            .flat_map(|der| {
                let mut commands = self.withdrawals(der, coupling, now);
                commands.extend(self.envelope_commands(der, now));
                commands
            })
            .collect()
    }

    fn withdrawals(&self, der: DerId, coupling: Coupling, now: Timestamp) -> Vec<Command> {
        let goes = |control: &&Control| {
            let base = &control.base;
            let of_coupling = match (coupling, control.origin) {
                (Coupling::Connected, _) | (_, Origin::Envelope | Origin::Settings) => false,
                (_, Origin::Dispatch { .. }) => true,
                (Coupling::Uncertain, Origin::Operator) => base.sets_power(),
                (Coupling::Separated, Origin::Operator) => true,
            };
            let open = control.cancelled.is_none() && now < control.latest_end();
            of_coupling && open && !base.keeps_off()
        };
        let controls = self.own_controls_of(der).filter(goes);
        controls.map(|c| Command::CancelControl(c.id)).collect()
    }
}

impl ControlBase {
    /// Whether it takes the DER off the grid, or has it cease to energise.
    #[must_use]
    pub fn keeps_off(&self) -> bool {
        let off = |s: &Setting| matches!(s, Setting::Connect(false) | Setting::Energize(false));
        self.settings().iter().any(off)
    }

    /// Whether it asks for an active power, and not only for less than one.
    fn sets_power(&self) -> bool {
        self.settings().iter().any(|setting| {
            matches!(
                setting,
                Setting::FixedW(_) | Setting::TargetW(_) | Setting::StorageTargetW(_)
            )
        })
    }
}
