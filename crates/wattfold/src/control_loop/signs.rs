//! What meters and silence say of the controls that DER have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet::dispatch::assess::{Standing, World};
use fleet::{
    Control, ControlId, ControlStatus, DeliveryState, Der, DerId, DispatchId, Evidence, Fleet,
    Origin,
};
use units::Timestamp;

use super::{Inputs, State};

/// Controls that no dispatch looks after and that are not over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Watched {
    /// Those that say nothing yet, by when they may begin.
    ahead: BTreeSet<(Timestamp, ControlId)>,
    due: BTreeSet<ControlId>,
}

impl Watched {
    pub(super) fn add(&mut self, control: &Control) {
        if !matches!(control.origin, Origin::Dispatch { .. }) {
            self.ahead.insert((control.earliest_start(), control.id));
        }
    }

    /// Notes which of them may begin by `soon`, and which are over or withdrawn at `now`.
    fn pass(&mut self, fleet: &Fleet, now: Timestamp, soon: Timestamp) {
        let later = self.ahead.split_off(&(soon, ControlId(0)));
        let due = std::mem::replace(&mut self.ahead, later);
        self.due.extend(due.into_iter().map(|(_, id)| id));
        self.due.retain(|id| {
            let control = fleet.control(*id);
            control.is_some_and(|c| c.cancelled.is_none() && now < c.latest_end())
        });
    }
}

type Sign = ((ControlId, DerId), Evidence);

impl State {
    /// What is newly known of the controls that no dispatch looks after, once they are as near as a
    /// device takes to know of them. Of a control for many, only the DER that have fetched it have a
    /// row that can go silent.
    pub(super) fn watch(&mut self, inputs: &Inputs<'_>) -> Vec<Sign> {
        let soon = inputs.now.after(inputs.policy.lead);
        self.watched.pass(&self.fleet, inputs.now, soon);
        let world = self.world(inputs);
        let due = self.watched.due.iter();
        let mut standings: BTreeMap<DerId, Standing> = BTreeMap::new();
        let mut signs = Vec::new();
        for control in due.filter_map(|id| self.fleet.control(*id)) {
            for row in self.deliveries.of(control.id) {
                let Some(der) = self.fleet.der(row.der) else {
                    continue;
                };
                let standing = standings.entry(der.id);
                let standing = *standing.or_insert_with(|| world.standing(der, None));
                let sign = self.sign(&world, Duration::ZERO, (der, standing), control);
                signs.extend(sign.map(|evidence| ((control.id, der.id), evidence)));
            }
        }
        signs
    }

    /// What is newly known of the controls of a dispatch.
    pub(super) fn signs(&self, id: DispatchId, inputs: &Inputs<'_>) -> Vec<Sign> {
        let world = self.world(inputs);
        let Some(dispatch) = self.fleet.dispatch(id) else {
            return Vec::new();
        };
        let members = self
            .fleet
            .group(dispatch.group)
            .map_or(&[][..], |g| g.members.as_slice());
        let mut signs = Vec::new();
        for der in members.iter().filter_map(|der| self.fleet.der(*der)) {
            let standing = world.standing(der, Some(dispatch));
            let controls = world.controls(der.id, id);
            signs.extend(controls.filter_map(|control| {
                Some((
                    (control.id, der.id),
                    self.sign(&world, dispatch.ramp, (der, standing), control)?,
                ))
            }));
        }
        signs
    }

    fn sign(
        &self,
        world: &World<'_>,
        ramp: Duration,
        (der, standing): (&Der, Standing),
        control: &Control,
    ) -> Option<Evidence> {
        let evidence = self.evidence(world, ramp, (der, standing), control)?;
        // Last, for it looks at all of the DER's controls.
        let status = self.fleet.status(control, world.now);
        matches!(status, ControlStatus::Active(_) | ControlStatus::Scheduled).then_some(evidence)
    }

    fn evidence(
        &self,
        world: &World<'_>,
        ramp: Duration,
        (der, standing): (&Der, Standing),
        control: &Control,
    ) -> Option<Evidence> {
        let observation = world.observation(der.id);
        let state = self.deliveries.get(control.id, der.id)?.state();
        if standing == Standing::Silent {
            let last = observation.last_contact.unwrap_or(der.enrolled);
            return (state != DeliveryState::Silent).then_some(Evidence::LastHeard(last));
        }
        if state == DeliveryState::Silent {
            return Some(Evidence::Heard);
        }
        let asked = control.base.p(der.settings.as_ref())?;
        let metered = observation.p?;
        let begun = control.interval.start.max(control.created).after(ramp);
        let follows = (metered.value - asked).abs() <= world.allowed_deviation(der);
        (state == DeliveryState::Started && metered.at >= begun && follows).then_some(
            Evidence::Measured {
                asked,
                metered: metered.value,
            },
        )
    }
}
