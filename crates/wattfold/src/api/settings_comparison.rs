//! What is required of a DER's settings held against what is reported, and the alarms on drift.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::dispatch::assess::World;
use fleet::settings_profile::compile::compile;
use fleet::settings_profile::read_back::{self, Reporter};
use fleet::settings_profile::{
    AppliedSettings, Basis, Drift, FieldState, Parameter, Source, Values,
};
use fleet::{Command, Der, SettingsCommand};
use http::header;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Csv, Named, Params};
use crate::api::settings_profile::{SetAsideRow, SettingValue, author, set_aside};
use crate::api::settings_requirement::{RequirementSubject, subject_view};
use crate::api::value::Time;
use crate::api::{Api, der};
use crate::auth::Principal;
use crate::clock;
use settings_file::{FileKind, MAX_FILE_BYTES};

/// How a setting compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonState {
    /// It is reported to be as required.
    Matches,
    /// It is reported to be something else.
    Differs,
    /// Nothing is reported of it.
    NotReported,
}

/// Who reports a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingReporter {
    /// The device, through its protocol.
    Device,
    /// A file of applied settings.
    File,
}

/// One setting, required and reported.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ComparedSetting {
    /// Which.
    pub parameter: String,
    /// Its unit; empty where there is none.
    pub unit: String,
    /// How it compares.
    pub state: ComparisonState,
    /// What is required.
    pub required: SettingValue,
    /// What is reported.
    #[schema(required)]
    pub reported: Option<SettingValue>,
    /// Who reports it.
    #[schema(required)]
    pub reported_by: Option<SettingReporter>,
    /// As of when; of a device, by its own clock.
    #[schema(required)]
    pub reported_at: Option<Time>,
    /// Since when a drift alarm is open for it.
    #[schema(required)]
    pub drift_since: Option<Time>,
}

/// Why a version is required of a DER.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequiredBy {
    /// By a requirement of this subject.
    Requirement(RequirementSubject),
    /// By the roll-out of this number.
    RollOut(u32),
}

/// What is required of a DER's settings, held against what is reported.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SettingsComparison {
    /// IEC 61968 mRID of the DER.
    pub der: String,
    /// Number of the version that is required; null when nothing is.
    #[schema(required)]
    pub profile: Option<u32>,
    /// Why.
    #[schema(required)]
    pub required_by: Option<RequiredBy>,
    /// Number of the version that the DER's programme holds.
    #[schema(required)]
    pub issued_profile: Option<u32>,
    /// Since when its programme holds it.
    #[schema(required)]
    pub issued_at: Option<Time>,
    /// Why its programme can't hold what is required.
    #[schema(required)]
    pub not_issued_because: Option<String>,
    /// Number of settings reported to be as required.
    pub matching: usize,
    /// Number of settings reported to be something else.
    pub differing: usize,
    /// Number of settings of which nothing is reported.
    pub not_reported: usize,
    /// Setting by setting.
    pub settings: Vec<ComparedSetting>,
}

/// A drift alarm.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DriftView {
    /// IEC 61968 mRID of the DER.
    pub der: String,
    /// Which setting.
    pub parameter: String,
    /// Number of the version that requires it.
    pub profile: u32,
    /// What is required.
    pub required: SettingValue,
    /// What is reported.
    pub reported: SettingValue,
    /// Since when the alarm is open.
    pub since: Time,
}

/// As of when a file holds.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AppliedQuery {
    /// When the settings were read from the DER; now without it.
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Option<Time>,
}

/// What became of a file of applied settings.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ImportedSettings {
    /// Number of settings taken.
    pub settings_count: usize,
    /// Rows that were not taken.
    pub set_aside: Vec<SetAsideRow>,
}

/// Compare what is required of a DER with what is reported of it.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}/settings_comparison", tag = "settings",
    operation_id = "compare_settings",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = SettingsComparison), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<SettingsComparison>, Problem> {
    api.world(|world| Ok(Json(comparison(world, der::find(world.fleet, &mrid)?))))
}

/// List open drift alarms, by DER in order of enrolment.
#[utoipa::path(get, path = "/api/v1/settings-drifts", tag = "settings",
    operation_id = "list_settings_drifts", params(PageQuery),
    responses((status = 200, body = Page<DriftView>), (status = 422, body = Problem)))]
