//! Folding what was decided about microgrids.

use units::Timestamp;

use super::{
    Leave, Microgrid, MicrogridBook, MicrogridEvent, Operation, Permit, Revocation, State,
    Transition,
};
use crate::{DerId, MicrogridId, Name, Note, PermitId};

impl MicrogridBook {
    pub(crate) fn apply(&mut self, event: &MicrogridEvent) {
        self.revision += 1;
        match event {
            MicrogridEvent::Put(microgrid, at) => self.apply_put(microgrid, *at),
            MicrogridEvent::Removed(id) => self.apply_removed(*id),
            MicrogridEvent::Moved(id, transition) => self.apply_moved(*id, transition),
            MicrogridEvent::Granted(id, permit) => self.apply_granted(*id, permit),
            MicrogridEvent::Revoked(id, permit, revocation) => {
                self.apply_revoked(*id, *permit, revocation);
            }
            MicrogridEvent::ScheduleSet(id, schedule) => {
                if let Some((_, operation)) = self.microgrids.get_mut(id) {
                    operation.schedule.clone_from(schedule);
                }
            }
        }
    }

    /// A DER that is removed is no member any more.
    pub(crate) fn leave(&mut self, der: DerId) {
        let Some(id) = self.by_member.remove(&der) else {
            return;
        };
        self.revision += 1;
        if let Some((microgrid, _)) = self.microgrids.get_mut(&id) {
            microgrid.members.retain(|member| member.der != der);
        }
    }

    fn apply_put(&mut self, microgrid: &Microgrid, at: Timestamp) {
        let id = microgrid.id;
        self.count = self.count.max(id.0 + 1);
        self.by_member.retain(|_, of| *of != id);
        let members = microgrid.members.iter();
        self.by_member.extend(members.map(|m| (m.der, id)));
        self.by_mrid.insert(microgrid.mrid.clone(), id);
        let operation = match self.microgrids.remove(&id) {
            Some((_, operation)) => operation,
            None => Operation::begun(at),
        };
        self.microgrids.insert(id, (microgrid.clone(), operation));
    }

    fn apply_removed(&mut self, id: MicrogridId) {
        self.by_member.retain(|_, of| *of != id);
        if let Some((microgrid, _)) = self.microgrids.remove(&id) {
            self.by_mrid.remove(&microgrid.mrid);
        }
    }

    fn apply_moved(&mut self, id: MicrogridId, transition: &Transition) {
        if let Some((_, operation)) = self.microgrids.get_mut(&id) {
            operation.transitions.push(transition.clone());
            if Microgrid::MAX_TRANSITIONS < operation.transitions.len() {
                operation.transitions.remove(0);
            }
        }
    }

    /// Permits that are over make room.
    fn apply_granted(&mut self, id: MicrogridId, permit: &Permit) {
        self.permits_count = self.permits_count.max(permit.id.0 + 1);
        if let Some((_, operation)) = self.microgrids.get_mut(&id) {
            while Microgrid::MAX_PERMITS <= operation.permits.len() {
                let is_over = |it: &Permit| it.is_over(permit.granted);
                let over = operation.permits.iter().position(is_over);
                operation.permits.remove(over.unwrap_or(0));
            }
            operation.permits.push(permit.clone());
        }
    }

    fn apply_revoked(&mut self, id: MicrogridId, permit: PermitId, revocation: &Revocation) {
        let operation = self.microgrids.get_mut(&id).map(|(_, does)| does);
        let mut permits = operation.into_iter().flat_map(|does| &mut does.permits);
        if let Some(permit) = permits.find(|it| it.id == permit) {
            permit.revoked = Some(revocation.clone());
        }
    }
}

impl Operation {
    fn begun(at: Timestamp) -> Self {
        Self {
            transitions: vec![Transition {
                to: State::GridConnected,
                at,
                leave: Leave::None,
                by: Name::new("system").expect("a few letters"),
                reason: Note::new("created").expect("a few letters"),
                reported: at,
            }],
            permits: Vec::new(),
            schedule: Vec::new(),
        }
    }
}
