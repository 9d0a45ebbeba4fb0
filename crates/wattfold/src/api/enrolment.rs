//! Enrolment of DER, one by one or many at once, and their removal.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::{AggregatorId, CimMrid, Command, Event, Fleet, Name, NewDer, Pin};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use units::Percent;
use utoipa::ToSchema;

use crate::api::control_base::percent;
use crate::api::der::{self, DerDetail, Kind, detail};
use crate::api::problem::Problem;
use crate::api::request::{Bodies, Named, OneOrMany};
use crate::api::{Api, assignment, fresh_mrid};
use crate::auth::Principal;

/// Most DER enrolled by one request.
pub const MAX_ENROLMENTS: usize = 1_000;

/// A DER to enrol.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Name, unique in the fleet, 1 to 64 characters.
    pub name: String,
    /// Technology.
    pub kind: Kind,
    /// LFDI of its certificate, 40 hexadecimal digits.
    pub lfdi: String,
    /// Registration PIN with its check digit; drawn at random when absent.
    pub pin: Option<u32>,
    /// IEC 61968 mRID; a UUID is assigned when absent.
    pub mrid: Option<String>,
    /// Who creates its `EndDevice`.
    #[serde(default)]
    pub registration: EnrolBy,
    /// State of charge that dispatch never goes below, in percent, 0 to 100; 0 when absent.
    pub reserve_pct: Option<f64>,
    /// Number of the aggregator that stands in for it.
    pub aggregator: Option<u32>,
    /// mRIDs of the nodes of the hierarchy that it belongs to, the most local ones only.
    #[serde(default)]
    pub assignments: Vec<String>,
}

/// Who creates the `EndDevice` of a DER.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnrolBy {
    /// The device posts it itself.
    #[default]
    InBand,
    /// It exists as soon as the DER is enrolled.
    OutOfBand,
}

/// What became of one of several enrolments: one of the two is present.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EnrolmentResult {
    /// The DER, if it is enrolled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub der: Option<DerDetail>,
    /// Why it is not, otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// What became of several enrolments, in the order given.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EnrolmentResults {
    /// One result for each.
    pub items: Vec<EnrolmentResult>,
}

/// Enrol one DER or several.
///
/// Several are enrolled each on its own: one that is refused does not hold up the others. The
/// status is 201 when all were enrolled, else 207.
#[utoipa::path(post, path = "/api/v1/ders", operation_id = "enrol_ders", tag = "ders",
    request_body = inline(OneOrMany<Enrolment>),
    responses((status = 201, description = "One was given", body = DerDetail),
        (status = 207, description = "Several were given", body = EnrolmentResults),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn enrol(
    State(api): State<Api>,
    principal: Principal,
    Bodies(given): Bodies<Enrolment>,
) -> Result<Response, Problem> {
    match given {
        OneOrMany::One(one) => {
            let command = Command::EnrolDer(api.world(|world| new_der(world.fleet, &one))?);
            let events = api.command_one(&principal, command).await?;
            let der = enrolled(&api, &events)?;
            Ok((StatusCode::CREATED, Json(der)).into_response())
        }
        OneOrMany::Many(many) => enrol_many(&api, &principal, &many).await,
    }
}

/// Remove a DER: its controls are withdrawn, and its number is never given again.
#[utoipa::path(delete, path = "/api/v1/ders/{mrid}", operation_id = "remove_der", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 204, description = "Removed"), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn remove(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<StatusCode, Problem> {
    let id = api.world(|world| der::find(world.fleet, &mrid).map(|der| der.id))?;
    api.command_one(&principal, Command::RemoveDer(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn enrol_many(
    api: &Api,
    principal: &Principal,
    many: &[Enrolment],
) -> Result<Response, Problem> {
    if many.is_empty() || MAX_ENROLMENTS < many.len() {
        return Err(Problem::field(
            "body",
            format!("must hold 1 to {MAX_ENROLMENTS} DER"),
        ));
    }
    let read: Vec<Result<NewDer, Problem>> = api.world(|world| {
        let under = |index, problem: Problem| problem.under(&format!("[{index}]"));
        let given = many.iter().enumerate();
        given
            .map(|(index, one)| new_der(world.fleet, one).map_err(|p| under(index, p)))
            .collect()
    });
    let commands = read
        .iter()
        .flatten()
        .cloned()
        .map(Command::EnrolDer)
        .collect();
    let mut answers = api.commands(principal, commands).await?.into_iter();
    let items: Vec<EnrolmentResult> = read
        .into_iter()
        .map(|read| read.and_then(|_| answers.next().ok_or_else(Problem::lost)?))
        .map(|events| events.and_then(|events| enrolled(api, &events)))
        .map(|result| match result {
            Ok(der) => EnrolmentResult {
                der: Some(der),
                problem: None,
            },
            Err(problem) => EnrolmentResult {
                der: None,
                problem: Some(problem),
            },
        })
        .collect();
    let all = items.iter().all(|item| item.problem.is_none());
    let status = if all {
        StatusCode::CREATED
    } else {
        StatusCode::MULTI_STATUS
    };
    Ok((status, Json(EnrolmentResults { items })).into_response())
}

fn enrolled(api: &Api, events: &[Event]) -> Result<DerDetail, Problem> {
    let id = events.iter().find_map(|event| match event {
        Event::DerEnrolled(der) => Some(der.id),
        _ => None,
    });
    let id = id.ok_or_else(Problem::lost)?;
    api.world(|world| {
        world
            .fleet
            .der(id)
            .map(|der| detail(world, der))
            .ok_or_else(Problem::lost)
    })
}

/// The command's content, each field checked.
fn new_der(fleet: &Fleet, given: &Enrolment) -> Result<NewDer, Problem> {
    let mrid = match &given.mrid {
        Some(text) => CimMrid::new(text).map_err(|e| Problem::field("mrid", e.to_string()))?,
        None => fresh_mrid(),
    };
    Ok(NewDer {
        mrid,
        name: Name::new(&given.name).map_err(|e| Problem::field("name", e.to_string()))?,
        kind: given.kind.into(),
        lfdi: given.lfdi.parse().map_err(Problem::lfdi)?,
        pin: pin(given.pin)?,
        registered: given.registration == EnrolBy::OutOfBand,
        reserve: reserve(given.reserve_pct)?,
        manager: given.aggregator.map(AggregatorId),
        assignments: assignment::nodes(fleet, &given.assignments)?,
    })
}

/// The PIN given, else one drawn at random.
pub(super) fn pin(given: Option<u32>) -> Result<Pin, Problem> {
    match given {
        Some(digits) => Pin::new(digits).map_err(|e| Problem::field("pin", e.to_string())),
        None => Ok(Pin::with_check_digit(u32::from_be_bytes(
            crate::auth::random(),
        ))),
    }
}

pub(super) fn reserve(pct: Option<f64>) -> Result<Percent, Problem> {
    percent("reserve_pct", pct.unwrap_or(0.0), 0.0)
}
