//! Of whom a profile is required, and from when.

use units::Timestamp;

use super::Category;
use crate::{AssignmentId, DerId, Name, SettingsProfileId};

/// Of whom, from the most local to the widest: a more local requirement goes before a wider one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// One DER.
    Der(DerId),
    /// Every DER at or below this node of the hierarchy.
    Assignment(AssignmentId),
    /// Every DER of this category.
    Category(Category),
}

/// One requirement; of those of one subject the one that began last holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// Of whom.
    pub subject: Subject,
    /// Which version; `None` ends what was required before.
    pub profile: Option<SettingsProfileId>,
    /// From when.
    pub from: Timestamp,
    /// Who required it.
    pub author: Name,
}
