//! Folding one event into the state. Never decides, never fails: what an event says is so.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::{
    Access, AggregatorId, Assignment, Curve, Der, DerId, Dispatch, DispatchId, Envelope, Event,
    Fleet, Program, Registration, Scope,
};

impl Fleet {
    /// Folds in one event. Events must come in the order in which they were decided; one that
    /// refers to something unknown changes nothing.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::FleetFounded(identity) => self.identity = *identity,
            Event::ProgramCreated(program) => self.apply_program_created(program),
            Event::ProgramChanged(program) => self.apply_program_changed(program),
            Event::DerEnrolled(der) => {
                self.index(der);
                self.ders.push(der.clone());
                self.live.push(Vec::new());
            }
            Event::DerChanged(der) => self.apply_der_changed(der),
            Event::DerRegistered(id, at) => {
                if let Some(der) = self.ders.get(id.index()) {
                    let registered = Der {
                        registration: Registration::Registered(*at),
                        changed: *at,
                        ..der.clone()
                    };
                    self.apply_der_changed(&registered);
                }
            }
            Event::CapabilityReported(id, capability) => {
                if let Some(der) = self.ders.get_mut(id.index()) {
                    der.capability = Some(capability.clone());
                }
            }
            Event::SettingsReported(id, settings) => {
                if let Some(der) = self.ders.get_mut(id.index()) {
                    der.settings = Some(settings.clone());
                }
            }
            _ => self.apply_operation(event),
        }
    }

    fn apply_operation(&mut self, event: &Event) {
        match event {
            Event::GroupCreated(group) => {
                self.groups_by_mrid.insert(group.mrid.clone(), group.id);
                self.groups.push(Some(group.clone()));
            }
            Event::GroupChanged(group) => {
                if let Some(slot) = self.groups.get_mut(group.id.index()) {
                    *slot = Some(group.clone());
                }
            }
            Event::GroupDeleted(id) => {
                if let Some(group) = self.groups.get_mut(id.index()).and_then(Option::take) {
                    self.groups_by_mrid.remove(&group.mrid);
                }
            }
            Event::DispatchCreated(dispatch) => {
                self.dispatches_by_mrid
                    .insert(dispatch.mrid.clone(), dispatch.id);
                self.dispatches.push(dispatch.clone());
                self.note_event(dispatch.id, &BTreeSet::new());
            }
            Event::PlanAdopted(plan) => {
                self.apply_to_dispatch(plan.dispatch, |dispatch| dispatch.succeed(plan));
            }
            Event::DispatchChanged(changed) => self.apply_to_dispatch(changed.id, |slot| {
                let plan = slot.plan.take();
                let superseded = std::mem::take(&mut slot.superseded);
                let asked_before = std::mem::take(&mut slot.asked_before);
                *slot = Dispatch {
                    plan,
                    superseded,
                    asked_before,
                    ..Dispatch::clone(changed)
                };
            }),
            Event::DispatchApproved(id, approval) => {
                if let Some(dispatch) = self.dispatches.get_mut(id.index()) {
                    dispatch.approvals.push(approval.clone());
                }
            }
            Event::DispatchPublished(id, at) => {
                self.apply_to_dispatch(*id, |dispatch| dispatch.published = Some(*at));
            }
            Event::ApprovalRulesSet(rules) => self.approval_rules.clone_from(rules),
            Event::DispatchCancelled(id, at) => {
                self.apply_to_dispatch(*id, |dispatch| dispatch.cancelled = Some(*at));
            }
            Event::ControlIssued(control) => self.apply_control(control),
            Event::ControlCancelled(id, at) => self.apply_control_cancelled(*id, *at),
            _ => self.apply_place(event),
        }
    }

    fn apply_to_dispatch(&mut self, id: DispatchId, change: impl FnOnce(&mut Dispatch)) {
        if let Some(dispatch) = self.dispatches.get_mut(id.index()) {
            let before = dispatch.taking_part();
            change(dispatch);
            self.note_event(id, &before);
        }
    }

    /// Notes whom a dispatch asks of late, and whom no more.
    fn note_event(&mut self, id: DispatchId, before: &BTreeSet<DerId>) {
        let after = self.dispatches[id.index()].taking_part();
        for der in before.difference(&after) {
            if let Some(events) = self.events_of.get_mut(der) {
                events.retain(|event| *event != id);
            }
        }
        for der in after.difference(before) {
            let events = self.events_of.entry(*der).or_default();
            if let Err(position) = events.binary_search(&id) {
                events.insert(position, id);
            }
        }
    }

    fn apply_place(&mut self, event: &Event) {
        match event {
            Event::AggregatorEnrolled(aggregator) => {
                self.aggregators_by_lfdi
                    .insert(aggregator.lfdi, aggregator.id);
                self.aggregators.push(aggregator.clone());
            }
            Event::AggregatorChanged(aggregator) => {
                if let Some(slot) = self.aggregators.get_mut(aggregator.id.index()) {
                    if slot.lfdi != aggregator.lfdi
                        && let Access::Revoked(at) = slot.access
                    {
                        self.revoked.insert(slot.lfdi, at);
                    }
                    self.aggregators_by_lfdi.remove(&slot.lfdi);
                    self.aggregators_by_lfdi
                        .insert(aggregator.lfdi, aggregator.id);
                    *slot = aggregator.clone();
                }
            }
            Event::AssignmentCreated(node) => self.assignments.push(node.clone()),
            Event::AssignmentChanged(node) => {
                if let Some(slot) = self.assignments.get_mut(node.id.index()) {
                    *slot = Assignment::clone(node);
                }
            }
            Event::CurveCreated(curve) => {
                let of_program = self.curves_by_program.entry(curve.program);
                of_program.or_default().push(curve.id);
                self.curves.push(Curve::clone(curve));
            }
            Event::CurveRemoved(id, at) => {
                if let Some(curve) = self.curves.get_mut(id.index()) {
                    curve.removed = Some(*at);
                    let of_program = self.curves_by_program.entry(curve.program).or_default();
                    of_program.retain(|other| other != id);
                }
            }
            Event::EnvelopeSet(envelope) => {
                let envelopes = self.envelopes.entry(envelope.der).or_default();
                envelopes.retain(|old| old.source != envelope.source);
                envelopes.push(Envelope::clone(envelope));
            }
            Event::EnvelopeCleared(der, source) => {
                if let Some(envelopes) = self.envelopes.get_mut(der) {
                    envelopes.retain(|envelope| envelope.source != *source);
                    if envelopes.is_empty() {
                        self.envelopes.remove(der);
                    }
                }
            }
            Event::Settings(event) => self.apply_settings(event),
            Event::Enrolment(event) => self.apply_enrolment(event),
            Event::Alarm(event) => self.alarms.apply(event),
            Event::Microgrid(event) => self.microgrids.apply(event),
            Event::Strategy(event) => self.strategies.apply(event),
            _ => {}
        }
    }

    /// A DER's own programme for dispatch shares comes before the DER and is found through it, so
    /// that a million of them need no index.
    fn apply_program_created(&mut self, program: &Program) {
        let own = matches!(program.scope, Scope::Device(der) if der.index() >= self.ders.len());
        if !own {
            let of_scope = self.programs_by_scope.entry(program.scope);
            of_scope.or_default().push(program.id);
        }
        self.programs.push(program.clone());
    }

    fn apply_program_changed(&mut self, program: &Program) {
        if program.removed.is_some()
            && let Some(of_scope) = self.programs_by_scope.get_mut(&program.scope)
        {
            of_scope.retain(|id| *id != program.id);
            if of_scope.is_empty() {
                self.programs_by_scope.remove(&program.scope);
            }
        }
        if let Some(slot) = self.programs.get_mut(program.id.index()) {
            *slot = Program {
                role: slot.role,
                ..program.clone()
            };
        }
    }

    pub(crate) fn apply_der_changed(&mut self, der: &Der) {
        let Some(old) = self.ders.get(der.id.index()).cloned() else {
            return;
        };
        let gives_up = der.removed.is_some() || der.lfdi != old.lfdi;
        if gives_up && let Access::Revoked(at) = old.access {
            self.revoked.insert(old.lfdi, at);
        }
        self.unindex(&old);
        self.ders[der.id.index()] = der.clone();
        if der.removed.is_none() {
            self.index(der);
        } else {
            self.microgrids.leave(der.id);
        }
    }

    fn index(&mut self, der: &Der) {
        self.by_lfdi.insert(der.lfdi, der.id);
        self.by_mrid.insert(der.mrid.clone(), der.id);
        self.by_name.insert(der.name.clone(), der.id);
        let registered = matches!(der.registration, Registration::Registered(_));
        if let Some(manager) = der.manager.filter(|_| registered) {
            let at = self.position(manager, der);
            self.managed.entry(manager).or_default().insert(at, der.id);
        }
    }

    fn unindex(&mut self, der: &Der) {
        self.by_lfdi.remove(&der.lfdi);
        self.by_mrid.remove(&der.mrid);
        self.by_name.remove(&der.name);
        if let Some(manager) = der.manager {
            let at = self.position(manager, der);
            let managed = self.managed.entry(manager).or_default();
            if managed.get(at) == Some(&der.id) {
                managed.remove(at);
            }
        }
    }

    /// Where `der` is, or belongs, among those of `manager`: in the order of an `EndDeviceList`,
    /// the latest change first.
    fn position(&self, manager: AggregatorId, der: &Der) -> usize {
        let key = |der: &Der| (Reverse(der.changed), der.lfdi.sfdi(), der.id);
        let own = key(der);
        self.ders_of(manager)
            .partition_point(|id| self.ders.get(id.index()).is_some_and(|d| key(d) < own))
    }
}
