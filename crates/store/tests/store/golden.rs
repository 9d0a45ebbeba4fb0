//! Journals that earlier releases wrote still fold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fleet::{Aim, DerId, DerKind, DispatchPhase, Fleet, Lfdi, Mode, Registration};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::record::{decode, encode};
use store::{Actor, JournalId, Memory, RawEntry, Store};
use units::{Timestamp, Watts};

use crate::sample::{self, JOURNAL, NOW};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sequence: u64,
    at_ms: i64,
    actor: String,
    kind: String,
    version: u32,
    payload: Box<RawValue>,
    hash: String,
}

impl Line {
    fn raw(&self) -> RawEntry<'_> {
        RawEntry {
            sequence: self.sequence,
            at: Timestamp::from_millis(self.at_ms),
            actor: &self.actor,
            kind: &self.kind,
            version: self.version,
            payload: self.payload.get(),
            hash: self.hash.parse().unwrap(),
        }
    }
}

fn golden(file: &str) -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/store")
        .join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; the history of the tests is in {}",
            path.display(),
            export().display()
        )
    });
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The history of these tests as this release stores it, to begin the golden file of a release.
fn export() -> PathBuf {
    let mut lines = String::new();
    let visit: &mut store::Visit<'_> = &mut |entry| {
        let line = Line {
            sequence: entry.sequence,
            at_ms: entry.at.millis(),
            actor: entry.actor.to_owned(),
            kind: entry.kind.to_owned(),
            version: entry.version,
            payload: RawValue::from_string(entry.payload.to_owned()).unwrap(),
            hash: entry.hash.to_string(),
        };
        lines.push_str(&serde_json::to_string(&line).unwrap());
        lines.push('\n');
        std::ops::ControlFlow::Continue(())
    };
    sample::filled().scan(1, usize::MAX, visit).unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden.jsonl");
    std::fs::write(&path, lines).unwrap();
    path
}

#[test]
fn version_1_folds() {
    let lines = golden("golden_v1.jsonl");
    let kinds: BTreeSet<&str> = lines.iter().map(|line| line.kind.as_str()).collect();
    assert_eq!(kinds.len(), 14, "one of each kind: {kinds:?}");

    let mut fleet = Fleet::default();
    let mut previous = Memory::new(JOURNAL).head().hash;
    for line in &lines {
        let raw = line.raw();
        assert_eq!(raw.linked_to(previous), raw.hash, "entry {}", raw.sequence);
        previous = raw.hash;
        let stored = raw.decode().unwrap();
        fleet.apply(&stored.entry.event);
        if raw.sequence == 2 {
            assert_eq!(stored.entry.actor, Actor::Device(Lfdi([7; 20])));
            assert_eq!(stored.entry.at.millis(), NOW.millis() + 1);
        }
    }

    let battery = fleet.der(DerId(0)).unwrap();
    assert_eq!(
        (battery.name.as_str(), battery.kind),
        ("Überlingen 0", DerKind::Storage)
    );
    assert_eq!(battery.pin.digits(), 111_115);
    assert_eq!(battery.registration, Registration::Registered(NOW));
    assert!(battery.can(Mode::FixedW) && !battery.can(Mode::TargetW));
    let capability = battery.capability.as_ref().unwrap();
    assert_eq!(capability.p_absorb_max, Watts::from_micro(4_999_999_999));
    let groups: Vec<_> = fleet.groups().collect();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].members, [DerId(0)]);
    assert_eq!(groups[0].version.minor, 2);
    let dispatch = &fleet.dispatches()[0];
    assert_eq!(dispatch.phase(NOW), DispatchPhase::Cancelled);
    assert_eq!(dispatch.schedule[1].aim, Aim::Net(Watts::whole(-2_500)));
    assert_eq!(dispatch.published, Some(dispatch.created));
    assert_eq!(dispatch.plan.as_ref().unwrap().allocations.len(), 3);
    assert_eq!(fleet.controls().len(), 4);
    assert_eq!(fleet.controls()[0].cancelled, Some(NOW));
    assert_eq!(
        fleet.controls()[0].base.active().unwrap().p(),
        Watts::from_micro(-3_009_780_000)
    );
}

/// A released shape may not change; what is written differently needs a new version.
#[test]
fn version_1_is_still_what_is_written() {
    for line in golden("golden_v1.jsonl") {
        let event = decode(&line.kind, line.version, line.payload.get()).unwrap();
        let record = encode(&event).unwrap();
        if record.version == line.version {
            assert_eq!(
                record.payload,
                line.payload.get(),
                "entry {}",
                line.sequence
            );
        }
    }
}

#[test]
fn an_entry_fits_into_no_other_journal() {
    let first = &golden("golden_v1.jsonl")[0];
    let other = Memory::new(JournalId(JOURNAL.0 + 1)).head().hash;
    assert_ne!(first.raw().linked_to(other), first.raw().hash);
}
