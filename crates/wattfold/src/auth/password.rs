//! Passwords: rules, hashes.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, Salt, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use thiserror::Error;

use super::AuthError;

/// Fewest characters of a password.
pub const MIN_PASSWORD_CHARS: usize = 12;
/// Most bytes of a password.
pub const MAX_PASSWORD_BYTES: usize = 256;

/// Memory of one hash, in KiB; with one pass more than the minimum this is what OWASP's
/// password storage cheat sheet names for Argon2id.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;

/// Why a password is not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PasswordError {
    /// The current one does not fit.
    #[error(transparent)]
    Current(#[from] AuthError),
    /// The new one is too short.
    #[error("must have at least {MIN_PASSWORD_CHARS} characters")]
    TooShort,
    /// The new one is too long.
    #[error("must have at most {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
}

/// Whether a new password will do.
pub(super) fn check(password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(PasswordError::TooShort);
    }
    if MAX_PASSWORD_BYTES < password.len() {
        return Err(PasswordError::TooLong);
    }
    Ok(())
}

/// Argon2id hash in PHC string format.
pub(super) fn hash(password: &str, salt: &[u8; Salt::RECOMMENDED_LENGTH]) -> String {
    let salt = SaltString::encode_b64(salt).expect("16 bytes are a salt");
    argon2()
        .hash_password(password.as_bytes(), &salt)
        .expect("parameters are within bounds and passwords shorter than 2³² bytes")
        .to_string()
}

/// Whether `password` is the one that was hashed.
pub(super) fn fits(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("parameters are within bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}
