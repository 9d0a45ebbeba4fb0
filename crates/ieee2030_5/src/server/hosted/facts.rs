//! What listing and the life of events need to know of a document, whatever it is.

use units::Timestamp;

use super::route::Active;
use crate::codec::simple::{HexBinary32, HexBinary128, TimeType};
use crate::codec::table::{Edition, complex};
use crate::wire::der_control::{EventState, EventStatus};
use crate::wire::time::DateTimeInterval;

complex! {
    /// The elements, of any resource, that decide its place and its state.
    pub struct Facts("Facts") {
        opt mrid: HexBinary128 = "mRID",
        opt creation_time: TimeType = "creationTime",
        opt event_status: EventStatus = "EventStatus",
        opt interval: DateTimeInterval = "interval",
        opt time_period: DateTimeInterval = "timePeriod",
        opt effective_time: TimeType = "effectiveTime",
        opt randomize_duration: i16 = "randomizeDuration",
        opt randomize_start: i16 = "randomizeStart",
        opt device_category: HexBinary32 = "deviceCategory",
        opt size_bytes: u32 = "size",
    }
}

impl Facts {
    /// The period that it is for.
    fn period(&self) -> Option<&DateTimeInterval> {
        self.interval.as_ref().or(self.time_period.as_ref())
    }

    /// When what it says begins; the beginning of time if it does not say.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        let period = self.period().map(|period| period.start);
        period
            .or(self.effective_time)
            .unwrap_or_default()
            .timestamp()
    }

    fn end(&self) -> Timestamp {
        let duration_s = self.period().map_or(0, |period| i64::from(period.duration));
        later(self.start(), duration_s)
    }

    /// The earliest instant at which a device may begin.
    fn earliest_start(&self) -> Timestamp {
        later(
            self.start(),
            i64::from(self.randomize_start.unwrap_or(0).min(0)),
        )
    }

    /// The latest instant at which a device may end.
    fn latest_end(&self) -> Timestamp {
        let start_s = i64::from(self.randomize_start.unwrap_or(0).max(0));
        let duration_s = i64::from(self.randomize_duration.unwrap_or(0).max(0));
        later(self.end(), start_s + duration_s)
    }

    /// Whether an event is over for every device.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.latest_end() <= now
    }

    /// Whether a device may have begun an event.
    #[must_use]
    pub fn has_begun(&self, now: Timestamp) -> bool {
        self.earliest_start() <= now
    }

    fn created(&self) -> Timestamp {
        self.creation_time.unwrap_or_default().timestamp()
    }

    /// When it was withdrawn, and how.
    fn cancelled(&self) -> Option<&EventStatus> {
        self.event_status.as_ref().filter(|status| {
            [
                EventState::CANCELLED,
                EventState::CANCELLED_WITH_RANDOMIZATION,
            ]
            .contains(&status.current_status)
        })
    }

    /// Whether this event, of the same list, displaces `other`.
    fn supersedes(&self, other: &Self) -> bool {
        let age = |facts: &Self| (facts.creation_time, facts.mrid.map(HexBinary128::value));
        let category = |facts: &Self| facts.device_category.map_or(u32::MAX, |bits| bits.value());
        let withdrawn_before = self
            .cancelled()
            .is_some_and(|status| status.date_time.timestamp() <= self.start().max(other.start()));
        age(other) < age(self)
            && category(self) & category(other) != 0
            && self.start() < other.end()
            && other.start() < self.end()
            && !withdrawn_before
    }

    /// The status of an event at `now` among those of its list.
    ///
    /// One that a later event keeps from ever beginning is superseded as soon as that is made. The
    /// edition of 2023 has no superseded state: events keep theirs, marked, until they are over.
    #[must_use]
    pub fn status<'a>(
        &self,
        siblings: impl Iterator<Item = &'a Self>,
        now: Timestamp,
        edition: Edition,
    ) -> EventStatus {
        if let Some(cancelled) = self.cancelled() {
            return cancelled.clone();
        }
        let displaced = siblings
            .filter(|other| other.supersedes(self))
            .map(|other| match other.start() <= self.start() {
                true => (other.created(), other.created()),
                false => (other.start(), other.created()),
            })
            .min();
        let superseded = displaced.filter(|(at, _)| *at <= now);
        let (current_status, since) = match (superseded, edition) {
            (_, Edition::Y2023) if self.is_over(now) => (EventState::COMPLETED, self.latest_end()),
            (Some((at, _)), Edition::Y2018) => (EventState::SUPERSEDED, at),
            _ if now < self.earliest_start() => (EventState::SCHEDULED, self.created()),
            _ => (
                EventState::ACTIVE,
                self.earliest_start().max(self.created()),
            ),
        };
        EventStatus {
            current_status,
            date_time: since.into(),
            potentially_superseded: displaced.is_some(),
            potentially_superseded_time: displaced.map(|(_, made)| made.into()),
            reason: self
                .event_status
                .as_ref()
                .and_then(|status| status.reason.clone()),
        }
    }

    /// Whether it belongs in the list of active ones at `now`, as far as it says itself.
    #[must_use]
    pub fn is_active(&self, kind: Active, now: Timestamp) -> bool {
        match kind {
            Active::Event | Active::Period => self.start() <= now && now < self.end(),
            Active::Effective => self.start() <= now,
            Active::Children => false,
        }
    }
}

