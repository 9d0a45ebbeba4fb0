//! Whether a device's certificate is honoured.
//!
//! A chain is verified once, by OpenSSL's path validation and the rules of the standard on top of
//! it; then the leaf is known by its SHA-256, which is computed anyway because the LFDI is a part
//! of it. A judge never changes: with other roots or revocations there is another judge, who knows
//! nobody yet.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use fleet::Lfdi;
use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::stack::{Stack, StackRef};
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext};
use units::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;

use super::flight::Flight;
use super::refusal::Refusal;
use super::revocation::{Revocations, SerialKey};

/// A chain has two to four certificates: root, at most this many intermediates, and the device.
pub const MAX_INTERMEDIATE_CAS: u32 = 2;
/// Certificates that are known to be good without looking at their chains again; beyond these the
/// ones that were not seen for longest are looked at again.
pub const MAX_KNOWN_CERTIFICATES: usize = 200_000;

/// Interpretation: IEEE 2030.5 6.11 lists what the certificate of an authority contains. Names or
/// policies that it would have clients and servers compute with are not among it, nor is another
/// purpose; such an authority is not one of this PKI, whether the extension is critical or not.
const ALIEN_EXTENSIONS: [ObjectIdentifier; 5] = [
    ObjectIdentifier::new_unwrap("2.5.29.30"), // nameConstraints
    ObjectIdentifier::new_unwrap("2.5.29.33"), // policyMappings
    ObjectIdentifier::new_unwrap("2.5.29.36"), // policyConstraints
    ObjectIdentifier::new_unwrap("2.5.29.37"), // extKeyUsage
    ObjectIdentifier::new_unwrap("2.5.29.54"), // inhibitAnyPolicy
];

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The identity of the standard.
    pub lfdi: Lfdi,
    /// When the first certificate of its chain ends; 9999 for most devices.
    pub not_after: Timestamp,
    serial: SerialKey,
    above: Arc<Above>,
}

/// What a certificate rests on; it is the same for many of them.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Above {
    /// It is pinned under this fingerprint.
    Pin(Fingerprint),
    /// Authorities, by serial number, and those of them that our trust held.
    Authorities {
        serials: Vec<SerialKey>,
        trusted: Vec<Fingerprint>,
    },
}

type Fingerprint = [u8; 32];

pub(super) struct Judge {
    trusted: X509Store,
    anchors: HashSet<Fingerprint>,
    pinned: HashSet<Fingerprint>,
    revocations: Revocations,
    known: Mutex<Known>,
}

impl Judge {
    /// `pinned` are certificates that are honoured as they are, signed by themselves.
    pub(super) fn new(
        trusted: &[X509],
        pinned: &[X509],
        revocations: Revocations,
    ) -> Result<Self, ErrorStack> {
        let mut store = X509StoreBuilder::new()?;
        for certificate in trusted {
            store.add_cert(certificate.clone())?;
        }
        let mut rules = X509VerifyParam::new()?;
        rules.set_depth(i32::try_from(MAX_INTERMEDIATE_CAS).unwrap_or_default());
        rules.set_purpose(X509PurposeId::SSL_CLIENT)?;
        store.set_param(&rules)?;
        Ok(Self {
            trusted: store.build(),
            anchors: fingerprints(trusted)?,
            pinned: fingerprints(pinned)?,
            revocations,
            known: Mutex::default(),
        })
    }

    /// Judges a certificate that a client has shown.
    pub(super) fn verdict(
        &self,
        leaf: &X509Ref,
        flight: &Flight,
        now: Timestamp,
    ) -> Result<Peer, Refusal> {
        let fingerprint = fingerprint(leaf).map_err(|_| Refusal::Malformed)?;
        let known = self.known().get(&fingerprint);
        let is_known = known.is_some();
        let peer = match known {
            Some(peer) => peer,
            None => self.examine(leaf, &fingerprint, flight)?,
        };
        self.stands(&peer, now)?;
        if !is_known {
            self.known().add(fingerprint, peer.clone());
        }
        Ok(peer)
    }

