//! `wattfold pki`: a development public key infrastructure.
//!
//! It makes two trees that have nothing to do with each other. The IEEE 2030.5 tree (SERCA, MCA,
//! MICA, then devices and our server) follows the certificate rules of that standard. The
//! enterprise tree is what an ordinary HTTPS stack expects, for SOAP and console mutual TLS.
//! Private keys are written for the owner only, and nothing is ever overwritten.

mod certificate;
mod directory;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use fleet::Lfdi;
use openssl::error::ErrorStack;
use units::Timestamp;

use crate::tls::lfdi;
use certificate::{Authority, EnterpriseUse, Issued, Names};
use directory::{Directory, Secrecy};

/// Devices made by one command.
pub const MAX_DEVICES: usize = 10_000;
/// Characters in a device's name, which is also its hardware serial number.
pub const MAX_DEVICE_NAME_LEN: usize = 64;

const ROSTER: &str = "devices.csv";
const ROSTER_HEADER: &str = "name,lfdi,sfdi\n";

/// File stems that belong to the authorities and servers.
const RESERVED_NAMES: [&str; 9] = [
    "ca-chain",
    "devices",
    "enterprise-ca",
    "enterprise-client",
    "enterprise-server",
    "mca",
    "mica",
    "serca",
    "server",
];

#[derive(Clone, Debug, clap::Args)]
pub struct PkiArgs {
    #[command(subcommand)]
    pub command: PkiCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub enum PkiCommand {
    /// Make root, intermediates, server, enterprise and device certificates in an empty directory
    Init(InitArgs),
    /// Make one more device certificate in a directory that `init` filled
    Device(DeviceArgs),
}

#[derive(Clone, Debug, clap::Args)]
pub struct InitArgs {
    /// The directory to fill; made if absent
    pub dir: PathBuf,
    /// Make this many devices named der-001, der-002, …
    #[arg(long, default_value_t = 0)]
    pub devices: usize,
    /// Make a device of this name; may be repeated
    #[arg(long = "device", value_name = "NAME")]
    pub device_names: Vec<String>,
    /// A host name that the server certificates carry; may be repeated
    #[arg(long = "server-name", value_name = "HOST", default_values_t = [String::from("localhost")])]
    pub server_names: Vec<String>,
    /// An address that the server certificates carry; may be repeated
    #[arg(long = "server-ip", value_name = "ADDRESS", default_values_t = [IpAddr::from([127, 0, 0, 1])])]
    pub server_ips: Vec<IpAddr>,
}

#[derive(Clone, Debug, clap::Args)]
pub struct DeviceArgs {
    /// A directory that `init` filled
    pub dir: PathBuf,
    /// The device's name, used for its files and as its hardware serial number
    pub name: String,
}

/// What a command made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PkiSummary {
    pub dir: PathBuf,
    pub devices: Vec<DeviceIdentity>,
}

impl std::fmt::Display for PkiSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} device certificates in {} (listed in {ROSTER})",
            self.devices.len(),
            self.dir.display()
        )
    }
}

/// A device as the utility knows it: the identifiers derived from its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceIdentity {
    pub name: String,
    pub lfdi: Lfdi,
}

impl DeviceIdentity {
    /// The row of `devices.csv`, without its line end.
    fn roster_row(&self) -> String {
        format!("{},{},{}", self.name, self.lfdi, self.lfdi.sfdi())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error(
        "{} exists already; a PKI is never overwritten (remove the directory or choose another)",
        path.display()
    )]
    Exists { path: PathBuf },
    #[error("{} holds no PKI ({} is missing): run `wattfold pki init` first", dir.display(), missing)]
    NotInitialised { dir: PathBuf, missing: &'static str },
    #[error(
        "`{name}` cannot name a device: 1 to {MAX_DEVICE_NAME_LEN} of a-z, A-Z, 0-9, `-` and `_`, \
         not starting with a hyphen, and not a file of the PKI itself"
    )]
    DeviceName { name: String },
    #[error("two devices are named `{name}`")]
    DuplicateName { name: String },
    #[error("{asked} devices asked for; at most {MAX_DEVICES} are made at once")]
    TooManyDevices { asked: usize },
    #[error("`{name}` is not a host name")]
    ServerName { name: String },
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("OpenSSL could not make a certificate")]
    Certificate(#[from] ErrorStack),
}

