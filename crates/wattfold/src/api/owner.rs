//! Owners, and what they have agreed to.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use fleet::enrolment::{Consent, Owner, PersonId, Purpose};
use fleet::{CimMrid, Command, EnrolmentCommand, Fleet};
use serde::{Deserialize, Serialize};
use units::Timestamp;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::value::Time;
use crate::auth::{self, Principal};

/// What an owner can agree to, each by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentPurpose {
    /// That its DER are dispatched.
    Dispatch,
    /// That readings of its DER are kept and used for operation and settlement.
    Telemetry,
    /// That readings are used for research and planning.
    Research,
    /// That readings are passed on to third parties.
    ThirdParty,
    /// That its owner is written to about offers.
    Marketing,
}

impl From<ConsentPurpose> for Purpose {
    fn from(purpose: ConsentPurpose) -> Self {
        match purpose {
            ConsentPurpose::Dispatch => Self::Dispatch,
            ConsentPurpose::Telemetry => Self::Telemetry,
            ConsentPurpose::Research => Self::Research,
            ConsentPurpose::ThirdParty => Self::ThirdParty,
            ConsentPurpose::Marketing => Self::Marketing,
        }
    }
}

impl From<Purpose> for ConsentPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Dispatch => Self::Dispatch,
            Purpose::Telemetry => Self::Telemetry,
            Purpose::Research => Self::Research,
            Purpose::ThirdParty => Self::ThirdParty,
            Purpose::Marketing => Self::Marketing,
        }
    }
}

/// Agreement, or its withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ConsentView {
    /// Whether it is agreed to.
    pub given: bool,
    /// Since when.
    pub since: Time,
}

/// An owner. Its record tells nothing of the person.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OwnerView {
    /// The utility's own name for the record.
    pub mrid: String,
    /// By purpose; what is absent was never asked.
    pub consents: BTreeMap<ConsentPurpose, ConsentView>,
    /// When the person's data were erased; null when they were not. Its consents ended with them.
    #[schema(required)]
    pub erased_at: Option<Time>,
}

/// What an owner agrees to; purposes that are absent stay as they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnerRequest {
    /// By purpose, whether it is agreed to.
    #[serde(default)]
    pub consents: BTreeMap<ConsentPurpose, bool>,
}

/// List the owners, in the order in which they came.
#[utoipa::path(get, path = "/api/v1/owners", operation_id = "list_owners", tag = "enrolment", params(PageQuery),
    responses((status = 200, body = Page<OwnerView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<OwnerView>>, Problem> {
    api.world(|world| {
        let owners = (0..).zip(world.fleet.enrolment().owners().items());
        let slice = Slice::cut(owners, |(index, _)| *index, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|(_, owner)| view(owner))))
    })
}

/// Show one owner.
#[utoipa::path(get, path = "/api/v1/owners/{mrid}", operation_id = "show_owner", tag = "enrolment",
    params(("mrid" = String, Path, description = "The utility's name for the record")),
    responses((status = 200, body = OwnerView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<OwnerView>, Problem> {
    api.world(|world| find(world.fleet, &mrid).map(|owner| Json(view(owner))))
}

/// Put an owner, or what it agrees to. The name must tell nothing of the person: it stays when the
/// person's data are erased.
#[utoipa::path(put, path = "/api/v1/owners/{mrid}", operation_id = "put_owner", tag = "enrolment",
    params(("mrid" = String, Path, description = "The utility's name for the record")),
    request_body = OwnerRequest,
    responses((status = 200, body = OwnerView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<OwnerRequest>,
) -> Result<Json<OwnerView>, Problem> {
    let name = CimMrid::new(&mrid).map_err(|e| Problem::field("mrid", e.to_string()))?;
    let now = crate::clock::now();
    api.revise_one(&principal, move |fleet| {
        let owner = agreed(fleet, &name, request.consents, now);
        Ok(Command::Enrolment(EnrolmentCommand::PutOwner(owner)))
    })
    .await?;
    api.world(|world| find(world.fleet, &mrid).map(|owner| Json(view(owner))))
}

/// The owner of this name with these consents besides those that it has given.
pub(super) fn agreed(
    fleet: &Fleet,
    mrid: &CimMrid,
    consents: BTreeMap<ConsentPurpose, bool>,
    now: Timestamp,
) -> Owner {
    let known = fleet.enrolment().owners().by_mrid(mrid).cloned();
    let mut owner = known.unwrap_or_else(|| Owner {
        mrid: mrid.clone(),
        person: PersonId(u128::from_be_bytes(auth::random())),
        consents: BTreeMap::new(),
        erased: None,
    });
    for (purpose, given) in consents {
        let purpose = Purpose::from(purpose);
        if given != owner.agrees_to(purpose) || !owner.consents.contains_key(&purpose) {
            let consent = match given {
                true => Consent::Given(now),
                false => Consent::Withdrawn(now),
            };
            owner.consents.insert(purpose, consent);
        }
    }
    owner
}

/// The owner of this name, or the answer that there is none.
pub(super) fn find<'a>(fleet: &'a Fleet, mrid: &str) -> Result<&'a Owner, Problem> {
    let owners = fleet.enrolment().owners();
    let known = CimMrid::new(mrid).ok();
    known
        .and_then(|mrid| owners.by_mrid(&mrid))
        .ok_or_else(|| Problem::not_found("owner", mrid))
}

fn view(owner: &Owner) -> OwnerView {
    let consent = |(purpose, consent): (&Purpose, &Consent)| {
        let (given, since) = match consent {
            Consent::Given(at) => (true, *at),
            Consent::Withdrawn(at) => (false, *at),
        };
        let since = Time(since);
        ((*purpose).into(), ConsentView { given, since })
    };
    OwnerView {
        mrid: owner.mrid.to_string(),
        consents: owner.consents.iter().map(consent).collect(),
        erased_at: owner.erased.map(Time),
    }
}
