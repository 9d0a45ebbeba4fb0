//! Pricing: what consumption and production cost the devices now.
//!
//! Interpretation: intervals of one rate component supersede one another as events do. Between
//! tariffs it is their primacy that decides, for each role that a component prices.

use std::collections::BTreeMap;
use std::sync::Arc;

use units::Timestamp;

use crate::client::content::{Component, Content, Tariff};
use crate::client::device::Priced;
use crate::client::event::{Announced, Listed};
use crate::client::graph::{Kind, NodeId, Parent};
use crate::client::{Client, DeviceIndex, MAX_PROGRAMS};
use crate::wire::pricing::{
    ConsumptionTariffInterval, RateComponent, TariffProfile, TimeTariffInterval,
};

/// Components of one tariff that are followed.
pub const MAX_RATE_COMPONENTS: usize = 16;

/// A rate component and the tariff that has it.
type Offer = (Tariff, Component);

/// A price in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// The mRID of the tariff.
    pub tariff: u128,
    /// Of ISO 4217.
    pub currency: Option<u16>,
    pub power_of_ten: i8,
    /// What is priced.
    pub role_flags: u16,
    pub interval: Arc<TimeTariffInterval>,
    /// In order of consumption.
    pub steps: Vec<ConsumptionTariffInterval>,
}

impl Client {
    pub(super) fn on_tariffs(&mut self, node: NodeId, tariffs: &[TariffProfile], now: Timestamp) {
        let mut followed = Vec::new();
        for tariff in tariffs.iter().take(MAX_PROGRAMS) {
            let mrid = tariff.mrid.value();
            let href = self.list_link(tariff.rate_component_list_link.as_ref());
            let kind = Kind::RateComponents(mrid);
            let href = href.as_deref();
            followed.push(Tariff {
                mrid,
                primacy: tariff.primacy,
                currency: tariff.currency,
                power_of_ten: tariff.price_power_of_ten_multiplier.unwrap_or(0),
                components: href.and_then(|it| self.follow(Parent::Node(node), kind, it, now)),
            });
        }
        let children = followed.iter().filter_map(|it| it.components).collect();
        let gone = self.graph.adopt(node, children);
        self.forget(gone, now);
        if let Some(it) = self.graph.get_mut(node) {
            it.content = Content::Tariffs(followed);
        }
        self.reassign_all(node, now);
    }

    pub(super) fn on_components(&mut self, node: NodeId, listed: &[RateComponent], now: Timestamp) {
        let mut followed = Vec::new();
        for component in listed.iter().take(MAX_RATE_COMPONENTS) {
            let mrid = component.mrid.value();
            let href = self.list_link(Some(&component.time_tariff_interval_list_link));
            let kind = Kind::Intervals(mrid);
            let href = href.as_deref();
            followed.push(Component {
                mrid,
                role_flags: component.role_flags.value(),
                intervals: href.and_then(|it| self.follow(Parent::Node(node), kind, it, now)),
            });
        }
        let children = followed.iter().filter_map(|it| it.intervals).collect();
        let gone = self.graph.adopt(node, children);
        self.forget(gone, now);
        if let Some(it) = self.graph.get_mut(node) {
            it.content = Content::Components(followed);
        }
        self.reassign_all(node, now);
    }

    /// Follows the components of the tariffs that the device has now.
    pub(super) fn reassign_prices(&mut self, index: DeviceIndex, now: Timestamp) {
        let (found, is_complete) = self.components_of(index);
        let server_now = self.server_now(now);
        let device = &mut self.devices[index.place()];
        if is_complete {
            let is_found = |mrid: &u128| found.iter().any(|(_, it)| it.mrid == *mrid);
            device.prices.retain(|mrid, _| is_found(mrid));
        }
        let mut learned = Vec::new();
        for (tariff, component) in &found {
            let node = component.intervals;
            let Some((priced, is_new)) = device.priced(*tariff, *component) else {
                continue;
            };
            priced.events.assign(
                &BTreeMap::from([(component.mrid, tariff.primacy)]),
                server_now,
            );
            learned.extend(node.filter(|_| is_new).map(|it| (component.mrid, it)));
        }
        for (mrid, node) in learned {
            let node = self.graph.get(node);
            let priced = self.devices[index.place()].prices.get_mut(&mrid);
            if let Some(node) = node
                && let Content::Intervals(listed) = &node.content
                && let Some(priced) = priced
            {
                let listed = (listed.as_slice(), node.extent);
                priced.events.learn(mrid, listed, server_now);
            }
        }
        self.touched(index, now);
    }

