//! From what is known of the members to what a planner may count on.

use std::time::Duration;

use units::{Interval, Percent, Timestamp, WattHours, Watts};

use super::meanwhile::{Elsewhere, Later, stretches};
use super::merit::Merits;
use super::plan::{Member, Role};
use super::rival::Rival;
use super::share::Grid;
use super::{Dispatch, Target};
use crate::delivery::is_opt_out;
use crate::microgrid::Coupling;
use crate::{
    Control, Delivery, DeliveryState, Der, DerId, DerKind, DispatchId, Evidence, Fleet, Ledger,
    Observation, Origin, Setting, Settings,
};

/// How a member stands with respect to a dispatch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Standing {
    /// Reachable, willing and able.
    Controllable,
    /// Not heard for too long, or never, or shut out.
    Silent,
    /// Its owner opted out of this dispatch.
    OptedOut,
    /// It refused a control of this dispatch.
    Rejected,
    /// It accepted a control and its meter shows that it does not follow.
    NotFollowing,
    /// It reports no mode by which active power could be asked for, or is disconnected.
    Unable,
    /// A control of higher rank sets its active power.
    Commanded,
    /// It has no permission to operate all the time, or its owner does not agree to dispatch.
    NotPermitted,
    /// The terms of the programme of the dispatch leave it out.
    Ineligible,
    /// It could be asked and is not needed.
    Spare,
    /// Its microgrid is an island, or on its way to or from one.
    Islanded,
}

/// The thresholds by which members are judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Silence after which a member is not counted on.
    pub silent_after: Duration,
    /// Time a meter gets to show an effect, beyond the ramp.
    pub settle: Duration,
    /// Time between deciding a control and its start, so that devices can fetch it.
    pub lead: Duration,
    /// Deviation that still counts as following, of the member's larger maximum.
    pub tolerance: Percent,
    /// Longest time until a device that polls for itself knows of a new control.
    pub latency: Duration,
    /// Longest time until a DER behind an aggregator does.
    pub latency_aggregated: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            silent_after: Duration::from_secs(2_700),
            settle: Duration::from_secs(60),
            lead: Duration::from_secs(900),
            tolerance: Percent::from_hundredths(500),
            latency: Duration::from_secs(600),
            latency_aggregated: Duration::from_secs(900),
        }
    }
}

/// Everything a judgement rests on.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Decisions.
    pub fleet: &'a Fleet,
    /// Latest readings, by DER.
    pub observations: &'a [Observation],
    /// What became of each control.
    pub deliveries: &'a Ledger,
    /// Thresholds.
    pub policy: Policy,
    /// The instant of judgement.
    pub now: Timestamp,
}

/// The feasible range of a DER's active power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// Lowest net injection.
    pub lo: Watts,
    /// Highest net injection.
    pub hi: Watts,
}

impl<'a> World<'a> {
    /// The latest readings of `der`; empty when it has none.
    #[must_use]
    pub fn observation(&self, der: DerId) -> Observation {
        self.observations
            .get(der.index())
            .copied()
            .unwrap_or_default()
    }

    /// How `der` is coupled to the grid.
    #[must_use]
    pub fn coupling(&self, der: DerId) -> Coupling {
        self.fleet.coupling_at(der, self.now)
    }

    /// Whether what the meter of `der` says adds to what the grid has: it is heard, and it is part of
    /// the grid.
    #[must_use]
    pub fn is_counted(&self, der: DerId) -> bool {
        self.is_reachable(der) && self.coupling(der) == Coupling::Connected
    }

    /// Whether `der` has been heard lately and is answered. One whose access is revoked, or that
    /// of its aggregator, can neither fetch a control nor hear of a withdrawal.
    #[must_use]
    pub fn is_reachable(&self, der: DerId) -> bool {
        let shut_out = |der: &Der| !self.fleet.is_let_in(der);
        if self.fleet.der(der).is_some_and(shut_out) {
            return false;
        }
        let last = self.observation(der).last_contact;
        last.is_some_and(|at| self.now.since(at) <= self.policy.silent_after)
    }