/// Carries the command out; every certificate is valid from `now`.
pub fn run(args: &PkiArgs, now: Timestamp) -> Result<PkiSummary, PkiError> {
    match &args.command {
        PkiCommand::Init(args) => init(args, now),
        PkiCommand::Device(args) => add_device(args, now),
    }
}

pub fn init(args: &InitArgs, now: Timestamp) -> Result<PkiSummary, PkiError> {
    let names = device_names(args)?;
    for name in &args.server_names {
        if !is_host_name(name) {
            return Err(PkiError::ServerName { name: name.clone() });
        }
    }
    let server = Names {
        dns: &args.server_names,
        ips: &args.server_ips,
    };
    let dir = Directory::create(&args.dir)?;
    let mica = write_2030_5_authorities(&dir, now)?;
    write_leaf(&dir, "server", &mica.issue_server(&server, now)?)?;
    write_enterprise(&dir, &server, now)?;

    let mut roster = String::from(ROSTER_HEADER);
    let mut devices = Vec::with_capacity(names.len());
    for name in names {
        let device = issue_device(&dir, &mica, name, now)?;
        roster += &device.roster_row();
        roster.push('\n');
        devices.push(device);
    }
    dir.write(ROSTER, roster.as_bytes(), Secrecy::Public)?;
    Ok(PkiSummary {
        dir: args.dir.clone(),
        devices,
    })
}

pub fn add_device(args: &DeviceArgs, now: Timestamp) -> Result<PkiSummary, PkiError> {
    check_device_name(&args.name)?;
    let dir = Directory::open(&args.dir)?;
    let mica = Authority::from_pem(
        &dir.read("mica.pem")?,
        &dir.read("mica.key.pem")?,
        &dir.read("mca.pem")?,
    )?;
    let device = issue_device(&dir, &mica, args.name.clone(), now)?;
    dir.append(ROSTER, &format!("{}\n", device.roster_row()))?;
    Ok(PkiSummary {
        dir: args.dir.clone(),
        devices: vec![device],
    })
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
        check_device_name(name)?;
        if !seen.insert(name.as_str()) {
            return Err(PkiError::DuplicateName { name: name.clone() });
        }
    }
    Ok(names)
}

fn check_device_name(name: &str) -> Result<(), PkiError> {
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

/// Writes SERCA, MCA and MICA and answers the one that issues devices.
fn write_2030_5_authorities(dir: &Directory, now: Timestamp) -> Result<Authority, PkiError> {
    let serca = Authority::serca(now)?;
    let mca = serca.subordinate("wattfold development MCA", 1, now)?;
    let mica = mca.subordinate("wattfold development MICA", 0, now)?;
    let mut bundle = Vec::new();
    for (stem, authority) in [("serca", &serca), ("mca", &mca), ("mica", &mica)] {
        let pem = authority.certificate_pem()?;
        dir.write(&format!("{stem}.pem"), &pem, Secrecy::Public)?;
        dir.write(
            &format!("{stem}.key.pem"),
            &authority.key_pem()?,
            Secrecy::Private,
        )?;
        bundle.extend(pem);
    }
    dir.write("ca-chain.pem", &bundle, Secrecy::Public)?;
    Ok(mica)
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

fn issue_device(
    dir: &Directory,
    mica: &Authority,
    name: String,
    now: Timestamp,
) -> Result<DeviceIdentity, PkiError> {
    let issued = mica.issue_device(&name, now)?;
    write_leaf(dir, &name, &issued)?;
    let lfdi = lfdi(&issued.certificate)?;
    Ok(DeviceIdentity { name, lfdi })
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

/// The paths of one device's files, for those who start devices from a PKI directory.
pub fn device_paths(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    (
        dir.join(format!("{name}.chain.pem")),
        dir.join(format!("{name}.key.pem")),
    )
}

#[cfg(test)]
mod tests;
