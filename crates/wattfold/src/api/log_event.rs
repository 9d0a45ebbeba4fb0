//! What devices have logged: alarms, and their return to normal.

use axum::Json;
use axum::extract::State;
use ieee2030_5::wire::log_event::LogEvent;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Named, Params};
use crate::api::value::Time;
use crate::api::{Api, der};

/// `LogEvent.profileID` of codes that IEEE 2030.5 defines.
const IEEE_2030_5: u8 = 2;
/// `LogEvent.functionSet` of distributed energy resources.
const DER: u8 = 11;

/// Function sets by their number (IEEE 2030.5-2018, `LogEvent.functionSet`).
const FUNCTION_SETS: [&str; 20] = [
    "General",
    "Publish and Subscribe",
    "End Device",
    "Function Set Assignment",
    "Response",
    "Demand Response and Load Control",
    "Metering",
    "Pricing",
    "Messaging",
    "Billing",
    "Prepayment",
    "Distributed Energy Resources",
    "Time",
    "Software Download",
    "Device Information",
    "Power Status",
    "Network Status",
    "Log Event List",
    "Configuration",
    "Security",
];

/// Alarms of a DER by their bit in `DERStatus.alarmStatus`. The code of a log event is twice the
/// bit, and one more when the fault is over (CSIP 2.1, table 14).
const DER_FAULTS: [&str; 11] = [
    "DER_FAULT_OVER_CURRENT",
    "DER_FAULT_OVER_VOLTAGE",
    "DER_FAULT_UNDER_VOLTAGE",
    "DER_FAULT_OVER_FREQUENCY",
    "DER_FAULT_UNDER_FREQUENCY",
    "DER_FAULT_VOLTAGE_IMBALANCE",
    "DER_FAULT_CURRENT_IMBALANCE",
    "DER_FAULT_EMERGENCY_LOCAL",
    "DER_FAULT_EMERGENCY_REMOTE",
    "DER_FAULT_LOW_POWER_INPUT",
    "DER_FAULT_PHASE_ROTATION",
];

/// One event that a device has logged.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LogEventView {
    /// Its number at its DER.
    pub id: u32,
    /// When it happened, by the device's clock.
    pub at: Time,
    /// `functionSet`: what it is about.
    pub function_set: u8,
    /// The function set's name; null where IEEE 2030.5 does not define it.
    #[schema(required)]
    pub function_set_name: Option<String>,
    /// `logEventCode`: what happened.
    pub code: u8,
    /// The standard's name of the code, with `_RTN` for a return to normal; null where IEEE 2030.5
    /// does not define it.
    #[schema(required)]
    pub code_name: Option<String>,
    /// `logEventID`: counts the events of the device.
    pub log_event_id: u16,
    /// `profileID`: who defines the codes, 2 for IEEE 2030.5.
    pub profile_id: u8,
    /// `logEventPEN`: private enterprise number of who defines the codes.
    pub pen: u32,
    /// What the device says of it.
    #[schema(required)]
    pub details: Option<String>,
    /// More about it, in a form of the device's.
    #[schema(required)]
    pub extended_data: Option<u32>,
}

/// List what the device of a DER has logged, what came last first; the last 64 are kept.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}/log_events", operation_id = "list_log_events", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID"), PageQuery),
    responses((status = 200, body = Page<LogEventView>), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Named(mrid): Named,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<LogEventView>>, Problem> {
    api.node.read(|published| {
        let der = der::find(published.fleet, &mrid)?;
        let all = published.resources.of(der.id).log_events.iter().rev();
        let slice = Slice::cut(all, |(id, _)| **id, Direction::Descending, &query)?;
        Ok(Json(slice.render(|(id, event)| view(*id, event))))
    })
}

fn view(id: u32, event: &LogEvent) -> LogEventView {
    let (function_set_name, code_name) = names(event);
    LogEventView {
        id,
        at: event.created_date_time.timestamp().into(),
        function_set: event.function_set,
        function_set_name,
        code: event.log_event_code,
        code_name,
        log_event_id: event.log_event_id,
        profile_id: event.profile_id,
        pen: event.log_event_pen,
        details: event.details.as_ref().map(|text| text.as_str().to_owned()),
        extended_data: event.extended_data,
    }
}

/// The standard's names of the function set and of the code.
fn names(event: &LogEvent) -> (Option<String>, Option<String>) {
    if event.profile_id != IEEE_2030_5 {
        return (None, None);
    }
    let function_set = FUNCTION_SETS.get(usize::from(event.function_set));
    let fault = DER_FAULTS.get(usize::from(event.log_event_code / 2));
    let fault = fault.filter(|_| event.function_set == DER);
    let code = fault.map(|fault| match event.log_event_code % 2 {
        0 => (*fault).to_owned(),
        _ => format!("{fault}_RTN"),
    });
    (function_set.map(|name| (*name).to_owned()), code)
}
