//! What DER can be asked for in a window of time, before anybody asks: how far up and down, after
//! what notice, for how long, how soon again, and how surely.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use units::{Interval, Percent, Watts};

use super::Standing;
use super::assess::{Range, World, stated_refusal};
use crate::enrolment::{DemandResponseProgramId, Terms};
use crate::{DeliveryState, Der, DerId, Dispatch, DispatchId, Origin};

/// For how long power is asked after, in [`Offer::held`].
pub const LADDER: [Duration; 6] = [
    Duration::from_secs(900),
    Duration::from_secs(1_800),
    Duration::from_secs(3_600),
    Duration::from_secs(7_200),
    Duration::from_secs(14_400),
    Duration::from_secs(28_800),
];
/// The part of the power that has to be there for the group to count as being there.
const MOST: f64 = 0.9;
/// Deliveries that a DER is credited with before anything is known of it, and how many of those
/// failed: a Beta prior.
const PRIOR: (f64, f64) = (10.0, 1.0);
/// The 10 % quantile of the standard normal distribution.
const Z_10: f64 = -1.281_551_6;
/// How far back deliveries count.
const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);

/// In which direction power is asked after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// More injection, or less absorption.
    Up,
    /// Less injection, or more absorption.
    Down,
}

/// What can be had in one direction.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Offer {
    /// By the durations of [`LADDER`]: power that can be held for so long, a magnitude.
    pub held: Vec<(Duration, Watts)>,
    /// What of the power held for the shortest duration is delivered on average, by how members
    /// have delivered.
    pub expected: Watts,
    /// What of it is delivered in nine of ten cases, where members fail independently.
    pub firm: Watts,
    /// Time from asking until nine tenths of it are there: until devices know, what contracts
    /// promise, and the ramp.
    pub notice: Duration,
    /// How fast all move together, per second; `None` where any member's ramp has no limit.
    pub ramp_w_per_s: Option<Watts>,
    /// For how long nine tenths of it can be held; at most the last of [`LADDER`].
    pub duration: Duration,
    /// Time after that until nine tenths of it can be had again: stores recovering, and what
    /// contracts promise.
    pub recovery: Duration,
}

/// What several DER can do.
#[derive(Clone, Debug, PartialEq)]
pub struct Availability {
    /// When.
    pub window: Interval,
    /// Upwards.
    pub up: Offer,
    /// Downwards.
    pub down: Offer,
    /// DER that are counted.
    pub counted: u32,
    /// DER that are not, by why.
    pub left_out: BTreeMap<Absence, u32>,
}

/// Why a DER is not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Absence {
    /// It stands so.
    Standing(Standing),
    /// A dispatch in force asks it for something in the window.
    Committed,
}

/// How a DER took part in a dispatch.
#[derive(Clone, Copy, Default)]
struct Part {
    followed: bool,
    refused: bool,
}

/// One member in one direction.
struct Share {
    /// Power beyond what it does, by duration, at most this.
    room: Watts,
    /// Energy beyond which it stops, in watt-seconds of change; `None` for none.
    energy_ws: Option<f64>,
    notice: Duration,
    recovery: Duration,
    ramp: Option<Watts>,
    reliability: f64,
}

