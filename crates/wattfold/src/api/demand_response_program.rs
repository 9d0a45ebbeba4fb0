//! Demand response programmes, their terms, and contracts about them.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use fleet::enrolment::{
    Contract, Dated, DemandResponseProgram, DemandResponseProgramId, Eligibility, OptOut, OwnerId,
    Terms,
};
use fleet::{CimMrid, Command, DerId, EnrolmentCommand, Fleet, Name};
use serde::{Deserialize, Serialize};
use units::{Money, Watts};
use utoipa::ToSchema;

use crate::api::aim::MAX_PRICE;
use crate::api::der::Kind;
use crate::api::interconnection::FuelView;
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::site::{index, limit, name};
use crate::api::value::Time;
use crate::api::{Api, assignment, der};
use crate::auth::Principal;

/// Whether an owner may leave an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptOutView {
    /// At will.
    #[default]
    Always,
    /// So often in a calendar year.
    PerYear(u16),
    /// Never: the programme binds.
    Never,
}

/// What holds for every event of a programme from some time on. Days and years are those of UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermsView {
    /// From when.
    pub from: Time,
    /// Most events in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_events_per_day: Option<u16>,
    /// Most events in a calendar year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_events_per_year: Option<u16>,
    /// Most hours of events in a calendar year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_hours_per_year: Option<u16>,
    /// Shortest event, in s.
    #[serde(default)]
    pub min_duration_s: u32,
    /// Longest event, in s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration_s: Option<u32>,
    /// Time between publishing an event and its start, in s.
    #[serde(default)]
    pub notice_s: u32,
    /// Time between the end of an event and the start of the next one, in s.
    #[serde(default)]
    pub recovery_s: u32,
    /// Whether an owner may leave an event.
    #[serde(default)]
    pub opt_out: OptOutView,
    /// Paid for each event taken part in, in the currency of the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_per_event: Option<f64>,
    /// Paid for each kWh delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_per_kwh: Option<f64>,
    /// Paid for each kW held available in a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_per_kw_year: Option<f64>,
    /// Technologies that may take part; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// mRIDs of the nodes of the hierarchy where it runs; everywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignments: Vec<String>,
    /// Fuels that may not take part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_fuels: Vec<FuelView>,
    /// Hours in a calendar year for which a generator may run under its permit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit_hours_per_year: Option<u16>,
    /// Whether a DER may take part in another programme at the same time.
    #[serde(default = "yes")]
    pub dual_participation: bool,
}

const fn yes() -> bool {
    true
}

/// A demand response programme.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DemandResponseProgramView {
    /// The utility's own name for it.
    pub mrid: String,
    /// What people call it.
    pub name: String,
    /// Its terms over time.
    pub terms: Vec<TermsView>,
}

/// A demand response programme to put.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DemandResponseProgramRequest {
    /// What people call it, 1 to 64 characters.
    pub name: String,
    /// Its terms over time, in order, 1 to 64.
    pub terms: Vec<TermsView>,
}

/// An agreement of one owner about one programme.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ContractView {
    /// The utility's own name for it.
    pub mrid: String,
    /// mRID of the owner.
    pub owner: String,
    /// mRID of the programme.
    pub program: String,
    /// mRIDs of the DER that take part.
    pub ders: Vec<String>,
    /// From when.
    pub from: Time,
    /// Until when; null for good.
    #[schema(required)]
    pub until: Option<Time>,
    /// Active power that the owner has promised, all DER together, in W, a magnitude.
    #[schema(required)]
    pub committed_w: Option<f64>,
}

/// A contract to put.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractRequest {
    /// mRID of the owner.
    pub owner: String,
    /// mRID of the programme.
    pub program: String,
    /// mRIDs of the DER that take part; they stand at sites of the owner.
    pub ders: Vec<String>,
    /// From when.
    pub from: Time,
    /// Until when; for good when absent.
    pub until: Option<Time>,
    /// Active power that the owner has promised, all DER together, in W, a magnitude.
    pub committed_w: Option<f64>,
}

