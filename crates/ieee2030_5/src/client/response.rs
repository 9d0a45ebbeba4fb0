//! Responses on their way to the server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::DeviceIndex;
use super::events::Due;

/// Responses that wait for the server; further ones are given up.
pub const MAX_WAITING_RESPONSES: usize = 131_072;
/// Of these, from one device.
pub const MAX_WAITING_OF_DEVICE: usize = 1024;
/// Responses under way at once. Those of one device are in one lane, so that they keep their order.
pub(super) const LANES: usize = 8;

#[derive(Clone, Debug, Default)]
pub(super) struct Responses {
    lanes: [VecDeque<(DeviceIndex, Due)>; LANES],
    of_device: BTreeMap<DeviceIndex, usize>,
    taken: BTreeSet<(DeviceIndex, u128, u8)>,
}

impl Responses {
    pub(super) fn push(&mut self, device: DeviceIndex, due: Due) {
        if self
            .taken
            .remove(&(device, due.subject.value(), due.status.0))
        {
            return;
        }
        let of_device = self.of_device.get(&device).copied().unwrap_or(0);
        if self.len() < MAX_WAITING_RESPONSES && of_device < MAX_WAITING_OF_DEVICE {
            self.lanes[lane_of(device)].push_back((device, due));
            self.of_device.insert(device, of_device + 1);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// The lane of a device, unless nothing waits there.
    pub(super) fn lane(&self, device: DeviceIndex) -> Option<u8> {
        let lane = lane_of(device);
        let waits = !self.lanes[lane].is_empty();
        waits.then(|| u8::try_from(lane).expect("there are few lanes"))
    }

    pub(super) fn first(&self, lane: u8) -> Option<&(DeviceIndex, Due)> {
        self.lanes.get(usize::from(lane))?.front()
    }

    /// Takes the first of a lane away; whether more wait there.
    pub(super) fn pop(&mut self, lane: u8) -> bool {
        let Some(lane) = self.lanes.get_mut(usize::from(lane)) else {
            return false;
        };
        if let Some((device, _)) = lane.pop_front() {
            match self.of_device.get_mut(&device) {
                Some(waiting) if 1 < *waiting => *waiting -= 1,
                _ => _ = self.of_device.remove(&device),
            }
        }
        !lane.is_empty()
    }

    /// What waits in the lane of a device, its own responses and others'.
    pub(super) fn of_lane_of(
        &self,
        device: DeviceIndex,
    ) -> impl Iterator<Item = &(DeviceIndex, Due)> {
        self.lanes[lane_of(device)].iter()
    }

    /// The server took this before a restart; it is not told again.
    pub(super) fn already_taken(&mut self, device: DeviceIndex, subject: u128, status: u8) {
        self.taken.insert((device, subject, status));
    }
}

fn lane_of(device: DeviceIndex) -> usize {
    device.place() % LANES
}
