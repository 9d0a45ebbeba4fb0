//! What is to be requested, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use units::Timestamp;

use super::random;

/// A resource that is read again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    DeviceCapability,
    Time,
    EndDevices,
    Registration,
    Ders,
    Assignments,
    Programs,
    DefaultControl(u128),
    Controls(u128),
    UsagePoint,
}

/// Something to request, in the order in which requests of one instant are made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    Read(Resource, String),
    Respond,
    Register,
    Capability,
    Settings,
    Status,
    Availability,
    CreateUsagePoint,
    Readings,
}

/// `pollRate` and `postRate` where none is given (the default of the schema for `pollRate`).
pub(super) const RATE_DEFAULT: Duration = Duration::from_secs(900);
pub(super) const RETRY_FIRST: Duration = Duration::from_secs(1);
pub(super) const RETRY_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Slot {
    due: Timestamp,
    rate: Duration,
    failures: u32,
    is_in_flight: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Schedule {
    seed: u64,
    floor: Duration,
    slots: BTreeMap<Job, Slot>,
}

impl Schedule {
    pub(super) fn new(seed: u64, floor: Duration) -> Self {
        Self {
            seed,
            floor,
            slots: BTreeMap::new(),
        }
    }

    pub(super) fn due(&self, now: Timestamp) -> Vec<Job> {
        let due = self
            .slots
            .iter()
            .filter(|(_, slot)| !slot.is_in_flight && slot.due <= now);
        due.map(|(job, _)| job.clone()).collect()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let waiting = self.slots.values().filter(|slot| !slot.is_in_flight);
        waiting.map(|slot| slot.due).min()
    }

    pub(super) fn begin(&mut self, job: &Job) {
        if let Some(slot) = self.slots.get_mut(job) {
            slot.is_in_flight = true;
        }
    }

    /// Puts `job` on the schedule, due at once, unless it is there.
    pub(super) fn ensure(&mut self, job: &Job, now: Timestamp) {
        let slot = Slot {
            due: now,
            rate: RATE_DEFAULT,
            failures: 0,
            is_in_flight: false,
        };
        self.slots.entry(job.clone()).or_insert(slot);
    }

    pub(super) fn drop_job(&mut self, job: &Job) {
        self.slots.remove(job);
    }

    /// `job` is to be done again after its rate.
    pub(super) fn repeat(&mut self, job: &Job, rate: Option<Duration>, now: Timestamp) {
        let floor = self.floor;
        if let Some(slot) = self.slots.get_mut(job) {
            let rate = rate.unwrap_or(RATE_DEFAULT).max(floor);
            *slot = Slot {
                due: now.after(rate),
                rate,
                failures: 0,
                is_in_flight: false,
            };
        }
    }

    /// `job` needs doing once more right away.
    pub(super) fn again(&mut self, job: &Job, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(job) {
            *slot = Slot {
                due: now,
                failures: 0,
                is_in_flight: false,
                ..*slot
            };
        }
    }

    /// How often `job` is done.
    pub(super) fn rate(&self, job: &Job) -> Option<Duration> {
        self.slots.get(job).map(|slot| slot.rate)
    }

    /// How often `resource` is read, at whichever of its addresses is read most often.
    pub(super) fn rate_of(&self, resource: Resource) -> Option<Duration> {
        let reads = self
            .slots
            .iter()
            .filter(|(job, _)| is_read_of(job, resource));
        reads.map(|(_, slot)| slot.rate).min()
    }

    /// `job` is tried again later, each time twice as late, up to a minute. Devices that fail
    /// together spread out.
    pub(super) fn failed(&mut self, job: &Job, now: Timestamp) {
        let seed = self.seed;
        if let Some(slot) = self.slots.get_mut(job) {
            let doubled = RETRY_FIRST.saturating_mul(1 << slot.failures.min(16));
            let spread_ms = random::within(seed, u128::from(slot.failures), Some(500));
            let spread = Duration::from_millis(spread_ms.unsigned_abs());
            slot.failures += 1;
            slot.is_in_flight = false;
            slot.due = now.after(doubled.min(RETRY_MAX) + spread);
        }
    }

    /// Reads `resource` at exactly the addresses `hrefs`, new ones at once.
    pub(super) fn track(&mut self, resource: Resource, hrefs: &[String], now: Timestamp) {
        self.slots.retain(|job, _| match job {
            Job::Read(tracked, href) => *tracked != resource || hrefs.contains(href),
            _ => true,
        });
        for href in hrefs {
            self.ensure(&Job::Read(resource, href.clone()), now);
        }
    }

    pub(super) fn untrack(&mut self, resource: Resource) {
        self.track(resource, &[], Timestamp::default());
    }

    /// Forgets the controls and default controls of programmes that `is_assigned` denies.
    pub(super) fn keep_programs(&mut self, is_assigned: impl Fn(u128) -> bool) {
        self.slots.retain(|job, _| match job {
            Job::Read(Resource::Controls(program) | Resource::DefaultControl(program), _) => {
                is_assigned(*program)
            }
            _ => true,
        });
    }

    /// Reads `resource` again within `delay`, unless it failed and waits for its next try.
    pub(super) fn hasten(&mut self, resource: Resource, delay: Duration, now: Timestamp) {
        let reads = self
            .slots
            .iter_mut()
            .filter(|(job, _)| is_read_of(job, resource));
        for (_, slot) in reads.filter(|(_, slot)| slot.failures == 0) {
            slot.due = slot.due.min(now.after(delay));
        }
    }

    pub(super) fn move_read(&mut self, resource: Resource, from: &str, to: String, now: Timestamp) {
        let old = Job::Read(resource, from.to_owned());
        let Some(mut slot) = self.slots.remove(&old) else {
            return;
        };
        // Redirections count as failures, so that a circle of them slows down.
        let new = Job::Read(resource, to);
        slot.is_in_flight = false;
        let failures = slot.failures;
        self.slots.insert(new.clone(), slot);
        match failures {
            0 => {
                self.again(&new, now);
                self.slots.entry(new).and_modify(|slot| slot.failures = 1);
            }
            _ => self.failed(&new, now),
        }
    }
}

fn is_read_of(job: &Job, resource: Resource) -> bool {
    matches!(job, Job::Read(read, _) if *read == resource)
}
