//! What rules a DER: its controls, which of them won, and the limits they leave.

use std::collections::BTreeSet;

use units::{Interval, Timestamp, Watts};

use crate::control::ControlStatus;
use crate::control::precedence::{self, Loss, Ranked};
use crate::dispatch::share::Grid;
use crate::{
    Control, ControlBase, Der, DerId, Fleet, NewControl, Origin, ProgramId, Setting, Settings,
};

impl Fleet {
    /// The controls addressed to `der` alone that are not long over, in order of issue.
    pub fn own_controls_of(&self, der: DerId) -> impl Iterator<Item = &Control> + Clone {
        let live = self.live.get(der.index()).map_or(&[][..], Vec::as_slice);
        live.iter().filter_map(|id| self.control(*id))
    }

    /// The controls for every DER that `program` addresses that are not long over, in order of
    /// issue.
    pub fn shared_controls_of(&self, program: ProgramId) -> impl Iterator<Item = &Control> + Clone {
        let live = self.live_shared.get(&program);
        live.map_or(&[][..], Vec::as_slice)
            .iter()
            .filter_map(|id| self.control(*id))
    }

    /// The controls of `der` that are not long over, its own and those of its programmes.
    #[must_use]
    pub fn controls_of(&self, der: DerId) -> Vec<&Control> {
        let mut controls: Vec<&Control> = self.own_controls_of(der).collect();
        if !self.live_shared.is_empty() {
            let programs = self.programs_of(der);
            controls.extend(programs.iter().flat_map(|p| self.shared_controls_of(p.id)));
        }
        controls
    }

    /// The controls under `program` that `der` is to see, its own and the shared ones.
    pub fn controls_under(&self, program: ProgramId, der: DerId) -> impl Iterator<Item = &Control> {
        self.own_controls_of(der)
            .filter(move |control| control.program == program)
            .chain(self.shared_controls_of(program))
    }

    /// The status of `control` at `now`, as its own programme has it.
    #[must_use]
    pub fn status(&self, control: &Control, now: Timestamp) -> ControlStatus {
        match control.der {
            Some(der) => control.status(self.controls_under(control.program, der), now),
            None => control.status(self.shared_controls_of(control.program), now),
        }
    }

    /// What later controls of its own programme take from `control`.
    #[must_use]
    pub fn supersession<'a>(&'a self, control: &'a Control) -> Vec<Loss<'a>> {
        match control.der {
            Some(der) => control.losses(self.controls_under(control.program, der)),
            None => control.losses(self.shared_controls_of(control.program)),
        }
    }

