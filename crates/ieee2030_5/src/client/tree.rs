//! What is made of the resources that are read, link by link.

mod device;
mod load;
mod price;
mod program;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use units::Timestamp;

use super::Client;
use super::clock::ServerClock;
use super::content::Content;
use super::event::Extent;
use super::graph::{Kind, NodeId, Parent, Subscribed};
use super::list::{
    END_DEVICE_PAGE_LEN, List, MAX_END_DEVICE_PAGES, MAX_PAGES, PAGE_LEN, Whole, count, whole,
};
use super::schedule::{Job, RETRY_FIRST, RETRY_MAX};
use crate::codec::read::{ReadError, read};
use crate::wire::demand_response::{DemandResponseProgramList, EndDeviceControlList};
use crate::wire::der::DerList;
use crate::wire::der_control::{DerControlList, DerProgramList};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::EndDeviceList;
use crate::wire::function_set_assignments::FunctionSetAssignmentsList;
use crate::wire::link::{Link, ListLink};
use crate::wire::pricing::{
    ConsumptionTariffIntervalList, RateComponentList, TariffProfileList, TimeTariffIntervalList,
};
use crate::wire::subscription::SubscriptionList;
use crate::wire::time::Time;

pub use price::{MAX_RATE_COMPONENTS, Price};
use program::ranked;
pub use program::{MAX_ASSIGNMENTS, MAX_PROGRAMS};

/// What the server has for the client as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    pub(super) end_devices: Option<NodeId>,
    pub(super) usage_points: Option<Arc<str>>,
    /// Where an aggregator's own subscriptions are.
    pub(super) subscriptions: Option<Arc<str>>,
    /// Whether those of an earlier run are known.
    pub(super) subscriptions_read: bool,
    /// They, by what they are about.
    pub(super) subscribed: BTreeMap<Arc<str>, Arc<str>>,
    /// Subscriptions to be deleted.
    pub(super) obsolete: VecDeque<Arc<str>>,
    /// When what leads to everything else is or was read again.
    look_again_at: Timestamp,
}

/// When the request was sent and when its answer came.
pub(super) type Exchange = (Timestamp, Timestamp);

/// What takes in the members of a list.
type Take<M> = fn(&mut Client, NodeId, &[M], Timestamp);

fn rate(seconds: Option<u32>) -> Option<Duration> {
    seconds.map(|s| Duration::from_secs(s.into()))
}

/// How many members a page of a list has, and how many the list has.
pub(super) fn counts(kind: Kind, body: &[u8]) -> Result<(usize, usize), ReadError> {
    match kind {
        Kind::EndDevices => count::<EndDeviceList>(body),
        Kind::Ders => count::<DerList>(body),
        Kind::Assignments => count::<FunctionSetAssignmentsList>(body),
        Kind::Programs => count::<DerProgramList>(body),
        Kind::Subscriptions => count::<SubscriptionList>(body),
        Kind::LoadPrograms => count::<DemandResponseProgramList>(body),
        Kind::LoadControls(_) => count::<EndDeviceControlList>(body),
        Kind::Tariffs => count::<TariffProfileList>(body),
        Kind::RateComponents(_) => count::<RateComponentList>(body),
        Kind::Intervals(_) => count::<TimeTariffIntervalList>(body),
        Kind::Prices => count::<ConsumptionTariffIntervalList>(body),
        _ => count::<DerControlList>(body),
    }
}

impl Client {
    pub(super) fn link(&self, link: Option<&Link>) -> Option<Arc<str>> {
        let href = self.home.resolve(link?.href.as_str())?;
        Some(href.into())
    }

    pub(super) fn list_link(&self, link: Option<&ListLink>) -> Option<Arc<str>> {
        let href = self.home.resolve(link?.href.as_str())?;
        Some(href.into())
    }

    /// Takes in a resource that was read. One that cannot be read counts as a failure.
    pub(super) fn read(&mut self, node: NodeId, body: &[u8], at: Exchange) {
        let Some(kind) = self.graph.get(node).map(|node| node.kind) else {
            return;
        };
        let now = at.1;
        let taken = match kind {
            Kind::DeviceCapability => {
                read(body).map(|dcap| self.on_device_capability(node, &dcap, now))
            }
            Kind::Time => read(body).map(|time| self.on_time(node, &time, at)),
            Kind::Registration => read(body).map(|it| self.on_registration(node, &it, now)),
            Kind::UsagePoint => read(body).map(|point| self.on_usage_point(node, &point, now)),
            Kind::DefaultControl(_) => self.on_default(node, body, now),
            Kind::Curve => self.on_curve(node, body, now),
            _ => self.page(node, kind, body, now),
        };
        match (taken, kind) {
            (Err(_), _) => {
                self.discard_pages(node);
                self.schedule.failed(Job::Read(node), now);
            }
            (Ok(()), Kind::DeviceCapability | Kind::Registration) => {
                self.keep(node, vec![body.to_vec()]);
            }
            (Ok(()), _) => {}
        }
    }

