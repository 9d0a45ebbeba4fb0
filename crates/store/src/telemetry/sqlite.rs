//! Samples in a file of their own.
//!
//! The file runs with `synchronous=NORMAL`: after loss of power it is consistent and may miss the
//! newest samples. No promise is broken by that: a sample is not acknowledged as durable, the next
//! one follows, and a device that keeps its readings may send them again, since a repeated sample
//! changes nothing.

mod retired;

use std::collections::BTreeMap;
use std::path::Path;

use fleet::DerId;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use units::Timestamp;

use super::{
    HOUR_MS, Inserted, Place, Quantity, Sample, Span, TelemetryError, hour, quality, quality_number,
};
use crate::sqlite::telemetry_file;
use crate::{OpenError, StorageError};

#[derive(Debug)]
pub(super) struct Samples {
    connection: Connection,
}

impl Samples {
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = telemetry_file(directory);
        let connection = Connection::open(&path).and_then(|connection| {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            Ok(connection)
        });
        connection
            .and_then(Self::prepare)
            .map_err(|source| OpenError::Storage {
                place: path.display().to_string(),
                source: source.into(),
            })
    }

    pub(super) fn in_memory() -> Result<Self, StorageError> {
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
             ) STRICT, WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS rollup (
                 resolution  INTEGER NOT NULL,
                 hour        INTEGER NOT NULL,
                 der         INTEGER NOT NULL,
                 quantity    INTEGER NOT NULL,
                 start_ms    INTEGER NOT NULL,
                 samples     INTEGER NOT NULL,
                 total       REAL NOT NULL,
                 min_value   REAL NOT NULL,
                 max_value   REAL NOT NULL,
                 first_value REAL NOT NULL,
                 last_value  REAL NOT NULL,
                 quality     INTEGER NOT NULL,
                 PRIMARY KEY (resolution, hour, der, quantity, start_ms)
             ) STRICT, WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS horizon (
                 one  INTEGER PRIMARY KEY CHECK (one = 1),
                 hour INTEGER NOT NULL
             ) STRICT;",
        )?;
        Ok(Self { connection })
    }

    /// Stores samples that come in the order of the table's key.
    pub(super) fn insert(&mut self, samples: &[&Sample]) -> Result<Inserted, TelemetryError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let horizon = retired::horizon(&transaction)?;
        let too_old = samples.partition_point(|sample| hour(sample.at) < horizon);
        let mut insert = transaction.prepare_cached(
            "INSERT INTO sample (hour, der, at_ms, quantity, value, quality)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?;
        let mut new = 0;
        for sample in &samples[too_old..] {
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
        Ok(Inserted { new, too_old })
    }

    pub(super) fn query(
        &self,
        (der, quantity): (DerId, Quantity),
        span: Span,
        limit: usize,
    ) -> Result<Vec<Sample>, TelemetryError> {
        let mut select = self.connection.prepare_cached(
            "SELECT at_ms, value, quality FROM sample
             WHERE hour = ?1 AND der = ?2 AND at_ms >= ?3 AND at_ms < ?4 AND quantity = ?5
             ORDER BY at_ms LIMIT ?6",
        )?;
        let (start, end) = (span.start_ms, span.end_ms);
        let mut samples = Vec::new();
        let mut next = self.hour_from(span.first_hour())?;
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

    pub(super) fn page(
        &self,
        (hour, der, at_ms, quantity): Place,
        limit: usize,
    ) -> Result<Vec<Sample>, TelemetryError> {
        let mut select = self.connection.prepare_cached(
            "SELECT der, at_ms, quantity, value, quality FROM sample
             WHERE (hour, der, at_ms, quantity) > (?1, ?2, ?3, ?4)
             ORDER BY hour, der, at_ms, quantity LIMIT ?5",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = select.query(params![hour, der, at_ms, quantity, limit])?;
        let mut samples = Vec::new();
        while let Some(row) = rows.next()? {
            let Some(quantity) = Quantity::from_number(row.get(2)?) else {
                continue;
            };
            samples.push(Sample {
                der: DerId(row.get(0)?),
                quantity,
                at: Timestamp::from_millis(row.get(1)?),
                value: row.get(3)?,
                quality: quality(row.get(4)?),
            });
        }
        Ok(samples)
    }

    pub(super) fn count(&self) -> Result<u64, TelemetryError> {
        let sql = "SELECT count(*) FROM sample";
        let count = self
            .connection
            .query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok(count?.cast_unsigned())
    }

    pub(super) fn latest(&self, since: Timestamp) -> Result<Vec<Sample>, TelemetryError> {
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

    /// The first hour with samples, from `hour` on.
    fn hour_from(&self, hour: i64) -> rusqlite::Result<Option<i64>> {
        self.connection
            .prepare_cached("SELECT hour FROM sample WHERE hour >= ?1 ORDER BY hour LIMIT 1")?
            .query_row([hour], |row| row.get(0))
            .optional()
    }
}
