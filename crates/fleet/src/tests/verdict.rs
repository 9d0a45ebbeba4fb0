use std::time::Duration;

use proptest::prelude::*;
use units::{Interval, Percent, WattHours, Watts};

use super::{t, watts};
use crate::dispatch::verdict::{
    Archive, Asked, Case, Contact, Course, Energy, Judgement, Metered, Potential, Rank,
    STUCK_READINGS, Stretch, Total, Verdict, Word, energy, judge,
};
use crate::dispatch::{Batch, Standing};

/// Six minutes, a tenth of an hour.
const SPAN: Duration = Duration::from_secs(360);

fn stretch(asked: Asked, metered: Option<i64>) -> Stretch {
    Stretch {
        interval: Interval {
            start: t(0),
            duration: SPAN,
        },
        asked,
        metered: metered.map(|p| Metered::from(Batch::one(watts(p)))),
        potential: None,
    }
}

fn set(asked: i64, metered: Option<i64>) -> Stretch {
    stretch(Asked::Set(watts(asked)), metered)
}

fn limit(limit: i64, metered: i64, potential: (i64, i64)) -> Stretch {
    Stretch {
        potential: Some(Potential {
            p: watts(potential.0),
            uncertainty: watts(potential.1),
            readings: 5,
        }),
        ..stretch(Asked::Limit(watts(limit)), Some(metered))
    }
}

/// A battery of 5 kW that rested before and says that it began.
fn case(stretches: &[Stretch]) -> Case<'_> {
    Case {
        standing: Standing::Controllable,
        contact: Contact::Heard,
        word: Word::Began,
        meter: Rank::DeviceTelemetry,
        base: Watts::ZERO,
        rating: watts(5_000),
        tolerance: Percent::from_hundredths(500),
        confirm_within: SPAN,
        stretches,
        course: Course::Over,
        archive: Archive::Kept,
    }
}

fn verdict(stretches: &[Stretch]) -> Verdict {
    judge(&case(stretches)).verdict
}

#[test]
fn the_meter_decides_what_is_delivered_and_what_in_part() {
    assert_eq!(verdict(&[set(3_000, Some(2_750))]), Verdict::Delivered);
    assert_eq!(
        verdict(&[set(3_000, Some(2_749))]),
        Verdict::PartlyDelivered
    );
    assert_eq!(
        verdict(&[set(3_000, Some(1_500))]),
        Verdict::PartlyDelivered
    );
    let good = [set(3_000, Some(2_750))];
    let revenue = Case {
        meter: Rank::RevenueMeter,
        ..case(&good)
    };
    let expected = Judgement {
        verdict: Verdict::Delivered,
        rank: Rank::RevenueMeter,
    };
    assert_eq!(judge(&revenue), expected);
}

#[test]
fn what_the_meter_does_not_show_is_not_delivered_whatever_the_device_says() {
    let short = [set(3_000, Some(1_499))];
    assert_eq!(verdict(&short), Verdict::AcknowledgedNotDelivered);
    let mute = Case {
        word: Word::None,
        ..case(&short)
    };
    let expected = Judgement {
        verdict: Verdict::NotDelivered,
        rank: Rank::DeviceTelemetry,
    };
    assert_eq!(judge(&mute), expected);
}

#[test]
fn too_much_in_one_stretch_does_not_make_up_for_too_little_in_another() {
    let both = [set(2_000, Some(4_000)), set(2_000, Some(0))];
    assert_eq!(verdict(&both), Verdict::AcknowledgedNotDelivered);
    assert_eq!(energy(&both).asked, energy(&both).metered);
}

