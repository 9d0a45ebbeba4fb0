//! EPRI's `OpenDER`, a model of IEEE 1547-2018 by the authors of the common file format: it reads the
//! settings files that are written here, its own file is read here, and both hold settings to the same
//! ranges.

use fleet::settings_profile::rule::violations;
use fleet::settings_profile::{
    Abnormal, Category, Decimal, Excitation, Kind, Normal, Parameter, Value, Values,
};
use serde_json::Value as Json;
use settings_file::{FileKind, Reason, read, write};

use crate::peers;

const CATEGORY: Category = Category {
    normal: Normal::B,
    abnormal: Abnormal::III,
};

/// Parameters that `OpenDER` holds to a fixed range, whatever the others are. It lets `PF_KUF` go up to
/// 10, against table 24 of the standard.
const PROBED: [Parameter; 31] = [
    Parameter::EsVLow,
    Parameter::EsVHigh,
    Parameter::EsFLow,
    Parameter::EsFHigh,
    Parameter::EsDelay,
    Parameter::QvVref,
    Parameter::QvVrefTime,
    Parameter::QvOlrt,
    Parameter::QpCurveP2Gen,
    Parameter::QpCurveP2Load,
    Parameter::PvCurveV1,
    Parameter::PvOlrt,
    Parameter::Ov2TripV,
    Parameter::Ov2TripT,
    Parameter::Ov1TripV,
    Parameter::Ov1TripT,
    Parameter::Uv1TripV,
    Parameter::Uv1TripT,
    Parameter::Uv2TripV,
    Parameter::Uv2TripT,
    Parameter::Of2TripF,
    Parameter::Of2TripT,
    Parameter::Of1TripF,
    Parameter::Of1TripT,
    Parameter::Uf1TripF,
    Parameter::Uf1TripT,
    Parameter::Uf2TripF,
    Parameter::Uf2TripT,
    Parameter::PfDbof,
    Parameter::PfKof,
    Parameter::PfOlrt,
];

async fn opender(file: &[u8], probes: Vec<String>) -> Json {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("settings.csv");
    std::fs::write(&path, file).unwrap();
    let mut arguments = vec![path.to_str().unwrap().to_owned()];
    arguments.extend(probes);
    let output = peers::run("opender_settings.py", &arguments).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().unwrap())
}

/// Settings that differ from `OpenDER`'s defaults, of every function that its file knows. It takes
/// `PF_MODE_ENABLE` from a file of its own.
fn values() -> Values {
    let numbers = [
        ("AP_LIMIT", "0.8"),
        ("ES_V_LOW", "0.9"),
        ("ES_V_HIGH", "1.06"),
        ("ES_F_LOW", "59.3"),
        ("ES_F_HIGH", "60.5"),
        ("ES_DELAY", "60"),
        ("ES_RAMP_RATE", "120"),
        ("CONST_PF", "0.95"),
        ("CONST_Q", "-0.25"),
        ("QV_VREF", "1.02"),
        ("QV_VREF_TIME", "600"),
        ("QV_CURVE_V1", "0.9"),
        ("QV_CURVE_Q1", "0.4"),
        ("QV_CURVE_V2", "0.97"),
        ("QV_CURVE_Q2", "0.1"),
        ("QV_CURVE_V3", "1.03"),
        ("QV_CURVE_Q3", "-0.1"),
        ("QV_CURVE_V4", "1.1"),
        ("QV_CURVE_Q4", "-0.4"),
        ("QV_OLRT", "10"),
        ("QP_CURVE_P2_GEN", "0.6"),
        ("QP_CURVE_Q3_GEN", "-0.3"),
        ("PV_CURVE_V1", "1.07"),
        ("PV_CURVE_V2", "1.09"),
        ("PV_CURVE_P2", "0.2"),
        ("PV_OLRT", "30"),
        ("OV1_TRIP_V", "1.15"),
        ("OV1_TRIP_T", "5"),
        ("UV1_TRIP_V", "0.8"),
        ("UV1_TRIP_T", "30"),
        ("UV2_TRIP_V", "0.45"),
        ("UV2_TRIP_T", "1.5"),
        ("OF2_TRIP_F", "63"),
        ("OF2_TRIP_T", "0.5"),
        ("OF1_TRIP_F", "61.5"),
        ("OF1_TRIP_T", "200"),
        ("UF1_TRIP_F", "58"),
        ("UF1_TRIP_T", "250"),
        ("UF2_TRIP_F", "56"),
        ("UF2_TRIP_T", "0.3"),
        ("PF_DBOF", "0.05"),
        ("PF_DBUF", "0.06"),
        ("PF_KOF", "0.04"),
        ("PF_KUF", "0.03"),
        ("PF_OLRT", "3"),
        ("MC_LVRT_V1", "0.5"),
        ("MC_HVRT_V1", "1.1"),
    ];
    let named = |(name, text): (&str, &str)| (Parameter::by_name(name).unwrap(), number(text));
    let mut values: Values = numbers.into_iter().map(named).collect();
    let excitation = Value::Excitation(Excitation::Injecting);
    values.insert(Parameter::ConstPfExcitation, excitation);
    values.insert(Parameter::QvModeEnable, Value::Enabled(true));
    values.insert(Parameter::PvModeEnable, Value::Enabled(true));
    values.insert(Parameter::EsPermitService, Value::Enabled(false));
    values
}

