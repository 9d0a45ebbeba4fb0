//! Groups as they are given on the command line and in files.

use std::fs;
use std::io;
use std::path::PathBuf;

use iec61968_5::wire::der_group_queries::GroupKey;
use iec61968_5::wire::der_groups::{DER_FUNCTIONS, EndDevice, EndDeviceGroup};
use iec61968_5::wire::naming::Name;
use serde::Deserialize;
use thiserror::Error;
use uuid::Uuid;

use super::GroupsArgs;

/// Why what was given makes no groups.
#[derive(Debug, Error)]
pub enum SpecError {
    /// Neither a file nor a group was given.
    #[error("give a file or --group NAME=DER,DER")]
    Nothing,
    /// The file can't be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{path} is no list of groups")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A group is not of the form NAME=DER,DER.
    #[error("{0:?} is not of the form NAME=DER,DER")]
    Form(String),
    /// A function is not one of the nine.
    #[error("{0:?} is no DERFunction; they are {functions}", functions = DER_FUNCTIONS.join(", "))]
    Function(String),
}

/// A group of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileGroup {
    name: Option<String>,
    mrid: Option<String>,
    description: Option<String>,
    functions: Option<Vec<String>>,
    #[serde(default)]
    members: Vec<String>,
}

/// The groups of the file, then those of the options. Groups without functions of their own get
/// those of the options or, without any, those of `unless_given`.
pub(super) fn groups(
    args: &GroupsArgs,
    unless_given: &[&str],
) -> Result<Vec<EndDeviceGroup>, SpecError> {
    let given: Vec<&str> = args.functions.iter().map(String::as_str).collect();
    let default = match (given.as_slice(), unless_given) {
        ([], []) => None,
        ([], names) | (names, _) => Some(functions(names)?),
    };
    let mut groups = vec![];
    if let Some(path) = &args.file {
        let read = |source| SpecError::Read {
            path: path.clone(),
            source,
        };
        let text = fs::read_to_string(path).map_err(read)?;
        let parse = |source| SpecError::Parse {
            path: path.clone(),
            source,
        };
        let listed: Vec<FileGroup> = serde_json::from_str(&text).map_err(parse)?;
        for group in listed {
            groups.push(from_file(group, default)?);
        }
    }
    for group in &args.groups {
        let form = || SpecError::Form(group.clone());
        let (name, members) = group.split_once('=').ok_or_else(form)?;
        if name.trim().is_empty() {
            return Err(form());
        }
        let members = members
            .split(',')
            .map(str::trim)
            .filter(|member| !member.is_empty());
        groups.push(EndDeviceGroup {
            functions: default,
            devices: members.map(member).collect(),
            ..named(name)
        });
    }
    if groups.is_empty() {
        Err(SpecError::Nothing)
    } else {
        Ok(groups)
    }
}

fn from_file(group: FileGroup, default: Option<[bool; 9]>) -> Result<EndDeviceGroup, SpecError> {
    let own = group
        .functions
        .iter()
        .flatten()
        .map(String::as_str)
        .collect::<Vec<_>>();
    let own = group
        .functions
        .is_some()
        .then(|| functions(&own))
        .transpose()?;
    Ok(EndDeviceGroup {
        mrid: group.mrid,
        description: group.description,
        functions: own.or(default),
        devices: group.members.iter().map(|text| member(text)).collect(),
        names: group.name.iter().map(|name| Name::plain(name)).collect(),
        version: None,
    })
}

fn functions(names: &[&str]) -> Result<[bool; 9], SpecError> {
    if let Some(stranger) = names.iter().find(|name| !DER_FUNCTIONS.contains(name)) {
        return Err(SpecError::Function((*stranger).to_owned()));
    }
    Ok(DER_FUNCTIONS.map(|function| names.contains(&function)))
}

fn member(text: &str) -> EndDevice {
    let GroupKey { mrid, names } = key(text);
    EndDevice { mrid, names }
}

/// A group that is only named.
pub(super) fn named(text: &str) -> EndDeviceGroup {
    let GroupKey { mrid, names } = key(text);
    EndDeviceGroup {
        mrid,
        names,
        ..EndDeviceGroup::default()
    }
}

/// A UUID is an mRID and anything else a name, unless a prefix says otherwise.
pub(super) fn key(text: &str) -> GroupKey {
    let by_mrid = |mrid: &str| GroupKey {
        mrid: Some(mrid.to_owned()),
        names: vec![],
    };
    let by_name = |name: &str| GroupKey {
        mrid: None,
        names: vec![Name::plain(name)],
    };
    let text = text.trim();
    if let Some(mrid) = text.strip_prefix("mrid:") {
        by_mrid(mrid)
    } else if let Some(name) = text.strip_prefix("name:") {
        by_name(name)
    } else if Uuid::parse_str(text).is_ok() {
        by_mrid(text)
    } else {
        by_name(text)
    }
}
