use units::{Timestamp, Watts};

use super::{NOW, OTHER, OWN, World};
use crate::codec::simple::{HexBinary8, PerCent, Text, TimeType};
use crate::translate::DerId;
use crate::translate::metering::Quantity;
use crate::wire::control_mode::DerControlType;
use crate::wire::der::{
    ConnectStatusType, DerAvailability, DerCapability, DerSettings, DerStatus, DerType,
    StateOfChargeStatusType, connect_status,
};
use crate::wire::device_information::DeviceInformation;
use crate::wire::log_event::{LogEvent, LogEventList};
use crate::wire::quantity::ActivePower;

fn kilowatts(value: i16) -> ActivePower {
    ActivePower {
        multiplier: 3,
        value,
    }
}

fn capability() -> DerCapability {
    DerCapability {
        modes_supported: DerControlType::new(DerControlType::CHARGE | DerControlType::FIXED_W),
        rtg_max_charge_rate_w: Some(kilowatts(4)),
        rtg_max_discharge_rate_w: Some(kilowatts(3)),
        rtg_max_w: kilowatts(5),
        der_type: DerType::OTHER_STORAGE,
        ..DerCapability::default()
    }
}

fn settings() -> DerSettings {
    DerSettings {
        set_grad_w: 27,
        set_max_w: kilowatts(5),
        set_max_discharge_rate_w: Some(kilowatts(2)),
        updated_time: NOW.into(),
        ..DerSettings::default()
    }
}

pub(super) fn report_everything(world: &mut World) {
    assert_eq!(
        world.put(OWN, "/edev/0/der/1/dercap", &capability()).status,
        204
    );
    assert_eq!(
        world.put(OWN, "/edev/0/der/1/derg", &settings()).status,
        204
    );
    let status = DerStatus {
        gen_connect_status: Some(ConnectStatusType {
            date_time: NOW.into(),
            value: HexBinary8::new(connect_status::CONNECTED | connect_status::OPERATING),
        }),
        reading_time: NOW.into(),
        state_of_charge_status: Some(StateOfChargeStatusType {
            date_time: NOW.into(),
            value: PerCent(6_250),
        }),
        ..DerStatus::default()
    };
    assert_eq!(world.put(OWN, "/edev/0/der/1/ders", &status).status, 204);
    let availability = DerAvailability {
        reading_time: NOW.into(),
        stat_w_avail: Some(ActivePower {
            multiplier: 0,
            value: 1_234,
        }),
        ..DerAvailability::default()
    };
    assert_eq!(
        world.put(OWN, "/edev/0/der/1/dera", &availability).status,
        204
    );
    let information = DeviceInformation {
        lfdi: OWN.into(),
        mf_model: Text::clipped("Model & more"),
        ..DeviceInformation::default()
    };
    assert_eq!(world.put(OWN, "/edev/0/di", &information).status, 204);
    let event = LogEvent {
        created_date_time: NOW.into(),
        ..LogEvent::default()
    };
    assert_eq!(world.post(OWN, "/edev/0/lel", &event).status, 201);
}

#[test]
fn reports_reach_the_fleet_and_are_given_back() {
    let mut world = World::new();
    report_everything(&mut world);
    let der = world.fleet.der(DerId(0)).unwrap();
    let known = der.capability.as_ref().unwrap();
    assert_eq!(known.p_inject_max, Watts::whole(3_000));
    assert_eq!(known.p_absorb_max, Watts::whole(4_000));
    let set = der.settings.as_ref().unwrap();
    assert_eq!(set.p_inject_max, Watts::whole(2_000));
    assert_eq!(set.max_w(), Watts::whole(5_000));
    assert_eq!(set.p_absorb_max, Watts::whole(4_000));
    assert_eq!(set.ramp_per_second.unwrap().hundredths(), 27);
    let kept: DerCapability = world.read(OWN, "/edev/0/der/1/dercap");
    assert_eq!(DerCapability { href: None, ..kept }, capability());
    let kept: DerSettings = world.read(OWN, "/edev/0/der/1/derg");
    assert_eq!(DerSettings { href: None, ..kept }, settings());
    let told: Vec<(Quantity, f64)> = world
        .measurements
        .iter()
        .map(|m| (m.quantity, m.value))
        .collect();
    assert_eq!(
        told,
        [
            (Quantity::StateOfCharge, 62.5),
            (Quantity::Connected, 1.0),
            (Quantity::AvailablePower, 1_234.0)
        ]
    );
}

