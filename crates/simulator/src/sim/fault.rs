//! What can go wrong.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

macro_rules! faults {
    ($($(#[$doc:meta])* $Fault:ident = $name:literal,)*) => {
        /// One way in which things go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $Fault,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$Fault),*];

            /// As on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Fault => $name,)*
                }
            }
        }
    };
}

faults! {
    /// A request or an answer gets lost.
    Loss = "loss",
    /// A request arrives twice.
    Duplication = "duplication",
    /// What was sent later arrives earlier.
    Reordering = "reordering",
    /// A device, or a whole area, is cut off both ways.
    Partition = "partition",
    /// Requests arrive and answers do not, or requests do not.
    OneWay = "one-way",
    /// A device restarts with the state that its client had saved.
    Reboot = "reboot",
    /// A device restarts and knows nothing.
    Amnesia = "amnesia",
    /// A device's clock runs fast or slow.
    Drift = "drift",
    /// A device's clock is set one hour ahead or back.
    Jump = "jump",
    /// Local time changes in the middle of the run.
    Dst = "dst",
    /// The server is killed, and started again.
    Crash = "crash",
    /// An owner takes the device out of its events.
    OptOut = "opt-out",
    /// A device answers as if it followed and does not.
    Inert = "inert",
    /// A meter shows the same for ever.
    StuckMeter = "stuck-meter",
    /// A meter counts the wrong way.
    ReversedMeter = "reversed-meter",
    /// A microgrid leaves the grid, planned or not, and comes back.
    Islands = "islands",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which faults there are to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults(u32);

impl Faults {
    /// Every fault there is.
    #[must_use]
    pub fn all() -> Self {
        Self(
            Fault::ALL
                .iter()
                .fold(0, |bits, fault| bits | 1 << *fault as u32),
        )
    }

    /// Whether `fault` is among them.
    #[must_use]
    pub const fn has(self, fault: Fault) -> bool {
        self.0 & 1 << fault as u32 != 0
    }
}

/// A word that names no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no fault; there are all, none, {}", names())]
pub struct NoFault {
    word: String,
}

fn names() -> String {
    let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
    names.join(", ")
}

impl FromStr for Faults {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        match text {
            "all" => return Ok(Self::all()),
            "none" => return Ok(Self::default()),
            _ => {}
        }
        let bit = |word: &str| {
            let fault = Fault::ALL.iter().find(|fault| fault.name() == word);
            let bit = fault.map(|fault| 1 << *fault as u32);
            bit.ok_or_else(|| NoFault {
                word: word.to_owned(),
            })
        };
        let bits = text.split(',').map(bit);
        Ok(Self(bits.sum::<Result<_, _>>()?))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        let names = Fault::ALL.iter().filter(|fault| self.has(**fault));
        let names: Vec<&str> = names.map(|fault| fault.name()).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}

/// How often each fault occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Fault::ALL.len()]);

impl Counts {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// Takes in those of another run.
    pub fn extend(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// How often `fault` occurred.
    #[must_use]
    pub const fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// By name.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows = Fault::ALL.iter();
        let rows = rows.map(|fault| (fault.name().to_owned(), self.of(*fault).into()));
        Value::Object(rows.collect::<Map<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_on_the_command_line() {
        let some: Faults = "loss,jump".parse().unwrap();
        assert!(some.has(Fault::Loss) && some.has(Fault::Jump) && !some.has(Fault::Crash));
        assert_eq!(some.to_string(), "loss,jump");
        assert_eq!("all".parse(), Ok(Faults::all()));
        assert_eq!(Faults::all().to_string(), "all");
        assert_eq!("none".parse(), Ok(Faults::default()));
        assert_eq!(Faults::default().to_string(), "none");
        assert_eq!(
            "loss,hail".parse::<Faults>(),
            Err(NoFault {
                word: "hail".to_owned()
            })
        );
    }
}
