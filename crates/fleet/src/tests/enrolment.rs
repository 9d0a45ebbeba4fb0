use std::collections::BTreeMap;

use units::{Interval, Timestamp, Watts};

use super::{Rig, mrid, t, watts};
use crate::enrolment::admission::{Location, NewContract};
use crate::enrolment::binding::{is_unbound, unbound};
use crate::enrolment::interconnection::Discharge;
use crate::enrolment::{
    Admission, BindingReason, Consent, Contract, Dated, DemandResponseProgram, EnrolmentBook,
    Interconnection, LimitedGeneration, MONTHS, Owner, PersonId, Purpose, Terms,
};
use crate::{Command, DerId, DerKind, EnrolmentCommand, Event, Lfdi, Name, NewDer, Pin, Rejection};

/// 2026-06-30T23:30:00Z, the last half hour of June.
const JUNE: i64 = 1_782_862_200;

fn enrolment(command: EnrolmentCommand) -> Command {
    Command::Enrolment(command)
}

fn owner(name: &str) -> Owner {
    Owner {
        mrid: mrid(name),
        person: PersonId(7),
        consents: BTreeMap::from([(Purpose::Dispatch, Consent::Given(t(0)))]),
        erased: None,
    }
}

fn admission(index: u8, point: &str) -> Admission {
    Admission {
        der: NewDer {
            mrid: mrid(&format!("admitted-{index}")),
            name: Name::new(&format!("admitted {index}")).unwrap(),
            kind: DerKind::Storage,
            lfdi: Lfdi([index; 20]),
            pin: Pin::with_check_digit(11_111),
            registered: true,
            reserve: units::Percent::default(),
            manager: None,
            assignments: Vec::new(),
        },
        standing_at: Some(Location {
            owner: owner("owner"),
            site: mrid("site"),
            service_point: mrid(point),
            import_max: None,
            export_max: Some(watts(6_000)),
        }),
        interconnection: None,
        contracts: Vec::new(),
    }
}

fn admit(admission: Admission) -> Command {
    enrolment(EnrolmentCommand::Admit(Box::new(admission)))
}

fn permit(der: DerId, record: Interconnection) -> Command {
    enrolment(EnrolmentCommand::PutInterconnection(der, Box::new(record)))
}

fn permitted() -> Interconnection {
    Interconnection {
        permission_from: Some(t(0)),
        ..Interconnection::awaiting_permission()
    }
}

fn span(start: Timestamp, secs: i64) -> Interval {
    Interval::between(start, Timestamp::from_secs(start.secs() + secs))
}

#[test]
fn admitting_the_same_again_changes_nothing() {
    let mut rig = Rig::new();
    let first = rig.must(&admit(admission(1, "point")), 0);
    assert_eq!(first.len(), 6, "{first:?}");
    assert_eq!(rig.must(&admit(admission(1, "point")), 9), []);

    let mut moved = admission(1, "another point");
    moved.der.reserve = units::Percent::from_hundredths(2_000);
    let changes = rig.must(&admit(moved), 10);
    assert_eq!(
        changes.len(),
        3,
        "reserve, service point, place: {changes:?}"
    );
    let book = rig.fleet.enrolment();
    assert_eq!(book.owners().items().len(), 1);
    let (point, _) = book.service_point_of(DerId(0)).unwrap();
    assert_eq!(book.ders_behind(point), [DerId(0)]);
}

#[test]
fn an_admission_is_taken_as_a_whole_or_not_at_all() {
    let mut rig = Rig::new();
    let mut bad = admission(1, "point");
    bad.contracts.push(NewContract {
        mrid: mrid("contract"),
        program: mrid("no such programme"),
        from: t(0),
        until: None,
        committed: None,
    });
    let refused = rig.fleet.decide(&admit(bad), t(0)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no demand response program no such programme"
    );
    rig.must(&admit(admission(1, "point")), 0);

    let mut stranger = admission(1, "point");
    stranger.der.lfdi = Lfdi([9; 20]);
    let refused = rig.fleet.decide(&admit(stranger), t(0)).unwrap_err();
    assert!(
        refused.to_string().starts_with("lfdi: differs"),
        "{refused}"
    );

    let mut elsewhere = admission(2, "point");
    elsewhere.standing_at.as_mut().unwrap().owner = owner("somebody else");
    let refused = rig.fleet.decide(&admit(elsewhere), t(0)).unwrap_err();
    assert_eq!(refused.to_string(), "site: site belongs to another owner");
}

