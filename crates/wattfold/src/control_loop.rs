//! The control loop as a synchronous state machine: inputs and an instant in, changes out.
//!
//! It works on its own copy of the state; what it has changed becomes visible to anybody only
//! after the store has made it durable.

mod alarms;
mod author;
mod envelopes;
mod settings;
mod signs;
pub(crate) mod strategies;

use std::collections::{BTreeSet, VecDeque};

use fleet::dispatch::assess::{Policy, World};
use fleet::dispatch::correction::{Correction, Vain, correction, renewed};
use fleet::dispatch::plan::OnShort;
use fleet::dispatch::{LinearLimit, reconcile};
use fleet::strategy::Watch;
use fleet::{
    Command, ControlId, DeliveryEntry, DerId, Dispatch, DispatchId, Event, Evidence, Fleet, Ledger,
    Observation, Rejection,
};
use store::{Actor, Batch, Entry};
use units::{Timestamp, Zone};

use alarms::AlarmPass;
pub use alarms::Vitals;
pub use author::Authors;
use settings::SettingsPass;
use signs::Watched;

/// Decisions and deliveries.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The fold of the journal.
    pub fleet: Fleet,
    /// The ledger.
    pub deliveries: Ledger,
    /// Who asked for what.
    pub authors: Authors,
    /// Controls that no dispatch looks after and that are not over.
    watched: Watched,
    /// The DER whose envelope was looked at last.
    envelope_pass: Option<DerId>,
    /// Where bringing settings to DER has got to.
    settings_pass: SettingsPass,
    /// Where looking for alarms has got to.
    alarm_pass: AlarmPass,
    /// What has been seen of the gauges of strategies.
    strategy_watch: Watch,
    /// Corrections that were looked for in vain.
    vain: Vain,
}

/// What decisions rest on besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Latest readings, by DER.
    pub observations: &'a [Observation],
    /// Thresholds.
    pub policy: Policy,
    /// Limits over several DER.
    pub limits: &'a [LinearLimit],
    /// Local time by which strategies follow the calendar.
    pub zone: &'a Zone,
    /// The instant.
    pub now: Timestamp,
}

impl State {
    /// What has been folded from the store.
    #[must_use]
    pub fn new(fleet: Fleet, deliveries: Ledger) -> Self {
        let mut watched = Watched::default();
        for control in fleet.controls() {
            watched.add(control);
        }
        Self {
            fleet,
            deliveries,
            authors: Authors::default(),
            watched,
            envelope_pass: None,
            settings_pass: SettingsPass::default(),
            alarm_pass: AlarmPass::default(),
            strategy_watch: Watch::default(),
            vain: Vain::default(),
        }
    }

    /// Folds in one event; an issued control begins its delivery row.
    pub fn apply(&mut self, event: &Event) {
        self.fleet.apply(event);
        if let Event::ControlIssued(control) = event {
            self.deliveries.begin(control);
            self.watched.add(control);
        }
    }

    /// Folds in one step of the ledger.
    pub fn apply_delivery(&mut self, entry: DeliveryEntry) {
        if let Some(control) = self.fleet.control(entry.control) {
            self.deliveries.push(entry, control.created);
        }
    }

    /// Folds in what has been made durable elsewhere.
    pub fn apply_all(&mut self, changes: &Batch) {
        for entry in &changes.entries {
            self.authors.note(&entry.actor, &entry.event);
            self.apply(&entry.event);
        }
        for entry in &changes.deliveries {
            self.apply_delivery(*entry);
        }
    }

    fn world<'a>(&'a self, inputs: &Inputs<'a>) -> World<'a> {
        World {
            fleet: &self.fleet,
            observations: inputs.observations,
            deliveries: &self.deliveries,
            policy: inputs.policy,
            now: inputs.now,
        }
    }

    fn record(&mut self, (actor, at): (&Actor, Timestamp), events: &[Event], changes: &mut Batch) {
        for event in events {
            self.authors.note(actor, event);
            self.apply(event);
            changes.entries.push(Entry {
                actor: actor.clone(),
                at,
                event: event.clone(),
            });
        }
    }

