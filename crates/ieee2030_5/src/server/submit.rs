//! What clients put, post and delete.

mod end_device;
mod metering;
mod report;
mod response;

use units::Timestamp;

use super::caller::{Caller, Role};
use super::hosted::path::HostedPath;
use super::hosted::route::RouteId;
use super::href::Target;
use super::http::{Refusal, Response};
use super::{DocumentWrite, Submission, View, hosted, subscription};
use crate::codec::read::{Complex, read_in};
use crate::codec::simple::{HexBinary128, HexBinary160};
use crate::codec::table::Profile;
use crate::translate;
use crate::translate::der::OutOfRange;
use crate::translate::{Client, Der, DerId, Lfdi, MridKind, ProgramId};
use crate::wire::power_status::PowerStatus;

/// A body for one resource, from somebody who may see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submitted<'a> {
    pub(super) target: Target,
    pub(super) caller: Caller<'a>,
    pub(super) role: Role,
    pub(super) method: &'a str,
    pub(super) body: &'a [u8],
    pub(super) profile: Profile,
    pub(super) random: u32,
    pub(super) now: Timestamp,
}

impl Submitted<'_> {
    fn read<T: Complex>(&self) -> Result<T, Refusal> {
        Ok(read_in(self.body, self.profile)?)
    }

    /// Who asks; only a registered client changes anything but its registration.
    fn client(&self) -> Result<Client, Refusal> {
        self.caller.client().ok_or_else(not_registered)
    }

    /// A submission of nothing, with this reply.
    fn replying(&self, reply: Response) -> Result<Submission, Refusal> {
        Ok(Submission::of(self.client()?, reply))
    }

    /// Keeps `value` for `of` unless it is what is kept already.
    fn put<T: Complex + PartialEq>(
        &self,
        (of, path): (Client, &str),
        kept: Option<&T>,
        value: &T,
    ) -> Result<Submission, Refusal> {
        let mut submission = self.replying(Response::no_content())?;
        if kept != Some(value) {
            let document = DocumentWrite::put(of, path, value);
            submission.documents.push(document);
        }
        Ok(submission)
    }

    /// The role of `caller` must be one of its own.
    fn only_own(&self) -> Result<(), Refusal> {
        match self.role {
            Role::Manager => Err(Refusal::forbidden("this is for the device itself to write")),
            Role::Own | Role::Anyone => Ok(()),
        }
    }
}

fn not_registered() -> Refusal {
    Refusal::forbidden("the certificate is not authorised or not registered")
}

impl From<OutOfRange> for Refusal {
    fn from(error: OutOfRange) -> Self {
        Self::invalid(error.to_string())
    }
}

pub(super) fn submit(submitted: &Submitted<'_>, view: &View<'_>) -> Result<Submission, Refusal> {
    let mut submission = read(submitted, view)?;
    if let (None, Some(Client::Der(der))) = (submission.der, submitted.target.client()) {
        submission.der = Some(der);
    }
    Ok(submission)
}

fn read(submitted: &Submitted<'_>, view: &View<'_>) -> Result<Submission, Refusal> {
    let now = submitted.now;
    match (submitted.target, submitted.method) {
        (Target::EndDevices, _) => end_device::register(submitted, view),
        (Target::EndDevice(of), "DELETE") => end_device::delete(submitted, of, view),
        (Target::EndDevice(of), _) => end_device::put(submitted, of, view),
        (Target::DeviceInformation(of), _) => report::information(submitted, of, view),
        (Target::ConnectionPoint(der), _) => report::connection_point(submitted, der, view),
        (Target::Capability(der), _) => report::capability(submitted, der, view),
        (Target::Settings(der), _) => report::settings(submitted, der, view),
        (Target::Status(der), _) => report::status(submitted, der, view),
        (Target::Availability(der), _) => report::availability(submitted, der, view),
        (Target::LogEvents(of), _) => report::log_event(submitted, of, view),
        (Target::MirrorUsagePoints, _) => metering::post_usage_point(submitted, view),
        (Target::MirrorUsagePoint(of, number), "PUT") => {
            metering::put_usage_point(submitted, (of, number), view)
        }
        (Target::MirrorUsagePoint(of, number), "DELETE") => {
            metering::delete_usage_point(submitted, (of, number), view)
        }
        (Target::MirrorUsagePoint(of, number), _) => {
            metering::post_readings(submitted, (of, number), view)
        }
        (Target::Responses(of), _) => response::post(submitted, of, view),
        (Target::Hosted(path), _) => write_hosted(submitted, path, view),
        (Target::Subscriptions(_), _) => {
            submitted.only_own()?;
            subscription::post(submitted.client()?, submitted.body, (view, now))
        }
        (Target::Subscription(client, number), method) => {
            submitted.only_own()?;
            let id = subscription::SubscriptionId { client, number };
            match method {
                "DELETE" => subscription::delete(id, view),
                _ => subscription::put(id, submitted.body, (view, now)),
            }
        }
        _ => Err(Refusal::NOT_FOUND),
    }
}

/// What is below the DER itself may be written by who stands in for it.
fn write_hosted(
    submitted: &Submitted<'_>,
    path: HostedPath,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    if !path.route.route().template.starts_with("der/") {
        submitted.only_own()?;
    }
    let client = path.client.ok_or(Refusal::NOT_FOUND)?;
    let writing = hosted::submit::Writing {
        hosted: view.resources.hosted(),
        path,
        client,
        method: submitted.method,
        body: submitted.body,
        profile: submitted.profile,
        now: submitted.now,
    };
    let (documents, reply) = writing.decide()?;
    let mut submission = submitted.replying(reply)?;
    submission.documents = documents;
    if let (RouteId::POWER_STATUS, Client::Der(der)) = (path.route, client) {
        let status: PowerStatus = submitted.read()?;
        submission.der = Some(der);
        submission.measurements = translate::der::power_status(&status, submitted.now);
    }
    Ok(submission)
}

fn der<'a>(id: DerId, view: &View<'a>) -> Result<&'a Der, Refusal> {
    view.fleet.der(id).ok_or(Refusal::NOT_FOUND)
}

/// The certificate of `client`, under which it reports.
fn lfdi_of(client: Client, view: &View<'_>) -> Result<Lfdi, Refusal> {
    match client {
        Client::Der(id) => Ok(der(id, view)?.lfdi),
        Client::Aggregator(id) => {
            let aggregator = view.fleet.aggregator(id).ok_or(Refusal::NOT_FOUND)?;
            Ok(aggregator.lfdi)
        }
    }
}

/// A client that the caller reports for, by the LFDI in its report.
fn reports_for(submitted: &Submitted<'_>, lfdi: HexBinary160, view: &View<'_>) -> Option<Client> {
    let lfdi = Lfdi(lfdi.0);
    let caller = submitted.caller;
    let own = caller
        .client()
        .filter(|client| lfdi_of(*client, view) == Ok(lfdi));
    own.or_else(|| {
        let der = view.fleet.der_by_lfdi(lfdi)?;
        caller.answers_for(der).then_some(Client::Der(der.id))
    })
}

/// The mRID of the default control of a programme.
fn default_control_mrid(program: ProgramId, view: &View<'_>) -> HexBinary128 {
    let identity = view.fleet.identity();
    identity.mrid(MridKind::DefaultControl, program.0).into()
}
