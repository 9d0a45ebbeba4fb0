//! DER: what is enrolled, what it does now, and what it has been asked.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use fleet::dispatch::assess::World;
use fleet::{CimMrid, Der, DerId, DerKind, Fleet, Mode, Modes, Name, Registration};
use serde::{Deserialize, Serialize};
use units::{Vars, VoltAmperes, WattHours, Watts};
use utoipa::{IntoParams, ToSchema};

use crate::api::access::AccessView;
use crate::api::control::{self, ControlInForce, ControlRow};
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Named, Params};
use crate::api::value::{MeasuredValue, Time};
use crate::api::{Api, assignment, default_control};

/// Most characters of a filter.
pub const MAX_FILTER_CHARS: usize = 64;
/// Most controls shown with one DER, the ones that begin last.
pub const MAX_CONTROLS_SHOWN: usize = 200;

/// The technology of a DER.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Photovoltaic inverter.
    Pv,
    /// Stationary storage.
    Storage,
    /// Electric-vehicle charger.
    EvCharger,
    /// Controllable load.
    Load,
    /// Dispatchable generator.
    Generator,
}

impl From<DerKind> for Kind {
    fn from(kind: DerKind) -> Self {
        match kind {
            DerKind::Pv => Self::Pv,
            DerKind::Storage => Self::Storage,
            DerKind::EvCharger => Self::EvCharger,
            DerKind::Load => Self::Load,
            DerKind::Generator => Self::Generator,
        }
    }
}

impl From<Kind> for DerKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Pv => Self::Pv,
            Kind::Storage => Self::Storage,
            Kind::EvCharger => Self::EvCharger,
            Kind::Load => Self::Load,
            Kind::Generator => Self::Generator,
        }
    }
}

/// How far enrolment has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationState {
    /// Its certificate is known here; the device has yet to register itself.
    Authorised,
    /// It has an `EndDevice` of its own.
    Registered,
}

impl From<Registration> for RegistrationState {
    fn from(registration: Registration) -> Self {
        match registration {
            Registration::Authorised => Self::Authorised,
            Registration::Registered(_) => Self::Registered,
        }
    }
}

/// Whether a DER is heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// Heard lately.
    Reachable,
    /// Heard once, but not lately.
    Silent,
    /// Never heard.
    NeverHeard,
}

/// A DER in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DerRow {
    /// IEC 61968 mRID.
    pub mrid: String,
    /// Name, unique in the fleet.
    pub name: String,
    /// Technology.
    pub kind: Kind,
    /// IEEE 2030.5 long-form device identifier, 40 hexadecimal digits.
    pub lfdi: String,
    /// IEEE 2030.5 short-form device identifier, decimal with check digit.
    pub sfdi: u64,
    /// How far enrolment has come.
    pub registration: RegistrationState,
    /// Whether its certificate may come in.
    pub access: AccessView,
    /// Number of the aggregator that stands in for it.
    #[schema(required)]
    pub aggregator: Option<u32>,
    /// IEEE 2030.5 mRID of the programme that carries the controls addressed to it alone.
    pub program: String,
    /// Whether it is heard.
    pub state: Contact,
    /// When the device last made a request, or its aggregator made one for it; null when never.
    #[schema(required)]
    pub last_contact_at: Option<Time>,
    /// Longest time, in s, until it knows of a control that is issued now.
    pub latency_s: f64,
    /// Active power in W, injection positive.
    #[schema(required)]
    pub p_w: Option<MeasuredValue>,
    /// Reactive power in var, injection positive.
    #[schema(required)]
    pub q_var: Option<MeasuredValue>,
    /// Voltage in V.
    #[schema(required)]
    pub voltage_v: Option<MeasuredValue>,
    /// State of charge in percent, 0 to 100.
    #[schema(required)]
    pub soc_pct: Option<MeasuredValue>,
    /// The highest injection it could give now, in W.
    #[schema(required)]
    pub p_available_w: Option<MeasuredValue>,
    /// Maximum injection as set, else as rated, in W, a magnitude; null before it has reported.
    #[schema(required)]
    pub p_inject_max_w: Option<f64>,
    /// Maximum absorption as set, else as rated, in W, a magnitude; null before it has reported.
    #[schema(required)]
    pub p_absorb_max_w: Option<f64>,
    /// The control that decides its active power now; null when none does.
    #[schema(required)]
    pub control: Option<ControlInForce>,
    /// mRIDs of the groups it is a member of.
    pub groups: Vec<String>,
}

