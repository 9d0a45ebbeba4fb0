//! The way between a device and the server.

use std::time::Duration;

use units::Timestamp;

use super::fault::{Counts, Fault, Faults};
use crate::noise::Noise;

/// How long a device waits for an answer, as `wattfold der2030` does.
pub(super) const TIMEOUT: Duration = wattfold::der2030::link::EXCHANGE_MAX;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the device.
    Up,
    /// To the device.
    Down,
}

/// One device's way to the server and back.
#[derive(Clone, Debug)]
pub(super) struct Link {
    noise: Noise,
    /// Shortest time one way, and how much longer it may take, milliseconds.
    latency_ms: (f64, f64),
    /// Probabilities of each message.
    loss: f64,
    duplication: f64,
    reordering: f64,
    /// Nothing comes through before.
    cut_up: Timestamp,
    cut_down: Timestamp,
}

impl Link {
    pub(super) fn new(mut noise: Noise, faults: Faults) -> Self {
        let mut if_faulty = |fault, most: f64| {
            let drawn = noise.between(0.0, most);
            if faults.has(fault) { drawn } else { 0.0 }
        };
        let loss = if_faulty(Fault::Loss, 0.05);
        let duplication = if_faulty(Fault::Duplication, 0.05);
        let reordering = if_faulty(Fault::Reordering, 0.1);
        let latency_ms = (noise.between(5.0, 80.0), noise.between(5.0, 300.0));
        Self {
            noise,
            latency_ms,
            loss,
            duplication,
            reordering,
            cut_up: Timestamp::default(),
            cut_down: Timestamp::default(),
        }
    }

    /// Cuts one way until then.
    pub(super) fn cut(&mut self, direction: Direction, until: Timestamp) {
        let cut = self.cut_of(direction);
        *cut = until.max(*cut);
    }

    fn cut_of(&mut self, direction: Direction) -> &mut Timestamp {
        match direction {
            Direction::Up => &mut self.cut_up,
            Direction::Down => &mut self.cut_down,
        }
    }

    /// When it is whole again; not after `now` if it is whole.
    pub(super) fn whole_at(&self) -> Timestamp {
        self.cut_up.max(self.cut_down)
    }

    /// When a message sent at `now` arrives: not at all, once or twice.
    pub(super) fn carry(
        &mut self,
        direction: Direction,
        now: Timestamp,
        counts: &mut Counts,
    ) -> Vec<Timestamp> {
        if now < *self.cut_of(direction) {
            return Vec::new();
        }
        if self.noise.unit() < self.loss {
            counts.add(Fault::Loss);
            return Vec::new();
        }
        let mut arrivals = vec![self.arrival(now, counts)];
        if direction == Direction::Up && self.noise.unit() < self.duplication {
            counts.add(Fault::Duplication);
            arrivals.push(self.arrival(now, counts));
        }
        arrivals
    }

    fn arrival(&mut self, now: Timestamp, counts: &mut Counts) -> Timestamp {
        let (least, spread) = self.latency_ms;
        let mut ms = least + spread * self.noise.unit();
        if self.noise.unit() < self.reordering {
            counts.add(Fault::Reordering);
            ms += self.noise.between(0.0, 6_000.0);
        }
        now.after(millis(ms))
    }
}

/// So many milliseconds; none where it is negative.
pub(super) fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64((ms / 1_000.0).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    #[test]
    fn a_link_without_faults_carries_everything_once() {
        let mut counts = Counts::default();
        for seed in 0..50 {
            let mut link = Link::new(Noise::new(seed), Faults::default());
            let arrivals = link.carry(Direction::Up, NOW, &mut counts);
            assert_eq!(arrivals.len(), 1);
            assert!(NOW < arrivals[0] && arrivals[0] < NOW.after(Duration::from_secs(1)));
        }
        assert_eq!(counts, Counts::default());
    }

    #[test]
    fn a_faulty_link_loses_doubles_and_reorders() {
        let mut counts = Counts::default();
        let mut lengths = [0; 3];
        for seed in 0..50 {
            let mut link = Link::new(Noise::new(seed), Faults::all());
            for _ in 0..100 {
                lengths[link.carry(Direction::Up, NOW, &mut counts).len()] += 1;
            }
        }
        assert!(lengths.iter().all(|count| 20 < *count), "{lengths:?}");
        assert!(20 < counts.of(Fault::Reordering));
    }

    #[test]
    fn a_cut_may_be_one_way() {
        let mut counts = Counts::default();
        let mut link = Link::new(Noise::new(1), Faults::default());
        let until = NOW.after(Duration::from_secs(10));
        link.cut(Direction::Down, until);
        assert_eq!(link.carry(Direction::Up, NOW, &mut counts).len(), 1);
        assert!(link.carry(Direction::Down, NOW, &mut counts).is_empty());
        assert_eq!(link.whole_at(), until);
        assert_eq!(link.carry(Direction::Down, until, &mut counts).len(), 1);
    }
}
