//! In which order members come, by the objective of their dispatch.

use std::collections::BTreeMap;
use std::time::Duration;

use units::{Money, Timestamp};

use super::assess::World;
use super::{Dispatch, Objective};
use crate::enrolment::{DemandResponseProgramId, Terms};
use crate::{Der, DerId};

/// How far back use is counted.
pub const USED_WITHIN: Duration = Duration::from_secs(30 * 86_400);

/// What the merit of members rests on.
#[derive(Debug)]
pub(super) struct Merits<'a> {
    world: World<'a>,
    objective: Objective,
    program: Option<DemandResponseProgramId>,
    /// When the dispatch begins, and how long it lasts.
    begins: Timestamp,
    hours: f64,
    /// Seconds for which each was asked within [`USED_WITHIN`].
    used_s: BTreeMap<DerId, i64>,
}

impl<'a> Merits<'a> {
    pub(super) fn new(world: &World<'a>, dispatch: &Dispatch) -> Self {
        let span = dispatch.span();
        let used_s = match dispatch.conduct.objective {
            Objective::LeastUsed => used(world, dispatch),
            _ => BTreeMap::new(),
        };
        Self {
            world: *world,
            objective: dispatch.conduct.objective,
            program: dispatch.conduct.program,
            begins: span.map_or(world.now, |span| span.start),
            hours: span.map_or(1.0, |span| span.duration.as_secs_f64() / 3_600.0),
            used_s,
        }
    }

    /// The place of `der` in the order, and what a kWh of it costs.
    pub(super) fn of(&self, der: &Der) -> (i64, Option<Money>) {
        let terms = self.terms(der.id);
        let price = terms.and_then(|terms| terms.price_per_kwh);
        let merit = match self.objective {
            Objective::ProRata | Objective::FewestDevices => 0,
            Objective::LeastUsed => self.used_s.get(&der.id).copied().unwrap_or(0),
            Objective::LeastCost => terms.map_or(0, |terms| self.cost(der, terms)),
        };
        (merit, price)
    }

    /// The terms of its contract about the dispatch's programme that holds when the dispatch begins;
    /// of its first one where the dispatch is of none.
    fn terms(&self, der: DerId) -> Option<&'a Terms> {
        let fleet = self.world.fleet;
        let mut contracts = fleet.enrolment().contracts_of(der);
        let contract = contracts.find(|contract| {
            contract.holds_at(self.begins)
                && self
                    .program
                    .is_none_or(|program| contract.program == program)
        })?;
        fleet.terms(contract.program, self.begins)
    }

    /// What a kWh costs when the DER goes as far as it can: its price, and its share of what the
    /// event itself costs, in millionths of the currency.
    fn cost(&self, der: &Der, terms: &Terms) -> i64 {
        let whole = der
            .settings
            .as_ref()
            .map_or(0.0, |s| s.p_inject_max.max(s.p_absorb_max).as_f64());
        let kwh = whole / 1_000.0 * self.hours;
        let per_event = terms.price_per_event.map_or(0.0, Money::as_f64);
        let start = if kwh > 0.0 { per_event / kwh } else { 0.0 };
        let per_kwh = terms.price_per_kwh.map_or(0.0, Money::as_f64);
        Money::from_f64(per_kwh + start).micro()
    }
}

fn used(world: &World<'_>, dispatch: &Dispatch) -> BTreeMap<DerId, i64> {
    let since = world.now.before(USED_WITHIN);
    let mut used_s = BTreeMap::new();
    let others = world.fleet.dispatches().iter().filter(|other| {
        let lately = other.span().is_some_and(|span| since < span.end());
        other.id != dispatch.id && other.published.is_some() && lately
    });
    for (der, time) in others.flat_map(Dispatch::asked_for) {
        *used_s.entry(der).or_default() += i64::try_from(time.as_secs()).unwrap_or(0);
    }
    used_s
}
