//! Which event holds which mode, and until when: a pure function of the events alone.
//!
//! Best first, by primacy, then later creation, then higher mRID. An event holds each of its modes
//! from its start to its end, or to the first instant at which a better event holds a mode that
//! excludes it. What was lost is never given back.
//!
//! Interpretation: only events whose intervals overlap as sent supersede one another. Where it is
//! randomisation that makes two follow-up events overlap, the earlier one is done when the later
//! one starts, whatever their rank.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use units::Timestamp;

use super::Held;
use crate::client::setpoint::Modes;

/// Who takes modes from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Winner {
    SameProgram,
    OtherProgram,
    /// The event that follows as sent.
    Successor,
}

/// From `at` on, `modes` are with `winner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) at: Timestamp,
    pub(super) modes: Modes,
    pub(super) winner: Winner,
}

/// Best first.
pub(super) fn rank<P>(a: &Held<P>, b: &Held<P>, primacy: &BTreeMap<u128, u8>) -> Ordering {
    let of = |held: &Held<P>| {
        let primacy = primacy.get(&held.event.program).copied();
        primacy.unwrap_or(u8::MAX)
    };
    of(a)
        .cmp(&of(b))
        .then(b.event.created_s.cmp(&a.event.created_s))
        .then(b.event.mrid.value().cmp(&a.event.mrid.value()))
}

/// Settles the cuts of every event. Those up to `now` have come true and stay.
pub(super) fn settle<P>(
    held: &mut BTreeMap<u128, Held<P>>,
    primacy: &BTreeMap<u128, u8>,
    now: Timestamp,
) {
    let mut ranked: Vec<&Held<P>> = held.values().filter(|it| it.displaces()).collect();
    ranked.sort_by(|a, b| rank(a, b, primacy));
    let mut settled: Vec<(u128, Vec<Cut>)> = Vec::with_capacity(ranked.len());
    for (place, loser) in ranked.iter().enumerate() {
        let mut cuts: Vec<Cut> = loser
            .cuts
            .iter()
            .filter(|cut| cut.at <= now)
            .copied()
            .collect();
        if !loser.is_over() {
            let better = ranked[..place].iter().zip(&settled);
            let better =
                better.flat_map(|(winner, (_, of_winner))| taken(loser, winner, of_winner));
            let later = ranked.iter().filter_map(|winner| succeeded(loser, winner));
            cuts = earliest(cuts, better.chain(later));
        }
        settled.push((loser.event.mrid.value(), cuts));
    }
    for (mrid, cuts) in settled {
        if let Some(it) = held.get_mut(&mrid) {
            it.cuts = cuts;
        }
    }
}

fn overlap(a: (Timestamp, Timestamp), b: (Timestamp, Timestamp)) -> bool {
    a.0 < b.1 && b.0 < a.1
}

/// What `winner`, which is the better one, takes from `loser`.
fn taken<'a, P>(
    loser: &'a Held<P>,
    winner: &'a Held<P>,
    of_winner: &'a [Cut],
) -> impl Iterator<Item = Cut> + use<'a, P> {
    let meet = overlap((loser.start, loser.end), (winner.start, winner.end))
        && overlap(loser.event.scheduled(), winner.event.scheduled());
    let modes = if meet {
        winner.modes()
    } else {
        Modes::default()
    };
    let by = if loser.event.program == winner.event.program {
        Winner::SameProgram
    } else {
        Winner::OtherProgram
    };
    modes.each().filter_map(move |mode| {
        let until = end_of(mode, winner.end, of_winner);
        let at = loser.start.max(winner.start);
        let modes = mode.exclusive().common(loser.modes());
        let is_taken = !modes.is_empty() && at < until && at < loser.end;
        is_taken.then_some(Cut {
            at,
            modes,
            winner: by,
        })
    })
}

fn end_of(mode: Modes, end: Timestamp, cuts: &[Cut]) -> Timestamp {
    let cuts = cuts.iter().filter(|cut| cut.modes.has(mode));
    cuts.map(|cut| cut.at).chain([end]).min().unwrap_or(end)
}

/// Where `loser` is done because `winner`, which comes after it as sent, starts before it ends.
fn succeeded<P>(loser: &Held<P>, winner: &Held<P>) -> Option<Cut> {
    let is_next = loser.event.scheduled().1 <= winner.event.scheduled().0;
    let modes = winner.modes().exclusive().common(loser.modes());
    let meet = is_next && overlap((loser.start, loser.end), (winner.start, winner.end));
    (meet && !modes.is_empty()).then_some(Cut {
        at: loser.start.max(winner.start),
        modes,
        winner: Winner::Successor,
    })
}

/// Of all that takes a mode, what takes it first.
fn earliest(mut settled: Vec<Cut>, found: impl Iterator<Item = Cut>) -> Vec<Cut> {
    let mut found: Vec<Cut> = found.collect();
    found.sort_by_key(|cut| cut.at);
    let gone = settled.iter().map(|cut| cut.modes);
    let mut gone = gone.fold(Modes::default(), Modes::with);
    for cut in found {
        let modes = cut.modes.without(gone);
        if !modes.is_empty() {
            gone = gone.with(modes);
            settled.push(Cut { modes, ..cut });
        }
    }
    settled
}
