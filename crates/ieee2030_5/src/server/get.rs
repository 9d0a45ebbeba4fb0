//! What each resource looks like to the one who asks.

mod device;
mod program;

pub(super) use device::end_device;

use units::Timestamp;

use super::href::Target;
use super::http::{Refusal, Response};
use super::list::{Page, count};
use super::{Caller, View};
use crate::codec::read::Complex;
use crate::codec::simple::{AnyUri, TimeOffsetType, TimeType};
use crate::codec::write::{Writer, write};
use crate::translate::{Der, DerId, sfdi};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::EndDeviceList;
use crate::wire::link::{Link, ListLink};
use crate::wire::log_event::LogEventList;
use crate::wire::metering_mirror::MirrorUsagePointList;
use crate::wire::response::{ResponseList, ResponseSet, ResponseSetList};
use crate::wire::self_device::SelfDevice;
use crate::wire::time::Time;

/// A question for one resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) target: Target,
    pub(super) caller: Caller<'a>,
    pub(super) query: Option<&'a str>,
    pub(super) now: Timestamp,
}

/// The representation. The caller may see `asked.target` if it exists.
pub(super) fn get(asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let edition = view.config.edition;
    match asked.target {
        Target::DeviceCapability => Ok(Response::ok(write(
            &device_capability(asked.caller, view),
            edition,
        ))),
        Target::Time => Ok(Response::ok(write(&time(view, asked.now), edition))),
        Target::SelfDevice => Ok(Response::ok(write(&self_device(view), edition))),
        Target::EndDevices => end_devices(asked, view),
        Target::UsagePoints => usage_points(asked, view),
        Target::ResponseSets => response_sets(asked, view),
        _ => match asked.caller {
            Caller::Registered(der) => own(der, asked, view),
            Caller::Stranger | Caller::Authorised(_) => Err(Refusal::NOT_FOUND),
        },
    }
}

fn own(der: &Der, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let edition = view.config.edition;
    let documents = view.resources.of(der.id);
    match asked.target {
        Target::EndDevice(_) => Ok(Response::ok(write(&end_device(der, view), edition))),
        Target::Registration(_) => Ok(Response::ok(write(
            &device::registration(der, view),
            edition,
        ))),
        Target::DeviceInformation(_) => document(asked, view, documents.information.as_ref()),
        Target::Ders(_) => {
            let members = [device::der(der, view)];
            let head = device::der_list(der, view);
            page(asked, view, &members, head)
        }
        Target::Der(_) => Ok(Response::ok(write(&device::der(der, view), edition))),
        Target::Capability(_) => document(asked, view, documents.capability.as_ref()),
        Target::Settings(_) => document(asked, view, documents.settings.as_ref()),
        Target::Status(_) => document(asked, view, documents.status.as_ref()),
        Target::Availability(_) => document(asked, view, documents.availability.as_ref()),
        Target::LogEvents(_) => log_events(der, asked, view),
        Target::LogEvent(_, k) => document(asked, view, documents.log_events.get(&k)),
        Target::UsagePoint(_, k) => document(asked, view, documents.usage_points.get(&k)),
        Target::ResponseSet(_) => Ok(Response::ok(write(&response_set(der, view), edition))),
        Target::Responses(_) => responses(der, asked, view),
        Target::Response(_, k) => document(asked, view, documents.responses.get(&k)),
        _ => program::get(der, asked, view),
    }
}

/// A resource that has an address.
pub(super) trait Addressed: Complex + Clone {
    fn set_href(&mut self, href: AnyUri);
}

macro_rules! addressed {
    ($($Type:path,)*) => {$(
        impl Addressed for $Type {
            fn set_href(&mut self, href: AnyUri) {
                self.href = Some(href);
            }
        }
    )*};
}

addressed! {
    crate::wire::der::DerAvailability,
    crate::wire::der::DerCapability,
    crate::wire::der::DerSettings,
    crate::wire::der::DerStatus,
    crate::wire::device_information::DeviceInformation,
    crate::wire::log_event::LogEvent,
    crate::wire::metering_mirror::MirrorUsagePoint,
    crate::wire::response::Response,
}

/// What the device itself put or posted, if it did.
fn document<T: Addressed>(
    asked: &Asked<'_>,
    view: &View<'_>,
    document: Option<&T>,
) -> Result<Response, Refusal> {
    let mut document = document.ok_or(Refusal::NOT_FOUND)?.clone();
    document.set_href(asked.target.into());
    Ok(Response::ok(write(&document, view.config.edition)))
}

/// One page of `members`, which are complete.
fn page<T: Complex, M: Complex + Clone>(
    asked: &Asked<'_>,
    view: &View<'_>,
    members: &[M],
    head: impl FnOnce(u32, u32) -> T,
) -> Result<Response, Refusal> {
    let page = Page::parse(asked.query, view.config.list_limit_max)?;
    let shown = page.of(members);
    let mut out = Writer::new(view.config.edition, 256 + 512 * shown.len());
    let head = head(count(members.len()), count(shown.len()));
    out.list_document(&head, M::TABLE.name, shown.iter().cloned());
    Ok(Response::ok(out.into_bytes()))
}

