//! What a device is asked to do right now.

use units::Watts;

use crate::client::report::Nameplate;
use crate::wire::der_control::DerControlBase;

/// Control modes that conflict only with their own kind.
///
/// Interpretation: a request for a value of active power excludes another one whichever of
/// `opModFixedW` and `opModTargetW` carries it; a limit stands beside both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Modes(u8);

impl Modes {
    pub(super) const ACTIVE_POWER: Self = Self(1 << 0);
    pub(super) const LIMIT: Self = Self(1 << 1);
    pub(super) const CONNECT: Self = Self(1 << 2);
    pub(super) const ENERGIZE: Self = Self(1 << 3);

    pub(super) fn of(base: &DerControlBase) -> Self {
        let active = base.op_mod_fixed_w.is_some() || base.op_mod_target_w.is_some();
        let rows = [
            (active, Self::ACTIVE_POWER),
            (base.op_mod_max_lim_w.is_some(), Self::LIMIT),
            (base.op_mod_connect.is_some(), Self::CONNECT),
            (base.op_mod_energize.is_some(), Self::ENERGIZE),
        ];
        let asked = rows.iter().filter(|(is_asked, _)| *is_asked);
        Self(asked.fold(0, |bits, (_, mode)| bits | mode.0))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The `DERControl` with this mRID.
    Event(u128),
    /// The `DefaultDERControl` with this mRID.
    Default(u128),
}

/// A request for active power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivePowerRequest {
    /// Hundredths of a percent of the largest injection, or of the largest absorption if negative.
    FixedW(i16),
    TargetW(Watts),
}

impl ActivePowerRequest {
    /// In watts, injection positive.
    #[must_use]
    pub fn p(self, nameplate: &Nameplate) -> Watts {
        match self {
            Self::TargetW(p) => p,
            Self::FixedW(hundredths) if hundredths < 0 => {
                hundredths_of(hundredths.into(), nameplate.p_absorb_max)
            }
            Self::FixedW(hundredths) => hundredths_of(hundredths.into(), nameplate.p_inject_max),
        }
    }
}

/// `hundredths` of a percent of `whole`.
#[must_use]
pub fn hundredths_of(hundredths: i32, whole: Watts) -> Watts {
    units::Percent::from_hundredths(hundredths).of(whole)
}

/// All that is asked of a device at one instant, and by what. An absent field leaves the device to
/// its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setpoint {
    pub active_power: Option<(ActivePowerRequest, Source)>,
    /// Inject no more than this many hundredths of a percent of the maximum.
    pub limit_hundredths: Option<(u16, Source)>,
    pub connect: Option<(bool, Source)>,
    pub energize: Option<(bool, Source)>,
}

impl Setpoint {
    /// Whether the device may exchange power with the grid at all.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let allowed = |request: Option<(bool, Source)>| request.is_none_or(|(on, _)| on);
        allowed(self.connect) && allowed(self.energize)
    }

    /// Takes from `base` the modes in `modes` that nothing better has asked for yet.
    pub(super) fn fill(&mut self, base: &DerControlBase, modes: Modes, source: Source) {
        let has = |mode| !modes.common(mode).is_empty();
        if has(Modes::ACTIVE_POWER) && self.active_power.is_none() {
            self.active_power = active_power(base).map(|request| (request, source));
        }
        if has(Modes::LIMIT) && self.limit_hundredths.is_none() {
            self.limit_hundredths = base.op_mod_max_lim_w.map(|limit| (limit.0, source));
        }
        if has(Modes::CONNECT) && self.connect.is_none() {
            self.connect = base.op_mod_connect.map(|on| (on, source));
        }
        if has(Modes::ENERGIZE) && self.energize.is_none() {
            self.energize = base.op_mod_energize.map(|on| (on, source));
        }
    }
}

fn active_power(base: &DerControlBase) -> Option<ActivePowerRequest> {
    let target = base.op_mod_target_w.as_ref().and_then(|p| p.quantity());
    let fixed = base.op_mod_fixed_w;
    target
        .map(ActivePowerRequest::TargetW)
        .or(fixed.map(|percent| ActivePowerRequest::FixedW(percent.0)))
}
