//! What is to be requested, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use units::Timestamp;

use super::graph::NodeId;
use super::{DeviceIndex, random};

/// Something to request, in the order in which requests of one instant are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    /// The first of the responses that wait in this lane.
    Respond(u8),
    Read(NodeId),
    Subscribe(NodeId),
    /// The first of the subscriptions that are of no interest any more.
    Unsubscribe,
    Register(DeviceIndex),
    ConnectionPoint(DeviceIndex),
    Capability(DeviceIndex),
    Settings(DeviceIndex),
    CreateUsagePoint(DeviceIndex),
    LogEvent(DeviceIndex),
    Status(DeviceIndex),
    Availability(DeviceIndex),
    Readings(DeviceIndex),
}

/// `pollRate` and `postRate` where none is given (the default of the schema for `pollRate`).
pub(super) const RATE_DEFAULT: Duration = Duration::from_secs(900);
pub(super) const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after failures.
pub const RETRY_MAX: Duration = Duration::from_secs(60);
/// The longest wait after refusals, which only somebody at the server can put an end to.
pub const RETRY_REFUSED_MAX: Duration = Duration::from_secs(4 * 3600);
/// The longest wait that a server can ask for with `Retry-After`.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Redirections followed one after another.
pub const MAX_REDIRECTIONS: u8 = 5;
/// Spread of devices that fail together.
const SPREAD_MS: i16 = 500;

#[derive(Clone, Copy, Debug)]
struct Slot {
    due: Timestamp,
    rate: Duration,
    failures: u32,
    is_in_flight: bool,
    /// When it is to be done again, as was asked for while it was under way.
    again_at: Option<Timestamp>,
}

/// Where a job has been sent to instead.
#[derive(Clone, Debug)]
struct Moved {
    href: Arc<str>,
    hops: u8,
    is_permanent: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Schedule {
    seed: u64,
    floor: Duration,
    slots: BTreeMap<Job, Slot>,
    /// Reads and responses by when they are due; they go before what the devices report.
    urgent: BTreeSet<(Timestamp, Job)>,
    reports: BTreeSet<(Timestamp, Job)>,
    moved: BTreeMap<Job, Moved>,
    /// Nothing is sent before, as no answer came or the server asked for time.
    closed_until: Option<Timestamp>,
    losses: u32,
}

impl Schedule {
    pub(super) fn new(seed: u64, floor: Duration) -> Self {
        Self {
            seed,
            floor,
            slots: BTreeMap::new(),
            urgent: BTreeSet::new(),
            reports: BTreeSet::new(),
            moved: BTreeMap::new(),
            closed_until: None,
            losses: 0,
        }
    }

    /// At most `room` jobs that are due, the most urgent first.
    pub(super) fn due(&self, now: Timestamp, room: usize) -> Vec<Job> {
        if self.closed_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let all = self.urgent.iter().take_while(|(due, _)| *due <= now);
        let reports = self.reports.iter().take_while(|(due, _)| *due <= now);
        let all = all.chain(reports);
        all.take(room).map(|(_, job)| *job).collect()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let first = [self.urgent.first(), self.reports.first()];
        let first = first.into_iter().flatten().map(|(due, _)| *due).min()?;
        Some(self.closed_until.map_or(first, |until| first.max(until)))
    }

    pub(super) fn begin(&mut self, job: Job) {
        self.change(job, |slot| slot.is_in_flight = true);
    }

    /// Puts `job` on the schedule, due at once, unless it is there.
    pub(super) fn ensure(&mut self, job: Job, now: Timestamp) {
        if !self.slots.contains_key(&job) {
            let slot = Slot {
                due: now,
                rate: RATE_DEFAULT.max(self.floor),
                failures: 0,
                is_in_flight: false,
                again_at: None,
            };
            self.slots.insert(job, slot);
            self.queue(job).insert((now, job));
        }
    }

    pub(super) fn drop_job(&mut self, job: Job) {
        if let Some(slot) = self.slots.remove(&job) {
            self.queue(job).remove(&(slot.due, job));
        }
        self.moved.remove(&job);
    }

    pub(super) fn has(&self, job: Job) -> bool {
        self.slots.contains_key(&job)
    }

    /// `job` is to be done again after its rate.
    pub(super) fn repeat(&mut self, job: Job, rate: Option<Duration>, now: Timestamp) {
        let rate = rate.unwrap_or(RATE_DEFAULT).max(self.floor);
        let soonest = now.after(self.floor);
        self.settle_move(job);
        self.change(job, |slot| {
            let due = now.after(rate);
            *slot = Slot {
                due: slot.again_at.map_or(due, |at| at.max(soonest).min(due)),
                rate,
                failures: 0,
                is_in_flight: false,
                again_at: None,
            };
        });
    }

    /// `job` needs doing once more right away.
    pub(super) fn again(&mut self, job: Job, now: Timestamp) {
        self.settle_move(job);
        self.change(job, |slot| {
            slot.due = now;
            slot.failures = 0;
            slot.is_in_flight = false;
        });
    }

    /// How often `job` is done.
    pub(super) fn rate(&self, job: Job) -> Option<Duration> {
        self.slots.get(&job).map(|slot| slot.rate)
    }

