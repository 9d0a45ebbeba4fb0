//! `wattfold der2030`: an IEEE 2030.5 client for the command line, of one device or an aggregator.

pub mod config;
pub mod link;
pub mod listener;

mod agent;
mod browse;
mod carrier;
mod discover;
mod model;
mod report;
mod state;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use ieee2030_5::codec::read::ReadError;
use tokio::sync::watch;

use crate::discovery::DiscoveryError;
use crate::tls::{TlsFiles, TlsSetupError};
use agent::Agent;
use config::{ConfigError, RunConfig};
use link::ExchangeError;
use report::{Report, Style};
pub use state::StateError;

/// Be a device or an aggregator towards an IEEE 2030.5 server
#[derive(Debug, Args)]
pub struct Der2030Args {
    #[command(subcommand)]
    command: Der2030Command,
}

#[derive(Debug, Subcommand)]
enum Der2030Command {
    /// Show what the server has for this client, or without --url the servers on the local network
    Discover(DiscoverArgs),
    /// Show one resource as it comes
    Get {
        /// Path and query on the server
        path: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Register in band, and compare the PIN
    Register {
        /// The PIN that the owner was given
        #[arg(long)]
        pin: u32,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Run devices until interrupted
    Run {
        /// Configuration file (TOML)
        #[arg(long)]
        config: PathBuf,
        /// File in which the state outlives this process
        #[arg(long)]
        state: Option<PathBuf>,
        /// Print JSON, an object to a line
        #[arg(long)]
        json: bool,
        /// End after so many seconds
        #[arg(long, value_name = "SECONDS")]
        seconds: Option<u64>,
    },
}

/// As [`ServerArgs`], all of them or none.
#[derive(Debug, Args)]
struct DiscoverArgs {
    /// The address of the server's `DeviceCapability`; without it the local network is searched
    #[arg(long, requires_all = ["cert", "key", "ca"])]
    url: Option<String>,
    /// Certificate chain of this client, PEM
    #[arg(long, requires = "url")]
    cert: Option<PathBuf>,
    /// Private key of this client, PEM
    #[arg(long, requires = "url")]
    key: Option<PathBuf>,
    /// Certificates that the server's certificate has to lead to, PEM
    #[arg(long, requires = "url")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    sought: SoughtArgs,
}

impl DiscoverArgs {
    fn server(&self) -> Option<ServerArgs> {
        Some(ServerArgs {
            url: self.url.clone()?,
            cert: self.cert.clone()?,
            key: self.key.clone()?,
            ca: self.ca.clone()?,
        })
    }
}

/// Which servers are looked for on the local network.
#[derive(Debug, Args)]
struct SoughtArgs {
    /// Only servers with this function set, by its subtype of IEEE 2030.5, such as derp
    #[arg(long, value_name = "SUBTYPE", conflicts_with_all = ["url", "lfdi"])]
    function_set: Option<String>,
    /// Only servers with the `EndDevice` of the device with this LFDI
    #[arg(long, conflicts_with = "url")]
    lfdi: Option<String>,
    /// How long answers are waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    seconds: u64,
}

#[derive(Debug, Args)]
struct ServerArgs {
    /// The address of the server's `DeviceCapability`
    #[arg(long)]
    url: String,
    /// Certificate chain of this client, PEM
    #[arg(long)]
    cert: PathBuf,
    /// Private key of this client, PEM
    #[arg(long)]
    key: PathBuf,
    /// Certificates that the server's certificate has to lead to, PEM
    #[arg(long)]
    ca: PathBuf,
}

impl ServerArgs {
    fn files(&self) -> TlsFiles {
        TlsFiles {
            cert_chain: self.cert.clone(),
            key: self.key.clone(),
            trust: self.ca.clone(),
        }
    }
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Der2030Error {
    #[error("the certificates can't be used")]
    Tls(#[source] TlsSetupError),
    #[error("`{0}` is not an https address")]
    Url(String),
    #[error("the configuration can't be used")]
    Config(#[source] ConfigError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("the state can't be kept")]
    State(#[source] StateError),
    #[error("the program that runs the devices can't be talked to")]
    Command(#[source] io::Error),
    #[error("the program that runs the devices has ended")]
    CommandEnded,
    #[error("the server can't be asked")]
    Exchange(#[source] ExchangeError),
    #[error("{href} answered with HTTP status {status}")]
    Status { href: String, status: u16 },
    #[error("{href} is not what it should be")]
    Resource {
        href: String,
        #[source]
        source: ReadError,
    },
    #[error("the server has no list of end devices")]
    NoEndDevices,
    #[error("the server does not show this device after its registration")]
    NotListed,
    #[error("the server shows the PIN {shown}, not {expected}")]
    Pin { shown: u32, expected: u32 },
    #[error("servers can't be looked for")]
    Discovery(#[source] DiscoveryError),
    #[error("cannot write")]
    Output(#[from] io::Error),
}

/// Does what was asked, and shows it on `out`.
pub async fn run(
    args: &Der2030Args,
    out: &mut dyn Write,
    stop: watch::Receiver<bool>,
) -> Result<(), Der2030Error> {
    match &args.command {
        Der2030Command::Discover(args) => match args.server() {
            Some(server) => discover::discover(&server, out).await,
            None => browse::browse(&args.sought, out).await,
        },
        Der2030Command::Get { path, server } => discover::get(server, path, out).await,
        Der2030Command::Register { pin, server } => discover::register(server, *pin, out).await,
        Der2030Command::Run {
            config,
            state,
            json,
            seconds,
        } => {
            let config = RunConfig::read(config).map_err(Der2030Error::Config)?;
            let style = if *json { Style::Json } else { Style::Text };
            let report = Report { out, style };
            let mut agent = Agent::start(&config, state.clone(), report).await?;
            match seconds {
                None => agent.run(stop).await,
                Some(seconds) => {
                    let (end, ended) = watch::channel(false);
                    drop(tokio::spawn(until(stop, *seconds, end)));
                    agent.run(ended).await
                }
            }
        }
    }
}

/// Turns `end` true after `seconds`, or when `stop` does.
async fn until(mut stop: watch::Receiver<bool>, seconds: u64, end: watch::Sender<bool>) {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
    }
    end.send_replace(true);
}
