use std::time::Duration;

use fleet::DerId;
use units::{Interval, Timestamp};

use crate::sim::check::energy::{self, Members, Need, Store};

use super::{START, Target, Watts, interval, later, plan};

/// Behind both members: what an hour of 1 kW takes, and as much room.
const STORE: Store = Store {
    above_reserve_wh: 1_000.0,
    room_wh: 1_000.0,
    charge_efficiency: 0.8,
    discharge_efficiency: 0.8,
    need: None,
};

/// Stores by DER, all alike from the first, and what is asked of them elsewhere.
#[derive(Default)]
struct Known {
    stores: Vec<Store>,
    elsewhere_w: Option<f64>,
}

impl Known {
    fn all(store: Store) -> Self {
        Self {
            stores: vec![store; 2],
            elsewhere_w: None,
        }
    }
}

impl Members for Known {
    fn store(&self, der: DerId, _: Duration, _: Timestamp) -> Option<Store> {
        self.stores.get(der.index()).copied()
    }

    fn average_w(&self, _: DerId, _: Interval, own_w: Option<f64>) -> Option<f64> {
        own_w.or(self.elsewhere_w)
    }
}

fn schedule() -> [Target; 1] {
    [Target::net(interval(3_600), Watts::ZERO)]
}

#[test]
fn a_plan_that_takes_what_is_kept_or_fills_what_is_full_is_seen() {
    let known = Known::all(STORE);
    // With its losses an hour of 800 W takes 1 kWh, and one of 1 250 W stores as much.
    let check = |shares_w| energy::check(&plan(1, shares_w), &schedule(), &known);
    assert_eq!(check([800, -1_250]), Ok(()));
    let found = check([820, 0]).unwrap_err();
    assert!(found.contains("above its reserve"), "{found}");
    assert!(check([0, -1_270]).unwrap_err().contains("fill it"));
    assert_eq!(
        energy::check(&plan(1, [820, 0]), &schedule(), &Known::default()),
        Ok(())
    );
}

#[test]
fn what_a_more_urgent_dispatch_has_a_member_take_counts() {
    let schedule = [
        Target::net(interval(3_600), Watts::ZERO),
        Target::net(Interval::between(later(3_600), later(7_200)), Watts::ZERO),
    ];
    let mut taken = plan(1, [1_600, 0]);
    taken.allocations.truncate(1);
    taken.allocations[0].interval = 1;
    taken.elsewhere = vec![(0, DerId(0))];
    let check = |elsewhere_w| {
        let known = Known {
            elsewhere_w,
            ..Known::all(STORE)
        };
        energy::check(&taken, &schedule, &known)
    };
    assert!(check(Some(0.0)).is_err());
    assert_eq!(check(Some(-1_250.0)), Ok(()), "it is filled before");
    assert_eq!(check(None), Ok(()), "nobody can say");
}

#[test]
fn what_was_over_when_a_plan_took_effect_takes_nothing() {
    let mut late = plan(1, [1_600, 0]);
    late.effective = later(1_800);
    let known = Known::all(STORE);
    assert_eq!(energy::check(&late, &schedule(), &known), Ok(()));
}

#[test]
fn what_was_asked_before_a_plan_takes_effect_counts_once() {
    let asked = [-500, -1_000, 400].map(Watts::whole);
    let after = STORE.after(asked.into_iter(), Duration::from_secs(900));
    let gained_wh = after.above_reserve_wh - STORE.above_reserve_wh;
    assert!((gained_wh - 1_000.0 * 0.25 * 0.8).abs() < 1e-6);
    let given_wh = after.room_wh - STORE.room_wh;
    assert!((given_wh - 400.0 * 0.25 / 0.8).abs() < 1e-6);
    let asked = [Watts::whole(-500)];
    assert_eq!(STORE.after(asked.into_iter(), Duration::ZERO), STORE);
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
        let known = Known {
            stores: vec![need(energy_wh)],
            elsewhere_w: None,
        };
        energy::check(&plan(1, [share_w, 0]), &schedule(), &known)
    };
    assert_eq!(START, later(0));
    assert_eq!(check(0, 800.0), Ok(()), "the hour after is enough");
    assert!(check(0, 900.0).unwrap_err().contains("vehicle leaves"));
    assert_eq!(check(-500, 1_200.0), Ok(()));
    assert_eq!(check(0, 2_000.0), Ok(()), "what nobody could do any more");
    assert_eq!(check(800, -200.0), Ok(()), "it has more than it needs");
    assert!(check(1_000, 100.0).is_err());
}
