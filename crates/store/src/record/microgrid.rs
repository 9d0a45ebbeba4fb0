//! Microgrids, their states, permits and schedules.

use std::borrow::Cow;

use fleet::microgrid::{
    Action, Exchange, Leave, Member, Microgrid, Permit, Revocation, SchedulePoint, State,
    Transition,
};
use fleet::{AggregatorId, AssignmentId, Client, DerId, MicrogridEvent, MicrogridId, PermitId};
use serde::{Deserialize, Serialize};
use units::{Timestamp, Watts};

use super::field::{IntervalV1, text};
use super::{RecordError, Unstorable, json, parse};

pub(super) fn encode(event: &MicrogridEvent) -> Result<(&'static str, String), Unstorable> {
    use MicrogridEvent as E;
    Ok(match event {
        E::Put(microgrid, at) => ("microgrid_put", json(&MicrogridPutV1::new(microgrid, *at))),
        E::Removed(id) => ("microgrid_removed", json(&RemovedV1 { microgrid: id.0 })),
        E::Moved(id, transition) => ("microgrid_moved", json(&MovedV1::new(*id, transition))),
        E::Granted(id, permit) => {
            let shape = GrantedV1::new(*id, permit)?;
            ("microgrid_permit_granted", json(&shape))
        }
        E::Revoked(id, permit, revocation) => {
            let shape = RevokedV1 {
                microgrid: id.0,
                permit: permit.0,
                by: revocation.by.as_str().into(),
                at_ms: revocation.at.millis(),
            };
            ("microgrid_permit_revoked", json(&shape))
        }
        E::ScheduleSet(id, schedule) => {
            let shape = ScheduleSetV1::new(*id, schedule)?;
            ("microgrid_schedule_set", json(&shape))
        }
    })
}

/// The event of a record of this kind and version; `None` for one that is not about microgrids.
pub(super) fn decode(
    kind: &str,
    version: u32,
    payload: &str,
) -> Option<Result<MicrogridEvent, RecordError>> {
    use MicrogridEvent as E;
    Some(match (kind, version) {
        ("microgrid_put", 1) => parse::<MicrogridPutV1<'_>>(payload).and_then(MicrogridPutV1::read),
        ("microgrid_removed", 1) => {
            parse::<RemovedV1>(payload).map(|it| E::Removed(MicrogridId(it.microgrid)))
        }
        ("microgrid_moved", 1) => parse::<MovedV1<'_>>(payload).and_then(|it| it.read()),
        ("microgrid_permit_granted", 1) => parse::<GrantedV1<'_>>(payload).and_then(|it| it.read()),
        ("microgrid_permit_revoked", 1) => parse::<RevokedV1<'_>>(payload).and_then(|it| {
            let revocation = Revocation {
                by: text("by", &it.by)?,
                at: Timestamp::from_millis(it.at_ms),
            };
            let (id, permit) = (MicrogridId(it.microgrid), PermitId(it.permit));
            Ok(E::Revoked(id, permit, revocation))
        }),
        ("microgrid_schedule_set", 1) => parse::<ScheduleSetV1>(payload).map(ScheduleSetV1::read),
        _ => return None,
    })
}

/// The microgrid controller, by index.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ControllerV1 {
    Der(u32),
    Aggregator(u32),
}

/// What is absent is not known.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberV1 {
    der: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grid_forming: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    black_start: Option<bool>,
}

/// Ratings are magnitudes in micro-watts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MicrogridPutV1<'a> {
    microgrid: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assignment: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    import_max: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    export_max: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    controller: Option<ControllerV1>,
    members: Vec<MemberV1>,
    at_ms: i64,
}

impl<'a> MicrogridPutV1<'a> {
    fn new(it: &'a Microgrid, at: Timestamp) -> Self {
        let member = |member: &Member| MemberV1 {
            der: member.der.0,
            grid_forming: member.grid_forming,
            black_start: member.black_start,
        };
        let controller = |client: Client| match client {
            Client::Der(der) => ControllerV1::Der(der.0),
            Client::Aggregator(id) => ControllerV1::Aggregator(id.0),
        };
        Self {
            microgrid: it.id.0,
            mrid: it.mrid.as_str().into(),
            name: it.name.as_str().into(),
            assignment: it.assignment.map(|node| node.0),
            import_max: it.import_max.map(Watts::micro),
            export_max: it.export_max.map(Watts::micro),
            controller: it.controller.map(controller),
            members: it.members.iter().map(member).collect(),
            at_ms: at.millis(),
        }
    }

