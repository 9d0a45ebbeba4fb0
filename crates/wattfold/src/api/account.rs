//! Local accounts.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::problem::{Kind, Problem};
use crate::api::request::Body;
use crate::api::value::Time;
use crate::auth::{FIRST_ACCOUNT, PasswordError, Principal};
use crate::node::{AccountChange, AccountError};

/// Most bytes of a request to create an account.
pub const MAX_ACCOUNT_BYTES: usize = 4 * 1024;

/// An account.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AccountView {
    /// User name.
    pub name: String,
    /// When it was created.
    pub created_at: Time,
    /// Whether it may approve of dispatches for the balancing authority.
    pub balancing_authority: bool,
}

/// The accounts.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Accounts {
    /// In order of creation.
    pub items: Vec<AccountView>,
}

/// An account to create.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRequest {
    /// User name, 1 to 64 characters without a colon.
    pub name: String,
    /// Its first password, which its owner should change; at least 12 characters.
    pub password: String,
}

/// List the local accounts.
#[utoipa::path(get, path = "/api/v1/accounts", operation_id = "list_accounts", tag = "session",
    responses((status = 200, body = Accounts)))]
pub(super) async fn list(State(api): State<Api>) -> Result<Json<Accounts>, Problem> {
    let accounts = api.accounts().await?;
    let view = |account: store::Account| AccountView {
        balancing_authority: api.balancing_authority.contains(&account.name),
        created_at: account.created.into(),
        name: account.name,
    };
    let items = accounts.into_iter().map(view).collect();
    Ok(Json(Accounts { items }))
}

/// Create a local account. Only the first account may.
#[utoipa::path(post, path = "/api/v1/accounts", operation_id = "create_account", tag = "session",
    request_body = AccountRequest,
    responses((status = 201, body = Accounts), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<AccountRequest, MAX_ACCOUNT_BYTES>,
) -> Result<Response, Problem> {
    if principal.name != FIRST_ACCOUNT {
        let detail = format!("only {FIRST_ACCOUNT} creates accounts");
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    let name = fleet::Name::new(&request.name)
        .map_err(|error| Problem::field("name", error.to_string()))?
        .to_string();
    if name.contains(':') {
        return Err(Problem::field("name", "may not contain a colon"));
    }
    let hashed = api.auth.hash(&request.password).await;
    let password_hash = hashed.map_err(|error| match error {
        PasswordError::Current(error) => error.into(),
        PasswordError::TooShort | PasswordError::TooLong => {
            Problem::field("password", error.to_string())
        }
    })?;
    let change = AccountChange::Create {
        name: name.clone(),
        password_hash,
    };
    api.change_account(change)
        .await
        .map_err(|error| match error {
            AccountError::Unavailable(unavailable) => unavailable.into(),
            AccountError::Refused(detail) => Problem::new(Kind::Conflict, detail),
        })?;
    taken_up(&api, &name, &principal).await.map_err(|_| {
        let detail = "the account is made, and this node could not take it up: look before you ask \
                      again";
        Problem::new(Kind::UnknownOutcome, detail)
    })
}

/// Puts the account `name` in force, which is durable.
async fn taken_up(api: &Api, name: &str, principal: &Principal) -> Result<Response, Problem> {
    let accounts = api.accounts().await?;
    if let Some(created) = accounts.into_iter().find(|account| account.name == name) {
        api.auth.put(created.into(), principal).await?;
    }
    let Json(accounts) = list(State(Api::clone(api))).await?;
    Ok((StatusCode::CREATED, Json(accounts)).into_response())
}
