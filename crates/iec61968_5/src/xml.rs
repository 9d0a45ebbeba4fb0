//! XML in and out: a bounded, namespace-aware reader into a tree, and a writer.

mod dom;
mod fields;
mod text;
mod writer;

pub use dom::{Attribute, Element, XmlError, parse, parse_answer};
pub use fields::{Decode, DecodeError, Fault, Fields, Mode};
pub use text::{boolean, finite_float, format_timestamp, integer, timestamp};
pub use writer::{Writer, attribute, escaped};

#[cfg(test)]
mod tests;
