//! What is folded from the store is the live fleet, whatever led there.

use std::time::Duration;

use fleet::{
    ActivePower, Aim, ApprovalRule, Capacity, Command, Conduct, ControlBase, ControlId, DerId,
    DerKind, DispatchChange, DispatchId, Fleet, GroupChange, GroupId, Identity, Need, NewControl,
    NewDispatch, NewGroup, Objective, Origin, Priority, ProgramId, Publish, Setting, Target,
};
use proptest::prelude::*;
use store::{Memory, Sqlite, Store};
use units::{Money, Percent, Timestamp, Watts};

use crate::sample::{self, JOURNAL, NOW};

fn ids() -> impl Strategy<Value = u32> {
    0..4_u32
}

fn power() -> impl Strategy<Value = ActivePower> {
    let percent = |p| Percent::from_hundredths(p);
    prop_oneof![
        (-10_000..=10_000_i32, 0..10_000_i64).prop_map(move |(p, of)| ActivePower::FixedW {
            percent: percent(p),
            of: Watts::whole(of)
        }),
        (any::<i16>(), 0..=9_u8)
            .prop_map(|(value, multiplier)| ActivePower::TargetW { value, multiplier }),
        (0..=10_000_i32, any::<i64>()).prop_map(move |(p, of)| ActivePower::MaxLimW {
            percent: percent(p),
            of: Watts::from_micro(of)
        }),
    ]
}

fn base() -> impl Strategy<Value = ControlBase> {
    (
        prop::option::of(power()),
        any::<Option<bool>>(),
        any::<Option<bool>>(),
    )
        .prop_map(|(active, connect, energize)| {
            let mut base = active.map_or_else(ControlBase::default, ControlBase::asking);
            let connect = connect.map(Setting::Connect);
            let energize = energize.map(Setting::Energize);
            connect
                .into_iter()
                .chain(energize)
                .for_each(|s| base.set(s));
            base
        })
}

fn dispatch() -> impl Strategy<Value = Command> {
    (
        ids(),
        ids(),
        0..40_i64,
        prop::collection::vec((1..20_u64, any::<i64>()), 1..4),
    )
        .prop_map(|(id, group, start, parts)| {
            let mut at = start * 60;
            let mut schedule = Vec::new();
            for (minutes, p) in parts {
                let interval = sample::interval(at, minutes * 60);
                let hundredths = i32::try_from(p % 10_000).unwrap();
                let aims = [
                    Aim::Net(Watts::from_micro(p)),
                    Aim::Delta(Watts::from_micro(p)),
                    Aim::Percent(Percent::from_hundredths(hundredths)),
                    Aim::AtMost(Watts::from_micro(p)),
                    Aim::AtLeast(Watts::from_micro(p)),
                    Aim::Price(Money::from_micro(p)),
                ];
                let aim = aims[usize::try_from(minutes).unwrap() % aims.len()];
                schedule.push(Target { interval, aim });
                at += i64::try_from(minutes * 60).unwrap();
            }
            Command::CreateDispatch(NewDispatch {
                mrid: sample::mrid(&format!("dispatch-{id}")),
                name: None,
                group: GroupId(group),
                schedule,
                ramp: None,
                conduct: conduct(id),
            })
        })
}

fn conduct(id: u32) -> Conduct {
    Conduct {
        priority: [
            Priority::Economic,
            Priority::Reliability,
            Priority::Emergency,
        ][id as usize % 3],
        objective: [
            Objective::ProRata,
            Objective::LeastCost,
            Objective::LeastUsed,
            Objective::FewestDevices,
        ][id as usize % 4],
        publish: [Publish::WhenApproved, Publish::OnCommand][id as usize % 2],
        release: Duration::from_secs(id.into()),
        author: (!id.is_multiple_of(3)).then(|| sample::name("ann")),
        revised_by: (0..id % 2).map(|_| sample::name("bert")).collect(),
        program: None,
    }
}

fn group() -> impl Strategy<Value = Command> {
    (ids(), prop::collection::vec(ids(), 0..4)).prop_map(|(id, members)| {
        let Command::CreateGroup(new) = sample::commands().remove(6) else {
            unreachable!("the seventh command creates a group")
        };
        Command::CreateGroup(NewGroup {
            mrid: sample::mrid(&format!("group-{id}")),
            members: members.into_iter().map(DerId).collect(),
            ..new
        })
    })
}

