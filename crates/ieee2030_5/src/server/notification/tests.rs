//! What subscribers are told, and when.

use std::collections::BTreeSet;

use fleet::AggregatorId;
use units::Timestamp;

use super::{Change, Interest, Kind, Looked, Notice, Word, change_of, look, settle};
use crate::codec::table::{Edition, Extension, Profile};
use crate::schema;
use crate::server::DocumentWrite;
use crate::server::href::Target;
use crate::server::resources::Owner;
use crate::server::subscription::SubscriptionId;
use crate::server::subscription::tests::{AGGREGATOR, Scene, URI, subscription};
use crate::translate::{Client, Command, ControlId, DerId, Lfdi};
use crate::wire::subscription::NotificationStatus;

const CLIENT: Client = Client::Aggregator(AggregatorId(0));

fn id(number: u32) -> SubscriptionId {
    SubscriptionId {
        client: CLIENT,
        number,
    }
}

impl Scene {
    fn look(&self, number: u32) -> Looked {
        look(id(number), None, (&self.view(), self.now)).unwrap()
    }

    fn word(&self, number: u32) -> Word {
        self.look(number).word
    }

    fn told(&self, number: u32) -> Notice {
        match self.word(number) {
            Word::Tell(notice) => notice,
            other => panic!("{other:?}"),
        }
    }

    /// The subscriber has taken `notice`.
    fn acknowledge(&mut self, number: u32, notice: &Notice) {
        let revision = self.look(number).revision;
        let told = notice.fingerprint;
        let kept = settle(id(number), Some(revision), told, &self.view()).unwrap();
        self.resources.apply(&kept).unwrap();
    }

    fn controls(&self, der: u32) -> String {
        format!("/derp/{}/derc", self.program(der).0)
    }
}

fn text(notice: &Notice) -> String {
    String::from_utf8(notice.body.clone()).unwrap()
}

/// Whether IEEE's schema of this edition finds nothing wrong.
fn assert_valid(name: &str, notices: &[&Notice]) {
    let directory = schema::fresh_directory(&format!("notification/{name}"));
    for (number, notice) in notices.iter().enumerate() {
        std::fs::write(directory.join(format!("{number}.xml")), &notice.body).unwrap();
    }
    let verdict = schema::schema("judge", &directory, &[]);
    assert!(
        verdict.contains(&format!("judged {}", notices.len())),
        "{verdict}"
    );
}

#[test]
fn a_list_is_told_with_as_many_members_as_were_asked_for() {
    let mut scene = Scene::new();
    let resource = scene.controls(0);
    let [none, one, all] = [0, 1, 50].map(|limit| {
        let uri = format!("{URI}/{limit}");
        let body = subscription(&resource, &uri, limit);
        let reply = scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &body);
        assert_eq!(reply.status, 201, "{reply:?}");
        limit.min(2) + 1
    });
    for number in [none, one, all] {
        assert_eq!(scene.word(number), Word::Unchanged);
    }
    let controls = [scene.control(0, 600, 60), scene.control(0, 300, 60)];
    let notices = [none, one, all].map(|number| scene.told(number));
    for (notice, results) in notices.iter().zip([0, 1, 2]) {
        let body = text(notice);
        let root = format!(
            "<Resource xsi:type=\"DERControlList\" href=\"{resource}\" subscribable=\"1\" \
             all=\"2\" results=\"{results}\""
        );
        assert!(body.contains(&root), "{body}");
        assert_eq!(body.matches("<DERControl ").count(), results);
        assert!(body.contains(&format!(
            "<subscribedResource>{resource}</subscribedResource>"
        )));
        assert_eq!(notice.status, NotificationStatus::CHANGED);
    }
    let served = |notice: &Notice| -> Vec<ControlId> {
        notice.served.iter().map(|(control, _)| *control).collect()
    };
    assert_eq!(served(&notices[0]), []);
    assert_eq!(
        served(&notices[1]),
        [controls[1]],
        "the one that starts first"
    );
    assert_eq!(served(&notices[2]), [controls[1], controls[0]]);
    assert_valid("lists", &notices.each_ref());
    for (number, notice) in [none, one, all].into_iter().zip(&notices) {
        scene.acknowledge(number, notice);
        assert_eq!(scene.word(number), Word::Unchanged);
    }
    // A change beyond what is shown is a change.
    scene.command(&Command::CancelControl(controls[0]));
    assert_eq!(text(&scene.told(one)).matches("<DERControl ").count(), 1);
}

