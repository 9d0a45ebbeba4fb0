//! Which control holds what it asks, and until when: a pure function of the controls alone, and the
//! one that clients go by.
//!
//! Of two controls the one of the lower primacy value is better, then the one made later, then the
//! one with the higher mRID. When a control begins it takes each thing that it asks from the worse
//! one that holds it, unless a better one does. What is lost, or never got, is not given back
//! (IEEE 2030.5-2018, 10.2.3.3).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use units::Timestamp;

use super::{Control, Setting};
use crate::ControlId;

/// A control and the primacy of its programme.
pub type Ranked<'a> = (&'a Control, u8);

/// One thing that a control asks and does not keep to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loss<'a> {
    /// What, as [`Setting::class`] has it.
    pub class: u8,
    /// When, at the earliest when the control begins.
    pub at: Timestamp,
    /// Who holds it from then on.
    pub to: &'a Control,
}

/// What `control` loses to `candidates`, which are of one device or of one programme, and may
/// contain itself.
#[must_use]
pub fn losses<'a>(candidates: &[Ranked<'a>], (control, primacy): Ranked<'a>) -> Vec<Loss<'a>> {
    let classes = control.base.classes();
    classes
        .filter_map(|class| loss(candidates, Claim::of(control, primacy), class))
        .collect()
}

/// What each of `candidates`, which are of one device, loses of `class`.
#[must_use]
pub fn losses_of_all<'a>(candidates: &[Ranked<'a>], class: u8) -> BTreeMap<ControlId, Loss<'a>> {
    let claims = candidates.iter().map(|(c, primacy)| Claim::of(c, *primacy));
    let asking = claims.filter(|claim| claim.holds() && claim.control.base.asks_class(class));
    sweep(asking.collect(), class)
}

/// The control among `candidates`, all of one device, that decides at `now` what `asks` selects.
#[must_use]
pub fn in_force<'a>(
    candidates: &[Ranked<'a>],
    now: Timestamp,
    asks: impl Fn(&Setting) -> bool,
) -> Option<&'a Control> {
    let running = candidates
        .iter()
        .map(|(control, primacy)| Claim::of(control, *primacy))
        .filter(|claim| claim.runs_at(now));
    let holds = |claim: &Claim<'_>, setting: &Setting| {
        asks(setting) && loss(candidates, *claim, setting.class()).is_none_or(|loss| now < loss.at)
    };
    running
        .filter(|claim| {
            let mut settings = claim.control.base.settings().iter();
            settings.any(|setting| holds(claim, setting))
        })
        .min_by(Claim::better)
        .map(|claim| claim.control)
}

/// The better one first.
#[must_use]
pub(crate) fn better(a: Ranked<'_>, b: Ranked<'_>) -> Ordering {
    Claim::of(a.0, a.1).better(&Claim::of(b.0, b.1))
}

/// Whether `one`, should it hold what it asks, takes any of it from `other`.
#[must_use]
pub(crate) fn may_take(one: Ranked<'_>, other: Ranked<'_>) -> bool {
    let (claim, loser) = (Claim::of(one.0, one.1), Claim::of(other.0, other.1));
    let mut classes = one.0.base.classes();
    claim.overlaps(&loser)
        && claim.is_better(&loser)
        && claim.meets(&loser)
        && classes.any(|class| other.0.base.asks_class(class))
}

/// Whether two controls of one device run at one time and ask something alike, so that one of them
/// may lose it.
#[must_use]
pub(crate) fn may_meet(one: &Control, other: &Control) -> bool {
    let mut classes = one.base.classes();
    one.id != other.id
        && Claim::of(one, 0).overlaps(&Claim::of(other, 0))
        && classes.any(|class| other.base.asks_class(class))
}

/// Whether `control` runs at `at`, if nothing takes what it asks.
#[must_use]
pub(crate) fn may_run(control: &Control, at: Timestamp) -> bool {
    Claim::of(control, 0).runs_at(at)
}

/// A control as far as it can hold anything.
#[derive(Clone, Copy)]
struct Claim<'a> {
    control: &'a Control,
    primacy: u8,
    begins: Timestamp,
    ends: Timestamp,
}

impl<'a> Claim<'a> {
    fn of(control: &'a Control, primacy: u8) -> Self {
        let end = control.interval.end();
        Self {
            control,
            primacy,
            begins: control.begins(),
            ends: control.cancelled.map_or(end, |at| at.min(end)),
        }
    }

    /// Whether it ever held: one that was withdrawn before it began met nobody.
    fn holds(&self) -> bool {
        self.begins < self.ends
    }

    fn runs_at(&self, at: Timestamp) -> bool {
        self.begins <= at && at < self.ends
    }

    /// The better one first.
    fn better(&self, other: &Self) -> Ordering {
        let age = |claim: &Self| (claim.control.created, claim.control.mrid);
        let primacy = self.primacy.cmp(&other.primacy);
        primacy.then(age(other).cmp(&age(self)))
    }

    fn is_better(&self, other: &Self) -> bool {
        self.better(other).is_lt()
    }

    /// Whether some device is asked both, should they overlap.
    fn meets(&self, other: &Self) -> bool {
        let (own, other) = (self.control, other.control);
        let together = own.der.is_none() || other.der.is_none() || own.der == other.der;
        together && own.device_category() & other.device_category() != 0
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.begins < other.ends && other.begins < self.ends
    }
}

/// When `own` loses `class`, and to whom.
fn loss<'a>(candidates: &[Ranked<'a>], own: Claim<'a>, class: u8) -> Option<Loss<'a>> {
    let rivals = || {
        let claims = candidates.iter().map(|(c, primacy)| Claim::of(c, *primacy));
        claims.filter(|claim| {
            claim.control.id != own.control.id
                && claim.begins < own.ends
                && claim.holds()
                && claim.control.base.asks_class(class)
        })
    };
    // Few controls have a better one beside them; the others are spared the rest.
    let is_contested =
        |claim: Claim<'_>| claim.is_better(&own) && claim.overlaps(&own) && claim.meets(&own);
    if !own.holds() || !rivals().any(is_contested) {
        return None;
    }
    let claims = rivals().chain([own]).collect();
    sweep(claims, class).remove(&own.control.id)
}

/// What is lost of `class` among `claims`, all of which ask it, by who loses it.
fn sweep<'a>(mut claims: Vec<Claim<'a>>, class: u8) -> BTreeMap<ControlId, Loss<'a>> {
    claims.sort_by(|a, b| a.begins.cmp(&b.begins).then_with(|| a.better(b)));
    let mut lost = BTreeMap::new();
    let mut lose = |loser: &Claim<'a>, at, to: &Claim<'a>| {
        let to = to.control;
        lost.insert(loser.control.id, Loss { class, at, to });
    };
    let mut holders: Vec<Claim<'a>> = Vec::new();
    for claim in claims {
        let at = claim.begins;
        holders.retain(|holder| at < holder.ends);
        let mut met = holders.iter().filter(|holder| holder.meets(&claim));
        if let Some(better) = met.find(|holder| holder.is_better(&claim)) {
            lose(&claim, at, better);
            continue;
        }
        for holder in holders.extract_if(.., |holder| holder.meets(&claim)) {
            lose(&holder, at, &claim);
        }
        holders.push(claim);
    }
    lost
}
