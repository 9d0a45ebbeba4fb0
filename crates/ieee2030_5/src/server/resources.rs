//! What devices have put and posted that no dispatch reads, by DER.
//!
//! Each piece is a document: a path within the DER and a body in the XML of the standard, so that
//! what is kept on disk has one published shape.

use std::collections::BTreeMap;

use crate::codec::read::{Complex, ReadError, read};
use crate::codec::table::Edition;
use crate::codec::write::write;
use crate::translate::DerId;
use crate::wire::der::{DerAvailability, DerCapability, DerSettings, DerStatus};
use crate::wire::device_information::DeviceInformation;
use crate::wire::end_device::EndDevice;
use crate::wire::log_event::LogEvent;
use crate::wire::metering_mirror::MirrorUsagePoint;
use crate::wire::response::Response;

/// Mirrored usage points of one DER.
pub const MAX_USAGE_POINTS: usize = 16;
/// Meter readings of one usage point.
pub const MAX_METER_READINGS: usize = 128;
/// Log events that are kept of one DER, the newest.
pub const MAX_LOG_EVENTS: usize = 64;
/// Responses that are kept of one DER, the newest.
pub const MAX_RESPONSES: usize = 64;

/// One document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentWrite {
    pub der: DerId,
    /// Opaque to the store: one document is kept per DER and path.
    pub path: String,
    /// What is kept from now on; none to keep nothing.
    pub bytes: Option<Vec<u8>>,
}

impl DocumentWrite {
    pub(super) fn put<T: Complex>(der: DerId, path: impl Into<String>, value: &T) -> Self {
        Self {
            der,
            path: path.into(),
            bytes: Some(write(value, Edition::Y2018)),
        }
    }

    pub(super) fn remove(der: DerId, path: impl Into<String>) -> Self {
        Self {
            der,
            path: path.into(),
            bytes: None,
        }
    }
}

/// Why a stored document can't be taken up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("no document has the path {0}")]
    Path(String),
    #[error("document {path} can't be read")]
    Body { path: String, source: ReadError },
}

/// The documents of every DER.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    ders: BTreeMap<DerId, Documents>,
}

/// The documents of one DER. Log events and responses are numbered in order of arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    pub end_device: Option<EndDevice>,
    pub information: Option<DeviceInformation>,
    pub capability: Option<DerCapability>,
    pub settings: Option<DerSettings>,
    pub status: Option<DerStatus>,
    pub availability: Option<DerAvailability>,
    pub usage_points: BTreeMap<u32, MirrorUsagePoint>,
    pub log_events: BTreeMap<u32, LogEvent>,
    pub responses: BTreeMap<u32, Response>,
}

static NONE: Documents = Documents {
    end_device: None,
    information: None,
    capability: None,
    settings: None,
    status: None,
    availability: None,
    usage_points: BTreeMap::new(),
    log_events: BTreeMap::new(),
    responses: BTreeMap::new(),
};

impl Resources {
    /// What `der` has put and posted.
    #[must_use]
    pub fn of(&self, der: DerId) -> &Documents {
        self.ders.get(&der).unwrap_or(&NONE)
    }

    /// Takes up one document, when it is loaded or has been made durable.
    pub fn apply(&mut self, document: &DocumentWrite) -> Result<(), DocumentError> {
        let documents = self.ders.entry(document.der).or_default();
        documents.apply(&document.path, document.bytes.as_deref())
    }
}

impl Documents {
    fn apply(&mut self, path: &str, bytes: Option<&[u8]>) -> Result<(), DocumentError> {
        match path {
            "edev" => self.end_device = body(path, bytes)?,
            "di" => self.information = body(path, bytes)?,
            "dercap" => self.capability = body(path, bytes)?,
            "derg" => self.settings = body(path, bytes)?,
            "ders" => self.status = body(path, bytes)?,
            "dera" => self.availability = body(path, bytes)?,
            _ => {
                let unknown = || DocumentError::Path(path.to_owned());
                let (kind, number) = path.split_once('/').ok_or_else(unknown)?;
                let number = number.parse().map_err(|_| unknown())?;
                match kind {
                    "mup" => keep(&mut self.usage_points, number, body(path, bytes)?),
                    "lel" => keep(&mut self.log_events, number, body(path, bytes)?),
                    "rsp" => keep(&mut self.responses, number, body(path, bytes)?),
                    _ => return Err(unknown()),
                }
            }
        }
        Ok(())
    }
}

fn body<T: Complex>(path: &str, bytes: Option<&[u8]>) -> Result<Option<T>, DocumentError> {
    bytes
        .map(read)
        .transpose()
        .map_err(|source| DocumentError::Body {
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
pub(super) fn next_number<T>(documents: &BTreeMap<u32, T>) -> u32 {
    documents
        .last_key_value()
        .map_or(1, |(number, _)| number.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DER: DerId = DerId(3);

    #[test]
    fn documents_are_taken_up_and_given_up_by_path() {
        let mut resources = Resources::default();
        let event = LogEvent {
            log_event_code: 4,
            ..LogEvent::default()
        };
        resources
            .apply(&DocumentWrite::put(DER, "lel/7", &event))
            .unwrap();
        resources
            .apply(&DocumentWrite::put(DER, "ders", &DerStatus::default()))
            .unwrap();
        assert_eq!(resources.of(DER).log_events.get(&7), Some(&event));
        assert_eq!(next_number(&resources.of(DER).log_events), 8);
        assert!(resources.of(DER).status.is_some());
        resources
            .apply(&DocumentWrite::remove(DER, "lel/7"))
            .unwrap();
        resources
            .apply(&DocumentWrite::remove(DER, "ders"))
            .unwrap();
        assert_eq!(resources.of(DER), &Documents::default());
    }

    #[test]
    fn a_document_that_is_none_of_ours_is_an_error() {
        let mut resources = Resources::default();
        for path in [
            "",
            "x",
            "lel",
            "lel/",
            "lel/x",
            "rsp/-1",
            "mup/4294967296",
            "y/1",
        ] {
            let event = DocumentWrite::put(DER, path, &LogEvent::default());
            assert_eq!(
                resources.apply(&event),
                Err(DocumentError::Path(path.to_owned()))
            );
        }
        let wrong = DocumentWrite::put(DER, "ders", &LogEvent::default());
        assert!(matches!(
            resources.apply(&wrong),
            Err(DocumentError::Body { .. })
        ));
    }
}
