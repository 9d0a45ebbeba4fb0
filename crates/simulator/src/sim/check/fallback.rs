//! Without an event a device is at its default control, with its server or without; where no default
//! says anything it is on its own. A device that its owner has taken out is on its own altogether.

use std::collections::BTreeMap;

use fleet::{ControlBase, DerId, ProgramId, Setting};
use ieee2030_5::client::setpoint::{Asked, Modes, Request, Source};
use ieee2030_5::wire::control_mode::DerControlType;
use units::Timestamp;

use super::Verdict;

/// When the default control of each programme was changed last, and when which programmes a DER is
/// shown.
///
/// Programmes for many are not shown in an island, and their defaults do not hold there.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    changed: BTreeMap<ProgramId, Timestamp>,
    shown: BTreeMap<DerId, Timestamp>,
}

impl Defaults {
    /// Takes in that a programme was made or changed.
    pub fn changed(&mut self, program: ProgramId, at: Timestamp) {
        self.changed.insert(program, at);
    }

    /// Takes in that `der` is shown other programmes than before.
    pub fn shown(&mut self, der: DerId, at: Timestamp) {
        self.shown.insert(der, at);
    }

    /// Whether nothing of `programs`, those of `der`, has changed since `known`.
    #[must_use]
    pub fn are_known(&self, der: DerId, programs: &[ProgramId], known: Timestamp) -> bool {
        let mut changed = programs.iter().filter_map(|id| self.changed.get(id));
        let shown = self.shown.get(&der);
        changed.all(|at| *at <= known) && shown.is_none_or(|at| *at <= known)
    }
}

/// Judges a device without an event: `defaults` are those of its programmes, best first, all of which
/// it knows; it can follow the modes of `supported`.
pub fn check(defaults: &[&ControlBase], supported: Modes, asked: &[Asked]) -> Verdict {
    let mut expected: BTreeMap<u8, Setting> = BTreeMap::new();
    for setting in defaults.iter().flat_map(|base| base.settings()) {
        if mode_of(setting).is_some_and(|mode| supported.has(mode)) {
            expected.entry(setting.class()).or_insert(*setting);
        }
    }
    for asked in asked {
        if matches!(asked.source, Source::Event(_)) {
            return Err("an event is in force".to_owned());
        }
        let known = expected
            .iter()
            .find(|(_, setting)| is_same(setting, &asked.request));
        let Some(class) = known.map(|(class, _)| *class) else {
            return Err(format!(
                "goes by {:?}, which is no default of its own",
                asked.request
            ));
        };
        expected.remove(&class);
    }
    match expected.first_key_value() {
        Some((_, setting)) => Err(format!("does not go by its default {setting:?}")),
        None => Ok(()),
    }
}

fn mode_of(setting: &Setting) -> Option<Modes> {
    let first = |bits| Some(Modes::of_type(DerControlType::new(bits)));
    match setting {
        Setting::MaxLimW(_) => first(DerControlType::MAX_LIM_W),
        Setting::TargetW(_) => first(DerControlType::TARGET_W),
        Setting::FixedW(_) => first(DerControlType::FIXED_W),
        Setting::ImpLimW(_) => Some(Modes::IMP_LIM_W),
        Setting::ExpLimW(_) => Some(Modes::EXP_LIM_W),
        _ => None,
    }
}

fn is_same(setting: &Setting, request: &Request) -> bool {
    match (setting, request) {
        (Setting::MaxLimW(share), Request::MaxLimW(percent)) => {
            share.percent.hundredths() == i32::from(percent.0)
        }
        (Setting::FixedW(share), Request::FixedW(percent)) => {
            share.percent.hundredths() == i32::from(percent.0)
        }
        (Setting::TargetW(w), Request::TargetW(p))
        | (Setting::ImpLimW(w), Request::ImpLimW(p))
        | (Setting::ExpLimW(w), Request::ExpLimW(p)) => Some(w.w()) == p.quantity(),
        _ => false,
    }
}
