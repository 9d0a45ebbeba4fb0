use units::Timestamp;

use super::{Writer, boolean, finite_float, format_timestamp, integer, parse, timestamp};

#[test]
fn date_times_are_read_with_and_without_zone() {
    let secs = |text| timestamp(text).map(Timestamp::millis);
    assert_eq!(secs("1970-01-01T00:00:01Z"), Some(1_000));
    assert_eq!(secs("1970-01-01T00:00:01"), Some(1_000));
    assert_eq!(secs("1970-01-01T01:00:01+01:00"), Some(1_000));
    assert_eq!(secs("1969-12-31T19:00:01.25-05:00"), Some(1_250));
    for wrong in [
        "",
        "1970-01-01",
        "1970-01-01T00:00Z",
        "1970-01-01t00:00:01Z",
        "1970-01-01T00:00:01 Z",
        "1970-01-01T00:00:01+99:00",
        "1970-02-30T00:00:01Z",
        "1970-01-01T00:00:01[UTC]",
        "1970-01-01T00:00:ä1Z",
    ] {
        assert_eq!(secs(wrong), None, "{wrong}");
    }
}

#[test]
fn date_times_are_written_in_utc() {
    let written = |millis| format_timestamp(Timestamp::from_millis(millis));
    assert_eq!(written(1_800_000_000_000), "2027-01-15T08:00:00Z");
    assert_eq!(written(-1_500), "1969-12-31T23:59:58.5Z");
    for extreme in [i64::MIN, i64::MAX] {
        assert!(!written(extreme).is_empty());
    }
}

#[test]
fn numbers_are_those_of_xml_schema() {
    assert_eq!(finite_float("-1.5e3"), Some(-1_500.0));
    assert_eq!(finite_float("+.5"), Some(0.5));
    for wrong in ["", "inf", "INF", "NaN", "1e999", "1_000", "0x1", "1f", " 1"] {
        assert_eq!(finite_float(wrong), None, "{wrong}");
    }
    assert_eq!((integer("+7"), integer("-0")), (Some(7), Some(0)));
    for wrong in ["", "+", "--1", "1.0", "9223372036854775808", "١"] {
        assert_eq!(integer(wrong), None, "{wrong}");
    }
    assert_eq!(
        (boolean("1"), boolean("false"), boolean("True")),
        (Some(true), Some(false), None)
    );
}

#[test]
fn what_is_written_is_read_back() {
    let text = "<&>\"' ]]> \u{e4}\r\n\t\u{1f600}";
    let mut writer = Writer::default();
    writer.element_with("a", &super::attribute("b", text), |w| {
        w.leaf("c", text);
        w.leaf("d", "\u{0}\u{ffff}");
    });
    let document = writer.finish();
    let root = parse(document.as_bytes()).unwrap();
    // An attribute's white space is normalised to blanks.
    assert_eq!(
        root.attribute("b"),
        Some(text.replace(['\n', '\t'], " ").as_str())
    );
    assert_eq!(root.children[0].text, text);
    assert_eq!(root.children[1].text, "\u{fffd}\u{fffd}");
}

#[test]
fn namespaces_follow_scope() {
    let root = parse(b"<a xmlns='u'><p:b xmlns:p='v'><c/></p:b><d xmlns=''/></a>").unwrap();
    assert!(root.is("u", "a") && root.children[0].is("v", "b"));
    assert!(root.children[0].children[0].is("u", "c") && root.children[1].is("", "d"));
}

#[test]
fn comments_and_sections_join_into_text() {
    let root = parse(b"<a>x<!-- no -->y<![CDATA[<z>]]>&amp;</a>").unwrap();
    assert_eq!(root.text, "xy<z>&");
}
