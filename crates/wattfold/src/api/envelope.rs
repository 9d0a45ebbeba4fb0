//! Operating envelopes: how much a DER may import and export over time, from any source.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use fleet::{Command, Der, Envelope, EnvelopePoint, Fallback, Fleet, Name};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use units::{Interval, Timestamp, Watts};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::der;
use crate::api::problem::Problem;
use crate::api::request::{Body, Named};
use crate::api::site::limit;
use crate::api::value::Time;
use crate::auth::Principal;

/// Limits in one interval; what is absent is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PointView {
    /// When it begins, a whole second.
    pub start: Time,
    /// How long it holds, in s.
    pub duration_s: u32,
    /// Most import in W, a magnitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_max_w: Option<f64>,
    /// Most export in W, a magnitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_max_w: Option<f64>,
}

/// Limits outside the intervals; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FallbackView {
    /// Most import in W, a magnitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_max_w: Option<f64>,
    /// Most export in W, a magnitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export_max_w: Option<f64>,
}

/// An envelope to set.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeRequest {
    /// Limits over time, in order and without overlap, at most 576.
    pub points: Vec<PointView>,
    /// What holds outside them.
    #[serde(default)]
    pub fallback: FallbackView,
}

/// The envelope of a DER from one source.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EnvelopeView {
    /// Who set it.
    pub source: String,
    /// When it was set.
    pub set_at: Time,
    /// Limits over time.
    pub points: Vec<PointView>,
    /// What holds outside them.
    pub fallback: FallbackView,
}

/// The envelopes of a DER.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Envelopes {
    /// One of each source.
    pub items: Vec<EnvelopeView>,
}

/// List the envelopes of a DER, one of each source.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}/envelopes", operation_id = "list_envelopes", tag = "envelopes",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = Envelopes), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<Envelopes>, Problem> {
    api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        let items = world.fleet.envelopes_of(der.id).iter().map(view).collect();
        Ok(Json(Envelopes { items }))
    })
}

/// Set what a DER may import and export. It replaces the envelope of the same source.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/envelopes/{source}", operation_id = "set_envelope", tag = "envelopes",
    params(("mrid" = String, Path, description = "IEC 61968 mRID"),
        ("source" = String, Path, description = "Who sets it, 1 to 64 characters")),
    request_body = EnvelopeRequest,
    responses((status = 200, body = EnvelopeView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn set(
    State(api): State<Api>,
    principal: Principal,
    Path((mrid, source)): Path<(String, String)>,
    Body(request): Body<EnvelopeRequest>,
) -> Result<Json<EnvelopeView>, Problem> {
    let source = name(&source)?;
    let command = api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        let envelope = request.read(der, source.clone(), world.now)?;
        Ok::<_, Problem>(Command::SetEnvelope(envelope))
    })?;
    api.command_one(&principal, command).await?;
    api.world(|world| {
        let set = find(world.fleet, der::find(world.fleet, &mrid)?, &source);
        set.map(|envelope| Json(view(envelope)))
    })
}

/// Withdraw the envelope of one source.
#[utoipa::path(delete, path = "/api/v1/ders/{mrid}/envelopes/{source}", operation_id = "clear_envelope", tag = "envelopes",
    params(("mrid" = String, Path, description = "IEC 61968 mRID"),
        ("source" = String, Path, description = "Who set it")),
    responses((status = 204, description = "Withdrawn"), (status = 404, body = Problem)))]
pub(super) async fn clear(
    State(api): State<Api>,
    principal: Principal,
    Path((mrid, source)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let source = name(&source)?;
    let id = api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        find(world.fleet, der, &source).map(|_| der.id)
    })?;
    api.command_one(&principal, Command::ClearEnvelope(id, source))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn find<'a>(fleet: &'a Fleet, der: &Der, source: &Name) -> Result<&'a Envelope, Problem> {
    let mut envelopes = fleet.envelopes_of(der.id).iter();
    envelopes
        .find(|envelope| envelope.source == *source)
        .ok_or_else(|| Problem::not_found("envelope of source", source.as_str()))
}

fn name(source: &str) -> Result<Name, Problem> {
    Name::new(source).map_err(|error| Problem::field("source", error.to_string()))
}

impl EnvelopeRequest {
    fn read(&self, der: &Der, source: Name, set: Timestamp) -> Result<Envelope, Problem> {
        if Envelope::MAX_POINTS < self.points.len() {
            let rule = format!("has at most {}", Envelope::MAX_POINTS);
            return Err(Problem::field("points", rule));
        }
        let points = self.points.iter().enumerate().map(|(index, point)| {
            let read = point.read();
            read.map_err(|problem| problem.under(&format!("points[{index}]")))
        });
        let fallback = Fallback {
            import_max: limit("fallback.import_max_w", self.fallback.import_max_w)?,
            export_max: limit("fallback.export_max_w", self.fallback.export_max_w)?,
        };
        Ok(Envelope {
            der: der.id,
            source,
            set,
            points: points.collect::<Result<_, _>>()?,
            fallback,
        })
    }
}

impl PointView {
    fn read(&self) -> Result<EnvelopePoint, Problem> {
        Ok(EnvelopePoint {
            interval: Interval {
                start: self.start.0,
                duration: Duration::from_secs(self.duration_s.into()),
            },
            import_max: limit("import_max_w", self.import_max_w)?,
            export_max: limit("export_max_w", self.export_max_w)?,
        })
    }
}

fn view(envelope: &Envelope) -> EnvelopeView {
    let w = |limit: Option<Watts>| limit.map(Watts::as_f64);
    let points = envelope.points.iter().map(|point| PointView {
        start: point.interval.start.into(),
        duration_s: u32::try_from(point.interval.duration.as_secs()).unwrap_or(u32::MAX),
        import_max_w: w(point.import_max),
        export_max_w: w(point.export_max),
    });
    EnvelopeView {
        source: envelope.source.to_string(),
        set_at: envelope.set.into(),
        points: points.collect(),
        fallback: FallbackView {
            import_max_w: w(envelope.fallback.import_max),
            export_max_w: w(envelope.fallback.export_max),
        },
    }
}