#[test]
fn nothing_is_said_without_readings_until_the_time_for_them_is_over() {
    let unread = [set(3_000, None)];
    let during = Case {
        course: Course::Running,
        ..case(&unread)
    };
    let pending = Judgement {
        verdict: Verdict::Pending,
        rank: Rank::Response,
    };
    assert_eq!(judge(&during), pending);
    let lost = Judgement {
        verdict: Verdict::AcknowledgedNotDelivered,
        rank: Rank::Response,
    };
    assert_eq!(judge(&case(&unread)), lost);
    let mute = Case {
        word: Word::None,
        ..case(&unread)
    };
    let nothing = Judgement {
        verdict: Verdict::NotDelivered,
        rank: Rank::Nothing,
    };
    assert_eq!(judge(&mute), nothing);
}

#[test]
fn a_stretch_that_nothing_confirms_counts_as_failed() {
    let mostly_unread = [set(3_000, Some(3_000)), set(3_000, None), set(3_000, None)];
    assert_eq!(
        verdict(&mostly_unread),
        Verdict::AcknowledgedNotDelivered,
        "two thirds of what was asked"
    );
    let patient = Case {
        confirm_within: SPAN * 2,
        ..case(&mostly_unread)
    };
    assert_eq!(judge(&patient).verdict, Verdict::Delivered);
    let running = Case {
        course: Course::Running,
        ..case(&mostly_unread)
    };
    assert_eq!(judge(&running).verdict, Verdict::Delivered);
}

#[test]
fn evidence_that_contradicts_itself_is_suspect() {
    let turned = [set(3_000, Some(-3_100))];
    assert_eq!(verdict(&turned), Verdict::Suspect);
    let never_moved = Case {
        base: watts(-3_000),
        ..case(&turned)
    };
    assert_eq!(
        judge(&never_moved).verdict,
        Verdict::AcknowledgedNotDelivered,
        "it charges as before"
    );
    assert_eq!(verdict(&[set(3_000, Some(5_501))]), Verdict::Suspect);
    let stuck = |p: i64, readings: u32| {
        let metered = Metered {
            readings,
            ..Metered::from(Batch::one(watts(p)))
        };
        Stretch {
            metered: Some(metered),
            ..set(3_000, None)
        }
    };
    assert_eq!(verdict(&[stuck(400, STUCK_READINGS)]), Verdict::Suspect);
    for inert in [stuck(400, STUCK_READINGS - 1), stuck(12, STUCK_READINGS)] {
        assert_eq!(verdict(&[inert]), Verdict::AcknowledgedNotDelivered);
    }
    let not_following = Case {
        standing: Standing::NotFollowing,
        ..case(&turned)
    };
    assert_eq!(judge(&not_following).verdict, Verdict::Suspect);
}

#[test]
fn a_limit_binds_where_more_would_have_come() {
    for (asked, expected) in [
        (limit(2_000, 1_990, (4_000, 500)), Verdict::CompliedBinding),
        (limit(0, 0, (4_000, 500)), Verdict::CompliedBinding),
        (limit(2_000, 900, (1_000, 500)), Verdict::CompliedNonBinding),
        // Nobody knows what the sun gave; the plant sits at the limit, or well below it.
        (
            limit(2_000, 1_990, (2_500, 2_000)),
            Verdict::CompliedBinding,
        ),
        (
            limit(2_000, 900, (2_500, 2_000)),
            Verdict::CompliedNonBinding,
        ),
        (
            limit(2_000, 3_500, (4_000, 500)),
            Verdict::AcknowledgedNotDelivered,
        ),
        (limit(2_000, 2_900, (4_000, 500)), Verdict::PartlyDelivered),
    ] {
        assert_eq!(verdict(&[asked]), expected, "{asked:?}");
    }
    let unknown = stretch(Asked::Limit(watts(2_000)), Some(2_000));
    assert_eq!(verdict(&[unknown]), Verdict::CompliedBinding);
    assert_eq!(verdict(&[unknown, set(0, Some(0))]), Verdict::Delivered);
}

