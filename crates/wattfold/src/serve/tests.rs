use std::os::unix::fs::PermissionsExt as _;

use fleet::{
    ActivePower, Capability, CimMrid, ControlBase, ControlId, DerId, DerKind, Evidence, Lfdi,
    Modes, Name, NewControl, NewDer, Observation, Origin, Pin, ProgramId, Quality,
};
use ieee2030_5::server::{DocumentWrite, Resources};
use restart::FoldError;
use store::telemetry::Quantity;
use store::{Document, DocumentChange, DocumentKey};
use units::{Interval, Percent, Watts};

use super::*;
use crate::telemetry::Retention;

fn config() -> Config {
    toml::from_str("enterprise = { listen = \"127.0.0.1:0\" }").unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_first_start_makes_a_directory_and_a_password_for_its_user_alone() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("var/wattfold");
    let started = async || {
        let opened = open(&config(), &data).unwrap();
        let password = std::fs::read_to_string(data.join(FIRST_PASSWORD_FILE)).unwrap();
        let now = clock::now();
        let login = opened
            .auth
            .log_in(auth::FIRST_ACCOUNT, password.trim_end(), None, now)
            .await;
        login.unwrap();
        opened.node.stop();
        opened.owner.join().unwrap().unwrap();
        password
    };
    let first = started().await;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join(FIRST_PASSWORD_FILE)), 0o600);
    assert_eq!(started().await, first, "the second start leaves it alone");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = file.join("data");
    let Err(error) = open(&config(), &data) else {
        panic!("opened")
    };
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains(&data.display().to_string()), "{source}");
}

#[test]
fn a_document_of_nobody_is_an_error() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(data.path(), JournalId(1)).unwrap();
    let document = Document {
        key: DocumentKey {
            listener: node::DOCUMENT_LISTENER.to_owned(),
            owner: "seven".to_owned(),
            path: "ders".to_owned(),
        },
        version: 1,
        body: Vec::new(),
    };
    let batch = Batch {
        documents: vec![DocumentChange::Put(document)],
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
    let error = restart::fold(&store).unwrap_err();
    assert!(
        matches!(&error, FoldError::Owner(owner) if owner == "seven"),
        "{error:?}"
    );
}

const NOW: Timestamp = Timestamp::from_secs(10_000);

/// `count` DER, the last one not registered.
fn state(count: u8) -> State {
    let mut state = State::default();
    for n in 0..count {
        run(
            &mut state,
            &Command::EnrolDer(NewDer {
                mrid: CimMrid::new(&format!("der-{n}")).unwrap(),
                name: Name::new(&format!("der {n}")).unwrap(),
                kind: DerKind::Storage,
                lfdi: Lfdi([n; 20]),
                pin: Pin::with_check_digit(11_111),
                registered: n + 1 < count,
                reserve: Percent::default(),
                manager: None,
                assignments: Vec::new(),
            }),
        );
    }
    state
}

fn run(state: &mut State, command: &Command) {
    let events = state
        .fleet
        .decide(command, Timestamp::from_secs(1))
        .unwrap();
    events.iter().for_each(|event| state.apply(event));
}

/// Gives `der` a control and takes it through `steps`, seconds and evidence.
fn control(state: &mut State, der: u32, steps: &[(i64, Evidence)]) {
    let id = ControlId::from(state.fleet.controls().len());
    let percent = Percent::WHOLE;
    let active = ActivePower::FixedW {
        percent,
        of: Watts::whole(1_000),
    };
    run(
        state,
        &Command::IssueControl(NewControl {
            der: Some(DerId(der)),
            program: ProgramId(der),
            origin: Origin::Operator,
            interval: Interval {
                start: Timestamp::from_secs(20_000),
                duration: Duration::from_secs(60),
            },
            base: ControlBase::asking(active),
            terms: None,
        }),
    );
    for (at, evidence) in steps {
        let at = Timestamp::from_secs(*at);
        assert!(state.witness((id, DerId(der)), *evidence, at, &mut Batch::default()));
    }
}

