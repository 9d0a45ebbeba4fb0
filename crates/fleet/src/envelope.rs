//! Operating envelopes: how much a DER may import and export over time, from any source.

use std::collections::BTreeSet;

use units::{Interval, Timestamp, Watts};

use crate::{DerId, Name};

/// Limits in one interval; an absent limit is not set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EnvelopePoint {
    /// When; whole seconds.
    pub interval: Interval,
    /// Most import, as a magnitude.
    pub import_max: Option<Watts>,
    /// Most export, as a magnitude.
    pub export_max: Option<Watts>,
}

/// The envelope of one DER from one source; a new one replaces the old one of that source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Whose.
    pub der: DerId,
    /// Who set it, such as a network model or a market.
    pub source: Name,
    /// When it was set.
    pub set: Timestamp,
    /// In order, without overlap.
    pub points: Vec<EnvelopePoint>,
    /// What holds outside the points.
    pub fallback: Fallback,
}

/// Limits outside the points of an envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fallback {
    /// Most import, as a magnitude.
    pub import_max: Option<Watts>,
    /// Most export, as a magnitude.
    pub export_max: Option<Watts>,
}

impl Envelope {
    /// Most points of one envelope: two days of five-minute intervals.
    pub const MAX_POINTS: usize = 576;
}

/// The tightest of `envelopes` at every instant, and of their limits outside their points.
///
/// Where one envelope has a point and another has none, the other's fallback counts.
#[must_use]
pub fn combined(envelopes: &[Envelope]) -> (Vec<EnvelopePoint>, Fallback) {
    let edges = envelopes.iter().flat_map(|envelope| {
        let points = envelope.points.iter();
        points.flat_map(|point| [point.interval.start, point.interval.end()])
    });
    let edges: BTreeSet<Timestamp> = edges.collect();
    let edges: Vec<Timestamp> = edges.into_iter().collect();
    let mut points: Vec<EnvelopePoint> = Vec::new();
    for pair in edges.windows(2) {
        let interval = Interval::between(pair[0], pair[1]);
        if !envelopes.iter().any(|e| e.point_at(pair[0]).is_some()) {
            continue;
        }
        let limits = tightest(envelopes.iter().map(|envelope| envelope.at(pair[0])));
        let point = EnvelopePoint {
            interval,
            import_max: limits.import_max,
            export_max: limits.export_max,
        };
        match points.last_mut() {
            Some(last) if last.continues_as(&point) && !is_edge_of_all(envelopes, pair[0]) => {
                last.interval = Interval::between(last.interval.start, interval.end());
            }
            _ => points.push(point),
        }
    }
    (points, tightest(envelopes.iter().map(|e| e.fallback)))
}

/// Whether an envelope itself changes at `at`: its own division into controls is kept, so that a
/// device is told of each of its points.
fn is_edge_of_all(envelopes: &[Envelope], at: Timestamp) -> bool {
    let mut points = envelopes.iter().filter_map(|e| e.point_at(at));
    points.any(|point| point.interval.start == at)
}

fn tightest(limits: impl Iterator<Item = Fallback>) -> Fallback {
    let least = |a: Option<Watts>, b: Option<Watts>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    limits.fold(Fallback::default(), |sum, limit| Fallback {
        import_max: least(sum.import_max, limit.import_max),
        export_max: least(sum.export_max, limit.export_max),
    })
}

impl Envelope {
    /// The limits at `at`.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Fallback {
        self.point_at(at).map_or(self.fallback, |point| Fallback {
            import_max: point.import_max,
            export_max: point.export_max,
        })
    }

    fn point_at(&self, at: Timestamp) -> Option<&EnvelopePoint> {
        let next = self
            .points
            .partition_point(|point| point.interval.start <= at);
        let last = self.points.get(next.checked_sub(1)?)?;
        last.interval.contains(at).then_some(last)
    }
}

impl EnvelopePoint {
    fn continues_as(&self, next: &Self) -> bool {
        self.interval.end() == next.interval.start
            && self.import_max == next.import_max
            && self.export_max == next.export_max
    }
}
