//! Who may come in, and where a DER belongs.

use units::Timestamp;

use super::invalid;
use crate::enrolment::{BindingReason, EnrolmentEvent};
use crate::state::MridKind;
use crate::{
    Access, Aggregator, AggregatorId, Assignment, AssignmentId, Client, Der, DerId, Event, Fleet,
    GroupChange, Level, Lfdi, NewAggregator, NewAssignment, Registration, Rejection, Scope,
};

impl Fleet {
    pub(super) fn enrol_aggregator(
        &self,
        new: &NewAggregator,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        if self.aggregators.len() >= Self::MAX_AGGREGATORS {
            let max = Self::MAX_AGGREGATORS;
            return Err(Rejection::TooMany {
                what: "aggregators",
                max,
            });
        }
        self.check_lfdi(new.lfdi)?;
        if self.aggregators.iter().any(|known| known.name == new.name) {
            return Err(Rejection::NameTaken(new.name.clone()));
        }
        let registration = match new.registered {
            true => Registration::Registered(now),
            false => Registration::Authorised,
        };
        Ok(vec![Event::AggregatorEnrolled(Aggregator {
            id: AggregatorId::from(self.aggregators.len()),
            name: new.name.clone(),
            lfdi: new.lfdi,
            pin: new.pin,
            enrolled: now,
            registration,
            access: Access::Granted,
            may_enrol: new.may_enrol,
        })])
    }

    pub(super) fn register_aggregator(
        &self,
        id: AggregatorId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let aggregator = self.known_aggregator(id)?;
        if let Registration::Registered(_) = aggregator.registration {
            return Err(invalid(
                "registration",
                "the aggregator is registered already",
            ));
        }
        Ok(vec![Event::AggregatorChanged(Aggregator {
            registration: Registration::Registered(now),
            ..aggregator.clone()
        })])
    }

    /// Access that is so already is no event.
    pub(super) fn set_access(
        &self,
        client: Client,
        access: Access,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let access = |present: Access| match (present, access) {
            (Access::Revoked(_), Access::Revoked(_)) | (Access::Granted, Access::Granted) => None,
            _ => Some(access),
        };
        Ok(match client {
            Client::Der(id) => {
                let der = self.known(id)?;
                let changed = access(der.access).map(|access| Der {
                    access,
                    changed: now,
                    ..der.clone()
                });
                changed.map(Event::DerChanged).into_iter().collect()
            }
            Client::Aggregator(id) => {
                let aggregator = self.known_aggregator(id)?;
                let changed = access(aggregator.access).map(|access| Aggregator {
                    access,
                    ..aggregator.clone()
                });
                changed.map(Event::AggregatorChanged).into_iter().collect()
            }
        })
    }

    pub(super) fn rekey(
        &self,
        client: Client,
        lfdi: Lfdi,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        match client {
            Client::Der(id) => self.bind(id, lfdi, BindingReason::Rekeyed, now),
            Client::Aggregator(id) => {
                self.check_lfdi(lfdi)?;
                Ok(vec![Event::AggregatorChanged(Aggregator {
                    lfdi,
                    ..self.known_aggregator(id)?.clone()
                })])
            }
        }
    }

    /// One certificate, one client; none that was revoked.
    pub(crate) fn check_lfdi(&self, lfdi: Lfdi) -> Result<(), Rejection> {
        match (self.client_by_lfdi(lfdi), self.access_of(lfdi)) {
            (Some(_), _) => Err(Rejection::LfdiTaken(lfdi)),
            (None, Access::Revoked(_)) => Err(Rejection::LfdiRevoked(lfdi)),
            (None, Access::Granted) => Ok(()),
        }
    }

    pub(super) fn remove_der(&self, id: DerId, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let der = self.known(id)?;
        let mut events = Vec::new();
        for group in self.groups().filter(|group| group.members.contains(&id)) {
            let change = GroupChange {
                remove: vec![id],
                ..GroupChange::default()
            };
            events.extend(self.change_group(group.id, &change, now)?);
        }
        let open =
            |control: &&crate::Control| control.cancelled.is_none() && now < control.interval.end();
        let controls = self.own_controls_of(id).filter(open);
        events.extend(controls.map(|control| Event::ControlCancelled(control.id, now)));
        let envelopes = self.envelopes_of(id).iter();
        events.extend(envelopes.map(|e| Event::EnvelopeCleared(id, e.source.clone())));
        if self.enrolment.service_point_of(id).is_some() {
            events.push(Event::Enrolment(EnrolmentEvent::Placed(id, None)));
        }
        events.push(Event::DerChanged(Der {
            removed: Some(now),
            changed: now,
            assignments: Vec::new(),
            ..der.clone()
        }));
        Ok(events)
    }

