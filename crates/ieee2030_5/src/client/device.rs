//! One device that the client speaks for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use units::Timestamp;

use super::content::{Component, Program, Tariff};
use super::events::{Due, Events, FunctionSet, Remembered, Traits};
use super::graph::NodeId;
use super::meter::Meter;
use super::report::Nameplate;
use super::setpoint::{Modes, Requests};
use super::{DeviceConfig, Stage, random};
use crate::codec::simple::HexBinary160;
use crate::codec::table::Edition;
use crate::wire::demand_response::EndDeviceControl;
use crate::wire::end_device::EndDevice;
use crate::wire::log_event::LogEvent;
use crate::wire::pricing::TimeTariffInterval;

/// Rate components of one device whose intervals are followed; further ones are not.
pub const MAX_PRICED: usize = 512;
/// Alarms of one device that wait for the server; further ones are given up.
pub const MAX_WAITING_ALARMS: usize = 32;

/// Whether the device has an `EndDevice` on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Presence {
    #[default]
    Unknown,
    Absent,
    Present,
    /// It was there, and was not in the list that was read last.
    Missing,
}

/// Where the device's own resources are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    pub(super) registration: Option<Arc<str>>,
    pub(super) ders: Option<Arc<str>>,
    pub(super) assignments: Option<Arc<str>>,
    pub(super) log_events: Option<Arc<str>>,
    pub(super) connection_point: Option<Arc<str>>,
    pub(super) post_rate_s: Option<u32>,
}

/// Where the resources of its DER are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DerLinks {
    pub(super) capability: Option<Arc<str>>,
    pub(super) settings: Option<Arc<str>>,
    pub(super) status: Option<Arc<str>>,
    pub(super) availability: Option<Arc<str>>,
}

/// A rate component and the intervals that it has.
#[derive(Clone, Debug)]
pub(super) struct Priced {
    pub(super) tariff: Tariff,
    pub(super) component: Component,
    pub(super) events: Events<Arc<TimeTariffInterval>>,
}

#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) config: DeviceConfig,
    pub(super) presence: Presence,
    pub(super) links: Links,
    /// The nodes that it refers to.
    pub(super) nodes: Vec<NodeId>,
    pub(super) pin: Option<u32>,
    pub(super) der: Option<DerLinks>,
    pub(super) ders_rate: Option<Duration>,
    pub(super) usage_point: Option<Arc<str>>,
    pub(super) usage_point_post_rate_s: Option<u32>,
    pub(super) is_described: bool,
    /// Best first.
    pub(super) programs: Vec<Program>,
    pub(super) events: Events<Requests>,
    /// Best first.
    pub(super) load_programs: Vec<Program>,
    pub(super) loads: Events<Arc<EndDeviceControl>>,
    /// By the mRID of the rate component.
    pub(super) prices: BTreeMap<u128, Priced>,
    traits: Traits,
    /// What became of intervals before a restart.
    recalled: BTreeMap<u128, Remembered>,
    /// When its events change of themselves, in server time.
    pub(super) next_change: Option<Timestamp>,
    pub(super) meter: Meter,
    pub(super) alarms: VecDeque<LogEvent>,
}

impl Device {
    pub(super) fn new(config: DeviceConfig, seed: u64, edition: Edition) -> Self {
        let seed = config
            .lfdi
            .iter()
            .fold(seed, |seed, octet| random::mixed(seed ^ u64::from(*octet)));
        let traits = Traits {
            function_set: FunctionSet::Der,
            seed,
            supported: config.supported(),
            category: config.device_category,
            edition,
        };
        Self {
            events: Events::new(traits),
            load_programs: Vec::new(),
            loads: Events::new(Traits {
                function_set: FunctionSet::DemandResponse,
                supported: Modes::ALL,
                ..traits
            }),
            prices: BTreeMap::new(),
            traits,
            recalled: BTreeMap::new(),
            config,
            presence: Presence::Unknown,
            links: Links::default(),
            nodes: Vec::new(),
            pin: None,
            der: None,
            ders_rate: None,
            usage_point: None,
            usage_point_post_rate_s: None,
            is_described: false,
            programs: Vec::new(),
            next_change: None,
            meter: Meter::default(),
            alarms: VecDeque::new(),
        }
    }

