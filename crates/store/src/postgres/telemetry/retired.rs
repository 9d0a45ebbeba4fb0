//! Roll-ups of samples that are gone, or whose partition will be dropped.

use fleet::DerId;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;
use postgres::{Row, Transaction};
use units::Timestamp;

use super::{HOURS_PER_DAY, Samples, name, partitions, small};
use crate::telemetry::{
    Edge, Quantity, Resolution, Rollup, RollupPlace, Slice, Span, StoredRollup, TelemetryError,
    quality, quality_number,
};

const STAGE: &str = "CREATE TEMPORARY TABLE IF NOT EXISTS staged_rollup (LIKE rollup)
     ON COMMIT DELETE ROWS";
const COPY: &str = "COPY staged_rollup (resolution, hour, der, quantity, start_ms, samples, total,
         min_value, max_value, first_value, last_value, quality)
     FROM STDIN (FORMAT binary)";
const MERGE: &str = "INSERT INTO rollup SELECT * FROM staged_rollup ON CONFLICT DO NOTHING";
/// Of a DER and quantity, hour by hour of those that there are, since the key goes by hours.
const BY_HOURS: &str = "WITH RECURSIVE hours (hour) AS (
         SELECT min(hour) FROM rollup WHERE resolution = $8 AND hour BETWEEN $1 AND $2
         UNION ALL
         SELECT (SELECT min(later.hour) FROM rollup AS later
                 WHERE resolution = $8 AND later.hour > hours.hour AND later.hour <= $2)
         FROM hours WHERE hours.hour IS NOT NULL)
     SELECT found.* FROM hours CROSS JOIN LATERAL (
         SELECT start_ms, samples, total, min_value, max_value, first_value, last_value, quality
         FROM rollup WHERE resolution = $8 AND rollup.hour = hours.hour AND der = $3
             AND start_ms >= $4 AND start_ms < $5 AND quantity = $6) AS found
     ORDER BY found.start_ms LIMIT $7";

/// The hour before which samples are too old, which stays until the transaction ends.
pub(super) fn held_horizon(transaction: &mut Transaction<'_>) -> Result<i64, postgres::Error> {
    let sql = "SELECT hour FROM horizon FOR SHARE";
    transaction.query_one(sql, &[])?.try_get(0)
}

impl Samples {
    pub(crate) fn horizon(&self) -> Result<i64, TelemetryError> {
        let row = self.with_client(|client| client.query_one("SELECT hour FROM horizon", &[]))?;
        Ok(row.try_get(0)?)
    }

    /// Moves the horizon forwards, not beyond the newest sample, and says where it is. Inserts
    /// that have begun end first.
    pub(crate) fn move_horizon(&mut self, to: i64) -> Result<i64, TelemetryError> {
        let sql = "UPDATE horizon SET hour = newest.to_hour
                   FROM (SELECT least($1, (SELECT max(hour) FROM sample)) AS to_hour
                         WHERE EXISTS (SELECT FROM sample)) AS newest
                   WHERE hour < newest.to_hour";
        self.with_client(|client| client.execute(sql, &[&to]))?;
        self.horizon()
    }

    pub(crate) fn rolled_up(&self) -> Result<Edge, TelemetryError> {
        let sql = "SELECT hour, der FROM rolled_up";
        let row = self.with_client(|client| client.query_one(sql, &[]))?;
        Ok(Edge {
            hour: row.try_get(0)?,
            der: row.try_get(1)?,
        })
    }

    /// Stores the roll-ups, and drops the partitions of which nothing is left to roll up. Nothing
    /// is done when another node has gone on from the same edge.
    pub(crate) fn retire(&mut self, slice: &Slice) -> Result<(), TelemetryError> {
        let (from, to) = (slice.from, slice.to);
        self.with_client(|client| {
            client.batch_execute(STAGE)?;
            let mut transaction = client.transaction()?;
            let moved = transaction.execute(
                "UPDATE rolled_up SET hour = $1, der = $2 WHERE hour = $3 AND der = $4",
                &[&to.hour, &to.der, &from.hour, &from.der],
            )?;
            if moved == 0 {
                return transaction.rollback();
            }
            insert(&mut transaction, &slice.rollups)?;
            transaction.execute(
                "DELETE FROM sample_other WHERE hour <= $1 AND (hour, der) <= ($1, $2)",
                &[&to.hour, &to.der],
            )?;
            for day in partitions(&mut transaction)? {
                if (day + 1) * HOURS_PER_DAY <= to.hour {
                    transaction.batch_execute(&format!("DROP TABLE IF EXISTS {}", name(day)))?;
                }
            }
            transaction.commit()
        })?;
        self.days.retain(|day| to.hour < (day + 1) * HOURS_PER_DAY);
        Ok(())
    }

