//! What became of a dispatch at one DER, judged by the best evidence that there is.
//!
//! A meter goes before what the device says. What no evidence confirms in time has not been
//! delivered.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::Add;
use std::time::Duration;

use units::{Interval, Percent, WattHours, Watts};

use super::{Batch, Standing};

/// Readings from which on a meter that never moves is taken to be stuck.
pub const STUCK_READINGS: u32 = 10;

/// The outcome at one DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// Too early to say.
    Pending,
    /// The meter shows what was asked, within tolerance.
    Delivered,
    /// The meter shows at least half of the asked change.
    PartlyDelivered,
    /// The meter does not show it, or there is none that would, though the device says that it
    /// began.
    AcknowledgedNotDelivered,
    /// Neither the meter nor the device says that it was done.
    NotDelivered,
    /// The evidence contradicts itself: a meter of the wrong sign, one that is stuck, or readings
    /// beyond what the device can do.
    Suspect,
    /// It kept to a limit that held it back.
    CompliedBinding,
    /// It kept to a limit, and nothing shows that it was held back.
    CompliedNonBinding,
    /// The owner opted out.
    OptedOut,
    /// The device refused.
    Rejected,
    /// It was heard before, and not for too long; what it did is not known.
    Silent,
    /// It was never heard.
    NeverReachable,
    /// Its microgrid was no part of the grid when the dispatch was over.
    Islanded,
    /// What it would be judged by is kept no longer.
    EvidenceRetired,
}

/// What a verdict rests on, the strongest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rank {
    /// Nothing.
    Nothing,
    /// The device's own word: its responses.
    Response,
    /// What the device measures of itself.
    DeviceTelemetry,
    /// A meter of revenue quality at its terminals.
    RevenueMeter,
}

/// What is asked in a stretch, injection positive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// This power.
    Set(Watts),
    /// No more than this power.
    Limit(Watts),
}

/// What the meter read in a stretch, injection positive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metered {
    /// Mean.
    pub mean: Watts,
    /// Lowest reading.
    pub least: Watts,
    /// Highest reading.
    pub most: Watts,
    /// Number of readings.
    pub readings: u32,
}

/// What a DER would have injected unasked, and how far off that may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Potential {
    /// Estimate.
    pub p: Watts,
    /// Half width of the interval around it: twice the standard uncertainty (JCGM 100:2008, 6.3.3,
    /// with k = 2), or, of one reading alone, as much as the estimate itself.
    pub uncertainty: Watts,
    /// Number of readings that it rests on.
    pub readings: u32,
}

/// One stretch of time in which one control was to be followed, the ramp left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// When.
    pub interval: Interval,
    /// What was asked.
    pub asked: Asked,
    /// Its meter's readings, `None` without any.
    pub metered: Option<Metered>,
    /// What it would have injected unasked; `None` where nothing tells.
    pub potential: Option<Potential>,
}

/// What is known at the time of judgement.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// How the member stands.
    pub standing: Standing,
    /// Whether it was ever heard.
    pub contact: Contact,
    /// What the device said of its controls.
    pub word: Word,
    /// What readings of it are worth.
    pub meter: Rank,
    /// What it did before the dispatch.
    pub base: Watts,
    /// The larger of its maxima.
    pub rating: Watts,
    /// Deviation that still counts as following, of the rating.
    pub tolerance: Percent,
    /// A stretch at least this long that is over and has no reading counts as not delivered. A
    /// shorter one may lie between two readings and says nothing.
    pub confirm_within: Duration,
    /// The stretches that are over.
    pub stretches: &'a [Stretch],
    /// Whether the dispatch is.
    pub course: Course,
    /// Whether its readings are there to be looked at.
    pub archive: Archive,
}

/// Whether what meters read at the time of a dispatch is still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Archive {
    /// All that was ever stored is, as readings or as what spans of them come to.
    Kept,
    /// Some of it may be kept no longer, so that what is not found tells nothing.
    Retired,
}

