//! What an operator sets.

use units::Timestamp;

use super::subscription::SubscriptionConfig;
use crate::codec::simple::HexBinary8;
use crate::codec::table::Profile;
use crate::translate::Lfdi;
use crate::translate::metering::Forward;

/// What an operator sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// What clients are served that have no profile of their own.
    pub profile: Profile,
    /// The LFDI of the server's own certificate.
    pub lfdi: Lfdi,
    pub poll_rates: PollRates,
    /// How often devices are asked to post their meters, in seconds.
    pub post_rate_s: u32,
    /// Members of one page at most, whatever `l` asks for.
    pub list_limit_max: u32,
    /// What devices are asked to respond to a control that does not say so itself.
    pub response_required: HexBinary8,
    /// How good the server's clock is, as `Time.quality` counts.
    pub time_quality: u8,
    pub time_zone: TimeZone,
    /// Which way the meters of devices count.
    pub forward: Forward,
    pub connection_points: ConnectionPoints,
    pub subscriptions: SubscriptionConfig,
}

/// How often devices are asked to look, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollRates {
    pub device_capability_s: u32,
    pub time_s: u32,
    pub end_device_s: u32,
    pub function_set_assignments_s: u32,
    /// For programmes, and for their controls, which carry no rate of their own.
    pub der_program_s: u32,
    pub der_s: u32,
    pub usage_point_s: u32,
    /// For the programmes of a DER that is under a control, or will be before it looks again at the
    /// rate for programmes: a change of mind should reach it soon.
    pub urgent_s: u32,
}

/// Local time where the devices are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeZone {
    /// Seconds east of UTC in winter.
    pub offset_s: i32,
    /// Seconds added in summer.
    pub dst_offset_s: i32,
    /// Ascending; none where there is no summer.
    pub summers: Vec<DaylightSaving>,
}

/// When daylight saving time holds once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DaylightSaving {
    pub start: Timestamp,
    pub end: Timestamp,
}

impl TimeZone {
    /// The summer of `now`, else the next one; none is known for ever.
    #[must_use]
    pub fn summer(&self, now: Timestamp) -> Option<DaylightSaving> {
        self.summers.iter().find(|summer| now < summer.end).copied()
    }
}

/// What identifies a connection point (CSIP-AUS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectionPoints {
    /// Any text.
    #[default]
    Any,
    /// A National Metering Identifier, with or without its check digit.
    Nmi,
}

impl ServerConfig {
    /// Rates of CSIP: look every ten minutes for controls, post every five.
    #[must_use]
    pub fn new(lfdi: Lfdi) -> Self {
        Self {
            profile: Profile::default(),
            lfdi,
            poll_rates: PollRates {
                device_capability_s: 900,
                time_s: 900,
                end_device_s: 900,
                function_set_assignments_s: 600,
                der_program_s: 600,
                der_s: 600,
                usage_point_s: 900,
                urgent_s: 60,
            },
            post_rate_s: 300,
            list_limit_max: 255,
            response_required: HexBinary8::new(0b11),
            time_quality: 7,
            time_zone: TimeZone::default(),
            forward: Forward::Absorbed,
            connection_points: ConnectionPoints::default(),
            subscriptions: SubscriptionConfig::default(),
        }
    }
}
