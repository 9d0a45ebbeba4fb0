//! End devices, their registration and their DER.

use crate::codec::simple::TimeType;
use crate::server::View;
use crate::server::href::Target;
use crate::server::list::count;
use crate::translate::{Der, registered_at, sfdi};
use crate::wire::der;
use crate::wire::end_device::{EndDevice, Registration};
use crate::wire::link::{Link, ListLink};

/// The end device of `der`: what the server knows, and the category the device gave itself.
pub(in crate::server) fn end_device(der: &Der, view: &View<'_>) -> EndDevice {
    let n = der.id.0;
    let documents = view.resources.of(der.id);
    let submitted = documents.end_device.as_ref();
    let registered = registered_at(der).unwrap_or(der.enrolled);
    EndDevice {
        href: Some(Target::EndDevice(n).into()),
        der_list_link: Some(ListLink::to(Target::Ders(n), 1)),
        device_category: submitted.and_then(|device| device.device_category),
        device_information_link: Some(Link::to(Target::DeviceInformation(n))),
        lfdi: Some(der.lfdi.into()),
        log_event_list_link: Some(ListLink::to(
            Target::LogEvents(n),
            count(documents.log_events.len()),
        )),
        sfdi: sfdi(der.lfdi),
        changed_time: submitted.map_or(TimeType::from(registered), |device| device.changed_time),
        enabled: Some(true),
        function_set_assignments_list_link: Some(ListLink::to(Target::AssignmentsList(n), 1)),
        post_rate: Some(view.config.post_rate_s),
        registration_link: Some(Link::to(Target::Registration(n))),
        ..EndDevice::default()
    }
}

pub(super) fn registration(der: &Der, view: &View<'_>) -> Registration {
    Registration {
        href: Some(Target::Registration(der.id.0).into()),
        poll_rate: Some(view.config.poll_rates.end_device_s),
        date_time_registered: registered_at(der).unwrap_or(der.enrolled).into(),
        pin: der.pin.digits(),
    }
}

pub(super) fn der(der: &Der, view: &View<'_>) -> der::Der {
    let n = der.id.0;
    let programs = count(view.fleet.programs_of(der.id).len());
    der::Der {
        href: Some(Target::Der(n).into()),
        associated_der_program_list_link: Some(ListLink::to(Target::Programs(n), programs)),
        der_availability_link: Some(Link::to(Target::Availability(n))),
        der_capability_link: Some(Link::to(Target::Capability(n))),
        der_settings_link: Some(Link::to(Target::Settings(n))),
        der_status_link: Some(Link::to(Target::Status(n))),
        ..der::Der::default()
    }
}

pub(super) fn der_list(der: &Der, view: &View<'_>) -> impl FnOnce(u32, u32) -> der::DerList {
    let href = Target::Ders(der.id.0).into();
    let poll_rate = Some(view.config.poll_rates.der_s);
    move |all, results| der::DerList {
        href: Some(href),
        all,
        results,
        poll_rate,
        ..der::DerList::default()
    }
}
