//! Groups.

use std::borrow::Cow;

use fleet::{DerFunctions, DerId, Event, Group, GroupId, GroupName, Name, Version};
use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::RecordError;
use super::field::{optional_text, text};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupNameV1<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_type: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<Cow<'a, str>>,
}

impl<'a> From<&'a GroupName> for GroupNameV1<'a> {
    fn from(name: &'a GroupName) -> Self {
        Self {
            name: name.name.as_str().into(),
            name_type: name.name_type.as_ref().map(|text| text.as_str().into()),
            authority: name.authority.as_ref().map(|text| text.as_str().into()),
        }
    }
}

impl GroupNameV1<'_> {
    fn read(&self) -> Result<GroupName, RecordError> {
        Ok(GroupName {
            name: text("names.name", &self.name)?,
            name_type: optional_text("names.name_type", self.name_type.as_ref())?,
            authority: optional_text("names.authority", self.authority.as_ref())?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionV1 {
    date_ms: i64,
    major: u32,
    minor: u32,
    revision: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(borrow)]
    names: Vec<GroupNameV1<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    functions: u16,
    members: Vec<u32>,
    version: VersionV1,
}

impl<'a> From<&'a Group> for GroupV1<'a> {
    fn from(group: &'a Group) -> Self {
        Self {
            id: group.id.0,
            mrid: group.mrid.as_str().into(),
            names: group.names.iter().map(Into::into).collect(),
            description: group.description.as_ref().map(|text| text.as_str().into()),
            functions: group.functions.0,
            members: group.members.iter().map(|der| der.0).collect(),
            version: VersionV1 {
                date_ms: group.version.date.millis(),
                major: group.version.major,
                minor: group.version.minor,
                revision: group.version.revision,
            },
        }
    }
}

impl GroupV1<'_> {
    pub(super) fn read(self) -> Result<Group, RecordError> {
        Ok(Group {
            id: GroupId(self.id),
            mrid: text("mrid", &self.mrid)?,
            names: self
                .names
                .iter()
                .map(GroupNameV1::read)
                .collect::<Result<_, _>>()?,
            description: optional_text::<Name>("description", self.description.as_ref())?,
            functions: DerFunctions(self.functions),
            members: self.members.into_iter().map(DerId).collect(),
            version: Version {
                date: Timestamp::from_millis(self.version.date_ms),
                major: self.version.major,
                minor: self.version.minor,
                revision: self.version.revision,
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupDeletedV1 {
    group: u32,
}

impl From<GroupId> for GroupDeletedV1 {
    fn from(group: GroupId) -> Self {
        Self { group: group.0 }
    }
}

impl From<GroupDeletedV1> for Event {
    fn from(deleted: GroupDeletedV1) -> Self {
        Self::GroupDeleted(GroupId(deleted.group))
    }
}
