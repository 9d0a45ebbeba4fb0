//! Certificates of both trees.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{
    X509, X509Builder, X509CrlBuilder, X509Extension, X509Name, X509NameBuilder, X509RevokedBuilder,
};
use units::Timestamp;

use super::extension::{
    self, AUTHORITY_POLICIES, DeviceType, Grade, Names, SELF_SIGNED_POLICY,
    SERVICE_PROVIDER_POLICY, add_names, hardware_module_name,
};

/// RFC 5280 4.1.2.5: a certificate without a good expiration date, as IEEE 2030.5 devices have.
const NO_EXPIRY: &str = "99991231235959Z";
/// Development certificates of the enterprise tree outlive a project, not an archive.
const ENTERPRISE_VALIDITY_S: i64 = 3650 * 86_400;
/// A list stands until the next one is made, which may be never.
const LIST_VALIDITY_S: i64 = 3650 * 86_400;

const SERIAL_BITS: i32 = 127;

#[derive(Clone, Copy)]
pub(super) enum EnterpriseUse<'a> {
    Server(&'a Names<'a>),
    Client,
}

/// A leaf certificate, its key, and the authorities that a peer may not know.
pub(super) struct Issued {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
    intermediates: Vec<X509>,
}

impl Issued {
    pub(super) fn chain_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        let mut pem = self.certificate.to_pem()?;
        for intermediate in &self.intermediates {
            pem.extend(intermediate.to_pem()?);
        }
        Ok(pem)
    }
}

/// Makes certificates.
pub(super) struct Authority {
    certificate: X509,
    key: PKey<Private>,
    /// The authorities from this one up to, and without, the root.
    intermediates: Vec<X509>,
}

impl Authority {
    /// The root of the 2030.5 tree.
    pub(super) fn serca(now: Timestamp) -> Result<Self, ErrorStack> {
        let key = generate_key()?;
        let mut draft = Draft::new(&key, now, NotAfter::Never)?;
        draft.authority(None)?;
        Ok(Self {
            certificate: draft.sign_self("wattfold development SERCA")?,
            key,
            intermediates: Vec::new(),
        })
    }

    /// The root of the enterprise tree, which issues its leaves itself.
    pub(super) fn enterprise(now: Timestamp) -> Result<Self, ErrorStack> {
        let key = generate_key()?;
        let mut draft = Draft::new(&key, now, NotAfter::Enterprise)?;
        draft.authority(Some(0))?;
        Ok(Self {
            certificate: draft.sign_self("wattfold development enterprise CA")?,
            key,
            intermediates: Vec::new(),
        })
    }

    /// An authority that was written before; `chain` are its own certificate and those of the
    /// authorities above it but the root's.
    pub(super) fn from_pem(
        certificate: &[u8],
        key: &[u8],
        chain: &[u8],
    ) -> Result<Self, ErrorStack> {
        Ok(Self {
            intermediates: X509::stack_from_pem(chain)?,
            certificate: X509::from_pem(certificate)?,
            key: PKey::private_key_from_pem(key)?,
        })
    }

    pub(super) fn subordinate(
        &self,
        common_name: &str,
        path_len: u32,
        now: Timestamp,
    ) -> Result<Self, ErrorStack> {
        let key = generate_key()?;
        let mut draft = Draft::new(&key, now, NotAfter::Never)?;
        draft.subject(common_name)?;
        draft.authority(Some(path_len))?;
        draft.push(extension::policies(&AUTHORITY_POLICIES)?)?;
        let certificate = draft.sign(self)?;
        let mut intermediates = vec![certificate.clone()];
        intermediates.extend(self.intermediates.iter().cloned());
        Ok(Self {
            certificate,
            key,
            intermediates,
        })
    }

    /// A DER's certificate: no subject, a hardware module name instead.
    pub(super) fn issue_device(
        &self,
        serial: &str,
        kind: DeviceType,
        grade: Grade,
        now: Timestamp,
    ) -> Result<Issued, ErrorStack> {
        let policies = grade.with(&[kind.policy()]);
        self.issue_2030_5(&mut hardware_module_name(serial)?, &policies, now)
    }

