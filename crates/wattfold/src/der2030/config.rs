//! The configuration file of `wattfold der2030 run`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fleet::Lfdi;
use ieee2030_5::client::report::Nameplate;
use ieee2030_5::client::{self, DeviceConfig, MAX_DEVICES, SubscriptionConfig};
use ieee2030_5::codec::simple::{HexBinary160, Simple as _};
use ieee2030_5::codec::table::Profile;
use ieee2030_5::wire::control_mode::{DerControlType, DoeControlType, VppControlType};
use ieee2030_5::wire::der::DerType;
use serde::Deserialize;
use units::{Vars, VoltAmperes, WattHours, Watts};

use crate::config::{Edition, Extension, profile};
use crate::tls::TlsFiles;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is not a valid configuration")]
    Toml {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("line {line} of {path} is not an LFDI and a PIN")]
    List { path: PathBuf, line: usize },
    #[error("`{0}` is not an LFDI of 40 hexadecimal digits")]
    Lfdi(String),
    #[error("{0} devices; a client speaks for at most {MAX_DEVICES}")]
    TooMany(usize),
    #[error("there is no device")]
    NoDevice,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    pub server: Server,
    pub tls: Tls,
    #[serde(default)]
    pub client: ClientTable,
    pub subscription: Option<Subscription>,
    #[serde(default)]
    pub device: Vec<DeviceTable>,
    /// Many devices of one make.
    pub devices: Option<DeviceList>,
    /// A program that runs the devices: it is told set-points and tells readings, a line each.
    pub command: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The address of `DeviceCapability`.
    pub url: String,
    #[serde(default)]
    pub edition: Edition,
    #[serde(default)]
    pub extension: Extension,
}

/// PEM files, from the directory of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientTable {
    pub pen: u32,
    /// Register devices that the server does not know.
    pub registers: bool,
    pub connections: usize,
    pub poll_floor_s: u32,
    pub clock_tolerance_ms: u32,
    pub seed: u64,
    pub demand_response: bool,
    pub pricing: bool,
    /// How often the state is written whole.
    pub save_every_s: u32,
}

