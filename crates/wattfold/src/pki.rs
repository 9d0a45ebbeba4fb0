//! `wattfold pki`: a public key infrastructure for development, tests and small sites.
//!
//! It makes two trees that have nothing to do with each other. The IEEE 2030.5 tree (SERCA, MCA,
//! MICA, then devices, aggregators and servers) follows the certificate rules of that standard.
//! The enterprise tree is what an ordinary HTTPS stack expects, for SOAP and console mutual TLS.
//! Private keys are written for the owner only, and no key or certificate is ever overwritten.

mod certificate;
mod directory;
mod extension;
mod index;
mod issue;
mod label;
mod standing;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use fleet::{IdError, Lfdi};
use openssl::error::ErrorStack;
use units::Timestamp;

pub use extension::DeviceType;
pub use index::MAX_ISSUED;
pub use issue::{add_device, init};
pub use label::Label;

/// Devices made by one command.
pub const MAX_DEVICES: usize = 10_000;
/// Characters in a device's name, which is also its hardware serial number.
pub const MAX_DEVICE_NAME_LEN: usize = 64;

/// The file of revoked certificates, in the form that a server reads.
pub const REVOKED: &str = "revoked.pem";
/// The file of certificates that sign themselves, in the form that a server reads.
pub const PINNED: &str = "pinned.pem";
const ROSTER: &str = "devices.csv";

#[derive(Clone, Debug, clap::Args)]
pub struct PkiArgs {
    #[command(subcommand)]
    pub command: PkiCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub enum PkiCommand {
    /// Make root, intermediates, server, enterprise and device certificates in an empty directory
    Init(InitArgs),
    /// Make another intermediate authority: an MCA under the root, or a MICA under an MCA
    Authority(AuthorityArgs),
    /// Make one more IEEE 2030.5 server certificate
    Server(ServerArgs),
    /// Make one more device certificate
    Device(DeviceArgs),
    /// Make the certificate of an aggregator
    Aggregator(AggregatorArgs),
    /// Make another certificate, with another LFDI, for a device or aggregator that has one
    Renew(NameArgs),
    /// Write the certificate on the list of the revoked that the server reads
    Revoke(NameArgs),
    /// List what has been issued
    List(DirArgs),
    /// Print LFDI, SFDI and PIN as text and as a QR code
    Show(NameArgs),
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
pub struct AuthorityArgs {
    /// A directory that `init` filled
    pub dir: PathBuf,
    /// What to call it
    pub name: String,
    /// The authority above it: `serca`, or an MCA
    #[arg(long, default_value = "mca")]
    pub under: String,
}

#[derive(Clone, Debug, clap::Args)]
pub struct ServerArgs {
    /// A directory that `init` filled
    pub dir: PathBuf,
    /// Its name, used for its files
    pub name: String,
    /// A host name that the certificate carries; may be repeated
    #[arg(long = "server-name", value_name = "HOST")]
    pub server_names: Vec<String>,
    /// An address that the certificate carries; may be repeated
    #[arg(long = "server-ip", value_name = "ADDRESS")]
    pub server_ips: Vec<IpAddr>,
    #[command(flatten)]
    pub issuing: IssuingArgs,
}

#[derive(Clone, Debug, clap::Args)]
pub struct DeviceArgs {
    /// A directory that `init` filled
    pub dir: PathBuf,
    /// The device's name, used for its files and as its hardware serial number
    pub name: String,
    /// What kind of device it is
    #[arg(long = "type", value_enum, default_value_t)]
    pub kind: DeviceType,
    /// Its PIN with check digit; a random one when absent
    #[arg(long)]
    pub pin: Option<u32>,
    #[command(flatten)]
    pub issuing: IssuingArgs,
}

#[derive(Clone, Debug, clap::Args)]
pub struct AggregatorArgs {
    /// A directory that `init` filled
    pub dir: PathBuf,
    /// The aggregator's name, used for its files and as its hardware serial number
    pub name: String,
    /// Have it sign itself; the server honours it because it is pinned
    #[arg(long)]
    pub self_signed: bool,
    /// Its PIN with check digit; a random one when absent
    #[arg(long)]
    pub pin: Option<u32>,
    #[command(flatten)]
    pub issuing: IssuingArgs,
}

/// Who issues, and for what.
#[derive(Clone, Debug, clap::Args)]
pub struct IssuingArgs {
    /// The authority that issues it
    #[arg(long, default_value = "mica")]
    pub issuer: String,
    /// Leave out the policy that marks certificates for tests
    #[arg(long)]
    pub production: bool,
}

impl Default for IssuingArgs {
    fn default() -> Self {
        Self {
            issuer: "mica".to_owned(),
            production: false,
        }
    }
}

#[derive(Clone, Debug, clap::Args)]
pub struct NameArgs {
    /// A directory that `init` filled
    pub dir: PathBuf,
    /// The name of the certificate
    pub name: String,
}

#[derive(Clone, Debug, clap::Args)]
pub struct DirArgs {
    /// A directory that `init` filled
    pub dir: PathBuf,
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
    #[error("a directory keeps account of at most {MAX_ISSUED} certificates")]
    TooManyIssued,
    #[error("`{name}` is not a host name")]
    ServerName { name: String },
    #[error("a server certificate needs a name or an address")]
    NoServerName,
    #[error("no certificate is called `{name}`")]
    UnknownName { name: String },
    #[error("`{name}` is no authority that could issue this")]
    NotAnIssuer { name: String },
    #[error("`{name}` is neither a device nor an aggregator")]
    NotRenewable { name: String },
    #[error("`{name}` is revoked")]
    Revoked { name: String },
    #[error("`issued.csv`, line {line}, is not as it was written")]
    Index { line: usize },
    #[error("the PIN")]
    Pin(#[from] IdError),
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

/// Carries the command out and says what came of it; every certificate is valid from `now`.
pub fn run(args: &PkiArgs, now: Timestamp) -> Result<String, PkiError> {
    match &args.command {
        PkiCommand::Init(args) => Ok(init(args, now)?.to_string()),
        PkiCommand::Authority(args) => issue::add_authority(args, now),
        PkiCommand::Server(args) => issue::add_server(args, now),
        PkiCommand::Device(args) => {
            add_device(args, now)?;
            standing::show(&args.dir, &args.name)
        }
        PkiCommand::Aggregator(args) => {
            issue::add_aggregator(args, now)?;
            standing::show(&args.dir, &args.name)
        }
        PkiCommand::Renew(args) => issue::renew(args, now),
        PkiCommand::Revoke(args) => standing::revoke(args, now),
        PkiCommand::List(args) => standing::list(&args.dir),
        PkiCommand::Show(args) => standing::show(&args.dir, &args.name),
    }
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
