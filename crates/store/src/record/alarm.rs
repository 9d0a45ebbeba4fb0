//! Alarms.

use std::borrow::Cow;
use std::time::Duration;

use fleet::alarm::{Acknowledgement, Detail, Kind, Means, Raise, Shelf, Subject, Suppression};
use fleet::{
    AggregatorId, AlarmEvent, AlarmId, AssignmentId, DerId, DispatchId, MicrogridId, Name,
    StrategyId, SuppressionId,
};
use serde::{Deserialize, Serialize};
use units::{Timestamp, Watts};

use super::field::{millis, optional_text, text};
use super::{RecordError, Unstorable, json, parse};

pub(super) fn encode(event: &AlarmEvent) -> Result<(&'static str, String), Unstorable> {
    use AlarmEvent as E;
    Ok(match event {
        E::Raised(id, raise, at) => {
            let shape = AlarmRaisedV1::new(*id, raise, *at)?;
            ("alarm_raised", json(&shape))
        }
        E::Described(id, detail) => {
            let detail = DetailV1::new("alarm_described", *detail)?;
            let shape = AlarmDescribedV1 {
                alarm: id.0,
                detail,
            };
            ("alarm_described", json(&shape))
        }
        E::Returned(id, at) => ("alarm_returned", json(&AlarmTimeV1::new(*id, *at))),
        E::Acknowledged(id, it) => {
            let shape = AlarmAcknowledgedV1 {
                alarm: id.0,
                by: it.by.as_str().into(),
                at_ms: it.at.millis(),
                note: it.note.as_ref().map(|note| note.as_str().into()),
            };
            ("alarm_acknowledged", json(&shape))
        }
        E::Shelved(id, shelf) => {
            let shape = AlarmShelvedV1 {
                alarm: id.0,
                by: shelf.by.as_str().into(),
                reason: shelf.reason.as_str().into(),
                at_ms: shelf.at.millis(),
                until_ms: shelf.until.millis(),
            };
            ("alarm_shelved", json(&shape))
        }
        E::Unshelved(id, by, at) => {
            let shape = AlarmUnshelvedV1 {
                alarm: id.0,
                by: by.as_ref().map(|by| by.as_str().into()),
                at_ms: at.millis(),
            };
            ("alarm_unshelved", json(&shape))
        }
        E::SuppressionSet(rule) => ("suppression_set", json(&SuppressionSetV1::from(&**rule))),
        E::SuppressionEnded(id, by, at) => {
            let shape = SuppressionEndedV1 {
                suppression: id.0,
                by: by.as_ref().map(|by| by.as_str().into()),
                at_ms: at.millis(),
            };
            ("suppression_ended", json(&shape))
        }
        E::Suppressed(id, rule) => {
            let shape = AlarmSuppressedV1 {
                alarm: id.0,
                suppression: rule.0,
            };
            ("alarm_suppressed", json(&shape))
        }
        E::Released(id, at) => ("alarm_released", json(&AlarmTimeV1::new(*id, *at))),
        E::Displaced(id, by, at) => {
            let shape = AlarmDisplacedV1 {
                alarm: id.0,
                by_alarm: by.0,
                at_ms: at.millis(),
            };
            ("alarm_displaced", json(&shape))
        }
    })
}

/// The event of a record of this kind and version; `None` for one that is not about alarms.
pub(super) fn decode(
    kind: &str,
    version: u32,
    payload: &str,
) -> Option<Result<AlarmEvent, RecordError>> {
    Some(match (kind, version) {
        ("alarm_raised", 1) => parse::<AlarmRaisedV1<'_>>(payload).and_then(AlarmRaisedV1::read),
        ("alarm_described", 1) => parse::<AlarmDescribedV1>(payload)
            .map(|it| AlarmEvent::Described(AlarmId(it.alarm), it.detail.read())),
        ("alarm_returned", 1) => parse::<AlarmTimeV1>(payload).map(|it| {
            let (id, at) = it.read();
            AlarmEvent::Returned(id, at)
        }),
        ("alarm_acknowledged", 1) => {
            parse::<AlarmAcknowledgedV1<'_>>(payload).and_then(|it| it.read())
        }
        ("alarm_shelved", 1) => parse::<AlarmShelvedV1<'_>>(payload).and_then(|it| it.read()),
        ("alarm_unshelved", 1) => parse::<AlarmUnshelvedV1<'_>>(payload).and_then(|it| {
            let at = Timestamp::from_millis(it.at_ms);
            let by = optional_text("by", it.by.as_ref())?;
            Ok(AlarmEvent::Unshelved(AlarmId(it.alarm), by, at))
        }),
        ("suppression_set", 1) => parse::<SuppressionSetV1<'_>>(payload).and_then(|it| it.read()),
        ("suppression_ended", 1) => parse::<SuppressionEndedV1<'_>>(payload).and_then(|it| {
            let at = Timestamp::from_millis(it.at_ms);
            let by = optional_text("by", it.by.as_ref())?;
            let id = SuppressionId(it.suppression);
            Ok(AlarmEvent::SuppressionEnded(id, by, at))
        }),
        ("alarm_suppressed", 1) => parse::<AlarmSuppressedV1>(payload)
            .map(|it| AlarmEvent::Suppressed(AlarmId(it.alarm), SuppressionId(it.suppression))),
        ("alarm_released", 1) => parse::<AlarmTimeV1>(payload).map(|it| {
            let (id, at) = it.read();
            AlarmEvent::Released(id, at)
        }),
        ("alarm_displaced", 1) => parse::<AlarmDisplacedV1>(payload).map(|it| {
            let at = Timestamp::from_millis(it.at_ms);
            AlarmEvent::Displaced(AlarmId(it.alarm), AlarmId(it.by_alarm), at)
        }),
        _ => return None,
    })
}

