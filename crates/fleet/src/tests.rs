mod control;
mod delivery;
mod enrolment;
mod envelope;
mod explanation;
mod lifecycle;
mod limits;
mod microgrid;
mod place;
mod plan;
mod rated;
mod reconcile;
mod strategy;
mod verdict;

use std::time::Duration;

use units::{Interval, Timestamp, WattHours, Watts};

use crate::{
    AggregatorId, Capability, CimMrid, Command, DerFunction, DerFunctions, DerId, DerKind, Event,
    Fleet, Identity, Lfdi, Mode, Modes, Name, NewDer, NewGroup, Pin, Settings, Target,
};

fn t(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn watts(w: i64) -> Watts {
    Watts::whole(w)
}

fn target(start: i64, secs: u64, p: i64) -> Target {
    let interval = Interval {
        start: t(start),
        duration: Duration::from_secs(secs),
    };
    Target::net(interval, watts(p))
}

fn mrid(text: &str) -> CimMrid {
    CimMrid::new(text).unwrap()
}

fn storage_modes() -> Modes {
    Modes::default()
        .with(Mode::Charge)
        .with(Mode::Discharge)
        .with(Mode::TargetW)
}

/// A fleet built by commands, with the events that made it.
struct Rig {
    fleet: Fleet,
    events: Vec<Event>,
}

impl Rig {
    fn new() -> Self {
        let mut rig = Self {
            fleet: Fleet::default(),
            events: Vec::new(),
        };
        rig.must(
            &Command::FoundFleet(Identity {
                seed: 0xA5A5,
                pen: 37_250,
            }),
            0,
        );
        rig
    }

    fn must(&mut self, command: &Command, now: i64) -> Vec<Event> {
        let events = self.fleet.decide(command, t(now)).unwrap();
        for event in &events {
            self.fleet.apply(event);
        }
        self.events.extend(events.clone());
        events
    }

    /// Carries out `command` with everything that follows from it.
    fn follow(&mut self, command: &Command, now: i64) -> Vec<Event> {
        let mut all = Vec::new();
        let mut queue = self.must(command, now);
        while !queue.is_empty() {
            let event = queue.remove(0);
            for command in self.fleet.consequences(&event, t(now)) {
                queue.extend(self.must(&command, now));
            }
            all.push(event);
        }
        all
    }

    fn knows_envelopes(&mut self, der: DerId) {
        let mut capability = self.fleet.der(der).unwrap().capability.clone().unwrap();
        capability.doe_modes = 0b1111;
        self.must(&Command::ReportCapability(der, capability), 0);
    }

    /// A PV plant of `max_w` that can be curtailed.
    fn pv(&mut self, max_w: i64) -> DerId {
        let modes = Modes::default().with(Mode::MaxLimW);
        self.der(DerKind::Pv, max_w, 0, None, modes)
    }

    /// A storage DER of ±`max_w` and `wh`, enrolled, registered and described.
    fn storage(&mut self, max_w: i64, wh: i64) -> DerId {
        self.der(DerKind::Storage, max_w, max_w, Some(wh), storage_modes())
    }

    /// A storage DER that `manager` stands in for, of which nothing is reported.
    fn managed(&mut self, manager: AggregatorId) -> DerId {
        self.enrol(DerKind::Storage, Some(manager))
    }

    fn enrol(&mut self, kind: DerKind, manager: Option<AggregatorId>) -> DerId {
        let index = self.fleet.ders().len();
        let id = DerId::from(index);
        let mut lfdi = [0; 20];
        lfdi[19] = u8::try_from(index % 256).unwrap();
        lfdi[18] = u8::try_from(index / 256).unwrap();
        self.must(
            &Command::EnrolDer(NewDer {
                mrid: mrid(&format!("der-{index}")),
                name: Name::new(&format!("DER {index}")).unwrap(),
                kind,
                lfdi: Lfdi(lfdi),
                pin: Pin::with_check_digit(11_111),
                registered: true,
                reserve: units::Percent::default(),
                manager,
                assignments: Vec::new(),
            }),
            0,
        );
        id
    }

    fn der(
        &mut self,
        kind: DerKind,
        inject_w: i64,
        absorb_w: i64,
        wh: Option<i64>,
        modes: Modes,
    ) -> DerId {
        let id = self.enrol(kind, None);
        let capability = Capability {
            p_inject_max: watts(inject_w),
            p_absorb_max: watts(absorb_w),
            s_max: None,
            q_inject_max: None,
            q_absorb_max: None,
            energy_max: wh.map(WattHours::whole),
            modes,
            doe_modes: 0,
        };
        let settings = Settings {
            p_inject_max: watts(inject_w),
            p_absorb_max: watts(absorb_w),
            p_max: None,
            s_max: None,
            energy_max: wh.map(WattHours::whole),
            q_inject_max: None,
            q_absorb_max: None,
            soft_ramp_per_second: None,
            enter_service: crate::EnterService::default(),
            ramp_per_second: None,
            modes,
            updated: t(0),
        };
        self.must(&Command::ReportCapability(id, capability), 0);
        self.must(&Command::ReportSettings(id, settings), 0);
        id
    }

    fn group(&mut self, name: &str, members: &[DerId]) {
        let all = DerFunctions::default().with(DerFunction::RealPowerDispatch);
        self.must(
            &Command::CreateGroup(NewGroup {
                mrid: mrid(name),
                names: Vec::new(),
                description: None,
                functions: all,
                members: members.to_vec(),
                version: None,
            }),
            0,
        );
    }
}
