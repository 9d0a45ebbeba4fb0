//! `Name`, `Version` and `Status`, which several payloads share.

use units::Timestamp;

use crate::limits::MAX_NAMES;
use crate::xml::{Decode, DecodeError, Element, Fields, Writer, format_timestamp};

/// `Name`, with its type and authority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// The name itself.
    pub name: String,
    /// `NameType`.
    pub name_type: Option<NameType>,
}

/// `NameType` or, one level further in, `NameTypeAuthority`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameType {
    /// What the type is for.
    pub description: Option<String>,
    /// The type's own name.
    pub name: String,
    /// `NameTypeAuthority`: its description and name.
    pub authority: Option<(Option<String>, String)>,
}

impl Name {
    /// A name without a type.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            name_type: None,
        }
    }

    fn read(element: &Element, decode: &Decode<'_>, ns: &str) -> Result<Self, DecodeError> {
        let mut fields = decode.fields(element, ns);
        let name = fields.text("name")?.to_owned();
        let name_type = fields
            .optional("NameType")
            .map(|child| read_type(child, decode, ns))
            .transpose()
            .map_err(|error| error.inside(element))?;
        fields.finish()?;
        Ok(Self { name, name_type })
    }

    fn write(&self, w: &mut Writer) {
        w.leaf("name", &self.name);
        if let Some(kind) = &self.name_type {
            w.element("NameType", |w| kind.write(w));
        }
    }
}

impl NameType {
    fn write(&self, w: &mut Writer) {
        w.optional("description", self.description.as_deref());
        w.leaf("name", &self.name);
        if let Some((description, name)) = &self.authority {
            w.element("NameTypeAuthority", |w| {
                w.optional("description", description.as_deref());
                w.leaf("name", name);
            });
        }
    }
}

fn read_type(element: &Element, decode: &Decode<'_>, ns: &str) -> Result<NameType, DecodeError> {
    let mut fields = decode.fields(element, ns);
    let description = fields.optional_text("description")?.map(str::to_owned);
    let name = fields.text("name")?.to_owned();
    let authority = fields
        .optional("NameTypeAuthority")
        .map(|child| {
            let mut fields = decode.fields(child, ns);
            let description = fields.optional_text("description")?.map(str::to_owned);
            let name = fields.text("name")?.to_owned();
            fields.finish()?;
            Ok((description, name))
        })
        .transpose()
        .map_err(|error: DecodeError| error.inside(element))?;
    fields.finish()?;
    Ok(NameType {
        description,
        name,
        authority,
    })
}

/// `Names`, repeated.
pub(super) fn read_names<'c>(
    fields: &mut Fields<'_, 'c>,
    decode: &Decode<'c>,
    ns: &'c str,
) -> Result<Vec<Name>, DecodeError> {
    let names = fields.repeated("Names", MAX_NAMES)?;
    names
        .into_iter()
        .map(|name| Name::read(name, decode, ns))
        .collect()
}

pub(super) fn write_names(names: &[Name], w: &mut Writer) {
    for name in names {
        w.element("Names", |w| name.write(w));
    }
}

/// `Version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version {
    /// When it came about.
    pub date: Option<Timestamp>,
    /// First number.
    pub major: Option<i64>,
    /// Second number.
    pub minor: Option<i64>,
    /// Third number.
    pub revision: Option<i64>,
}

impl Version {
    pub(super) fn read(
        element: &Element,
        decode: &Decode<'_>,
        ns: &str,
    ) -> Result<Self, DecodeError> {
        let mut fields = decode.fields(element, ns);
        let version = Self {
            date: fields.optional_time("date")?,
            major: fields.optional_integer("major")?,
            minor: fields.optional_integer("minor")?,
            revision: fields.optional_integer("revision")?,
        };
        fields.finish()?;
        Ok(version)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.optional("date", self.date.map(format_timestamp).as_deref());
        for (name, number) in [
            ("major", self.major),
            ("minor", self.minor),
            ("revision", self.revision),
        ] {
            w.optional(name, number.map(|n| n.to_string()).as_deref());
        }
    }
}

/// `Status`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Since when or as of when.
    pub date_time: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// Free text.
    pub remark: Option<String>,
    /// The state itself.
    pub value: Option<String>,
}

impl Status {
    pub(super) fn read(
        element: &Element,
        decode: &Decode<'_>,
        ns: &str,
    ) -> Result<Self, DecodeError> {
        let mut fields = decode.fields(element, ns);
        let status = Self {
            date_time: fields.optional_time("dateTime")?,
            reason: fields.optional_text("reason")?.map(str::to_owned),
            remark: fields.optional_text("remark")?.map(str::to_owned),
            value: fields.optional_text("value")?.map(str::to_owned),
        };
        fields.finish()?;
        Ok(status)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.optional("dateTime", self.date_time.map(format_timestamp).as_deref());
        w.optional("reason", self.reason.as_deref());
        w.optional("remark", self.remark.as_deref());
        w.optional("value", self.value.as_deref());
    }
}
