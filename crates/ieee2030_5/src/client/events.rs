//! The event rules: which of the events a device knows are in force, and what it answers to them.
//!
//! The rules work on what is known alone, so a device that has lost its server finishes the events
//! that it holds and then falls back to the default control.

mod held;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use units::Timestamp;

use super::event::{Announced, Extent, Listed, Referred};
use super::setpoint::Modes;
use crate::codec::simple::HexBinary128;
use crate::codec::table::Edition;
use crate::wire::der_control::EventState;
use crate::wire::response::ResponseStatus;

pub(super) use held::Remembered;
use held::{Held, Part};
use rules::{Cut, Winner};

/// Events held by one device, over ones included; further ones wait on the server until some are
/// forgotten.
pub const MAX_EVENTS: usize = 512;

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
    /// It asks for nothing that this device can do, or is for devices of another category.
    NotApplicable,
    /// What it refers to is not there or not what it should be.
    Invalid,
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

/// What kind of events they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FunctionSet {
    Der,
    DemandResponse,
    Pricing,
}

impl FunctionSet {
    pub(super) const ALL: [(Self, &'static str); 3] = [
        (Self::Der, "der"),
        (Self::DemandResponse, "dr"),
        (Self::Pricing, "pricing"),
    ];

    pub(super) fn as_str(self) -> &'static str {
        let row = Self::ALL.iter().find(|(set, _)| *set == self);
        row.map_or("", |(_, name)| *name)
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        let row = Self::ALL.iter().find(|(_, of)| *of == name);
        row.map(|(set, _)| *set)
    }
}

/// A response that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) function_set: FunctionSet,
    pub(super) reply_to: Arc<str>,
    pub(super) subject: HexBinary128,
    pub(super) status: ResponseStatus,
    /// Server time.
    pub(super) at: Timestamp,
    /// The modes that it is about.
    pub(super) modes: Modes,
}

/// What distinguishes one device's handling of events from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) function_set: FunctionSet,
    pub(super) seed: u64,
    /// The modes that it can follow.
    pub(super) supported: Modes,
    /// What kinds of device it is; any when absent.
    pub(super) category: Option<u32>,
    /// In that of 2023 the loss of some of an event's modes is answered, and an event that is
    /// removed is cancelled.
    pub(super) edition: Edition,
}

/// The events that a device holds.
#[derive(Clone, Debug)]
pub(super) struct Events<P> {
    traits: Traits,
    /// The primacy of each programme that is assigned.
    programs: BTreeMap<u128, u8>,
    held: BTreeMap<u128, Held<P>>,
    due: Vec<Due>,
    is_opted_out: bool,
    is_settled: bool,
    /// What became before a restart of events that are yet to be met.
    recalled: BTreeMap<u128, Remembered>,
}

impl<P> Events<P> {
    pub(super) fn new(traits: Traits) -> Self {
        Self {
            traits,
            programs: BTreeMap::new(),
            held: BTreeMap::new(),
            due: Vec::new(),
            is_opted_out: false,
            is_settled: true,
            recalled: BTreeMap::new(),
        }
    }

    /// The responses that have become due since the last call.
    pub(super) fn take_due(&mut self) -> Vec<Due> {
        std::mem::take(&mut self.due)
    }

    /// Every event this device has met and not forgotten, with its phase.
    pub(super) fn phases(&self) -> impl Iterator<Item = (u128, Phase)> {
        self.held.iter().map(|(mrid, held)| (*mrid, held.shown()))
    }

    /// The events in force, best first, and the modes that each holds.
    pub(super) fn in_force(&self) -> Vec<(&Announced<P>, Modes)> {
        let active = self.held.values();
        let active = active.filter(|held| held.phase == Phase::Active && held.part == Part::In);
        let mut active: Vec<&Held<P>> = active.collect();
        active.sort_by(|a, b| rules::rank(a, b, &self.programs));
        active
            .iter()
            .map(|held| (&*held.event, held.left))
            .collect()
    }