#[test]
fn pv_at_night_has_held_nothing_back() {
    let night = limit(0, 0, (0, 0));
    assert_eq!(verdict(&[night]), Verdict::CompliedNonBinding);
    assert_eq!(energy(&[night]), Energy::default());
    // Its inverter takes a few watts, and a lamp shone on it.
    let lamp = limit(0, -8, (3, 2));
    assert_eq!(verdict(&[lamp]), Verdict::CompliedNonBinding);
    assert_eq!(energy(&[lamp]).curtailed, watts(3).over(SPAN));
}

#[test]
fn what_was_held_back_is_potential_less_measured() {
    let noon = energy(&[limit(2_000, 1_900, (5_000, 400))]);
    assert_eq!(noon.asked, WattHours::whole(200));
    assert_eq!(noon.metered, WattHours::whole(190));
    assert_eq!(noon.curtailed, WattHours::whole(310));
    assert_eq!(noon.curtailed_uncertainty, WattHours::whole(40));
    let perhaps = energy(&[limit(2_000, 1_500, (1_900, 400))]);
    assert_eq!(
        perhaps.curtailed,
        WattHours::ZERO,
        "it was not asked for less"
    );
    assert_eq!(perhaps.curtailed_uncertainty, WattHours::whole(80));
    let battery = energy(&[set(3_000, Some(0))]);
    assert_eq!(
        battery.curtailed,
        WattHours::ZERO,
        "nothing tells what it would do"
    );
}

#[test]
fn how_a_member_stands_goes_before_what_its_meter_says() {
    let good = [set(3_000, Some(3_000))];
    for (standing, contact, verdict, rank) in [
        (
            Standing::OptedOut,
            Contact::Heard,
            Verdict::OptedOut,
            Rank::Response,
        ),
        (
            Standing::Rejected,
            Contact::Heard,
            Verdict::Rejected,
            Rank::Response,
        ),
        (
            Standing::Silent,
            Contact::Heard,
            Verdict::Silent,
            Rank::Nothing,
        ),
        (
            Standing::Silent,
            Contact::Never,
            Verdict::NeverReachable,
            Rank::Nothing,
        ),
        (
            Standing::NotFollowing,
            Contact::Heard,
            Verdict::AcknowledgedNotDelivered,
            Rank::DeviceTelemetry,
        ),
    ] {
        let judged = judge(&Case {
            standing,
            contact,
            ..case(&good)
        });
        assert_eq!(judged, Judgement { verdict, rank });
    }
}

#[test]
fn who_stays_below_a_limit_keeps_to_it_though_the_plan_counted_on_more() {
    let below = [limit(2_000, 900, (2_500, 2_000))];
    let judged = |stretches| {
        let standing = Standing::NotFollowing;
        judge(&Case {
            standing,
            ..case(stretches)
        })
        .verdict
    };
    assert_eq!(judged(&below), Verdict::CompliedNonBinding);
    let above = [limit(2_000, 3_500, (4_000, 500))];
    assert_eq!(judged(&above), Verdict::AcknowledgedNotDelivered);
    assert_eq!(judged(&[]), Verdict::AcknowledgedNotDelivered);
}

/// The example of JCGM 100:2008: table 1 of 4.4.3 has 20 temperatures of mean 100.145 °C, standard
/// deviation 1.489 °C and standard deviation of the mean 0.333 °C.
#[test]
fn uncertainty_is_that_of_the_guide() {
    const CELSIUS: [f64; 20] = [
        96.90, 98.18, 98.25, 98.61, 99.03, 99.49, 99.56, 99.74, 99.89, 100.07, 100.33, 100.42,
        100.68, 100.95, 101.11, 101.20, 101.57, 101.84, 102.36, 102.72,
    ];
    let readings = CELSIUS.map(Watts::from_f64);
    let batch = Batch::of(&readings).unwrap();
    let said = Potential::said(&batch);
    assert_eq!(said.p, Watts::from_f64(100.145));
    assert!((said.uncertainty.as_f64() / 2.0 - 0.333).abs() < 0.000_5);
    let before = Potential::before(&batch);
    let single = 1.489_f64.hypot(0.333);
    assert!((before.uncertainty.as_f64() / 2.0 - single).abs() < 0.001);
    let one = Potential::said(&Batch::one(watts(-70)));
    assert_eq!((one.p, one.uncertainty), (watts(-70), watts(70)));
    assert_eq!(Batch::of(&[]), None);

    let (first, second) = readings.split_at(7);
    let parts = Batch::of(first).unwrap().joined(Batch::of(second).unwrap());
    assert_eq!((parts.mean(), parts.readings), (batch.mean(), 20));
    let apart = parts.variance().unwrap() - batch.variance().unwrap();
    assert!(apart.abs() < 1e-9, "{apart}");
}