#[test]
fn a_resource_that_is_no_list_is_told_whole_or_not_at_all() {
    let mut scene = Scene::new();
    let resource = format!("/derp/{}/dderc", scene.program(0).0);
    let silent = scene.subscribe(&resource, 0);
    let body = subscription(&resource, &format!("{URI}/1"), 1);
    scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &body);
    scene.default_control(0, -700);
    let (bare, whole) = (scene.told(silent), scene.told(silent + 1));
    assert!(!text(&bare).contains("<Resource"), "{}", text(&bare));
    let whole_text = text(&whole);
    assert!(
        whole_text.contains("<Resource xsi:type=\"DefaultDERControl\" href="),
        "{whole_text}"
    );
    assert!(whole_text.contains("<value>-700</value>"), "{whole_text}");
    assert_valid("resources", &[&bare, &whole]);
}

#[test]
fn the_clock_tells_too() {
    let mut scene = Scene::new();
    let number = scene.subscribe(&scene.controls(0), 10);
    let start = scene.now.secs() + 100;
    scene.control(0, 100, 50);
    let mut seen = Vec::new();
    for (at, status) in [(0, Some("0")), (100, Some("1")), (155, None)] {
        scene.now = Timestamp::from_secs(start - 100 + at);
        let notice = scene.told(number);
        let shown = status.is_none_or(|status| {
            text(&notice).contains(&format!("<currentStatus>{status}</currentStatus>"))
        });
        assert!(shown, "after {at} s: {}", text(&notice));
        scene.acknowledge(number, &notice);
        seen.push(scene.look(number).wake.unwrap().secs() - start + 100);
    }
    scene.now = Timestamp::from_secs(start + 50);
    let ends = i64::try_from(scene.config.subscriptions.lifetime.as_secs()).unwrap();
    assert_eq!(seen, [100, 150, ends], "when to look again");
    assert_eq!(
        scene.look(number).wake.unwrap().secs(),
        start + 55,
        "ended controls linger"
    );
}

/// Readings are told when one of them leaves the bounds that the subscriber has set.
#[test]
fn a_condition_is_kept() {
    let mut scene = Scene::new();
    let list = "/upt/1/mr/1/rs/1/r";
    for (path, document) in [
        (
            "/upt/1",
            "<UsagePoint><mRID>01</mRID><roleFlags>0049</roleFlags>\
          <serviceCategoryKind>0</serviceCategoryKind><status>1</status></UsagePoint>",
        ),
        (
            "/upt/1/mr/1",
            "<MeterReading><mRID>02</mRID><ReadingTypeLink href=\"/upt/1/mr/1/rt\"/></MeterReading>",
        ),
        (
            "/upt/1/mr/1/rs/1",
            "<ReadingSet><mRID>03</mRID><timePeriod><duration>60</duration>\
          <start>0</start></timePeriod></ReadingSet>",
        ),
    ] {
        host(&mut scene, path, document);
    }
    reading(&mut scene, 1, 5);
    let condition = "<Condition><attributeIdentifier>0</attributeIdentifier><lowerThreshold>0\
                     </lowerThreshold><upperThreshold>10</upperThreshold></Condition><encoding>";
    let body = subscription(list, URI, 9).replace("<encoding>", condition);
    let reply = scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &body);
    assert_eq!(reply.status, 201, "{reply:?}");
    reading(&mut scene, 2, 10);
    assert_eq!(scene.word(1), Word::Unchanged);
    reading(&mut scene, 3, 11);
    let notice = scene.told(1);
    assert!(
        text(&notice).contains("<value>11</value>"),
        "{}",
        text(&notice)
    );
    assert_valid("readings", &[&notice]);
}