impl World<'_> {
    /// What `ders` can be asked for all through `window`, under the terms of `program` where one is
    /// given. PV is counted with the sun of now.
    #[must_use]
    pub fn availability(
        &self,
        ders: &[DerId],
        window: Interval,
        program: Option<DemandResponseProgramId>,
    ) -> Availability {
        let mut availability = Availability {
            window,
            up: Offer::default(),
            down: Offer::default(),
            counted: 0,
            left_out: BTreeMap::new(),
        };
        let committed = self.dispatches_in(window);
        let reliability = self.reliability(ders);
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for der in ders.iter().filter_map(|id| self.fleet.der(*id)) {
            if let Some(why) = self.absence(der, window, (program, &committed)) {
                *availability.left_out.entry(why).or_default() += 1;
                continue;
            }
            let Some(range) = self.range_during(der, window) else {
                continue;
            };
            availability.counted += 1;
            let terms = program.and_then(|program| self.fleet.terms(program, window.start));
            let reliable = reliability.get(&der.id).copied().unwrap_or(prior());
            let share = |direction| self.share(der, range, direction, (terms, reliable));
            up.push(share(Direction::Up));
            down.push(share(Direction::Down));
        }
        availability.up = offer(&up);
        availability.down = offer(&down);
        availability
    }

    fn dispatches_in(&self, window: Interval) -> Vec<&Dispatch> {
        let open = self.fleet.open_dispatches(self.now);
        open.filter(|dispatch| {
            let meets = dispatch.span().is_some_and(|span| span.overlaps(window));
            dispatch.is_in_force() && meets
        })
        .collect()
    }

    fn absence(
        &self,
        der: &Der,
        window: Interval,
        (program, committed): (Option<DemandResponseProgramId>, &[&Dispatch]),
    ) -> Option<Absence> {
        let standing = self.standing_during(der, None, window);
        if standing != Standing::Controllable {
            return Some(Absence::Standing(standing));
        }
        let eligible = |program| self.fleet.may_take_part(der, program, window).is_ok();
        if !program.is_none_or(eligible) {
            return Some(Absence::Standing(Standing::Ineligible));
        }
        let busy = committed
            .iter()
            .any(|dispatch| dispatch.intervals_of(der.id).any(|i| i.overlaps(window)));
        busy.then_some(Absence::Committed)
    }

    /// How `der` can move from what it does, in `direction`.
    fn share(
        &self,
        der: &Der,
        range: Range,
        direction: Direction,
        (terms, reliability): (Option<&Terms>, f64),
    ) -> Share {
        let p = self.observation(der.id).p.map_or(Watts::ZERO, |p| p.value);
        let p = p.max(range.lo).min(range.hi);
        let room = match direction {
            Direction::Up => range.hi - p,
            Direction::Down => p - range.lo,
        };
        let settings = der.settings.as_ref();
        let ramp = settings.and_then(crate::Settings::ramp_w_per_s);
        let ramping = ramp.map_or(0.0, |ramp| seconds(room, ramp));
        let promised = terms.map_or(Duration::ZERO, |terms| terms.notice);
        let stored = self.energy(der);
        // A store that goes on as it is spends energy too, so the change can be held for less.
        let behaviour = self.behaviour(der, p);
        let energy_ws = stored.map(|(up, down)| {
            let lowest = settings.map_or(Watts::ZERO, |s| -s.p_absorb_max);
            let beyond = p - behaviour.neutral;
            let (energy, going) = match direction {
                Direction::Up => (behaviour.available(up, (self.now, lowest)), beyond),
                Direction::Down => (behaviour.absorbable(down), -beyond),
            };
            let whole_ws = energy.as_f64() * 3_600.0;
            let share = room.as_f64() / (room + going).as_f64().max(f64::MIN_POSITIVE);
            if (room + going) <= Watts::ZERO {
                f64::INFINITY
            } else {
                whole_ws * share.max(0.0)
            }
        });
        let back = settings.map_or(Watts::ZERO, |s| match direction {
            Direction::Up => s.p_absorb_max,
            Direction::Down => s.p_inject_max,
        });
        let refill = energy_ws.filter(|ws| ws.is_finite()).map_or(0.0, |ws| {
            let back_w = back.as_f64();
            if back_w > 0.0 {
                ws / back_w
            } else {
                f64::INFINITY
            }
        });
        Share {
            room: room.max(Watts::ZERO),
            energy_ws,
            notice: self.latency(der).max(promised) + duration(ramping),
            recovery: duration(refill).max(terms.map_or(Duration::ZERO, |t| t.recovery)),
            ramp,
            reliability,
        }
    }

    /// By DER of `ders`, the share of the dispatches that asked it of late which it has followed, with a prior
    /// for those of which little is known. Corrections give it several controls of one dispatch; one
    /// that it followed tells that it took part, unless it refused or left in the end.
    fn reliability(&self, ders: &[DerId]) -> BTreeMap<DerId, f64> {
        let ders: BTreeSet<DerId> = ders.iter().copied().collect();
        let since = self.now.before(REMEMBERED);
        let mut took_part: BTreeMap<(DerId, DispatchId), Part> = BTreeMap::new();
        for control in self.fleet.controls() {
            let (Origin::Dispatch { dispatch, .. }, Some(der)) = (control.origin, control.der)
            else {
                continue;
            };
            if !ders.contains(&der) {
                continue;
            }
            let row = self.deliveries.own(control.id);
            // What a member has refused is withdrawn from it.
            let refused = row.and_then(stated_refusal).is_some();
            let end = control.interval.end();
            let end = control.cancelled.map_or(end, |at| at.min(end));
            let void = control.cancelled.is_some() && !refused;
            if void || self.now < end || end < since {
                continue;
            }
            let followed = row.is_some_and(|row| {
                row.reached(DeliveryState::Following).is_some()
                    || row.state() == DeliveryState::Completed
            });
            let part = took_part.entry((der, dispatch)).or_default();
            part.followed |= followed;
            part.refused |= refused;
        }
        let mut counts: BTreeMap<DerId, (f64, f64)> = BTreeMap::new();
        for ((der, _), part) in took_part {
            let (asked, kept) = counts.entry(der).or_default();
            *asked += 1.0;
            *kept += f64::from(u8::from(part.followed && !part.refused));
        }
        let share = |(asked, kept): (f64, f64)| (kept + PRIOR.0 - PRIOR.1) / (asked + PRIOR.0);
        counts.into_iter().map(|(der, c)| (der, share(c))).collect()
    }
}

