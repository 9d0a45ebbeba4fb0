//! XML in and out, driven by one table per schema type.
//!
//! Reading is liberal where devices in the field differ: any prefix, either of the two namespaces
//! in use, elements in any order, unknown elements skipped. Writing is strict: the schema's
//! sequence, base types first, fixed hexadecimal widths, one edition at a time.
//!
//! Interpretation: the standard extends resources by adding elements in later editions and in
//! foreign namespaces, and asks receivers to ignore what they do not know. Unknown elements and
//! attributes of any namespace below the root are therefore skipped, never an error; the root must
//! be known.

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
