//! Envelopes in the control loop: what was displaced, withdrawn or removed of their controls is
//! restored.

use store::{Actor, Batch};

use super::{Inputs, State};

/// Controls that one tick looks at; the next tick goes on with the next DER.
pub(super) const MAX_CONTROLS_OF_TICK: usize = 20_000;

impl State {
    /// Brings the controls of the next DER to their envelopes.
    pub(super) fn settle_envelopes(&mut self, inputs: &Inputs<'_>, changes: &mut Batch) {
        let mut looked_at = 0;
        while looked_at < MAX_CONTROLS_OF_TICK {
            self.envelope_pass = self.fleet.enveloped_after(self.envelope_pass).next();
            let Some(der) = self.envelope_pass else {
                return;
            };
            looked_at += 1 + self.fleet.own_controls_of(der).count();
            for command in self.fleet.envelope_commands(der, inputs.now) {
                if let Err(rejection) = self.execute(&Actor::System, &command, inputs, changes) {
                    tracing::error!(?command, %rejection, "envelope not restored");
                    break;
                }
            }
        }
    }
}
