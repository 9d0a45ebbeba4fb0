//! Prices: what of them outlives a restart, and how many are followed.

use super::{Made, Rote, START};
use crate::client::{
    Client, Config, DeviceConfig, DeviceIndex, MAX_EVENTS, MAX_PRICED, MAX_RATE_COMPONENTS,
    SavedError,
};
use crate::codec::simple::{HexBinary8, HexBinary16, HexBinary128, TimeType};
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};
use crate::wire::link::ListLink;
use crate::wire::pricing::{
    RateComponent, RateComponentList, TariffProfile, TariffProfileList, TimeTariffInterval,
    TimeTariffIntervalList,
};
use crate::wire::time::DateTimeInterval;

/// Intervals of five minutes in a day.
const INTERVALS: u32 = 288;

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap()
}

impl Rote {
    /// Tariffs in one list, each with `components` rate components.
    fn with_tariffs(mut self, tariffs: u32, components: u32) -> Self {
        self.register();
        let assignments = FunctionSetAssignments {
            tariff_profile_list_link: Some(ListLink::to("/tariffs", tariffs)),
            ..FunctionSetAssignments::default()
        };
        let assignments = FunctionSetAssignmentsList {
            all: 1,
            results: 1,
            function_set_assignments: vec![assignments],
            ..FunctionSetAssignmentsList::default()
        };
        self.at("/own/assignments", &assignments);
        let tariff = |n: u32| TariffProfile {
            mrid: HexBinary128::new(n.into()),
            rate_component_list_link: Some(ListLink::to(format!("/components/{n}"), components)),
            ..TariffProfile::default()
        };
        let list = TariffProfileList {
            all: tariffs,
            results: tariffs,
            tariff_profile: (0..tariffs).map(tariff).collect(),
            ..TariffProfileList::default()
        };
        self.at("/tariffs", &list);
        for n in 0..tariffs {
            let component = |k: u32| RateComponent {
                mrid: HexBinary128::new(u128::from(n) << 32 | u128::from(k)),
                role_flags: HexBinary16::new(u16::try_from(k).unwrap()),
                time_tariff_interval_list_link: ListLink::to(format!("/intervals/{n}-{k}"), 0),
                ..RateComponent::default()
            };
            let list = RateComponentList {
                all: components,
                results: components,
                rate_component: (0..components).map(component).collect(),
                ..RateComponentList::default()
            };
            self.at(&format!("/components/{n}"), &list);
        }
        self
    }

    /// The intervals of a component, from now on.
    fn intervals(&mut self, place: &str, first: u32) {
        let interval = |n: u32| TimeTariffInterval {
            reply_to: Some("/price-responses".into()),
            response_required: Some(HexBinary8::new(1)),
            mrid: HexBinary128::new((first + n).into()),
            interval: DateTimeInterval {
                duration: 300,
                start: TimeType(START.secs() + i64::from(300 * n)),
            },
            ..TimeTariffInterval::default()
        };
        let list = TimeTariffIntervalList {
            all: INTERVALS,
            results: INTERVALS,
            time_tariff_interval: (0..INTERVALS).map(interval).collect(),
            ..TimeTariffIntervalList::default()
        };
        self.at(&format!("/intervals/{place}"), &list);
    }
}

fn pricing(config: &mut Config) {
    config.follows_prices = true;
}

#[test]
fn a_day_of_prices_of_two_components_outlives_a_restart() {
    let mut rote = Rote::with(pricing).with_tree().with_tariffs(1, 2);
    for (place, first) in [("0-0", 0x1_0000), ("0-1", 0x2_0000)] {
        rote.intervals(place, first);
    }
    let refused = Made {
        status: 500,
        ..Made::default()
    };
    rote.answer("/price-responses", refused);
    rote.run(20);
    assert_eq!(rote.client.prices(DeviceIndex::OWN).len(), 2);
    assert_eq!(rote.client.waiting_responses(), 2 * 288);
    let saved = rote.client.save();
    assert!(MAX_EVENTS < rote.client.devices[0].remembered().count());
    let again = Client::restore(rote.client.config.clone(), &saved, rote.now).unwrap();
    assert_eq!(again.prices(DeviceIndex::OWN).len(), 2);
    assert_eq!(again.waiting_responses(), 2 * 288, "none is made twice");
    assert_eq!(again.save(), saved);
}

#[test]
fn the_events_of_each_function_set_are_counted_by_themselves() {
    let config = Rote::with(pricing).client.config;
    let lfdi = super::LFDI.map(|octet| format!("{octet:02X}")).concat();
    let read = |events: usize, set: &str| {
        let event = |n: usize| format!("event {n:X} active 0 - 0 0{set}\n");
        let events: String = (0..events).map(event).collect();
        let state = format!("wattfold-der2030-state 1\ndevice {lfdi} - 0 0\n{events}");
        Client::restore(config.clone(), state.as_bytes(), START).err()
    };
    // A state of an earlier version does not say of which function set an event is.
    for set in ["", " der", " dr"] {
        assert_eq!(read(MAX_EVENTS, set), None);
        assert_eq!(read(MAX_EVENTS + 1, set), Some(SavedError::TooMuch));
    }
    assert_eq!(read(MAX_EVENTS + 1, " pricing"), None);
    assert_eq!(read(1, " other"), Some(SavedError::Line { line: 3 }));
}

#[test]
fn rate_components_beyond_the_limit_are_not_followed() {
    let beyond = count(MAX_RATE_COMPONENTS + 1);
    let mut rote = Rote::with(pricing).with_tree().with_tariffs(1, beyond);
    for k in 0..beyond {
        rote.intervals(&format!("0-{k}"), k << 16);
    }
    rote.run(60);
    let followed = rote.client.prices(DeviceIndex::OWN).len();
    assert_eq!(followed, MAX_RATE_COMPONENTS);
}

#[test]
fn rate_components_of_one_device_have_a_limit() {
    let config = DeviceConfig::new(super::LFDI, 1, super::nameplate());
    let mut device = crate::client::Device::new(config, 1, crate::codec::table::Edition::Y2018);
    let tariff = crate::client::content::Tariff {
        mrid: 1,
        primacy: 1,
        currency: None,
        power_of_ten: 0,
        components: None,
    };
    for place in 0..=MAX_PRICED {
        let component = crate::client::content::Component {
            mrid: place as u128,
            role_flags: 0,
            intervals: None,
        };
        let priced = device.priced(tariff, component);
        assert_eq!(priced.is_some(), place < MAX_PRICED);
    }
}