    /// The longest time until `der` knows of a control that is issued now (CSIP 2.1, 5.2: a direct
    /// client looks every ten minutes, an aggregator passes on within fifteen).
    #[must_use]
    pub fn latency(&self, der: &Der) -> Duration {
        match der.manager {
            Some(_) => self.policy.latency_aggregated,
            None => self.policy.latency,
        }
    }

    /// How `der` stands now with respect to `dispatch`, or in general.
    #[must_use]
    pub fn standing(&self, der: &Der, dispatch: Option<&Dispatch>) -> Standing {
        let now = Interval::between(self.now, self.now);
        self.standing_during(der, dispatch, now)
    }

    /// How `der` stands with respect to `dispatch`, or in general, where it is to be asked for
    /// something all through `span`.
    #[must_use]
    pub fn standing_during(
        &self,
        der: &Der,
        dispatch: Option<&Dispatch>,
        span: Interval,
    ) -> Standing {
        if self.coupling(der.id) != Coupling::Connected {
            return Standing::Islanded;
        }
        let disconnected = self.observation(der.id).connected.is_some_and(|c| !c.value);
        if Grid::of(der).is_none() || disconnected {
            return Standing::Unable;
        }
        if !self.fleet.enrolment().may_dispatch(der.id, span) {
            return Standing::NotPermitted;
        }
        if let Some(dispatch) = dispatch {
            if let Some(refusal) = self.refusal(der.id, dispatch.id) {
                return refusal;
            }
            // Once found not to follow, a member is left out for the rest of the dispatch:
            // without a control there is nothing it could follow.
            let latched = dispatch
                .plan
                .as_ref()
                .is_some_and(|plan| plan.standing_of(der.id) == Some(Standing::NotFollowing));
            if latched {
                return Standing::NotFollowing;
            }
        }
        if !self.is_reachable(der.id) {
            return Standing::Silent;
        }
        if self.commanded(der).is_some() {
            return Standing::Commanded;
        }
        match dispatch {
            Some(dispatch) if self.is_astray(der, dispatch) => Standing::NotFollowing,
            Some(dispatch) if self.fleet.participation(der, dispatch).is_err() => {
                Standing::Ineligible
            }
            _ => Standing::Controllable,
        }
    }

    /// An opt-out or refusal that the device has stated for any control of the dispatch.
    pub(super) fn refusal(&self, der: DerId, dispatch: DispatchId) -> Option<Standing> {
        self.controls(der, dispatch)
            .find_map(|control| stated_refusal(self.deliveries.own(control.id)?))
    }

    /// Whether the meter contradicts a control that has had time to act and that the member is
    /// able to follow.
    fn is_astray(&self, der: &Der, dispatch: &Dispatch) -> bool {
        let Some(metered) = self.observation(der.id).p else {
            return false;
        };
        let allowed = self.allowed_deviation(der);
        let strays = |control: &Control| {
            let begun = control.interval.start.max(control.created);
            let settled = begun.after(dispatch.ramp).after(self.policy.settle);
            let asked = control.base.p(der.settings.as_ref());
            let off = asked.filter(|asked| allowed < (metered.value - *asked).abs());
            off.filter(|_| metered.at >= settled)
        };
        // Most members follow, and are spared the search for the control that is in force.
        let mut own = self.controls(der.id, dispatch.id);
        if !own.any(|control| control.interval.contains(self.now) && strays(control).is_some()) {
            return false;
        }
        let Some(control) = self.fleet.in_force(der.id, self.now) else {
            return false;
        };
        let own =
            matches!(control.origin, Origin::Dispatch { dispatch: id, .. } if id == dispatch.id);
        let (Some(asked), Some(range)) = (strays(control).filter(|_| own), self.range(der)) else {
            return false;
        };
        range.lo - allowed <= asked && asked <= range.hi + allowed
    }

    /// Deviation of `der` that still counts as following.
    #[must_use]
    pub fn allowed_deviation(&self, der: &Der) -> Watts {
        let whole = der
            .settings
            .as_ref()
            .map(|s| s.p_inject_max.max(s.p_absorb_max));
        self.policy.tolerance.of(whole.unwrap_or_default())
    }

    /// What `der` could do now; `None` before it has reported settings.
    #[must_use]
    pub fn range(&self, der: &Der) -> Option<Range> {
        let now = Interval::between(self.now, self.now);
        self.range_during(der, now)
    }