/// Whether a device was ever heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contact {
    /// It was.
    Heard,
    /// It never was.
    Never,
}

/// What a device said of its controls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Nothing, or only that it has them.
    None,
    /// That it began or completed one.
    Began,
}

/// Whether more is to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// The dispatch goes on, and readings may still arrive.
    Running,
    /// The dispatch is over. What no evidence shows has not been delivered.
    Over,
}

/// A verdict and what it rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// The outcome.
    pub verdict: Verdict,
    /// The strongest evidence for it.
    pub rank: Rank,
}

/// Energy over stretches, injection positive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Energy {
    /// Asked; of a limit, what it allows.
    pub asked: WattHours,
    /// Metered; stretches without readings count as nothing.
    pub metered: WattHours,
    /// What was held back: what the DER would have injected less what it did, where it was asked
    /// for less than that. Never negative, never more than what it would have injected.
    pub curtailed: WattHours,
    /// How far off `curtailed` may be, the uncertainties of all stretches added up as if they all
    /// erred to the same side.
    pub curtailed_uncertainty: WattHours,
}

/// Members of a dispatch taken together. The order in which they are added makes no difference.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Total {
    /// Members by verdict.
    pub verdicts: BTreeMap<Verdict, usize>,
    /// Their energy.
    pub energy: Energy,
}

/// The verdict, and what it rests on. Deviations count by magnitude in each stretch, so that too
/// much in one does not make up for too little in another.
#[must_use]
pub fn judge(case: &Case<'_>) -> Judgement {
    let (verdict, rank) = match case.standing {
        Standing::OptedOut => (Verdict::OptedOut, Rank::Response),
        Standing::Rejected => (Verdict::Rejected, Rank::Response),
        Standing::Islanded => (Verdict::Islanded, Rank::Nothing),
        _ if case.archive == Archive::Retired => (Verdict::EvidenceRetired, said(case.word)),
        Standing::Silent => match case.contact {
            Contact::Heard => (Verdict::Silent, Rank::Nothing),
            Contact::Never => (Verdict::NeverReachable, Rank::Nothing),
        },
        // A plan can't count on a DER that stays below its limit, but it keeps to it.
        Standing::NotFollowing if is_only_limited(case) => by_evidence(case),
        Standing::NotFollowing if is_suspect(case) => (Verdict::Suspect, case.meter),
        Standing::NotFollowing => (undelivered(case.word), case.meter),
        Standing::Controllable
        | Standing::Unable
        | Standing::Commanded
        | Standing::NotPermitted
        | Standing::Ineligible
        | Standing::Spare => by_evidence(case),
    };
    Judgement { verdict, rank }
}

/// Energy of `stretches`.
#[must_use]
pub fn energy(stretches: &[Stretch]) -> Energy {
    let of = |stretch: &Stretch| {
        let duration = stretch.interval.duration;
        let metered = stretch.metered.map_or(Watts::ZERO, |metered| metered.mean);
        let (curtailed, uncertainty) = curtailed(stretch);
        Energy {
            asked: stretch.asked.p().over(duration),
            metered: metered.over(duration),
            curtailed: curtailed.over(duration),
            curtailed_uncertainty: uncertainty.over(duration),
        }
    };
    stretches.iter().map(of).sum()
}

impl Asked {
    /// The power.
    #[must_use]
    pub const fn p(self) -> Watts {
        match self {
            Self::Set(p) | Self::Limit(p) => p,
        }
    }

    /// How far `p` is from what is asked.
    fn deviation(self, p: Watts) -> Watts {
        match self {
            Self::Set(asked) => (p - asked).abs(),
            Self::Limit(most) => (p - most).max(Watts::ZERO),
        }
    }
}

impl From<Batch> for Metered {
    fn from(batch: Batch) -> Self {
        Self {
            mean: batch.mean(),
            least: batch.least,
            most: batch.most,
            readings: batch.readings,
        }
    }
}

