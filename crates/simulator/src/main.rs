//! The simulator program.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use simulator::demo::{self, DemoArgs};
use simulator::sim::fault::Faults;
use simulator::sim::{self, Keep, Setup, Totals};
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
    /// Run a whole fleet in virtual time through faults, with checkers always on
    Sim(SimArgs),
}

#[derive(Debug, Args)]
struct SimArgs {
    /// Decides everything that is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after another
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// How many DER
    #[arg(long, default_value_t = 50)]
    ders: usize,
    /// Virtual time in hours
    #[arg(long, default_value_t = 6.0, conflicts_with = "days")]
    hours: f64,
    /// Virtual time in days
    #[arg(long)]
    days: Option<f64>,
    /// all, none, or some of them: loss,partition,...
    #[arg(long, default_value = "all")]
    faults: Faults,
    /// Show every line of the trace, not only the last ones before a violation
    #[arg(long)]
    trace: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Cli::parse().command {
        Command::Demo(args) => args,
        Command::Sim(args) => return simulate(&args),
    };
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

/// Runs every seed, shows each violation, and ends with one line of JSON.
fn simulate(args: &SimArgs) -> ExitCode {
    let begun = wattfold::clock::monotonic();
    let hours = args.days.map_or(args.hours, |days| days * 24.0);
    let mut totals = Totals::default();
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        let setup = Setup {
            seed,
            ders: args.ders,
            lasts: Duration::from_secs_f64(hours.max(0.0) * 3_600.0),
            faults: args.faults,
            keep: if args.trace { Keep::All } else { Keep::Last },
        };
        let outcome = sim::run(setup);
        totals.add(&setup, &outcome);
        if args.trace || outcome.violation.is_some() {
            say(&mut std::io::stderr(), &(outcome.trace.join("\n") + "\n"));
        }
        if let Some(violation) = &outcome.violation {
            say(&mut std::io::stderr(), &sim::explain(&setup, violation));
        }
    }
    let json = totals.json(begun.elapsed());
    say(&mut std::io::stdout(), &format!("{json}\n"));
    match totals.passed() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn say(out: &mut dyn Write, text: &str) {
    if out.write_all(text.as_bytes()).is_err() {
        // There is nowhere left to say it.
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