    /// The controls of `der` that are not long over, each with the primacy of its programme.
    #[must_use]
    pub fn ranked_controls_of(&self, der: DerId) -> Vec<Ranked<'_>> {
        self.controls_of(der)
            .into_iter()
            .filter_map(|control| Some((control, self.primacy_of(control)?)))
            .collect()
    }

    fn primacy_of(&self, control: &Control) -> Option<u8> {
        self.program(control.program).map(|program| program.primacy)
    }

    /// The control that decides the active power of `der` at `now`: one that sets it, else one
    /// that limits injection.
    #[must_use]
    pub fn in_force(&self, der: DerId, now: Timestamp) -> Option<&Control> {
        let candidates = self.ranked_controls_of(der);
        let sets = |setting: &Setting| matches!(setting, Setting::FixedW(_) | Setting::TargetW(_));
        let limits = |setting: &Setting| matches!(setting, Setting::MaxLimW(_));
        precedence::in_force(&candidates, now, sets)
            .or_else(|| precedence::in_force(&candidates, now, limits))
    }

    /// What controls of any programme take from `control` at its DER.
    #[must_use]
    pub fn losses<'a>(&'a self, control: &'a Control) -> Vec<Loss<'a>> {
        let meets = |other: &Control| precedence::may_meet(control, other);
        let contested = |der: &DerId| self.is_ruled(*der) && self.may_see(*der).any(meets);
        let Some(der) = control.der.filter(contested) else {
            return Vec::new();
        };
        let primacy = self.primacy_of(control).unwrap_or(u8::MAX);
        precedence::losses(&self.ranked_controls_of(der), (control, primacy))
    }

    /// Whether others have taken anything of what `control` asks at its DER by `now`; it is not
    /// given back there.
    #[must_use]
    pub fn is_displaced(&self, control: &Control, now: Timestamp) -> bool {
        self.losses(control).iter().any(|loss| loss.at <= now)
    }

    /// When its DER would take `new` in full: not before the end of every control of another origin
    /// that holds any of what it asks and ranks at least as high.
    #[must_use]
    pub fn free_from(&self, new: &NewControl) -> Timestamp {
        let mut free = new.interval.start;
        let Some(der) = new.der.filter(|der| self.is_ruled(*der)) else {
            return free;
        };
        let candidates = self.ranked_controls_of(der);
        let primacy = self.program(new.program).map_or(u8::MAX, |p| p.primacy);
        let origin = std::mem::discriminant(&new.origin);
        let is_above = |control: &Control| {
            std::mem::discriminant(&control.origin) != origin
                && self.primacy_of(control).is_some_and(|p| p <= primacy)
        };
        let holder = |at: Timestamp| {
            new.base.classes().find_map(|class| {
                let asks = |setting: &Setting| setting.class() == class;
                let holder = precedence::in_force(&candidates, at, asks)?;
                is_above(holder).then_some((holder, class))
            })
        };
        while let Some((holder, class)) = holder(free) {
            let primacy = self.primacy_of(holder).unwrap_or(u8::MAX);
            let losses = precedence::losses(&candidates, (holder, primacy));
            let lost = losses.iter().find(|loss| loss.class == class);
            free = lost.map_or(holder.interval.end(), |loss| loss.at);
        }
        free
    }

    /// Whether anything but a dispatch has controls that `der` is to see. Few have, and those that
    /// have not are spared the search.
    fn is_ruled(&self, der: DerId) -> bool {
        let other = |control: &Control| !matches!(control.origin, Origin::Dispatch { .. });
        !self.live_shared.is_empty() || self.own_controls_of(der).any(other)
    }

    /// The controls that `der` is to see, and those for others under programmes for many: found
    /// without looking for the programmes that address it. Few controls have anything beside them,
    /// and those that have not are spared the search.
    fn may_see(&self, der: DerId) -> impl Iterator<Item = &Control> {
        let shared = self.live_shared.values().flatten();
        let shared = shared.filter_map(|id| self.control(*id));
        self.own_controls_of(der).chain(shared)
    }

    /// The control that sets the active power of `der` at `at`, or takes it off the grid, if it is
    /// in force there and no dispatch's. A limit on injection sets the power of a DER whose shares
    /// would be such limits themselves: it obeys one of them only.
    #[must_use]
    pub fn commands_of(&self, der: &Der, at: Timestamp) -> Option<&Control> {
        let sets = |setting: &Setting| match setting {
            Setting::FixedW(_)
            | Setting::TargetW(_)
            | Setting::StorageTargetW(_)
            | Setting::Connect(false)
            | Setting::Energize(false) => true,
            Setting::MaxLimW(_) => matches!(Grid::of(der), Some(Grid::MaxLimW { .. })),
            _ => false,
        };
        let commands = |control: &Control| {
            let other = !matches!(control.origin, Origin::Dispatch { .. });
            other && precedence::may_run(control, at) && control.base.settings().iter().any(sets)
        };
        if !self.may_see(der.id).any(commands) {
            return None;
        }
        let candidates = self.ranked_controls_of(der.id);
        let winner = precedence::in_force(&candidates, at, sets)?;
        (!matches!(winner.origin, Origin::Dispatch { .. })).then_some(winner)
    }

    /// Most injection and most absorption (a magnitude) that controls and default controls of
    /// others than dispatches leave `der` all through `span`.
    ///
    /// Interpretation: a default control's limit holds wherever no control of its kind is active,
    /// so it counts unless one control covers the whole span.
    #[must_use]
    pub fn limits_during(
        &self,
        der: &Der,
        settings: &Settings,
        span: Interval,
    ) -> (Option<Watts>, Option<Watts>) {
        let ruled = self.is_ruled(der.id);
        let own = self.program(der.program);
        let plain = own.is_some_and(|program| program.default.base.is_empty());
        if !ruled && plain && self.programs_by_scope.is_empty() {
            return (None, None);
        }
        let programs = self.programs_of(der.id);
        let has_defaults = programs.iter().any(|p| !p.default.base.is_empty());
        if !ruled && !has_defaults {
            return (None, None);
        }
        let controls = match ruled {
            true => self.controls_of(der.id),
            false => Vec::new(),
        };
        let others = controls.into_iter().filter(|control| {
            let dispatched = matches!(control.origin, Origin::Dispatch { .. });
            let meets = control.interval.contains(span.start) || control.interval.overlaps(span);
            !dispatched && control.cancelled.is_none() && meets
        });
        let others: Vec<&Control> = others.collect();
        let (mut inject, mut absorb) = (None, None);
        let mut tighten = |(up, down): (Option<Watts>, Option<Watts>)| {
            let least = |a: Option<Watts>, b: Option<Watts>| match (a, b) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            inject = least(inject, up);
            absorb = least(absorb, down);
        };
        for control in &others {
            tighten(control.base.limits(settings));
        }
        let covered = |kind: u8| {
            others.iter().any(|control| {
                let whole =
                    control.interval.start <= span.start && span.end() <= control.interval.end();
                whole && control.base.settings().iter().any(|s| s.kind() == kind)
            })
        };
        let mut seen = BTreeSet::new();
        for program in programs {
            for setting in program.default.base.settings() {
                if seen.insert(setting.kind()) && !covered(setting.kind()) {
                    tighten(ControlBase::of([*setting]).limits(settings));
                }
            }
        }
        (inject, absorb)
    }
}
