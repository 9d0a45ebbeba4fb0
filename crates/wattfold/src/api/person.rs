//! Personal data of owners: who may see them, and what becomes of them.
//!
//! Nothing here goes through the journal, nor through the table by which nodes ask the leader: each
//! node reads and writes where the data lie. Only that they were erased is decided, and journalled.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use fleet::enrolment::Owner;
use fleet::{Command, EnrolmentCommand, Rejection};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Deserializer, Serialize};
use store::{Draw, Holder, Kept, Onto, Person, Persons, Put, PutError, StorageError};
use utoipa::ToSchema;

use crate::api::problem::{Kind, Problem};
use crate::api::request::{Body, Named};
use crate::api::{Api, ApiState, owner};
use crate::auth::{self, Principal};

/// Most bytes of a request with a person's data.
pub const MAX_PERSON_BYTES: usize = 64 * 1024;

/// Personal data, and who may see them.
#[derive(Clone, Debug)]
pub struct Personal {
    persons: Arc<Mutex<Persons>>,
    accounts: BTreeSet<String>,
}

impl Personal {
    /// `persons`, for the accounts of these names alone.
    #[must_use]
    pub fn new(persons: Persons, accounts: BTreeSet<String>) -> Self {
        Self {
            persons: Arc::new(Mutex::new(persons)),
            accounts,
        }
    }
}

/// A text about a person. It is not shown for debugging, nor told when it is refused.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Private(pub String);

impl<'de> Deserialize<'de> for Private {
    /// An error of `serde` would tell the value.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer);
        text.map(Self)
            .map_err(|_| serde::de::Error::custom("is not a text"))
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private")
    }
}

/// What is known of a person. What is absent is not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonView {
    /// Name, at most 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Private>,
    /// Address of electronic mail, at most 254 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Private>,
    /// Telephone number, at most 32 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub phone: Option<Private>,
    /// Postal address, at most 1000 characters, of several lines if need be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub postal_address: Option<Private>,
    /// What else has to be known, at most 4000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub note: Option<Private>,
}

impl From<PersonView> for Person {
    fn from(view: PersonView) -> Self {
        let text = |field: Option<Private>| field.map(|text| text.0);
        Self {
            name: text(view.name),
            email: text(view.email),
            phone: text(view.phone),
            postal_address: text(view.postal_address),
            note: text(view.note),
        }
    }
}

impl From<Person> for PersonView {
    fn from(person: Person) -> Self {
        Self {
            name: person.name.map(Private),
            email: person.email.map(Private),
            phone: person.phone.map(Private),
            postal_address: person.postal_address.map(Private),
            note: person.note.map(Private),
        }
    }
}

pub(super) fn route() -> MethodRouter<Api> {
    get(show).put(put).delete(erase)
}

