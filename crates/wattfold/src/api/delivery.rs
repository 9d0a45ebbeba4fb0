//! What became of a dispatch at each of its members.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

mod file;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::dispatch::Standing;
use fleet::dispatch::assess::World;
use fleet::{Control, DerId, Dispatch, Origin};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Api;
use crate::api::control::{self, DeliveryStep, LedgerEntry};
use crate::api::der::Kind;
use crate::api::dispatch::find;
use crate::api::judgement::{self, Member};
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Named, Params};
use crate::api::table::TableFormat;
use crate::api::value::{MeasuredValue, Time};
use crate::api::verdict::{BaselineView, EvidenceRank, EvidenceResolution, Outcome};

/// A DER by name.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DerRef {
    /// IEC 61968 mRID.
    pub mrid: String,
    /// Name.
    pub name: String,
    /// Technology.
    pub kind: Kind,
}

/// How a member stands with respect to a dispatch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberStanding {
    /// Reachable, willing and able.
    Controllable,
    /// Not heard for too long, or never.
    Silent,
    /// Its owner opted out of this dispatch.
    OptedOut,
    /// It refused a control of this dispatch.
    Rejected,
    /// Its meter shows that it does not follow.
    NotFollowing,
    /// Its active power can't be asked for, or it is disconnected.
    Unable,
    /// A control of higher rank sets its active power.
    Commanded,
    /// It has no permission to operate all the time, or its owner does not agree to dispatch.
    NotPermitted,
    /// The terms of the programme of the dispatch leave it out.
    Ineligible,
    /// It could be asked and is not needed.
    Spare,
    /// Its microgrid is an island, or on its way to or from one.
    Islanded,
}

impl From<Standing> for MemberStanding {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Controllable => Self::Controllable,
            Standing::Silent => Self::Silent,
            Standing::OptedOut => Self::OptedOut,
            Standing::Rejected => Self::Rejected,
            Standing::NotFollowing => Self::NotFollowing,
            Standing::Unable => Self::Unable,
            Standing::Commanded => Self::Commanded,
            Standing::NotPermitted => Self::NotPermitted,
            Standing::Ineligible => Self::Ineligible,
            Standing::Spare => Self::Spare,
            Standing::Islanded => Self::Islanded,
        }
    }
}

/// A control of the dispatch at this member.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DeliveryControl {
    /// IEEE 2030.5 mRID.
    pub mrid: String,
    /// Index of the interval of the schedule that it serves, from 0.
    pub interval: u32,
    /// Generation of the plan that asked for it.
    pub generation: u32,
    /// When it begins.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// Active power asked, in W, injection positive.
    #[schema(required)]
    pub p_w: Option<f64>,
    /// By how much, in s, the device learned of it after it was to begin, or has not learned of it
    /// though it was; null when it knew in time.
    #[schema(required)]
    pub told_late_s: Option<f64>,
    /// How far it has come; null when the ledger has no row for it.
    #[schema(required)]
    pub state: Option<DeliveryStep>,
    /// The steps that led there.
    pub entries: Vec<LedgerEntry>,
}

/// What became of a dispatch at one member.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DeliveryRow {
    /// Who.
    pub der: DerRef,
    /// How far its control of now has come; null when it has none.
    #[schema(required)]
    pub state: Option<DeliveryStep>,
    /// The outcome so far; null for a member of which nothing was asked, or not for longer than a
    /// ramp.
    #[schema(required)]
    pub verdict: Option<Outcome>,
    /// The strongest evidence for it.
    #[schema(required)]
    pub evidence: Option<EvidenceRank>,
    /// How exactly it is known what its meter read.
    pub evidence_resolution: EvidenceResolution,
    /// Status code of the response, as in IEEE 2030.5, by which it refused or its owner opted out.
    #[schema(required)]
    pub response_code: Option<u8>,
    /// Deviation that still counts as following, in percent of the larger of its maxima.
    pub tolerance_pct: f64,
    /// What it would have done unasked.
    pub baseline: BaselineView,
    /// How it stands now, or stood at the end.
    pub standing: MemberStanding,
    /// By how much, in s, the notice that the plan in force gives is shorter than the time the
    /// device may take to know; null when it is not, and when nothing new is asked.
    #[schema(required)]
    pub late_by_s: Option<f64>,
    /// Whether it learned of any of the controls after it was to begin, or has not learned of it
    /// though it was: what it did not deliver, it may not have known of.
    pub told_late: bool,
    /// Active power asked now, in W, injection positive; null when nothing is.
    #[schema(required)]
    pub asked_w: Option<f64>,
    /// What its meter last read, in W, injection positive.
    #[schema(required)]
    pub measured_w: Option<MeasuredValue>,
    /// Energy asked so far, ramps left out, in Wh, injection positive; of a limit, what it allows.
    pub asked_wh: f64,
    /// Energy metered in that time, in Wh, injection positive; stretches without readings count
    /// as nothing.
    pub delivered_wh: f64,
    /// Energy held back in that time, in Wh: what it would have injected less what it did, where it
    /// was asked for less. Storage, chargers and loads count under limits only.
    pub curtailed_wh: f64,
    /// How far off `curtailed_wh` may be, in Wh.
    pub curtailed_uncertainty_wh: f64,
    /// When the device last made a request; null when never.
    #[schema(required)]
    pub last_contact_at: Option<Time>,
    /// Its controls of this dispatch, by start.
    pub controls: Vec<DeliveryControl>,
}

/// Which members of a dispatch are wanted, and in which form.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// Most items to answer with, 1 to 1000; 100 without it. A file has all of them.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<u32>,
    /// Form of the answer, instead of what `Accept` says.
    #[param(inline)]
    pub format: Option<TableFormat>,
}

