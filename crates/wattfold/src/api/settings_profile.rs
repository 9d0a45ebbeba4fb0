//! Settings profiles: immutable versions of required IEEE 1547-2018 settings.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::settings_profile::rule::violations;
use fleet::settings_profile::{
    Abnormal, Category, Decimal, Excitation, Kind, NewSettingsProfile, Normal, Parameter, Value,
    Values,
};
use fleet::{
    Command, Event, Name, Note, SettingsCommand, SettingsEvent, SettingsProfile, SettingsProfileId,
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::{FieldRule, Problem};
use crate::api::request::{Body, Csv, Named, Params};
use crate::api::value::Time;
use crate::api::{Api, ApiState};
use crate::auth::Principal;
use settings_file::{FileError, FileKind, MAX_FILE_BYTES, Reason, SettingsFile, write};

/// IEEE 1547-2018 performance category under normal conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum NormalCategory {
    /// Category A.
    A,
    /// Category B.
    B,
}

/// IEEE 1547-2018 performance category under abnormal conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum AbnormalCategory {
    /// Category I.
    I,
    /// Category II.
    II,
    /// Category III.
    III,
}

/// Both performance categories of a DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PerformanceCategory {
    /// Under normal conditions.
    pub normal: NormalCategory,
    /// Under abnormal conditions.
    pub abnormal: AbnormalCategory,
}

impl From<Category> for PerformanceCategory {
    fn from(category: Category) -> Self {
        Self {
            normal: match category.normal {
                Normal::A => NormalCategory::A,
                Normal::B => NormalCategory::B,
            },
            abnormal: match category.abnormal {
                Abnormal::I => AbnormalCategory::I,
                Abnormal::II => AbnormalCategory::II,
                Abnormal::III => AbnormalCategory::III,
            },
        }
    }
}

impl From<PerformanceCategory> for Category {
    fn from(category: PerformanceCategory) -> Self {
        Self {
            normal: match category.normal {
                NormalCategory::A => Normal::A,
                NormalCategory::B => Normal::B,
            },
            abnormal: match category.abnormal {
                AbnormalCategory::I => Abnormal::I,
                AbnormalCategory::II => Abnormal::II,
                AbnormalCategory::III => Abnormal::III,
            },
        }
    }
}

/// What a setting is set to: a number in its unit, `true` or `false` for a function that is enabled
/// or disabled, `INJ` or `ABS` for a direction of reactive power.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "must be a number, true or false, INJ or ABS")]
pub enum SettingValue {
    /// A function, enabled or disabled.
    Enabled(bool),
    /// A number with at most six decimals.
    Number(f64),
    /// `INJ` or `ABS`.
    Excitation(String),
}

impl From<Value> for SettingValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Enabled(enabled) => Self::Enabled(enabled),
            Value::Number(number) => Self::Number(number.micro() as f64 / 1e6),
            Value::Excitation(_) => Self::Excitation(value.to_string()),
        }
    }
}

impl SettingValue {
    fn read(&self, kind: Kind) -> Result<Value, String> {
        match (kind, self) {
            (Kind::Switch, Self::Enabled(enabled)) => Ok(Value::Enabled(*enabled)),
            (Kind::Switch, _) => Err("must be true or false".to_owned()),
            (Kind::Excitation, Self::Excitation(text)) if text == "INJ" => {
                Ok(Value::Excitation(Excitation::Injecting))
            }
            (Kind::Excitation, Self::Excitation(text)) if text == "ABS" => {
                Ok(Value::Excitation(Excitation::Absorbing))
            }
            (Kind::Excitation, _) => Err("must be INJ or ABS".to_owned()),
            (_, Self::Number(number)) => {
                // The shortest text that gives the same number has its decimals.
                let decimal = number.to_string().parse::<Decimal>();
                decimal.map(Value::Number).map_err(|e| e.to_string())
            }
            _ => Err("must be a number".to_owned()),
        }
    }
}

/// Settings by their names in the common file format of DER settings, such as `ES_DELAY`.
pub type SettingValues = BTreeMap<String, SettingValue>;

/// A version in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SettingsProfileRow {
    /// Number of this version over all names.
    pub id: u32,
    /// What the profile is called.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
    /// For DER of this category.
    pub category: PerformanceCategory,
    /// Why this version exists.
    #[schema(required)]
    pub comment: Option<String>,
    /// Name of the account that made it.
    pub author: String,
    /// When.
    pub created: Time,
    /// Number of settings.
    pub settings_count: usize,
}

/// A version with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SettingsProfileDetail {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: SettingsProfileRow,
    /// What it requires; what is absent is left to the device.
    pub settings: SettingValues,
    /// Settings that IEEE 2030.5 has no element for: they can be required and compared, and are not
    /// sent to devices.
    pub not_carried: Vec<String>,
}

/// A version to create.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsProfileRequest {
    /// A name that exists makes its next version, another one its first.
    pub name: String,
    /// For DER of this category; the same for all versions of a name.
    pub category: PerformanceCategory,
    /// What is required.
    pub settings: SettingValues,
    /// Why, 1 to 512 characters.
    pub comment: Option<String>,
}