impl Default for ClientTable {
    fn default() -> Self {
        Self {
            pen: 0,
            registers: true,
            connections: 4,
            poll_floor_s: 1,
            clock_tolerance_ms: 1_000,
            seed: 0,
            demand_response: false,
            pricing: false,
            save_every_s: 30,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    pub listen: SocketAddr,
    /// The address that the server is told.
    pub uri: String,
    #[serde(default = "fallback_s")]
    pub fallback_s: u32,
    #[serde(default = "renewal_s")]
    pub renewal_s: u32,
    #[serde(default = "limit")]
    pub limit: u32,
    /// LFDIs of notifiers beside the server itself.
    #[serde(default)]
    pub notifiers: Vec<String>,
}

fn fallback_s() -> u32 {
    3_600
}

/// CSIP-AUS has aggregators renew every 24 hours.
fn renewal_s() -> u32 {
    24 * 3_600
}

fn limit() -> u32 {
    100
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceTable {
    /// That of the own certificate if absent.
    pub lfdi: Option<String>,
    pub pin: Option<u32>,
    pub connection_point_id: Option<String>,
    pub make: Make,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceList {
    /// A line each: LFDI, a comma, and the PIN if there is one.
    pub file: PathBuf,
    pub make: Make,
}

/// What a device is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Make {
    pub kind: Kind,
    pub p_inject_max_w: u32,
    #[serde(default)]
    pub p_absorb_max_w: u32,
    pub q_max_var: Option<u32>,
    pub energy_max_wh: Option<u32>,
    /// Hundredths of a percent of the maximum per second.
    #[serde(default = "grad_w")]
    pub grad_w: u16,
}

fn grad_w() -> u16 {
    1_000
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Pv,
    Storage,
    PvAndStorage,
    Evse,
    Other,
}

impl Kind {
    fn der_type(self) -> DerType {
        match self {
            Self::Pv => DerType::PHOTOVOLTAIC,
            Self::Storage => DerType::OTHER_STORAGE,
            Self::PvAndStorage => DerType::PHOTOVOLTAIC_AND_STORAGE,
            Self::Evse => DerType::EVSE,
            Self::Other => DerType::OTHER_GENERATION,
        }
    }
}

impl Make {
    /// It can follow every mode of 2018 and the limits of CSIP-AUS.
    pub fn nameplate(&self) -> Nameplate {
        let storage = matches!(self.kind, Kind::Storage | Kind::PvAndStorage | Kind::Evse);
        let abilities = if storage {
            DerControlType::CHARGE | DerControlType::DISCHARGE
        } else {
            0
        };
        let modes = ((1 << 27) - 1) & !(DerControlType::CHARGE | DerControlType::DISCHARGE);
        let s_max = self.p_inject_max_w.max(self.p_absorb_max_w);
        Nameplate {
            der_type: self.kind.der_type(),
            modes: DerControlType::new(modes | abilities),
            p_inject_max: Watts::whole(self.p_inject_max_w.into()),
            p_absorb_max: Watts::whole(self.p_absorb_max_w.into()),
            s_max: VoltAmperes::whole(s_max.into()),
            q_max: Vars::whole(self.q_max_var.unwrap_or(s_max / 100 * 44).into()),
            energy_max: self.energy_max_wh.map(|it| WattHours::whole(it.into())),
            gradient_hundredths_per_s: self.grad_w,
        }
    }
}

impl RunConfig {
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut config: Self = toml::from_str(&text).map_err(|source| ConfigError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let directory = path.parent().unwrap_or(Path::new("."));
        let tls = &mut config.tls;
        for file in [&mut tls.cert, &mut tls.key, &mut tls.ca] {
            *file = directory.join(&file);
        }
        if let Some(list) = &mut config.devices {
            list.file = directory.join(&list.file);
        }
        Ok(config)
    }

    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            cert_chain: self.tls.cert.clone(),
            key: self.tls.key.clone(),
            trust: self.tls.ca.clone(),
        }
    }

    pub fn profile(&self) -> Profile {
        profile(self.server.edition, self.server.extension)
    }

    /// The client for the holder of the certificate with the LFDI `own`.
    pub fn client(&self, own: Lfdi) -> Result<client::Config, ConfigError> {
        let devices = self.device_configs(own)?;
        if devices.is_empty() {
            return Err(ConfigError::NoDevice);
        }
        if MAX_DEVICES < devices.len() {
            return Err(ConfigError::TooMany(devices.len()));
        }
        let table = &self.client;
        let subscription = self.subscription.as_ref().map(|it| SubscriptionConfig {
            notification_uri: it.uri.clone(),
            fallback: Duration::from_secs(it.fallback_s.into()),
            renewal: Duration::from_secs(it.renewal_s.into()),
            limit: it.limit,
        });
        Ok(client::Config {
            device_capability_href: self.server.url.clone(),
            lfdi: own.0,
            sfdi: own.sfdi(),
            pen: table.pen,
            profile: self.profile(),
            registers: table.registers,
            follows_loads: table.demand_response,
            follows_prices: table.pricing,
            poll_floor: Duration::from_secs(table.poll_floor_s.max(1).into()),
            clock_tolerance: Duration::from_millis(table.clock_tolerance_ms.into()),
            max_in_flight: table.connections.max(1) * 2,
            seed: table.seed,
            subscription,
            devices,
        })
    }

    fn device_configs(&self, own: Lfdi) -> Result<Vec<DeviceConfig>, ConfigError> {
        let mut devices = Vec::new();
        for it in &self.device {
            let lfdi = it.lfdi.as_deref().map_or(Ok(own), lfdi)?;
            devices.push(DeviceConfig {
                connection_point_id: it.connection_point_id.clone(),
                ..device(lfdi, it.pin, &it.make)
            });
        }
        if let Some(list) = &self.devices {
            let text = std::fs::read_to_string(&list.file);
            let text = text.map_err(|source| ConfigError::Read {
                path: list.file.clone(),
                source,
            })?;
            for (index, line) in text
                .lines()
                .enumerate()
                .filter(|(_, it)| !it.trim().is_empty())
            {
                let (id, pin) = line.split_once(',').unwrap_or((line, ""));
                let bad = || ConfigError::List {
                    path: list.file.clone(),
                    line: index + 1,
                };
                let pin = match pin.trim() {
                    "" => None,
                    pin => Some(pin.parse().map_err(|_| bad())?),
                };
                let lfdi = lfdi(id.trim()).map_err(|_| bad())?;
                devices.push(device(lfdi, pin, &list.make));
            }
        }
        Ok(devices)
    }
}

fn device(lfdi: Lfdi, pin: Option<u32>, make: &Make) -> DeviceConfig {
    DeviceConfig {
        pin,
        doe_modes: DoeControlType::new(
            DoeControlType::EXP_LIM_W
                | DoeControlType::IMP_LIM_W
                | DoeControlType::GEN_LIM_W
                | DoeControlType::LOAD_LIM_W,
        ),
        vpp_modes: VppControlType::new(VppControlType::STORAGE_TARGET_W),
        ..DeviceConfig::new(lfdi.0, lfdi.sfdi(), make.nameplate())
    }
}

/// Forty hexadecimal digits.
pub(super) fn lfdi(text: &str) -> Result<Lfdi, ConfigError> {
    let read = HexBinary160::read(text);
    read.map(|it| Lfdi(it.0))
        .map_err(|_| ConfigError::Lfdi(text.to_owned()))
}

#[cfg(test)]
mod tests;