    /// The certificate of a service provider that speaks for many devices.
    pub(super) fn issue_aggregator(
        &self,
        serial: &str,
        grade: Grade,
        now: Timestamp,
    ) -> Result<Issued, ErrorStack> {
        let policies = grade.with(&[DeviceType::Generic.policy(), SERVICE_PROVIDER_POLICY]);
        self.issue_2030_5(&mut hardware_module_name(serial)?, &policies, now)
    }

    /// Our 2030.5 server's certificate: a device's, plus the names that HTTPS clients check.
    pub(super) fn issue_server(
        &self,
        names: &Names<'_>,
        grade: Grade,
        now: Timestamp,
    ) -> Result<Issued, ErrorStack> {
        let mut alternative = hardware_module_name("wattfold")?;
        add_names(&mut alternative, names);
        let policies = grade.with(&[DeviceType::Generic.policy()]);
        self.issue_2030_5(&mut alternative, &policies, now)
    }

    /// A certificate that any webpki verifier accepts.
    pub(super) fn issue_enterprise(
        &self,
        common_name: &str,
        usage: EnterpriseUse<'_>,
        now: Timestamp,
    ) -> Result<Issued, ErrorStack> {
        let key = generate_key()?;
        let mut draft = Draft::new(&key, now, NotAfter::Enterprise)?;
        draft.subject(common_name)?;
        draft.push(BasicConstraints::new().critical().build()?)?;
        draft.push(KeyUsage::new().critical().digital_signature().build()?)?;
        let mut extended = ExtendedKeyUsage::new();
        let mut alternative = SubjectAlternativeName::new();
        match usage {
            EnterpriseUse::Server(names) => {
                extended.server_auth();
                add_names(&mut alternative, names);
            }
            EnterpriseUse::Client => {
                extended.client_auth();
                alternative.dns(common_name);
            }
        }
        draft.push(extended.build()?)?;
        let alternative = alternative.build(&draft.builder.x509v3_context(None, None))?;
        draft.push(alternative)?;
        Ok(Issued {
            certificate: draft.sign(self)?,
            key,
            intermediates: Vec::new(),
        })
    }

    pub(super) fn certificate(&self) -> &X509 {
        &self.certificate
    }

    pub(super) fn certificate_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_pem()
    }

    pub(super) fn key_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.key.private_key_to_pem_pkcs8()
    }

    /// A list of what this authority has issued and does not stand by any more.
    pub(super) fn revocation_list(
        &self,
        revoked: &[(X509, Timestamp)],
        now: Timestamp,
    ) -> Result<Vec<u8>, ErrorStack> {
        let mut list = X509CrlBuilder::new()?;
        list.set_issuer_name(self.certificate.subject_name())?;
        let this_update = Asn1Time::from_unix(now.secs())?;
        list.set_last_update(&this_update)?;
        let next_update = Asn1Time::from_unix(now.secs().saturating_add(LIST_VALIDITY_S))?;
        list.set_next_update(&next_update)?;
        for (certificate, at) in revoked {
            let mut entry = X509RevokedBuilder::new()?;
            entry.set_serial_number(certificate.serial_number())?;
            let at = Asn1Time::from_unix(at.secs())?;
            entry.set_revocation_date(&at)?;
            list.add_revoked(entry.build())?;
        }
        list.append_extension(extension::signing_key(&self.certificate)?)?;
        list.append_extension(extension::list_number(now)?)?;
        list.sort()?;
        list.sign(&self.key, MessageDigest::sha256())?;
        list.build()?.to_pem()
    }

    fn issue_2030_5(
        &self,
        alternative: &mut SubjectAlternativeName,
        policies: &[&str],
        now: Timestamp,
    ) -> Result<Issued, ErrorStack> {
        let key = generate_key()?;
        let mut draft = Draft::new(&key, now, NotAfter::Never)?;
        draft.device(alternative, policies)?;
        Ok(Issued {
            certificate: draft.sign(self)?,
            key,
            intermediates: self.intermediates.clone(),
        })
    }
}