const fn prior() -> f64 {
    (PRIOR.0 - PRIOR.1) / PRIOR.0
}

impl Share {
    /// Power that it can hold for `duration`.
    fn held(&self, duration: Duration) -> f64 {
        let room = self.room.as_f64();
        let bound = self
            .energy_ws
            .map(|ws| ws / duration.as_secs_f64().max(1.0));
        bound.map_or(room, |bound| room.min(bound))
    }
}

fn offer(shares: &[Share]) -> Offer {
    let held = |duration| -> f64 { shares.iter().map(|share| share.held(duration)).sum() };
    let whole = held(LADDER[0]);
    let (mut expected, mut variance) = (0.0, 0.0);
    for share in shares {
        let p = share.held(LADDER[0]);
        expected += share.reliability * p;
        variance += share.reliability * (1.0 - share.reliability) * p * p;
    }
    let firm = (expected + Z_10 * f64::sqrt(variance)).clamp(0.0, whole);
    let lasting = longest(|d| MOST * whole <= held(d));
    let ramps: Option<Vec<Watts>> = shares.iter().map(|share| share.ramp).collect();
    Offer {
        held: LADDER.map(|d| (d, Watts::from_f64(held(d)))).to_vec(),
        expected: Watts::from_f64(expected),
        firm: Watts::from_f64(firm),
        notice: until_most(shares, whole, |share| share.notice),
        ramp_w_per_s: ramps.map(|ramps| ramps.into_iter().sum()),
        duration: if whole > 0.0 { lasting } else { Duration::ZERO },
        recovery: until_most(shares, whole, |share| share.recovery),
    }
}

/// The time by which those members have come whose power together is most of `whole`.
fn until_most(shares: &[Share], whole: f64, time: impl Fn(&Share) -> Duration) -> Duration {
    let mut order: Vec<(Duration, f64)> = shares
        .iter()
        .map(|share| (time(share), share.held(LADDER[0])))
        .filter(|(_, p)| *p > 0.0)
        .collect();
    order.sort_by_key(|(time, _)| *time);
    let mut there = 0.0;
    for (time, p) in order {
        there += p;
        if MOST * whole <= there * (1.0 + f64::EPSILON * 16.0) {
            return time;
        }
    }
    Duration::ZERO
}

/// The longest time, to the second and within [`LADDER`], for which `holds`, which only ever ceases
/// to.
fn longest(holds: impl Fn(Duration) -> bool) -> Duration {
    let (mut kept, mut beyond) = (0, LADDER[LADDER.len() - 1].as_secs() + 1);
    while kept + 1 < beyond {
        let middle = u64::midpoint(kept, beyond);
        if holds(Duration::from_secs(middle)) {
            kept = middle;
        } else {
            beyond = middle;
        }
    }
    Duration::from_secs(kept)
}

fn seconds(power: Watts, per_second: Watts) -> f64 {
    let rate = per_second.as_f64();
    if rate > 0.0 {
        power.as_f64() / rate
    } else {
        0.0
    }
}

/// As a duration in whole milliseconds, at most a week.
fn duration(seconds: f64) -> Duration {
    const WEEK_S: f64 = 604_800.0;
    let bounded = if seconds.is_nan() {
        0.0
    } else {
        seconds.clamp(0.0, WEEK_S)
    };
    Duration::from_secs_f64((bounded * 1_000.0).round() / 1_000.0)
}

impl Offer {
    /// The part of what can be held for the shortest time that is firm.
    #[must_use]
    pub fn firm_pct(&self) -> Percent {
        let whole = self.held.first().map_or(Watts::ZERO, |(_, p)| *p);
        let share = self.firm.as_f64() / whole.as_f64().max(f64::MIN_POSITIVE);
        #[expect(clippy::cast_possible_truncation, reason = "a share of at most one")]
        let hundredths = (share.clamp(0.0, 1.0) * 10_000.0).round() as i32;
        Percent::from_hundredths(hundredths)
    }
}
