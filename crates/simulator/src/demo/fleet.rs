//! The devices of the demo, running.

use std::collections::BTreeMap;
use std::time::Duration;

use ieee2030_5::client::{Config, DeviceConfig, Stage as ClientStage};
use tokio::task::JoinSet;
use wattfold::pki;
use wattfold::tls::{Connector, TlsFiles, lfdi_of_pem};

use super::error::DemoError;
use super::roster::Roster;
use super::stage::Stage;
use crate::device::{Device, Fault, Hold, Seen};
use crate::noise::Noise;
use crate::world::{Meters, World};
use wattfold::der2030::link::Link;

/// The sun of the demo stands where it does at this hour.
const HOUR: f64 = 11.5;
/// How often a device asks at most.
const POLL_FLOOR: Duration = Duration::from_secs(1);

/// Devices and the world below them. They end when this is dropped.
pub(super) struct Fleet {
    pub(super) meters: Meters,
    pub(super) devices: Vec<Hold>,
    _running: JoinSet<()>,
}

impl Fleet {
    pub(super) fn start(
        stage: &Stage<'_>,
        roster: &Roster,
        pins: &BTreeMap<String, u32>,
    ) -> Result<Self, DemoError> {
        let (world, terminals) = World::new(roster.plants(), roster.feeder(), HOUR);
        let meters = world.meters();
        let mut running = JoinSet::new();
        running.spawn(world.run(stage.clock));
        let mut devices = Vec::with_capacity(terminals.len());
        for (index, (member, terminal)) in roster.members.iter().zip(terminals).enumerate() {
            let tls = |source| DemoError::Tls {
                name: member.name.clone(),
                source,
            };
            let (cert_chain, key) = pki::device_paths(&stage.layout.pki(), &member.name);
            let lfdi = lfdi_of_pem(&cert_chain).map_err(tls)?;
            let trust = stage.layout.pki().join("ca-chain.pem");
            let files = TlsFiles {
                cert_chain,
                key,
                trust,
            };
            let connector = Connector::new(&files).map_err(tls)?;
            let device = DeviceConfig {
                pin: pins.get(&member.name).copied(),
                ..DeviceConfig::new(lfdi.0, lfdi.sfdi(), member.nameplate)
            };
            let start = format!("https://{}/dcap", stage.layout.devices);
            let config = Config {
                poll_floor: POLL_FLOOR,
                seed: Noise::fork(roster.seed, index).bits(),
                ..Config::of_device(start, device)
            };
            let link = Link::mutual_tls(stage.layout.devices.into(), connector);
            let (device, hold) = Device::new(config, member.nameplate, link, terminal, stage.clock);
            running.spawn(device.run());
            devices.push(hold);
        }
        Ok(Self {
            meters,
            devices,
            _running: running,
        })
    }

    pub(super) fn fail(&self, index: usize, fault: Fault) {
        self.devices[index].fault.send_replace(fault);
    }

    /// Takes all faults away.
    pub(super) fn repair(&mut self) {
        for device in &self.devices {
            device.fault.send_replace(Fault::None);
        }
    }

    pub(super) fn in_service(&self) -> usize {
        let stages = self.devices.iter().map(|device| device.seen.borrow().stage);
        stages
            .filter(|stage| *stage == ClientStage::InService)
            .count()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.devices
            .iter()
            .map(|device| device.seen.borrow().clone())
            .collect()
    }
}
