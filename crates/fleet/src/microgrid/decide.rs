//! Commands about microgrids, and what they lead to.

use units::{Interval, Timestamp, Watts};

use super::{
    Action, Agreement, Exchange, Leave, Member, Microgrid, MicrogridBook, MicrogridCommand,
    MicrogridEvent, NewMicrogrid, NewPermit, Operation, Permit, Report, Revocation, SchedulePoint,
    State, Transition,
};
use crate::dispatch::Priority;
use crate::{Client, DerId, Event, Fleet, MicrogridId, Name, PermitId, Rejection};

/// Most power that a rating or a schedule can name.
const MAX_POWER: Watts = Watts::whole(1_000_000_000_000);

impl Fleet {
    pub(crate) fn decide_microgrid(
        &self,
        command: &MicrogridCommand,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let event = match command {
            MicrogridCommand::Put(new) => self.put_microgrid(new, now)?,
            MicrogridCommand::Remove(id) => {
                let (it, does) = self.known_microgrid(*id)?;
                connected(it, does, "is taken out of service")?;
                Some(MicrogridEvent::Removed(*id))
            }
            MicrogridCommand::Report(id, report) => self.report(*id, report, now)?,
            MicrogridCommand::Grant(id, new) => Some(self.grant(*id, new, now)?),
            MicrogridCommand::Revoke(id, permit, by) => self.revoke((*id, *permit), by, now)?,
            MicrogridCommand::SetSchedule(id, schedule) => {
                let (_, does) = self.known_microgrid(*id)?;
                check_schedule(schedule)?;
                let news = does.schedule != *schedule;
                news.then(|| MicrogridEvent::ScheduleSet(*id, schedule.clone()))
            }
        };
        Ok(event.map(Event::Microgrid).into_iter().collect())
    }

    fn known_microgrid(&self, id: MicrogridId) -> Result<(&Microgrid, &Operation), Rejection> {
        let found = self.microgrids.microgrid(id);
        found.ok_or_else(|| Rejection::Unknown {
            what: "microgrid",
            id: id.to_string(),
        })
    }

    /// A microgrid that is so already is no event. Who is a member stays as it is while it is off the
    /// grid, for what members hold then is what was withdrawn from them.
    fn put_microgrid(
        &self,
        new: &NewMicrogrid,
        now: Timestamp,
    ) -> Result<Option<MicrogridEvent>, Rejection> {
        let book = &self.microgrids;
        let known = book.by_mrid(&new.mrid);
        let full = MicrogridBook::MAX_MICROGRIDS <= book.microgrids.len();
        if known.is_none() && full {
            return Err(Rejection::TooMany {
                what: "microgrids",
                max: MicrogridBook::MAX_MICROGRIDS,
            });
        }
        let id = known.map_or(MicrogridId(book.count), |(it, _)| it.id);
        let others = book.microgrids().filter(|(it, _)| it.id != id);
        if others.map(|(it, _)| &it.name).any(|name| *name == new.name) {
            return Err(Rejection::NameTaken(new.name.clone()));
        }
        let place = new.assignment.and_then(|node| self.assignment(node));
        if new.assignment.is_some() && place.is_none_or(|node| node.removed.is_some()) {
            return Err(invalid("assignment", "does not exist"));
        }
        match new.controller {
            Some(Client::Der(der)) => {
                self.known(der)?;
            }
            Some(Client::Aggregator(id)) => {
                self.known_aggregator(id)?;
            }
            None => {}
        }
        for max in [new.import_max, new.export_max].into_iter().flatten() {
            check_magnitude("rating", max)?;
        }
        let microgrid = Microgrid {
            id,
            mrid: new.mrid.clone(),
            name: new.name.clone(),
            assignment: new.assignment,
            import_max: new.import_max,
            export_max: new.export_max,
            controller: new.controller,
            members: self.members_of(id, &new.members)?,
        };
        if let Some((it, does)) = known {
            let ders = |it: &Microgrid| it.members.iter().map(|m| m.der).collect::<Vec<DerId>>();
            if ders(it) != ders(&microgrid) {
                connected(it, does, "changes its members")?;
            }
            if *it == microgrid {
                return Ok(None);
            }
        }
        Ok(Some(MicrogridEvent::Put(Box::new(microgrid), now)))
    }

