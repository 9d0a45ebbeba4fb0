//! Shows the checkers what they judge.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet::dispatch::Plan;
use fleet::{
    ControlBase, DerId, DispatchId, Event, Fleet, MicrogridEvent, Mrid, Observation, Origin,
    ProgramId,
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

/// Time in which every device has let go of the share of a dispatch that is over.
const LET_GO_WITHIN: Duration = Duration::from_secs(3_600);

/// Which rule was violated, and what was found.
type Found = Result<(), (&'static str, String)>;

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
                        let store = |der| store_of(der, fleet, (seen, plan));
                        by("energy", energy::check(plan, &dispatch.schedule, store))?;
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
            let allowed = self.envelopes.allowed(der, known.before(GRACE), now);
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
                return Part::Asked(Watts::ZERO);
            }
            let device = devices.get(der.index());
            let asked = device.and_then(|device| dispatched(device, durable));
            asked.map_or_else(|| Part::Unasked(unasked(seen, der, fleet)), Part::Asked)
        };
        for limit in limits.iter().flat_map(|limit| limit.rows(fleet)) {
            let is_asked = |der| matches!(part(der), Part::Asked(p) if p != Watts::ZERO);
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

/// What is behind `der` by what was `seen` of it when a plan was made.
fn store_of(
    der: DerId,
    fleet: &Fleet,
    (seen, plan): (&[Observation], &Plan),
) -> Option<energy::Store> {
    let der = fleet.der(der)?;
    let made = plan.made;
    let settings = der.settings.as_ref()?;
    let rated = der.capability.as_ref().and_then(|c| c.energy_max);
    let whole_wh = settings.energy_max.or(rated)?.as_f64();
    let soc_pct = seen.get(der.id.index())?.soc_pct.map(|soc| soc.value);
    let flexibility = fleet.enrolment().flexibility(der.id);
    let flexibility = flexibility.cloned().unwrap_or_default();
    let share_wh = |pct: f64| whole_wh * pct.max(0.0) / 100.0;
    let departure = flexibility.departure.filter(|it| made < it.at);
    let need = departure.zip(soc_pct).and_then(|(departure, soc_pct)| {
        // Charging may be limited by others; then it is not the plan that keeps it from being full.
        let span = Interval::between(made, departure.at);
        let is_free = fleet.limits_during(der, settings, span).1.is_none();
        is_free.then(|| energy::Need {
            energy_wh: share_wh(departure.soc.as_f64() - soc_pct),
            by: departure.at,
            p_charge_max_w: settings.p_absorb_max.as_f64(),
        })
    });
    let store = energy::Store {
        above_reserve_wh: soc_pct.map_or(0.0, |soc| share_wh(soc - der.reserve.as_f64())),
        room_wh: soc_pct.map_or(0.0, |soc| share_wh(100.0 - soc)),
        charge_efficiency: flexibility.charge_efficiency.as_f64() / 100.0,
        discharge_efficiency: flexibility.discharge_efficiency.as_f64() / 100.0,
        need,
    };
    let own = fleet.own_controls_of(der.id).filter(|control| {
        let of = matches!(control.origin, Origin::Dispatch { dispatch, .. } if dispatch == plan.dispatch);
        of && control.created < made
    });
    let asked = own.filter_map(|control| Some((control.interval, control.base.p(Some(settings))?)));
    Some(store.after(asked, Interval::between(made, plan.effective.max(made))))
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

/// What a dispatch has the device do.
fn dispatched(device: &Device, durable: &Durable) -> Option<Watts> {
    let asked = device.setpoint.active_power()?;
    let Source::Event(mrid) = asked.source else {
        return None;
    };
    let control = durable.state.fleet.control_by_mrid(Mrid(mrid))?;
    let is_share = matches!(control.origin, Origin::Dispatch { .. });
    let p = asked.request.p(&device.member.nameplate);
    p.filter(|_| is_share)
}

/// What `der` may have been counted at, not being asked: as it was seen, or at its default control.
fn unasked(seen: &shared::Seen, der: DerId, fleet: &Fleet) -> Vec<Watts> {
    let settings = fleet.der(der).and_then(|der| der.settings.as_ref());
    let programs = fleet.programs_of(der);
    let defaults = programs
        .iter()
        .filter_map(|program| program.default.base.p(settings));
    seen.of(der).chain(defaults).collect()
}
