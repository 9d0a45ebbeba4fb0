use std::time::Duration;

use crate::{Interval, Percent, Timestamp, WattHours, Watts};

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
    }
}
