//! Curves: what devices do on their own as a function of what they measure.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::{Command, Curve, CurvePoint, CurveShape, CurveType, Event, Fleet, Name, NewCurve};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::control_base::scaled;
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::program;
use crate::api::request::{Body, Named, Params};
use crate::api::value::Time;
use crate::api::{Api, index_of};
use crate::auth::Principal;

/// Which function a curve is of (`DERCurveType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CurveKind {
    /// `opModFreqWatt`
    FreqWatt,
    /// `opModHFRTMayTrip`
    HfrtMayTrip,
    /// `opModHFRTMustTrip`
    HfrtMustTrip,
    /// `opModHVRTMayTrip`
    HvrtMayTrip,
    /// `opModHVRTMomentaryCessation`
    HvrtMomentaryCessation,
    /// `opModHVRTMustTrip`
    HvrtMustTrip,
    /// `opModLFRTMayTrip`
    LfrtMayTrip,
    /// `opModLFRTMustTrip`
    LfrtMustTrip,
    /// `opModLVRTMayTrip`
    LvrtMayTrip,
    /// `opModLVRTMomentaryCessation`
    LvrtMomentaryCessation,
    /// `opModLVRTMustTrip`
    LvrtMustTrip,
    /// `opModVoltVar`
    VoltVar,
    /// `opModVoltWatt`
    VoltWatt,
    /// `opModWattPF`
    WattPf,
    /// `opModWattVar`
    WattVar,
}

/// Kinds in the order of [`CurveType::ALL`].
const KINDS: [CurveKind; 15] = [
    CurveKind::FreqWatt,
    CurveKind::HfrtMayTrip,
    CurveKind::HfrtMustTrip,
    CurveKind::HvrtMayTrip,
    CurveKind::HvrtMomentaryCessation,
    CurveKind::HvrtMustTrip,
    CurveKind::LfrtMayTrip,
    CurveKind::LfrtMustTrip,
    CurveKind::LvrtMayTrip,
    CurveKind::LvrtMomentaryCessation,
    CurveKind::LvrtMustTrip,
    CurveKind::VoltVar,
    CurveKind::VoltWatt,
    CurveKind::WattPf,
    CurveKind::WattVar,
];

impl From<CurveKind> for CurveType {
    fn from(kind: CurveKind) -> Self {
        Self::ALL[kind as usize]
    }
}

impl From<CurveType> for CurveKind {
    fn from(kind: CurveType) -> Self {
        KINDS[kind as usize]
    }
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// What is measured (for ride-through: time), times ten to the curve's `x_multiplier`.
    pub x: i32,
    /// What is done (for ride-through: voltage or frequency), times ten to the `y_multiplier`.
    pub y: i32,
    /// Whether reactive power is injected, where y is a power factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injects_vars: Option<bool>,
}

/// What a curve says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Which function.
    pub kind: CurveKind,
    /// 1 to 10 points, x ascending.
    pub points: Vec<Point>,
    /// Power of ten of x.
    #[serde(default)]
    pub x_multiplier: i8,
    /// Power of ten of y.
    #[serde(default)]
    pub y_multiplier: i8,
    /// What y is a percentage of, by its number in `DERUnitRefType`.
    #[serde(default)]
    pub y_ref_type: u8,
    /// Time constant of the autonomous adjustment of the reference voltage in s; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomous_v_ref_s: Option<f64>,
    /// Open-loop response time in s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_loop_s: Option<f64>,
    /// Fastest decrease in percent per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp_dec_pct_per_s: Option<f64>,
    /// Fastest increase in percent per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp_inc_pct_per_s: Option<f64>,
    /// Time of the first-order lag in s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp_pt1_s: Option<f64>,
    /// Reference voltage in percent of the nominal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v_ref_pct: Option<f64>,
}

/// A curve to add to a programme.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CurveRequest {
    /// What it is called, 1 to 64 characters.
    pub name: Option<String>,
    /// What it says.
    pub shape: Shape,
}

/// A curve of a programme.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CurveView {
    /// IEEE 2030.5 mRID.
    pub mrid: String,
    /// mRID of its programme.
    pub program: String,
    /// What it is called.
    #[schema(required)]
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Time,
    /// What it says.
    pub shape: Shape,
}

/// List the curves of a programme, the oldest first.
#[utoipa::path(get, path = "/api/v1/programs/{mrid}/curves", operation_id = "list_curves", tag = "curves",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID of the programme"), PageQuery),
    responses((status = 200, body = Page<CurveView>), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Named(mrid): Named,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<CurveView>>, Problem> {
    api.world(|world| {
        let program = program::find(world.fleet, &mrid)?;
        let curves = world.fleet.curves_of(program.id);
        let slice = Slice::cut(curves, |curve| curve.id.0, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|curve| view(world.fleet, curve))))
    })
}

