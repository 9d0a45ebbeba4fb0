//! `HiGHS`, in the virtual environment that `cargo xtask peers` makes.

use std::path::{Path, PathBuf};
use std::process::Command;

use optimiser::horizon::{Problem, Shape, Store, Target, Tariff, Unit};
use serde_json::{Value, json};

/// What `HiGHS` found.
pub(crate) struct Found {
    pub(crate) status: String,
    pub(crate) objective: f64,
    /// Processor time of the solver alone, seconds.
    pub(crate) seconds: f64,
}

/// Writes a problem's linear programme to a file and has `HiGHS` solve it.
pub(crate) fn highs(problem: &Value, arguments: &[&str]) -> Found {
    let directory = tempfile::tempdir().expect("a directory for the problem");
    let file = directory.path().join("problem.json");
    std::fs::write(&file, problem.to_string()).expect("the problem is written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/highs.py");
    let output = Command::new(python())
        .arg(script)
        .arg(&file)
        .args(arguments)
        .output()
        .expect("the peer starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let found: Value = serde_json::from_slice(&output.stdout).expect("the peer answers in JSON");
    Found {
        status: found["status"].as_str().expect("a status").to_owned(),
        objective: found["objective"].as_f64().expect("an objective"),
        seconds: found["seconds"].as_f64().expect("a time"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the environment of the test says where the peers are"
)]
fn python() -> PathBuf {
    let venv = std::env::var("WATTFOLD_PEERS").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/venv"),
        PathBuf::from,
    );
    let python = venv.join("bin/python");
    assert!(
        python.is_file(),
        "there is no {}: run `cargo xtask peers`",
        python.display()
    );
    python
}

/// A problem as the peer reads it.
pub(crate) fn written(problem: &Problem) -> Value {
    json!({
        "interval_s": problem.interval_s,
        "price_per_wh": problem.price_per_wh,
        "targets": problem.targets.iter().map(target).collect::<Vec<_>>(),
        "units": problem.units.iter().map(unit).collect::<Vec<_>>(),
        "limits": problem.limits.iter().map(|limit| json!({
            "terms": limit.terms,
            "at_most_w": limit.at_most_w.iter().map(|b| b.is_finite().then_some(*b)).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "shapes": problem.shapes.iter().map(|Shape { lo, hi }| json!({"lo": lo, "hi": hi})).collect::<Vec<_>>(),
        "tariffs": problem.tariffs.iter().map(|Tariff { inject_per_wh, absorb_per_wh }| json!({
            "inject_per_wh": inject_per_wh, "absorb_per_wh": absorb_per_wh,
        })).collect::<Vec<_>>(),
    })
}

fn target(target: &Target) -> Value {
    match target {
        Target::Free => json!(["free", 0.0]),
        Target::Exact(p_w) => json!(["exact", p_w]),
        Target::AtLeast(p_w) => json!(["at_least", p_w]),
        Target::AtMost(p_w) => json!(["at_most", p_w]),
    }
}

fn unit(unit: &Unit) -> Value {
    json!({
        "lo_w": unit.lo_w,
        "hi_w": unit.hi_w,
        "shape": unit.shape,
        "present_from": unit.present_from,
        "present_until": unit.present_until,
        "inject_per_wh": unit.inject_per_wh,
        "absorb_per_wh": unit.absorb_per_wh,
        "tariff": unit.tariff,
        "preferred": unit.preferred.map(|p| json!({
            "p_w": p.p_w, "deviation_per_wh": p.deviation_per_wh,
        })),
        "ramp": unit.ramp.map(|r| json!({"from_w": r.from_w, "max_step_w": r.max_step_w})),
        "store": unit.store.as_ref().map(store),
        "commitment": unit.commitment.map(|c| json!({"min_w": c.min_w})),
    })
}

fn store(store: &Store) -> Value {
    json!({
        "energy_wh": store.energy_wh,
        "capacity_wh": store.capacity_wh,
        "reserve_wh": store.reserve_wh,
        "charge_efficiency": store.charge_efficiency,
        "discharge_efficiency": store.discharge_efficiency,
        "loss_per_h": store.loss_per_h,
        "deadline": store.deadline.map(|d| json!({"interval": d.interval, "min_wh": d.min_wh})),
        "end_min_wh": store.end_min_wh,
    })
}
