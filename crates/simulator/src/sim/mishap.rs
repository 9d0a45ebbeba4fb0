//! When what goes wrong, drawn from the seed before the run begins.

use std::time::Duration;

use units::Timestamp;

use super::device::Memory;
use super::fault::{Fault, Faults};
use super::island::{MICROGRIDS, Why};
use super::link::Direction;
use super::server::Moment;
use crate::noise::Noise;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mishap {
    /// Nothing comes through these ways.
    Cut {
        devices: Vec<usize>,
        ways: &'static [Direction],
        until: Timestamp,
    },
    Stop {
        device: usize,
        memory: Memory,
        until: Timestamp,
    },
    SetClock {
        device: usize,
        by_ms: i64,
    },
    OptOut {
        device: usize,
        until: Timestamp,
    },
    Inert {
        device: usize,
        until: Timestamp,
    },
    /// Stuck or reversed.
    Meter {
        device: usize,
        fault: Fault,
        until: Timestamp,
    },
    Crash {
        moment: Moment,
        until: Timestamp,
    },
    Island {
        microgrid: usize,
        why: Why,
        until: Timestamp,
    },
}

impl Mishap {
    /// Which fault it is an instance of.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Cut { ways, .. } if ways.len() < 2 => Fault::OneWay,
            Self::Cut { .. } => Fault::Partition,
            Self::Stop {
                memory: Memory::Kept,
                ..
            } => Fault::Reboot,
            Self::Stop { .. } => Fault::Amnesia,
            Self::SetClock { .. } => Fault::Jump,
            Self::OptOut { .. } => Fault::OptOut,
            Self::Inert { .. } => Fault::Inert,
            Self::Meter { fault, .. } => *fault,
            Self::Crash { .. } => Fault::Crash,
            Self::Island { .. } => Fault::Islands,
        }
    }
}

/// Hours of one device, one microgrid, or the server, between two faults of a kind.
const HOURS_BETWEEN: [(Fault, f64); 11] = [
    (Fault::Partition, 8.0),
    (Fault::OneWay, 16.0),
    (Fault::Reboot, 12.0),
    (Fault::Amnesia, 48.0),
    (Fault::Jump, 24.0),
    (Fault::OptOut, 24.0),
    (Fault::Inert, 48.0),
    (Fault::StuckMeter, 48.0),
    (Fault::ReversedMeter, 96.0),
    (Fault::Crash, 1.0),
    (Fault::Islands, 3.0),
];
/// Of partitions, how many cut off a whole area.
const AREA_SHARE: f64 = 0.05;
/// The shortest and longest time that a fault lasts, in seconds.
const LASTS_S: (f64, f64) = (20.0, 5_400.0);
const REBOOT_MAX_S: f64 = 300.0;
const CRASH_MAX_S: f64 = 120.0;
const HOUR_MS: i64 = 3_600_000;

/// All that goes wrong from `from` on among `ders` devices; all of it is over at `to`.
pub(super) fn draw(
    noise: &mut Noise,
    faults: Faults,
    ders: usize,
    (from, to): (Timestamp, Timestamp),
) -> Vec<(Timestamp, Mishap)> {
    let mut drawn = Vec::new();
    let span = to.since(from);
    for (fault, hours) in HOURS_BETWEEN {
        if !faults.has(fault) {
            continue;
        }
        let many = match fault {
            Fault::Crash => 1,
            Fault::Islands => MICROGRIDS,
            _ => ders,
        };
        let mean_s = hours * 3_600.0 / many as f64;
        let mut at_s = 0.0;
        loop {
            at_s += -mean_s * (1.0 - noise.unit()).ln();
            if span.as_secs_f64() <= at_s {
                break;
            }
            let at = from.after(Duration::from_secs_f64(at_s));
            drawn.push((at, mishap(noise, fault, ders, (at, to))));
        }
    }
    drawn
}

fn mishap(
    noise: &mut Noise,
    fault: Fault,
    ders: usize,
    (at, to): (Timestamp, Timestamp),
) -> Mishap {
    let device = below(noise, ders);
    let mut lasts = |most_s: f64| {
        let (least_s, ratio) = (LASTS_S.0, most_s / LASTS_S.0);
        let s = least_s * ratio.powf(noise.unit());
        at.after(Duration::from_secs_f64(s)).min(to)
    };
    match fault {
        Fault::Reboot | Fault::Amnesia => Mishap::Stop {
            device,
            memory: match fault {
                Fault::Reboot => Memory::Kept,
                _ => Memory::Lost,
            },
            until: lasts(REBOOT_MAX_S),
        },
        Fault::Jump => Mishap::SetClock {
            device,
            by_ms: [HOUR_MS, -HOUR_MS][below(noise, 2)],
        },
        Fault::OptOut => Mishap::OptOut {
            device,
            until: lasts(LASTS_S.1),
        },
        Fault::Inert => Mishap::Inert {
            device,
            until: lasts(LASTS_S.1),
        },
        Fault::StuckMeter | Fault::ReversedMeter => Mishap::Meter {
            device,
            fault,
            until: lasts(LASTS_S.1),
        },
        Fault::Crash => Mishap::Crash {
            until: lasts(CRASH_MAX_S),
            moment: [Moment::BeforeCommit, Moment::BeforeAnswers, Moment::Idle][below(noise, 3)],
        },
        Fault::Islands => Mishap::Island {
            until: lasts(LASTS_S.1),
            microgrid: below(noise, MICROGRIDS),
            why: [Why::Planned, Why::Unplanned, Why::Dark][below(noise, 3)],
        },
        _ => {
            let until = lasts(LASTS_S.1);
            let is_area = fault == Fault::Partition && noise.unit() < AREA_SHARE;
            let devices = match is_area {
                true => (0..ders).filter(|_| noise.unit() < 0.5).collect(),
                false => vec![device],
            };
            Mishap::Cut {
                devices,
                ways: match (fault, below(noise, 2)) {
                    (Fault::OneWay, 0) => &[Direction::Up],
                    (Fault::OneWay, _) => &[Direction::Down],
                    _ => &[Direction::Up, Direction::Down],
                },
                until,
            }
        }
    }
}

fn below(noise: &mut Noise, count: usize) -> usize {
    let count = u64::try_from(count.max(1)).unwrap_or(1);
    usize::try_from(noise.bits() % count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_that_is_asked_for_comes_and_is_over_in_time() {
        let (from, to) = (Timestamp::from_secs(1_000), Timestamp::from_secs(400_000));
        let drawn = draw(&mut Noise::new(1), Faults::all(), 30, (from, to));
        for (fault, _) in HOURS_BETWEEN {
            assert!(
                drawn.iter().any(|(_, mishap)| mishap.fault() == fault),
                "{fault}"
            );
        }
        for (at, mishap) in &drawn {
            assert!(from <= *at && *at < to);
            if let Mishap::Cut { until, .. } | Mishap::Crash { until, .. } = mishap {
                assert!(at < until && *until <= to);
            }
        }
        let none = draw(&mut Noise::new(1), Faults::default(), 30, (from, to));
        assert_eq!(none, []);
    }
}
