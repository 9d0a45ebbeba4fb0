//! Read-back: what is required held against what is reported, and the alarm when they drift apart.
//!
//! IEEE 2030.5 reads back ramp rates, enter-service settings and which modes are enabled
//! (`DERSettings`), and no curve. A settings file that the installer returns can say the rest. What
//! neither says is *not reported*, which is never a match.

use std::collections::BTreeMap;
use std::time::Duration;

use units::{Percent, Timestamp};

use super::{Decimal, Facts, Parameter, RollOut, Standing, Value, Values};
use crate::{Der, DerId, Fleet, Name, SettingsProfileId};

/// Who says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reporter {
    /// The device, through its protocol.
    Device,
    /// A file of applied settings.
    File,
}

/// A value that is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reported {
    /// What it is set to.
    pub value: Value,
    /// As of when; of a device, by its own clock.
    pub at: Timestamp,
    /// Who says so.
    pub by: Reporter,
}

/// What a DER is set to, according to a settings file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppliedSettings {
    /// What it says.
    pub values: Values,
    /// As of when.
    pub at: Timestamp,
    /// Who handed it in.
    pub author: Name,
}

/// One parameter, required and reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldState {
    /// Which.
    pub parameter: Parameter,
    /// What is required.
    pub required: Value,
    /// What is reported; `None` where nothing can be read back.
    pub reported: Option<Reported>,
}

impl FieldState {
    /// Whether it is reported to be as required.
    #[must_use]
    pub fn matches(&self) -> bool {
        self.reported.is_some_and(|r| r.value == self.required)
    }

    /// Whether it is reported to be something else.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.reported.is_some_and(|r| r.value != self.required)
    }
}

/// An alarm: a DER reports other settings than are required of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Drift {
    /// Which DER.
    pub der: DerId,
    /// Which parameter.
    pub parameter: Parameter,
    /// By which version.
    pub profile: SettingsProfileId,
    /// What is required.
    pub required: Value,
    /// What is reported.
    pub reported: Value,
    /// Since when the alarm is open.
    pub since: Timestamp,
}

/// Switches with their bit in `DERControlType`.
///
/// Interpretation: `modesEnabled` tells which controls a device would execute. A clear bit says that
/// the function is off; a set one leaves open whether it is on.
const SWITCHES: [(Parameter, u8); 9] = [
    (Parameter::EsPermitService, 3),
    (Parameter::ConstPfModeEnable, 5),
    (Parameter::ConstQModeEnable, 6),
    (Parameter::PfModeEnable, 8),
    (Parameter::McEnable, 13),
    (Parameter::ApLimitEnable, 20),
    (Parameter::QvModeEnable, 23),
    (Parameter::PvModeEnable, 24),
    (Parameter::QpModeEnable, 26),
];

/// All that is reported of a DER, the later report of each parameter.
#[must_use]
pub fn reported(fleet: &Fleet, der: &Der) -> BTreeMap<Parameter, Reported> {
    let mut all = by_device(der);
    let Some(file) = fleet.settings().applied(der.id) else {
        return all;
    };
    for (parameter, value) in &file.values {
        let said = Reported {
            value: *value,
            at: file.at,
            by: Reporter::File,
        };
        let newer = |present: &Reported| said.at < present.at;
        if !all.get(parameter).is_some_and(newer) {
            all.insert(*parameter, said);
        }
    }
    all
}

fn by_device(der: &Der) -> BTreeMap<Parameter, Reported> {
    use Parameter as P;
    let Some(settings) = &der.settings else {
        return BTreeMap::new();
    };
    let es = &settings.enter_service;
    let percent = |share: Option<Percent>| share.map(|share| i64::from(share.hundredths()));
    let steps: [(Parameter, Option<i64>); 9] = [
        (P::EsVLow, es.low_volt_cpct.map(i64::from)),
        (P::EsVHigh, es.high_volt_cpct.map(i64::from)),
        (P::EsFLow, es.low_freq_chz.map(i64::from)),
        (P::EsFHigh, es.high_freq_chz.map(i64::from)),
        (P::EsDelay, es.delay_cs.map(i64::from)),
        (P::EsRandomizedDelay, es.random_delay_cs.map(i64::from)),
        (P::EsRampRate, es.ramp_tms_cs.map(i64::from)),
        // DERSettings always has setGradW, and 0 means no limit.
        (P::SetGradW, percent(settings.ramp_per_second).or(Some(0))),
        (P::SetSoftGradW, percent(settings.soft_ramp_per_second)),
    ];
    let numbers = steps.into_iter().filter_map(|(parameter, steps)| {
        let micro = steps?.saturating_mul(parameter.step_micro());
        Some((parameter, Value::Number(Decimal::from_micro(micro))))
    });
    let off = SWITCHES
        .into_iter()
        .filter(|(_, bit)| settings.modes.0 & (1 << bit) == 0)
        .map(|(parameter, _)| (parameter, Value::Enabled(false)));
    let said = |(parameter, value)| {
        let reported = Reported {
            value,
            at: settings.updated,
            by: Reporter::Device,
        };
        (parameter, reported)
    };
    numbers.chain(off).map(said).collect()
}