    /// Where the next page of a list begins, and how long it is to be.
    pub(super) fn next_page(&self, node: NodeId) -> Option<(usize, usize)> {
        let node = self.graph.get(node)?;
        let len = match node.kind {
            Kind::EndDevices | Kind::Subscriptions => END_DEVICE_PAGE_LEN,
            Kind::DeviceCapability
            | Kind::Time
            | Kind::Registration
            | Kind::DefaultControl(_)
            | Kind::Curve
            | Kind::UsagePoint => return None,
            _ => PAGE_LEN,
        };
        Some((node.members_read, len))
    }

    fn page(
        &mut self,
        node: NodeId,
        kind: Kind,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), ReadError> {
        // What was a whole list before is one now.
        if self.graph.get(node).is_some_and(|it| it.is_repeated(body)) {
            return self.list_read(node, vec![body.to_vec()], now);
        }
        let (members, all) = counts(kind, body)?;
        let pages_max = match kind {
            Kind::EndDevices | Kind::Subscriptions => MAX_END_DEVICE_PAGES,
            _ => MAX_PAGES,
        };
        let Some(it) = self.graph.get_mut(node) else {
            return Ok(());
        };
        it.reading.push(body.to_vec());
        it.members_read += members;
        let is_complete = members == 0 || all <= it.members_read || pages_max <= it.reading.len();
        if !is_complete {
            self.schedule.again(Job::Read(node), now);
            return Ok(());
        }
        let pages = std::mem::take(&mut it.reading);
        it.members_read = 0;
        self.list_read(node, pages, now)
    }

    /// Takes in a list that is whole.
    pub(super) fn list_read(
        &mut self,
        node: NodeId,
        pages: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), ReadError> {
        let Some(it) = self.graph.get_mut(node) else {
            return Ok(());
        };
        let is_same = it.is_loaded && it.bodies == pages;
        let is_settled = is_same || pages.len() == 1;
        let was_settled = std::mem::replace(&mut it.is_settled, is_settled);
        let (kind, rate) = (it.kind, it.poll_rate);
        if is_same && was_settled {
            self.repeat(node, rate, now);
            return self.unchanged(node, now);
        }
        match kind {
            Kind::EndDevices => {
                self.hand_over::<EndDeviceList>(node, &pages, now, Self::on_end_devices)
            }
            Kind::Ders => self.hand_over::<DerList>(node, &pages, now, Self::on_ders),
            Kind::Assignments => self.hand_over::<FunctionSetAssignmentsList>(
                node,
                &pages,
                now,
                Self::on_assignments,
            ),
            Kind::Programs => {
                self.hand_over::<DerProgramList>(node, &pages, now, Self::on_programs)
            }
            Kind::Subscriptions => {
                self.hand_over::<SubscriptionList>(node, &pages, now, Self::on_subscriptions)
            }
            Kind::LoadPrograms
            | Kind::LoadControls(_)
            | Kind::Tariffs
            | Kind::RateComponents(_)
            | Kind::Intervals(_)
            | Kind::Prices => self.load_or_price_read((node, kind), &pages, now),
            _ => self.hand_over::<DerControlList>(node, &pages, now, Self::on_controls),
        }?;
        self.keep(node, pages);
        Ok(())
    }

    fn load_or_price_read(
        &mut self,
        (node, kind): (NodeId, Kind),
        pages: &[Vec<u8>],
        now: Timestamp,
    ) -> Result<(), ReadError> {
        match kind {
            Kind::LoadPrograms => self.hand_over::<DemandResponseProgramList>(
                node,
                pages,
                now,
                Self::on_load_programs,
            ),
            Kind::LoadControls(_) => {
                self.hand_over::<EndDeviceControlList>(node, pages, now, Self::on_load_controls)
            }
            Kind::Tariffs => {
                self.hand_over::<TariffProfileList>(node, pages, now, Self::on_tariffs)
            }
            Kind::RateComponents(_) => {
                self.hand_over::<RateComponentList>(node, pages, now, Self::on_components)
            }
            Kind::Intervals(_) => {
                self.hand_over::<TimeTariffIntervalList>(node, pages, now, Self::on_intervals)
            }
            _ => self.hand_over::<ConsumptionTariffIntervalList>(node, pages, now, Self::on_prices),
        }
    }

