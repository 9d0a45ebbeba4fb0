//! Bytes in: tokens from quick-xml, meaning from the type tables.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::simple::{Simple, ValueError};
use super::table::{CSIP_AUS_PREFIX, Profile, Profiles, TypeTable};
use super::write::Writer;
use super::{
    MAX_ATTRIBUTES, MAX_BODY_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT_BYTES, NAMESPACE,
    NAMESPACE_CSIP_AUS, NAMESPACE_DRAFT,
};

mod complex;

pub(crate) use complex::read_complex;
use complex::value_of;

/// Why a body is not the resource that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the body is longer than {MAX_BODY_BYTES} bytes")]
    BodyTooLong,
    #[error("the body is not UTF-8")]
    NotUtf8,
    #[error("the body is not well-formed XML")]
    Malformed,
    #[error("the body ends before its root element does")]
    Truncated,
    #[error("document type declarations are refused")]
    DocumentType,
    #[error("an entity is used that XML does not predefine")]
    Entity,
    #[error("elements are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("the body has more than {MAX_ELEMENTS} elements")]
    TooManyElements,
    #[error("an element has more than {MAX_ATTRIBUTES} attributes")]
    TooManyAttributes,
    #[error("a value is longer than {MAX_TEXT_BYTES} bytes")]
    TextTooLong,
    #[error("the root element is not in a namespace of IEEE 2030.5 or of an extension")]
    Namespace,
    #[error("the root element is not {expected}")]
    Root { expected: &'static str },
    #[error("{in_type} has text between its elements")]
    StrayText { in_type: &'static str },
    #[error("a value has elements inside")]
    ElementInValue,
    #[error("{in_type} has no {name}")]
    Missing {
        in_type: &'static str,
        name: &'static str,
    },
    #[error("{in_type} has {name} more than {max} times")]
    Repeated {
        in_type: &'static str,
        name: &'static str,
        max: u16,
    },
    #[error("{in_type}.{name} {source}")]
    Value {
        in_type: &'static str,
        name: &'static str,
        source: ValueError,
    },
}

/// What an instance of a complex type has in it.
pub trait Content {
    /// Sets an attribute of the type from its text; others are passed over.
    fn read_attribute(&mut self, name: &str, text: &str) -> Result<(), ValueError>;
    fn write_attributes(&self, out: &mut Writer);
    fn write_elements(&self, out: &mut Writer);
}

/// A complex type of the schema.
pub trait Complex: Content + Default {
    const TABLE: &'static TypeTable;

    fn read_element<'a>(
        &mut self,
        name: &str,
        reader: &mut Reader<'a>,
        open: &Open<'a>,
    ) -> Result<(), ReadError>;
}

/// What an element can hold: a complex type or a simple one.
pub trait Element: Sized {
    /// The table of a complex type.
    const INSIDE: Option<&'static TypeTable> = None;

    fn read<'a>(reader: &mut Reader<'a>, open: &Open<'a>) -> Result<Self, ReadError>;
    fn write(&self, name: &str, out: &mut Writer);
}

/// Reads a body whose root must be `T`, with what every profile requires of it.
pub fn read<T: Complex>(body: &[u8]) -> Result<T, ReadError> {
    Document::open(body)?.read()
}

/// Reads a body whose root must be `T`, with what `profile` requires of it.
///
/// What only other profiles have is read as well: a peer may be newer than its profile says.
pub fn read_in<T: Complex>(body: &[u8], profile: Profile) -> Result<T, ReadError> {
    Document::open(body)?.in_profile(profile).read()
}

/// A body whose root is known, not yet read further.
#[derive(Debug)]
pub struct Document<'a> {
    reader: Reader<'a>,
    root: Open<'a>,
}

impl<'a> Document<'a> {
    pub fn open(body: &'a [u8]) -> Result<Self, ReadError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(ReadError::BodyTooLong);
        }
        let text = str::from_utf8(body).map_err(|_| ReadError::NotUtf8)?;
        let mut reader = Reader::new(text.strip_prefix('\u{FEFF}').unwrap_or(text));
        let root = reader.root()?;
        Ok(Self { reader, root })
    }

    /// The local name of the root element.
    #[must_use]
    pub fn name(&self) -> &str {
        self.root.name()
    }

    /// Whether the root is the element that the tables call `name`.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.root.is(name)
    }

    /// Has `profile` say what is required.
    #[must_use]
    pub fn in_profile(mut self, profile: Profile) -> Self {
        self.reader.profile = Some(profile);
        self
    }

    /// Reads the root as `T`, whose element name it must have.
    pub fn read<T: Complex>(self) -> Result<T, ReadError> {
        if !self.is(T::TABLE.name) {
            return Err(ReadError::Root {
                expected: T::TABLE.name,
            });
        }
        self.read_as()
    }

    /// Reads the root as `T` under whatever name it has, as for types derived from `T`.
    pub fn read_as<T: Complex>(mut self) -> Result<T, ReadError> {
        let value = read_complex(&mut self.reader, &self.root)?;
        self.reader.end()?;
        Ok(value)
    }
}

