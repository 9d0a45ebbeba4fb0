//! Why a DER does what it does: every control that names it, setting by setting, which of them is
//! in force at one instant, and for each of the others why it is not.
//!
//! What wins is a matter of the controls alone ([`precedence`]); what the device then does is told
//! by the [ledger](crate::Ledger), its nameplate and its meter, which stand beside.

use std::collections::BTreeSet;

use units::{Interval, Timestamp, Watts};

use super::precedence::{self, Loss, Ranked};
use super::{Control, Setting};
use crate::dispatch::assess::World;
use crate::microgrid::{Microgrid, State};
use crate::{
    Delivery, DeliveryState, Der, Envelope, Fallback, Fleet, Mode, Modes, Program, Reading,
    Settings,
};

/// Everything that bears on one DER at one instant.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// The instant.
    pub at: Timestamp,
    /// Each thing that a control or a default control asks, by [class](Setting::class).
    pub settings: Vec<ExplainedSetting<'a>>,
    /// Most injection that controls and default controls leave it; `None` without a limit.
    pub inject_max: Option<Watts>,
    /// Most absorption that they leave it, as a magnitude; `None` without a limit.
    pub absorb_max: Option<Watts>,
    /// Its envelopes, each with what it allows at the instant.
    pub envelopes: Vec<(&'a Envelope, Fallback)>,
    /// The microgrid that it is in, and the state that this was in at the instant.
    pub microgrid: Option<(&'a Microgrid, State)>,
    /// What its meter says of what is asked.
    pub metered: Option<Metered>,
    /// What it does should it lose its server now.
    pub on_loss: OnLoss<'a>,
}

/// One thing that is asked of a DER, with everybody who asks it.
#[derive(Clone, Debug)]
pub struct ExplainedSetting<'a> {
    /// What, as [`Setting::class`] has it.
    pub class: u8,
    /// Who decides it.
    pub decided: Decided<'a>,
    /// Every control that asks it, the best first.
    pub claims: Vec<Claim<'a>>,
}

/// Who decides a setting.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Decided<'a> {
    /// A control.
    Control(&'a Control, &'a Setting),
    /// The default control of a programme, as no control holds the setting.
    Default(&'a Program, &'a Setting),
    /// Nobody: it is left to the device.
    Device,
}

/// A control that asks a setting.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Which control.
    pub control: &'a Control,
    /// The rank of its programme.
    pub primacy: u8,
    /// What it asks.
    pub setting: &'a Setting,
    /// Where it stands at the instant.
    pub fate: Fate<'a>,
    /// Whether the device can do it.
    pub ability: Ability,
    /// What became of it at the device; `None` when the ledger has no row.
    pub delivery: Option<&'a Delivery>,
}

/// Where a control stands with one setting at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate<'a> {
    /// It decides.
    InForce,
    /// It holds the setting too, for devices of other categories than the one in force.
    Beside(&'a Control),
    /// It has not begun.
    Scheduled {
        /// When it does.
        from: Timestamp,
        /// Who will keep it from this setting, or take it, and when.
        loses: Option<Taken<'a>>,
    },
    /// A better one has taken the setting, for good.
    Displaced(Taken<'a>),
    /// It was withdrawn then.
    Cancelled(Timestamp),
    /// It was over then.
    Ended(Timestamp),
}

/// How a setting was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken<'a> {
    /// To whom.
    pub by: &'a Control,
    /// When.
    pub at: Timestamp,
    /// What makes that one better.
    pub advantage: Advantage,
}

/// What makes one control better than another (IEEE 2030.5-2018, 10.2.3.3), the first that applies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Advantage {
    /// The lower primacy value of its programme.
    Primacy,
    /// It was made later.
    Later,
    /// Its mRID is the higher one.
    Mrid,
}

/// Whether a device can do what is asked, by its own account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ability {
    /// It supports the mode and has it enabled.
    Able,
    /// Its nameplate does not name the mode.
    Unsupported,
    /// Its settings have the mode turned off.
    Disabled,
    /// It has reported no nameplate.
    Unknown,
}

/// The active power asked held against the meter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metered {
    /// What is asked, if any power is.
    pub asked: Option<Watts>,
    /// The latest reading.
    pub reading: Reading<Watts>,
    /// Deviation that still counts as following.
    pub allowed: Watts,
}

