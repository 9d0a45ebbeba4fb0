//! Restart: folding a journal of 1,000,000 events on one core, and where the time goes.

use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use fleet::{
    ActivePower, Command, ControlBase, DerId, DerKind, DispatchId, Event, Fleet, Identity, Lfdi,
    NewControl, NewDer, Origin, Pin, ProgramId,
};
use store::{Actor, Batch, Entry, JournalId, RawEntry, Sqlite, Store};
use units::{Interval, Percent, Timestamp, Watts};

const EVENTS: usize = 1_000_000;
const DERS: u32 = 10_000;
const BATCH: usize = 10_000;

/// How long something took.
#[derive(Clone, Copy)]
struct Times {
    clock: Duration,
    core: Duration,
}

impl Times {
    fn without(self, other: Self) -> Self {
        Self {
            clock: self.clock.saturating_sub(other.clock),
            core: self.core.saturating_sub(other.core),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = tempfile::tempdir()?;
    let mut store = Sqlite::open(root.path(), JournalId(1))?;
    fill(&mut store)?;
    drop(store);
    let (store, open) = timed(|| Sqlite::open(root.path(), JournalId(1)));
    let store = store?;
    let (folded, whole) = timed(|| store::fold(&store));
    let (fleet, head) = folded?;
    let ((), read) = walk(&store, |_| {});
    let ((), chain) = walk(&store, |entry| {
        std::hint::black_box(entry.linked_to(entry.hash));
    });
    let mut events = Vec::with_capacity(EVENTS);
    let ((), decode) = walk(&store, |entry| events.extend(entry.event()));
    let mut again = Fleet::default();
    let ((), apply) = timed(|| events.iter().for_each(|event| again.apply(event)));
    assert!(again == fleet, "both folds give one fleet");

    let mut out = stdout().lock();
    writeln!(
        out,
        "folding {} events of {} DER",
        head.version,
        fleet.ders().len()
    )?;
    writeln!(out, "  {:<26}{:>9}{:>9}", "", "clock", "core")?;
    let mut line = |what, times: Times| {
        let (clock, core) = (times.clock.as_secs_f64(), times.core.as_secs_f64());
        writeln!(out, "  {what:<26}{clock:>7.3} s{core:>7.3} s")
    };
    line("open", open)?;
    line("fold, all of the below", whole)?;
    line("  reading rows", read)?;
    line("  checking the chain", chain.without(read))?;
    line("  decoding", decode.without(read))?;
    line("  applying", apply)?;
    Ok(())
}

/// Enrols, then issues and withdraws controls.
fn fill(store: &mut Sqlite) -> Result<(), Box<dyn std::error::Error>> {
    let mut fleet = Fleet::default();
    let mut pending = Vec::new();
    let mut total = 0;
    let enrol = (0..DERS).map(|number| new_der(number).map(Command::EnrolDer));
    let found = std::iter::once(Ok(Command::FoundFleet(Identity {
        seed: 1,
        pen: 37_244,
    })));
    let controls = (0_u32..).map(|number| Ok::<_, fleet::IdError>(new_control(number)));
    for (number, command) in (0_i64..).zip(found.chain(enrol).chain(controls)) {
        let now = Timestamp::from_secs(1_800_000_000 + number / 100);
        for event in fleet.decide(&command?, now)? {
            fleet.apply(&event);
            pending.push(entry(event, now));
        }
        if pending.len() >= BATCH || total + pending.len() >= EVENTS {
            pending.truncate(EVENTS - total);
            total += pending.len();
            let expected_version = store.head().version;
            let entries = std::mem::take(&mut pending);
            store.commit(&Batch {
                expected_version,
                entries,
                ..Batch::default()
            })?;
        }
        if total >= EVENTS {
            break;
        }
    }
    Ok(())
}

fn new_der(number: u32) -> Result<NewDer, fleet::IdError> {
    let mut lfdi = [0; 20];
    lfdi[..4].copy_from_slice(&number.to_be_bytes());
    Ok(NewDer {
        mrid: format!("6f1c0a52-0000-4000-8000-{number:012x}").parse()?,
        name: format!("Battery {number}").parse()?,
        kind: DerKind::Storage,
        lfdi: Lfdi(lfdi),
        pin: Pin::with_check_digit(number % 100_000),
        registered: true,
        reserve: Percent::default(),
        manager: None,
        assignments: Vec::new(),
    })
}

fn new_control(number: u32) -> Command {
    let start = Timestamp::from_secs(1_800_000_400 + i64::from(number / 100));
    let active = ActivePower::FixedW {
        percent: Percent::from_hundredths(5_000),
        of: Watts::whole(5_000),
    };
    Command::IssueControl(NewControl {
        der: Some(DerId(number % DERS)),
        program: ProgramId(number % DERS),
        origin: Origin::Dispatch {
            dispatch: DispatchId(0),
            generation: 1,
            interval: 0,
        },
        interval: Interval {
            start,
            duration: Duration::from_secs(300),
        },
        base: ControlBase::asking(active),
        terms: None,
    })
}

fn entry(event: Event, at: Timestamp) -> Entry {
    Entry {
        actor: Actor::System,
        at,
        event,
    }
}

fn walk(store: &Sqlite, mut visit: impl FnMut(&RawEntry<'_>)) -> ((), Times) {
    timed(|| {
        let visit: &mut store::Visit<'_> = &mut |entry| {
            visit(&entry);
            ControlFlow::Continue(())
        };
        store
            .scan(1, usize::MAX, visit)
            .expect("the journal was just written");
    })
}

/// Runs `work` and measures it by the clock and by what this thread spent on a core, which other
/// load on the machine changes less.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Times) {
    let (start, core) = (Instant::now(), on_core());
    let result = work();
    let times = Times {
        clock: start.elapsed(),
        core: on_core().saturating_sub(core),
    };
    (result, times)
}

/// What Linux has counted for this thread; zero elsewhere.
fn on_core() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = schedstat
        .split(' ')
        .next()
        .and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}
