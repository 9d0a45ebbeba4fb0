//! Samples in a table partitioned by day.
//!
//! A day's partition is made ahead, or when the first sample of a day not too far away arrives,
//! and dropped as a whole when its samples are rolled up. What lies further away, as a device with a wrong
//! clock may have it, goes into the default partition, so that no client decides how many
//! partitions there are.

mod retired;

use std::cell::RefCell;
use std::collections::BTreeSet;

use fleet::DerId;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::Type;
use postgres::{Client, GenericClient, Row, Transaction};
use units::Timestamp;

use super::address::Address;
use super::link::Link;
use crate::telemetry::{
    Inserted, Place, Quantity, Sample, Span, TelemetryError, hour, quality, quality_number,
};

const HOURS_PER_DAY: i64 = 24;
/// Days ahead of the database's clock that have a partition.
pub(crate) const DAYS_AHEAD: i64 = 2;
/// Days behind the database's clock for which one is made.
pub(crate) const MAX_DAYS_BACK: i64 = 800;

const STAGING: &str = "CREATE TEMPORARY TABLE IF NOT EXISTS staging (
         hour bigint, der bigint, at_ms bigint, quantity smallint, value double precision,
         quality smallint
     ) ON COMMIT DELETE ROWS";
/// Of a DER and quantity, hour by hour of those that there are, since the key begins with them.
const BY_HOURS: &str = "WITH RECURSIVE hours (hour) AS (
         SELECT min(hour) FROM sample WHERE hour BETWEEN $1 AND $2
         UNION ALL
         SELECT (SELECT min(later.hour) FROM sample AS later
                 WHERE later.hour > hours.hour AND later.hour <= $2)
         FROM hours WHERE hours.hour IS NOT NULL)
     SELECT found.at_ms, found.value, found.quality
     FROM hours CROSS JOIN LATERAL (
         SELECT at_ms, value, quality FROM sample
         WHERE sample.hour = hours.hour AND der = $3 AND at_ms >= $4 AND at_ms < $5
             AND quantity = $6) AS found
     ORDER BY found.at_ms LIMIT $7";
const MERGE: &str = "INSERT INTO sample (hour, der, at_ms, quantity, value, quality)
     SELECT hour, der, at_ms, quantity, value, quality FROM staging ON CONFLICT DO NOTHING";

/// A connection to the samples, made again when it was lost.
#[derive(Debug)]
pub(crate) struct Samples {
    link: RefCell<Link>,
    /// Days known to have a partition.
    days: BTreeSet<i64>,
}

impl Samples {
    pub(crate) fn connect(address: &Address) -> Result<Self, postgres::Error> {
        let samples = Self {
            link: RefCell::new(Link::new(address.clone(), "wattfold telemetry", STAGING)),
            days: BTreeSet::new(),
        };
        samples.with_client(|_| Ok(()))?;
        Ok(samples)
    }

    /// Stores samples that come in the order of the table's key. They are copied where they belong;
    /// if some are there already, all go through a staging table that leaves those out.
    pub(crate) fn insert(&mut self, samples: &[&Sample]) -> Result<Inserted, TelemetryError> {
        let known = std::mem::take(&mut self.days);
        let mut days = known.clone();
        let inserted = self.with_client(|client| {
            days.clone_from(&known);
            let mut transaction = client.transaction()?;
            let horizon = retired::held_horizon(&mut transaction)?;
            let too_old = samples.partition_point(|sample| hour(sample.at) < horizon);
            let samples = &samples[too_old..];
            make_days(&mut transaction, samples, &mut days)?;
            let mut attempt = transaction.savepoint("attempt")?;
            let new = match copy(&mut attempt, "sample", samples) {
                Ok(new) => {
                    attempt.commit()?;
                    new
                }
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                    attempt.rollback()?;
                    copy(&mut transaction, "staging", samples)?;
                    transaction.execute(MERGE, &[])?
                }
                Err(error) => return Err(error),
            };
            transaction.commit()?;
            let new = usize::try_from(new).unwrap_or(usize::MAX);
            Ok(Inserted { new, too_old })
        });
        if inserted.is_ok() {
            self.days = days;
        }
        Ok(inserted?)
    }

    pub(crate) fn query(
        &self,
        (der, quantity): (DerId, Quantity),
        span: Span,
        limit: usize,
    ) -> Result<Vec<Sample>, TelemetryError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.with_client(|client| {
            client.query(
                BY_HOURS,
                &[
                    &span.first_hour(),
                    &span.last_hour(),
                    &i64::from(der.0),
                    &span.start_ms,
                    &span.end_ms,
                    &i16::from(quantity.number()),
                    &limit,
                ],
            )
        })?;
        let sample = |row: &Row| {
            Ok(Sample {
                der,
                quantity,
                at: Timestamp::from_millis(row.try_get(0)?),
                value: row.try_get(1)?,
                quality: quality(small(row, 2)?),
            })
        };
        Ok(rows
            .iter()
            .map(sample)
            .collect::<Result<_, postgres::Error>>()?)
    }

    pub(crate) fn page(
        &self,
        (hour, der, at_ms, quantity): Place,
        limit: usize,
    ) -> Result<Vec<Sample>, TelemetryError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.with_client(|client| {
            client.query(
                "SELECT der, at_ms, quantity, value, quality FROM sample
                 WHERE hour >= $1 AND (hour, der, at_ms, quantity) > ($1, $2, $3, $4)
                 ORDER BY hour, der, at_ms, quantity LIMIT $5",
                &[&hour, &der, &at_ms, &i16::from(quantity), &limit],
            )
        })?;
        let samples = rows.iter().filter_map(|row| sample(row).transpose());
        Ok(samples.collect::<Result<_, postgres::Error>>()?)
    }

    pub(crate) fn count(&self) -> Result<u64, TelemetryError> {
        let sql = "SELECT count(*) FROM sample";
        let row = self.with_client(|client| client.query_one(sql, &[]))?;
        Ok(row.try_get::<_, i64>(0)?.cast_unsigned())
    }

    pub(crate) fn latest(&self, since: Timestamp) -> Result<Vec<Sample>, TelemetryError> {
        let mut latest = Vec::new();
        self.with_client(|client| {
            let mut rows = client.query_raw(
                "SELECT DISTINCT ON (der, quantity) der, at_ms, quantity, value, quality
                 FROM sample WHERE hour >= $1 ORDER BY der, quantity, at_ms DESC",
                [hour(since)],
            )?;
            while let Some(row) = rows.next()? {
                latest.extend(sample(&row)?);
            }
            Ok(())
        })?;
        Ok(latest)
    }

    /// That the server has closed a connection since it was used last shows only when it is used
    /// again. Then `act` is done on another one: to store or retire samples twice changes nothing.
    fn with_client<R>(
        &self,
        mut act: impl FnMut(&mut Client) -> Result<R, postgres::Error>,
    ) -> Result<R, postgres::Error> {
        let mut link = self.link.borrow_mut();
        let client = link.client()?;
        match act(client) {
            Err(_) if client.is_closed() => act(link.client()?),
            done => done,
        }
    }
}

