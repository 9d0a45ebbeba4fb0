//! What each command does, in the order in which it does it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, command, output_of, root, run, run_watched};
use crate::steps::{Steps, Totals};
use crate::{fuzz, live, setup, simulation};

/// Time for each fuzz target within `cargo xtask test`.
const BRIEF_FUZZ_S: u32 = 10;

pub(crate) fn test(only: &[String]) -> Result<()> {
    setup_step()?;
    let mut steps = Steps::new(only);
    steps.step("console", |_| build_console())?;
    steps.step("fmt", |_| fmt())?;
    steps.step("clippy", |_| clippy())?;
    steps.step("deny", |_| deny())?;
    steps.step("build", |_| build())?;
    steps.step("cargo-test", cargo_test)?;
    steps.step("sim", |_| simulation::brief())?;
    steps.step("fuzz", |_| fuzz::every_target(BRIEF_FUZZ_S))?;
    steps.step("console-check", |_| npm_script("check"))?;
    steps.step("console-e2e", |_| npm_script("test:e2e"))?;
    steps.step("demo", |_| run_demo(&["--headless".to_owned()]))?;
    steps.step("demo-live", |_| live::demo_as_documented())?;
    steps.finish()
}

pub(crate) fn ci() -> Result<()> {
    setup::debian_packages()?;
    setup::peers()?;
    setup::node_modules()?;
    let mut steps = Steps::new(&[]);
    steps.step("console", |_| build_console())?;
    steps.step("fmt", |_| fmt())?;
    steps.step("clippy", |_| clippy())?;
    steps.step("deny", |_| deny())
}

pub(crate) fn demo(args: &[String]) -> Result<()> {
    setup::debian_packages()?;
    setup::node_modules()?;
    build_console()?;
    build()?;
    run_demo(args)
}

pub(crate) fn peers() -> Result<()> {
    setup::peers()?;
    println!("WATTFOLD_PEERS={}", setup::venv().display());
    Ok(())
}

pub(crate) fn bench(name: &str) -> Result<()> {
    setup::debian_packages()?;
    setup::node_modules()?;
    build_console()?;
    run(&mut cargo(&[
        "bench",
        "--workspace",
        "--locked",
        "--bench",
        name,
    ]))
}

/// Builds `console/dist` unless it was built from exactly these sources.
pub(crate) fn build_console() -> Result<()> {
    let console = root().join("console");
    let sources = digest_of_sources(&console)?;
    let stamp = console.join("node_modules/.dist.stamp");
    let is_current = console.join("dist/index.html").is_file()
        && std::fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == sources);
    if is_current {
        println!("console/dist is current");
        return Ok(());
    }
    npm_script("build")?;
    std::fs::write(stamp, sources).context("cannot write the stamp of console/dist")
}

pub(crate) fn openapi() -> Result<()> {
    setup::debian_packages()?;
    let document = output_of(&mut cargo(&[
        "run", "-q", "-p", "wattfold", "--", "openapi",
    ]))
    .context("`wattfold openapi` failed")?;
    serde_json::from_str::<serde_json::Value>(&document)
        .context("`wattfold openapi` did not print JSON")?;
    let path = root().join("console/openapi.json");
    std::fs::write(&path, document + "\n")?;
    println!("wrote {}", path.display());
    Ok(())
}

fn setup_step() -> Result<()> {
    let mut steps = Steps::new(&[]);
    steps.step("setup", |_| setup::all())
}

fn fmt() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    let fuzz = "--manifest-path=fuzz/Cargo.toml";
    run(&mut cargo(&["fmt", fuzz, "--check"]))
}

fn clippy() -> Result<()> {
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

fn deny() -> Result<()> {
    let program = setup::cargo_deny()?;
    run(&mut command(
        &program.to_string_lossy(),
        &[
            "--locked",
            "check",
            "--hide-inclusion-graph",
            "licenses",
            "bans",
            "sources",
        ],
    ))
}

/// Builds the programs, which the tests of other crates and the demo start.
fn build() -> Result<()> {
    run(&mut cargo(&["build", "--workspace", "--locked"]))
}

fn cargo_test(totals: &mut Totals) -> Result<()> {
    let mut tests = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    tests.env("WATTFOLD_PEERS", setup::venv());
    let succeeded = run_watched(&mut tests, |line| totals.count(line))?;
    if !succeeded {
        bail!("`cargo test` failed");
    }
    if totals.is_empty() {
        bail!("`cargo test` ran no test");
    }
    Ok(())
}

fn run_demo(args: &[String]) -> Result<()> {
    run(demo_driver(&root().join("target/demo")).args(args))
}

/// The demo with its files in `dir`.
pub(crate) fn demo_driver(dir: &Path) -> Command {
    let driver = root().join("target/debug/simulator");
    let wattfold = root().join("target/debug/wattfold");
    let mut demo = command(&driver.to_string_lossy(), &["demo", "--wattfold"]);
    demo.arg(wattfold).arg("--dir").arg(dir);
    demo
}

/// Runs a script of `console/package.json`.
fn npm_script(name: &str) -> Result<()> {
    let console = root().join("console");
    let manifest = std::fs::read_to_string(console.join("package.json"))
        .context("cannot read console/package.json")?;
    let manifest: serde_json::Value =
        serde_json::from_str(&manifest).context("console/package.json is not JSON")?;
    if manifest["scripts"][name].is_null() {
        bail!("console/package.json has no script `{name}`");
    }
    run(command("npm", &["run", "--silent", name]).current_dir(console))
}

/// A digest over the names and contents of the console's own files.
fn digest_of_sources(console: &Path) -> Result<String> {
    let mut files = BTreeMap::new();
    collect_sources(console, &mut files)?;
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn collect_sources(dir: &Path, files: &mut BTreeMap<std::path::PathBuf, Vec<u8>>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is_made = ["node_modules", "dist", "test-results", "playwright-report"]
            .iter()
            .any(|made| path.ends_with(made));
        if is_made {
            continue;
        }
        if path.is_dir() {
            collect_sources(&path, files)?;
        } else {
            let content = std::fs::read(&path)?;
            files.insert(path, content);
        }
    }
    Ok(())
}
