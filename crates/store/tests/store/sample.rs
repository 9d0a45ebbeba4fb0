//! A short history with every kind of event in it.

use std::time::Duration;

use fleet::dispatch::assess::Standing;
use fleet::dispatch::plan::{Allocation, Balance, Plan};
use fleet::{
    ActivePower, Capability, CimMrid, Command, Conduct, ControlBase, ControlId, DerFunction,
    DerFunctions, DerId, DerKind, DispatchId, Event, FixedVar, Fleet, FreqDroop, GroupChange,
    GroupId, GroupName, Identity, Lfdi, Mode, Modes, Name, NewControl, NewDer, NewDispatch,
    NewGroup, Origin, Pin, PowerFactor, ProgramId, Scaled, Setting, Settings, Share, Target,
    VarReference, Version,
};
use store::{Actor, Batch, Entry, JournalId, Memory, Store};
use units::{Interval, Percent, Timestamp, Vars, VoltAmperes, WattHours, Watts};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const JOURNAL: JournalId = JournalId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

/// Decides and applies each command in turn.
pub(crate) fn decide(fleet: &mut Fleet, commands: &[Command], now: Timestamp) -> Vec<Event> {
    let mut all = Vec::new();
    for command in commands {
        let events = fleet.decide(command, now).unwrap();
        for event in &events {
            fleet.apply(event);
        }
        all.extend(events);
    }
    all
}

/// The whole history, decided.
pub(crate) fn events() -> Vec<Event> {
    decide(&mut Fleet::default(), &commands(), NOW)
}

/// `events` as entries of several actors.
pub(crate) fn entries(events: &[Event]) -> Vec<Entry> {
    let actors = [
        Actor::System,
        Actor::Device(Lfdi([7; 20])),
        Actor::Account(store::AccountId(3)),
        Actor::Peer(name("DMS: north")),
    ];
    let at = |index: usize| Timestamp::from_millis(NOW.millis() + i64::try_from(index).unwrap());
    let entry = |(index, event): (usize, &Event)| Entry {
        actor: actors[index % actors.len()].clone(),
        at: at(index),
        event: event.clone(),
    };
    events.iter().enumerate().map(entry).collect()
}

pub(crate) fn batch(expected_version: u64, events: &[Event]) -> Batch {
    Batch {
        expected_version,
        entries: entries(events),
        ..Batch::default()
    }
}

