//! What becomes of samples that are too old: roll-ups, which are kept longer.
//!
//! Hours retire from the left edge. First the horizon moves: a sample of an earlier hour is too old
//! from then on, so that no retired hour changes any more. Then slices of the samples before it are
//! rolled up, each with the samples of whole hours of a DER, and gone in the transaction that stores
//! their roll-ups. An answer about a span before the horizon is made of either, whichever is there.

use std::collections::BTreeMap;

use fleet::DerId;
use units::Timestamp;

use super::{
    Place, Quantity, Resolution, Rollup, Sample, Samples, Telemetry, TelemetryError, hour,
};

/// From when on what is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Samples of the hour of this instant and later.
    pub samples: Timestamp,
    /// Roll-ups, in the order of [`Resolution::ALL`], of the hour of this instant and later.
    pub rollups: [Timestamp; 3],
}

impl Kept {
    fn rollups_from(&self, resolution: Resolution) -> i64 {
        let [minute, quarter_hour, whole_hour] = self.rollups;
        hour(match resolution {
            Resolution::Minute => minute,
            Resolution::QuarterHour => quarter_hour,
            Resolution::Hour => whole_hour,
        })
    }
}

/// Where a roll-up lies: resolution, hour, DER, quantity, start in milliseconds.
pub(crate) type RollupPlace = (u8, i64, i64, u8, i64);

/// A roll-up as it is stored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StoredRollup {
    /// How long its span is.
    pub resolution: Resolution,
    /// Of which DER.
    pub der: DerId,
    /// Of what.
    pub quantity: Quantity,
    /// What the samples of the span come to.
    pub rollup: Rollup,
}

impl StoredRollup {
    pub(crate) fn place(&self) -> RollupPlace {
        (
            self.resolution.number(),
            hour(self.rollup.start),
            i64::from(self.der.0),
            self.quantity.number(),
            self.rollup.start.millis(),
        )
    }
}

/// The hour and DER up to which, both included, samples are rolled up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Edge {
    pub(crate) hour: i64,
    pub(crate) der: i64,
}

impl Edge {
    pub(crate) const NONE: Self = Self {
        hour: i64::MIN,
        der: -1,
    };

    const fn end(self) -> Place {
        (self.hour, self.der + 1, i64::MIN, 0)
    }

    fn of(sample: &Sample) -> Self {
        Self {
            hour: hour(sample.at),
            der: i64::from(sample.der.0),
        }
    }
}

/// What one transaction of retiring does.
#[derive(Debug)]
pub(crate) struct Slice {
    /// What has been rolled up before.
    pub(crate) from: Edge,
    /// Samples as far as this go.
    pub(crate) to: Edge,
    pub(crate) rollups: Vec<StoredRollup>,
}

impl Telemetry {
    /// Retires some of what is kept no longer and returns how many samples and roll-ups were gone
    /// through; nothing is left to do when that is 0. It goes through at most `limit` samples, or
    /// those of one hour of one DER, so that inserts need not wait long. In a database whole days
    /// are dropped once they are rolled up. The hour of the newest sample is kept whatever the
    /// clock says.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when the medium fails.
    pub fn retire(&mut self, kept: &Kept, limit: usize) -> Result<usize, TelemetryError> {
        let limit = limit.clamp(1, Self::MAX_QUERY);
        let horizon = match &mut self.samples {
            Samples::File(file) => file.move_horizon(hour(kept.samples))?,
            Samples::Server(server) => server.move_horizon(hour(kept.samples))?,
        };
        let from = match &self.samples {
            Samples::File(_) => Edge::NONE,
            Samples::Server(server) => server.rolled_up()?,
        };
        let samples = self.whole_hours(from, horizon, limit)?;
        let to = samples.last().map_or(
            Edge {
                hour: horizon,
                der: -1,
            },
            Edge::of,
        );
        let rollups = rolled_up(&samples, kept);
        if from < to {
            let slice = Slice { from, to, rollups };
            match &mut self.samples {
                Samples::File(file) => file.retire(&slice)?,
                Samples::Server(server) => server.retire(&slice)?,
            }
        }
        if !samples.is_empty() {
            return Ok(samples.len());
        }
        let mut deleted = 0;
        for resolution in Resolution::ALL {
            let before = kept.rollups_from(resolution);
            deleted += match &mut self.samples {
                Samples::File(file) => file.delete_rollups(resolution, before, limit)?,
                Samples::Server(server) => server.delete_rollups(resolution, before, limit)?,
            };
        }
        Ok(deleted)
    }

