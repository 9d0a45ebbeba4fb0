//! End devices, their registration and their DER.

use super::{Asked, document, hosted, page};
use crate::codec::simple::TimeType;
use crate::server::View;
use crate::server::hosted::route::RouteId;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::list::count;
use crate::translate::{Aggregator, Client, Der, aggregator_registered_at, registered_at, sfdi};
use crate::wire::der;
use crate::wire::device_information::DeviceInformation;
use crate::wire::end_device::{EndDevice, Registration};
use crate::wire::link::{Link, ListLink};

/// The end device of `client`: what the server knows, and the category the device gave itself.
pub(in crate::server) fn end_device(
    client: Client,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Result<EndDevice, Refusal> {
    let device = match client {
        Client::Der(id) => of_der(super::der(id, view)?, view),
        Client::Aggregator(id) => {
            let aggregator = view.fleet.aggregator(id).ok_or(Refusal::NOT_FOUND)?;
            of_aggregator(aggregator, view)
        }
    };
    let list = |route| hosted::list_link(route, Some(client), asked, view);
    let link = |route| hosted::link(route, Some(client), asked, view);
    let subscriptions = view.resources.of_client(client).subscriptions.len();
    let may_subscribe = view.config.subscriptions.may_subscribe(client);
    Ok(EndDevice {
        href: Some(Target::EndDevice(client).into()),
        subscribable: asked.subscribable(Target::EndDevice(client), view),
        configuration_link: link(RouteId::CONFIGURATION),
        device_information_link: Some(Link::to(Target::DeviceInformation(client))),
        device_status_link: link(RouteId::DEVICE_STATUS),
        file_status_link: link(RouteId::FILE_STATUS),
        flow_reservation_request_list_link: list(RouteId::FLOW_RESERVATION_REQUESTS),
        flow_reservation_response_list_link: list(RouteId::FLOW_RESERVATION_RESPONSES),
        ip_interface_list_link: list(RouteId::IP_INTERFACES),
        load_shed_availability_list_link: list(RouteId::LOAD_SHED_AVAILABILITIES),
        log_event_list_link: Some(ListLink::to(
            Target::LogEvents(client),
            count(view.resources.of_client(client).log_events.len()),
        )),
        power_status_link: link(RouteId::POWER_STATUS),
        registration_link: Some(Link::to(Target::Registration(client))),
        subscription_list_link: may_subscribe
            .then(|| ListLink::to(Target::Subscriptions(client), count(subscriptions))),
        ..device
    })
}

/// `changedTime` is the server's own for a DER that an aggregator stands in for, since its list is
/// in order of it.
fn of_der(der: &Der, view: &View<'_>) -> EndDevice {
    let submitted = view.resources.of(der.id).end_device.as_ref();
    let told = submitted.filter(|_| der.manager.is_none());
    let assignments = super::assignments::of(der, view).len();
    EndDevice {
        connection_point_link: Some(Link::to(Target::ConnectionPoint(der.id))),
        der_list_link: Some(ListLink::to(Target::Ders(der.id), 1)),
        device_category: submitted.and_then(|device| device.device_category),
        lfdi: Some(der.lfdi.into()),
        sfdi: sfdi(der.lfdi),
        changed_time: told.map_or(TimeType::from(der.changed), |device| device.changed_time),
        enabled: Some(true),
        function_set_assignments_list_link: Some(ListLink::to(
            Target::AssignmentsList(der.id),
            count(assignments),
        )),
        post_rate: Some(view.post_rate_s()),
        ..EndDevice::default()
    }
}

/// CSIP has an aggregator's own end device for its subscriptions alone: no assignments, no DER.
fn of_aggregator(aggregator: &Aggregator, view: &View<'_>) -> EndDevice {
    let submitted = view.resources.of_client(Client::Aggregator(aggregator.id));
    let registered = aggregator_registered_at(aggregator).unwrap_or(aggregator.enrolled);
    EndDevice {
        device_category: submitted
            .end_device
            .as_ref()
            .and_then(|device| device.device_category),
        lfdi: Some(aggregator.lfdi.into()),
        sfdi: sfdi(aggregator.lfdi),
        changed_time: registered.into(),
        enabled: Some(true),
        post_rate: Some(view.post_rate_s()),
        ..EndDevice::default()
    }
}

pub(super) fn registration(
    client: Client,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Result<Response, Refusal> {
    let (registered, pin) = match client {
        Client::Der(id) => {
            let der = super::der(id, view)?;
            (registered_at(der).unwrap_or(der.enrolled), der.pin)
        }
        Client::Aggregator(id) => {
            let own = view.fleet.aggregator(id).ok_or(Refusal::NOT_FOUND)?;
            (
                aggregator_registered_at(own).unwrap_or(own.enrolled),
                own.pin,
            )
        }
    };
    Ok(asked.reply(&Registration {
        href: Some(Target::Registration(client).into()),
        poll_rate: Some(view.poll_rates().end_device_s),
        date_time_registered: registered.into(),
        pin: pin.digits(),
    }))
}

pub(super) fn information(
    client: Client,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Result<Response, Refusal> {
    let put = view.resources.of_client(client).information.clone();
    let information = put.map(|information| DeviceInformation {
        supported_locale_list_link: hosted::list_link(
            RouteId::SUPPORTED_LOCALES,
            Some(client),
            asked,
            view,
        ),
        ..information
    });
    document(asked, view, information.as_ref())
}

pub(super) fn der(der: &Der, asked: &Asked<'_>, view: &View<'_>) -> der::Der {
    let id = der.id;
    let programs = count(view.fleet.programs_of(id).len());
    let client = Some(Client::Der(id));
    let current = super::control::deciding(der, asked.now, view);
    der::Der {
        href: Some(Target::Der(id).into()),
        subscribable: asked.subscribable(Target::Der(id), view),
        associated_der_program_list_link: Some(ListLink::to(
            Target::AssociatedPrograms(id),
            programs,
        )),
        current_der_controls_link: hosted::link(RouteId::CURRENT_DER_CONTROLS, client, asked, view),
        der_component_list_link: hosted::list_link(RouteId::DER_COMPONENTS, client, asked, view),
        current_der_program_link: current
            .map(|control| Link::to(Target::Program(control.program.0))),
        der_availability_link: Some(Link::to(Target::Availability(id))),
        der_capability_link: Some(Link::to(Target::Capability(id))),
        der_settings_link: Some(Link::to(Target::Settings(id))),
        der_status_link: Some(Link::to(Target::Status(id))),
        ..der::Der::default()
    }
}

pub(super) fn ders(own: &Der, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    page(asked, &[der(own, asked, view)], |all, results| {
        der::DerList {
            href: Some(Target::Ders(own.id).into()),
            all,
            results,
            poll_rate: Some(view.poll_rates().der_s),
            ..der::DerList::default()
        }
    })
}
