//! The values a device's wire format can hold, so that a plan is made of nothing else.

use units::{Percent, Watts};

use crate::{ActivePower, Der, Mode};

/// The grid of active-power values a device can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grid {
    /// `opModTargetW`: 16-bit significand times 10^`multiplier` watts.
    TargetW {
        /// Power of ten, 0 to 9.
        multiplier: u8,
    },
    /// `opModFixedW`: hundredths of a percent of the maximum in that direction.
    FixedW {
        /// Maximum injection.
        inject: Watts,
        /// Maximum absorption, as a magnitude.
        absorb: Watts,
    },
    /// `opModMaxLimW`: hundredths of a percent of the maximum active power, never negative.
    MaxLimW {
        /// Maximum active power.
        of: Watts,
    },
}

impl Grid {
    /// The finest grid the device supports, `None` when its active power can't be asked for.
    #[must_use]
    pub fn of(der: &Der) -> Option<Self> {
        let settings = der.settings.as_ref()?;
        let (inject, absorb) = (
            whole_cents(settings.p_inject_max),
            whole_cents(settings.p_absorb_max),
        );
        if der.can(Mode::TargetW) {
            return Some(Self::TargetW {
                multiplier: multiplier_for(inject.max(absorb)),
            });
        }
        if der.can(Mode::FixedW) {
            return Some(Self::FixedW { inject, absorb });
        }
        let of = whole_cents(settings.max_w());
        (der.can(Mode::MaxLimW) && absorb == Watts::ZERO).then_some(Self::MaxLimW { of })
    }

    /// The distance between neighbouring values on the side of `p`, in micro-watts; at least 1.
    #[must_use]
    pub fn step(self, p: Watts) -> Watts {
        let micro = match self {
            Self::TargetW { multiplier } => {
                units::MICRO.saturating_mul(10_i64.pow(u32::from(multiplier)))
            }
            Self::FixedW { inject, absorb } => {
                let side = if p < Watts::ZERO { absorb } else { inject };
                side.micro() / i64::from(Percent::WHOLE.hundredths())
            }
            Self::MaxLimW { of } => of.micro() / i64::from(Percent::WHOLE.hundredths()),
        };
        Watts::from_micro(micro.max(1))
    }

    /// The nearest value at or below `p`.
    #[must_use]
    pub fn floor(self, p: Watts) -> Watts {
        let step = self.step(p).micro();
        Watts::from_micro(p.micro().div_euclid(step) * step)
    }

    /// The nearest value at or above `p`.
    #[must_use]
    pub fn ceil(self, p: Watts) -> Watts {
        -Self::mirrored(self).floor(-p)
    }

    /// The same grid seen with the sign of power turned.
    fn mirrored(self) -> Self {
        match self {
            Self::FixedW { inject, absorb } => Self::FixedW {
                inject: absorb,
                absorb: inject,
            },
            other => other,
        }
    }

    /// The request for `p`, which must be a value of this grid.
    #[must_use]
    pub fn encode(self, p: Watts) -> ActivePower {
        let units = p.micro() / self.step(p).micro();
        let hundredths = i32::try_from(units).unwrap_or(0);
        let percent = Percent::from_hundredths(hundredths.clamp(-10_000, 10_000));
        match self {
            Self::TargetW { multiplier } => {
                let bound = i64::from(i16::MAX);
                let value = i16::try_from(units.clamp(-bound, bound)).unwrap_or(i16::MAX);
                ActivePower::TargetW { value, multiplier }
            }
            Self::FixedW { inject, absorb } => {
                let of = if p < Watts::ZERO { absorb } else { inject };
                ActivePower::FixedW { percent, of }
            }
            Self::MaxLimW { of } => ActivePower::MaxLimW { percent, of },
        }
    }
}

/// Rounded down to 0.01 W, of which every hundredth of a percent is exact.
pub(crate) fn whole_cents(p: Watts) -> Watts {
    const CENT_MICRO: i64 = units::MICRO / 100;
    Watts::from_micro(p.micro() / CENT_MICRO * CENT_MICRO)
}

/// The least power of ten that lets `largest` fit a signed 16-bit significand.
fn multiplier_for(largest: Watts) -> u8 {
    let mut multiplier = 0;
    let mut whole = largest.micro() / units::MICRO;
    while whole > i64::from(i16::MAX) && multiplier < 9 {
        whole /= 10;
        multiplier += 1;
    }
    multiplier
}
