//! Enrolment in the journal: every event survives and folds to the same book.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet::enrolment::admission::{Location, NewContract};
use fleet::enrolment::interconnection::Discharge;
use fleet::enrolment::{
    Admission, BindingReason, Consent, Contract, Dated, DemandResponseProgram,
    DemandResponseProgramId, Departure, Eligibility, Firmness, Flexibility, Fuel, Interconnection,
    LimitedGeneration, MONTHS, OptOut, Owner, OwnerId, PersonId, Purpose, Switching, Terms,
    Thermal,
};
use fleet::settings_profile::{Abnormal, Category, Normal};
use fleet::{Command, DerId, DerKind, EnrolmentCommand, Event, Fleet, Lfdi};
use store::Store;
use units::{Money, Percent, Timestamp, WattHours, Watts};

use crate::sample::{NOW, batch, decide, mrid, name, new_der};

fn interconnection() -> Interconnection {
    let mut export_max = Box::new([[Watts::whole(4_000); 24]; MONTHS]);
    export_max[6][13] = Watts::whole(1_500);
    Interconnection {
        permission_from: Some(NOW),
        permission_until: Some(Timestamp::from_secs(NOW.secs() + 1)),
        export_max: Some(Watts::whole(5_000)),
        import_max: Some(Watts::ZERO),
        discharge: Discharge::NotAllowed,
        category: Some(Category {
            normal: Normal::B,
            abnormal: Abnormal::III,
        }),
        limited_generation: Some(LimitedGeneration {
            utc_offset_s: -8 * 3_600,
            export_max,
        }),
        firmness: Firmness::Flexible,
        fuel: Some(Fuel::Biogas),
    }
}

fn flexibility() -> Flexibility {
    Flexibility {
        departure: Some(Departure {
            at: NOW,
            soc: Percent::from_hundredths(8_050),
        }),
        charge_efficiency: Percent::from_hundredths(9_512),
        discharge_efficiency: Percent::from_hundredths(9_001),
        switching: Some(Switching {
            min_on: Duration::from_secs(600),
            min_off: Duration::from_secs(300),
        }),
        thermal: Some(Thermal {
            hold: WattHours::whole(1_500),
            precondition: WattHours::from_micro(1),
            recovery: Duration::from_secs(5_400),
        }),
    }
}

fn program() -> DemandResponseProgram {
    let terms = Terms {
        max_events_per_day: Some(1),
        max_events_per_year: Some(60),
        max_hours_per_year: Some(120),
        min_duration: Duration::from_secs(900),
        max_duration: Some(Duration::from_secs(14_400)),
        notice: Duration::from_secs(3_600),
        recovery: Duration::from_secs(7_200),
        opt_out: OptOut::PerYear(3),
        price_per_event: Some(Money::whole(2)),
        price_per_kwh: Some(Money::from_micro(250_000)),
        price_per_kw_year: Some(Money::whole(40)),
        eligibility: Eligibility {
            kinds: BTreeSet::from([DerKind::Storage, DerKind::EvCharger]),
            assignments: BTreeSet::new(),
            excluded_fuels: BTreeSet::from([Fuel::Diesel]),
            permit_hours_per_year: Some(50),
            dual_participation: false,
        },
    };
    let later = Timestamp::from_secs(NOW.secs() + 86_400);
    DemandResponseProgram {
        mrid: mrid("peak-saver"),
        name: name("Peak Saver"),
        terms: Dated::new(vec![(NOW, terms), (later, Terms::default())]).unwrap(),
    }
}

fn admission() -> Admission {
    Admission {
        der: new_der(7, DerKind::Storage),
        standing_at: Some(Location {
            owner: Owner {
                mrid: mrid("owner-1"),
                person: PersonId(u128::MAX - 5),
                consents: BTreeMap::from([
                    (Purpose::Dispatch, Consent::Given(NOW)),
                    (Purpose::Research, Consent::Withdrawn(NOW)),
                ]),
                erased: None,
            },
            site: mrid("site-1"),
            service_point: mrid("point-1"),
            import_max: Some(Watts::whole(9_000)),
            export_max: None,
        }),
        interconnection: Some(interconnection()),
        contracts: vec![NewContract {
            mrid: mrid("contract-1"),
            program: mrid("peak-saver"),
            from: NOW,
            until: Some(Timestamp::from_secs(NOW.secs() + 31_536_000)),
            committed: Some(Watts::whole(3_000)),
        }],
    }
}

fn commands() -> Vec<Command> {
    let enrolment = |command| Command::Enrolment(command);
    vec![
        enrolment(EnrolmentCommand::PutProgram(program())),
        enrolment(EnrolmentCommand::Admit(Box::new(admission()))),
        Command::EnrolDer(new_der(8, DerKind::Pv)),
        enrolment(EnrolmentCommand::Bind(
            DerId(0),
            Lfdi([77; 20]),
            BindingReason::DeviceReplaced,
        )),
        enrolment(EnrolmentCommand::MoveModule {
            from: DerId(0),
            to: DerId(1),
            replacement: None,
        }),
        enrolment(EnrolmentCommand::PutFlexibility(
            DerId(1),
            Box::new(flexibility()),
        )),
        enrolment(EnrolmentCommand::Place(DerId(0), None)),
        enrolment(EnrolmentCommand::PutContract(Contract {
            mrid: mrid("contract-1"),
            owner: OwnerId(0),
            program: DemandResponseProgramId(0),
            ders: Vec::new(),
            from: Timestamp::from_secs(NOW.secs() - 1),
            until: Some(NOW),
            committed: None,
        })),
        enrolment(EnrolmentCommand::EraseOwner(mrid("owner-1"))),
    ]
}

#[test]
fn every_event_of_enrolment_survives_the_journal() {
    let mut live = Fleet::default();
    let events = decide(&mut live, &commands(), NOW);
    let kinds: BTreeSet<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Enrolment(event) => Some(format!("{:?}", std::mem::discriminant(event))),
            _ => None,
        })
        .collect();
    assert_eq!(kinds.len(), 10, "one of each kind");

    let mut store = store::Memory::new(crate::sample::JOURNAL);
    store.commit(&batch(0, &events)).unwrap();
    let (folded, _) = store::fold(&store).unwrap();
    assert_eq!(folded, live);
}

#[test]
fn the_journal_tells_nothing_of_a_person() {
    let events = decide(&mut Fleet::default(), &commands(), NOW);
    let person = format!("{:032x}", u128::MAX - 5);
    let put = events
        .iter()
        .find(|event| matches!(event, Event::Enrolment(fleet::EnrolmentEvent::OwnerPut(_))));
    let record = store::record::encode(put.unwrap()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&record.payload).unwrap();
    let fields: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(fields, ["consents", "mrid", "person"]);
    assert_eq!(json["person"], person);
}
