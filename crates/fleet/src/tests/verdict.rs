use std::time::Duration;

use units::{Interval, Percent, Watts};

use super::{t, watts};
use crate::dispatch::Standing;
use crate::dispatch::verdict::{Case, Course, Stretch, Verdict, energy, verdict};

fn stretch(asked: i64, metered: Option<i64>) -> Stretch {
    Stretch {
        interval: Interval {
            start: t(0),
            duration: Duration::from_secs(360),
        },
        asked: watts(asked),
        metered: metered.map(watts),
    }
}

/// The verdict on a battery of 5 kW that rested before.
fn judged(standing: Standing, course: Course, stretches: &[Stretch]) -> Verdict {
    verdict(&Case {
        standing,
        base: Watts::ZERO,
        rating: watts(5_000),
        tolerance: Percent::from_hundredths(500),
        stretches,
        course,
    })
}

fn metered(asked: i64, metered: i64) -> Verdict {
    judged(
        Standing::Controllable,
        Course::Over,
        &[stretch(asked, Some(metered))],
    )
}

#[test]
fn the_meter_decides() {
    assert_eq!(metered(3_000, 2_750), Verdict::Delivered);
    assert_eq!(metered(3_000, 2_749), Verdict::PartlyDelivered);
    assert_eq!(metered(3_000, 1_500), Verdict::PartlyDelivered);
    assert_eq!(metered(3_000, 1_499), Verdict::NotDelivered);
    assert_eq!(metered(-3_000, 3_000), Verdict::NotDelivered);
}

#[test]
fn too_much_in_one_stretch_does_not_make_up_for_too_little_in_another() {
    let both = [stretch(3_000, Some(6_000)), stretch(3_000, Some(0))];
    let result = judged(Standing::Controllable, Course::Over, &both);
    assert_eq!(result, Verdict::NotDelivered);
    assert_eq!(energy(&both).asked, energy(&both).metered);
}

#[test]
fn without_readings_nothing_is_said_until_the_dispatch_is_over() {
    let unread = [stretch(3_000, None)];
    let during = judged(Standing::Controllable, Course::Running, &unread);
    assert_eq!(during, Verdict::Pending);
    let after = judged(Standing::Controllable, Course::Over, &unread);
    assert_eq!(after, Verdict::NotDelivered);
}

#[test]
fn how_a_member_stands_goes_before_what_its_meter_says() {
    let good = [stretch(3_000, Some(3_000))];
    for (standing, expected) in [
        (Standing::OptedOut, Verdict::OptedOut),
        (Standing::Rejected, Verdict::Rejected),
        (Standing::Silent, Verdict::Silent),
        (Standing::NotFollowing, Verdict::NotDelivered),
    ] {
        assert_eq!(judged(standing, Course::Running, &good), expected);
    }
}
