//! The IEC 61968-100 envelope: header and reply.

mod header;
mod reply;

pub use header::{Header, Noun, Verb};
pub use reply::{ErrorItem, IdKind, Level, ObjectId, Outcome, Reply, ReplyCode};
