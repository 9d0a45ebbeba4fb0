//! Programmes: who may ask, and whose word goes first.

use units::Timestamp;

use crate::{AssignmentId, ControlBase, DerId, Mrid, Name, ProgramId};

/// Whom a programme addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// One DER: dispatch shares differ between devices.
    Device(DerId),
    /// Every DER at or below this node of the hierarchy.
    Assignment(AssignmentId),
    /// Every DER of the fleet.
    All,
}

/// What a programme is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Whatever operators or dispatches ask under it.
    #[default]
    General,
    /// The operating envelope of its DER.
    Envelope,
}

/// A source of controls with a rank.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Dense index.
    pub id: ProgramId,
    /// IEEE 2030.5 identity.
    pub mrid: Mrid,
    /// What it is called.
    pub name: Name,
    /// Lower values win (IEEE 2030.5 `PrimacyType`).
    pub primacy: u8,
    /// Whom it addresses.
    pub scope: Scope,
    /// What it is for; never changes.
    pub role: Role,
    /// What holds when none of its controls is active.
    pub default: DefaultControl,
    /// When it was taken out of service.
    pub removed: Option<Timestamp>,
}

/// What holds when none of a programme's controls is active (`DefaultDERControl`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DefaultControl {
    /// What is asked.
    pub base: ControlBase,
    /// Default ramp rate, in hundredths of a percent of the maximum per second.
    pub grad_w: Option<u16>,
    /// Soft-start ramp rate, in hundredths of a percent of the maximum per second.
    pub soft_grad_w: Option<u16>,
    /// When to enter service (IEEE 1547-2018, 4.10.3).
    pub enter_service: EnterService,
    /// When it was set.
    pub set: Timestamp,
}

impl Program {
    /// What the programme of an operating envelope is called until somebody renames it.
    pub const ENVELOPE: &str = "Operating envelope";
}

impl DefaultControl {
    /// This base, with all else left to the device.
    #[must_use]
    pub fn asking(base: ControlBase) -> Self {
        Self {
            base,
            ..Self::default()
        }
    }

    /// Whether both ask the same, whenever they were set.
    #[must_use]
    pub fn asks_as(&self, other: &Self) -> bool {
        let set = other.set;
        *other
            == Self {
                set,
                ..self.clone()
            }
    }
}

/// When to enter service, in the units of `DefaultDERControl`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EnterService {
    /// `setESDelay`, in hundredths of a second.
    pub delay_cs: Option<u32>,
    /// `setESHighFreq`, in hundredths of a hertz.
    pub high_freq_chz: Option<u16>,
    /// `setESHighVolt`, in hundredths of a percent of the nominal voltage.
    pub high_volt_cpct: Option<i16>,
    /// `setESLowFreq`, in hundredths of a hertz.
    pub low_freq_chz: Option<u16>,
    /// `setESLowVolt`, in hundredths of a percent of the nominal voltage.
    pub low_volt_cpct: Option<i16>,
    /// `setESRampTms`, in hundredths of a second.
    pub ramp_tms_cs: Option<u32>,
    /// `setESRandomDelay`, in hundredths of a second.
    pub random_delay_cs: Option<u32>,
}