#[test]
fn settings_without_a_time_change_nothing() {
    let mut world = World::new();
    report_everything(&mut world);
    let before = world.fleet.clone();
    let body = "<DERSettings xmlns=\"urn:ieee:std:2030.5:ns\"><setGradW>1</setGradW><setMaxW>\
        <multiplier>0</multiplier><value>1</value></setMaxW></DERSettings>";
    let put = super::request(OWN, "PUT", "/edev/0/der/1/derg", body.as_bytes());
    assert_eq!(world.send(&put).status, 400);
    assert_eq!(world.fleet, before);
    let kept: DerSettings = world.read(OWN, "/edev/0/der/1/derg");
    assert_eq!(kept.set_grad_w, 27);
}

#[test]
fn ratings_that_cannot_be_meant_are_refused() {
    let mut world = World::new();
    for (multiplier, value) in [(0, -1), (120, 1)] {
        let bad = DerCapability {
            rtg_max_w: ActivePower { multiplier, value },
            ..capability()
        };
        assert_eq!(world.put(OWN, "/edev/0/der/1/dercap", &bad).status, 400);
    }
    assert!(world.fleet.der(DerId(0)).unwrap().capability.is_none());
    assert_eq!(world.get(OWN, "/edev/0/der/1/dercap").status, 404);
}

#[test]
fn a_charger_that_does_not_discharge_injects_nothing() {
    let mut world = World::new();
    let charger = DerCapability {
        der_type: DerType::EVSE,
        rtg_max_discharge_rate_w: None,
        ..capability()
    };
    assert_eq!(world.put(OWN, "/edev/0/der/1/dercap", &charger).status, 204);
    let known = world
        .fleet
        .der(DerId(0))
        .unwrap()
        .capability
        .as_ref()
        .unwrap();
    assert_eq!(known.p_inject_max, Watts::ZERO);
    assert_eq!(known.p_absorb_max, Watts::whole(4_000));
}

#[test]
fn a_status_from_the_future_is_doubted() {
    let mut world = World::new();
    let status = DerStatus {
        state_of_charge_status: Some(StateOfChargeStatusType {
            date_time: TimeType(i64::MAX),
            value: PerCent(1),
        }),
        ..DerStatus::default()
    };
    assert_eq!(world.put(OWN, "/edev/0/der/1/ders", &status).status, 204);
    assert_eq!(world.measurements[0].at, NOW);
    assert_eq!(world.measurements[0].quality, fleet::Quality::Questionable);
}

#[test]
fn log_events_are_listed_latest_first_and_bounded() {
    let mut world = World::new();
    let max = crate::server::resources::MAX_LOG_EVENTS;
    for second in 0..=i64::try_from(max).unwrap() {
        let event = LogEvent {
            created_date_time: Timestamp::from_secs(second).into(),
            ..LogEvent::default()
        };
        let reply = world.post(OWN, "/edev/0/lel", &event);
        assert_eq!(reply.status, 201);
        let kept: LogEvent = world.read(OWN, &reply.location.unwrap());
        assert_eq!(kept.created_date_time, event.created_date_time);
    }
    let list: LogEventList = world.read(OWN, "/edev/0/lel?l=255");
    assert_eq!(usize::try_from(list.all).unwrap(), max);
    assert!(
        list.log_event
            .is_sorted_by(|a, b| a.created_date_time > b.created_date_time)
    );
    assert_eq!(world.get(OWN, "/edev/0/lel/1").status, 404);
}

#[test]
fn information_of_another_device_is_refused() {
    let mut world = World::new();
    let information = DeviceInformation {
        lfdi: OTHER.into(),
        ..DeviceInformation::default()
    };
    assert_eq!(world.put(OWN, "/edev/0/di", &information).status, 403);
    assert_eq!(world.get(OWN, "/edev/0/di").status, 404);
}
