//! Settings management: which IEEE 1547-2018 settings a DER is required to have, how a change
//! reaches the fleet in stages, and what the devices report of it.
//!
//! A [`SettingsProfile`] is one immutable version of a named set of settings. A [`Requirement`]
//! says of whom it is required and from when; a [`RollOut`] lays a new version over the
//! requirements of its DER, stage by stage, and takes it away again when it is rolled back. What
//! is [required](SettingsBook::required) of a DER is a function of these and the instant.
//! [`compile()`](compile::compile) turns a version into what an IEEE 2030.5 programme holds, for
//! one DER; [`reconcile()`](reconcile::reconcile) brings the DER's programme to it;
//! [`comparison()`](read_back::comparison) holds it against what the device reports.

pub mod book;
pub mod compile;
pub mod parameter;
pub mod read_back;
pub mod reconcile;
pub mod requirement;
pub mod roll_out;
pub mod rule;
pub mod value;

mod apply;
mod decide;

use units::Timestamp;

use crate::{Name, Note, SettingsProfileId};

pub use book::{SettingsBook, Source};
pub use compile::{Basis, Compiled};
pub use decide::{SettingsCommand, SettingsEvent};
pub use parameter::{Kind, Parameter};
pub use read_back::{AppliedSettings, Drift, FieldState, Reported};
pub use reconcile::Realised;
pub use requirement::{Requirement, Subject};
pub use roll_out::{
    Criteria, Decision, Facts, HaltReason, NewRollOut, Phase, RollOut, StagePlan, Standing,
};
pub use rule::{Rule, Violation};
pub use value::{Decimal, Excitation, Value, Values};

/// IEEE 1547-2018, 1.4: performance category under normal conditions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Normal {
    /// Category A.
    A,
    /// Category B.
    B,
}

/// IEEE 1547-2018, 1.4: performance category under abnormal conditions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Abnormal {
    /// Category I.
    I,
    /// Category II.
    II,
    /// Category III.
    III,
}

/// Both performance categories of a DER; the ranges of settings depend on them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Category {
    /// Under normal conditions.
    pub normal: Normal,
    /// Under abnormal conditions.
    pub abnormal: Abnormal,
}

/// One version of a named set of settings; never changed, only followed by another version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsProfile {
    /// Dense index over all versions of all names.
    pub id: SettingsProfileId,
    /// What it is called; the same for all its versions.
    pub name: Name,
    /// Counts from 1.
    pub version: u32,
    /// For DER of this category.
    pub category: Category,
    /// What is required; a parameter that is absent is left to the device.
    pub values: Values,
    /// Why this version exists.
    pub comment: Option<Note>,
    /// Who made it.
    pub author: Name,
    /// When.
    pub created: Timestamp,
}

/// A version to create.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSettingsProfile {
    /// A name that exists makes its next version, another one its first.
    pub name: Name,
    /// For DER of this category.
    pub category: Category,
    /// What is required.
    pub values: Values,
    /// Why.
    pub comment: Option<Note>,
    /// Who.
    pub author: Name,
}

impl SettingsProfile {
    /// Most versions of all names together.
    pub const MAX_VERSIONS: usize = 10_000;

    /// How curves made from it are called, so that they are found again: the name, cut to leave
    /// room for the version.
    #[must_use]
    pub fn label(&self) -> Name {
        let version = format!(" v{}", self.version);
        let room = Name::MAX_CHARS - version.len();
        let head: String = self.name.as_str().chars().take(room).collect();
        Name::new(&format!("{}{version}", head.trim_end())).unwrap_or_else(|_| self.name.clone())
    }
}

#[cfg(test)]
mod tests;
