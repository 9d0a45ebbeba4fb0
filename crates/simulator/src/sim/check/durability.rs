//! What was acknowledged survives a crash.

use fleet::Event;

use super::Verdict;

/// Looks for what was acknowledged in a journal that is read from its beginning. Answers are given
/// in the order of commits, so that the events stand there in this order.
pub struct Kept<'a> {
    missing: &'a [Event],
}

impl<'a> Kept<'a> {
    /// Operators were told of these events.
    pub const fn new(acknowledged: &'a [Event]) -> Self {
        Self {
            missing: acknowledged,
        }
    }

    /// The journal has this event next.
    pub fn read(&mut self, event: &Event) {
        if let Some((first, rest)) = self.missing.split_first()
            && first == event
        {
            self.missing = rest;
        }
    }

    /// What is to be said when all of the journal is read.
    pub fn verdict(self) -> Verdict {
        match self.missing.first() {
            None => Ok(()),
            Some(event) => Err(format!("was acknowledged and is gone: {event:?}")),
        }
    }
}
