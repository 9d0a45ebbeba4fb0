//! Local times of certain days.

use std::collections::BTreeSet;

use units::{Date, Timestamp, Weekday, Zone};

/// A local time of certain days. A time that a change of the clock leaves out is when the clock is
/// changed; one that comes twice is when it comes first ([`Zone::first_at`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    /// Days of the week; empty for all.
    pub weekdays: BTreeSet<Weekday>,
    /// Months, 1 to 12; empty for all.
    pub months: BTreeSet<u8>,
    /// Seconds after midnight by the clock there, less than a day.
    pub start_s: u32,
    /// Days on which nothing happens.
    pub excluded: BTreeSet<Date>,
}

impl Calendar {
    /// Most days on which nothing happens.
    pub const MAX_EXCLUDED_DATES: usize = 1_000;

    /// Whether something happens on `date`.
    #[must_use]
    pub fn has(&self, date: Date) -> bool {
        let weekday = self.weekdays.is_empty() || self.weekdays.contains(&date.weekday());
        let month = self.months.is_empty() || self.months.contains(&date.month);
        weekday && month && !self.excluded.contains(&date)
    }

    /// Its instants later than `after` and not later than `until`, in order.
    pub fn starts<'a>(
        &'a self,
        zone: &'a Zone,
        after: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = Timestamp> + use<'a> {
        // A day that a change of the clock leaves out happens at the end of the day before.
        let first = zone.date(after).days() - 1;
        let last = zone.date(until).days() + 1;
        let dates = (first..=last).map(Date::of_day);
        let instants = dates
            .filter(|date| self.has(*date))
            .map(|date| zone.first_at(date, self.start_s));
        let mut before = after;
        instants.filter(move |at| {
            let is_next = before < *at && *at <= until;
            if is_next {
                before = *at;
            }
            is_next
        })
    }
}
