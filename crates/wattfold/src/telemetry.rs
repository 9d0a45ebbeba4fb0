//! Telemetry: a bounded queue, one thread that writes in batches, and readers of their own.

mod allowance;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use fleet::DerId;
use ieee2030_5::translate::metering::{Measurement, Point, Quantity as Measured};
use store::OpenError;
use store::telemetry::{Inserted, Kept, Quantity, Sample, Telemetry as File, TelemetryError};
use units::{Interval, Timestamp};

use crate::clock;
use crate::metrics::Metrics;

pub use allowance::{MAX_BURST, MAX_CLIENT_BURST, MAX_CLIENT_POSTS_PER_S, POSTS_PER_S};

pub(crate) use allowance::Allowances;

/// Samples that may wait to be written; what comes beyond is not taken in.
pub const MAX_WAITING_SAMPLES: usize = 200_000;
/// Places that a report takes at least, however few its samples.
const MIN_PLACES: usize = 4;
/// Reports that may wait.
const MAX_WAITING_REPORTS: usize = MAX_WAITING_SAMPLES / MIN_PLACES;
/// Samples written in one transaction at most.
const MAX_BATCH: usize = 20_000;
/// How long a sample waits for others to share a transaction with.
const GATHER: Duration = Duration::from_millis(200);
/// Pause before what could not be written is written again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether all is written.
const LOOK: Duration = Duration::from_millis(10);
/// How often old samples are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// Old samples rolled up at one time, so that writing need not wait.
const SWEEP_CHUNK: usize = 20_000;

/// The handle: record and query.
#[derive(Clone)]
pub struct Telemetry {
    queue: SyncSender<Report>,
    /// Places that are taken.
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
    readers: Readers,
    writer: Arc<JoinHandle<()>>,
    /// Nothing more will be recorded.
    closing: Arc<AtomicBool>,
    /// The file or database, for people.
    place: String,
    retention: Retention,
}

/// How long telemetry is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Samples.
    pub samples: Duration,
    /// Roll-ups, in the order of [`store::telemetry::Resolution::ALL`].
    pub rollups: [Duration; 3],
}

impl Retention {
    /// Everything for ever.
    pub const EVER: Self = Self {
        samples: Duration::MAX,
        rollups: [Duration::MAX; 3],
    };

    fn kept(&self, now: Timestamp) -> Kept {
        Kept {
            samples: now.before(self.samples),
            rollups: self.rollups.map(|time| now.before(time)),
        }
    }
}

/// Where queries read.
#[derive(Clone)]
enum Readers {
    /// A connection of its own for each query.
    Directory(PathBuf),
    /// One for all, in turns: that which writes, for a node without files, or one of its own.
    Shared(Arc<Mutex<File>>),
}

/// Samples of one DER with their places in the queue, which are free again when it is dropped.
#[derive(Debug, Default)]
pub struct Report {
    samples: Vec<Sample>,
    places: usize,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Report {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.places, Ordering::Relaxed);
    }
}

