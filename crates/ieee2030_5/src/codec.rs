//! XML in and out, driven by one table per schema type.
//!
//! Reading is liberal where devices in the field differ: any prefix, either of the two namespaces
//! in use, elements in any order, unknown elements skipped. Writing is strict: the schema's
//! sequence, base types first, hexadecimal in capitals and whole octets, for one
//! [profile](table::Profile) at a time.
//!
//! Interpretation: the standard extends resources by adding elements in later editions and in
//! foreign namespaces, and asks receivers to ignore what they do not know. Unknown elements and
//! attributes of any namespace below the root are therefore skipped, never an error, and are not
//! given back to whoever asks for the resource later; the root must be known. The same holds for the
//! elements that every type of 2023 ends with for later revisions to fill.

pub mod read;
pub mod simple;
pub mod table;
pub mod write;

#[cfg(test)]
mod tests;

/// The namespace that is written.
pub const NAMESPACE: &str = "urn:ieee:std:2030.5:ns";
/// The namespace of the drafts, which fielded clients still send.
pub const NAMESPACE_DRAFT: &str = "http://ieee.org/2030.5";
/// The namespaces of all versions of the Australian extension begin with this.
pub const NAMESPACE_CSIP_AUS: &str = "https://csipaus.org/ns";
/// The namespace of `xsi:type`.
pub const NAMESPACE_XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The media type of an XML representation.
pub const MEDIA_TYPE: &str = "application/sep+xml";

/// Bytes of one document.
pub const MAX_BODY_BYTES: usize = 512 * 1024;
/// Elements open at once.
pub const MAX_DEPTH: usize = 24;
/// Elements in one document, skipped ones included.
pub const MAX_ELEMENTS: usize = 20_000;
/// Bytes of one text value, after references are resolved.
pub const MAX_TEXT_BYTES: usize = 1024;
/// Attributes of one element, namespace declarations included.
pub const MAX_ATTRIBUTES: usize = 32;
