//! Groups: create, change, delete, query.

use units::Timestamp;

use super::answer::{Begun, Continuation, Echo, Response, Slot, within_limits};
use super::{Answer, Submission};
use crate::envelope::ErrorItem;
use crate::message::Payload;
use crate::profile::Profile;
use crate::translate::{
    Command, Directory, Group, Mint, View, group_change, key_id, new_group, object_id, present,
    wire_group,
};
use crate::wire::der_group_queries::{DerGroupQueries, GroupKey};
use crate::wire::der_groups::{DerGroups, EndDeviceGroup};

/// Commands and slots as they come about.
#[derive(Default)]
pub(super) struct Gathered {
    commands: Vec<Command>,
    slots: Vec<Slot>,
}

impl Gathered {
    pub(super) fn submit(&mut self, command: Command, slot: Slot) {
        self.commands.push(command);
        self.slots.push(slot);
    }

    pub(super) fn refuse(&mut self, error: ErrorItem) {
        self.slots.push(Slot::Refused(error));
    }

    pub(super) fn into_answer(self, begun: Begun) -> Answer {
        let continuation = Continuation {
            begun,
            slots: self.slots,
        };
        Answer::Submit(Box::new(Submission {
            commands: self.commands,
            continuation,
        }))
    }
}

pub(super) fn create(
    groups: &DerGroups,
    begun: Begun,
    (profile, view): (&Profile, &View<'_>),
    mint: &mut Mint<'_>,
    now: Timestamp,
) -> Answer {
    let mut gathered = Gathered::default();
    for group in &groups.groups {
        let id = group_id(group, profile);
        match new_group(group, (view.fleet, profile.mode), mint, now) {
            Ok(new) => {
                let echo = Echo::Group(new.mrid.clone());
                gathered.submit(Command::CreateGroup(new), Slot::Submitted(id, echo));
            }
            Err(error) => gathered.refuse(error.about(id)),
        }
    }
    gathered.into_answer(begun)
}

pub(super) fn change(
    groups: &DerGroups,
    begun: Begun,
    (profile, view): (&Profile, &View<'_>),
    now: Timestamp,
) -> Answer {
    let mut directory = Directory::new(view.fleet, profile);
    let mut gathered = Gathered::default();
    for wire in &groups.groups {
        let id = group_id(wire, profile);
        // With an mRID, the names are not a key but what the group shall be called.
        let key = match present(wire.mrid.as_deref(), profile.mode) {
            Some(mrid) => GroupKey {
                mrid: Some(mrid.to_owned()),
                names: vec![],
            },
            None => GroupKey {
                mrid: None,
                names: wire.names.clone(),
            },
        };
        let command = directory.group(&key).and_then(|group| {
            let change = group_change(wire, view.fleet, profile.mode, now)?;
            Ok((Command::ChangeGroup(group.id, change), group.mrid.clone()))
        });
        match command {
            Ok((command, mrid)) => {
                gathered.submit(command, Slot::Submitted(id, Echo::Group(mrid)));
            }
            Err(error) => gathered.refuse(error.about(id)),
        }
    }
    gathered.into_answer(begun)
}

pub(super) fn delete(
    groups: &DerGroups,
    begun: Begun,
    (profile, view): (&Profile, &View<'_>),
) -> Answer {
    let mut directory = Directory::new(view.fleet, profile);
    let mut gathered = Gathered::default();
    for wire in &groups.groups {
        let id = group_id(wire, profile);
        let mrid = present(wire.mrid.as_deref(), profile.mode).map(str::to_owned);
        let key = GroupKey {
            mrid,
            names: wire.names.clone(),
        };
        match directory.group(&key) {
            Ok(group) => {
                let slot = Slot::Submitted(id, Echo::Nothing);
                gathered.submit(Command::DeleteGroup(group.id), slot);
            }
            Err(error) => gathered.refuse(error.about(id)),
        }
    }
    gathered.into_answer(begun)
}

pub(super) fn query(
    query: &DerGroupQueries,
    begun: Begun,
    profile: &Profile,
    view: &View<'_>,
) -> Response {
    let (found, mut errors) = select(query, profile, view);
    let handled = found.len();
    let (found, part) = within_limits(&found);
    errors.extend(part);
    let groups: Vec<_> = found
        .into_iter()
        .map(|group| wire_group(group, view.fleet))
        .collect();
    let payload = (!groups.is_empty()).then_some(Payload::Groups(DerGroups { groups }));
    begun.answer(handled, errors, payload)
}

/// The groups a query asks for, each once, and what it asks for in vain.
pub(super) fn select<'a>(
    query: &DerGroupQueries,
    profile: &Profile,
    view: &View<'a>,
) -> (Vec<&'a Group>, Vec<ErrorItem>) {
    let mut directory = Directory::new(view.fleet, profile);
    let mut found: Vec<&'a Group> = vec![];
    let mut errors = vec![];
    for key in &query.groups {
        if key.is_all() {
            return (view.fleet.groups().collect(), errors);
        }
        match directory.group(key) {
            Ok(group) => found.push(group),
            Err(error) => errors.push(error.about(key_id(key))),
        }
    }
    found.sort_by_key(|group| group.id);
    found.dedup_by_key(|group| group.id);
    (found, errors)
}

fn group_id(wire: &EndDeviceGroup, profile: &Profile) -> crate::envelope::ObjectId {
    object_id(
        present(wire.mrid.as_deref(), profile.mode),
        &wire.names,
        "DERGroup",
    )
}