    /// The events of a rate component, and whether it is new. None when there are too many.
    pub(super) fn priced(
        &mut self,
        tariff: Tariff,
        component: Component,
    ) -> Option<(&mut Priced, bool)> {
        let is_new = !self.prices.contains_key(&component.mrid);
        if is_new && MAX_PRICED <= self.prices.len() {
            return None;
        }
        let traits = Traits {
            function_set: FunctionSet::Pricing,
            supported: Modes::ALL,
            ..self.traits
        };
        let recalled = &self.recalled;
        let priced = self.prices.entry(component.mrid).or_insert_with(|| {
            let mut events = Events::new(traits);
            events.recall(recalled.clone());
            Priced {
                tariff,
                component,
                events,
            }
        });
        priced.tariff = tariff;
        priced.component = component;
        Some((priced, is_new))
    }

    pub(super) fn step(&mut self, server_now: Timestamp) {
        self.events.step(server_now);
        self.loads.step(server_now);
        for priced in self.prices.values_mut() {
            priced.events.step(server_now);
        }
    }

    /// What has to outlive a restart of the events of any kind.
    pub(super) fn remembered(&self) -> impl Iterator<Item = (FunctionSet, u128, Remembered)> {
        let prices = self.prices.values().flat_map(|it| it.events.remembered());
        let events = self.events.remembered();
        events.chain(self.loads.remembered()).chain(prices)
    }

    /// Goes on where it was before a restart.
    pub(super) fn recall(&mut self, mut events: BTreeMap<FunctionSet, BTreeMap<u128, Remembered>>) {
        let mut of = |set| events.remove(&set).unwrap_or_default();
        self.events.recall(of(FunctionSet::Der));
        self.loads.recall(of(FunctionSet::DemandResponse));
        self.recalled = of(FunctionSet::Pricing);
    }

    /// When its events next change of themselves.
    pub(super) fn events_change_at(&self) -> Option<Timestamp> {
        let prices = self
            .prices
            .values()
            .filter_map(|it| it.events.next_change());
        let others = self
            .events
            .next_change()
            .into_iter()
            .chain(self.loads.next_change());
        others.chain(prices).min()
    }

    pub(super) fn take_due(&mut self) -> Vec<Due> {
        let mut due = self.events.take_due();
        due.append(&mut self.loads.take_due());
        for priced in self.prices.values_mut() {
            due.append(&mut priced.events.take_due());
        }
        due
    }

    pub(super) fn is_present(&self) -> bool {
        matches!(self.presence, Presence::Present | Presence::Missing)
    }

    /// Whether the server has shown the PIN that is expected.
    pub(super) fn is_trusted(&self) -> bool {
        let expected = self.config.pin;
        expected.is_none_or(|expected| self.pin == Some(expected))
    }

    pub(super) fn is(&self, shown: &EndDevice) -> bool {
        match shown.lfdi {
            Some(HexBinary160(lfdi)) => lfdi == self.config.lfdi,
            None => shown.sfdi.0 == self.config.sfdi,
        }
    }

    /// How far it has come, its meter and its controls aside.
    pub(super) fn stage(&self) -> Stage {
        match self.presence {
            Presence::Unknown => Stage::Discovering,
            Presence::Absent => Stage::Unregistered,
            _ if self.pin.is_some() && !self.is_trusted() => Stage::WrongPin,
            _ if self.is_trusted() && self.is_described => Stage::InService,
            _ => Stage::Registered,
        }
    }

    /// How often meter readings are posted.
    pub(super) fn readings_rate(&self) -> Option<Duration> {
        let rate_s = self.usage_point_post_rate_s.or(self.links.post_rate_s);
        rate_s.map(|s| Duration::from_secs(s.into()))
    }

    pub(super) fn nameplate(&self) -> &Nameplate {
        &self.config.nameplate
    }
}