fn reading(scene: &mut Scene, number: u32, value: i64) {
    let document = format!("<Reading><value>{value}</value></Reading>");
    host(scene, &format!("/upt/1/mr/1/rs/1/r/{number}"), &document);
}

fn host(scene: &mut Scene, path: &str, document: &str) {
    let document = document.replacen('>', " xmlns=\"urn:ieee:std:2030.5:ns\">", 1);
    let write = DocumentWrite {
        owner: Owner::Everyone,
        path: path.to_owned(),
        bytes: Some(document.into_bytes()),
    };
    scene.resources.apply(&write).unwrap();
}

fn message(number: u32) -> String {
    format!(
        "<TextMessage xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>{number:02X}</mRID>\
         <creationTime>1</creationTime><EventStatus><currentStatus>0</currentStatus>\
         <dateTime>1</dateTime><potentiallySuperseded>false</potentiallySuperseded></EventStatus>\
         <interval><duration>4000000000</duration><start>1</start></interval>\
         <priority>1</priority><textMessage>hello</textMessage></TextMessage>"
    )
}

/// What is active next is not in the list of what is active now.
#[test]
fn the_list_of_active_controls_wakes_with_what_is_scheduled() {
    let mut scene = Scene::new();
    let active = format!("/derp/{}/actderc", scene.program(0).0);
    let number = scene.subscribe(&active, 10);
    scene.control(0, 100, 50);
    assert_eq!(scene.word(number), Word::Unchanged);
    let wake = scene.look(number).wake.unwrap();
    assert_eq!(wake.secs() - scene.now.secs(), 100);
    scene.now = wake;
    assert!(text(&scene.told(number)).contains("<currentStatus>1</currentStatus>"));
}

#[test]
fn what_is_gone_or_over_is_told_once() {
    let mut scene = Scene::new();
    let fsa = scene.subscribe("/edev/0/fsa", 1);
    let list = scene.subscribe("/edev", 9);
    scene.command(&Command::RemoveDer(DerId(0)));
    let last = scene.told(fsa);
    assert_eq!(
        (last.status, last.fingerprint),
        (NotificationStatus::DELETED, None)
    );
    assert!(!text(&last).contains("<Resource"));
    assert!(text(&last).contains("/edev/a0/sub/1</subscriptionURI>"));
    assert_eq!(scene.told(list).status, NotificationStatus::CHANGED);
    scene.acknowledge(fsa, &last);
    assert_eq!(look(id(fsa), None, (&scene.view(), scene.now)), None);
    scene.now = scene.now.after(scene.config.subscriptions.lifetime);
    let expired = scene.told(list);
    assert_eq!(expired.status, NotificationStatus::CANCELLED);
    assert_valid("ends", &[&last, &expired]);
    scene.acknowledge(list, &expired);
    assert_eq!(
        scene.subscribe("/edev", 1),
        3,
        "numbers are not given out again"
    );
}

#[test]
fn an_edition_of_its_own_ends_what_was_subscribed_to_in_another() {
    let mut scene = Scene::new();
    let number = scene.subscribe("/edev", 9);
    let newer = Profile::new(Edition::Y2023, Extension::None);
    scene
        .resources
        .apply(&DocumentWrite::profile(CLIENT, Some(newer)))
        .unwrap();
    let notice = scene.told(number);
    assert_eq!(notice.status, NotificationStatus::DEFINITION_CHANGED);
    let again = subscription("/edev", URI, 1);
    scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &again);
    assert_eq!(scene.word(number), Word::Unchanged);
    scene.enrol(Lfdi([7; 20]), Some(AggregatorId(0)));
    let created = format!("<createdDateTime>{}</createdDateTime>", scene.now.secs());
    assert!(
        text(&scene.told(number)).contains(&created),
        "as the edition of 2023 has it"
    );
}

#[test]
fn whoever_may_not_come_in_is_told_nothing() {
    let mut scene = Scene::new();
    let number = scene.subscribe("/edev", 9);
    scene.enrol(Lfdi([7; 20]), Some(AggregatorId(0)));
    scene.command(&Command::SetAccess(CLIENT, false));
    assert_eq!(scene.word(number), Word::Withheld);
    scene.command(&Command::SetAccess(CLIENT, true));
    scene.told(number);
    scene.command(&Command::SetAccess(CLIENT, false));
    scene.now = scene.now.after(scene.config.subscriptions.lifetime);
    assert_eq!(scene.word(number), Word::Over);
}

