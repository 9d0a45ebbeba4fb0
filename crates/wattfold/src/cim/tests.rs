use clap::Parser;
use iec61968_5::client;
use iec61968_5::message::{Asked, Operation};
use units::Timestamp;

use super::{CimArgs, CimError, group_spec, report, request, run, schedule};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    cim: CimArgs,
}

fn parse(line: &str) -> Result<CimArgs, clap::Error> {
    let words = ["cim", "--url", "http://127.0.0.1:9"]
        .into_iter()
        .chain(line.split_whitespace());
    Line::try_parse_from(words).map(|line| line.cim)
}

fn asked(line: &str) -> (Operation, Asked) {
    request(&parse(line).unwrap().command).unwrap()
}

#[test]
fn two_groups_of_one_line_are_one_message() {
    let (operation, asked) = asked("create-groups --group east=der-1,der-2 --group west=pv3");
    assert_eq!(operation, Operation::CreateDerGroups);
    let Asked::Groups(groups) = asked else {
        panic!("not groups")
    };
    let names: Vec<_> = groups
        .groups
        .iter()
        .map(|group| group.names[0].name.as_str())
        .collect();
    assert_eq!(names, ["east", "west"]);
    assert_eq!(groups.groups[0].devices.len(), 2);
    assert_eq!(groups.groups[0].devices[1].names[0].name, "der-2");
    let real_power = groups.groups[0].functions.unwrap();
    assert_eq!(
        real_power,
        [false, false, false, false, false, true, false, false, false]
    );
}

