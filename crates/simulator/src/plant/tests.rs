use proptest::prelude::{Strategy, any, prop, prop_assert, proptest};

use super::{
    EvCharger, EvRating, HOUR_S, Output, Plant, Pv, Request, Storage, StorageRating, clear_sky,
};
use crate::noise::Noise;

const BATTERY: StorageRating = StorageRating {
    p_discharge_max_w: 5_000.0,
    p_charge_max_w: 4_000.0,
    capacity_wh: 200.0,
    efficiency: 0.95,
    reserve_pct: 20.0,
    ramp_per_s: 0.25,
};

const CHARGER: EvRating = EvRating {
    p_charge_max_w: 7_400.0,
    capacity_wh: 300.0,
    efficiency: 0.9,
    ramp_per_s: 0.2,
};

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let one = (
        prop::option::of(-12_000.0..12_000.0_f64),
        prop::option::of(0.0..12_000.0_f64),
        prop::option::of(0.0..12_000.0_f64),
        any::<bool>(),
        any::<bool>(),
    );
    let request = one.prop_map(|(p_w, p_limit_w, p_absorb_limit_w, off, really)| Request {
        p_w,
        p_limit_w,
        p_absorb_limit_w,
        is_disconnected: off && really,
    });
    prop::collection::vec(request, 1..60)
}

const DT_S: f64 = 2.0;

/// Runs a plant and gives what it did step by step.
fn run(plant: &mut Plant, requests: &[Request], sun: f64) -> Vec<Output> {
    requests
        .iter()
        .map(|request| plant.step(request, sun, DT_S))
        .collect()
}

fn energy_wh(outputs: &[Output], of: impl Fn(f64) -> f64) -> f64 {
    outputs
        .iter()
        .map(|output| of(output.p_w) * DT_S / HOUR_S)
        .sum()
}

proptest! {
    #[test]
    fn a_battery_gives_back_no_more_than_it_took(requests in requests(), soc in 0.0..100.0_f64) {
        let battery = Storage::new(BATTERY, soc);
        let before_wh = battery.stored_wh();
        let mut plant = Plant::Storage(battery);
        let outputs = run(&mut plant, &requests, 0.0);
        let Plant::Storage(battery) = plant else { unreachable!("it was a battery") };
        let given_wh = energy_wh(&outputs, |p| p.max(0.0)) / BATTERY.efficiency;
        let taken_wh = energy_wh(&outputs, |p| (-p).max(0.0)) * BATTERY.efficiency;
        let balance_wh = before_wh + taken_wh - given_wh - battery.stored_wh();
        prop_assert!(balance_wh.abs() < 1e-6, "{balance_wh} Wh are unaccounted for");
    }

    #[test]
    fn a_battery_stays_within_its_bounds(requests in requests(), soc in 0.0..100.0_f64) {
        let mut plant = Plant::Storage(Storage::new(BATTERY, soc));
        let mut last_w = 0.0;
        let reserve = soc.min(BATTERY.reserve_pct) - 1e-9;
        for (request, output) in requests.iter().zip(run(&mut plant, &requests, 0.0)) {
            let soc = output.soc_pct.expect("a battery has one");
            prop_assert!((reserve..=100.0 + 1e-9).contains(&soc), "SoC {soc}");
            prop_assert!((-4_000.0..=5_000.0).contains(&output.p_w));
            if request.is_disconnected {
                prop_assert!(output.p_w == 0.0);
            } else if output.p_w.abs() > f64::abs(last_w) {
                let ramp_w = BATTERY.p_discharge_max_w * BATTERY.ramp_per_s * DT_S;
                prop_assert!((output.p_w - last_w).abs() <= ramp_w + 1e-6);
            }
            if let Some(limit_w) = request.p_limit_w.filter(|limit_w| last_w <= *limit_w) {
                prop_assert!(output.p_w <= limit_w + 1e-9);
            }
            last_w = output.p_w;
        }
    }

    #[test]
    fn a_charger_never_injects_and_fills_the_vehicle_exactly(
        requests in requests(),
        soc in 0.0..100.0_f64,
    ) {
        let charger = EvCharger::new(CHARGER, soc);
        let before_wh = charger.remaining_wh();
        let mut plant = Plant::EvCharger(charger);
        let outputs = run(&mut plant, &requests, 0.0);
        let Plant::EvCharger(charger) = plant else { unreachable!("it was a charger") };
        prop_assert!(outputs.iter().all(|output| (-7_400.0..=0.0).contains(&output.p_w)));
        let taken_wh = energy_wh(&outputs, |p| -p) * CHARGER.efficiency;
        prop_assert!((before_wh - taken_wh - charger.remaining_wh()).abs() < 1e-6);
        prop_assert!(charger.remaining_wh() >= 0.0);
    }

    #[test]
    fn an_inverter_gives_no_more_than_the_sun_and_no_more_than_asked(
        requests in requests(),
        sun in 0.0..1.2_f64,
        seed in any::<u64>(),
    ) {
        let mut plant = Plant::Pv(Pv::new(10_000.0, 0.25, Noise::new(seed)));
        let mut last_w = 0.0;
        for (request, output) in requests.iter().zip(run(&mut plant, &requests, sun)) {
            prop_assert!((0.0..=output.p_available_w).contains(&output.p_w));
            prop_assert!(output.p_available_w <= 10_000.0);
            prop_assert!(output.p_w - last_w <= 10_000.0 * 0.25 * DT_S + 1e-6);
            if let Some(asked_w) = request.p_w.filter(|asked_w| last_w <= *asked_w) {
                prop_assert!(output.p_w <= asked_w.max(0.0) + 1e-9);
            }
            last_w = output.p_w;
        }
    }
}

