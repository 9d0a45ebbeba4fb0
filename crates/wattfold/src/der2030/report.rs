//! What happens, a line each: for people, or as JSON.

use std::fmt::Write as _;
use std::io::{self, Write};

use ieee2030_5::client::setpoint::{Asked, Request, Setpoint, Source, Standing};
use ieee2030_5::client::{Phase, Price, Stage};
use ieee2030_5::wire::der_curve::DerCurve;
use ieee2030_5::wire::quantity::{ActivePower, PowerFactorWithExcitation, ReactivePower};
use serde_json::{Map, Value, json};
use units::{Timestamp, Vars, Watts};

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Text,
    Json,
}

/// Something that happened.
pub(super) enum Happening<'a> {
    Stage(Stage),
    Event {
        mrid: u128,
        phase: Phase,
    },
    Setpoint(&'a Setpoint),
    Prices(&'a [Price]),
    /// The server has taken this response.
    Response {
        mrid: u128,
        status: u8,
    },
    /// The server has told of a change, and was answered so.
    Notified {
        status: u16,
    },
    Fleet {
        in_service: usize,
        devices: usize,
        told: usize,
        polled: usize,
    },
}

/// Writes lines to `out`.
pub(super) struct Report<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) style: Style,
}

impl Report<'_> {
    pub(super) fn tell(
        &mut self,
        at: Timestamp,
        lfdi: &str,
        what: &Happening<'_>,
    ) -> io::Result<()> {
        let line = match self.style {
            Style::Json => json_line(at, lfdi, what).to_string(),
            Style::Text => text_line(at, lfdi, what),
        };
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }
}

fn json_line(at: Timestamp, lfdi: &str, what: &Happening<'_>) -> Value {
    let at = at.secs();
    match what {
        Happening::Stage(stage) => json!({"at": at, "lfdi": lfdi, "stage": stage_name(*stage)}),
        Happening::Event { mrid, phase } => {
            json!({"at": at, "lfdi": lfdi, "event": hex(*mrid), "phase": phase.as_str()})
        }
        Happening::Setpoint(setpoint) => {
            let asked = setpoint
                .asked
                .iter()
                .map(|it| (name(&it.request), asked_json(it)));
            let asked: Map<String, Value> = asked.collect();
            let standing = standing_json(&setpoint.standing);
            json!({"at": at, "lfdi": lfdi, "setpoint": asked, "standing": standing})
        }
        Happening::Prices(prices) => {
            let prices: Vec<Value> = prices.iter().map(price_json).collect();
            json!({"at": at, "lfdi": lfdi, "prices": prices})
        }
        Happening::Response { mrid, status } => {
            json!({"at": at, "lfdi": lfdi, "response": status, "event": hex(*mrid)})
        }
        Happening::Notified { status } => json!({"at": at, "notified": status}),
        Happening::Fleet {
            in_service,
            devices,
            told,
            polled,
        } => json!({
            "at": at, "in_service": in_service, "devices": devices,
            "subscribed": told, "polled": polled,
        }),
    }
}

fn text_line(at: Timestamp, lfdi: &str, what: &Happening<'_>) -> String {
    let clock = at.secs().rem_euclid(86_400);
    let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
    let short = lfdi.get(..10).unwrap_or(lfdi);
    let what = match what {
        Happening::Stage(stage) => format!("is {}", stage_name(*stage)),
        Happening::Event { mrid, phase } => format!("event {} is {}", hex(*mrid), phase.as_str()),
        Happening::Setpoint(setpoint) => format!("set-point: {}", setpoint_text(setpoint)),
        Happening::Prices(prices) => format!("prices: {}", prices_text(prices)),
        Happening::Response { mrid, status } => {
            format!("response {status} to event {} taken", hex(*mrid))
        }
        Happening::Notified { status } => format!("notification answered {status}"),
        Happening::Fleet {
            in_service,
            devices,
            told,
            polled,
        } => format!(
            "{in_service} of {devices} in service; {told} resources subscribed, {polled} polled"
        ),
    };
    format!("{hour:02}:{minute:02}:{second:02}Z {short:<10} {what}")
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Discovering => "discovering",
        Stage::Unregistered => "unregistered",
        Stage::WrongPin => "shown a wrong PIN",
        Stage::Registered => "registered",
        Stage::InService => "in service",
    }
}

fn hex(mrid: u128) -> String {
    format!("{mrid:032X}")
}

