//! Coverage-guided fuzzing with libFuzzer on the stable toolchain.
//!
//! LLVM's coverage pass is switched on with code generation flags, so neither a nightly compiler
//! nor cargo-fuzz is needed. The seed corpus in `fuzz/corpus` is only read; what a run finds is
//! kept under `target`.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{command, output_of, root, run};

const COVERAGE_FLAGS: [&str; 10] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "-Copt-level=1",
    "-Cdebug-assertions",
    "--cfg=fuzzing",
];

/// Limits on one input: an input that needs more is a finding.
const TIMEOUT_S: u32 = 10;
const MEMORY_MB: u32 = 1024;
const MAX_INPUT_BYTES: u32 = 128 * 1024;

/// Builds every target and runs each for `seconds`; a finding fails the run.
pub(crate) fn every_target(seconds: u32) -> Result<()> {
    let targets = targets()?;
    if targets.is_empty() {
        bail!("fuzz/Cargo.toml has no targets");
    }
    let triple = host_triple()?;
    build(&triple)?;
    for target in &targets {
        let program = root().join(format!("target/fuzz/{triple}/debug/{target}"));
        run_target(&program, target, seconds)?;
    }
    Ok(())
}

fn targets() -> Result<Vec<String>> {
    let metadata = output_of(&mut command(
        "cargo",
        &[
            "metadata",
            "--no-deps",
            "--format-version=1",
            "--manifest-path=fuzz/Cargo.toml",
        ],
    ))
    .context("cannot read fuzz/Cargo.toml")?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let targets = metadata["packages"][0]["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|target| target["kind"][0] == "bin")
        .filter_map(|target| Some(target["name"].as_str()?.to_owned()));
    Ok(targets.collect())
}

fn host_triple() -> Result<String> {
    let version = output_of(&mut command("rustc", &["-vV"])).context("cannot run rustc")?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc names no host")
}

fn build(triple: &str) -> Result<()> {
    let mut cargo = command(
        "cargo",
        &[
            "build",
            "--locked",
            "--manifest-path=fuzz/Cargo.toml",
            "--target-dir=target/fuzz",
            "--bins",
            // With a target named, build scripts and macros are built without the flags.
            "--target",
            triple,
        ],
    );
    run(cargo.env("RUSTFLAGS", COVERAGE_FLAGS.join(" ")))
}

fn run_target(program: &Path, target: &str, seconds: u32) -> Result<()> {
    let seeds = root().join("fuzz/corpus").join(target);
    let finds = root().join("target/fuzz-corpus").join(target);
    let artifacts = root().join("target/fuzz-artifacts").join(target);
    std::fs::create_dir_all(&finds)?;
    std::fs::create_dir_all(&artifacts)?;
    println!("fuzzing {target} for {seconds} s");
    let mut fuzzer = command(&program.to_string_lossy(), &["-print_final_stats=1"]);
    fuzzer
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={TIMEOUT_S}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg(format!("-max_len={MAX_INPUT_BYTES}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(&finds);
    if seeds.is_dir() {
        fuzzer.arg(&seeds);
    }
    let log_path = root()
        .join("target/fuzz-artifacts")
        .join(format!("{target}.log"));
    let log = std::fs::File::create(&log_path)?;
    let status = fuzzer
        .stderr(log)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let log = std::fs::read_to_string(&log_path).unwrap_or_default();
    if !status.success() {
        println!("{}", last_lines(&log, 40));
        bail!(
            "fuzz target `{target}` failed; reproduce with: {} {}",
            program.display(),
            newest_artifact(&log).unwrap_or("(no input was written)")
        );
    }
    for line in log.lines().filter(|line| line.contains("stat::")) {
        println!("  {line}");
    }
    Ok(())
}

/// libFuzzer's own word for where it put the input.
fn newest_artifact(log: &str) -> Option<&str> {
    log.lines()
        .rev()
        .find_map(|line| line.split_once("Test unit written to "))
        .map(|(_, path)| path.trim())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
