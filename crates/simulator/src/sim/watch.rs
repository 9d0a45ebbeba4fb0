//! Shows the checkers what they judge.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet::{
    Control, ControlBase, DerId, DispatchId, Event, Fleet, MicrogridEvent, Mrid, Observation,
    Origin, ProgramId,
};
use ieee2030_5::client::setpoint::Source;
use store::{Batch, Store};
use units::{Interval, Timestamp, Watts};
use wattfold::config::Limit;
use wattfold::node::{Durable, restart};

use super::check::expiry::Knows;
use super::check::fallback::Defaults;
use super::check::generation::Generations;
use super::check::limits::{self, Envelopes, GRACE};
use super::check::shared::Part;
use super::check::{
    Checks, answers, conservation, durability::Kept, energy, expiry, fallback, island, ledger,
    replay, shared,
};
use super::device::Device;
use super::run::by;
use super::stores::Stores;

/// Time in which every device has let go of the share of a dispatch that is over.
const LET_GO_WITHIN: Duration = Duration::from_secs(3_600);

/// Which rule was violated, and what was found.
type Found = Result<(), (&'static str, String)>;

/// Time in which the server finds that a device does not do what it is asked, or a device that it is
/// asked no more: by its silence or its meter, a look of the loop, the lead time and that of a poll.
const TOLD_APART_WITHIN: Duration = Duration::from_secs(1_500);

/// What the checkers remember.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) checks: Checks,
    generations: Generations,
    envelopes: Envelopes,
    defaults: Defaults,
    acknowledged: Vec<Event>,
    seen: shared::Seen,
}

impl Watch {
    /// A batch is durable and published; `seen` is what its plans were made of.
    pub(super) fn committed(
        &mut self,
        (batch, seen): (&Batch, &[Observation]),
        durable: &Durable,
        now: Timestamp,
    ) -> Found {
        let fleet = &durable.state.fleet;
        for entry in &batch.entries {
            match &entry.event {
                Event::PlanAdopted(plan) => {
                    self.seen.planned(plan.dispatch, seen);
                    self.checks.add("generation");
                    by("generation", self.generations.adopted(plan))?;
                    if let Some(dispatch) = fleet.dispatch(plan.dispatch) {
                        self.checks.add("conservation");
                        by("conservation", conservation::check(plan, dispatch))?;
                        self.checks.add("energy");
                        let members = Stores::new(fleet, seen, plan);
                        by("energy", energy::check(plan, &dispatch.schedule, &members))?;
                    }
                    self.checks.add("island");
                    by("island", island::plan(plan, fleet))?;
                }
                Event::EnvelopeSet(envelope) => {
                    self.enveloped(envelope.der, fleet, now);
                }
                Event::EnvelopeCleared(der, _) => self.enveloped(*der, fleet, now),
                Event::Microgrid(MicrogridEvent::Moved(id, _)) => {
                    let known = fleet.microgrids().microgrid(*id);
                    for member in known.iter().flat_map(|(it, _)| &it.members) {
                        self.enveloped(member.der, fleet, now);
                        self.defaults.shown(member.der, now);
                    }
                }
                Event::ProgramCreated(program) | Event::ProgramChanged(program) => {
                    self.defaults.changed(program.id, now);
                }
                _ => {}
            }
        }
        by("island", island::controls(fleet, now))
    }

    fn enveloped(&mut self, der: DerId, fleet: &Fleet, now: Timestamp) {
        let envelopes = match fleet.is_separated(der) {
            true => &[],
            false => fleet.envelopes_of(der),
        };
        self.envelopes.changed(der, envelopes, now);
    }

    /// An operator was told of these.
    pub(super) fn acknowledged(&mut self, events: Vec<Event>) {
        self.acknowledged.extend(events);
    }

    /// What a device does whenever it looks.
    pub(super) fn does(&mut self, device: &Device, durable: &Durable, now: Timestamp) -> Found {
        by(
            "limits",
            limits::rating(device.output.p_w, device.member.rating_w),
        )?;
        let knows = match device.is_astray {
            true => Knows::Nothing,
            false => Knows::Time,
        };
        for mrid in followed(device) {
            let control = durable.state.fleet.control_by_mrid(Mrid(mrid));
            self.checks.add("expiry");
            let verdict = expiry::check((mrid, control), (&device.horizon, knows), now);
            by("expiry", verdict)?;
        }
        Ok(())
    }

