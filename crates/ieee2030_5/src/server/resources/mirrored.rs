//! Where every mirrored usage point and meter reading is.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::translate::{Client, DerId};
use crate::wire::metering_mirror::MirrorUsagePoint;

/// Whose a usage point is, and its number.
type Place = (Client, u32);

/// The mRIDs of usage points and of their meter readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Mirrored {
    /// The highest mRID first.
    points: BTreeSet<(Reverse<u128>, Place)>,
    readings: BTreeSet<(u128, Place)>,
}

impl Mirrored {
    pub(super) fn add(&mut self, place: Place, point: &MirrorUsagePoint) {
        self.points.insert((Reverse(point.mrid.value()), place));
        let readings = point.mirror_meter_reading.iter();
        let mrids = readings.map(|reading| (reading.mrid.value(), place));
        self.readings.extend(mrids);
    }

    pub(super) fn remove(&mut self, place: Place, point: &MirrorUsagePoint) {
        self.points.remove(&(Reverse(point.mrid.value()), place));
        for reading in &point.mirror_meter_reading {
            self.readings.remove(&(reading.mrid.value(), place));
        }
    }

    /// Every usage point, the highest mRID first.
    pub(super) fn points(&self) -> impl Iterator<Item = Place> {
        self.points.iter().map(|(_, place)| *place)
    }

    /// Who has a meter reading of this mRID, once for each of its usage points.
    pub(super) fn owners_of_reading(&self, mrid: u128) -> impl Iterator<Item = Client> {
        let first = (mrid, (Client::Der(DerId(0)), 0));
        let from = self.readings.range(first..);
        from.take_while(move |(other, _)| *other == mrid)
            .map(|(_, (client, _))| *client)
    }
}