    /// What may have changed since the chain was verified, by this judge or an earlier one.
    pub(super) fn stands(&self, peer: &Peer, now: Timestamp) -> Result<(), Refusal> {
        if peer.not_after < now {
            return Err(Refusal::Expired);
        }
        if self.revocations.has(peer.lfdi, peer.serial) {
            return Err(Refusal::Revoked);
        }
        match &*peer.above {
            Above::Pin(pin) if !self.pinned.contains(pin) => Err(Refusal::SelfSigned),
            Above::Pin(_) => Ok(()),
            Above::Authorities { serials, trusted } => {
                if serials.iter().any(|key| self.revocations.has_serial(*key)) {
                    return Err(Refusal::Revoked);
                }
                if !trusted.iter().all(|own| self.anchors.contains(own)) {
                    return Err(Refusal::UnknownIssuer);
                }
                Ok(())
            }
        }
    }

    fn examine(
        &self,
        leaf: &X509Ref,
        fingerprint: &Fingerprint,
        flight: &Flight,
    ) -> Result<Peer, Refusal> {
        if self.pinned.contains(fingerprint) {
            check_algorithms(leaf, Signature::Counts)?;
            let above = self.known().shared(Above::Pin(*fingerprint));
            return describe(leaf, fingerprint, above).map_err(|_| Refusal::Malformed);
        }
        let chain = self.chain(leaf, flight)?;
        check_algorithms(leaf, Signature::Counts)?;
        for authority in chain.iter().skip(1) {
            check_authority(authority)?;
        }
        self.chained(leaf, fingerprint, &chain)
            .map_err(|_| Refusal::Malformed)
    }

    fn chained(
        &self,
        leaf: &X509Ref,
        fingerprint: &Fingerprint,
        chain: &StackRef<X509>,
    ) -> Result<Peer, ErrorStack> {
        let (mut serials, mut trusted) = (Vec::new(), Vec::new());
        let mut ends = not_after(leaf)?;
        for authority in chain.iter().skip(1) {
            serials.push(SerialKey::of(authority)?);
            let own = self::fingerprint(authority)?;
            if self.anchors.contains(&own) {
                trusted.push(own);
            }
            ends = ends.min(not_after(authority)?);
        }
        let above = Above::Authorities { serials, trusted };
        let above = self.known().shared(above);
        Ok(Peer {
            not_after: ends,
            ..describe(leaf, fingerprint, above)?
        })
    }

