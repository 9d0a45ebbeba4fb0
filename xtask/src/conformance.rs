//! cactus-client's procedures against the server, and the report that is kept of them.

use anyhow::{Context, Result, bail};

use crate::process::{cargo, command, output_of, root, run};
use crate::setup;

const TESTS: &str = "conformance::";
/// Where the test leaves its report.
const REPORT: &str = "target/conformance/cactus.md";
/// Where it is kept.
const EVIDENCE: &str = "docs/evidence/cactus.md";

/// Runs the named procedures, or all of them; the report of a run of all is kept.
pub(crate) fn conformance(procedures: &[String]) -> Result<()> {
    setup::debian_packages()?;
    setup::peers()?;
    let chosen = match procedures {
        [] => "all".to_owned(),
        named => named.join(","),
    };
    let mut tests = cargo(&[
        "test",
        "--locked",
        "-p",
        "wattfold",
        "--test",
        "live",
        "--",
        "--nocapture",
        TESTS,
    ]);
    tests
        .env("WATTFOLD_PEERS", setup::venv())
        .env("WATTFOLD_CONFORMANCE", &chosen);
    let outcome = run(&mut tests);
    let report = std::fs::read_to_string(root().join(REPORT))
        .with_context(|| format!("the run left no {REPORT}"))?;
    println!("{report}");
    if procedures.is_empty() {
        std::fs::write(root().join(EVIDENCE), with_head(&report)?)?;
        println!("wrote {EVIDENCE}");
    }
    outcome
}

/// The report with what was run and on what.
fn with_head(report: &str) -> Result<String> {
    let Some(revision) = output_of(&mut command("git", &["rev-parse", "--short=12", "HEAD"]))
    else {
        bail!("the revision is not known: git does not answer");
    };
    let changed = output_of(&mut command(
        "git",
        &["status", "--porcelain", "--", "crates"],
    ));
    let changed = match changed.as_deref() {
        Some("") => "",
        _ => " with changes",
    };
    let requirements = std::fs::read_to_string(root().join("xtask/peers/requirements.txt"))?;
    let peers: Vec<&str> = requirements
        .lines()
        .filter(|line| line.starts_with("cactus"))
        .collect();
    let date = output_of(&mut command("date", &["-u", "+%Y-%m-%d"])).unwrap_or_default();
    Ok(format!(
        "# cactus-client against wattfold\n\n\
         `cargo xtask conformance` at {revision}{changed}, {date}; {}.\n\n\
         cactus-client is the harness of the Australian national test programme for CSIP-AUS \
         servers. Each procedure runs against a server of its own, development build, through \
         mutual TLS, with warnings counted as failures; every body that it receives, those of \
         notifications too, is validated against the schemas of IEEE 2030.5-2018 and CSIP-AUS 1.2 \
         that come with it. What it asks of an operator is done through the REST API \
         (`crates/wattfold/tests/peers/cactus_admin`). Meters are asked for each second.\n\n\
         ¹ Without `--strict`: the procedure needs two programmes, and its check warns of each one \
         that is not of the primacy it looks for (`check_der_program`). These are its only \
         warnings.\n\n\
         ² The procedure is 4,320 rounds of a client, one each minute for three days. Here 600 \
         rounds come one each second; `WATTFOLD_CONFORMANCE_IN_FULL=1 cargo xtask conformance \
         S-ALL-50` takes the three days.\n\n{report}",
        peers.join(", ")
    ))
}
