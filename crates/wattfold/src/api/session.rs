//! Sessions of the console.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::problem::{Kind, Problem};
use crate::api::request::Body;
use crate::api::{Api, ApiState};
use crate::auth::{AuthError, PasswordError, Principal, SESSION_COOKIE, SESSION_LIFETIME};
use crate::clock;
use crate::enterprise_listener::Peer;
use crate::node::{AccountChange, AccountError};

/// Most bytes of a body that holds credentials; it is read before anything is known of whoever
/// sends it.
pub const MAX_LOGIN_BYTES: usize = 4 * 1024;

/// User name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

/// Who is logged in.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Session {
    /// User name.
    pub user: String,
}

/// A password in place of another.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The current password.
    pub current: String,
    /// The new one: at least 12 characters, at most 256 bytes.
    pub new: String,
}

/// Begin a session.
///
/// The answer sets an `HttpOnly` cookie that lasts twelve hours. API clients need no session;
/// they send HTTP basic with each request.
#[utoipa::path(post, path = "/api/v1/session", operation_id = "begin_session", tag = "session", request_body = Login,
    security(()),
    responses((status = 204, description = "Logged in"), (status = 401, body = Problem),
        (status = 429, body = Problem)))]
pub(super) async fn begin(
    State(api): State<Api>,
    peer: Option<Peer>,
    Body(login): Body<Login, MAX_LOGIN_BYTES>,
) -> Result<Response, Problem> {
    let address = peer.map(|peer| peer.address.ip());
    let session = api
        .auth
        .log_in(&login.user, &login.password, address, clock::now())
        .await?;
    Ok(with_cookie(&api, &session.token, SESSION_LIFETIME))
}

/// Say who is logged in.
#[utoipa::path(get, path = "/api/v1/session", operation_id = "show_session", tag = "session",
    responses((status = 200, body = Session), (status = 401, body = Problem)))]
pub(super) async fn show(principal: Principal) -> Json<Session> {
    Json(Session {
        user: principal.name,
    })
}

/// End the session.
#[utoipa::path(delete, path = "/api/v1/session", operation_id = "end_session", tag = "session",
    responses((status = 204, description = "Logged out")))]
pub(super) async fn end(State(api): State<Api>, principal: Principal) -> Result<Response, Problem> {
    api.auth.log_out(&principal).await?;
    Ok(with_cookie(&api, "", Duration::ZERO))
}

/// Change one's password. All other sessions of the account end.
#[utoipa::path(post, path = "/api/v1/session/password", operation_id = "change_password", tag = "session",
    request_body = PasswordChange,
    responses((status = 204, description = "Changed"), (status = 422, body = Problem)))]
pub(super) async fn change_password(
    State(api): State<Api>,
    principal: Principal,
    peer: Option<Peer>,
    Body(change): Body<PasswordChange, MAX_LOGIN_BYTES>,
) -> Result<StatusCode, Problem> {
    let address = peer.map(|peer| peer.address.ip());
    let changed = api
        .auth
        .change_password(
            &principal,
            &change.current,
            &change.new,
            address,
            clock::now(),
        )
        .await;
    let account = changed.map_err(|error| match error {
        PasswordError::Current(AuthError::Wrong) => Problem::field("current", "is wrong"),
        PasswordError::Current(other) => other.into(),
        PasswordError::TooShort | PasswordError::TooLong => {
            Problem::field("new", error.to_string())
        }
    })?;
    let change = AccountChange::SetPassword {
        id: account.id,
        password_hash: account.hash.clone(),
    };
    api.change_account(change)
        .await
        .map_err(|error| match error {
            AccountError::Unavailable(unavailable) => unavailable.into(),
            AccountError::Refused(_) => Problem::lost(),
        })?;
    let put = api.auth.put(account, &principal).await;
    put.map_err(|_| {
        let detail = "the password is changed, and other sessions may not have ended yet";
        Problem::new(Kind::UnknownOutcome, detail)
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// An empty answer that sets the cookie; nothing of its value can be anything but a token.
fn with_cookie(api: &ApiState, token: &str, lifetime: Duration) -> Response {
    let secure = if api.secure { "; Secure" } else { "" };
    let cookie = format!(
        "{SESSION_COOKIE}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
        lifetime.as_secs()
    );
    let value = HeaderValue::from_str(&cookie).expect("tokens are base64url");
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, value)]).into_response()
}
