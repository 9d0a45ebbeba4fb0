//! Making certificates and their files.

use std::collections::BTreeSet;

use fleet::Pin;
use units::Timestamp;

use super::certificate::{Authority, EnterpriseUse, Issued, self_signed_aggregator};
use super::directory::{Directory, Secrecy};
use super::extension::{DeviceType, Grade, Names};
use super::index::{Entry, Index, Role};
use super::{
    AggregatorArgs, AuthorityArgs, DeviceArgs, DeviceIdentity, InitArgs, IssuingArgs,
    MAX_DEVICE_NAME_LEN, MAX_DEVICES, NameArgs, PINNED, PkiError, PkiSummary, REVOKED, ROSTER,
    ServerArgs,
};
use crate::auth;
use crate::tls::lfdi;

const ROSTER_HEADER: &str = "name,lfdi,sfdi\n";
const ROOT: &str = "serca";

/// File stems that belong to the PKI itself.
const RESERVED_NAMES: [&str; 12] = [
    "ca-chain",
    "devices",
    "enterprise-ca",
    "enterprise-client",
    "enterprise-server",
    "issued",
    "mca",
    "mica",
    "pinned",
    "revoked",
    ROOT,
    "server",
];

pub fn init(args: &InitArgs, now: Timestamp) -> Result<PkiSummary, PkiError> {
    let names = device_names(args)?;
    let server = host_names(&args.server_names, &args.server_ips)?;
    let dir = Directory::create(&args.dir)?;
    let mut index = Index::default();
    let mica = write_2030_5_authorities(&dir, &mut index, now)?;
    let issued = mica.issue_server(&server, Grade::Test, now)?;
    write_leaf(&dir, "server", &issued)?;
    index.add(entry("server", Role::Server, "mica", &issued, now)?)?;
    write_enterprise(&dir, &server, now)?;

    let mut roster = String::from(ROSTER_HEADER);
    let mut devices = Vec::with_capacity(names.len());
    for name in names {
        let issued = mica.issue_device(&name, DeviceType::Generic, Grade::Test, now)?;
        write_leaf(&dir, &name, &issued)?;
        let mut entry = entry(&name, Role::Device, "mica", &issued, now)?;
        entry.pin = Some(pin(None)?);
        let device = DeviceIdentity {
            name,
            lfdi: entry.lfdi,
        };
        index.add(entry)?;
        roster += &device.roster_row();
        roster.push('\n');
        devices.push(device);
    }
    dir.write(ROSTER, roster.as_bytes(), Secrecy::Public)?;
    let nobody = b"# Nobody is revoked.\n";
    dir.write(REVOKED, nobody, Secrecy::Public)?;
    index.save(&dir)?;
    Ok(PkiSummary {
        dir: args.dir.clone(),
        devices,
    })
}

pub(super) fn add_authority(args: &AuthorityArgs, now: Timestamp) -> Result<String, PkiError> {
    check_name(&args.name)?;
    let dir = Directory::open(&args.dir)?;
    let mut index = Index::read(&dir)?;
    let above = index.get(&args.under)?;
    let path_len = match above.role {
        Role::Authority if above.is_self_signed() => 1,
        Role::Authority if above.issuer == ROOT => 0,
        _ => {
            return Err(PkiError::NotAnIssuer {
                name: args.under.clone(),
            });
        }
    };
    let issuer = authority(&dir, &index, &args.under)?;
    let made = issuer.subordinate(&format!("wattfold {}", args.name), path_len, now)?;
    write_authority(&dir, &args.name, &made)?;
    let mut trust = dir.read("ca-chain.pem")?;
    trust.extend(made.certificate_pem()?);
    dir.replace("ca-chain.pem", &trust, Secrecy::Public)?;
    index.add(authority_entry(&args.name, &args.under, &made, now)?)?;
    index.save(&dir)?;
    let kind = if path_len == 0 { "MICA" } else { "MCA" };
    Ok(format!("{kind} `{}` under `{}`\n", args.name, args.under))
}

pub(super) fn add_server(args: &ServerArgs, now: Timestamp) -> Result<String, PkiError> {
    check_name(&args.name)?;
    let names = host_names(&args.server_names, &args.server_ips)?;
    if args.server_names.is_empty() && args.server_ips.is_empty() {
        return Err(PkiError::NoServerName);
    }
    let dir = Directory::open(&args.dir)?;
    let mut index = Index::read(&dir)?;
    let issuer = authority(&dir, &index, &args.issuing.issuer)?;
    let issued = issuer.issue_server(&names, grade(&args.issuing), now)?;
    write_leaf(&dir, &args.name, &issued)?;
    let entry = entry(&args.name, Role::Server, &args.issuing.issuer, &issued, now)?;
    let text = format!("server `{}`, LFDI {}\n", args.name, entry.lfdi);
    index.add(entry)?;
    index.save(&dir)?;
    Ok(text)
}

