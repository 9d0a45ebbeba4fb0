//! Which path is answered by what.

use axum::Router;
use axum::routing::{delete, get, post, put};

use crate::api::{
    Api, access, account, aggregator, alarm, alarm_kind, alarm_metrics, approval, assignment,
    availability, binding, client_profile, curve, default_control, delivery,
    demand_response_program, der, dispatch, document, enrolment, envelope, explanation,
    flexibility, group, import, interconnection, log_event, microgrid, openapi, owner, person,
    plan, program, program_control, program_default, rates, roll_out, series, session,
    settings_comparison, settings_profile, settings_requirement, site, strategy, stream,
    subscription, summary, suppression, telemetry, usage_point,
};

/// Everything under `/api/v1`.
pub(super) fn v1() -> Router<Api> {
    Router::new()
        .route("/openapi.json", get(openapi::document))
        .route("/summary", get(summary::show))
        .route("/stream", get(stream::open))
        .route(
            "/session",
            get(session::show).post(session::begin).delete(session::end),
        )
        .route("/session/password", post(session::change_password))
        .route("/accounts", get(account::list).post(account::create))
        .merge(enrolled())
        .merge(enrolment_records())
        .merge(programs())
        .merge(served())
        .merge(settings())
        .merge(alarms())
        .merge(microgrids())
        .merge(strategy::routes())
        .route("/groups", get(group::list).post(group::create))
        .route(
            "/groups/{mrid}",
            get(group::show).patch(group::change).delete(group::delete),
        )
        .route("/dispatches", get(dispatch::list).post(dispatch::create))
        .route(
            "/dispatches/{mrid}",
            get(dispatch::show).patch(dispatch::change),
        )
        .route("/groups/{mrid}/availability", get(availability::show))
        .route(
            "/dispatches/{mrid}/plans",
            get(plan::compare).post(plan::adopt),
        )
        .route("/dispatches/{mrid}/approve", post(approval::approve))
        .route("/dispatches/{mrid}/publish", post(approval::publish))
        .route(
            "/approval_rules",
            get(approval::show_rules).put(approval::set_rules),
        )
        .route("/dispatches/{mrid}/cancel", post(dispatch::cancel))
        .route("/dispatches/{mrid}/deliveries", get(delivery::list))
        .route("/dispatches/{mrid}/series", get(series::series))
        .route("/deliveries", get(delivery::export))
        .route("/telemetry", get(telemetry::show))
        .route("/telemetry/retention", get(telemetry::retention))
}

/// Who is enrolled, and where they belong.
fn enrolled() -> Router<Api> {
    Router::new()
        .route("/ders", get(der::list).post(enrolment::enrol))
        .route("/ders/{mrid}", get(der::show).delete(enrolment::remove))
        .route("/ders/{mrid}/access", put(access::set_der))
        .route("/ders/{mrid}/lfdi", put(access::rekey_der))
        .route("/ders/{mrid}/assignments", put(assignment::assign))
        .route("/ders/{mrid}/profile", put(client_profile::set_der))
        .route("/ders/{mrid}/log_events", get(log_event::list))
        .route(
            "/ders/{mrid}/usage_points",
            get(usage_point::list).delete(usage_point::delete_all),
        )
        .route(
            "/ders/{mrid}/usage_points/{id}",
            delete(usage_point::delete_one),
        )
        .route("/ders/{mrid}/default_control", put(default_control::set))
        .route("/ders/{mrid}/explanation", get(explanation::show))
        .route("/ders/{mrid}/envelopes", get(envelope::list))
        .route(
            "/ders/{mrid}/envelopes/{source}",
            put(envelope::set).delete(envelope::clear),
        )
        .route(
            "/aggregators",
            get(aggregator::list).post(aggregator::enrol),
        )
        .route("/aggregators/{id}", get(aggregator::show))
        .route("/aggregators/{id}/access", put(access::set_aggregator))
        .route("/aggregators/{id}/lfdi", put(access::rekey_aggregator))
        .route(
            "/aggregators/{id}/profile",
            put(client_profile::set_aggregator),
        )
        .route(
            "/assignments",
            get(assignment::list).post(assignment::create),
        )
        .route(
            "/assignments/{mrid}",
            get(assignment::show).delete(assignment::delete),
        )
}