    pub(super) fn assign_der(
        &self,
        id: DerId,
        nodes: &[AssignmentId],
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let der = self.known(id)?;
        let assignments = self.check_assignments(nodes)?;
        if der.assignments == assignments {
            return Ok(Vec::new());
        }
        Ok(vec![Event::DerChanged(Der {
            assignments,
            changed: now,
            ..der.clone()
        })])
    }

    /// The same nodes, in order and without those above another.
    pub(crate) fn check_assignments(
        &self,
        nodes: &[AssignmentId],
    ) -> Result<Vec<AssignmentId>, Rejection> {
        for id in nodes {
            self.known_assignment(*id)?;
        }
        let all = self.with_nodes_above(nodes);
        if all.len() > Self::MAX_ASSIGNMENTS_OF_DER {
            let max = Self::MAX_ASSIGNMENTS_OF_DER;
            return Err(Rejection::TooMany {
                what: "groups of one DER",
                max,
            });
        }
        let topology = |node: &&&Assignment| node.level != Level::NonTopology;
        for pair in all.iter().filter(topology).collect::<Vec<_>>().windows(2) {
            if pair[0].level == pair[1].level {
                let rule = format!("{} and {} are of one level", pair[0].name, pair[1].name);
                return Err(invalid("assignments", &rule));
            }
        }
        let mut leaves: Vec<AssignmentId> = nodes.to_vec();
        leaves.sort_unstable();
        leaves.dedup();
        leaves.retain(|id| !all.iter().any(|node| node.parent == Some(*id)));
        Ok(leaves)
    }

    pub(super) fn create_assignment(&self, new: &NewAssignment) -> Result<Vec<Event>, Rejection> {
        if self.assignments.len() >= Self::MAX_ASSIGNMENTS {
            let max = Self::MAX_ASSIGNMENTS;
            return Err(Rejection::TooMany {
                what: "assignments",
                max,
            });
        }
        if let Some(parent) = new.parent {
            let parent = self.known_assignment(parent)?;
            let below = parent.level < new.level && new.level != Level::NonTopology;
            if !below {
                return Err(invalid("parent", "is of a wider level of the topology"));
            }
        }
        let id = AssignmentId::from(self.assignments.len());
        Ok(vec![Event::AssignmentCreated(Assignment {
            id,
            mrid: self.identity.mrid(MridKind::Assignment, id.0),
            name: new.name.clone(),
            level: new.level,
            parent: new.parent,
            removed: None,
        })])
    }

    pub(super) fn delete_assignment(
        &self,
        id: AssignmentId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let node = self.known_assignment(id)?;
        let in_service = |other: &&Assignment| other.removed.is_none();
        let mut nodes = self.assignments.iter().filter(in_service);
        let used = nodes.any(|other| other.parent == Some(id))
            || self
                .programs_of_scope(Scope::Assignment(id))
                .next()
                .is_some()
            || self.ders.iter().any(|der| der.assignments.contains(&id));
        if used {
            let rule = "has DER, a programme or a node below";
            return Err(invalid("assignment", rule));
        }
        Ok(vec![Event::AssignmentChanged(Assignment {
            removed: Some(now),
            ..node.clone()
        })])
    }

    pub(crate) fn known_assignment(&self, id: AssignmentId) -> Result<&Assignment, Rejection> {
        let node = self.assignment(id).filter(|node| node.removed.is_none());
        node.ok_or_else(|| Rejection::Unknown {
            what: "assignment",
            id: id.to_string(),
        })
    }

    pub(crate) fn known_aggregator(&self, id: AggregatorId) -> Result<&Aggregator, Rejection> {
        self.aggregator(id).ok_or_else(|| Rejection::Unknown {
            what: "aggregator",
            id: id.to_string(),
        })
    }
}
