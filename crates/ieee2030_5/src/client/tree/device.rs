//! The devices on the server: their presence, registration, DER and meters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use units::Timestamp;

use super::rate;
use crate::client::device::{DerLinks, Links, Presence};
use crate::client::graph::{Kind, NodeId, Parent};
use crate::client::schedule::{Job, RETRY_FIRST};
use crate::client::{Client, Device, DeviceIndex};
use crate::wire::der::Der;
use crate::wire::end_device::{EndDevice, Registration};
use crate::wire::metering_mirror::MirrorUsagePoint;

/// A meter that the server has lost is made again after this, so that a server that keeps none is
/// not asked without end.
const REMAKE_AFTER: Duration = Duration::from_secs(5);

impl Client {
    pub(super) fn on_end_devices(&mut self, _: NodeId, shown: &[EndDevice], now: Timestamp) {
        let own = shown
            .iter()
            .find(|it| it.lfdi.is_some_and(|id| id.0 == self.config.lfdi));
        let subscriptions = own.and_then(|it| self.list_link(it.subscription_list_link.as_ref()));
        self.server.subscriptions = subscriptions;
        let by_lfdi: BTreeMap<[u8; 20], &EndDevice> = shown
            .iter()
            .filter_map(|it| Some((it.lfdi?.0, it)))
            .collect();
        let nameless: Vec<&EndDevice> = shown.iter().filter(|it| it.lfdi.is_none()).collect();
        for place in 0..self.devices.len() {
            let (index, device) = (DeviceIndex::of(place), &self.devices[place]);
            let found = by_lfdi.get(&device.config.lfdi);
            let found = found.or_else(|| nameless.iter().find(|it| device.is(it)));
            match found {
                Some(found) => self.device_present(index, found, now),
                None => self.device_absent(index, now),
            }
        }
        self.find_subscriptions(now);
    }

    fn device_present(&mut self, index: DeviceIndex, shown: &EndDevice, now: Timestamp) {
        let links = Links {
            registration: self.link(shown.registration_link.as_ref()),
            ders: self.list_link(shown.der_list_link.as_ref()),
            assignments: self.list_link(shown.function_set_assignments_list_link.as_ref()),
            log_events: self.list_link(shown.log_event_list_link.as_ref()),
            connection_point: self.link(shown.connection_point_link.as_ref()),
            post_rate_s: shown.post_rate,
        };
        let device = &mut self.devices[index.place()];
        let was_present = device.is_present();
        device.presence = Presence::Present;
        self.schedule.drop_job(Job::Register(index));
        if was_present && device.links == links {
            return;
        }
        let has_new_point = device.links.connection_point != links.connection_point;
        if has_new_point && device.config.connection_point_id.is_some() {
            self.schedule.ensure(Job::ConnectionPoint(index), now);
        }
        if links.log_events.is_some() && !device.alarms.is_empty() {
            self.schedule.ensure(Job::LogEvent(index), now);
        }
        device.links = links;
        if !was_present {
            // A server may show more of itself to a client that it knows.
            let start = self.graph.find(Kind::DeviceCapability, &self.start());
            let start =
                start.filter(|_| self.config.lfdi == self.devices[index.place()].config.lfdi);
            if let Some(start) = start {
                self.schedule.hasten(Job::Read(start), Duration::ZERO, now);
            }
        }
        self.relink(index, now);
        self.want_usage_point(index, now);
    }

    /// A device that was in the list is looked for once more before it is given up: a list that
    /// changes while it is read page by page may leave one out.
    fn device_absent(&mut self, index: DeviceIndex, now: Timestamp) {
        let device = &mut self.devices[index.place()];
        if device.presence == Presence::Present {
            device.presence = Presence::Missing;
            if let Some(node) = self.server.end_devices {
                self.schedule.hasten(Job::Read(node), RETRY_FIRST, now);
            }
            return;
        }
        if device.presence == Presence::Missing {
            device.links = Links::default();
            device.pin = None;
            self.relink(index, now);
        }
        self.devices[index.place()].presence = Presence::Absent;
        if self.config.registers {
            self.schedule.ensure(Job::Register(index), now);
        }
    }

    pub(super) fn has_missing(&self) -> bool {
        self.devices
            .iter()
            .any(|it| it.presence == Presence::Missing)
    }

