//! Randomness from a seed: the same seed tells the same story.

/// A sequence of numbers that pass for random.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    state: u64,
}

impl Noise {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A seed for the `index`th part of what this seed is for.
    #[must_use]
    pub fn fork(seed: u64, index: usize) -> Self {
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        Self {
            state: mixed(seed ^ mixed(index)),
        }
    }

    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.state)
    }

    /// From 0 to below 1, evenly.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` to below `high`, evenly.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Near zero with a spread of one: the sum of twelve draws, which is close to normal and never
    /// beyond six.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// The output function of `SplitMix64`.
fn mixed(input: u64) -> u64 {
    let mut z = input;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A value that wanders around zero and always returns.
#[derive(Clone, Copy, Debug)]
pub struct Wander {
    noise: Noise,
    value: f64,
    spread: f64,
    memory_s: f64,
}

impl Wander {
    /// `spread` is the standard deviation, `memory_s` how long a deviation lasts.
    #[must_use]
    pub fn new(noise: Noise, spread: f64, memory_s: f64) -> Self {
        Self {
            noise,
            value: 0.0,
            spread,
            memory_s,
        }
    }

    pub fn step(&mut self, dt_s: f64) -> f64 {
        let kept = (-dt_s / self.memory_s).exp();
        let fresh = (1.0 - kept * kept).max(0.0).sqrt();
        self.value = self.value * kept + self.spread * fresh * self.noise.normal();
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::{Noise, Wander};

    #[test]
    fn a_seed_repeats_itself_and_no_other() {
        let draw = |seed| {
            let mut noise = Noise::new(seed);
            (0..8).map(|_| noise.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn a_wander_keeps_its_spread_whatever_the_step() {
        for dt_s in [0.1, 1.0, 30.0] {
            let mut wander = Wander::new(Noise::new(3), 0.05, 20.0);
            let values: Vec<f64> = (0..20_000).map(|_| wander.step(dt_s)).collect();
            let square = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
            assert!((0.035..0.065).contains(&square.sqrt()), "{}", square.sqrt());
        }
    }
}