    /// The members in order; each a DER that is in no other microgrid.
    fn members_of(&self, id: MicrogridId, given: &[Member]) -> Result<Vec<Member>, Rejection> {
        if given.is_empty() {
            return Err(invalid("members", "are at least one DER"));
        }
        if Microgrid::MAX_MEMBERS < given.len() {
            return Err(Rejection::TooMany {
                what: "members of one microgrid",
                max: Microgrid::MAX_MEMBERS,
            });
        }
        let mut members = given.to_vec();
        members.sort_unstable_by_key(|member| member.der);
        if members.windows(2).any(|pair| pair[0].der == pair[1].der) {
            return Err(invalid("members", "name a DER once"));
        }
        for member in &members {
            let der = self.known(member.der)?;
            if let Some((other, _)) = self.microgrids.of(der.id)
                && other.id != id
            {
                let rule = format!("{} is a member of microgrid {}", der.mrid, other.name);
                return Err(invalid("members", &rule));
            }
        }
        Ok(members)
    }

    /// The state that it is in already tells nothing.
    fn report(
        &self,
        id: MicrogridId,
        report: &Report,
        now: Timestamp,
    ) -> Result<Option<MicrogridEvent>, Rejection> {
        let (it, does) = self.known_microgrid(id)?;
        let current = does.current();
        if current.to == report.state {
            return Ok(None);
        }
        if !current.to.leads_to(report.state) {
            return Err(Rejection::IllegalTransition {
                microgrid: it.name.clone(),
                from: current.to.name(),
                to: report.state.name(),
            });
        }
        if now < report.at || report.at < current.at {
            let rule = "is not ahead, and not before the state that it follows";
            return Err(invalid("at", rule));
        }
        let transition = Transition {
            to: report.state,
            at: report.at,
            leave: leave(it, does, report, now)?,
            by: report.by.clone(),
            reason: report.reason.clone(),
            reported: now,
        };
        Ok(Some(MicrogridEvent::Moved(id, transition)))
    }

    fn grant(
        &self,
        id: MicrogridId,
        new: &NewPermit,
        now: Timestamp,
    ) -> Result<MicrogridEvent, Rejection> {
        let (it, does) = self.known_microgrid(id)?;
        if new.window.duration.is_zero() || new.window.end() <= now {
            return Err(invalid("window", "is empty or over"));
        }
        if Permit::MAX_WINDOW < new.window.duration {
            return Err(invalid("window", "lasts at most 31 days"));
        }
        let open = does.permits.iter().filter(|permit| !permit.is_over(now));
        if Microgrid::MAX_PERMITS <= open.count() {
            return Err(Rejection::TooMany {
                what: "permits of one microgrid",
                max: Microgrid::MAX_PERMITS,
            });
        }
        if new.action == Action::Island {
            self.check_island(it, new.window, now)?;
        }
        let permit = Permit {
            id: PermitId(self.microgrids.permits_count),
            action: new.action,
            window: new.window,
            by: new.by.clone(),
            reason: new.reason.clone(),
            granted: now,
            revoked: None,
        };
        Ok(MicrogridEvent::Granted(id, permit))
    }

    /// No permit to island is granted where no member can form a grid, as far as is known, nor for a
    /// time in which an emergency dispatch asks members for something: the grid needs them then.
    fn check_island(
        &self,
        microgrid: &Microgrid,
        window: Interval,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let members = &microgrid.members;
        if members.iter().all(|m| m.grid_forming == Some(false)) {
            return Err(invalid("members", "none can form a grid"));
        }
        let mut emergencies = self.open_dispatches(now).filter(|dispatch| {
            dispatch.is_in_force() && dispatch.conduct.priority == Priority::Emergency
        });
        let needed = emergencies.find(|dispatch| {
            let mut asked = members.iter().flat_map(|m| dispatch.intervals_of(m.der));
            asked.any(|interval| interval.overlaps(window))
        });
        match needed {
            None => Ok(()),
            Some(dispatch) => Err(Rejection::NeededByGrid {
                microgrid: microgrid.name.clone(),
                dispatch: dispatch.mrid.clone(),
            }),
        }
    }