    /// What `der` could do all through `span`, with the sun of now; `None` before it has reported
    /// settings. Limits set for it by others hold.
    #[must_use]
    pub fn range_during(&self, der: &Der, span: Interval) -> Option<Range> {
        let settings = der.settings.as_ref()?;
        let Range { lo, hi } = self.unruled_range(der, settings);
        let ruled = self.fleet.limits_during(der, settings, span);
        let approved = self.fleet.enrolment().limits_during(der.id, span);
        let least = |a: Option<Watts>, b: Option<Watts>| a.into_iter().chain(b).min();
        let (inject, absorb) = (least(ruled.0, approved.0), least(ruled.1, approved.1));
        let lo = absorb.map_or(lo, |absorb| lo.max(-absorb));
        Some(Range {
            lo,
            hi: inject.map_or(hi, |inject| hi.min(inject)).max(lo),
        })
    }

    /// What `der`, with these settings, could do if nobody limited it, with the sun of now.
    fn unruled_range(&self, der: &Der, settings: &Settings) -> Range {
        let observation = self.observation(der.id);
        match der.kind {
            DerKind::Pv => {
                let sun = observation.p_available.or(observation.p);
                let sun = sun.map_or(Watts::ZERO, |reading| reading.value);
                Range {
                    lo: Watts::ZERO,
                    hi: sun.clamp(Watts::ZERO, settings.p_inject_max),
                }
            }
            DerKind::Storage | DerKind::EvCharger | DerKind::Load | DerKind::Generator => Range {
                lo: -settings.p_absorb_max,
                hi: settings.p_inject_max,
            },
        }
    }

    /// The active power that a control of higher rank than any dispatch sets at `der`, now or
    /// before a control of ours could act.
    #[must_use]
    pub fn commanded(&self, der: &Der) -> Option<Watts> {
        let settings = der.settings.as_ref()?;
        let soon = self.now.after(self.policy.lead);
        [self.now, soon].into_iter().find_map(|at| {
            let control = self.fleet.commands_of(der, at)?;
            let off = |setting: &Setting| {
                matches!(setting, Setting::Connect(false) | Setting::Energize(false))
            };
            if control.base.settings().iter().any(off) {
                return Some(Watts::ZERO);
            }
            let p = control.base.p(Some(settings))?;
            let is_limit = |setting: &Setting| matches!(setting, Setting::MaxLimW(_));
            Some(match control.base.settings().iter().all(is_limit) {
                true => p.min(self.unruled_range(der, settings).hi),
                false => p,
            })
        })
    }

    /// What the store of `der` holds when it is full; `None` without one.
    pub(super) fn capacity(&self, der: &Der) -> Option<WattHours> {
        let rated = der.capability.as_ref().and_then(|c| c.energy_max);
        der.settings.as_ref()?.energy_max.or(rated)
    }

    /// Energy stored in `der` above its reserve, and what is missing until it is full; `None` for a
    /// DER without a store. A store whose state of charge is unknown can't be counted on. What heats
    /// or cools counts what it can do without and can take in advance, less what it has so already.
    #[must_use]
    pub fn energy(&self, der: &Der) -> Option<(WattHours, WattHours)> {
        let flexibility = self.fleet.enrolment().flexibility(der.id);
        let thermal = flexibility.and_then(|flexibility| flexibility.thermal);
        if let Some(thermal) = thermal.filter(|_| der.kind == DerKind::Load) {
            let held = self.past(der, self.now).map(|past| past.held);
            let held = held.unwrap_or(WattHours::ZERO);
            return Some((thermal.hold - held, thermal.precondition + held));
        }
        let observation = self.observation(der.id);
        let Some(whole) = self.capacity(der) else {
            // A charger that does not know its vehicle's battery knows what the vehicle asks for.
            let asked = self.charge_need(der)?.energy;
            return Some((WattHours::ZERO, asked.max(WattHours::ZERO)));
        };
        let Some(soc) = observation.soc_pct else {
            return Some((WattHours::ZERO, WattHours::ZERO));
        };
        let share = |pct: f64| WattHours::from_f64(whole.as_f64() * pct.clamp(0.0, 100.0) / 100.0);
        let above_reserve = soc.value - der.reserve.as_f64();
        Some((share(above_reserve), share(100.0 - soc.value)))
    }

