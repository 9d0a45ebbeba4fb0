//! Function sets without dispatch meaning, hosted as documents.
//!
//! What operators host and devices write there is kept as it was said. Addresses, links to what
//! lies below, the status of events and the lists of active ones are added when it is served, from
//! [`route::ROUTES`] and the clock.

pub mod facts;
pub mod host;
pub mod path;
pub mod route;

mod render;
pub(super) mod serve;
pub(super) mod source;
pub(super) mod submit;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use units::Timestamp;

use super::resources::{DocumentError, Owner};
use crate::codec::read::{Document, ReadError};
use crate::codec::simple::HexBinary128;
use crate::translate::Client;
use crate::wire::link::{Link, ListLink};
use crate::wire::registry::{self, SortKey};
use facts::Facts;
use path::{HostedPath, Part};
use route::{Active, RouteId};

/// Documents that operators host on one server.
pub const MAX_DOCUMENTS: usize = 200_000;
/// Documents that one device keeps on the server.
pub const MAX_DOCUMENTS_OF_CLIENT: usize = 256;
/// Documents that all devices together keep on the server.
pub const MAX_DOCUMENTS_OF_CLIENTS: usize = 200_000;
/// Members of one list.
pub const MAX_MEMBERS: usize = 10_000;
/// Bytes of one file that devices download.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of all files together.
pub const MAX_FILES_BYTES: usize = 256 * 1024 * 1024;

/// Every hosted document by its address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hosted {
    documents: BTreeMap<HostedPath, HostedDocument>,
    /// The documents that have an mRID.
    by_mrid: BTreeSet<(u128, HostedPath)>,
    /// How many documents are the devices' own.
    of_clients: usize,
    /// Bytes of all files.
    file_bytes: usize,
}

/// One hosted document.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedDocument {
    /// Who may read it.
    pub owner: Owner,
    pub facts: Facts,
    /// Its place in its list, where the standard gives one.
    sort_key: Option<SortKey>,
    /// As it was hosted or written, or what a file holds.
    pub bytes: Bytes,
    /// Names what a file holds.
    etag: Option<String>,
}

impl Hosted {
    /// Takes up one document, when it is loaded or has been made durable.
    pub(super) fn apply(
        &mut self,
        owner: Owner,
        path: &str,
        bytes: Option<&[u8]>,
    ) -> Result<(), DocumentError> {
        let address = super::href::hosted(path);
        let address = address.ok_or_else(|| DocumentError::Path(path.to_owned()))?;
        let Some(bytes) = bytes else {
            self.remove(address);
            return Ok(());
        };
        let document = HostedDocument::of(owner, address, bytes);
        let document = document.map_err(|source| DocumentError::Body {
            path: path.to_owned(),
            source,
        })?;
        self.insert(address, document);
        Ok(())
    }

    fn insert(&mut self, path: HostedPath, document: HostedDocument) {
        self.remove(path);
        let mrid = document.facts.mrid;
        self.by_mrid.extend(mrid.map(|mrid| (mrid.value(), path)));
        self.of_clients += usize::from(path.is_of_client());
        if path.part == Part::Content {
            self.file_bytes += document.bytes.len();
        }
        self.documents.insert(path, document);
    }

    fn remove(&mut self, path: HostedPath) {
        let Some(document) = self.documents.remove(&path) else {
            return;
        };
        if let Some(mrid) = document.facts.mrid {
            self.by_mrid.remove(&(mrid.value(), path));
        }
        self.of_clients -= usize::from(path.is_of_client());
        if path.part == Part::Content {
            self.file_bytes -= document.bytes.len();
        }
    }

    /// How many documents are the operators'.
    fn of_operators(&self) -> usize {
        self.documents.len() - self.of_clients
    }

    /// The documents at and below the end device of `client`, at the root if it is none.
    fn below_client(
        &self,
        client: Option<Client>,
    ) -> impl Iterator<Item = (HostedPath, &HostedDocument)> {
        let first = HostedPath {
            client,
            ..HostedPath::FIRST
        };
        let range = first.range((RouteId::FIRST, RouteId::LAST), 0);
        let documents = self.documents.range(range);
        documents.map(|(path, document)| (*path, document))
    }

