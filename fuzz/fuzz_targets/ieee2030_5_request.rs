//! Any request to the IEEE 2030.5 server: one line with method and address, one with the headers, who asks
//! and in which profile, then the body. Nothing panics; what is submitted is taken up; nobody is served
//! what is another's.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use fleet::{
    ActivePower, AggregatorId, AssignmentId, CimMrid, Client, Command, ControlBase, DerId, DerKind,
    Fleet, Identity, Level, Lfdi, Name, NewAggregator, NewAssignment, NewControl, NewDer,
    NewProgram, Origin, Pin, Program, ProgramId, Scope,
};
use ieee2030_5::codec::table::Profile;
use ieee2030_5::server::subscription::Subscribers;
use ieee2030_5::server::{
    Answer, DocumentWrite, Owner, Request, Resources, ServerConfig, View, handle,
};
use libfuzzer_sys::fuzz_target;
use units::{Interval, Percent, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const OWN: Lfdi = Lfdi([0x3E; 20]);
const OTHER: Lfdi = Lfdi([0x4F; 20]);
/// Of the aggregator.
const MANAGED: Lfdi = Lfdi([0x81; 20]);
const AGGREGATOR: Lfdi = Lfdi([0x82; 20]);
const STRANGER: Lfdi = Lfdi([0x62; 20]);

fn name(text: &str) -> Name {
    Name::new(text).expect("a short name")
}

fn der(text: &str, lfdi: Lfdi, manager: Option<AggregatorId>) -> Command {
    Command::EnrolDer(NewDer {
        mrid: CimMrid::new(text).expect("a name is an mRID"),
        name: name(text),
        kind: DerKind::Pv,
        lfdi,
        pin: Pin::with_check_digit(11_111),
        registered: true,
        reserve: Percent::default(),
        manager,
        assignments: Vec::new(),
    })
}

fn control(program: ProgramId, der: Option<DerId>, start_s: u64) -> Command {
    let base = ControlBase::asking(ActivePower::TargetW {
        value: 1_500,
        multiplier: 0,
    });
    Command::IssueControl(NewControl {
        der,
        program,
        origin: Origin::Operator,
        interval: Interval {
            start: NOW.after(Duration::from_secs(start_s)),
            duration: Duration::from_secs(600),
        },
        base,
        terms: None,
    })
}

/// DER 0 and 1 alone, DER 2 of an aggregator; 0 and 2 on a feeder with a programme of its own, and a
/// control for each and for both.
static FLEET: LazyLock<Fleet> = LazyLock::new(|| {
    let mut fleet = Fleet::default();
    let mut decide = |command: Command| {
        let events = fleet.decide(&command, NOW);
        for event in events.expect("a fresh fleet takes them") {
            fleet.apply(&event);
        }
        let programs = fleet.programs();
        programs.last().map(|program: &Program| program.id)
    };
    let identity = Identity {
        seed: 1,
        pen: 40_732,
    };
    decide(Command::FoundFleet(identity));
    decide(Command::EnrolAggregator(NewAggregator {
        name: name("aggregator"),
        lfdi: AGGREGATOR,
        pin: Pin::with_check_digit(22_222),
        registered: true,
        may_enrol: true,
    }));
    let own = decide(der("own", OWN, None));
    decide(der("other", OTHER, None));
    decide(der("managed", MANAGED, Some(AggregatorId(0))));
    decide(Command::CreateAssignment(NewAssignment {
        name: name("feeder"),
        level: Level::Feeder,
        parent: None,
    }));
    for member in [0, 2] {
        decide(Command::AssignDer(DerId(member), vec![AssignmentId(0)]));
    }
    let shared = decide(Command::CreateProgram(NewProgram {
        name: name("feeder"),
        primacy: 3,
        scope: Scope::Assignment(AssignmentId(0)),
    }));
    decide(control(own.expect("its own"), Some(DerId(0)), 60));
    decide(control(shared.expect("it was made"), None, 0));
    fleet
});

static CONFIG: LazyLock<ServerConfig> = LazyLock::new(|| {
    let mut config = ServerConfig::new(Lfdi([0x77; 20]));
    config.subscriptions.subscribers = Subscribers::All;
    config
});

const EVENT: &str = "<creationTime>1</creationTime><EventStatus><currentStatus>0</currentStatus>\
    <dateTime>1</dateTime><potentiallySuperseded>false</potentiallySuperseded></EventStatus>\
    <interval><duration>4000000000</duration><start>1</start></interval>";

/// Documents for everyone, for the feeder, for the one and for the other.
static RESOURCES: LazyLock<Resources> = LazyLock::new(|| {
    let program = "<MessagingProgram xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>0M</mRID>\
                   <locale>en</locale><primacy>0</primacy></MessagingProgram>";
    let text = format!(
        "<TextMessage xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>1M</mRID>{EVENT}<priority>1</priority>\
         <textMessage>for {{}}</textMessage></TextMessage>"
    );
    let owners = [
        (Owner::Everyone, "all".to_owned()),
        (Owner::Assignment(AssignmentId(0)), "the feeder".to_owned()),
        (Owner::Client(Client::Der(DerId(0))), "one".to_owned()),
        (Owner::Client(Client::Der(DerId(1))), OTHER.to_string()),
    ];
    let mut resources = Resources::default();
    for (place, (owner, whom)) in owners.into_iter().enumerate() {
        let documents = [
            (
                format!("/msg/{place}"),
                program.replace("0M", &format!("0{place}")),
            ),
            (
                format!("/msg/{place}/txt/1"),
                text.replace("1M", &format!("1{place}"))
                    .replace("{}", &whom),
            ),
        ];
        for (path, body) in documents {
            let bytes = Some(body.into_bytes());
            let write = DocumentWrite { owner, path, bytes };
            resources.apply(&write).expect("what is hosted is readable");
        }
    }
    resources
});

/// Who asks, by a letter of the input.
fn caller(letter: Option<&str>) -> (Lfdi, Option<Client>) {
    match letter {
        Some("a") => (AGGREGATOR, Some(Client::Aggregator(AggregatorId(0)))),
        Some("m") => (MANAGED, Some(Client::Der(DerId(2)))),
        Some("s") => (STRANGER, None),
        _ => (OWN, Some(Client::Der(DerId(0)))),
    }
}

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut text = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (Some(line), Some(headers)) = (text(), text()) else {
        return;
    };
    let body = lines.next().unwrap_or_default();
    let (method, address) = line.split_once(' ').unwrap_or((line, "/dcap"));
    let (path, query) = match address.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (address, None),
    };
    let mut headers = headers.split('|');
    let mut header = || headers.next().filter(|value| !value.is_empty());
    let [accept, content_type, if_none_match, range] = [header(), header(), header(), header()];
    let (lfdi, client) = caller(header());
    let profile = header().and_then(|digit| Profile::ALL.get(digit.parse::<usize>().ok()?));
    let request = Request {
        method,
        path,
        query,
        accept,
        content_type,
        if_none_match,
        range,
        body,
        lfdi,
        random: 0,
    };
    let mut resources = RESOURCES.clone();
    if let (Some(client), Some(profile)) = (client, profile) {
        let write = DocumentWrite::profile(client, Some(*profile));
        resources.apply(&write).expect("a profile is readable");
    }
    let view = View {
        fleet: &FLEET,
        resources: &resources,
        config: &CONFIG,
    };
    match handle(&request, &view, NOW) {
        Answer::Reply(reply) => {
            let foreign = OTHER.to_string();
            let body = std::str::from_utf8(&reply.body).expect("replies are text");
            assert!(!body.contains(&foreign));
        }
        Answer::Submit(submission) => {
            assert_eq!(Some(submission.client), client);
            for document in &submission.documents {
                resources
                    .apply(document)
                    .expect("what is kept can be taken up");
            }
        }
    }
});
