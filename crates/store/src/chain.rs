//! The hash chain: each entry's hash covers its content, its place and the hash before it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::RawEntry;

/// Identity of a journal. The chain begins with it, so that no entry fits into another journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalId(pub u128);

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    /// What a hash looks like.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a hash is 64 hexadecimal digits";
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(FORM);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| FORM)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| FORM)?;
        }
        Ok(Self(bytes))
    }
}

/// How far a journal has come: the sequence number of its last entry (0 when empty) and that
/// entry's hash. Whoever keeps a head elsewhere can prove later that nothing before it changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Sequence number of the last entry.
    pub version: u64,
    /// Its hash.
    pub hash: Hash,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.version, self.hash)
    }
}

impl FromStr for Head {
    /// What a head looks like.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a head is VERSION:HASH";
        let (version, hash) = text.split_once(':').ok_or(FORM)?;
        Ok(Self {
            version: version.parse().map_err(|_| FORM)?,
            hash: hash.parse()?,
        })
    }
}

/// The head of an empty journal.
pub(crate) fn genesis(journal: JournalId) -> Head {
    let mut sha = Sha256::new();
    sha.update(b"wattfold journal 1");
    sha.update(journal.0.to_be_bytes());
    Head {
        version: 0,
        hash: Hash(sha.finalize().into()),
    }
}

/// The hash of `entry` after `previous`. Numbers are big-endian and texts preceded by their
/// length, so that no two entries hash the same bytes.
pub(crate) fn link(previous: Hash, entry: &RawEntry<'_>) -> Hash {
    let mut sha = Sha256::new();
    sha.update(previous.0);
    sha.update(entry.sequence.to_be_bytes());
    sha.update(entry.at.millis().to_be_bytes());
    for text in [entry.actor, entry.kind] {
        sha.update((text.len() as u64).to_be_bytes());
        sha.update(text);
    }
    sha.update(entry.version.to_be_bytes());
    sha.update((entry.payload.len() as u64).to_be_bytes());
    sha.update(entry.payload);
    Hash(sha.finalize().into())
}
