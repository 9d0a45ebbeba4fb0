//! What each resource looks like to the one who asks.

mod assignments;
mod control;
mod device;
mod end_devices;
mod hosted;
mod program;
mod report;

use units::Timestamp;

use super::View;
use super::caller::{Caller, Sight};
use super::hosted::route::RouteId;
use super::href::Target;
use super::http::{Refusal, Response};
use super::list::{Page, count};
use crate::codec::read::Complex;
use crate::codec::simple::{TimeOffsetType, TimeType};
use crate::codec::table::Profile;
use crate::codec::write::{Writer, write};
use crate::translate::{Client, Der, DerId, Program, sfdi};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::link::{Link, ListLink};
use crate::wire::self_device::SelfDevice;
use crate::wire::time::Time;

/// A question for one resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) target: Target,
    pub(super) caller: Caller<'a>,
    /// The programme that the target is of; it addresses the caller.
    pub(super) program: Option<&'a Program>,
    pub(super) sight: &'a Sight<'a>,
    pub(super) query: Option<&'a str>,
    /// Members of one page at most.
    pub(super) limit_max: u32,
    pub(super) range: Option<&'a str>,
    pub(super) profile: Profile,
    /// Whether it is for a notification: who is told need not look often.
    pub(super) is_told: bool,
    pub(super) now: Timestamp,
}

impl Asked<'_> {
    /// The `subscribable` attribute of what is asked for, or of `target` in its stead.
    fn subscribable(&self, target: Target, view: &View<'_>) -> Option<u8> {
        let subscriptions = &view.config.subscriptions;
        subscriptions.subscribable(target, self.caller.client())
    }

    fn reply<T: Complex>(&self, resource: &T) -> Response {
        Response::ok(write(resource, self.profile))
    }

    fn page(&self) -> Result<Page, Refusal> {
        Page::parse(self.query, self.limit_max)
    }
}

/// The representation. The caller may see `asked.target` if it exists.
pub(super) fn get(asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    match asked.target {
        Target::DeviceCapability => Ok(asked.reply(&device_capability(asked, view))),
        Target::Time => Ok(asked.reply(&time(view, asked.now))),
        Target::SelfDevice => Ok(asked.reply(&self_device(asked, view))),
        Target::EndDevices => end_devices::list(asked, view),
        Target::MirrorUsagePoints => report::usage_points(asked, view),
        Target::ResponseSets => report::response_sets(asked, view),
        Target::Hosted(path) => hosted::get(path, asked, view),
        _ => match (asked.program, asked.target.client()) {
            (Some(program), _) => program::get(program, asked, view),
            (None, Some(client)) => of_client(client, asked, view),
            (None, None) => Err(Refusal::NOT_FOUND),
        },
    }
}

fn of_client(client: Client, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    match asked.target {
        Target::EndDevice(_) => {
            device::end_device(client, asked, view).map(|own| asked.reply(&own))
        }
        Target::Registration(_) => device::registration(client, asked, view),
        Target::DeviceInformation(_) => device::information(client, asked, view),
        Target::LogEvents(_)
        | Target::LogEvent(..)
        | Target::MirrorUsagePoint(..)
        | Target::ResponseSet(_)
        | Target::Responses(_)
        | Target::Response(..) => report::get(client, asked, view),
        Target::Subscriptions(_) => super::subscription::list(client, view, asked),
        Target::Subscription(_, number) => {
            let id = super::subscription::SubscriptionId { client, number };
            super::subscription::get(id, view, asked)
        }
        _ => match client {
            Client::Der(id) => of_der(der(id, view)?, asked, view),
            Client::Aggregator(_) => Err(Refusal::NOT_FOUND),
        },
    }
}

fn of_der(der: &Der, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let documents = view.resources.of(der.id);
    match asked.target {
        Target::Ders(_) => device::ders(der, asked, view),
        Target::Der(_) => Ok(asked.reply(&device::der(der, asked, view))),
        Target::Capability(_) => document(asked, view, documents.capability.as_ref()),
        Target::Settings(_) => document(asked, view, documents.settings.as_ref()),
        Target::Status(_) => document(asked, view, documents.status.as_ref()),
        Target::Availability(_) => document(asked, view, documents.availability.as_ref()),
        Target::ConnectionPoint(_) => document(asked, view, documents.connection_point.as_ref()),
        Target::AssignmentsList(_) => assignments::list(der, asked, view),
        Target::Assignments(_, number) => assignments::get(der, number, asked, view),
        Target::AssignedPrograms(..) | Target::AssociatedPrograms(_) => {
            program::list(der, asked, view)
        }
        _ => Err(Refusal::NOT_FOUND),
    }
}

fn der<'a>(id: DerId, view: &View<'a>) -> Result<&'a Der, Refusal> {
    view.fleet.der(id).ok_or(Refusal::NOT_FOUND)
}

/// A resource that has an address.
trait Addressed: Complex + Clone {
    fn set_href(&mut self, target: Target, subscribable: Option<u8>);
}