/// List the demand response programmes, in the order in which they came.
#[utoipa::path(get, path = "/api/v1/demand_response_programs", tag = "enrolment",
    operation_id = "list_demand_response_programs", params(PageQuery),
    responses((status = 200, body = Page<DemandResponseProgramView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<DemandResponseProgramView>>, Problem> {
    api.world(|world| {
        let programs = (0..).zip(world.fleet.enrolment().programs().items());
        let slice = Slice::cut(programs, |(index, _)| *index, Direction::Ascending, &query)?;
        Ok(Json(
            slice.render(|(_, program)| view(world.fleet, program)),
        ))
    })
}

/// Show one demand response programme.
#[utoipa::path(get, path = "/api/v1/demand_response_programs/{mrid}", tag = "enrolment",
    operation_id = "show_demand_response_program",
    params(("mrid" = String, Path, description = "The utility's name for it")),
    responses((status = 200, body = DemandResponseProgramView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<DemandResponseProgramView>, Problem> {
    api.world(|world| {
        let programs = world.fleet.enrolment().programs();
        let known = CimMrid::new(&mrid).ok();
        let program = known.and_then(|mrid| programs.by_mrid(&mrid));
        let program = program.ok_or_else(|| Problem::not_found("programme", &mrid))?;
        Ok(Json(view(world.fleet, program)))
    })
}

/// Put a demand response programme with its terms.
#[utoipa::path(put, path = "/api/v1/demand_response_programs/{mrid}", tag = "enrolment",
    operation_id = "put_demand_response_program",
    params(("mrid" = String, Path, description = "The utility's name for it")),
    request_body = DemandResponseProgramRequest,
    responses((status = 200, body = DemandResponseProgramView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<DemandResponseProgramRequest>,
) -> Result<Json<DemandResponseProgramView>, Problem> {
    let program = api.world(|world| {
        let numbered = request.terms.iter().enumerate();
        let terms = numbered.map(|(index, terms)| {
            let read = terms.read(world.fleet);
            let read = read.map_err(|problem| problem.under(&format!("terms[{index}]")))?;
            Ok::<_, Problem>((terms.from.0, read))
        });
        let terms = Dated::new(terms.collect::<Result<_, _>>()?);
        let unordered = || Problem::field("terms", "are in order of from, without repetition");
        Ok::<_, Problem>(DemandResponseProgram {
            mrid: name(&mrid)?,
            name: Name::new(&request.name).map_err(|e| Problem::field("name", e.to_string()))?,
            terms: terms.ok_or_else(unordered)?,
        })
    })?;
    let command = EnrolmentCommand::PutProgram(program);
    api.command_one(&principal, Command::Enrolment(command))
        .await?;
    show(State(api), Named(mrid)).await
}

/// List the contracts, in the order in which they came.
#[utoipa::path(get, path = "/api/v1/contracts", operation_id = "list_contracts", tag = "enrolment", params(PageQuery),
    responses((status = 200, body = Page<ContractView>), (status = 422, body = Problem)))]
pub(super) async fn list_contracts(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<ContractView>>, Problem> {
    api.world(|world| {
        let contracts = (0..).zip(world.fleet.enrolment().contracts().items());
        let slice = Slice::cut(contracts, |(index, _)| *index, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|(_, contract)| {
            contract_view(world.fleet, contract)
        })))
    })
}

/// Put a contract.
#[utoipa::path(put, path = "/api/v1/contracts/{mrid}", operation_id = "put_contract", tag = "enrolment",
    params(("mrid" = String, Path, description = "The utility's name for it")),
    request_body = ContractRequest,
    responses((status = 200, body = ContractView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn put_contract(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<ContractRequest>,
) -> Result<Json<ContractView>, Problem> {
    let contract = api.world(|world| {
        let book = world.fleet.enrolment();
        let numbered = request.ders.iter().enumerate();
        let ders = numbered.map(|(at, mrid)| {
            let found = der::find(world.fleet, mrid).map(|der| der.id);
            found.map_err(|_| Problem::field(format!("ders[{at}]"), "is no DER's mRID"))
        });
        let ders: BTreeSet<DerId> = ders.collect::<Result<_, _>>()?;
        let program = index(book.programs(), "program", &request.program)?;
        Ok::<_, Problem>(Contract {
            mrid: name(&mrid)?,
            owner: OwnerId(index(book.owners(), "owner", &request.owner)?),
            program: DemandResponseProgramId(program),
            ders: ders.into_iter().collect(),
            from: request.from.0,
            until: request.until.map(|time| time.0),
            committed: limit("committed_w", request.committed_w)?,
        })
    })?;
    let command = EnrolmentCommand::PutContract(contract.clone());
    api.command_one(&principal, Command::Enrolment(command))
        .await?;
    Ok(Json(
        api.world(|world| contract_view(world.fleet, &contract)),
    ))
}

impl TermsView {
    fn read(&self, fleet: &Fleet) -> Result<Terms, Problem> {
        let seconds = |s: u32| Duration::from_secs(s.into());
        let price = |field: &str, given: Option<f64>| {
            if given.is_some_and(|price| !(-MAX_PRICE..=MAX_PRICE).contains(&price)) {
                let rule = format!("must be within ±{MAX_PRICE:e}");
                return Err(Problem::field(field, rule));
            }
            Ok(given.map(Money::from_f64))
        };
        Ok(Terms {
            max_events_per_day: self.max_events_per_day,
            max_events_per_year: self.max_events_per_year,
            max_hours_per_year: self.max_hours_per_year,
            min_duration: seconds(self.min_duration_s),
            max_duration: self.max_duration_s.map(seconds),
            notice: seconds(self.notice_s),
            recovery: seconds(self.recovery_s),
            opt_out: match self.opt_out {
                OptOutView::Always => OptOut::Always,
                OptOutView::PerYear(times) => OptOut::PerYear(times),
                OptOutView::Never => OptOut::Never,
            },
            price_per_event: price("price_per_event", self.price_per_event)?,
            price_per_kwh: price("price_per_kwh", self.price_per_kwh)?,
            price_per_kw_year: price("price_per_kw_year", self.price_per_kw_year)?,
            eligibility: Eligibility {
                kinds: self.kinds.iter().map(|kind| (*kind).into()).collect(),
                assignments: assignment::nodes(fleet, &self.assignments)?
                    .into_iter()
                    .collect(),
                excluded_fuels: self
                    .excluded_fuels
                    .iter()
                    .map(|fuel| (*fuel).into())
                    .collect(),
                permit_hours_per_year: self.permit_hours_per_year,
                dual_participation: self.dual_participation,
            },
        })
    }

    fn of(fleet: &Fleet, from: Time, terms: &Terms) -> Self {
        let seconds = |d: Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
        let eligibility = &terms.eligibility;
        Self {
            from,
            max_events_per_day: terms.max_events_per_day,
            max_events_per_year: terms.max_events_per_year,
            max_hours_per_year: terms.max_hours_per_year,
            min_duration_s: seconds(terms.min_duration),
            max_duration_s: terms.max_duration.map(seconds),
            notice_s: seconds(terms.notice),
            recovery_s: seconds(terms.recovery),
            opt_out: match terms.opt_out {
                OptOut::Always => OptOutView::Always,
                OptOut::PerYear(times) => OptOutView::PerYear(times),
                OptOut::Never => OptOutView::Never,
            },
            price_per_event: terms.price_per_event.map(Money::as_f64),
            price_per_kwh: terms.price_per_kwh.map(Money::as_f64),
            price_per_kw_year: terms.price_per_kw_year.map(Money::as_f64),
            kinds: eligibility
                .kinds
                .iter()
                .map(|kind| (*kind).into())
                .collect(),
            assignments: eligibility
                .assignments
                .iter()
                .filter_map(|id| Some(fleet.assignment(*id)?.mrid.to_string()))
                .collect(),
            excluded_fuels: eligibility
                .excluded_fuels
                .iter()
                .map(|fuel| (*fuel).into())
                .collect(),
            permit_hours_per_year: eligibility.permit_hours_per_year,
            dual_participation: eligibility.dual_participation,
        }
    }
}

fn view(fleet: &Fleet, program: &DemandResponseProgram) -> DemandResponseProgramView {
    let terms = program.terms.entries().iter();
    DemandResponseProgramView {
        mrid: program.mrid.to_string(),
        name: program.name.to_string(),
        terms: terms
            .map(|(from, terms)| TermsView::of(fleet, Time(*from), terms))
            .collect(),
    }
}

fn contract_view(fleet: &Fleet, contract: &Contract) -> ContractView {
    let book = fleet.enrolment();
    let owner = book.owners().get(contract.owner.0);
    let program = book.programs().get(contract.program.0);
    ContractView {
        mrid: contract.mrid.to_string(),
        owner: owner.map_or_else(String::new, |owner| owner.mrid.to_string()),
        program: program.map_or_else(String::new, |program| program.mrid.to_string()),
        ders: contract
            .ders
            .iter()
            .filter_map(|der| Some(fleet.der(*der)?.mrid.to_string()))
            .collect(),
        from: contract.from.into(),
        until: contract.until.map(Time),
        committed_w: contract.committed.map(Watts::as_f64),
    }
}
