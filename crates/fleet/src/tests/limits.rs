//! How much of each kind there can be: the last one is let in, the next one is not.
//!
//! Large tables are filled with what one decision gave, renumbered.

use super::{Rig, mrid, t};
use crate::{
    Aggregator, Assignment, Command, CurvePoint, CurveShape, CurveType, Event, Fleet, Group, Level,
    Lfdi, Name, NewAggregator, NewAssignment, NewCurve, NewGroup, NewProgram, Pin, ProgramId,
    Rejection, Scope,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn too_many(what: &'static str, max: usize) -> Result<Vec<Event>, Rejection> {
    Err(Rejection::TooMany { what, max })
}

#[test]
fn programmes_of_one_scope() {
    let mut rig = Rig::new();
    let program = |number: usize| {
        Command::CreateProgram(NewProgram {
            name: name(&format!("programme {number}")),
            primacy: 5,
            scope: Scope::All,
        })
    };
    let max = Fleet::MAX_PROGRAMS_OF_SCOPE;
    (0..max).for_each(|number| drop(rig.must(&program(number), 0)));
    let refused = rig.fleet.decide(&program(max), t(0));
    assert_eq!(refused, too_many("programmes of one scope", max));
    rig.must(&Command::DeleteProgram(ProgramId(0)), 1);
    rig.must(&program(max), 2);
}

#[test]
fn curves_of_one_programme() {
    let mut rig = Rig::new();
    rig.storage(5_000, 10_000);
    let at = |x| CurvePoint {
        x,
        y: 0,
        injects_vars: None,
    };
    let curve = Command::CreateCurve(NewCurve {
        program: ProgramId(0),
        name: None,
        shape: CurveShape::new(CurveType::VoltVar, vec![at(95), at(105)]),
    });
    let max = Fleet::MAX_CURVES_OF_PROGRAM;
    (0..max).for_each(|_| drop(rig.must(&curve, 0)));
    let refused = rig.fleet.decide(&curve, t(0));
    assert_eq!(refused, too_many("curves of one programme", max));
}

#[test]
fn aggregators() {
    let mut rig = Rig::new();
    let new = |number: usize| {
        let mut lfdi = [7; 20];
        lfdi[..8].copy_from_slice(&number.to_be_bytes());
        NewAggregator {
            name: name(&format!("aggregator {number}")),
            lfdi: Lfdi(lfdi),
            pin: Pin::with_check_digit(11_111),
            registered: true,
            may_enrol: false,
        }
    };
    let enrol = |number| Command::EnrolAggregator(new(number));
    rig.must(&enrol(0), 0);
    let first = rig.fleet.aggregators()[0].clone();
    let max = Fleet::MAX_AGGREGATORS;
    for number in 1..max - 1 {
        let NewAggregator { name, lfdi, .. } = new(number);
        rig.fleet.apply(&Event::AggregatorEnrolled(Aggregator {
            id: number.into(),
            name,
            lfdi,
            ..first.clone()
        }));
    }
    rig.must(&enrol(max - 1), 0);
    let refused = rig.fleet.decide(&enrol(max), t(0));
    assert_eq!(refused, too_many("aggregators", max));
}

#[test]
fn nodes_of_the_hierarchy() {
    let mut rig = Rig::new();
    let create = Command::CreateAssignment(NewAssignment {
        name: name("feeder"),
        level: Level::Feeder,
        parent: None,
    });
    rig.must(&create, 0);
    let max = Fleet::MAX_ASSIGNMENTS;
    let first: Assignment = rig.fleet.assignments[0].clone();
    rig.fleet.assignments.resize(max - 1, first);
    rig.must(&create, 0);
    let refused = rig.fleet.decide(&create, t(0));
    assert_eq!(refused, too_many("assignments", max));
}

#[test]
fn groups() {
    let mut rig = Rig::new();
    rig.group("group 0", &[]);
    let first = rig.fleet.groups().next().unwrap().clone();
    let max = Fleet::MAX_GROUPS;
    for number in 1..max {
        rig.fleet.apply(&Event::GroupCreated(Group {
            id: number.into(),
            mrid: mrid(&format!("group {number}")),
            ..first.clone()
        }));
    }
    let create = Command::CreateGroup(NewGroup {
        mrid: mrid("one more"),
        names: Vec::new(),
        description: None,
        functions: first.functions,
        members: Vec::new(),
        version: None,
    });
    let refused = rig.fleet.decide(&create, t(0));
    assert_eq!(refused, too_many("groups", max));
    rig.must(&Command::DeleteGroup(first.id), 1);
    rig.must(&create, 2);
}
