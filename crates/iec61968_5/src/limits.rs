//! How much a message may hold. Reaching a limit is an error of its own kind, never a cut.

/// Bytes of one HTTP body.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of one answer that a client reads.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Elements inside each other.
pub const MAX_DEPTH: usize = 32;
/// Elements of one document.
pub const MAX_ELEMENTS: usize = 100_000;
/// Elements of one answer that a client reads.
pub const MAX_ANSWER_ELEMENTS: usize = 1_000_000;
/// Attributes of one element, namespace declarations included.
pub const MAX_ATTRIBUTES: usize = 32;
/// Bytes of text directly in one element.
pub const MAX_TEXT_BYTES: usize = 4 * 1024;
/// Groups of one message.
pub const MAX_GROUPS_PER_MESSAGE: usize = 1_000;
/// Members named for one group in one message.
pub const MAX_MEMBERS: usize = 20_000;
/// Groups of one answer.
pub const MAX_REPLY_GROUPS: usize = 10_000;
/// Members in one answer; a single group is always shown whole.
pub const MAX_REPLY_MEMBERS: usize = 200_000;
/// Names of one object.
pub const MAX_NAMES: usize = 16;
/// Dispatches of one message.
pub const MAX_DISPATCHES_PER_MESSAGE: usize = 100;
/// Schedules of one dispatch.
pub const MAX_SCHEDULES: usize = 16;
/// Points of one schedule.
pub const MAX_POINTS: usize = 1_000;
/// Repetitions of `Option`, `ID`, `Property` or `Error` that are read.
pub const MAX_ITEMS: usize = 1_000;
/// Active power of one point, as a magnitude in watts: more than any interconnection carries.
pub const MAX_POINT_W: f64 = 1e12;