/// What a DER does should it lose its server now.
#[derive(Clone, Debug)]
pub struct OnLoss<'a> {
    /// When it counts as silent if it is not heard again; `None` when it was never heard.
    pub silent_at: Option<Timestamp>,
    /// The latest end of the controls that it holds; it follows them until then. `None` when it
    /// holds none.
    pub controls_until: Option<Timestamp>,
    /// What holds then: of each setting the default control of the programme of the highest rank
    /// that asks it.
    pub defaults: Vec<(&'a Program, &'a Setting)>,
}

/// Everything that bears on `der` at `at`, as far as is known at `world.now`.
#[must_use]
pub fn explain<'a>(world: &World<'a>, der: &Der, at: Timestamp) -> Explanation<'a> {
    let fleet = world.fleet;
    let candidates = fleet.ranked_controls_of(der.id);
    let defaults = defaults(fleet, der);
    let asked = candidates.iter().flat_map(|(c, _)| c.base.classes());
    let classes: BTreeSet<u8> = asked
        .chain(defaults.iter().map(|(_, setting)| setting.class()))
        .collect();
    let explained = |class: u8| {
        let claims = claims(&candidates, class, at);
        let claims: Vec<Claim<'a>> = claims
            .into_iter()
            .map(|claim| Claim {
                ability: ability(der, claim.setting),
                delivery: world.deliveries.get(claim.control.id, der.id),
                ..claim
            })
            .collect();
        let winner = claims.iter().find(|claim| claim.fate == Fate::InForce);
        let default = defaults.iter().find(|(_, s)| s.class() == class);
        ExplainedSetting {
            class,
            decided: match (winner, default) {
                (Some(winner), _) => Decided::Control(winner.control, winner.setting),
                (None, Some((program, setting))) => Decided::Default(program, setting),
                (None, None) => Decided::Device,
            },
            claims,
        }
    };
    let span = Interval::between(at, at);
    let limits = |settings: &Settings| fleet.limits_during(der, settings, span);
    let (inject_max, absorb_max) = der.settings.as_ref().map(limits).unwrap_or_default();
    let envelopes = fleet.envelopes_of(der.id).iter();
    Explanation {
        at,
        settings: classes.into_iter().map(explained).collect(),
        inject_max,
        absorb_max,
        envelopes: envelopes.map(|one| (one, one.at(at))).collect(),
        microgrid: fleet
            .microgrids()
            .of(der.id)
            .map(|(microgrid, operation)| (microgrid, operation.state_at(at))),
        metered: metered(world, der),
        on_loss: OnLoss {
            silent_at: world
                .observation(der.id)
                .last_contact
                .map(|last| last.after(world.policy.silent_after)),
            controls_until: held_until(world, &candidates, der),
            defaults,
        },
    }
}

/// Where each of `candidates`, which are of one device, stands with `class` at `at`, the best
/// first. What the device makes of them is left open.
#[must_use]
pub fn claims<'a>(candidates: &[Ranked<'a>], class: u8, at: Timestamp) -> Vec<Claim<'a>> {
    let losses = precedence::losses_of_all(candidates, class);
    let mut asking: Vec<(Ranked<'a>, &'a Setting)> = candidates
        .iter()
        .filter(|(control, _)| control.base.asks_class(class))
        .filter_map(|(control, primacy)| {
            let mut settings = control.base.settings().iter();
            let setting = settings.find(|setting| setting.class() == class)?;
            Some(((*control, *primacy), setting))
        })
        .collect();
    asking.sort_by(|(a, _), (b, _)| precedence::better(*a, *b));
    let primacy_of = |control: &Control| {
        let found = candidates.iter().find(|(c, _)| c.id == control.id);
        found.map_or(u8::MAX, |(_, primacy)| *primacy)
    };
    let mut holder = None;
    let claims = asking.into_iter().map(|((control, primacy), setting)| {
        let loss = losses.get(&control.id);
        let taken = loss.map(|loss| taken((control, primacy), loss, primacy_of(loss.to)));
        let mut fate = fate(control, taken, at);
        if fate == Fate::InForce {
            match holder {
                Some(better) => fate = Fate::Beside(better),
                None => holder = Some(control),
            }
        }
        Claim {
            control,
            primacy,
            setting,
            fate,
            ability: Ability::Unknown,
            delivery: None,
        }
    });
    claims.collect()
}

/// Of a control as if it alone held what no other takes.
fn fate<'a>(control: &'a Control, taken: Option<Taken<'a>>, at: Timestamp) -> Fate<'a> {
    let cancelled = control.cancelled.filter(|cancelled| *cancelled <= at);
    if let Some(cancelled) = cancelled {
        return match cancelled < control.interval.end() {
            true => Fate::Cancelled(cancelled),
            false => Fate::Ended(control.interval.end()),
        };
    }
    if control.interval.end() <= at {
        return Fate::Ended(control.interval.end());
    }
    if at < control.begins() {
        let from = control.begins();
        return Fate::Scheduled { from, loses: taken };
    }
    match taken.filter(|taken| taken.at <= at) {
        Some(taken) => Fate::Displaced(taken),
        None => Fate::InForce,
    }
}