    /// The chain from the leaf to a root, verified by OpenSSL.
    fn chain(&self, leaf: &X509Ref, flight: &Flight) -> Result<Stack<X509>, Refusal> {
        let mut sent = Stack::new().map_err(|_| Refusal::Certificate)?;
        for der in flight.issuers() {
            let issuer = X509::from_der(&der).map_err(|_| Refusal::Malformed)?;
            sent.push(issuer).map_err(|_| Refusal::Certificate)?;
        }
        let verified = X509StoreContext::new().and_then(|mut context| {
            context.init(&self.trusted, leaf, &sent, |context| {
                let is_verified = context.verify_cert()?;
                let chain = context.chain().map(copied).transpose()?;
                Ok((is_verified, context.error(), chain))
            })
        });
        match verified {
            Ok((true, _, Some(chain))) => Ok(chain),
            Ok((_, verdict, _)) => {
                Err(Refusal::of_verdict(verdict).unwrap_or(Refusal::Certificate))
            }
            Err(_) => Err(Refusal::Certificate),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_authority(authority: &X509Ref) -> Result<(), Refusal> {
    let subject = authority.subject_name().to_der();
    let is_root = subject.is_ok_and(|subject| {
        authority
            .issuer_name()
            .to_der()
            .is_ok_and(|issuer| issuer == subject)
    });
    // What a root says about itself is not what it is trusted for.
    let signature = if is_root {
        Signature::DoesNotCount
    } else {
        Signature::Counts
    };
    check_algorithms(authority, signature)?;
    let der = authority.to_der().map_err(|_| Refusal::Malformed)?;
    let decoded = Certificate::from_der(&der).map_err(|_| Refusal::Malformed)?;
    let extensions = decoded.tbs_certificate.extensions.unwrap_or_default();
    if extensions
        .iter()
        .any(|extension| ALIEN_EXTENSIONS.contains(&extension.extn_id))
    {
        return Err(Refusal::AuthorityExtension);
    }
    Ok(())
}

/// Whether the signature on a certificate is relied upon.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signature {
    Counts,
    DoesNotCount,
}

fn check_algorithms(certificate: &X509Ref, signature: Signature) -> Result<(), Refusal> {
    let algorithm = certificate.signature_algorithm().object().nid();
    if signature == Signature::Counts && algorithm != Nid::ECDSA_WITH_SHA256 {
        return Err(Refusal::SignatureAlgorithm);
    }
    let curve = certificate
        .public_key()
        .and_then(|key| key.ec_key())
        .map(|key| key.group().curve_name());
    match curve {
        Ok(Some(Nid::X9_62_PRIME256V1)) => Ok(()),
        Ok(_) | Err(_) => Err(Refusal::Curve),
    }
}

fn describe(
    leaf: &X509Ref,
    fingerprint: &Fingerprint,
    above: Arc<Above>,
) -> Result<Peer, ErrorStack> {
    Ok(Peer {
        lfdi: lfdi_of(fingerprint),
        not_after: not_after(leaf)?,
        serial: SerialKey::of(leaf)?,
        above,
    })
}

/// IEEE 2030.5 6.3.4: the first 160 bits of the SHA-256 of the certificate.
fn lfdi_of(fingerprint: &Fingerprint) -> Lfdi {
    let (head, _) = fingerprint
        .split_first_chunk()
        .expect("a SHA-256 has more than twenty bytes");
    Lfdi(*head)
}

pub(super) fn fingerprint(certificate: &X509Ref) -> Result<Fingerprint, ErrorStack> {
    let digest = certificate.digest(MessageDigest::sha256())?;
    Ok(*digest
        .first_chunk()
        .expect("a SHA-256 has thirty-two bytes"))
}

fn fingerprints(certificates: &[X509]) -> Result<HashSet<Fingerprint>, ErrorStack> {
    let each = certificates
        .iter()
        .map(|certificate| fingerprint(certificate));
    each.collect()
}

/// The LFDI of a certificate.
pub(crate) fn lfdi(certificate: &X509Ref) -> Result<Lfdi, ErrorStack> {
    Ok(lfdi_of(&fingerprint(certificate)?))
}

fn not_after(certificate: &X509Ref) -> Result<Timestamp, ErrorStack> {
    let epoch = Asn1Time::from_unix(0)?;
    let since = epoch.diff(certificate.not_after())?;
    Ok(Timestamp::from_secs(
        i64::from(since.days) * 86_400 + i64::from(since.secs),
    ))
}

fn copied(chain: &StackRef<X509>) -> Result<Stack<X509>, ErrorStack> {
    let mut copy = Stack::new()?;
    for certificate in chain {
        copy.push(certificate.to_owned())?;
    }
    Ok(copy)
}

/// Two generations: when the young one is full it becomes the old one, and what was old and not
/// seen since is forgotten.
#[derive(Default)]
struct Known {
    young: HashMap<Fingerprint, Peer>,
    old: HashMap<Fingerprint, Peer>,
    aboves: HashSet<Arc<Above>>,
}

impl Known {
    fn get(&mut self, fingerprint: &Fingerprint) -> Option<Peer> {
        if let Some(peer) = self.young.get(fingerprint) {
            return Some(peer.clone());
        }
        let peer = self.old.remove(fingerprint)?;
        self.add(*fingerprint, peer.clone());
        Some(peer)
    }

    fn add(&mut self, fingerprint: Fingerprint, peer: Peer) {
        if MAX_KNOWN_CERTIFICATES / 2 <= self.young.len() {
            self.old = std::mem::take(&mut self.young);
            self.aboves.retain(|above| 1 < Arc::strong_count(above));
        }
        self.young.insert(fingerprint, peer);
    }

    /// The one that is like `above`.
    fn shared(&mut self, above: Above) -> Arc<Above> {
        if let Some(known) = self.aboves.get(&above) {
            return Arc::clone(known);
        }
        let above = Arc::new(above);
        self.aboves.insert(Arc::clone(&above));
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(n: usize) -> Fingerprint {
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&n.to_be_bytes());
        fingerprint
    }

    #[test]
    fn the_known_are_bounded_and_those_seen_last_stay() {
        let mut known = Known::default();
        let above = known.shared(Above::Pin(fingerprint(0)));
        let peer = Peer {
            lfdi: Lfdi([0; 20]),
            not_after: Timestamp::default(),
            serial: SerialKey::new(b"issuer", b"1"),
            above,
        };
        let kept = fingerprint(0);
        known.add(kept, peer.clone());
        for n in 1..=2 * MAX_KNOWN_CERTIFICATES {
            known.add(fingerprint(n), peer.clone());
            assert!(known.young.len() + known.old.len() <= MAX_KNOWN_CERTIFICATES);
            if n % 1_000 == 0 {
                assert_eq!(known.get(&kept).as_ref(), Some(&peer), "{n}");
            }
        }
        assert_eq!(known.get(&fingerprint(1)), None);
    }
}