pub(super) async fn drifts(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<DriftView>>, Problem> {
    api.world(|world| {
        let all = world.fleet.settings().drifts();
        let slice = Slice::cut(all, |drift| cursor(drift), Direction::Ascending, &query)?;
        Ok(Json(slice.render_all(|drift| drift_view(world, drift))))
    })
}

/// Hand in what a DER is set to, as a settings file.
///
/// The body is a file in the common file format of DER settings (EPRI 3002020201), such as an
/// installer returns. Rows that describe a device or its owner are not kept.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/applied_settings", tag = "settings",
    operation_id = "report_applied_settings",
    params(("mrid" = String, Path, description = "IEC 61968 mRID"), AppliedQuery),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = ImportedSettings), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn apply(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Params(query): Params<AppliedQuery>,
    Csv(bytes): Csv<MAX_FILE_BYTES>,
) -> Result<Json<ImportedSettings>, Problem> {
    let file = settings_file::read(&bytes)?;
    if file.values.is_empty() {
        return Err(Problem::field("file", "has no setting that is known"));
    }
    let now = clock::now();
    let at = query.at.map_or(now, |Time(at)| at);
    if now < at {
        return Err(Problem::field("at", "is in the future"));
    }
    let der = api.world(|world| der::find(world.fleet, &mrid).map(|der| der.id))?;
    let applied = AppliedSettings {
        values: file.values.clone(),
        at,
        author: author(&principal)?,
    };
    let command = SettingsCommand::ReportApplied(der, Box::new(applied));
    api.command_one(&principal, Command::Settings(command))
        .await?;
    Ok(Json(ImportedSettings {
        settings_count: file.values.len(),
        set_aside: set_aside(&file),
    }))
}

/// Show all that is reported of a DER's settings as a settings file.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}/applied_settings", tag = "settings",
    operation_id = "export_applied_settings",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = String, content_type = "text/csv"),
        (status = 404, body = Problem)))]
pub(super) async fn export(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Response, Problem> {
    api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        let reported = read_back::reported(world.fleet, der);
        let values: Values = reported.iter().map(|(p, said)| (*p, said.value)).collect();
        let category = world.fleet.settings().category(der.id);
        let file = settings_file::write(FileKind::Applied, category, &values, None);
        Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], file).into_response())
    })
}

fn comparison(world: &World<'_>, der: &Der) -> SettingsComparison {
    let book = world.fleet.settings();
    let required = book.required(world.fleet, der, world.now);
    let profile = required.and_then(|(id, _)| book.profile(id));
    let realised = book.realised(der.id);
    let fields = profile.map_or_else(Vec::new, |profile| {
        read_back::comparison(world.fleet, der, &profile.values)
    });
    let error = profile.and_then(|profile| compile(&profile.values, Basis::of(der)).err());
    let matching = fields.iter().filter(|field| field.matches()).count();
    let differing = fields.iter().filter(|field| field.differs()).count();
    SettingsComparison {
        der: der.mrid.to_string(),
        profile: profile.map(|profile| profile.id.0),
        required_by: required.map(|(_, source)| match source {
            Source::Requirement(subject) => {
                RequiredBy::Requirement(subject_view(world.fleet, subject))
            }
            Source::RollOut(id) => RequiredBy::RollOut(id.0),
        }),
        issued_profile: realised.map(|realised| realised.profile.0),
        issued_at: realised.map(|realised| realised.at.into()),
        not_issued_because: error.map(|error| error.to_string()),
        matching,
        differing,
        not_reported: fields.len() - matching - differing,
        settings: fields
            .iter()
            .map(|field| compared(world, der, field))
            .collect(),
    }
}

fn compared(world: &World<'_>, der: &Der, field: &FieldState) -> ComparedSetting {
    let mut drifts = world.fleet.settings().drifts_of(der.id);
    let drift = drifts.find(|drift| drift.parameter == field.parameter);
    ComparedSetting {
        parameter: field.parameter.to_string(),
        unit: field.parameter.kind().unit().to_owned(),
        state: match (field.matches(), field.differs()) {
            (true, _) => ComparisonState::Matches,
            (_, true) => ComparisonState::Differs,
            _ => ComparisonState::NotReported,
        },
        required: field.required.into(),
        reported: field.reported.map(|said| said.value.into()),
        reported_by: field.reported.map(|said| match said.by {
            Reporter::Device => SettingReporter::Device,
            Reporter::File => SettingReporter::File,
        }),
        reported_at: field.reported.map(|said| said.at.into()),
        drift_since: drift.map(|drift| drift.since.into()),
    }
}

/// Alarms in their order: by DER, then by parameter.
fn cursor(drift: &Drift) -> u32 {
    let parameters = u32::try_from(Parameter::ALL.len()).unwrap_or(u32::MAX);
    let place = Parameter::ALL
        .iter()
        .position(|each| *each == drift.parameter);
    let place = place
        .and_then(|place| u32::try_from(place).ok())
        .unwrap_or(0);
    drift.der.0.saturating_mul(parameters).saturating_add(place)
}

fn drift_view(world: &World<'_>, drift: &Drift) -> Option<DriftView> {
    Some(DriftView {
        der: world.fleet.der(drift.der)?.mrid.to_string(),
        parameter: drift.parameter.to_string(),
        profile: drift.profile.0,
        required: drift.required.into(),
        reported: drift.reported.into(),
        since: drift.since.into(),
    })
}