    fn hand_over<L: List>(
        &mut self,
        node: NodeId,
        pages: &[Vec<u8>],
        now: Timestamp,
        take: Take<L::Member>,
    ) -> Result<(), ReadError> {
        let Whole {
            members,
            poll_rate_s,
            is_subscribable,
            is_complete,
        } = whole::<L>(pages)?;
        self.repeat(node, rate(poll_rate_s), now);
        if let Some(it) = self.graph.get_mut(node) {
            it.is_loaded = true;
            it.extent = match is_complete && it.is_settled {
                true => Extent::Whole,
                false => Extent::Part,
            };
        }
        take(self, node, &members, now);
        if is_subscribable {
            self.want_subscription(node, now);
        }
        Ok(())
    }

    /// Tells the devices of a list of DER what is in it, as some of them are new to it.
    fn take_ders_again(&mut self, node: NodeId, pages: &[Vec<u8>], now: Timestamp) {
        if self
            .hand_over::<DerList>(node, pages, now, Self::on_ders)
            .is_err()
        {
            self.schedule.failed(Job::Read(node), now);
        }
    }

    /// A list is as it was; devices that were missing from it are looked for once more.
    fn unchanged(&mut self, node: NodeId, now: Timestamp) -> Result<(), ReadError> {
        let pages = self
            .graph
            .get(node)
            .filter(|it| it.kind == Kind::EndDevices);
        let pages = pages.map(|it| it.bodies.clone());
        match pages {
            Some(pages) if self.has_missing() => {
                self.hand_over::<EndDeviceList>(node, &pages, now, Self::on_end_devices)
            }
            _ => Ok(()),
        }
    }

    /// Plans the next reading of `node`, which is `rate` from now at most.
    pub(super) fn repeat(&mut self, node: NodeId, rate: Option<Duration>, now: Timestamp) {
        let Some(it) = self.graph.get(node) else {
            return;
        };
        let is_told = matches!(it.subscribed, Subscribed::At(_));
        let rate = match it.kind {
            // These have no pollRate of their own; they are read as often as their programmes.
            Kind::Controls(_)
            | Kind::DefaultControl(_)
            | Kind::Curve
            | Kind::LoadControls(_)
            | Kind::RateComponents(_)
            | Kind::Prices => {
                let programs = self.graph.referrers(node).into_iter();
                programs
                    .filter_map(|it| self.graph.get(it)?.poll_rate)
                    .min()
            }
            Kind::Intervals(_) => rate.or_else(|| {
                let components = self.graph.referrers(node).into_iter();
                components
                    .filter_map(|it| self.graph.get(it)?.poll_rate)
                    .min()
            }),
            _ => rate,
        };
        if let Some(it) = self.graph.get_mut(node) {
            it.poll_rate = rate;
        }
        let fallback = self.config.subscription.as_ref().map(|it| it.fallback);
        let rate = match fallback.filter(|_| is_told) {
            Some(fallback) => Some(rate.unwrap_or(fallback).max(fallback)),
            None => rate,
        };
        self.schedule.repeat(Job::Read(node), rate, now);
    }

    fn keep(&mut self, node: NodeId, pages: Vec<Vec<u8>>) {
        if let Some(it) = self.graph.get_mut(node) {
            it.bodies = pages;
            it.is_loaded = true;
        }
    }

    /// Keeps a resource that is not a list as it came. Whether it is another than before.
    fn is_news(&mut self, node: NodeId, body: &[u8]) -> bool {
        let Some(it) = self.graph.get_mut(node) else {
            return false;
        };
        let is_same = it.is_repeated(body);
        if !is_same {
            it.bodies = vec![body.to_vec()];
            it.is_loaded = true;
        }
        !is_same
    }

    fn discard_pages(&mut self, node: NodeId) {
        if let Some(it) = self.graph.get_mut(node) {
            it.reading.clear();
            it.members_read = 0;
        }
    }

