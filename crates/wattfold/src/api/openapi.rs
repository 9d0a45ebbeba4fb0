//! The OpenAPI document, made from the code.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::api::{
    default_control, delivery, der, dispatch, group, series, session, stream, summary, telemetry,
};
use crate::auth::SESSION_COOKIE;

static DOCUMENT: LazyLock<String> = LazyLock::new(openapi);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wattfold",
        description = "Times are RFC 3339 in UTC. Units are suffixes of field names. Active and \
                       reactive power and energy are positive when injected into the grid. \
                       Errors are RFC 9457 problems.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    paths(
        default_control::set, delivery::list, der::enrol, der::list, der::show, dispatch::cancel, dispatch::create,
        dispatch::list, dispatch::show, group::change, group::create, group::delete, group::list,
        group::show, series::series, session::begin, session::change_password, session::end,
        session::show, stream::open, summary::show, telemetry::show
    ),
    components(schemas(stream::Ping)),
    modifiers(&Credentials),
    security(("basic" = []), ("session" = []))
)]
struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
        components.add_security_scheme("basic", SecurityScheme::Http(basic));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// The document as JSON, indented, with a line end.
#[must_use]
pub fn openapi() -> String {
    let document = Document::openapi();
    let mut text = document
        .to_pretty_json()
        .expect("the document is plain data");
    text.push('\n');
    text
}

pub(super) async fn document() -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        DOCUMENT.as_str(),
    )
        .into_response()
}