    /// The document at `path`, and those below it.
    fn held_by(&self, path: HostedPath) -> impl Iterator<Item = (HostedPath, &HostedDocument)> {
        let depth = path.route.route().numbers();
        let held = path.route.and_below().flat_map(move |route| {
            let range = path.range((route, route), depth);
            self.documents.range(range)
        });
        held.map(|(path, document)| (*path, document))
    }

    /// What is kept of `client` below its end device, and what is hosted for it alone.
    pub(super) fn of_client(
        &self,
        client: Client,
    ) -> impl Iterator<Item = (HostedPath, &HostedDocument)> {
        let at_root = self.below_client(None);
        let at_root = at_root.filter(move |(_, document)| document.owner == Owner::Client(client));
        self.below_client(Some(client)).chain(at_root)
    }

    /// The document at this address.
    #[must_use]
    pub fn get(&self, path: HostedPath) -> Option<&HostedDocument> {
        self.documents.get(&path)
    }

    /// Every document with its address.
    pub fn iter(&self) -> impl Iterator<Item = (HostedPath, &HostedDocument)> {
        self.documents
            .iter()
            .map(|(path, document)| (*path, document))
    }

    /// The members of the list that `list` is, or is a part of, in order of their numbers.
    pub fn members(
        &self,
        list: HostedPath,
    ) -> impl Iterator<Item = (HostedPath, &HostedDocument)> + Clone {
        let whole = HostedPath {
            part: Part::List,
            ..list
        };
        let range = whole.member(0)..=whole.member(u32::MAX);
        let within = self.documents.range(range);
        within
            .filter(|(path, _)| path.part == Part::Document)
            .map(|(path, document)| (*path, document))
    }

    /// The members that a reader of `list` is to see at `now`, in the order of the standard.
    #[must_use]
    pub fn listed(
        &self,
        list: HostedPath,
        now: Timestamp,
        sees: impl Fn(Owner) -> bool,
    ) -> Vec<(HostedPath, &HostedDocument)> {
        let root = match list.part {
            Part::Assigned(_) => HostedPath {
                client: None,
                part: Part::List,
                ..list
            },
            _ => list,
        };
        let mut members: Vec<_> = self
            .members(root)
            .filter(|(_, document)| sees(document.owner))
            .filter(|(path, document)| self.is_shown(*path, document, list.part, now))
            .collect();
        members.sort_by(|(a_path, a), (b_path, b)| {
            a.sort_key.cmp(&b.sort_key).then(a_path.cmp(b_path))
        });
        members
    }

    /// Events that are over are gone; the list of active ones has no others.
    fn is_shown(
        &self,
        path: HostedPath,
        document: &HostedDocument,
        part: Part,
        now: Timestamp,
    ) -> bool {
        let route = path.route.route();
        if route.is_event() && document.facts.is_over(now) {
            return false;
        }
        let (Part::Active, Some((_, _, kind))) = (part, route.active) else {
            return true;
        };
        match kind {
            Active::Event => document.facts.has_begun(now) && self.is_in_force(path, document, now),
            Active::Children => self.has_present_set(path, now),
            Active::Period | Active::Effective => document.facts.is_active(kind, now),
        }
    }

    fn is_in_force(&self, path: HostedPath, document: &HostedDocument, now: Timestamp) -> bool {
        use crate::codec::table::Edition;
        use crate::wire::der_control::EventState;

        let status = self.status(path, document, now, Edition::Y2018);
        status.current_status == EventState::ACTIVE
    }

    fn has_present_set(&self, path: HostedPath, now: Timestamp) -> bool {
        let sets = path
            .route
            .children()
            .find(|child| child.route().is_member());
        sets.is_some_and(|sets| {
            let mut sets = self.members(path.below(sets));
            sets.any(|(_, set)| set.facts.is_active(Active::Period, now))
        })
    }

