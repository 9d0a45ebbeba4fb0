//! Local accounts.

use units::Timestamp;

use crate::{CommitError, MAX_KEY_BYTES, MAX_SECRET_BYTES};

/// Names an account in the journal; never given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountId(pub u32);

/// A local account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// What the journal calls it.
    pub id: AccountId,
    /// What its owner calls it; unique.
    pub name: String,
    /// The password, hashed by the caller (a PHC string).
    pub password_hash: String,
    /// When it was created.
    pub created: Timestamp,
}

pub(crate) fn check(name: &str, password_hash: &str) -> Result<(), CommitError> {
    if name.len() > MAX_KEY_BYTES {
        return Err(CommitError::TooLarge {
            what: "account name in bytes",
            max: MAX_KEY_BYTES,
        });
    }
    check_nul("account name", name)?;
    check_hash(password_hash)
}

fn check_nul(what: &'static str, text: &str) -> Result<(), CommitError> {
    if text.contains('\0') {
        return Err(CommitError::Nul { what });
    }
    Ok(())
}

pub(crate) fn check_hash(password_hash: &str) -> Result<(), CommitError> {
    if password_hash.len() > MAX_KEY_BYTES {
        return Err(CommitError::TooLarge {
            what: "password hash in bytes",
            max: MAX_KEY_BYTES,
        });
    }
    check_nul("password hash", password_hash)
}

pub(crate) fn check_secret(name: &str, value: &[u8]) -> Result<(), CommitError> {
    if name.len() > MAX_KEY_BYTES {
        return Err(CommitError::TooLarge {
            what: "name of a secret in bytes",
            max: MAX_KEY_BYTES,
        });
    }
    check_nul("name of a secret", name)?;
    if value.len() > MAX_SECRET_BYTES {
        return Err(CommitError::TooLarge {
            what: "secret in bytes",
            max: MAX_SECRET_BYTES,
        });
    }
    Ok(())
}
