//! Operating envelopes: set and clear.

use units::{Timestamp, Watts};

use super::invalid;
use crate::{DerId, Envelope, Event, Fleet, Name, NewProgram, Program, Rejection, Role, Scope};

/// Primacy of the programme that carries a DER's operating envelope: above any dispatch.
const ENVELOPE_PRIMACY: u8 = 10;

impl Fleet {
    /// The envelope that the source has set already is no event.
    pub(super) fn set_envelope(
        &self,
        envelope: &Envelope,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        self.known(envelope.der)?;
        check_points(envelope)?;
        let present = self.envelopes_of(envelope.der);
        let old = present.iter().find(|old| old.source == envelope.source);
        if old.is_none() && present.len() >= Self::MAX_ENVELOPES_OF_DER {
            let max = Self::MAX_ENVELOPES_OF_DER;
            let what = "sources of envelopes of one DER";
            return Err(Rejection::TooMany { what, max });
        }
        let set = Envelope {
            set: now,
            ..envelope.clone()
        };
        if old.is_some_and(|old| old.points == set.points && old.fallback == set.fallback) {
            return Ok(Vec::new());
        }
        let others = present.iter().filter(|other| other.source != set.source);
        let next: Vec<Envelope> = others.cloned().chain([set.clone()]).collect();
        self.check_room_for_envelopes(set.der, &next, now)?;
        Ok(vec![Event::EnvelopeSet(set)])
    }

    /// An envelope whose controls would be refused is refused itself.
    fn check_room_for_envelopes(
        &self,
        der: DerId,
        next: &[Envelope],
        now: Timestamp,
    ) -> Result<(), Rejection> {
        if self.envelope_program(der).is_none() {
            self.check_room_for_program(Scope::Device(der))?;
        }
        let max = Self::MAX_LIVE_CONTROLS;
        match self.live_controls(der, now) + self.missing_for(der, next, now) <= max {
            true => Ok(()),
            false => Err(Rejection::TooMany {
                what: "controls of one DER",
                max,
            }),
        }
    }

    pub(super) fn create_envelope_program(&self, der: DerId) -> Result<Vec<Event>, Rejection> {
        self.known(der)?;
        if self.envelope_program(der).is_some() {
            return Ok(Vec::new());
        }
        let scope = Scope::Device(der);
        self.check_room_for_program(scope)?;
        let name = Name::new(Program::ENVELOPE).map_err(|error| Rejection::Invalid {
            field: "name",
            rule: error.to_string(),
        })?;
        let new = NewProgram {
            name,
            primacy: ENVELOPE_PRIMACY,
            scope,
        };
        Ok(vec![Event::ProgramCreated(Program {
            role: Role::Envelope,
            ..self.new_program(&new)
        })])
    }

    pub(super) fn clear_envelope(
        &self,
        der: DerId,
        source: &Name,
    ) -> Result<Vec<Event>, Rejection> {
        let mut present = self.envelopes_of(der).iter();
        if !present.any(|envelope| envelope.source == *source) {
            let id = source.to_string();
            return Err(Rejection::Unknown {
                what: "envelope of source",
                id,
            });
        }
        Ok(vec![Event::EnvelopeCleared(der, source.clone())])
    }
}

fn check_points(envelope: &Envelope) -> Result<(), Rejection> {
    if envelope.points.len() > Envelope::MAX_POINTS {
        let max = Envelope::MAX_POINTS;
        return Err(Rejection::TooMany {
            what: "points of one envelope",
            max,
        });
    }
    for point in &envelope.points {
        let interval = point.interval;
        let whole = interval.start.millis() % 1_000 == 0 && interval.duration.subsec_nanos() == 0;
        if !whole || interval.duration.is_zero() {
            return Err(invalid("points", "start and last whole seconds, not none"));
        }
    }
    let ordered = envelope
        .points
        .is_sorted_by(|a, b| a.interval.end() <= b.interval.start);
    if !ordered {
        return Err(invalid("points", "are in order and do not overlap"));
    }
    let limits = envelope
        .points
        .iter()
        .flat_map(|p| [p.import_max, p.export_max]);
    let fallback = [envelope.fallback.import_max, envelope.fallback.export_max];
    if limits
        .chain(fallback)
        .flatten()
        .any(|limit| limit < Watts::ZERO)
    {
        return Err(invalid("limit", "is a magnitude, not negative"));
    }
    Ok(())
}
