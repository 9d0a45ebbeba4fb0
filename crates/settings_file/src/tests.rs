use proptest::prelude::*;

use super::*;

fn read_text(rows: &[&str]) -> Result<SettingsFile, FileError> {
    read(format!("PARAMETER,VALUE\n{}\n", rows.join("\n")).as_bytes())
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().unwrap())
}

fn errors(rows: &[&str]) -> Vec<String> {
    match read_text(rows) {
        Err(FileError::Rows(errors)) => errors.iter().map(RowError::to_string).collect(),
        other => panic!("errors by row, not {other:?}"),
    }
}

#[test]
fn settings_are_read_with_or_without_their_suffix() {
    let file = read_text(&[
        "MT_FILE_INFO_TYPE,AS",
        "COMMENT,\"Spring, \"\"final\"\"\"",
        "NP_NORMAL_OP_CAT,CAT_B",
        "NP_ABNORMAL_OP_CAT,cat_iii",
        "ES_V_LOW-AS,0.917",
        "QV_MODE_ENABLE-SS,enabled",
        "CONST_PF_EXCITATION,INJ",
        "QV_CURVE_Q4-AS, -0.44 ",
    ])
    .unwrap();
    assert_eq!(file.kind, Some(FileKind::Applied));
    assert_eq!(file.comment, Some(Note::new("Spring, \"final\"").unwrap()));
    let category = Category {
        normal: Normal::B,
        abnormal: Abnormal::III,
    };
    assert_eq!(file.category(), Some(category));
    assert_eq!(
        file.values,
        Values::from([
            (Parameter::EsVLow, number("0.917")),
            (Parameter::QvModeEnable, Value::Enabled(true)),
            (
                Parameter::ConstPfExcitation,
                Value::Excitation(Excitation::Injecting)
            ),
            (Parameter::QvCurveQ4, number("-0.44")),
        ])
    );
    assert_eq!(file.rows[&Parameter::EsVLow], 6);
}

#[test]
fn bytes_that_spreadsheets_add_do_not_matter() {
    let file = read(b"\xEF\xBB\xBFparameter,Value\r\n\r\nES_DELAY-AS,300\r\n").unwrap();
    assert_eq!(file.values[&Parameter::EsDelay], number("300"));
    assert_eq!(file.rows[&Parameter::EsDelay], 3);
}

#[test]
fn what_is_no_setting_is_set_aside_and_owners_are_not_kept() {
    let file = read_text(&[
        "MT_DER_OWNER_NAME,Erika Mustermann",
        "NP_P_MAX,100000",
        "MYPARAM-AS,100",
        "ES_DELAY-AS,",
    ])
    .unwrap();
    let aside: Vec<_> = file
        .set_aside
        .iter()
        .map(|row| (row.row, row.parameter.as_str(), row.reason))
        .collect();
    assert_eq!(
        aside,
        [
            (2, "MT_DER_OWNER_NAME", Reason::Description),
            (3, "NP_P_MAX", Reason::Description),
            (4, "MYPARAM", Reason::Unknown),
            (5, "ES_DELAY", Reason::Empty),
        ]
    );
    assert!(file.values.is_empty());
    assert!(!format!("{file:?}").contains("Mustermann"));
}

#[test]
fn every_bad_row_is_told_with_its_rule() {
    assert_eq!(
        errors(&[
            "ES_V_LOW-AS,0.9170000001",
            "QV_MODE_ENABLE-AS,yes",
            "ES_DELAY-AS,300",
            "ES_DELAY-SS,60",
            "NP_NORMAL_OP_CAT,CAT_C",
            "ES_F_LOW-AS,59.5,Hz",
            "CONST_PF_EXCITATION-AS,OVER",
            "ES_F_LOW",
        ]),
        [
            "row 2: ES_V_LOW-AS: a decimal number is required, such as 0.917, with at most 9 \
             digits before and 6 after the point",
            "row 3: QV_MODE_ENABLE-AS: is one of ENABLED, DISABLED, ENABLE, DISABLE",
            "row 5: ES_DELAY-SS: is given in row 4 already",
            "row 6: NP_NORMAL_OP_CAT: is one of CAT_A, CAT_B",
            "row 7: ES_F_LOW-AS: a row has a parameter and a value",
            "row 8: CONST_PF_EXCITATION-AS: is one of INJ, ABS",
            "row 9: ES_F_LOW: a row has a parameter and a value",
        ]
    );
    let long = format!("COMMENT,{}", "x".repeat(513));
    assert_eq!(
        errors(&[&long]),
        ["row 2: COMMENT: note must have 1 to 512 characters, has 513"]
    );
}

