//! Every document of the standard by its name, for those who carry documents without dealing in
//! what they say: stores, lists of function sets that are hosted, notifications.
#![expect(
    clippy::type_complexity,
    reason = "these types are spelt out where they are used once"
)]

mod documents;
mod order;

use std::any::Any;
use std::fmt;

pub use documents::DOCUMENTS;
pub use order::SortKey;

use crate::codec::NAMESPACE_XSI;
use crate::codec::read::{Complex, Content, Document, Element, Open, ReadError, Reader};
use crate::codec::table::{CSIP_AUS_PREFIX, Profile, TypeTable};
use crate::codec::write::Writer;
use crate::wire::link::Resource;

/// The kind of document that has `name`, which begins with [`CSIP_AUS_PREFIX`] if it is one of that
/// extension.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    let place = DOCUMENTS.binary_search_by(|kind| kind.name().cmp(name));
    place.ok().map(|place| &DOCUMENTS[place])
}

/// The kind of the document in `body`; none if it is no document of the standard.
pub fn kind_of(body: &[u8]) -> Result<Option<&'static Kind>, ReadError> {
    let document = Document::open(body)?;
    Ok(DOCUMENTS.iter().find(|kind| document.is(kind.name())))
}

/// One kind of document.
#[derive(Clone, Copy)]
pub struct Kind {
    pub table: &'static TypeTable,
    read: fn(Document<'_>) -> Result<Box<dyn AnyResource>, ReadError>,
    read_inside: for<'a> fn(&mut Reader<'a>, &Open<'a>) -> Result<Box<dyn AnyResource>, ReadError>,
    empty: fn() -> Box<dyn AnyResource>,
}

impl Kind {
    const fn of<T: Registered>() -> Self {
        Self {
            table: T::TABLE,
            read: |document| document.read::<T>().map(boxed),
            read_inside: |reader, open| T::read(reader, open).map(boxed),
            empty: || boxed(T::default()),
        }
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.table.name
    }

    /// Whether documents of this kind are lists, and the name of their members' element if so.
    #[must_use]
    pub fn list_of(&self) -> Option<&'static str> {
        let is_list = self
            .table
            .attributes
            .iter()
            .any(|row| row.name == "results");
        let members = self.table.elements.iter().find(|row| *row.occurs.end() > 1);
        members.filter(|_| is_list).map(|row| row.name)
    }

    /// Whether the schema lets an instance carry `attribute`, in a document for `profile`.
    #[must_use]
    pub fn has_attribute(&self, attribute: &str, profile: Profile) -> bool {
        let row = self
            .table
            .attributes
            .iter()
            .find(|row| row.name == attribute);
        row.is_some_and(|row| row.profiles.contains(profile))
    }

    /// Reads a document of this kind, with what `profile` requires of it.
    pub fn read(&self, body: &[u8], profile: Profile) -> Result<Box<dyn AnyResource>, ReadError> {
        (self.read)(Document::open(body)?.in_profile(profile))
    }

    /// Reads a document of this kind that was judged when it was accepted, by whatever profile.
    pub fn read_stored(&self, body: &[u8]) -> Result<Box<dyn AnyResource>, ReadError> {
        (self.read)(Document::open(body)?)
    }

    /// A document of this kind with nothing in it, to set attributes of.
    #[must_use]
    pub fn empty(&self) -> Box<dyn AnyResource> {
        (self.empty)()
    }

    /// Reads `body` with what `profile` requires, and writes it as a document for that profile.
    pub fn rewrite(&self, body: &[u8], profile: Profile) -> Result<Vec<u8>, ReadError> {
        self.read(body, profile)
            .map(|value| write(&*value, profile))
    }

    /// Reads `body` and writes it as a member of a list, which calls its members `name`, into the
    /// document that `out` has open.
    ///
    /// What a profile requires was judged when the body was accepted.
    pub fn copy(&self, body: &[u8], name: &str, out: &mut Writer) -> Result<(), ReadError> {
        out.resource(name, &*self.read_stored(body)?);
        Ok(())
    }