/// What an alarm is about, in a word and a number or a name.
fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Server => "server".to_owned(),
        Subject::Der(id) => format!("der:{id}"),
        Subject::Assignment(id) => format!("assignment:{id}"),
        Subject::Aggregator(id) => format!("aggregator:{id}"),
        Subject::Dispatch(id) => format!("dispatch:{id}"),
        Subject::Limit(name) => format!("limit:{name}"),
        Subject::Microgrid(id) => format!("microgrid:{id}"),
        Subject::Strategy(id) => format!("strategy:{id}"),
    }
}

fn read_subject(text: &str) -> Result<Subject, RecordError> {
    let wrong = || RecordError::malformed("subject", &format!("{text:?} is unknown"));
    let (what, which) = text.split_once(':').unwrap_or((text, ""));
    let index = || which.parse::<u32>().map_err(|_| wrong());
    Ok(match what {
        "server" if which.is_empty() => Subject::Server,
        "der" => Subject::Der(DerId(index()?)),
        "assignment" => Subject::Assignment(AssignmentId(index()?)),
        "aggregator" => Subject::Aggregator(AggregatorId(index()?)),
        "dispatch" => Subject::Dispatch(DispatchId(index()?)),
        "microgrid" => Subject::Microgrid(MicrogridId(index()?)),
        "strategy" => Subject::Strategy(StrategyId(index()?)),
        "limit" => Subject::Limit(Name::new(which).map_err(|_| wrong())?),
        _ => return Err(wrong()),
    })
}

fn read_kind(name: &str) -> Result<Kind, RecordError> {
    let kind = Kind::of(name);
    kind.ok_or_else(|| RecordError::malformed("kind", &format!("{name:?} is unknown")))
}

/// Times in milliseconds, power in micro-watts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DetailV1 {
    Plain,
    LastHeard(i64),
    /// How many, of how many, and when the last of them was heard.
    Members(u32, u32, i64),
    /// As found, and the bound.
    Power(i64, i64),
    Count(u32),
    Off(u64),
}

impl DetailV1 {
    fn new(kind: &'static str, detail: Detail) -> Result<Self, Unstorable> {
        Ok(match detail {
            Detail::Plain => Self::Plain,
            Detail::LastHeard(at) => Self::LastHeard(at.millis()),
            Detail::Members {
                count,
                of,
                last_heard,
            } => Self::Members(count, of, last_heard.millis()),
            Detail::Power { found, bound } => Self::Power(found.micro(), bound.micro()),
            Detail::Count(count) => Self::Count(count),
            Detail::Off(duration) => Self::Off(millis(kind, "detail", duration)?),
        })
    }

