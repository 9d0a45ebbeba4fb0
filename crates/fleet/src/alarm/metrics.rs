//! How well the alarms can be dealt with (ANSI/ISA-18.2-2016, clause 16): rates for each operating
//! position, floods, the worst contributors, what stands for long, and how priorities are
//! distributed.

use std::collections::BTreeMap;
use std::time::Duration;

use units::{Interval, Timestamp};

use super::book::Annunciation;
use super::{AlarmBook, Kind, Priority, State, Subject};

/// The period over which alarms are counted for floods.
pub const PERIOD: Duration = Duration::from_secs(600);
/// More annunciations in a period, for each operating position, begin a flood.
pub const FLOOD_BEGINS_ABOVE: usize = 10;
/// Fewer annunciations in a period, for each operating position, end it.
pub const FLOOD_ENDS_BELOW: usize = 5;
/// An alarm that stands longer is stale.
pub const STALE_AFTER: Duration = Duration::from_secs(86_400);
/// As many annunciations of one alarm within [`CHATTERING_WITHIN`] are chattering.
pub const CHATTERING_COUNT: usize = 3;
/// See [`CHATTERING_COUNT`].
pub const CHATTERING_WITHIN: Duration = Duration::from_secs(60);
/// Contributors that are named.
pub const CONTRIBUTORS: usize = 10;

/// What is known of the load on operators.
#[derive(Clone, PartialEq, Debug)]
pub struct Metrics {
    /// Over which time.
    pub span: Interval,
    /// Annunciations in it.
    pub annunciations: usize,
    /// Of the last ten minutes, for each operating position.
    pub last_period: f64,
    /// The most in one period of ten minutes, for each operating position.
    pub peak_period: f64,
    /// Of the periods, the share in percent with more than ten for each operating position.
    pub overloaded_pct: f64,
    /// The floods, oldest first.
    pub floods: Vec<Flood>,
    /// Of the time, the share in percent that is in a flood.
    pub flood_pct: f64,
    /// Whether there is one now.
    pub in_flood: bool,
    /// What was annunciated most, with how often; at most [`CONTRIBUTORS`].
    pub contributors: Vec<(Kind, Subject, usize)>,
    /// Alarms that chattered.
    pub chattering: Vec<(Kind, Subject)>,
    /// Alarms whose condition has been there for long, and that are neither shelved nor suppressed.
    pub stale: usize,
    /// Annunciations by priority.
    pub by_priority: BTreeMap<Priority, usize>,
    /// Alarms that are not back to normal, by state.
    pub by_state: BTreeMap<State, usize>,
}

/// A stretch in which alarms come faster than they can be dealt with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Flood {
    /// From the beginning of the first period above the bound, to that of the first one below the
    /// lower bound, or to now.
    pub interval: Interval,
    /// Annunciations in it.
    pub annunciations: usize,
    /// Whether it goes on.
    pub goes_on: bool,
}

/// The load of the last `lookback`, which is cut to what is remembered, shared by `positions`
/// operating positions.
#[must_use]
pub fn metrics(book: &AlarmBook, now: Timestamp, lookback: Duration, positions: usize) -> Metrics {
    let from = now.before(lookback.min(AlarmBook::HISTORY));
    let all: Vec<&Annunciation> = book
        .history()
        .filter(|it| from < it.at && it.at <= now)
        .collect();
    let counts = periods(&all, from, now);
    let each = positions.max(1) as f64;
    let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
    let is_over = |count: &&usize| FLOOD_BEGINS_ABOVE as f64 * each < **count as f64;
    let floods = floods(&counts, from, now, positions.max(1));
    let in_flood = floods.last().is_some_and(|flood| flood.goes_on);
    let flooded: Duration = floods.iter().map(|flood| flood.interval.duration).sum();
    let span = Interval::between(from, now);
    let recent = all.iter().filter(|it| now.before(PERIOD) < it.at).count();
    let mut by_priority = BTreeMap::new();
    for annunciation in &all {
        let priority = annunciation.kind.rationale().priority;
        *by_priority.entry(priority).or_default() += 1;
    }
    let mut by_state = BTreeMap::new();
    for alarm in book.alarms() {
        *by_state.entry(alarm.state).or_default() += 1;
    }
    let stands = |state| matches!(state, State::Unacknowledged | State::Acknowledged);
    let stale = book
        .alarms()
        .filter(|alarm| stands(alarm.state) && alarm.raised.after(STALE_AFTER) < now);
    Metrics {
        span,
        annunciations: all.len(),
        last_period: recent as f64 / each,
        peak_period: counts.iter().copied().max().unwrap_or(0) as f64 / each,
        overloaded_pct: share(counts.iter().filter(is_over).count(), counts.len()),
        flood_pct: 100.0 * flooded.as_secs_f64() / span.duration.as_secs_f64().max(1.0),
        floods,
        in_flood,
        contributors: contributors(&all),
        chattering: chattering(&all),
        stale: stale.count(),
        by_priority,
        by_state,
    }
}

