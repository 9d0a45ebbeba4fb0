//! What operators host.

use std::fmt;

use super::path::{HostedPath, Part};
use super::route::Base;
use super::{
    Hosted, MAX_DOCUMENTS, MAX_FILE_BYTES, MAX_FILES_BYTES, MAX_MEMBERS, facts_of, source,
};
use crate::codec::read::Document;
use crate::codec::table::Profile;
use crate::server::resources::{Owner, STORED};
use crate::server::{DocumentWrite, View, href};
use crate::translate::Client;
use crate::wire::registry;

/// Why a document is not hosted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct HostRefusal {
    /// What of the request is wrong: `owner`, `path`, `body` or an element.
    pub field: String,
    pub rule: String,
}

fn refusal(field: impl Into<String>, rule: impl fmt::Display) -> HostRefusal {
    HostRefusal {
        field: field.into(),
        rule: rule.to_string(),
    }
}

/// Hosts `body` at `path` for `owner`, in place of what is there. What is above must be hosted for
/// the same owner already; what holds a file goes to the path of its `File` and `/content`.
///
/// # Errors
/// The field that is wrong, and the rule.
pub fn host(
    owner: Owner,
    path: &str,
    body: &[u8],
    view: &View<'_>,
) -> Result<DocumentWrite, HostRefusal> {
    let address = address(path)?;
    let hosted = view.resources.hosted();
    exists(owner, view)?;
    belongs(owner, address, hosted)?;
    let bytes = match address.part {
        Part::Content => content(address, body, hosted)?,
        _ => document(address, body, hosted, view.config.profile)?,
    };
    Ok(DocumentWrite {
        owner,
        path: address.to_string(),
        bytes: Some(bytes),
    })
}

/// Takes the document at `path` away, with all that is below it.
///
/// # Errors
/// The field that is wrong, and the rule.
pub fn withdraw(path: &str, view: &View<'_>) -> Result<Vec<DocumentWrite>, HostRefusal> {
    let address = address(path)?;
    let hosted = view.resources.hosted();
    if hosted.get(address).is_none() {
        return Err(refusal("path", "nothing is hosted here"));
    }
    let below: Vec<HostedPath> = match address.part {
        Part::Content => vec![address],
        _ => hosted.held_by(address).map(|(path, _)| path).collect(),
    };
    let gone = below.into_iter().filter_map(|path| {
        Some(DocumentWrite {
            owner: hosted.get(path)?.owner,
            path: path.to_string(),
            bytes: None,
        })
    });
    Ok(gone.collect())
}

fn address(path: &str) -> Result<HostedPath, HostRefusal> {
    let address =
        href::hosted(path).filter(|address| matches!(address.part, Part::Document | Part::Content));
    address.ok_or_else(|| {
        refusal(
            "path",
            "no document of a hosted function set has this address",
        )
    })
}

fn exists(owner: Owner, view: &View<'_>) -> Result<(), HostRefusal> {
    let fleet = view.fleet;
    let there = match owner {
        Owner::Everyone => true,
        Owner::Client(Client::Der(id)) => fleet.der(id).is_some_and(|der| der.removed.is_none()),
        Owner::Client(Client::Aggregator(id)) => fleet.aggregator(id).is_some(),
        Owner::Assignment(id) => fleet
            .assignment(id)
            .is_some_and(|node| node.removed.is_none()),
    };
    match there {
        true => Ok(()),
        false => Err(refusal("owner", "there is no such client or assignment")),
    }
}

fn belongs(owner: Owner, address: HostedPath, hosted: &Hosted) -> Result<(), HostRefusal> {
    let route = address.route.route();
    if route.base == Base::EndDevice && address.client.map(Owner::Client) != Some(owner) {
        return Err(refusal(
            "owner",
            "a document below an end device is that client's",
        ));
    }
    let file = HostedPath {
        part: Part::Document,
        ..address
    };
    let above = match address.part {
        Part::Content => Some(file),
        _ => address.above(),
    };
    if let Some(above) = above {
        match hosted.get(above) {
            None => return Err(refusal("path", format_args!("{above} is not hosted"))),
            Some(document) if document.owner != owner => {
                return Err(refusal(
                    "owner",
                    format_args!("{above} is hosted for {}", document.owner),
                ));
            }
            Some(_) => {}
        }
    }
    match hosted.get(address) {
        Some(present) if present.owner != owner => Err(refusal(
            "owner",
            format_args!("{address} is hosted for {}", present.owner),
        )),
        _ => Ok(()),
    }
}

fn content(address: HostedPath, body: &[u8], hosted: &Hosted) -> Result<Vec<u8>, HostRefusal> {
    if body.len() > MAX_FILE_BYTES {
        return Err(refusal(
            "body",
            format_args!("at most {MAX_FILE_BYTES} bytes"),
        ));
    }
    let file = HostedPath {
        part: Part::Document,
        ..address
    };
    let size = hosted.get(file).and_then(|file| file.facts.size_bytes);
    if size.and_then(|size| usize::try_from(size).ok()) != Some(body.len()) {
        return Err(refusal(
            "size",
            "the File says another size than the content has",
        ));
    }
    let replaced = hosted.get(address).map_or(0, |old| old.bytes.len());
    if hosted.file_bytes - replaced + body.len() > MAX_FILES_BYTES {
        return Err(refusal(
            "body",
            format_args!("at most {MAX_FILES_BYTES} bytes of files"),
        ));
    }
    Ok(body.to_vec())
}

fn document(
    address: HostedPath,
    body: &[u8],
    hosted: &Hosted,
    profile: Profile,
) -> Result<Vec<u8>, HostRefusal> {
    let name = address.route.route().document;
    let opened = Document::open(body).map_err(|error| refusal("body", error))?;
    if !opened.is(name) {
        return Err(refusal(
            "body",
            format_args!("the root element is not {name}"),
        ));
    }
    let kind = registry::find(name).ok_or_else(|| refusal("body", "no type of this name"))?;
    let value = kind
        .read(body, profile)
        .map_err(|error| refusal("body", error))?;
    let bytes = registry::write(&*value, STORED);
    let facts = facts_of(&bytes).map_err(|error| refusal("body", error))?;
    let is_new = hosted.get(address).is_none();
    if is_new && hosted.of_operators() >= MAX_DOCUMENTS {
        return Err(refusal(
            "path",
            format_args!("at most {MAX_DOCUMENTS} documents"),
        ));
    }
    if is_new && hosted.members(address.list()).count() >= MAX_MEMBERS {
        return Err(refusal(
            "path",
            format_args!("at most {MAX_MEMBERS} members of one list"),
        ));
    }
    let mrid = facts.mrid.filter(|mrid| {
        let mut same = hosted.with_mrid(*mrid);
        same.any(|(path, _)| path != address)
    });
    if let Some(mrid) = mrid {
        return Err(refusal("mRID", format_args!("{mrid:?} is taken")));
    }
    let text = String::from_utf8_lossy(&bytes);
    for (element, child) in source::children(source::parts(&text).1) {
        let target = source::attribute(child, "href").filter(|_| element.ends_with("Link"));
        if let Some(target) = target.filter(|target| href::Target::parse(target).is_none()) {
            return Err(refusal(
                element,
                format_args!("{target} is no address of this server"),
            ));
        }
    }
    Ok(bytes)
}