impl Potential {
    /// What the device said, during a stretch, that it could inject: the mean, with the standard
    /// uncertainty of a mean (JCGM 100:2008, 4.2.3).
    #[must_use]
    pub fn said(batch: &Batch) -> Self {
        Self::of(batch, 1.0 / f64::from(batch.readings))
    }

    /// What it injected before it was asked: the mean, with the standard uncertainty of one more
    /// reading like them.
    #[must_use]
    pub fn before(batch: &Batch) -> Self {
        Self::of(batch, 1.0 + 1.0 / f64::from(batch.readings))
    }

    /// `scale` is the variance of the estimate as a multiple of that of a reading.
    fn of(batch: &Batch, scale: f64) -> Self {
        let p = batch.mean();
        let uncertainty = batch.variance().map_or_else(
            || p.abs(),
            |variance| Watts::from_f64(2.0 * (variance * scale).sqrt()),
        );
        Self {
            p,
            uncertainty,
            readings: batch.readings,
        }
    }
}

impl Total {
    /// Adds a member; `verdict` is `None` for one that was not asked.
    pub fn add(&mut self, verdict: Option<Verdict>, energy: Energy) {
        if let Some(verdict) = verdict {
            *self.verdicts.entry(verdict).or_default() += 1;
        }
        self.energy = self.energy + energy;
    }
}

impl Add for Energy {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            asked: self.asked + other.asked,
            metered: self.metered + other.metered,
            curtailed: self.curtailed + other.curtailed,
            curtailed_uncertainty: self.curtailed_uncertainty + other.curtailed_uncertainty,
        }
    }
}

