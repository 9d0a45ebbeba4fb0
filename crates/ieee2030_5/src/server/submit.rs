//! What devices put and post.

mod metering;

use units::Timestamp;

use super::get::end_device;
use super::href::Target;
use super::http::{self, Refusal};
use super::resources::{MAX_LOG_EVENTS, MAX_RESPONSES, next_number};
use super::{ControlEvidence, DocumentWrite, Submission, View};
use crate::codec::read::{Complex, Document, read};
use crate::codec::simple::HexBinary160;
use crate::translate::der::OutOfRange;
use crate::translate::{self, Command, Der, Evidence, Mrid, registered_at, sfdi};
use crate::wire::der::{DerAvailability, DerCapability, DerSettings, DerStatus};
use crate::wire::device_information::DeviceInformation;
use crate::wire::end_device::EndDevice;
use crate::wire::error::ReasonCode;
use crate::wire::log_event::LogEvent;
use crate::wire::response::{Response, is_response};

/// A body for one resource, from a device that may send it there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submitted<'a> {
    pub(super) target: Target,
    pub(super) der: &'a Der,
    pub(super) body: &'a [u8],
    pub(super) now: Timestamp,
}

impl Submitted<'_> {
    /// A submission of nothing, with this reply.
    fn replying(&self, reply: http::Response) -> Submission {
        Submission {
            der: self.der.id,
            command: None,
            evidence: Vec::new(),
            documents: Vec::new(),
            measurements: Vec::new(),
            reply,
        }
    }

    /// Keeps `value` unless it is what is kept already.
    fn put<T: Complex + PartialEq>(&self, path: &str, kept: Option<&T>, value: &T) -> Submission {
        let mut submission = self.replying(http::Response::no_content());
        if kept != Some(value) {
            submission
                .documents
                .push(DocumentWrite::put(self.der.id, path, value));
        }
        submission
    }

    fn is_sender(&self, lfdi: HexBinary160) -> Result<(), Refusal> {
        if HexBinary160::from(self.der.lfdi) == lfdi {
            return Ok(());
        }
        let reason = "the LFDI is not that of the client certificate".to_owned();
        Err(Refusal::new(403, ReasonCode::INVALID_VALUES, reason))
    }
}

impl From<OutOfRange> for Refusal {
    fn from(error: OutOfRange) -> Self {
        Self::invalid(error.to_string())
    }
}

pub(super) fn submit(submitted: &Submitted<'_>, view: &View<'_>) -> Result<Submission, Refusal> {
    let kept = view.resources.of(submitted.der.id);
    match submitted.target {
        Target::EndDevices => register(submitted),
        Target::EndDevice(_) => put_end_device(submitted, view),
        Target::DeviceInformation(_) => {
            let information: DeviceInformation = read(submitted.body)?;
            submitted.is_sender(information.lfdi)?;
            Ok(submitted.put("di", kept.information.as_ref(), &information))
        }
        Target::Capability(_) => put_capability(submitted, view),
        Target::Settings(_) => put_settings(submitted, view),
        Target::Status(_) => {
            let status: DerStatus = read(submitted.body)?;
            let mut submission = submitted.put("ders", kept.status.as_ref(), &status);
            submission.measurements = translate::der::status(&status, submitted.now);
            Ok(submission)
        }
        Target::Availability(_) => {
            let availability: DerAvailability = read(submitted.body)?;
            let mut submission = submitted.put("dera", kept.availability.as_ref(), &availability);
            submission.measurements = translate::der::availability(&availability, submitted.now);
            Ok(submission)
        }
        Target::LogEvents(_) => log_event(submitted, view),
        Target::UsagePoints => metering::post_usage_point(submitted, view),
        Target::UsagePoint(_, number) => metering::post_readings(submitted, number, view),
        Target::Responses(_) => respond(submitted, view),
        _ => Err(Refusal::NOT_FOUND),
    }
}

/// In-band registration: a device whose certificate is authorised posts itself, once.
fn register(submitted: &Submitted<'_>) -> Result<Submission, Refusal> {
    let device: EndDevice = read(submitted.body)?;
    is_same_device(submitted, &device)?;
    if registered_at(submitted.der).is_some() {
        let reason = "the device is registered already".to_owned();
        return Err(Refusal::new(409, ReasonCode::INVALID_VALUES, reason));
    }
    let location = Target::EndDevice(submitted.der.id.0).to_string();
    let mut submission = submitted.replying(http::Response::located(201, location));
    submission.command = Some(Command::RegisterDer(submitted.der.id));
    submission.documents.push(DocumentWrite::put(
        submitted.der.id,
        "edev",
        &what_a_device_says(&device),
    ));
    Ok(submission)
}

