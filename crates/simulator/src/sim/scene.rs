//! Where a run takes place: shared limits and local time.

use ieee2030_5::server::{DaylightSaving, TimeZone};
use units::Timestamp;
use wattfold::config::{Limit, Scope};

use super::operator::Operator;
use super::roster::Member;

/// The end of summer time in Europe in 2026, and a date far from it.
pub(super) const AUTUMN: Timestamp = Timestamp::from_secs(1_792_890_000);
const SPRING: Timestamp = Timestamp::from_secs(1_774_746_000);
pub(super) const JUNE: Timestamp = Timestamp::from_secs(1_781_481_600);

/// All storage together.
pub(super) fn limits(operator: &Operator, members: &[Member]) -> Vec<Limit> {
    let limited = operator
        .limited
        .iter()
        .filter_map(|der| members.get(der.index()));
    let limited: Vec<&Member> = limited.collect();
    let rating_w: f64 = limited.iter().map(|member| member.rating_w.0).sum();
    vec![Limit {
        name: "transformer".to_owned(),
        max_export_w: Some((rating_w * 0.5).round()),
        max_import_w: Some((rating_w * 0.6).round()),
        ders: Scope::Names(
            limited
                .iter()
                .map(|member| member.name.to_string())
                .collect(),
        ),
    }]
}

/// That of central Europe.
pub(super) fn time_zone() -> TimeZone {
    TimeZone {
        offset_s: 3_600,
        dst_offset_s: 3_600,
        summers: vec![DaylightSaving {
            start: SPRING,
            end: AUTUMN,
        }],
    }
}
