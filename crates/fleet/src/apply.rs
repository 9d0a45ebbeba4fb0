//! Folding one event into the state. Never decides, never fails: what an event says is so.

use crate::{Control, Event, Fleet, Registration};

impl Fleet {
    /// Folds in one event. Events must come in the order in which they were decided; one that
    /// refers to something unknown changes nothing.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::FleetFounded(identity) => self.identity = *identity,
            Event::ProgramCreated(program) => self.programs.push(program.clone()),
            Event::ProgramChanged(program) => {
                if let Some(slot) = self.programs.get_mut(program.id.index()) {
                    *slot = program.clone();
                }
            }
            Event::DerEnrolled(der) => {
                self.by_lfdi.insert(der.lfdi, der.id);
                self.by_mrid.insert(der.mrid.clone(), der.id);
                self.by_name.insert(der.name.clone(), der.id);
                self.ders.push(der.clone());
                self.live.push(Vec::new());
            }
            Event::DerRegistered(id, at) => {
                if let Some(der) = self.ders.get_mut(id.index()) {
                    der.registration = Registration::Registered(*at);
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
            }
            Event::PlanAdopted(plan) => {
                if let Some(dispatch) = self.dispatches.get_mut(plan.dispatch.index()) {
                    dispatch.plan = Some(plan.clone());
                }
            }
            Event::DispatchCancelled(id, at) => {
                if let Some(dispatch) = self.dispatches.get_mut(id.index()) {
                    dispatch.cancelled = Some(*at);
                }
            }
            Event::ControlIssued(control) => self.apply_control(control),
            Event::ControlCancelled(id, at) => {
                if let Some(control) = self.controls.get_mut(id.index()) {
                    control.cancelled = Some(*at);
                }
            }
            _ => {}
        }
    }

    fn apply_control(&mut self, control: &Control) {
        self.by_control_mrid.insert(control.mrid, control.id);
        if let Some(live) = self.live.get_mut(control.der.index()) {
            let controls = &self.controls;
            live.retain(|id| {
                controls
                    .get(id.index())
                    .is_some_and(|c| control.created < c.interval.end())
            });
            live.push(control.id);
        }
        self.controls.push(control.clone());
    }
}
