//! The controls that count: those that are not over, and of the others those without which one that
//! is not over would seem to hold what it has lost.

use std::collections::BTreeSet;
use std::time::Duration;

use units::Timestamp;

use crate::control::precedence::{self, Ranked};
use crate::{Control, ControlId, Fleet, ProgramId, Scope};

/// Controls that are over pile up to as many before those that do not count are let go.
const SLACK: usize = 8;
/// How long a control for many counts beyond its end: what it took from the controls of single DER
/// is not looked up.
const SHARED_FOR: Duration = Duration::from_secs(86_400);

impl Fleet {
    pub(crate) fn apply_control(&mut self, control: &Control) {
        self.by_control_mrid.insert(control.mrid, control.id);
        self.controls.push(control.clone());
        let now = control.created;
        if self.shared_until <= now {
            self.live_shared.clear();
        }
        match control.der {
            Some(der) => {
                let ids = self.live.get(der.index());
                let kept = ids.and_then(|ids| self.kept(ids, now, Duration::ZERO));
                if let Some(live) = self.live.get_mut(der.index()) {
                    *live = kept.unwrap_or_else(|| std::mem::take(live));
                    live.push(control.id);
                }
                self.apply_single(control);
            }
            None => {
                let ids = self.live_shared.get(&control.program);
                let kept = ids.and_then(|ids| self.kept(ids, now, SHARED_FOR));
                let live = self.live_shared.entry(control.program).or_default();
                *live = kept.unwrap_or_else(|| std::mem::take(live));
                live.push(control.id);
                let end = control.latest_end().after(SHARED_FOR);
                self.shared_until = self.shared_until.max(end);
            }
        }
    }

    /// A control for one DER under a programme for many.
    fn apply_single(&mut self, control: &Control) {
        let program = self.program(control.program);
        if program.is_none_or(|program| matches!(program.scope, Scope::Device(_))) {
            return;
        }
        let controls = &self.controls;
        let lasts = |id: &ControlId| {
            let other = controls.get(id.index());
            other.is_some_and(|other| control.created < other.latest_end())
        };
        let single = self.live_single.entry(control.program).or_default();
        single.retain(lasts);
        single.push(control.id);
    }

    /// Those of `ids`, in their order, that count at `now` or have ended less than `grace` ago;
    /// `None` for all of them.
    fn kept(&self, ids: &[ControlId], now: Timestamp, grace: Duration) -> Option<Vec<ControlId>> {
        let ranked = ids.iter().filter_map(|id| {
            let control = self.control(*id)?;
            Some((control, self.program(control.program)?.primacy))
        });
        let (mut kept, mut over): (Vec<Ranked<'_>>, Vec<Ranked<'_>>) =
            ranked.partition(|(control, _)| now < control.latest_end());
        if over.len() <= kept.len().max(SLACK) {
            return None;
        }
        // What has taken something was better than who lost it; so the worst come first.
        over.sort_by(|a, b| precedence::better(*b, *a));
        let mut ended = Vec::new();
        for one in over {
            let took = kept.iter().any(|other| precedence::may_take(one, *other));
            let end = one.0.latest_end();
            if took || now < end.after(grace) {
                kept.push(one);
                ended.push((end, one.0.id));
            }
        }
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(Self::MAX_ENDED_CONTROLS);
        let gone: BTreeSet<ControlId> = ended[..surplus].iter().map(|(_, id)| *id).collect();
        let kept = kept.iter().map(|(control, _)| control.id);
        let mut kept: Vec<ControlId> = kept.filter(|id| !gone.contains(id)).collect();
        kept.sort_unstable();
        Some(kept)
    }

    pub(crate) fn apply_control_cancelled(&mut self, id: ControlId, at: Timestamp) {
        let Some(control) = self.controls.get_mut(id.index()) else {
            return;
        };
        control.cancelled = Some(at);
        let live = match control.der {
            Some(der) => self.live.get_mut(der.index()),
            None => self.live_shared.get_mut(&control.program),
        };
        let Some(live) = live.filter(|live| Self::MAX_WITHDRAWN_CONTROLS < live.len()) else {
            return;
        };
        let controls = &self.controls;
        let withdrawn = |id: &ControlId| controls.get(id.index()).and_then(|c| c.cancelled);
        let all = || live.iter().filter_map(|id| Some((withdrawn(id)?, *id)));
        if Self::MAX_WITHDRAWN_CONTROLS < all().count() {
            let first = all().min().map(|(_, id)| id);
            live.retain(|id| Some(*id) != first);
        }
    }

    /// The controls for single DER under `program`, one for many, that are not long over.
    pub fn single_controls_of(&self, program: ProgramId) -> impl Iterator<Item = &Control> {
        let live = self.live_single.get(&program);
        let ids = live.map_or(&[][..], Vec::as_slice).iter();
        ids.filter_map(|id| self.control(*id))
    }
}
