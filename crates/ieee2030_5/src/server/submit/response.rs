//! Responses: what devices did with events.

use super::{Submitted, reports_for};
use crate::codec::table::Edition;
use crate::server::caller::Sight;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::resources::{MAX_RESPONSES, Owner, PostedResponse, next_number};
use crate::server::{ControlEvidence, DocumentWrite, Submission, View};
use crate::translate::{Client, Control, Evidence, Mrid, numbered_by, only_der};
use crate::wire::response::ResponseStatus;

/// A response of a device to an event that addresses it, from the device or who stands in for it.
pub(super) fn post(
    submitted: &Submitted<'_>,
    of: Client,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let posted = PostedResponse::read(submitted.body)?;
    let response = &posted.response;
    let device = reports_for(submitted, response.end_device_lfdi, view)
        .ok_or_else(|| Refusal::invalid("endDeviceLFDI is of none that the client answers for"))?;
    if let (Client::Der(_), false) = (of, device == of) {
        return Err(Refusal::invalid(
            "endDeviceLFDI is not that of the end device",
        ));
    }
    let edition = submitted.profile.edition;
    let status = response.status.filter(|status| is_known(*status, edition));
    if response.status != status {
        return Err(Refusal::invalid("status is none of the standard"));
    }
    let mut evidence = None;
    match control(&posted, device, view) {
        Some(control) => {
            evidence = status.and_then(|status| sign(submitted, &posted, (control, device), status))
        }
        None if is_event(&posted, submitted, view) => {}
        None => return Err(Refusal::invalid("subject is no event of this device")),
    }
    let kept = &view.resources.of_client(of).responses;
    let number = next_number(kept);
    let location = Target::Response(of, number).to_string();
    let mut submission = submitted.replying(Response::located(201, location))?;
    submission.evidence.extend(evidence);
    submission.documents.push(DocumentWrite {
        owner: Owner::Client(of),
        path: format!("rsp/{number}"),
        bytes: Some(posted.bytes().to_vec()),
    });
    if let Some(oldest) = kept.keys().next().filter(|_| kept.len() >= MAX_RESPONSES) {
        let oldest = DocumentWrite::remove(of, format!("rsp/{oldest}"));
        submission.documents.push(oldest);
    }
    Ok(submission)
}

/// The control of `device` that is responded to, over or not.
fn control<'a>(posted: &PostedResponse, device: Client, view: &View<'a>) -> Option<&'a Control> {
    let Client::Der(der) = device else {
        return None;
    };
    let subject = Mrid(posted.response.subject.value());
    let control = view.fleet.control_by_mrid(subject)?;
    let program = view.fleet.program(control.program)?;
    let addressed = match (control.der, only_der(program)) {
        (Some(only), _) | (None, Some(only)) => only == der,
        (None, None) => view.fleet.addresses(program, der),
    };
    addressed.then_some(control)
}

/// Whether the standard has this status: table 27 of 2018, table 31 of 2023, which adds two.
fn is_known(status: ResponseStatus, edition: Edition) -> bool {
    let common = ResponseStatus::RECEIVED.0..=ResponseStatus::ABORTED_BY_PROGRAM.0;
    let late = ResponseStatus::NOT_APPLICABLE.0..=ResponseStatus::EXPIRED.0;
    let new = [ResponseStatus::RESUMED, ResponseStatus::NOT_SUPPORTED];
    common.contains(&status.0)
        || late.contains(&status.0)
        || (edition == Edition::Y2023 && new.contains(&status))
}

/// For the ledger: never before the control was made, never later than now.
fn sign(
    submitted: &Submitted<'_>,
    posted: &PostedResponse,
    (control, device): (&Control, Client),
    status: ResponseStatus,
) -> Option<ControlEvidence> {
    let Client::Der(der) = device else {
        return None;
    };
    let told = posted.response.created_date_time;
    let told = told.map_or(submitted.now, |at| at.timestamp());
    Some(ControlEvidence {
        control: control.id,
        der,
        evidence: Evidence::Response(status.0),
        at: told.max(control.created).min(submitted.now),
    })
}

/// Whether a hosted event, or a default control, that the client sees is responded to.
fn is_event(posted: &PostedResponse, submitted: &Submitted<'_>, view: &View<'_>) -> bool {
    let subject = posted.response.subject;
    let hosted = view.resources.hosted().event_by_mrid(subject);
    let sight = Sight::new(submitted.caller, view.fleet);
    hosted.is_some_and(|(_, event)| sight.sees(event.owner))
        || is_default_control(posted, submitted, view)
}

/// The mRID of a default control has the number of its programme in it.
fn is_default_control(posted: &PostedResponse, submitted: &Submitted<'_>, view: &View<'_>) -> bool {
    let subject = posted.response.subject;
    let number = numbered_by(Mrid(subject.value()));
    let program = submitted.caller.program(number, view.fleet);
    program.is_ok_and(|program| super::default_control_mrid(program.id, view) == subject)
}
