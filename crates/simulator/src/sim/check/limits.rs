//! No DER is beyond what it is made for, nor beyond its envelope.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::{DerId, Envelope};
use units::{Timestamp, Watts};

use super::Verdict;

/// What a meter may be off, in watts.
const TOLERANCE_W: f64 = 1.0;
/// Time that a device gets to start or end a control and a plant to reach what it is asked: a step
/// of the simulation, a ramp, and the second that a server's clock is known to.
pub const GRACE: Duration = Duration::from_secs(90);
/// How much earlier than the server a device may take it to be.
const EARLY: Duration = Duration::from_secs(5);

/// What its terminals do is within `rating_w`: most injection and most absorption, as magnitudes.
pub fn rating(p_w: f64, rating_w: (f64, f64)) -> Verdict {
    within(p_w, (Some(rating_w.0), Some(rating_w.1)), "rating")
}

/// What its terminals do is within what an envelope allows: most injection and most absorption.
pub fn envelope(p_w: f64, allowed_w: (Option<f64>, Option<f64>)) -> Verdict {
    within(p_w, allowed_w, "envelope")
}

fn within(p_w: f64, (inject, absorb): (Option<f64>, Option<f64>), what: &str) -> Verdict {
    let inject_w = inject.unwrap_or(f64::INFINITY);
    let absorb_w = absorb.unwrap_or(f64::INFINITY);
    if (-absorb_w - TOLERANCE_W..=inject_w + TOLERANCE_W).contains(&p_w) {
        return Ok(());
    }
    Err(format!(
        "{p_w:.1} W, {what} {:.1} to {inject_w:.1} W",
        -absorb_w
    ))
}

/// The envelopes of every DER, as they were set one after another.
///
/// In an island a DER has none: they are limits of the grid, are lifted when its switch is open for sure, and hold again as they are then
/// before it closes.
#[derive(Clone, Debug, Default)]
pub struct Envelopes(BTreeMap<DerId, Vec<Version>>);

/// The envelopes of one DER, from then on.
type Version = (Timestamp, Vec<Envelope>);

impl Envelopes {
    /// Takes in what was decided of `der` at `at`.
    pub fn changed(&mut self, der: DerId, envelopes: &[Envelope], at: Timestamp) {
        self.0
            .entry(der)
            .or_default()
            .push((at, envelopes.to_vec()));
    }

    /// Most injection and most absorption of a device that knows what was decided up to `known`, and
    /// perhaps what was decided since: the loosest of all that it may go by.
    #[must_use]
    pub fn allowed(
        &self,
        der: DerId,
        known: Timestamp,
        now: Timestamp,
    ) -> (Option<f64>, Option<f64>) {
        let Some(versions) = self.0.get(&der) else {
            return (None, None);
        };
        let Some(first) = versions.iter().rposition(|(at, _)| *at <= known) else {
            return (None, None);
        };
        let instants = [now.before(GRACE), now, now.after(EARLY)];
        let mut inject = Some(0.0);
        let mut absorb = Some(0.0);
        for (_, envelopes) in &versions[first..] {
            for at in instants {
                let limits = envelopes.iter().map(|envelope| envelope.at(at));
                let (export, import): (Vec<_>, Vec<_>) = limits
                    .map(|limits| (limits.export_max, limits.import_max))
                    .unzip();
                inject = looser(inject, tightest(export));
                absorb = looser(absorb, tightest(import));
            }
        }
        (inject, absorb)
    }
}

fn tightest(limits: Vec<Option<Watts>>) -> Option<f64> {
    limits.into_iter().flatten().min().map(Watts::as_f64)
}

fn looser(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a?.max(b?))
}
