//! Why a peer was turned away, in words that logs and counters share.

use openssl::error::ErrorStack;
use openssl::x509::X509VerifyResult;

/// A reason with a code that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    #[error("the client sent no certificate")]
    NoCertificate,
    #[error("a certificate of the chain has expired")]
    Expired,
    #[error("a certificate of the chain is not valid yet")]
    NotYetValid,
    #[error("the chain ends at no trusted root")]
    UnknownIssuer,
    #[error("the certificate is signed by itself and not pinned")]
    SelfSigned,
    #[error("a signature of the chain is wrong")]
    BadSignature,
    #[error("a certificate of the chain is not signed with ECDSA and SHA-256")]
    SignatureAlgorithm,
    #[error("a key of the chain is not on the curve P-256")]
    Curve,
    #[error("the chain is too long")]
    ChainTooLong,
    #[error("a certificate of the chain is revoked")]
    Revoked,
    #[error("an authority has an extension that the standard does not give it")]
    AuthorityExtension,
    #[error("an issuer is no authority")]
    NotAnAuthority,
    #[error("a critical extension is unknown")]
    CriticalExtension,
    #[error("a certificate of the chain is for other purposes")]
    Purpose,
    #[error("the certificate cannot be read")]
    Malformed,
    #[error("the certificate was refused")]
    Certificate,
    #[error("the peer's certificate is for another name")]
    Name,
    #[error("no cipher is shared")]
    Cipher,
    #[error("no version of TLS is shared")]
    Version,
    #[error("no curve or signature algorithm is shared")]
    Group,
    #[error("the handshake was not finished in time")]
    TooSlow,
    #[error("the peer hung up in the handshake")]
    HungUp,
    #[error("the handshake failed")]
    Handshake,
}

/// What OpenSSL says about versions; it tells them apart by what the peer offered.
const VERSION_REASONS: [&str; 4] = [
    "unsupported protocol",
    "wrong version number",
    "version too low",
    "inappropriate fallback",
];
const GROUP_REASONS: [&str; 4] = [
    "wrong curve",
    "no shared groups",
    "no shared signature algorithms",
    "no suitable signature algorithm",
];

impl Refusal {
    /// The code under which it is logged and counted.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::UnknownIssuer => "unknown_issuer",
            Self::SelfSigned => "self_signed",
            Self::BadSignature => "bad_signature",
            Self::SignatureAlgorithm => "signature_algorithm",
            Self::Curve => "curve",
            Self::ChainTooLong => "chain_too_long",
            Self::Revoked => "revoked",
            Self::AuthorityExtension => "authority_extension",
            Self::NotAnAuthority => "not_an_authority",
            Self::CriticalExtension => "critical_extension",
            Self::Purpose => "purpose",
            Self::Malformed => "malformed",
            Self::Certificate => "certificate",
            Self::Name => "name",
            Self::Cipher => "cipher",
            Self::Version => "version",
            Self::Group => "group",
            Self::TooSlow => "too_slow",
            Self::HungUp => "hung_up",
            Self::Handshake => "handshake",
        }
    }

    /// Whether the peer's certificate is the reason.
    #[must_use]
    pub const fn is_of_certificate(self) -> bool {
        !matches!(
            self,
            Self::NoCertificate
                | Self::Cipher
                | Self::Version
                | Self::Group
                | Self::TooSlow
                | Self::HungUp
                | Self::Handshake
        )
    }

    /// OpenSSL's verdict on a chain (`X509_V_ERR_…`), `None` if that is fine.
    pub(super) fn of_verdict(verdict: X509VerifyResult) -> Option<Self> {
        Some(match verdict.as_raw() {
            0 => return None,
            2 | 20 | 21 | 27 => Self::UnknownIssuer,
            7 => Self::BadSignature,
            9 => Self::NotYetValid,
            10 => Self::Expired,
            18 | 19 => Self::SelfSigned,
            22 | 25 => Self::ChainTooLong,
            23 => Self::Revoked,
            24 | 32 | 79 => Self::NotAnAuthority,
            26 => Self::Purpose,
            34 => Self::CriticalExtension,
            47..=52 => Self::AuthorityExtension,
            62..=64 => Self::Name,
            _ => Self::Certificate,
        })
    }

    /// What ended a handshake before there was a verdict.
    pub(super) fn of_handshake(stack: Option<&ErrorStack>) -> Self {
        let Some(stack) = stack else {
            return Self::HungUp;
        };
        let reasons = || stack.errors().iter().filter_map(|entry| entry.reason());
        if reasons().any(|reason| reason == "peer did not return a certificate") {
            Self::NoCertificate
        } else if reasons().any(|reason| reason == "no shared cipher") {
            Self::Cipher
        } else if reasons().any(|reason| VERSION_REASONS.contains(&reason)) {
            Self::Version
        } else if reasons().any(|reason| GROUP_REASONS.contains(&reason)) {
            Self::Group
        } else {
            Self::Handshake
        }
    }
}
