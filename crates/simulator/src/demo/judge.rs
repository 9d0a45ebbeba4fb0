//! Whether the story ended as it should have. Everything is judged by what meters and devices
//! saw; what the server says is compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::api::{required, text};
use super::error::DemoError;
use crate::device::Seen;

/// The largest deviation from what was asked of an interval, in percent of its magnitude.
const INTERVAL_ERROR_MAX_PCT: f64 = 5.0;
/// How far a group's status may be from the meters, in percent of what was asked.
const STATUS_ERROR_MAX_PCT: f64 = 10.0;
/// How far the shares of a plan may be from its target, in percent, where members that are not
/// asked count as metered.
const SHARES_ERROR_MAX_PCT: f64 = 2.5;

/// One interval of the dispatch as the feeder head saw it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) asked_w: f64,
    /// The interval without its ramp.
    pub(super) judged: Duration,
    pub(super) delivered_w: Option<f64>,
}

impl Target {
    fn error_pct(&self) -> f64 {
        let delivered_w = self.delivered_w.unwrap_or(f64::INFINITY);
        (delivered_w - self.asked_w).abs() / self.asked_w.abs() * 100.0
    }

    fn hours(&self) -> f64 {
        self.judged.as_secs_f64() / 3600.0
    }
}

/// What the server had acknowledged before it was killed, and what it knows after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) before: BTreeSet<String>,
    pub(super) after: BTreeSet<String>,
}

/// A control as the server has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Control {
    pub(super) mrid: u128,
    pub(super) interval: u64,
    pub(super) generation: u64,
    pub(super) p_w: f64,
    /// States that its ledger has seen.
    pub(super) states: Vec<String>,
}

/// What the server says became of the dispatch at one DER.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Delivery {
    pub(super) name: String,
    pub(super) verdict: String,
    pub(super) measured_w: Option<f64>,
    pub(super) asked_wh: f64,
    pub(super) delivered_wh: f64,
    pub(super) controls: Vec<Control>,
}

impl Delivery {
    pub(super) fn read(row: &Value) -> Result<Self, DemoError> {
        let name = required("a delivery", row, "/der/name")?;
        let controls = row["controls"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|control| {
                let mrid = required("a control", control, "/mrid")?;
                let states = control["entries"].as_array().into_iter().flatten();
                let lacks = |field: &str| DemoError::Lacks {
                    what: "a control".to_owned(),
                    field: field.to_owned(),
                };
                Ok(Control {
                    mrid: u128::from_str_radix(mrid, 16)
                        .map_err(|_| lacks("a hexadecimal mRID"))?,
                    interval: control["interval"]
                        .as_u64()
                        .ok_or_else(|| lacks("interval"))?,
                    generation: control["generation"]
                        .as_u64()
                        .ok_or_else(|| lacks("generation"))?,
                    p_w: control["p_w"].as_f64().ok_or_else(|| lacks("p_w"))?,
                    states: states
                        .filter_map(|it| text(it, "/state"))
                        .map(str::to_owned)
                        .collect(),
                })
            });
        Ok(Self {
            name: name.to_owned(),
            verdict: text(row, "/verdict").unwrap_or("none").to_owned(),
            measured_w: row.pointer("/measured_w/value").and_then(Value::as_f64),
            asked_wh: row["asked_wh"].as_f64().unwrap_or(0.0),
            delivered_wh: row["delivered_wh"].as_f64().unwrap_or(0.0),
            controls: controls.collect::<Result<_, DemoError>>()?,
        })
    }

    /// The share that holds for `interval`, the latest of those that `counts` accepts.
    fn share_w(&self, interval: u64, counts: impl Fn(u128) -> bool) -> Option<f64> {
        let own = self.controls.iter();
        let own = own.filter(|control| control.interval == interval && counts(control.mrid));
        own.max_by_key(|control| control.generation)
            .map(|control| control.p_w)
    }
}

