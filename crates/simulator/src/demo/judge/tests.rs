use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ieee2030_5::client::{Outcome, Phase, Stage};
use units::Timestamp;

use super::{Control, Delivery, Evidence, Kept, Target, judge};
use crate::device::Seen;

const COMPLETED: [&str; 4] = ["planned", "received", "started", "completed"];

fn control(mrid: u128, p_w: f64) -> Control {
    let states = COMPLETED.map(str::to_owned).to_vec();
    Control {
        mrid,
        interval: 0,
        generation: 1,
        p_w,
        states,
    }
}

fn delivery(name: &str, verdict: &str, controls: Vec<Control>, measured_w: f64) -> Delivery {
    Delivery {
        name: name.to_owned(),
        verdict: verdict.to_owned(),
        measured_w: Some(measured_w),
        asked_wh: 0.0,
        delivered_wh: 0.0,
        controls,
    }
}

fn seen(mrid: u128) -> Seen {
    let taken = [1, 2, 3].map(|status| (mrid, status, Timestamp::default()));
    Seen {
        stage: Stage::InService,
        events: BTreeMap::from([(mrid, Phase::Over(Outcome::Completed))]),
        taken: taken.to_vec(),
        ..Seen::default()
    }
}

/// Five DER that deliver 10 kW as they should.
fn good() -> Evidence {
    let names = ["good", "other", "inert", "opted", "cut"];
    let shares_w = [6_000.0, 4_000.0, 0.0, 0.0, 2_000.0];
    let verdicts = [
        "delivered",
        "delivered",
        "acknowledged_not_delivered",
        "opted_out",
        "silent",
    ];
    let measured_w = [6_000.0, 4_000.0, 0.0, -2_000.0, 2_000.0];
    let rows = (1..).zip(names).zip(shares_w).zip(verdicts).zip(measured_w);
    let deliveries = rows.map(|((((mrid, name), share_w), verdict), measured_w)| {
        delivery(name, verdict, vec![control(mrid, share_w)], measured_w)
    });
    let facts = BTreeSet::from(["DER good".to_owned()]);
    Evidence {
        targets: vec![Target {
            asked_w: 10_000.0,
            judged: Duration::from_secs(22),
            delivered_w: Some(9_800.0),
        }],
        rating_w: 20_000.0,
        highest_w: 12_000.0,
        names: names.map(str::to_owned).to_vec(),
        inert: "inert".to_owned(),
        opted_out: "opted".to_owned(),
        cut_off: "cut".to_owned(),
        deliveries: deliveries.collect(),
        seen: (1..=5).map(seen).collect(),
        status_w: Some((9_500.0, 9_900.0)),
        kept: Some(Kept {
            before: facts.clone(),
            after: facts,
        }),
    }
}

fn fails(change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    let mut evidence = good();
    change(&mut evidence);
    let judgement = judge(&evidence);
    let failed = judgement.checks.iter().filter(|check| !check.is_so);
    failed.map(|check| check.what).collect()
}

#[test]
fn a_good_ending_passes_and_says_so() {
    let evidence = good();
    let judgement = judge(&evidence);
    assert!(judgement.passed(), "{:?}", judgement.checks);
    let line = judgement.json(&evidence);
    assert_eq!(
        line.to_string(),
        "{\"asked_wh\":61.1,\"delivered_wh\":59.9,\"ders\":5,\"pass\":true,\
         \"verdicts\":{\"acknowledged_not_delivered\":1,\"delivered\":2,\"opted_out\":1,\"silent\":1},\
         \"worst_interval_error_pct\":2.0}"
    );
}

#[test]
fn each_way_to_fail_is_found() {
    let within = "every interval is delivered within 5 % at the feeder head";
    assert_eq!(
        fails(|it| it.targets[0].delivered_w = Some(9_400.0)),
        [within]
    );
    assert_eq!(fails(|it| it.targets[0].delivered_w = None), [within]);
    assert_eq!(
        fails(|it| it.highest_w = 20_001.0),
        ["the feeder head stays within its rating"]
    );
    let moved = "who acknowledges and does not move has not delivered";
    assert_eq!(
        fails(|it| it.deliveries[2].verdict = "delivered".to_owned()),
        [moved]
    );
    let opted = "who opts out is known to have";
    assert_eq!(
        fails(|it| it.deliveries[3].verdict = "delivered".to_owned()),
        [opted]
    );
    let silent = "who is cut off is silent";
    assert_eq!(
        fails(|it| it.deliveries[4].verdict = "delivered".to_owned()),
        [silent]
    );
    let others = "everybody else delivers";
    assert_eq!(
        fails(|it| it.deliveries[0].verdict = "pending".to_owned()),
        [others]
    );
    let status = "DERGroupStatuses follow the meters";
    assert_eq!(fails(|it| it.status_w = Some((5_000.0, 9_900.0))), [status]);
    assert_eq!(fails(|it| it.status_w = None), [status]);
}

#[test]
fn a_share_that_is_given_away_twice_is_found() {
    let shares = "the shares of the last interval make its target";
    let replaced = |p_w| Control {
        generation: 2,
        ..control(9, p_w)
    };
    let twice = fails(|it| {
        it.deliveries[0].controls.push(replaced(8_000.0));
        it.seen[0].events.insert(9, Phase::Active);
    });
    assert_eq!(twice, [shares]);
    let unheard = fails(|it| it.deliveries[4].controls.push(replaced(0.0)));
    assert!(
        unheard.is_empty(),
        "what the cut-off DER cannot have heard does not count"
    );
}

#[test]
fn what_is_issued_twice_or_lost_is_found() {
    let twice = "no control is issued twice";
    assert_eq!(
        fails(|it| it.deliveries[0].controls.push(control(7, 6_000.0))),
        [twice]
    );
    let unknown = "every control that a device has seen is known to the server";
    assert_eq!(
        fails(|it| it.seen[0].events.extend([(8, Phase::Active)])),
        [unknown]
    );
    let response = "every acknowledged response is in the ledger";
    let forgotten = |it: &mut Evidence| it.deliveries[0].controls[0].states.truncate(2);
    assert_eq!(fails(forgotten), [response]);
    let kept = "nothing acknowledged before the kill is lost";
    assert_eq!(fails(|it| it.kept = None), [kept]);
    let lost = |it: &mut Evidence| it.kept.as_mut().unwrap().after.clear();
    assert_eq!(fails(lost), [kept]);
}
