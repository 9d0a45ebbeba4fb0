//! The control loop as a synchronous state machine: inputs and an instant in, changes out.
//!
//! It works on its own copy of the state; what it has changed becomes visible to anybody only
//! after the store has made it durable.

use fleet::dispatch::assess::{Policy, Standing, World};
use fleet::dispatch::{LinearLimit, Plan, reconcile};
use fleet::{
    ActivePower, Command, Control, ControlId, ControlStatus, Delivery, DeliveryEntry,
    DeliveryState, Der, Dispatch, DispatchId, Event, Evidence, Fleet, Observation, Rejection,
};
use store::{Actor, Batch, Entry};
use units::Timestamp;

/// Decisions and deliveries.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The fold of the journal.
    pub fleet: Fleet,
    /// The ledger, by control.
    pub deliveries: Vec<Delivery>,
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
    /// The instant.
    pub now: Timestamp,
}

impl State {
    /// Folds in one event; an issued control begins its delivery row.
    pub fn apply(&mut self, event: &Event) {
        self.fleet.apply(event);
        if let Event::ControlIssued(control) = event {
            self.deliveries
                .push(Delivery::planned(control.id, control.der, control.created));
        }
    }

    /// Folds in one step of the ledger.
    pub fn apply_delivery(&mut self, entry: DeliveryEntry) {
        if let Some(delivery) = self.deliveries.get_mut(entry.control.index()) {
            delivery.push(entry);
        }
    }

    /// Folds in what has been made durable elsewhere.
    pub fn apply_all(&mut self, changes: &Batch) {
        for entry in &changes.entries {
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
            events.push(dispatch.adopt(plan, inputs.now)?);
            self.record((actor, inputs.now), &events, changes);
            self.reconcile(id, inputs, changes);
            return Ok(events);
        }
        self.record((actor, inputs.now), &events, changes);
        Ok(events)
    }

    /// Takes in what is newly known of a control; whether it tells anything new.
    pub fn witness(
        &mut self,
        control: ControlId,
        evidence: Evidence,
        at: Timestamp,
        changes: &mut Batch,
    ) -> bool {
        let next = self
            .deliveries
            .get(control.index())
            .and_then(|row| row.next(evidence, at));
        if let Some(entry) = next {
            self.apply_delivery(entry);
            changes.deliveries.push(entry);
        }
        next.is_some()
    }

    /// One round of the loop: note who follows and who is silent, correct plans that no longer
    /// fit, bring controls to plans.
    pub fn tick(&mut self, inputs: &Inputs<'_>, changes: &mut Batch) {
        let open: Vec<DispatchId> = self
            .fleet
            .open_dispatches(inputs.now)
            .map(|dispatch| dispatch.id)
            .collect();
        for id in open {
            for (control, evidence) in self.signs(id, inputs) {
                self.witness(control, evidence, inputs.now, changes);
            }
            if let Some(adopted) = self.correction(id, inputs) {
                self.record((&Actor::System, inputs.now), &[adopted], changes);
            }
            self.reconcile(id, inputs, changes);
        }
    }

    /// The next plan for a dispatch whose plan no longer fits; `None` when it would ask the same
    /// of everybody for the same reasons.
    fn correction(&self, id: DispatchId, inputs: &Inputs<'_>) -> Option<Event> {
        let dispatch = self.fleet.dispatch(id)?;
        let current = dispatch.plan.as_ref()?;
        let world = self.world(inputs);
        let cause = reconcile::cause(&world, dispatch, inputs.limits)?;
        let replanned = reconcile::replan(&world, dispatch, inputs.limits).and_then(|plan| {
            let same = asks_the_same(dispatch, current, &plan);
            Ok((!same).then_some(dispatch.adopt(plan, inputs.now)?))
        });
        match replanned {
            Ok(None) => None,
            Ok(adopted) => {
                let generation = current.generation + 1;
                tracing::info!(dispatch = %dispatch.mrid, generation, ?cause, "plan corrected");
                adopted
            }
            Err(rejection) => {
                tracing::warn!(dispatch = %dispatch.mrid, ?cause, %rejection,
                    "no corrected plan is possible");
                None
            }
        }
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

    /// What the meters and the silence of members say of their controls.
    fn signs(&self, id: DispatchId, inputs: &Inputs<'_>) -> Vec<(ControlId, Evidence)> {
        let world = self.world(inputs);
        let Some(dispatch) = self.fleet.dispatch(id) else {
            return Vec::new();
        };
        let members = self
            .fleet
            .group(dispatch.group)
            .map_or(&[][..], |g| g.members.as_slice());
        let mut signs = Vec::new();
        for der in members.iter().filter_map(|der| self.fleet.der(*der)) {
            let standing = world.standing(der, Some(dispatch));
            let controls = world.controls(der.id, id);
            signs.extend(controls.filter_map(|control| {
                Some((
                    control.id,
                    self.sign(&world, dispatch, (der, standing), control)?,
                ))
            }));
        }
        signs
    }

    fn sign(
        &self,
        world: &World<'_>,
        dispatch: &Dispatch,
        (der, standing): (&Der, Standing),
        control: &Control,
    ) -> Option<Evidence> {
        let status = self.fleet.status(control, world.now);
        if !matches!(status, ControlStatus::Active(_) | ControlStatus::Scheduled) {
            return None;
        }
        let observation = world.observation(der.id);
        let state = self.deliveries.get(control.id.index())?.state();
        if standing == Standing::Silent {
            let last = observation.last_contact.unwrap_or(der.enrolled);
            return (state != DeliveryState::Silent).then_some(Evidence::LastHeard(last));
        }
        if state == DeliveryState::Silent {
            return Some(Evidence::Heard);
        }
        let asked = control.base.active.map(ActivePower::p)?;
        let metered = observation.p?;
        let begun = control
            .interval
            .start
            .max(control.created)
            .after(dispatch.ramp);
        let follows = (metered.value - asked).abs() <= world.allowed_deviation(der);
        (state == DeliveryState::Started && metered.at >= begun && follows).then_some(
            Evidence::Measured {
                asked,
                metered: metered.value,
            },
        )
    }
}

/// Whether `next` would change no share that is still ahead and knows of nobody new to leave out.
fn asks_the_same(dispatch: &Dispatch, current: &Plan, next: &Plan) -> bool {
    let same_share = next
        .allocations
        .iter()
        .all(|a| current.share(a.der, a.interval) == Some(a.share));
    let ahead = |interval: u32| {
        dispatch
            .schedule
            .get(interval as usize)
            .is_some_and(|target| next.effective < target.interval.end())
    };
    let kept = current
        .allocations
        .iter()
        .filter(|a| ahead(a.interval))
        .count();
    same_share && kept == next.allocations.len() && current.unasked == next.unasked
}
