//! Who caused an entry.

use std::fmt;
use std::str::FromStr;

use fleet::{Lfdi, Name};

use crate::AccountId;

/// Who caused an entry.
///
/// The name behind an account is in its own, erasable row; a device is its LFDI, an enterprise
/// system the name in its certificate. What an entry is about is in its payload, names and PINs of
/// DER included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Actor {
    /// The software itself, by its rules.
    System,
    /// A device, by its certificate.
    Device(Lfdi),
    /// A person, by account.
    Account(AccountId),
    /// Another enterprise system, by the name in its certificate.
    Peer(Name),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Device(lfdi) => write!(f, "device:{lfdi}"),
            Self::Account(id) => write!(f, "account:{}", id.0),
            Self::Peer(name) => write!(f, "peer:{name}"),
        }
    }
}

impl FromStr for Actor {
    /// What an actor looks like.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "is none of system, device:LFDI, account:ID, peer:NAME";
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "system" if rest.is_empty() => Ok(Self::System),
            "device" => rest.parse().map(Self::Device).map_err(|_| FORM),
            "account" => rest
                .parse()
                .map(|id| Self::Account(AccountId(id)))
                .map_err(|_| FORM),
            "peer" => rest.parse().map(Self::Peer).map_err(|_| FORM),
            _ => Err(FORM),
        }
    }
}
