//! Bytes in: tokens from quick-xml, meaning from the type tables.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::simple::{Simple, ValueError};
use super::table::{Occurs, Row, TypeTable};
use super::write::Writer;
use super::{
    MAX_ATTRIBUTES, MAX_BODY_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT_BYTES, NAMESPACE,
    NAMESPACE_DRAFT,
};

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
    #[error("the root element is not in an IEEE 2030.5 namespace")]
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
    #[error("{in_type} has {name} more than once")]
    Repeated {
        in_type: &'static str,
        name: &'static str,
    },
    #[error("{in_type}.{name} {source}")]
    Value {
        in_type: &'static str,
        name: &'static str,
        source: ValueError,
    },
}

/// A complex type of the schema.
pub trait Complex: Default {
    const TABLE: &'static TypeTable;

    fn read_attribute(&mut self, name: &str, text: &str) -> Result<(), ValueError>;
    fn read_element<'a>(
        &mut self,
        name: &str,
        reader: &mut Reader<'a>,
        open: &Open<'a>,
    ) -> Result<(), ReadError>;
    fn write_attributes(&self, out: &mut Writer);
    fn write_elements(&self, out: &mut Writer);
}

/// What an element can hold: a complex type or a simple one.
pub trait Element: Sized {
    fn read<'a>(reader: &mut Reader<'a>, open: &Open<'a>) -> Result<Self, ReadError>;
    fn write(&self, name: &str, out: &mut Writer);
}

/// Reads a body whose root must be `T`.
pub fn read<T: Complex>(body: &[u8]) -> Result<T, ReadError> {
    Document::open(body)?.read()
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

    /// Reads the root as `T`, whose element name it must have.
    pub fn read<T: Complex>(self) -> Result<T, ReadError> {
        if self.name() != T::TABLE.name {
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
enum Content {
    Inside,
    None,
}

/// A start tag.
#[derive(Debug)]
pub struct Open<'a> {
    tag: BytesStart<'a>,
    content: Content,
    known: bool,
}

impl Open<'_> {
    /// The local name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.tag.local_name().into_inner()
    }
}

/// The tokens of one document, with its limits counted.
#[derive(Debug)]
pub struct Reader<'a> {
    xml: NsReader<&'a [u8]>,
    depth: usize,
    elements: usize,
    place: Place,
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
        }
    }

    /// Passes over an element and all that is in it.
    pub fn skip(&mut self, open: &Open<'a>) -> Result<(), ReadError> {
        if open.content == Content::None {
            return Ok(());
        }
        let outside = self.depth - 1;
        while self.depth > outside {
            match self.next()? {
                Event::Start(tag) => drop(self.open(tag, Content::Inside)?),
                Event::Empty(tag) => drop(self.open(tag, Content::None)?),
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
                Event::Start(tag) => self.open(tag, Content::Inside)?,
                Event::Empty(tag) => self.open(tag, Content::None)?,
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
            return if open.known {
                Ok(open)
            } else {
                Err(ReadError::Namespace)
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
        if parent.content == Content::None {
            return Ok(None);
        }
        loop {
            match self.next()? {
                Event::Start(tag) => return self.open(tag, Content::Inside).map(Some),
                Event::Empty(tag) => return self.open(tag, Content::None).map(Some),
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
        if open.content == Content::None {
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

    fn open(&mut self, tag: BytesStart<'a>, content: Content) -> Result<Open<'a>, ReadError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(ReadError::TooManyElements);
        }
        if content == Content::Inside {
            self.depth += 1;
        }
        if self.depth > MAX_DEPTH {
            return Err(ReadError::TooDeep);
        }
        // Counted before quick-xml compares attribute names pairwise for repetition.
        if tag
            .attributes()
            .with_checks(false)
            .take(MAX_ATTRIBUTES + 1)
            .count()
            > MAX_ATTRIBUTES
        {
            return Err(ReadError::TooManyAttributes);
        }
        let known = match self.xml.resolver().resolve_element(tag.name()).0 {
            ResolveResult::Bound(namespace) => {
                let namespace = namespace.into_inner();
                namespace == NAMESPACE || namespace == NAMESPACE_DRAFT
            }
            ResolveResult::Unbound => false,
            ResolveResult::Unknown(_) => return Err(ReadError::Malformed),
        };
        Ok(Open {
            tag,
            content,
            known,
        })
    }
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
        let Place { in_type, name } = reader.place;
        T::read(&text).map_err(|source| ReadError::Value {
            in_type,
            name,
            source,
        })
    }

    fn write(&self, name: &str, out: &mut Writer) {
        out.simple(name, self);
    }
}

pub(crate) fn read_complex<'a, T: Complex>(
    reader: &mut Reader<'a>,
    open: &Open<'a>,
) -> Result<T, ReadError> {
    let mut value = T::default();
    read_attributes(&mut value, open)?;
    let table = T::TABLE;
    let mut seen = 0_u64;
    while let Some(child) = reader.child(open, table.name)? {
        let place = table
            .elements
            .iter()
            .position(|row| row.name == child.name());
        let (true, Some(place)) = (child.known, place) else {
            reader.skip(&child)?;
            continue;
        };
        let row = &table.elements[place];
        if row.occurs != Occurs::Many && seen & (1 << place) != 0 {
            return Err(ReadError::Repeated {
                in_type: table.name,
                name: row.name,
            });
        }
        seen |= 1 << place;
        reader.place = Place {
            in_type: table.name,
            name: row.name,
        };
        value.read_element(row.name, reader, &child)?;
    }
    missing(table.name, table.elements, seen)?;
    Ok(value)
}

fn missing(in_type: &'static str, rows: &'static [Row], seen: u64) -> Result<(), ReadError> {
    for (place, row) in rows.iter().enumerate() {
        if row.occurs == Occurs::One && seen & (1 << place) == 0 {
            return Err(ReadError::Missing {
                in_type,
                name: row.name,
            });
        }
    }
    Ok(())
}

fn read_attributes<T: Complex>(value: &mut T, open: &Open<'_>) -> Result<(), ReadError> {
    let table = T::TABLE;
    let mut seen = 0_u64;
    for attribute in open.tag.attributes() {
        let attribute = attribute.map_err(|_| ReadError::Malformed)?;
        let name = attribute.key.into_inner();
        let Some(place) = table.attributes.iter().position(|row| row.name == name) else {
            continue;
        };
        let text = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|_| ReadError::Entity)?;
        if text.len() > MAX_TEXT_BYTES {
            return Err(ReadError::TextTooLong);
        }
        seen |= 1 << place;
        value
            .read_attribute(name, &text)
            .map_err(|source| ReadError::Value {
                in_type: table.name,
                name: table.attributes[place].name,
                source,
            })?;
    }
    missing(table.name, table.attributes, seen)
}