#[test]
fn plants_reach_what_is_asked_within_their_ramp() {
    let ask = |p_w| Request {
        p_w: Some(p_w),
        ..Request::default()
    };
    let mut pv = Plant::Pv(Pv::new(10_000.0, 0.25, Noise::new(1)));
    let mut battery = Plant::Storage(Storage::new(BATTERY, 60.0));
    let mut charger = Plant::EvCharger(EvCharger::new(CHARGER, 10.0));
    for _ in 0..4 {
        pv.step(&ask(3_000.0), 0.9, 1.0);
        battery.step(&ask(-4_000.0), 0.9, 1.0);
        charger.step(&ask(-2_500.0), 0.9, 1.0);
    }
    assert!((pv.step(&ask(3_000.0), 0.9, 1.0).p_w - 3_000.0).abs() < 1e-9);
    assert!((battery.step(&ask(-4_000.0), 0.9, 1.0).p_w + 4_000.0).abs() < 1e-9);
    assert!((charger.step(&ask(-2_500.0), 0.9, 1.0).p_w + 2_500.0).abs() < 1e-9);
}

#[test]
fn left_alone_a_plant_does_what_its_owner_wants() {
    let nothing = Request::default();
    let mut pv = Plant::Pv(Pv::new(10_000.0, 0.25, Noise::new(1)));
    let mut battery = Plant::Storage(Storage::new(BATTERY, 60.0));
    let mut charger = Plant::EvCharger(EvCharger::new(CHARGER, 10.0));
    for _ in 0..10 {
        let output = pv.step(&nothing, 0.5, 1.0);
        battery.step(&nothing, 0.5, 1.0);
        charger.step(&nothing, 0.5, 1.0);
        assert!((3_500.0..6_500.0).contains(&output.p_available_w));
    }
    let output = pv.step(&nothing, 0.5, 1.0);
    assert!((output.p_w - output.p_available_w).abs() < 1e-9);
    assert!(battery.step(&nothing, 0.5, 1.0).p_w.abs() < 1e-9);
    assert!((charger.step(&nothing, 0.5, 1.0).p_w + 7_400.0).abs() < 1e-9);
}

#[test]
fn the_sun_shines_by_day() {
    assert!(clear_sky(3.0).abs() < 1e-9 && clear_sky(23.0).abs() < 1e-9);
    assert!((clear_sky(13.0) - 1.0).abs() < 1e-9);
    assert!(clear_sky(9.0) < clear_sky(11.0));
}