/// Makes the partitions of the days that are coming and of those that `samples` lie in.
fn make_days(
    transaction: &mut Transaction<'_>,
    samples: &[&Sample],
    known: &mut BTreeSet<i64>,
) -> Result<(), postgres::Error> {
    let today: i64 = transaction
        .query_one(
            "SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::bigint",
            &[],
        )?
        .try_get(0)?;
    let near = today - MAX_DAYS_BACK..=today + DAYS_AHEAD;
    let own = samples
        .iter()
        .map(|sample| hour(sample.at).div_euclid(HOURS_PER_DAY));
    let wanted: BTreeSet<i64> = (today..=today + DAYS_AHEAD)
        .chain(own)
        .filter(|day| near.contains(day) && !known.contains(day))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    transaction.batch_execute("SELECT pg_advisory_xact_lock(hashtext('wattfold partitions'))")?;
    let there = partitions(transaction)?;
    for day in wanted {
        if !there.contains(&day) {
            make_day(transaction, day)?;
        }
        known.insert(day);
    }
    Ok(())
}

/// What lies in the default partition already moves into the day's own.
fn make_day(transaction: &mut Transaction<'_>, day: i64) -> Result<(), postgres::Error> {
    let (table, first) = (name(day), day * HOURS_PER_DAY);
    let end = first + HOURS_PER_DAY;
    transaction.batch_execute(&format!(
        "CREATE TABLE {table} (LIKE sample INCLUDING ALL);
         WITH moved AS (
             DELETE FROM sample_other WHERE hour >= {first} AND hour < {end} RETURNING *)
         INSERT INTO {table} SELECT * FROM moved;
         ALTER TABLE sample ATTACH PARTITION {table} FOR VALUES FROM ({first}) TO ({end})"
    ))
}

/// The days that have a partition.
fn partitions(client: &mut impl GenericClient) -> Result<BTreeSet<i64>, postgres::Error> {
    let rows = client.query(
        "SELECT substr(relname, 8)::bigint FROM pg_inherits
         JOIN pg_class ON pg_class.oid = inhrelid
         WHERE inhparent = 'sample'::regclass AND relname ~ '^sample_[0-9]+$'",
        &[],
    )?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// A sample of a DER and quantity that this release knows.
fn sample(row: &Row) -> Result<Option<Sample>, postgres::Error> {
    let der = u32::try_from(row.try_get::<_, i64>(0)?);
    let quantity = Quantity::from_number(small(row, 2)?);
    let (Ok(der), Some(quantity)) = (der, quantity) else {
        return Ok(None);
    };
    Ok(Some(Sample {
        der: DerId(der),
        quantity,
        at: Timestamp::from_millis(row.try_get(1)?),
        value: row.try_get(3)?,
        quality: quality(small(row, 4)?),
    }))
}

/// A number without a meaning stays one.
fn small(row: &Row, column: usize) -> Result<u8, postgres::Error> {
    Ok(u8::try_from(row.try_get::<_, i16>(column)?).unwrap_or(u8::MAX))
}

/// Of the partition of the day with this number since 1970.
fn name(day: i64) -> String {
    format!("sample_{day}")
}

/// Returns how many rows there were.
fn copy(
    transaction: &mut Transaction<'_>,
    table: &str,
    samples: &[&Sample],
) -> Result<u64, postgres::Error> {
    let columns = [
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT2,
        Type::FLOAT8,
        Type::INT2,
    ];
    let sql = format!(
        "COPY {table} (hour, der, at_ms, quantity, value, quality) FROM STDIN (FORMAT binary)"
    );
    let writer = transaction.copy_in(&sql)?;
    let mut rows = BinaryCopyInWriter::new(writer, &columns);
    for sample in samples {
        rows.write(&[
            &hour(sample.at),
            &i64::from(sample.der.0),
            &sample.at.millis(),
            &i16::from(sample.quantity.number()),
            &sample.value,
            &i16::from(quality_number(sample.quality)),
        ])?;
    }
    rows.finish()
}
