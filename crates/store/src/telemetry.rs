//! Telemetry: a separate file or table and a connection of its own, so that it never holds up a
//! commit.
//!
//! Samples are clustered by hour, then DER, then time. The values of one report lie together, an
//! hour's rows are the only ones that inserts touch, and what is too old goes from the left edge.

mod retire;
mod rollup;
mod sqlite;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use fleet::{DerId, Quality};
use thiserror::Error;
use units::{Interval, Timestamp};

use crate::postgres::{self, Address};
use crate::sqlite::telemetry_file;
use crate::{OpenError, StorageError};

pub use retire::{Kept, StoredRollup};
pub use rollup::{Resolution, Rollup, Rollups};

pub(crate) use retire::{Edge, RollupPlace, Slice};

const HOUR_MS: i64 = 3_600_000;

/// What a sample measures, in the unit its name ends with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Quantity {
    /// Active power, injection positive.
    P,
    /// Reactive power, injection positive.
    Q,
    /// Voltage.
    Voltage,
    /// State of charge, 0 to 100.
    Soc,
    /// The highest injection the DER could give.
    PAvailable,
    /// Energy injected, as its meter counts it.
    EnergyInjected,
    /// Energy absorbed, as its meter counts it.
    EnergyAbsorbed,
    /// Frequency.
    Frequency,
}

impl Quantity {
    /// Every quantity.
    pub const ALL: [Self; 8] = [
        Self::P,
        Self::Q,
        Self::Voltage,
        Self::Soc,
        Self::PAvailable,
        Self::EnergyInjected,
        Self::EnergyAbsorbed,
        Self::Frequency,
    ];

    /// Its name, which ends with the unit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P => "p_w",
            Self::Q => "q_var",
            Self::Voltage => "voltage_v",
            Self::Soc => "soc_pct",
            Self::PAvailable => "p_available_w",
            Self::EnergyInjected => "energy_injected_wh",
            Self::EnergyAbsorbed => "energy_absorbed_wh",
            Self::Frequency => "frequency_hz",
        }
    }

    /// Its number where it is stored; never given to another.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::P => 1,
            Self::Q => 2,
            Self::Voltage => 3,
            Self::Soc => 4,
            Self::PAvailable => 5,
            Self::EnergyInjected => 6,
            Self::EnergyAbsorbed => 7,
            Self::Frequency => 8,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|quantity| quantity.number() == number)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Quantity {
    /// Which names there are.
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL
            .into_iter()
            .find(|quantity| quantity.as_str() == name);
        known.ok_or(
            "is none of p_w, q_var, voltage_v, soc_pct, p_available_w, energy_injected_wh, \
             energy_absorbed_wh, frequency_hz",
        )
    }
}

/// One measurement.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// Of which DER.
    pub der: DerId,
    /// What was measured.
    pub quantity: Quantity,
    /// When, by the device's account; may lie far back.
    pub at: Timestamp,
    /// How much, in the quantity's unit.
    pub value: f64,
    /// How far it can be trusted.
    pub quality: Quality,
}

/// What became of samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Inserted {
    /// How many are stored that were not.
    pub new: usize,
    /// How many were turned down because their hour is [retired](Telemetry::retire).
    pub too_old: usize,
}

/// A handle on the samples. Any number may be open at a time; one writes.
#[derive(Debug)]
pub struct Telemetry {
    samples: Samples,
    place: String,
}

#[derive(Debug)]
enum Samples {
    File(sqlite::Samples),
    Server(Box<postgres::Samples>),
}

impl Telemetry {
    /// Most samples of one insert; more are to be given in turns.
    pub const MAX_INSERT: usize = 100_000;
    /// Most samples of one answer.
    pub const MAX_QUERY: usize = 100_000;

