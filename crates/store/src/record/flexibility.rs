//! What owners let DER be used for.

use std::time::Duration;

use fleet::enrolment::{Departure, Flexibility, Switching, Thermal};
use fleet::{DerId, EnrolmentEvent};
use serde::{Deserialize, Serialize};
use units::{Percent, Timestamp, WattHours};

use super::Unstorable;
use super::field::millis;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DepartureV1 {
    at_ms: i64,
    soc_hundredths: i32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchingV1 {
    min_on_ms: u64,
    min_off_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThermalV1 {
    hold: i64,
    precondition: i64,
    recovery_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlexibilityV1 {
    der: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    departure: Option<DepartureV1>,
    charge_hundredths: i32,
    discharge_hundredths: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    switching: Option<SwitchingV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thermal: Option<ThermalV1>,
}

impl FlexibilityV1 {
    pub(super) fn new(der: DerId, flexibility: &Flexibility) -> Result<Self, Unstorable> {
        let ms = |time| millis("flexibility_put", "flexibility", time);
        let switching = |switching: Switching| {
            Ok(SwitchingV1 {
                min_on_ms: ms(switching.min_on)?,
                min_off_ms: ms(switching.min_off)?,
            })
        };
        let thermal = |thermal: Thermal| {
            Ok(ThermalV1 {
                hold: thermal.hold.micro(),
                precondition: thermal.precondition.micro(),
                recovery_ms: ms(thermal.recovery)?,
            })
        };
        Ok(Self {
            der: der.0,
            departure: flexibility.departure.map(|departure| DepartureV1 {
                at_ms: departure.at.millis(),
                soc_hundredths: departure.soc.hundredths(),
            }),
            charge_hundredths: flexibility.charge_efficiency.hundredths(),
            discharge_hundredths: flexibility.discharge_efficiency.hundredths(),
            switching: flexibility.switching.map(switching).transpose()?,
            thermal: flexibility.thermal.map(thermal).transpose()?,
        })
    }

    pub(super) fn read(self) -> EnrolmentEvent {
        let flexibility = Flexibility {
            departure: self.departure.map(|departure| Departure {
                at: Timestamp::from_millis(departure.at_ms),
                soc: Percent::from_hundredths(departure.soc_hundredths),
            }),
            charge_efficiency: Percent::from_hundredths(self.charge_hundredths),
            discharge_efficiency: Percent::from_hundredths(self.discharge_hundredths),
            switching: self.switching.map(|switching| Switching {
                min_on: Duration::from_millis(switching.min_on_ms),
                min_off: Duration::from_millis(switching.min_off_ms),
            }),
            thermal: self.thermal.map(|thermal| Thermal {
                hold: WattHours::from_micro(thermal.hold),
                precondition: WattHours::from_micro(thermal.precondition),
                recovery: Duration::from_millis(thermal.recovery_ms),
            }),
        };
        EnrolmentEvent::FlexibilityPut(DerId(self.der), Box::new(flexibility))
    }
}
