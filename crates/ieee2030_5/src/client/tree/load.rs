//! Demand response: the end device controls of the devices.

use std::sync::Arc;

use units::Timestamp;

use super::ranked;
use crate::client::content::{Content, Program};
use crate::client::event::{Announced, Listed};
use crate::client::graph::{Kind, NodeId, Parent};
use crate::client::{Client, DeviceIndex, MAX_PROGRAMS};
use crate::wire::demand_response::{DemandResponseProgram, EndDeviceControl};

impl Client {
    pub(super) fn on_load_programs(
        &mut self,
        node: NodeId,
        programs: &[DemandResponseProgram],
        now: Timestamp,
    ) {
        let mut followed = Vec::new();
        for program in programs.iter().take(MAX_PROGRAMS) {
            let mrid = program.mrid.value();
            let href = self.list_link(program.end_device_control_list_link.as_ref());
            let kind = Kind::LoadControls(mrid);
            let href = href.as_deref();
            followed.push(Program {
                mrid,
                primacy: program.primacy,
                controls: href.and_then(|it| self.follow(Parent::Node(node), kind, it, now)),
                default: None,
            });
        }
        let children = followed.iter().filter_map(|it| it.controls).collect();
        let gone = self.graph.adopt(node, children);
        self.forget(gone, now);
        if let Some(it) = self.graph.get_mut(node) {
            it.content = Content::Programs(followed);
        }
        self.reassign_all(node, now);
    }

    /// As for the programmes of DER.
    pub(super) fn reassign_loads(&mut self, index: DeviceIndex, now: Timestamp) {
        let server_now = self.server_now(now);
        let (programs, is_complete) = self.programs_of(index, Kind::LoadPrograms);
        let device = &mut self.devices[index.place()];
        let programs = ranked(programs, (!is_complete).then_some(&device.load_programs));
        if device.load_programs == programs {
            return;
        }
        let before = std::mem::replace(&mut device.load_programs, programs.clone());
        let primacy = programs.iter().map(|it| (it.mrid, it.primacy)).collect();
        device.loads.assign(&primacy, server_now);
        for program in programs.iter().filter(|it| !before.contains(it)) {
            let node = program.controls.and_then(|it| self.graph.get(it));
            if let Some(node) = node
                && let Content::Loads(listed) = &node.content
            {
                let loads = &mut self.devices[index.place()].loads;
                loads.learn(program.mrid, (listed, node.extent), server_now);
            }
        }
        self.touched(index, now);
    }

    pub(super) fn on_load_controls(
        &mut self,
        node: NodeId,
        controls: &[EndDeviceControl],
        now: Timestamp,
    ) {
        let Some(Kind::LoadControls(program)) = self.graph.get(node).map(|it| it.kind) else {
            return;
        };
        let listed = controls.iter().map(|control| {
            let event = Announced::end_device_control(program, control.clone());
            Listed::new(event, &control.event_status)
        });
        let listed: Vec<Listed<Arc<EndDeviceControl>>> = listed.collect();
        let extent = self.graph.extent(node);
        let server_now = self.server_now(now);
        for index in self.graph.devices(node) {
            let device = &mut self.devices[index.place()];
            let follows = |it: &Program| it.mrid == program && it.controls == Some(node);
            if device.load_programs.iter().any(follows) {
                device.loads.learn(program, (&listed, extent), server_now);
                self.touched(index, now);
            }
        }
        if let Some(it) = self.graph.get_mut(node) {
            it.content = Content::Loads(listed);
        }
    }

    /// The demand response events in force at the device, best first.
    #[must_use]
    pub fn loads(&self, device: DeviceIndex) -> Vec<Arc<EndDeviceControl>> {
        let device = self.devices.get(device.place());
        let events = device.map(|it| it.loads.in_force()).unwrap_or_default();
        events
            .iter()
            .map(|(event, _)| Arc::clone(&event.payload))
            .collect()
    }
}
