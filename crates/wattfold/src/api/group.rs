//! DER groups: who belongs together, and what they can do now.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fleet::dispatch::Standing;
use fleet::dispatch::assess::World;
use fleet::{
    CimMrid, Command, DerFunction, DerFunctions, DerId, Event, Fleet, Group, GroupChange,
    GroupName, Name, NewGroup, Version,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::value::{MeasuredValue, Time, sum};
use crate::api::{Api, der, fresh_mrid};
use crate::auth::Principal;

/// The nine abilities of IEC 61968-5, by their names there.
const FUNCTIONS: [(DerFunction, &str); 9] = [
    (DerFunction::ConnectDisconnect, "connectDisconnect"),
    (
        DerFunction::FrequencyWattCurve,
        "frequencyWattCurveFunction",
    ),
    (DerFunction::MaxRealPowerLimiting, "maxRealPowerLimiting"),
    (DerFunction::RampRateControl, "rampRateControl"),
    (DerFunction::ReactivePowerDispatch, "reactivePowerDispatch"),
    (DerFunction::RealPowerDispatch, "realPowerDispatch"),
    (DerFunction::VoltageRegulation, "voltageRegulation"),
    (DerFunction::VoltVarCurve, "voltVarCurveFunction"),
    (DerFunction::VoltWattCurve, "voltWattCurveFunction"),
];

/// A name, with the type and authority it was given under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupNameView {
    /// The name, 1 to 64 characters.
    pub name: String,
    /// What kind of name it is.
    #[serde(default)]
    pub name_type: Option<String>,
    /// Who gave it.
    #[serde(default)]
    pub authority: Option<String>,
}

/// What a group does and can do now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct GroupStatus {
    /// Sum of the active power of members that are heard, in W, injection positive.
    #[schema(required)]
    pub p_w: Option<MeasuredValue>,
    /// Sum of the reactive power of members that are heard, in var, injection positive.
    #[schema(required)]
    pub q_var: Option<MeasuredValue>,
    /// By how much the controllable members could raise their injection now and hold it for a quarter of an
    /// hour, in W, a magnitude.
    pub up_w: f64,
    /// By how much they could lower it and hold that as long, in W, a magnitude.
    pub down_w: f64,
    /// Members that are heard.
    pub reachable: u32,
    /// Members that are not heard, or never were.
    pub silent: u32,
    /// Members in microgrids that are islands, or on their way to or from one; they count as nothing.
    pub islanded: u32,
    /// Members whose owner opted out of a dispatch that is not over.
    pub opted_out: u32,
    /// The instant of judgement.
    pub at: Time,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct GroupRow {
    /// IEC 61968 mRID.
    pub mrid: String,
    /// Its first name, else its mRID.
    pub title: String,
    /// Its names.
    pub names: Vec<GroupNameView>,
    /// Free text.
    #[schema(required)]
    pub description: Option<String>,
    /// What may be asked of it, by the names of IEC 61968-5 `DERFunction`.
    pub functions: Vec<String>,
    /// Number of members.
    pub members_count: usize,
    /// Version, as `major.minor.revision`.
    pub version: String,
    /// When this version came about.
    pub version_at: Time,
    /// What it does and can do now.
    pub status: GroupStatus,
}

/// A group with its members.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct GroupDetail {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: GroupRow,
    /// mRIDs of its members, in order of enrolment.
    pub members: Vec<String>,
}

/// A name as a text, or with its type and authority.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "must be a text or an object with name, name_type and authority"
)]
pub enum GivenName {
    /// Just the name.
    Text(String),
    /// With its type and authority.
    Full(GroupNameView),
}

/// A group to create.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRequest {
    /// Names, 1 to 16; the first one is shown.
    pub names: Vec<GivenName>,
    /// mRIDs or names of its members.
    pub members: Vec<String>,
    /// What may be asked of it; `realPowerDispatch` when absent.
    pub functions: Option<Vec<String>>,
    /// Free text, 1 to 64 characters.
    pub description: Option<String>,
    /// IEC 61968 mRID; a UUID is assigned when absent.
    pub mrid: Option<String>,
}

/// A change of a group: what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupPatch {
    /// Names in place of the current ones.
    pub names: Option<Vec<GivenName>>,
    /// Functions in place of the current ones.
    pub functions: Option<Vec<String>>,
    /// Description in place of the current one.
    pub description: Option<String>,
    /// mRIDs or names of DER to add.
    #[serde(default)]
    pub add: Vec<String>,
    /// mRIDs or names of members to take out.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// List the groups, the oldest first.