/// Whether a tag opens an element or is all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Inside,
    None,
}

/// Whose names an element or attribute is named with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vocabulary {
    Ieee,
    CsipAus,
    Foreign,
}

impl Vocabulary {
    fn of(namespace: &str) -> Self {
        if namespace == NAMESPACE || namespace == NAMESPACE_DRAFT {
            Self::Ieee
        } else if namespace.starts_with(NAMESPACE_CSIP_AUS) {
            Self::CsipAus
        } else {
            Self::Foreign
        }
    }

    /// Whether `local` of this vocabulary is what the tables call `name`.
    fn has(self, name: &str, local: &str) -> bool {
        match self {
            Self::Ieee => name == local,
            Self::CsipAus => name.strip_prefix(CSIP_AUS_PREFIX) == Some(local),
            Self::Foreign => false,
        }
    }
}

/// A start tag.
#[derive(Debug)]
pub struct Open<'a> {
    tag: BytesStart<'a>,
    content: Body,
    vocabulary: Vocabulary,
}

impl Open<'_> {
    /// The local name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.tag.local_name().into_inner()
    }

    /// Whether this is the element that the tables call `name`.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.vocabulary.has(name, self.name())
    }
}

/// The tokens of one document, with its limits counted.
#[derive(Debug)]
pub struct Reader<'a> {
    xml: NsReader<&'a [u8]>,
    depth: usize,
    elements: usize,
    place: Place,
    profile: Option<Profile>,
}

