//! Why a DER does what it does: what is asked of it, by whom, who won and what it made of that.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

mod view;

use axum::Json;
use axum::extract::State;
use fleet::control::explanation::{
    Ability, Advantage, Claim, Decided, ExplainedSetting, Explanation, Fate, Metered, Taken,
    explain,
};
use fleet::dispatch::assess::World;
use fleet::microgrid::Coupling;
use fleet::{Control, ControlBase, Delivery, Der, Origin, Program, Scope, Setting};
use serde::Deserialize;
use units::Timestamp;
use utoipa::IntoParams;

use crate::api::control;
use crate::api::control_base::Base;
use crate::api::problem::Problem;
use crate::api::request::{Named, Params};
use crate::api::value::{MeasuredValue, Time};
use crate::api::{Api, der};
use crate::clock;
use crate::control_loop::Authors;

pub use view::{
    AbilityView, AdvantageView, ClaimView, CouplingView, DecidedBy, DefaultOfProgram,
    DispatchOfClaim, EnvelopeAtInstant, ExplainedSettingView, ExplanationView, FateKind,
    LimitsView, MeteredView, MicrogridOfDer, OnLossView, ProgramOfClaim,
};

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