    fn components_of(&self, index: DeviceIndex) -> (Vec<Offer>, bool) {
        let mut found = Vec::new();
        let mut is_complete = true;
        for list in self.lists_of(index, Kind::Tariffs) {
            let list = self.graph.get(list);
            is_complete &= list.is_some_and(|it| it.is_loaded);
            let Some(Content::Tariffs(tariffs)) = list.map(|it| &it.content) else {
                continue;
            };
            for tariff in tariffs {
                let node = tariff.components.and_then(|it| self.graph.get(it));
                is_complete &= node.is_none_or(|it| it.is_loaded);
                if let Some(Content::Components(components)) = node.map(|it| &it.content) {
                    found.extend(components.iter().map(|it| (*tariff, *it)));
                }
            }
        }
        (found, is_complete)
    }

    pub(super) fn on_intervals(
        &mut self,
        node: NodeId,
        intervals: &[TimeTariffInterval],
        now: Timestamp,
    ) {
        let Some(Kind::Intervals(component)) = self.graph.get(node).map(|it| it.kind) else {
            return;
        };
        let mut children = Vec::new();
        let mut listed: Vec<Listed<Arc<TimeTariffInterval>>> = Vec::new();
        for interval in intervals {
            let link = interval.consumption_tariff_interval_list_link.as_ref();
            let href = self.list_link(link);
            let href = href.as_deref();
            children
                .extend(href.and_then(|it| self.follow(Parent::Node(node), Kind::Prices, it, now)));
            let event = Announced::time_tariff_interval(component, interval.clone());
            listed.push(Listed::new(event, &interval.event_status));
        }
        let gone = self.graph.adopt(node, children);
        self.forget(gone, now);
        let extent = self.graph.extent(node);
        let server_now = self.server_now(now);
        for index in self.graph.devices(node) {
            let priced = self.devices[index.place()].prices.get_mut(&component);
            if let Some(priced) = priced {
                priced
                    .events
                    .learn(component, (&listed, extent), server_now);
                self.touched(index, now);
            }
        }
        if let Some(it) = self.graph.get_mut(node) {
            it.content = Content::Intervals(listed);
        }
    }

    pub(super) fn on_prices(
        &mut self,
        node: NodeId,
        steps: &[ConsumptionTariffInterval],
        _: Timestamp,
    ) {
        if let Some(it) = self.graph.get_mut(node) {
            it.content = Content::Prices(steps.to_vec());
        }
        let devices = self.graph.devices(node);
        self.changed.extend(devices);
    }

    /// The prices in force at the device, those of its best tariff in each role.
    #[must_use]
    pub fn prices(&self, device: DeviceIndex) -> Vec<Price> {
        let Some(device) = self.devices.get(device.place()) else {
            return Vec::new();
        };
        let mut best: BTreeMap<u16, (u8, Price)> = BTreeMap::new();
        for priced in device.prices.values() {
            let Some((event, _)) = priced.events.in_force().first().copied() else {
                continue;
            };
            let role = priced.component.role_flags;
            let primacy = priced.tariff.primacy;
            if best.get(&role).is_none_or(|(other, _)| primacy < *other) {
                best.insert(role, (primacy, self.price(priced, &event.payload)));
            }
        }
        best.into_values().map(|(_, price)| price).collect()
    }

    fn price(&self, priced: &Priced, interval: &Arc<TimeTariffInterval>) -> Price {
        let link = interval.consumption_tariff_interval_list_link.as_ref();
        let node = self.list_link(link);
        let node = node.and_then(|href| self.graph.find(Kind::Prices, &href));
        let read = match node.and_then(|it| self.graph.get(it)).map(|it| &it.content) {
            Some(Content::Prices(steps)) => Some(steps),
            _ => None,
        };
        let summary = interval.consumption_tariff_interval_list_summary.as_ref();
        let summary = summary.map(|it| &it.consumption_tariff_interval);
        Price {
            tariff: priced.tariff.mrid,
            currency: priced.tariff.currency,
            power_of_ten: priced.tariff.power_of_ten,
            role_flags: priced.component.role_flags,
            interval: Arc::clone(interval),
            steps: read.or(summary).cloned().unwrap_or_default(),
        }
    }
}
