//! Telemetry: a bounded queue, one thread that writes in batches, and readers of their own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet::DerId;
use ieee2030_5::translate::metering::{Measurement, Point, Quantity as Measured};
use store::OpenError;
use store::telemetry::{Quantity, Sample, Telemetry as File, TelemetryError};
use units::{Interval, Timestamp};

use crate::clock;
use crate::metrics::Metrics;

/// Samples that may wait to be written; what comes beyond is shed, and counted.
pub const MAX_WAITING_SAMPLES: usize = 200_000;
/// Reports that may wait; a report is a handful of samples, seldom hundreds.
const MAX_WAITING_REPORTS: usize = MAX_WAITING_SAMPLES / 4;
/// Samples written in one transaction at most.
const MAX_BATCH: usize = 20_000;
/// How long a sample waits for others to share a transaction with.
const GATHER: Duration = Duration::from_millis(200);
/// How often old samples are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// Old samples deleted at one time, so that writing need not wait.
const SWEEP_CHUNK: usize = 20_000;

/// The handle: record and query.
#[derive(Clone)]
pub struct Telemetry {
    queue: SyncSender<Vec<Sample>>,
    /// Samples in the queue.
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
    readers: Readers,
}

/// Where queries read.
#[derive(Clone)]
enum Readers {
    /// A connection of its own for each query.
    Directory(PathBuf),
    /// The one that writes; for a node without files.
    Shared(Arc<Mutex<File>>),
}

impl Telemetry {
    /// Opens the telemetry of `directory` and starts its thread.
    ///
    /// # Errors
    /// [`OpenError`] when the file can't be used.
    pub fn open(
        directory: &Path,
        retention: Duration,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let file = Arc::new(Mutex::new(File::open(directory)?));
        Ok(Self::start(
            &file,
            Readers::Directory(directory.to_owned()),
            retention,
            metrics,
        ))
    }

    /// Telemetry without a file.
    ///
    /// # Errors
    /// [`store::StorageError`] without memory.
    pub fn in_memory(metrics: Arc<Metrics>) -> Result<Self, store::StorageError> {
        let file = Arc::new(Mutex::new(File::in_memory()?));
        Ok(Self::start(
            &file,
            Readers::Shared(Arc::clone(&file)),
            Duration::MAX,
            metrics,
        ))
    }

