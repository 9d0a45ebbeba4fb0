use super::super::{Abnormal, Excitation, Normal};
use super::*;

const CATEGORY: Category = Category {
    normal: Normal::B,
    abnormal: Abnormal::III,
};

fn values(rows: &[(Parameter, i64)]) -> Values {
    rows.iter()
        .map(|(parameter, milli)| (*parameter, Value::Number(Decimal::from_milli(*milli))))
        .collect()
}

fn texts(category: Category, values: &Values) -> Vec<String> {
    violations(category, values)
        .iter()
        .map(Violation::to_string)
        .collect()
}

fn check(rows: &[(Parameter, i64)], expected: &[&str]) {
    assert_eq!(texts(CATEGORY, &values(rows)), expected);
}

/// IEEE 1547-2018, table 8, category B.
const VOLT_VAR: [(Parameter, i64); 8] = [
    (P::QvCurveV1, 920),
    (P::QvCurveQ1, 440),
    (P::QvCurveV2, 980),
    (P::QvCurveQ2, 0),
    (P::QvCurveV3, 1_020),
    (P::QvCurveQ3, 0),
    (P::QvCurveV4, 1_080),
    (P::QvCurveQ4, -440),
];

#[test]
fn defaults_of_the_standard_are_within_its_rules() {
    check(&VOLT_VAR, &[]);
    check(
        &[
            (P::EsVLow, 917),
            (P::EsVHigh, 1_050),
            (P::EsFLow, 59_500),
            (P::EsFHigh, 60_100),
            (P::EsDelay, 300_000),
            (P::EsRampRate, 300_000),
            (P::EsRandomizedDelay, 0),
        ],
        &[],
    );
}

#[test]
fn an_error_names_parameter_value_and_range() {
    check(
        &[(P::EsVLow, 960), (P::PfDbof, 2_000)],
        &[
            "ES_V_LOW = 0.96: is 0.88 to 0.95 pu (IEEE 1547-2018 table 4)",
            "PF_DBOF = 2: is 0.017 to 1 Hz (IEEE 1547-2018 table 24)",
        ],
    );
}

#[test]
fn ranges_depend_on_the_category() {
    let abnormal = |abnormal| Category {
        abnormal,
        ..CATEGORY
    };
    let trip = values(&[
        (P::Uv1TripV, 880),
        (P::Uv1TripT, 21_000),
        (P::Uv2TripV, 500),
        (P::Uv2TripT, 2_000),
    ]);
    for category in [Abnormal::I, Abnormal::II, Abnormal::III] {
        assert_eq!(texts(abnormal(category), &trip), [""; 0]);
    }
    let slow = values(&[
        (P::Uv1TripV, 880),
        (P::Uv1TripT, 50_000),
        (P::Uv2TripV, 500),
        (P::Uv2TripT, 21_000),
    ]);
    assert_eq!(texts(abnormal(Abnormal::III), &slow), [""; 0]);
    assert_eq!(
        texts(abnormal(Abnormal::II), &slow),
        [
            "UV1_TRIP_T = 50: is 2 to 21 s (IEEE 1547-2018 tables 11 to 13)",
            "UV2_TRIP_T = 21: is 0.16 to 2 s (IEEE 1547-2018 tables 11 to 13)",
        ]
    );
}

#[test]
fn corners_of_a_curve_keep_their_order() {
    let mut crossed = values(&VOLT_VAR);
    crossed.insert(P::QvCurveV1, Value::Number(Decimal::from_milli(965)));
    crossed.insert(P::QvCurveV2, Value::Number(Decimal::from_milli(970)));
    assert_eq!(
        texts(CATEGORY, &crossed),
        [
            "QV_CURVE_V1 = 0.965: is at most QV_CURVE_V2 less 0.02 pu (IEEE 1547-2018 table 8)",
            "QV_CURVE_V2 = 0.97: is at least QV_CURVE_V1 plus 0.02 pu (IEEE 1547-2018 table 8)",
        ]
    );
}

#[test]
fn an_enabled_function_needs_all_of_its_settings() {
    let mut enabled = values(&VOLT_VAR[..6]);
    enabled.insert(P::QvModeEnable, Value::Enabled(true));
    assert_eq!(
        texts(CATEGORY, &enabled),
        [
            "QV_CURVE_V4: is needed by QV_MODE_ENABLE",
            "QV_CURVE_Q4: is needed by QV_MODE_ENABLE",
        ]
    );
    enabled.insert(P::QvModeEnable, Value::Enabled(false));
    assert_eq!(texts(CATEGORY, &enabled), [""; 0]);
    check(
        &[(P::Uv1TripT, 21_000)],
        &[
            "UV1_TRIP_V: is needed by UV1_TRIP_T",
            "UV2_TRIP_V: is needed by UV1_TRIP_T",
            "UV2_TRIP_T: is needed by UV1_TRIP_T",
        ],
    );
}

#[test]
fn one_function_of_reactive_power_at_a_time() {
    let mut both = values(&VOLT_VAR);
    both.insert(P::QvModeEnable, Value::Enabled(true));
    both.insert(P::ConstPfModeEnable, Value::Enabled(true));
    both.insert(P::ConstPf, Value::Number(Decimal::from_milli(950)));
    both.insert(
        P::ConstPfExcitation,
        Value::Excitation(Excitation::Absorbing),
    );
    assert_eq!(
        texts(CATEGORY, &both),
        ["QV_MODE_ENABLE = ENABLED: can't be with CONST_PF_MODE_ENABLE (IEEE 1547-2018 5.3.3)"]
    );
}

#[test]
fn what_the_wire_would_round_is_refused() {
    let fine = Values::from([(P::EsFLow, Value::Number(Decimal::from_micro(59_505_000)))]);
    assert_eq!(
        texts(CATEGORY, &fine),
        ["ES_F_LOW = 59.505: is a multiple of 0.01 Hz on the wire"]
    );
}

#[test]
fn a_value_is_of_its_parameters_kind() {
    let wrong = Values::from([
        (P::QvModeEnable, Value::Number(Decimal::ONE)),
        (P::EsDelay, Value::Enabled(true)),
        (P::ConstPfExcitation, Value::Enabled(true)),
    ]);
    assert_eq!(
        texts(CATEGORY, &wrong),
        [
            "ES_DELAY = ENABLED: is a number",
            "CONST_PF_EXCITATION = ENABLED: is INJ or ABS",
            "QV_MODE_ENABLE = 1: is ENABLED or DISABLED",
        ]
    );
}

/// Every range takes its ends and refuses the next step beyond them.
#[test]
fn ranges_hold_at_their_ends() {
    for parameter in Parameter::ALL {
        let Some((min, max)) = parameter.range(CATEGORY) else {
            continue;
        };
        let step = parameter.step_micro();
        let broken = |micro| {
            let value = Value::Number(Decimal::from_micro(micro));
            let found = violations(CATEGORY, &Values::from([(*parameter, value)]));
            found
                .iter()
                .any(|v| matches!(v.rule, Rule::Range { .. } | Rule::Step(_)))
        };
        assert!(!broken(min.micro()) && !broken(max.micro()), "{parameter}");
        assert!(
            broken(min.micro() - step) && broken(max.micro() + step),
            "{parameter}"
        );
    }
}
