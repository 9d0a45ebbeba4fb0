//! Limits over several DER at once: a feeder's rating, an envelope, a contract.

use units::{Interval, Timestamp, Watts};

use super::plan::{Extent, Request, Role};
use crate::{DerId, Name};

/// `Σ coefficient · p ≤ max` over the DER named, injection positive. An import limit is the
/// same row with negative coefficients.
#[derive(Clone, PartialEq, Debug)]
pub struct LinearLimit {
    /// What the operator calls it; named when it binds.
    pub name: Name,
    /// DER and coefficient, ascending by DER.
    pub terms: Vec<(DerId, f64)>,
    /// Upper bound.
    pub max: Watts,
    /// When it holds; `None` for always.
    pub during: Option<Interval>,
}

/// A row over positions in a plan's member list.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: Name,
    pub(super) terms: Vec<(usize, f64)>,
    /// Room left after members that are not asked, in micro-watts.
    pub(super) room: f64,
}

impl LinearLimit {
    /// Whether it holds at some time within `span`.
    #[must_use]
    pub fn holds_in(&self, span: Interval) -> bool {
        self.during.is_none_or(|during| during.overlaps(span))
    }

    /// Whether it holds at `at`.
    #[must_use]
    pub fn holds_at(&self, at: Timestamp) -> bool {
        self.during.is_none_or(|during| during.contains(at))
    }

    /// By how much it may seem to be exceeded while nothing has changed, so that a plan that goes up to it
    /// is not replaced for each reading that is a little higher than all before: a tenth of a per cent, of
    /// which a meter of class 0,2 S (IEC 62053-22) says nothing, and at least 1 W.
    pub(super) fn noise(&self) -> Watts {
        const SHARE: i64 = 1_000;
        Watts::from_micro(self.max.abs().micro() / SHARE).max(Watts::whole(1))
    }

    /// This limit as rows over the members of `request` at the position `target` of its targets: as it
    /// is when the target begins, and once more urgent dispatches have those that they take later.
    pub(super) fn rows(
        &self,
        request: &Request<'_>,
        asked: &[bool],
        expected: &[Watts],
        target: usize,
    ) -> impl Iterator<Item = Row> {
        let begins = self.row(request, asked, expected, target);
        let mut later = Row {
            name: begins.name.clone(),
            terms: Vec::new(),
            room: begins.room,
        };
        for (position, coefficient) in &begins.terms {
            let load = |p: Watts| coefficient * p.micro() as f64;
            match request.later(&request.members[*position], target) {
                Some(taken) => later.room -= load(taken.least).max(load(taken.most)),
                None => later.terms.push((*position, *coefficient)),
            }
        }
        let differs = later.terms.len() != begins.terms.len();
        [Some(begins), differs.then_some(later)]
            .into_iter()
            .flatten()
    }

    /// This limit as a row over the members of `request` at the position `target` of its targets.
    /// Members that are not `asked` take their room first: those that answer their expected output,
    /// silent ones the most adverse they could do. One that is asked for something elsewhere counts at
    /// the worst of that and what it is expected to do, all through the interval; where it is asked so
    /// for a part of it only, it relieves nothing.
    pub(super) fn row(
        &self,
        request: &Request<'_>,
        asked: &[bool],
        expected: &[Watts],
        target: usize,
    ) -> Row {
        let members = request.members;
        let number = u32::try_from(target).unwrap_or(u32::MAX);
        let mut row = Row {
            name: self.name.clone(),
            terms: Vec::new(),
            room: self.max.micro() as f64,
        };
        for (der, coefficient) in &self.terms {
            let Ok(position) = members.binary_search_by_key(der, |m| m.der) else {
                continue;
            };
            let member = &members[position];
            match member.role {
                Role::Controllable if asked[position] => row.terms.push((position, *coefficient)),
                Role::Held if member.settled_from.is_none_or(|from| number < from) => {
                    let adverse = if *coefficient < 0.0 {
                        member.lo
                    } else {
                        member.hi
                    };
                    row.room -= coefficient * adverse.micro() as f64;
                }
                Role::Held => row.room -= coefficient * expected[position].micro() as f64,
                Role::Controllable | Role::Fixed => {
                    let load = |p: Watts| coefficient * p.micro() as f64;
                    let taken = request.taken(member, target);
                    let now = load(expected[position]);
                    let held = member
                        .committed
                        .map_or(now, |(least, most)| load(least).max(load(most)));
                    row.room -= match taken.map(|taken| taken.extent) {
                        Some(Extent::Whole) => now,
                        Some(Extent::Several) => now.max(held),
                        Some(Extent::Part) => now.max(held).max(load(member.base)).max(0.0),
                        None => now.max(held),
                    };
                }
            }
        }
        row
    }
}

impl Row {
    /// How far `p` exceeds the row, in micro-watts; not positive when it is kept.
    pub(super) fn excess(&self, p: impl Fn(usize) -> Watts) -> f64 {
        let used: f64 = self
            .terms
            .iter()
            .map(|(i, c)| c * p(*i).micro() as f64)
            .sum();
        used - self.room
    }
}
