//! Readings: into the latest observation at once, into telemetry in batches.

use std::sync::PoisonError;

use fleet::{DerId, Observation, Reading};
use ieee2030_5::server::Answer;
use ieee2030_5::translate::metering::{Measurement, Point, Quantity};
use units::{Timestamp, Vars, Watts};

use super::{DeviceRequest, Node};

impl Node {
    /// Notes that `der` has made a request.
    pub fn heard(&self, der: DerId, now: Timestamp) {
        let mut observations = self
            .observations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(observation) = observations.get_mut(der.index()) {
            observation.last_contact = Some(now);
        }
    }

    /// Takes in readings of `der`. What is older than the latest goes to telemetry only.
    pub fn observe(&self, der: DerId, measurements: &[Measurement], now: Timestamp) {
        if measurements.is_empty() {
            return;
        }
        {
            let mut observations = self
                .observations
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(observation) = observations.get_mut(der.index()) {
                observation.last_contact = Some(now);
                let own = measurements.iter().filter(|m| m.point == Point::Der);
                own.for_each(|measurement| restore(observation, measurement));
            }
        }
        self.telemetry.record(der, measurements);
        self.bump();
    }

    /// Answers a device's request from what is published where that suffices: reading, and
    /// posting of readings alone. `None` when the owner has to decide.
    #[must_use]
    pub fn device_at_once(
        &self,
        request: &DeviceRequest,
        now: Timestamp,
    ) -> Option<ieee2030_5::server::Response> {
        let answer = {
            let durable = self.durable();
            let view = ieee2030_5::server::View {
                fleet: &durable.state.fleet,
                resources: &durable.resources,
                config: &self.devices,
            };
            ieee2030_5::server::handle(&request.borrowed(), &view, now)
        };
        match answer {
            Answer::Reply(response) => Some(response),
            Answer::Submit(submission) => {
                let readings_only = submission.command.is_none()
                    && submission.evidence.is_empty()
                    && submission.documents.is_empty();
                if !readings_only {
                    return None;
                }
                self.observe(submission.der, &submission.measurements, now);
                Some(submission.reply)
            }
        }
    }
}

/// Takes one reading into an observation, unless it has a newer one; at start from what is stored.
pub(crate) fn restore(observation: &mut Observation, measurement: &Measurement) {
    let Measurement {
        value, at, quality, ..
    } = *measurement;
    match measurement.quantity {
        Quantity::ActivePower => {
            newer(
                &mut observation.p,
                Reading {
                    value: Watts::from_f64(value),
                    at,
                    quality,
                },
            );
        }
        Quantity::ReactivePower => {
            newer(
                &mut observation.q,
                Reading {
                    value: Vars::from_f64(value),
                    at,
                    quality,
                },
            );
        }
        Quantity::Voltage => newer(&mut observation.voltage_v, Reading { value, at, quality }),
        Quantity::StateOfCharge => newer(&mut observation.soc_pct, Reading { value, at, quality }),
        Quantity::AvailablePower => {
            let value = Watts::from_f64(value);
            newer(&mut observation.p_available, Reading { value, at, quality });
        }
        Quantity::Connected => {
            newer(
                &mut observation.connected,
                Reading {
                    value: value != 0.0,
                    at,
                    quality,
                },
            );
        }
        Quantity::Frequency => {}
    }
}

fn newer<T>(slot: &mut Option<Reading<T>>, reading: Reading<T>) {
    if slot.as_ref().is_none_or(|old| old.at <= reading.at) {
        *slot = Some(reading);
    }
}
