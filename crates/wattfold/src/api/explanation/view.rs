//! What an explanation looks like.

use fleet::control::explanation::{Ability, Advantage};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::control::{ControlSource, DeliveryStep, LedgerEntry};
use crate::api::control_base::Base;
use crate::api::microgrid::MicrogridState;
use crate::api::value::{MeasuredValue, Time};

/// Why a DER does what it does at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ExplanationView {
    /// IEC 61968 mRID of the DER.
    pub der: String,
    /// The instant.
    pub at: Time,
    /// Each thing that a control or a default control asks.
    pub settings: Vec<ExplainedSettingView>,
    /// What it is limited to.
    pub limits: LimitsView,
    /// The microgrid that it is in; null when it is in none.
    #[schema(required)]
    pub microgrid: Option<MicrogridOfDer>,
    /// What its meter says now of the active power asked; null when it has reported none.
    #[schema(required)]
    pub metered: Option<MeteredView>,
    /// What it does should it lose its server now.
    pub on_loss: OnLossView,
}

/// The microgrid of a DER, which decides whether it is asked for anything on behalf of the grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MicrogridOfDer {
    /// IEC 61968 mRID.
    pub mrid: String,
    /// What it is called.
    pub name: String,
    /// Where it stands at the instant.
    pub state: MicrogridState,
    /// How that bears on the DER: `connected` as any other; `uncertain`, asked for nothing and limited
    /// as ever; `separated`, asked for nothing and not limited.
    pub coupling: CouplingView,
}

/// How a DER is coupled to the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CouplingView {
    /// It is part of the grid.
    Connected,
    /// The switch at its connection point may be open or closed.
    Uncertain,
    /// The switch is open.
    Separated,
}

/// One thing that is asked of a DER.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ExplainedSettingView {
    /// Its element in `DERControlBase`. A value of active power is `opModTargetW`, whether it is
    /// asked in W or as a share.
    pub setting: String,
    /// Who decides it.
    pub decided_by: DecidedBy,
    /// What the device goes by, as far as it has told: something else where it has refused the
    /// control that decides.
    pub followed: DecidedBy,
    /// Number of controls that ask it.
    pub claims_count: usize,
    /// The controls that ask it, the best first, at most 200.
    pub claims: Vec<ClaimView>,
}

/// Who decides a setting.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// A control.
    Control {
        /// IEEE 2030.5 mRID of the control.
        mrid: String,
        /// What it asks.
        asks: Base,
    },
    /// The default control of a programme, as no control holds the setting.
    DefaultControl {
        /// IEEE 2030.5 mRID of the programme.
        program: String,
        /// What it asks.
        asks: Base,
    },
    /// Nobody: it is left to the device.
    Device,
}

/// Where a control stands with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FateKind {
    /// It decides.
    InForce,
    /// It holds the setting too, for devices of other categories than the one in force.
    Beside,
    /// It has not begun.
    Scheduled,
    /// A better one has taken the setting, for good.
    Displaced,
    /// It was withdrawn.
    Cancelled,
    /// It is over.
    Ended,
}

/// What makes one control better than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdvantageView {
    /// The lower primacy value of its programme.
    Primacy,
    /// It was made later.
    Later,
    /// Its mRID is the higher one.
    Mrid,
}

/// Whether a device can do what is asked, by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AbilityView {
    /// It supports the mode and has it enabled.
    Able,
    /// Its nameplate does not name the mode.
    Unsupported,
    /// Its settings have the mode turned off.
    Disabled,
    /// It has reported no nameplate, or the mode is not one that a nameplate names.
    Unknown,
}

