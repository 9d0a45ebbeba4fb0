//! `DERGroupQueries` and `DERGroupStatusQueries`, which have one shape.

use super::naming::{Name, read_names, write_names};
use crate::xml::{Decode, DecodeError, Element, Writer};

/// Which groups are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DerGroupQueries {
    /// One or more; an empty one stands for all groups.
    pub groups: Vec<GroupKey>,
}

/// A group by mRID or name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupKey {
    /// Identity.
    pub mrid: Option<String>,
    /// Names.
    pub names: Vec<Name>,
}

impl GroupKey {
    /// Whether it names no group and so stands for all.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.mrid.is_none() && self.names.is_empty()
    }
}

impl DerGroupQueries {
    pub(crate) fn read(
        element: &Element,
        decode: &Decode<'_>,
        ns: &str,
    ) -> Result<Self, DecodeError> {
        let mut fields = decode.fields(element, ns);
        let groups = fields.repeated("EndDeviceGroup", decode.max_groups)?;
        if groups.is_empty() {
            fields.required("EndDeviceGroup")?;
        }
        let groups = groups
            .into_iter()
            .map(|group| read_key(group, decode, ns))
            .collect::<Result<_, _>>()
            .map_err(|error| error.inside(element))?;
        fields.finish()?;
        Ok(Self { groups })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        for group in &self.groups {
            w.element("EndDeviceGroup", |w| {
                w.optional("mRID", group.mrid.as_deref());
                write_names(&group.names, w);
            });
        }
    }
}

fn read_key(element: &Element, decode: &Decode<'_>, ns: &str) -> Result<GroupKey, DecodeError> {
    let mut fields = decode.fields(element, ns);
    let mrid = fields.optional_text("mRID")?.map(str::to_owned);
    let names = read_names(&mut fields, decode, ns).map_err(|error| error.inside(element))?;
    fields.finish()?;
    Ok(GroupKey { mrid, names })
}