#[test]
fn consent_that_is_withdrawn_ends_dispatch_and_stays_withdrawn() {
    let mut rig = Rig::new();
    rig.must(&admit(admission(1, "point")), 0);
    let may = |rig: &Rig| {
        rig.fleet
            .enrolment()
            .may_dispatch(DerId(0), span(t(10), 60))
    };
    assert!(may(&rig));
    let withdrawn = Owner {
        consents: BTreeMap::from([(Purpose::Dispatch, Consent::Withdrawn(t(5)))]),
        ..owner("owner")
    };
    rig.must(&enrolment(EnrolmentCommand::PutOwner(withdrawn)), 5);
    assert!(!may(&rig));

    let mut silent = admission(1, "point");
    silent.standing_at.as_mut().unwrap().owner.consents.clear();
    assert_eq!(
        rig.must(&admit(silent), 6),
        [],
        "an import that says nothing of it"
    );
    assert!(!may(&rig));
}

#[test]
fn a_person_stays_behind_its_record() {
    let mut rig = Rig::new();
    rig.must(&admit(admission(1, "point")), 0);
    rig.must(&enrolment(EnrolmentCommand::EraseOwner(mrid("owner"))), 5);
    assert_eq!(rig.fleet.enrolment().owners().items()[0].erased, Some(t(5)));
    let again = enrolment(EnrolmentCommand::EraseOwner(mrid("owner")));
    assert_eq!(rig.must(&again, 6), []);
    let other = Owner {
        person: PersonId(8),
        ..owner("owner")
    };
    let refused = rig
        .fleet
        .decide(&enrolment(EnrolmentCommand::PutOwner(other)), t(7));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "person: belongs to the record for good"
    );
}

#[test]
fn an_erased_owner_agrees_to_nothing() {
    let mut rig = Rig::new();
    rig.must(&admit(admission(1, "point")), 0);
    rig.must(&enrolment(EnrolmentCommand::EraseOwner(mrid("owner"))), 5);
    let erased = rig.fleet.enrolment().owners().items()[0].clone();
    let withdrawn = Consent::Withdrawn(t(5));
    assert_eq!(
        erased.consents,
        BTreeMap::from([(Purpose::Dispatch, withdrawn)])
    );
    assert!(!rig.fleet.enrolment().may_dispatch(DerId(0), span(t(6), 60)));
    rig.must(&enrolment(EnrolmentCommand::PutOwner(erased.clone())), 6);

    let no = "personal data of owner owner were erased; it takes another owner";
    let refused = |rig: &Rig, command| {
        let refused = rig.fleet.decide(&command, t(7)).unwrap_err();
        assert_eq!(refused.to_string(), no);
    };
    for purpose in Purpose::ALL {
        let mut agreeing = erased.clone();
        agreeing.consents.insert(purpose, Consent::Given(t(7)));
        refused(&rig, enrolment(EnrolmentCommand::PutOwner(agreeing)));
    }
    refused(&rig, admit(admission(1, "point")));
    refused(&rig, admit(admission(2, "other-point")));
    rig.must(&enrolment(EnrolmentCommand::PutProgram(saver())), 7);
    refused(
        &rig,
        enrolment(EnrolmentCommand::PutContract(with_owner(0, None))),
    );
    let mut joining = admission(1, "point");
    joining.standing_at.as_mut().unwrap().owner.consents.clear();
    joining.contracts = vec![NewContract {
        mrid: mrid("contract"),
        program: mrid("saver"),
        from: t(0),
        until: None,
        committed: None,
    }];
    refused(&rig, admit(joining));
}

