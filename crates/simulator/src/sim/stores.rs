//! The stores behind members of a plan, as they were known when it was made.

use std::time::Duration;

use fleet::dispatch::Plan;
use fleet::dispatch::rival::Rival;
use fleet::{DerId, Fleet, Observation, Origin};
use units::{Interval, Timestamp};

use super::check::energy::{self, Members};

/// What a plan was made of.
pub(super) struct Stores<'a> {
    fleet: &'a Fleet,
    seen: &'a [Observation],
    plan: &'a Plan,
    rivals: Vec<Rival<'a>>,
}

impl<'a> Stores<'a> {
    /// Behind the members of `plan`, which was made of what was `seen`.
    pub(super) fn new(fleet: &'a Fleet, seen: &'a [Observation], plan: &'a Plan) -> Self {
        let dispatch = fleet.dispatch(plan.dispatch);
        let rivals = dispatch.map(|dispatch| fleet.rivals(dispatch, plan.made));
        Self {
            fleet,
            seen,
            plan,
            rivals: rivals.unwrap_or_default(),
        }
    }
}

impl Members for Stores<'_> {
    fn store(&self, der: DerId, idle: Duration, last: Timestamp) -> Option<energy::Store> {
        let der = self.fleet.der(der)?;
        let made = self.plan.made;
        let settings = der.settings.as_ref()?;
        let rated = der.capability.as_ref().and_then(|c| c.energy_max);
        let whole_wh = settings.energy_max.or(rated)?.as_f64();
        let seen = self.seen.get(der.id.index())?;
        let soc_pct = seen.soc_pct.map(|soc| soc.value);
        let flexibility = self.fleet.enrolment().flexibility(der.id);
        let flexibility = flexibility.cloned().unwrap_or_default();
        let share_wh = |pct: f64| whole_wh * pct / 100.0;
        let departure = flexibility.departure.filter(|it| made < it.at);
        let need = departure.zip(soc_pct).and_then(|(departure, soc_pct)| {
            // Charging may be limited by others; then it is not the plan that keeps it from being full.
            let span = Interval::between(made, departure.at);
            let is_free = self.fleet.limits_during(der, settings, span).1.is_none();
            is_free.then(|| energy::Need {
                energy_wh: share_wh(departure.soc.as_f64() - soc_pct),
                by: departure.at,
                p_charge_max_w: settings.p_absorb_max.as_f64(),
            })
        });
        let above = |pct: f64| soc_pct.map_or(0.0, |soc| share_wh((soc - pct).max(0.0)));
        let store = energy::Store {
            above_reserve_wh: above(der.reserve.as_f64()),
            room_wh: soc_pct.map_or(0.0, |soc| share_wh((100.0 - soc).max(0.0))),
            charge_efficiency: flexibility.charge_efficiency.as_f64() / 100.0,
            discharge_efficiency: flexibility.discharge_efficiency.as_f64() / 100.0,
            need,
        };
        let meanwhile = Interval::between(made, last.max(made));
        let controls = self.fleet.own_controls_of(der.id).filter(|control| {
            let is_share = matches!(control.origin, Origin::Dispatch { .. });
            is_share && control.created < made && control.interval.overlaps(meanwhile)
        });
        let asked = controls.filter_map(|control| control.base.p(Some(settings)));
        let metered = seen.p.map(|reading| reading.value);
        let programs = self.fleet.programs_of(der.id);
        let defaults = programs
            .iter()
            .filter_map(|it| it.default.base.p(Some(settings)));
        Some(store.after(asked.chain(metered).chain(defaults), idle))
    }

    fn average_w(&self, der: DerId, interval: Interval, own_w: Option<f64>) -> Option<f64> {
        let meets = |rival: &&Rival<'_>| rival.intervals_of(der).any(|it| it.overlaps(interval));
        let mut left_s = interval.duration.as_secs_f64();
        let mut energy_ws = 0.0;
        if let Some(rival) = self.rivals.iter().find(meets) {
            for taken in rival.intervals_of(der).filter(|it| it.overlaps(interval)) {
                let from = taken.start.max(interval.start);
                let duration_s = taken.end().min(interval.end()).since(from).as_secs_f64();
                energy_ws += rival.asks_at(der, from)?.as_f64() * duration_s;
                left_s -= duration_s;
            }
        }
        if 1e-3 < left_s {
            energy_ws += own_w? * left_s;
        }
        Some(energy_ws / interval.duration.as_secs_f64().max(1e-3))
    }
}
