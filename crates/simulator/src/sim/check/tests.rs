//! Each checker sees what it is there for, and nothing in what is right.

mod energy;
mod island;

use std::time::Duration;

use fleet::dispatch::plan::Balance;
use fleet::dispatch::{Allocation, LinearLimit, Plan};
use fleet::{
    ActivePower, CimMrid, Conduct, Control, ControlBase, ControlId, Delivery, DerId, Dispatch,
    DispatchId, Envelope, EnvelopePoint, Event, Evidence, Fallback, Fleet, GroupId, Ledger, Mrid,
    Name, Observation, Origin, ProgramId, Quality, Reading, Scaled, Setting, Share, Target,
};
use ieee2030_5::client::Outcome;
use ieee2030_5::client::setpoint::{Asked, Modes, Request, Source};
use ieee2030_5::codec::simple::PerCent;
use ieee2030_5::wire::control_mode::DerControlType;
use units::{Interval, Percent, Timestamp, Watts};

use super::expiry::Knows;
use super::fallback::Defaults;
use super::generation::Generations;
use super::limits::{Envelopes, GRACE};
use super::{answers, conservation, durability, expiry, fallback, ledger, limits, replay, shared};
use crate::sim::device::Life;
use crate::sim::horizon::Horizon;

const START: Timestamp = Timestamp::from_secs(10_000);

fn later(s: u64) -> Timestamp {
    START.after(Duration::from_secs(s))
}

fn power(w: i16) -> ActivePower {
    ActivePower::TargetW {
        value: w,
        multiplier: 0,
    }
}

fn interval(s: u64) -> Interval {
    Interval::between(START, later(s))
}

fn dispatch() -> Dispatch {
    Dispatch {
        id: DispatchId(0),
        mrid: CimMrid::new("dispatch").unwrap(),
        name: None,
        group: GroupId(0),
        schedule: vec![Target::net(interval(600), Watts::whole(5_000))],
        ramp: Duration::from_secs(60),
        conduct: Conduct::default(),
        approvals: Vec::new(),
        published: Some(START),
        created: START,
        cancelled: None,
        plan: None,
        superseded: Vec::new(),
        asked_before: std::collections::BTreeMap::new(),
    }
}

fn plan(generation: u32, shares_w: [i16; 2]) -> Plan {
    let allocation = |(der, w): (u32, i16)| Allocation {
        der: DerId(der),
        interval: 0,
        share: power(w),
    };
    Plan {
        dispatch: DispatchId(0),
        generation,
        made: START,
        effective: START,
        allocations: (0..).zip(shares_w).map(allocation).collect(),
        unasked: Vec::new(),
        balances: vec![Balance {
            interval: 0,
            target: Watts::whole(5_000),
            unasked: Watts::whole(-500),
            residue: Watts::whole(1),
        }],
        elsewhere: Vec::new(),
        late: Vec::new(),
        pasts: Vec::new(),
        observed: 0,
    }
}

fn control() -> Control {
    Control {
        id: ControlId(0),
        mrid: Mrid(7),
        der: Some(DerId(0)),
        program: ProgramId(0),
        origin: Origin::Operator,
        interval: interval(600),
        created: START,
        base: ControlBase::asking(power(1_000)),
        terms: None,
        cancelled: None,
    }
}

#[test]
fn a_plan_that_does_not_add_up_is_seen() {
    assert_eq!(
        conservation::check(&plan(1, [2_500, 2_999]), &dispatch()),
        Ok(())
    );
    assert!(conservation::check(&plan(1, [2_500, 3_000]), &dispatch()).is_err());
    let mut unbalanced = plan(1, [2_500, 2_999]);
    unbalanced.balances.clear();
    assert!(conservation::check(&unbalanced, &dispatch()).is_err());
}

#[test]
fn a_plan_of_the_wrong_generation_is_seen() {
    let mut generations = Generations::default();
    assert_eq!(generations.adopted(&plan(1, [0; 2])), Ok(()));
    assert_eq!(generations.adopted(&plan(2, [0; 2])), Ok(()));
    assert!(generations.adopted(&plan(2, [0; 2])).is_err());
    assert!(generations.adopted(&plan(4, [0; 2])).is_err());
}

#[test]
fn power_beyond_the_rating_is_seen() {
    assert_eq!(limits::rating(-4_000.0, (5_000.0, 4_000.0)), Ok(()));
    assert!(limits::rating(-4_002.0, (5_000.0, 4_000.0)).is_err());
    assert!(limits::rating(5_002.0, (5_000.0, 4_000.0)).is_err());
}

fn envelope(export_w: i64) -> Envelope {
    let point = EnvelopePoint {
        interval: interval(600),
        import_max: None,
        export_max: Some(Watts::whole(export_w)),
    };
    Envelope {
        der: DerId(0),
        source: Name::new("network").unwrap(),
        set: START,
        points: vec![point],
        fallback: Fallback::default(),
    }
}

