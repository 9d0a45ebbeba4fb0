//! What strict and lenient peers may write.

use iec61968_5::client;
use iec61968_5::envelope::Outcome;
use iec61968_5::message::Operation;
use iec61968_5::profile::{MESSAGE_2013, MESSAGE_2022};
use iec61968_5::server::Request;
use iec61968_5::soap::CONTENT_TYPE;

use crate::scene::{Scene, body, dispatch, dispatches, errors, group, groups};

const CREATE: Operation = Operation::CreateDerGroups;

fn create() -> String {
    body(CREATE, groups(vec![group("east", &["der-1"])]))
}

type CodeAndLevel = (String, String);

/// Result and error codes with levels of the answer to a body; none for a fault.
fn outcome(scene: &mut Scene, body: &str) -> Option<(Outcome, Vec<CodeAndLevel>)> {
    let (response, _) = scene.post(body);
    let answer = client::response(response.body.as_bytes(), CREATE).ok()?;
    let errors = errors(&answer)
        .iter()
        .map(|e| (e.0.to_owned(), e.1.to_owned()))
        .collect::<Vec<_>>();
    Some((answer.reply.result, errors))
}

#[test]
fn what_our_client_writes_passes_in_strict_mode() {
    assert_eq!(
        outcome(&mut Scene::strict(), &create()),
        Some((Outcome::Ok, vec![("0.0".to_owned(), String::new())]))
    );
}

/// Body, what strict mode says, what lenient mode says: result and code, `None` for a fault.
#[test]
fn lenient_mode_takes_what_strict_mode_refuses() {
    let functions = "<p:DERFunction>";
    let upper_verb = create().replace(">create<", ">CREATE<");
    let other_verb = create().replace(">create<", ">delete<");
    let typo = create().replace("<msg:Noun>DERGroups<", "<msg:Noun>DEGroups<");
    let other_noun = create().replace("<msg:Noun>DERGroups<", "<msg:Noun>DERGroupDispatches<");
    let order = create().replace(
        functions,
        "<p:Names><p:name>first</p:name></p:Names><p:DERFunction>",
    );
    let foreign = create().replace(
        functions,
        "<x:auto-generated_for_wildcard xmlns:x='urn:x'/><p:DERFunction>",
    );
    let unknown = create().replace(functions, "<p:maxPower>7</p:maxPower><p:DERFunction>");
    let no_namespace = create()
        .replace("<p:name>", "<name xmlns=''>")
        .replace("</p:name>", "</name>");
    let empty_mrid = create().replace(functions, "<p:mRID/><p:DERFunction>");
    let property = create().replace(
        "</msg:CorrelationID>",
        "</msg:CorrelationID><x:extra xmlns:x='urn:x'>1</x:extra>",
    );
    let ok = Some((Outcome::Ok, "0.0"));
    let failed = |code| Some((Outcome::Failed, code));
    let cases = [
        ("verb in upper case", &upper_verb, None, ok),
        ("another verb", &other_verb, failed("2.9"), failed("2.9")),
        ("misspelt noun", &typo, failed("2.5"), ok),
        ("another noun", &other_noun, failed("2.5"), failed("2.5")),
        ("order", &order, failed("1.8"), ok),
        ("foreign element", &foreign, failed("1.8"), ok),
        (
            "unknown element of the standard's namespace",
            &unknown,
            failed("1.8"),
            failed("1.8"),
        ),
        (
            "element without namespace",
            &no_namespace,
            failed("1.8"),
            ok,
        ),
        ("empty mRID", &empty_mrid, failed("1.8"), ok),
        (
            "foreign element where the schema has any",
            &property,
            ok,
            ok,
        ),
    ];
    for (what, body, strict, lenient) in cases {
        assert_ne!(*body, create(), "{what} is a variation");
        for (mut scene, expected) in [(Scene::strict(), strict), (Scene::new(), lenient)] {
            let got = outcome(&mut scene, body);
            let got = got
                .as_ref()
                .map(|(result, errors)| (*result, errors[0].0.as_str()));
            assert_eq!(got, expected, "{what} in {:?} mode", scene.profile.mode);
            let created = usize::from(expected == ok);
            assert_eq!(
                scene.fleet.groups().count(),
                created,
                "{what}: nothing is half-done"
            );
        }
    }
}

