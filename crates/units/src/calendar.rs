//! Days of the Gregorian calendar, UTC.

use crate::Timestamp;

/// A day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Date {
    /// Year; 0 is 1 BC.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
}

impl Timestamp {
    /// The day that it falls on (H. Hinnant, "chrono-compatible low-level date algorithms",
    /// `civil_from_days`).
    #[must_use]
    pub fn date(self) -> Date {
        // Eras of 400 years begin on 1 March, so that the leap day is the last of its year.
        let since_0000_03_01 = self.secs().div_euclid(86_400) + 719_468;
        let (era, day_of_era) = (
            since_0000_03_01.div_euclid(146_097),
            since_0000_03_01.rem_euclid(146_097),
        );
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = (from_march + 2) % 12 + 1;
        let early = i64::from(month <= 2);
        Date {
            year: era * 400 + year_of_era + early,
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }
}