#[test]
fn a_contract_that_lasts_keeps_the_data_of_its_owner() {
    let mut rig = Rig::new();
    rig.must(&admit(admission(1, "point")), 0);
    rig.must(&enrolment(EnrolmentCommand::PutProgram(saver())), 0);
    let put = |from, until| enrolment(EnrolmentCommand::PutContract(with_owner(from, until)));
    let erase = enrolment(EnrolmentCommand::EraseOwner(mrid("owner")));
    for (from, until) in [(0, None), (100, None), (0, Some(51)), (100, Some(200))] {
        rig.must(&put(from, until), 1);
        let refused = rig.fleet.decide(&erase, t(50)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "personal data of owner owner are needed for contract contract; end it first"
        );
    }
    rig.must(&put(0, Some(50)), 50);
    assert_eq!(rig.must(&erase, 50).len(), 2, "consents end, then the data");
    assert_eq!(rig.must(&erase, 51), []);
}

fn saver() -> DemandResponseProgram {
    DemandResponseProgram {
        mrid: mrid("saver"),
        name: Name::new("Saver").unwrap(),
        terms: Dated::new(vec![(t(0), Terms::default())]).unwrap(),
    }
}

fn with_owner(from: i64, until: Option<i64>) -> Contract {
    Contract {
        mrid: mrid("contract"),
        owner: crate::enrolment::OwnerId(0),
        program: crate::enrolment::DemandResponseProgramId(0),
        ders: Vec::new(),
        from: t(from),
        until: until.map(t),
        committed: None,
    }
}

#[test]
fn permission_to_operate_has_to_cover_the_whole_time() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let may = |rig: &Rig, from, secs| rig.fleet.enrolment().may_dispatch(der, span(t(from), secs));
    assert!(may(&rig, 0, 60), "no record forbids nothing");
    rig.must(&permit(der, Interconnection::awaiting_permission()), 0);
    assert!(!may(&rig, 0, 60));
    let record = Interconnection {
        permission_from: Some(t(100)),
        permission_until: Some(t(200)),
        ..Interconnection::awaiting_permission()
    };
    rig.must(&permit(der, record), 0);
    assert!(!may(&rig, 99, 10));
    assert!(may(&rig, 100, 100));
    assert!(!may(&rig, 150, 51));
}

#[test]
fn the_limited_generation_profile_goes_by_local_month_and_hour() {
    let mut export_max = Box::new([[watts(9_000); 24]; MONTHS]);
    export_max[5][15] = watts(1_000);
    export_max[6][0] = watts(2_000);
    let profile = |utc_offset_s| LimitedGeneration {
        utc_offset_s,
        export_max: export_max.clone(),
    };
    let end_of_june = Timestamp::from_secs(JUNE);
    assert_eq!(
        profile(-8 * 3_600).at(end_of_june),
        watts(1_000),
        "15:30 there"
    );
    assert_eq!(profile(1_800).at(end_of_june), watts(2_000), "1 July there");
    assert_eq!(profile(0).at(end_of_june), watts(9_000));

    let record = Interconnection {
        limited_generation: Some(profile(-8 * 3_600)),
        export_max: Some(watts(5_000)),
        ..permitted()
    };
    let most = |from: i64, secs| record.export_max_during(span(Timestamp::from_secs(from), secs));
    assert_eq!(
        most(JUNE + 1_800, 60),
        Some(watts(5_000)),
        "16:00: what is approved"
    );
    assert_eq!(
        most(JUNE - 1_800, 60),
        Some(watts(1_000)),
        "15:00 begins it"
    );
    assert_eq!(
        most(JUNE - 1_801, 1),
        Some(watts(5_000)),
        "14:59:59 is before it"
    );
    assert_eq!(
        most(JUNE - 7_200, 6_000),
        Some(watts(1_000)),
        "the least of the hours touched"
    );
    let year = span(Timestamp::from_secs(0), 400 * 86_400);
    assert_eq!(record.export_max_during(year), Some(watts(1_000)));
}

