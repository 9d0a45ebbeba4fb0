//! What follows from a change: commands that bring controls to what they were made from.
//!
//! Pure, and the same whether it is asked once or again: commands that have been carried out are
//! not asked for a second time.

mod envelope;
mod microgrid;
mod rated;

use units::{Percent, Timestamp, Watts};

use crate::{Command, Event, Fleet, MicrogridEvent, Role, Scope};

impl Fleet {
    /// The commands that follow from `event`, which has been applied.
    #[must_use]
    pub fn consequences(&self, event: &Event, now: Timestamp) -> Vec<Command> {
        match event {
            Event::EnvelopeSet(envelope) => self.envelope_commands(envelope.der, now),
            Event::EnvelopeCleared(der, _) => self.envelope_commands(*der, now),
            Event::CapabilityReported(der, _) => self.envelope_commands(*der, now),
            Event::SettingsReported(der, _) => {
                let mut commands = self.rated_commands(*der, now);
                commands.extend(self.envelope_commands(*der, now));
                commands
            }
            // The programme of an envelope is made first and filled once it is there.
            Event::ProgramCreated(program) if program.role == Role::Envelope => {
                match program.scope {
                    Scope::Device(der) => self.envelope_commands(der, now),
                    _ => Vec::new(),
                }
            }
            Event::Microgrid(MicrogridEvent::Moved(id, _)) => self.microgrid_commands(*id, now),
            _ => Vec::new(),
        }
    }
}

/// `p` as a share of `of`, toward zero, at most the whole.
fn share_of(p: Watts, of: Watts) -> Percent {
    let hundredths = i128::from(p.micro()) * 10_000 / i128::from(of.micro().max(1));
    let bounded = hundredths.clamp(-10_000, 10_000);
    Percent::from_hundredths(i32::try_from(bounded).unwrap_or(0))
}
