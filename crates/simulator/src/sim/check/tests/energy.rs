use crate::sim::check::energy::{self, Need, Store};

use super::{START, Target, Watts, interval, later, plan};

/// Behind both members: what an hour of 1 kW takes, and as much room.
const STORE: Store = Store {
    above_reserve_wh: 1_000.0,
    room_wh: 1_000.0,
    charge_efficiency: 0.8,
    discharge_efficiency: 0.8,
    need: None,
};

fn schedule() -> [Target; 1] {
    [Target::net(interval(3_600), Watts::ZERO)]
}

#[test]
fn a_plan_that_takes_what_is_kept_or_fills_what_is_full_is_seen() {
    let store = |_| Some(STORE);
    // With its losses an hour of 800 W takes 1 kWh, and one of 1 250 W stores as much.
    let check = |shares_w| energy::check(&plan(1, shares_w), &schedule(), store);
    assert_eq!(check([800, -1_250]), Ok(()));
    let found = check([820, 0]).unwrap_err();
    assert!(found.contains("above its reserve"), "{found}");
    assert!(check([0, -1_270]).unwrap_err().contains("fill it"));
    assert_eq!(
        energy::check(&plan(1, [820, 0]), &schedule(), |_| None),
        Ok(())
    );
}

#[test]
fn what_was_over_when_a_plan_took_effect_takes_nothing() {
    let mut late = plan(1, [1_600, 0]);
    late.effective = later(1_800);
    assert_eq!(energy::check(&late, &schedule(), |_| Some(STORE)), Ok(()));
}

#[test]
fn what_was_asked_before_a_plan_takes_effect_counts_once() {
    let asked = [-500, -1_000, 400].map(|w| (interval(600), Watts::whole(w)));
    let after = STORE.after(asked.into_iter(), interval(900));
    let gained_wh = after.above_reserve_wh - STORE.above_reserve_wh;
    assert!((gained_wh - 1_000.0 * 0.25 * 0.8).abs() < 1e-6);
    let given_wh = after.room_wh - STORE.room_wh;
    assert!((given_wh - 400.0 * 0.25 / 0.8).abs() < 1e-6);
    let over = (interval(600), Watts::whole(-500));
    let later = units::Interval::between(later(600), later(900));
    assert_eq!(STORE.after([over].into_iter(), later), STORE);
}

#[test]
fn a_plan_that_leaves_a_vehicle_without_what_it_needs_is_seen() {
    let need = |energy_wh| Store {
        need: Some(Need {
            energy_wh,
            by: later(7_200),
            p_charge_max_w: 1_000.0,
        }),
        room_wh: 10_000.0,
        ..STORE
    };
    let check = |share_w, energy_wh| {
        let store = |der| (der == fleet::DerId(0)).then(|| need(energy_wh));
        energy::check(&plan(1, [share_w, 0]), &schedule(), store)
    };
    assert_eq!(START, later(0));
    assert_eq!(check(0, 800.0), Ok(()), "the hour after is enough");
    assert!(check(0, 900.0).unwrap_err().contains("vehicle leaves"));
    assert_eq!(check(-500, 1_200.0), Ok(()));
    assert_eq!(check(0, 2_000.0), Ok(()), "what nobody could do any more");
}
