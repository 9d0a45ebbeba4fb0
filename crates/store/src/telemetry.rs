//! Telemetry: a separate file and connection, so that it never holds up a commit.
//!
//! Samples are clustered by hour, then DER, then time. The values of one report lie together, an
//! hour's rows are the only ones that inserts touch, and what is too old goes as whole hours from
//! the left edge of the tree. The file runs with `synchronous=NORMAL`: after loss of power it is
//! consistent and may miss the newest samples. No promise is broken by that: a sample is not
//! acknowledged as durable, the next one follows, and a device that keeps its readings may send
//! them again, since a repeated sample changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use fleet::{DerId, Quality};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use thiserror::Error;
use units::{Interval, Timestamp};

use crate::sqlite::telemetry_file;
use crate::{OpenError, StorageError};

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

    /// Its number in the file; never given to another.
    const fn number(self) -> u8 {
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

    fn from_number(number: u8) -> Option<Self> {
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

/// A handle on the samples. Any number may be open at a time; one writes.
#[derive(Debug)]
pub struct Telemetry {
    connection: Connection,
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
        let path = telemetry_file(directory);
        let connection = Connection::open(&path).and_then(|connection| {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            Ok(connection)
        });
        connection
            .and_then(Self::prepare)
            .map_err(|source| OpenError::Storage {
                path,
                source: source.into(),
            })
    }

    /// Keeps samples in memory only.
    ///
    /// # Errors
    /// [`StorageError::Sqlite`] without memory.
    pub fn in_memory() -> Result<Self, StorageError> {
        Ok(Self::prepare(Connection::open_in_memory()?)?)
    }

    fn prepare(connection: Connection) -> rusqlite::Result<Self> {
        connection.execute_batch(
            "PRAGMA cache_size = -65536;
             CREATE TABLE IF NOT EXISTS sample (
                 hour     INTEGER NOT NULL,
                 der      INTEGER NOT NULL,
                 at_ms    INTEGER NOT NULL,
                 quantity INTEGER NOT NULL,
                 value    REAL NOT NULL,
                 quality  INTEGER NOT NULL,
                 PRIMARY KEY (hour, der, at_ms, quantity)
             ) STRICT, WITHOUT ROWID;",
        )?;
        Ok(Self { connection })
    }

    /// Stores samples and returns how many were new. A second value for the same DER, quantity
    /// and instant changes nothing; what is no number is left out.
    ///
    /// # Errors
    /// [`TelemetryError::TooMany`] beyond [`Self::MAX_INSERT`]; nothing is stored on any error.
    pub fn insert(&mut self, samples: &[Sample]) -> Result<usize, TelemetryError> {
        if samples.len() > Self::MAX_INSERT {
            return Err(TelemetryError::TooMany {
                max: Self::MAX_INSERT,
            });
        }
        let mut order: Vec<&Sample> = samples.iter().filter(|s| s.value.is_finite()).collect();
        order.sort_by_key(|s| (hour(s.at), s.der, s.at, s.quantity.number()));
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO sample (hour, der, at_ms, quantity, value, quality)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?;
        let mut new = 0;
        for sample in order {
            new += insert.execute(params![
                hour(sample.at),
                sample.der.0,
                sample.at.millis(),
                sample.quantity.number(),
                sample.value,
                quality_number(sample.quality),
            ])?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(new)
    }

    /// The samples of one DER and quantity inside `interval`, by time, the first `limit` of them.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when the file can't be read.
    pub fn query(
        &self,
        der: DerId,
        quantity: Quantity,
        interval: Interval,
        limit: usize,
    ) -> Result<Vec<Sample>, TelemetryError> {
        let limit = limit.min(Self::MAX_QUERY);
        let mut select = self.connection.prepare_cached(
            "SELECT at_ms, value, quality FROM sample
             WHERE hour = ?1 AND der = ?2 AND at_ms >= ?3 AND at_ms < ?4 AND quantity = ?5
             ORDER BY at_ms LIMIT ?6",
        )?;
        let (start, end) = (interval.start.millis(), interval.end().millis());
        let mut samples = Vec::new();
        let mut next = self.hour_from(hour(interval.start))?;
        while let Some(hour) = next.filter(|at| samples.len() < limit && *at * HOUR_MS < end) {
            let left = i64::try_from(limit - samples.len()).unwrap_or(i64::MAX);
            let number = quantity.number();
            let mut rows = select.query(params![hour, der.0, start, end, number, left])?;
            while let Some(row) = rows.next()? {
                samples.push(Sample {
                    der,
                    quantity,
                    at: Timestamp::from_millis(row.get(0)?),
                    value: row.get(1)?,
                    quality: quality(row.get(2)?),
                });
            }
            next = self.hour_from(hour + 1)?;
        }
        Ok(samples)
    }

    /// The latest sample of each DER and quantity, as far back as the hour of `since`.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when the file can't be read.
    pub fn latest(&self, since: Timestamp) -> Result<Vec<Sample>, TelemetryError> {
        let mut hours = Vec::new();
        let mut next = self.hour_from(hour(since))?;
        while let Some(hour) = next {
            hours.push(hour);
            next = self.hour_from(hour + 1)?;
        }
        let mut latest = BTreeMap::new();
        for hour in hours.into_iter().rev() {
            self.latest_in(hour, &mut latest)?;
        }
        Ok(latest.into_values().collect())
    }

    /// Adds what `latest` still lacks from one hour, walking backwards and leaping to the next
    /// DER as soon as one is complete.
    fn latest_in(
        &self,
        hour: i64,
        latest: &mut BTreeMap<(DerId, Quantity), Sample>,
    ) -> Result<(), TelemetryError> {
        let mut select = self.connection.prepare_cached(
            "SELECT der, at_ms, quantity, value, quality FROM sample
             WHERE hour = ?1 AND der < ?2 ORDER BY der DESC, at_ms DESC",
        )?;
        let mut below = i64::MAX;
        loop {
            let mut rows = select.query([hour, below])?;
            let mut current = None;
            let mut missing: Vec<Quantity> = Vec::new();
            let complete = loop {
                let Some(row) = rows.next()? else { break None };
                let der = DerId(row.get(0)?);
                if current != Some(der) {
                    current = Some(der);
                    missing = Quantity::ALL.to_vec();
                    missing.retain(|quantity| !latest.contains_key(&(der, *quantity)));
                }
                if let Some(quantity) = Quantity::from_number(row.get(2)?)
                    && missing.contains(&quantity)
                {
                    missing.retain(|other| *other != quantity);
                    let at = Timestamp::from_millis(row.get(1)?);
                    let (value, quality) = (row.get(3)?, quality(row.get(4)?));
                    let sample = Sample {
                        der,
                        quantity,
                        at,
                        value,
                        quality,
                    };
                    latest.insert((der, quantity), sample);
                }
                if missing.is_empty() {
                    break Some(der);
                }
            };
            match complete {
                Some(der) => below = i64::from(der.0),
                None => return Ok(()),
            }
        }
    }

    /// Deletes samples of hours that ended by `before`, at most `limit` of them so that inserts
    /// need not wait long, and returns how many. Nothing is left to delete when that is 0. The
    /// file keeps its size and fills the room again.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when the file can't be written.
    pub fn delete_before(
        &mut self,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, TelemetryError> {
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM sample WHERE (hour, der, at_ms, quantity) IN (
                 SELECT hour, der, at_ms, quantity FROM sample WHERE hour < ?1
                 ORDER BY hour, der, at_ms, quantity LIMIT ?2)",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(delete.execute(params![hour(before), limit])?)
    }

    /// The first hour with samples, from `hour` on.
    fn hour_from(&self, hour: i64) -> rusqlite::Result<Option<i64>> {
        self.connection
            .prepare_cached("SELECT hour FROM sample WHERE hour >= ?1 ORDER BY hour LIMIT 1")?
            .query_row([hour], |row| row.get(0))
            .optional()
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
    #[error("the telemetry file can't be used")]
    Storage(#[from] StorageError),
}

impl From<rusqlite::Error> for TelemetryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

fn hour(at: Timestamp) -> i64 {
    at.millis().div_euclid(HOUR_MS)
}

const fn quality_number(quality: Quality) -> u8 {
    match quality {
        Quality::Valid => 0,
        Quality::Estimated => 1,
        Quality::Questionable => 2,
    }
}

/// A number without a meaning is not to be trusted.
const fn quality(number: u8) -> Quality {
    match number {
        0 => Quality::Valid,
        1 => Quality::Estimated,
        _ => Quality::Questionable,
    }
}