/// Which versions are wanted.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SettingsProfileQuery {
    /// Only versions of this name.
    pub name: Option<String>,
    /// Most items to answer with, 1 to 1000; 100 without it.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<u32>,
}

/// What a file is imported as.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Name of the profile; one that exists gets its next version.
    pub name: String,
}

/// A row of a file that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SetAsideRow {
    /// Which row, from 1 for the header.
    pub row: u64,
    /// Its parameter.
    pub parameter: String,
    /// Why it was not taken.
    pub reason: SetAsideReason,
}

/// Why a row was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SetAsideReason {
    /// It describes a device, its owner or the file.
    Description,
    /// No setting of this name is known.
    Unknown,
    /// It has no value.
    Empty,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ImportedProfile {
    /// The version it made.
    pub profile: SettingsProfileDetail,
    /// Rows that were not taken.
    pub set_aside: Vec<SetAsideRow>,
}

/// List versions, the newest first.
#[utoipa::path(get, path = "/api/v1/settings-profiles", operation_id = "list_settings_profiles",
    tag = "settings", params(SettingsProfileQuery),
    responses((status = 200, body = Page<SettingsProfileRow>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<SettingsProfileQuery>,
) -> Result<Json<Page<SettingsProfileRow>>, Problem> {
    let page = PageQuery {
        limit: query.limit,
        after: query.after,
    };
    api.world(|world| {
        let all = world.fleet.settings().profiles().iter().rev();
        let wanted = |profile: &&SettingsProfile| {
            query
                .name
                .as_ref()
                .is_none_or(|name| profile.name.as_str() == name)
        };
        let rows = all.filter(wanted);
        let slice = Slice::cut(rows, |profile| profile.id.0, Direction::Descending, &page)?;
        Ok(Json(slice.render(row)))
    })
}

/// Show one version.
#[utoipa::path(get, path = "/api/v1/settings-profiles/{id}", operation_id = "show_settings_profile",
    tag = "settings", params(("id" = u32, Path, description = "Number of the version")),
    responses((status = 200, body = SettingsProfileDetail), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(id): Named,
) -> Result<Json<SettingsProfileDetail>, Problem> {
    api.world(|world| Ok(Json(detail(find(world.fleet, &id)?))))
}

/// Make the next version of a profile, or the first one of a new name.
#[utoipa::path(post, path = "/api/v1/settings-profiles", operation_id = "create_settings_profile",
    tag = "settings", request_body = SettingsProfileRequest,
    responses((status = 201, body = SettingsProfileDetail), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<SettingsProfileRequest>,
) -> Result<Response, Problem> {
    let new = NewSettingsProfile {
        name: name("name", &request.name)?,
        category: request.category.into(),
        values: values(&request.settings)?,
        comment: comment(request.comment.as_deref())?,
        author: author(&principal)?,
    };
    check(&new, None)?;
    let created = created(&api, &principal, new).await?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// Make a version of a settings file.
///
/// The body is a file in the common file format of DER settings (EPRI 3002020201) with its
/// performance categories (`NP_NORMAL_OP_CAT`, `NP_ABNORMAL_OP_CAT`). Rows that describe a device or
/// its owner are not kept.
#[utoipa::path(post, path = "/api/v1/settings-profiles/import", tag = "settings",
    operation_id = "import_settings_profile", params(ImportQuery),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 201, body = ImportedProfile), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn import(
    State(api): State<Api>,
    principal: Principal,
    Params(query): Params<ImportQuery>,
    Csv(bytes): Csv<MAX_FILE_BYTES>,
) -> Result<Response, Problem> {
    let file = settings_file::read(&bytes)?;
    let missing = "NP_NORMAL_OP_CAT and NP_ABNORMAL_OP_CAT say for which DER the settings are";
    let category = file.category();
    let category = category.ok_or_else(|| Problem::field("NP_NORMAL_OP_CAT", missing))?;
    let new = NewSettingsProfile {
        name: name("name", &query.name)?,
        category,
        values: file.values.clone(),
        comment: file.comment.clone(),
        author: author(&principal)?,
    };
    check(&new, Some(&file))?;
    let profile = created(&api, &principal, new).await?;
    let set_aside = set_aside(&file);
    let imported = ImportedProfile { profile, set_aside };
    Ok((StatusCode::CREATED, Json(imported)).into_response())
}

/// Show one version as a settings file.
#[utoipa::path(get, path = "/api/v1/settings-profiles/{id}/file", tag = "settings",
    operation_id = "export_settings_profile",
    params(("id" = u32, Path, description = "Number of the version")),
    responses((status = 200, body = String, content_type = "text/csv"),
        (status = 404, body = Problem)))]
pub(super) async fn export(State(api): State<Api>, Named(id): Named) -> Result<Response, Problem> {
    api.world(|world| {
        let profile = find(world.fleet, &id)?;
        let (category, comment) = (Some(profile.category), profile.comment.as_ref());
        let file = write(FileKind::Specified, category, &profile.values, comment);
        Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], file).into_response())
    })
}

