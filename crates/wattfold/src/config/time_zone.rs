//! Local time where the devices are.

use ieee2030_5::server::{self, DaylightSaving};
use jiff::tz::{Dst, Offset};
use serde::Deserialize;
use units::{Timestamp, Zone, ZoneChange};

/// Summers that are known ahead of the start of the server.
const SUMMERS: usize = 50;
/// So far back from the start of the server changes of the clock are known.
const BACK: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 366 * 2);

/// A time zone of the IANA database, such as `America/Los_Angeles`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeZone(jiff::tz::TimeZone);

impl Default for TimeZone {
    fn default() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }
}

impl TryFrom<String> for TimeZone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        jiff::tz::TimeZone::get(&name)
            .map(Self)
            .map_err(|_| format!("{name:?} is no time zone of the IANA database"))
    }
}

impl TimeZone {
    /// As the device server takes it: the summer of `now`, if it is one, and those to come.
    #[must_use]
    pub fn from_now(&self, now: Timestamp) -> server::TimeZone {
        let zone = &self.0;
        let begin = jiff::Timestamp::from_second(now.secs()).unwrap_or_default();
        let year = jiff::SignedDuration::from_hours(24 * 366);
        let before = begin.checked_sub(year).unwrap_or(begin);
        let mut offset = standard(zone, begin);
        let mut dst_offset_s = 0;
        let mut summers = Vec::new();
        let mut started = None;
        // A zone that keeps its summer for ever has no transition to find.
        for turn in zone.following(before).take(2 * SUMMERS) {
            let at = Timestamp::from_secs(turn.timestamp().as_second());
            match (turn.dst(), started.take()) {
                (Dst::Yes, _) => {
                    dst_offset_s = turn.offset().seconds() - offset.seconds();
                    started = Some(at);
                }
                (Dst::No, Some(start)) => summers.push(DaylightSaving { start, end: at }),
                (Dst::No, None) => offset = turn.offset(),
            }
        }
        summers.retain(|summer| now < summer.end);
        server::TimeZone {
            offset_s: offset.seconds(),
            dst_offset_s: if summers.is_empty() { 0 } else { dst_offset_s },
            summers,
        }
    }
}

impl TimeZone {
    /// The changes of the clock there from two years before `now` on.
    ///
    /// # Panics
    /// Never: clocks are changed by less than the time between two changes.
    #[must_use]
    pub fn zone(&self, now: Timestamp) -> Zone {
        let now = jiff::Timestamp::from_second(now.secs()).unwrap_or_default();
        let from = now.checked_sub(BACK).unwrap_or(now);
        let changes = self.0.following(from).take(2 * SUMMERS);
        let changes = changes.map(|turn| ZoneChange {
            at: Timestamp::from_secs(turn.timestamp().as_second()),
            offset_s: turn.offset().seconds(),
        });
        let first_s = self.0.to_offset(from).seconds();
        let zone = Zone::new(first_s, changes.collect());
        zone.expect("the database has changes in order, months or days apart")
    }
}