    fn status(
        &self,
        path: HostedPath,
        document: &HostedDocument,
        now: Timestamp,
        edition: crate::codec::table::Edition,
    ) -> crate::wire::der_control::EventStatus {
        let siblings = self.members(path.list()).map(|(_, sibling)| &sibling.facts);
        let displacing = path.route.route().supersedes();
        document
            .facts
            .status(siblings.filter(|_| displacing), now, edition)
    }

    /// The documents with this mRID, wherever they are.
    fn with_mrid(&self, mrid: HexBinary128) -> impl Iterator<Item = (HostedPath, &HostedDocument)> {
        let first = *place(None, RouteId::FIRST)
            .range((RouteId::FIRST, RouteId::FIRST), 0)
            .start();
        let from = self.by_mrid.range((mrid.value(), first)..);
        from.take_while(move |(other, _)| *other == mrid.value())
            .filter_map(|(_, path)| Some((*path, self.documents.get(path)?)))
    }

    /// The event with this mRID, wherever it is.
    #[must_use]
    pub fn event_by_mrid(&self, mrid: HexBinary128) -> Option<(HostedPath, &HostedDocument)> {
        let mut documents = self.with_mrid(mrid);
        documents.find(|(path, _)| path.route.route().is_event())
    }

    /// The number of a new member of `list`. It follows the clock, so that it is never that of one
    /// that was deleted.
    #[must_use]
    pub(super) fn next_number(&self, list: HostedPath, now: Timestamp) -> u32 {
        let highest = self
            .members(list)
            .last()
            .map_or(0, |(path, _)| path.number());
        let clock = u32::try_from(now.secs()).unwrap_or(0);
        highest.saturating_add(1).max(clock)
    }

    /// A link to the list that documents of a route are members of, if its reader would see any.
    #[must_use]
    pub(super) fn list_link(
        &self,
        list: HostedPath,
        now: Timestamp,
        sees: impl Fn(Owner) -> bool,
    ) -> Option<ListLink> {
        let members = self.listed(list, now, sees).len();
        let offered = list.route.route().is_offered();
        (0 < members || offered).then(|| ListLink::to(list, super::list::count(members)))
    }

    /// A link to one document, if it is there or its device may write it.
    #[must_use]
    pub(super) fn link(&self, path: HostedPath) -> Option<Link> {
        let there = self.documents.contains_key(&path) || path.route.route().is_offered();
        there.then(|| Link::to(path))
    }
}

/// The address of the list or document of a route that has no number above it.
#[must_use]
pub(super) fn place(client: Option<Client>, route: RouteId) -> HostedPath {
    let part = match route.route().is_member() {
        true => Part::List,
        false => Part::Document,
    };
    HostedPath {
        client,
        route,
        numbers: [0; path::NUMBERS_MAX],
        part,
    }
}

/// What a document says that decides its place and its state.
fn facts_of(bytes: &[u8]) -> Result<Facts, ReadError> {
    Document::open(bytes)?.read_as()
}

impl HostedDocument {
    fn of(owner: Owner, path: HostedPath, bytes: &[u8]) -> Result<Self, ReadError> {
        let is_file = path.part == Part::Content;
        let (facts, sort_key) = match is_file {
            true => (Facts::default(), None),
            false => judged(path, bytes)?,
        };
        Ok(Self {
            owner,
            facts,
            sort_key,
            bytes: Bytes::copy_from_slice(bytes),
            etag: is_file.then(|| super::http::etag_of(bytes)),
        })
    }
}

fn judged(path: HostedPath, bytes: &[u8]) -> Result<(Facts, Option<SortKey>), ReadError> {
    let name = path.route.route().document;
    let kind = registry::find(name).ok_or(ReadError::Root { expected: name })?;
    let value = kind.read_stored(bytes)?;
    Ok((facts_of(bytes)?, value.sort_key()))
}

#[cfg(test)]
mod tests;
