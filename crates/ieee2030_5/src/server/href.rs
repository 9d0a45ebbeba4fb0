//! Addresses: one value per resource, to and from its path.
//!
//! Paths are absolute, opaque to clients and made of numbers that are never given out twice.

use std::fmt::{self, Write as _};

use super::hosted;
use super::hosted::path::HostedPath;
use super::http::FILE_TYPE;
use crate::codec::MEDIA_TYPE;
use crate::translate::{AggregatorId, Client, DerId};

/// A resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    DeviceCapability,
    Time,
    SelfDevice,
    EndDevices,
    EndDevice(Client),
    Registration(Client),
    DeviceInformation(Client),
    LogEvents(Client),
    LogEvent(Client, u32),
    Subscriptions(Client),
    Subscription(Client, u32),
    ConnectionPoint(DerId),
    AssignmentsList(DerId),
    Assignments(DerId, u32),
    /// The programmes that one assignment of a DER names.
    AssignedPrograms(DerId, u32),
    Ders(DerId),
    Der(DerId),
    Capability(DerId),
    Settings(DerId),
    Status(DerId),
    Availability(DerId),
    /// Every programme that addresses a DER.
    AssociatedPrograms(DerId),
    Program(u32),
    DefaultControl(u32),
    Controls(u32),
    ActiveControls(u32),
    Control(u32, u32),
    Curves(u32),
    Curve(u32, u32),
    MirrorUsagePoints,
    MirrorUsagePoint(Client, u32),
    ResponseSets,
    ResponseSet(Client),
    Responses(Client),
    Response(Client, u32),
    Hosted(HostedPath),
}

/// Room for the longest path in common use.
const PATH_BYTES: usize = 40;

/// Segments that no path has more of.
const SEGMENTS_MAX: usize = 12;

