//! What clients have put and posted that no dispatch reads, and what operators host.
//!
//! Each piece is a document: a path within its owner and a body in the XML of the standard, so that
//! what is kept on disk has one published shape.

mod documents;
mod mirrored;
mod posted;
mod rates;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use documents::DELETED;
pub use documents::Documents;
pub(super) use documents::next_number;
pub use posted::PostedResponse;
pub use rates::Rates;

use super::hosted::Hosted;
use super::hosted::path::HostedPath;
use super::href::{Segment, client};
use super::subscription::Subscriptions;
use crate::codec::read::{Complex, ReadError, read_in};
use crate::codec::simple::HexBinary128;
use crate::codec::table::Profile;
use crate::codec::write::write;
use crate::translate::{AssignmentId, Client, DerId};
use crate::wire::power_status::PowerStatus;
use mirrored::Mirrored;
use rates::ClientProfile;

/// Mirrored usage points of one client.
pub const MAX_USAGE_POINTS: usize = 16;
/// Meter readings of one usage point.
pub const MAX_METER_READINGS: usize = 128;
/// Log events that are kept of one client, the newest.
pub const MAX_LOG_EVENTS: usize = 64;
/// Responses that are kept of one client, the newest.
pub const MAX_RESPONSES: usize = 64;

/// Everything that any profile has is kept.
pub(super) const STORED: Profile = Profile::EVERYTHING;

/// Where what is the same for everyone is kept.
const RATES: &str = "rates";
/// Where it is kept which profile a client has.
const PROFILE: &str = "profile";

/// Whose a document is, and who may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// One client, and the aggregator that stands in for it.
    Client(Client),
    /// Every DER at or below a node of the hierarchy, and those that stand in for them.
    Assignment(AssignmentId),
    /// Every registered client.
    Everyone,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => write!(f, "{}", Segment(*client)),
            Self::Assignment(node) => write!(f, "fsa-{}", node.0),
            Self::Everyone => f.write_str("*"),
        }
    }
}

/// A text that names no owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a DER, nor an aggregator (a1), nor an assignment (fsa-1), nor everyone (*)")]
pub struct NoOwner;

impl FromStr for Owner {
    type Err = NoOwner;

    fn from_str(text: &str) -> Result<Self, NoOwner> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if let Some(node) = text.strip_prefix("fsa-") {
            let node = super::href::number(node).ok_or(NoOwner)?;
            return Ok(Self::Assignment(AssignmentId(node)));
        }
        client(text).map(Self::Client).ok_or(NoOwner)
    }
}

/// One document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentWrite {
    pub owner: Owner,
    /// Opaque to the store: one document is kept per owner and path.
    pub path: String,
    /// What is kept from now on; none to keep nothing.
    pub bytes: Option<Vec<u8>>,
}

impl DocumentWrite {
    pub(super) fn put<T: Complex>(of: Client, path: impl Into<String>, value: &T) -> Self {
        Self {
            owner: Owner::Client(of),
            path: path.into(),
            bytes: Some(write(value, STORED)),
        }
    }

    pub(super) fn remove(of: Client, path: impl Into<String>) -> Self {
        Self {
            owner: Owner::Client(of),
            path: path.into(),
            bytes: None,
        }
    }

    /// Has every client look and post at these rates from now on.
    #[must_use]
    pub fn rates(rates: &Rates) -> Self {
        Self {
            owner: Owner::Everyone,
            path: RATES.to_owned(),
            bytes: Some(write(rates, STORED)),
        }
    }

