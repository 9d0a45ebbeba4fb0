//! Bytes out: no tree, no formatter, one growing buffer.

use super::read::{Complex, Content};
use super::simple::Simple;
use super::table::{CSIP_AUS_PREFIX, Profile};
use super::{NAMESPACE, NAMESPACE_CSIP_AUS, NAMESPACE_XSI};
use crate::wire::registry::AnyResource;

/// What every document begins with. It names no encoding: without one it is UTF-8 (XML 1.0, 4.3.3),
/// and readers that have decoded a body already refuse to be told another time.
pub(crate) const DECLARATION: &str = "<?xml version=\"1.0\"?>\n";

/// Clients learn which extension a server speaks from the namespaces that this document declares.
const DECLARES_EXTENSION: &str = "DeviceCapability";

/// A whole document, declaration included.
#[must_use]
pub fn write<T: Complex>(value: &T, profile: Profile) -> Vec<u8> {
    let mut out = Writer::new(profile, 512);
    out.document(value);
    out.into_bytes()
}

/// The buffer that a document is written to.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    profile: Profile,
    /// Where the root tag takes further namespace declarations.
    declarations: usize,
    /// Whether an element of the extension was written in the document.
    extended: bool,
    /// Whether an element of the document says of which type it is.
    typed: bool,
}

impl Writer {
    #[must_use]
    pub fn new(profile: Profile, capacity_bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity_bytes),
            profile,
            declarations: 0,
            extended: false,
            typed: false,
        }
    }

    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes `value` as the root of a document.
    pub fn document<T: Complex>(&mut self, value: &T) {
        self.root(T::TABLE.name, value, |_| ());
    }

    /// Writes a root whose members are rendered one after another, so that a list need not be
    /// built.
    ///
    /// `head` is an empty list that carries the attributes.
    pub fn list_document<T: Complex, M: Complex>(
        &mut self,
        head: &T,
        member_name: &str,
        members: impl Iterator<Item = M>,
    ) {
        self.root(T::TABLE.name, head, |out| {
            for member in members {
                out.complex(member_name, &member);
            }
        });
    }

    /// Writes a root with the attributes and elements of `head`, and what `members` writes after
    /// them.
    pub(crate) fn root<T: Content + ?Sized>(
        &mut self,
        name: &str,
        head: &T,
        members: impl FnOnce(&mut Self),
    ) {
        self.open_document(name);
        head.write_attributes(self);
        self.content(name, |out| {
            head.write_elements(out);
            members(out);
        });
        self.declare();
    }

    fn open_document(&mut self, name: &str) {
        self.bytes.extend_from_slice(DECLARATION.as_bytes());
        let speaks = self.profile.extension.namespace().is_some();
        self.extended = speaks && name == DECLARES_EXTENSION;
        self.typed = false;
        self.open(name);
        self.bytes.extend_from_slice(b" xmlns=\"");
        self.bytes.extend_from_slice(NAMESPACE.as_bytes());
        self.bytes.push(b'"');
        self.declarations = self.bytes.len();
    }

    /// Declares on the root what the document has turned out to use.
    ///
    /// A document of the extension stays one for whom it is not meant, in the first namespace.
    fn declare(&mut self) {
        if self.typed {
            self.insert(self.declarations, &declaration("xsi", NAMESPACE_XSI));
        }
        if self.extended {
            let namespace = self.profile.extension.namespace();
            let namespace = namespace.unwrap_or(NAMESPACE_CSIP_AUS);
            self.insert(self.declarations, &declaration("csipaus", namespace));
        }
    }

    /// How much is written, which is also where an element that is written now begins.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Puts `bytes` where the document has been written already.
    pub(crate) fn insert(&mut self, at: usize, bytes: &[u8]) {
        self.bytes.splice(at..at, bytes.iter().copied());
    }

    fn open(&mut self, name: &str) {
        self.bytes.push(b'<');
        self.bytes.extend_from_slice(name.as_bytes());
        self.extended |= name.starts_with(CSIP_AUS_PREFIX);
    }

    pub(crate) fn complex<T: Content + ?Sized>(&mut self, name: &str, value: &T) {
        self.typed(name, None, value);
    }

    /// Writes `value` as an element called `name`, which says of which type it is if that is
    /// another one than its name implies.
    pub(crate) fn resource(&mut self, name: &str, value: &dyn AnyResource) {
        let kind = value.kind();
        let is_derived = kind.name() != name;
        self.typed(name, is_derived.then(|| kind.type_name()), value);
    }

    fn typed<T: Content + ?Sized>(&mut self, name: &str, type_name: Option<&str>, value: &T) {
        self.open(name);
        if let Some(type_name) = type_name {
            self.typed = true;
            self.extended |= type_name.starts_with(CSIP_AUS_PREFIX);
            self.bytes.extend_from_slice(b" xsi:type=\"");
            self.bytes.extend_from_slice(type_name.as_bytes());
            self.bytes.push(b'"');
        }
        value.write_attributes(self);
        self.content(name, |out| value.write_elements(out));
    }

    pub(crate) fn simple<T: Simple>(&mut self, name: &str, value: &T) {
        self.open(name);
        self.bytes.push(b'>');
        value.write(&mut self.bytes);
        self.close(name);
    }

    pub(crate) fn attribute<T: Simple>(&mut self, name: &str, value: &T) {
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"=\"");
        value.write(&mut self.bytes);
        self.bytes.push(b'"');
    }

    fn content(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.bytes.push(b'>');
        let empty = self.bytes.len();
        write(self);
        if self.bytes.len() == empty {
            self.bytes.pop();
            self.bytes.extend_from_slice(b"/>");
        } else {
            self.close(name);
        }
    }

    fn close(&mut self, name: &str) {
        self.bytes.extend_from_slice(b"</");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(b'>');
    }
}

fn declaration(prefix: &str, namespace: &str) -> Vec<u8> {
    format!(" xmlns:{prefix}=\"{namespace}\"").into_bytes()
}