fn setpoint_text(setpoint: &Setpoint) -> String {
    if setpoint.asked.is_empty() {
        return "none, left to its owner".to_owned();
    }
    let mut text = String::new();
    for (place, asked) in setpoint.asked.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        let source = match asked.source {
            Source::Event(mrid) => format!("event {}", hex(mrid)),
            Source::Default(_) => "default".to_owned(),
        };
        let off = if asked.is_disabled { " off" } else { "" };
        let value = value(asked);
        let written = write!(
            text,
            "{comma}{}{off} {value} ({source})",
            name(&asked.request)
        );
        written.expect("a String takes everything");
    }
    text
}

fn prices_text(prices: &[Price]) -> String {
    let price = |price: &Price| {
        let first = price.steps.first().and_then(|step| step.price).unwrap_or(0);
        let scaled = f64::from(first) * 10_f64.powi(price.power_of_ten.into());
        format!("{scaled} (tier {})", price.interval.tou_tier)
    };
    let prices: Vec<String> = prices.iter().map(price).collect();
    if prices.is_empty() {
        return "none".to_owned();
    }
    prices.join(", ")
}

fn price_json(price: &Price) -> Value {
    let steps = price.steps.iter().map(|step| {
        json!({"from": step.start_value.0, "price": step.price, "block": step.consumption_block})
    });
    json!({
        "tariff": hex(price.tariff), "currency": price.currency,
        "power_of_ten": price.power_of_ten, "role_flags": price.role_flags,
        "tou_tier": price.interval.tou_tier, "steps": steps.collect::<Vec<_>>(),
    })
}

fn asked_json(asked: &Asked) -> Value {
    let (kind, mrid) = match asked.source {
        Source::Event(mrid) => ("event", mrid),
        Source::Default(mrid) => ("default", mrid),
    };
    let mut row = json!({"value": value(asked), kind: hex(mrid)});
    if let Some(ramp) = asked.ramp_tms {
        row["rampTms"] = ramp.into();
    }
    if asked.is_disabled {
        row["disabled"] = true.into();
    }
    row
}

fn standing_json(standing: &Standing) -> Value {
    let rows = [
        ("setGradW", standing.grad_w.map(i64::from)),
        ("setSoftGradW", standing.soft_grad_w.map(i64::from)),
        ("setESDelay", standing.es_delay.map(i64::from)),
        ("setESHighFreq", standing.es_high_freq.map(i64::from)),
        ("setESHighVolt", standing.es_high_volt.map(i64::from)),
        ("setESLowFreq", standing.es_low_freq.map(i64::from)),
        ("setESLowVolt", standing.es_low_volt.map(i64::from)),
        ("setESRampTms", standing.es_ramp_tms.map(i64::from)),
        ("setESRandomDelay", standing.es_random_delay.map(i64::from)),
    ];
    let set = rows
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    Value::Object(set.collect())
}

/// The element's name in `DERControlBase`.
fn name(request: &Request) -> String {
    const CURVES: [&str; 15] = [
        "FreqWatt",
        "HFRTMayTrip",
        "HFRTMustTrip",
        "HVRTMayTrip",
        "HVRTMomentaryCessation",
        "HVRTMustTrip",
        "LFRTMayTrip",
        "LFRTMustTrip",
        "LVRTMayTrip",
        "LVRTMomentaryCessation",
        "LVRTMustTrip",
        "VoltVar",
        "VoltWatt",
        "WattPF",
        "WattVar",
    ];
    let name = match request {
        Request::Connect(_) => "Connect",
        Request::DeltaVar(_) => "DeltaVar",
        Request::DeltaW(_) => "DeltaW",
        Request::Energize(_) => "Energize",
        Request::FixedPfAbsorbW(_) => "FixedPFAbsorbW",
        Request::FixedPfInjectW(_) => "FixedPFInjectW",
        Request::FixedV(_) => "FixedV",
        Request::FixedVar(_) => "FixedVar",
        Request::FixedW(_) => "FixedW",
        Request::FreqDroop(_) => "FreqDroop",
        Request::GridConnectPermit(_) => "GridConnectPermit",
        Request::IslandPermit(_) => "IslandPermit",
        Request::MaxLimPctVaAbsorb(_) => "MaxLimPctVAAbsorb",
        Request::MaxLimPctVaInject(_) => "MaxLimPctVAInject",
        Request::MaxLimPctVarAbsorb(_) => "MaxLimPctVarAbsorb",
        Request::MaxLimPctVarInject(_) => "MaxLimPctVarInject",
        Request::MaxLimPctWAbsorb(_) => "MaxLimPctWAbsorb",
        Request::MaxLimVarAbsorb(_) => "MaxLimVarAbsorb",
        Request::MaxLimVarInject(_) => "MaxLimVarInject",
        Request::MaxLimW(_) => "MaxLimW",
        Request::MaxLimWAbsorb(_) => "MaxLimWAbsorb",
        Request::MaxLimWInject(_) => "MaxLimWInject",
        Request::TargetV(_) => "TargetV",
        Request::TargetVar(_) => "TargetVar",
        Request::TargetW(_) => "TargetW",
        Request::ImpLimW(_) => "ImpLimW",
        Request::ExpLimW(_) => "ExpLimW",
        Request::GenLimW(_) => "GenLimW",
        Request::LoadLimW(_) => "LoadLimW",
        Request::StorageTargetW(_) => "StorageTargetW",
        Request::Curve(kind, _) => CURVES.get(usize::from(kind.0)).copied().unwrap_or("Curve"),
    };
    format!("opMod{name}")
}