/// What a device may do with a resource.
mod methods {
    pub(super) const READ: &[&str] = &["GET", "HEAD"];
    pub(super) const PUT: &[&str] = &["GET", "HEAD", "PUT"];
    pub(super) const POST: &[&str] = &["GET", "HEAD", "POST"];
    pub(super) const PUT_POST: &[&str] = &["GET", "HEAD", "PUT", "POST"];
    pub(super) const PUT_DELETE: &[&str] = &["GET", "HEAD", "PUT", "DELETE"];
    pub(super) const ALL: &[&str] = &["GET", "HEAD", "PUT", "POST", "DELETE"];
}

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
        let segments = &segments[..count];
        Some(match segments {
            ["dcap"] => Self::DeviceCapability,
            ["tm"] => Self::Time,
            ["sdev"] => Self::SelfDevice,
            ["edev"] => Self::EndDevices,
            ["edev", of, rest @ ..] => Self::parse_end_device(client(of)?, rest)?,
            ["derp", p, rest @ ..] => Self::parse_program(number(p)?, rest)?,
            ["mup"] => Self::MirrorUsagePoints,
            ["mup", own] => {
                let (of, k) = own.split_once('-')?;
                Self::MirrorUsagePoint(client(of)?, number(k)?)
            }
            ["rsps"] => Self::ResponseSets,
            ["rsps", of] => Self::ResponseSet(client(of)?),
            ["rsps", of, "rsp"] => Self::Responses(client(of)?),
            ["rsps", of, "rsp", k] => Self::Response(client(of)?, number(k)?),
            _ => Self::Hosted(HostedPath::parse(None, segments)?),
        })
    }

    /// The resource that a reference means, which may be a whole URI and may have a query.
    #[must_use]
    pub fn referred(uri: &str) -> Option<Self> {
        let path = match uri.split_once("://") {
            Some((_, rest)) => &rest[rest.find('/')?..],
            None => uri,
        };
        Self::parse(path.split(['?', '#']).next()?)
    }

    fn parse_end_device(of: Client, rest: &[&str]) -> Option<Self> {
        let own = match rest {
            [] => Self::EndDevice(of),
            ["rg"] => Self::Registration(of),
            ["di"] => Self::DeviceInformation(of),
            ["lel"] => Self::LogEvents(of),
            ["lel", k] => Self::LogEvent(of, number(k)?),
            ["sub"] => Self::Subscriptions(of),
            ["sub", k] => Self::Subscription(of, number(k)?),
            _ => {
                let der = match of {
                    Client::Der(der) => Self::parse_der(der, rest),
                    Client::Aggregator(_) => None,
                };
                return der.or_else(|| HostedPath::parse(Some(of), rest).map(Self::Hosted));
            }
        };
        Some(own)
    }

    fn parse_der(der: DerId, rest: &[&str]) -> Option<Self> {
        Some(match rest {
            ["cp"] => Self::ConnectionPoint(der),
            ["fsa"] => Self::AssignmentsList(der),
            ["fsa", k] => Self::Assignments(der, number(k)?),
            ["fsa", k, "derp"] => Self::AssignedPrograms(der, number(k)?),
            ["der"] => Self::Ders(der),
            ["der", "1"] => Self::Der(der),
            ["der", "1", "dercap"] => Self::Capability(der),
            ["der", "1", "derg"] => Self::Settings(der),
            ["der", "1", "ders"] => Self::Status(der),
            ["der", "1", "dera"] => Self::Availability(der),
            ["der", "1", "derp"] => Self::AssociatedPrograms(der),
            _ => return None,
        })
    }

    fn parse_program(p: u32, rest: &[&str]) -> Option<Self> {
        Some(match rest {
            [] => Self::Program(p),
            ["dderc"] => Self::DefaultControl(p),
            ["derc"] => Self::Controls(p),
            ["derc", c] => Self::Control(p, number(c)?),
            ["actderc"] => Self::ActiveControls(p),
            ["dc"] => Self::Curves(p),
            ["dc", k] => Self::Curve(p, number(k)?),
            _ => return None,
        })
    }

    /// Whose it is; none for what belongs to no one client.
    #[must_use]
    pub fn client(self) -> Option<Client> {
        match self {
            Self::EndDevice(of)
            | Self::Registration(of)
            | Self::DeviceInformation(of)
            | Self::LogEvents(of)
            | Self::LogEvent(of, _)
            | Self::Subscriptions(of)
            | Self::Subscription(of, _)
            | Self::MirrorUsagePoint(of, _)
            | Self::ResponseSet(of)
            | Self::Responses(of)
            | Self::Response(of, _) => Some(of),
            Self::ConnectionPoint(der)
            | Self::AssignmentsList(der)
            | Self::Assignments(der, _)
            | Self::AssignedPrograms(der, _)
            | Self::Ders(der)
            | Self::Der(der)
            | Self::Capability(der)
            | Self::Settings(der)
            | Self::Status(der)
            | Self::Availability(der)
            | Self::AssociatedPrograms(der) => Some(Client::Der(der)),
            Self::Hosted(path) => path.client,
            Self::DeviceCapability
            | Self::Time
            | Self::SelfDevice
            | Self::EndDevices
            | Self::Program(_)
            | Self::DefaultControl(_)
            | Self::Controls(_)
            | Self::ActiveControls(_)
            | Self::Control(..)
            | Self::Curves(_)
            | Self::Curve(..)
            | Self::MirrorUsagePoints
            | Self::ResponseSets => None,
        }
    }

    /// The programme that it is of.
    #[must_use]
    pub fn program(self) -> Option<u32> {
        match self {
            Self::Program(p)
            | Self::DefaultControl(p)
            | Self::Controls(p)
            | Self::ActiveControls(p)
            | Self::Control(p, _)
            | Self::Curves(p)
            | Self::Curve(p, _) => Some(p),
            _ => None,
        }
    }

    /// The media type of its representation.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Hosted(path) if path.part == hosted::path::Part::Content => FILE_TYPE,
            _ => MEDIA_TYPE,
        }
    }

    /// The methods it answers.
    #[must_use]
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            Self::EndDevices
            | Self::LogEvents(_)
            | Self::MirrorUsagePoints
            | Self::Responses(_)
            | Self::Subscriptions(_) => methods::POST,
            Self::DeviceInformation(_)
            | Self::Capability(_)
            | Self::Settings(_)
            | Self::Status(_)
            | Self::Availability(_) => methods::PUT,
            Self::ConnectionPoint(_) => methods::PUT_POST,
            Self::EndDevice(_) | Self::Subscription(..) => methods::PUT_DELETE,
            Self::MirrorUsagePoint(..) => methods::ALL,
            Self::Hosted(path) => hosted::submit::methods(path),
            _ => methods::READ,
        }
    }
}

/// The address of a hosted resource.
pub(super) fn hosted(path: &str) -> Option<HostedPath> {
    match Target::parse(path)? {
        Target::Hosted(hosted) => Some(hosted),
        _ => None,
    }
}

/// A number as this server writes it: without sign or leading zeros.
pub(super) fn number(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    if canonical { text.parse().ok() } else { None }
}

/// A client as paths name it.
pub(super) fn client(text: &str) -> Option<Client> {
    match text.strip_prefix('a') {
        Some(aggregator) => Some(Client::Aggregator(AggregatorId(number(aggregator)?))),
        None => Some(Client::Der(DerId(number(text)?))),
    }
}

/// The path of the end device of `client`.
pub(super) fn write_client(client: Client, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "/edev/{}", Segment(client))
}

/// A client as a segment of a path.
#[derive(Clone, Copy)]
pub(super) struct Segment(pub(super) Client);

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Client::Der(der) => write!(f, "{}", der.0),
            Client::Aggregator(aggregator) => write!(f, "a{}", aggregator.0),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(of) = self.client() {
            return self.write_of_client(Segment(of), f);
        }
        match *self {
            Self::Time => f.write_str("/tm"),
            Self::SelfDevice => f.write_str("/sdev"),
            Self::EndDevices => f.write_str("/edev"),
            Self::Program(p) => write!(f, "/derp/{p}"),
            Self::DefaultControl(p) => write!(f, "/derp/{p}/dderc"),
            Self::Controls(p) => write!(f, "/derp/{p}/derc"),
            Self::ActiveControls(p) => write!(f, "/derp/{p}/actderc"),
            Self::Control(p, c) => write!(f, "/derp/{p}/derc/{c}"),
            Self::Curves(p) => write!(f, "/derp/{p}/dc"),
            Self::Curve(p, k) => write!(f, "/derp/{p}/dc/{k}"),
            Self::MirrorUsagePoints => f.write_str("/mup"),
            Self::ResponseSets => f.write_str("/rsps"),
            Self::Hosted(path) => write!(f, "{path}"),
            _ => f.write_str("/dcap"),
        }
    }
}

