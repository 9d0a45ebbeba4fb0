//! What clients were told, what the server has, and what of it does not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;
use units::Timestamp;

/// What clients know to be acknowledged. It is kept outside the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// By mRID.
    pub(crate) dispatches: BTreeMap<String, ToldDispatch>,
    /// Those that a device has fetched, by mRID.
    pub(crate) controls: BTreeMap<String, ToldControl>,
    /// By DER and the second they are of, when they were acknowledged.
    pub(crate) readings: BTreeMap<(String, i64), Timestamp>,
}

/// A dispatch that an operator asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToldDispatch {
    pub(crate) start_s: i64,
    /// What was acknowledged last, or may have been carried out without an answer.
    pub(crate) possible: BTreeSet<Terms>,
    pub(crate) created: Asked,
    pub(crate) published: Asked,
    pub(crate) cancelled: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Terms {
    pub(crate) p_w: i64,
    pub(crate) duration_s: i64,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Never,
    /// Without an answer, so that it may have been carried out or not.
    Sent,
    Acknowledged,
}

/// A control as its device knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToldControl {
    pub(crate) der: String,
    pub(crate) end_s: i64,
    /// Codes of the responses that the server has acknowledged.
    pub(crate) acknowledged: BTreeSet<u8>,
}

/// What the server shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) dispatches: Vec<FoundDispatch>,
    pub(crate) controls: Vec<FoundControl>,
    pub(crate) readings: BTreeSet<(String, i64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct FoundDispatch {
    pub(crate) mrid: String,
    pub(crate) state: String,
    pub(crate) terms: Terms,
}

#[derive(Clone, Debug)]
pub(crate) struct FoundControl {
    pub(crate) mrid: String,
    /// Dispatch, DER, interval and generation: whose share it is.
    pub(crate) share: (String, String, u64, u64),
    pub(crate) state: String,
    /// Codes of the responses in the ledger, in order.
    pub(crate) responses: Vec<u8>,
}

/// What may not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Lost(String),
    Doubled(String),
    Stuck(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(what) => write!(f, "lost: {what}"),
            Self::Doubled(what) => write!(f, "doubled: {what}"),
            Self::Stuck(what) => write!(f, "stuck: {what}"),
        }
    }
}

impl ToldDispatch {
    pub(crate) fn end_s(&self) -> i64 {
        let longest = self.possible.iter().map(|terms| terms.duration_s).max();
        self.start_s + longest.unwrap_or(0)
    }
}

impl FoundDispatch {
    /// A row of the list of dispatches.
    pub(crate) fn read(row: &Value) -> Self {
        let interval = &row["schedule"][0];
        let second = |name: &str| {
            let text = interval[name].as_str().unwrap();
            text.parse::<jiff::Timestamp>().unwrap().as_second()
        };
        Self {
            mrid: row["mrid"].as_str().unwrap().to_owned(),
            state: row["state"].as_str().unwrap().to_owned(),
            terms: Terms {
                p_w: whole(&interval["aim"]["p_w"]),
                duration_s: second("end") - second("start"),
            },
        }
    }

    const fn is_published(&self) -> bool {
        !matches!(self.state.as_bytes(), b"drafted" | b"planned" | b"approved")
    }
}

