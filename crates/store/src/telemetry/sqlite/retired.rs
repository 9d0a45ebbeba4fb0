//! Roll-ups of samples that are gone, in the same file.

use fleet::DerId;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use units::Timestamp;

use super::Samples;
use crate::telemetry::{
    HOUR_MS, Quantity, Resolution, Rollup, RollupPlace, Slice, Span, StoredRollup, TelemetryError,
    quality, quality_number,
};

/// The hour before which samples are too old.
pub(super) fn horizon(connection: &Connection) -> rusqlite::Result<i64> {
    let mut select = connection.prepare_cached("SELECT hour FROM horizon")?;
    let hour = select.query_row([], |row| row.get(0)).optional()?;
    Ok(hour.unwrap_or(i64::MIN))
}

impl Samples {
    pub(in crate::telemetry) fn horizon(&self) -> Result<i64, TelemetryError> {
        Ok(horizon(&self.connection)?)
    }

    /// Moves the horizon forwards, not beyond the newest sample, and says where it is.
    pub(in crate::telemetry) fn move_horizon(&mut self, to: i64) -> Result<i64, TelemetryError> {
        let newest: Option<i64> =
            self.connection
                .query_row("SELECT max(hour) FROM sample", [], |row| row.get(0))?;
        let known = self.horizon()?;
        let Some(to) = newest.map(|newest| to.min(newest)).filter(|to| known < *to) else {
            return Ok(known);
        };
        let sql = "INSERT INTO horizon (one, hour) VALUES (1, ?1)
                   ON CONFLICT (one) DO UPDATE SET hour = excluded.hour";
        self.connection.execute(sql, [to])?;
        Ok(to)
    }

    /// Samples go with the transaction that stores their roll-ups. The file keeps its size and
    /// fills the room again.
    pub(in crate::telemetry) fn retire(&mut self, slice: &Slice) -> Result<(), TelemetryError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        insert(&transaction, &slice.rollups)?;
        transaction
            .prepare_cached("DELETE FROM sample WHERE (hour, der) <= (?1, ?2)")?
            .execute([slice.to.hour, slice.to.der])?;
        Ok(transaction.commit()?)
    }

    pub(in crate::telemetry) fn insert_rollups(
        &mut self,
        rollups: &[StoredRollup],
    ) -> Result<(), TelemetryError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        insert(&transaction, rollups)?;
        Ok(transaction.commit()?)
    }

    pub(in crate::telemetry) fn rollups(
        &self,
        (der, quantity): (DerId, Quantity),
        resolution: Resolution,
        span: Span,
        limit: usize,
    ) -> Result<Vec<Rollup>, TelemetryError> {
        let mut next_hour = self.connection.prepare_cached(
            "SELECT hour FROM rollup WHERE resolution = ?1 AND hour >= ?2 ORDER BY hour LIMIT 1",
        )?;
        let mut select = self.connection.prepare_cached(
            "SELECT start_ms, samples, total, min_value, max_value, first_value, last_value, quality
             FROM rollup WHERE resolution = ?1 AND hour = ?2 AND der = ?3 AND quantity = ?4
                 AND start_ms >= ?5 AND start_ms < ?6 ORDER BY start_ms LIMIT ?7",
        )?;
        let number = resolution.number();
        let mut hour_from = |hour: i64| {
            let found = next_hour.query_row(params![number, hour], |row| row.get(0));
            found.optional()
        };
        let mut rollups = Vec::new();
        let mut next: Option<i64> = hour_from(span.first_hour())?;
        while let Some(hour) =
            next.filter(|hour| rollups.len() < limit && *hour * HOUR_MS < span.end_ms)
        {
            let left = i64::try_from(limit - rollups.len()).unwrap_or(i64::MAX);
            let (start, end) = (span.start_ms, span.end_ms);
            let key = params![number, hour, der.0, quantity.number(), start, end, left];
            for row in select.query_map(key, |row| rollup(row, 0))? {
                rollups.push(row?);
            }
            next = hour_from(hour + 1)?;
        }
        Ok(rollups)
    }

    pub(in crate::telemetry) fn page_rollups(
        &self,
        (resolution, hour, der, quantity, start_ms): RollupPlace,
        limit: usize,
    ) -> Result<Vec<StoredRollup>, TelemetryError> {
        let mut select = self.connection.prepare_cached(
            "SELECT resolution, der, quantity, start_ms, samples, total, min_value, max_value,
                 first_value, last_value, quality
             FROM rollup WHERE (resolution, hour, der, quantity, start_ms) > (?1, ?2, ?3, ?4, ?5)
             ORDER BY resolution, hour, der, quantity, start_ms LIMIT ?6",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = select.query(params![resolution, hour, der, quantity, start_ms, limit])?;
        let mut rollups = Vec::new();
        while let Some(row) = rows.next()? {
            let resolution = Resolution::from_number(row.get(0)?);
            let quantity = Quantity::from_number(row.get(2)?);
            if let (Some(resolution), Some(quantity)) = (resolution, quantity) {
                rollups.push(StoredRollup {
                    resolution,
                    der: DerId(row.get(1)?),
                    quantity,
                    rollup: rollup(row, 3)?,
                });
            }
        }
        Ok(rollups)
    }

    pub(in crate::telemetry) fn delete_rollups(
        &mut self,
        resolution: Resolution,
        before_hour: i64,
        limit: usize,
    ) -> Result<usize, TelemetryError> {
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM rollup WHERE (resolution, hour, der, quantity, start_ms) IN (
                 SELECT resolution, hour, der, quantity, start_ms FROM rollup
                 WHERE resolution = ?1 AND hour < ?2
                 ORDER BY resolution, hour, der, quantity, start_ms LIMIT ?3)",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(delete.execute(params![resolution.number(), before_hour, limit])?)
    }
}

fn insert(transaction: &Transaction<'_>, rollups: &[StoredRollup]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO rollup (resolution, hour, der, quantity, start_ms, samples, total, min_value,
             max_value, first_value, last_value, quality)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
    )?;
    for stored in rollups {
        let (resolution, hour, der, quantity, start_ms) = stored.place();
        let of = &stored.rollup;
        insert.execute(params![
            resolution,
            hour,
            der,
            quantity,
            start_ms,
            of.count,
            of.sum,
            of.min,
            of.max,
            of.first,
            of.last,
            quality_number(of.quality),
        ])?;
    }
    Ok(())
}

/// From the column `first` on.
fn rollup(row: &Row<'_>, first: usize) -> rusqlite::Result<Rollup> {
    Ok(Rollup {
        start: Timestamp::from_millis(row.get(first)?),
        count: row.get(first + 1)?,
        sum: row.get(first + 2)?,
        min: row.get(first + 3)?,
        max: row.get(first + 4)?,
        first: row.get(first + 5)?,
        last: row.get(first + 6)?,
        quality: quality(row.get(first + 7)?),
    })
}
