//! The OpenAPI document, made from the code.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::api::{
    access, account, aggregator, alarm, alarm_kind, alarm_metrics, approval, assignment,
    availability, binding, client_profile, curve, default_control, delivery,
    demand_response_program, der, dispatch, document, enrolment, envelope, explanation,
    flexibility, group, import, interconnection, log_event, microgrid, owner, person, plan,
    program, program_control, program_default, rates, roll_out, series, session,
    settings_comparison, settings_profile, settings_requirement, site, strategy,
    strategy_occurrence, stream, subscription, summary, suppression, telemetry, usage_point,
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
        account::create, account::list, availability::show, plan::adopt, plan::compare, binding::bind, binding::list, binding::move_module, demand_response_program::list,
        demand_response_program::list_contracts, demand_response_program::put,
        demand_response_program::put_contract, demand_response_program::show, import::begin,
        import::export, import::list, import::show, interconnection::put, interconnection::show,
        flexibility::put, flexibility::show, owner::list, owner::put, owner::show, person::erase, person::put, person::show, site::list, site::list_points, site::place, site::put,
        site::put_point, site::show_point,
        approval::approve, approval::publish, approval::set_rules, approval::show_rules,
        dispatch::change,
        client_profile::set_aggregator, client_profile::set_der, document::delete, document::list,
        document::put, document::show, log_event::list, rates::change, rates::show, subscription::list,
        usage_point::delete_all, usage_point::delete_one, usage_point::list,
        access::rekey_aggregator, access::rekey_der, access::set_aggregator, access::set_der,
        aggregator::enrol, aggregator::list, aggregator::show, assignment::assign,
        assignment::create, assignment::delete, assignment::list, assignment::show, curve::create,
        curve::delete, curve::list, curve::show, enrolment::enrol, enrolment::remove,
        envelope::clear, envelope::list, envelope::set, microgrid::delete, microgrid::grant,
        microgrid::list, microgrid::put, microgrid::report, microgrid::revoke, microgrid::schedule,
        microgrid::set_schedule, microgrid::show, program::change, program::create,
        program::delete, program::list, program::show, program_control::cancel,
        program_control::cancel_all, program_control::issue, program_control::list,
        program_control::show, program_default::set,
        default_control::set, delivery::list, der::list, der::show, dispatch::cancel, dispatch::create,
        dispatch::list, dispatch::show, group::change, group::create, group::delete, group::list,
        group::show, roll_out::advance, roll_out::begin, roll_out::ders, roll_out::halt,
        roll_out::list, roll_out::resume, roll_out::roll_back, roll_out::show,
        settings_comparison::apply, settings_comparison::drifts, settings_comparison::export,
        settings_comparison::show, settings_profile::create, settings_profile::export,
        settings_profile::import, settings_profile::list, settings_profile::show,
        settings_requirement::list, settings_requirement::require,
        settings_requirement::set_category, series::series, session::begin, session::change_password, session::end,
        alarm::acknowledge, alarm::acknowledge_many, alarm::list, alarm::shelve, alarm::show,
        alarm::unshelve, alarm_kind::list, alarm_metrics::show, suppression::end,
        suppression::list, suppression::set,
        explanation::show, session::show, strategy::create, strategy::list, strategy::pause, strategy::put, strategy::resume,
        strategy::retire, strategy::show, strategy_occurrence::list, strategy_occurrence::preview, stream::open, summary::show, telemetry::show, telemetry::retention, delivery::export
    ),
    components(schemas(stream::Ping, alarm::AlarmCounts)),
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