pub fn add_device(args: &DeviceArgs, now: Timestamp) -> Result<PkiSummary, PkiError> {
    check_name(&args.name)?;
    let pin = pin(args.pin)?;
    let dir = Directory::open(&args.dir)?;
    let mut index = Index::read(&dir)?;
    let issuer = authority(&dir, &index, &args.issuing.issuer)?;
    let issued = issuer.issue_device(&args.name, args.kind, grade(&args.issuing), now)?;
    write_leaf(&dir, &args.name, &issued)?;
    let mut entry = entry(&args.name, Role::Device, &args.issuing.issuer, &issued, now)?;
    entry.pin = Some(pin);
    let device = DeviceIdentity {
        name: args.name.clone(),
        lfdi: entry.lfdi,
    };
    index.add(entry)?;
    index.save(&dir)?;
    dir.append(ROSTER, &format!("{}\n", device.roster_row()))?;
    Ok(PkiSummary {
        dir: args.dir.clone(),
        devices: vec![device],
    })
}

pub(super) fn add_aggregator(args: &AggregatorArgs, now: Timestamp) -> Result<(), PkiError> {
    check_name(&args.name)?;
    let pin = pin(args.pin)?;
    let dir = Directory::open(&args.dir)?;
    let mut index = Index::read(&dir)?;
    let grade = grade(&args.issuing);
    let (issuer, issued) = if args.self_signed {
        let issued = self_signed_aggregator(&args.name, grade, now)?;
        (&args.name, issued)
    } else {
        let issuer = authority(&dir, &index, &args.issuing.issuer)?;
        let issued = issuer.issue_aggregator(&args.name, grade, now)?;
        (&args.issuing.issuer, issued)
    };
    write_leaf(&dir, &args.name, &issued)?;
    if args.self_signed {
        pin_down(&dir, &issued)?;
    }
    let mut entry = entry(&args.name, Role::Aggregator, issuer, &issued, now)?;
    entry.pin = Some(pin);
    index.add(entry)?;
    index.save(&dir)
}

/// A certificate of the same kind with another key under a name of its own; the old one stays
/// valid until it is revoked, so that the device can change over.
pub(super) fn renew(args: &NameArgs, now: Timestamp) -> Result<String, PkiError> {
    let dir = Directory::open(&args.dir)?;
    let index = Index::read(&dir)?;
    let old = index.get(&args.name)?.clone();
    if old.revoked.is_some() {
        return Err(PkiError::Revoked { name: old.name });
    }
    let name = next_name(&dir, &old.name);
    let issuing = IssuingArgs {
        issuer: old.issuer.clone(),
        production: false,
    };
    let pin = old.pin.map(Pin::digits);
    match old.role {
        Role::Device => {
            let args = DeviceArgs {
                dir: args.dir.clone(),
                name: name.clone(),
                kind: DeviceType::Generic,
                pin,
                issuing,
            };
            add_device(&args, now)?;
        }
        Role::Aggregator => {
            let args = AggregatorArgs {
                dir: args.dir.clone(),
                name: name.clone(),
                self_signed: old.is_self_signed(),
                pin,
                issuing,
            };
            add_aggregator(&args, now)?;
        }
        Role::Authority | Role::Server => return Err(PkiError::NotRenewable { name: old.name }),
    }
    let new = Index::read(&dir)?.get(&name)?.lfdi;
    Ok(format!(
        "{}: LFDI {}\n{name}: LFDI {new}\nGive the server the new LFDI, the device its new files, \
         and then revoke {}.\n",
        old.name, old.lfdi, old.name
    ))
}

/// `NAME-2`, or the next number that is free.
fn next_name(dir: &Directory, name: &str) -> String {
    let mut number = 2_u32;
    loop {
        let next = format!("{name}-{number}");
        if !dir.has(&format!("{next}.chain.pem")) {
            return next;
        }
        number += 1;
    }
}

fn device_names(args: &InitArgs) -> Result<Vec<String>, PkiError> {
    let asked = args.devices.saturating_add(args.device_names.len());
    if MAX_DEVICES < asked {
        return Err(PkiError::TooManyDevices { asked });
    }
    let numbered = (1..=args.devices).map(|number| format!("der-{number:03}"));
    let names: Vec<String> = numbered.chain(args.device_names.iter().cloned()).collect();
    let mut seen = BTreeSet::new();
    for name in &names {
        check_name(name)?;
        if !seen.insert(name.as_str()) {
            return Err(PkiError::DuplicateName { name: name.clone() });
        }
    }
    Ok(names)
}