#[test]
fn a_tolerated_noun_is_noted() {
    let typo = create().replace("<msg:Noun>DERGroups<", "<msg:Noun>DEGroups<");
    let (_, errors) = outcome(&mut Scene::new(), &typo).unwrap();
    assert_eq!(errors[1], ("2.5".to_owned(), "WARNING".to_owned()));
}

#[test]
fn the_answer_is_in_the_namespaces_of_the_request() {
    let newer = create().replace(MESSAGE_2013, MESSAGE_2022);
    let (response, _) = Scene::strict().post(&newer);
    assert!(response.body.contains(MESSAGE_2022) && !response.body.contains(MESSAGE_2013));

    let other_year = create().replace("TC57/2017/", "TC57/2020/");
    assert_eq!(
        outcome(&mut Scene::new(), &other_year),
        None,
        "not agreed with this peer"
    );
    let mut scene = Scene::new();
    scene
        .profile
        .payload_bases
        .push("http://iec.ch/TC57/2020/".to_owned());
    let (response, submitted) = scene.post(&other_year);
    assert_eq!(submitted, 1);
    assert!(response.body.contains("http://iec.ch/TC57/2020/DERGroups#"));
}

#[test]
fn any_prefix_will_do() {
    let renamed = create()
        .replace("<m:", "<q:")
        .replace("</m:", "</q:")
        .replace("xmlns:m=", "xmlns:q=")
        .replace("<msg:", "<h:")
        .replace("</msg:", "</h:")
        .replace("xmlns:msg", "xmlns:h");
    assert_eq!(
        outcome(&mut Scene::strict(), &renamed).unwrap().0,
        Outcome::Ok
    );
}

#[test]
fn strict_mode_compares_soap_action() {
    let mut scene = Scene::strict();
    let create = create();
    let mut post = |action| {
        let content_type = Some(CONTENT_TYPE);
        let soap_action = Some(action);
        scene
            .post_as(&Request {
                content_type,
                soap_action,
                body: create.as_bytes(),
            })
            .0
            .status
    };
    assert_eq!(
        post("\"http://iec.ch/TC57/2017/DERGroups/DeleteDERGroups\""),
        500
    );
    assert_eq!(
        post("\"http://iec.ch/TC57/2017/DERGroups/CreateDERGroups\""),
        200
    );
    assert_eq!(post("\"\""), 200);
}

#[test]
fn lenient_peers_may_name_the_group_on_the_dispatch() {
    let mut wire = dispatch("", &[1.0]);
    wire.names = std::mem::take(&mut wire.group_names);
    wire.names[0].name = "east".to_owned();
    let asked = dispatches(vec![wire]);
    for (mut scene, expected) in [
        (Scene::strict(), Outcome::Failed),
        (Scene::new(), Outcome::Ok),
    ] {
        scene.group("east", &["der-1"]);
        let answer = scene.ask(Operation::CreateDerGroupDispatches, asked.clone());
        assert_eq!(answer.reply.result, expected, "{:?}", answer.reply);
    }
}

#[test]
fn strict_mode_minds_what_contradicts_itself() {
    let mut scene = Scene::strict();
    scene.group("east", &["der-1"]);
    let create = Operation::CreateDerGroupDispatches;
    let mut twice = dispatch("east", &[1.0, 2.0]);
    twice.parameter.schedules[0].points[1].0 = 1;
    let answer = scene.ask(create, dispatches(vec![twice]));
    assert_eq!(errors(&answer)[0].0, "1.8");
    let mrid = scene
        .fleet
        .groups()
        .next()
        .unwrap()
        .mrid
        .as_str()
        .to_owned();
    let mut other = dispatch("west", &[1.0]);
    other.group_mrid = Some(mrid);
    let answer = scene.ask(create, dispatches(vec![other.clone()]));
    assert_eq!(errors(&answer)[0].0, "2.29");
    scene.profile.mode = iec61968_5::profile::Mode::Lenient;
    let answer = scene.ask(create, dispatches(vec![other]));
    assert_eq!(answer.reply.result, Outcome::Ok);
}