    fn revoke(
        &self,
        (id, permit): (MicrogridId, PermitId),
        by: &Name,
        now: Timestamp,
    ) -> Result<Option<MicrogridEvent>, Rejection> {
        let (_, does) = self.known_microgrid(id)?;
        let found = does.permits.iter().find(|it| it.id == permit);
        let found = found.ok_or_else(|| Rejection::Unknown {
            what: "permit",
            id: permit.to_string(),
        })?;
        let revocation = Revocation {
            by: by.clone(),
            at: now,
        };
        Ok((!found.is_over(now)).then_some(MicrogridEvent::Revoked(id, permit, revocation)))
    }
}

/// By whose leave `report` is so. What is planned needs leave and is refused without it; what is seen
/// is taken in, and known to have none.
fn leave(
    it: &Microgrid,
    does: &Operation,
    report: &Report,
    now: Timestamp,
) -> Result<Leave, Rejection> {
    let permit = |action| does.permit(action, now).map(|permit| permit.id);
    let missing = |action: Action| Rejection::PermitMissing {
        microgrid: it.name.clone(),
        action: action.name(),
    };
    match report.state {
        State::UnplannedIslanding | State::DeEnergised | State::BlackStart => Ok(Leave::None),
        State::PlannedIslanding => {
            let permit = permit(Action::Island).map(Leave::Permit);
            permit.ok_or_else(|| missing(Action::Island))
        }
        State::Islanded if does.state() == State::UnplannedIslanding => Ok(Leave::None),
        State::Islanded => Ok(permit(Action::Island).map_or(Leave::None, Leave::Permit)),
        // A planned island that is given up before the switch opened comes back from nowhere.
        State::GridConnected if does.state() == State::PlannedIslanding => Ok(Leave::None),
        State::Reconnecting | State::GridConnected => {
            let agreed = report.agreement == Agreement::Given
                || (does.state() == State::Reconnecting
                    && does.current().leave == Leave::Agreement);
            match (permit(Action::Reconnect), agreed) {
                (Some(permit), _) => Ok(Leave::Permit(permit)),
                (None, true) => Ok(Leave::Agreement),
                (None, false) => Err(missing(Action::Reconnect)),
            }
        }
    }
}

fn connected(it: &Microgrid, does: &Operation, rule: &str) -> Result<(), Rejection> {
    match does.state() {
        State::GridConnected => Ok(()),
        _ => {
            let rule = format!("{} {rule} while it is connected to the grid only", it.name);
            Err(invalid("state", &rule))
        }
    }
}

fn check_schedule(schedule: &[SchedulePoint]) -> Result<(), Rejection> {
    if Microgrid::MAX_SCHEDULE_POINTS < schedule.len() {
        return Err(Rejection::TooMany {
            what: "points of one schedule",
            max: Microgrid::MAX_SCHEDULE_POINTS,
        });
    }
    for SchedulePoint { interval, exchange } in schedule {
        let whole = interval.start.millis() % 1_000 == 0 && interval.duration.subsec_nanos() == 0;
        if !whole || interval.duration.is_zero() {
            return Err(invalid("points", "start and last whole seconds, not none"));
        }
        match *exchange {
            Exchange::Net { p, tolerance } => {
                check_magnitude("net", p.abs())?;
                check_magnitude("tolerance", tolerance)?;
            }
            Exchange::Limits {
                import_max,
                export_max,
            } => {
                for max in [import_max, export_max].into_iter().flatten() {
                    check_magnitude("limit", max)?;
                }
            }
        }
    }
    let ordered = schedule.is_sorted_by(|a, b| a.interval.end() <= b.interval.start);
    match ordered {
        true => Ok(()),
        false => Err(invalid("points", "are in order and do not overlap")),
    }
}

fn check_magnitude(field: &'static str, p: Watts) -> Result<(), Rejection> {
    match (Watts::ZERO..=MAX_POWER).contains(&p) {
        true => Ok(()),
        false => Err(invalid(field, "is a magnitude of at most 1 TW")),
    }
}

fn invalid(field: &'static str, rule: &str) -> Rejection {
    Rejection::Invalid {
        field,
        rule: rule.to_owned(),
    }
}