fn put_end_device(submitted: &Submitted<'_>, view: &View<'_>) -> Result<Submission, Refusal> {
    let device: EndDevice = read(submitted.body)?;
    is_same_device(submitted, &device)?;
    let present = end_device(submitted.der, view);
    let changed = EndDevice {
        device_category: device.device_category.or(present.device_category),
        ..what_a_device_says(&device)
    };
    Ok(submitted.put(
        "edev",
        view.resources.of(submitted.der.id).end_device.as_ref(),
        &changed,
    ))
}

/// Identity is the certificate's; no body changes it.
fn is_same_device(submitted: &Submitted<'_>, device: &EndDevice) -> Result<(), Refusal> {
    if let Some(lfdi) = device.lfdi {
        submitted.is_sender(lfdi)?;
    }
    if device.sfdi == sfdi(submitted.der.lfdi) {
        return Ok(());
    }
    let reason = "the SFDI is not that of the client certificate".to_owned();
    Err(Refusal::new(403, ReasonCode::INVALID_VALUES, reason))
}

/// Links are the server's to give, so those of a device are dropped.
fn what_a_device_says(device: &EndDevice) -> EndDevice {
    EndDevice {
        device_category: device.device_category,
        lfdi: device.lfdi,
        sfdi: device.sfdi,
        changed_time: device.changed_time,
        enabled: device.enabled,
        post_rate: device.post_rate,
        ..EndDevice::default()
    }
}

fn put_capability(submitted: &Submitted<'_>, view: &View<'_>) -> Result<Submission, Refusal> {
    let capability: DerCapability = read(submitted.body)?;
    let known = translate::der::capability(&capability)?;
    let mut submission = submitted.put(
        "dercap",
        view.resources.of(submitted.der.id).capability.as_ref(),
        &capability,
    );
    submission.command = Some(Command::ReportCapability(submitted.der.id, known));
    Ok(submission)
}

fn put_settings(submitted: &Submitted<'_>, view: &View<'_>) -> Result<Submission, Refusal> {
    let settings: DerSettings = read(submitted.body)?;
    let kept = view.resources.of(submitted.der.id);
    let known = translate::der::settings(&settings, kept.capability.as_ref())?;
    let mut submission = submitted.put("derg", kept.settings.as_ref(), &settings);
    submission.command = Some(Command::ReportSettings(submitted.der.id, known));
    Ok(submission)
}

fn log_event(submitted: &Submitted<'_>, view: &View<'_>) -> Result<Submission, Refusal> {
    let event: LogEvent = read(submitted.body)?;
    let der = submitted.der.id;
    let kept = &view.resources.of(der).log_events;
    let number = next_number(kept);
    let location = Target::LogEvent(der.0, number).to_string();
    let mut submission = submitted.replying(http::Response::located(201, location));
    submission
        .documents
        .push(DocumentWrite::put(der, format!("lel/{number}"), &event));
    if let Some(oldest) = kept.keys().next().filter(|_| kept.len() >= MAX_LOG_EVENTS) {
        submission
            .documents
            .push(DocumentWrite::remove(der, format!("lel/{oldest}")));
    }
    Ok(submission)
}

fn respond(submitted: &Submitted<'_>, view: &View<'_>) -> Result<Submission, Refusal> {
    let document = Document::open(submitted.body)?;
    if !is_response(document.name()) {
        let reason = "the root element is not Response".to_owned();
        return Err(Refusal::new(400, ReasonCode::INVALID_FORMAT, reason));
    }
    let response: Response = document.read_as()?;
    if HexBinary160::from(submitted.der.lfdi) != response.end_device_lfdi {
        return Err(Refusal::invalid(
            "endDeviceLFDI is not that of the client certificate",
        ));
    }
    let der = submitted.der.id;
    let control = view
        .fleet
        .control_by_mrid(Mrid(response.subject.value()))
        .filter(|control| control.der == der)
        .ok_or_else(|| Refusal::invalid("subject is no control of this device"))?;
    let kept = &view.resources.of(der).responses;
    let number = next_number(kept);
    let location = Target::Response(der.0, number).to_string();
    let mut submission = submitted.replying(http::Response::located(201, location));
    if let Some(status) = response.status {
        let told = response
            .created_date_time
            .map_or(submitted.now, |at| at.timestamp());
        submission.evidence.push(ControlEvidence {
            control: control.id,
            evidence: Evidence::Response(status.0),
            at: told.max(control.created).min(submitted.now),
        });
    }
    submission
        .documents
        .push(DocumentWrite::put(der, format!("rsp/{number}"), &response));
    if let Some(oldest) = kept.keys().next().filter(|_| kept.len() >= MAX_RESPONSES) {
        submission
            .documents
            .push(DocumentWrite::remove(der, format!("rsp/{oldest}")));
    }
    Ok(submission)
}