    /// What `xsi:type` calls this kind.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.name() {
            "csipaus:ConnectionPoint" => "csipaus:ConnectionPointType",
            name => name,
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A type whose instances are documents.
pub trait Registered:
    Complex + Element + Clone + PartialEq + fmt::Debug + Send + Sync + 'static
{
    /// Its place in a list of its kind; none where the standard leaves that to the server.
    fn sort_key(&self) -> Option<SortKey> {
        None
    }
}

/// A document of some kind.
pub trait AnyResource: Content + Any + fmt::Debug + Send + Sync {
    fn kind(&self) -> &'static Kind;
    /// Its place in a list of its kind; none where the standard leaves that to the server.
    fn sort_key(&self) -> Option<SortKey>;
    fn equals(&self, other: &dyn AnyResource) -> bool;
    fn boxed(&self) -> Box<dyn AnyResource>;
}

impl<T: Registered> AnyResource for T {
    fn kind(&self) -> &'static Kind {
        const { &Kind::of::<T>() }
    }

    fn sort_key(&self) -> Option<SortKey> {
        Registered::sort_key(self)
    }

    fn equals(&self, other: &dyn AnyResource) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<T>() == Some(self)
    }

    fn boxed(&self) -> Box<dyn AnyResource> {
        Box::new(self.clone())
    }
}

fn boxed<T: Registered>(value: T) -> Box<dyn AnyResource> {
    Box::new(value)
}

/// A whole document.
#[must_use]
pub fn write(value: &dyn AnyResource, profile: Profile) -> Vec<u8> {
    let mut out = Writer::new(profile, 512);
    out.root(value.kind().name(), value, |_| ());
    out.into_bytes()
}

/// A list document with the attributes of `head`, which is an empty list, and `members` as they
/// come.
///
/// A member of a derived kind says so by `xsi:type`.
#[must_use]
pub fn write_list<'m>(
    head: &dyn AnyResource,
    members: impl IntoIterator<Item = &'m dyn AnyResource>,
    profile: Profile,
) -> Vec<u8> {
    let mut out = Writer::new(profile, 1024);
    let name = head.kind().list_of().unwrap_or_default();
    out.root(head.kind().name(), head, |out| {
        for member in members {
            out.resource(name, member);
        }
    });
    out.into_bytes()
}

/// Any document inside another one: an element of the base type of all resources whose `xsi:type`
/// tells what it really is.
#[derive(Debug)]
pub struct Carried(Box<dyn AnyResource>);

impl Carried {
    pub fn new<T: Registered>(value: T) -> Self {
        Self(boxed(value))
    }

    #[must_use]
    pub fn kind(&self) -> &'static Kind {
        self.0.kind()
    }

    /// What is carried, if it is a `T`.
    #[must_use]
    pub fn get<T: Registered>(&self) -> Option<&T> {
        let value: &dyn Any = &*self.0;
        value.downcast_ref()
    }

    /// What is carried, as a document of its own.
    #[must_use]
    pub fn document(&self) -> &dyn AnyResource {
        &*self.0
    }
}

impl From<Box<dyn AnyResource>> for Carried {
    fn from(value: Box<dyn AnyResource>) -> Self {
        Self(value)
    }
}

impl Clone for Carried {
    fn clone(&self) -> Self {
        Self(self.0.boxed())
    }
}

impl Default for Carried {
    fn default() -> Self {
        Self::new(Resource::default())
    }
}

impl PartialEq for Carried {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(&*other.0)
    }
}

impl Element for Carried {
    fn read<'a>(reader: &mut Reader<'a>, open: &Open<'a>) -> Result<Self, ReadError> {
        let type_name = reader.attribute(open, Some(NAMESPACE_XSI), "type")?;
        let local = type_name.as_deref().map(|name| {
            let name = name.trim();
            name.rsplit_once(':').map_or(name, |(_, local)| local)
        });
        let kind = DOCUMENTS.iter().find(|kind| {
            let name = kind.type_name();
            let name = name.strip_prefix(CSIP_AUS_PREFIX).unwrap_or(name);
            local == Some(name)
        });
        match kind {
            Some(kind) => (kind.read_inside)(reader, open).map(Self),
            None => Resource::read(reader, open).map(Self::new),
        }
    }

    fn write(&self, name: &str, out: &mut Writer) {
        out.resource(name, &*self.0);
    }
}

#[cfg(test)]
mod tests;