#[test]
fn what_came_of_an_older_revision_is_of_no_account() {
    let mut scene = Scene::new();
    let number = scene.subscribe("/edev", 9);
    scene.enrol(Lfdi([7; 20]), Some(AggregatorId(0)));
    let (notice, revision) = (scene.told(number), scene.look(number).revision);
    let moved = subscription("/edev", "https://aggregator.example/2", 9);
    scene.send(
        AGGREGATOR,
        ("PUT", &format!("/edev/a0/sub/{number}")),
        &moved,
    );
    assert_eq!(
        settle(id(number), Some(revision), None, &scene.view()),
        None
    );
    let known = (revision, notice.fingerprint.unwrap());
    let looked = look(id(number), Some(known), (&scene.view(), scene.now)).unwrap();
    assert_eq!(
        looked.word,
        Word::Unchanged,
        "a new address begins with what is there"
    );
    assert_eq!(&*looked.destination.unwrap().target, "/2");
    scene.enrol(Lfdi([8; 20]), Some(AggregatorId(0)));
    let told = scene.told(number).fingerprint;
    let known = (looked.revision, told.unwrap());
    let looked = look(id(number), Some(known), (&scene.view(), scene.now)).unwrap();
    assert_eq!(
        looked.word,
        Word::Unchanged,
        "what was told lately counts before it is kept"
    );
}

/// Watches what the aggregator subscribed to.
fn watched(scene: &Scene) -> Interest {
    let mut interest = Interest::default();
    for (number, subscribed) in scene.resources.subscriptions(CLIENT).iter() {
        interest.watch(id(number), subscribed.target, &scene.fleet);
    }
    interest
}

fn touched(interest: &Interest, change: Change, scene: &Scene) -> Vec<u32> {
    let mut ids = BTreeSet::new();
    interest.touched(change, &scene.fleet, &mut ids);
    ids.into_iter().map(|id| id.number).collect()
}

#[test]
fn a_change_touches_whom_it_concerns() {
    let mut scene = Scene::new();
    let devices = scene.subscribe("/edev", 1);
    let assigned = [0, 1].map(|der| scene.subscribe(&format!("/edev/{der}/fsa"), 1));
    let controls = [0, 1].map(|der| scene.subscribe(&scene.controls(der), 1));
    let interest = watched(&scene);
    let concern = |change: Change| touched(&interest, change, &scene);
    let own = Owner::Client(Client::Der(DerId(0)));
    assert_eq!(concern(Change::Program(scene.program(0))), [controls[0]]);
    assert_eq!(
        concern(Change::Definition(scene.program(1))),
        [assigned[1], controls[1]]
    );
    assert_eq!(concern(Change::Document(own, Kind::Other)), [0; 0]);
    assert_eq!(concern(Change::Document(own, Kind::EndDevice)), [devices]);
    assert_eq!(
        concern(Change::Client(Client::Der(DerId(0)))),
        [devices, assigned[0], controls[0]]
    );
    assert_eq!(concern(Change::Client(Client::Der(DerId(2)))), [0; 0]);
    let all = [devices, assigned[0], assigned[1], controls[0], controls[1]];
    assert_eq!(concern(Change::Client(CLIENT)), all);
    assert_eq!(concern(Change::Document(Owner::Everyone, Kind::Rates)), all);
    assert_eq!(concern(Change::Everything), all);
}