/// All that the judgement rests on.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub(super) targets: Vec<Target>,
    pub(super) rating_w: f64,
    pub(super) highest_w: f64,
    /// In the order of `seen`.
    pub(super) names: Vec<String>,
    pub(super) inert: String,
    pub(super) opted_out: String,
    pub(super) cut_off: String,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) seen: Vec<Seen>,
    pub(super) status_w: Option<(f64, f64)>,
    pub(super) kept: Option<Kept>,
}

impl Evidence {
    fn delivery(&self, name: &str) -> Option<&Delivery> {
        self.deliveries
            .iter()
            .find(|delivery| delivery.name == name)
    }

    fn verdict(&self, name: &str) -> &str {
        self.delivery(name)
            .map_or("absent", |delivery| &delivery.verdict)
    }

    fn verdicts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for delivery in &self.deliveries {
            *counts.entry(delivery.verdict.as_str()).or_default() += 1;
        }
        counts
    }
}

/// One thing that had to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    what: &'static str,
    is_so: bool,
    found: String,
}

/// The outcome.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judgement {
    checks: Vec<Check>,
    worst_pct: f64,
}

pub(super) fn judge(evidence: &Evidence) -> Judgement {
    let worst_pct = evidence
        .targets
        .iter()
        .map(Target::error_pct)
        .fold(0.0, f64::max);
    let checks = vec![
        Check {
            what: "every interval is delivered within 5 % at the feeder head",
            is_so: worst_pct <= INTERVAL_ERROR_MAX_PCT && !evidence.targets.is_empty(),
            found: format!("worst {worst_pct:.2} %"),
        },
        Check {
            what: "the feeder head stays within its rating",
            is_so: evidence.highest_w <= evidence.rating_w,
            found: format!(
                "{:.1} of {:.1} kW",
                evidence.highest_w / 1000.0,
                evidence.rating_w / 1000.0
            ),
        },
        verdict(
            evidence,
            "who acknowledges and does not move has not delivered",
            &evidence.inert,
            "acknowledged_not_delivered",
        ),
        verdict(
            evidence,
            "who opts out is known to have",
            &evidence.opted_out,
            "opted_out",
        ),
        verdict(
            evidence,
            "who is cut off is silent",
            &evidence.cut_off,
            "silent",
        ),
        others(evidence),
        shares(evidence),
        status(evidence),
        issued_once(evidence),
        known_to_server(evidence),
        responses_kept(evidence),
        kept(evidence),
    ];
    Judgement { checks, worst_pct }
}

fn verdict(evidence: &Evidence, what: &'static str, name: &str, expected: &str) -> Check {
    let found = evidence.verdict(name);
    Check {
        what,
        is_so: found == expected,
        found: format!("{name}: {found}"),
    }
}

fn others(evidence: &Evidence) -> Check {
    let failing = [&evidence.inert, &evidence.opted_out, &evidence.cut_off];
    let mut found = Vec::new();
    for name in evidence.names.iter().filter(|name| !failing.contains(name)) {
        let verdict = evidence.verdict(name);
        let is_done = matches!(
            verdict,
            "delivered" | "partly_delivered" | "complied_binding" | "complied_non_binding"
        );
        if !is_done {
            found.push(format!("{name}: {verdict}"));
        }
    }
    let is_so = found.is_empty();
    let counts = evidence.verdicts();
    let counts = counts
        .iter()
        .map(|(verdict, count)| format!("{count} {verdict}"));
    found.extend(counts);
    Check {
        what: "everybody else delivers",
        is_so,
        found: found.join(", "),
    }
}

