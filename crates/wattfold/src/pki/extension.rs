//! Extensions of the 2030.5 tree that OpenSSL has no builder for.

use std::net::IpAddr;

use openssl::asn1::{Asn1Object, Asn1OctetString};
use openssl::error::ErrorStack;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509Extension, X509Ref};
use units::Timestamp;

/// IEEE 2030.5 6.11: every policy that an authority may give away. One that a chain of authorities
/// does not carry is not valid in what they issue.
pub(super) const AUTHORITY_POLICIES: [&str; 6] = [
    "1.3.6.1.4.1.40732.1.1",
    "1.3.6.1.4.1.40732.1.2",
    "1.3.6.1.4.1.40732.1.3",
    TEST_POLICY,
    SERVICE_PROVIDER_POLICY,
    BULK_ISSUED_POLICY,
];
const TEST_POLICY: &str = "1.3.6.1.4.1.40732.2.1";
pub(super) const SELF_SIGNED_POLICY: &str = "1.3.6.1.4.1.40732.2.2";
pub(super) const SERVICE_PROVIDER_POLICY: &str = "1.3.6.1.4.1.40732.2.3";
const BULK_ISSUED_POLICY: &str = "1.3.6.1.4.1.40732.2.4";
/// RFC 4108 5: id-on-hardwareModuleName.
const HARDWARE_MODULE_NAME: &str = "1.3.6.1.5.5.7.8.4";
/// Private enterprise number 32473 is reserved for documentation by RFC 5612.
const HARDWARE_TYPE: &str = "1.3.6.1.4.1.32473.1";

const DER_INTEGER: u8 = 0x02;
const DER_OCTET_STRING: u8 = 0x04;
const DER_OBJECT_IDENTIFIER: u8 = 0x06;
const DER_SEQUENCE: u8 = 0x30;
const DER_CONTEXT_0: u8 = 0x80;

/// IEEE 2030.5 6.11: what kind of device a certificate is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceType {
    /// An ordinary device.
    #[default]
    Generic,
    /// One that moves, such as a vehicle.
    Mobile,
    /// One that got its certificate after it was made.
    PostManufacture,
}

impl DeviceType {
    pub(super) const fn policy(self) -> &'static str {
        match self {
            Self::Generic => AUTHORITY_POLICIES[0],
            Self::Mobile => AUTHORITY_POLICIES[1],
            Self::PostManufacture => AUTHORITY_POLICIES[2],
        }
    }
}

/// Whether a certificate says of itself that it is for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grade {
    Test,
    Production,
}

impl Grade {
    pub(super) fn with(self, policies: &[&'static str]) -> Vec<&'static str> {
        let mut policies = policies.to_vec();
        if self == Self::Test {
            policies.push(TEST_POLICY);
        }
        policies
    }
}

/// What a server is reached by.
pub(super) struct Names<'a> {
    pub(super) dns: &'a [String],
    pub(super) ips: &'a [IpAddr],
}

/// RFC 5280 4.2.1.4, critical.
pub(super) fn policies(oids: &[&str]) -> Result<X509Extension, ErrorStack> {
    let mut policies = Vec::new();
    for oid in oids {
        policies.extend(der(DER_SEQUENCE, &der_oid(oid)?));
    }
    let content = Asn1OctetString::new_from_bytes(&der(DER_SEQUENCE, &policies))?;
    let oid = Asn1Object::from_str("2.5.29.32")?;
    X509Extension::new_from_der(&oid, true, &content)
}

/// RFC 5280 5.2.1: which key of the issuer has signed a list.
pub(super) fn signing_key(issuer: &X509Ref) -> Result<X509Extension, ErrorStack> {
    let key = issuer.subject_key_id();
    let key = key.map_or_else(Vec::new, |key| der(DER_CONTEXT_0, key.as_slice()));
    let content = Asn1OctetString::new_from_bytes(&der(DER_SEQUENCE, &key))?;
    let oid = Asn1Object::from_str("2.5.29.35")?;
    X509Extension::new_from_der(&oid, false, &content)
}

/// RFC 5280 5.2.3: grows with every list; time does.
pub(super) fn list_number(now: Timestamp) -> Result<X509Extension, ErrorStack> {
    let bytes = now.millis().max(0).to_be_bytes();
    let content = Asn1OctetString::new_from_bytes(&der(DER_INTEGER, &bytes))?;
    let oid = Asn1Object::from_str("2.5.29.20")?;
    X509Extension::new_from_der(&oid, false, &content)
}

/// RFC 4108 5: SEQUENCE of a hardware type (OID) and a serial number (OCTET STRING).
pub(super) fn hardware_module_name(serial: &str) -> Result<SubjectAlternativeName, ErrorStack> {
    let mut fields = der_oid(HARDWARE_TYPE)?;
    fields.extend(der(DER_OCTET_STRING, serial.as_bytes()));
    let mut alternative = SubjectAlternativeName::new();
    alternative.other_name2(
        Asn1Object::from_str(HARDWARE_MODULE_NAME)?,
        &der(DER_SEQUENCE, &fields),
    );
    Ok(alternative)
}

pub(super) fn add_names(alternative: &mut SubjectAlternativeName, names: &Names<'_>) {
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
    let length = u8::try_from(content.len()).expect("at most a 64-byte serial or seven policies");
    assert!(length < 0x80, "the short form holds at most 127 bytes");
    let mut element = vec![tag, length];
    element.extend_from_slice(content);
    element
}
