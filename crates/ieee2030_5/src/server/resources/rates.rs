//! What operators set at run time for what is served.

use crate::codec::table::{Edition, Extension, Profile, complex};
use crate::server::PollRates;

complex! {
    /// How often clients are asked to look and to post, in seconds, where that is not what the
    /// listener was configured with.
    pub struct Rates("Rates") {
        opt device_capability_s: u32 = "deviceCapability",
        opt time_s: u32 = "time",
        opt end_device_s: u32 = "endDevice",
        opt function_set_assignments_s: u32 = "functionSetAssignments",
        opt der_program_s: u32 = "derProgram",
        opt der_s: u32 = "der",
        opt usage_point_s: u32 = "usagePoint",
        opt urgent_s: u32 = "urgent",
        opt post_rate_s: u32 = "postRate",
    }

    /// The profile of one client.
    #[expect(unreachable_pub, reason = "the macro makes every type public")]
    pub struct ClientProfile("ClientProfile") {
        one edition: u16 = "edition",
        one extension: u16 = "extension",
    }
}

impl Rates {
    pub(super) const NONE: Self = Self {
        device_capability_s: None,
        time_s: None,
        end_device_s: None,
        function_set_assignments_s: None,
        der_program_s: None,
        der_s: None,
        usage_point_s: None,
        urgent_s: None,
        post_rate_s: None,
    };

    /// What clients are asked, given what the listener was configured with.
    #[must_use]
    pub fn over(&self, configured: &PollRates) -> PollRates {
        let assignments_s = self.function_set_assignments_s;
        PollRates {
            device_capability_s: self
                .device_capability_s
                .unwrap_or(configured.device_capability_s),
            time_s: self.time_s.unwrap_or(configured.time_s),
            end_device_s: self.end_device_s.unwrap_or(configured.end_device_s),
            function_set_assignments_s: assignments_s
                .unwrap_or(configured.function_set_assignments_s),
            der_program_s: self.der_program_s.unwrap_or(configured.der_program_s),
            der_s: self.der_s.unwrap_or(configured.der_s),
            usage_point_s: self.usage_point_s.unwrap_or(configured.usage_point_s),
            urgent_s: self.urgent_s.unwrap_or(configured.urgent_s),
        }
    }
}

impl From<Profile> for ClientProfile {
    fn from(profile: Profile) -> Self {
        Self {
            edition: match profile.edition {
                Edition::Y2018 => 2018,
                Edition::Y2023 => 2023,
            },
            extension: match profile.extension {
                Extension::None => 0,
                Extension::CsipAus12 => 12,
                Extension::CsipAus13 => 13,
            },
        }
    }
}

impl ClientProfile {
    /// What it says; none if it is of no version that is known.
    pub(super) fn profile(&self) -> Option<Profile> {
        Profile::ALL
            .into_iter()
            .find(|known| Self::from(*known) == *self)
    }
}