fn taken<'a>((control, primacy): Ranked<'_>, loss: &Loss<'a>, primacy_of_winner: u8) -> Taken<'a> {
    let advantage = if primacy_of_winner != primacy {
        Advantage::Primacy
    } else if loss.to.created != control.created {
        Advantage::Later
    } else {
        Advantage::Mrid
    };
    Taken {
        by: loss.to,
        at: loss.at,
        advantage,
    }
}

/// Of each setting, the default control of the programme of the highest rank that asks it.
fn defaults<'a>(fleet: &'a Fleet, der: &Der) -> Vec<(&'a Program, &'a Setting)> {
    let mut seen = BTreeSet::new();
    let programs = fleet.programs_of(der.id).into_iter();
    let asked = programs.flat_map(|program| {
        let base = &program.default.base;
        let settings = base.settings().iter();
        let asked = settings.filter(move |setting| base.asks_class(setting.class()));
        asked.map(move |setting| (program, setting))
    });
    asked
        .filter(|(_, setting)| seen.insert(setting.class()))
        .collect()
}

/// Whether `der` says that it can do what `setting` asks.
fn ability(der: &Der, setting: &Setting) -> Ability {
    let Some(capability) = &der.capability else {
        return Ability::Unknown;
    };
    if let Some(bit) = envelope_bit(setting) {
        return match capability.doe_modes & (1 << bit) != 0 {
            true => Ability::Able,
            false => Ability::Unsupported,
        };
    }
    let Some(bit) = setting.mode_bit() else {
        return Ability::Unknown;
    };
    let has = |modes: Modes| modes.0 & (1 << bit) != 0;
    let enabled = der.settings.as_ref().is_none_or(|s| has(s.modes));
    match (has(capability.modes), enabled) {
        (false, _) => Ability::Unsupported,
        (true, false) => Ability::Disabled,
        (true, true) => Ability::Able,
    }
}

/// The bit of a limit of CSIP-AUS in `doeModesSupported`.
const fn envelope_bit(setting: &Setting) -> Option<u8> {
    match setting {
        Setting::ExpLimW(_) => Some(0),
        Setting::ImpLimW(_) => Some(1),
        Setting::GenLimW(_) => Some(2),
        Setting::LoadLimW(_) => Some(3),
        _ => None,
    }
}

fn metered(world: &World<'_>, der: &Der) -> Option<Metered> {
    let reading = world.observation(der.id).p?;
    let control = world.fleet.in_force(der.id, world.now);
    let by_control = control.and_then(|c| c.base.p(der.settings.as_ref()));
    let by_default = || {
        let programs = world.fleet.programs_of(der.id);
        let asked = |program: &&Program| program.default.base.p(der.settings.as_ref());
        programs.iter().find_map(asked)
    };
    Some(Metered {
        asked: by_control.or_else(by_default),
        reading,
        allowed: world.allowed_deviation(der),
    })
}

/// The latest end of the controls that the device is known to hold, those among them of whose
/// withdrawal it can't have heard.
fn held_until(world: &World<'_>, candidates: &[Ranked<'_>], der: &Der) -> Option<Timestamp> {
    let held = candidates.iter().filter(|(control, _)| {
        world.is_held_by(control, der.id) && world.now < control.latest_end()
    });
    held.map(|(control, _)| control.latest_end()).max()
}

impl<'a> ExplainedSetting<'a> {
    /// What the device goes by: who decides, unless the device has refused that control, or been
    /// told before that it is superseded, which is final. Then its default control is left.
    #[must_use]
    pub fn followed(&self, defaults: &[(&'a Program, &'a Setting)]) -> Decided<'a> {
        let winner = self.claims.iter().find(|it| it.fate == Fate::InForce);
        if !winner.is_some_and(Claim::is_refused) {
            return self.decided;
        }
        let default = defaults.iter().find(|(_, s)| s.class() == self.class);
        default.map_or(Decided::Device, |(program, setting)| {
            Decided::Default(program, setting)
        })
    }
}