impl Sum for Energy {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

/// Power that was held back in `stretch`, and how far off that may be. Where the DER would not have
/// injected more than it was asked for, nothing was held back, so that PV at night delivers nothing.
fn curtailed(stretch: &Stretch) -> (Watts, Watts) {
    let (Some(metered), Some(potential)) = (stretch.metered, stretch.potential) else {
        return (Watts::ZERO, Watts::ZERO);
    };
    let held_back = |p: Watts| {
        let p = p.max(Watts::ZERO);
        if p <= stretch.asked.p() {
            return Watts::ZERO;
        }
        (p - metered.mean).clamp(Watts::ZERO, p)
    };
    let p = held_back(potential.p);
    let least = held_back(potential.p - potential.uncertainty);
    let most = held_back(potential.p + potential.uncertainty);
    (p, (p - least).max(most - p))
}

const fn said(word: Word) -> Rank {
    match word {
        Word::Began => Rank::Response,
        Word::None => Rank::Nothing,
    }
}

fn is_only_limited(case: &Case<'_>) -> bool {
    let mut metered = metered(case).peekable();
    metered.peek().is_some() && metered.all(|(asked, _)| matches!(asked, Asked::Limit(_)))
}

fn by_evidence(case: &Case<'_>) -> (Verdict, Rank) {
    let said = said(case.word);
    if case
        .stretches
        .iter()
        .any(|stretch| stretch.metered.is_some())
    {
        return (by_meter(case), case.meter);
    }
    match case.course {
        Course::Over if !case.stretches.is_empty() => (undelivered(case.word), said),
        Course::Over | Course::Running => (Verdict::Pending, said),
    }
}

fn by_meter(case: &Case<'_>) -> Verdict {
    if is_impossible(case) {
        return Verdict::Suspect;
    }
    let (mut deviation, mut change, mut whole) =
        (WattHours::ZERO, WattHours::ZERO, WattHours::ZERO);
    let (mut only_limits, mut held_back) = (true, false);
    for stretch in case.stretches {
        let duration = stretch.interval.duration;
        let unmoved = unmoved(case, stretch);
        let off = match stretch.metered {
            Some(metered) => stretch.asked.deviation(metered.mean),
            None if case.course == Course::Over && case.confirm_within <= duration => unmoved,
            None => continue,
        };
        only_limits &= matches!(stretch.asked, Asked::Limit(_));
        held_back |= is_held_back(case, stretch);
        deviation += off.over(duration);
        change += unmoved.over(duration);
        whole += case.rating.over(duration);
    }
    if is_within(deviation, case.tolerance, whole) {
        return match (only_limits, held_back) {
            (false, _) => Verdict::Delivered,
            (true, true) => Verdict::CompliedBinding,
            (true, false) => Verdict::CompliedNonBinding,
        };
    }
    if is_suspect(case) {
        Verdict::Suspect
    } else if deviation + deviation <= change {
        Verdict::PartlyDelivered
    } else {
        undelivered(case.word)
    }
}

/// The deviation of a DER that does what it would do unasked.
fn unmoved(case: &Case<'_>, stretch: &Stretch) -> Watts {
    let unasked = stretch.potential.map_or(case.base, |potential| potential.p);
    stretch.asked.deviation(unasked)
}

/// Whether the limit of `stretch` held the DER back: it would surely have injected more, or, where
/// that is not known, it stayed right at a limit that can be told from nothing.
fn is_held_back(case: &Case<'_>, stretch: &Stretch) -> bool {
    let (Asked::Limit(limit), Some(metered)) = (stretch.asked, stretch.metered) else {
        return false;
    };
    let allowed = case.tolerance.of(case.rating);
    if let Some(potential) = stretch.potential {
        if limit + allowed < potential.p - potential.uncertainty {
            return true;
        }
        if potential.p + potential.uncertainty <= limit {
            return false;
        }
    }
    allowed < limit && limit - allowed <= metered.mean
}

const fn undelivered(word: Word) -> Verdict {
    match word {
        Word::Began => Verdict::AcknowledgedNotDelivered,
        Word::None => Verdict::NotDelivered,
    }
}

fn is_within(deviation: WattHours, tolerance: Percent, whole: WattHours) -> bool {
    let allowed = i128::from(tolerance.hundredths()) * i128::from(whole.micro());
    i128::from(deviation.micro()) * i128::from(Percent::WHOLE.hundredths()) <= allowed
}

/// Whether a meter that does not show what was asked contradicts itself or the device.
fn is_suspect(case: &Case<'_>) -> bool {
    is_impossible(case) || is_turned(case) || is_stuck(case)
}

/// Whether any reading is more than the device can do.
fn is_impossible(case: &Case<'_>) -> bool {
    let allowed = case.tolerance.of(case.rating);
    let most = case.rating + allowed + allowed;
    let mut metered = metered(case);
    case.rating != Watts::ZERO
        && metered.any(|(_, metered)| most < metered.most.abs().max(metered.least.abs()))
}

/// Whether the meter moved as far as was asked, in every stretch the wrong way: its sign is turned.
fn is_turned(case: &Case<'_>) -> bool {
    let allowed = case.tolerance.of(case.rating);
    let mut metered = metered(case).peekable();
    metered.peek().is_some()
        && metered.all(|(asked, metered)| {
            let Asked::Set(asked) = asked else {
                return false;
            };
            let (wanted, moved) = (asked - case.base, metered.mean - case.base);
            let away = (Watts::ZERO < wanted) != (Watts::ZERO < moved);
            away && allowed < moved.abs()
                && allowed + allowed < asked.abs()
                && (metered.mean + asked).abs() <= allowed
        })
}

/// Whether the meter shows power and never moves, while the device says that it does.
fn is_stuck(case: &Case<'_>) -> bool {
    let readings = metered(case).map(|(_, metered)| metered.readings);
    let count = readings.fold(0, u32::saturating_add);
    let least = metered(case).map(|(_, metered)| metered.least).min();
    let most = metered(case).map(|(_, metered)| metered.most).max();
    let shows_power = least.is_some_and(|p| case.tolerance.of(case.rating) < p.abs());
    STUCK_READINGS <= count && least == most && shows_power && case.word == Word::Began
}

fn metered<'a>(case: &Case<'a>) -> impl Iterator<Item = (Asked, Metered)> + use<'a> {
    let stretches = case.stretches.iter();
    stretches.filter_map(|stretch| Some((stretch.asked, stretch.metered?)))
}