fn change() -> impl Strategy<Value = Command> {
    (ids(), ids(), prop::option::of(ids())).prop_map(|(group, add, remove)| {
        let change = GroupChange {
            add: vec![DerId(add)],
            remove: remove.map(DerId).into_iter().collect(),
            ..GroupChange::default()
        };
        Command::ChangeGroup(GroupId(group), change)
    })
}

fn control() -> impl Strategy<Value = Command> {
    (ids(), 0..60_i64, 1..30_u64, base()).prop_map(|(der, start, minutes, base)| {
        Command::IssueControl(NewControl {
            der: Some(DerId(der)),
            program: ProgramId(der),
            origin: Origin::Operator,
            interval: sample::interval(start * 60, minutes * 60),
            base,
            terms: None,
        })
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => (any::<u64>(), any::<u32>())
            .prop_map(|(seed, pen)| Command::FoundFleet(Identity { seed, pen })),
        4 => (0..5_u8).prop_map(|index| Command::EnrolDer(sample::new_der(index, DerKind::Pv))),
        2 => ids().prop_map(|der| Command::RegisterDer(DerId(der))),
        2 => ids().prop_map(|der| Command::ReportCapability(DerId(der), sample::capability())),
        3 => group(),
        2 => change(),
        1 => ids().prop_map(|group| Command::DeleteGroup(GroupId(group))),
        2 => dispatch(),
        1 => ids().prop_map(|dispatch| Command::CancelDispatch(DispatchId(dispatch))),
        1 => ids().prop_map(|dispatch| Command::PublishDispatch(DispatchId(dispatch))),
        1 => ids().prop_map(|dispatch| {
            let by = sample::name("bert");
            Command::ApproveDispatch(DispatchId(dispatch), by, Capacity::BalancingAuthority)
        }),
        1 => (ids(), ids()).prop_map(|(dispatch, priority)| {
            let change = DispatchChange {
                priority: Some(conduct(priority).priority),
                ..DispatchChange::default()
            };
            Command::ChangeDispatch(DispatchId(dispatch), change)
        }),
        1 => (ids(), ids()).prop_map(|(group, priority)| {
            Command::SetApprovalRules(vec![ApprovalRule {
                group: Some(GroupId(group)),
                from: Watts::whole(1),
                up_to: conduct(priority).priority,
                need: [Need::SecondPerson, Need::BalancingAuthority][group as usize % 2],
            }])
        }),
        4 => control(),
        2 => ids().prop_map(|control| Command::CancelControl(ControlId(control))),
    ]
}

/// Decides each command a minute after the one before and commits what is accepted; returns the
/// live fleet.
fn run(store: &mut dyn Store, commands: &[Command]) -> Fleet {
    let mut live = Fleet::default();
    for (minute, command) in (0..).zip(commands) {
        let now = Timestamp::from_secs(NOW.secs() + minute * 60);
        let Ok(events) = live.decide(command, now) else {
            continue;
        };
        for event in &events {
            live.apply(event);
        }
        store
            .commit(&sample::batch(store.head().version, &events))
            .unwrap();
    }
    live
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory_replays_to_the_live_fleet(commands in prop::collection::vec(command(), 0..60)) {
        let mut store = Memory::new(JOURNAL);
        let live = run(&mut store, &commands);
        let (folded, head) = store::fold(&store).unwrap();
        prop_assert_eq!(folded, live);
        prop_assert_eq!(head, store.head());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sqlite_replays_to_the_live_fleet(commands in prop::collection::vec(command(), 0..60)) {
        let root = tempfile::tempdir().unwrap();
        let mut store = Sqlite::open(root.path(), JOURNAL).unwrap();
        let live = run(&mut store, &commands);
        drop(store);
        let store = Sqlite::open(root.path(), JOURNAL).unwrap();
        prop_assert_eq!(store::fold(&store).unwrap().0, live);
    }
}

/// Random commands are worth nothing when none is accepted.
#[test]
fn most_kinds_of_event_occur_in_random_histories() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut kinds = std::collections::BTreeSet::new();
    for _ in 0..64 {
        let commands = prop::collection::vec(command(), 60)
            .new_tree(&mut runner)
            .unwrap();
        let mut store = Memory::new(JOURNAL);
        run(&mut store, &commands.current());
        let visit: &mut store::Visit<'_> = &mut |entry| {
            kinds.insert(entry.kind.to_owned());
            std::ops::ControlFlow::Continue(())
        };
        store.scan(1, usize::MAX, visit).unwrap();
    }
    assert!(kinds.len() >= 11, "{kinds:?}");
}