/// A service provider's certificate that no authority stands behind. It has a subject, because its
/// issuer must have a name.
pub(super) fn self_signed_aggregator(
    name: &str,
    grade: Grade,
    now: Timestamp,
) -> Result<Issued, ErrorStack> {
    let key = generate_key()?;
    let mut draft = Draft::new(&key, now, NotAfter::Never)?;
    let policies = grade.with(&[
        DeviceType::Generic.policy(),
        SELF_SIGNED_POLICY,
        SERVICE_PROVIDER_POLICY,
    ]);
    draft.device(&mut hardware_module_name(name)?, &policies)?;
    Ok(Issued {
        certificate: draft.sign_self(name)?,
        key,
        intermediates: Vec::new(),
    })
}

#[derive(Clone, Copy)]
enum NotAfter {
    Never,
    Enterprise,
}

/// A certificate before its signature.
struct Draft<'a> {
    builder: X509Builder,
    key: &'a PKey<Private>,
}

impl<'a> Draft<'a> {
    fn new(
        key: &'a PKey<Private>,
        now: Timestamp,
        not_after: NotAfter,
    ) -> Result<Self, ErrorStack> {
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        let serial = random_serial()?;
        builder.set_serial_number(&serial)?;
        builder.set_pubkey(key)?;
        let not_before = Asn1Time::from_unix(now.secs())?;
        builder.set_not_before(&not_before)?;
        let not_after = match not_after {
            NotAfter::Never => Asn1Time::from_str_x509(NO_EXPIRY)?,
            NotAfter::Enterprise => {
                Asn1Time::from_unix(now.secs().saturating_add(ENTERPRISE_VALIDITY_S))?
            }
        };
        builder.set_not_after(&not_after)?;
        Ok(Self { builder, key })
    }

    fn subject(&mut self, common_name: &str) -> Result<(), ErrorStack> {
        let name = name(common_name)?;
        self.builder.set_subject_name(&name)
    }

    fn authority(&mut self, path_len: Option<u32>) -> Result<(), ErrorStack> {
        let mut constraints = BasicConstraints::new();
        constraints.critical().ca();
        if let Some(path_len) = path_len {
            constraints.pathlen(path_len);
        }
        self.push(constraints.build()?)?;
        self.push(
            KeyUsage::new()
                .critical()
                .key_cert_sign()
                .crl_sign()
                .build()?,
        )?;
        let identifier =
            SubjectKeyIdentifier::new().build(&self.builder.x509v3_context(None, None))?;
        self.push(identifier)
    }

    /// What an end entity of the 2030.5 tree has; RFC 5280 4.2.1.6 wants the alternative name
    /// critical, because there is no subject.
    fn device(
        &mut self,
        alternative: &mut SubjectAlternativeName,
        policies: &[&str],
    ) -> Result<(), ErrorStack> {
        self.push(BasicConstraints::new().critical().build()?)?;
        self.push(
            KeyUsage::new()
                .critical()
                .digital_signature()
                .key_agreement()
                .build()?,
        )?;
        self.push(extension::policies(policies)?)?;
        let alternative = alternative
            .critical()
            .build(&self.builder.x509v3_context(None, None))?;
        self.push(alternative)
    }

    fn push(&mut self, extension: X509Extension) -> Result<(), ErrorStack> {
        self.builder.append_extension(extension)
    }

    fn sign_self(mut self, common_name: &str) -> Result<X509, ErrorStack> {
        let name = name(common_name)?;
        self.builder.set_subject_name(&name)?;
        self.builder.set_issuer_name(&name)?;
        self.builder.sign(self.key, MessageDigest::sha256())?;
        Ok(self.builder.build())
    }

    fn sign(mut self, issuer: &Authority) -> Result<X509, ErrorStack> {
        let issuer_name = issuer.certificate.subject_name();
        self.builder.set_issuer_name(issuer_name)?;
        let identifier = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&self.builder.x509v3_context(Some(&issuer.certificate), None))?;
        self.push(identifier)?;
        self.builder.sign(&issuer.key, MessageDigest::sha256())?;
        Ok(self.builder.build())
    }
}

fn generate_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn name(common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    Ok(name.build())
}

fn random_serial() -> Result<Asn1Integer, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(SERIAL_BITS, MsbOption::ONE, false)?;
    serial.to_asn1_integer()
}
