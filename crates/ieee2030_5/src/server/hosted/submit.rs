//! What devices write among the hosted function sets.

use units::Timestamp;

use super::path::{HostedPath, Part};
use super::route::Writes;
use super::{Hosted, MAX_DOCUMENTS_OF_CLIENT, MAX_DOCUMENTS_OF_CLIENTS, MAX_MEMBERS, facts_of};
use crate::codec::read::Document;
use crate::codec::table::Profile;
use crate::server::DocumentWrite;
use crate::server::http::{Refusal, Response};
use crate::server::resources::{Owner, STORED};
use crate::translate::Client;
use crate::wire::error::ReasonCode;
use crate::wire::registry;

/// A request to change something at `path`, from the device it belongs to.
pub(in crate::server) struct Writing<'a> {
    pub(in crate::server) hosted: &'a Hosted,
    pub(in crate::server) path: HostedPath,
    pub(in crate::server) client: Client,
    pub(in crate::server) method: &'a str,
    pub(in crate::server) body: &'a [u8],
    pub(in crate::server) profile: Profile,
    pub(in crate::server) now: Timestamp,
}

/// The methods that devices may use at `path`.
#[must_use]
pub(in crate::server) fn methods(path: HostedPath) -> &'static [&'static str] {
    match (path.route.route().writes, path.part) {
        (Writes::Members, Part::List) => &["GET", "HEAD", "POST"],
        (Writes::Members, Part::Document) => &["GET", "HEAD", "PUT", "DELETE"],
        (Writes::Put, Part::Document) => &["GET", "HEAD", "PUT"],
        _ => &["GET", "HEAD"],
    }
}

impl Writing<'_> {
    /// What is to be kept, and the reply.
    pub(in crate::server) fn decide(&self) -> Result<(Vec<DocumentWrite>, Response), Refusal> {
        if let Some(above) = self.path.above() {
            self.hosted.get(above).ok_or(Refusal::NOT_FOUND)?;
        }
        match self.method {
            "POST" => self.post(),
            "PUT" => self.put(),
            _ => self.delete(),
        }
    }

    /// A document of the right type, as it is kept.
    fn canonical(&self) -> Result<Vec<u8>, Refusal> {
        let route = self.path.route.route();
        if !Document::open(self.body)?.is(route.document) {
            let reason = format!("the root element is not {}", route.document);
            return Err(Refusal::new(400, ReasonCode::INVALID_FORMAT, reason));
        }
        let kind = registry::find(route.document).ok_or(Refusal::NOT_FOUND)?;
        Ok(registry::write(
            &*kind.read(self.body, self.profile)?,
            STORED,
        ))
    }

    fn write(&self, path: HostedPath, bytes: Option<Vec<u8>>) -> DocumentWrite {
        DocumentWrite {
            owner: Owner::Client(self.client),
            path: path.to_string(),
            bytes,
        }
    }

    /// A new member; one with the mRID of a known one replaces it.
    fn post(&self) -> Result<(Vec<DocumentWrite>, Response), Refusal> {
        let bytes = self.canonical()?;
        let mrid = facts_of(&bytes)?.mrid;
        let mut members = self.hosted.members(self.path);
        let known = members.find(|(_, member)| mrid.is_some() && member.facts.mrid == mrid);
        if let Some((path, _)) = known {
            let reply = Response::located(204, path.to_string());
            return Ok((vec![self.write(path, Some(bytes))], reply));
        }
        self.has_room()?;
        let path = self
            .path
            .member(self.hosted.next_number(self.path, self.now));
        let reply = Response::located(201, path.to_string());
        Ok((vec![self.write(path, Some(bytes))], reply))
    }

    fn has_room(&self) -> Result<(), Refusal> {
        let below = self.hosted.below_client(Some(self.client));
        let kept = below.filter(|(path, _)| path.is_of_client()).count();
        if kept >= MAX_DOCUMENTS_OF_CLIENT {
            let reason = format!("at most {MAX_DOCUMENTS_OF_CLIENT} documents of one device");
            return Err(Refusal::limit(reason));
        }
        if self.hosted.of_clients >= MAX_DOCUMENTS_OF_CLIENTS {
            let reason = format!("at most {MAX_DOCUMENTS_OF_CLIENTS} documents of all devices");
            return Err(Refusal::limit(reason));
        }
        if self.hosted.members(self.path).count() >= MAX_MEMBERS {
            return Err(Refusal::limit(format!(
                "at most {MAX_MEMBERS} members of one list"
            )));
        }
        Ok(())
    }

    fn put(&self) -> Result<(Vec<DocumentWrite>, Response), Refusal> {
        let bytes = self.canonical()?;
        let present = self.hosted.get(self.path);
        let creates = self.path.route.route().writes == Writes::Put;
        match present {
            None if !creates => return Err(Refusal::NOT_FOUND),
            None => self.has_room()?,
            Some(_) => {}
        }
        let same = present.is_some_and(|present| present.bytes == bytes);
        let writes = match same {
            true => Vec::new(),
            false => vec![self.write(self.path, Some(bytes))],
        };
        Ok((writes, Response::no_content()))
    }

    fn delete(&self) -> Result<(Vec<DocumentWrite>, Response), Refusal> {
        self.hosted.get(self.path).ok_or(Refusal::NOT_FOUND)?;
        let held = self.hosted.held_by(self.path);
        let writes = held.map(|(path, _)| self.write(path, None)).collect();
        Ok((writes, Response::no_content()))
    }
}
