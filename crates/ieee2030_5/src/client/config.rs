//! Who the client is, for which devices it speaks, and what it was set up for.

use std::time::Duration;

use super::report::Nameplate;
use super::setpoint::Modes;
use crate::codec::table::Profile;
use crate::wire::control_mode::{DoeControlType, VppControlType};

/// Devices that one client speaks for.
pub const MAX_DEVICES: usize = 10_000;

/// Requests under way at once where nothing else is said.
pub const MAX_IN_FLIGHT: usize = 64;

/// Who the client is and how it was set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of `DeviceCapability`.
    pub device_capability_href: String,
    /// Of the client's own certificate.
    pub lfdi: [u8; 20],
    pub sfdi: u64,
    /// The maker's private enterprise number, for the mRIDs of the devices' own objects.
    pub pen: u32,
    /// What is written.
    pub profile: Profile,
    /// Whether devices that the server does not know are to be registered in band.
    pub registers: bool,
    /// Whether demand response is followed.
    pub follows_loads: bool,
    /// Whether prices are.
    pub follows_prices: bool,
    /// No resource is polled more often than this, whatever its `pollRate`.
    pub poll_floor: Duration,
    /// A server's clock that differs by less from what it was is followed with the least change.
    pub clock_tolerance: Duration,
    /// Requests under way at once.
    pub max_in_flight: usize,
    /// Decides everything that is random.
    pub seed: u64,
    pub subscription: Option<SubscriptionConfig>,
    /// One with the client's own LFDI for a device that speaks for itself; those of its customers
    /// for an aggregator. Those beyond [`MAX_DEVICES`] are left out.
    pub devices: Vec<DeviceConfig>,
}

/// How the client hears of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionConfig {
    /// The address at which it listens, as the server reaches it.
    pub notification_uri: String,
    /// How often what is subscribed to is read all the same.
    pub fallback: Duration,
    /// How long a subscription is relied on before it is made again.
    pub renewal: Duration,
    /// Members of a list that a notification should carry.
    pub limit: u32,
}

/// A device.
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    pub lfdi: [u8; 20],
    pub sfdi: u64,
    /// The registration PIN the owner was given.
    pub pin: Option<u32>,
    /// Bits of `deviceCategory`; any when absent.
    pub device_category: Option<u32>,
    /// `doeModesSupported` of CSIP-AUS.
    pub doe_modes: DoeControlType,
    /// `vppModesSupported` of CSIP-AUS.
    pub vpp_modes: VppControlType,
    /// The name of its connection point, which CSIP-AUS servers want to be told.
    pub connection_point_id: Option<String>,
    pub nameplate: Nameplate,
}

impl Config {
    /// Of a device that speaks for itself and polls.
    #[must_use]
    pub fn of_device(device_capability_href: String, device: DeviceConfig) -> Self {
        Self {
            device_capability_href,
            lfdi: device.lfdi,
            sfdi: device.sfdi,
            pen: 0,
            profile: Profile::default(),
            registers: true,
            follows_loads: false,
            follows_prices: false,
            poll_floor: Duration::from_secs(1),
            clock_tolerance: Duration::from_secs(1),
            max_in_flight: MAX_IN_FLIGHT,
            seed: 0,
            subscription: None,
            devices: vec![device],
        }
    }
}

impl DeviceConfig {
    /// Of any category, outside Australia, whose owner was given no PIN.
    #[must_use]
    pub fn new(lfdi: [u8; 20], sfdi: u64, nameplate: Nameplate) -> Self {
        Self {
            lfdi,
            sfdi,
            pin: None,
            device_category: None,
            doe_modes: DoeControlType::default(),
            vpp_modes: VppControlType::default(),
            connection_point_id: None,
            nameplate,
        }
    }

    /// The modes that it can follow.
    #[must_use]
    pub fn supported(&self) -> Modes {
        let modes = Modes::of_type(self.nameplate.modes);
        modes.with(Modes::of_csip_aus(self.doe_modes, self.vpp_modes))
    }
}