/// In the last interval all shares together, with that which the cut-off DER still holds and with
/// what the members do that are no longer asked, make the target: nothing is given away twice and
/// nothing is forgotten.
fn shares(evidence: &Evidence) -> Check {
    let what = "the shares of the last interval make its target";
    let (Some(target), Some(last)) = (
        evidence.targets.last(),
        evidence.targets.len().checked_sub(1),
    ) else {
        return Check {
            what,
            is_so: false,
            found: "no interval".to_owned(),
        };
    };
    let interval = u64::try_from(last).unwrap_or(u64::MAX);
    let mut sum_w = 0.0;
    for (name, seen) in evidence.names.iter().zip(&evidence.seen) {
        let Some(delivery) = evidence.delivery(name) else {
            continue;
        };
        let is_asked = name != &evidence.inert && name != &evidence.opted_out;
        let share_w = delivery.share_w(interval, |mrid| {
            is_asked && (name != &evidence.cut_off || seen.events.contains_key(&mrid))
        });
        sum_w += share_w.or(delivery.measured_w).unwrap_or(0.0);
    }
    let error_pct = (sum_w - target.asked_w).abs() / target.asked_w.abs() * 100.0;
    Check {
        what,
        is_so: error_pct <= SHARES_ERROR_MAX_PCT,
        found: format!(
            "{:.1} kW of {:.1} kW",
            sum_w / 1000.0,
            target.asked_w / 1000.0
        ),
    }
}

fn status(evidence: &Evidence) -> Check {
    let what = "DERGroupStatuses follow the meters";
    let (Some((said_w, metered_w)), Some(first)) = (evidence.status_w, evidence.targets.first())
    else {
        return Check {
            what,
            is_so: false,
            found: "never asked".to_owned(),
        };
    };
    let error_pct = (said_w - metered_w).abs() / first.asked_w.abs() * 100.0;
    Check {
        what,
        is_so: error_pct <= STATUS_ERROR_MAX_PCT,
        found: format!(
            "{:.1} kW, metered {:.1} kW",
            said_w / 1000.0,
            metered_w / 1000.0
        ),
    }
}

fn issued_once(evidence: &Evidence) -> Check {
    let mut mrids = BTreeSet::new();
    let mut orders = BTreeSet::new();
    let mut twice = 0;
    for delivery in &evidence.deliveries {
        for control in &delivery.controls {
            let order = (&delivery.name, control.interval, control.generation);
            if !mrids.insert(control.mrid) || !orders.insert(order) {
                twice += 1;
            }
        }
    }
    Check {
        what: "no control is issued twice",
        is_so: twice == 0 && !mrids.is_empty(),
        found: format!("{} controls, {twice} of them twice", mrids.len()),
    }
}

/// What devices have seen of this dispatch the server still knows: a control that it had shown
/// and then lost would be one here that it does not name.
fn known_to_server(evidence: &Evidence) -> Check {
    let known: BTreeSet<u128> = evidence
        .deliveries
        .iter()
        .flat_map(|it| &it.controls)
        .map(|it| it.mrid)
        .collect();
    let first = known.first().copied().unwrap_or(u128::MAX);
    let of_this_dispatch = evidence.seen.iter().flat_map(|seen| seen.events.keys());
    let of_this_dispatch: BTreeSet<u128> = of_this_dispatch
        .copied()
        .filter(|mrid| first <= *mrid)
        .collect();
    let unknown = of_this_dispatch.difference(&known).count();
    Check {
        what: "every control that a device has seen is known to the server",
        is_so: unknown == 0 && !of_this_dispatch.is_empty(),
        found: format!("{} seen, {unknown} unknown", of_this_dispatch.len()),
    }
}

/// The ledger states that show that a response was kept. A device responds in order, so a later
/// state that its meter has reached already stands for an earlier one.
fn states_of(response: u8) -> &'static [&'static str] {
    match response {
        1 => &["received", "started", "following"],
        2 => &["started", "following"],
        3 => &["completed"],
        4 | 6 | 7 | 14 => &["overridden"],
        _ => &[],
    }
}

