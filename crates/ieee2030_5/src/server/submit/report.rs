//! What a device says of itself.

use super::{Submitted, der, lfdi_of};
use crate::codec::simple::HexBinary160;
use crate::server::config::ConnectionPoints;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::resources::{MAX_LOG_EVENTS, next_number};
use crate::server::{DocumentWrite, Submission, View};
use crate::translate::{self, Client, Command, DerId};
use crate::wire::connection_point::ConnectionPoint;
use crate::wire::der::{DerAvailability, DerCapability, DerSettings, DerStatus};
use crate::wire::device_information::DeviceInformation;
use crate::wire::log_event::LogEvent;

pub(super) fn information(
    submitted: &Submitted<'_>,
    of: Client,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    submitted.only_own()?;
    let information: DeviceInformation = submitted.read()?;
    if HexBinary160::from(lfdi_of(of, view)?) != information.lfdi {
        return Err(Refusal::forbidden(
            "the LFDI is not that of the client certificate",
        ));
    }
    let information = DeviceInformation {
        href: None,
        supported_locale_list_link: None,
        ..information
    };
    let kept = view.resources.of_client(of).information.as_ref();
    submitted.put((of, "di"), kept, &information)
}

/// The place has one name; giving it another replaces it.
pub(super) fn connection_point(
    submitted: &Submitted<'_>,
    id: DerId,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let point: ConnectionPoint = submitted.read()?;
    let point = ConnectionPoint {
        href: None,
        ..point
    };
    let name = point.connection_point_id.as_str();
    let fits = match view.config.connection_points {
        ConnectionPoints::Any => !name.trim().is_empty(),
        ConnectionPoints::Nmi => translate::is_nmi(name),
    };
    if !fits {
        return Err(Refusal::invalid(format!(
            "connectionPointId {name} names no place"
        )));
    }
    let of = Client::Der(id);
    let kept = view.resources.of(id).connection_point.as_ref();
    let status = if kept.is_some() { 204 } else { 201 };
    let mut submission = submitted.put((of, "cp"), kept, &point)?;
    let location = Target::ConnectionPoint(id).to_string();
    submission.reply = Response::located(status, location);
    Ok(submission)
}

pub(super) fn capability(
    submitted: &Submitted<'_>,
    id: DerId,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let capability: DerCapability = submitted.read()?;
    let capability = DerCapability {
        href: None,
        ..capability
    };
    let known = translate::der::capability(&capability)?;
    let kept = view.resources.of(id).capability.as_ref();
    let mut submission = submitted.put((Client::Der(id), "dercap"), kept, &capability)?;
    if der(id, view)?.capability.as_ref() != Some(&known) {
        submission.command = Some(Command::ReportCapability(id, known));
    }
    Ok(submission)
}

pub(super) fn settings(
    submitted: &Submitted<'_>,
    id: DerId,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let settings: DerSettings = submitted.read()?;
    let settings = DerSettings {
        href: None,
        ..settings
    };
    let kept = view.resources.of(id);
    let known = translate::der::settings(&settings, kept.capability.as_ref())?;
    let mut submission =
        submitted.put((Client::Der(id), "derg"), kept.settings.as_ref(), &settings)?;
    if der(id, view)?.settings.as_ref() != Some(&known) {
        submission.command = Some(Command::ReportSettings(id, known));
    }
    Ok(submission)
}

pub(super) fn status(
    submitted: &Submitted<'_>,
    id: DerId,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let status: DerStatus = submitted.read()?;
    let status = DerStatus {
        href: None,
        ..status
    };
    let kept = view.resources.of(id).status.as_ref();
    let mut submission = submitted.put((Client::Der(id), "ders"), kept, &status)?;
    submission.der = Some(id);
    submission.measurements = translate::der::status(&status, submitted.now);
    Ok(submission)
}

pub(super) fn availability(
    submitted: &Submitted<'_>,
    id: DerId,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let availability: DerAvailability = submitted.read()?;
    let availability = DerAvailability {
        href: None,
        ..availability
    };
    let kept = view.resources.of(id).availability.as_ref();
    let mut submission = submitted.put((Client::Der(id), "dera"), kept, &availability)?;
    submission.der = Some(id);
    submission.measurements = translate::der::availability(&availability, submitted.now);
    Ok(submission)
}

pub(super) fn log_event(
    submitted: &Submitted<'_>,
    of: Client,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let event: LogEvent = submitted.read()?;
    let event = LogEvent {
        href: None,
        ..event
    };
    let kept = &view.resources.of_client(of).log_events;
    let number = next_number(kept);
    let location = Target::LogEvent(of, number).to_string();
    let mut submission = submitted.replying(Response::located(201, location))?;
    let document = DocumentWrite::put(of, format!("lel/{number}"), &event);
    submission.documents.push(document);
    if let Some(oldest) = kept.keys().next().filter(|_| kept.len() >= MAX_LOG_EVENTS) {
        let oldest = DocumentWrite::remove(of, format!("lel/{oldest}"));
        submission.documents.push(oldest);
    }
    Ok(submission)
}
