//! Dispatches: create.

use super::Answer;
use super::answer::{Begun, Echo, Slot};
use super::groups::Gathered;
use crate::envelope::ObjectId;
use crate::profile::{Mode, Profile};
use crate::translate::{Command, Directory, Mint, View, key_id, new_dispatch, object_id, present};
use crate::wire::der_group_dispatches::{DerGroupDispatch, DerGroupDispatches};
use crate::wire::der_group_queries::GroupKey;

pub(super) fn create(
    dispatches: &DerGroupDispatches,
    begun: Begun,
    (profile, view): (&Profile, &View<'_>),
    mint: &mut Mint<'_>,
) -> Answer {
    let mut directory = Directory::new(view.fleet, profile);
    let mut gathered = Gathered::default();
    for wire in &dispatches.dispatches {
        let mrid = present(wire.mrid.as_deref(), profile.mode);
        let key = group_key(wire, profile.mode);
        let new = directory
            .group(&key)
            .and_then(|group| new_dispatch(wire, group.id, profile, mint).map(|new| (group, new)));
        match new {
            Ok((group, new)) => {
                let echo = DerGroupDispatch {
                    mrid: Some(new.mrid.as_str().to_owned()),
                    group_mrid: Some(group.mrid.as_str().to_owned()),
                    ..wire.clone()
                };
                let id = dispatch_id(wire, &key, mrid);
                let slot = Slot::Submitted(id, Echo::Dispatch(Box::new(echo)));
                gathered.submit(Command::CreateDispatch(new), slot);
            }
            Err(error) if error.id.is_some() => gathered.refuse(error),
            Err(error) => {
                gathered.refuse(error.about(dispatch_id(wire, &key, mrid)));
            }
        }
    }
    gathered.into_answer(begun)
}

/// Interpretation: an error is about the dispatch or, where that has neither mRID nor name, about
/// its group.
fn dispatch_id(wire: &DerGroupDispatch, group: &GroupKey, mrid: Option<&str>) -> ObjectId {
    if mrid.is_none() && wire.names.is_empty() {
        return key_id(group);
    }
    object_id(mrid, &wire.names, "DERGroupDispatch")
}

/// Interpretation: lenient peers may put the name of the group on the dispatch.
fn group_key(wire: &DerGroupDispatch, mode: Mode) -> GroupKey {
    let mrid = present(wire.group_mrid.as_deref(), mode).map(str::to_owned);
    let named = mrid.is_some() || !wire.group_names.is_empty() || mode == Mode::Strict;
    let names = if named {
        &wire.group_names
    } else {
        &wire.names
    };
    GroupKey {
        mrid,
        names: names.clone(),
    }
}
