//! Which edition and extension of IEEE 2030.5 clients are served.

use ieee2030_5::codec::table::{self, Profile};
use ieee2030_5::server;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Edition of IEEE 2030.5.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub enum Edition {
    /// IEEE 2030.5-2018.
    #[default]
    #[serde(rename = "2018")]
    Y2018,
    /// IEEE 2030.5-2023.
    #[serde(rename = "2023")]
    Y2023,
}

/// Elements beyond the standard's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Extension {
    /// None: some clients give up at the first element that they don't know.
    #[default]
    None,
    /// CSIP-AUS 1.2.
    #[serde(rename = "csip_aus_1_2")]
    CsipAus12,
    /// CSIP-AUS 1.3.
    #[serde(rename = "csip_aus_1_3")]
    CsipAus13,
}

/// What may identify a connection point (CSIP-AUS).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionPointId {
    /// Any text.
    #[default]
    Any,
    /// A National Metering Identifier of Australia, with or without its check digit.
    Nmi,
}

/// As the device server takes it.
#[must_use]
pub fn profile(edition: Edition, extension: Extension) -> Profile {
    let edition = match edition {
        Edition::Y2018 => table::Edition::Y2018,
        Edition::Y2023 => table::Edition::Y2023,
    };
    let extension = match extension {
        Extension::None => table::Extension::None,
        Extension::CsipAus12 => table::Extension::CsipAus12,
        Extension::CsipAus13 => table::Extension::CsipAus13,
    };
    Profile::new(edition, extension)
}

impl From<Profile> for Edition {
    fn from(profile: Profile) -> Self {
        match profile.edition {
            table::Edition::Y2018 => Self::Y2018,
            table::Edition::Y2023 => Self::Y2023,
        }
    }
}

impl From<Profile> for Extension {
    fn from(profile: Profile) -> Self {
        match profile.extension {
            table::Extension::None => Self::None,
            table::Extension::CsipAus12 => Self::CsipAus12,
            table::Extension::CsipAus13 => Self::CsipAus13,
        }
    }
}

impl From<ConnectionPointId> for server::ConnectionPoints {
    fn from(id: ConnectionPointId) -> Self {
        match id {
            ConnectionPointId::Any => Self::Any,
            ConnectionPointId::Nmi => Self::Nmi,
        }
    }
}