/// Two readings at the extremes have the largest variance that there is.
#[test]
fn what_is_summed_up_is_at_least_as_uncertain_as_its_readings() {
    let readings = [0, 10, 20, 90].map(watts);
    let exact = Batch::of(&readings).unwrap();
    let summed = Batch::summed_up(4, exact.mean(), (watts(0), watts(90))).unwrap();
    assert_eq!((summed.mean(), summed.readings), (watts(30), 4));
    assert!(Potential::said(&exact).uncertainty < Potential::said(&summed).uncertainty);
    let ends = Batch::of(&[watts(0), watts(90)]).unwrap();
    let summed = Batch::summed_up(2, watts(45), (watts(0), watts(90))).unwrap();
    assert_eq!(Potential::said(&ends), Potential::said(&summed));
    assert_eq!(Batch::summed_up(0, watts(0), (watts(0), watts(0))), None);
}

#[test]
fn what_readings_would_have_to_tell_is_retired_with_them() {
    let unread = [set(3_000, None)];
    let retired = |word, standing| {
        judge(&Case {
            archive: Archive::Retired,
            word,
            standing,
            ..case(&unread)
        })
    };
    let told = |word| retired(word, Standing::Controllable);
    assert_eq!(
        [told(Word::None).rank, told(Word::Began).rank],
        [Rank::Nothing, Rank::Response]
    );
    assert_eq!(told(Word::Began).verdict, Verdict::EvidenceRetired);
    let failed = retired(Word::Began, Standing::NotFollowing).verdict;
    assert_eq!(failed, Verdict::EvidenceRetired);
    let refused = retired(Word::None, Standing::OptedOut).verdict;
    assert_eq!(refused, Verdict::OptedOut, "the ledger says so");
}

fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Delivered | Verdict::CompliedBinding | Verdict::CompliedNonBinding => 0,
        Verdict::PartlyDelivered => 1,
        _ => 2,
    }
}

/// A stretch whose readings and ratings are those of a DER of 10 kW.
fn any_stretch() -> impl Strategy<Value = Stretch> {
    let asked = prop_oneof![
        (-10_000..10_000_i64).prop_map(|p| Asked::Set(watts(p))),
        (0..10_000_i64).prop_map(|p| Asked::Limit(watts(p))),
    ];
    let metered = prop::collection::vec(-12_000_000_000..12_000_000_000_i64, 0..4);
    let potential = prop::option::of((-100_000_000..10_000_000_000_i64, 0..5_000_000_000_i64));
    (asked, metered, potential, 1..7_200_u64).prop_map(|(asked, metered, potential, secs)| {
        let metered: Vec<Watts> = metered.into_iter().map(Watts::from_micro).collect();
        Stretch {
            interval: Interval {
                start: t(0),
                duration: Duration::from_secs(secs),
            },
            asked,
            metered: Batch::of(&metered).map(Metered::from),
            potential: potential.map(|(p, uncertainty)| Potential {
                p: Watts::from_micro(p),
                uncertainty: Watts::from_micro(uncertainty),
                readings: 2,
            }),
        }
    })
}