    /// The hour since 1970 before which samples are too old; `i64::MIN` when none is.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when it can't be read.
    pub fn horizon(&self) -> Result<i64, TelemetryError> {
        match &self.samples {
            Samples::File(file) => file.horizon(),
            Samples::Server(server) => server.horizon(),
        }
    }

    /// The samples after `from` of hours before `horizon`, about `limit` of them, whole hours of
    /// DER only.
    fn whole_hours(
        &self,
        from: Edge,
        horizon: i64,
        limit: usize,
    ) -> Result<Vec<Sample>, TelemetryError> {
        let mut samples: Vec<Sample> = Vec::new();
        let mut place = from.end();
        loop {
            let page = self.page_from(place, limit)?;
            let Some(last) = page.last().copied() else {
                return Ok(samples);
            };
            place = super::place(&last);
            let ended = page.len() < limit || horizon <= hour(last.at);
            samples.extend(page.iter().filter(|sample| hour(sample.at) < horizon));
            if ended {
                return Ok(samples);
            }
            let whole = samples.partition_point(|sample| Edge::of(sample) < Edge::of(&last));
            if 0 < whole {
                samples.truncate(whole);
                return Ok(samples);
            }
        }
    }

    /// The hour of the first sample, or roll-up of this resolution, that there is of any DER. What
    /// was stored of hours before it is kept no longer. `None` when there is nothing.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when the medium fails.
    pub fn first_hour(&self, resolution: Resolution) -> Result<Option<i64>, TelemetryError> {
        let before = (resolution.number(), i64::MIN, 0, 0, i64::MIN);
        let rollups = match &self.samples {
            Samples::File(file) => file.page_rollups(before, 1)?,
            Samples::Server(server) => server.page_rollups(before, 1)?,
        };
        let rollup = rollups.first().filter(|it| it.resolution == resolution);
        let rollup = rollup.map(|stored| hour(stored.rollup.start));
        let sample = self.page(None, 1)?.first().map(|sample| hour(sample.at));
        Ok([rollup, sample].into_iter().flatten().min())
    }

    /// Takes over what another telemetry has retired.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when either medium fails.
    pub(crate) fn take_over_retired(&mut self, from: &Self) -> Result<(), TelemetryError> {
        const ROLLUPS_PER_TURN: usize = 20_000;
        let mut last = (0, i64::MIN, 0, 0, i64::MIN);
        loop {
            let rollups = match &from.samples {
                Samples::File(file) => file.page_rollups(last, ROLLUPS_PER_TURN)?,
                Samples::Server(server) => server.page_rollups(last, ROLLUPS_PER_TURN)?,
            };
            match &mut self.samples {
                Samples::File(file) => file.insert_rollups(&rollups)?,
                Samples::Server(server) => server.insert_rollups(&rollups)?,
            }
            match rollups.last() {
                Some(rollup) if rollups.len() == ROLLUPS_PER_TURN => last = rollup.place(),
                _ => break,
            }
        }
        let horizon = from.horizon()?;
        match &mut self.samples {
            Samples::File(file) => file.move_horizon(horizon)?,
            Samples::Server(server) => server.move_horizon(horizon)?,
        };
        Ok(())
    }
}

/// The roll-ups that are kept of samples by hour, DER and time, by place.
fn rolled_up(samples: &[Sample], kept: &Kept) -> Vec<StoredRollup> {
    let mut rollups: BTreeMap<RollupPlace, StoredRollup> = BTreeMap::new();
    for resolution in Resolution::ALL {
        let first_hour = kept.rollups_from(resolution);
        for sample in samples.iter().filter(|s| first_hour <= hour(s.at)) {
            let made = StoredRollup {
                resolution,
                der: sample.der,
                quantity: sample.quantity,
                rollup: Rollup::of(resolution.span_of(sample.at), sample),
            };
            let add = |known: &mut StoredRollup| known.rollup.add(sample);
            rollups.entry(made.place()).and_modify(add).or_insert(made);
        }
    }
    rollups.into_values().collect()
}
