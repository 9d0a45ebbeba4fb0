//! Groups: create, change by merging, delete.

use units::Timestamp;

use super::invalid;
use crate::{DerId, Event, Fleet, Group, GroupChange, GroupId, NewGroup, Rejection, Version};

impl Fleet {
    pub(super) fn create_group(
        &self,
        new: &NewGroup,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        if self.groups_by_mrid.len() >= Self::MAX_GROUPS {
            return Err(Rejection::TooMany {
                what: "groups",
                max: Self::MAX_GROUPS,
            });
        }
        if self.groups_by_mrid.contains_key(&new.mrid) {
            return Err(Rejection::MridTaken(new.mrid.clone()));
        }
        if new.names.len() > Self::MAX_GROUP_NAMES {
            return Err(Rejection::TooMany {
                what: "group names",
                max: Self::MAX_GROUP_NAMES,
            });
        }
        let first = Version {
            date: now,
            major: 1,
            minor: 0,
            revision: 0,
        };
        let group = Group {
            id: GroupId::from(self.groups.len()),
            mrid: new.mrid.clone(),
            names: new.names.clone(),
            description: new.description.clone(),
            functions: new.functions,
            members: self.members(&new.members)?,
            version: new.version.unwrap_or(first),
        };
        Ok(vec![Event::GroupCreated(group)])
    }

    pub(super) fn change_group(
        &self,
        id: GroupId,
        change: &GroupChange,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let mut group = self.known_group(id)?.clone();
        if let Some(names) = &change.names {
            if names.len() > Self::MAX_GROUP_NAMES {
                let max = Self::MAX_GROUP_NAMES;
                return Err(Rejection::TooMany {
                    what: "group names",
                    max,
                });
            }
            group.names.clone_from(names);
        }
        if change.description.is_some() {
            group.description.clone_from(&change.description);
        }
        group.functions = change.functions.unwrap_or(group.functions);
        // A member that came or went in mid-dispatch would be counted on by two dispatches, or
        // keep a control that nobody counts.
        let moves = !change.add.is_empty() || !change.remove.is_empty();
        if moves && self.is_dispatched(id, now) {
            return Err(Rejection::GroupInUse(group.mrid));
        }
        let added = self.members(&change.add)?;
        let removed = self.members(&change.remove)?;
        if let Some(stranger) = removed.iter().find(|der| !group.members.contains(der)) {
            let rule = format!("DER {} is not a member", self.known(*stranger)?.mrid);
            return Err(invalid("EndDevices", &rule));
        }
        group.members.extend(added);
        group.members.sort_unstable();
        group.members.dedup();
        group
            .members
            .retain(|der| removed.binary_search(der).is_err());
        let raised = Version {
            date: now,
            minor: group.version.minor + 1,
            ..group.version
        };
        group.version = change.version.unwrap_or(raised);
        Ok(vec![Event::GroupChanged(group)])
    }

    pub(super) fn delete_group(
        &self,
        id: GroupId,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let group = self.known_group(id)?;
        if self.is_dispatched(id, now) {
            return Err(Rejection::GroupInUse(group.mrid.clone()));
        }
        Ok(vec![Event::GroupDeleted(id)])
    }

    fn is_dispatched(&self, id: GroupId, now: Timestamp) -> bool {
        self.open_dispatches(now)
            .any(|dispatch| dispatch.group == id)
    }

    fn members(&self, given: &[DerId]) -> Result<Vec<DerId>, Rejection> {
        for der in given {
            self.known(*der)?;
        }
        let mut members = given.to_vec();
        members.sort_unstable();
        members.dedup();
        Ok(members)
    }

    pub(crate) fn known_group(&self, id: GroupId) -> Result<&Group, Rejection> {
        self.group(id).ok_or_else(|| Rejection::Unknown {
            what: "group",
            id: id.to_string(),
        })
    }
}