impl FoundControl {
    /// The controls in a row of the deliveries of `dispatch`.
    pub(crate) fn read(dispatch: &str, row: &Value) -> Vec<Self> {
        let der = row["der"]["name"].as_str().unwrap();
        let controls = row["controls"].as_array().unwrap();
        let read = |control: &Value| Self {
            mrid: control["mrid"].as_str().unwrap().to_owned(),
            share: (
                dispatch.to_owned(),
                der.to_owned(),
                control["interval"].as_u64().unwrap(),
                control["generation"].as_u64().unwrap(),
            ),
            state: control["state"].as_str().unwrap_or_default().to_owned(),
            responses: control["entries"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(response)
                .collect(),
        };
        controls.iter().map(read).collect()
    }

    fn is_final(&self) -> bool {
        ["completed", "overridden", "rejected"].contains(&self.state.as_str())
    }
}

/// What is lost, doubled, or stuck. Of what should have ended before `ended_by_s` all must be over;
/// of the readings those must be there that were acknowledged before `stored_by`.
pub(crate) fn faults(
    told: &Told,
    found: &Found,
    (ended_by_s, stored_by): (i64, Timestamp),
) -> Vec<Fault> {
    let mut faults = doubled(found);
    let dispatches: BTreeMap<&str, &FoundDispatch> = found
        .dispatches
        .iter()
        .map(|d| (d.mrid.as_str(), d))
        .collect();
    for (mrid, dispatch) in &told.dispatches {
        match dispatches.get(mrid.as_str()) {
            Some(found) => faults.extend(of_dispatch((mrid, dispatch), found, ended_by_s)),
            None if dispatch.created == Asked::Acknowledged => {
                faults.push(Fault::Lost(format!("dispatch {mrid}")));
            }
            None => {}
        }
    }
    let controls: BTreeMap<&str, &FoundControl> = found
        .controls
        .iter()
        .map(|c| (c.mrid.as_str(), c))
        .collect();
    for (mrid, control) in &told.controls {
        match controls.get(mrid.as_str()) {
            Some(found) => faults.extend(of_control((mrid, control), found, ended_by_s)),
            None => faults.push(Fault::Lost(format!("control {mrid} of {}", control.der))),
        }
    }
    let readings = told.readings.iter().filter(|(_, told)| **told < stored_by);
    let lost = readings.filter(|(reading, _)| !found.readings.contains(*reading));
    faults.extend(lost.map(|(reading, at)| {
        let (der, second) = reading;
        Fault::Lost(format!(
            "reading of {der} at {second}, told {}",
            at.millis()
        ))
    }));
    faults
}

fn of_dispatch(
    (mrid, told): (&str, &ToldDispatch),
    found: &FoundDispatch,
    ended_by_s: i64,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let state = &found.state;
    let mut lost = |what: String| faults.push(Fault::Lost(format!("{what} of dispatch {mrid}")));
    if !told.possible.contains(&found.terms) {
        lost(format!(
            "change to {:?}, {:?} is there,",
            told.possible, found.terms
        ));
    }
    if told.published == Asked::Acknowledged && !found.is_published() {
        lost(format!("publication, it is {state},"));
    }
    if told.cancelled == Asked::Acknowledged && state != "cancelled" {
        lost(format!("cancellation, it is {state},"));
    }
    let is_over = state == "ended" || state == "cancelled";
    if told.end_s() < ended_by_s && !is_over {
        faults.push(Fault::Stuck(format!("dispatch {mrid} is {state}")));
    }
    faults
}

fn of_control(
    (mrid, told): (&str, &ToldControl),
    found: &FoundControl,
    ended_by_s: i64,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for code in &told.acknowledged {
        if !found.responses.contains(code) {
            let what = format!("response {code} to control {mrid} of {}", told.der);
            faults.push(Fault::Lost(what));
        }
    }
    if found.share.1 != told.der {
        let what = format!(
            "control {mrid} is of {}, not of {}",
            found.share.1, told.der
        );
        faults.push(Fault::Doubled(what));
    }
    if told.end_s < ended_by_s && !found.is_final() {
        let what = format!("control {mrid} of {} is {}", told.der, found.state);
        faults.push(Fault::Stuck(what));
    }
    faults
}

fn doubled(found: &Found) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    let mut once = |what: String| {
        if !seen.insert(what.clone()) {
            faults.push(Fault::Doubled(what));
        }
    };
    for dispatch in &found.dispatches {
        once(format!("dispatch {}", dispatch.mrid));
    }
    for control in &found.controls {
        once(format!("control {}", control.mrid));
        once(format!("share {:?}", control.share));
        for code in &control.responses {
            once(format!("response {code} to control {}", control.mrid));
        }
    }
    faults
}

/// The code of a step that rests on a response.
fn response(entry: &Value) -> Option<u8> {
    let evidence = entry["evidence"].as_str()?;
    let (code, _) = evidence.strip_prefix("response ")?.split_once(':')?;
    code.parse().ok()
}

/// Targets are asked for in whole watts.
fn whole(value: &Value) -> i64 {
    let text = format!("{:.0}", value.as_f64().unwrap());
    text.parse().unwrap()
}

mod tests {
    use super::*;

    const LATER_S: i64 = 1_000;
    const STORED_BY: Timestamp = Timestamp::from_millis(500_000);