impl Target {
    fn write_of_client(self, of: Segment, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registration(_) => write!(f, "/edev/{of}/rg"),
            Self::DeviceInformation(_) => write!(f, "/edev/{of}/di"),
            Self::LogEvents(_) => write!(f, "/edev/{of}/lel"),
            Self::LogEvent(_, k) => write!(f, "/edev/{of}/lel/{k}"),
            Self::Subscriptions(_) => write!(f, "/edev/{of}/sub"),
            Self::Subscription(_, k) => write!(f, "/edev/{of}/sub/{k}"),
            Self::ConnectionPoint(_) => write!(f, "/edev/{of}/cp"),
            Self::AssignmentsList(_) => write!(f, "/edev/{of}/fsa"),
            Self::Assignments(_, k) => write!(f, "/edev/{of}/fsa/{k}"),
            Self::AssignedPrograms(_, k) => write!(f, "/edev/{of}/fsa/{k}/derp"),
            Self::Ders(_) => write!(f, "/edev/{of}/der"),
            Self::Der(_) => write!(f, "/edev/{of}/der/1"),
            Self::Capability(_) => write!(f, "/edev/{of}/der/1/dercap"),
            Self::Settings(_) => write!(f, "/edev/{of}/der/1/derg"),
            Self::Status(_) => write!(f, "/edev/{of}/der/1/ders"),
            Self::Availability(_) => write!(f, "/edev/{of}/der/1/dera"),
            Self::AssociatedPrograms(_) => write!(f, "/edev/{of}/der/1/derp"),
            Self::MirrorUsagePoint(_, k) => write!(f, "/mup/{of}-{k}"),
            Self::ResponseSet(_) => write!(f, "/rsps/{of}"),
            Self::Responses(_) => write!(f, "/rsps/{of}/rsp"),
            Self::Response(_, k) => write!(f, "/rsps/{of}/rsp/{k}"),
            Self::Hosted(path) => write!(f, "{path}"),
            _ => write!(f, "/edev/{of}"),
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
        let of = Client::Der(DerId(3));
        let aggregator = Client::Aggregator(AggregatorId(4));
        let targets = [
            Target::DeviceCapability,
            Target::Time,
            Target::SelfDevice,
            Target::EndDevices,
            Target::EndDevice(of),
            Target::EndDevice(aggregator),
            Target::Registration(of),
            Target::DeviceInformation(aggregator),
            Target::LogEvents(of),
            Target::LogEvent(of, 24),
            Target::Subscriptions(aggregator),
            Target::Subscription(aggregator, 5),
            Target::ConnectionPoint(DerId(3)),
            Target::AssignmentsList(DerId(3)),
            Target::Assignments(DerId(4), 1),
            Target::AssignedPrograms(DerId(5), 2),
            Target::Ders(DerId(16)),
            Target::Der(DerId(17)),
            Target::Capability(DerId(18)),
            Target::Settings(DerId(19)),
            Target::Status(DerId(20)),
            Target::Availability(DerId(21)),
            Target::AssociatedPrograms(DerId(22)),
            hosted("/edev/3/der/1/curderc").map(Target::Hosted).unwrap(),
            Target::Program(7),
            Target::DefaultControl(15),
            Target::Controls(9),
            Target::ActiveControls(11),
            Target::Control(13, u32::MAX),
            Target::Curves(1),
            Target::Curve(1, 2),
            Target::MirrorUsagePoints,
            Target::MirrorUsagePoint(of, 26),
            Target::MirrorUsagePoint(aggregator, 26),
            Target::ResponseSets,
            Target::ResponseSet(aggregator),
            Target::Responses(of),
            Target::Response(of, 30),
            hosted("/tp/1").map(Target::Hosted).unwrap(),
            hosted("/edev/3/cfg").map(Target::Hosted).unwrap(),
        ];
        for target in targets {
            let path = target.to_string();
            assert_eq!(Target::parse(&path), Some(target));
            assert_eq!(Target::parse(&format!("{path}/")), Some(target));
            let whole = format!("https://server.example:8443{path}?s=0&l=1");
            assert_eq!(Target::referred(&whole), Some(target));
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
            "/edev/a",
            "/edev/a01",
            "/edev/4294967296",
            "/edev/1/der/2",
            "/edev/a1/der",
            "/edev/a1/fsa",
            "/mup/1",
            "/mup/1-2-3",
            "/derp/1/derc/1/x/y/z",
            "/1/2/3/4/5/6/7/8/9/10/11/12/13",
            "/DCAP",
        ] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }
}
