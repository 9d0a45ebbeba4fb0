//! Dispatches: accept, adopt a plan, call off.

use std::collections::BTreeMap;
use std::time::Duration;

use units::{Interval, Timestamp};

use super::invalid;
use crate::dispatch::Plan;
use crate::{
    Approval, ApprovalRule, Capacity, Conduct, DerFunction, DerId, Dispatch, DispatchChange,
    DispatchId, DispatchPhase, Event, Fleet, Name, NewDispatch, Origin, Publish, Rejection, Target,
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
        check_schedule((&new.schedule, new.ramp), now)?;
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
            conduct: new.conduct.clone(),
            approvals: Vec::new(),
            published: None,
            created: now,
            cancelled: None,
            plan: None,
            superseded: Vec::new(),
            asked_before: BTreeMap::new(),
        };
        self.check_conduct(&dispatch)?;
        self.check_no_overlap(&dispatch, now)?;
        Ok(vec![Event::DispatchCreated(dispatch)])
    }

    /// What the programme whose event it is allows.
    fn check_conduct(&self, dispatch: &Dispatch) -> Result<(), Rejection> {
        if Conduct::MAX_RELEASE < dispatch.conduct.release
            || dispatch.conduct.release.subsec_nanos() != 0
        {
            return Err(invalid("release", "is whole seconds, at most an hour"));
        }
        let (Some(id), Some(span)) = (dispatch.conduct.program, dispatch.span()) else {
            return Ok(());
        };
        let program = self.enrolment.programs().get(id.0);
        let program = program.ok_or_else(|| Rejection::Unknown {
            what: "demand response program",
            id: id.0.to_string(),
        })?;
        let broken = |rule: String| Rejection::Terms {
            program: program.name.clone(),
            rule,
        };
        let terms = program.terms.at(span.start);
        let terms = terms.ok_or_else(|| broken("none at the start of the event".to_owned()))?;
        if span.duration < terms.min_duration {
            let least = terms.min_duration.as_secs();
            return Err(broken(format!("an event lasts at least {least} s")));
        }
        if let Some(most) = terms.max_duration.filter(|most| *most < span.duration) {
            let most = most.as_secs();
            return Err(broken(format!("an event lasts at most {most} s")));
        }
        Ok(())
    }

    /// Whether the notice that its programme promises can still be given.
    fn check_notice(&self, dispatch: &Dispatch, now: Timestamp) -> Result<(), Rejection> {
        let (Some(id), Some(span)) = (dispatch.conduct.program, dispatch.span()) else {
            return Ok(());
        };
        let program = self.enrolment.programs().get(id.0);
        let Some((program, terms)) = program.and_then(|p| Some((p, p.terms.at(span.start)?)))
        else {
            return Ok(());
        };
        let given = span.start.since(now);
        if given < terms.notice {
            return Err(Rejection::Terms {
                program: program.name.clone(),
                rule: format!(
                    "an event is published {} s ahead, here {} s",
                    terms.notice.as_secs(),
                    given.as_secs()
                ),
            });
        }
        Ok(())
    }

    /// A DER serves one of several equally urgent dispatches at a time: their targets over shared
    /// members would both count on the same power.
    fn check_no_overlap(&self, new: &Dispatch, now: Timestamp) -> Result<(), Rejection> {
        let members = &self.known_group(new.group)?.members;
        let rivals = self.open_dispatches(now).filter(|open| {
            let equal = open.conduct.priority == new.conduct.priority;
            open.id != new.id && equal && open.is_in_force()
        });
        for open in rivals {
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

    pub(super) fn change_dispatch(
        &self,
        id: DispatchId,
        change: &DispatchChange,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let dispatch = self.open_dispatch(id, now)?;
        let mut changed = dispatch.clone();
        changed.plan = None;
        changed.superseded.clear();
        changed.asked_before.clear();
        if let Some(name) = &change.name {
            changed.name = Some(name.clone());
        }
        if let Some(schedule) = &change.schedule {
            check_schedule((schedule, change.ramp), now)?;
            if dispatch.is_in_force() {
                check_begun(&dispatch.schedule, schedule, now)?;
                check_references(&dispatch.schedule, schedule)?;
            }
            changed.schedule.clone_from(schedule);
        }
        if let Some(ramp) = change.ramp {
            check_schedule((&changed.schedule, Some(ramp)), now)?;
            changed.ramp = ramp;
        }
        changed.conduct.objective = change.objective.unwrap_or(changed.conduct.objective);
        changed.conduct.priority = change.priority.unwrap_or(changed.conduct.priority);
        if let Some(by) = &change.by
            && changed.conduct.author.as_ref() != Some(by)
        {
            changed.conduct.revised_by.insert(by.clone());
        }
        if dispatch.published.is_none() {
            changed.approvals.clear();
        }
        self.check_conduct(&changed)?;
        if dispatch.is_in_force() {
            self.check_no_overlap(&changed, now)?;
            let begins = |dispatch: &Dispatch| dispatch.span().map(|span| span.start);
            if begins(&changed) < begins(dispatch) {
                self.check_notice(&changed, now)?;
            }
        }
        Ok(vec![Event::DispatchChanged(Box::new(changed))])
    }

    /// Whether the approvals of a published dispatch cover `planned`, which is to take its place:
    /// they were given to so much power and that time.
    ///
    /// # Errors
    /// [`Rejection::ApprovalMissing`].
    pub fn check_still_approved(&self, planned: &Dispatch) -> Result<(), Rejection> {
        let current = self.dispatch(planned.id);
        let Some(current) = current.filter(|current| current.is_in_force()) else {
            return Ok(());
        };
        let within =
            |wide: Interval, span: Interval| wide.start <= span.start && span.end() <= wide.end();
        let spans = current.span().zip(planned.span());
        let covered =
            planned.size() <= current.size() && spans.is_none_or(|(wide, span)| within(wide, span));
        if covered {
            return self.check_approved(planned);
        }
        self.check_approved(&Dispatch {
            approvals: Vec::new(),
            ..planned.clone()
        })
    }

    pub(super) fn approve_dispatch(
        &self,
        id: DispatchId,
        (by, capacity): (&Name, Capacity),
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let dispatch = self.open_dispatch(id, now)?;
        if dispatch.published.is_some() {
            return Err(invalid("dispatch", "is published already"));
        }
        if dispatch.plan.is_none() {
            return Err(invalid("dispatch", "has no plan to approve of"));
        }
        if dispatch.approvals.iter().any(|given| given.by == *by) {
            return Err(invalid("by", "has approved of it already"));
        }
        if Self::MAX_APPROVALS <= dispatch.approvals.len() {
            return Err(Rejection::TooMany {
                what: "approvals of one dispatch",
                max: Self::MAX_APPROVALS,
            });
        }
        let approval = Approval {
            by: by.clone(),
            capacity,
            at: now,
        };
        let mut approved = dispatch.clone();
        approved.approvals.push(approval.clone());
        let mut events = vec![Event::DispatchApproved(id, approval)];
        events.extend(self.publish_if_ready(&approved, now)?);
        Ok(events)
    }

    /// The event that lets `dispatch` out, which has its plan, where nothing but a command is
    /// awaited any more.
    ///
    /// # Errors
    /// A [`Rejection`] where it can't be let out now.
    pub fn publish_if_ready(
        &self,
        dispatch: &Dispatch,
        now: Timestamp,
    ) -> Result<Option<Event>, Rejection> {
        let awaited = dispatch.conduct.publish == Publish::OnCommand
            || !self.missing_approvals(dispatch).is_empty();
        if awaited {
            return Ok(None);
        }
        self.check_publish(dispatch, now)?;
        Ok(Some(Event::DispatchPublished(dispatch.id, now)))
    }

    /// The dispatches that have waited for an approval that is needed no more, and for nothing else.
    #[must_use]
    pub fn ready_dispatches(&self, now: Timestamp) -> Vec<DispatchId> {
        let ready = self.open_dispatches(now).filter(|dispatch| {
            let planned = dispatch.published.is_none() && dispatch.plan.is_some();
            planned && matches!(self.publish_if_ready(dispatch, now), Ok(Some(_)))
        });
        ready.map(|dispatch| dispatch.id).collect()
    }

    pub(super) fn publish_dispatch(
        &self,
        id: DispatchId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let dispatch = self.open_dispatch(id, now)?;
        if dispatch.published.is_some() {
            return Err(invalid("dispatch", "is published already"));
        }
        if dispatch.plan.is_none() {
            return Err(invalid("dispatch", "has no plan"));
        }
        self.check_publish(dispatch, now)?;
        Ok(vec![Event::DispatchPublished(id, now)])
    }

    fn check_publish(&self, dispatch: &Dispatch, now: Timestamp) -> Result<(), Rejection> {
        self.check_approved(dispatch)?;
        self.check_no_overlap(dispatch, now)?;
        self.check_notice(dispatch, now)
    }

    fn check_approved(&self, dispatch: &Dispatch) -> Result<(), Rejection> {
        let missing = self.missing_approvals(dispatch);
        if missing.is_empty() {
            return Ok(());
        }
        Err(Rejection::ApprovalMissing {
            dispatch: dispatch.mrid.clone(),
            missing,
        })
    }

    pub(super) fn set_approval_rules(
        &self,
        rules: &[ApprovalRule],
    ) -> Result<Vec<Event>, Rejection> {
        if Self::MAX_APPROVAL_RULES < rules.len() {
            return Err(Rejection::TooMany {
                what: "rules about approvals",
                max: Self::MAX_APPROVAL_RULES,
            });
        }
        for rule in rules {
            if let Some(group) = rule.group {
                self.known_group(group)?;
            }
            if rule.from < units::Watts::ZERO {
                return Err(invalid("from", "is a magnitude, not negative"));
            }
        }
        if self.approval_rules == rules {
            return Ok(Vec::new());
        }
        Ok(vec![Event::ApprovalRulesSet(rules.to_vec())])
    }

    fn open_dispatch(&self, id: DispatchId, now: Timestamp) -> Result<&Dispatch, Rejection> {
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
        Ok(dispatch)
    }

    /// Calls the dispatch off and withdraws its controls that are not over.
    pub(super) fn cancel_dispatch(
        &self,
        id: DispatchId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let dispatch = self.open_dispatch(id, now)?;
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

/// What has begun can't be undone: of `now` on only what lies ahead may differ.
fn check_begun(old: &[Target], new: &[Target], now: Timestamp) -> Result<(), Rejection> {
    let begun = old.iter().take_while(|target| target.interval.start <= now);
    for (index, target) in begun.enumerate() {
        let running = now < target.interval.end();
        let kept = new.get(index).is_some_and(|kept| {
            let same_end = kept.interval.end() == target.interval.end();
            let moved = running && now < kept.interval.end();
            kept.aim == target.aim
                && kept.interval.start == target.interval.start
                && (same_end || moved)
        });
        if !kept {
            let rule = format!("interval {} has begun and stays", index + 1);
            return Err(invalid("schedule", &rule));
        }
    }
    Ok(())
}

/// What members would do unasked is not to be seen any more once they are asked.
fn check_references(old: &[Target], new: &[Target]) -> Result<(), Rejection> {
    let lost = new.iter().position(|target| {
        target.aim.is_relative() && !old.iter().any(|old| target.keeps_reference_of(old))
    });
    match lost {
        Some(index) => {
            let rule = format!(
                "interval {} is relative to what members do unasked, and they are asked already",
                index + 1
            );
            Err(invalid("schedule", &rule))
        }
        None => Ok(()),
    }
}

fn check_schedule(
    (schedule, ramp): (&[Target], Option<Duration>),
    now: Timestamp,
) -> Result<(), Rejection> {
    let (Some(first), Some(last)) = (schedule.first(), schedule.last()) else {
        return Err(invalid("schedule", "has no interval"));
    };
    if schedule.len() > Fleet::MAX_INTERVALS {
        return Err(Rejection::TooMany {
            what: "intervals",
            max: Fleet::MAX_INTERVALS,
        });
    }
    let whole_seconds = schedule.iter().all(|target| {
        target.interval.start.millis() % 1_000 == 0 && target.interval.duration.subsec_nanos() == 0
    });
    if !whole_seconds {
        return Err(invalid(
            "schedule",
            "intervals start and last whole seconds",
        ));
    }
    if schedule
        .iter()
        .any(|target| target.interval.duration.is_zero())
    {
        return Err(invalid("schedule", "an interval is empty"));
    }
    if schedule
        .windows(2)
        .any(|pair| pair[1].interval.start < pair[0].interval.end())
    {
        return Err(invalid("schedule", "intervals overlap or are out of order"));
    }
    if last.interval.end() <= now {
        return Err(invalid("schedule", "is over"));
    }
    if ramp.is_some_and(|ramp| ramp.subsec_nanos() % 1_000_000 != 0) {
        return Err(invalid("ramp", "is given in whole milliseconds"));
    }
    if let Some(ramp) = ramp
        && schedule
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
