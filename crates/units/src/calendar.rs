//! Days of the Gregorian calendar.

use crate::Timestamp;

/// A day of the week (ISO 8601: it begins with Monday).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Weekday {
    /// Day 1.
    Monday,
    /// Day 2.
    Tuesday,
    /// Day 3.
    Wednesday,
    /// Day 4.
    Thursday,
    /// Day 5.
    Friday,
    /// Day 6.
    Saturday,
    /// Day 7.
    Sunday,
}

impl Weekday {
    /// Every day, in order.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

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

impl Date {
    /// The day of this year, month and day, `None` where the calendar has none.
    #[must_use]
    pub fn new(year: i64, month: u8, day: u8) -> Option<Self> {
        let date = Self { year, month, day };
        let exists = (-9_999..=9_999).contains(&year)
            && (1..=12).contains(&month)
            && Self::of_day(date.days()) == date;
        exists.then_some(date)
    }

    /// Days since 1970-01-01, which is day 0 (H. Hinnant, "chrono-compatible low-level date
    /// algorithms", `days_from_civil`).
    #[must_use]
    pub fn days(self) -> i64 {
        let month = i64::from(self.month);
        // Years begin on 1 March.
        let year = self.year - i64::from(month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let from_march = (month + 9) % 12;
        let day_of_year = (153 * from_march + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The day so many days after 1970-01-01.
    #[must_use]
    pub fn of_day(days: i64) -> Self {
        Timestamp::from_secs(days.saturating_mul(86_400)).date()
    }

    /// Which day of the week it is.
    #[must_use]
    pub fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        let index = (self.days() + 3).rem_euclid(7);
        usize::try_from(index).map_or(Weekday::Monday, |index| Weekday::ALL[index])
    }
}

impl Timestamp {
    /// The day that it falls on, UTC (H. Hinnant, "chrono-compatible low-level date algorithms",
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
