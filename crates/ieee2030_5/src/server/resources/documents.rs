//! The documents of one client.

use std::collections::BTreeMap;

use super::posted::PostedResponse;
use super::rates::ClientProfile;
use super::{DocumentError, PROFILE};
use crate::codec::read::{Complex, read};
use crate::codec::table::Profile;
use crate::server::subscription::Subscriptions;
use crate::wire::connection_point::ConnectionPoint;
use crate::wire::der::{DerAvailability, DerCapability, DerSettings, DerStatus};
use crate::wire::device_information::DeviceInformation;
use crate::wire::end_device::EndDevice;
use crate::wire::log_event::LogEvent;
use crate::wire::metering_mirror::MirrorUsagePoint;

/// What one client has put and posted. Log events and responses are numbered in order of arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    pub end_device: Option<EndDevice>,
    pub information: Option<DeviceInformation>,
    pub connection_point: Option<ConnectionPoint>,
    pub capability: Option<DerCapability>,
    pub settings: Option<DerSettings>,
    pub status: Option<DerStatus>,
    pub availability: Option<DerAvailability>,
    pub usage_points: BTreeMap<u32, MirrorUsagePoint>,
    /// The highest number of a usage point that was deleted.
    pub(in crate::server) usage_points_deleted: u32,
    pub log_events: BTreeMap<u32, LogEvent>,
    pub responses: BTreeMap<u32, PostedResponse>,
    pub(in crate::server) subscriptions: Subscriptions,
    pub(super) profile: Option<Profile>,
}

impl Documents {
    pub(super) const NONE: Self = Self {
        end_device: None,
        information: None,
        connection_point: None,
        capability: None,
        settings: None,
        status: None,
        availability: None,
        usage_points: BTreeMap::new(),
        usage_points_deleted: 0,
        log_events: BTreeMap::new(),
        responses: BTreeMap::new(),
        subscriptions: Subscriptions::NONE,
        profile: None,
    };

    pub(super) fn apply(&mut self, path: &str, bytes: Option<&[u8]>) -> Result<(), DocumentError> {
        match path {
            "edev" => self.end_device = body(path, bytes)?,
            "di" => self.information = body(path, bytes)?,
            "cp" => self.connection_point = body(path, bytes)?,
            "dercap" => self.capability = body(path, bytes)?,
            "derg" => self.settings = body(path, bytes)?,
            "ders" => self.status = body(path, bytes)?,
            "dera" => self.availability = body(path, bytes)?,
            PROFILE => {
                let known = body::<ClientProfile>(path, bytes)?;
                self.profile = known.and_then(|known| known.profile());
            }
            DELETED => {
                let number = bytes.and_then(|bytes| str::from_utf8(bytes).ok()?.parse().ok());
                self.usage_points_deleted = number.unwrap_or(0);
            }
            _ => {
                let unknown = || DocumentError::Path(path.to_owned());
                let (kind, number) = path.split_once('/').ok_or_else(unknown)?;
                let number = number.parse().map_err(|_| unknown())?;
                match kind {
                    "mup" => keep(&mut self.usage_points, number, body(path, bytes)?),
                    "lel" => keep(&mut self.log_events, number, body(path, bytes)?),
                    "rsp" => keep(&mut self.responses, number, response(path, bytes)?),
                    "sub" => self.subscriptions.apply(path, bytes)?,
                    _ => return Err(unknown()),
                }
            }
        }
        Ok(())
    }
}

impl Documents {
    /// The paths of everything that is kept.
    pub(super) fn paths(&self) -> Vec<String> {
        let kept = |path: &str, there: bool| there.then(|| path.to_owned());
        let single = [
            kept("edev", self.end_device.is_some()),
            kept("di", self.information.is_some()),
            kept("cp", self.connection_point.is_some()),
            kept("dercap", self.capability.is_some()),
            kept("derg", self.settings.is_some()),
            kept("ders", self.status.is_some()),
            kept("dera", self.availability.is_some()),
            kept(PROFILE, self.profile.is_some()),
            kept(DELETED, 0 < self.usage_points_deleted),
        ];
        let mut paths: Vec<String> = single.into_iter().flatten().collect();
        paths.extend(self.usage_points.keys().map(|k| format!("mup/{k}")));
        paths.extend(self.log_events.keys().map(|k| format!("lel/{k}")));
        paths.extend(self.responses.keys().map(|k| format!("rsp/{k}")));
        paths.extend(self.subscriptions.paths());
        paths
    }
}

/// Where the highest number of a deleted usage point is kept, as digits.
pub(in crate::server) const DELETED: &str = "mup/deleted";

pub(super) fn body<T: Complex>(
    path: &str,
    bytes: Option<&[u8]>,
) -> Result<Option<T>, DocumentError> {
    bytes
        .map(read)
        .transpose()
        .map_err(|source| DocumentError::Body {
            path: path.to_owned(),
            source,
        })
}

fn response(path: &str, bytes: Option<&[u8]>) -> Result<Option<PostedResponse>, DocumentError> {
    let read = bytes.map(PostedResponse::read).transpose();
    read.map_err(|source| DocumentError::Body {
        path: path.to_owned(),
        source,
    })
}

fn keep<T>(documents: &mut BTreeMap<u32, T>, number: u32, document: Option<T>) {
    match document {
        Some(document) => drop(documents.insert(number, document)),
        None => drop(documents.remove(&number)),
    }
}

/// The number after the highest in use. The newest are never removed, so none is given out twice.
pub(in crate::server) fn next_number<T>(documents: &BTreeMap<u32, T>) -> u32 {
    documents
        .last_key_value()
        .map_or(1, |(number, _)| number.saturating_add(1))
}