    /// A device beside what it must know.
    pub(super) fn device(
        &mut self,
        (der, device): (DerId, &Device),
        durable: &Durable,
        now: Timestamp,
    ) -> Found {
        let Some(known) = device.horizon.known(now) else {
            return Ok(());
        };
        if !device.is_on() || device.is_astray {
            return Ok(());
        }
        let fleet = &durable.state.fleet;
        for mrid in followed(device) {
            if let Some(control) = fleet.control_by_mrid(Mrid(mrid)) {
                self.checks.add("island");
                by("island", island::follows(der, control, fleet, known))?;
            }
        }
        let heeds = !device.is_inert && !device.is_opted_out;
        if heeds && device.heeds_since.after(GRACE) <= now && !is_contested(der, device, durable) {
            let known = known.before(GRACE);
            let allowed = match is_renewed(der, (fleet, known), now) {
                true => (None, None),
                false => self.envelopes.allowed(der, known, now),
            };
            let allowed = match device.member.kind {
                fleet::DerKind::Pv => (allowed.0, None),
                _ => allowed,
            };
            if allowed != (None, None) {
                self.checks.add("limits");
            }
            by("limits", limits::envelope(device.output.p_w, allowed))?;
        }
        let programs = durable.state.fleet.programs_of(der);
        let ids: Vec<ProgramId> = programs.iter().map(|program| program.id).collect();
        let is_free = device.is_opted_out || !followed(device).is_empty();
        if !is_free && self.defaults.are_known(der, &ids, known) {
            let defaults: Vec<&ControlBase> = programs
                .iter()
                .map(|program| &program.default.base)
                .collect();
            if defaults.iter().any(|base| !base.is_empty()) {
                self.checks.add("fallback");
            }
            let config = device.member.config();
            let supported = config.devices[0].supported();
            let verdict = fallback::check(&defaults, supported, &device.setpoint.asked);
            by("fallback", verdict)?;
        }
        Ok(())
    }

    /// What dispatches have the DER of each limit do.
    pub(super) fn limits(
        &mut self,
        limits: &[Limit],
        devices: &[Device],
        (durable, now): (&Durable, Timestamp),
    ) -> Found {
        let fleet = &durable.state.fleet;
        // Devices let go of the shares of a dispatch that is over within a while.
        let open: BTreeSet<DispatchId> = fleet
            .open_dispatches(now.before(LET_GO_WITHIN))
            .map(|dispatch| dispatch.id)
            .collect();
        self.seen.keep(|id| open.contains(&id));
        let seen = &self.seen;
        let part = |der: DerId| {
            // What a member does with its switch open loads nothing of the grid.
            if fleet.is_separated(der) {
                return Part::Asked(Watts::ZERO, Vec::new());
            }
            let Some(device) = devices.get(der.index()) else {
                return Part::Unasked(Vec::new());
            };
            let given = given(der, device, (fleet, now));
            let Some((control, asked)) = dispatched(device, fleet) else {
                return Part::Unasked(unasked(seen, der, fleet).chain(given).collect());
            };
            let is_new = |at: Timestamp| now.since(at) <= TOLD_APART_WITHIN;
            let withdrawn = control.cancelled.is_some_and(is_new);
            let counted = unasked(seen, der, fleet).filter(|_| withdrawn);
            Part::Asked(asked, counted.chain(given).collect())
        };
        for limit in limits.iter().flat_map(|limit| limit.rows(fleet)) {
            let is_asked = |der| matches!(part(der), Part::Asked(p, _) if p != Watts::ZERO);
            if limit.terms.iter().any(|(der, _)| is_asked(*der)) {
                self.checks.add("shared");
            }
            by("shared", shared::check(&limit, part))?;
        }
        Ok(())
    }

    /// The server has started from what is stored.
    pub(super) fn restarted(
        &mut self,
        store: &dyn Store,
        durable: &Durable,
        devices: &[Device],
    ) -> Found {
        let mut kept = Kept::new(&self.acknowledged);
        let folded = store::fold_noting(store, &mut |_, event| kept.read(event));
        folded.map_err(|error| ("durability", error.to_string()))?;
        self.acknowledged
            .iter()
            .for_each(|_| self.checks.add("durability"));
        by("durability", kept.verdict())?;
        let fleet = &durable.state.fleet;
        for (index, device) in devices.iter().enumerate() {
            for (mrid, life) in &device.lives {
                let control = fleet.control_by_mrid(Mrid(*mrid));
                let row = control.and_then(|control| {
                    durable.state.deliveries.get(control.id, DerId::from(index))
                });
                self.checks.add("ledger");
                let verdict = ledger::acknowledged(life, row);
                by(
                    "ledger",
                    verdict.map_err(|found| format!("d{index}: {found}")),
                )?;
            }
        }
        Ok(())
    }