fn recalled(state: &State, sampled: &[(u32, i64)], resources: &Resources) -> Vec<Observation> {
    let data = tempfile::tempdir().unwrap();
    let sample = |&(der, at): &(u32, i64)| Sample {
        der: DerId(der),
        quantity: Quantity::P,
        at: Timestamp::from_secs(at),
        value: 1.0,
        quality: Quality::Valid,
    };
    let samples: Vec<Sample> = sampled.iter().map(sample).collect();
    let mut file = store::Telemetry::open(data.path()).unwrap();
    file.insert(&samples).unwrap();
    drop(file);
    let telemetry = Telemetry::open(data.path(), Retention::EVER, Arc::default()).unwrap();
    restart::recall(
        &super::samples(&telemetry, NOW).unwrap(),
        (state, resources),
        NOW,
    )
}

#[test]
fn only_what_was_silent_last_is_still_silent() {
    let mut state = state(7);
    let silent = Evidence::LastHeard(Timestamp::from_secs(8_500));
    control(&mut state, 0, &[(9_000, silent)]);
    control(&mut state, 1, &[(9_000, silent)]);
    control(&mut state, 2, &[(9_000, silent)]);
    control(&mut state, 2, &[(9_500, Evidence::Served)]);
    control(&mut state, 3, &[(800, Evidence::Served)]);
    control(&mut state, 4, &[]);
    run(
        &mut state,
        &Command::ReportCapability(
            DerId(5),
            Capability {
                p_inject_max: Watts::whole(1_000),
                p_absorb_max: Watts::ZERO,
                s_max: None,
                q_inject_max: None,
                q_absorb_max: None,
                energy_max: None,
                modes: Modes::default(),
                doe_modes: 0,
            },
        ),
    );
    let samples = [(0, 8_999), (1, 9_001), (6, 9_999)];
    let heard: Vec<_> = recalled(&state, &samples, &Resources::default())
        .iter()
        .map(|observation| observation.last_contact.map(Timestamp::secs))
        .collect();
    let now = Some(NOW.secs());
    assert_eq!(heard, [Some(8_500), now, now, now, None, now, None]);
}

#[test]
fn who_an_alarm_says_is_silent_still_is() {
    let mut state = state(3);
    for der in 0..3 {
        let raise = fleet::alarm::Raise {
            kind: fleet::alarm::Kind::DerSilent,
            subject: fleet::alarm::Subject::Der(DerId(der)),
            detail: fleet::alarm::Detail::LastHeard(Timestamp::from_secs(8_000)),
        };
        let raise = fleet::AlarmCommand::Raise(raise);
        run(&mut state, &Command::Alarm(raise));
    }
    let back = fleet::AlarmCommand::Return(fleet::AlarmId(1));
    run(&mut state, &Command::Alarm(back));
    let samples = [(0, 7_999), (1, 8_500), (2, 9_999)];
    let heard: Vec<_> = recalled(&state, &samples, &Resources::default())
        .iter()
        .map(|observation| observation.last_contact.map(Timestamp::secs))
        .collect();
    let now = Some(NOW.secs());
    // Of the last one a reading came after the alarm; but it has not registered itself.
    assert_eq!(heard, [Some(8_000), now, None]);
}

#[test]
fn what_a_device_said_of_its_connection_is_recalled() {
    let body = "<DERStatus xmlns=\"urn:ieee:std:2030.5:ns\"><genConnectStatus>\
                <dateTime>700</dateTime><value>00</value></genConnectStatus>\
                <readingTime>700</readingTime></DERStatus>";
    let mut resources = Resources::default();
    let write = DocumentWrite {
        owner: ieee2030_5::server::Owner::Client(fleet::Client::Der(DerId(0))),
        path: "ders".to_owned(),
        bytes: Some(body.into()),
    };
    resources.apply(&write).unwrap();
    let observations = recalled(&state(2), &[], &resources);
    let connected = observations[0].connected.unwrap();
    assert_eq!((connected.value, connected.at.secs()), (false, 700));
    assert_eq!(observations[1].connected, None);
}
