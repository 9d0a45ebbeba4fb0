use super::*;

fn number(milli: i64) -> Value {
    Value::Number(Decimal::from_milli(milli))
}

fn values(rows: &[(P, Value)]) -> Values {
    rows.iter().copied().collect()
}

/// 10 kVA that injects 5 kvar and absorbs 4.4 kvar.
fn basis() -> Option<Basis> {
    Some(Basis {
        s_max: VoltAmperes::whole(10_000),
        q_inject_max: Vars::whole(5_000),
        q_absorb_max: Vars::whole(4_400),
    })
}

fn volt_var() -> Values {
    values(&[
        (P::QvModeEnable, Value::Enabled(true)),
        (P::QvVref, number(1_000)),
        (P::QvVrefAutoMode, Value::Enabled(true)),
        (P::QvVrefTime, number(300_000)),
        (P::QvCurveV1, number(920)),
        (P::QvCurveQ1, number(440)),
        (P::QvCurveV2, number(980)),
        (P::QvCurveQ2, number(0)),
        (P::QvCurveV3, number(1_020)),
        (P::QvCurveQ3, number(0)),
        (P::QvCurveV4, number(1_080)),
        (P::QvCurveQ4, number(-440)),
        (P::QvOlrt, number(5_000)),
    ])
}

fn points(shape: &CurveShape) -> Vec<(i32, i32)> {
    shape.points.iter().map(|p| (p.x, p.y)).collect()
}

#[test]
fn shares_of_reactive_power_are_those_of_the_device() {
    let compiled = compile(&volt_var(), basis()).expect("it has the reactive power");
    let [curve] = compiled.curves.as_slice() else {
        panic!("one curve, not {:?}", compiled.curves);
    };
    // 4.4 kvar are 88 % of what it injects and 100 % of what it absorbs.
    assert_eq!(
        points(curve),
        [(9_200, 8_800), (9_800, 0), (10_200, 0), (10_800, -10_000)]
    );
    assert_eq!((curve.x_multiplier, curve.y_multiplier), (-2, -2));
    assert_eq!((curve.kind, curve.y_ref_type), (CurveType::VoltVar, 2));
    assert_eq!(curve.v_ref, Some(10_000));
    assert_eq!(curve.autonomous_v_ref_time, Some(30_000));
    assert_eq!(curve.open_loop_tms, Some(500));
}

#[test]
fn a_device_without_the_reactive_power_is_an_error() {
    let small = basis().map(|basis| Basis {
        q_absorb_max: Vars::whole(3_000),
        ..basis
    });
    assert_eq!(
        compile(&volt_var(), small),
        Err(CompileError::BeyondRating {
            parameter: P::QvCurveQ4,
            asked: Vars::whole(4_400),
            most: Vars::whole(3_000),
        })
    );
    assert_eq!(
        compile(&volt_var(), None),
        Err(CompileError::NoBasis(P::QvCurveQ1))
    );
}

#[test]
fn a_disabled_function_is_not_asked_for() {
    let mut off = volt_var();
    off.insert(P::QvModeEnable, Value::Enabled(false));
    assert_eq!(compile(&off, None), Ok(Compiled::default()));
}

#[test]
fn clearing_times_are_steps() {
    let trip = values(&[
        (P::Ov2TripV, number(1_200)),
        (P::Ov2TripT, number(160)),
        (P::Ov1TripV, number(1_100)),
        (P::Ov1TripT, number(13_000)),
        (P::Uf2TripF, number(56_500)),
        (P::Uf2TripT, number(160)),
        (P::Uf1TripF, number(58_500)),
        (P::Uf1TripT, number(300_000)),
        (P::Uf1MayTripF, number(57_000)),
        (P::Uf1MayTripT, number(299_000)),
        (P::McEnable, Value::Enabled(true)),
        (P::McHvrtV1, number(1_100)),
        (P::McLvrtV1, number(500)),
    ]);
    let compiled = compile(&trip, None).expect("no share of reactive power");
    let found: Vec<_> = compiled
        .curves
        .iter()
        .map(|curve| (curve.kind, curve.y_ref_type, points(curve)))
        .collect();
    assert_eq!(
        found,
        [
            (
                CurveType::HvrtMustTrip,
                4,
                vec![(16, 12_000), (1_300, 12_000), (1_300, 11_000)]
            ),
            (
                CurveType::LfrtMustTrip,
                0,
                vec![(16, 5_650), (30_000, 5_650), (30_000, 5_850)]
            ),
            (CurveType::LfrtMayTrip, 0, vec![(29_900, 5_700)]),
            (CurveType::HvrtMomentaryCessation, 4, vec![(0, 11_000)]),
            (CurveType::LvrtMomentaryCessation, 4, vec![(0, 5_000)]),
        ]
    );
}

#[test]
fn single_values_go_into_the_default_control() {
    let set = values(&[
        (P::EsPermitService, Value::Enabled(true)),
        (P::EsVLow, number(917)),
        (P::EsFHigh, number(60_100)),
        (P::EsDelay, number(300_000)),
        (P::SetGradW, number(1_000)),
        (P::ApLimitEnable, Value::Enabled(true)),
        (P::ApLimit, number(800)),
        (P::ConstPfModeEnable, Value::Enabled(true)),
        (P::ConstPf, number(950)),
        (
            P::ConstPfExcitation,
            Value::Excitation(Excitation::Absorbing),
        ),
        (P::PfDbof, number(36)),
        (P::PfDbuf, number(36)),
        (P::PfKof, number(50)),
        (P::PfKuf, number(50)),
        (P::PfOlrt, number(5_000)),
    ]);
    let Compiled { default, curves } = compile(&set, None).expect("no share");
    assert_eq!(curves, []);
    assert_eq!(
        default.base.settings(),
        [
            Setting::Energize(true),
            Setting::FixedPfInjectW(PowerFactor {
                displacement: 950,
                injects_vars: false,
                multiplier: -3,
            }),
            Setting::FreqDroop(FreqDroop {
                db_of_mhz: 36,
                db_uf_mhz: 36,
                k_of: 50,
                k_uf: 50,
                open_loop_tms: 500,
            }),
            Setting::MaxLimW(Share {
                percent: Percent::from_hundredths(8_000),
                of: None,
            }),
        ]
    );
    assert_eq!(default.grad_w, Some(100));
    assert_eq!(default.enter_service.low_volt_cpct, Some(9_170));
    assert_eq!(default.enter_service.high_freq_chz, Some(6_010));
    assert_eq!(default.enter_service.delay_cs, Some(30_000));
    assert_eq!(default.enter_service.low_freq_chz, None);
}

#[test]
fn a_fixed_share_is_signed() {
    let mut set = values(&[
        (P::ConstQModeEnable, Value::Enabled(true)),
        (P::ConstQ, number(-220)),
    ]);
    let fixed = |set: &Values| {
        let compiled = compile(set, basis()).expect("it has the reactive power");
        compiled
            .default
            .base
            .fixed_var()
            .map(|fixed| fixed.percent.hundredths())
    };
    assert_eq!(fixed(&set), Some(-5_000));
    set.insert(P::ConstQ, number(220));
    assert_eq!(fixed(&set), Some(4_400));
}