    fn on_device_capability(&mut self, node: NodeId, dcap: &DeviceCapability, now: Timestamp) {
        self.repeat(node, rate(dcap.poll_rate), now);
        let parent = Parent::Node(node);
        let time = self.link(dcap.time_link.as_ref());
        let time = time.and_then(|href| self.follow(parent, Kind::Time, &href, now));
        let devices = self.list_link(dcap.end_device_list_link.as_ref());
        let devices = devices.and_then(|href| self.follow(parent, Kind::EndDevices, &href, now));
        self.server.end_devices = devices;
        let children = time.into_iter().chain(devices).collect();
        let gone = self.graph.adopt(node, children);
        self.forget(gone, now);
        self.server.usage_points = self.list_link(dcap.mirror_usage_point_list_link.as_ref());
        for place in 0..self.devices.len() {
            self.want_usage_point(super::DeviceIndex::of(place), now);
        }
    }

    fn on_time(&mut self, node: NodeId, time: &Time, (sent, received): Exchange) {
        self.repeat(node, rate(time.poll_rate), received);
        let seen = ServerClock::from_answer(sent, received, time.current_time.0);
        let tolerance = self.config.clock_tolerance;
        self.clock = Some(match self.clock {
            Some(clock) => clock.narrowed(seen, tolerance),
            None => seen,
        });
    }

    /// The server no longer knows the resource: what led to it is read again.
    pub(super) fn vanished(&mut self, job: Job, now: Timestamp) {
        match job {
            Job::Read(node) => self.node_vanished(node, now),
            Job::Respond(lane) => self.response_done(lane, now),
            Job::Readings(device) => self.usage_point_lost(device, now),
            Job::Register(_) => self.schedule.refused(job, now),
            Job::Unsubscribe => self.unsubscription_done(now),
            Job::Subscribe(node) => self.subscription_refused(node, now),
            _ => {
                self.schedule.repeat(job, None, now);
                self.look_again(now);
            }
        }
    }

    fn node_vanished(&mut self, node: NodeId, now: Timestamp) {
        self.discard_pages(node);
        let job = Job::Read(node);
        let Some(kind) = self.graph.get(node).map(|it| it.kind) else {
            return;
        };
        match kind {
            // Servers need not have these.
            Kind::Time | Kind::Registration | Kind::UsagePoint => {
                self.schedule.repeat(job, None, now);
            }
            Kind::DefaultControl(_) => self.default_gone(node, now),
            Kind::Curve => self.curve_refused(node, now),
            Kind::Subscriptions => self.on_subscriptions(node, &[], now),
            Kind::DeviceCapability => self.schedule.failed(job, now),
            _ => {
                if let Some(it) = self.graph.get_mut(node).filter(|it| !it.is_loaded) {
                    it.is_loaded = true;
                    it.content = Content::Refused;
                }
                self.schedule.failed(job, now);
                for parent in self.graph.referrers(node) {
                    self.schedule.hasten(Job::Read(parent), RETRY_FIRST, now);
                }
                self.look_again(now);
            }
        }
    }

    /// What leads to everything else is read again soon, once for all that asks for it within a
    /// minute.
    pub(super) fn look_again(&mut self, now: Timestamp) {
        let planned = self.server.look_again_at;
        let is_planned = now < planned && planned <= now.after(RETRY_MAX);
        if !is_planned {
            let last = planned.min(now);
            self.server.look_again_at = now.after(RETRY_FIRST).max(last.after(RETRY_MAX));
        }
        let wait = self.server.look_again_at.since(now);
        let start = self.graph.find(Kind::DeviceCapability, &self.start());
        for node in start.into_iter().chain(self.server.end_devices) {
            self.schedule.hasten(Job::Read(node), wait, now);
        }
    }

    fn start(&self) -> String {
        super::Home::of(&self.config.device_capability_href).1
    }

    /// The server refuses what was sent, and would refuse it again.
    pub(super) fn refused(&mut self, job: Job, status: u16, now: Timestamp) {
        match (job, status) {
            (Job::Read(node), _) => {
                self.discard_pages(node);
                self.schedule.failed(job, now);
            }
            (_, 408) => self.schedule.failed(job, now),
            // 401 is about the client, whatever it sends, and may pass; any other refusal is about
            // this response, and others wait behind it.
            (Job::Respond(_), 401) => self.schedule.failed(job, now),
            (Job::Respond(lane), _) => self.response_done(lane, now),
            (Job::Register(_), 409) => {
                // It may be registered already.
                self.schedule.refused(job, now);
                self.look_again(now);
            }
            (Job::Register(_), _) | (_, 401 | 403) => self.schedule.refused(job, now),
            (Job::Subscribe(node), _) => self.subscription_refused(node, now),
            (Job::Unsubscribe, _) => self.unsubscription_done(now),
            (Job::LogEvent(device), _) => self.alarm_done(device, now),
            _ => self.schedule.repeat(job, None, now),
        }
    }
}