    /// The range of `der` cut to what its energy can hold for `duration`.
    #[must_use]
    pub fn range_for(&self, der: &Der, duration: Duration) -> Option<Range> {
        let range = self.range(der)?;
        let Some((up, down)) = self.energy(der) else {
            return Some(range);
        };
        let metered = self.observation(der.id).p.map(|reading| reading.value);
        let behaviour = self.behaviour(der, metered.unwrap_or_default());
        let most = behaviour.output(up, duration).unwrap_or(range.hi);
        let least = behaviour.output(-down, duration).unwrap_or(range.lo);
        let lo = range.lo.max(least);
        Some(Range {
            lo,
            hi: range.hi.min(most).max(lo),
        })
    }

    /// The controls of `der` that belong to `dispatch`.
    pub fn controls(
        &self,
        der: DerId,
        dispatch: DispatchId,
    ) -> impl Iterator<Item = &'a Control> + use<'a> {
        self.fleet.own_controls_of(der).filter(move |control| {
            matches!(control.origin, Origin::Dispatch { dispatch: id, .. } if id == dispatch)
        })
    }

    /// What `der` will do in schedule interval `index` if nothing more is asked: the control that
    /// it holds for it, else its default control, else `None` (what it does now).
    #[must_use]
    pub fn outlook(
        &self,
        der: &Der,
        dispatch: &Dispatch,
        index: u32,
        known: Known,
    ) -> Option<Watts> {
        let held = self
            .controls(der.id, dispatch.id)
            .filter(|c| matches!(c.origin, Origin::Dispatch { interval, .. } if interval == index))
            .filter(|control| {
                // A device goes by the latest control that it knows: one that it has not heard of
                // displaces nothing there, and one whose withdrawal it has not heard of holds.
                let stands = match known {
                    Known::ToUs => control.cancelled.is_none(),
                    Known::ToDevice => self.is_held(control),
                };
                stands && self.now < control.interval.end()
            })
            .max_by_key(|control| (control.created, control.mrid))
            .and_then(|control| control.base.p(der.settings.as_ref()));
        held.or_else(|| self.default_p(der))
    }

    /// Whether the device holds `control`: it fetched it, did not refuse it, and has not been heard
    /// since it was withdrawn.
    pub(super) fn is_held(&self, control: &Control) -> bool {
        control.der.is_some_and(|der| self.is_held_by(control, der))
    }

    /// As [`Self::is_held`] for `der`, which `control` is for among others.
    pub(crate) fn is_held_by(&self, control: &Control, der: DerId) -> bool {
        let row = self.deliveries.get(control.id, der);
        let known = row.is_some_and(Delivery::is_known_to_device);
        let last = self.observation(der).last_contact;
        let unheard = |at: Timestamp| last.is_none_or(|last| last < at);
        known && control.cancelled.is_none_or(unheard)
    }

    /// The active power of the default control of `der`, `None` when none sets it and the device
    /// is then on its own.
    pub(super) fn default_p(&self, der: &Der) -> Option<Watts> {
        let programs = self.fleet.programs_of(der.id);
        let asked = |program: &&crate::Program| program.default.base.p(der.settings.as_ref());
        programs.iter().find_map(asked)
    }

    /// When a silent `der` is at its default control for sure: when the last control that it
    /// holds has ended. `None` when its default control does not say what it does.
    #[must_use]
    pub fn settled_at(&self, der: &Der) -> Option<Timestamp> {
        self.default_p(der)?;
        let held = self
            .fleet
            .own_controls_of(der.id)
            .filter(|control| self.is_held(control));
        Some(
            held.map(|control| control.interval.end())
                .max()
                .unwrap_or_default(),
        )
    }