/// Months from another implementation of the calendar: `date -u -d @N +%m`.
#[test]
fn months_are_those_of_the_calendar() {
    let mut export_max = Box::new([[Watts::ZERO; 24]; MONTHS]);
    for (month, hours) in export_max.iter_mut().enumerate() {
        *hours = [watts(i64::try_from(month).unwrap() + 1); 24];
    }
    let profile = LimitedGeneration {
        utc_offset_s: 0,
        export_max,
    };
    for (secs, month) in [
        (0, 1),
        (-1, 12),
        (951_782_400, 2),
        (951_868_800, 3),
        (1_709_164_800, 2),
        (1_709_251_200, 3),
        (4_107_542_399, 2),
        (4_107_542_400, 3),
        (1_782_863_999, 6),
        (1_782_864_000, 7),
    ] {
        assert_eq!(
            profile.at(Timestamp::from_secs(secs)),
            watts(month),
            "{secs}"
        );
    }
}

#[test]
fn what_may_not_discharge_exports_nothing() {
    let record = Interconnection {
        discharge: Discharge::NotAllowed,
        ..permitted()
    };
    assert_eq!(record.export_max_during(span(t(0), 60)), Some(Watts::ZERO));
}

#[test]
fn a_service_point_limits_what_stands_behind_it() {
    let mut rig = Rig::new();
    rig.must(&admit(admission(1, "point")), 0);
    let book = rig.fleet.enrolment();
    let alone = book.limits_during(DerId(0), span(t(0), 60));
    assert_eq!(alone, (Some(watts(6_000)), None));
    assert_eq!(book.limits(), []);

    rig.must(&admit(admission(2, "point")), 0);
    let book = rig.fleet.enrolment();
    assert_eq!(book.limits_during(DerId(0), span(t(0), 60)), (None, None));
    let rows = book.limits();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].name.as_str(), "export at point");
    assert_eq!(rows[0].terms, [(DerId(0), 1.0), (DerId(1), 1.0)]);
    assert_eq!(rows[0].max, watts(6_000));
    rig.must(&Command::RemoveDer(DerId(1)), 1);
    assert_eq!(rig.fleet.enrolment().limits(), []);
}

#[test]
fn a_replaced_device_is_described_anew_and_a_replaced_module_is_not() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let first = rig.fleet.der(der).unwrap().lfdi;
    let bind = |lfdi, reason| enrolment(EnrolmentCommand::Bind(der, Lfdi([lfdi; 20]), reason));
    rig.must(&bind(1, BindingReason::ModuleReplaced), 5);
    assert!(rig.fleet.der(der).unwrap().settings.is_some());
    rig.must(&bind(2, BindingReason::DeviceReplaced), 6);
    let now = rig.fleet.der(der).unwrap();
    assert!(now.settings.is_none() && now.capability.is_none());
    assert_eq!(now.lfdi, Lfdi([2; 20]));
    let history = rig.fleet.enrolment().bindings(der);
    let steps: Vec<_> = history.iter().map(|b| (b.previous, b.since)).collect();
    assert_eq!(steps, [(first, t(5)), (Lfdi([1; 20]), t(6))]);
    assert_eq!(rig.fleet.der_by_lfdi(Lfdi([1; 20])), None);
    let refused = rig
        .fleet
        .decide(&bind(2, BindingReason::ModuleReplaced), t(7));
    assert_eq!(refused, Err(Rejection::LfdiTaken(Lfdi([2; 20]))));
}