/// Held at the ends of the range of time.
fn later(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_add(seconds.saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(created: i64, start: i64, duration: u32) -> Facts {
        Facts {
            mrid: Some(HexBinary128::new(u128::try_from(created).unwrap())),
            creation_time: Some(TimeType(created)),
            interval: Some(DateTimeInterval {
                duration,
                start: TimeType(start),
            }),
            ..Facts::default()
        }
    }

    fn state(
        facts: &Facts,
        others: &[Facts],
        now: i64,
        edition: Edition,
    ) -> (EventState, i64, bool) {
        let status = facts.status(others.iter(), Timestamp::from_secs(now), edition);
        (
            status.current_status,
            status.date_time.0,
            status.potentially_superseded,
        )
    }

    #[test]
    fn an_event_is_scheduled_then_active_from_its_earliest_start() {
        let mut plain = event(5, 100, 60);
        plain.randomize_start = Some(-20);
        for (now, state_is, since) in [
            (79, EventState::SCHEDULED, 5),
            (80, EventState::ACTIVE, 80),
            (159, EventState::ACTIVE, 80),
        ] {
            assert_eq!(
                state(&plain, &[], now, Edition::Y2018),
                (state_is, since, false),
                "{now}"
            );
        }
        assert!(
            !plain.is_over(Timestamp::from_secs(159)) && plain.is_over(Timestamp::from_secs(160))
        );
        plain.randomize_duration = Some(30);
        assert!(!plain.is_over(Timestamp::from_secs(189)));
        let late = event(120, 100, 60);
        assert_eq!(
            state(&late, &[], 130, Edition::Y2018),
            (EventState::ACTIVE, 120, false)
        );
    }

    #[test]
    fn a_later_event_displaces_and_2023_has_no_word_for_it() {
        let first = event(5, 100, 60);
        let inside = event(50, 120, 10);
        let others = [first.clone(), inside];
        assert_eq!(
            state(&first, &others, 110, Edition::Y2018),
            (EventState::ACTIVE, 100, true)
        );
        assert_eq!(
            state(&first, &others, 125, Edition::Y2018),
            (EventState::SUPERSEDED, 120, true)
        );
        assert_eq!(
            state(&first, &others, 150, Edition::Y2018),
            (EventState::SUPERSEDED, 120, true),
            "it never resumes"
        );
        assert_eq!(
            state(&first, &others, 125, Edition::Y2023),
            (EventState::ACTIVE, 100, true)
        );
        assert_eq!(
            state(&first, &others, 170, Edition::Y2023),
            (EventState::COMPLETED, 160, true)
        );
        let over_it = event(60, 90, 100);
        assert_eq!(
            state(&first, &[over_it], 70, Edition::Y2018),
            (EventState::SUPERSEDED, 60, true)
        );
        let mut other_devices = event(60, 90, 100);
        other_devices.device_category = Some(HexBinary32::new(2));
        let mut first = first;
        first.device_category = Some(HexBinary32::new(1));
        assert_eq!(
            state(&first, &[other_devices], 70, Edition::Y2018),
            (EventState::SCHEDULED, 5, false)
        );
    }

    #[test]
    fn a_cancelled_event_says_so_and_displaces_nobody() {
        let first = event(5, 100, 60);
        let mut withdrawn = event(6, 100, 60);
        withdrawn.event_status = Some(EventStatus {
            current_status: EventState::CANCELLED,
            date_time: TimeType(50),
            ..EventStatus::default()
        });
        assert_eq!(
            state(&withdrawn, &[], 120, Edition::Y2018),
            (EventState::CANCELLED, 50, false)
        );
        assert_eq!(
            state(&first, &[withdrawn], 120, Edition::Y2018),
            (EventState::ACTIVE, 100, false)
        );
    }
}