#[test]
fn a_file_of_groups_is_read_before_those_of_the_line() {
    let directory = std::env::temp_dir().join(format!("wattfold-cim-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("groups.json");
    std::fs::write(
        &file,
        r#"[{"name": "east", "mrid": "E", "members": ["mrid:der-1"],
             "functions": ["voltageRegulation"]}]"#,
    )
    .unwrap();
    let line = format!("create-groups {} --group west=pv3", file.display());
    let (_, asked) = asked(&line);
    let Asked::Groups(groups) = asked else {
        panic!("not groups")
    };
    assert_eq!(groups.groups[0].mrid.as_deref(), Some("E"));
    assert_eq!(groups.groups[0].devices[0].mrid.as_deref(), Some("der-1"));
    assert!(groups.groups[0].functions.unwrap()[6]);
    assert_eq!(groups.groups[1].names[0].name, "west");
    std::fs::write(&file, r#"[{"nmae": "east"}]"#).unwrap();
    let error = request(&parse(&line).unwrap().command).unwrap_err();
    assert!(
        matches!(error, CimError::Groups(group_spec::SpecError::Parse { .. })),
        "{error:?}"
    );
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_change_leaves_functions_alone() {
    let (operation, asked) = asked("change-groups --group east=der-4");
    assert_eq!(operation, Operation::ChangeDerGroups);
    let Asked::Groups(groups) = asked else {
        panic!("not groups")
    };
    assert_eq!(groups.groups[0].functions, None);
}

#[test]
fn what_is_no_group_is_refused() {
    for line in [
        "create-groups",
        "create-groups --group east",
        "create-groups --group =der-1",
        "create-groups --group east=der-1 --function flying",
        "create-groups /nowhere/groups.json",
    ] {
        let error = request(&parse(line).unwrap().command).unwrap_err();
        assert!(matches!(error, CimError::Groups(_)), "{line}: {error:?}");
    }
    assert!(parse("delete-group").is_err());
    assert!(
        parse("--user u query-groups").is_err(),
        "a user without a password"
    );
    assert!(
        parse("--cert c query-groups").is_err(),
        "a certificate without its key"
    );
}

#[test]
fn a_uuid_is_an_mrid_and_anything_else_a_name() {
    let uuid = "6f1e0a3e-0d0b-4c2e-9d54-1f1b2a3c4d5e";
    assert_eq!(group_spec::key(uuid).mrid.as_deref(), Some(uuid));
    assert_eq!(group_spec::key("mrid:7").mrid.as_deref(), Some("7"));
    assert_eq!(group_spec::key("east").names[0].name, "east");
    assert_eq!(group_spec::key(&format!("name:{uuid}")).names[0].name, uuid);
}

#[test]
fn a_schedule_starts_at_an_instant_or_from_now() {
    let dispatch = |start: &str, interval: &str| {
        let line = format!(
            "dispatch --group east --start {start} --interval {interval} --watts 60000,-9.5"
        );
        let super::CimCommand::Dispatch(args) = parse(&line).unwrap().command else {
            panic!("not a dispatch")
        };
        let now = Timestamp::from_millis(1_800_000_000_250);
        schedule::dispatch(&args, now).map(|dispatch| {
            let schedule = dispatch.parameter.schedules[0].clone();
            (
                schedule.start_time.millis(),
                schedule.interval_duration,
                schedule.points,
            )
        })
    };
    let points = vec![(1, 60_000.0), (2, -9.5)];
    assert_eq!(
        dispatch("+10s", "30s"),
        Ok((1_800_000_011_000, 30, points.clone()))
    );
    assert_eq!(
        dispatch("2027-01-15T09:00:00+01:00", "15m"),
        Ok((1_800_000_000_000, 900, points))
    );
    for (start, interval) in [
        ("soon", "30s"),
        ("+10", "30s"),
        ("+10s", "0s"),
        ("+10s", "1d"),
    ] {
        assert!(dispatch(start, interval).is_err(), "{start} {interval}");
    }
}

const ANSWER: &str = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<DERGroupStatusQueriesResponseMessage xmlns="http://iec.ch/TC57/2017/DERGroupStatusQueriesMessage"
 xmlns:h="http://iec.ch/TC57/2011/schema/message" xmlns:p="http://iec.ch/TC57/2017/DERGroupStatuses#">
<Header><h:Verb>reply</h:Verb><h:Noun>DERGroupStatuses</h:Noun></Header>
<Reply><h:Result>PARTIAL</h:Result><h:Error><h:code>99.1</h:code><h:level>FATAL</h:level>
<h:reason>the group does not exist</h:reason><h:ID kind="name">north</h:ID></h:Error></Reply>
<Payload><p:DERGroupStatuses><p:EndDeviceGroup><p:mRID>E</p:mRID><p:DERMonitorableParameter>
<p:DERParameter>activePower</p:DERParameter><p:yMultiplier>k</p:yMultiplier><p:yUnit>W</p:yUnit>
<p:yUnitInstalledMax>10</p:yUnitInstalledMax><p:DERCurveData><p:maxYValue>4.5</p:maxYValue>
<p:nominalYValue>3</p:nominalYValue><p:timeStamp>2027-01-15T08:00:00Z</p:timeStamp>
</p:DERCurveData></p:DERMonitorableParameter><p:Names><p:name>east</p:name></p:Names>
</p:EndDeviceGroup></p:DERGroupStatuses></Payload>
</DERGroupStatusQueriesResponseMessage></s:Body></s:Envelope>"#;

#[test]
fn tables_give_every_value_its_unit_and_age() {
    let answer = client::response(ANSWER.as_bytes(), Operation::QueryDerGroupStatuses).unwrap();
    let text = report::tables(&answer, Timestamp::from_secs(1_800_000_007));
    let expected = "\
group  quantity     now     lowest  highest  installed  unit  age
east   activePower  3000.0  -       4500.0   10000.0    W     7 s

code  level  object  reason                    details
99.1  FATAL  north   the group does not exist

PARTIAL
";
    assert_eq!(text, expected);
}

#[test]
fn json_has_values_in_base_units() {
    let answer = client::response(ANSWER.as_bytes(), Operation::QueryDerGroupStatuses).unwrap();
    let value: serde_json::Value = serde_json::from_str(&report::json(&answer)).unwrap();
    assert_eq!(value["result"], "PARTIAL");
    assert_eq!(value["errors"][0]["object"], "north");
    assert_eq!(value["statuses"][0]["activePower"]["max"], 4_500.0);
    assert_eq!(
        value["statuses"][0]["activePower"]["min"],
        serde_json::Value::Null
    );
}

#[test]
fn a_server_that_is_not_there_is_an_error_and_not_a_table() {
    let mut out = vec![];
    let error = run(&parse("query-groups").unwrap(), &mut out).unwrap_err();
    assert!(matches!(error, CimError::Transport(_)), "{error:?}");
    assert!(out.is_empty());
    let mut args = parse("query-groups").unwrap();
    args.url = "https://127.0.0.1:9".to_owned();
    assert!(
        run(&args, &mut out)
            .unwrap_err()
            .to_string()
            .contains("asked")
    );
    args.url = "ftp://x".to_owned();
    assert!(matches!(run(&args, &mut out), Err(CimError::Transport(_))));
}
