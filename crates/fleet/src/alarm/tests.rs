//! Alarms: the state diagram, the table, what is journalled and what it folds to.

mod life;
mod load;
mod silence;

use std::collections::BTreeSet;
use std::time::Duration;

use super::state::{Condition, Signal, State};
use super::{Consequence, Kind, Priority};

/// The transitions of the state diagram of ANSI/ISA-18.2-2016, clause 5, by its letters: A normal,
/// B unacknowledged, C acknowledged, D returned to normal unacknowledged, G shelved, H suppressed
/// by design, I out of service. E and F are of latched alarms, of which there are none.
const DIAGRAM: [(char, Signal, Condition, char); 40] = {
    use Condition::{Abnormal as There, Normal as Gone};
    use Signal::{
        Acknowledge, Occurs, Release, Returns, Shelve, Suppress, TakeOutOfService, Unshelve,
    };
    [
        ('A', Occurs, There, 'B'),
        ('B', Acknowledge, There, 'C'),
        ('B', Returns, Gone, 'D'),
        ('C', Returns, Gone, 'A'),
        ('D', Acknowledge, Gone, 'A'),
        ('D', Occurs, There, 'B'),
        ('A', Shelve, Gone, 'G'),
        ('B', Shelve, There, 'G'),
        ('C', Shelve, There, 'G'),
        ('D', Shelve, Gone, 'G'),
        ('G', Occurs, There, 'G'),
        ('G', Returns, Gone, 'G'),
        ('G', Unshelve, There, 'B'),
        ('G', Unshelve, Gone, 'A'),
        ('A', Suppress, Gone, 'H'),
        ('B', Suppress, There, 'H'),
        ('C', Suppress, There, 'H'),
        ('D', Suppress, Gone, 'H'),
        ('G', Suppress, There, 'H'),
        ('G', Suppress, Gone, 'H'),
        ('I', Suppress, There, 'H'),
        ('I', Suppress, Gone, 'H'),
        ('H', Occurs, There, 'H'),
        ('H', Returns, Gone, 'H'),
        ('H', Release, There, 'B'),
        ('H', Release, Gone, 'A'),
        ('A', TakeOutOfService, Gone, 'I'),
        ('B', TakeOutOfService, There, 'I'),
        ('C', TakeOutOfService, There, 'I'),
        ('D', TakeOutOfService, Gone, 'I'),
        ('G', TakeOutOfService, There, 'I'),
        ('G', TakeOutOfService, Gone, 'I'),
        ('H', TakeOutOfService, There, 'I'),
        ('H', TakeOutOfService, Gone, 'I'),
        ('I', Occurs, There, 'I'),
        ('I', Returns, Gone, 'I'),
        ('I', Release, There, 'B'),
        ('I', Release, Gone, 'A'),
        // Those that follow say that a shelf and a rule do not end one another.
        ('G', Acknowledge, There, '-'),
        ('H', Unshelve, There, '-'),
    ]
};

const SIGNALS: [Signal; 8] = [
    Signal::Occurs,
    Signal::Returns,
    Signal::Acknowledge,
    Signal::Shelve,
    Signal::Unshelve,
    Signal::Suppress,
    Signal::TakeOutOfService,
    Signal::Release,
];

const fn letter(state: State) -> char {
    match state {
        State::Normal => 'A',
        State::Unacknowledged => 'B',
        State::Acknowledged => 'C',
        State::ReturnedUnacknowledged => 'D',
        State::Shelved => 'G',
        State::Suppressed => 'H',
        State::OutOfService => 'I',
    }
}

/// The condition is part of the state where the diagram shows it.
const fn condition_of(state: State) -> Option<Condition> {
    match state {
        State::Normal | State::ReturnedUnacknowledged => Some(Condition::Normal),
        State::Unacknowledged | State::Acknowledged => Some(Condition::Abnormal),
        State::Shelved | State::Suppressed | State::OutOfService => None,
    }
}

#[test]
fn the_states_are_left_as_the_standards_diagram_says_and_not_otherwise() {
    for from in State::ALL {
        for signal in SIGNALS {
            for condition in [Condition::Normal, Condition::Abnormal] {
                let after = match signal {
                    Signal::Occurs => Some(Condition::Abnormal),
                    Signal::Returns => Some(Condition::Normal),
                    _ => condition_of(from),
                };
                if after.is_some_and(|after| after != condition) {
                    continue;
                }
                let row = DIAGRAM.iter().find(|(state, with, when, _)| {
                    (*state, *with, *when) == (letter(from), signal, condition)
                });
                let expected = row.map(|row| row.3).filter(|to| *to != '-');
                let found = from.next(signal, condition).map(letter);
                assert_eq!(found, expected, "{from:?} {signal:?} {condition:?}");
            }
        }
    }
}

#[test]
fn every_kind_is_rationalised_once_and_its_priority_follows() {
    let table = Kind::table();
    let kinds: BTreeSet<Kind> = table.iter().map(|row| row.kind).collect();
    let names: BTreeSet<&str> = table.iter().map(|row| row.name).collect();
    assert_eq!((kinds.len(), names.len()), (table.len(), table.len()));
    for row in table {
        let (Kind::LimitExceeded
        | Kind::PlanImpossible
        | Kind::PlaceSilent
        | Kind::DispatchShort
        | Kind::MicrogridIslanded
        | Kind::StrategyFailed
        | Kind::StrategyBlind
        | Kind::AlarmsOverflow
        | Kind::ClockBehind
        | Kind::ReadingsRefused
        | Kind::LimitAtRisk
        | Kind::DerNotFollowing
        | Kind::DerSilent
        | Kind::DerClockAhead) = row.kind;
        assert_eq!(row.kind.rationale(), row);
        assert_eq!(Kind::of(row.name), Some(row.kind));
        assert_eq!(row.priority, Priority::of(row.severity, row.respond_within));
        let said = [row.cause, row.consequence, row.action];
        assert!(said.iter().all(|text| text.ends_with('.')), "{row:?}");
        assert!(!row.deadband.is_empty());
        assert!(Duration::ZERO < row.off_delay, "{} may chatter", row.name);
    }
    let order = table
        .windows(2)
        .all(|two| two[0].priority <= two[1].priority);
    assert!(order, "the most urgent first");
    assert_eq!(Kind::of("nothing"), None);
    assert_eq!(Priority::ALL.map(Priority::target_pct), [5, 15, 80]);
}

/// The matrix of the alarm philosophy, cell by cell.
#[test]
fn the_priority_follows_from_severity_and_time() {
    use Consequence::{Major, Minor, Severe};
    use Priority::{High, Low, Medium};
    let within = [4, 5, 30, 31];
    let matrix = [
        (Severe, [High, High, High, Medium]),
        (Major, [High, Medium, Medium, Low]),
        (Minor, [Medium, Low, Low, Low]),
    ];
    for (severity, row) in matrix {
        let found = within.map(|m| Priority::of(severity, Duration::from_secs(60 * m)));
        assert_eq!(found, row, "{severity:?}");
    }
}
