//! Dispatches: accept, adopt a plan, call off.

use std::time::Duration;

use units::Timestamp;

use super::invalid;
use crate::dispatch::Plan;
use crate::{
    DerFunction, DerId, Dispatch, DispatchId, DispatchPhase, Event, Fleet, NewDispatch, Origin,
    Rejection,
};

/// How long an interval's ramp may take where the dispatch does not say.
const DEFAULT_RAMP: Duration = Duration::from_secs(60);

impl Fleet {
    pub(super) fn create_dispatch(
        &self,
        new: &NewDispatch,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let group = self.known_group(new.group)?;
        if self.dispatches_by_mrid.contains_key(&new.mrid) {
            return Err(Rejection::MridTaken(new.mrid.clone()));
        }
        if !group.functions.has(DerFunction::RealPowerDispatch) {
            let function = "realPowerDispatch";
            return Err(Rejection::FunctionMissing {
                group: group.mrid.clone(),
                function,
            });
        }
        if self.open_dispatches(now).count() >= Self::MAX_OPEN_DISPATCHES {
            let max = Self::MAX_OPEN_DISPATCHES;
            return Err(Rejection::TooMany {
                what: "open dispatches",
                max,
            });
        }
        let full = |der: &DerId| {
            self.live_controls(*der, now) + new.schedule.len() > Self::MAX_LIVE_CONTROLS
        };
        if group.members.iter().any(full) {
            let max = Self::MAX_LIVE_CONTROLS;
            return Err(Rejection::TooMany {
                what: "controls of one DER",
                max,
            });
        }
        check_schedule(new, now)?;
        self.check_no_overlap(new, now)?;
        let shortest = new
            .schedule
            .iter()
            .map(|target| target.interval.duration)
            .min();
        let longest_ramp = shortest.unwrap_or_default() / 2;
        let dispatch = Dispatch {
            id: DispatchId::from(self.dispatches.len()),
            mrid: new.mrid.clone(),
            name: new.name.clone(),
            group: new.group,
            schedule: new.schedule.clone(),
            ramp: new.ramp.unwrap_or_else(|| DEFAULT_RAMP.min(longest_ramp)),
            created: now,
            cancelled: None,
            plan: None,
        };
        Ok(vec![Event::DispatchCreated(dispatch)])
    }

    /// A DER serves one dispatch at a time: two absolute targets over shared members would both
    /// count on the same power.
    fn check_no_overlap(&self, new: &NewDispatch, now: Timestamp) -> Result<(), Rejection> {
        let members = &self.known_group(new.group)?.members;
        for open in self.open_dispatches(now) {
            let shared_time = open
                .schedule
                .iter()
                .any(|a| new.schedule.iter().any(|b| a.interval.overlaps(b.interval)));
            let shared_member = self.group(open.group).is_some_and(|g| {
                g.members
                    .iter()
                    .any(|der| members.binary_search(der).is_ok())
            });
            if shared_time && shared_member {
                let rule = format!(
                    "members are committed to dispatch {} at that time",
                    open.mrid
                );
                return Err(invalid("schedule", &rule));
            }
        }
        Ok(())
    }

    pub(super) fn adopt_plan(&self, plan: &Plan, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let dispatch = self
            .dispatch(plan.dispatch)
            .ok_or_else(|| Rejection::Unknown {
                what: "dispatch",
                id: plan.dispatch.to_string(),
            })?;
        Ok(vec![dispatch.adopt(plan.clone(), now)?])
    }

    /// Calls the dispatch off and withdraws its controls that are not over.
    pub(super) fn cancel_dispatch(
        &self,
        id: DispatchId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let dispatch = self.dispatch(id).ok_or_else(|| Rejection::Unknown {
            what: "dispatch",
            id: id.to_string(),
        })?;
        if matches!(
            dispatch.phase(now),
            DispatchPhase::Ended | DispatchPhase::Cancelled
        ) {
            return Err(Rejection::DispatchOver(dispatch.mrid.clone()));
        }
        let mut events = vec![Event::DispatchCancelled(id, now)];
        let members = self
            .group(dispatch.group)
            .map_or(&[][..], |g| g.members.as_slice());
        let live = members.iter().flat_map(|der| self.controls_of(*der));
        let withdrawn = live.filter(|control| {
            let own = matches!(control.origin, Origin::Dispatch { dispatch, .. } if dispatch == id);
            own && control.cancelled.is_none() && now < control.interval.end()
        });
        events.extend(withdrawn.map(|control| Event::ControlCancelled(control.id, now)));
        Ok(events)
    }

    /// The dispatches that are neither over nor called off at `now`.
    pub fn open_dispatches(&self, now: Timestamp) -> impl Iterator<Item = &Dispatch> {
        self.dispatches.iter().filter(move |dispatch| {
            !matches!(
                dispatch.phase(now),
                DispatchPhase::Ended | DispatchPhase::Cancelled
            )
        })
    }
}

fn check_schedule(new: &NewDispatch, now: Timestamp) -> Result<(), Rejection> {
    let (Some(first), Some(last)) = (new.schedule.first(), new.schedule.last()) else {
        return Err(invalid("schedule", "has no interval"));
    };
    if new.schedule.len() > Fleet::MAX_INTERVALS {
        return Err(Rejection::TooMany {
            what: "intervals",
            max: Fleet::MAX_INTERVALS,
        });
    }
    let whole_seconds = new.schedule.iter().all(|target| {
        target.interval.start.millis() % 1_000 == 0 && target.interval.duration.subsec_nanos() == 0
    });
    if !whole_seconds {
        return Err(invalid(
            "schedule",
            "intervals start and last whole seconds",
        ));
    }
    if new
        .schedule
        .iter()
        .any(|target| target.interval.duration.is_zero())
    {
        return Err(invalid("schedule", "an interval is empty"));
    }
    if new
        .schedule
        .windows(2)
        .any(|pair| pair[1].interval.start < pair[0].interval.end())
    {
        return Err(invalid("schedule", "intervals overlap or are out of order"));
    }
    if last.interval.end() <= now {
        return Err(invalid("schedule", "is over"));
    }
    if new
        .ramp
        .is_some_and(|ramp| ramp.subsec_nanos() % 1_000_000 != 0)
    {
        return Err(invalid("ramp", "is given in whole milliseconds"));
    }
    if let Some(ramp) = new.ramp
        && new
            .schedule
            .iter()
            .any(|target| target.interval.duration <= ramp)
    {
        return Err(invalid("ramp", "takes longer than an interval"));
    }
    if first.interval.start < now.before(Duration::from_secs(3_600)) {
        return Err(invalid("schedule", "starts more than an hour ago"));
    }
    Ok(())
}
