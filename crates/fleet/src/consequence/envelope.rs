//! Bringing the controls of a DER to its envelopes. It takes no input but the state, so that what
//! was displaced, withdrawn or removed comes back by asking again.

use std::collections::BTreeMap;

use units::{Interval, Timestamp, Watts};

use super::share_of;
use crate::control::precedence::{self, Loss};
use crate::envelope::{Fallback, combined};
use crate::{
    Command, Control, ControlBase, ControlId, DefaultControl, Der, DerId, Envelope, Fleet, Mode,
    NewControl, Origin, Program, Scaled, Setting, Share,
};

impl Fleet {
    /// What brings the controls of `der` to its envelopes; nothing when they agree. New controls
    /// come before old ones are withdrawn, so that whoever looks at any moment sees no gap.
    #[must_use]
    pub fn envelope_commands(&self, der: DerId, now: Timestamp) -> Vec<Command> {
        let Some(der) = self.der(der).filter(|der| der.removed.is_none()) else {
            return Vec::new();
        };
        // An envelope is a limit of the grid. It is lifted where the switch of a microgrid is open for
        // sure, and is back before it closes.
        let envelopes = match self.is_separated(der.id) {
            true => &[],
            false => self.envelopes_of(der.id),
        };
        let Some(program) = self.envelope_program(der.id) else {
            return match envelopes.is_empty() {
                true => Vec::new(),
                false => vec![Command::CreateEnvelopeProgram(der.id)],
            };
        };
        let (wanted, fallback) = wanted(der, envelopes, now);
        let is_open = |control: &Control| is_open(control, now);
        if wanted.is_empty() && !self.own_controls_of(der.id).any(is_open) {
            return default_command(program, der, fallback)
                .into_iter()
                .collect();
        }
        let present = Present::of(self, der.id, program, now);
        let missing = wanted.values().filter_map(|point| present.missing(point));
        let mut commands: Vec<Command> = missing.map(Command::IssueControl).collect();
        let stale = present.stale(&wanted);
        commands.extend(stale.map(|control| Command::CancelControl(control.id)));
        commands.extend(default_command(program, der, fallback));
        commands
    }

    /// How many controls `der` needs at `now` besides those that it has, were these its envelopes.
    pub(crate) fn missing_for(&self, der: DerId, envelopes: &[Envelope], now: Timestamp) -> usize {
        let Some(der) = self.der(der) else {
            return 0;
        };
        let (wanted, _) = wanted(der, envelopes, now);
        let Some(program) = self.envelope_program(der.id) else {
            return wanted.len();
        };
        let present = Present::of(self, der.id, program, now);
        let missing = wanted.values().filter_map(|point| present.missing(point));
        missing.count()
    }
}

/// A limit in one interval.
struct Point {
    interval: Interval,
    base: ControlBase,
}

/// What is left of `envelopes` at `now`, by end, and the limits outside of it.
fn wanted(
    der: &Der,
    envelopes: &[Envelope],
    now: Timestamp,
) -> (BTreeMap<Timestamp, Point>, Fallback) {
    let (points, fallback) = combined(envelopes);
    let left = points.iter().filter(|point| now < point.interval.end());
    let asked = left.map(|point| Point {
        interval: point.interval,
        base: limits(der, point.import_max, point.export_max),
    });
    let asked = asked.filter(|point| !point.base.is_empty());
    let by_end = asked.map(|point| (point.interval.end(), point)).collect();
    (by_end, fallback)
}

/// The controls of a DER's envelope that are neither withdrawn nor over.
struct Present<'a> {
    fleet: &'a Fleet,
    der: DerId,
    program: &'a Program,
    now: Timestamp,
    by_end: BTreeMap<Timestamp, Vec<&'a Control>>,
    /// What they lose, and to whom.
    lost: Vec<BTreeMap<ControlId, Loss<'a>>>,
    /// Whether others that rank at least as high ask any of it.
    is_contested: bool,
}

impl<'a> Present<'a> {
    fn of(fleet: &'a Fleet, der: DerId, program: &'a Program, now: Timestamp) -> Self {
        let candidates = fleet.ranked_controls_of(der);
        let mut by_end: BTreeMap<Timestamp, Vec<&Control>> = BTreeMap::new();
        let own = fleet.own_controls_of(der);
        let own = own.filter(|control| is_open(control, now));
        for control in own {
            by_end
                .entry(control.interval.end())
                .or_default()
                .push(control);
        }
        let is_above = |control: &Control, primacy: u8| {
            control.origin != Origin::Envelope
                && primacy <= program.primacy
                && now < control.interval.end()
                && LIMITS
                    .iter()
                    .any(|limit| control.base.asks_class(limit.class()))
        };
        let is_contested = candidates.iter().any(|(c, primacy)| is_above(c, *primacy));
        let lost = LIMITS.map(|limit| precedence::losses_of_all(&candidates, limit.class()));
        Self {
            fleet,
            der,
            program,
            now,
            by_end,
            lost: lost.into(),
            is_contested,
        }
    }