/// A memory store that holds the history.
pub(crate) fn filled() -> Memory {
    let mut store = Memory::new(JOURNAL);
    store.commit(&batch(0, &events())).unwrap();
    store
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn mrid(text: &str) -> CimMrid {
    CimMrid::new(text).unwrap()
}

pub(crate) fn interval(start_secs: i64, secs: u64) -> Interval {
    let start = Timestamp::from_secs(NOW.secs() + start_secs);
    Interval {
        start,
        duration: Duration::from_secs(secs),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    let mut commands = vec![
        Command::FoundFleet(Identity {
            seed: u64::MAX,
            pen: 37_244,
        }),
        Command::EnrolDer(new_der(0, DerKind::Storage)),
        Command::EnrolDer(new_der(1, DerKind::Pv)),
        Command::RegisterDer(DerId(0)),
        Command::ReportCapability(DerId(0), capability()),
        Command::ReportSettings(DerId(0), settings()),
        Command::CreateGroup(new_group("group-1")),
        Command::ChangeGroup(
            GroupId(0),
            GroupChange {
                description: Some(name("Feeder \"7\", north")),
                remove: vec![DerId(1)],
                ..GroupChange::default()
            },
        ),
        Command::CreateGroup(new_group("group-2")),
        Command::DeleteGroup(GroupId(1)),
        Command::CreateDispatch(new_dispatch()),
        Command::AdoptPlan(plan()),
    ];
    commands.extend(bases().map(|base| Command::IssueControl(new_control(base))));
    commands.push(Command::CancelControl(ControlId(0)));
    commands.push(Command::CancelDispatch(DispatchId(0)));
    commands
}

pub(crate) fn new_der(index: u8, kind: DerKind) -> NewDer {
    NewDer {
        mrid: mrid(&format!("6f1c0a52-0000-4000-8000-0000000000{index:02x}")),
        name: name(&format!("Überlingen {index}")),
        kind,
        lfdi: Lfdi([index; 20]),
        pin: Pin::with_check_digit(11_111),
        registered: !index.is_multiple_of(2),
        reserve: Percent::default(),
        manager: None,
        assignments: Vec::new(),
    }
}

pub(crate) fn capability() -> Capability {
    Capability {
        p_inject_max: Watts::whole(5_000),
        p_absorb_max: Watts::from_micro(4_999_999_999),
        s_max: Some(VoltAmperes::whole(5_500)),
        q_inject_max: Some(Vars::whole(2_200)),
        q_absorb_max: None,
        energy_max: Some(WattHours::whole(13_500)),
        modes: Modes::default().with(Mode::FixedW).with(Mode::Connect),
        doe_modes: 0,
    }
}

fn settings() -> Settings {
    Settings {
        p_inject_max: Watts::whole(4_600),
        p_absorb_max: Watts::whole(4_600),
        p_max: None,
        s_max: None,
        energy_max: Some(WattHours::whole(13_000)),
        q_inject_max: None,
        q_absorb_max: None,
        soft_ramp_per_second: None,
        enter_service: fleet::EnterService::default(),
        ramp_per_second: Some(Percent::from_hundredths(250)),
        modes: Modes::default().with(Mode::FixedW).with(Mode::Connect),
        updated: Timestamp::from_millis(-1),
    }
}

pub(crate) fn new_group(id: &str) -> NewGroup {
    NewGroup {
        mrid: mrid(id),
        names: vec![GroupName {
            name: name("North"),
            name_type: Some(name("feeder")),
            authority: None,
        }],
        description: None,
        functions: DerFunctions::default().with(DerFunction::RealPowerDispatch),
        members: vec![DerId(0), DerId(1)],
        version: Some(Version {
            date: NOW,
            major: 2,
            minor: 1,
            revision: 9,
        }),
    }
}

fn new_dispatch() -> NewDispatch {
    let target = |start, p| Target::net(interval(start, 900), Watts::whole(p));
    NewDispatch {
        mrid: mrid("dispatch-1"),
        name: Some(name("Evening peak")),
        group: GroupId(0),
        schedule: vec![target(600, 3_000), target(1_500, -2_500)],
        ramp: Some(Duration::from_secs(120)),
        conduct: Conduct::default(),
    }
}

fn plan() -> Plan {
    let allocation = |interval, share| Allocation {
        der: DerId(0),
        interval,
        share,
    };
    let [fixed, target, limit] = powers();
    Plan {
        dispatch: DispatchId(0),
        generation: 1,
        made: NOW,
        effective: Timestamp::from_secs(NOW.secs() + 300),
        allocations: vec![
            allocation(0, fixed),
            allocation(1, target),
            allocation(2, limit),
        ],
        unasked: vec![(DerId(1), Standing::Silent), (DerId(7), Standing::OptedOut)],
        balances: vec![Balance {
            interval: 0,
            target: Watts::whole(3_000),
            unasked: Watts::whole(-17),
            residue: Watts::from_micro(1),
        }],
        elsewhere: vec![(1, DerId(1))],
        late: vec![(DerId(1), Duration::from_secs(300))],
        pasts: Vec::new(),
        observed: u64::MAX,
    }
}

fn powers() -> [ActivePower; 3] {
    let of = Watts::whole(4_600);
    [
        ActivePower::FixedW {
            percent: Percent::from_hundredths(-6_543),
            of,
        },
        ActivePower::TargetW {
            value: i16::MIN,
            multiplier: 9,
        },
        ActivePower::MaxLimW {
            percent: Percent::from_hundredths(10_000),
            of,
        },
    ]
}

fn bases() -> impl Iterator<Item = ControlBase> {
    let share = |hundredths, of| Share {
        percent: Percent::from_hundredths(hundredths),
        of,
    };
    let scaled = |value, multiplier| Scaled { value, multiplier };
    let factor = |injects_vars| PowerFactor {
        displacement: 950,
        injects_vars,
        multiplier: -3,
    };
    let rest = ControlBase::of([
        Setting::FixedVar(FixedVar {
            reference: VarReference::SetMaxVar,
            percent: Percent::from_hundredths(-1),
            of: Some(Vars::whole(2_200)),
        }),
        Setting::Connect(true),
        Setting::Energize(false),
        Setting::FixedPfAbsorbW(factor(false)),
        Setting::FixedPfInjectW(factor(true)),
        Setting::FixedW(share(-10_000, None)),
        Setting::FreqDroop(FreqDroop {
            db_of_mhz: 36,
            db_uf_mhz: u32::MAX,
            k_of: 50,
            k_uf: u16::MAX,
            open_loop_tms: 500,
        }),
        Setting::MaxLimW(share(0, None)),
        Setting::TargetVar(scaled(i16::MIN, 2)),
        Setting::TargetW(scaled(-1, -9)),
        Setting::ImpLimW(scaled(1, 3)),
        Setting::ExpLimW(scaled(0, 0)),
        Setting::GenLimW(scaled(i16::MAX, 9)),
        Setting::LoadLimW(scaled(7, 1)),
        Setting::StorageTargetW(scaled(-7, 1)),
        Setting::RampTms(u16::MAX),
    ]);
    let own = powers().map(ControlBase::asking);
    own.into_iter().chain([rest])
}

pub(crate) fn new_control(base: ControlBase) -> NewControl {
    let origin = match base.active() {
        Some(ActivePower::FixedW { .. }) if base.settings().len() == 1 => Origin::Dispatch {
            dispatch: DispatchId(0),
            generation: 1,
            interval: 0,
        },
        _ => Origin::Operator,
    };
    NewControl {
        der: Some(DerId(0)),
        program: ProgramId(0),
        origin,
        interval: interval(600, 900),
        base,
        terms: None,
    }
}