    const fn read(self) -> Detail {
        match self {
            Self::Plain => Detail::Plain,
            Self::LastHeard(at) => Detail::LastHeard(Timestamp::from_millis(at)),
            Self::Members(count, of, last_heard) => Detail::Members {
                count,
                of,
                last_heard: Timestamp::from_millis(last_heard),
            },
            Self::Power(found, bound) => Detail::Power {
                found: Watts::from_micro(found),
                bound: Watts::from_micro(bound),
            },
            Self::Count(count) => Detail::Count(count),
            Self::Off(millis) => Detail::Off(Duration::from_millis(millis)),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmRaisedV1<'a> {
    alarm: u32,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    detail: DetailV1,
    at_ms: i64,
}

impl AlarmRaisedV1<'_> {
    fn new(id: AlarmId, raise: &Raise, at: Timestamp) -> Result<Self, Unstorable> {
        Ok(Self {
            alarm: id.0,
            kind: raise.kind.rationale().name.into(),
            subject: subject_text(&raise.subject).into(),
            detail: DetailV1::new("alarm_raised", raise.detail)?,
            at_ms: at.millis(),
        })
    }

    fn read(self) -> Result<AlarmEvent, RecordError> {
        let raise = Raise {
            kind: read_kind(&self.kind)?,
            subject: read_subject(&self.subject)?,
            detail: self.detail.read(),
        };
        let at = Timestamp::from_millis(self.at_ms);
        Ok(AlarmEvent::Raised(AlarmId(self.alarm), raise, at))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmDescribedV1 {
    alarm: u32,
    detail: DetailV1,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmTimeV1 {
    alarm: u32,
    at_ms: i64,
}

impl AlarmTimeV1 {
    const fn new(id: AlarmId, at: Timestamp) -> Self {
        Self {
            alarm: id.0,
            at_ms: at.millis(),
        }
    }

    const fn read(&self) -> (AlarmId, Timestamp) {
        (AlarmId(self.alarm), Timestamp::from_millis(self.at_ms))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmAcknowledgedV1<'a> {
    alarm: u32,
    #[serde(borrow)]
    by: Cow<'a, str>,
    at_ms: i64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    note: Option<Cow<'a, str>>,
}

impl AlarmAcknowledgedV1<'_> {
    fn read(&self) -> Result<AlarmEvent, RecordError> {
        let acknowledgement = Acknowledgement {
            by: text("by", &self.by)?,
            at: Timestamp::from_millis(self.at_ms),
            note: optional_text("note", self.note.as_ref())?,
        };
        Ok(AlarmEvent::Acknowledged(
            AlarmId(self.alarm),
            acknowledgement,
        ))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmShelvedV1<'a> {
    alarm: u32,
    #[serde(borrow)]
    by: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    at_ms: i64,
    until_ms: i64,
}

impl AlarmShelvedV1<'_> {
    fn read(&self) -> Result<AlarmEvent, RecordError> {
        let shelf = Shelf {
            by: text("by", &self.by)?,
            reason: text("reason", &self.reason)?,
            at: Timestamp::from_millis(self.at_ms),
            until: Timestamp::from_millis(self.until_ms),
        };
        Ok(AlarmEvent::Shelved(AlarmId(self.alarm), shelf))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmUnshelvedV1<'a> {
    alarm: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    by: Option<Cow<'a, str>>,
    at_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct AlarmDisplacedV1 {
    alarm: u32,
    by_alarm: u32,
    at_ms: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmSuppressedV1 {
    alarm: u32,
    suppression: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MeansV1 {
    ByDesign,
    OutOfService,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SuppressionSetV1<'a> {
    suppression: u32,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'a, str>>,
    means: MeansV1,
    #[serde(borrow)]
    by: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<i64>,
}

impl<'a> From<&'a Suppression> for SuppressionSetV1<'a> {
    fn from(rule: &'a Suppression) -> Self {
        Self {
            suppression: rule.id.0,
            subject: subject_text(&rule.subject).into(),
            kind: rule.kind.map(|kind| kind.rationale().name.into()),
            means: match rule.means {
                Means::ByDesign => MeansV1::ByDesign,
                Means::OutOfService => MeansV1::OutOfService,
            },
            by: rule.by.as_str().into(),
            reason: rule.reason.as_str().into(),
            at_ms: rule.at.millis(),
            until_ms: rule.until.map(Timestamp::millis),
        }
    }
}

impl SuppressionSetV1<'_> {
    fn read(&self) -> Result<AlarmEvent, RecordError> {
        let rule = Suppression {
            id: SuppressionId(self.suppression),
            subject: read_subject(&self.subject)?,
            kind: self.kind.as_deref().map(read_kind).transpose()?,
            means: match self.means {
                MeansV1::ByDesign => Means::ByDesign,
                MeansV1::OutOfService => Means::OutOfService,
            },
            by: text("by", &self.by)?,
            reason: text("reason", &self.reason)?,
            at: Timestamp::from_millis(self.at_ms),
            until: self.until_ms.map(Timestamp::from_millis),
        };
        Ok(AlarmEvent::SuppressionSet(Box::new(rule)))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SuppressionEndedV1<'a> {
    suppression: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    by: Option<Cow<'a, str>>,
    at_ms: i64,
}