/// Add a curve to a programme. A curve is never changed: add another and refer to that.
#[utoipa::path(post, path = "/api/v1/programs/{mrid}/curves", operation_id = "create_curve", tag = "curves",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID of the programme")),
    request_body = CurveRequest,
    responses((status = 201, body = CurveView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<CurveRequest>,
) -> Result<Response, Problem> {
    let program = api.world(|world| program::find(world.fleet, &mrid).map(|p| p.id))?;
    let name = request.name.as_deref().map(Name::new).transpose();
    let new = NewCurve {
        program,
        name: name.map_err(|e| Problem::field("name", e.to_string()))?,
        shape: request.shape.read().map_err(|p| p.under("shape"))?,
    };
    let events = api
        .command_one(&principal, Command::CreateCurve(new))
        .await?;
    let id = events.iter().find_map(|event| match event {
        Event::CurveCreated(curve) => Some(curve.id),
        _ => None,
    });
    let created = api.world(|world| Some(view(world.fleet, world.fleet.curve(id?)?)));
    let created = created.ok_or_else(Problem::lost)?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// Show one curve.
#[utoipa::path(get, path = "/api/v1/curves/{mrid}", operation_id = "show_curve", tag = "curves",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    responses((status = 200, body = CurveView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<CurveView>, Problem> {
    api.world(|world| Ok(Json(view(world.fleet, find(world.fleet, &mrid)?))))
}

/// Take a curve out of service that nothing refers to.
#[utoipa::path(delete, path = "/api/v1/curves/{mrid}", operation_id = "delete_curve", tag = "curves",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    responses((status = 204, description = "Out of service"), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<StatusCode, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|curve| curve.id))?;
    api.command_one(&principal, Command::DeleteCurve(id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The curve in service with this mRID, or the answer that there is none.
pub(super) fn find<'a>(fleet: &'a Fleet, mrid: &str) -> Result<&'a Curve, Problem> {
    index_of(mrid)
        .and_then(|(mrid, index)| {
            let curve = fleet.curve(fleet::CurveId(index))?;
            (curve.mrid == mrid && curve.removed.is_none()).then_some(curve)
        })
        .ok_or_else(|| Problem::not_found("curve", mrid))
}

fn view(fleet: &Fleet, curve: &Curve) -> CurveView {
    let program = fleet.program(curve.program);
    CurveView {
        mrid: curve.mrid.to_string(),
        program: program.map_or_else(String::new, |p| p.mrid.to_string()),
        name: curve.name.as_ref().map(ToString::to_string),
        created_at: curve.created.into(),
        shape: Shape::of(&curve.shape),
    }
}

impl Shape {
    fn read(&self) -> Result<CurveShape, Problem> {
        let small = |field: &str, given: Option<f64>| {
            let count = |given| scaled(field, given, 100.0, u16::MAX.into());
            given.map(count).transpose()
        };
        let autonomous = |given| scaled("autonomous_v_ref_s", given, 100.0, u32::MAX);
        Ok(CurveShape {
            kind: self.kind.into(),
            points: self.points.iter().map(|p| (*p).into()).collect(),
            x_multiplier: self.x_multiplier,
            y_multiplier: self.y_multiplier,
            y_ref_type: self.y_ref_type,
            autonomous_v_ref_time: self.autonomous_v_ref_s.map(autonomous).transpose()?,
            open_loop_tms: small("open_loop_s", self.open_loop_s)?,
            ramp_dec_tms: small("ramp_dec_pct_per_s", self.ramp_dec_pct_per_s)?,
            ramp_inc_tms: small("ramp_inc_pct_per_s", self.ramp_inc_pct_per_s)?,
            ramp_pt1_tms: small("ramp_pt1_s", self.ramp_pt1_s)?,
            v_ref: small("v_ref_pct", self.v_ref_pct)?,
        })
    }

    fn of(shape: &CurveShape) -> Self {
        let small = |given: Option<u16>| given.map(|hundredths| f64::from(hundredths) / 100.0);
        let points = shape.points.iter().map(|point| Point {
            x: point.x,
            y: point.y,
            injects_vars: point.injects_vars,
        });
        Self {
            kind: shape.kind.into(),
            points: points.collect(),
            x_multiplier: shape.x_multiplier,
            y_multiplier: shape.y_multiplier,
            y_ref_type: shape.y_ref_type,
            autonomous_v_ref_s: shape.autonomous_v_ref_time.map(|t| f64::from(t) / 100.0),
            open_loop_s: small(shape.open_loop_tms),
            ramp_dec_pct_per_s: small(shape.ramp_dec_tms),
            ramp_inc_pct_per_s: small(shape.ramp_inc_tms),
            ramp_pt1_s: small(shape.ramp_pt1_tms),
            v_ref_pct: small(shape.v_ref),
        }
    }
}

impl From<Point> for CurvePoint {
    fn from(point: Point) -> Self {
        Self {
            x: point.x,
            y: point.y,
            injects_vars: point.injects_vars,
        }
    }
}
