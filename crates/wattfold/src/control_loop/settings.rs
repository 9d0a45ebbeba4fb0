//! Required settings in the control loop: programmes are brought to what is required, roll-outs go on
//! as their evidence comes in, alarms open and close.

use std::collections::BTreeMap;

use fleet::settings_profile::read_back::{drift, facts};
use fleet::settings_profile::reconcile::reconcile;
use fleet::settings_profile::{Decision, Facts, Standing};
use fleet::{Command, DerId, RollOutId, SettingsCommand};
use store::{Actor, Batch};

use super::{Inputs, State};

/// DER that one tick looks at; the next tick goes on with the next ones.
pub(super) const MAX_DERS_OF_TICK: usize = 1_000;
/// Rounds in which the programme of a DER is brought to what is required: curves, then the default
/// control that refers to them, then the curves that are no longer needed.
const MAX_ROUNDS: usize = 4;

/// Where the round over all DER has got to. Lost at a restart, which begins a new round.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingsPass {
    next: usize,
    /// Of DER in open roll-outs, as this round has found them.
    facts: BTreeMap<DerId, Facts>,
}

impl State {
    /// Looks at the next DER. When all have been looked at, roll-outs are judged by what was found.
    pub(super) fn settle_settings(&mut self, inputs: &Inputs<'_>, changes: &mut Batch) {
        if self.fleet.settings().is_idle() {
            return;
        }
        let total = self.fleet.ders().len();
        let from = self.settings_pass.next.min(total);
        let to = total.min(from + MAX_DERS_OF_TICK);
        for der in (from..to).map(DerId::from) {
            self.settle_programme(der, inputs, changes);
            self.settle_alarms(der, inputs, changes);
            self.look_at(der, inputs);
        }
        self.settings_pass.next = to;
        if to == total {
            self.step_roll_outs(inputs, changes);
            self.settings_pass = SettingsPass::default();
        }
    }

    fn settle_programme(&mut self, id: DerId, inputs: &Inputs<'_>, changes: &mut Batch) {
        for _ in 0..MAX_ROUNDS {
            let Some(der) = self.fleet.der(id) else {
                return;
            };
            let commands = match reconcile(&self.fleet, der, inputs.now) {
                Ok(commands) if commands.is_empty() => return,
                Ok(commands) => commands,
                Err(error) => {
                    tracing::debug!(der = %der.mrid, %error, "required settings are out of reach");
                    return;
                }
            };
            for command in commands {
                if !self.settle(&command, inputs, changes) {
                    return;
                }
            }
        }
    }

    fn settle_alarms(&mut self, id: DerId, inputs: &Inputs<'_>, changes: &mut Batch) {
        let Some(der) = self.fleet.der(id) else {
            return;
        };
        // A device that has not reported by then would be silent.
        let grace = inputs.policy.silent_after;
        let (raise, clear) = drift(&self.fleet, der, grace, inputs.now);
        for each in &raise {
            tracing::warn!(der = %der.mrid, parameter = %each.parameter, required = %each.required,
                reported = %each.reported, "settings drift");
        }
        let clear = clear
            .into_iter()
            .map(|p| SettingsCommand::ClearDrift(id, p));
        let raise = raise.into_iter().map(SettingsCommand::RaiseDrift);
        let commands: Vec<_> = raise.chain(clear).collect();
        for command in commands {
            self.settle(&Command::Settings(command), inputs, changes);
        }
    }

    fn look_at(&mut self, id: DerId, inputs: &Inputs<'_>) {
        let book = self.fleet.settings();
        let open = book.open_roll_out_of(id);
        let Some((roll_out, der)) = open.zip(self.fleet.der(id)) else {
            return;
        };
        let heard = inputs
            .observations
            .get(id.index())
            .and_then(|seen| seen.last_contact);
        let facts = facts(&self.fleet, roll_out, der, heard);
        self.settings_pass.facts.insert(id, facts);
    }

    fn step_roll_outs(&mut self, inputs: &Inputs<'_>, changes: &mut Batch) {
        let found = &self.settings_pass.facts;
        let facts = |der: DerId| {
            found.get(&der).copied().unwrap_or(Facts {
                standing: Standing::Pending,
                alarm: false,
            })
        };
        let open = self.fleet.settings().open_roll_outs();
        let steps: Vec<(RollOutId, Decision)> = open
            .filter_map(|one| {
                let decision = one.evaluate(facts, inputs.now)?;
                tracing::info!(roll_out = %one.name, ?decision, "roll-out goes on");
                Some((one.id, decision))
            })
            .collect();
        for (id, decision) in steps {
            let command = SettingsCommand::StepRollOut(id, decision);
            self.settle(&Command::Settings(command), inputs, changes);
        }
    }

    /// Whether the command was carried out.
    fn settle(&mut self, command: &Command, inputs: &Inputs<'_>, changes: &mut Batch) -> bool {
        match self.execute(&Actor::System, command, inputs, changes) {
            Ok(_) => true,
            Err(rejection) => {
                tracing::error!(?command, %rejection, "settings not brought to a DER");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