    /// `job` is tried again later, each time twice as late, up to a minute. Devices that fail
    /// together spread out.
    pub(super) fn failed(&mut self, job: Job, now: Timestamp) {
        self.retry(job, RETRY_MAX, now);
    }

    /// `job` was refused and is likely to be again: as after a failure, but up to hours later.
    pub(super) fn refused(&mut self, job: Job, now: Timestamp) {
        self.retry(job, RETRY_REFUSED_MAX, now);
    }

    fn retry(&mut self, job: Job, wait_max: Duration, now: Timestamp) {
        self.moved.remove(&job);
        let failures = self.slots.get(&job).map_or(0, |slot| slot.failures);
        let due = now.after(self.back_off(failures, wait_max));
        self.change(job, |slot| {
            slot.failures = slot.failures.saturating_add(1);
            slot.is_in_flight = false;
            slot.due = due;
        });
    }

    /// The server is not to be asked for this before `wait` is over.
    pub(super) fn put_off(&mut self, job: Job, wait: Duration, now: Timestamp) {
        self.failed(job, now);
        let spread = self.spread(self.losses);
        let due = now.after(wait.min(MAX_RETRY_AFTER) + spread);
        self.change(job, |slot| slot.due = slot.due.max(due));
    }

    /// A request got no answer: the server is left alone for a while, each time twice as long.
    pub(super) fn lost(&mut self, now: Timestamp) {
        if self.closed_until.is_none_or(|until| until <= now) {
            self.closed_until = Some(now.after(self.back_off(self.losses, RETRY_MAX)));
            self.losses = self.losses.saturating_add(1);
        }
    }

    /// The server wants no request at all for `wait`.
    pub(super) fn close(&mut self, wait: Duration, now: Timestamp) {
        let spread = self.spread(self.losses);
        let until = now.after(wait.min(MAX_RETRY_AFTER) + spread);
        self.closed_until = self.closed_until.max(Some(until));
    }

    /// The server answers.
    pub(super) fn heard(&mut self) {
        self.losses = 0;
    }

    /// Does `job` again within `delay`, unless it failed and waits for its next try. What is under
    /// way is done once more afterwards.
    pub(super) fn hasten(&mut self, job: Job, delay: Duration, now: Timestamp) {
        self.change(job, |slot| {
            let at = now.after(delay);
            if slot.is_in_flight {
                slot.again_at = Some(slot.again_at.map_or(at, |before| before.min(at)));
            } else if slot.failures == 0 {
                slot.due = slot.due.min(at);
            }
        });
    }

    pub(super) fn is_in_flight(&self, job: Job) -> bool {
        self.slots.get(&job).is_some_and(|slot| slot.is_in_flight)
    }

    /// Sends `job` to another address, as the redirection `status` says. Whether it was redirected less often than the limit.
    pub(super) fn redirect(
        &mut self,
        job: Job,
        href: Arc<str>,
        status: u16,
        now: Timestamp,
    ) -> bool {
        let hops = self.moved.get(&job).map_or(0, |moved| moved.hops);
        if !self.has(job) || MAX_REDIRECTIONS <= hops {
            return false;
        }
        let is_permanent = matches!(status, 301 | 308);
        let moved = Moved {
            href,
            hops: hops + 1,
            is_permanent: is_permanent && self.moved.get(&job).is_none_or(|it| it.is_permanent),
        };
        self.moved.insert(job, moved);
        self.change(job, |slot| {
            slot.due = now;
            slot.is_in_flight = false;
        });
        true
    }

    /// Where `job` was redirected to.
    pub(super) fn moved(&self, job: Job) -> Option<&Arc<str>> {
        self.moved.get(&job).map(|moved| &moved.href)
    }

    /// After an answer, only a permanent redirection is kept.
    fn settle_move(&mut self, job: Job) {
        if let Some(moved) = self.moved.get_mut(&job) {
            moved.hops = 0;
            if !moved.is_permanent {
                self.moved.remove(&job);
            }
        }
    }

    fn back_off(&self, failures: u32, wait_max: Duration) -> Duration {
        let doubled = RETRY_FIRST.saturating_mul(1 << failures.min(16));
        doubled.min(wait_max) + self.spread(failures)
    }

    fn spread(&self, failures: u32) -> Duration {
        let spread_ms = random::within(self.seed, failures.into(), SPREAD_MS);
        Duration::from_millis(spread_ms.unsigned_abs())
    }

    fn queue(&mut self, job: Job) -> &mut BTreeSet<(Timestamp, Job)> {
        match job {
            Job::Respond(_) | Job::Read(_) | Job::Subscribe(_) | Job::Register(_) => {
                &mut self.urgent
            }
            _ => &mut self.reports,
        }
    }

    /// Changes a slot and keeps the queues in step: what is in flight is in none.
    fn change(&mut self, job: Job, change: impl FnOnce(&mut Slot)) {
        let Some(slot) = self.slots.get_mut(&job) else {
            return;
        };
        let before = *slot;
        change(slot);
        let after = *slot;
        let queue = self.queue(job);
        queue.remove(&(before.due, job));
        if !after.is_in_flight {
            queue.insert((after.due, job));
        }
    }
}