/// Nameplate: fixed by the manufacturer.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CapabilityView {
    /// Active power rating, injection, in W, a magnitude.
    pub p_inject_max_w: f64,
    /// Active power rating, absorption, in W, a magnitude.
    pub p_absorb_max_w: f64,
    /// Apparent power rating in VA.
    #[schema(required)]
    pub s_max_va: Option<f64>,
    /// Reactive power rating, injection, in var, a magnitude.
    #[schema(required)]
    pub q_inject_max_var: Option<f64>,
    /// Reactive power rating, absorption, in var, a magnitude.
    #[schema(required)]
    pub q_absorb_max_var: Option<f64>,
    /// Energy storage capacity in Wh.
    #[schema(required)]
    pub energy_max_wh: Option<f64>,
    /// Control modes it supports, by their IEEE 2030.5 names.
    pub modes: Vec<String>,
}

/// Settings: what the installation has been set to.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SettingsView {
    /// Maximum injection in W, a magnitude.
    pub p_inject_max_w: f64,
    /// Maximum absorption in W, a magnitude.
    pub p_absorb_max_w: f64,
    /// Maximum apparent power in VA.
    #[schema(required)]
    pub s_max_va: Option<f64>,
    /// Usable energy in Wh.
    #[schema(required)]
    pub energy_max_wh: Option<f64>,
    /// Steepest change of active power in W/s; null when unlimited.
    #[schema(required)]
    pub ramp_w_per_s: Option<f64>,
    /// Control modes enabled, by their IEEE 2030.5 names.
    pub modes: Vec<String>,
    /// When the device last changed them, by its own clock.
    pub updated_at: Time,
}

/// A DER with everything known of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DerDetail {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: DerRow,
    /// IEEE 2030.5 registration PIN, the check digit last.
    pub pin: u32,
    /// mRIDs of the nodes of the hierarchy that it belongs to, the most local ones only.
    pub assignments: Vec<String>,
    /// Nameplate; null before it has reported.
    #[schema(required)]
    pub capability: Option<CapabilityView>,
    /// Settings; null before it has reported.
    #[schema(required)]
    pub settings: Option<SettingsView>,
    /// Active power in W asked of it when no control is in force, injection positive; null when
    /// that is left to it.
    #[schema(required)]
    pub default_p_w: Option<f64>,
    /// Its controls that are not long over, the one that begins last first.
    pub controls: Vec<ControlRow>,
}

/// Which DER are wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DerQuery {
    /// Part of the name, mRID or LFDI, in any case.
    pub filter: Option<String>,
    /// Whether it is heard.
    #[param(inline)]
    pub state: Option<Contact>,
    /// mRID of a group it is a member of.
    pub group: Option<String>,
    /// Most items to answer with, 1 to 1000; 100 without it.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<u32>,
}

/// List the DER, oldest enrolment first.
#[utoipa::path(get, path = "/api/v1/ders", operation_id = "list_ders", tag = "ders", params(DerQuery),
    responses((status = 200, body = Page<DerRow>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<DerQuery>,
) -> Result<Json<Page<DerRow>>, Problem> {
    api.world(|world| rows(world, &query)).map(Json)
}

/// Show one DER.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}", operation_id = "show_der", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = DerDetail), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<DerDetail>, Problem> {
    api.world(|world| Ok(Json(detail(world, find(world.fleet, &mrid)?))))
}