/// The element that is being read, for messages.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    in_type: &'static str,
    name: &'static str,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut xml = NsReader::from_str(text);
        xml.resolver_mut()
            .set_max_namespace_bindings(MAX_ATTRIBUTES);
        Self {
            xml,
            depth: 0,
            elements: 0,
            place: Place::default(),
            profile: None,
        }
    }

    /// An attribute of `open` by its local name and whether it has a namespace.
    pub(crate) fn attribute(
        &self,
        open: &Open<'a>,
        namespace: Option<&str>,
        local: &str,
    ) -> Result<Option<String>, ReadError> {
        for attribute in open.tag.attributes() {
            let attribute = attribute.map_err(|_| ReadError::Malformed)?;
            if attribute.key.local_name().into_inner() != local {
                continue;
            }
            let bound = match self.xml.resolver().resolve_attribute(attribute.key).0 {
                ResolveResult::Bound(bound) => Some(bound.into_inner()),
                ResolveResult::Unbound => None,
                ResolveResult::Unknown(_) => return Err(ReadError::Malformed),
            };
            if bound == namespace {
                return value_of(&attribute).map(|text| Some(text.into_owned()));
            }
        }
        Ok(None)
    }

    /// `text` as a value of the element that is being read.
    pub(crate) fn value<T: Simple>(&self, text: &str) -> Result<T, ReadError> {
        let Place { in_type, name } = self.place;
        T::read(text).map_err(|source| ReadError::Value {
            in_type,
            name,
            source,
        })
    }

    /// Whether the profile in use requires a row that only `profiles` have.
    fn requires(&self, profiles: Profiles) -> bool {
        match self.profile {
            Some(profile) => profiles.contains(profile),
            None => profiles == Profiles::ALL,
        }
    }

    /// Passes over an element and all that is in it.
    pub fn skip(&mut self, open: &Open<'a>) -> Result<(), ReadError> {
        if open.content == Body::None {
            return Ok(());
        }
        let outside = self.depth - 1;
        while self.depth > outside {
            match self.next()? {
                Event::Start(tag) => drop(self.open(tag, Body::Inside)?),
                Event::Empty(tag) => drop(self.open(tag, Body::None)?),
                Event::End(_) => self.depth -= 1,
                Event::Eof => return Err(ReadError::Truncated),
                _ => {}
            }
        }
        Ok(())
    }

    fn root(&mut self) -> Result<Open<'a>, ReadError> {
        loop {
            let open = match self.next()? {
                Event::Start(tag) => self.open(tag, Body::Inside)?,
                Event::Empty(tag) => self.open(tag, Body::None)?,
                Event::Eof => return Err(ReadError::Truncated),
                Event::Text(text) if is_blank(&text) => continue,
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) | Event::End(_) => {
                    return Err(ReadError::Malformed);
                }
                Event::Decl(declaration) => {
                    let utf8 = match declaration.encoding() {
                        None => true,
                        Some(Ok(encoding)) => encoding.eq_ignore_ascii_case("utf-8"),
                        Some(Err(_)) => return Err(ReadError::Malformed),
                    };
                    if !utf8 {
                        return Err(ReadError::NotUtf8);
                    }
                    continue;
                }
                _ => continue,
            };
            return if open.vocabulary == Vocabulary::Foreign {
                Err(ReadError::Namespace)
            } else {
                Ok(open)
            };
        }
    }

    fn end(&mut self) -> Result<(), ReadError> {
        loop {
            match self.next()? {
                Event::Eof => return Ok(()),
                Event::Text(text) if is_blank(&text) => {}
                Event::Comment(_) | Event::PI(_) => {}
                _ => return Err(ReadError::Malformed),
            }
        }
    }

    fn child(
        &mut self,
        parent: &Open<'a>,
        in_type: &'static str,
    ) -> Result<Option<Open<'a>>, ReadError> {
        if parent.content == Body::None {
            return Ok(None);
        }
        loop {
            match self.next()? {
                Event::Start(tag) => return self.open(tag, Body::Inside).map(Some),
                Event::Empty(tag) => return self.open(tag, Body::None).map(Some),
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(None);
                }
                Event::Eof => return Err(ReadError::Truncated),
                Event::Text(text) if !is_blank(&text) => {
                    return Err(ReadError::StrayText { in_type });
                }
                Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(ReadError::StrayText { in_type });
                }
                _ => {}
            }
        }
    }

    fn text(&mut self, open: &Open<'a>) -> Result<Cow<'a, str>, ReadError> {
        let mut text = Cow::Borrowed("");
        if open.content == Body::None {
            return Ok(text);
        }
        loop {
            match self.next()? {
                Event::Text(part) => append(&mut text, part.xml10_content())?,
                Event::CData(part) => append(&mut text, part.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(c)) => Cow::Owned(c.to_string()),
                        Ok(None) => quick_xml::escape::resolve_xml_entity(&reference)
                            .map(Cow::Borrowed)
                            .ok_or(ReadError::Entity)?,
                        Err(_) => return Err(ReadError::Malformed),
                    };
                    append(&mut text, resolved)?;
                }
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(text);
                }
                Event::Start(_) | Event::Empty(_) => return Err(ReadError::ElementInValue),
                Event::Eof => return Err(ReadError::Truncated),
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Event<'a>, ReadError> {
        match self.xml.read_event() {
            Ok(Event::DocType(_)) => Err(ReadError::DocumentType),
            Ok(event) => Ok(event),
            Err(quick_xml::Error::Syntax(_)) => Err(ReadError::Truncated),
            Err(quick_xml::Error::Namespace(quick_xml::name::NamespaceError::TooManyBindings(
                _,
            ))) => Err(ReadError::TooManyAttributes),
            Err(_) => Err(ReadError::Malformed),
        }
    }

    fn open(&mut self, tag: BytesStart<'a>, content: Body) -> Result<Open<'a>, ReadError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(ReadError::TooManyElements);
        }
        if content == Body::Inside {
            self.depth += 1;
        }
        if self.depth > MAX_DEPTH {
            return Err(ReadError::TooDeep);
        }
        // Counted before quick-xml compares attribute names pairwise for repetition.
        let count = || {
            let mut attributes = tag.attributes();
            attributes
                .with_checks(false)
                .take(MAX_ATTRIBUTES + 1)
                .count()
        };
        if has_attributes(&tag) && MAX_ATTRIBUTES < count() {
            return Err(ReadError::TooManyAttributes);
        }
        let vocabulary = match self.xml.resolver().resolve_element(tag.name()).0 {
            ResolveResult::Bound(namespace) => Vocabulary::of(namespace.into_inner()),
            ResolveResult::Unbound => Vocabulary::Foreign,
            ResolveResult::Unknown(_) => return Err(ReadError::Malformed),
        };
        Ok(Open {
            tag,
            content,
            vocabulary,
        })
    }
}

/// Whether a start tag has anything beside its name. Most have not.
fn has_attributes(tag: &BytesStart<'_>) -> bool {
    !tag.attributes_raw().is_empty()
}

fn is_blank(text: &str) -> bool {
    text.bytes()
        .all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
}

fn append<'a>(text: &mut Cow<'a, str>, part: Cow<'a, str>) -> Result<(), ReadError> {
    if text.len() + part.len() > MAX_TEXT_BYTES {
        return Err(ReadError::TextTooLong);
    }
    if text.is_empty() {
        *text = part;
    } else {
        text.to_mut().push_str(&part);
    }
    Ok(())
}

impl<T: Simple> Element for T {
    fn read<'a>(reader: &mut Reader<'a>, open: &Open<'a>) -> Result<Self, ReadError> {
        let text = reader.text(open)?;
        reader.value(&text)
    }

    fn write(&self, name: &str, out: &mut Writer) {
        out.simple(name, self);
    }
}
