//! Nodes of the group hierarchy.

use std::borrow::Cow;

use fleet::{Assignment, AssignmentId, Level};
use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::RecordError;
use super::field::text;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LevelV1 {
    System,
    SubTransmission,
    Substation,
    Feeder,
    Segment,
    Transformer,
    ServicePoint,
    NonTopology,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssignmentV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    level: LevelV1,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_ms: Option<i64>,
}

impl<'a> From<&'a Assignment> for AssignmentV1<'a> {
    fn from(node: &'a Assignment) -> Self {
        Self {
            id: node.id.0,
            mrid: node.mrid.to_string().into(),
            name: node.name.as_str().into(),
            level: match node.level {
                Level::System => LevelV1::System,
                Level::SubTransmission => LevelV1::SubTransmission,
                Level::Substation => LevelV1::Substation,
                Level::Feeder => LevelV1::Feeder,
                Level::Segment => LevelV1::Segment,
                Level::Transformer => LevelV1::Transformer,
                Level::ServicePoint => LevelV1::ServicePoint,
                Level::NonTopology => LevelV1::NonTopology,
            },
            parent: node.parent.map(|parent| parent.0),
            removed_ms: node.removed.map(Timestamp::millis),
        }
    }
}

impl AssignmentV1<'_> {
    pub(super) fn read(self) -> Result<Assignment, RecordError> {
        Ok(Assignment {
            id: AssignmentId(self.id),
            mrid: text("mrid", &self.mrid)?,
            name: text("name", &self.name)?,
            level: match self.level {
                LevelV1::System => Level::System,
                LevelV1::SubTransmission => Level::SubTransmission,
                LevelV1::Substation => Level::Substation,
                LevelV1::Feeder => Level::Feeder,
                LevelV1::Segment => Level::Segment,
                LevelV1::Transformer => Level::Transformer,
                LevelV1::ServicePoint => Level::ServicePoint,
                LevelV1::NonTopology => Level::NonTopology,
            },
            parent: self.parent.map(AssignmentId),
            removed: self.removed_ms.map(Timestamp::from_millis),
        })
    }
}