/// Whatever a command changes of what is subscribed to, its events say so.
#[test]
fn no_change_goes_unnoticed() {
    let mut scene = Scene::new();
    for der in [0, 1] {
        let program = scene.program(der).0;
        for resource in [
            format!("/edev/{der}"),
            format!("/edev/{der}/fsa"),
            format!("/edev/{der}/fsa/1/derp"),
            format!("/derp/{program}"),
            format!("/derp/{program}/derc"),
            format!("/derp/{program}/actderc"),
            format!("/derp/{program}/dderc"),
        ] {
            scene.subscribe(&resource, 50);
        }
    }
    scene.subscribe("/edev", 50);
    let control = scene.control(0, 0, 60);
    scene.control(1, 60, 60);
    let default = fleet::DefaultControl::asking(crate::server::subscription::tests::power(9));
    let program = scene.program(0);
    let shared = fleet::NewProgram {
        name: fleet::Name::new("shared").unwrap(),
        primacy: 1,
        scope: fleet::Scope::All,
    };
    let node = fleet::NewAssignment {
        name: fleet::Name::new("feeder 7").unwrap(),
        level: fleet::Level::Feeder,
        parent: None,
    };
    for command in [
        Command::CancelControl(control),
        Command::SetDefaultControl(program, default),
        Command::CreateProgram(shared),
        Command::CreateAssignment(node),
        Command::AssignDer(DerId(1), vec![fleet::AssignmentId(0)]),
        Command::SetAccess(Client::Der(DerId(1)), false),
        Command::Rekey(Client::Der(DerId(1)), Lfdi([0x55; 20])),
        Command::RemoveDer(DerId(1)),
    ] {
        let interest = watched(&scene);
        let before = words(&scene);
        let events = scene.command(&command);
        let mut noticed = BTreeSet::new();
        for change in events.iter().filter_map(change_of) {
            interest.touched(change, &scene.fleet, &mut noticed);
        }
        for ((number, before), (_, after)) in before.iter().zip(words(&scene)) {
            let noticed = noticed.contains(&id(*number));
            assert!(
                noticed || *before == after,
                "{command:?} changes {number} unnoticed"
            );
        }
    }
}

/// Whomever a document is hosted for, those who see it are told, and nobody else is looked at in
/// vain.
#[test]
fn what_is_hosted_for_one_client_is_noticed_by_who_answers_for_it() {
    let program = "<MessagingProgram xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>01</mRID>\
                   <locale>en</locale><primacy>0</primacy></MessagingProgram>";
    let owners = [
        Owner::Client(Client::Der(DerId(0))),
        Owner::Client(CLIENT),
        Owner::Assignment(fleet::AssignmentId(0)),
        Owner::Everyone,
    ];
    for owner in owners {
        let mut scene = Scene::new();
        let node = fleet::NewAssignment {
            name: fleet::Name::new("feeder 7").unwrap(),
            level: fleet::Level::Feeder,
            parent: None,
        };
        scene.command(&Command::CreateAssignment(node));
        let feeder = vec![fleet::AssignmentId(0)];
        scene.command(&Command::AssignDer(DerId(0), feeder));
        let root = scene.subscribe("/msg", 9);
        let set = scene.subscribe("/edev/0/fsa", 9);
        assert_noticed(&mut scene, (owner, "/msg/1", program), &[root]);
        let assigned = matches!(scene.word(set), Word::Tell(_));
        assert_eq!(assigned, owner != Owner::Client(CLIENT), "{owner}");
        let texts = scene.subscribe("/msg/1/txt", 9);
        let active = scene.subscribe("/msg/1/acttxt", 9);
        let write = (owner, "/msg/1/txt/1", message(2));
        assert_noticed(&mut scene, (write.0, write.1, &write.2), &[texts, active]);
    }
    let mut scene = Scene::new();
    let stranger = Owner::Client(Client::Der(DerId(2)));
    scene.subscribe("/msg", 9);
    let interest = watched(&scene);
    let change = Change::of_document(stranger, "/msg/1");
    assert_eq!(touched(&interest, change, &scene), [0; 0]);
}

/// Hosts it and checks that `expected`, and whoever else is told anything, is looked at.
fn assert_noticed(scene: &mut Scene, (owner, path, body): (Owner, &str, &str), expected: &[u32]) {
    let interest = watched(scene);
    let before = words(scene);
    let write = super::super::hosted::host::host(owner, path, body.as_bytes(), &scene.view());
    scene.resources.apply(&write.unwrap()).unwrap();
    let noticed = touched(&interest, Change::of_document(owner, path), scene);
    for ((number, before), (_, after)) in before.iter().zip(words(scene)) {
        let is_told = *before != after;
        assert!(
            is_told || !expected.contains(number),
            "{owner} {path} tells {number} nothing"
        );
        assert!(
            !is_told || noticed.contains(number),
            "{owner} {path} changes {number} unnoticed"
        );
    }
}