#[test]
fn power_beyond_a_known_envelope_is_seen() {
    let mut envelopes = Envelopes::default();
    envelopes.changed(DerId(0), &[envelope(3_000)], START);
    let now = later(300);
    let allowed = envelopes.allowed(DerId(0), later(100), now);
    assert_eq!(allowed, (Some(3_000.0), None));
    assert!(limits::envelope(3_500.0, allowed).is_err());
    assert_eq!(limits::envelope(2_999.0, allowed), Ok(()));
    let unknown = envelopes.allowed(DerId(0), START.before(GRACE), now);
    assert_eq!(unknown, (None, None), "the device need not know it");
    envelopes.changed(DerId(0), &[envelope(4_000), envelope(5_000)], later(200));
    let either = envelopes.allowed(DerId(0), later(100), now);
    assert_eq!(either, (Some(4_000.0), None), "it may go by either");
    let over = envelopes.allowed(DerId(0), later(300), later(600));
    assert_eq!(over, (None, None));
}

#[test]
fn a_device_that_goes_on_after_the_end_is_seen() {
    let horizon = Horizon::default();
    let judged = |control: Option<&Control>, knows, s| {
        expiry::check((7, control), (&horizon, knows), later(s))
    };
    let known = control();
    assert_eq!(judged(Some(&known), Knows::Time, 605), Ok(()));
    assert!(judged(Some(&known), Knows::Time, 606).is_err());
    assert_eq!(judged(Some(&known), Knows::Nothing, 4_205), Ok(()));
    assert!(judged(Some(&known), Knows::Nothing, 4_206).is_err());
    assert!(judged(None, Knows::Time, 0).is_err(), "it is not durable");
}

#[test]
fn a_device_that_goes_on_after_a_withdrawal_it_knows_of_is_seen() {
    let mut withdrawn = Control {
        interval: interval(6_000),
        cancelled: Some(later(100)),
        ..control()
    };
    let mut horizon = Horizon::default();
    horizon.clear(START);
    let patience_s = Horizon::PATIENCE.as_secs();
    let judged =
        |control: &Control, s| expiry::check((7, Some(control)), (&horizon, Knows::Time), later(s));
    assert_eq!(judged(&withdrawn, 99 + patience_s), Ok(()));
    assert!(judged(&withdrawn, 100 + patience_s).is_err());
    withdrawn.cancelled = None;
    assert_eq!(judged(&withdrawn, 100 + patience_s), Ok(()));
}

fn asked(request: Request, source: Source) -> Asked {
    Asked {
        request,
        is_disabled: false,
        source,
        ramp_tms: None,
        curve: None,
    }
}

#[test]
fn a_device_that_does_not_fall_back_to_its_default_is_seen() {
    let share = Share {
        percent: Percent::from_hundredths(5_000),
        of: None,
    };
    let own = ControlBase::of([Setting::MaxLimW(share)]);
    let lower = ControlBase::of([Setting::MaxLimW(Share::NONE)]);
    let supported = Modes::of_type(DerControlType::new(DerControlType::MAX_LIM_W));
    let judged = |asked: &[Asked]| fallback::check(&[&own, &lower], supported, asked);
    let default = |hundredths| asked(Request::MaxLimW(PerCent(hundredths)), Source::Default(1));
    assert_eq!(judged(&[default(5_000)]), Ok(()));
    assert!(judged(&[]).is_err());
    assert!(judged(&[default(0)]).is_err(), "that of lower rank");
    let event = asked(Request::MaxLimW(PerCent(5_000)), Source::Event(7));
    assert!(judged(&[event]).is_err());
    let cannot = fallback::check(&[&own], Modes::default(), &[]);
    assert_eq!(cannot, Ok(()), "it has no such mode");
    let target = ControlBase::of([Setting::TargetW(Scaled::ZERO)]);
    assert!(fallback::check(&[&target], supported, &[default(5_000)]).is_err());
}

#[test]
fn only_defaults_that_a_device_knows_count() {
    let mut defaults = Defaults::default();
    defaults.changed(ProgramId(1), later(10));
    assert!(defaults.are_known(DerId(0), &[ProgramId(0), ProgramId(1)], later(10)));
    assert!(!defaults.are_known(DerId(0), &[ProgramId(0), ProgramId(1)], later(9)));
    defaults.shown(DerId(0), later(20));
    assert!(!defaults.are_known(DerId(0), &[ProgramId(0)], later(19)));
    assert!(defaults.are_known(DerId(1), &[ProgramId(0)], later(19)));
}

#[test]
fn an_event_that_is_never_answered_is_seen() {
    let mut life = Life {
        over: Some(Outcome::Completed),
        taken: vec![1, 2],
        ..Life::default()
    };
    assert!(answers::check(7, &life).is_err());
    life.taken.push(3);
    assert_eq!(answers::check(7, &life), Ok(()));
    assert!(answers::nothing_waits(1).is_err());
    assert_eq!(answers::nothing_waits(0), Ok(()));
}

/// A row with these responses.
fn row(responses: &[u8]) -> Delivery {
    let mut row = Delivery::planned(ControlId(0), DerId(0), START);
    for status in responses {
        row.push(row.next(Evidence::Response(*status), later(1)).unwrap());
    }
    row
}