    /// Whether what is stored folds to what was served.
    pub(super) fn replays(&mut self, store: &dyn Store, durable: &Durable) -> Found {
        let folded = restart::fold(store);
        let (state, _) = folded.map_err(|error| ("replay", error.to_string()))?;
        self.checks.add("replay");
        let served = (&durable.state.fleet, &durable.state.deliveries);
        by(
            "replay",
            replay::check(served, (&state.fleet, &state.deliveries)),
        )
    }

    /// The run is over, and everything had time to settle.
    pub(super) fn over(&mut self, durable: &Durable, devices: &[Device]) -> Found {
        let fleet = &durable.state.fleet;
        for (index, device) in devices.iter().enumerate() {
            let of = |found| format!("d{index}: {found}");
            let waiting = answers::nothing_waits(device.waiting_responses());
            by("answers", waiting.map_err(of))?;
            for (mrid, life) in &device.lives {
                self.checks.add("answers");
                by("answers", answers::check(*mrid, life).map_err(of))?;
            }
        }
        for row in durable.state.deliveries.rows() {
            let device = devices.get(row.der.index());
            let mrid = fleet.control(row.control).map(|control| control.mrid.0);
            let life = mrid.and_then(|mrid| device?.lives.get(&mrid));
            self.checks.add("ledger");
            let verdict = ledger::happened(row, life);
            by(
                "ledger",
                verdict.map_err(|found| format!("d{}: {found}", row.der.0)),
            )?;
        }
        Ok(())
    }
}

/// The events that a device acts on.
fn followed(device: &Device) -> BTreeSet<u128> {
    let sources = device.setpoint.asked.iter().map(|asked| asked.source);
    let events = sources.filter_map(|source| match source {
        Source::Event(mrid) => Some(mrid),
        Source::Default(_) => None,
    });
    events.collect()
}

/// Whether the device goes by a limit that is not of its envelope but ranks as high: then the
/// envelope's own is displaced for good, and the next tick asks for it again.
fn is_contested(der: DerId, device: &Device, durable: &Durable) -> bool {
    let fleet = &durable.state.fleet;
    let envelope = fleet
        .envelope_program(der)
        .map(|program| (program.id, program.primacy));
    let mut sources = followed(device).into_iter();
    sources.any(|mrid| {
        let control = fleet.control_by_mrid(Mrid(mrid));
        let program = control.and_then(|control| fleet.program(control.program));
        let Some((program, (own, primacy))) = program.zip(envelope) else {
            return false;
        };
        program.id != own && program.primacy <= primacy
    })
}

/// Whether a control of the envelope of `der` that counts about now was made after `known`, of which
/// the device need not know: others had displaced the one before.
fn is_renewed(der: DerId, (fleet, known): (&Fleet, Timestamp), now: Timestamp) -> bool {
    let about = Interval::between(now.before(GRACE), now.after(GRACE));
    fleet.own_controls_of(der).any(|control| {
        let counts = control.origin == Origin::Envelope && control.interval.overlaps(about);
        counts && known < control.created
    })
}

/// The control of a dispatch by which the device goes, and what it does by it.
fn dispatched<'a>(device: &Device, fleet: &'a Fleet) -> Option<(&'a Control, Watts)> {
    let asked = device.setpoint.active_power()?;
    let Source::Event(mrid) = asked.source else {
        return None;
    };
    let control = fleet.control_by_mrid(Mrid(mrid))?;
    let is_share = matches!(control.origin, Origin::Dispatch { .. });
    let p = asked.request.p(&device.member.nameplate)?;
    is_share.then_some((control, p))
}

/// What dispatches ask of `der` by now, while it may yet be that it does not know and nobody can tell.
fn given(der: DerId, device: &Device, (fleet, now): (&Fleet, Timestamp)) -> Option<Watts> {
    let control = fleet.in_force(der, now)?;
    let is_share = matches!(control.origin, Origin::Dispatch { .. });
    let since = control.begins().max(device.heeds_since);
    let settings = fleet.der(der)?.settings.as_ref();
    let p = control.base.p(settings);
    p.filter(|_| is_share && now.since(since) <= TOLD_APART_WITHIN)
}

/// What `der` may have been counted at, not being asked: as it was seen, or at its default control.
fn unasked(seen: &shared::Seen, der: DerId, fleet: &Fleet) -> impl Iterator<Item = Watts> {
    let settings = fleet.der(der).and_then(|der| der.settings.as_ref());
    let programs = fleet.programs_of(der);
    let defaults = programs
        .into_iter()
        .filter_map(move |program| program.default.base.p(settings));
    seen.of(der).chain(defaults)
}
