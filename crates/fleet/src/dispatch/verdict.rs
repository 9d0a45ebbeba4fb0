//! What became of a dispatch at one DER, judged by its meter.

use units::{Interval, Percent, WattHours, Watts};

use super::Standing;

/// The outcome at one DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// Too early to say.
    Pending,
    /// The meter shows what was asked, within tolerance.
    Delivered,
    /// The meter shows at least half of the asked change.
    PartlyDelivered,
    /// The meter does not show it, whatever the device says.
    NotDelivered,
    /// The owner opted out.
    OptedOut,
    /// The device refused.
    Rejected,
    /// Not heard for too long; what it did is not known.
    Silent,
    /// Its microgrid was no part of the grid when the dispatch was over.
    Islanded,
}

/// One stretch of time in which one control was to be followed, the ramp left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// When.
    pub interval: Interval,
    /// Power asked.
    pub asked: Watts,
    /// Mean of its meter's readings, `None` without any.
    pub metered: Option<Watts>,
}

/// What is known at the time of judgement.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// How the member stands.
    pub standing: Standing,
    /// What it did before the dispatch.
    pub base: Watts,
    /// The larger of its maxima.
    pub rating: Watts,
    /// Deviation that still counts as following, of the rating.
    pub tolerance: Percent,
    /// The stretches that are over.
    pub stretches: &'a [Stretch],
    /// Whether the dispatch is.
    pub course: Course,
}

/// Whether more is to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// The dispatch goes on, and readings may still arrive.
    Running,
    /// The dispatch is over. What no meter shows has not been delivered.
    Over,
}

/// Energy over stretches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Energy {
    /// Asked.
    pub asked: WattHours,
    /// Metered; stretches without readings count as nothing.
    pub metered: WattHours,
}

/// Asked and metered energy of `stretches`.
#[must_use]
pub fn energy(stretches: &[Stretch]) -> Energy {
    stretches
        .iter()
        .fold(Energy::default(), |sum, stretch| Energy {
            asked: sum.asked + stretch.asked.over(stretch.interval.duration),
            metered: sum.metered
                + stretch
                    .metered
                    .unwrap_or(Watts::ZERO)
                    .over(stretch.interval.duration),
        })
}

/// The outcome. Deviations count by magnitude in each stretch, so that too much in one does not
/// make up for too little in another.
#[must_use]
pub fn verdict(case: &Case<'_>) -> Verdict {
    match case.standing {
        Standing::OptedOut => return Verdict::OptedOut,
        Standing::Rejected => return Verdict::Rejected,
        Standing::Silent => return Verdict::Silent,
        Standing::Islanded => return Verdict::Islanded,
        Standing::NotFollowing => return Verdict::NotDelivered,
        Standing::Controllable
        | Standing::Unable
        | Standing::Commanded
        | Standing::NotPermitted
        | Standing::Ineligible
        | Standing::Spare => {}
    }
    let mut metered = case
        .stretches
        .iter()
        .filter_map(|s| Some((s, s.metered?)))
        .peekable();
    if case.stretches.is_empty() {
        return Verdict::Pending;
    }
    if metered.peek().is_none() {
        return match case.course {
            Course::Running => Verdict::Pending,
            Course::Over => Verdict::NotDelivered,
        };
    }
    let (mut deviation, mut change, mut whole) =
        (WattHours::ZERO, WattHours::ZERO, WattHours::ZERO);
    for (stretch, p) in metered {
        let duration = stretch.interval.duration;
        deviation += (p - stretch.asked).abs().over(duration);
        change += (case.base - stretch.asked).abs().over(duration);
        whole += case.rating.over(duration);
    }
    let allowed = case.tolerance.as_f64() / 100.0 * whole.as_f64();
    if deviation.as_f64() <= allowed {
        Verdict::Delivered
    } else if deviation.as_f64() <= change.as_f64() / 2.0 {
        Verdict::PartlyDelivered
    } else {
        Verdict::NotDelivered
    }
}