    /// What to count `der` at now against a limit that it loads with `coefficient`: what its meter
    /// says, or, silent, the most adverse that it could do until it is at its default control.
    ///
    /// Interpretation: what an island does never reaches the network, whatever controls its members
    /// hold, so they count as nothing from the report that the switch is open. While it may be open or
    /// closed, a member counts at the most adverse that it could do, heard or not, for what it does is
    /// up to the microgrid controller; and as nothing where that is worse.
    #[must_use]
    pub fn adverse(&self, der: &Der, coefficient: f64) -> Watts {
        let metered = self.observation(der.id).p.map_or(Watts::ZERO, |p| p.value);
        let coupling = self.coupling(der.id);
        if coupling == Coupling::Separated {
            return Watts::ZERO;
        }
        let unsure = coupling == Coupling::Uncertain || !self.is_reachable(der.id);
        let Some(settings) = der.settings.as_ref().filter(|_| unsure) else {
            return metered;
        };
        if coupling == Coupling::Connected
            && let Some(p) = self.default_p(der)
            && self.settled_at(der).is_some_and(|at| at <= self.now)
        {
            return p;
        }
        if coefficient < 0.0 {
            -settings.p_absorb_max
        } else {
            settings.p_inject_max
        }
    }
}

/// Whose knowledge of a control counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// It has been issued.
    ToUs,
    /// The device has fetched it.
    ToDevice,
}

/// A target with its place in the schedule.
type Numbered = (u32, Target);

/// The members of a dispatch as the planner sees them, with the rows of expected output.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Ascending by DER.
    pub members: Vec<Member>,
    /// See [`super::Request::expected`].
    pub expected: Vec<Vec<Watts>>,
    /// See [`super::Request::elsewhere`].
    pub elsewhere: Vec<Vec<Elsewhere>>,
}

/// Judges the `ders` for a plan of `dispatch`, of which `targets` lie ahead from `effective` on.
#[must_use]
pub fn members(
    world: &World<'_>,
    ders: &[DerId],
    dispatch: &Dispatch,
    (effective, targets): (Timestamp, &[Numbered]),
) -> Members {
    let mut result = Members::default();
    let rivals = world.fleet.rivals(dispatch, world.now);
    let merits = Merits::new(world, dispatch);
    let stretches = stretches(world.now, effective, targets);
    let starts = targets.iter().map(|(_, target)| target.interval.start);
    let ends = targets.iter().map(|(_, target)| target.interval.end());
    let from = starts.min().unwrap_or(world.now).max(world.now);
    let span = Interval::between(from, ends.max().unwrap_or(from).max(from));
    for der in ders.iter().filter_map(|id| world.fleet.der(*id)) {
        let standing = world.standing_during(der, Some(dispatch), span);
        let mut member = member(world, der, standing, span);
        if member.behaviour.switching.is_some() {
            member.behaviour.switching = world.switching(der, from.max(effective));
        }
        if standing == Standing::Silent
            && let Some(at) = world.settled_at(der)
        {
            let position = targets
                .iter()
                .position(|(_, target)| at <= target.interval.start);
            member.settled_from = position.and_then(|position| u32::try_from(position).ok());
        }
        (member.merit, member.price_per_kwh) = merits.of(der);
        member.committed = committed(world, der, dispatch, span);
        let before = world.meanwhile(der, (dispatch, &stretches), member.base);
        let is_sought = !(before.is_empty() && rivals.is_empty());
        if is_sought && member.role == Role::Controllable {
            let row = targets.iter().enumerate().map(|(position, (_, target))| {
                let ahead =
                    Interval::between(target.interval.start.max(effective), target.interval.end());
                let base = member.base;
                let taken = |rival: &Rival<'_>| rival.takes(der.id, ahead, base);
                let during = rivals.iter().find_map(taken);
                let later = rivals.iter().filter(|_| during.is_none());
                let later = later.filter_map(|rival| rival.takes_later(der.id, ahead, base));
                Elsewhere {
                    before: before.get(position).copied().flatten(),
                    during,
                    later: later.reduce(Later::and),
                }
            });
            let row: Vec<Elsewhere> = row.collect();
            if row.iter().any(|it| *it != Elsewhere::default()) {
                member.elsewhere = u32::try_from(result.elsewhere.len()).ok();
                result.elsewhere.push(row);
            }
        }
        if dispatch.plan.is_some() {
            let known = if standing == Standing::Silent {
                Known::ToDevice
            } else {
                Known::ToUs
            };
            let follows = matches!(standing, Standing::Controllable | Standing::Silent);
            let row: Vec<Watts> = targets
                .iter()
                .map(|(index, _)| world.outlook(der, dispatch, *index, known))
                .map(|p| p.unwrap_or(member.base))
                .collect();
            if follows && row.iter().any(|p| *p != member.base) {
                member.expected = u32::try_from(result.expected.len()).ok();
                result.expected.push(row);
            }
        }
        result.members.push(member);
    }
    result
}

