//! A document as a tree. Document type declarations are refused, so no entity but the five of
//! XML and character references can occur.

use std::rc::Rc;

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use thiserror::Error;

use crate::limits::{
    MAX_ANSWER_BYTES, MAX_ANSWER_ELEMENTS, MAX_ATTRIBUTES, MAX_BODY_BYTES, MAX_DEPTH, MAX_ELEMENTS,
    MAX_TEXT_BYTES,
};

/// Why bytes are not a document this crate reads.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum XmlError {
    /// The body is too large.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// Elements are nested too deeply.
    #[error("elements are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// There are too many elements.
    #[error("there are more than {0} elements")]
    TooManyElements(usize),
    /// An element has too many attributes.
    #[error("an element has more than {MAX_ATTRIBUTES} attributes")]
    TooManyAttributes,
    /// An element has too much text.
    #[error("an element has more than {MAX_TEXT_BYTES} bytes of text")]
    TooMuchText,
    /// It is not UTF-8.
    #[error("the body is not UTF-8")]
    Encoding,
    /// It has a document type declaration.
    #[error("document type declarations are refused")]
    DocumentType,
    /// It refers to an entity.
    #[error("entity &{0}; is not known")]
    Entity(String),
    /// It holds a character that XML 1.0 does not allow.
    #[error("character U+{0:04X} is not allowed in XML")]
    Character(u32),
    /// It uses a prefix that is not bound.
    #[error("prefix {0} is not bound to a namespace")]
    Prefix(String),
    /// There is something beside the one root element.
    #[error("a document has exactly one root element and no text beside it")]
    Root,
    /// It ends before all elements are closed.
    #[error("the document ends before its end")]
    Truncated,
    /// It is not well-formed.
    #[error("not well-formed: {0}")]
    Malformed(String),
}

/// Name as written, and value.
pub type Attribute = (String, String);

/// An element with everything in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Namespace name, empty when it is in none.
    pub ns: Rc<str>,
    /// Name without prefix.
    pub local: String,
    /// Attributes with the prefixes they were written with, declarations left out.
    pub attributes: Vec<Attribute>,
    /// Child elements in document order.
    pub children: Vec<Self>,
    /// Text directly in it, comments left out.
    pub text: String,
}

impl Element {
    /// The value of an attribute by its name as written.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it has this name in this namespace.
    #[must_use]
    pub fn is(&self, ns: &str, local: &str) -> bool {
        &*self.ns == ns && self.local == local
    }
}

/// Reads a document that a peer posts.
///
/// # Errors
/// [`XmlError`] for anything that is not one well-formed document within the limits.
pub fn parse(body: &[u8]) -> Result<Element, XmlError> {
    parse_within(body, MAX_BODY_BYTES, MAX_ELEMENTS)
}

/// Reads a document that a server answers with, which may be larger.
///
/// # Errors
/// As for [`parse`].
pub fn parse_answer(body: &[u8]) -> Result<Element, XmlError> {
    parse_within(body, MAX_ANSWER_BYTES, MAX_ANSWER_ELEMENTS)
}

fn parse_within(body: &[u8], bytes: usize, elements: usize) -> Result<Element, XmlError> {
    if body.len() > bytes {
        return Err(XmlError::TooLarge(bytes));
    }
    let text = std::str::from_utf8(body).map_err(|error| match error.error_len() {
        None => XmlError::Truncated,
        Some(_) => XmlError::Encoding,
    })?;
    let tree = Tree {
        open: vec![],
        root: None,
        elements: 0,
        max: elements,
        namespaces: vec![],
    };
    tree.read(text.strip_prefix('\u{feff}').unwrap_or(text))
}

struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    max: usize,
    namespaces: Vec<Rc<str>>,
}

