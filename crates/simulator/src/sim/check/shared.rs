//! No share is given twice: what dispatches have their members do never exceeds a shared limit by more
//! than others were seen to relieve it when that was planned.
//!
//! A device that was cut off goes by what it was asked before. The server sees that by its silence or
//! its meter, and gives others less; until it can have done so, what it has asked of it counts.

use std::collections::{BTreeMap, VecDeque};

use fleet::dispatch::LinearLimit;
use fleet::{DerId, DispatchId, Observation};
use units::Watts;

use super::Verdict;

/// The rounding of shares and limits.
const TOLERANCE: Watts = Watts::whole(2);
/// Plans of a dispatch that controls may be of which devices follow at one time: those of a plan take
/// the lead time to begin.
const PLANS: usize = 3;

/// What all DER were metered at, by number.
type Metered = Vec<Option<Watts>>;

/// What was seen of DER when the plans of dispatches were made.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<DispatchId, VecDeque<Metered>>);

impl Seen {
    /// A plan of `dispatch` rests on these.
    pub fn planned(&mut self, dispatch: DispatchId, seen: &[Observation]) {
        let metered = |of: &Observation| of.p.map(|reading| reading.value);
        let plans = self.0.entry(dispatch).or_default();
        plans.push_back(seen.iter().map(metered).collect());
        if PLANS < plans.len() {
            plans.pop_front();
        }
    }

    /// Forgets what is about dispatches that are not `open`.
    pub fn keep(&mut self, open: impl Fn(DispatchId) -> bool) {
        self.0.retain(|dispatch, _| open(*dispatch));
    }

    /// What `der` was seen to do.
    pub fn of(&self, der: DerId) -> impl Iterator<Item = Watts> {
        let plans = self.0.values().flatten();
        plans.filter_map(move |seen| seen.get(der.index()).copied().flatten())
    }
}

/// What a DER does about a limit.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    /// A dispatch has it do so much, and it follows; and what it is asked by now or counted at, as long
    /// as it need not know.
    Asked(Watts, Vec<Watts>),
    /// It does what it does; when others' shares were planned, it might have been any of these.
    Unasked(Vec<Watts>),
}

impl Part {
    fn load(&self, coefficient: f64) -> f64 {
        let load = |p: &Watts| coefficient * p.as_f64();
        match self {
            Self::Asked(p, instead) => instead.iter().map(load).fold(load(p), f64::min),
            Self::Unasked(seen) => seen.iter().map(load).fold(0.0, f64::min),
        }
    }
}

/// Judges a limit by the parts that its DER truly have.
pub fn check(limit: &LinearLimit, part: impl Fn(DerId) -> Part) -> Verdict {
    let parts = limit.terms.iter().map(|(der, c)| (der, c, part(*der)));
    let parts: Vec<_> = parts.collect();
    let load = parts.iter().map(|(_, c, part)| part.load(**c)).sum();
    let load = Watts::from_f64(load);
    if load <= limit.max + TOLERANCE {
        return Ok(());
    }
    let (name, max) = (&limit.name, limit.max);
    let shown = |(der, c, part): &(&DerId, &f64, Part)| {
        let load = Watts::from_f64(part.load(**c));
        let what = match part {
            Part::Asked(..) => "is asked",
            Part::Unasked(_) => "relieves",
        };
        (load != Watts::ZERO).then(|| format!("d{} {what} {load}", der.0))
    };
    let shown: Vec<String> = parts.iter().filter_map(shown).collect();
    let shown = shown.join(", ");
    Err(format!(
        "{name}: shares and what relieves them come to {load}, at most {max} are to be given: {shown}"
    ))
}
