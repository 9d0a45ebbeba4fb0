//! Readings taken together, so that however many there are, few numbers are kept of them.

use units::Watts;

/// What some readings of power come to, at least one. What is made of parts of them and joined is
/// what is made of all at once.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Batch {
    /// Sum, W · 10⁻⁶.
    sum: i128,
    /// Lowest reading.
    pub least: Watts,
    /// Highest reading.
    pub most: Watts,
    /// Number of readings.
    pub readings: u32,
    /// Sum of the squares of what they deviate from their mean, W².
    squares: f64,
}

impl Batch {
    /// One reading.
    #[must_use]
    pub fn one(reading: Watts) -> Self {
        Self {
            sum: i128::from(reading.micro()),
            least: reading,
            most: reading,
            readings: 1,
            squares: 0.0,
        }
    }

    /// All of these; `None` without any.
    #[must_use]
    pub fn of(readings: &[Watts]) -> Option<Self> {
        let each = readings.iter().map(|reading| Self::one(*reading));
        each.reduce(Self::joined)
    }

    /// So many readings of which only their mean and the extremes are known. How far they lie
    /// apart is then taken as the most that these allow: a variance of
    /// (`most` - `mean`) · (`mean` - `least`) (Bhatia and Davis, A Better Bound on the Variance,
    /// Am. Math. Monthly 107, 2000). `None` of no readings.
    #[must_use]
    pub fn summed_up(readings: u32, mean: Watts, (least, most): (Watts, Watts)) -> Option<Self> {
        let mean = mean.clamp(least.min(most), most.max(least));
        let variance = (most - mean).as_f64() * (mean - least).as_f64();
        (readings != 0).then(|| Self {
            sum: i128::from(mean.micro()) * i128::from(readings),
            least,
            most,
            readings,
            squares: variance.max(0.0) * f64::from(readings),
        })
    }

    /// Both taken together (Chan et al., Updating Formulae and a Pairwise Algorithm for
    /// Computing Sample Variances, 1979, eq. 2.1).
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let (a, b) = (f64::from(self.readings), f64::from(other.readings));
        let apart = (other.sum as f64 / b - self.sum as f64 / a) / 1e6;
        Self {
            sum: self.sum + other.sum,
            least: self.least.min(other.least),
            most: self.most.max(other.most),
            readings: self.readings.saturating_add(other.readings),
            squares: self.squares + other.squares + apart.powi(2) * a * b / (a + b),
        }
    }

    /// The mean, each reading with the same weight.
    #[must_use]
    pub fn mean(&self) -> Watts {
        let micro = self.sum / i128::from(self.readings.max(1));
        Watts::from_micro(i64::try_from(micro).expect("a mean lies between the extremes"))
    }

    /// The variance of a reading among them, W² (JCGM 100:2008, 4.2.2); `None` of a single one.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (1 < self.readings).then(|| self.squares / f64::from(self.readings - 1))
    }
}