/// A control that asks a setting.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClaimView {
    /// IEEE 2030.5 mRID of the control.
    pub control: String,
    /// Its programme.
    pub program: ProgramOfClaim,
    /// What it asks of this setting.
    pub asks: Base,
    /// When it begins.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// When it was made.
    pub created_at: Time,
    /// Where it comes from.
    pub origin: ControlSource,
    /// The dispatch that it serves, if any.
    #[schema(required)]
    pub dispatch: Option<DispatchOfClaim>,
    /// Who asked for it, as the journal has it: `account:ID`, `peer:NAME`, `device:LFDI`, or
    /// `system` when it follows from a rule.
    pub created_by: String,
    /// Where it stands.
    pub fate: FateKind,
    /// Since when, or, of one that is scheduled, from when.
    pub since: Time,
    /// mRID of the control that has the setting instead, or will take it.
    #[schema(required)]
    pub taken_by: Option<String>,
    /// When that one takes it.
    #[schema(required)]
    pub taken_at: Option<Time>,
    /// What makes that one better.
    #[schema(required)]
    pub advantage: Option<AdvantageView>,
    /// Whether the device can do it.
    pub ability: AbilityView,
    /// How far it has come at the device; null when nothing is known.
    #[schema(required)]
    pub delivery_state: Option<DeliveryStep>,
    /// What the device did and answered.
    pub entries: Vec<LedgerEntry>,
    /// All of this in a sentence.
    pub reason: String,
}

/// The programme of a control.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProgramOfClaim {
    /// IEEE 2030.5 mRID.
    pub mrid: String,
    /// What it is called.
    pub name: String,
    /// Its rank: the lower value wins.
    pub primacy: u8,
    /// mRID of the node of the hierarchy that it addresses; null for one DER and for all.
    #[schema(required)]
    pub assignment: Option<String>,
}

/// The dispatch that a control serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DispatchOfClaim {
    /// IEC 61968 mRID.
    pub mrid: String,
    /// Generation of the plan that asked for it.
    pub generation: u32,
    /// Which interval of the schedule, from 0.
    pub interval: u32,
}

/// What a DER is limited to.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LimitsView {
    /// Most injection in W that controls and default controls leave it; null without a limit.
    #[schema(required)]
    pub inject_max_w: Option<f64>,
    /// Most absorption in W, a magnitude; null without a limit.
    #[schema(required)]
    pub absorb_max_w: Option<f64>,
    /// What its envelopes allow, one of each source.
    pub envelopes: Vec<EnvelopeAtInstant>,
}

/// What an envelope allows at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EnvelopeAtInstant {
    /// Who set it.
    pub source: String,
    /// When it was set.
    pub set_at: Time,
    /// Most import in W, a magnitude; null without a limit.
    #[schema(required)]
    pub import_max_w: Option<f64>,
    /// Most export in W, a magnitude; null without a limit.
    #[schema(required)]
    pub export_max_w: Option<f64>,
}

/// The active power asked held against the meter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct MeteredView {
    /// What is asked now, in W, injection positive; null when no power is.
    #[schema(required)]
    pub asked_w: Option<f64>,
    /// The latest reading of active power in W.
    pub p_w: MeasuredValue,
    /// How old it is, in s; negative when the device's clock is ahead.
    pub age_s: f64,
    /// Deviation in W that still counts as following.
    pub allowed_deviation_w: f64,
    /// Whether it shows what is asked; null when no power is asked.
    #[schema(required)]
    pub follows: Option<bool>,
}

/// What a DER does should it lose its server now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OnLossView {
    /// When it counts as silent if it is not heard again; null when it was never heard.
    #[schema(required)]
    pub silent_at: Option<Time>,
    /// It follows the controls that it holds until then; null when it holds none.
    #[schema(required)]
    pub controls_until: Option<Time>,
    /// What holds then.
    pub defaults: Vec<DefaultOfProgram>,
}

/// What the default control of a programme asks.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DefaultOfProgram {
    /// IEEE 2030.5 mRID of the programme.
    pub program: String,
    /// What it asks that no programme of a higher rank asks.
    pub asks: Base,
}

impl From<Advantage> for AdvantageView {
    fn from(advantage: Advantage) -> Self {
        match advantage {
            Advantage::Primacy => Self::Primacy,
            Advantage::Later => Self::Later,
            Advantage::Mrid => Self::Mrid,
        }
    }
}

impl From<Ability> for AbilityView {
    fn from(ability: Ability) -> Self {
        match ability {
            Ability::Able => Self::Able,
            Ability::Unsupported => Self::Unsupported,
            Ability::Disabled => Self::Disabled,
            Ability::Unknown => Self::Unknown,
        }
    }
}