    /// The control that is to be issued for `point`: for the first part of what is left of it that
    /// no control holds, from when the device would take it.
    fn missing(&self, point: &Point) -> Option<NewControl> {
        let end = point.interval.end();
        let mut new = NewControl {
            der: Some(self.der),
            program: self.program.id,
            origin: Origin::Envelope,
            interval: Interval::between(point.interval.start.max(self.now.ceil_secs()), end),
            base: point.base.clone(),
            terms: None,
        };
        while new.interval.start < end {
            if self.is_contested {
                let free = self.fleet.free_from(&new).min(end);
                new.interval = Interval::between(free, end);
            }
            let from = new.interval.start;
            let mut present = self.by_end.get(&end).into_iter().flatten();
            let holds = |control: &&&Control| {
                let lost = self.lost_at(control);
                let in_time = control.interval.start <= from && lost.is_none_or(|at| from < at);
                in_time && self.serves(control, point)
            };
            match present.find(holds) {
                None => return (from < end).then_some(new),
                Some(holder) => {
                    let next = self.lost_at(holder)?;
                    new.interval = Interval::between(next.min(end), end);
                }
            }
        }
        None
    }

    /// The controls that ask what is no longer wanted.
    fn stale(&self, wanted: &BTreeMap<Timestamp, Point>) -> impl Iterator<Item = &'a Control> {
        let serves = |control: &Control| {
            let point = wanted.get(&control.interval.end());
            point.is_some_and(|point| self.serves(control, point))
        };
        let all = self.by_end.values().flatten().copied();
        all.filter(move |control| !serves(control))
    }

    /// Whether `control`, which ends with `point`, asks for no other limit and for none before it.
    fn serves(&self, control: &Control, point: &Point) -> bool {
        let starts_within =
            point.interval.start <= control.interval.start || point.interval.start <= self.now;
        control.program == self.program.id && starts_within && control.base == point.base
    }

    /// When `control` first loses anything of what it asks.
    fn lost_at(&self, control: &Control) -> Option<Timestamp> {
        let lost = self.lost.iter().filter_map(|lost| lost.get(&control.id));
        lost.map(|loss| loss.at).min()
    }
}

/// Whether `control` is of an envelope, and neither withdrawn nor over.
fn is_open(control: &Control, now: Timestamp) -> bool {
    let open = control.cancelled.is_none() && now < control.interval.end();
    control.origin == Origin::Envelope && open
}

/// The settings of which envelopes are made.
const LIMITS: [Setting; 3] = [
    Setting::ImpLimW(Scaled::ZERO),
    Setting::ExpLimW(Scaled::ZERO),
    Setting::MaxLimW(Share::NONE),
];

/// The settings that keep `der` within these limits. A device that knows no envelope modes gets
/// its injection limited, which keeps the export limit whatever the load; it has no mode for import.
fn limits(der: &Der, import_max: Option<Watts>, export_max: Option<Watts>) -> ControlBase {
    let knows_envelopes = der.capability.as_ref().is_some_and(|c| c.doe_modes != 0);
    if knows_envelopes || !der.can(Mode::MaxLimW) {
        let import = import_max.map(|limit| Setting::ImpLimW(Scaled::from_w(limit)));
        let export = export_max.map(|limit| Setting::ExpLimW(Scaled::from_w(limit)));
        return ControlBase::of(import.into_iter().chain(export));
    }
    let of = der.settings.as_ref().map(crate::Settings::max_w);
    let share = |(limit, of): (Watts, Watts)| {
        Setting::MaxLimW(Share {
            percent: share_of(limit, of),
            of: Some(of),
        })
    };
    ControlBase::of(export_max.zip(of).map(share))
}

fn default_command(program: &Program, der: &Der, fallback: Fallback) -> Option<Command> {
    let base = limits(der, fallback.import_max, fallback.export_max);
    (program.default.base != base)
        .then(|| Command::SetDefaultControl(program.id, DefaultControl::asking(base)))
}