/// Every required parameter with what is reported of it.
#[must_use]
pub fn comparison(fleet: &Fleet, der: &Der, required: &Values) -> Vec<FieldState> {
    let reported = reported(fleet, der);
    let state = |(parameter, required): (&Parameter, &Value)| FieldState {
        parameter: *parameter,
        required: *required,
        reported: reported.get(parameter).copied(),
    };
    required.iter().map(state).collect()
}

/// How a DER stands to the version that a roll-out gave it. The evidence lies in the parameters that
/// the version changed: one that was so before shows nothing.
#[must_use]
pub fn standing(
    fleet: &Fleet,
    der: &Der,
    profile: SettingsProfileId,
    last_contact: Option<Timestamp>,
) -> Standing {
    if der.removed.is_some() {
        return Standing::Removed;
    }
    let book = fleet.settings();
    let Some(required) = book.profile(profile) else {
        return Standing::Pending;
    };
    let Some(realised) = book.realised(der.id).filter(|r| r.profile == profile) else {
        let able = super::compile::compile(&required.values, super::Basis::of(der));
        return match able {
            Ok(_) => Standing::Pending,
            Err(_) => Standing::Unable,
        };
    };
    if last_contact.is_none_or(|heard| heard < realised.at) {
        return Standing::Issued;
    }
    let fields = comparison(fleet, der, &required.values);
    if fields.iter().any(FieldState::differs) {
        return Standing::Differs;
    }
    let before = realised.previous.and_then(|id| book.profile(id));
    let is_new = |field: &&FieldState| {
        before.is_none_or(|before| before.values.get(&field.parameter) != Some(&field.required))
    };
    let changed: Vec<&FieldState> = fields.iter().filter(is_new).collect();
    let shown = match changed.is_empty() {
        true => fields.iter().any(FieldState::matches),
        false => changed.iter().any(|field| field.matches()),
    };
    match shown {
        true => Standing::Matches,
        false => Standing::Unreadable,
    }
}

/// What is known of a DER of `roll_out`. Of its alarms only those count that the roll-out may have
/// brought about: one that was open before is what it may have come to set right.
#[must_use]
pub fn facts(
    fleet: &Fleet,
    roll_out: &RollOut,
    der: &Der,
    last_contact: Option<Timestamp>,
) -> Facts {
    let reached = roll_out.reached(der.id);
    let is_new = |drift: &Drift| {
        drift.profile == roll_out.profile && reached.is_some_and(|reached| reached <= drift.since)
    };
    Facts {
        standing: standing(fleet, der, roll_out.profile, last_contact),
        alarm: fleet.settings().drifts_of(der.id).any(is_new),
    }
}

/// Which alarms of a DER are to be raised or have another value now, and which parameters' alarms are
/// to be cleared. A DER that was given its settings less than `grace` ago has not drifted yet.
#[must_use]
pub fn drift(
    fleet: &Fleet,
    der: &Der,
    grace: Duration,
    now: Timestamp,
) -> (Vec<Drift>, Vec<Parameter>) {
    let book = fleet.settings();
    let open: BTreeMap<Parameter, &Drift> = book
        .drifts_of(der.id)
        .map(|drift| (drift.parameter, drift))
        .collect();
    let realised = book.realised(der.id).filter(|_| der.removed.is_none());
    let settled = realised.filter(|realised| grace <= now.since(realised.at));
    let profile = settled.and_then(|realised| book.profile(realised.profile));
    let fields = profile.map_or_else(Vec::new, |p| comparison(fleet, der, &p.values));
    let mut raise = Vec::new();
    for field in fields.iter().filter(|field| field.differs()) {
        let (Some(profile), Some(reported)) = (profile, field.reported) else {
            continue;
        };
        let present = open.get(&field.parameter);
        let drift = Drift {
            der: der.id,
            parameter: field.parameter,
            profile: profile.id,
            required: field.required,
            reported: reported.value,
            since: present.map_or(now, |present| present.since),
        };
        if present.is_none_or(|present| **present != drift) {
            raise.push(drift);
        }
    }
    let still = |parameter: &Parameter| {
        fields
            .iter()
            .any(|field| field.parameter == *parameter && field.differs())
    };
    // While new settings are on their way, alarms stay as they are.
    let waiting = realised.is_some() && settled.is_none();
    let clear = open.into_keys().filter(|p| !waiting && !still(p)).collect();
    (raise, clear)
}
