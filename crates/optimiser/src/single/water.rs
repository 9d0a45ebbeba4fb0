//! Water-filling and its closed-form relative.

use super::{NoShares, Ranges, Shares, all_finite, all_positive, settle};

/// Passes of Newton's method until bisection takes over.
const MAX_NEWTON: u32 = 60;
/// Every n-th unit that the first guess is made from.
const STRIDE: usize = 64;
/// Fewer units than this are not worth a guess.
const GUESSED: usize = 4_096;
/// Residual of the demand, relative to the sum of magnitudes, that rounding explains.
const ROUNDING: f64 = 1e-13;

/// Least `Σ w_i (p_i - r_i)² / 2`: `p_i = clip(r_i + λ / w_i, lo_i, hi_i)`.
///
/// `Σ p_i(λ)` is monotone and piecewise linear in `λ`; Newton's step on the slope `Σ 1/w_i` over
/// units inside their range is exact on the right piece, and a bracket keeps it from leaving. The
/// first guess is the multiplier of every 64th unit. The preference may lie outside the range.
///
/// # Errors
///
/// When a number is outside its range or the demand out of reach.
pub fn water_filling(
    demand_w: f64,
    ranges: Ranges<'_>,
    preferred_w: &[f64],
    weight: &[f64],
) -> Result<Shares, NoShares> {
    let (least, most) = ranges.check(demand_w, &[preferred_w, weight])?;
    let well = Well {
        ranges,
        preferred_w,
        weight,
        scale_w: least.abs() + most.abs(),
    };
    if ranges.units() == 0 {
        let p_w = Vec::new();
        return Ok(Shares {
            p_w,
            multiplier: 0.0,
        });
    }
    let guess = if ranges.units() < GUESSED {
        0.0
    } else {
        well.guess(demand_w)
    };
    let multiplier = well.newton(demand_w, guess, 1)?;
    let mut p_w = Vec::with_capacity(ranges.units());
    let mut sum = 0.0;
    for i in 0..ranges.units() {
        let p = well.at(i, multiplier);
        sum += p;
        p_w.push(p);
    }
    settle(ranges, demand_w, &mut p_w, sum);
    Ok(Shares { p_w, multiplier })
}

struct Well<'a> {
    ranges: Ranges<'a>,
    preferred_w: &'a [f64],
    weight: &'a [f64],
    scale_w: f64,
}

/// `Σ p(λ)`, its slope, and the number of units that are inside their range.
struct Level {
    sum: f64,
    slope: f64,
    /// Turns into something that is no number when a preference or weight is none.
    sound: f64,
}

impl Well<'_> {
    fn at(&self, i: usize, multiplier: f64) -> f64 {
        (self.preferred_w[i] + multiplier / self.weight[i])
            .max(self.ranges.lo_w[i])
            .min(self.ranges.hi_w[i])
    }

    fn level(&self, multiplier: f64, stride: usize) -> Level {
        let mut level = Level {
            sum: 0.0,
            slope: 0.0,
            sound: 0.0,
        };
        let ranges = self
            .ranges
            .lo_w
            .iter()
            .zip(self.ranges.hi_w)
            .step_by(stride);
        let wishes = self.preferred_w.iter().zip(self.weight).step_by(stride);
        for ((lo, hi), (preferred, weight)) in ranges.zip(wishes) {
            let softness = 1.0 / weight;
            let wanted = preferred + multiplier * softness;
            let p = wanted.max(*lo).min(*hi);
            level.sum += p;
            level.slope += if *lo < wanted && wanted < *hi {
                softness
            } else {
                0.0
            };
            level.sound += preferred * 0.0 + softness.sqrt() * 0.0;
        }
        level
    }

    fn guess(&self, demand_w: f64) -> f64 {
        let units = self.ranges.units() as f64;
        let sampled = units / units.div_euclid(STRIDE as f64).max(1.0);
        self.newton(demand_w / sampled, 0.0, STRIDE).unwrap_or(0.0)
    }

    /// The multiplier at which the sum over every `stride`-th unit is the demand.
    fn newton(&self, demand_w: f64, guess: f64, stride: usize) -> Result<f64, NoShares> {
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        let mut multiplier = guess;
        let mut reach = 1.0;
        for _ in 0..MAX_NEWTON {
            let level = self.level(multiplier, stride);
            if !(level.sound == 0.0) {
                all_finite(self.preferred_w)?;
                all_positive(self.weight)?;
            }
            let missing = demand_w - level.sum;
            if missing.abs() <= ROUNDING * self.scale_w {
                break;
            }
            if 0.0 < missing {
                low = multiplier;
            } else {
                high = multiplier;
            }
            let step = multiplier + missing / level.slope;
            multiplier = if low < step && step < high {
                step
            } else if low.is_finite() && high.is_finite() {
                f64::midpoint(low, high)
            } else {
                // Nobody is inside its range on this side yet: go on, ever further.
                reach *= 16.0;
                let softest = self.softest();
                multiplier + missing.signum() * reach * self.scale_w.max(1.0) / softest * 1e-6
            };
            // No number is left between the bracket's ends.
            if !(low < multiplier && multiplier < high) {
                break;
            }
        }
        Ok(multiplier)
    }

    /// A typical `1 / w`.
    fn softest(&self) -> f64 {
        1.0 / self.weight.first().copied().unwrap_or(1.0)
    }
}

/// Every unit goes the same share of the way from its preference to its bound.
///
/// `p_i = r_i + s (hi_i - r_i)`, or `r_i + s (r_i - lo_i)` with a negative `s`. The share is the
/// multiplier. Preferences outside the range count as the bound that is nearest.
///
/// # Errors
///
/// When a number is outside its range or the demand out of reach.
pub fn headroom(
    demand_w: f64,
    ranges: Ranges<'_>,
    preferred_w: &[f64],
) -> Result<Shares, NoShares> {
    let (least, most) = ranges.check(demand_w, &[preferred_w])?;
    all_finite(preferred_w)?;
    let wished = |i: usize| preferred_w[i].clamp(ranges.lo_w[i], ranges.hi_w[i]);
    let base: f64 = (0..ranges.units()).map(wished).sum();
    let missing = demand_w - base;
    let room = if missing < 0.0 {
        base - least
    } else {
        most - base
    };
    let share = if room == 0.0 {
        0.0
    } else {
        (missing / room).clamp(-1.0, 1.0)
    };
    let mut sum = 0.0;
    let mut p_w: Vec<f64> = (0..ranges.units())
        .map(|i| {
            let from = wished(i);
            let bound = if share < 0.0 {
                ranges.lo_w[i]
            } else {
                ranges.hi_w[i]
            };
            let p = (from + share.abs() * (bound - from)).clamp(ranges.lo_w[i], ranges.hi_w[i]);
            sum += p;
            p
        })
        .collect();
    settle(ranges, demand_w, &mut p_w, sum);
    Ok(Shares {
        p_w,
        multiplier: share,
    })
}