    /// Carries out one command of `actor`. A dispatch is accepted together with its first plan
    /// and that plan's controls, or not at all.
    ///
    /// # Errors
    /// The [`Rejection`]; nothing has changed.
    pub fn execute(
        &mut self,
        actor: &Actor,
        command: &Command,
        inputs: &Inputs<'_>,
        changes: &mut Batch,
    ) -> Result<Vec<Event>, Rejection> {
        let mut events = self.fleet.decide(command, inputs.now)?;
        if let [Event::DispatchCreated(dispatch)] = events.as_slice() {
            let id = dispatch.id;
            let plan = reconcile::replan(&self.world(inputs), dispatch, inputs.limits)?;
            let planned = Dispatch {
                plan: Some(plan.clone()),
                ..dispatch.clone()
            };
            events.push(dispatch.adopt(plan, inputs.now)?);
            events.extend(self.fleet.publish_if_ready(&planned, inputs.now)?);
            self.record((actor, inputs.now), &events, changes);
            self.reconcile(id, inputs, changes);
            return Ok(events);
        }
        if let [Event::DispatchChanged(changed)] = events.as_slice() {
            let id = changed.id;
            events.extend(self.plan_changed(changed, inputs)?);
            self.record((actor, inputs.now), &events, changes);
            self.reconcile(id, inputs, changes);
            return Ok(events);
        }
        if let Some(Event::DispatchPublished(id, _)) = events.last() {
            let id = *id;
            let events = self.with_plan(id, events, inputs)?;
            self.record((actor, inputs.now), &events, changes);
            self.reconcile(id, inputs, changes);
            return Ok(events);
        }
        self.record((actor, inputs.now), &events, changes);
        self.follow_up(&events, inputs, changes);
        if let [Event::ApprovalRulesSet(_)] = events.as_slice() {
            for id in self.fleet.ready_dispatches(inputs.now) {
                let publish = Command::PublishDispatch(id);
                if let Err(rejection) = self.execute(actor, &publish, inputs, changes) {
                    tracing::warn!(%id, %rejection, "can't be let out");
                }
            }
        }
        Ok(events)
    }

    /// The plan of a dispatch as it is to be, and its publication where it waits for nothing else any
    /// more; nothing else may change by it.
    fn plan_changed(
        &self,
        changed: &Dispatch,
        inputs: &Inputs<'_>,
    ) -> Result<Vec<Event>, Rejection> {
        let current = self.fleet.dispatch(changed.id).unwrap_or(changed);
        let next = reconcile::carried(changed, current);
        let world = self.world(inputs);
        let plan = reconcile::plan_from(&world, &next, inputs.limits, OnShort::Reject)?;
        let mut events = vec![next.adopt(plan.clone(), inputs.now)?];
        let planned = Dispatch {
            plan: Some(plan),
            ..next
        };
        self.fleet.check_still_approved(&planned)?;
        if planned.published.is_none() {
            events.extend(self.fleet.publish_if_ready(&planned, inputs.now)?);
        }
        Ok(events)
    }

    /// `events`, which let a dispatch out, with the plan that it needs for that. Where so much power
    /// needs an approval that it has not got, it is not let out.
    fn with_plan(
        &self,
        id: DispatchId,
        mut events: Vec<Event>,
        inputs: &Inputs<'_>,
    ) -> Result<Vec<Event>, Rejection> {
        let Some(mut dispatch) = self.fleet.dispatch(id).cloned() else {
            return Ok(events);
        };
        let plan = renewed(&self.world(inputs), &dispatch, inputs.limits)?;
        let Some(plan) = plan else {
            return Ok(events);
        };
        let published = events.pop();
        for event in &events {
            if let Event::DispatchApproved(_, approval) = event {
                dispatch.approvals.push(approval.clone());
            }
        }
        events.push(dispatch.adopt(plan.clone(), inputs.now)?);
        dispatch.plan = Some(plan);
        if self.fleet.missing_approvals(&dispatch).is_empty() {
            events.extend(published);
        }
        Ok(events)
    }