/// Show the personal data of an owner. Only accounts that the configuration names may; that they
/// did is logged.
#[utoipa::path(get, path = "/api/v1/owners/{mrid}/person", operation_id = "show_person", tag = "enrolment",
    params(("mrid" = String, Path, description = "The utility's name for the owner's record")),
    responses((status = 200, body = PersonView, headers(("ETag" = String, description = "The version"))),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 410, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<Response, Problem> {
    api.may_see_persons(&principal)?;
    let holder = api.world(|world| owner::find(world.fleet, &mrid).map(holder))?;
    let kept = api
        .persons(move |persons| persons.read(std::slice::from_ref(&holder)))
        .await?;
    match kept.into_iter().next().unwrap_or(Kept::Nothing) {
        Kept::Nothing => Err(Problem::not_found("person of owner", &mrid)),
        Kept::Erased => Err(erased(&mrid)),
        Kept::Unreadable(why) => Err(Problem::new(Kind::Unreadable, why.to_string())),
        Kept::Readable { person, version } => {
            let account = principal.account.0;
            tracing::info!(account, owner = mrid, "personal data read");
            Ok(([tag(version)], Json(PersonView::from(*person))).into_response())
        }
    }
}

/// Put the personal data of an owner as a whole. With `If-Match` only if they have this version,
/// with `If-None-Match: *` only if there are none.
#[utoipa::path(put, path = "/api/v1/owners/{mrid}/person", operation_id = "put_person", tag = "enrolment",
    params(("mrid" = String, Path, description = "The utility's name for the owner's record"),
        ("If-Match" = Option<String>, Header, description = "The version that is replaced"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: nothing is replaced")),
    request_body = PersonView,
    responses((status = 200, body = PersonView, headers(("ETag" = String, description = "The version"))),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 410, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    headers: HeaderMap,
    Body(request): Body<PersonView, MAX_PERSON_BYTES>,
) -> Result<Response, Problem> {
    api.may_see_persons(&principal)?;
    let put = Put {
        holder: api.world(|world| {
            let owner = owner::find(world.fleet, &mrid)?;
            match owner.erased {
                None => Ok(holder(owner)),
                Some(_) => Err(erased(&mrid)),
            }
        })?,
        person: request.clone().into(),
        onto: onto(&headers)?,
        draw: draw(),
    };
    let done = api.persons(move |persons| persons.put(&[put])).await?;
    let version =
        done.into_iter()
            .next()
            .ok_or_else(Problem::lost)?
            .map_err(|error| match error {
                PutError::Erased => erased(&mrid),
                PutError::Stale { .. } => Problem::new(Kind::PreconditionFailed, error.to_string()),
                PutError::Unreadable(why) => Problem::new(Kind::Unreadable, why.to_string()),
                PutError::Invalid { field, rule } => Problem::field(field, rule),
            })?;
    let account = principal.account.0;
    tracing::info!(account, owner = mrid, version, "personal data put");
    Ok(([tag(version)], Json(request)).into_response())
}

/// Erase the personal data of an owner for good, and end its consents. Its record stays, and so does
/// that it was erased, when, and by whom. Not while a contract needs the data.
#[utoipa::path(delete, path = "/api/v1/owners/{mrid}/person", operation_id = "erase_person", tag = "enrolment",
    params(("mrid" = String, Path, description = "The utility's name for the owner's record")),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn erase(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<StatusCode, Problem> {
    api.may_see_persons(&principal)?;
    let (name, id) = api.world(|world| {
        let owner = owner::find(world.fleet, &mrid)?;
        Ok::<_, Problem>((owner.mrid.clone(), owner.person))
    })?;
    let command = Command::Enrolment(EnrolmentCommand::EraseOwner(name));
    api.command_one(&principal, command).await?;
    api.persons(move |persons| persons.erase(&[id])).await?;
    let account = principal.account.0;
    tracing::info!(account, owner = mrid, "personal data erased");
    Ok(StatusCode::NO_CONTENT)
}

impl ApiState {
    /// Refuses accounts that may not see personal data.
    pub(super) fn may_see_persons(&self, principal: &Principal) -> Result<(), Problem> {
        if self.personal.accounts.contains(&principal.name) {
            return Ok(());
        }
        let detail = "personal data are for the accounts that the configuration names";
        Err(Problem::new(Kind::Forbidden, detail))
    }

    /// Has personal data read or written off the runtime's threads.
    pub(super) async fn persons<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Persons) -> Result<R, StorageError> + Send + 'static,
    ) -> Result<R, Problem> {
        let persons = Arc::clone(&self.personal.persons);
        let asked = tokio::task::spawn_blocking(move || {
            ask(&mut persons.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let refused = || {
            let detail = "personal data can't be read or written now; ask again";
            Problem::new(Kind::Overloaded, detail)
        };
        asked.await.map_err(|_| refused())?.map_err(|error| {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "personal data can't be read or written");
            refused()
        })
    }
}

/// Where the data of `owner` lie.
pub(super) fn holder(owner: &Owner) -> Holder {
    Holder {
        person: owner.person,
        owner: owner.mrid.clone(),
    }
}

/// For one put.
pub(super) fn draw() -> Draw {
    Draw {
        key: auth::random(),
        nonce: auth::random(),
    }
}

/// Erases what the journal says to be erased, where a crash has come between the one and the other.
///
/// # Errors
/// [`StorageError`] when the medium fails.
pub fn finish_erasures(persons: &mut Persons, fleet: &fleet::Fleet) -> Result<(), StorageError> {
    let owners = fleet.enrolment().owners().items().iter();
    let erased = owners.filter(|owner| owner.erased.is_some());
    let ids: Vec<_> = erased.map(|owner| owner.person).collect();
    persons.erase(&ids)
}

pub(super) fn erased(owner: &str) -> Problem {
    let detail = format!("the personal data of owner {owner} were erased");
    Problem::new(Kind::Erased, detail)
}

fn tag(version: u64) -> (http::HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(&format!("\"{version}\""));
    (header::ETAG, value.expect("digits and quotes"))
}

/// What the request says of the version that there is (RFC 9110, 13.1).
fn onto(headers: &HeaderMap) -> Result<Onto, Problem> {
    let one = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let version = |text: &str| {
        let digits = text.strip_prefix('"')?.strip_suffix('"')?;
        digits.parse().ok()
    };
    let broken =
        |field: &str, rule: &str| Problem::new(Kind::Malformed, format!("{field}: {rule}"));
    match (one("if-match"), one("if-none-match")) {
        (None, None) => Ok(Onto::Anything),
        (None, Some("*")) => Ok(Onto::Version(0)),
        (Some(text), None) => version(text)
            .map(Onto::Version)
            .ok_or_else(|| broken("If-Match", "is one entity tag, as GET gives it")),
        (_, Some(_)) => Err(broken("If-None-Match", "is *, and without If-Match")),
    }
}

/// The answer to a row of a file about an owner whose data were erased.
pub(super) fn erased_owner(owner: &Owner) -> Problem {
    Rejection::OwnerErased(owner.mrid.clone()).into()
}
