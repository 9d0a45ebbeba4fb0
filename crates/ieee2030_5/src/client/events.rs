//! The event rules: which of the events a device knows are in force, and what it answers to them.
//!
//! The rules work on what is known alone, so a device that has lost its server finishes the events
//! that it holds and then falls back to the default control.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use units::Timestamp;

use super::random;
use super::setpoint::{Modes, Setpoint, Source};
use crate::wire::der_control::{DefaultDerControl, DerControl, DerControlBase, EventState};
use crate::wire::response::{ResponseStatus, response_required};

/// Events held, over ones included; further ones wait on the server until some are forgotten.
pub const MAX_EVENTS: usize = 512;
/// Programmes whose controls are followed.
pub const MAX_PROGRAMS: usize = 32;
/// Largest `randomizeStart` and `randomizeDuration` (`OneHourRangeType`), in seconds.
const RANDOMIZE_MAX_S: i16 = 3600;

/// How an event ended for this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    Cancelled,
    Superseded,
    OptedOut,
    /// Over before it could begin here.
    Missed,
    Expired,
    /// It asks for nothing that this device can do.
    NotApplicable,
    /// Its programme is no longer assigned to this device.
    Abandoned,
}

/// Where an event is in its life at this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Scheduled,
    Active,
    Over(Outcome),
}

/// A response that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) reply_to: String,
    pub(super) subject: u128,
    pub(super) status: ResponseStatus,
    /// Server time.
    pub(super) at: Timestamp,
}

/// A programme as assigned to this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) mrid: u128,
    pub(super) primacy: u8,
}

#[derive(Clone, Debug)]
struct Event {
    mrid: u128,
    program: Program,
    created_s: i64,
    /// With randomisation applied.
    start: Timestamp,
    end: Timestamp,
    randomize_duration_s: i16,
    base: DerControlBase,
    modes: Modes,
    superseded: Modes,
    phase: Phase,
    has_started: bool,
    reply_to: Option<String>,
    response_required: u8,
}

