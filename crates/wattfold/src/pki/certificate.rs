//! Certificates of both trees.

use std::net::IpAddr;

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
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
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509NameBuilder};
use units::Timestamp;

/// RFC 5280 4.1.2.5: a certificate without a good expiration date, as IEEE 2030.5 devices have.
const NO_EXPIRY: &str = "99991231235959Z";
/// Development certificates of the enterprise tree outlive a project, not an archive.
const ENTERPRISE_VALIDITY_S: i64 = 3650 * 86_400;

/// IEEE 2030.5 6.11: the policy of a generic device, and the one that marks test certificates.
const DEVICE_POLICIES: [&str; 2] = ["1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.2.1"];
/// RFC 4108 5: id-on-hardwareModuleName.
const HARDWARE_MODULE_NAME: &str = "1.3.6.1.5.5.7.8.4";
/// Private enterprise number 32473 is reserved for documentation by RFC 5612.
const HARDWARE_TYPE: &str = "1.3.6.1.4.1.32473.1";

const SERIAL_BITS: i32 = 127;

const DER_OCTET_STRING: u8 = 0x04;
const DER_OBJECT_IDENTIFIER: u8 = 0x06;
const DER_SEQUENCE: u8 = 0x30;

/// What a server is reached by.
pub(super) struct Names<'a> {
    pub(super) dns: &'a [String],
    pub(super) ips: &'a [IpAddr],
}

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

    /// An intermediate that was written before; `parent` is the one intermediate above it.
    pub(super) fn from_pem(
        certificate: &[u8],
        key: &[u8],
        parent: &[u8],
    ) -> Result<Self, ErrorStack> {
        let certificate = X509::from_pem(certificate)?;
        Ok(Self {
            intermediates: vec![certificate.clone(), X509::from_pem(parent)?],
            certificate,
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
        draft.policies()?;
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
    pub(super) fn issue_device(&self, serial: &str, now: Timestamp) -> Result<Issued, ErrorStack> {
        self.issue_2030_5(&mut hardware_module_name(serial)?, now)
    }

    /// Our 2030.5 server's certificate: a device's, plus the names that HTTPS clients check.
    pub(super) fn issue_server(
        &self,
        names: &Names<'_>,
        now: Timestamp,
    ) -> Result<Issued, ErrorStack> {
        let mut alternative = hardware_module_name("wattfold")?;
        add_names(&mut alternative, names);
        self.issue_2030_5(&mut alternative, now)
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

    pub(super) fn certificate_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_pem()
    }

    pub(super) fn key_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.key.private_key_to_pem_pkcs8()
    }

    fn issue_2030_5(
        &self,
        alternative: &mut SubjectAlternativeName,
        now: Timestamp,
    ) -> Result<Issued, ErrorStack> {
        let key = generate_key()?;
        let mut draft = Draft::new(&key, now, NotAfter::Never)?;
        draft.push(BasicConstraints::new().critical().build()?)?;
        draft.push(
            KeyUsage::new()
                .critical()
                .digital_signature()
                .key_agreement()
                .build()?,
        )?;
        draft.policies()?;
        // RFC 5280 4.2.1.6: critical, because there is no subject.
        let alternative = alternative
            .critical()
            .build(&draft.builder.x509v3_context(None, None))?;
        draft.push(alternative)?;
        Ok(Issued {
            certificate: draft.sign(self)?,
            key,
            intermediates: self.intermediates.clone(),
        })
    }
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

    fn policies(&mut self) -> Result<(), ErrorStack> {
        let mut policies = Vec::new();
        for oid in DEVICE_POLICIES {
            policies.extend(der(DER_SEQUENCE, &der_oid(oid)?));
        }
        let content = Asn1OctetString::new_from_bytes(&der(DER_SEQUENCE, &policies))?;
        let oid = Asn1Object::from_str("2.5.29.32")?;
        self.push(X509Extension::new_from_der(&oid, true, &content)?)
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

/// RFC 4108 5: SEQUENCE of a hardware type (OID) and a serial number (OCTET STRING).
fn hardware_module_name(serial: &str) -> Result<SubjectAlternativeName, ErrorStack> {
    let mut fields = der_oid(HARDWARE_TYPE)?;
    fields.extend(der(DER_OCTET_STRING, serial.as_bytes()));
    let mut alternative = SubjectAlternativeName::new();
    alternative.other_name2(
        Asn1Object::from_str(HARDWARE_MODULE_NAME)?,
        &der(DER_SEQUENCE, &fields),
    );
    Ok(alternative)
}

fn add_names(alternative: &mut SubjectAlternativeName, names: &Names<'_>) {
    for name in names.dns {
        alternative.dns(name);
    }
    for address in names.ips {
        alternative.ip(&address.to_string());
    }
}

fn der_oid(dotted: &str) -> Result<Vec<u8>, ErrorStack> {
    Ok(der(
        DER_OBJECT_IDENTIFIER,
        Asn1Object::from_str(dotted)?.as_slice(),
    ))
}

/// One DER element in the short form of its length, which every element made here fits.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("at most a 64-byte serial and an OID");
    assert!(length < 0x80, "the short form holds at most 127 bytes");
    let mut element = vec![tag, length];
    element.extend_from_slice(content);
    element
}
