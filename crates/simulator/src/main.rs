//! The simulator program.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use simulator::demo::{self, DemoArgs};
use tokio::signal::unix::{SignalKind, signal};

/// Simulated DER that talk real protocols
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a utility dispatching sixty DER, and judge the delivery at the feeder head
    Demo(DemoArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Demo(args) = Cli::parse().command;
    let told = tokio::select! {
        told = demo::run(&args, wattfold::clock::now) => told,
        () = interrupted() => return ExitCode::from(130),
    };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C, or a request to end from another program.
async fn interrupted() {
    let terminated = signal(SignalKind::terminate());
    let Ok(mut terminated) = terminated else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

/// Prints an error with all its causes.
fn complain(error: &dyn std::error::Error) {
    let mut line = format!("error: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        line.push_str(&format!(": {source}"));
        cause = source.source();
    }
    if writeln!(std::io::stderr(), "{line}").is_err() {
        // There is nowhere left to say it.
    }
}