/// Least and most that controls which are not of `dispatch` have `der` do in `span`.
fn committed(
    world: &World<'_>,
    der: &Der,
    dispatch: &Dispatch,
    span: Interval,
) -> Option<(Watts, Watts)> {
    let others = world.fleet.own_controls_of(der.id).filter(|control| {
        let is_own =
            matches!(control.origin, Origin::Dispatch { dispatch: of, .. } if of == dispatch.id);
        !is_own && control.cancelled.is_none() && control.interval.overlaps(span)
    });
    let asked = others.filter_map(|control| control.base.p(der.settings.as_ref()));
    asked.fold(None, |range, p| {
        let (least, most) = range.unwrap_or((p, p));
        Some((least.min(p), most.max(p)))
    })
}

/// An opt-out or refusal that the device has stated.
pub(super) fn stated_refusal(delivery: &Delivery) -> Option<Standing> {
    match (delivery.state(), delivery.entries.last()?.evidence) {
        (DeliveryState::Overridden, Evidence::Response(code)) if is_opt_out(code) => {
            Some(Standing::OptedOut)
        }
        (DeliveryState::Rejected, _) => Some(Standing::Rejected),
        _ => None,
    }
}

fn member(world: &World<'_>, der: &Der, standing: Standing, span: Interval) -> Member {
    let metered = world.observation(der.id).p.map(|reading| reading.value);
    let commanded = match standing {
        Standing::Commanded => world.commanded(der),
        _ => None,
    };
    let coupling = world.coupling(der.id);
    // What is asked of a load that heats or is switched is not what it does unasked.
    let past = world.past(der, world.now).map(|past| past.unasked);
    let unasked = past
        .or_else(|| world.metered_unasked(der))
        .unwrap_or_default();
    let base = match standing {
        Standing::Islanded => Watts::ZERO,
        Standing::Controllable | Standing::Silent => unasked,
        _ => commanded.or(metered).unwrap_or_default(),
    };
    let range = world.range_during(der, span);
    let range = range.unwrap_or(Range { lo: base, hi: base });
    let energy = world.energy(der);
    let silent = coupling == Coupling::Connected && !world.is_reachable(der.id);
    let role = match standing {
        Standing::Controllable => Role::Controllable,
        Standing::Silent => Role::Held,
        Standing::Islanded if coupling == Coupling::Uncertain => Role::Held,
        // Whoever left the dispatch and then falls silent could be doing anything.
        _ if silent => Role::Held,
        Standing::OptedOut
        | Standing::Rejected
        | Standing::NotFollowing
        | Standing::Unable
        | Standing::Commanded
        | Standing::NotPermitted
        | Standing::Ineligible
        | Standing::Spare
        | Standing::Islanded => Role::Fixed,
    };
    // What a silent PV plant could do does not depend on the sun it last reported.
    let widest = der.settings.as_ref().map_or(range, |s| Range {
        lo: -s.p_absorb_max,
        hi: s.p_inject_max,
    });
    let range = if role == Role::Held { widest } else { range };
    Member {
        der: der.id,
        standing,
        role,
        base,
        lo: range.lo,
        hi: range.hi,
        ramp_w_per_s: der.settings.as_ref().and_then(Settings::ramp_w_per_s),
        energy_up: energy.map(|(up, _)| up),
        energy_down: energy.map(|(_, down)| down),
        behaviour: world.behaviour(der, base),
        grid: Grid::of(der).unwrap_or(Grid::TargetW { multiplier: 0 }),
        settled_from: None,
        expected: None,
        elsewhere: None,
        committed: None,
        merit: 0,
        price_per_kwh: None,
    }
}