impl Telemetry {
    /// Opens the telemetry of `directory` and starts its thread.
    ///
    /// # Errors
    /// [`OpenError`] when the file can't be used.
    pub fn open(
        directory: &Path,
        retention: Retention,
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

    /// Opens the telemetry of the database at `address` and starts its thread.
    ///
    /// # Errors
    /// [`OpenError`] when the server can't be reached.
    pub fn connect(
        address: &store::Address,
        retention: Retention,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let writer = Arc::new(Mutex::new(File::connect(address)?));
        let reader = Arc::new(Mutex::new(File::connect(address)?));
        let readers = Readers::Shared(reader);
        Ok(Self::start(&writer, readers, retention, metrics))
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
            Retention::EVER,
            metrics,
        ))
    }

    fn start(
        file: &Arc<Mutex<File>>,
        readers: Readers,
        retention: Retention,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (queue, reports) = sync_channel(MAX_WAITING_REPORTS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let closing = Arc::new(AtomicBool::new(false));
        let place = {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.place().to_owned()
        };
        let writer = Writing {
            file: Arc::clone(file),
            reports,
            closing: Arc::clone(&closing),
            metrics: Arc::clone(&metrics),
        };
        Self {
            queue,
            waiting,
            metrics,
            readers,
            writer: Arc::new(std::thread::spawn(move || writer.run(retention))),
            closing,
            place,
            retention,
        }
    }

    /// The file or database that samples are in, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Writes what was taken in and ends the thread; nothing is recorded afterwards. What the file
    /// does not take within this time is lost, and counted.
    pub async fn close(&self, within: Duration) {
        self.closing.store(true, Ordering::Relaxed);
        if self.queue.try_send(Report::default()).is_err() {
            tracing::debug!("the writer of telemetry is awake");
        }
        let deadline = clock::monotonic() + within;
        while !self.writer.is_finished() && clock::monotonic() < deadline {
            tokio::time::sleep(LOOK).await;
        }
        let lost = self.waiting.load(Ordering::Relaxed);
        if !self.writer.is_finished() && lost != 0 {
            self.metrics.samples_shed(lost);
            tracing::error!(lost, place = self.place, "telemetry lost");
        }
    }

    /// How long telemetry is kept.
    #[must_use]
    pub const fn retention(&self) -> Retention {
        self.retention
    }

    /// Takes places for what `der` measured at its terminals; `None` when there are too few. What
    /// has no place must not be acknowledged.
    #[must_use]
    pub fn reserve(&self, der: DerId, measurements: &[Measurement]) -> Option<Report> {
        let samples = samples(der, measurements);
        if samples.is_empty() {
            return Some(Report::default());
        }
        let places = samples.len().max(MIN_PLACES);
        let taken = places + self.waiting.fetch_add(places, Ordering::Relaxed);
        let report = Report {
            samples,
            places,
            waiting: Arc::clone(&self.waiting),
        };
        (taken <= MAX_WAITING_SAMPLES).then_some(report)
    }

    /// Queues a report to be written; this never waits, so that telemetry holds up no control.
    pub fn record(&self, report: Report) {
        if report.samples.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(lost) | TrySendError::Disconnected(lost)) =
            self.queue.try_send(report)
        {
            self.metrics.samples_shed(lost.samples.len());
            tracing::error!(lost = lost.samples.len(), "nobody writes telemetry");
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

/// What is kept of what `der` measured at its terminals.
#[must_use]
pub fn samples(der: DerId, measurements: &[Measurement]) -> Vec<Sample> {
    let own = measurements.iter().filter(|m| m.point == Point::Der);
    own.filter_map(|m| sample(der, m)).collect()
}

fn sample(der: DerId, measurement: &Measurement) -> Option<Sample> {
    let quantity = match measurement.quantity {
        Measured::ActivePower => Quantity::P,
        Measured::ReactivePower => Quantity::Q,
        Measured::Voltage => Quantity::Voltage,
        Measured::StateOfCharge => Quantity::Soc,
        Measured::AvailablePower => Quantity::PAvailable,
        Measured::EnergyInjected => Quantity::EnergyInjected,
        Measured::EnergyAbsorbed => Quantity::EnergyAbsorbed,
        Measured::Frequency => Quantity::Frequency,
        Measured::Connected | Measured::EnergyRequested | Measured::ChargeNeededBy => return None,
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
        Quantity::EnergyInjected => Measured::EnergyInjected,
        Quantity::EnergyAbsorbed => Measured::EnergyAbsorbed,
        Quantity::Frequency => Measured::Frequency,
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

/// What the thread that writes has.
struct Writing {
    file: Arc<Mutex<File>>,
    reports: Receiver<Report>,
    closing: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
}

impl Writing {
    fn run(self, retention: Retention) {
        let mut next_sweep = clock::monotonic() + SWEEP;
        while let Some(taken) = self.take(next_sweep) {
            self.insert(&taken);
            if next_sweep <= clock::monotonic() {
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                let pause = sweep(&mut file, &retention.kept(clock::now()));
                next_sweep = clock::monotonic() + pause;
            }
        }
    }

    /// Waits for reports, until then at most; `None` when there will be no more.
    fn take(&self, until: clock::Monotonic) -> Option<Vec<Report>> {
        let idle = until.saturating_duration_since(clock::monotonic());
        let is_closing = self.closing.load(Ordering::Relaxed);
        let mut taken = match self.reports.try_recv() {
            Ok(report) => vec![report],
            Err(_) if is_closing => return None,
            Err(_) => match self.reports.recv_timeout(idle) {
                Ok(report) => vec![report],
                Err(RecvTimeoutError::Timeout) => return Some(Vec::new()),
                Err(RecvTimeoutError::Disconnected) => return None,
            },
        };
        let deadline = clock::monotonic() + GATHER;
        let mut count: usize = taken.iter().map(|report| report.samples.len()).sum();
        while count < MAX_BATCH {
            let left = deadline.saturating_duration_since(clock::monotonic());
            let Ok(more) = self.reports.recv_timeout(left) else {
                break;
            };
            count += more.samples.len();
            taken.push(more);
        }
        Some(taken)
    }

    /// Writes what was acknowledged, however long the file refuses. Meanwhile its places stay taken,
    /// so that no more is taken in than there is memory for.
    fn insert(&self, reports: &[Report]) {
        let samples = reports.iter().flat_map(|report| &report.samples).copied();
        let samples: Vec<Sample> = samples.collect();
        if samples.is_empty() {
            return;
        }
        loop {
            let (inserted, place) = {
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                (file.insert(&samples), file.place().to_owned())
            };
            let error = match inserted {
                Ok(inserted) => return count(inserted, &self.metrics),
                Err(error) => error,
            };
            let cause: &dyn std::error::Error = &error;
            if !matches!(error, TelemetryError::Storage(_)) {
                self.metrics.samples_shed(samples.len());
                return tracing::error!(error = cause, "telemetry lost");
            }
            let waiting = samples.len();
            tracing::error!(
                error = cause,
                place,
                waiting,
                "telemetry waits to be written"
            );
            std::thread::park_timeout(RETRY_PAUSE);
        }
    }
}

fn count(inserted: Inserted, metrics: &Metrics) {
    let Inserted { new, too_old } = inserted;
    metrics.samples_stored(new);
    if 0 < too_old {
        metrics.samples_too_old(too_old);
        tracing::warn!(too_old, "readings are older than telemetry is kept");
    }
}

/// Retires some of what is kept no longer, and says when to look again: at once when there may be
/// more.
fn sweep(file: &mut File, kept: &Kept) -> Duration {
    match file.retire(kept, SWEEP_CHUNK) {
        Ok(0) => SWEEP,
        Ok(_) => Duration::ZERO,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "nothing swept");
            SWEEP
        }
    }
}