macro_rules! addressed {
    ($($Type:path $([$subscribable:ident])?,)*) => {$(
        impl Addressed for $Type {
            fn set_href(&mut self, target: Target, subscribable: Option<u8>) {
                self.href = Some(target.into());
                // Types that nobody subscribes to have no such attribute.
                _ = subscribable;
                $( self.$subscribable = subscribable; )?
            }
        }
    )*};
}

addressed! {
    crate::wire::connection_point::ConnectionPoint,
    crate::wire::der::DerAvailability[subscribable],
    crate::wire::der::DerCapability,
    crate::wire::der::DerSettings[subscribable],
    crate::wire::der::DerStatus[subscribable],
    crate::wire::device_information::DeviceInformation,
    crate::wire::log_event::LogEvent,
    crate::wire::metering_mirror::MirrorUsagePoint,
}

/// What the device itself put or posted, if it did.
fn document<T: Addressed>(
    asked: &Asked<'_>,
    view: &View<'_>,
    document: Option<&T>,
) -> Result<Response, Refusal> {
    let mut document = document.ok_or(Refusal::NOT_FOUND)?.clone();
    let subscribable = asked.subscribable(asked.target, view);
    document.set_href(asked.target, subscribable);
    Ok(asked.reply(&document))
}

/// One page of `members`, which are complete.
pub(super) fn page<T: Complex, M: Complex + Clone>(
    asked: &Asked<'_>,
    members: &[M],
    head: impl FnOnce(u32, u32) -> T,
) -> Result<Response, Refusal> {
    let shown = asked.page()?.of(members);
    let head = head(count(members.len()), count(shown.len()));
    Ok(written(asked, &head, shown.iter().cloned()))
}

/// A list whose head says which part of it is shown.
fn written<T: Complex, M: Complex>(
    asked: &Asked<'_>,
    head: &T,
    shown: impl ExactSizeIterator<Item = M>,
) -> Response {
    let mut out = Writer::new(asked.profile, 256 + 512 * shown.len());
    out.list_document(head, M::TABLE.name, shown);
    Response::ok(out.into_bytes())
}

fn device_capability(asked: &Asked<'_>, view: &View<'_>) -> DeviceCapability {
    let mut capability = DeviceCapability {
        href: Some(Target::DeviceCapability.into()),
        poll_rate: Some(view.poll_rates().device_capability_s),
        time_link: Some(Link::to(Target::Time)),
        end_device_list_link: Some(ListLink::to(Target::EndDevices, 0)),
        mirror_usage_point_list_link: Some(ListLink::to(Target::MirrorUsagePoints, 0)),
        self_device_link: Some(Link::to(Target::SelfDevice)),
        ..DeviceCapability::default()
    };
    if asked.caller.client().is_none() {
        return capability;
    }
    let devices = count(end_devices::number(asked.caller, view));
    let mirrored = count(report::number_of_usage_points(asked.caller, view));
    capability.end_device_list_link = Some(ListLink::to(Target::EndDevices, devices));
    capability.mirror_usage_point_list_link =
        Some(ListLink::to(Target::MirrorUsagePoints, mirrored));
    capability.response_set_list_link = Some(ListLink::to(Target::ResponseSets, 1));
    let link = |route| hosted::list_link(route, None, asked, view);
    capability.customer_account_list_link = link(RouteId::CUSTOMER_ACCOUNTS);
    capability.demand_response_program_list_link = link(RouteId::DEMAND_RESPONSE_PROGRAMS);
    capability.file_list_link = link(RouteId::FILES);
    capability.messaging_program_list_link = link(RouteId::MESSAGING_PROGRAMS);
    capability.prepayment_list_link = link(RouteId::PREPAYMENTS);
    capability.tariff_profile_list_link = link(RouteId::TARIFF_PROFILES);
    capability.usage_point_list_link = link(RouteId::USAGE_POINTS);
    capability
}

/// Local time is that of the server, with its daylight saving.
fn time(view: &View<'_>, now: Timestamp) -> Time {
    let zone = &view.config.time_zone;
    let summer = zone.summer(now).unwrap_or_default();
    let in_dst = summer.start <= now && now < summer.end;
    let offset_s = zone.offset_s + if in_dst { zone.dst_offset_s } else { 0 };
    Time {
        href: Some(Target::Time.into()),
        poll_rate: Some(view.poll_rates().time_s),
        current_time: now.into(),
        dst_end_time: summer.end.into(),
        dst_offset: TimeOffsetType(zone.dst_offset_s),
        dst_start_time: summer.start.into(),
        local_time: Some(TimeType(now.secs() + i64::from(offset_s))),
        quality: view.config.time_quality,
        tz_offset: TimeOffsetType(zone.offset_s),
    }
}

fn self_device(asked: &Asked<'_>, view: &View<'_>) -> SelfDevice {
    let link = |route| hosted::link(route, None, asked, view);
    SelfDevice {
        href: Some(Target::SelfDevice.into()),
        device_information_link: link(RouteId::SELF_INFORMATION),
        device_status_link: link(RouteId::SELF_STATUS),
        power_status_link: link(RouteId::SELF_POWER_STATUS),
        lfdi: Some(view.config.lfdi.into()),
        sfdi: sfdi(view.config.lfdi),
        poll_rate: Some(view.poll_rates().end_device_s),
        ..SelfDevice::default()
    }
}