/// The DER of this mRID, or the answer that there is none.
pub(super) fn find<'a>(fleet: &'a Fleet, mrid: &str) -> Result<&'a Der, Problem> {
    CimMrid::new(mrid)
        .ok()
        .and_then(|mrid| fleet.der_by_mrid(&mrid))
        .ok_or_else(|| Problem::not_found("DER", mrid))
}

/// DER by mRID, else by name.
pub(super) fn find_all(
    fleet: &Fleet,
    field: &str,
    given: &[String],
) -> Result<Vec<DerId>, Problem> {
    let one = |(index, text): (usize, &String)| {
        let by_mrid = CimMrid::new(text).ok();
        let by_mrid = by_mrid.and_then(|mrid| fleet.der_by_mrid(&mrid));
        let by_name = || fleet.der_by_name(&Name::new(text).ok()?);
        let rule = "is no DER's mRID or name";
        by_mrid
            .or_else(by_name)
            .map(|der| der.id)
            .ok_or_else(|| Problem::field(format!("{field}[{index}]"), rule))
    };
    given.iter().enumerate().map(one).collect()
}

/// A page of rows.
pub(super) fn rows(world: &World<'_>, query: &DerQuery) -> Result<Page<DerRow>, Problem> {
    let filter = query
        .filter
        .as_deref()
        .unwrap_or_default()
        .trim()
        .to_lowercase();
    if MAX_FILTER_CHARS < filter.chars().count() {
        return Err(Problem::field(
            "filter",
            format!("has at most {MAX_FILTER_CHARS} characters"),
        ));
    }
    let members = match &query.group {
        Some(mrid) => Some(&super::group::find(world.fleet, mrid)?.members),
        None => None,
    };
    let wanted = world.fleet.ders().iter().filter(|der| {
        der.removed.is_none()
            && members.is_none_or(|members| members.binary_search(&der.id).is_ok())
            && query
                .state
                .is_none_or(|state| state == contact(world, der.id))
            && (filter.is_empty() || matches(der, &filter))
    });
    let page = PageQuery {
        limit: query.limit,
        after: query.after,
    };
    let slice = Slice::cut(wanted, |der| der.id.0, Direction::Ascending, &page)?;
    let groups = groups_of(world.fleet, &slice.rows);
    Ok(slice.render(|der| row(world, der, &groups)))
}

fn matches(der: &Der, filter: &str) -> bool {
    der.name.as_str().to_lowercase().contains(filter)
        || der.mrid.as_str().to_lowercase().contains(filter)
        || der.lfdi.to_string().to_lowercase().contains(filter)
}

/// mRIDs of the groups that each of `ders`, ascending by index, is a member of. Each group is
/// searched for the few DER of a page, or the page for the few members of a group.
pub(super) fn groups_of(fleet: &Fleet, ders: &[&Der]) -> BTreeMap<DerId, Vec<String>> {
    let mut groups: BTreeMap<DerId, Vec<String>> =
        ders.iter().map(|der| (der.id, Vec::new())).collect();
    for group in fleet.groups() {
        if group.members.len() < groups.len() {
            for member in &group.members {
                if let Some(list) = groups.get_mut(member) {
                    list.push(group.mrid.to_string());
                }
            }
        } else {
            for (der, list) in &mut groups {
                if group.members.binary_search(der).is_ok() {
                    list.push(group.mrid.to_string());
                }
            }
        }
    }
    groups
}

/// Whether a DER is heard.
pub(super) fn contact(world: &World<'_>, der: DerId) -> Contact {
    if world.is_reachable(der) {
        Contact::Reachable
    } else if world.observation(der).last_contact.is_some() {
        Contact::Silent
    } else {
        Contact::NeverHeard
    }
}