#[tokio::test]
async fn opender_understands_what_is_written_here() {
    let values = values();
    let file = write(FileKind::Specified, Some(CATEGORY), &values, None);
    let told = opender(&file, Vec::new()).await;
    assert_eq!(
        told["warnings"],
        serde_json::json!([]),
        "{}",
        told["warnings"]
    );
    for (parameter, value) in &values {
        let understood = &told["understood"][parameter.name()];
        let expected = match value {
            Value::Enabled(enabled) => Json::from(*enabled),
            Value::Excitation(_) => Json::from(value.to_string()),
            Value::Number(number) => Json::from(number.micro() as f64 / 1e6),
        };
        assert_eq!(*understood, expected, "{parameter}");
    }
}

#[tokio::test]
async fn the_file_that_opender_ships_is_read_here() {
    let told = opender(b"PARAMETER,VALUE\n", Vec::new()).await;
    let bytes = std::fs::read(told["shipped"].as_str().unwrap()).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let file = read(&bytes).unwrap();
    assert_eq!(file.kind, Some(FileKind::Applied));
    assert_eq!(file.category(), Some(CATEGORY));
    let unknown = |aside: &&settings_file::SetAside| aside.reason == Reason::Unknown;
    let unknown: Vec<&str> = file
        .set_aside
        .iter()
        .filter(unknown)
        .map(|aside| aside.parameter.as_str())
        .collect();
    // Its own example of a parameter that is no standard's.
    assert_eq!(unknown, ["MYPARAM"]);
    let settings = text.lines().filter(|row| row.contains("-AS,")).count();
    assert_eq!(file.values.len(), settings - 1);
    assert_eq!(violations(CATEGORY, &file.values), []);
    let again = write(
        FileKind::Applied,
        file.category(),
        &file.values,
        file.comment.as_ref(),
    );
    assert_eq!(read(&again).unwrap().values, file.values);
}

#[tokio::test]
async fn both_hold_settings_to_the_same_ranges() {
    let mut probes = Vec::new();
    let mut expected = Vec::new();
    for parameter in PROBED {
        assert!(!matches!(parameter.kind(), Kind::Switch | Kind::Excitation));
        let (min, max) = parameter.range(CATEGORY).unwrap();
        let step = parameter.step_micro();
        for (micro, beyond) in [
            (min.micro() - step, true),
            (min.micro(), false),
            (max.micro(), false),
            (max.micro() + step, true),
        ] {
            probes.push(format!("{parameter}={}", Decimal::from_micro(micro)));
            expected.push(beyond);
        }
    }
    let told = opender(b"PARAMETER,VALUE\n", probes.clone()).await;
    let found: Vec<bool> = told["probes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|probe| probe[2].as_bool().unwrap())
        .collect();
    assert_eq!(found.len(), expected.len());
    for (probe, (found, expected)) in probes.iter().zip(found.iter().zip(&expected)) {
        assert_eq!(found, expected, "whether `OpenDER` warns of {probe}");
    }
}
