//! Bytes out: no tree, no formatter, one growing buffer.

use super::NAMESPACE;
use super::read::Complex;
use super::simple::Simple;
use super::table::Edition;

/// A whole document, declaration included.
#[must_use]
pub fn write<T: Complex>(value: &T, edition: Edition) -> Vec<u8> {
    let mut out = Writer::new(edition, 512);
    out.document(value);
    out.into_bytes()
}

/// The buffer that a document is written to.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    edition: Edition,
}

impl Writer {
    #[must_use]
    pub fn new(edition: Edition, capacity_bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity_bytes),
            edition,
        }
    }

    #[must_use]
    pub fn edition(&self) -> Edition {
        self.edition
    }

    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes `value` as the root of a document.
    pub fn document<T: Complex>(&mut self, value: &T) {
        self.open_document(T::TABLE.name);
        value.write_attributes(self);
        self.content(T::TABLE.name, |out| value.write_elements(out));
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
        self.open_document(T::TABLE.name);
        head.write_attributes(self);
        self.content(T::TABLE.name, |out| {
            for member in members {
                out.complex(member_name, &member);
            }
        });
    }

    fn open_document(&mut self, name: &str) {
        self.bytes
            .extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b" xmlns=\"");
        self.bytes.extend_from_slice(NAMESPACE.as_bytes());
        self.bytes.push(b'"');
    }

    pub(crate) fn complex<T: Complex>(&mut self, name: &str, value: &T) {
        self.bytes.push(b'<');
        self.bytes.extend_from_slice(name.as_bytes());
        value.write_attributes(self);
        self.content(name, |out| value.write_elements(out));
    }

    pub(crate) fn simple<T: Simple>(&mut self, name: &str, value: &T) {
        self.bytes.push(b'<');
        self.bytes.extend_from_slice(name.as_bytes());
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