#[test]
fn text_that_is_no_utf_8_is_a_row_s_error() {
    let read = read(b"PARAMETER,VALUE\nES_DELAY,\xFF\n");
    let Err(FileError::Rows(errors)) = read else {
        panic!("an error, not {read:?}");
    };
    assert_eq!(errors[0].to_string(), "row 2: ES_DELAY: is UTF-8");
}

#[test]
fn what_is_no_such_file_is_refused() {
    for bytes in [
        &b""[..],
        b"\n\n",
        b"ES_DELAY-AS,300\n",
        b"PARAMETER\n",
        b"PARAMETER,VALUE,UNIT\n",
        b"PARAMETER;VALUE\n",
        b"PK\x03\x04",
    ] {
        assert_eq!(read(bytes), Err(FileError::Header), "{bytes:?}");
    }
}

#[test]
fn sizes_are_bounded() {
    let many = vec!["X,1"; MAX_ROWS - 1];
    assert!(!matches!(read_text(&many), Err(FileError::TooManyRows)));
    let more = vec!["X,1"; MAX_ROWS];
    assert_eq!(read_text(&more), Err(FileError::TooManyRows));
    let head = b"PARAMETER,VALUE\n";
    let mut bytes = head.to_vec();
    bytes.resize(MAX_FILE_BYTES, b'\n');
    assert!(read(&bytes).is_ok());
    bytes.push(b'\n');
    assert_eq!(read(&bytes), Err(FileError::TooLarge));
    let wrong: Vec<String> = (0..MAX_ERRORS + 50).map(|n| format!("X{n}")).collect();
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
    assert_eq!(errors(&wrong).len(), MAX_ERRORS);
    let Err(FileError::Rows(errors)) = read_text(&[&"Y".repeat(10_000)]) else {
        panic!("an error");
    };
    assert_eq!(errors[0].parameter.len(), MAX_QUOTED_CHARS);
}

#[test]
fn a_comment_is_no_formula_to_a_spreadsheet() {
    let comment = Note::new("=HYPERLINK(\"http://example.org\")").unwrap();
    let bytes = write(FileKind::Specified, None, &Values::new(), Some(&comment));
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(",\" =HYPERLINK"), "{text}");
    assert_eq!(read(&bytes).unwrap().comment, Some(comment));
}

fn any_value(parameter: Parameter) -> BoxedStrategy<Value> {
    match parameter.kind() {
        Kind::Switch => any::<bool>().prop_map(Value::Enabled).boxed(),
        Kind::Excitation => prop_oneof![
            Just(Value::Excitation(Excitation::Injecting)),
            Just(Value::Excitation(Excitation::Absorbing))
        ]
        .boxed(),
        _ => (-999_999_999_999_999_i64..=999_999_999_999_999)
            .prop_map(|micro| Value::Number(Decimal::from_micro(micro)))
            .boxed(),
    }
}

fn any_values() -> impl Strategy<Value = Values> {
    let row = proptest::sample::select(Parameter::ALL)
        .prop_flat_map(|parameter| (Just(parameter), any_value(parameter)));
    proptest::collection::vec(row, 0..40).prop_map(|rows| rows.into_iter().collect())
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        values in any_values(),
        comment in proptest::option::of("[ -~]{1,200}"),
        applied in any::<bool>(),
    ) {
        let kind = if applied { FileKind::Applied } else { FileKind::Specified };
        let category = Category { normal: Normal::A, abnormal: Abnormal::II };
        let comment = comment.and_then(|text| Note::new(&text).ok());
        let bytes = write(kind, Some(category), &values, comment.as_ref());
        let file = read(&bytes).unwrap();
        prop_assert_eq!(file.kind, Some(kind));
        prop_assert_eq!(file.category(), Some(category));
        prop_assert_eq!(file.values, values);
        prop_assert_eq!(file.comment, comment);
        prop_assert_eq!(file.set_aside, []);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut file = b"PARAMETER,VALUE\n".to_vec();
        file.extend(&bytes);
        for bytes in [&bytes, &file] {
            if let Ok(file) = read(bytes) {
                prop_assert!(file.values.len() <= Parameter::ALL.len());
            }
        }
    }
}
