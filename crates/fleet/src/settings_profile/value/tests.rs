use proptest::prelude::*;

use super::Decimal;

#[test]
fn a_decimal_is_read_as_it_is_written() {
    let read = |text: &str| text.parse::<Decimal>().map(Decimal::micro);
    assert_eq!(read("0.917"), Ok(917_000));
    assert_eq!(read("-0.44"), Ok(-440_000));
    assert_eq!(read(".5"), Ok(500_000));
    assert_eq!(read("+59.50"), Ok(59_500_000));
    assert_eq!(read("100000"), Ok(100_000_000_000));
    assert_eq!(read("0000000000001.0000000000"), Ok(1_000_000));
    assert_eq!(read("999999999.999999"), Ok(999_999_999_999_999));
}

#[test]
fn what_would_lose_digits_is_refused() {
    for text in [
        "",
        "-",
        ".",
        "1e3",
        "0x1",
        "1,5",
        "١",
        "NaN",
        "1.2.3",
        " 1",
        "1000000000",
        "0.0000001",
        "--1",
        "99999999999999999999",
    ] {
        assert!(text.parse::<Decimal>().is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn writing_and_reading_gives_the_same(micro in -999_999_999_999_999_i64..=999_999_999_999_999) {
        let decimal = Decimal::from_micro(micro);
        prop_assert_eq!(decimal.to_string().parse(), Ok(decimal));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let read = text.parse::<Decimal>();
        prop_assert!(read.is_err() || read.is_ok_and(|d| d.micro().abs() < 1_000_000_000_000_000));
    }
}