#[test]
fn a_module_takes_its_certificate_with_it() {
    let mut rig = Rig::new();
    let (a, b) = (rig.storage(5_000, 10_000), rig.storage(5_000, 10_000));
    let lfdi = rig.fleet.der(a).unwrap().lfdi;
    let moved = |from, to, replacement| {
        enrolment(EnrolmentCommand::MoveModule {
            from,
            to,
            replacement,
        })
    };
    rig.must(&moved(a, b, None), 5);
    assert_eq!(rig.fleet.der_by_lfdi(lfdi).unwrap().id, b);
    assert!(is_unbound(rig.fleet.der(a).unwrap().lfdi));
    assert_eq!(rig.fleet.der(a).unwrap().lfdi, unbound(a));
    let refused = rig.fleet.decide(&moved(a, b, None), t(6)).unwrap_err();
    assert_eq!(refused.to_string(), "from: has no module");
    rig.must(&moved(b, a, Some(Lfdi([3; 20]))), 7);
    assert_eq!(rig.fleet.der_by_lfdi(lfdi).unwrap().id, a);
    assert_eq!(rig.fleet.der(b).unwrap().lfdi, Lfdi([3; 20]));
    let reasons: Vec<_> = rig
        .fleet
        .enrolment()
        .bindings(a)
        .iter()
        .map(|b| b.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            BindingReason::ModuleMovedAway,
            BindingReason::ModuleMovedHere
        ]
    );

    rig.must(&Command::SetAccess(crate::Client::Der(a), false), 8);
    let refused = rig.fleet.decide(&moved(a, b, None), t(9));
    assert_eq!(
        refused,
        Err(Rejection::LfdiRevoked(lfdi)),
        "not from one that was shut out"
    );
}

#[test]
fn only_the_last_bindings_are_kept() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    for n in 0..=EnrolmentBook::MAX_BINDINGS {
        let lfdi = Lfdi([u8::try_from(n + 1).unwrap(); 20]);
        let bind = EnrolmentCommand::Bind(der, lfdi, BindingReason::ModuleReplaced);
        rig.must(&enrolment(bind), i64::try_from(n).unwrap());
    }
    let kept = rig.fleet.enrolment().bindings(der);
    assert_eq!(kept.len(), EnrolmentBook::MAX_BINDINGS);
    assert_eq!(kept[0].since, t(1));
}

#[test]
fn terms_hold_from_when_they_were_agreed() {
    let short = Terms::default();
    let long = Terms {
        max_events_per_year: Some(5),
        ..Terms::default()
    };
    let terms = Dated::new(vec![(t(10), short), (t(20), long)]).unwrap();
    assert_eq!(terms.at(t(9)), None);
    assert_eq!(terms.at(t(19)).unwrap().max_events_per_year, None);
    assert_eq!(terms.at(t(20)).unwrap().max_events_per_year, Some(5));
    assert_eq!(Dated::new(vec![(t(1), ()), (t(1), ())]), None);
}

#[test]
fn a_contract_is_about_the_owners_own_der() {
    let mut rig = Rig::new();
    let program = DemandResponseProgram {
        mrid: mrid("programme"),
        name: Name::new("programme").unwrap(),
        terms: Dated::from(t(0), Terms::default()),
    };
    rig.must(&enrolment(EnrolmentCommand::PutProgram(program)), 0);
    rig.must(&admit(admission(1, "point")), 0);
    let stranger = rig.storage(5_000, 10_000);
    let contract = |ders: Vec<DerId>| Contract {
        mrid: mrid("contract"),
        owner: crate::enrolment::OwnerId(0),
        program: crate::enrolment::DemandResponseProgramId(0),
        ders,
        from: t(0),
        until: Some(t(100)),
        committed: None,
    };
    let put = |ders| enrolment(EnrolmentCommand::PutContract(contract(ders)));
    let refused = rig
        .fleet
        .decide(&put(vec![DerId(0), stranger]), t(0))
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "ders: DER 1 does not stand at a site of this owner"
    );
    let put_one = rig.must(&put(vec![DerId(0)]), 0);
    assert!(matches!(put_one[..], [Event::Enrolment(_)]));
    let book = rig.fleet.enrolment();
    let holds = |from, secs| {
        let program = crate::enrolment::DemandResponseProgramId(0);
        book.contract(DerId(0), program, span(t(from), secs))
            .is_some()
    };
    assert!(holds(0, 100) && !holds(50, 51));
}
