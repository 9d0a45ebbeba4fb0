//! The wattfold program.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use store::backup::PersonKeys;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;
use wattfold::config::Config;
use wattfold::relay::{self, RelayConfig};
use wattfold::{api, backup, cim, clock, der2030, pki, serve};

/// Open-source DERMS: folds distributed energy resources into groups that can be dispatched and
/// trusted.
#[derive(Parser)]
#[command(name = "wattfold", version)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the server.
    Serve {
        /// Configuration file (TOML).
        #[arg(long)]
        config: PathBuf,
        /// Data directory, created when absent.
        #[arg(long)]
        data: PathBuf,
    },
    /// Carry devices' connections from a demilitarised zone to servers that dial out.
    Relay {
        /// Configuration file of the relay (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// Make, list, renew and revoke certificates.
    Pki(pki::PkiArgs),
    /// Be a device or an aggregator towards an IEEE 2030.5 server.
    Der2030(der2030::Der2030Args),
    /// Talk IEC 61968-5 to a server.
    Cim(cim::CimArgs),
    /// Check the audit trail.
    Audit {
        #[command(subcommand)]
        task: Audit,
    },
    /// Back a fleet up, from its data directory or its database; it may be in use.
    Backup {
        #[command(flatten)]
        of: backup::Place,
        /// Directory for the backup, empty or absent.
        to: PathBuf,
    },
    /// Restore a backup into an empty data directory or database.
    Restore {
        #[command(flatten)]
        of: backup::Place,
        /// Directory of the backup.
        from: PathBuf,
    },
    /// Move a fleet from a data directory, which no server uses, to an empty database.
    Copy {
        /// Data directory.
        #[arg(long)]
        from: PathBuf,
        /// URL of the database.
        #[arg(long)]
        to: String,
        /// CA of the database server's certificate (PEM), for TLS.
        #[arg(long)]
        tls_ca: Option<PathBuf>,
        /// Take the keys of personal data along, which are in the data directory.
        #[arg(long)]
        with_person_keys: bool,
    },
    /// Print the OpenAPI document of the REST API.
    Openapi,
}

#[derive(Subcommand)]
enum Audit {
    /// Walk the hash chain of the journal; exits 1 when an entry was edited, removed or reordered.
    Verify {
        /// Data directory.
        #[arg(long)]
        data: PathBuf,
    },
}

fn main() -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match Cli::parse().command {
        Task::Serve { config, data } => run(&config, &data),
        Task::Relay { config } => relay(&config),
        Task::Pki(args) => {
            let made = pki::run(&args, clock::now()).context("pki")?;
            Ok(write!(std::io::stdout(), "{made}")?)
        }
        Task::Der2030(args) => run_client(&args),
        Task::Cim(args) => cim::run(&args, &mut std::io::stdout().lock()).context("cim"),
        Task::Audit {
            task: Audit::Verify { data },
        } => verify(&data),
        Task::Backup { of, to } => report(&backup::back_up(&of, &to).context("backup")?),
        Task::Restore { of, from } => report(&backup::restore(&of, &from).context("restore")?),
        Task::Copy {
            from,
            to,
            tls_ca,
            with_person_keys,
        } => {
            let keys = match with_person_keys {
                true => PersonKeys::Taken,
                false => PersonKeys::Left,
            };
            let moved = backup::copy(&from, &to, tls_ca.as_deref(), keys).context("copy")?;
            report(&moved)
        }
        Task::Openapi => Ok(writeln!(std::io::stdout(), "{}", api::openapi())?),
    }
}

fn run(config: &std::path::Path, data: &std::path::Path) -> Result<()> {
    let config = Config::read(config)?;
    until_interrupted(|stopped| async {
        serve::serve(config, data, stopped).await.context("serve")
    })
}

fn report(moved: &store::backup::Moved) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "head      {}", moved.head)?;
    writeln!(out, "steps     {}", moved.steps)?;
    writeln!(out, "documents {}", moved.documents)?;
    writeln!(out, "accounts  {}", moved.accounts)?;
    writeln!(out, "samples   {}", moved.samples)?;
    writeln!(out, "persons   {}", moved.persons)?;
    match (moved.persons, moved.person_keys) {
        (0, 0) => {}
        (_, 0) => writeln!(
            out,
            "keys      left behind: without them no person can be read"
        )?,
        (_, keys) => writeln!(out, "keys      {keys}")?,
    }
    Ok(writeln!(out, "intact")?)
}

fn relay(config: &std::path::Path) -> Result<()> {
    let config = RelayConfig::read(config).context("relay")?;
    until_interrupted(|stopped| async { relay::run(&config, stopped).await.context("relay") })
}

fn until_interrupted<W: Future<Output = Result<()>>>(
    work: impl FnOnce(watch::Receiver<bool>) -> W,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            interrupted().await;
            stop.send_replace(true);
        });
        work(stopped).await
    })
}

fn run_client(args: &der2030::Der2030Args) -> Result<()> {
    let mut out = std::io::stdout();
    until_interrupted(|stopped| async {
        let run = der2030::run(args, &mut out, stopped);
        run.await.context("der2030")
    })
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return tracing::error!("SIGTERM can't be listened for");
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn verify(data: &std::path::Path) -> Result<()> {
    let report = store::audit::verify(data, &[]).context("audit verify")?;
    writeln!(std::io::stdout(), "{report}")?;
    anyhow::ensure!(report.is_intact(), "the journal is not what was committed");
    Ok(())
}
