//! What goes wrong, and its end.

use units::Timestamp;

use super::{Happening, Mend, Run};
use crate::sim::device::Meter;
use crate::sim::fault::Fault;
use crate::sim::island::Island;
use crate::sim::mishap::Mishap;
use crate::sim::server::{Moment, TICK};

impl Run {
    pub(super) fn mishap(&mut self, mishap: Mishap) {
        if !matches!(mishap, Mishap::Crash { .. }) {
            self.counts.add(mishap.fault());
            self.trace.tell(self.now, format_args!("fault: {mishap:?}"));
        }
        let sun = self.sun();
        let (mend, until) = match mishap {
            Mishap::Cut {
                devices,
                ways,
                until,
            } => {
                for index in &devices {
                    ways.iter()
                        .for_each(|way| self.links[*index].cut(*way, until));
                    self.clearance(*index);
                }
                (Mend::Whole(devices), until)
            }
            Mishap::Stop {
                device,
                memory,
                until,
            } => {
                if !self.devices[device].is_on() {
                    return;
                }
                self.devices[device].stop(sun, self.now);
                self.clearance(device);
                (Mend::Start(device, memory), until)
            }
            Mishap::SetClock { device, by_ms } => {
                return self.set_clock(device, by_ms);
            }
            Mishap::OptOut { device, until } => {
                self.devices[device].opt_out(self.now);
                self.wake(device);
                (Mend::OptIn(device), until)
            }
            Mishap::Inert { device, until } => {
                self.devices[device].is_inert = true;
                (Mend::Heed(device), until)
            }
            Mishap::Meter {
                device,
                fault,
                until,
            } => {
                self.devices[device].meter = match fault {
                    Fault::StuckMeter => Meter::Stuck(self.devices[device].output),
                    _ => Meter::Reversed,
                };
                (Mend::Meter(device), until)
            }
            Mishap::Island {
                microgrid,
                why,
                until,
            } => {
                return self.leave(microgrid, Island::new(why, self.now, until));
            }
            Mishap::Crash {
                moment: Moment::Idle,
                until,
            } => return self.crashed(until),
            Mishap::Crash { moment, until } => {
                self.crash = Some((moment, until));
                return self.soon();
            }
        };
        self.queue.push(until, Happening::Mend(mend));
    }

    fn set_clock(&mut self, device: usize, by_ms: i64) {
        if self.devices[device].is_on() {
            self.devices[device].set_clock(by_ms);
            self.devices[device].horizon.impair(self.now);
            self.clearance(device);
            self.wake(device);
        }
    }

    /// A microgrid leaves the grid, unless it is off it already.
    fn leave(&mut self, microgrid: usize, island: Island) {
        self.islands[microgrid].get_or_insert(island);
        self.island(microgrid);
    }

    pub(super) fn mend(&mut self, mend: Mend) {
        match mend {
            Mend::Whole(devices) => devices.into_iter().for_each(|index| self.clearance(index)),
            Mend::Start(index, memory) => {
                self.devices[index].start(memory, self.now);
                self.clearance(index);
                self.wake(index);
            }
            Mend::OptIn(index) => {
                self.devices[index].opt_in(self.now);
                self.wake(index);
            }
            Mend::Heed(index) => {
                self.devices[index].is_inert = false;
                self.devices[index].heeds_since = self.now;
            }
            Mend::Meter(index) => self.devices[index].meter = Meter::Honest,
            Mend::Restart => {
                self.server.start(self.now);
                self.trace.tell(self.now, format_args!("the server is up"));
                (0..self.devices.len()).for_each(|index| self.clearance(index));
                let (durable, devices) = (&self.server.durable, &self.devices);
                let verdict = self.watch.restarted(self.server.store(), durable, devices);
                self.judge(verdict);
            }
        }
    }

    /// The server is down until then. What it has served until now has to be what is stored, unless
    /// the crash came between a commit and its publication.
    pub(super) fn crashed(&mut self, until: Timestamp) {
        let was_idle = self.server.is_up();
        self.server.crash();
        self.wishes.clear();
        self.counts.add(Fault::Crash);
        self.trace
            .tell(self.now, format_args!("fault: the server is killed"));
        if was_idle {
            let verdict = self
                .watch
                .replays(self.server.store(), &self.server.durable);
            self.judge(verdict);
        }
        (0..self.devices.len()).for_each(|index| self.clearance(index));
        let until = until.max(self.now.after(TICK));
        self.queue.push(until, Happening::Mend(Mend::Restart));
    }

    /// Notes whether anything stands between a device and the server.
    pub(super) fn clearance(&mut self, index: usize) {
        let is_whole = self.links[index].whole_at() <= self.now;
        let device = &mut self.devices[index];
        if is_whole && device.is_on() && self.server.is_up() {
            device.horizon.clear(self.now);
        } else {
            device.horizon.impair(self.now);
        }
    }
}