impl Tree {
    fn read(mut self, text: &str) -> Result<Element, XmlError> {
        let mut reader = NsReader::from_str(text);
        loop {
            let event = reader.read_event().map_err(|error| malformed(&error))?;
            match event {
                Event::Start(start) => self.start(&reader, &start)?,
                Event::Empty(start) => {
                    self.start(&reader, &start)?;
                    self.end();
                }
                Event::End(_) => self.end(),
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(entity) => {
                    let character = match entity.resolve_char_ref() {
                        Ok(Some(character)) => character,
                        Ok(None) => predefined(&entity.into_inner())?,
                        Err(error) => return Err(malformed(&error)),
                    };
                    self.text(character.encode_utf8(&mut [0; 4]))?;
                }
                Event::DocType(_) => return Err(XmlError::DocumentType),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        if !self.open.is_empty() {
            return Err(XmlError::Truncated);
        }
        self.root.ok_or(XmlError::Root)
    }

    fn start(&mut self, reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<(), XmlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(XmlError::TooDeep);
        }
        if self.elements >= self.max {
            return Err(XmlError::TooManyElements(self.max));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(XmlError::Root);
        }
        self.elements += 1;
        let (resolved, local) = reader.resolver().resolve_element(start.name());
        let ns = match resolved {
            ResolveResult::Bound(ns) => self.intern(ns.into_inner()),
            ResolveResult::Unbound => self.intern(""),
            ResolveResult::Unknown(prefix) => return Err(XmlError::Prefix(prefix)),
        };
        let local = local.into_inner().to_owned();
        let attributes = attributes(start)?;
        self.open.push(Element {
            ns,
            local,
            attributes,
            children: vec![],
            text: String::new(),
        });
        Ok(())
    }

    fn end(&mut self) {
        // The reader has checked that end tags match start tags.
        let Some(element) = self.open.pop() else {
            return;
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        if let Some(bad) = text.chars().find(|c| !is_xml_char(*c)) {
            return Err(XmlError::Character(u32::from(bad)));
        }
        let Some(element) = self.open.last_mut() else {
            return if text.trim().is_empty() {
                Ok(())
            } else {
                Err(XmlError::Root)
            };
        };
        if element.text.len() + text.len() > MAX_TEXT_BYTES {
            // White space between elements is layout, not content.
            return if text.trim().is_empty() {
                Ok(())
            } else {
                Err(XmlError::TooMuchText)
            };
        }
        element.text.push_str(text);
        Ok(())
    }

    /// Documents use a handful of namespaces, so a list beats a map.
    fn intern(&mut self, ns: &str) -> Rc<str> {
        if let Some(known) = self.namespaces.iter().find(|known| &***known == ns) {
            return Rc::clone(known);
        }
        let new: Rc<str> = Rc::from(ns);
        if self.namespaces.len() < MAX_ATTRIBUTES {
            self.namespaces.push(Rc::clone(&new));
        }
        new
    }
}

fn attributes(start: &BytesStart<'_>) -> Result<Vec<Attribute>, XmlError> {
    let mut kept = vec![];
    for (count, attribute) in start.attributes().enumerate() {
        if count >= MAX_ATTRIBUTES {
            return Err(XmlError::TooManyAttributes);
        }
        let attribute = attribute.map_err(|error| XmlError::Malformed(error.to_string()))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| malformed(&error))?;
        if value.len() > MAX_TEXT_BYTES {
            return Err(XmlError::TooMuchText);
        }
        if let Some(bad) = value.chars().find(|c| !is_xml_char(*c)) {
            return Err(XmlError::Character(u32::from(bad)));
        }
        if attribute.key.as_namespace_binding().is_none() {
            kept.push((attribute.key.into_inner().to_owned(), value.into_owned()));
        }
    }
    Ok(kept)
}

fn predefined(entity: &str) -> Result<char, XmlError> {
    match entity {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => Err(XmlError::Entity(other.chars().take(64).collect())),
    }
}

fn malformed(error: &quick_xml::Error) -> XmlError {
    match error {
        quick_xml::Error::Syntax(_) => XmlError::Truncated,
        other => XmlError::Malformed(other.to_string()),
    }
}

/// The `Char` production of XML 1.0.
pub(super) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