/// Which deliveries are wanted in a file.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// The first instant, RFC 3339.
    pub from: Time,
    /// The instant after the last, RFC 3339.
    pub to: Time,
    /// Form of the file, `csv` or `parquet`, instead of what `Accept` says; CSV without either.
    #[param(inline)]
    pub format: Option<TableFormat>,
}

/// Write a file of what became of the dispatches of a time at their members.
///
/// It has the dispatches that run at any time in the range, each with a row for each member.
#[utoipa::path(get, path = "/api/v1/deliveries", operation_id = "export_deliveries", tag = "dispatches",
    params(DeliveriesQuery),
    responses((status = 200, content((String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn export(
    State(api): State<Api>,
    headers: HeaderMap,
    Params(query): Params<DeliveriesQuery>,
) -> Result<Response, Problem> {
    if query.to < query.from {
        return Err(Problem::field("to", "lies before from"));
    }
    let (from, to) = (query.from.0, query.to.0);
    let dispatches = api.world(|world| {
        let runs = |dispatch: &&Dispatch| {
            let span = dispatch.span();
            span.is_some_and(|span| span.start < to && from < span.end())
        };
        let found = world.fleet.dispatches().iter().filter(runs);
        found.map(|dispatch| dispatch.id).collect()
    });
    file::send(
        &api,
        TableFormat::wanted(query.format, &headers),
        dispatches,
    )
}

/// List what became of a dispatch at its members, in order of their enrolment.
///
/// With `format` or `Accept` of `text/csv` or `application/vnd.apache.parquet` the answer is a file
/// with every member.
#[utoipa::path(get, path = "/api/v1/dispatches/{mrid}/deliveries", operation_id = "list_deliveries", tag = "dispatches",
    params(("mrid" = String, Path, description = "IEC 61968 mRID"), DeliveryQuery),
    responses((status = 200, content((Page<DeliveryRow> = "application/json"), (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Named(mrid): Named,
    headers: HeaderMap,
    Params(query): Params<DeliveryQuery>,
) -> Result<Response, Problem> {
    let format = TableFormat::wanted(query.format, &headers);
    if format != TableFormat::Json {
        let dispatch = api.world(|world| find(world.fleet, &mrid).map(|found| found.id))?;
        return file::send(&api, format, vec![dispatch]);
    }
    let query = PageQuery {
        limit: query.limit,
        after: query.after,
    };
    let (slice, id) = api.world(|world| {
        let dispatch = find(world.fleet, &mrid)?;
        let index = judgement::controls(world.fleet, &[dispatch]);
        let members = judgement::members(world.fleet, dispatch, &index);
        let slice = Slice::cut(members.into_iter(), |id| id.0, Direction::Ascending, &query)?;
        Ok::<_, Problem>((slice, dispatch.id))
    })?;
    let members = slice.rows.iter().map(|der| (id, *der)).collect();
    let mut rows = Vec::new();
    api.judged(members, |world, dispatch, member| {
        rows.push(row(world, dispatch, member));
    })
    .await?;
    let mut rows = rows.into_iter();
    Ok(Json(slice.render_all(|_| rows.next())).into_response())
}

fn row(world: &World<'_>, dispatch: &Dispatch, member: &Member<'_>) -> DeliveryRow {
    let observation = world.observation(member.der.id);
    let running = member
        .current
        .filter(|c| c.interval.contains(world.now) && c.cancelled.is_none());
    DeliveryRow {
        der: DerRef {
            mrid: member.der.mrid.to_string(),
            name: member.der.name.to_string(),
            kind: member.der.kind.into(),
        },
        state: member.state.map(DeliveryStep::from),
        verdict: member.judgement.map(|judgement| judgement.verdict.into()),
        evidence: member.judgement.map(|judgement| judgement.rank.into()),
        evidence_resolution: member.grain.into(),
        response_code: member.response_code,
        tolerance_pct: world.policy.tolerance.as_f64(),
        baseline: member.baseline.into(),
        standing: member.standing.into(),
        late_by_s: late_by(dispatch, member.der.id).map(|by| by.as_secs_f64()),
        told_late: !member.told_late.is_empty(),
        asked_w: running.and_then(control::asked_w),
        measured_w: observation.p.map(MeasuredValue::of_watts),
        asked_wh: member.energy.asked.as_f64(),
        delivered_wh: member.energy.metered.as_f64(),
        curtailed_wh: member.energy.curtailed.as_f64(),
        curtailed_uncertainty_wh: member.energy.curtailed_uncertainty.as_f64(),
        last_contact_at: observation.last_contact.map(Time),
        controls: member
            .controls
            .iter()
            .map(|c| delivery_control(world, member, c))
            .collect(),
    }
}

fn late_by(dispatch: &Dispatch, der: DerId) -> Option<Duration> {
    let late = &dispatch.plan.as_ref()?.late;
    let at = late.binary_search_by_key(&der, |(der, _)| *der).ok()?;
    Some(late.get(at)?.1)
}

fn delivery_control(world: &World<'_>, member: &Member<'_>, control: &Control) -> DeliveryControl {
    let delivery = world.deliveries.own(control.id);
    let (interval, generation) = match control.origin {
        Origin::Dispatch {
            interval,
            generation,
            ..
        } => (interval, generation),
        Origin::Operator | Origin::Envelope | Origin::Settings => (0, 0),
    };
    DeliveryControl {
        mrid: control.mrid.to_string(),
        interval,
        generation,
        start: control.interval.start.into(),
        end: control.interval.end().into(),
        p_w: control::asked_w(control),
        told_late_s: member.told_late.get(&control.id).map(Duration::as_secs_f64),
        state: delivery.map(|d| d.state().into()),
        entries: control::entries(delivery),
    }
}
