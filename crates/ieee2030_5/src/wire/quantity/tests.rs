use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use units::{VoltAmperes, Watts};

use super::{ActivePower, ApparentPower};

#[test]
fn a_value_that_fits_is_exact() {
    for (micro, multiplier, value) in [
        (0, 0, 0),
        (5_000_000_000, 0, 5_000),
        (-5_000_000_000, 0, -5_000),
        (40_000_000_000, 1, 4_000),
        (3_276_700_000, -1, 32_767),
        (1, -6, 1),
        (32_767_000_000_000, 3, 32_767),
    ] {
        let wire = ActivePower::nearest(Watts::from_micro(micro));
        assert_eq!(
            (wire.multiplier, wire.value),
            (multiplier, value),
            "{micro}"
        );
        assert_eq!(wire.quantity(), Some(Watts::from_micro(micro)));
    }
}

#[test]
fn an_unsigned_quantity_is_never_negative() {
    assert_eq!(ApparentPower::nearest(VoltAmperes::whole(-5)).value, 0);
}

#[test]
fn a_size_beyond_all_reason_is_no_quantity() {
    assert_eq!(
        ActivePower {
            multiplier: 127,
            value: 1
        }
        .quantity(),
        None
    );
    assert_eq!(
        ActivePower {
            multiplier: -128,
            value: 1
        }
        .quantity(),
        None
    );
    assert_eq!(
        ActivePower {
            multiplier: 127,
            value: 0
        }
        .quantity(),
        Some(Watts::ZERO)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_wire_holds_comes_back(value in any::<i16>(), multiplier in -6_i8..9) {
        let wire = ActivePower { multiplier, value: value.max(-i16::MAX) };
        let quantity = wire.quantity().unwrap();
        prop_assert_eq!(ActivePower::nearest(quantity).quantity(), Some(quantity));
    }

    #[test]
    fn nearest_is_near(micro in -(1_i64 << 60)..1 << 60) {
        let wire = ActivePower::nearest(Watts::from_micro(micro));
        let held = wire.quantity().unwrap().micro();
        let step = 10_i64.pow(u32::try_from(wire.multiplier + 6).unwrap());
        prop_assert!((held - micro).abs() * 2 <= step, "{wire:?}");
    }
}