    /// The next instant at which something starts, ends or gives way of itself, in server time.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        self.held.values().filter_map(Held::next_change).min()
    }

    pub(super) fn is_opted_out(&self) -> bool {
        self.is_opted_out
    }

    /// What has to outlive a restart.
    pub(super) fn remembered(&self) -> impl Iterator<Item = (FunctionSet, u128, Remembered)> {
        let set = self.traits.function_set;
        let held = self.held.iter();
        held.map(move |(mrid, held)| (set, *mrid, held.remembered()))
    }

    /// Goes on where it was before a restart with each event once that is met again.
    pub(super) fn recall(&mut self, events: BTreeMap<u128, Remembered>) {
        self.recalled = events;
    }

    /// Takes in the list of `program` as it is on the server.
    pub(super) fn learn(
        &mut self,
        program: u128,
        (listed, extent): (&[Listed<P>], Extent),
        now: Timestamp,
    ) {
        let shown = listed.iter().map(|it| it.event.mrid.value());
        let shown: BTreeSet<u128> = shown.collect();
        // An event that is over is remembered for as long as the server shows it, so that it is
        // not met a second time.
        self.held.retain(|mrid, held| {
            held.event.program != program || !held.is_over() || shown.contains(mrid)
        });
        for it in listed {
            let is_new = !self.held.contains_key(&it.event.mrid.value());
            let is_ready = it.referred != Referred::Awaited;
            if is_new && is_ready && self.held.len() < MAX_EVENTS {
                self.meet(it, now);
            }
            self.heed_status(it, now);
        }
        if extent == Extent::Whole && self.traits.edition == Edition::Y2023 {
            self.cancel_removed(program, &shown, now);
        }
        self.is_settled = false;
        self.step(now);
    }

    /// An event that the server removes before its end is cancelled (IEEE 2030.5-2023, 10.2.2.3,
    /// rule p). In the edition of 2018 nothing but its status ends an event early.
    fn cancel_removed(&mut self, program: u128, shown: &BTreeSet<u128>, now: Timestamp) {
        let is_removed = |held: &&Held<P>| {
            let goes_on = !held.is_over() && held.cancel_at.is_none() && now < held.end;
            goes_on && held.event.program == program && !shown.contains(&held.mrid())
        };
        let removed = self.held.values().filter(is_removed);
        let removed: Vec<u128> = removed.map(Held::mrid).collect();
        for mrid in removed {
            self.end(mrid, Outcome::Cancelled, ResponseStatus::CANCELLED, now);
        }
    }

    /// The programmes that are assigned now, with their primacy; events of others are abandoned.
    pub(super) fn assign(&mut self, programs: &BTreeMap<u128, u8>, now: Timestamp) {
        if self.programs == *programs {
            return;
        }
        self.programs.clone_from(programs);
        let live = self.held.values().filter(|held| !held.is_over());
        let gone = live.filter(|held| !programs.contains_key(&held.event.program));
        let gone: Vec<u128> = gone.map(Held::mrid).collect();
        for mrid in gone {
            let status = ResponseStatus::ABORTED_BY_SERVER;
            self.end(mrid, Outcome::Abandoned, status, now);
        }
        self.held
            .retain(|_, held| programs.contains_key(&held.event.program));
        self.is_settled = false;
        self.step(now);
    }

    /// The owner withdraws the device from every event, those to come included.
    pub(super) fn opt_out(&mut self, now: Timestamp) {
        self.is_opted_out = true;
        for mrid in self.live() {
            self.withdraw(mrid, now);
        }
    }

    /// The device takes part again in what is left of the events and in those to come.
    pub(super) fn opt_in(&mut self, now: Timestamp) {
        self.is_opted_out = false;
        for mrid in self.live() {
            let held = self.held.get_mut(&mrid);
            if let Some(held) = held.filter(|held| held.part == Part::Out) {
                held.part = Part::In;
                held.has_taken_part |= held.phase == Phase::Active;
                let modes = held.left;
                self.respond(mrid, ResponseStatus::OPT_IN, modes, now);
            }
        }
    }

    /// Lets time pass: starts, supersedes and completes, in the order of the instants at which it
    /// happens.
    pub(super) fn step(&mut self, now: Timestamp) {
        if !self.is_settled {
            self.settle(now);
        }
        while let Some(at) = self.next_change().filter(|at| *at <= now) {
            for mrid in self.by_rank() {
                self.give_way(mrid, at);
                self.start(mrid, at, now);
                self.finish(mrid, at);
            }
            if !self.is_settled {
                self.settle(at);
            }
        }
    }

    fn settle(&mut self, now: Timestamp) {
        rules::settle(&mut self.held, &self.programs, now);
        self.is_settled = true;
    }

    fn meet(&mut self, listed: &Listed<P>, now: Timestamp) {
        let event = &listed.event;
        if let Some(it) = self.recalled.remove(&event.mrid.value()) {
            let held = Held::recalled(Arc::clone(event), &self.traits, it);
            self.held.insert(held.mrid(), held);
            return;
        }
        let mut held = Held::new(Arc::clone(event), &self.traits);
        let is_for_us = |bits: u32| self.traits.category.is_none_or(|own| own & bits != 0);
        if !event.device_category.is_none_or(is_for_us) {
            held.dismiss(Outcome::NotApplicable);
            self.held.insert(held.mrid(), held);
            return;
        }
        let (mrid, end, modes) = (held.mrid(), held.end, held.left);
        self.held.insert(mrid, held);
        if !matches!(listed.state, EventState::SCHEDULED | EventState::ACTIVE) {
            let is_completed = listed.state == EventState::COMPLETED;
            if let Some(held) = self.held.get_mut(&mrid).filter(|_| is_completed) {
                held.dismiss(Outcome::Expired);
            }
            return;
        }
        let refused = if end <= now {
            Some((Outcome::Expired, ResponseStatus::EXPIRED))
        } else if listed.referred == Referred::Wrong {
            Some((Outcome::Invalid, ResponseStatus::INVALID))
        } else if modes.is_empty() {
            Some((Outcome::NotApplicable, ResponseStatus::NOT_APPLICABLE))
        } else {
            None
        };
        if let Some((outcome, status)) = refused {
            self.respond(mrid, status, event.modes, now);
            if let Some(held) = self.held.get_mut(&mrid) {
                held.dismiss(outcome);
            }
            return;
        }
        self.respond(mrid, ResponseStatus::RECEIVED, modes, now);
        if self.is_opted_out {
            self.withdraw(mrid, now);
        }
    }

    /// Follows a cancellation or supersession that the server has decided.
    fn heed_status(&mut self, listed: &Listed<P>, now: Timestamp) {
        let mrid = listed.event.mrid.value();
        let Some(held) = self.held.get_mut(&mrid).filter(|held| !held.is_over()) else {
            return;
        };
        match listed.state {
            EventState::CANCELLED => {
                self.end(mrid, Outcome::Cancelled, ResponseStatus::CANCELLED, now);
            }
            EventState::CANCELLED_WITH_RANDOMIZATION => {
                let delay_s = held.event.cancellation_delay_s(self.traits.seed);
                let at = listed.state_since.after(Duration::from_secs(delay_s));
                if held.phase == Phase::Active && now < at {
                    held.cancel_at = Some(held.cancel_at.map_or(at, |before| before.min(at)));
                } else {
                    self.end(mrid, Outcome::Cancelled, ResponseStatus::CANCELLED, now);
                }
            }
            EventState::SUPERSEDED => {
                self.end(mrid, Outcome::Superseded, ResponseStatus::SUPERSEDED, now);
            }
            _ => {}
        }
    }

    /// Gives up the modes that something better has by `at`.
    fn give_way(&mut self, mrid: u128, at: Timestamp) {
        let Some(held) = self.held.get_mut(&mrid) else {
            return;
        };
        if held.is_over() || at < held.start {
            return;
        }
        let came = |cut: &&Cut| cut.at <= at && !cut.modes.common(held.left).is_empty();
        let came: Vec<Cut> = held.cuts.iter().filter(came).copied().collect();
        for cut in came {
            self.lose(mrid, cut);
        }
    }

    fn lose(&mut self, mrid: u128, cut: Cut) {
        let Some(held) = self.held.get_mut(&mrid) else {
            return;
        };
        let lost = held.left.common(cut.modes);
        held.left = held.left.without(lost);
        let was_active = held.phase == Phase::Active && held.part != Part::Missed;
        let is_done = held.left.is_empty();
        match (cut.winner, was_active) {
            (Winner::Successor, true) if is_done => self.complete(mrid, cut.at),
            (Winner::OtherProgram, false) if is_done => {
                let status = ResponseStatus::ABORTED_BY_PROGRAM;
                self.end_with(mrid, Outcome::Superseded, status, lost, cut.at);
            }
            _ if is_done => {
                let status = ResponseStatus::SUPERSEDED;
                self.end_with(mrid, Outcome::Superseded, status, lost, cut.at);
            }
            (Winner::Successor, _) => {}
            _ if self.traits.edition == Edition::Y2023 => {
                self.respond(mrid, ResponseStatus::SUPERSEDED, lost, cut.at);
            }
            _ => {}
        }
    }

    fn start(&mut self, mrid: u128, at: Timestamp, now: Timestamp) {
        let Some(held) = self.held.get_mut(&mrid) else {
            return;
        };
        if held.phase != Phase::Scheduled || at < held.start {
            return;
        }
        // All of it is past: it goes through the motions for what it takes from others.
        if held.end <= now && held.part == Part::In {
            held.part = Part::Missed;
        }
        held.phase = Phase::Active;
        if held.part == Part::In {
            held.has_taken_part = true;
            let (modes, start) = (held.left, held.start);
            self.respond(mrid, ResponseStatus::STARTED, modes, start.max(at));
        }
    }

    fn finish(&mut self, mrid: u128, at: Timestamp) {
        let Some(held) = self.held.get(&mrid).filter(|it| it.phase == Phase::Active) else {
            return;
        };
        match held.cancel_at {
            Some(cancel_at) if cancel_at <= at => {
                self.end(
                    mrid,
                    Outcome::Cancelled,
                    ResponseStatus::CANCELLED,
                    cancel_at,
                );
            }
            _ if held.end <= at => {
                let end = held.end;
                self.complete(mrid, end);
            }
            _ => {}
        }
    }

    fn complete(&mut self, mrid: u128, at: Timestamp) {
        let Some(held) = self.held.get(&mrid) else {
            return;
        };
        let (outcome, status) = match (held.part, held.has_taken_part, held.was_out) {
            (Part::Missed, ..) => (Outcome::Missed, ResponseStatus::COMPLETED_NO_PARTICIPATION),
            (Part::Out, true, _) => (Outcome::OptedOut, ResponseStatus::PARTIAL_OPT_OUT),
            (Part::Out, false, _) => (
                Outcome::OptedOut,
                ResponseStatus::COMPLETED_NO_PARTICIPATION,
            ),
            (Part::In, _, true) => (Outcome::Completed, ResponseStatus::PARTIAL_OPT_IN),
            (Part::In, _, false) => (Outcome::Completed, ResponseStatus::COMPLETED),
        };
        self.end(mrid, outcome, status, at);
    }

    fn withdraw(&mut self, mrid: u128, now: Timestamp) {
        let Some(held) = self
            .held
            .get_mut(&mrid)
            .filter(|held| held.part == Part::In)
        else {
            return;
        };
        held.part = Part::Out;
        held.was_out = true;
        let modes = held.left;
        self.respond(mrid, ResponseStatus::OPT_OUT, modes, now);
    }

    fn end(&mut self, mrid: u128, outcome: Outcome, status: ResponseStatus, at: Timestamp) {
        let modes = self
            .held
            .get(&mrid)
            .map_or(Modes::default(), |held| held.left);
        self.end_with(mrid, outcome, status, modes, at);
    }

    fn end_with(
        &mut self,
        mrid: u128,
        outcome: Outcome,
        status: ResponseStatus,
        modes: Modes,
        at: Timestamp,
    ) {
        if let Some(held) = self.held.get_mut(&mrid) {
            held.phase = Phase::Over(outcome);
            // What an event that ended early would still have displaced is free again.
            held.end = held.end.min(at.max(held.start));
            self.is_settled = false;
        }
        self.respond(mrid, status, modes, at);
    }

    fn respond(&mut self, mrid: u128, status: ResponseStatus, modes: Modes, at: Timestamp) {
        let Some(event) = self.held.get(&mrid).map(|held| &held.event) else {
            return;
        };
        let wanted = event.reply_to.as_ref().filter(|_| event.wants(status));
        if let Some(reply_to) = wanted {
            self.due.push(Due {
                function_set: self.traits.function_set,
                reply_to: Arc::clone(reply_to),
                subject: event.mrid,
                status,
                at,
                modes,
            });
        }
    }

    fn live(&self) -> Vec<u128> {
        let live = self.held.values().filter(|held| !held.is_over());
        live.map(Held::mrid).collect()
    }

    /// The events that are not over, best first.
    fn by_rank(&self) -> Vec<u128> {
        let live = self.held.values().filter(|held| !held.is_over());
        let mut ranked: Vec<&Held<P>> = live.collect();
        ranked.sort_by(|a, b| rules::rank(a, b, &self.programs));
        ranked.iter().map(|held| held.mrid()).collect()
    }
}

#[cfg(test)]
mod tests;
