use super::*;

fn setup(seed: u64, faults: &str) -> Setup {
    Setup {
        seed,
        ders: 9,
        lasts: Duration::from_secs(3 * 3_600),
        faults: faults.parse().unwrap(),
        keep: Keep::Last,
    }
}

#[test]
fn a_seed_gives_the_same_run_to_the_last_line_and_no_other_seed_does() {
    let first = run(setup(1, "all"));
    let again = run(setup(1, "all"));
    assert_eq!(first.violation, None);
    assert_eq!(first.digest, again.digest);
    assert_eq!(first.trace, again.trace);
    assert_ne!(first.digest, run(setup(2, "all")).digest);
    assert_ne!(first.digest, run(setup(1, "none")).digest);
}

#[test]
fn totals_are_one_line_for_programs() {
    let setup = setup(3, "loss,duplication");
    let outcome = run(setup);
    let mut totals = Totals::default();
    totals.add(&setup, &outcome);
    assert!(totals.passed());
    let json = totals.json(Duration::from_millis(1_250));
    assert_eq!(json["seeds"], 1);
    assert_eq!(json["ders"], 9);
    assert_eq!(json["wall_s"], 1.3);
    assert_eq!(json["violations"], 0);
    assert!(0 < json["faults"]["loss"].as_u64().unwrap());
    assert_eq!(json["faults"]["crash"], 0);
    assert!(0 < json["checks"]["expiry"].as_u64().unwrap());
}

#[test]
fn a_violation_says_how_to_see_it_again() {
    let setup = setup(5, "loss");
    let violation = Violation {
        at: Timestamp::from_secs(86_400 + 61),
        checker: "expiry",
        message: "follows control 3".to_owned(),
    };
    let text = explain(&setup, &violation);
    let again = "cargo xtask sim --seed 5 --ders 9 --hours 3 --faults loss";
    assert!(text.contains(again), "{text}");
    assert!(text.contains("1d00:01:01.000, expiry: follows control 3"));
}