    pub(crate) fn insert_rollups(
        &mut self,
        rollups: &[StoredRollup],
    ) -> Result<(), TelemetryError> {
        self.with_client(|client| {
            client.batch_execute(STAGE)?;
            let mut transaction = client.transaction()?;
            insert(&mut transaction, rollups)?;
            transaction.commit()
        })?;
        Ok(())
    }

    pub(crate) fn rollups(
        &self,
        (der, quantity): (DerId, Quantity),
        resolution: Resolution,
        span: Span,
        limit: usize,
    ) -> Result<Vec<Rollup>, TelemetryError> {
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
                    &i16::from(resolution.number()),
                ],
            )
        })?;
        let rollups = rows.iter().map(|row| rollup(row, 0));
        Ok(rollups.collect::<Result<_, postgres::Error>>()?)
    }

    pub(crate) fn page_rollups(
        &self,
        (resolution, hour, der, quantity, start_ms): RollupPlace,
        limit: usize,
    ) -> Result<Vec<StoredRollup>, TelemetryError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.with_client(|client| {
            client.query(
                "SELECT resolution, der, quantity, start_ms, samples, total, min_value, max_value,
                     first_value, last_value, quality
                 FROM rollup
                 WHERE (resolution, hour, der, quantity, start_ms) > ($1, $2, $3, $4, $5)
                 ORDER BY resolution, hour, der, quantity, start_ms LIMIT $6",
                &[
                    &i16::from(resolution),
                    &hour,
                    &der,
                    &i16::from(quantity),
                    &start_ms,
                    &limit,
                ],
            )
        })?;
        let rollups = rows.iter().filter_map(|row| stored(row).transpose());
        Ok(rollups.collect::<Result<_, postgres::Error>>()?)
    }

    pub(crate) fn delete_rollups(
        &mut self,
        resolution: Resolution,
        before_hour: i64,
        limit: usize,
    ) -> Result<usize, TelemetryError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let deleted = self.with_client(|client| {
            client.execute(
                "DELETE FROM rollup WHERE ctid = ANY (ARRAY(
                     SELECT ctid FROM rollup WHERE resolution = $1 AND hour < $2
                     ORDER BY resolution, hour LIMIT $3))",
                &[&i16::from(resolution.number()), &before_hour, &limit],
            )
        })?;
        Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
    }
}

fn insert(
    transaction: &mut Transaction<'_>,
    rollups: &[StoredRollup],
) -> Result<(), postgres::Error> {
    let columns = [
        Type::INT2,
        Type::INT8,
        Type::INT8,
        Type::INT2,
        Type::INT8,
        Type::INT8,
        Type::FLOAT8,
        Type::FLOAT8,
        Type::FLOAT8,
        Type::FLOAT8,
        Type::FLOAT8,
        Type::INT2,
    ];
    let mut rows = BinaryCopyInWriter::new(transaction.copy_in(COPY)?, &columns);
    for stored in rollups {
        let (resolution, hour, der, quantity, start_ms) = stored.place();
        let of = &stored.rollup;
        rows.write(&[
            &i16::from(resolution),
            &hour,
            &der,
            &i16::from(quantity),
            &start_ms,
            &i64::from(of.count),
            &of.sum,
            &of.min,
            &of.max,
            &of.first,
            &of.last,
            &i16::from(quality_number(of.quality)),
        ])?;
    }
    rows.finish()?;
    transaction.execute(MERGE, &[])?;
    Ok(())
}

/// A roll-up of a resolution, DER and quantity that this release knows.
fn stored(row: &Row) -> Result<Option<StoredRollup>, postgres::Error> {
    let resolution = Resolution::from_number(small(row, 0)?);
    let der = u32::try_from(row.try_get::<_, i64>(1)?);
    let quantity = Quantity::from_number(small(row, 2)?);
    let (Some(resolution), Ok(der), Some(quantity)) = (resolution, der, quantity) else {
        return Ok(None);
    };
    Ok(Some(StoredRollup {
        resolution,
        der: DerId(der),
        quantity,
        rollup: rollup(row, 3)?,
    }))
}

/// From the column `first` on.
fn rollup(row: &Row, first: usize) -> Result<Rollup, postgres::Error> {
    let count = row.try_get::<_, i64>(first + 1)?;
    Ok(Rollup {
        start: Timestamp::from_millis(row.try_get(first)?),
        count: u32::try_from(count).unwrap_or(u32::MAX),
        sum: row.try_get(first + 2)?,
        min: row.try_get(first + 3)?,
        max: row.try_get(first + 4)?,
        first: row.try_get(first + 5)?,
        last: row.try_get(first + 6)?,
        quality: quality(small(row, first + 7)?),
    })
}
