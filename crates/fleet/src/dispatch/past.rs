//! What a load has behind it that heats, or is either off or on.
//!
//! While such a load is asked for something its meter does not tell what it would do unasked, how much
//! it has done without already, or since when it has been off. So every plan notes what was known of
//! each when it was made, and what has come since then follows from its controls alone.

use units::{Interval, Timestamp, WattHours, Watts};

use super::assess::World;
use crate::control::precedence::{self, Ranked};
use crate::enrolment::Thermal;
use crate::{Control, Der, DerId, DerKind, DispatchId, Origin, Setting};

/// Part of what a heater can do without that counts as nothing.
const NEGLIGIBLE: f64 = 0.01;

/// What a load has behind it at some instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Past {
    /// Who.
    pub der: DerId,
    /// What it would do unasked.
    pub unasked: Watts,
    /// What it does.
    pub output: Watts,
    /// Energy by which it has been held back and that it has not made up for; negative where it has
    /// taken in advance.
    pub held: WattHours,
    /// Since when it has been off, or on; `None` where that is its own doing.
    pub since: Option<Timestamp>,
}

/// What decides how a load goes on.
struct Load {
    /// Output when it is on.
    whole: Watts,
    thermal: Option<Thermal>,
}

impl World<'_> {
    /// What `der` has behind it at `at`, which is not before now, if it gets no further controls;
    /// `None` for one that neither heats nor is off or on.
    #[must_use]
    pub fn past(&self, der: &Der, at: Timestamp) -> Option<Past> {
        let known = self.fleet.enrolment().flexibility(der.id)?;
        let remembers = known.thermal.is_some() || known.switching.is_some();
        if der.kind != DerKind::Load || !remembers {
            return None;
        }
        let load = Load {
            whole: -der.settings.as_ref()?.p_absorb_max,
            thermal: known.thermal,
        };
        let asked = self.asked(der, at).into_iter();
        let asked: Vec<(Interval, Watts)> = asked.map(|(_, held, p)| (held, p)).collect();
        let metered = self.observation(der.id).p;
        let (from, mut past) = self.noted(der.id).unwrap_or_else(|| {
            let unasked = metered.map_or(Watts::ZERO, |reading| reading.value);
            let first = asked.first().map_or(self.now, |(held, _)| held.start);
            (first.min(self.now), Past::unasked(der.id, unasked))
        });
        past.go_on(&load, Interval::between(from, self.now), &asked);
        if let Some(metered) = metered.filter(|metered| {
            let is_after = |(held, _): &(Interval, Watts)| held.end() <= metered.at;
            let begun = asked.iter().filter(|(held, _)| held.start <= self.now);
            let mut begun = begun.peekable();
            begun.peek().is_none() || (begun.all(is_after) && past.is_made_up_for(&load))
        }) {
            past.meter(&load, metered.value);
        }
        past.go_on(&load, Interval::between(self.now, at), &asked);
        Some(past)
    }

    /// The newest note of a plan about `der`, and when it was made.
    fn noted(&self, der: DerId) -> Option<(Timestamp, Past)> {
        let of_dispatch = |control: &Control| match control.origin {
            Origin::Dispatch { dispatch, .. } => Some(dispatch),
            _ => None,
        };
        let mut dispatches: Vec<DispatchId> = self
            .fleet
            .own_controls_of(der)
            .filter_map(of_dispatch)
            .collect();
        dispatches.dedup();
        let notes = dispatches.iter().filter_map(|id| {
            let plan = self.fleet.dispatch(*id)?.plan.as_ref()?;
            let position = plan.pasts.binary_search_by_key(&der, |past| past.der);
            Some((plan.made, plan.pasts[position.ok()?]))
        });
        notes
            .filter(|(made, _)| *made <= self.now)
            .max_by_key(|(made, _)| *made)
    }

    /// What controls set the active power of `der` to before `until`, and for as long as each holds it;
    /// in order.
    pub(super) fn asked(&self, der: &Der, until: Timestamp) -> Vec<(&Control, Interval, Watts)> {
        let sets = |setting: &Setting| matches!(setting, Setting::FixedW(_) | Setting::TargetW(_));
        let mut ranked: Vec<Ranked<'_>> = self.fleet.ranked_controls_of(der.id);
        ranked.retain(|(control, _)| {
            control.begins() < until && control.base.settings().iter().any(sets)
        });
        let held = ranked.iter().filter_map(|(control, primacy)| {
            let p = control.base.p(der.settings.as_ref())?;
            let losses = precedence::losses(&ranked, (control, *primacy));
            let lost = losses.iter().map(|loss| loss.at).min();
            let ends = [Some(control.interval.end()), control.cancelled, lost];
            let end = ends.into_iter().flatten().min()?;
            let begins = control.begins();
            (begins < end).then(|| (*control, Interval::between(begins, end), p))
        });
        let mut asked: Vec<_> = held.collect();
        asked.sort_unstable_by_key(|(_, held, _)| held.start);
        asked
    }
}

impl Past {
    const fn unasked(der: DerId, p: Watts) -> Self {
        Self {
            der,
            unasked: p,
            output: p,
            held: WattHours::ZERO,
            since: None,
        }
    }

    /// Takes up what it did all through `span`: what it was `asked`, in order, and in between what it
    /// does unasked.
    fn go_on(&mut self, load: &Load, span: Interval, asked: &[(Interval, Watts)]) {
        let mut at = span.start;
        for (held, p) in asked {
            let (start, end) = (held.start.max(at), held.end().min(span.end()));
            if start < end {
                self.rest(load, Interval::between(at, start));
                self.serve(load, Interval::between(start, end), *p);
                at = end;
            }
        }
        self.rest(load, Interval::between(at, span.end()));
    }

    /// It does `p` all through `span`.
    fn serve(&mut self, load: &Load, span: Interval, p: Watts) {
        self.turn(load, span.start, p);
        if let Some(thermal) = &load.thermal {
            let held = self.held + (p - self.unasked).over(span.duration);
            self.held = held.max(-thermal.precondition).min(thermal.hold);
        }
    }

    /// It is left to itself all through `span`, and makes up for what it was held back by.
    fn rest(&mut self, load: &Load, span: Interval) {
        if span.duration.is_zero() {
            return;
        }
        self.turn(load, span.start, self.unasked);
        if let Some(thermal) = &load.thermal {
            let constants = span.duration.as_secs_f64() / thermal.recovery.as_secs_f64();
            self.held = WattHours::from_f64(self.held.as_f64() * (-constants).exp());
        }
    }

    fn turn(&mut self, load: &Load, at: Timestamp, p: Watts) {
        if load.is_on(self.output) != load.is_on(p) {
            self.since = Some(at);
        }
        self.output = p;
    }

    /// Its meter says that it does `p`, unasked.
    fn meter(&mut self, load: &Load, p: Watts) {
        if load.is_on(self.output) != load.is_on(p) {
            self.since = None;
        }
        (self.unasked, self.output) = (p, p);
    }

    fn is_made_up_for(&self, load: &Load) -> bool {
        load.thermal.is_none_or(|thermal| {
            let whole = thermal.hold.max(thermal.precondition).as_f64();
            self.held.as_f64().abs() <= NEGLIGIBLE * whole
        })
    }
}

impl Load {
    /// Whether it is rather on than off at `p`.
    fn is_on(&self, p: Watts) -> bool {
        p.micro() < self.whole.micro() / 2
    }
}