impl Event {
    /// Best first: lower primacy value, then later creation, then higher mRID.
    fn rank(&self, other: &Self) -> Ordering {
        let (own, others) = (self.program.primacy, other.program.primacy);
        own.cmp(&others)
            .then(other.created_s.cmp(&self.created_s))
            .then(other.mrid.cmp(&self.mrid))
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn modes_left(&self) -> Modes {
        self.modes.without(self.superseded)
    }
}

/// The events and default controls that a device holds.
#[derive(Clone, Debug)]
pub(super) struct Events {
    seed: u64,
    events: BTreeMap<u128, Event>,
    defaults: BTreeMap<u128, (u8, DefaultDerControl)>,
    due: Vec<Due>,
    is_opted_out: bool,
}

impl Events {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            events: BTreeMap::new(),
            defaults: BTreeMap::new(),
            due: Vec::new(),
            is_opted_out: false,
        }
    }

    /// The responses that have become due since the last call.
    pub(super) fn take_due(&mut self) -> Vec<Due> {
        std::mem::take(&mut self.due)
    }

    /// Every event this device has met and not forgotten, with its phase.
    pub(super) fn phases(&self) -> impl Iterator<Item = (u128, Phase)> {
        self.events.iter().map(|(mrid, event)| (*mrid, event.phase))
    }

    /// The next instant at which something starts or ends of itself, in server time.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        let change = |event: &Event| match event.phase {
            Phase::Scheduled => Some(event.start),
            Phase::Active => Some(event.end),
            Phase::Over(_) => None,
        };
        self.events.values().filter_map(change).min()
    }

    /// Takes in a complete control list of `program` as it is on the server.
    pub(super) fn learn(&mut self, program: Program, controls: &[DerControl], now: Timestamp) {
        let mut listed = BTreeSet::new();
        for control in controls {
            let mrid = control.mrid.value();
            listed.insert(mrid);
            if let Some(event) = self.events.get_mut(&mrid) {
                event.program = program;
            } else if self.events.len() < MAX_EVENTS {
                self.meet(program, control, now);
            }
            self.heed_status(mrid, control, now);
        }
        // An event that is over is remembered for as long as the server shows it, so that it is
        // not met a second time. One that is not over is kept although the server no longer shows
        // it: only a cancellation ends an event early.
        self.events.retain(|mrid, event| {
            event.program.mrid != program.mrid || !event.is_over() || listed.contains(mrid)
        });
        self.step(now);
    }

    /// Replaces the default control of `program`; it takes effect at once.
    pub(super) fn learn_default(&mut self, program: Program, default: DefaultDerControl) {
        self.defaults
            .insert(program.mrid, (program.primacy, default));
    }

    /// The programmes that are assigned now; controls of others are abandoned.
    pub(super) fn assign(&mut self, programs: &BTreeMap<u128, Program>, now: Timestamp) {
        self.defaults.retain(|mrid, (primacy, _)| {
            let program = programs.get(mrid);
            if let Some(program) = program {
                *primacy = program.primacy;
            }
            program.is_some()
        });
        let mut gone = Vec::new();
        for event in self.events.values_mut() {
            match programs.get(&event.program.mrid) {
                Some(program) => event.program = *program,
                None if !event.is_over() => gone.push(event.mrid),
                None => {}
            }
        }
        for mrid in gone {
            self.end(
                mrid,
                Outcome::Abandoned,
                ResponseStatus::ABORTED_BY_SERVER,
                now,
            );
        }
        self.events
            .retain(|_, event| programs.contains_key(&event.program.mrid));
        self.step(now);
    }

    /// The owner withdraws the device from every event, those to come included.
    pub(super) fn opt_out(&mut self, now: Timestamp) {
        self.is_opted_out = true;
        for mrid in self.live() {
            self.end(mrid, Outcome::OptedOut, ResponseStatus::OPT_OUT, now);
        }
    }

    /// The device takes part again in events that it has yet to meet.
    pub(super) fn opt_in(&mut self) {
        self.is_opted_out = false;
    }

    /// Lets time pass: starts, supersedes and completes.
    pub(super) fn step(&mut self, now: Timestamp) {
        if self.next_change().is_none_or(|at| now < at) {
            return;
        }
        for mrid in self.by_rank() {
            self.start_if_due(mrid, now);
        }
        for mrid in self.by_rank() {
            let event = &self.events[&mrid];
            if event.phase == Phase::Active && event.end <= now {
                let at = event.end;
                self.end(mrid, Outcome::Completed, ResponseStatus::COMPLETED, at);
            }
        }
    }

    /// What is asked at `now`; `step` has been called for that instant.
    pub(super) fn setpoint(&self) -> Setpoint {
        let mut setpoint = Setpoint::default();
        let ranked = self.by_rank();
        let active = ranked.iter().map(|mrid| &self.events[mrid]);
        for event in active.filter(|event| event.phase == Phase::Active) {
            setpoint.fill(&event.base, event.modes_left(), Source::Event(event.mrid));
        }
        if self.is_opted_out {
            return setpoint;
        }
        let mut defaults: Vec<_> = self.defaults.iter().collect();
        defaults.sort_by_key(|(mrid, (primacy, _))| (*primacy, **mrid));
        for (_, (_, default)) in defaults {
            let source = Source::Default(default.mrid.value());
            setpoint.fill(&default.base, Modes::of(&default.base), source);
        }
        setpoint
    }

    fn meet(&mut self, program: Program, control: &DerControl, now: Timestamp) {
        let event = self.event(program, control);
        let (mrid, end, modes) = (event.mrid, event.end, event.modes);
        self.events.insert(mrid, event);
        if control.event_status.current_status != EventState::SCHEDULED
            && control.event_status.current_status != EventState::ACTIVE
        {
            return;
        }
        if end <= now {
            self.end(mrid, Outcome::Expired, ResponseStatus::EXPIRED, now);
            return;
        }
        if modes.is_empty() {
            self.end(
                mrid,
                Outcome::NotApplicable,
                ResponseStatus::NOT_APPLICABLE,
                now,
            );
            return;
        }
        self.respond(mrid, ResponseStatus::RECEIVED, now);
        if self.is_opted_out {
            self.end(mrid, Outcome::OptedOut, ResponseStatus::OPT_OUT, now);
        }
    }

    fn event(&self, program: Program, control: &DerControl) -> Event {
        let mrid = control.mrid.value();
        let shift_s = random::within(self.seed, mrid, control.randomize_start.map(clamped));
        let stretch_s =
            random::within(self.seed ^ 1, mrid, control.randomize_duration.map(clamped));
        let start_s = control.interval.start.0.saturating_add(shift_s);
        let duration_s = i64::from(control.interval.duration)
            .saturating_add(stretch_s)
            .max(0);
        Event {
            mrid,
            program,
            created_s: control.creation_time.0,
            start: Timestamp::from_secs(start_s),
            end: Timestamp::from_secs(start_s.saturating_add(duration_s)),
            randomize_duration_s: clamped(control.randomize_duration.unwrap_or(0)),
            modes: Modes::of(&control.base),
            base: control.base.clone(),
            superseded: Modes::default(),
            phase: Phase::Scheduled,
            has_started: false,
            reply_to: control.reply_to.as_ref().map(|uri| uri.as_str().to_owned()),
            response_required: control.response_required.map_or(0, |bits| bits.0),
        }
    }

    /// Follows a cancellation or supersession that the server has decided.
    fn heed_status(&mut self, mrid: u128, control: &DerControl, now: Timestamp) {
        let Some(event) = self.events.get_mut(&mrid) else {
            return;
        };
        if event.is_over() {
            return;
        }
        match control.event_status.current_status {
            EventState::CANCELLED => {
                self.end(mrid, Outcome::Cancelled, ResponseStatus::CANCELLED, now);
            }
            EventState::CANCELLED_WITH_RANDOMIZATION => {
                let range_s = event.randomize_duration_s.saturating_abs();
                let delay_s = random::within(self.seed, mrid, Some(range_s));
                let delay = Duration::from_secs(delay_s.unsigned_abs());
                if event.phase == Phase::Active && !delay.is_zero() {
                    let at = control.event_status.date_time.timestamp().after(delay);
                    event.end = event.end.min(at);
                    return;
                }
                self.end(mrid, Outcome::Cancelled, ResponseStatus::CANCELLED, now);
            }
            EventState::SUPERSEDED => {
                self.end(mrid, Outcome::Superseded, ResponseStatus::SUPERSEDED, now);
            }
            _ => {}
        }
    }

    fn start_if_due(&mut self, mrid: u128, now: Timestamp) {
        let event = &self.events[&mrid];
        if event.is_over() || now < event.start {
            return;
        }
        let (taken, by_other_program) = self.taken_by_better(event, now);
        let event = self.events.get_mut(&mrid).expect("looked up above");
        let was_active = event.phase == Phase::Active;
        event.superseded = event.superseded.with(taken);
        if event.modes_left().is_empty() {
            let status = if by_other_program && !was_active {
                ResponseStatus::ABORTED_BY_PROGRAM
            } else {
                ResponseStatus::SUPERSEDED
            };
            self.end(mrid, Outcome::Superseded, status, now);
        } else if !was_active && event.end <= now {
            let status = ResponseStatus::COMPLETED_NO_PARTICIPATION;
            self.end(mrid, Outcome::Missed, status, now);
        } else if !was_active {
            event.phase = Phase::Active;
            event.has_started = true;
            self.respond(mrid, ResponseStatus::STARTED, now);
        }
    }

    /// The modes of `event` that a better event has taken by `now`, and whether one of another
    /// programme did. What was taken is never given back, even when the better event ends first.
    fn taken_by_better(&self, event: &Event, now: Timestamp) -> (Modes, bool) {
        let mut taken = Modes::default();
        let mut by_other_program = false;
        for better in self.events.values() {
            let has_begun =
                better.has_started || (better.phase == Phase::Scheduled && better.start <= now);
            let modes = event.modes.common(better.modes);
            let wins = better.rank(event) == Ordering::Less;
            if wins && has_begun && better.overlaps(event) && !modes.is_empty() {
                taken = taken.with(modes);
                by_other_program |= better.program.mrid != event.program.mrid;
            }
        }
        (taken, by_other_program)
    }

    fn end(&mut self, mrid: u128, outcome: Outcome, status: ResponseStatus, at: Timestamp) {
        if let Some(event) = self.events.get_mut(&mrid) {
            event.phase = Phase::Over(outcome);
            // What a cancelled event would still have displaced is free again.
            event.end = event.end.min(at.max(event.start));
        }
        self.respond(mrid, status, at);
    }

    fn respond(&mut self, mrid: u128, status: ResponseStatus, at: Timestamp) {
        let Some(event) = self.events.get(&mrid) else {
            return;
        };
        let bits = match status {
            ResponseStatus::RECEIVED => response_required::RECEIVED,
            ResponseStatus::OPT_OUT => response_required::SPECIFIC | response_required::USER,
            _ => response_required::SPECIFIC,
        };
        if event.response_required & bits == 0 {
            return;
        }
        if let Some(reply_to) = event.reply_to.clone() {
            self.due.push(Due {
                reply_to,
                subject: mrid,
                status,
                at,
            });
        }
    }

    fn live(&self) -> Vec<u128> {
        let live = self.events.values().filter(|event| !event.is_over());
        live.map(|event| event.mrid).collect()
    }

    /// The events that are not over, best first.
    fn by_rank(&self) -> Vec<u128> {
        let live = self.events.values().filter(|event| !event.is_over());
        let mut ranked: Vec<&Event> = live.collect();
        ranked.sort_by(|a, b| a.rank(b));
        ranked.iter().map(|event| event.mrid).collect()
    }
}

fn clamped(seconds: i16) -> i16 {
    seconds.clamp(-RANDOMIZE_MAX_S, RANDOMIZE_MAX_S)
}

#[cfg(test)]
mod tests;
