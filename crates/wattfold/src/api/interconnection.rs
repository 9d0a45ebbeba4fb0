//! What the utility has permitted for a DER when it let it on to its grid.

use axum::Json;
use axum::extract::State;
use fleet::enrolment::interconnection::Discharge;
use fleet::enrolment::{Firmness, Fuel, Interconnection, LimitedGeneration, MONTHS};
use fleet::{Command, EnrolmentCommand};
use serde::{Deserialize, Serialize};
use units::Watts;
use utoipa::ToSchema;

use crate::api::control_base::MAX_POWER;
use crate::api::problem::Problem;
use crate::api::request::{Body, Named};
use crate::api::settings_profile::PerformanceCategory;
use crate::api::site::limit;
use crate::api::value::Time;
use crate::api::{Api, der};
use crate::auth::Principal;

/// What drives a generator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FuelView {
    /// Diesel.
    Diesel,
    /// Natural gas.
    Gas,
    /// Biogas.
    Biogas,
    /// Hydrogen.
    Hydrogen,
    /// Anything else.
    Other,
}

impl From<FuelView> for Fuel {
    fn from(fuel: FuelView) -> Self {
        match fuel {
            FuelView::Diesel => Self::Diesel,
            FuelView::Gas => Self::Gas,
            FuelView::Biogas => Self::Biogas,
            FuelView::Hydrogen => Self::Hydrogen,
            FuelView::Other => Self::Other,
        }
    }
}

impl From<Fuel> for FuelView {
    fn from(fuel: Fuel) -> Self {
        match fuel {
            Fuel::Diesel => Self::Diesel,
            Fuel::Gas => Self::Gas,
            Fuel::Biogas => Self::Biogas,
            Fuel::Hydrogen => Self::Hydrogen,
            Fuel::Other => Self::Other,
        }
    }
}

/// Limits on export by month and hour of standard time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitedGenerationView {
    /// Standard time less UTC, in s; a whole quarter of an hour.
    pub utc_offset_s: i32,
    /// Most export in W, a magnitude: 12 months from January, of 24 hours from midnight each.
    pub export_max_w: Vec<Vec<f64>>,
}

/// Whether the utility may call on the DER to hold back beyond its limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirmnessView {
    /// It may not.
    #[default]
    Firm,
    /// It may, in exchange for letting it on.
    Flexible,
}

/// The interconnection record of a DER.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InterconnectionView {
    /// From when it may operate; absent while permission is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_from: Option<Time>,
    /// When permission ended or is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_until: Option<Time>,
    /// Most export approved, in W, a magnitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_max_w: Option<f64>,
    /// Most import approved, in W, a magnitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_max_w: Option<f64>,
    /// Whether a store may inject at all.
    #[serde(default = "allowed")]
    pub may_discharge: bool,
    /// Performance category that it was approved for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<PerformanceCategory>,
    /// Limits on export by month and hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_generation: Option<LimitedGenerationView>,
    /// Whether it may be curtailed beyond that.
    #[serde(default)]
    pub firmness: FirmnessView,
    /// What drives it, of a generator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<FuelView>,
}

const fn allowed() -> bool {
    true
}

/// Show what is permitted for a DER.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}/interconnection", operation_id = "show_interconnection", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = InterconnectionView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<InterconnectionView>, Problem> {
    api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        let record = world.fleet.enrolment().interconnection(der.id);
        let record = record.ok_or_else(|| Problem::not_found("interconnection record of", &mrid));
        Ok(Json(record?.into()))
    })
}

/// Put what is permitted for a DER. Every plan honours it from then on; a DER without a record is
/// held to its own limits only.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/interconnection", operation_id = "put_interconnection", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = InterconnectionView,
    responses((status = 200, body = InterconnectionView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<InterconnectionView>,
) -> Result<Json<InterconnectionView>, Problem> {
    let id = api.world(|world| der::find(world.fleet, &mrid).map(|der| der.id))?;
    let record = request.read()?;
    let command = EnrolmentCommand::PutInterconnection(id, Box::new(record));
    api.command_one(&principal, Command::Enrolment(command))
        .await?;
    show(State(api), Named(mrid)).await
}

impl InterconnectionView {
    pub(super) fn read(&self) -> Result<Interconnection, Problem> {
        let profile = self.limited_generation.as_ref();
        let profile = profile.map(LimitedGenerationView::read);
        Ok(Interconnection {
            permission_from: self.permission_from.map(|time| time.0),
            permission_until: self.permission_until.map(|time| time.0),
            export_max: limit("export_max_w", self.export_max_w)?,
            import_max: limit("import_max_w", self.import_max_w)?,
            discharge: match self.may_discharge {
                true => Discharge::Allowed,
                false => Discharge::NotAllowed,
            },
            category: self.category.map(Into::into),
            limited_generation: profile.transpose()?,
            firmness: match self.firmness {
                FirmnessView::Firm => Firmness::Firm,
                FirmnessView::Flexible => Firmness::Flexible,
            },
            fuel: self.fuel.map(Into::into),
        })
    }
}

impl From<&Interconnection> for InterconnectionView {
    fn from(record: &Interconnection) -> Self {
        let month = |hours: &[Watts; 24]| hours.iter().map(|p| p.as_f64()).collect();
        let profile = |profile: &LimitedGeneration| LimitedGenerationView {
            utc_offset_s: profile.utc_offset_s,
            export_max_w: profile.export_max.iter().map(month).collect(),
        };
        Self {
            permission_from: record.permission_from.map(Time),
            permission_until: record.permission_until.map(Time),
            export_max_w: record.export_max.map(Watts::as_f64),
            import_max_w: record.import_max.map(Watts::as_f64),
            may_discharge: record.discharge == Discharge::Allowed,
            category: record.category.map(Into::into),
            limited_generation: record.limited_generation.as_ref().map(profile),
            firmness: match record.firmness {
                Firmness::Firm => FirmnessView::Firm,
                Firmness::Flexible => FirmnessView::Flexible,
            },
            fuel: record.fuel.map(Into::into),
        }
    }
}

impl LimitedGenerationView {
    fn read(&self) -> Result<LimitedGeneration, Problem> {
        let field = "limited_generation.export_max_w";
        let whole = self.export_max_w.len() == MONTHS
            && self.export_max_w.iter().all(|hours| hours.len() == 24);
        if !whole {
            return Err(Problem::field(field, "has 12 months of 24 hours"));
        }
        let mut export_max = Box::new([[Watts::ZERO; 24]; MONTHS]);
        for (month, given) in export_max.iter_mut().zip(&self.export_max_w) {
            for (limit, w) in month.iter_mut().zip(given) {
                if !(0.0..=MAX_POWER).contains(w) {
                    return Err(Problem::field(field, format!("must be 0 to {MAX_POWER}")));
                }
                *limit = Watts::from_f64(*w);
            }
        }
        Ok(LimitedGeneration {
            utc_offset_s: self.utc_offset_s,
            export_max,
        })
    }
}