    fn start(
        file: &Arc<Mutex<File>>,
        readers: Readers,
        retention: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (queue, reports) = sync_channel(MAX_WAITING_REPORTS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (file, counters) = (Arc::clone(file), Arc::clone(&metrics));
        let queued = Queued {
            reports,
            waiting: Arc::clone(&waiting),
        };
        std::thread::spawn(move || write(&file, &queued, retention, &counters));
        Self {
            queue,
            waiting,
            metrics,
            readers,
        }
    }

    /// Queues what `der` measured at its terminals. A full queue sheds the report: telemetry
    /// never holds up a control.
    pub fn record(&self, der: DerId, measurements: &[Measurement]) {
        let own = measurements.iter().filter(|m| m.point == Point::Der);
        let samples: Vec<Sample> = own.filter_map(|m| sample(der, m)).collect();
        let count = samples.len();
        if count == 0 {
            return;
        }
        let waiting = count + self.waiting.fetch_add(count, Ordering::Relaxed);
        if MAX_WAITING_SAMPLES < waiting || self.queue.try_send(samples).is_err() {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            self.metrics.samples_shed(count);
        }
    }

    /// The samples of one DER and quantity inside `interval`, the first `limit` of them.
    ///
    /// # Errors
    /// [`TelemetryError`] when the file can't be read.
    pub fn query(
        &self,
        der: DerId,
        quantity: Quantity,
        interval: Interval,
        limit: usize,
    ) -> Result<Vec<Sample>, TelemetryError> {
        self.with_reader(|file| file.query(der, quantity, interval, limit))
    }

    /// The latest sample of each DER and quantity since then.
    ///
    /// # Errors
    /// [`TelemetryError`] when the file can't be read.
    pub fn latest(&self, since: Timestamp) -> Result<Vec<Sample>, TelemetryError> {
        self.with_reader(|file| file.latest(since))
    }

    /// Runs several queries on one reader.
    ///
    /// # Errors
    /// [`TelemetryError`] when the file can't be read.
    pub fn with_reader<R>(
        &self,
        look: impl FnOnce(&File) -> Result<R, TelemetryError>,
    ) -> Result<R, TelemetryError> {
        match &self.readers {
            Readers::Directory(directory) => match File::open(directory) {
                Ok(file) => look(&file),
                Err(OpenError::Storage { source, .. }) => Err(source.into()),
                Err(_) => Err(TelemetryError::TooMany { max: 0 }),
            },
            Readers::Shared(file) => look(&file.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

fn sample(der: DerId, measurement: &Measurement) -> Option<Sample> {
    let quantity = match measurement.quantity {
        Measured::ActivePower => Quantity::P,
        Measured::ReactivePower => Quantity::Q,
        Measured::Voltage => Quantity::Voltage,
        Measured::StateOfCharge => Quantity::Soc,
        Measured::AvailablePower => Quantity::PAvailable,
        Measured::Frequency | Measured::Connected => return None,
    };
    let Measurement {
        value, at, quality, ..
    } = *measurement;
    Some(Sample {
        der,
        quantity,
        at,
        value,
        quality,
    })
}

/// A sample as it was measured, to bring back the latest readings at start.
pub(crate) fn measurement(sample: &Sample) -> Measurement {
    let quantity = match sample.quantity {
        Quantity::P => Measured::ActivePower,
        Quantity::Q => Measured::ReactivePower,
        Quantity::Voltage => Measured::Voltage,
        Quantity::Soc => Measured::StateOfCharge,
        Quantity::PAvailable => Measured::AvailablePower,
    };
    Measurement {
        point: Point::Der,
        quantity,
        value: sample.value,
        at: sample.at,
        period_s: 0,
        quality: sample.quality,
    }
}

/// The receiving end of the queue.
struct Queued {
    reports: Receiver<Vec<Sample>>,
    waiting: Arc<AtomicUsize>,
}

impl Queued {
    fn take(&self, within: Duration) -> Result<Vec<Sample>, RecvTimeoutError> {
        let samples = self.reports.recv_timeout(within)?;
        self.waiting.fetch_sub(samples.len(), Ordering::Relaxed);
        Ok(samples)
    }
}

fn write(file: &Mutex<File>, queued: &Queued, retention: Duration, metrics: &Metrics) {
    let mut next_sweep = clock::monotonic() + SWEEP;
    loop {
        let idle = next_sweep.saturating_duration_since(clock::monotonic());
        let mut samples = match queued.take(idle) {
            Ok(samples) => samples,
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let deadline = clock::monotonic() + GATHER;
        while samples.len() < MAX_BATCH {
            match queued.take(deadline.saturating_duration_since(clock::monotonic())) {
                Ok(more) => samples.extend(more),
                Err(_) => break,
            }
        }
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if !samples.is_empty() {
            match file.insert(&samples) {
                Ok(new) => metrics.samples_stored(new),
                Err(error) => {
                    metrics.samples_shed(samples.len());
                    tracing::error!(error = &error as &dyn std::error::Error, "telemetry lost");
                }
            }
        }
        if next_sweep <= clock::monotonic() {
            let pause = sweep(&mut file, clock::now().before(retention));
            next_sweep = clock::monotonic() + pause;
        }
    }
}

/// Deletes some of what is older than `before`, and says when to look again: a full chunk means
/// that there is more.
fn sweep(file: &mut File, before: Timestamp) -> Duration {
    match file.delete_before(before, SWEEP_CHUNK) {
        Ok(deleted) if SWEEP_CHUNK <= deleted => Duration::ZERO,
        Ok(_) => SWEEP,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "nothing swept");
            SWEEP
        }
    }
}
