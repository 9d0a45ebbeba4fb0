//! Registration in band, and what a device says of its end device.

use super::{Submitted, lfdi_of, not_registered};
use crate::codec::simple::HexBinary160;
use crate::server::caller::{Caller, Role};
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::{DocumentWrite, Submission, View};
use crate::translate::{
    Aggregator, Client, Command, DerId, Lfdi, enrolled_in_band, registered_at, sfdi,
};
use crate::wire::end_device::EndDevice;

/// A device whose certificate is authorised posts itself, once. An aggregator posts itself, and
/// then the DER that it stands in for.
pub(super) fn register(submitted: &Submitted<'_>, view: &View<'_>) -> Result<Submission, Refusal> {
    let device: EndDevice = submitted.read()?;
    let again = || Refusal::conflict("the device is registered already");
    match submitted.caller {
        Caller::Stranger | Caller::Revoked => Err(not_registered()),
        Caller::NewDer(der) => {
            is_same_device(der.lfdi, &device)?;
            Ok(registered(
                Client::Der(der.id),
                Command::RegisterDer(der.id),
                &device,
            ))
        }
        Caller::NewAggregator(own) => {
            is_same_device(own.lfdi, &device)?;
            let command = Command::RegisterAggregator(own.id);
            Ok(registered(Client::Aggregator(own.id), command, &device))
        }
        Caller::Der(der) => {
            is_same_device(der.lfdi, &device)?;
            Err(again())
        }
        Caller::Aggregator(own) => register_managed(own, &device, submitted.random, view),
    }
}

fn registered(of: Client, command: Command, device: &EndDevice) -> Submission {
    let location = Target::EndDevice(of).to_string();
    let mut submission = Submission::of(of, Response::located(201, location));
    submission.command = Some(command);
    let document = DocumentWrite::put(of, "edev", &what_a_device_says(device));
    submission.documents.push(document);
    submission
}

/// A DER of the aggregator that waits to be registered, or one that nobody knows where the
/// aggregator may enrol.
fn register_managed(
    own: &Aggregator,
    device: &EndDevice,
    random: u32,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let lfdi = device
        .lfdi
        .ok_or_else(|| Refusal::invalid("the end device has no LFDI"))?;
    let lfdi = Lfdi(lfdi.0);
    if device.sfdi != sfdi(lfdi) {
        return Err(Refusal::invalid("the SFDI is not that of the LFDI"));
    }
    let taken = || Refusal::conflict("the LFDI is registered already");
    let client = Client::Aggregator(own.id);
    let mut submission = match view.fleet.der_by_lfdi(lfdi) {
        Some(der) if der.manager == Some(own.id) && registered_at(der).is_none() => {
            registered(Client::Der(der.id), Command::RegisterDer(der.id), device)
        }
        Some(_) => return Err(taken()),
        None if view.fleet.aggregator_by_lfdi(lfdi).is_some() => return Err(taken()),
        None if !own.may_enrol => {
            return Err(Refusal::forbidden(
                "the aggregator may not create end devices",
            ));
        }
        None => {
            let category = device.device_category.map(|bits| bits.value());
            let command = enrolled_in_band(own, lfdi, category, random);
            let command = command.ok_or_else(|| Refusal::invalid("the LFDI makes no name"))?;
            // Enrolment gives the next number; the submission holds for this view alone.
            let next = u32::try_from(view.fleet.ders().len());
            let next = next.map_err(|_| Refusal::limit("no more end devices"))?;
            registered(Client::Der(DerId(next)), command, device)
        }
    };
    submission.client = client;
    Ok(submission)
}

/// An aggregator that may enrol may also remove its DER.
pub(super) fn delete(
    submitted: &Submitted<'_>,
    of: Client,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    match (submitted.caller, submitted.role, of) {
        (Caller::Aggregator(own), Role::Manager, Client::Der(der)) if own.may_enrol => {
            let mut submission = submitted.replying(Response::no_content())?;
            submission.command = Some(Command::RemoveDer(der));
            submission.documents = view.resources.without_client(of);
            Ok(submission)
        }
        _ => Err(Refusal::forbidden(
            "the end device is not this client's to delete",
        )),
    }
}

pub(super) fn put(
    submitted: &Submitted<'_>,
    of: Client,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    submitted.only_own()?;
    let device: EndDevice = submitted.read()?;
    is_same_device(lfdi_of(of, view)?, &device)?;
    let kept = view.resources.of_client(of).end_device.as_ref();
    let changed = EndDevice {
        device_category: device
            .device_category
            .or(kept.and_then(|kept| kept.device_category)),
        ..what_a_device_says(&device)
    };
    submitted.put((of, "edev"), kept, &changed)
}

/// Identity is the certificate's; no body changes it.
fn is_same_device(lfdi: Lfdi, device: &EndDevice) -> Result<(), Refusal> {
    let same = device
        .lfdi
        .is_none_or(|told| told == HexBinary160::from(lfdi));
    if !same {
        return Err(Refusal::forbidden(
            "the LFDI is not that of the client certificate",
        ));
    }
    match device.sfdi == sfdi(lfdi) {
        true => Ok(()),
        false => Err(Refusal::forbidden(
            "the SFDI is not that of the client certificate",
        )),
    }
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
