use std::time::Duration;

use crate::{Date, Interval, Percent, Timestamp, UTC, WattHours, Watts, Weekday, Zone, ZoneChange};

#[test]
fn energy_is_power_times_time() {
    assert_eq!(
        Watts::whole(1_200).over(Duration::from_secs(30)),
        WattHours::whole(10)
    );
    assert_eq!(
        WattHours::whole(10).spread_over(Duration::from_secs(30)),
        Some(Watts::whole(1_200))
    );
    assert_eq!(WattHours::whole(10).spread_over(Duration::ZERO), None);
}

#[test]
fn a_hundredth_of_a_percent_of_a_nameplate_is_exact() {
    let share = Percent::from_hundredths(3_333).of(Watts::whole(7_255));
    assert_eq!(share.micro(), 2_418_091_500);
}

#[test]
fn real_numbers_saturate_and_not_a_number_is_nothing() {
    assert_eq!(Watts::from_f64(f64::NAN), Watts::ZERO);
    assert_eq!(Watts::from_f64(f64::INFINITY), Watts::MAX);
    assert_eq!(Watts::MAX + Watts::whole(1), Watts::MAX);
}

#[test]
fn intervals_are_half_open() {
    let first = Interval {
        start: Timestamp::from_secs(10),
        duration: Duration::from_secs(5),
    };
    let next = Interval {
        start: first.end(),
        duration: Duration::from_secs(5),
    };
    assert!(first.contains(Timestamp::from_secs(10)) && !first.contains(first.end()));
    assert!(!first.overlaps(next));
}

/// Days from another implementation of the calendar: `date -u -d @N +%F`.
#[test]
fn days_are_those_of_the_calendar() {
    for (secs, year, month, day) in [
        (0, 1970, 1, 1),
        (-1, 1969, 12, 31),
        (951_782_400, 2000, 2, 29),
        (951_868_800, 2000, 3, 1),
        (1_798_761_599, 2026, 12, 31),
        (1_798_761_600, 2027, 1, 1),
        (4_107_542_399, 2100, 2, 28),
        (4_107_542_400, 2100, 3, 1),
        (-62_135_596_800, 1, 1, 1),
        (-62_162_208_000, 0, 2, 28),
    ] {
        let date = Timestamp::from_secs(secs).date();
        assert_eq!(
            (date.year, date.month, date.day),
            (year, month, day),
            "{secs}"
        );
        assert_eq!(date.days(), secs.div_euclid(86_400), "{secs}");
        assert_eq!(Date::new(year, month, day), Some(date));
    }
}

#[test]
fn what_the_calendar_has_not_is_no_day() {
    for (year, month, day) in [
        (2026, 2, 29),
        (2100, 2, 29),
        (2026, 4, 31),
        (2026, 0, 1),
        (2026, 13, 1),
        (2026, 1, 0),
        (10_000, 1, 1),
        (2026, 1, 255),
    ] {
        assert_eq!(Date::new(year, month, day), None, "{year}-{month}-{day}");
    }
}

/// From another implementation of the calendar: `date -u -d 2026-11-23 +%A`.
#[test]
fn days_of_the_week_are_those_of_the_calendar() {
    for ((year, month, day), weekday) in [
        ((1969, 12, 28), Weekday::Sunday),
        ((1970, 1, 1), Weekday::Thursday),
        ((2000, 2, 29), Weekday::Tuesday),
        ((2026, 11, 23), Weekday::Monday),
        ((2100, 3, 1), Weekday::Monday),
    ] {
        let date = Date::new(year, month, day).unwrap();
        assert_eq!(date.weekday(), weekday, "{date:?}");
    }
}

fn zone(first_s: i32, changes: &[(i64, i32)]) -> Zone {
    let change = |(at, offset_s): &(i64, i32)| ZoneChange {
        at: Timestamp::from_secs(*at),
        offset_s: *offset_s,
    };
    Zone::new(first_s, changes.iter().map(change).collect()).unwrap()
}

/// The changes of 2026, and the first minute at which a clock there shows the time or a later one,
/// from another implementation: Python 3.11 `zoneinfo`, tzdata 2025b, every minute tried in turn.
#[test]
fn a_local_time_is_the_first_instant_that_shows_it() {
    let new_york = zone(
        -18_000,
        &[(1_772_953_200, -14_400), (1_793_512_800, -18_000)],
    );
    let berlin = zone(3_600, &[(1_774_746_000, 7_200), (1_792_890_000, 3_600)]);
    let lord_howe = zone(39_600, &[(1_775_314_800, 37_800), (1_791_041_400, 39_600)]);
    for (zone, month, day, (hour, minute), at) in [
        (&new_york, 3, 7, (2, 30), 1_772_868_600),
        (&new_york, 3, 8, (2, 0), 1_772_953_200),
        (&new_york, 3, 8, (2, 30), 1_772_953_200),
        (&new_york, 3, 8, (3, 0), 1_772_953_200),
        (&new_york, 10, 31, (17, 0), 1_793_480_400),
        (&new_york, 11, 1, (1, 30), 1_793_511_000),
        (&new_york, 11, 1, (2, 0), 1_793_516_400),
        (&new_york, 11, 1, (17, 0), 1_793_570_400),
        (&berlin, 3, 29, (2, 30), 1_774_746_000),
        (&berlin, 7, 1, (17, 0), 1_782_918_000),
        (&berlin, 10, 25, (2, 30), 1_792_888_200),
        (&berlin, 10, 25, (3, 0), 1_792_893_600),
        (&lord_howe, 4, 5, (1, 45), 1_775_313_900),
        (&lord_howe, 4, 5, (2, 0), 1_775_316_600),
        (&lord_howe, 10, 4, (2, 10), 1_791_041_400),
        (&lord_howe, 10, 4, (2, 30), 1_791_041_400),
        (&lord_howe, 12, 25, (0, 0), 1_798_117_200),
    ] {
        let date = Date::new(2026, month, day).unwrap();
        let found = zone.first_at(date, hour * 3_600 + minute * 60);
        assert_eq!(found.secs(), at, "{month}-{day} {hour}:{minute}");
        assert_eq!(zone.date(found), date);
    }
}

#[test]
fn changes_that_no_place_has_make_no_zone() {
    let at = |secs, offset_s| ZoneChange {
        at: Timestamp::from_secs(secs),
        offset_s,
    };
    for changes in [
        vec![at(0, 90_000)],
        vec![at(10, 3_600), at(10, 0)],
        vec![at(1_000, 3_600), at(0, 0)],
        vec![at(0, 0), at(1_000, 3_600)],
    ] {
        assert_eq!(Zone::new(0, changes.clone()), None, "{changes:?}");
    }
    assert_eq!(Zone::new(0, Vec::new()).as_ref(), Some(&UTC));
}