/// One row; `groups` as [`groups_of`] gives them.
pub(super) fn row(world: &World<'_>, der: &Der, groups: &BTreeMap<DerId, Vec<String>>) -> DerRow {
    let seen = world.observation(der.id);
    let settings = der
        .settings
        .as_ref()
        .map(|s| (s.p_inject_max, s.p_absorb_max));
    let rated = der
        .capability
        .as_ref()
        .map(|c| (c.p_inject_max, c.p_absorb_max));
    let maxima = settings.or(rated);
    DerRow {
        mrid: der.mrid.to_string(),
        name: der.name.to_string(),
        kind: der.kind.into(),
        lfdi: der.lfdi.to_string(),
        sfdi: der.lfdi.sfdi(),
        registration: der.registration.into(),
        access: der.access.into(),
        aggregator: der.manager.map(|manager| manager.0),
        program: world
            .fleet
            .program(der.program)
            .map_or_else(String::new, |program| program.mrid.to_string()),
        state: contact(world, der.id),
        last_contact_at: seen.last_contact.map(Time),
        latency_s: world.latency(der).as_secs_f64(),
        p_w: seen.p.map(MeasuredValue::of_watts),
        q_var: seen.q.map(MeasuredValue::of_vars),
        voltage_v: seen.voltage_v.map(MeasuredValue::of_number),
        soc_pct: seen.soc_pct.map(MeasuredValue::of_number),
        p_available_w: seen.p_available.map(MeasuredValue::of_watts),
        p_inject_max_w: maxima.map(|(inject, _)| inject.as_f64()),
        p_absorb_max_w: maxima.map(|(_, absorb)| absorb.as_f64()),
        control: world
            .fleet
            .in_force(der.id, world.now)
            .map(|c| control::in_force(world, c)),
        groups: groups.get(&der.id).cloned().unwrap_or_default(),
    }
}

/// Everything known of one DER.
pub(super) fn detail(world: &World<'_>, der: &Der) -> DerDetail {
    let mut controls = world.fleet.controls_of(der.id);
    controls.sort_by(|a, b| b.list_order(a));
    controls.truncate(MAX_CONTROLS_SHOWN);
    DerDetail {
        row: row(world, der, &groups_of(world.fleet, &[der])),
        pin: der.pin.digits(),
        assignments: assignment::mrids(world.fleet, &der.assignments),
        capability: der.capability.as_ref().map(|c| CapabilityView {
            p_inject_max_w: c.p_inject_max.as_f64(),
            p_absorb_max_w: c.p_absorb_max.as_f64(),
            s_max_va: c.s_max.map(VoltAmperes::as_f64),
            q_inject_max_var: c.q_inject_max.map(Vars::as_f64),
            q_absorb_max_var: c.q_absorb_max.map(Vars::as_f64),
            energy_max_wh: c.energy_max.map(WattHours::as_f64),
            modes: modes(c.modes),
        }),
        settings: der.settings.as_ref().map(|s| SettingsView {
            p_inject_max_w: s.p_inject_max.as_f64(),
            p_absorb_max_w: s.p_absorb_max.as_f64(),
            s_max_va: s.s_max.map(VoltAmperes::as_f64),
            energy_max_wh: s.energy_max.map(WattHours::as_f64),
            ramp_w_per_s: s.ramp_w_per_s().map(Watts::as_f64),
            modes: modes(s.modes),
            updated_at: s.updated.into(),
        }),
        default_p_w: default_control::p_w(world.fleet, der),
        controls: controls
            .into_iter()
            .map(|control| control::row(world, control, der.id))
            .collect(),
    }
}

fn modes(modes: Modes) -> Vec<String> {
    const NAMES: [(Mode, &str); 9] = [
        (Mode::Charge, "charge"),
        (Mode::Discharge, "discharge"),
        (Mode::Connect, "opModConnect"),
        (Mode::Energize, "opModEnergize"),
        (Mode::FixedVar, "opModFixedVar"),
        (Mode::FixedW, "opModFixedW"),
        (Mode::MaxLimW, "opModMaxLimW"),
        (Mode::TargetVar, "opModTargetVar"),
        (Mode::TargetW, "opModTargetW"),
    ];
    let named = NAMES.iter().filter(|(mode, _)| modes.has(*mode));
    named.map(|(_, name)| (*name).to_owned()).collect()
}
