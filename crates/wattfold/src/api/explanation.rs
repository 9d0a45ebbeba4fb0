//! Why a DER does what it does: what is asked of it, by whom, who won and what it made of that.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use axum::Json;
use axum::extract::State;
use fleet::control::explanation::{
    Ability, Advantage, Claim, Decided, ExplainedSetting, Explanation, Fate, Metered, Taken,
    explain,
};
use fleet::dispatch::assess::World;
use fleet::microgrid::Coupling;
use fleet::{Control, ControlBase, Delivery, Der, Origin, Program, Scope, Setting};
use serde::{Deserialize, Serialize};
use units::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::api::control::{self, ControlSource, DeliveryStep, LedgerEntry};
use crate::api::control_base::Base;
use crate::api::microgrid::MicrogridState;
use crate::api::problem::Problem;
use crate::api::request::{Named, Params};
use crate::api::value::{MeasuredValue, Time};
use crate::api::{Api, der};
use crate::clock;
use crate::control_loop::Authors;

/// Most controls shown with one setting, the best first.
pub const MAX_CLAIMS_SHOWN: usize = 200;

/// Which instant is to be explained.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplanationQuery {
    /// Now or later, as far as is known now; now without it.
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Option<Time>,
}

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

/// Explain why a DER does what it does, or will do.
///
/// Setting by setting: who decides it, every control that asks it, and of each why it is or is not
/// in force; what the device answered; what it measured.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}/explanation", operation_id = "explain_der", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID"), ExplanationQuery),
    responses((status = 200, body = ExplanationView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
    Params(query): Params<ExplanationQuery>,
) -> Result<Json<ExplanationView>, Problem> {
    let now = clock::now();
    let at = query.at.map_or(now, |Time(at)| at);
    // A second for what the request was under way.
    if at.millis() + 1_000 < now.millis() {
        return Err(Problem::field("at", "is in the past"));
    }
    api.node.read(|published| {
        let world = published.world(now);
        let der = der::find(world.fleet, &mrid)?;
        let explanation = explain(&world, der, at);
        let view = View {
            world: &world,
            authors: published.authors,
            explanation: &explanation,
        };
        Ok(Json(view.whole(der)))
    })
}

/// What a rendering rests on.
struct View<'a> {
    world: &'a World<'a>,
    authors: &'a Authors,
    explanation: &'a Explanation<'a>,
}

impl View<'_> {
    fn whole(&self, der: &Der) -> ExplanationView {
        let w = |limit: Option<units::Watts>| limit.map(units::Watts::as_f64);
        let it = self.explanation;
        let envelopes = it
            .envelopes
            .iter()
            .map(|(envelope, limits)| EnvelopeAtInstant {
                source: envelope.source.to_string(),
                set_at: envelope.set.into(),
                import_max_w: w(limits.import_max),
                export_max_w: w(limits.export_max),
            });
        let defaults = it.on_loss.defaults.iter();
        let defaults = defaults.map(|(program, setting)| DefaultOfProgram {
            program: program.mrid.to_string(),
            asks: self.asks(setting),
        });
        ExplanationView {
            der: der.mrid.to_string(),
            at: it.at.into(),
            settings: it.settings.iter().map(|one| self.setting(one)).collect(),
            limits: LimitsView {
                inject_max_w: w(it.inject_max),
                absorb_max_w: w(it.absorb_max),
                envelopes: envelopes.collect(),
            },
            microgrid: it.microgrid.map(|(it, state)| MicrogridOfDer {
                mrid: it.mrid.to_string(),
                name: it.name.to_string(),
                state: state.into(),
                coupling: match state.coupling() {
                    Coupling::Connected => CouplingView::Connected,
                    Coupling::Uncertain => CouplingView::Uncertain,
                    Coupling::Separated => CouplingView::Separated,
                },
            }),
            metered: it
                .metered
                .map(|metered| metered_view(&metered, self.world.now)),
            on_loss: OnLossView {
                silent_at: it.on_loss.silent_at.map(Time),
                controls_until: it.on_loss.controls_until.map(Time),
                defaults: defaults.collect(),
            },
        }
    }

    fn setting(&self, one: &ExplainedSetting<'_>) -> ExplainedSettingView {
        let shown = one.claims.iter().take(MAX_CLAIMS_SHOWN);
        let claimed = one.claims.first().map(|claim| claim.setting);
        let asked = claimed.or(match one.decided {
            Decided::Control(_, setting) | Decided::Default(_, setting) => Some(setting),
            Decided::Device => None,
        });
        ExplainedSettingView {
            setting: asked.map_or("", |asked| element_of_class(asked)).to_owned(),
            decided_by: self.decided(one.decided),
            followed: self.decided(one.followed(&self.explanation.on_loss.defaults)),
            claims_count: one.claims.len(),
            claims: shown.map(|claim| self.claim(claim)).collect(),
        }
    }

    fn decided(&self, decided: Decided<'_>) -> DecidedBy {
        match decided {
            Decided::Control(control, setting) => DecidedBy::Control {
                mrid: control.mrid.to_string(),
                asks: self.asks(setting),
            },
            Decided::Default(program, setting) => DecidedBy::DefaultControl {
                program: program.mrid.to_string(),
                asks: self.asks(setting),
            },
            Decided::Device => DecidedBy::Device,
        }
    }

    fn claim(&self, claim: &Claim<'_>) -> ClaimView {
        let control = claim.control;
        let program = self.world.fleet.program(control.program);
        let (fate, since, taken) = fate(claim);
        ClaimView {
            control: control.mrid.to_string(),
            program: self.program(program, claim.primacy),
            asks: self.asks(claim.setting),
            start: control.interval.start.into(),
            end: control.interval.end().into(),
            created_at: control.created.into(),
            origin: control.origin.into(),
            dispatch: self.dispatch(control),
            created_by: self.authors.of(control).to_string(),
            fate,
            since: since.into(),
            taken_by: taken.map(|(by, _)| by.mrid.to_string()),
            taken_at: taken.and_then(|(_, how)| Some(how?.at.into())),
            advantage: taken.and_then(|(_, how)| Some(how?.advantage.into())),
            ability: claim.ability.into(),
            delivery_state: claim.delivery.map(|row| row.state().into()),
            entries: control::entries(claim.delivery),
            reason: self.reason(claim),
        }
    }

    fn asks(&self, setting: &Setting) -> Base {
        Base::of(self.world.fleet, &ControlBase::of([*setting]))
    }

    fn program(&self, program: Option<&Program>, primacy: u8) -> ProgramOfClaim {
        let node = program.and_then(|program| match program.scope {
            Scope::Assignment(node) => self.world.fleet.assignment(node),
            Scope::Device(_) | Scope::All => None,
        });
        ProgramOfClaim {
            mrid: program.map_or_else(String::new, |program| program.mrid.to_string()),
            name: program.map_or_else(String::new, |program| program.name.to_string()),
            primacy,
            assignment: node.map(|node| node.mrid.to_string()),
        }
    }

    fn dispatch(&self, control: &Control) -> Option<DispatchOfClaim> {
        let Origin::Dispatch {
            dispatch,
            generation,
            interval,
        } = control.origin
        else {
            return None;
        };
        let dispatch = self.world.fleet.dispatch(dispatch)?;
        Some(DispatchOfClaim {
            mrid: dispatch.mrid.to_string(),
            generation,
            interval,
        })
    }

    /// The fate of a claim in words, and what stands between the control and the device.
    fn reason(&self, claim: &Claim<'_>) -> String {
        let text = |at: Timestamp| Time(at).to_text();
        let better = |taken: &Taken<'_>| {
            let by = &taken.by.mrid;
            match taken.advantage {
                Advantage::Primacy => format!("{by}, whose programme ranks higher"),
                Advantage::Later => format!("{by}, which was made later"),
                Advantage::Mrid => format!("{by}, which has the higher mRID"),
            }
        };
        let mut reason = match &claim.fate {
            Fate::InForce => "in force".to_owned(),
            Fate::Beside(other) => format!(
                "holds beside {}, for devices of other categories",
                other.mrid
            ),
            Fate::Scheduled { from, loses: None } => format!("begins at {}", text(*from)),
            Fate::Scheduled {
                from,
                loses: Some(taken),
            } => format!(
                "begins at {} and gives way at {} to {}",
                text(*from),
                text(taken.at),
                better(taken)
            ),
            Fate::Displaced(taken) => {
                format!("displaced since {} by {}", text(taken.at), better(taken))
            }
            Fate::Cancelled(at) => format!("withdrawn at {}", text(*at)),
            Fate::Ended(at) => format!("over since {}", text(*at)),
        };
        let obstacle = obstacle(claim);
        if let Some(obstacle) = obstacle {
            reason.push_str("; ");
            reason.push_str(obstacle);
        }
        reason
    }
}