#[test]
fn what_is_hosted_below_an_end_device_is_noticed() {
    let mut scene = Scene::new();
    let own = Owner::Client(Client::Der(DerId(0)));
    let devices = scene.subscribe("/edev", 9);
    let device = scene.subscribe("/edev/0", 1);
    let answers = scene.subscribe("/edev/0/frp", 9);
    let body = "<FlowReservationResponse xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>01</mRID>\
                <creationTime>1</creationTime><EventStatus><currentStatus>0</currentStatus>\
                <dateTime>1</dateTime><potentiallySuperseded>false</potentiallySuperseded>\
                </EventStatus><interval><duration>4000000000</duration><start>1</start></interval>\
                <energyAvailable><multiplier>0</multiplier><value>1</value></energyAvailable>\
                <powerAvailable><multiplier>0</multiplier><value>1</value></powerAvailable>\
                <subject>02</subject></FlowReservationResponse>";
    assert_noticed(
        &mut scene,
        (own, "/edev/0/frp/1", body),
        &[devices, device, answers],
    );
    let written = Change::of_document(own, "/edev/0/frq/1");
    assert_eq!(
        touched(&watched(&scene), written, &scene),
        [device, answers]
    );
}

/// `CurrentDERProgramLink` follows what is commanded, and the clock.
#[test]
fn a_der_is_told_which_programme_decides() {
    let mut scene = Scene::new();
    let number = scene.subscribe("/edev/0/der/1", 1);
    let other = scene.subscribe("/edev/1/der/1", 1);
    let interest = watched(&scene);
    let link = format!(
        "<CurrentDERProgramLink href=\"/derp/{}\"",
        scene.program(0).0
    );
    scene.control(0, 100, 50);
    let change = Change::Program(scene.program(0));
    assert_eq!(touched(&interest, change, &scene), [number]);
    assert_eq!(scene.word(number), Word::Unchanged);
    let start = scene.look(number).wake.unwrap();
    assert_eq!(start.secs() - scene.now.secs(), 100);
    scene.now = start;
    let notice = scene.told(number);
    assert!(text(&notice).contains(&link), "{}", text(&notice));
    scene.acknowledge(number, &notice);
    scene.now = scene.look(number).wake.unwrap();
    assert_eq!(scene.now.secs() - start.secs(), 50);
    assert!(!text(&scene.told(number)).contains(&link));
    assert_eq!(scene.word(other), Word::Unchanged);
}

fn words(scene: &Scene) -> Vec<(u32, Word)> {
    let subscriptions = scene.resources.subscriptions(CLIENT).iter();
    subscriptions
        .map(|(number, _)| (number, scene.word(number)))
        .collect()
}

#[test]
fn ten_thousand_subscriptions_are_looked_at_one_by_one() {
    let scene = Scene::new();
    let mut interest = Interest::default();
    let program = scene.program(0).0;
    for number in 0..10_000 {
        let target = Target::Control(program + number, 1);
        interest.watch(id(number), Some(target), &scene.fleet);
        interest.wake_at(id(number), Some(Timestamp::from_secs(i64::from(number))));
    }
    let change = Change::Program(fleet::ProgramId(program + 7_777));
    assert_eq!(touched(&interest, change, &scene), [7_777]);
    let mut woken = BTreeSet::new();
    interest.woken(Timestamp::from_secs(9), &mut woken);
    assert_eq!(woken.len(), 10);
    assert_eq!(interest.next_wake(), Some(Timestamp::from_secs(10)));
    for number in 0..10_000 {
        interest.forget(id(number));
    }
    assert_eq!((interest.len(), interest.next_wake()), (0, None));
    assert_eq!(touched(&interest, Change::Everything, &scene), [0; 0]);
}