    fn told() -> Told {
        let mut told = Told::default();
        let dispatch = ToldDispatch {
            start_s: 100,
            possible: BTreeSet::from([TERMS]),
            created: Asked::Acknowledged,
            published: Asked::Acknowledged,
            cancelled: Asked::Never,
        };
        told.dispatches.insert("d1".to_owned(), dispatch);
        let control = ToldControl {
            der: "a".to_owned(),
            end_s: 104,
            acknowledged: BTreeSet::from([1, 2, 3]),
        };
        told.controls.insert("c1".to_owned(), control);
        let at = Timestamp::from_millis(101_300);
        told.readings.insert(("a".to_owned(), 101), at);
        told
    }

    const TERMS: Terms = Terms {
        p_w: 1_000,
        duration_s: 4,
    };

    fn found() -> Found {
        Found {
            dispatches: vec![FoundDispatch {
                mrid: "d1".to_owned(),
                state: "ended".to_owned(),
                terms: TERMS,
            }],
            controls: vec![FoundControl {
                mrid: "c1".to_owned(),
                share: ("d1".to_owned(), "a".to_owned(), 0, 1),
                state: "completed".to_owned(),
                responses: vec![1, 2, 3],
            }],
            readings: BTreeSet::from([("a".to_owned(), 101)]),
        }
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Told, &mut Found), expected: &[&str]) {
        let (mut told, mut found) = (told(), found());
        change(&mut told, &mut found);
        let seen: Vec<String> = faults(&told, &found, (LATER_S, STORED_BY))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_as_it_was_told_is_no_fault() {
        check(|_, _| {}, &[]);
    }

    #[test]
    fn what_is_not_there_any_more_is_lost() {
        check(|_, found| found.dispatches.clear(), &["lost: dispatch d1"]);
        check(
            |_, found| found.controls.clear(),
            &["lost: control c1 of a"],
        );
        check(
            |_, found| found.readings.clear(),
            &["lost: reading of a at 101, told 101300"],
        );
        check(
            |_, found| found.controls[0].responses = vec![1, 3],
            &["lost: response 2 to control c1 of a"],
        );
        check(
            |_, found| found.dispatches[0].terms.p_w = 900,
            &["lost: change to {Terms { p_w: 1000, duration_s: 4 }}, \
               Terms { p_w: 900, duration_s: 4 } is there, of dispatch d1"],
        );
        check(
            |told, _| told.dispatches.get_mut("d1").unwrap().cancelled = Asked::Acknowledged,
            &["lost: cancellation, it is ended, of dispatch d1"],
        );
        check(
            |_, found| found.dispatches[0].state = "approved".to_owned(),
            &[
                "lost: publication, it is approved, of dispatch d1",
                "stuck: dispatch d1 is approved",
            ],
        );
    }

    #[test]
    fn what_was_asked_for_without_an_answer_may_be_there_or_not() {
        let other = Terms {
            p_w: 900,
            duration_s: 4,
        };
        for terms in [TERMS, other] {
            check(
                |told, found| {
                    let dispatch = told.dispatches.get_mut("d1").unwrap();
                    dispatch.possible.insert(other);
                    dispatch.cancelled = Asked::Sent;
                    found.dispatches[0].terms = terms;
                },
                &[],
            );
        }
        check(
            |told, found| {
                told.dispatches.get_mut("d1").unwrap().created = Asked::Sent;
                found.dispatches.clear();
            },
            &[],
        );
    }

    #[test]
    fn what_is_there_twice_is_doubled() {
        check(
            |_, found| found.dispatches.extend(found.dispatches.clone()),
            &["doubled: dispatch d1"],
        );
        check(
            |_, found| {
                let mut again = found.controls[0].clone();
                again.mrid = "c2".to_owned();
                found.controls.push(again);
            },
            &["doubled: share (\"d1\", \"a\", 0, 1)"],
        );
        check(
            |_, found| found.controls[0].responses.push(3),
            &["doubled: response 3 to control c1"],
        );
        check(
            |_, found| found.controls[0].share.1 = "b".to_owned(),
            &["doubled: control c1 is of b, not of a"],
        );
    }

    #[test]
    fn what_does_not_end_is_stuck() {
        check(
            |_, found| found.dispatches[0].state = "active".to_owned(),
            &["stuck: dispatch d1 is active"],
        );
        check(
            |_, found| found.controls[0].state = "started".to_owned(),
            &["stuck: control c1 of a is started"],
        );
    }

    #[test]
    fn a_reading_that_may_not_be_stored_yet_is_no_fault() {
        check(
            |told, _| {
                let late = ("a".to_owned(), 501);
                told.readings.insert(late, STORED_BY);
            },
            &[],
        );
    }
}