#[utoipa::path(get, path = "/api/v1/groups", operation_id = "list_groups", tag = "groups", params(PageQuery),
    responses((status = 200, body = Page<GroupRow>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<GroupRow>>, Problem> {
    api.world(|world| {
        let groups = world.fleet.groups();
        let slice = Slice::cut(groups, |group| group.id.0, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|group| row(world, group))))
    })
}

/// Show one group.
#[utoipa::path(get, path = "/api/v1/groups/{mrid}", operation_id = "show_group", tag = "groups",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = GroupDetail), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<GroupDetail>, Problem> {
    api.world(|world| Ok(Json(detail(world, find(world.fleet, &mrid)?))))
}

/// Create a group.
#[utoipa::path(post, path = "/api/v1/groups", operation_id = "create_group", tag = "groups", request_body = GroupRequest,
    responses((status = 201, body = GroupDetail), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<GroupRequest>,
) -> Result<Response, Problem> {
    let new = api.world(|world| new_group(world.fleet, &request))?;
    let events = api
        .command_one(&principal, Command::CreateGroup(new))
        .await?;
    let id = events.iter().find_map(|event| match event {
        Event::GroupCreated(group) => Some(group.id),
        _ => None,
    });
    let created = api.world(|world| Some(detail(world, world.fleet.group(id?)?)));
    let created = created.ok_or_else(Problem::lost)?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// Change a group.
#[utoipa::path(patch, path = "/api/v1/groups/{mrid}", operation_id = "change_group", tag = "groups",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    request_body = GroupPatch,
    responses((status = 200, body = GroupDetail), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn change(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(patch): Body<GroupPatch>,
) -> Result<Json<GroupDetail>, Problem> {
    let command = api.world(|world| {
        let id = find(world.fleet, &mrid)?.id;
        Ok::<_, Problem>(Command::ChangeGroup(id, group_change(world.fleet, &patch)?))
    })?;
    api.command_one(&principal, command).await?;
    api.world(|world| Ok(Json(detail(world, find(world.fleet, &mrid)?))))
}

/// Delete a group that no dispatch is using.
#[utoipa::path(delete, path = "/api/v1/groups/{mrid}", operation_id = "delete_group", tag = "groups",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 204, description = "Deleted"), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<StatusCode, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|group| group.id))?;
    api.command_one(&principal, Command::DeleteGroup(id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The group of this mRID, or the answer that there is none.
pub(super) fn find<'a>(fleet: &'a Fleet, mrid: &str) -> Result<&'a Group, Problem> {
    CimMrid::new(mrid)
        .ok()
        .and_then(|mrid| fleet.group_by_mrid(&mrid))
        .ok_or_else(|| Problem::not_found("group", mrid))
}

fn new_group(fleet: &Fleet, given: &GroupRequest) -> Result<NewGroup, Problem> {
    let mrid = match &given.mrid {
        Some(text) => CimMrid::new(text).map_err(|e| Problem::field("mrid", e.to_string()))?,
        None => fresh_mrid(),
    };
    let default = DerFunctions::default().with(DerFunction::RealPowerDispatch);
    Ok(NewGroup {
        mrid,
        names: names(&given.names)?,
        description: description(given.description.as_deref())?,
        functions: given.functions.as_deref().map_or(Ok(default), functions)?,
        members: der::find_all(fleet, "members", &given.members)?,
        version: None,
    })
}

fn group_change(fleet: &Fleet, given: &GroupPatch) -> Result<GroupChange, Problem> {
    Ok(GroupChange {
        names: given.names.as_deref().map(names).transpose()?,
        description: description(given.description.as_deref())?,
        functions: given.functions.as_deref().map(functions).transpose()?,
        add: der::find_all(fleet, "add", &given.add)?,
        remove: der::find_all(fleet, "remove", &given.remove)?,
        version: None,
    })
}

fn names(given: &[GivenName]) -> Result<Vec<GroupName>, Problem> {
    if given.is_empty() || Fleet::MAX_GROUP_NAMES < given.len() {
        let rule = format!("must have 1 to {}", Fleet::MAX_GROUP_NAMES);
        return Err(Problem::field("names", rule));
    }
    let name = |index: usize, text: &str, part: &str| {
        let path = || format!("names[{index}]{part}");
        Name::new(text).map_err(|error| Problem::field(path(), error.to_string()))
    };
    let given = given.iter().enumerate();
    given
        .map(|(index, given)| match given {
            GivenName::Text(text) => Ok(GroupName {
                name: name(index, text, "")?,
                name_type: None,
                authority: None,
            }),
            GivenName::Full(full) => {
                let optional = |text: &Option<String>, part| {
                    text.as_deref()
                        .map(|text| name(index, text, part))
                        .transpose()
                };
                Ok(GroupName {
                    name: name(index, &full.name, ".name")?,
                    name_type: optional(&full.name_type, ".name_type")?,
                    authority: optional(&full.authority, ".authority")?,
                })
            }
        })
        .collect()
}

fn description(given: Option<&str>) -> Result<Option<Name>, Problem> {
    let name = given.map(Name::new).transpose();
    name.map_err(|error| Problem::field("description", error.to_string()))
}

fn functions(given: &[String]) -> Result<DerFunctions, Problem> {
    let mut set = DerFunctions::default();
    for (index, given) in given.iter().enumerate() {
        let Some((function, _)) = FUNCTIONS.iter().find(|(_, name)| name == given) else {
            let known: Vec<&str> = FUNCTIONS.iter().map(|(_, name)| *name).collect();
            let rule = format!("must be one of {}", known.join(", "));
            return Err(Problem::field(format!("functions[{index}]"), rule));
        };
        set = set.with(*function);
    }
    Ok(set)
}

/// A group with its members.
pub(super) fn detail(world: &World<'_>, group: &Group) -> GroupDetail {
    let members = group.members.iter().filter_map(|id| world.fleet.der(*id));
    GroupDetail {
        row: row(world, group),
        members: members.map(|d| d.mrid.to_string()).collect(),
    }
}

/// One row.
pub(super) fn row(world: &World<'_>, group: &Group) -> GroupRow {
    let Version {
        date,
        major,
        minor,
        revision,
    } = group.version;
    let text = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
    let functions = FUNCTIONS
        .iter()
        .filter(|(function, _)| group.functions.has(*function));
    GroupRow {
        mrid: group.mrid.to_string(),
        title: group.title().to_owned(),
        names: group
            .names
            .iter()
            .map(|name| GroupNameView {
                name: name.name.to_string(),
                name_type: text(&name.name_type),
                authority: text(&name.authority),
            })
            .collect(),
        description: text(&group.description),
        functions: functions.map(|(_, name)| (*name).to_owned()).collect(),
        members_count: group.members.len(),
        version: format!("{major}.{minor}.{revision}"),
        version_at: date.into(),
        status: status(world, group),
    }
}

/// What `group` does and can do now.
pub(super) fn status(world: &World<'_>, group: &Group) -> GroupStatus {
    let total = world.aggregate(&group.members);
    let heard = || group.members.iter().filter(|id| world.is_counted(**id));
    let active: Vec<MeasuredValue> = heard()
        .filter_map(|id| world.observation(*id).p.map(MeasuredValue::of_watts))
        .collect();
    let reactive: Vec<MeasuredValue> = heard()
        .filter_map(|id| world.observation(*id).q.map(MeasuredValue::of_vars))
        .collect();
    GroupStatus {
        p_w: sum(&active, group.members.len()),
        q_var: sum(&reactive, group.members.len()),
        up_w: total.up.as_f64(),
        down_w: total.down.as_f64(),
        reachable: total.reachable,
        silent: total.silent + total.never_heard,
        islanded: total.islanded,
        opted_out: opted_out(world, group),
        at: world.now.into(),
    }
}

/// Members whose owner opted out of a dispatch of the group that is not over.
fn opted_out(world: &World<'_>, group: &Group) -> u32 {
    let open = world
        .fleet
        .open_dispatches(world.now)
        .filter(|d| d.group == group.id);
    let out: BTreeSet<DerId> = open
        .flat_map(|dispatch| {
            let members = group.members.iter().filter_map(|id| world.fleet.der(*id));
            members
                .filter(|der| world.standing(der, Some(dispatch)) == Standing::OptedOut)
                .map(|der| der.id)
                .collect::<Vec<_>>()
        })
        .collect();
    u32::try_from(out.len()).unwrap_or(u32::MAX)
}
