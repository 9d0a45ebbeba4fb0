//! Whether a DER may take part in an event of a programme.

use std::time::Duration;

use thiserror::Error;
use units::{Interval, Timestamp};

use super::{DemandResponseProgramId, Terms};
use crate::{Der, Dispatch, Fleet};

/// Why the terms of a programme leave a DER out of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Ineligibility {
    /// No contract about the programme covers the event.
    #[error("no contract covers the event")]
    NoContract,
    /// The programme has no terms at that time.
    #[error("the programme has no terms at that time")]
    NoTerms,
    /// Its technology is not in the programme.
    #[error("its technology is not in the programme")]
    Kind,
    /// It belongs to no place where the programme runs.
    #[error("the programme does not run where it is")]
    Place,
    /// Its fuel is not allowed.
    #[error("its fuel is not allowed")]
    Fuel,
    /// Its permit does not allow so many hours in a year.
    #[error("the hours of its permit are used up")]
    PermitHours,
    /// It takes part in another programme, and may not in both.
    #[error("it takes part in another programme")]
    DualParticipation,
    /// It has had as many events as a day may have.
    #[error("it has had the events of the day")]
    EventsOfDay,
    /// It has had as many events as a year may have.
    #[error("it has had the events of the year")]
    EventsOfYear,
    /// It has had as many hours of events as a year may have.
    #[error("it has had the hours of the year")]
    HoursOfYear,
    /// It rests after an event.
    #[error("it rests after another event")]
    Recovery,
}

const HOUR: Duration = Duration::from_secs(3_600);

impl Fleet {
    /// Whether `der` may take part in `dispatch`, under the terms of the programme whose event it
    /// is; days and years are those of UTC, and an event is of those in which it begins.
    ///
    /// # Errors
    /// [`Ineligibility`]: the first term that leaves it out.
    pub fn participation(&self, der: &Der, dispatch: &Dispatch) -> Result<(), Ineligibility> {
        let (Some(program), Some(span)) = (dispatch.conduct.program, dispatch.span()) else {
            return Ok(());
        };
        self.participation_of(der, Some(dispatch), program, span)
    }

    /// Whether `der` could take part in an event of `program` over `span`.
    ///
    /// # Errors
    /// [`Ineligibility`]: the first term that leaves it out.
    pub fn may_take_part(
        &self,
        der: &Der,
        program: DemandResponseProgramId,
        span: Interval,
    ) -> Result<(), Ineligibility> {
        self.participation_of(der, None, program, span)
    }

    fn participation_of(
        &self,
        der: &Der,
        dispatch: Option<&Dispatch>,
        program: DemandResponseProgramId,
        span: Interval,
    ) -> Result<(), Ineligibility> {
        let contract = self.enrolment.contract(der.id, program, span);
        contract.ok_or(Ineligibility::NoContract)?;
        let terms = self.terms(program, span.start);
        let terms = terms.ok_or(Ineligibility::NoTerms)?;
        self.eligibility(der, program, terms, span.start)?;
        self.frequency(der, dispatch, (program, terms), span)
    }

    /// The terms of `program` at `at`.
    #[must_use]
    pub fn terms(&self, program: DemandResponseProgramId, at: Timestamp) -> Option<&Terms> {
        self.enrolment.programs().get(program.0)?.terms.at(at)
    }

    fn eligibility(
        &self,
        der: &Der,
        program: DemandResponseProgramId,
        terms: &Terms,
        at: Timestamp,
    ) -> Result<(), Ineligibility> {
        let wanted = &terms.eligibility;
        if !wanted.kinds.is_empty() && !wanted.kinds.contains(&der.kind) {
            return Err(Ineligibility::Kind);
        }
        if !wanted.assignments.is_empty() {
            let places = self.assignments_of(der.id);
            if !places
                .iter()
                .any(|node| wanted.assignments.contains(&node.id))
            {
                return Err(Ineligibility::Place);
            }
        }
        let fuel = self.enrolment.interconnection(der.id).and_then(|r| r.fuel);
        if fuel.is_some_and(|fuel| wanted.excluded_fuels.contains(&fuel)) {
            return Err(Ineligibility::Fuel);
        }
        let elsewhere = || self.enrolment.takes_part_elsewhere(der.id, program, at);
        if !wanted.dual_participation && elsewhere() {
            return Err(Ineligibility::DualParticipation);
        }
        Ok(())
    }

    /// How often and how long it has been asked already.
    fn frequency(
        &self,
        der: &Der,
        dispatch: Option<&Dispatch>,
        (program, terms): (DemandResponseProgramId, &Terms),
        span: Interval,
    ) -> Result<(), Ineligibility> {
        let limits_any = terms.max_events_per_day.is_some()
            || terms.max_events_per_year.is_some()
            || terms.max_hours_per_year.is_some()
            || terms.eligibility.permit_hours_per_year.is_some()
            || !terms.recovery.is_zero();
        if !limits_any {
            return Ok(());
        }
        let (mut of_day, mut of_year, mut hours) = (0_usize, 0_usize, span.duration);
        let today = span.start.date();
        let own = Interval::between(span.start, span.end().after(terms.recovery));
        let asking = self.events_of.get(&der.id).into_iter().flatten();
        let events = asking.filter_map(|id| {
            let other = self.dispatch(*id)?;
            let kin = dispatch.is_none_or(|dispatch| dispatch.id != other.id)
                && other.conduct.program == Some(program);
            let event = other.span().filter(|_| kin)?;
            let end = other.cancelled.unwrap_or(event.end()).min(event.end());
            let near = event.start.date().year == today.year
                || Interval::between(event.start, end.after(terms.recovery)).overlaps(own);
            near.then(|| Interval::between(event.start, end))
        });
        for other in events {
            let day = other.start.date();
            if day.year == today.year {
                of_year += 1;
                hours += other.duration;
            }
            of_day += usize::from(day == today);
            let rest = Interval::between(other.start, other.end().after(terms.recovery));
            if !terms.recovery.is_zero() && rest.overlaps(own) {
                return Err(Ineligibility::Recovery);
            }
        }
        let reached =
            |most: Option<u16>, so_far: usize| most.is_some_and(|most| usize::from(most) <= so_far);
        let beyond = |most: Option<u16>| most.is_some_and(|most| HOUR * u32::from(most) < hours);
        if reached(terms.max_events_per_day, of_day) {
            Err(Ineligibility::EventsOfDay)
        } else if reached(terms.max_events_per_year, of_year) {
            Err(Ineligibility::EventsOfYear)
        } else if beyond(terms.max_hours_per_year) {
            Err(Ineligibility::HoursOfYear)
        } else if beyond(terms.eligibility.permit_hours_per_year) {
            Err(Ineligibility::PermitHours)
        } else {
            Ok(())
        }
    }
}