async fn created(
    api: &ApiState,
    principal: &Principal,
    new: NewSettingsProfile,
) -> Result<SettingsProfileDetail, Problem> {
    let command = Command::Settings(SettingsCommand::CreateProfile(new));
    let events = api.command_one(principal, command).await?;
    let created = events.iter().find_map(|event| match event {
        Event::Settings(SettingsEvent::ProfileCreated(profile)) => Some(detail(profile)),
        _ => None,
    });
    created.ok_or_else(Problem::lost)
}

/// Every setting that breaks a rule, with its row where it comes from a file.
fn check(new: &NewSettingsProfile, file: Option<&SettingsFile>) -> Result<(), Problem> {
    let broken = violations(new.category, &new.values);
    if broken.is_empty() {
        return Ok(());
    }
    let error = |violation: &fleet::settings_profile::Violation| FieldRule {
        field: match file {
            Some(_) => violation.parameter.name().to_owned(),
            None => format!("settings.{}", violation.parameter),
        },
        row: file.and_then(|file| file.rows.get(&violation.parameter).copied()),
        rule: violation.to_string(),
    };
    Err(Problem::fields(broken.iter().map(error).collect()))
}

fn values(given: &SettingValues) -> Result<Values, Problem> {
    let mut values = Values::new();
    let mut errors = Vec::new();
    for (name, value) in given {
        let parameter = Parameter::by_name(name).ok_or_else(|| "is no setting".to_owned());
        let read = parameter.and_then(|p| value.read(p.kind()).map(|value| (p, value)));
        match read {
            Ok((parameter, value)) => {
                values.insert(parameter, value);
            }
            Err(rule) => errors.push(FieldRule {
                field: format!("settings.{name}"),
                row: None,
                rule,
            }),
        }
    }
    if errors.is_empty() {
        return Ok(values);
    }
    Err(Problem::fields(errors))
}

pub(super) fn set_aside(file: &SettingsFile) -> Vec<SetAsideRow> {
    let row = |aside: &settings_file::SetAside| SetAsideRow {
        row: aside.row,
        parameter: aside.parameter.clone(),
        reason: match aside.reason {
            Reason::Description => SetAsideReason::Description,
            Reason::Unknown => SetAsideReason::Unknown,
            Reason::Empty => SetAsideReason::Empty,
        },
    };
    file.set_aside.iter().map(row).collect()
}

pub(super) fn name(field: &str, text: &str) -> Result<Name, Problem> {
    Name::new(text).map_err(|error| Problem::field(field, error.to_string()))
}

pub(super) fn comment(text: Option<&str>) -> Result<Option<Note>, Problem> {
    let note = text.map(Note::new).transpose();
    note.map_err(|error| Problem::field("comment", error.to_string()))
}

/// Who decides, by the name of the account.
pub(super) fn author(principal: &Principal) -> Result<Name, Problem> {
    name("account", &principal.name)
}

pub(super) fn find<'a>(fleet: &'a fleet::Fleet, id: &str) -> Result<&'a SettingsProfile, Problem> {
    let number = id.parse().ok().map(SettingsProfileId);
    let found = number.and_then(|id| fleet.settings().profile(id));
    found.ok_or_else(|| Problem::not_found("settings profile", id))
}

pub(super) fn by_number(
    fleet: &fleet::Fleet,
    field: &str,
    id: u32,
) -> Result<SettingsProfileId, Problem> {
    let found = fleet.settings().profile(SettingsProfileId(id));
    let found = found.ok_or_else(|| Problem::field(field, "is no settings profile's id"));
    found.map(|profile| profile.id)
}

fn row(profile: &SettingsProfile) -> SettingsProfileRow {
    SettingsProfileRow {
        id: profile.id.0,
        name: profile.name.to_string(),
        version: profile.version,
        category: profile.category.into(),
        comment: profile.comment.as_ref().map(ToString::to_string),
        author: profile.author.to_string(),
        created: profile.created.into(),
        settings_count: profile.values.len(),
    }
}

fn detail(profile: &SettingsProfile) -> SettingsProfileDetail {
    let settings = profile.values.iter();
    let carried = fleet::settings_profile::compile::is_carried;
    let not_carried = profile
        .values
        .keys()
        .filter(|parameter| !carried(**parameter));
    SettingsProfileDetail {
        row: row(profile),
        settings: settings
            .map(|(p, value)| (p.to_string(), (*value).into()))
            .collect(),
        not_carried: not_carried.map(ToString::to_string).collect(),
    }
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Rows(rows) => Self::fields(
                rows.into_iter()
                    .map(|row| FieldRule {
                        field: row.parameter,
                        row: Some(row.row),
                        rule: row.rule,
                    })
                    .collect(),
            ),
            FileError::TooLarge => {
                Self::new(crate::api::problem::Kind::TooLarge, error.to_string())
            }
            FileError::Header | FileError::TooManyRows => Self::field("file", error.to_string()),
        }
    }
}