/// Every response that the server has acknowledged is in its ledger, those from before it was
/// killed included.
fn responses_kept(evidence: &Evidence) -> Check {
    let controls: BTreeMap<u128, &Control> = evidence
        .deliveries
        .iter()
        .flat_map(|delivery| &delivery.controls)
        .map(|control| (control.mrid, control))
        .collect();
    let (mut kept, mut lost) = (0, Vec::new());
    let taken = evidence.names.iter().zip(&evidence.seen);
    for (name, (mrid, status, _)) in
        taken.flat_map(|(name, seen)| seen.taken.iter().map(move |taken| (name, taken)))
    {
        let expected = states_of(*status);
        let Some(control) = controls.get(mrid).filter(|_| !expected.is_empty()) else {
            continue;
        };
        if control
            .states
            .iter()
            .any(|state| expected.contains(&state.as_str()))
        {
            kept += 1;
        } else {
            lost.push(format!("{name} {status} of {}", control.states.join(">")));
        }
    }
    let is_so = lost.is_empty() && kept > 0;
    let examples = lost.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    let found = format!("{kept} kept, {} lost {examples}", lost.len());
    Check {
        what: "every acknowledged response is in the ledger",
        is_so,
        found,
    }
}

fn kept(evidence: &Evidence) -> Check {
    let what = "nothing acknowledged before the kill is lost";
    let Some(kept) = &evidence.kept else {
        return Check {
            what,
            is_so: false,
            found: "never killed".to_owned(),
        };
    };
    let lost: Vec<&String> = kept.before.difference(&kept.after).collect();
    let found = match lost.first() {
        None => format!("{} facts before, all there after", kept.before.len()),
        Some(first) => format!("{} lost, such as {first}", lost.len()),
    };
    Check {
        what,
        is_so: lost.is_empty() && !kept.before.is_empty(),
        found,
    }
}

impl Judgement {
    pub(super) fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.is_so)
    }

    /// For people.
    pub(super) fn table(&self, evidence: &Evidence) -> Vec<String> {
        let mut lines = vec![
            String::new(),
            "interval      asked kW  delivered kW   error %".to_owned(),
        ];
        for (number, target) in (1..).zip(&evidence.targets) {
            lines.push(format!(
                "{number:>8}  {:>12.1}  {:>12.1}  {:>8.2}",
                target.asked_w / 1000.0,
                target.delivered_w.unwrap_or(f64::NAN) / 1000.0,
                target.error_pct(),
            ));
        }
        lines.push(String::new());
        lines.push("DER           verdict                       asked Wh  metered Wh".to_owned());
        let failing = [&evidence.inert, &evidence.opted_out, &evidence.cut_off];
        for delivery in &evidence.deliveries {
            if failing.contains(&&delivery.name) || delivery.verdict != "delivered" {
                lines.push(format!(
                    "{:<12}  {:<26}  {:>10.1}  {:>10.1}",
                    delivery.name, delivery.verdict, delivery.asked_wh, delivery.delivered_wh,
                ));
            }
        }
        lines.push(String::new());
        for check in &self.checks {
            let mark = if check.is_so { "yes" } else { "NO " };
            lines.push(format!("{mark}  {} ({})", check.what, check.found));
        }
        lines
    }

    /// For programs. Energies are sums of magnitudes, so that intervals of opposite direction do
    /// not cancel; what went the wrong way counts against what was delivered.
    pub(super) fn json(&self, evidence: &Evidence) -> Value {
        let asked_wh: f64 = evidence
            .targets
            .iter()
            .map(|target| target.asked_w.abs() * target.hours())
            .sum();
        let delivered_wh: f64 = evidence
            .targets
            .iter()
            .map(|target| {
                target.delivered_w.unwrap_or(0.0) * target.asked_w.signum() * target.hours()
            })
            .sum();
        let tenth = |wh: f64| (wh * 10.0).round() / 10.0;
        json!({
            "ders": evidence.names.len(),
            "asked_wh": tenth(asked_wh),
            "delivered_wh": tenth(delivered_wh),
            "worst_interval_error_pct": (self.worst_pct * 100.0).round() / 100.0,
            "verdicts": evidence.verdicts(),
            "pass": self.passed(),
        })
    }
}

#[cfg(test)]
mod tests;