    /// Opens the samples in the data directory, which the store has created.
    ///
    /// # Errors
    /// [`OpenError::Storage`] when the file can't be used.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            samples: Samples::File(sqlite::Samples::open(directory)?),
            place: telemetry_file(directory).display().to_string(),
        })
    }

    /// Opens the samples in a database, in which the store has made the tables.
    ///
    /// # Errors
    /// [`OpenError::Storage`] when the server can't be reached.
    pub fn connect(address: &Address) -> Result<Self, OpenError> {
        match postgres::Samples::connect(address) {
            Ok(samples) => Ok(Self {
                samples: Samples::Server(Box::new(samples)),
                place: address.to_string(),
            }),
            Err(source) => Err(OpenError::Storage {
                place: address.to_string(),
                source: source.into(),
            }),
        }
    }

    /// Keeps samples in memory only.
    ///
    /// # Errors
    /// [`StorageError::Sqlite`] without memory.
    pub fn in_memory() -> Result<Self, StorageError> {
        Ok(Self {
            samples: Samples::File(sqlite::Samples::in_memory()?),
            place: "memory".to_owned(),
        })
    }

    /// The file or database that they are in, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Stores samples and returns how many were new and how many too old. A second value for the
    /// same DER, quantity and instant changes nothing; what is no number is left out.
    ///
    /// # Errors
    /// [`TelemetryError::TooMany`] beyond [`Self::MAX_INSERT`]; nothing is stored on any error.
    pub fn insert(&mut self, samples: &[Sample]) -> Result<Inserted, TelemetryError> {
        if samples.len() > Self::MAX_INSERT {
            return Err(TelemetryError::TooMany {
                max: Self::MAX_INSERT,
            });
        }
        let mut order: Vec<&Sample> = samples.iter().filter(|s| s.value.is_finite()).collect();
        order.sort_by_key(|s| (hour(s.at), s.der, s.at, s.quantity.number()));
        match &mut self.samples {
            Samples::File(file) => file.insert(&order),
            Samples::Server(server) => server.insert(&order),
        }
    }

    /// The samples of one DER and quantity inside `interval`, by time, the first `limit` of them.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when they can't be read.
    pub fn query(
        &self,
        der: DerId,
        quantity: Quantity,
        interval: Interval,
        limit: usize,
    ) -> Result<Vec<Sample>, TelemetryError> {
        let limit = limit.min(Self::MAX_QUERY);
        let span = Span {
            start_ms: interval.start.millis(),
            end_ms: interval.end().millis(),
        };
        match &self.samples {
            Samples::File(file) => file.query((der, quantity), span, limit),
            Samples::Server(server) => server.query((der, quantity), span, limit),
        }
    }

    /// The latest sample of each DER and quantity, as far back as the hour of `since`.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when they can't be read.
    pub fn latest(&self, since: Timestamp) -> Result<Vec<Sample>, TelemetryError> {
        match &self.samples {
            Samples::File(file) => file.latest(since),
            Samples::Server(server) => server.latest(since),
        }
    }

    /// The samples after `last`, in the order of hour, DER, time and quantity, the first `limit`.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when they can't be read.
    pub fn page(&self, last: Option<&Sample>, limit: usize) -> Result<Vec<Sample>, TelemetryError> {
        self.page_from(last.map_or((i64::MIN, 0, 0, 0), place), limit)
    }

    fn page_from(&self, place: Place, limit: usize) -> Result<Vec<Sample>, TelemetryError> {
        let limit = limit.min(Self::MAX_QUERY);
        match &self.samples {
            Samples::File(file) => file.page(place, limit),
            Samples::Server(server) => server.page(place, limit),
        }
    }

    /// How many samples there are.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when they can't be read.
    pub fn count(&self) -> Result<u64, TelemetryError> {
        match &self.samples {
            Samples::File(file) => file.count(),
            Samples::Server(server) => server.count(),
        }
    }
}

/// Hour, DER, time in milliseconds and quantity of a sample.
pub(crate) type Place = (i64, i64, i64, u8);

/// From `start_ms` to before `end_ms`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
}

impl Span {
    pub(crate) const fn first_hour(self) -> i64 {
        self.start_ms.div_euclid(HOUR_MS)
    }

    pub(crate) const fn last_hour(self) -> i64 {
        self.end_ms.div_euclid(HOUR_MS)
    }
}

/// Why samples can't be stored or read.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// More samples than one insert takes.
    #[error("at most {max} samples at a time")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The medium failed.
    #[error("telemetry can't be used")]
    Storage(#[from] StorageError),
}

impl From<::postgres::Error> for TelemetryError {
    fn from(error: ::postgres::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl From<rusqlite::Error> for TelemetryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

fn place(sample: &Sample) -> Place {
    let der = i64::from(sample.der.0);
    let number = sample.quantity.number();
    (hour(sample.at), der, sample.at.millis(), number)
}

pub(crate) fn hour(at: Timestamp) -> i64 {
    at.millis().div_euclid(HOUR_MS)
}

pub(crate) const fn quality_number(quality: Quality) -> u8 {
    match quality {
        Quality::Valid => 0,
        Quality::Estimated => 1,
        Quality::Questionable => 2,
    }
}

/// A number without a meaning is not to be trusted.
pub(crate) const fn quality(number: u8) -> Quality {
    match number {
        0 => Quality::Valid,
        1 => Quality::Estimated,
        _ => Quality::Questionable,
    }
}
