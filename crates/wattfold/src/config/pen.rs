//! The private enterprise number at the end of every mRID.

use serde::Deserialize;

/// Largest number whose decimal digits fit into the last eight digits of an mRID.
pub const MAX_DECIMAL_PEN: u32 = 99_999_999;

/// How the number stands in the last 32 bits of an mRID.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PenForm {
    /// As a binary number (IEEE 2030.5-2018, `mRIDType`).
    #[default]
    Number,
    /// Its decimal digits read as hexadecimal ones, as CSIP-AUS has it.
    DecimalDigits,
}

impl PenForm {
    /// The last 32 bits of an mRID; `None` if `pen` has too many digits.
    #[must_use]
    pub fn bits(self, pen: u32) -> Option<u32> {
        match self {
            Self::Number => Some(pen),
            Self::DecimalDigits if MAX_DECIMAL_PEN < pen => None,
            Self::DecimalDigits => u32::from_str_radix(&pen.to_string(), 16).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_an_mrid_as_it_is_or_digit_by_digit() {
        assert_eq!(PenForm::Number.bits(37_250), Some(37_250));
        assert_eq!(PenForm::DecimalDigits.bits(37_250), Some(0x0003_7250));
        assert_eq!(
            PenForm::DecimalDigits.bits(MAX_DECIMAL_PEN),
            Some(0x9999_9999)
        );
        assert_eq!(PenForm::DecimalDigits.bits(MAX_DECIMAL_PEN + 1), None);
    }
}