    /// Has `of` be served by this profile from now on; with none, by that of the listener.
    #[must_use]
    pub fn profile(of: Client, profile: Option<Profile>) -> Self {
        match profile {
            Some(profile) => Self::put(of, PROFILE, &ClientProfile::from(profile)),
            None => Self::remove(of, PROFILE),
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

/// The documents of every client, and those that are hosted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    clients: BTreeMap<Client, Documents>,
    hosted: Hosted,
    rates: Rates,
    mirrored: Mirrored,
}

static NONE: Documents = Documents::NONE;
static NO_RATES: Rates = Rates::NONE;

impl Resources {
    /// What `der` has put and posted.
    #[must_use]
    pub fn of(&self, der: DerId) -> &Documents {
        self.of_client(Client::Der(der))
    }

    /// What `client` has put and posted.
    #[must_use]
    pub fn of_client(&self, client: Client) -> &Documents {
        self.clients.get(&client).unwrap_or(&NONE)
    }

    /// Every client that has subscribed to something.
    pub fn subscribers(&self) -> impl Iterator<Item = (Client, &Subscriptions)> {
        let clients = self.clients.iter();
        let all = clients.map(|(client, documents)| (*client, &documents.subscriptions));
        all.filter(|(_, subscriptions)| !subscriptions.is_empty())
    }

    /// What is hosted for function sets without dispatch meaning.
    #[must_use]
    pub fn hosted(&self) -> &Hosted {
        &self.hosted
    }

    /// What `der` last said of its power supply.
    #[must_use]
    pub fn power_status(&self, der: DerId) -> Option<PowerStatus> {
        let path = HostedPath::parse(Some(Client::Der(der)), &["ps"])?;
        let kept = self.hosted.get(path)?;
        read_in(&kept.bytes, STORED).ok()
    }

    #[cfg(test)]
    pub(super) fn hosted_mut(&mut self) -> &mut Hosted {
        &mut self.hosted
    }

    /// The rates that operators have set at run time.
    #[must_use]
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// The profile that `client` has of its own.
    #[must_use]
    pub fn profile(&self, client: Client) -> Option<Profile> {
        self.of_client(client).profile
    }

    /// The subscriptions of `client`.
    #[must_use]
    pub fn subscriptions(&self, client: Client) -> &Subscriptions {
        &self.of_client(client).subscriptions
    }

    /// What takes these usage points of `of` away, so that their numbers are never given out again.
    #[must_use]
    pub fn without_usage_points(
        &self,
        of: Client,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Vec<DocumentWrite> {
        let mut highest = self.of_client(of).usage_points_deleted;
        let mut writes = Vec::new();
        for number in numbers {
            highest = highest.max(number);
            writes.push(DocumentWrite::remove(of, format!("mup/{number}")));
        }
        writes.push(DocumentWrite {
            owner: Owner::Client(of),
            path: DELETED.to_owned(),
            bytes: Some(highest.to_string().into_bytes()),
        });
        writes
    }

    /// What takes away all that is kept of `client` and hosted for it alone, once it is no more.
    #[must_use]
    pub fn without_client(&self, of: Client) -> Vec<DocumentWrite> {
        let removed = |path: String| DocumentWrite::remove(of, path);
        let own = self.of_client(of).paths().into_iter();
        let hosted = self.hosted.of_client(of);
        own.chain(hosted.map(|(path, _)| path.to_string()))
            .map(removed)
            .collect()
    }

    /// Whose mirrored usage points there are, and their numbers: the highest mRID first.
    pub(super) fn usage_points(&self) -> impl Iterator<Item = (Client, u32)> {
        self.mirrored.points()
    }

    /// Whose mirrored meter readings have this mRID.
    pub(super) fn meter_reading(&self, mrid: HexBinary128) -> impl Iterator<Item = Client> {
        self.mirrored.owners_of_reading(mrid.value())
    }

    /// Takes up one document, when it is loaded or has been made durable.
    pub fn apply(&mut self, document: &DocumentWrite) -> Result<(), DocumentError> {
        let (path, bytes) = (document.path.as_str(), document.bytes.as_deref());
        if path.starts_with('/') {
            return self.hosted.apply(document.owner, path, bytes);
        }
        match document.owner {
            Owner::Client(of) => self.apply_of_client(of, path, bytes),
            Owner::Everyone if path == RATES => {
                self.rates = documents::body(path, bytes)?.unwrap_or_else(|| NO_RATES.clone());
                Ok(())
            }
            Owner::Assignment(_) | Owner::Everyone => Err(DocumentError::Path(path.to_owned())),
        }
    }

    fn apply_of_client(
        &mut self,
        of: Client,
        path: &str,
        bytes: Option<&[u8]>,
    ) -> Result<(), DocumentError> {
        let documents = self.clients.entry(of).or_default();
        let number = path.strip_prefix("mup/").and_then(super::href::number);
        let before = number.and_then(|k| Some((k, documents.usage_points.get(&k)?)));
        if let Some((number, point)) = before {
            self.mirrored.remove((of, number), point);
        }
        let applied = documents.apply(path, bytes);
        let after = number.and_then(|k| Some((k, documents.usage_points.get(&k)?)));
        if let Some((number, point)) = after {
            self.mirrored.add((of, number), point);
        }
        if *documents == NONE {
            self.clients.remove(&of);
        }
        applied
    }
}

#[cfg(test)]
mod tests;