fn device_capability(caller: Caller<'_>, view: &View<'_>) -> DeviceCapability {
    let mut capability = DeviceCapability {
        href: Some(Target::DeviceCapability.into()),
        poll_rate: Some(view.config.poll_rates.device_capability_s),
        time_link: Some(Link::to(Target::Time)),
        end_device_list_link: Some(ListLink::to(Target::EndDevices, 0)),
        self_device_link: Some(Link::to(Target::SelfDevice)),
        ..DeviceCapability::default()
    };
    if let Caller::Registered(der) = caller {
        let mirrored = count(view.resources.of(der.id).usage_points.len());
        capability.end_device_list_link = Some(ListLink::to(Target::EndDevices, 1));
        capability.mirror_usage_point_list_link = Some(ListLink::to(Target::UsagePoints, mirrored));
        capability.response_set_list_link = Some(ListLink::to(Target::ResponseSets, 1));
    }
    capability
}

fn time(view: &View<'_>, now: Timestamp) -> Time {
    let zone = view.config.time_zone;
    let in_dst = zone.dst_start <= now && now < zone.dst_end;
    let offset_s = zone.offset_s + if in_dst { zone.dst_offset_s } else { 0 };
    Time {
        href: Some(Target::Time.into()),
        poll_rate: Some(view.config.poll_rates.time_s),
        current_time: now.into(),
        dst_end_time: zone.dst_end.into(),
        dst_offset: TimeOffsetType(zone.dst_offset_s),
        dst_start_time: zone.dst_start.into(),
        local_time: Some(TimeType(now.secs() + i64::from(offset_s))),
        quality: view.config.time_quality,
        tz_offset: TimeOffsetType(zone.offset_s),
    }
}

fn self_device(view: &View<'_>) -> SelfDevice {
    SelfDevice {
        href: Some(Target::SelfDevice.into()),
        lfdi: Some(view.config.lfdi.into()),
        sfdi: sfdi(view.config.lfdi),
        poll_rate: Some(view.config.poll_rates.end_device_s),
        ..SelfDevice::default()
    }
}

/// The caller's own end device is all it sees of the list.
fn end_devices(asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let members = match asked.caller {
        Caller::Registered(der) => vec![end_device(der, view)],
        Caller::Stranger | Caller::Authorised(_) => Vec::new(),
    };
    page(asked, view, &members, |all, results| EndDeviceList {
        href: Some(Target::EndDevices.into()),
        all,
        results,
        poll_rate: Some(view.config.poll_rates.end_device_s),
        ..EndDeviceList::default()
    })
}

/// In order of mRID, the highest first.
fn usage_points(asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let mut members = Vec::new();
    if let Caller::Registered(der) = asked.caller {
        for (number, usage_point) in &view.resources.of(der.id).usage_points {
            let mut member = usage_point.clone();
            member.set_href(Target::UsagePoint(der.id.0, *number).into());
            members.push(member);
        }
    }
    members.sort_by_key(|member| std::cmp::Reverse(member.mrid.value()));
    page(asked, view, &members, |all, results| MirrorUsagePointList {
        href: Some(Target::UsagePoints.into()),
        all,
        results,
        poll_rate: Some(view.config.poll_rates.usage_point_s),
        ..MirrorUsagePointList::default()
    })
}

/// The latest first.
fn log_events(der: &Der, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let mut members = Vec::new();
    for (number, event) in &view.resources.of(der.id).log_events {
        let mut member = event.clone();
        member.set_href(Target::LogEvent(der.id.0, *number).into());
        members.push(member);
    }
    members.reverse();
    members.sort_by_key(|member| std::cmp::Reverse(member.created_date_time));
    let query = Page::parse(asked.query, view.config.list_limit_max)?;
    let all = count(members.len());
    query.narrow(&mut members, |member| member.created_date_time.timestamp());
    page(asked, view, &members, |_, results| LogEventList {
        href: Some(asked.target.into()),
        all,
        results,
        ..LogEventList::default()
    })
}

/// The latest first.
fn responses(der: &Der, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let mut members = Vec::new();
    for (number, response) in &view.resources.of(der.id).responses {
        let mut member = response.clone();
        member.set_href(Target::Response(der.id.0, *number).into());
        members.push(member);
    }
    members.reverse();
    members.sort_by_key(|member| std::cmp::Reverse(member.created_date_time));
    let query = Page::parse(asked.query, view.config.list_limit_max)?;
    let all = count(members.len());
    query.narrow(&mut members, |member| {
        member.created_date_time.unwrap_or_default().timestamp()
    });
    page(asked, view, &members, |_, results| ResponseList {
        href: Some(asked.target.into()),
        all,
        results,
        ..ResponseList::default()
    })
}

fn response_sets(asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let members = match asked.caller {
        Caller::Registered(der) => vec![response_set(der, view)],
        Caller::Stranger | Caller::Authorised(_) => Vec::new(),
    };
    page(asked, view, &members, |all, results| ResponseSetList {
        href: Some(Target::ResponseSets.into()),
        all,
        results,
        ..ResponseSetList::default()
    })
}

fn response_set(der: &Der, view: &View<'_>) -> ResponseSet {
    ResponseSet {
        href: Some(Target::ResponseSet(der.id.0).into()),
        mrid: response_set_mrid(view, der.id),
        response_list_link: Some(ListLink::to(
            Target::Responses(der.id.0),
            count(view.resources.of(der.id).responses.len()),
        )),
        ..ResponseSet::default()
    }
}

/// The assignments' mRID with the top bit set, which no mRID of the fleet's own has.
fn response_set_mrid(view: &View<'_>, der: DerId) -> crate::codec::simple::HexBinary128 {
    let mrid = program::assignments_mrid(view, der);
    crate::codec::simple::HexBinary128::new(mrid.value() | 1 << 127)
}
