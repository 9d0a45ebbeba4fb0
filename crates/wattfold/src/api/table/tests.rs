use super::*;

#[test]
fn the_form_is_what_is_asked_for_or_accepted() {
    let wanted = |asked, accept: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        TableFormat::wanted(asked, &headers)
    };
    assert_eq!(wanted(None, "*/*"), TableFormat::Json);
    assert_eq!(wanted(None, "text/html, Text/CSV;q=0.9"), TableFormat::Csv);
    assert_eq!(wanted(None, PARQUET), TableFormat::Parquet);
    let both = "application/json, text/csv";
    assert_eq!(wanted(None, both), TableFormat::Json);
    assert_eq!(
        wanted(Some(TableFormat::Parquet), both),
        TableFormat::Parquet
    );
    assert_eq!(
        TableFormat::wanted(None, &HeaderMap::new()),
        TableFormat::Json
    );
}

#[test]
fn text_is_no_formula_and_numbers_stay_numbers() {
    let text = |text: &str| Cell::Text(text.to_owned()).to_csv();
    for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
        assert_eq!(text(formula), format!("'{formula}"));
    }
    assert_eq!(text("a=1"), "a=1");
    assert_eq!(Cell::Number(-1.5).to_csv(), "-1.5");
    assert_eq!(Cell::Nothing.to_csv(), "");
}
