//! The members of a dispatch taken together.

use std::collections::BTreeMap;

use fleet::dispatch::Standing;
use fleet::dispatch::assess::World;
use fleet::dispatch::verdict::Total;
use fleet::{ActivePower, DispatchId};
use units::Watts;

use super::{Control, Member};
use crate::api::control::DeliveryStep;
use crate::api::value::{MeasuredValue, sum};

/// The members of a dispatch taken together, each added once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    members: usize,
    /// Members by how far their control of now has come.
    pub(crate) counts: BTreeMap<DeliveryStep, usize>,
    /// Verdicts and energy.
    pub(crate) total: Total,
    /// Members that learned of a control too late.
    pub(crate) told_late: usize,
    /// What can be counted on now.
    pub(crate) promised: Watts,
    readings: Vec<MeasuredValue>,
}

/// The tally of each dispatch.
pub(crate) type Tallies = BTreeMap<DispatchId, Tally>;

impl Tally {
    /// Adds a member.
    pub(crate) fn add(&mut self, world: &World<'_>, member: &Member<'_>) {
        self.members += 1;
        if let Some(state) = member.state {
            *self.counts.entry(state.into()).or_default() += 1;
        }
        let verdict = member.judgement.map(|judgement| judgement.verdict);
        self.total.add(verdict, member.energy);
        self.told_late += usize::from(!member.told_late.is_empty());
        if world.is_counted(member.der.id) {
            self.promised += promised(world, member);
            let reading = world.observation(member.der.id).p;
            self.readings.extend(reading.map(MeasuredValue::of_watts));
        }
    }

    /// Sum of what the meters of members that are heard, and part of the grid, last read.
    #[must_use]
    pub(crate) fn measured(&self) -> Option<MeasuredValue> {
        sum(&self.readings, self.members)
    }
}

/// What can be counted on of a reachable member.
fn promised(world: &World<'_>, member: &Member<'_>) -> Watts {
    let is_held = |control: &&Control| {
        let row = world.deliveries.own(control.id);
        control.interval.contains(world.now) && row.is_some_and(fleet::Delivery::is_known_to_device)
    };
    let held = member.current.filter(is_held);
    let share = held
        .and_then(|control| control.base.active())
        .map(ActivePower::p);
    let unasked = member.current.is_none() || member.standing == Standing::OptedOut;
    let metered = world.observation(member.der.id).p.map(|p| p.value);
    share.or(metered.filter(|_| unasked)).unwrap_or_default()
}
