//! Shares of what a DER is set to: when the settings change, the same power is asked as a share of
//! the new ones.

use std::collections::BTreeMap;

use units::{Interval, Percent, Timestamp, Vars, Watts};

use super::share_of;
use crate::dispatch::share::whole_cents;
use crate::{
    Command, Control, ControlBase, DefaultControl, DerId, FixedVar, Fleet, NewControl, Origin,
    Role, Scope, Setting, Settings, Share, Terms, VarReference,
};

impl Fleet {
    /// Operators' controls and default controls whose shares are of what `der` is no longer set to.
    pub(super) fn rated_commands(&self, der: DerId, now: Timestamp) -> Vec<Command> {
        let Some(settings) = self.der(der).and_then(|der| der.settings.as_ref()) else {
            return Vec::new();
        };
        let open = self.own_controls_of(der).filter(|control| {
            let open = control.cancelled.is_none() && now.ceil_secs() < control.interval.end();
            open && control.origin == Origin::Operator
        });
        let controls = open.flat_map(|control| self.rated_control(control, settings, now));
        let defaults = self.rated_defaults(der, settings);
        controls.chain(defaults).collect()
    }

    /// Fresh controls for what is left of `control`, then its withdrawal. What others have taken or
    /// will take from it ends there: a fresh control, being the latest, would take it back.
    fn rated_control(
        &self,
        control: &Control,
        settings: &Settings,
        now: Timestamp,
    ) -> Vec<Command> {
        let from = control.interval.start.max(now.ceil_secs());
        let asked = control.base.settings();
        if asked.iter().all(|s| rated(s, settings) == *s) {
            return Vec::new();
        }
        let losses = self.losses(control);
        let mut by_end: BTreeMap<Timestamp, Vec<Setting>> = BTreeMap::new();
        for setting in asked.iter().filter(|s| control.base.asks_class(s.class())) {
            let lost = losses.iter().find(|loss| loss.class == setting.class());
            let end = lost.map_or(control.interval.end(), |loss| loss.at);
            by_end
                .entry(end)
                .or_default()
                .push(rated(setting, settings));
        }
        let ramp = asked.iter().filter(|s| matches!(s, Setting::RampTms(_)));
        let terms = control.terms.as_deref().map(|terms| Terms {
            // A device that has begun would stop and wait for its time.
            randomize_start_s: match from == control.interval.start {
                true => terms.randomize_start_s,
                false => 0,
            },
            ..terms.clone()
        });
        let left = by_end.into_iter().filter(|(end, _)| from < *end);
        let fresh = left.map(|(end, settings)| {
            Command::IssueControl(NewControl {
                der: control.der,
                program: control.program,
                origin: control.origin,
                interval: Interval::between(from, end),
                base: ControlBase::of(settings.into_iter().chain(ramp.clone().copied())),
                terms: terms.clone(),
            })
        });
        let mut commands: Vec<Command> = fresh.collect();
        // What is superseded already stays as it is.
        if !commands.is_empty() {
            commands.push(Command::CancelControl(control.id));
        }
        commands
    }

    /// Reactive power by default is a settings profile's, which sees to its shares itself.
    fn rated_defaults(&self, der: DerId, settings: &Settings) -> Vec<Command> {
        let own = self.der(der).and_then(|der| self.program(der.program));
        let others = self.programs_of_scope(Scope::Device(der));
        let programs = own.into_iter().chain(others);
        let general = programs.filter(|program| program.role == Role::General);
        let commands = general.filter_map(|program| {
            let asked = program.default.base.settings().iter();
            let base = ControlBase::of(asked.map(|setting| match setting {
                Setting::FixedVar(_) => *setting,
                other => rated(other, settings),
            }));
            let default = DefaultControl {
                base,
                ..program.default.clone()
            };
            (!default.asks_as(&program.default))
                .then_some(Command::SetDefaultControl(program.id, default))
        });
        commands.collect()
    }
}

/// The same power as a share of what the device is set to now, toward zero; all of it where it is
/// set to less.
fn rated(setting: &Setting, settings: &Settings) -> Setting {
    match *setting {
        Setting::FixedW(share) => {
            Setting::FixedW(anew(share, settings.p_max_toward(share.percent)))
        }
        Setting::MaxLimW(share) => Setting::MaxLimW(anew(share, settings.max_w())),
        Setting::FixedVar(fixed) => Setting::FixedVar(anew_var(fixed, settings)),
        other => other,
    }
}

fn anew(share: Share, whole: Watts) -> Share {
    // As a plan's shares and a default control's are made.
    let whole = whole_cents(whole);
    match share.of {
        Some(old) if whole != Watts::ZERO && whole_cents(old) != whole => Share {
            percent: rated_percent(share.percent, (old.micro(), whole.micro())),
            of: Some(whole),
        },
        _ => share,
    }
}

fn anew_var(fixed: FixedVar, settings: &Settings) -> FixedVar {
    let injects = 0 <= fixed.percent.hundredths();
    let whole = match fixed.reference {
        VarReference::SetMaxW => Some(settings.max_w().micro()),
        VarReference::SetMaxVar if injects => settings.q_inject_max.map(Vars::micro),
        VarReference::SetMaxVar => {
            let absorbed = settings.q_absorb_max.or(settings.q_inject_max);
            absorbed.map(Vars::micro)
        }
        VarReference::StatVarAvail => None,
    };
    match fixed.of.zip(whole.filter(|whole| *whole != 0)) {
        Some((old, whole)) if old.micro() != whole => FixedVar {
            percent: rated_percent(fixed.percent, (old.micro(), whole)),
            of: Some(Vars::from_micro(whole)),
            ..fixed
        },
        _ => fixed,
    }
}

/// The share of `whole` that `percent` of `old` is, toward zero.
fn rated_percent(percent: Percent, (old, whole): (i64, i64)) -> Percent {
    share_of(percent.of(Watts::from_micro(old)), Watts::from_micro(whole))
}