/// What stands between a control and the device's doing it.
fn obstacle(claim: &Claim<'_>) -> Option<&'static str> {
    use fleet::DeliveryState as S;
    let over = matches!(claim.fate, Fate::Cancelled(_) | Fate::Ended(_));
    match (claim.ability, claim.delivery.map(Delivery::state)) {
        _ if over => None,
        (Ability::Unsupported, _) => Some("the device does not support the mode"),
        (Ability::Disabled, _) => Some("the device has the mode turned off"),
        (_, Some(S::Overridden)) => Some("the device does not follow it, by its own answer"),
        (_, Some(S::Rejected)) => Some("the device has refused it"),
        (_, Some(S::Silent)) => Some("the device is silent"),
        (_, None | Some(S::Planned)) => Some("the device has not fetched it"),
        _ => None,
    }
}

/// A control that has or will have a setting, and how it took it if it did.
type Holder<'a> = (&'a Control, Option<Taken<'a>>);

/// The fate, since when, and who has the setting instead.
fn fate<'a>(claim: &Claim<'a>) -> (FateKind, Timestamp, Option<Holder<'a>>) {
    let begins = claim.control.begins();
    match claim.fate {
        Fate::InForce => (FateKind::InForce, begins, None),
        Fate::Beside(other) => (FateKind::Beside, begins, Some((other, None))),
        Fate::Scheduled { from, loses } => {
            let loses = loses.map(|taken| (taken.by, Some(taken)));
            (FateKind::Scheduled, from, loses)
        }
        Fate::Displaced(taken) => (FateKind::Displaced, taken.at, Some((taken.by, Some(taken)))),
        Fate::Cancelled(at) => (FateKind::Cancelled, at, None),
        Fate::Ended(at) => (FateKind::Ended, at, None),
    }
}

/// The element that stands for all settings of one class.
fn element_of_class(setting: &Setting) -> &'static str {
    match setting {
        Setting::FixedW(_) | Setting::TargetW(_) => "opModTargetW",
        other => other.element(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an age in milliseconds is far below 2⁵³"
)]
fn metered_view(metered: &Metered, now: Timestamp) -> MeteredView {
    MeteredView {
        asked_w: metered.asked.map(units::Watts::as_f64),
        p_w: MeasuredValue::of_watts(metered.reading),
        age_s: metered.age_ms(now) as f64 / 1_000.0,
        allowed_deviation_w: metered.allowed.as_f64(),
        follows: metered.follows(),
    }
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