proptest! {
    /// Whatever the true potential within its uncertainty, what was held back is within its own.
    #[test]
    fn curtailed_is_neither_negative_nor_above_the_potential(
        stretch in any_stretch(),
        truth in -1.0..1.0_f64,
    ) {
        let found = energy(&[stretch]);
        let most = stretch.potential.map_or(Watts::ZERO, |potential| potential.p.max(Watts::ZERO));
        prop_assert!(WattHours::ZERO <= found.curtailed);
        prop_assert!(found.curtailed <= most.over(stretch.interval.duration));
        prop_assert!(WattHours::ZERO <= found.curtailed_uncertainty);
        if let Some(potential) = stretch.potential {
            let p = potential.p + Watts::from_f64(potential.uncertainty.as_f64() * truth);
            let potential = Some(Potential { p, uncertainty: Watts::ZERO, ..potential });
            let real = energy(&[Stretch { potential, ..stretch }]).curtailed;
            // Each of the three is rounded towards zero by less than a micro-watt-hour.
            let slack = WattHours::from_micro(2);
            prop_assert!((real - found.curtailed).abs() <= found.curtailed_uncertainty + slack);
        }
    }

    /// From what was asked towards what it did before, the verdict only gets worse.
    #[test]
    fn the_verdict_gets_no_better_with_the_deviation(
        asked in -5_000..5_000_i64,
        base in -5_000..5_000_i64,
        (near, far) in (0..=1_000_i64, 0..=1_000_i64).prop_map(|(a, b)| (a.min(b), a.max(b))),
    ) {
        let at = |part: i64| asked + (base - asked) * part / 1_000;
        let judged = |part| {
            let stretches = [set(asked, Some(at(part)))];
            severity(judge(&Case { base: watts(base), ..case(&stretches) }).verdict)
        };
        prop_assert!(judged(near) <= judged(far));
        prop_assert_eq!(judged(0), 0);
    }

    /// A failure stays one when the meter is further off on the same side.
    #[test]
    fn what_has_failed_fails_all_the_more_further_off(
        asked in -5_000..5_000_i64,
        off in -9_000..9_000_i64,
        more in 1..3_i64,
    ) {
        let near = severity(verdict(&[set(asked, Some(asked + off))]));
        let far = severity(verdict(&[set(asked, Some(asked + off * more))]));
        prop_assert!(near <= far);
    }

    /// Members add up to the same, to the micro-watt-hour, in any order and on any pages.
    #[test]
    fn totals_are_the_sum_of_the_members(
        worlds in prop::collection::vec(prop::collection::vec(any_stretch(), 0..5), 0..40),
        page in 1..41_usize,
    ) {
        let member = |stretches: &Vec<Stretch>| {
            let rated = Case { rating: watts(10_000), ..case(stretches) };
            ((!stretches.is_empty()).then(|| judge(&rated).verdict), energy(stretches))
        };
        let rows: Vec<(Option<Verdict>, Energy)> = worlds.iter().map(member).collect();
        let total_of = |rows: &mut dyn Iterator<Item = &(Option<Verdict>, Energy)>| {
            let mut total = Total::default();
            for (verdict, energy) in rows {
                total.add(*verdict, *energy);
            }
            total
        };
        let total = total_of(&mut rows.iter());
        prop_assert_eq!(&total, &total_of(&mut rows.iter().rev()));
        let paged: Energy = rows
            .chunks(page)
            .map(|rows| total_of(&mut rows.iter()).energy)
            .sum();
        prop_assert_eq!(total.energy, paged);
        let micro = |of: fn(&Energy) -> WattHours| {
            rows.iter().map(|(_, energy)| i128::from(of(energy).micro())).sum::<i128>()
        };
        prop_assert_eq!(micro(|energy| energy.asked), i128::from(total.energy.asked.micro()));
        prop_assert_eq!(micro(|energy| energy.metered), i128::from(total.energy.metered.micro()));
        prop_assert_eq!(micro(|energy| energy.curtailed), i128::from(total.energy.curtailed.micro()));
        let asked = rows.iter().filter(|(verdict, _)| verdict.is_some()).count();
        prop_assert_eq!(total.verdicts.values().sum::<usize>(), asked);
    }
}