#[test]
fn a_ledger_that_lacks_what_was_taken_is_seen() {
    let life = Life {
        taken: vec![1, 2],
        ..Life::default()
    };
    assert_eq!(ledger::acknowledged(&life, Some(&row(&[1, 2]))), Ok(()));
    assert_eq!(ledger::acknowledged(&life, Some(&row(&[1, 2, 3]))), Ok(()));
    assert!(ledger::acknowledged(&life, Some(&row(&[1]))).is_err());
    assert!(ledger::acknowledged(&life, None).is_err());
}

#[test]
fn a_ledger_that_tells_what_never_happened_is_seen() {
    let life = Life {
        active: Some(START),
        sent: vec![1, 2],
        taken: vec![1],
        ..Life::default()
    };
    assert_eq!(ledger::happened(&row(&[1, 2]), Some(&life)), Ok(()));
    assert!(ledger::happened(&row(&[1, 2, 3]), Some(&life)).is_err());
    assert!(ledger::happened(&row(&[1]), None).is_err());
    let idle = Life {
        sent: vec![1, 2],
        ..Life::default()
    };
    assert!(ledger::happened(&row(&[1, 2]), Some(&idle)).is_err());
}

#[test]
fn a_fold_that_differs_is_seen() {
    let (fleet, ledger) = (Fleet::default(), Ledger::default());
    assert_eq!(replay::check((&fleet, &ledger), (&fleet, &ledger)), Ok(()));
    let mut other = Ledger::default();
    other.begin(&control());
    assert!(replay::check((&fleet, &ledger), (&fleet, &other)).is_err());
    let mut founded = Fleet::default();
    founded.apply(&Event::FleetFounded(fleet::Identity { seed: 1, pen: 2 }));
    assert!(replay::check((&fleet, &ledger), (&founded, &ledger)).is_err());
}

#[test]
fn an_acknowledged_command_that_is_gone_is_seen() {
    let dispatch = dispatch();
    let cancelled = Event::DispatchCancelled(dispatch.id, later(1));
    let created = Event::DispatchCreated(dispatch);
    let other = Event::FleetFounded(fleet::Identity { seed: 1, pen: 2 });
    let kept = |acknowledged: &[&Event], journal: &[&Event]| {
        let acknowledged: Vec<Event> = acknowledged.iter().map(|event| (*event).clone()).collect();
        let mut kept = durability::Kept::new(&acknowledged);
        journal.iter().for_each(|event| kept.read(event));
        kept.verdict()
    };
    let all = [&created, &cancelled];
    assert_eq!(kept(&all, &[&created, &other, &cancelled]), Ok(()));
    assert!(kept(&all, &[&created, &other]).is_err());
    assert!(kept(&all, &[&cancelled, &other]).is_err());
    assert_eq!(kept(&[], &[&other]), Ok(()));
}

#[test]
fn a_share_given_twice_is_seen() {
    let limit = LinearLimit {
        name: Name::new("transformer").unwrap(),
        terms: vec![(DerId(0), 1.0), (DerId(1), 1.0)],
        max: Watts::whole(4_000),
        during: None,
    };
    let follow = |shares_w: [i64; 2]| {
        shared::check(&limit, |der| {
            shared::Part::Asked(Watts::whole(shares_w[der.index()]), Vec::new())
        })
    };
    assert_eq!(follow([2_000, 2_000]), Ok(()));
    assert!(follow([2_000, 2_500]).is_err());
    assert_eq!(follow([5_000, -1_000]), Ok(()));
    let cut_off = |given_w| {
        shared::check(&limit, |der| match der {
            DerId(0) => shared::Part::Asked(Watts::whole(3_000), vec![Watts::whole(given_w)]),
            _ => shared::Part::Asked(Watts::whole(2_000), Vec::new()),
        })
    };
    assert_eq!(cut_off(1_000), Ok(()));
    assert!(cut_off(2_500).is_err());
}

#[test]
fn a_limit_is_relieved_by_what_was_seen_when_shares_were_planned() {
    let limit = LinearLimit {
        name: Name::new("transformer").unwrap(),
        terms: vec![(DerId(0), -1.0), (DerId(1), -1.0)],
        max: Watts::whole(4_000),
        during: None,
    };
    let mut seen = shared::Seen::default();
    let metered = |p_w| {
        let p = Reading {
            value: Watts::whole(p_w),
            at: Timestamp::from_secs(0),
            quality: Quality::Valid,
        };
        Observation {
            p: Some(p),
            ..Observation::default()
        }
    };
    let absorb = |seen: &shared::Seen, p_w: i64| {
        shared::check(&limit, |der| match der {
            DerId(0) => shared::Part::Asked(Watts::whole(-p_w), Vec::new()),
            _ => shared::Part::Unasked(seen.of(der).collect()),
        })
    };
    assert!(absorb(&seen, 4_500).is_err());
    for p_w in [500, 300, -5_000, 0] {
        seen.planned(DispatchId(0), &[metered(0), metered(p_w)]);
    }
    assert_eq!(absorb(&seen, 4_300), Ok(()));
    assert!(absorb(&seen, 4_500).is_err(), "500 W are too long ago");
    seen.keep(|_| false);
    assert!(absorb(&seen, 4_300).is_err());
}