/// Annunciations in each of the periods that `from` to `now` is cut into; the last one may be
/// short, and has what is annunciated now.
fn periods(all: &[&Annunciation], from: Timestamp, now: Timestamp) -> Vec<usize> {
    let count = now.since(from).as_secs().div_ceil(PERIOD.as_secs());
    let mut counts = vec![0; usize::try_from(count).unwrap_or(usize::MAX)];
    for annunciation in all {
        let place = annunciation.at.since(from).as_secs() / PERIOD.as_secs();
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let last = counts.len().saturating_sub(1);
        if let Some(count) = counts.get_mut(place.min(last)) {
            *count += 1;
        }
    }
    counts
}

fn floods(counts: &[usize], from: Timestamp, now: Timestamp, positions: usize) -> Vec<Flood> {
    let begin_of = |place: usize| {
        let periods = u32::try_from(place).unwrap_or(u32::MAX);
        from.after(PERIOD.saturating_mul(periods))
    };
    let mut floods: Vec<Flood> = Vec::new();
    for (place, count) in counts.iter().enumerate() {
        let goes_on = floods.last().is_some_and(|flood| flood.goes_on);
        let whole = begin_of(place).after(PERIOD) <= now;
        if goes_on {
            let flood = floods.last_mut().expect("one goes on");
            // A period that has just begun has few alarms yet.
            let is_over = whole && *count < FLOOD_ENDS_BELOW * positions;
            let end = if is_over { begin_of(place) } else { now };
            flood.interval = Interval::between(flood.interval.start, end);
            flood.goes_on = !is_over;
            flood.annunciations += if is_over { 0 } else { *count };
        } else if FLOOD_BEGINS_ABOVE * positions < *count {
            floods.push(Flood {
                interval: Interval::between(begin_of(place), now),
                annunciations: *count,
                goes_on: true,
            });
        }
    }
    floods
}

fn contributors(all: &[&Annunciation]) -> Vec<(Kind, Subject, usize)> {
    let mut counts: BTreeMap<(Kind, &Subject), usize> = BTreeMap::new();
    for annunciation in all {
        let key = (annunciation.kind, &annunciation.subject);
        *counts.entry(key).or_default() += 1;
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    let named = ranked.into_iter().take(CONTRIBUTORS);
    named
        .map(|((kind, subject), count)| (kind, subject.clone(), count))
        .collect()
}

fn chattering(all: &[&Annunciation]) -> Vec<(Kind, Subject)> {
    let mut times: BTreeMap<(Kind, &Subject), Vec<Timestamp>> = BTreeMap::new();
    for annunciation in all {
        let key = (annunciation.kind, &annunciation.subject);
        times.entry(key).or_default().push(annunciation.at);
    }
    let chatters = |times: &[Timestamp]| {
        let mut runs = times.windows(CHATTERING_COUNT);
        runs.any(|run| run[run.len() - 1].since(run[0]) <= CHATTERING_WITHIN)
    };
    let found = times.into_iter().filter(|(_, times)| chatters(times));
    found
        .map(|((kind, subject), _)| (kind, subject.clone()))
        .collect()
}
