//! Addresses: one value per resource, to and from its path.
//!
//! Paths are absolute, opaque to clients and made of numbers that are never given out twice.

use std::fmt::{self, Write as _};

/// A resource. The first number is always the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    DeviceCapability,
    Time,
    SelfDevice,
    EndDevices,
    EndDevice(u32),
    Registration(u32),
    DeviceInformation(u32),
    AssignmentsList(u32),
    Assignments(u32),
    Programs(u32),
    Program(u32, u32),
    Controls(u32, u32),
    ActiveControls(u32, u32),
    Control(u32, u32, u32),
    DefaultControl(u32, u32),
    Ders(u32),
    Der(u32),
    Capability(u32),
    Settings(u32),
    Status(u32),
    Availability(u32),
    LogEvents(u32),
    LogEvent(u32, u32),
    UsagePoints,
    UsagePoint(u32, u32),
    ResponseSets,
    ResponseSet(u32),
    Responses(u32),
    Response(u32, u32),
}

/// Room for the longest path in common use.
const PATH_BYTES: usize = 40;

/// Segments that no path has more of.
const SEGMENTS_MAX: usize = 6;

impl Target {
    /// The resource at `path`. One trailing slash is forgiven.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = [""; SEGMENTS_MAX];
        let mut count = 0;
        for segment in path.split('/') {
            *segments.get_mut(count)? = segment;
            count += 1;
        }
        Some(match &segments[..count] {
            ["dcap"] => Self::DeviceCapability,
            ["tm"] => Self::Time,
            ["sdev"] => Self::SelfDevice,
            ["edev"] => Self::EndDevices,
            ["edev", n, rest @ ..] => Self::parse_end_device(number(n)?, rest)?,
            ["mup"] => Self::UsagePoints,
            ["mup", own] => {
                let (n, k) = own.split_once('-')?;
                Self::UsagePoint(number(n)?, number(k)?)
            }
            ["rsps"] => Self::ResponseSets,
            ["rsps", n] => Self::ResponseSet(number(n)?),
            ["rsps", n, "rsp"] => Self::Responses(number(n)?),
            ["rsps", n, "rsp", k] => Self::Response(number(n)?, number(k)?),
            _ => return None,
        })
    }

    fn parse_end_device(n: u32, rest: &[&str]) -> Option<Self> {
        Some(match rest {
            [] => Self::EndDevice(n),
            ["rg"] => Self::Registration(n),
            ["di"] => Self::DeviceInformation(n),
            ["fsa"] => Self::AssignmentsList(n),
            ["fsa", "1"] => Self::Assignments(n),
            ["derp"] => Self::Programs(n),
            ["derp", p] => Self::Program(n, number(p)?),
            ["derp", p, "derc"] => Self::Controls(n, number(p)?),
            ["derp", p, "derc", c] => Self::Control(n, number(p)?, number(c)?),
            ["derp", p, "actderc"] => Self::ActiveControls(n, number(p)?),
            ["derp", p, "dderc"] => Self::DefaultControl(n, number(p)?),
            ["der"] => Self::Ders(n),
            ["der", "1"] => Self::Der(n),
            ["der", "1", "dercap"] => Self::Capability(n),
            ["der", "1", "derg"] => Self::Settings(n),
            ["der", "1", "ders"] => Self::Status(n),
            ["der", "1", "dera"] => Self::Availability(n),
            ["lel"] => Self::LogEvents(n),
            ["lel", k] => Self::LogEvent(n, number(k)?),
            _ => return None,
        })
    }

    /// Whose it is; none for what everyone may ask for.
    #[must_use]
    pub fn owner(self) -> Option<u32> {
        match self {
            Self::DeviceCapability
            | Self::Time
            | Self::SelfDevice
            | Self::EndDevices
            | Self::UsagePoints
            | Self::ResponseSets => None,
            Self::EndDevice(n)
            | Self::Registration(n)
            | Self::DeviceInformation(n)
            | Self::AssignmentsList(n)
            | Self::Assignments(n)
            | Self::Programs(n)
            | Self::Program(n, _)
            | Self::Controls(n, _)
            | Self::ActiveControls(n, _)
            | Self::Control(n, _, _)
            | Self::DefaultControl(n, _)
            | Self::Ders(n)
            | Self::Der(n)
            | Self::Capability(n)
            | Self::Settings(n)
            | Self::Status(n)
            | Self::Availability(n)
            | Self::LogEvents(n)
            | Self::LogEvent(n, _)
            | Self::UsagePoint(n, _)
            | Self::ResponseSet(n)
            | Self::Responses(n)
            | Self::Response(n, _) => Some(n),
        }
    }

    /// The methods it answers.
    #[must_use]
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            Self::EndDevices
            | Self::LogEvents(_)
            | Self::UsagePoints
            | Self::UsagePoint(..)
            | Self::Responses(_) => &["GET", "HEAD", "POST"],
            Self::EndDevice(_)
            | Self::DeviceInformation(_)
            | Self::Capability(_)
            | Self::Settings(_)
            | Self::Status(_)
            | Self::Availability(_) => &["GET", "HEAD", "PUT"],
            _ => &["GET", "HEAD"],
        }
    }
}

