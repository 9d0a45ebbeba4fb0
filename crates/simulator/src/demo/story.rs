//! The storyline, scene by scene.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use units::Timestamp;

use super::api::required;
use super::error::DemoError;
use super::fleet::Fleet;
use super::judge::{self, Evidence, Kept, Target};
use super::roster::{FEEDER_RATING_W, Kind, Roster};
use super::screen::bar;
use super::stage::Stage;
use crate::device::Fault;

/// Net power of all DER in each interval, injection positive. Sun alone gives neither.
const TARGETS_W: [f64; 3] = [190_000.0, -120_000.0, 90_000.0];
const INTERVAL: Duration = Duration::from_secs(30);
/// Delivery is judged from this long after the start of each interval.
const RAMP: Duration = Duration::from_secs(8);
/// Between asking for a dispatch and its start.
const NOTICE: Duration = Duration::from_secs(8);
/// Between the end of a dispatch and its judgement, for the last responses to come in.
const AFTERMATH: Duration = Duration::from_secs(6);
/// The server stays down this long.
const OUTAGE: Duration = Duration::from_millis(1_500);
const IN_SERVICE_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(500);

const FEEDER_GROUP: &str = "feeder";
const STORAGE_GROUP: &str = "storage";

/// What happens, and how long after the start of the dispatch.
const SCRIPT: [(Duration, Act); 4] = [
    (Duration::from_secs(12), Act::OptOut),
    (Duration::from_secs(19), Act::Statuses),
    (Duration::from_secs(20), Act::CutOff),
    (Duration::from_secs(42), Act::Kill),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    OptOut,
    Statuses,
    CutOff,
    Kill,
}

/// Makes every DER known to the server, and gives the PIN of each.
pub(super) async fn enrol(
    stage: &mut Stage<'_>,
    roster: &Roster,
) -> Result<BTreeMap<String, u32>, DemoError> {
    let mut new = Vec::new();
    for member in &roster.members {
        let (cert_chain, _) = wattfold::pki::device_paths(&stage.layout.pki(), &member.name);
        let lfdi = wattfold::tls::lfdi_of_pem(&cert_chain).map_err(|source| DemoError::Tls {
            name: member.name.clone(),
            source,
        })?;
        new.push(json!({
            "name": member.name,
            "kind": member.kind.name(),
            "lfdi": lfdi.to_string(),
            "registration": "in_band",
        }));
    }
    let enrolled = stage.api.post("/api/v1/ders", &Value::Array(new)).await?;
    let items = enrolled.pointer("/items").and_then(Value::as_array);
    let mut pins = BTreeMap::new();
    for item in items.into_iter().flatten() {
        let name = required("an enrolment", item, "/der/name")?;
        let pin = item.pointer("/der/pin").and_then(Value::as_u64);
        let pin = pin.and_then(|pin| u32::try_from(pin).ok());
        let lacks = || DemoError::Lacks {
            what: name.to_owned(),
            field: "pin".to_owned(),
        };
        pins.insert(name.to_owned(), pin.ok_or_else(lacks)?);
    }
    stage
        .screen
        .say(&format!("{} DER are enrolled", pins.len()))?;
    Ok(pins)
}

