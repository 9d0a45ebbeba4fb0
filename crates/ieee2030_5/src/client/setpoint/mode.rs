//! The control modes as a set of bits.

use crate::wire::control_mode::{DerControlType, DerControlType2, DoeControlType, VppControlType};

/// A set of control modes.
///
/// The bits are those of `DERControlType`, then those of `DERControlType2`, then the limits and the
/// storage target of CSIP-AUS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Modes(u64);

const SECOND: u32 = 32;
const DOE: u32 = 48;
const VPP: u32 = 56;

impl Modes {
    pub const ALL: Self = Self(u64::MAX);
    /// What an event asks that knows but one thing to ask.
    pub(in crate::client) const ONLY: Self = Self(1 << 63);
    pub const EXP_LIM_W: Self = Self(1 << DOE);
    pub const IMP_LIM_W: Self = Self(1 << (DOE + 1));
    pub const GEN_LIM_W: Self = Self(1 << (DOE + 2));
    pub const LOAD_LIM_W: Self = Self(1 << (DOE + 3));
    pub const STORAGE_TARGET_W: Self = Self(1 << VPP);

    /// The modes of `DERControlType`; charge and discharge are abilities, not modes.
    #[must_use]
    pub const fn of_type(bits: DerControlType) -> Self {
        let abilities = DerControlType::CHARGE | DerControlType::DISCHARGE;
        Self((bits.value() & !abilities) as u64)
    }

    /// The modes of `DERControlType2` of the 2023 edition.
    #[must_use]
    pub const fn of_type2(bits: DerControlType2) -> Self {
        Self((bits.value() as u64) << SECOND & ((1 << DOE) - 1))
    }

    /// The modes of CSIP-AUS `doeModesSupported` and `vppModesSupported`.
    #[must_use]
    pub const fn of_csip_aus(doe: DoeControlType, vpp: VppControlType) -> Self {
        Self((doe.value() as u64) << DOE | (vpp.value() as u64) << VPP)
    }

    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These modes and those that cannot be in force beside them.
    ///
    /// Interpretation: a request for a value of active power excludes another one whichever of
    /// `opModFixedW`, `opModTargetW` and `opModDeltaW` carries it; a limit stands beside all.
    #[must_use]
    pub const fn exclusive(self) -> Self {
        let active = DerControlType::FIXED_W | DerControlType::TARGET_W | DerControlType::DELTA_W;
        let active = Self(active as u64);
        if self.common(active).is_empty() {
            self
        } else {
            self.with(active)
        }
    }

    /// Each mode by itself.
    pub fn each(self) -> impl Iterator<Item = Self> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lowest = left & left.wrapping_neg();
            left &= !lowest;
            (lowest != 0).then_some(Self(lowest))
        })
    }

    /// As `DERControlType` and `DERControlType2` have them.
    #[must_use]
    pub fn types(self) -> (u32, u32) {
        let word = |shift: u32| u32::try_from(self.0 >> shift & u64::from(u32::MAX));
        let second = word(SECOND).unwrap_or(0) & ((1 << (DOE - SECOND)) - 1);
        (word(0).unwrap_or(0), second)
    }
}
