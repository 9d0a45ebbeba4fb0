//! What the utility has permitted when it let a DER on to its grid.

use std::time::Duration;

use units::{Interval, Timestamp, Watts};

use super::demand_response_program::Fuel;
use crate::settings_profile::Category;

/// Months of a year.
pub const MONTHS: usize = 12;
const HOURS: usize = 24;
const HOUR: Duration = Duration::from_secs(3_600);
/// Hours after which a profile of months and hours repeats.
const LONGEST_LOOK_H: usize = 366 * HOURS;

/// Whether the utility may call on the DER to hold back beyond its limits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Firmness {
    /// It may inject what was approved at all times.
    Firm,
    /// It accepted to be curtailed in exchange for being let on.
    Flexible,
}

/// Limits on export by month and hour (California Rule 21, Limited Generation Profile).
///
/// Interpretation: the hours are those of standard time all the year, which the rule leaves open;
/// the offset says of which place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitedGeneration {
    /// Standard time less UTC, in seconds.
    pub utc_offset_s: i32,
    /// Most export, as a magnitude, by month from January and hour from midnight.
    pub export_max: Box<[[Watts; HOURS]; MONTHS]>,
}

/// The interconnection record of one DER.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interconnection {
    /// From when it may operate; `None` while permission is awaited.
    pub permission_from: Option<Timestamp>,
    /// When permission ended, if it did.
    pub permission_until: Option<Timestamp>,
    /// Most export approved, as a magnitude.
    pub export_max: Option<Watts>,
    /// Most import approved, as a magnitude.
    pub import_max: Option<Watts>,
    /// Whether it may discharge a store into the grid at all.
    pub discharge: Discharge,
    /// Performance category it was approved for (IEEE 1547-2018, 1.4).
    pub category: Option<Category>,
    /// Limits on export by month and hour.
    pub limited_generation: Option<LimitedGeneration>,
    /// Whether it may be curtailed beyond that.
    pub firmness: Firmness,
    /// What drives it, for a generator.
    pub fuel: Option<Fuel>,
}

/// Whether a store may inject: a vehicle or a battery that is approved for charging alone may not,
/// whatever its nameplate says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Discharge {
    /// It may.
    Allowed,
    /// It may not.
    NotAllowed,
}

impl Interconnection {
    /// A record that permits nothing yet and limits nothing.
    #[must_use]
    pub const fn awaiting_permission() -> Self {
        Self {
            permission_from: None,
            permission_until: None,
            export_max: None,
            import_max: None,
            discharge: Discharge::Allowed,
            category: None,
            limited_generation: None,
            firmness: Firmness::Firm,
            fuel: None,
        }
    }

    /// Whether the DER may operate all through `span`.
    #[must_use]
    pub fn permits(&self, span: Interval) -> bool {
        let begun = self.permission_from.is_some_and(|from| from <= span.start);
        begun
            && self
                .permission_until
                .is_none_or(|until| span.end() <= until)
    }

    /// Most export all through `span`, as a magnitude; `None` without a limit.
    #[must_use]
    pub fn export_max_during(&self, span: Interval) -> Option<Watts> {
        let not_at_all = (self.discharge == Discharge::NotAllowed).then_some(Watts::ZERO);
        let profile = self.limited_generation.as_ref();
        let by_profile = profile.map(|profile| profile.least_during(span));
        [not_at_all, self.export_max, by_profile]
            .into_iter()
            .flatten()
            .min()
    }
}

impl LimitedGeneration {
    /// Most export at `at`, as a magnitude.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Watts {
        let local = at.secs().saturating_add(i64::from(self.utc_offset_s));
        let month = usize::from(Timestamp::from_secs(local).date().month - 1);
        let hour = usize::try_from(local.rem_euclid(86_400) / 3_600).unwrap_or(0);
        self.export_max[month][hour]
    }

    fn least_during(&self, span: Interval) -> Watts {
        // Standard time differs from UTC by whole quarters of an hour, so hours begin at those.
        let offset = i64::from(self.utc_offset_s);
        let local = span.start.secs().saturating_add(offset);
        let first = Timestamp::from_secs(local.div_euclid(3_600) * 3_600 - offset);
        let hours = (0..LONGEST_LOOK_H).scan(first, |next, _| {
            let this = *next;
            *next = this.after(HOUR);
            Some(this)
        });
        let inside = hours.take_while(|hour| *hour == first || *hour < span.end());
        inside
            .map(|hour| self.at(hour))
            .min()
            .unwrap_or(Watts::ZERO)
    }
}
