//! Readings: into the latest observation at once, into telemetry in batches.

use std::sync::PoisonError;
use std::time::Duration;

use fleet::{Access, Client, DerId, Fleet, Lfdi, Observation, Reading};
use ieee2030_5::server::Submission;
use ieee2030_5::translate::metering::{Measurement, Point, Quantity};
use units::{Timestamp, Vars, WattHours, Watts};

use super::core::Rim as _;
use super::{AtOnce, DeviceRequest, Node, Unavailable};
use crate::clock;
use crate::telemetry::Report;

/// A DER that asks more often is heard as often.
const HEARD_EVERY: Duration = Duration::from_secs(1);

impl Node {
    /// Notes that who holds a certificate has made a request, and tells whether it may come in. Who
    /// may not is not heard: it gets nothing.
    pub fn heard_from(&self, lfdi: Lfdi, now: Timestamp) -> Access {
        let (access, heard) = {
            let durable = self.durable();
            self.observed(|observations| durable.caller(observations, lfdi, now))
        };
        self.heard(heard.as_slice(), now);
        access
    }

    /// Notes that each of `ders` has made a request, or who speaks for it has made one for it.
    pub fn heard(&self, ders: &[DerId], now: Timestamp) {
        if !ders.is_empty() {
            self.with_observations(|observations| hear(observations, ders, now));
            self.touch(ders);
        }
    }

    /// Has the other nodes told of these.
    fn touch(&self, ders: &[DerId]) {
        if let Some(membership) = &self.membership {
            membership.touch(ders);
        }
    }

