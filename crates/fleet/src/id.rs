//! Identities. Dense indices name things inside one fleet; the rest are names the outside uses.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Why a text is not an identity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// Its length is outside what is allowed.
    #[error("{what} must have {min} to {max} characters, has {got}")]
    Length {
        /// Which identity.
        what: &'static str,
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
        /// Characters given.
        got: usize,
    },
    /// It holds a character that is not allowed.
    #[error("{what} may not contain {found:?}")]
    Character {
        /// Which identity.
        what: &'static str,
        /// The offending character.
        found: char,
    },
    /// The check digit does not fit.
    #[error("PIN {0} fails its check digit: the digits must add up to a multiple of 10")]
    CheckDigit(u32),
}

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index into a dense vector.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl From<usize> for $name {
            /// Saturates: a fleet holds fewer than 2³² of anything.
            fn from(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

index!(
    /// A DER, in order of enrolment.
    DerId
);
index!(
    /// A DER group, in order of creation; never reused after deletion.
    GroupId
);
index!(
    /// A programme, in order of creation.
    ProgramId
);
index!(
    /// A control, in order of issue.
    ControlId
);
index!(
    /// An aggregator, in order of enrolment.
    AggregatorId
);
index!(
    /// A node of the group hierarchy, in order of creation.
    AssignmentId
);
index!(
    /// A curve, in order of creation.
    CurveId
);
index!(
    /// A dispatch, in order of creation.
    DispatchId
);
index!(
    /// A version of a settings profile, in order of creation.
    SettingsProfileId
);
index!(
    /// A roll-out of settings, in order of creation.
    RollOutId
);
index!(
    /// An alarm, in the order in which they were raised.
    AlarmId
);
index!(
    /// A rule by which alarms are not shown, in order of creation.
    SuppressionId
);
index!(
    /// A microgrid, in order of creation.
    MicrogridId
);
index!(
    /// A strategy, in order of creation.
    StrategyId
);
index!(
    /// A permit of a microgrid, in the order in which they were granted.
    PermitId
);

/// IEEE 2030.5 `mRIDType`: 128 bits, written as 32 upper-case hexadecimal digits, of which the
/// last 8 are the private enterprise number of whoever assigned it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mrid(pub u128);

impl fmt::Display for Mrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032X}", self.0)
    }
}

impl fmt::Debug for Mrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a hexadecimal identity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} must be {digits} hexadecimal digits")]
pub struct HexError {
    what: &'static str,
    digits: usize,
}

impl FromStr for Mrid {
    type Err = HexError;
    fn from_str(text: &str) -> Result<Self, HexError> {
        let error = HexError {
            what: "mRID",
            digits: 32,
        };
        if text.is_empty() || text.len() > 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(error);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| error)
    }
}

/// IEEE 2030.5 long-form device identifier: the first 20 bytes of the SHA-256 of the device
/// certificate (6.3.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lfdi(pub [u8; 20]);

impl Lfdi {
    /// The short form: the first 36 bits as a decimal number, followed by a digit that makes the
    /// sum of all digits a multiple of 10 (6.3.3).
    #[must_use]
    pub fn sfdi(self) -> u64 {
        let head = self.0[..5]
            .iter()
            .fold(0_u64, |acc, byte| (acc << 8) | u64::from(*byte));
        let digits = head >> 4;
        digits * 10 + (10 - digit_sum(digits) % 10) % 10
    }
}

impl fmt::Display for Lfdi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Lfdi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Lfdi {
    type Err = HexError;
    fn from_str(text: &str) -> Result<Self, HexError> {
        let error = HexError {
            what: "LFDI",
            digits: 40,
        };
        if text.len() != 40 || !text.is_ascii() {
            return Err(error);
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| error.clone())?;
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(error);
            }
            *byte = u8::from_str_radix(digits, 16).map_err(|_| error.clone())?;
        }
        Ok(Self(bytes))
    }
}

/// IEEE 2030.5 registration PIN: five digits and a check digit, held as one number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pin(u32);

impl Pin {
    /// From the six digits.
    ///
    /// # Errors
    /// [`IdError::Length`] beyond six digits, [`IdError::CheckDigit`] when the sum of the digits
    /// is no multiple of 10.
    pub fn new(digits: u32) -> Result<Self, IdError> {
        if digits > 999_999 {
            return Err(IdError::Length {
                what: "PIN",
                min: 1,
                max: 6,
                got: 7,
            });
        }
        if !digit_sum(u64::from(digits)).is_multiple_of(10) {
            return Err(IdError::CheckDigit(digits));
        }
        Ok(Self(digits))
    }

    /// From five digits, the check digit added; more than five are cut to the last five.
    #[must_use]
    pub fn with_check_digit(five: u32) -> Self {
        let five = five % 100_000;
        let sum = digit_sum(u64::from(five)) % 10;
        Self(five * 10 + u32::try_from((10 - sum) % 10).unwrap_or(0))
    }

    /// The six digits.
    #[must_use]
    pub const fn digits(self) -> u32 {
        self.0
    }
}

fn digit_sum(mut number: u64) -> u64 {
    let mut sum = 0;
    while number > 0 {
        sum += number % 10;
        number /= 10;
    }
    sum
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Most characters.
            pub const MAX_CHARS: usize = $max;

            /// From a text, blanks around it removed.
            ///
            /// # Errors
            /// [`IdError::Length`] when empty or too long, [`IdError::Character`] when it holds a
            /// control character.
            pub fn new(text: &str) -> Result<Self, IdError> {
                let text = text.trim();
                let got = text.chars().count();
                if got == 0 || got > Self::MAX_CHARS {
                    return Err(IdError::Length { what: $what, min: 1, max: $max, got });
                }
                if let Some(found) = text.chars().find(|c| c.is_control()) {
                    return Err(IdError::Character { what: $what, found });
                }
                Ok(Self(text.to_owned()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

text!(
    /// An IEC 61968 mRID. The standard types it as a string; ours are UUIDs, a utility's own may
    /// be anything printable.
    CimMrid,
    "mRID",
    64
);
text!(
    /// A name given by a person or another system.
    Name,
    "name",
    64
);
text!(
    /// A remark, such as why something was changed.
    Note,
    "note",
    512
);
