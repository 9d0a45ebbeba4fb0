//! The project's commands: `cargo xtask test`, `demo`, `bench` and the rest.
//!
//! It builds in seconds and needs nothing but a Rust toolchain, because it is also what installs
//! everything else that the build and the tests need.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line tool prints, times its steps, and waits for processes"
)]

mod conformance;
mod fuzz;
mod live;
mod portion;
mod process;
mod setup;
mod simulation;
mod soak;
mod steps;
mod tasks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, tests and shows wattfold")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is needed, then run every check, test and the headless demo
    Test {
        /// Run only this step (and the set-up); may be repeated
        #[arg(long = "only", value_name = "STEP")]
        only: Vec<String>,
    },
    /// Build everything and run the storyline against a simulated feeder
    Demo {
        /// Options of the demo driver, such as --headless
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Install the programs of other teams that the tests talk to
    Peers,
    /// Run cactus-client's server procedures and keep the report in docs/evidence
    Conformance {
        /// Only these, such as S-ALL-25; then no report is kept
        procedures: Vec<String>,
    },
    /// Build in release mode and print the speed ratios
    Bench {
        /// Run only benchmarks whose target matches this name
        #[arg(default_value = "*")]
        name: String,
    },
    /// Run a whole fleet in virtual time through faults, with checkers always on
    Sim {
        /// Options of the simulation, such as --seed 1 --ders 50 --days 1 --faults all
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run thousands of seeds, kills and floods, and keep the results in docs/evidence
    Soak {
        /// Only these: sim, kill, flood
        parts: Vec<String>,
        /// The first seed of the simulation; those that were run before are left out
        #[arg(long)]
        from: Option<u64>,
        /// How many seeds, in this sitting; without, all up to 10,000
        #[arg(long)]
        seeds: Option<u64>,
    },
    /// Run every fuzz target
    Fuzz {
        /// Time for each target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// The quick checks: formatting, lints, licences and sources of dependencies
    Ci,
    /// Build the console into console/dist
    Console,
    /// Write console/openapi.json from the code
    Openapi,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Test { only } => tasks::test(&only),
        Command::Demo { args } => tasks::demo(&args),
        Command::Peers => tasks::peers(),
        Command::Conformance { procedures } => conformance::conformance(&procedures),
        Command::Bench { name } => tasks::bench(&name),
        Command::Sim { args } => simulation::sim(&args),
        Command::Soak { parts, from, seeds } => soak::soak(&parts, soak::Seeds { from, seeds }),
        Command::Fuzz { seconds } => {
            setup::debian_packages()?;
            fuzz::every_target(seconds)
        }
        Command::Ci => tasks::ci(),
        Command::Console => {
            setup::node_modules()?;
            tasks::build_console()
        }
        Command::Openapi => tasks::openapi(),
    }
}