/// In watts, vars, volts and percent; curves as points of the wire's own scale.
fn value(asked: &Asked) -> Value {
    let percent = |hundredths: i32| json!(f64::from(hundredths) / 100.0);
    let scaled = |value: i64, power: i8| json!(value as f64 * 10_f64.powi(power.into()));
    match &asked.request {
        Request::Connect(on)
        | Request::Energize(on)
        | Request::GridConnectPermit(on)
        | Request::IslandPermit(on) => json!(on),
        Request::TargetW(p)
        | Request::ImpLimW(p)
        | Request::ExpLimW(p)
        | Request::GenLimW(p)
        | Request::LoadLimW(p)
        | Request::StorageTargetW(p) => watts(p),
        Request::TargetVar(q) => vars(q),
        Request::DeltaW(p) => scaled(p.value.into(), p.multiplier),
        Request::DeltaVar(q) => scaled(q.value.into(), q.multiplier),
        Request::TargetV(v) => scaled(v.value.into(), v.multiplier),
        Request::MaxLimVarAbsorb(q) | Request::MaxLimVarInject(q) => {
            scaled(q.value.into(), q.multiplier)
        }
        Request::MaxLimWAbsorb(p) | Request::MaxLimWInject(p) => {
            scaled(p.value.into(), p.multiplier)
        }
        Request::FixedW(share) | Request::FixedV(share) => percent(share.0.into()),
        Request::MaxLimW(share)
        | Request::MaxLimPctVaAbsorb(share)
        | Request::MaxLimPctVaInject(share)
        | Request::MaxLimPctWAbsorb(share) => percent(share.0.into()),
        Request::FixedVar(it) => {
            json!({"refType": it.ref_type.0, "percent": percent(it.value.0.into())})
        }
        Request::MaxLimPctVarAbsorb(it) | Request::MaxLimPctVarInject(it) => {
            json!({"refType": it.ref_type.0, "percent": percent(it.value.0.into())})
        }
        Request::FixedPfAbsorbW(pf) | Request::FixedPfInjectW(pf) => power_factor(pf),
        Request::FreqDroop(it) => json!({
            "dBOF": it.dbof, "dBUF": it.dbuf, "kOF": it.kof, "kUF": it.kuf,
            "openLoopTms": it.open_loop_tms,
        }),
        Request::Curve(_, href) => asked
            .curve
            .as_deref()
            .map_or_else(|| json!(&**href), curve_json),
    }
}

fn watts(p: &ActivePower) -> Value {
    json!(p.quantity().map(Watts::as_f64))
}

fn vars(q: &ReactivePower) -> Value {
    json!(q.quantity().map(Vars::as_f64))
}

fn power_factor(pf: &PowerFactorWithExcitation) -> Value {
    let displacement = f64::from(pf.displacement) * 10_f64.powi(pf.multiplier.into());
    json!({"displacement": displacement, "excitation": pf.excitation})
}

fn curve_json(curve: &DerCurve) -> Value {
    let points = curve
        .curve_data
        .iter()
        .map(|point| json!([point.xvalue, point.yvalue]));
    json!({
        "points": points.collect::<Vec<_>>(), "xMultiplier": curve.x_multiplier,
        "yMultiplier": curve.y_multiplier, "yRefType": curve.y_ref_type.0,
    })
}
