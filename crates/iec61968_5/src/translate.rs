//! Between the wire and the fleet. This is the only place that knows both, and the only one where
//! a flow direction becomes a sign.

mod dispatch;
mod group;
mod rejection;
mod status;

use std::collections::BTreeMap;

pub use fleet::{CimMrid, Command, Fleet, Group, GroupId, Rejection};

pub use dispatch::new_dispatch;
pub use group::{group_change, new_group, wire_group};
pub use rejection::{rejected, schema_error};
pub use status::{GroupStatus, Voltage, wire_status};

use crate::envelope::{ErrorItem, IdKind, Level, ObjectId, ReplyCode};
use crate::profile::{Mode, Profile};
use crate::wire::der_group_queries::GroupKey;
use crate::wire::naming::Name as WireName;

/// What a handler may look at.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The fleet as decided.
    pub fleet: &'a Fleet,
    /// What a group does and can do now.
    pub status: &'a dyn Fn(&Group) -> GroupStatus,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("fleet", &self.fleet)
            .finish_non_exhaustive()
    }
}

/// Draws the mRIDs of objects and messages that come without one: UUIDs.
pub type Mint<'m> = dyn FnMut() -> CimMrid + 'm;

/// Finds what a message names. Names are indexed once for each message, as a message may name
/// many groups and a fleet may have many.
#[derive(Debug)]
pub struct Directory<'a> {
    fleet: &'a Fleet,
    by_name: Option<BTreeMap<&'a str, Vec<GroupId>>>,
    mode: Mode,
}

impl<'a> Directory<'a> {
    /// Over the groups that exist now.
    #[must_use]
    pub const fn new(fleet: &'a Fleet, profile: &Profile) -> Self {
        Self {
            fleet,
            by_name: None,
            mode: profile.mode,
        }
    }

    /// The group with this mRID or, without one, with the first of these names.
    ///
    /// # Errors
    /// 99.1 when there is none, 2.29 when the name is that of several, or when mRID and name
    /// contradict each other and the mode is strict.
    pub fn group(&mut self, key: &GroupKey) -> Result<&'a Group, ErrorItem> {
        let unknown = || {
            let reason = "the group does not exist";
            ErrorItem::new(ReplyCode::UnknownGroup, Level::Fatal, reason).about(key_id(key))
        };
        let Some(mrid) = &key.mrid else {
            return self.group_by_name(key, unknown);
        };
        let mrid = CimMrid::new(mrid).map_err(|_| unknown())?;
        let group = self.fleet.group_by_mrid(&mrid).ok_or_else(unknown)?;
        let named = |name: &WireName| group.names.iter().any(|n| n.name.as_str() == name.name);
        if self.mode == Mode::Strict && !key.names.iter().all(named) {
            let reason = "the group of this mRID has another name";
            let error = ErrorItem::new(ReplyCode::Mismatch, Level::Fatal, reason);
            return Err(error.about(key_id(key)));
        }
        Ok(group)
    }

    fn group_by_name(
        &mut self,
        key: &GroupKey,
        unknown: impl Fn() -> ErrorItem,
    ) -> Result<&'a Group, ErrorItem> {
        let Some(name) = key.names.first() else {
            let reason = "neither mRID nor Names says which group is meant";
            return Err(ErrorItem::new(
                ReplyCode::MandatoryMissing,
                Level::Fatal,
                reason,
            ));
        };
        let fleet = self.fleet;
        let index = self.by_name.get_or_insert_with(|| {
            let mut index: BTreeMap<&str, Vec<GroupId>> = BTreeMap::new();
            for group in fleet.groups() {
                for name in &group.names {
                    index.entry(name.name.as_str()).or_default().push(group.id);
                }
            }
            index
        });
        match index.get(name.name.as_str()).map(Vec::as_slice) {
            Some([only]) => fleet.group(*only).ok_or_else(unknown),
            Some([_, _, ..]) => {
                let reason = "several groups have this name; use the mRID";
                let error = ErrorItem::new(ReplyCode::Mismatch, Level::Fatal, reason);
                Err(error.about(key_id(key)))
            }
            _ => Err(unknown()),
        }
    }
}

/// How an object without an mRID, or with one, is called in an error.
#[must_use]
pub fn object_id(mrid: Option<&str>, names: &[WireName], object_type: &str) -> ObjectId {
    let (kind, value) = match (mrid, names.first()) {
        (Some(mrid), _) => (Some(IdKind::Uuid), mrid),
        (None, Some(name)) => (Some(IdKind::Name), name.name.as_str()),
        (None, None) => (Some(IdKind::Other), ""),
    };
    ObjectId {
        kind,
        object_type: Some(object_type.to_owned()),
        value: value.to_owned(),
    }
}

/// How a group is called in an error.
#[must_use]
pub fn key_id(key: &GroupKey) -> ObjectId {
    object_id(key.mrid.as_deref(), &key.names, "DERGroup")
}

/// Interpretation: an empty mRID, which some clients write for an absent one, is an absent one in
/// lenient mode.
#[must_use]
pub fn present(mrid: Option<&str>, mode: Mode) -> Option<&str> {
    mrid.filter(|mrid| mode == Mode::Strict || !mrid.is_empty())
}