fn check_name(name: &str) -> Result<(), PkiError> {
    let fits = (1..=MAX_DEVICE_NAME_LEN).contains(&name.len())
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && !RESERVED_NAMES.contains(&name);
    if fits {
        Ok(())
    } else {
        Err(PkiError::DeviceName {
            name: name.to_owned(),
        })
    }
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// What a server is reached by, if it can be.
fn host_names<'a>(dns: &'a [String], ips: &'a [std::net::IpAddr]) -> Result<Names<'a>, PkiError> {
    match dns.iter().find(|name| !is_host_name(name)) {
        Some(name) => Err(PkiError::ServerName { name: name.clone() }),
        None => Ok(Names { dns, ips }),
    }
}

fn grade(args: &IssuingArgs) -> Grade {
    if args.production {
        Grade::Production
    } else {
        Grade::Test
    }
}

/// The PIN that was asked for, or one that nobody can guess from the device.
fn pin(asked: Option<u32>) -> Result<Pin, PkiError> {
    match asked {
        Some(digits) => Ok(Pin::new(digits)?),
        None => Ok(Pin::with_check_digit(
            u32::from_be_bytes(auth::random()) % 100_000,
        )),
    }
}

fn entry(
    name: &str,
    role: Role,
    issuer: &str,
    issued: &Issued,
    now: Timestamp,
) -> Result<Entry, PkiError> {
    Ok(Entry {
        name: name.to_owned(),
        role,
        issuer: issuer.to_owned(),
        lfdi: lfdi(&issued.certificate)?,
        pin: None,
        issued: now,
        revoked: None,
    })
}

fn authority_entry(
    name: &str,
    issuer: &str,
    authority: &Authority,
    now: Timestamp,
) -> Result<Entry, PkiError> {
    Ok(Entry {
        name: name.to_owned(),
        role: Role::Authority,
        issuer: issuer.to_owned(),
        lfdi: lfdi(authority.certificate())?,
        pin: None,
        issued: now,
        revoked: None,
    })
}

/// Writes SERCA, MCA and MICA and answers the one that issues devices.
fn write_2030_5_authorities(
    dir: &Directory,
    index: &mut Index,
    now: Timestamp,
) -> Result<Authority, PkiError> {
    let serca = Authority::serca(now)?;
    let mca = serca.subordinate("wattfold development MCA", 1, now)?;
    let mica = mca.subordinate("wattfold development MICA", 0, now)?;
    let mut bundle = Vec::new();
    for (name, issuer, authority) in [
        (ROOT, ROOT, &serca),
        ("mca", ROOT, &mca),
        ("mica", "mca", &mica),
    ] {
        write_authority(dir, name, authority)?;
        bundle.extend(authority.certificate_pem()?);
        index.add(authority_entry(name, issuer, authority, now)?)?;
    }
    dir.write("ca-chain.pem", &bundle, Secrecy::Public)?;
    Ok(mica)
}

fn write_authority(dir: &Directory, name: &str, authority: &Authority) -> Result<(), PkiError> {
    let certificate = authority.certificate_pem()?;
    dir.write(&format!("{name}.pem"), &certificate, Secrecy::Public)?;
    let key = authority.key_pem()?;
    dir.write(&format!("{name}.key.pem"), &key, Secrecy::Private)
}

/// An authority of this directory, ready to issue.
pub(super) fn authority(dir: &Directory, index: &Index, name: &str) -> Result<Authority, PkiError> {
    let found = index.get(name)?;
    if found.role != Role::Authority || found.revoked.is_some() {
        return Err(PkiError::NotAnIssuer {
            name: name.to_owned(),
        });
    }
    let mut chain = Vec::new();
    let mut next = found;
    while !next.is_self_signed() {
        chain.extend(dir.read(&format!("{}.pem", next.name))?);
        next = index.get(&next.issuer)?;
    }
    let certificate = dir.read(&format!("{name}.pem"))?;
    let key = dir.read(&format!("{name}.key.pem"))?;
    Ok(Authority::from_pem(&certificate, &key, &chain)?)
}

/// Adds a certificate that signs itself to those that the server honours.
fn pin_down(dir: &Directory, issued: &Issued) -> Result<(), PkiError> {
    let mut pinned = if dir.has(PINNED) {
        dir.read(PINNED)?
    } else {
        Vec::new()
    };
    pinned.extend(issued.chain_pem()?);
    dir.replace(PINNED, &pinned, Secrecy::Public)
}

fn write_enterprise(dir: &Directory, server: &Names<'_>, now: Timestamp) -> Result<(), PkiError> {
    let authority = Authority::enterprise(now)?;
    dir.write(
        "enterprise-ca.pem",
        &authority.certificate_pem()?,
        Secrecy::Public,
    )?;
    dir.write(
        "enterprise-ca.key.pem",
        &authority.key_pem()?,
        Secrecy::Private,
    )?;
    let server = authority.issue_enterprise(
        "wattfold development server",
        EnterpriseUse::Server(server),
        now,
    )?;
    write_leaf(dir, "enterprise-server", &server)?;
    let client = authority.issue_enterprise("enterprise-client", EnterpriseUse::Client, now)?;
    write_leaf(dir, "enterprise-client", &client)
}

fn write_leaf(dir: &Directory, stem: &str, issued: &Issued) -> Result<(), PkiError> {
    dir.write(
        &format!("{stem}.key.pem"),
        &issued.key.private_key_to_pem_pkcs8()?,
        Secrecy::Private,
    )?;
    dir.write(
        &format!("{stem}.chain.pem"),
        &issued.chain_pem()?,
        Secrecy::Public,
    )
}