    pub(super) fn with_observations(&self, change: impl FnOnce(&mut [Observation])) {
        let observations = self.observations.write();
        change(&mut observations.unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes in readings of `der`. What is older than the latest goes to telemetry only.
    pub fn observe(&self, der: DerId, measurements: &[Measurement], now: Timestamp) {
        match self.telemetry.reserve(der, measurements) {
            Some(report) => self.take_in(der, (measurements, report), now),
            None => tracing::warn!(?der, "no room for its readings"),
        }
    }

    fn take_in(
        &self,
        der: DerId,
        (measurements, report): (&[Measurement], Report),
        now: Timestamp,
    ) {
        if measurements.is_empty() {
            return;
        }
        self.with_observations(|observations| take_in(observations, der, measurements, now));
        self.touch(&[der]);
        self.telemetry.record(report);
        self.bump();
    }

    /// Whether a client may post this now, and the room for its readings.
    pub(super) fn admitted(
        &self,
        submission: &Submission,
        fleet: &Fleet,
    ) -> Result<Report, Unavailable> {
        let measurements = &submission.measurements;
        let report = match submission.der {
            Some(der) => self.telemetry.reserve(der, measurements),
            None => Some(Report::default()),
        };
        let report = report.ok_or_else(|| {
            self.metrics.report_refused();
            Unavailable::Telemetry
        })?;
        let ders = match submission.client {
            Client::Der(_) => 1,
            Client::Aggregator(id) => fleet.ders_of(id).len(),
        };
        let amount = (ders, 1 + measurements.len());
        let now = clock::monotonic();
        let allowed = self.allowances.take(submission.client, amount, now);
        allowed.map_err(|wait| Unavailable::TooOften { wait })?;
        Ok(report)
    }

    /// Takes in what a client has posted of the DER that it reports for.
    pub(super) fn observe_submitted(
        &self,
        submission: &Submission,
        report: Report,
        now: Timestamp,
    ) {
        self.heard(&concerned(submission), now);
        if let Some(der) = submission.der {
            self.take_in(der, (&submission.measurements, report), now);
        }
    }

    /// Answers a device's request from what is published where that suffices: reading, and
    /// posting of readings alone. `None` when the owner has to decide.
    ///
    /// # Errors
    /// [`Unavailable`] when the readings are too many at this time; none of them is kept.
    pub fn device_at_once(
        &self,
        request: &DeviceRequest,
        now: Timestamp,
    ) -> Option<Result<ieee2030_5::server::Response, Unavailable>> {
        let (submission, admitted) = {
            let durable = self.durable();
            let asked = request.borrowed();
            match durable.at_once(&asked, (&self.devices, &self.bodies), now) {
                AtOnce::Reply(response) => return Some(Ok(response)),
                AtOnce::Decide => return None,
                AtOnce::Readings(submission) => {
                    let admitted = self.admitted(&submission, &durable.state.fleet);
                    (submission, admitted)
                }
            }
        };
        Some(admitted.map(|report| {
            self.observe_submitted(&submission, report, now);
            submission.reply
        }))
    }
}

/// Whether it is worth noting that `der` has made a request at `now`.
pub(super) fn is_news(observations: &[Observation], der: DerId, now: Timestamp) -> bool {
    let known = observations.get(der.index());
    let last = known.and_then(|observation| observation.last_contact);
    last.is_none_or(|last| now < last || HEARD_EVERY <= now.since(last))
}

/// Notes that each of `ders` has made a request, or who speaks for it has made one for it.
pub fn hear(observations: &mut [Observation], ders: &[DerId], now: Timestamp) {
    for der in ders {
        if let Some(observation) = observations.get_mut(der.index()) {
            observation.last_contact = Some(now);
        }
    }
}

/// Takes in what a client has posted of the DER that it reports for.
pub fn submitted(observations: &mut [Observation], submission: &Submission, now: Timestamp) {
    hear(observations, &concerned(submission), now);
    if let Some(der) = submission.der {
        take_in(observations, der, &submission.measurements, now);
    }
}

fn take_in(
    observations: &mut [Observation],
    der: DerId,
    measurements: &[Measurement],
    now: Timestamp,
) {
    if let Some(observation) = observations.get_mut(der.index())
        && !measurements.is_empty()
    {
        observation.last_contact = Some(now);
        let own = measurements.iter().filter(|m| m.point == Point::Der);
        own.for_each(|measurement| restore(observation, measurement));
    }
}

/// The DER that a submission says something of.
fn concerned(submission: &Submission) -> Vec<DerId> {
    let answered = submission.evidence.iter().map(|sign| sign.der);
    submission.der.into_iter().chain(answered).collect()
}

/// Takes one reading into an observation, unless it has a newer one; at start from what is stored.
pub(super) fn restore(observation: &mut Observation, measurement: &Measurement) {
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
        Quantity::EnergyRequested => {
            let value = WattHours::from_f64(value);
            let reading = Reading { value, at, quality };
            newer(&mut observation.energy_requested, reading);
        }
        Quantity::ChargeNeededBy => {
            #[expect(clippy::cast_possible_truncation, reason = "whole seconds, saturating")]
            let value = Timestamp::from_secs(value as i64);
            let reading = Reading { value, at, quality };
            newer(&mut observation.charge_needed_by, reading);
        }
        Quantity::EnergyInjected | Quantity::EnergyAbsorbed | Quantity::Frequency => {}
    }
}

/// Takes up what is newer in `other`, and tells whether anything is.
pub(super) fn merge(own: &mut Observation, other: &Observation) -> bool {
    let before = *own;
    own.last_contact = own.last_contact.max(other.last_contact);
    keep_newer(&mut own.p, other.p);
    keep_newer(&mut own.q, other.q);
    keep_newer(&mut own.voltage_v, other.voltage_v);
    keep_newer(&mut own.soc_pct, other.soc_pct);
    keep_newer(&mut own.p_available, other.p_available);
    keep_newer(&mut own.energy_requested, other.energy_requested);
    keep_newer(&mut own.charge_needed_by, other.charge_needed_by);
    keep_newer(&mut own.connected, other.connected);
    *own != before
}

fn keep_newer<T>(slot: &mut Option<Reading<T>>, other: Option<Reading<T>>) {
    if let Some(other) = other {
        newer(slot, other);
    }
}

fn newer<T>(slot: &mut Option<Reading<T>>, reading: Reading<T>) {
    if slot.as_ref().is_none_or(|old| old.at <= reading.at) {
        *slot = Some(reading);
    }
}