    /// Follows the links of the device, its assignments only if the server is trusted.
    fn relink(&mut self, index: DeviceIndex, now: Timestamp) {
        let device = &self.devices[index.place()];
        let links = device.links.clone();
        let assignments = links.assignments.filter(|_| device.is_trusted());
        let wanted = [
            (Kind::Registration, links.registration),
            (Kind::Ders, links.ders),
            (Kind::Assignments, assignments),
            (Kind::UsagePoint, device.usage_point.clone()),
        ];
        let mut nodes = Vec::new();
        for (kind, href) in wanted {
            let href = href.as_deref();
            nodes.extend(href.and_then(|it| self.follow(Parent::Device(index), kind, it, now)));
        }
        let before = std::mem::replace(&mut self.devices[index.place()].nodes, nodes.clone());
        let dropped = before
            .into_iter()
            .filter(|it| !nodes.contains(it))
            .collect();
        let gone = self.graph.release(Parent::Device(index), dropped);
        self.forget(gone, now);
        // What several devices share may have been read before this one refers to it.
        let ders = nodes.iter().find_map(|it| {
            let node = self.graph.get(*it)?;
            (node.kind == Kind::Ders && node.is_loaded).then_some((*it, node.bodies.clone()))
        });
        if let Some((node, pages)) = ders {
            self.take_ders_again(node, &pages, now);
        }
        self.reassign(index, now);
    }

    pub(super) fn on_registration(&mut self, node: NodeId, it: &Registration, now: Timestamp) {
        self.repeat(node, rate(it.poll_rate), now);
        if let Some(node) = self.graph.get_mut(node) {
            node.is_loaded = true;
        }
        for index in self.graph.devices(node) {
            let device = &mut self.devices[index.place()];
            let was_trusted = device.is_trusted();
            device.pin = Some(it.pin);
            if was_trusted != device.is_trusted() {
                self.relink(index, now);
            }
        }
    }

    pub(super) fn on_ders(&mut self, node: NodeId, ders: &[Der], now: Timestamp) {
        let rate = self.schedule.rate(Job::Read(node));
        let first = ders.first().map(|der| DerLinks {
            capability: self.link(der.der_capability_link.as_ref()),
            settings: self.link(der.der_settings_link.as_ref()),
            status: self.link(der.der_status_link.as_ref()),
            availability: self.link(der.der_availability_link.as_ref()),
        });
        for index in self.graph.devices(node) {
            let device = &mut self.devices[index.place()];
            device.ders_rate = rate;
            let is_same = device.der == first;
            device.der.clone_from(&first);
            if !is_same {
                for job in [Job::Capability(index), Job::Settings(index)] {
                    self.schedule.drop_job(job);
                    self.schedule.ensure(job, now);
                }
            }
            if first.is_some() {
                self.schedule.ensure(Job::Status(index), now);
                self.schedule.ensure(Job::Availability(index), now);
            }
        }
    }

    pub(in crate::client) fn want_usage_point(&mut self, index: DeviceIndex, now: Timestamp) {
        let device = &self.devices[index.place()];
        let is_missing = self.server.usage_points.is_some() && device.usage_point.is_none();
        if is_missing && device.is_present() {
            self.schedule.ensure(Job::CreateUsagePoint(index), now);
        }
    }

    /// The device's meter is mirrored at `href`.
    pub(in crate::client) fn usage_point_made(
        &mut self,
        index: DeviceIndex,
        href: Arc<str>,
        now: Timestamp,
    ) {
        self.devices[index.place()].usage_point = Some(href);
        self.relink(index, now);
        self.schedule.ensure(Job::Readings(index), now);
    }

    /// The server has forgotten the meter: it is made anew, and what else the server may have
    /// forgotten of the device is told again.
    pub(super) fn usage_point_lost(&mut self, index: DeviceIndex, now: Timestamp) {
        if self.devices[index.place()].usage_point.take().is_some() {
            self.schedule.drop_job(Job::Readings(index));
            self.relink(index, now);
            for job in [Job::Capability(index), Job::Settings(index)] {
                if self.devices[index.place()].der.is_some() {
                    self.schedule.ensure(job, now);
                }
            }
        }
        self.want_usage_point(index, now);
        let job = Job::CreateUsagePoint(index);
        self.schedule.put_off(job, REMAKE_AFTER, now);
    }

    pub(super) fn on_usage_point(
        &mut self,
        node: NodeId,
        point: &MirrorUsagePoint,
        now: Timestamp,
    ) {
        self.repeat(node, None, now);
        for index in self.graph.devices(node) {
            self.devices[index.place()].usage_point_post_rate_s = point.post_rate;
        }
    }

    /// Whether the server has the device's meter, or takes none.
    pub(in crate::client) fn meters(&self, device: &Device) -> bool {
        device.usage_point.is_some() || self.server.usage_points.is_none()
    }

    /// Whether controls of the device have been read.
    pub(in crate::client) fn follows(&self, device: &Device) -> bool {
        let controls = device.programs.iter().filter_map(|it| it.controls);
        let mut nodes = controls.filter_map(|it| self.graph.get(it));
        nodes.any(|node| node.is_loaded)
    }
}