impl Claim<'_> {
    /// Whether the device has said that it does not follow it, or can't.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let state = self.delivery.map(Delivery::state);
        let given_up = matches!(
            state,
            Some(DeliveryState::Overridden | DeliveryState::Rejected)
        );
        given_up || matches!(self.ability, Ability::Unsupported | Ability::Disabled)
    }
}

impl Metered {
    /// How old the reading is at `now`.
    #[must_use]
    pub fn age_ms(&self, now: Timestamp) -> i64 {
        now.millis() - self.reading.at.millis()
    }

    /// Whether the meter shows what is asked; `None` when no power is asked.
    #[must_use]
    pub fn follows(&self) -> Option<bool> {
        let asked = self.asked?;
        Some((self.reading.value - asked).abs() <= self.allowed)
    }
}

impl Setting {
    /// Its bit in `DERControlType`, which nameplate and settings use; `None` for what that bitmap
    /// does not have.
    const fn mode_bit(&self) -> Option<u8> {
        use crate::CurveType as C;
        Some(match self {
            Self::Connect(_) => Mode::Connect as u8,
            Self::Energize(_) => Mode::Energize as u8,
            Self::FixedPfAbsorbW(_) => 4,
            Self::FixedPfInjectW(_) => 5,
            Self::FixedVar(_) => Mode::FixedVar as u8,
            Self::FixedW(_) => Mode::FixedW as u8,
            Self::FreqDroop(_) => 8,
            Self::MaxLimW(_) => Mode::MaxLimW as u8,
            Self::TargetVar(_) => Mode::TargetVar as u8,
            Self::TargetW(_) => Mode::TargetW as u8,
            Self::Curve(curve, _) => match curve {
                C::FreqWatt => 9,
                C::HfrtMayTrip => 10,
                C::HfrtMustTrip => 11,
                C::HvrtMayTrip => 12,
                C::HvrtMomentaryCessation => 13,
                C::HvrtMustTrip => 14,
                C::LfrtMayTrip => 15,
                C::LfrtMustTrip => 16,
                C::LvrtMayTrip => 17,
                C::LvrtMomentaryCessation => 18,
                C::LvrtMustTrip => 19,
                C::VoltVar => 23,
                C::VoltWatt => 24,
                C::WattPf => 25,
                C::WattVar => 26,
            },
            Self::ImpLimW(_)
            | Self::ExpLimW(_)
            | Self::GenLimW(_)
            | Self::LoadLimW(_)
            | Self::StorageTargetW(_)
            | Self::RampTms(_) => return None,
        })
    }

    /// The name of its element in `DERControlBase`.
    #[must_use]
    pub const fn element(&self) -> &'static str {
        use crate::CurveType as C;
        match self {
            Self::Connect(_) => "opModConnect",
            Self::Energize(_) => "opModEnergize",
            Self::FixedPfAbsorbW(_) => "opModFixedPFAbsorbW",
            Self::FixedPfInjectW(_) => "opModFixedPFInjectW",
            Self::FixedVar(_) => "opModFixedVar",
            Self::FixedW(_) => "opModFixedW",
            Self::FreqDroop(_) => "opModFreqDroop",
            Self::MaxLimW(_) => "opModMaxLimW",
            Self::TargetVar(_) => "opModTargetVar",
            Self::TargetW(_) => "opModTargetW",
            Self::ImpLimW(_) => "opModImpLimW",
            Self::ExpLimW(_) => "opModExpLimW",
            Self::GenLimW(_) => "opModGenLimW",
            Self::LoadLimW(_) => "opModLoadLimW",
            Self::StorageTargetW(_) => "opModStorageTargetW",
            Self::RampTms(_) => "rampTms",
            Self::Curve(curve, _) => match curve {
                C::FreqWatt => "opModFreqWatt",
                C::HfrtMayTrip => "opModHFRTMayTrip",
                C::HfrtMustTrip => "opModHFRTMustTrip",
                C::HvrtMayTrip => "opModHVRTMayTrip",
                C::HvrtMomentaryCessation => "opModHVRTMomentaryCessation",
                C::HvrtMustTrip => "opModHVRTMustTrip",
                C::LfrtMayTrip => "opModLFRTMayTrip",
                C::LfrtMustTrip => "opModLFRTMustTrip",
                C::LvrtMayTrip => "opModLVRTMayTrip",
                C::LvrtMomentaryCessation => "opModLVRTMomentaryCessation",
                C::LvrtMustTrip => "opModLVRTMustTrip",
                C::VoltVar => "opModVoltVar",
                C::VoltWatt => "opModVoltWatt",
                C::WattPf => "opModWattPF",
                C::WattVar => "opModWattVar",
            },
        }
    }
}