/// A number as this server writes it: without sign or leading zeros.
fn number(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    if canonical { text.parse().ok() } else { None }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DeviceCapability => f.write_str("/dcap"),
            Self::Time => f.write_str("/tm"),
            Self::SelfDevice => f.write_str("/sdev"),
            Self::EndDevices => f.write_str("/edev"),
            Self::EndDevice(n) => write!(f, "/edev/{n}"),
            Self::Registration(n) => write!(f, "/edev/{n}/rg"),
            Self::DeviceInformation(n) => write!(f, "/edev/{n}/di"),
            Self::AssignmentsList(n) => write!(f, "/edev/{n}/fsa"),
            Self::Assignments(n) => write!(f, "/edev/{n}/fsa/1"),
            Self::Programs(n) => write!(f, "/edev/{n}/derp"),
            Self::Program(n, p) => write!(f, "/edev/{n}/derp/{p}"),
            Self::Controls(n, p) => write!(f, "/edev/{n}/derp/{p}/derc"),
            Self::ActiveControls(n, p) => write!(f, "/edev/{n}/derp/{p}/actderc"),
            Self::Control(n, p, c) => write!(f, "/edev/{n}/derp/{p}/derc/{c}"),
            Self::DefaultControl(n, p) => write!(f, "/edev/{n}/derp/{p}/dderc"),
            Self::Ders(n) => write!(f, "/edev/{n}/der"),
            Self::Der(n) => write!(f, "/edev/{n}/der/1"),
            Self::Capability(n) => write!(f, "/edev/{n}/der/1/dercap"),
            Self::Settings(n) => write!(f, "/edev/{n}/der/1/derg"),
            Self::Status(n) => write!(f, "/edev/{n}/der/1/ders"),
            Self::Availability(n) => write!(f, "/edev/{n}/der/1/dera"),
            Self::LogEvents(n) => write!(f, "/edev/{n}/lel"),
            Self::LogEvent(n, k) => write!(f, "/edev/{n}/lel/{k}"),
            Self::UsagePoints => f.write_str("/mup"),
            Self::UsagePoint(n, k) => write!(f, "/mup/{n}-{k}"),
            Self::ResponseSets => f.write_str("/rsps"),
            Self::ResponseSet(n) => write!(f, "/rsps/{n}"),
            Self::Responses(n) => write!(f, "/rsps/{n}/rsp"),
            Self::Response(n, k) => write!(f, "/rsps/{n}/rsp/{k}"),
        }
    }
}

impl From<Target> for crate::codec::simple::AnyUri {
    fn from(target: Target) -> Self {
        let mut path = String::with_capacity(PATH_BYTES);
        write!(path, "{target}").expect("a string takes what is written to it");
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_leads_back_to_its_resource() {
        let targets = [
            Target::DeviceCapability,
            Target::Time,
            Target::SelfDevice,
            Target::EndDevices,
            Target::EndDevice(0),
            Target::Registration(1),
            Target::DeviceInformation(2),
            Target::AssignmentsList(3),
            Target::Assignments(4),
            Target::Programs(5),
            Target::Program(6, 7),
            Target::Controls(8, 9),
            Target::ActiveControls(10, 11),
            Target::Control(12, 13, u32::MAX),
            Target::DefaultControl(14, 15),
            Target::Ders(16),
            Target::Der(17),
            Target::Capability(18),
            Target::Settings(19),
            Target::Status(20),
            Target::Availability(21),
            Target::LogEvents(22),
            Target::LogEvent(23, 24),
            Target::UsagePoints,
            Target::UsagePoint(25, 26),
            Target::ResponseSets,
            Target::ResponseSet(27),
            Target::Responses(28),
            Target::Response(29, 30),
        ];
        for target in targets {
            assert_eq!(Target::parse(&target.to_string()), Some(target));
            assert_eq!(Target::parse(&format!("{target}/")), Some(target));
        }
    }

    #[test]
    fn other_spellings_are_no_addresses() {
        for path in [
            "",
            "/",
            "dcap",
            "/dcap//",
            "/edev/01",
            "/edev/+1",
            "/edev/-1",
            "/edev/4294967296",
            "/edev/1/der/2",
            "/mup/1",
            "/mup/1-2-3",
            "/edev/1/derp/1/derc/1/x/y/z",
            "/DCAP",
        ] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }
}