/// What is added to UTC there outside of summer.
fn standard(zone: &jiff::tz::TimeZone, now: jiff::Timestamp) -> Offset {
    let here = zone.to_offset_info(now);
    if here.dst() == Dst::No {
        return here.offset();
    }
    let winter = zone.preceding(now).find(|turn| turn.dst() == Dst::No);
    winter.map_or(here.offset(), |turn| turn.offset())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str, now: &str) -> server::TimeZone {
        let zone = TimeZone::try_from(name.to_owned()).unwrap();
        zone.from_now(at(now))
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_secs(text.parse::<jiff::Timestamp>().unwrap().as_second())
    }

    /// The Energy Policy Act of 2005: from the second Sunday in March to the first in November.
    #[test]
    fn california_has_its_summer() {
        let winter = zone("America/Los_Angeles", "2026-01-15T00:00:00Z");
        assert_eq!((winter.offset_s, winter.dst_offset_s), (-28_800, 3_600));
        let summer = DaylightSaving {
            start: at("2026-03-08T10:00:00Z"),
            end: at("2026-11-01T09:00:00Z"),
        };
        assert_eq!(winter.summers[0], summer);
        assert_eq!(winter.summers[1].start, at("2027-03-14T10:00:00Z"));
        assert!(40 < winter.summers.len());
        let within = zone("America/Los_Angeles", "2026-07-15T00:00:00Z");
        assert_eq!((within.offset_s, within.summers[0]), (-28_800, summer));
        let after = zone("America/Los_Angeles", "2026-11-01T09:00:00Z");
        assert_eq!(after.summers[0], winter.summers[1]);
    }

    /// New South Wales: from the first Sunday in October to the first in April.
    #[test]
    fn summer_goes_over_the_turn_of_the_year_in_the_south() {
        let sydney = zone("Australia/Sydney", "2026-12-01T00:00:00Z");
        assert_eq!((sydney.offset_s, sydney.dst_offset_s), (36_000, 3_600));
        let summer = DaylightSaving {
            start: at("2026-10-03T16:00:00Z"),
            end: at("2027-04-03T16:00:00Z"),
        };
        assert_eq!(sydney.summers[0], summer);
    }

    /// From another implementation, Python 3.11 `zoneinfo` with tzdata 2025b: the first minutes at
    /// which a clock there shows the time or a later one.
    #[test]
    fn local_times_are_those_of_another_implementation() {
        let now = at("2026-06-01T00:00:00Z");
        for (name, month, day, (hour, minute), secs) in [
            ("America/New_York", 3, 8, (2, 30), 1_772_953_200),
            ("America/New_York", 11, 1, (1, 30), 1_793_511_000),
            ("America/New_York", 11, 1, (17, 0), 1_793_570_400),
            ("Europe/Berlin", 3, 29, (2, 30), 1_774_746_000),
            ("Europe/Berlin", 10, 25, (2, 30), 1_792_888_200),
            ("Australia/Lord_Howe", 4, 5, (1, 45), 1_775_313_900),
            ("Australia/Lord_Howe", 10, 4, (2, 10), 1_791_041_400),
        ] {
            let zone = TimeZone::try_from(name.to_owned()).unwrap().zone(now);
            let date = units::Date::new(2026, month, day).unwrap();
            let found = zone.first_at(date, hour * 3_600 + minute * 60);
            assert_eq!(found.secs(), secs, "{name} {month}-{day}");
        }
        assert_eq!(TimeZone::default().zone(now), units::UTC);
    }

    /// Of every zone of the database, a year from now on and back, as jiff itself tells the time.
    #[test]
    fn every_zone_of_the_database_is_taken_over() {
        let now = at("2026-06-01T00:00:00Z");
        let mut zones = 0;
        for name in jiff::tz::db().available() {
            let name = name.to_string();
            let theirs = jiff::tz::TimeZone::get(&name).unwrap();
            let ours = TimeZone(theirs.clone()).zone(now);
            for hours in (-8_000..8_000).step_by(7) {
                let at = Timestamp::from_secs(now.secs() + hours * 3_600);
                let instant = jiff::Timestamp::from_second(at.secs()).unwrap();
                let offset_s = theirs.to_offset(instant).seconds();
                assert_eq!(ours.offset_s(at), offset_s, "{name} {instant}");
            }
            zones += 1;
        }
        assert!(400 < zones, "{zones}");
    }

    #[test]
    fn some_have_no_summer_and_some_names_no_zone() {
        let brisbane = zone("Australia/Brisbane", "2026-12-01T00:00:00Z");
        let utc = TimeZone::default().from_now(at("2026-12-01T00:00:00Z"));
        assert_eq!((brisbane.offset_s, brisbane.dst_offset_s), (36_000, 0));
        assert_eq!((brisbane.summers.len(), utc.summers.len()), (0, 0));
        let nowhere = TimeZone::try_from("Mars/Olympus".to_owned()).unwrap_err();
        assert_eq!(
            nowhere,
            "\"Mars/Olympus\" is no time zone of the IANA database"
        );
    }
}