/// Waits until every device follows its programmes and every meter has been heard.
pub(super) async fn wait_until_in_service(
    stage: &mut Stage<'_>,
    fleet: &Fleet,
) -> Result<(), DemoError> {
    let all = fleet.devices.len();
    let seconds = IN_SERVICE_WITHIN.as_secs();
    let deadline = stage.now().after(IN_SERVICE_WITHIN);
    loop {
        let in_service = fleet.in_service();
        let line = format!("{in_service} of {all} devices have registered and follow the server");
        stage.screen.status(&line)?;
        if in_service == all {
            stage.screen.say(&line)?;
            break;
        }
        if deadline < stage.now() {
            return Err(DemoError::NotInService {
                seconds,
                in_service,
                all,
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    loop {
        let ders = stage.api.list("/api/v1/ders").await?;
        let metered = ders.iter().filter(|der| is_described(der)).count();
        if metered == all {
            return stage
                .screen
                .say(&format!("the server has readings of all {all} DER"));
        }
        if deadline < stage.now() {
            return Err(DemoError::NotMetered {
                seconds,
                metered,
                all,
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is_described(der: &Value) -> bool {
    let has = |field: &str| der.get(field).is_some_and(|value| !value.is_null());
    has("p_w") && has("p_inject_max_w") && has("last_contact_at")
}

/// Creates two groups in one message, and asks for them and for what they can do.
pub(super) async fn group(stage: &mut Stage<'_>, roster: &Roster) -> Result<(), DemoError> {
    let feeder = format!("{FEEDER_GROUP}={}", roster.names(None).join(","));
    let storage = format!(
        "{STORAGE_GROUP}={}",
        roster.names(Some(Kind::Storage)).join(",")
    );
    stage
        .cim(&["create-groups", "--group", &feeder, "--group", &storage])
        .await?;
    let queried = stage
        .cim(&["query-groups", FEEDER_GROUP, STORAGE_GROUP])
        .await?;
    let mut found = Vec::new();
    for group in queried
        .pointer("/groups")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = required("a group", group, "/name")?;
        let members = group
            .pointer("/members")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        found.push(format!("{name} ({members} DER)"));
    }
    stage.screen.say(&format!(
        "IEC 61968-5: created and queried {}",
        found.join(" and ")
    ))?;
    let (now_w, min_w, max_w) = status(stage).await?;
    stage.screen.say(&format!(
        "IEC 61968-5: {FEEDER_GROUP} does {} and can do {} to {}",
        kilowatts(now_w),
        kilowatts(min_w),
        kilowatts(max_w),
    ))
}

/// What the utility is told of the feeder group: active power now, lowest and highest.
async fn status(stage: &Stage<'_>) -> Result<(f64, f64, f64), DemoError> {
    let answer = stage.cim(&["statuses", FEEDER_GROUP]).await?;
    let number = |field: &str| {
        let pointer = format!("/statuses/0/activePower/{field}");
        answer
            .pointer(&pointer)
            .and_then(Value::as_f64)
            .ok_or_else(|| DemoError::Lacks {
                what: "the DERGroupStatuses of the feeder".to_owned(),
                field: pointer,
            })
    };
    Ok((number("now")?, number("min")?, number("max")?))
}

/// Dispatches the feeder group, lets everything happen and judges it.
pub(super) async fn tell(
    stage: &mut Stage<'_>,
    roster: &Roster,
    fleet: &mut Fleet,
    name: &str,
) -> Result<bool, DemoError> {
    fleet.fail(roster.inert, Fault::Inert);
    stage.screen.say(&format!(
        "{} will answer and not move",
        roster.members[roster.inert].name
    ))?;
    let start = stage.now().after(NOTICE).ceil_secs();
    let mrid = dispatch(stage, start, name).await?;
    let mut tale = Tale {
        start,
        mrid,
        status_w: None,
        kept: None,
    };
    let mut script = SCRIPT.iter().peekable();
    let end = start.after(INTERVAL * 3);
    while stage.now() < end.after(AFTERMATH) {
        while let Some((_, act)) = script.next_if(|(after, _)| start.after(*after) <= stage.now()) {
            tale.perform(*act, stage, roster, fleet).await?;
        }
        show(stage, fleet, start)?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let evidence = tale.evidence(stage, roster, fleet).await?;
    let judgement = judge::judge(&evidence);
    for line in judgement.table(&evidence) {
        stage.screen.say(&line)?;
    }
    stage
        .screen
        .result(&judgement.json(&evidence).to_string())?;
    Ok(judgement.passed())
}

async fn dispatch(
    stage: &mut Stage<'_>,
    start: Timestamp,
    name: &str,
) -> Result<String, DemoError> {
    let at = jiff::Timestamp::from_millisecond(start.millis())
        .unwrap_or_default()
        .to_string();
    let watts = TARGETS_W.map(|w| w.to_string()).join(",");
    let interval = format!("{}s", INTERVAL.as_secs());
    let answer = stage
        .cim(&[
            "dispatch",
            "--group",
            FEEDER_GROUP,
            "--start",
            &at,
            "--interval",
            &interval,
            "--watts",
            &watts,
            "--name",
            name,
        ])
        .await?;
    let mrid = required("the answer to the dispatch", &answer, "/dispatches/0/mrid")?.to_owned();
    let watts = TARGETS_W.map(kilowatts).join(", then ");
    let seconds = INTERVAL.as_secs();
    stage.screen.say(&format!(
        "IEC 61968-5: dispatched {watts}, {seconds} s each"
    ))?;
    Ok(mrid)
}

fn show(stage: &mut Stage<'_>, fleet: &Fleet, start: Timestamp) -> Result<(), DemoError> {
    let now = stage.now();
    let elapsed = (now - start) as f64 / 1000.0;
    let target = TARGETS_W
        .iter()
        .zip(0_u32..)
        .find(|(_, index)| {
            let from = start.after(INTERVAL * *index);
            from <= now && now < from.after(INTERVAL)
        })
        .map(|(target, _)| *target);
    let Some(reading) = fleet.meters.read(|feeder| feeder.log().latest()) else {
        return Ok(());
    };
    let shown = bar(reading.der_w(), target, FEEDER_RATING_W);
    let asked = target.map_or("nothing".to_owned(), kilowatts);
    let line = format!(
        "{elapsed:6.1} s [{shown}] DER {:>10}, asked {:>10}, feeder head {:>10}",
        kilowatts(reading.der_w()),
        asked,
        kilowatts(reading.head_w),
    );
    stage.screen.status(&line)
}

fn kilowatts(w: f64) -> String {
    format!("{:+.1} kW", w / 1000.0)
}

/// A dispatch on its way.
struct Tale {
    start: Timestamp,
    mrid: String,
    /// What `DERGroupStatuses` said in mid-event, and the meters at that time.
    status_w: Option<(f64, f64)>,
    kept: Option<Kept>,
}

impl Tale {
    async fn perform(
        &mut self,
        act: Act,
        stage: &mut Stage<'_>,
        roster: &Roster,
        fleet: &Fleet,
    ) -> Result<(), DemoError> {
        match act {
            Act::OptOut => {
                fleet.fail(roster.opting_out, Fault::OptOut);
                let name = &roster.members[roster.opting_out].name;
                stage.screen.say(&format!("the owner of {name} opts out"))
            }
            Act::Statuses => {
                let (said_w, _, _) = status(stage).await?;
                let reading = fleet.meters.read(|feeder| feeder.log().latest());
                let metered_w = reading.unwrap_or_default().der_w();
                self.status_w = Some((said_w, metered_w));
                stage.screen.say(&format!(
                    "IEC 61968-5: {FEEDER_GROUP} does {}; the meters say {}",
                    kilowatts(said_w),
                    kilowatts(metered_w),
                ))
            }
            Act::CutOff => {
                fleet.fail(roster.cut_off, Fault::CutOff);
                let name = &roster.members[roster.cut_off].name;
                stage
                    .screen
                    .say(&format!("{name} is cut off from the network"))
            }
            Act::Kill => self.kill(stage, fleet).await,
        }
    }

    async fn kill(&mut self, stage: &mut Stage<'_>, fleet: &Fleet) -> Result<(), DemoError> {
        let before = self.control_plane(stage).await?;
        let taken: usize = fleet.seen().iter().map(|seen| seen.taken.len()).sum();
        stage.server.kill().await;
        stage.screen.say(&format!(
            "the server is killed; it had acknowledged {taken} responses"
        ))?;
        tokio::time::sleep(OUTAGE).await;
        stage.restart_server().await?;
        let down = OUTAGE.as_millis();
        let after = self.control_plane(stage).await?;
        stage
            .screen
            .say(&format!("the server is back after {down} ms and its start"))?;
        self.kept = Some(Kept { before, after });
        Ok(())
    }

    /// All that the server has acknowledged and must not lose, as lines.
    async fn control_plane(&self, stage: &mut Stage<'_>) -> Result<BTreeSet<String>, DemoError> {
        let mut lines = BTreeSet::new();
        for der in stage.api.list("/api/v1/ders").await? {
            let (name, lfdi) = (
                required("a DER", &der, "/name")?,
                required("a DER", &der, "/lfdi")?,
            );
            let registration = required("a DER", &der, "/registration")?;
            let ratings = (&der["p_inject_max_w"], &der["p_absorb_max_w"]);
            lines.insert(format!(
                "DER {name} {lfdi} {registration} {} {}",
                ratings.0, ratings.1
            ));
        }
        for group in stage.api.list("/api/v1/groups").await? {
            let mrid = required("a group", &group, "/mrid")?;
            let (names, members) = (&group["names"], &group["members_count"]);
            lines.insert(format!("group {mrid} {names} {members}"));
        }
        let dispatch = stage
            .api
            .get(&format!("/api/v1/dispatches/{}", self.mrid))
            .await?;
        lines.insert(format!("dispatch {} {}", self.mrid, dispatch["schedule"]));
        for row in self.deliveries(stage).await? {
            for control in row["controls"].as_array().into_iter().flatten() {
                let mrid = required("a control", control, "/mrid")?;
                let asked = (&control["interval"], &control["start"], &control["end"]);
                lines.insert(format!(
                    "control {mrid} {} {} {} {}",
                    asked.0, asked.1, asked.2, control["p_w"]
                ));
            }
        }
        Ok(lines)
    }

    async fn deliveries(&self, stage: &mut Stage<'_>) -> Result<Vec<Value>, DemoError> {
        stage
            .api
            .list(&format!("/api/v1/dispatches/{}/deliveries", self.mrid))
            .await
    }

    async fn evidence(
        self,
        stage: &mut Stage<'_>,
        roster: &Roster,
        fleet: &Fleet,
    ) -> Result<Evidence, DemoError> {
        let rows = self.deliveries(stage).await?;
        let deliveries = rows
            .iter()
            .map(judge::Delivery::read)
            .collect::<Result<_, _>>()?;
        let name = |index: usize| roster.members[index].name.clone();
        let targets = TARGETS_W.iter().zip(0_u32..).map(|(asked_w, index)| {
            let begin = self.start.after(INTERVAL * index);
            let (from, to) = (begin.after(RAMP), begin.after(INTERVAL));
            let delivered_w = fleet
                .meters
                .read(|feeder| feeder.log().mean_der_w(from, to));
            Target {
                asked_w: *asked_w,
                judged: to.since(from),
                delivered_w,
            }
        });
        Ok(Evidence {
            targets: targets.collect(),
            rating_w: FEEDER_RATING_W,
            highest_w: fleet.meters.read(|feeder| feeder.log().highest().as_f64()),
            names: roster
                .members
                .iter()
                .map(|member| member.name.clone())
                .collect(),
            inert: name(roster.inert),
            opted_out: name(roster.opting_out),
            cut_off: name(roster.cut_off),
            deliveries,
            seen: fleet.seen(),
            status_w: self.status_w,
            kept: self.kept,
        })
    }
}