    fn read(self) -> Result<MicrogridEvent, RecordError> {
        let member = |member: MemberV1| Member {
            der: DerId(member.der),
            grid_forming: member.grid_forming,
            black_start: member.black_start,
        };
        let controller = |client: ControllerV1| match client {
            ControllerV1::Der(der) => Client::Der(DerId(der)),
            ControllerV1::Aggregator(id) => Client::Aggregator(AggregatorId(id)),
        };
        let microgrid = Microgrid {
            id: MicrogridId(self.microgrid),
            mrid: text("mrid", &self.mrid)?,
            name: text("name", &self.name)?,
            assignment: self.assignment.map(AssignmentId),
            import_max: self.import_max.map(Watts::from_micro),
            export_max: self.export_max.map(Watts::from_micro),
            controller: self.controller.map(controller),
            members: self.members.into_iter().map(member).collect(),
        };
        let at = Timestamp::from_millis(self.at_ms);
        Ok(MicrogridEvent::Put(Box::new(microgrid), at))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemovedV1 {
    microgrid: u32,
}

/// By whose leave.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum LeaveV1 {
    None,
    Permit(u32),
    Agreement,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MovedV1<'a> {
    microgrid: u32,
    #[serde(borrow)]
    to: Cow<'a, str>,
    at_ms: i64,
    leave: LeaveV1,
    #[serde(borrow)]
    by: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    reported_ms: i64,
}

impl<'a> MovedV1<'a> {
    fn new(id: MicrogridId, it: &'a Transition) -> Self {
        Self {
            microgrid: id.0,
            to: it.to.name().into(),
            at_ms: it.at.millis(),
            leave: match it.leave {
                Leave::None => LeaveV1::None,
                Leave::Permit(permit) => LeaveV1::Permit(permit.0),
                Leave::Agreement => LeaveV1::Agreement,
            },
            by: it.by.as_str().into(),
            reason: it.reason.as_str().into(),
            reported_ms: it.reported.millis(),
        }
    }

    fn read(&self) -> Result<MicrogridEvent, RecordError> {
        let wrong = || RecordError::malformed("to", &format!("{:?} is unknown", self.to));
        let transition = Transition {
            to: State::of(&self.to).ok_or_else(wrong)?,
            at: Timestamp::from_millis(self.at_ms),
            leave: match self.leave {
                LeaveV1::None => Leave::None,
                LeaveV1::Permit(permit) => Leave::Permit(PermitId(permit)),
                LeaveV1::Agreement => Leave::Agreement,
            },
            by: text("by", &self.by)?,
            reason: text("reason", &self.reason)?,
            reported: Timestamp::from_millis(self.reported_ms),
        };
        let id = MicrogridId(self.microgrid);
        Ok(MicrogridEvent::Moved(id, transition))
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ActionV1 {
    Island,
    Reconnect,
}

/// A permit begins unrevoked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantedV1<'a> {
    microgrid: u32,
    permit: u32,
    action: ActionV1,
    window: IntervalV1,
    #[serde(borrow)]
    by: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    at_ms: i64,
}

impl<'a> GrantedV1<'a> {
    fn new(id: MicrogridId, it: &'a Permit) -> Result<Self, Unstorable> {
        Ok(Self {
            microgrid: id.0,
            permit: it.id.0,
            action: match it.action {
                Action::Island => ActionV1::Island,
                Action::Reconnect => ActionV1::Reconnect,
            },
            window: IntervalV1::new("microgrid_permit_granted", it.window)?,
            by: it.by.as_str().into(),
            reason: it.reason.as_str().into(),
            at_ms: it.granted.millis(),
        })
    }

    fn read(&self) -> Result<MicrogridEvent, RecordError> {
        let permit = Permit {
            id: PermitId(self.permit),
            action: match self.action {
                ActionV1::Island => Action::Island,
                ActionV1::Reconnect => Action::Reconnect,
            },
            window: self.window.read(),
            by: text("by", &self.by)?,
            reason: text("reason", &self.reason)?,
            granted: Timestamp::from_millis(self.at_ms),
            revoked: None,
        };
        Ok(MicrogridEvent::Granted(MicrogridId(self.microgrid), permit))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedV1<'a> {
    microgrid: u32,
    permit: u32,
    #[serde(borrow)]
    by: Cow<'a, str>,
    at_ms: i64,
}

/// In micro-watts: net power and tolerance, or most import and most export.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ExchangeV1 {
    Net(i64, i64),
    Limits(Option<i64>, Option<i64>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleSetV1 {
    microgrid: u32,
    points: Vec<(IntervalV1, ExchangeV1)>,
}

impl ScheduleSetV1 {
    fn new(id: MicrogridId, schedule: &[SchedulePoint]) -> Result<Self, Unstorable> {
        let point = |point: &SchedulePoint| {
            let interval = IntervalV1::new("microgrid_schedule_set", point.interval)?;
            let exchange = match point.exchange {
                Exchange::Net { p, tolerance } => ExchangeV1::Net(p.micro(), tolerance.micro()),
                Exchange::Limits {
                    import_max,
                    export_max,
                } => ExchangeV1::Limits(import_max.map(Watts::micro), export_max.map(Watts::micro)),
            };
            Ok((interval, exchange))
        };
        Ok(Self {
            microgrid: id.0,
            points: schedule.iter().map(point).collect::<Result<_, _>>()?,
        })
    }

    fn read(self) -> MicrogridEvent {
        let point = |(interval, exchange): (IntervalV1, ExchangeV1)| SchedulePoint {
            interval: interval.read(),
            exchange: match exchange {
                ExchangeV1::Net(p, tolerance) => Exchange::Net {
                    p: Watts::from_micro(p),
                    tolerance: Watts::from_micro(tolerance),
                },
                ExchangeV1::Limits(import_max, export_max) => Exchange::Limits {
                    import_max: import_max.map(Watts::from_micro),
                    export_max: export_max.map(Watts::from_micro),
                },
            },
        };
        let points = self.points.into_iter().map(point).collect();
        MicrogridEvent::ScheduleSet(MicrogridId(self.microgrid), points)
    }
}
