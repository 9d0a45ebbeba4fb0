//! The fleet's identity and its programmes.

use std::borrow::Cow;

use fleet::{DerId, Identity, Program, ProgramId, Scope};
use serde::{Deserialize, Serialize};

use super::RecordError;
use super::field::{ControlBaseV1, text};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetFoundedV1 {
    seed: u64,
    pen: u32,
}

impl From<Identity> for FleetFoundedV1 {
    fn from(identity: Identity) -> Self {
        Self {
            seed: identity.seed,
            pen: identity.pen,
        }
    }
}

impl From<FleetFoundedV1> for Identity {
    fn from(founded: FleetFoundedV1) -> Self {
        Self {
            seed: founded.seed,
            pen: founded.pen,
        }
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ScopeV1 {
    Device(u32),
    All,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    primacy: u8,
    scope: ScopeV1,
    default: ControlBaseV1,
}

impl<'a> From<&'a Program> for ProgramV1<'a> {
    fn from(program: &'a Program) -> Self {
        Self {
            id: program.id.0,
            mrid: program.mrid.to_string().into(),
            name: program.name.as_str().into(),
            primacy: program.primacy,
            scope: match program.scope {
                Scope::Device(der) => ScopeV1::Device(der.0),
                Scope::All => ScopeV1::All,
            },
            default: (&program.default).into(),
        }
    }
}

impl ProgramV1<'_> {
    pub(super) fn read(self) -> Result<Program, RecordError> {
        Ok(Program {
            id: ProgramId(self.id),
            mrid: text("mrid", &self.mrid)?,
            name: text("name", &self.name)?,
            primacy: self.primacy,
            scope: match self.scope {
                ScopeV1::Device(der) => Scope::Device(DerId(der)),
                ScopeV1::All => Scope::All,
            },
            default: self.default.into(),
        })
    }
}
