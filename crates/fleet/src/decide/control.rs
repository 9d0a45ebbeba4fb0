//! Controls: issue and withdraw.

use units::Timestamp;

use super::invalid;
use crate::microgrid::Coupling;
use crate::state::MridKind;
use crate::{
    Control, ControlId, Der, DerId, Event, Fleet, Mode, NewControl, Origin, Rejection, Scope,
    Setting, Terms,
};

/// Seconds by which a start or a duration may be randomised (`OneHourRangeType`).
const MAX_RANDOMIZE_S: i16 = 3_600;

impl Fleet {
    pub(super) fn issue_control(
        &self,
        new: &NewControl,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let program = self.known_program(new.program)?;
        match (new.der, program.scope) {
            (Some(der), _) if !self.addresses(program, der) => {
                self.known(der)?;
                return Err(invalid("program", "addresses another DER"));
            }
            // A programme of one DER has no controls for many.
            (None, Scope::Device(_)) => return Err(invalid("der", "is that of the programme")),
            _ => {}
        }
        check_interval(new, now)?;
        if new.base.is_empty() {
            return Err(invalid("control", "asks for nothing"));
        }
        self.check_base(new.program, &new.base)?;
        if let Some(der) = new.der {
            let der = self.known(der)?;
            self.check_coupling(der, new)?;
            let connects = |setting: &Setting| matches!(setting, Setting::Connect(_));
            let asked = new.base.settings().iter().any(connects);
            if asked && der.capability.is_some() && !der.can(Mode::Connect) {
                return Err(invalid("connect", "the DER does not support opModConnect"));
            }
        }
        let open = match new.der {
            Some(der) => self.live_controls(der, now),
            None => open(self.shared_controls_of(new.program), now),
        };
        if open >= Self::MAX_LIVE_CONTROLS {
            let max = Self::MAX_LIVE_CONTROLS;
            let what = "controls of one DER";
            return Err(Rejection::TooMany { what, max });
        }
        let terms = new.terms.clone().filter(|terms| *terms != Terms::default());
        let id = ControlId::from(self.controls.len());
        Ok(vec![Event::ControlIssued(Control {
            id,
            mrid: self.identity.mrid(MridKind::Control, id.0),
            der: new.der,
            program: new.program,
            origin: new.origin,
            interval: new.interval,
            created: now,
            base: new.base.clone(),
            terms: terms.map(Box::new),
            cancelled: None,
        })])
    }

    /// A member of a microgrid that is no part of the grid is asked for nothing on behalf of the grid,
    /// but it may be kept off at any time.
    fn check_coupling(&self, der: &Der, new: &NewControl) -> Result<(), Rejection> {
        let of_grid = matches!(new.origin, Origin::Dispatch { .. } | Origin::Operator);
        if !of_grid || new.base.keeps_off() || self.coupling(der.id) == Coupling::Connected {
            return Ok(());
        }
        let Some((microgrid, operation)) = self.microgrids.of(der.id) else {
            return Ok(());
        };
        Err(Rejection::Islanded {
            der: der.mrid.clone(),
            microgrid: microgrid.name.clone(),
            state: operation.state().name(),
        })
    }

    /// Withdrawing twice, or what is over, changes nothing.
    pub(super) fn cancel_control(
        &self,
        id: ControlId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let control = self.control(id).ok_or_else(|| Rejection::Unknown {
            what: "control",
            id: id.to_string(),
        })?;
        if control.cancelled.is_some() || control.latest_end() <= now {
            return Ok(Vec::new());
        }
        Ok(vec![Event::ControlCancelled(id, now)])
    }

    /// Controls of `der` alone that are neither withdrawn nor over.
    pub(super) fn live_controls(&self, der: DerId, now: Timestamp) -> usize {
        open(self.own_controls_of(der), now)
    }
}

fn open<'a>(controls: impl Iterator<Item = &'a Control>, now: Timestamp) -> usize {
    controls
        .filter(|control| control.cancelled.is_none() && now < control.interval.end())
        .count()
}

fn check_interval(new: &NewControl, now: Timestamp) -> Result<(), Rejection> {
    if new.interval.duration.is_zero() || new.interval.end() <= now {
        return Err(invalid("interval", "is empty or over"));
    }
    if new.interval.start.millis() % 1_000 != 0 || new.interval.duration.subsec_nanos() != 0 {
        let rule = "starts and lasts whole seconds on the wire";
        return Err(invalid("interval", rule));
    }
    if u32::try_from(new.interval.duration.as_secs()).is_err() {
        return Err(invalid("interval", "lasts at most 2³²-1 seconds"));
    }
    if let Some(terms) = &new.terms {
        let range = -MAX_RANDOMIZE_S..=MAX_RANDOMIZE_S;
        if !range.contains(&terms.randomize_start_s) {
            return Err(invalid("randomizeStart", "is at most an hour"));
        }
        if !range.contains(&terms.randomize_duration_s) {
            return Err(invalid("randomizeDuration", "is at most an hour"));
        }
        let description = terms.description.as_ref();
        if description.is_some_and(|text| text.as_str().len() > 32) {
            return Err(invalid("description", "has at most 32 bytes on the wire"));
        }
    }
    Ok(())
}