/// Owners, sites, contracts and permissions, one by one and by the file.
fn enrolment_records() -> Router<Api> {
    Router::new()
        .route("/owners", get(owner::list))
        .route("/owners/{mrid}", get(owner::show).put(owner::put))
        .route("/owners/{mrid}/person", person::route())
        .route("/sites", get(site::list))
        .route("/sites/{mrid}", put(site::put))
        .route("/service_points", get(site::list_points))
        .route(
            "/service_points/{mrid}",
            get(site::show_point).put(site::put_point),
        )
        .route(
            "/demand_response_programs",
            get(demand_response_program::list),
        )
        .route(
            "/demand_response_programs/{mrid}",
            get(demand_response_program::show).put(demand_response_program::put),
        )
        .route("/contracts", get(demand_response_program::list_contracts))
        .route(
            "/contracts/{mrid}",
            put(demand_response_program::put_contract),
        )
        .route("/ders/{mrid}/service_point", put(site::place))
        .route(
            "/ders/{mrid}/interconnection",
            get(interconnection::show).put(interconnection::put),
        )
        .route(
            "/ders/{mrid}/flexibility",
            get(flexibility::show).put(flexibility::put),
        )
        .route(
            "/ders/{mrid}/bindings",
            get(binding::list).post(binding::bind),
        )
        .route("/ders/{mrid}/module", post(binding::move_module))
        .route("/imports", get(import::list).post(import::begin))
        .route("/imports/{id}", get(import::show))
        .route("/exports/ders", get(import::export))
}

/// What clients are served beside programmes.
fn served() -> Router<Api> {
    Router::new()
        .route("/rates", get(rates::show).patch(rates::change))
        .route("/subscriptions", get(subscription::list))
        .route("/documents", get(document::list))
        .route(
            "/documents/{*path}",
            get(document::show)
                .put(document::put)
                .delete(document::delete),
        )
}

/// Programmes, and what they ask.
fn programs() -> Router<Api> {
    Router::new()
        .route("/programs", get(program::list).post(program::create))
        .route(
            "/programs/{mrid}",
            get(program::show)
                .patch(program::change)
                .delete(program::delete),
        )
        .route(
            "/programs/{mrid}/default_control",
            put(program_default::set),
        )
        .route(
            "/programs/{mrid}/curves",
            get(curve::list).post(curve::create),
        )
        .route("/curves/{mrid}", get(curve::show).delete(curve::delete))
        .route(
            "/programs/{mrid}/controls",
            get(program_control::list).post(program_control::issue),
        )
        .route(
            "/programs/{mrid}/controls/cancel",
            post(program_control::cancel_all),
        )
        .route("/controls/{mrid}", get(program_control::show))
        .route("/controls/{mrid}/cancel", post(program_control::cancel))
}

/// Required settings, how they reach DER, and what DER report of them.
fn settings() -> Router<Api> {
    Router::new()
        .route(
            "/settings-profiles",
            get(settings_profile::list).post(settings_profile::create),
        )
        .route("/settings-profiles/import", post(settings_profile::import))
        .route("/settings-profiles/{id}", get(settings_profile::show))
        .route(
            "/settings-profiles/{id}/file",
            get(settings_profile::export),
        )
        .route(
            "/settings-requirements",
            get(settings_requirement::list).post(settings_requirement::require),
        )
        .route("/roll-outs", get(roll_out::list).post(roll_out::begin))
        .route("/roll-outs/{id}", get(roll_out::show))
        .route("/roll-outs/{id}/ders", get(roll_out::ders))
        .route("/roll-outs/{id}/advance", post(roll_out::advance))
        .route("/roll-outs/{id}/halt", post(roll_out::halt))
        .route("/roll-outs/{id}/resume", post(roll_out::resume))
        .route("/roll-outs/{id}/roll_back", post(roll_out::roll_back))
        .route("/settings-drifts", get(settings_comparison::drifts))
        .route(
            "/ders/{mrid}/performance_category",
            put(settings_requirement::set_category),
        )
        .route(
            "/ders/{mrid}/settings_comparison",
            get(settings_comparison::show),
        )
        .route(
            "/ders/{mrid}/applied_settings",
            get(settings_comparison::export).put(settings_comparison::apply),
        )
}

/// What needs an operator's action.
fn alarms() -> Router<Api> {
    Router::new()
        .route("/alarms", get(alarm::list))
        .route("/alarms/acknowledge", post(alarm::acknowledge_many))
        .route("/alarms/kinds", get(alarm_kind::list))
        .route("/alarms/metrics", get(alarm_metrics::show))
        .route("/alarms/{id}", get(alarm::show))
        .route("/alarms/{id}/acknowledge", post(alarm::acknowledge))
        .route("/alarms/{id}/shelve", post(alarm::shelve))
        .route("/alarms/{id}/unshelve", post(alarm::unshelve))
        .route(
            "/alarm-suppressions",
            get(suppression::list).post(suppression::set),
        )
        .route("/alarm-suppressions/{id}", delete(suppression::end))
}

/// DER that can leave the grid together.
fn microgrids() -> Router<Api> {
    Router::new()
        .route("/microgrids", get(microgrid::list))
        .route(
            "/microgrids/{mrid}",
            get(microgrid::show)
                .put(microgrid::put)
                .delete(microgrid::delete),
        )
        .route("/microgrids/{mrid}/reports", post(microgrid::report))
        .route("/microgrids/{mrid}/permits", post(microgrid::grant))
        .route("/microgrids/{mrid}/permits/{id}", delete(microgrid::revoke))
        .route(
            "/microgrids/{mrid}/schedule",
            get(microgrid::schedule).put(microgrid::set_schedule),
        )
}