    /// Carries out what follows from `events`, and what follows from that. Of the commands that
    /// follow from one event none is carried out after one that is refused: what was to be replaced
    /// stays.
    fn follow_up(&mut self, events: &[Event], inputs: &Inputs<'_>, changes: &mut Batch) {
        let mut queue: VecDeque<Event> = events.iter().cloned().collect();
        while let Some(event) = queue.pop_front() {
            for command in self.fleet.consequences(&event, inputs.now) {
                match self.fleet.decide(&command, inputs.now) {
                    Ok(events) => {
                        self.record((&Actor::System, inputs.now), &events, changes);
                        queue.extend(events);
                    }
                    Err(rejection) => {
                        tracing::error!(?command, %rejection, "not followed up");
                        break;
                    }
                }
            }
        }
    }

    /// Takes in what is newly known of a control at a DER; whether it tells anything new.
    pub fn witness(
        &mut self,
        (control, der): (ControlId, DerId),
        evidence: Evidence,
        at: Timestamp,
        changes: &mut Batch,
    ) -> bool {
        let control = self.fleet.control(control);
        let next = control.and_then(|control| self.deliveries.next(control, der, evidence, at));
        if let Some(entry) = next {
            self.apply_delivery(entry);
            changes.deliveries.push(entry);
        }
        next.is_some()
    }

    /// One round of the loop: make the dispatches that are due, note who follows and who is silent, correct plans that no longer
    /// fit, bring controls to plans.
    pub fn tick(&mut self, inputs: &Inputs<'_>, changes: &mut Batch) {
        self.run_strategies(inputs, changes);
        let open: BTreeSet<DispatchId> = self
            .fleet
            .open_dispatches(inputs.now)
            .filter(|dispatch| dispatch.is_in_force())
            .map(|dispatch| dispatch.id)
            .collect();
        self.vain.keep(&open);
        for id in open {
            for (row, evidence) in self.signs(id, inputs) {
                self.witness(row, evidence, inputs.now, changes);
            }
            match self.correction(id, inputs) {
                Ok(adopted) => {
                    self.record((&Actor::System, inputs.now), adopted.as_slice(), changes);
                }
                Err(_) => {
                    self.alarm_pass.impossible.insert(id);
                }
            }
            self.reconcile(id, inputs, changes);
        }
        for (row, evidence) in self.watch(inputs) {
            self.witness(row, evidence, inputs.now, changes);
        }
        self.settle_envelopes(inputs, changes);
        self.settle_settings(inputs, changes);
        self.attend_alarms(inputs, changes);
    }

    /// The next plan for a dispatch whose plan no longer fits; `None` when it would ask the same
    /// of everybody for the same reasons, the rejection when no plan is possible.
    fn correction(
        &mut self,
        id: DispatchId,
        inputs: &Inputs<'_>,
    ) -> Result<Option<Event>, Rejection> {
        let mut vain = std::mem::take(&mut self.vain);
        let corrected = self.corrected(id, inputs, &mut vain);
        self.vain = vain;
        corrected
    }

    fn corrected(
        &self,
        id: DispatchId,
        inputs: &Inputs<'_>,
        vain: &mut Vain,
    ) -> Result<Option<Event>, Rejection> {
        let Some(dispatch) = self.fleet.dispatch(id) else {
            return Ok(None);
        };
        let corrected = correction(&self.world(inputs), dispatch, inputs.limits, vain);
        let adopted = match corrected {
            Ok(None) => return Ok(None),
            Ok(Some(Correction { cause, plan })) => {
                let generation = plan.generation;
                tracing::info!(dispatch = %dispatch.mrid, generation, ?cause, "plan corrected");
                dispatch.adopt(plan, inputs.now)
            }
            Err(rejection) => Err(rejection),
        };
        if let Err(rejection) = &adopted {
            tracing::warn!(dispatch = %dispatch.mrid, %rejection, "no corrected plan is possible");
        }
        adopted.map(Some)
    }

    fn reconcile(&mut self, id: DispatchId, inputs: &Inputs<'_>, changes: &mut Batch) {
        let Some(dispatch) = self.fleet.dispatch(id) else {
            return;
        };
        for command in reconcile::reconcile(&self.world(inputs), dispatch) {
            match self.fleet.decide(&command, inputs.now) {
                Ok(events) => self.record((&Actor::System, inputs.now), &events, changes),
                Err(rejection) => tracing::error!(?command, %rejection, "control not issued"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
