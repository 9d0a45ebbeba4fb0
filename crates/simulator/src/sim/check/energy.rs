//! What a plan asks can be done with the energy that there is, and leaves what owners need.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::dispatch::Plan;
use fleet::{DerId, Target};
use units::{Interval, Timestamp, Watts};

use super::Verdict;

/// Rounding of shares to what the wire can hold, in each interval.
const TOLERANCE_WH: f64 = 5.0;

/// The energy behind a member as it was known when a plan was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Store {
    /// Above what its owner keeps; nothing where it is below that.
    pub above_reserve_wh: f64,
    /// Until it is full.
    pub room_wh: f64,
    /// Stored of what is absorbed.
    pub charge_efficiency: f64,
    /// Injected of what is taken.
    pub discharge_efficiency: f64,
    /// What has to come into a vehicle, if anything has.
    pub need: Option<Need>,
}

/// Energy that has to be in a vehicle when it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Need {
    /// More than it holds; may be negative.
    pub energy_wh: f64,
    /// When it leaves.
    pub by: Timestamp,
    /// With how much it can charge when nobody asks it for anything.
    pub p_charge_max_w: f64,
}

/// When a member is asked for how much, in watts.
type Share = (Interval, f64);

/// What there is to know about the members of a plan.
pub trait Members {
    /// What is behind `der` when the plan was made, and what may have come of it while the plan does not
    /// ask it, for `idle` in all until `last`; none where there is no store.
    fn store(&self, der: DerId, idle: Duration, last: Timestamp) -> Option<Store>;

    /// What `der` does in `interval` on average, in watts, by what more urgent dispatches ask of it and,
    /// for the rest, by what the plan asks, `own_w`; none where nobody can say.
    fn average_w(&self, der: DerId, interval: Interval, own_w: Option<f64>) -> Option<f64>;
}

/// Judges a plan for `schedule`.
///
/// Taken for itself, from the state of charge that was last reported and with what members were asked
/// until it takes effect, no plan takes from a store what its owner keeps or fills one beyond what it
/// holds; and a vehicle that could still be charged in time can be when the plan is carried out.
pub fn check(plan: &Plan, schedule: &[Target], members: &impl Members) -> Verdict {
    let left = |index: u32| {
        let interval = schedule.get(index as usize)?.interval;
        let from = interval.start.max(plan.effective);
        Some(Interval::between(from, interval.end().max(from)))
    };
    let mut shares: BTreeMap<DerId, Vec<Share>> = BTreeMap::new();
    for allocation in &plan.allocations {
        let left = left(allocation.interval).ok_or("a share of no interval")?;
        let p_w = allocation.share.p().as_f64();
        shares.entry(allocation.der).or_default().push((left, p_w));
    }
    for (der, asked) in &mut shares {
        let average = |(interval, p_w): &Share| {
            Some((*interval, members.average_w(*der, *interval, Some(*p_w))?))
        };
        *asked = asked
            .iter()
            .map(average)
            .collect::<Option<_>>()
            .unwrap_or_default();
    }
    for (index, der) in &plan.elsewhere {
        let left = left(*index).ok_or("taken in no interval")?;
        if let Some(asked) = shares.get_mut(der).filter(|asked| !asked.is_empty()) {
            match members.average_w(*der, left, None) {
                Some(p_w) => asked.push((left, p_w)),
                None => asked.clear(),
            }
        }
    }
    for (der, mut asked) in shares {
        asked.sort_by_key(|(interval, _)| interval.start);
        let Some((last, _)) = asked.last() else {
            continue;
        };
        let whole = last.end().since(plan.made);
        let busy: Duration = asked.iter().map(|(interval, _)| interval.duration).sum();
        let Some(store) = members.store(der, whole.saturating_sub(busy), last.start) else {
            continue;
        };
        let judged = level(&store, &asked).and_then(|()| departure(&store, &asked, plan.made));
        judged.map_err(|found| format!("d{}: {found}; {}", der.0, listed(&asked, plan.made)))?;
    }
    Ok(())
}

/// What is asked and when, in seconds from `made` on.
fn listed(asked: &[Share], made: Timestamp) -> String {
    let share = |(interval, p_w): &Share| {
        let (start, end) = (interval.start.since(made), interval.end().since(made));
        format!("{p_w} W from {} s to {} s", start.as_secs(), end.as_secs())
    };
    let asked: Vec<String> = asked.iter().map(share).collect();
    asked.join(", ")
}

fn level(store: &Store, asked: &[Share]) -> Verdict {
    let mut drawn_wh = 0.0;
    let mut tolerance_wh = 0.0;
    for (interval, p_w) in asked {
        drawn_wh += store.drawn_wh(*p_w, hours(*interval));
        tolerance_wh += TOLERANCE_WH;
        let (most_wh, least_wh) = (store.above_reserve_wh, -store.room_wh);
        if most_wh + tolerance_wh < drawn_wh {
            return Err(format!(
                "is to give {drawn_wh:.0} Wh, and {most_wh:.0} Wh are above its reserve"
            ));
        }
        if drawn_wh < least_wh - tolerance_wh {
            let (taken_wh, room_wh) = (-drawn_wh, -least_wh);
            return Err(format!(
                "is to take {taken_wh:.0} Wh, and {room_wh:.0} Wh fill it"
            ));
        }
    }
    Ok(())
}

fn departure(store: &Store, asked: &[Share], made: Timestamp) -> Verdict {
    let Some(need) = store.need else {
        return Ok(());
    };
    let whole_h = hours(Interval::between(made, need.by.max(made)));
    let fastest_wh = |h: f64| -store.drawn_wh(-need.p_charge_max_w, h);
    if fastest_wh(whole_h) < need.energy_wh + TOLERANCE_WH {
        return Ok(());
    }
    let before = asked.iter().map(|(interval, p_w)| {
        let end = interval.end().min(need.by);
        let h = hours(Interval::between(interval.start.min(end), end));
        (h, -store.drawn_wh(*p_w, h))
    });
    let (planned_h, planned_wh) =
        before.fold((0.0, 0.0), |(h, wh), more| (h + more.0, wh + more.1));
    let most_wh = planned_wh + fastest_wh((whole_h - planned_h).max(0.0));
    let tolerance_wh = TOLERANCE_WH * asked.len() as f64;
    if most_wh + tolerance_wh < need.energy_wh {
        return Err(format!(
            "can have {most_wh:.0} Wh until its vehicle leaves, which needs {:.0} Wh",
            need.energy_wh
        ));
    }
    Ok(())
}

impl Store {
    /// The store after so much time in which its member may have done any of `powers`: with the most
    /// that it can have gained by them, and the most room.
    #[must_use]
    pub fn after(mut self, powers: impl Iterator<Item = Watts>, duration: Duration) -> Self {
        let (mut gained_wh, mut given_wh) = (0.0_f64, 0.0_f64);
        let whole_h = duration.as_secs_f64() / 3_600.0;
        for p in powers {
            let drawn_wh = self.drawn_wh(p.as_f64(), whole_h);
            gained_wh = gained_wh.max(-drawn_wh);
            given_wh = given_wh.max(drawn_wh);
        }
        self.above_reserve_wh += gained_wh;
        self.room_wh += given_wh;
        self
    }

    fn drawn_wh(&self, p_w: f64, h: f64) -> f64 {
        match p_w < 0.0 {
            true => p_w * h * self.charge_efficiency,
            false => p_w * h / self.discharge_efficiency,
        }
    }
}

fn hours(interval: Interval) -> f64 {
    interval.duration.as_secs_f64() / 3_600.0
}
