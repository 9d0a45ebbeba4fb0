//! Where notifications may be posted to.
//!
//! Anyone who may subscribe makes this server open connections, so the address is read strictly
//! and only public ones are taken unless an operator has named others.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Bytes of a notification URI.
pub const MAX_URI_BYTES: usize = 1_024;
/// Bytes of a host name (RFC 1035, 2.3.4) and of one of its labels.
const MAX_HOST_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// Why a notification URI is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    #[error("notificationURI is longer than {MAX_URI_BYTES} bytes")]
    TooLong,
    #[error("notificationURI has a character that a URI cannot have")]
    Character,
    #[error("notificationURI is not an absolute http or https URI")]
    Scheme,
    #[error("notificationURI carries a user name or password")]
    UserInformation,
    #[error("notificationURI has a fragment")]
    Fragment,
    #[error("notificationURI has no usable host")]
    Host,
    #[error("notificationURI has no usable port")]
    Port,
    #[error("notificationURI is plain http, which this server does not post to")]
    Plaintext,
    #[error("notificationURI names a host that this server does not post to")]
    NotAllowed,
    #[error("notificationURI leads into a network that this server does not post to")]
    NotPublic,
}

/// Whether posts are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    Http,
    Https,
}

/// A host as it was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// In lower case, without a final dot.
    Name(Box<str>),
    Address(IpAddr),
}

/// What one connects to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
}

/// A notification URI, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub endpoint: Endpoint,
    /// Path and query, as they stand in the request line.
    pub target: Box<str>,
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(uri: &str) -> Result<Self, DestinationError> {
        if MAX_URI_BYTES < uri.len() {
            return Err(DestinationError::TooLong);
        }
        if !uri.bytes().all(is_uri_byte) {
            return Err(DestinationError::Character);
        }
        let (scheme, rest) = uri.split_once("://").ok_or(DestinationError::Scheme)?;
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            _ => return Err(DestinationError::Scheme),
        };
        if rest.contains('#') {
            return Err(DestinationError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(DestinationError::UserInformation);
        }
        let (host, port) = split_authority(authority).ok_or(DestinationError::Host)?;
        let port = match port {
            None => default_port,
            Some(port) => port.parse().map_err(|_| DestinationError::Port)?,
        };
        if port == 0 {
            return Err(DestinationError::Port);
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            endpoint: Endpoint { scheme, host, port },
            target: format!("{slash}{target}").into(),
        })
    }
}

/// Unreserved and reserved characters and the percent sign (RFC 3986, 2).
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn split_authority(authority: &str) -> Option<(Host, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = rest.strip_prefix(':');
        let is_whole = rest.is_empty() || port.is_some();
        return is_whole.then_some((Host::Address(address.into()), port));
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host_of(host)?, Some(port))),
        None => Some((host_of(authority)?, None)),
    }
}

/// A dotted quad or a name. What resolvers would also read as an IPv4 address (`127.1`,
/// `0x7f000001`) is neither.
fn host_of(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if MAX_HOST_BYTES < name.len() || is_number || !name.split('.').all(is_label) {
        return None;
    }
    Some(Host::Name(name.into()))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// As the `Host` header has it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A network is written as `address/bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is written as address/bits")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text.split_once('/').ok_or(NetworkError)?;
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let prefix = prefix.parse().map_err(|_| NetworkError)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        if width < prefix {
            return Err(NetworkError);
        }
        Ok(Self { address, prefix })
    }
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)),
            prefix,
        }
    }

    const fn v6(a: u16, b: u16, prefix: u8) -> Self {
        Self {
            address: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)),
            prefix,
        }
    }

    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                u32::from(self.prefix) <= differing.leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                u32::from(self.prefix) <= differing.leading_zeros()
            }
            _ => false,
        }
    }
}

/// Special-purpose IPv4 networks (RFC 6890 and its registry): this host, private, shared,
/// loopback, link-local with the metadata services of clouds, protocol assignments, documentation,
/// benchmarks, multicast, reserved.
const SPECIAL_V4: [Network; 15] = [
    Network::v4(0, 0, 0, 8),
    Network::v4(10, 0, 0, 8),
    Network::v4(100, 64, 0, 10),
    Network::v4(127, 0, 0, 8),
    Network::v4(169, 254, 0, 16),
    Network::v4(172, 16, 0, 12),
    Network::v4(192, 0, 0, 24),
    Network::v4(192, 0, 2, 24),
    Network::v4(192, 88, 99, 24),
    Network::v4(192, 168, 0, 16),
    Network::v4(198, 18, 0, 15),
    Network::v4(198, 51, 100, 24),
    Network::v4(203, 0, 113, 24),
    Network::v4(224, 0, 0, 4),
    Network::v4(240, 0, 0, 4),
];
/// Global unicast; whatever else IPv6 has is not public.
const UNICAST_V6: Network = Network::v6(0x2000, 0, 3);
/// Special-purpose networks inside global unicast.
const SPECIAL_V6: [Network; 3] = [
    Network::v6(0x2001, 0, 23),
    Network::v6(0x2001, 0x0DB8, 32),
    Network::v6(0x3FFF, 0, 20),
];
/// IPv4 inside IPv6: translated (RFC 6052) and 6to4 (RFC 3056).
const TRANSLATED: Network = Network::v6(0x0064, 0xFF9B, 96);
const SIX_TO_FOUR: Network = Network::v6(0x2002, 0, 16);

/// The address that is reached in the end: IPv4 where IPv6 only wraps it.
fn reached(address: IpAddr) -> IpAddr {
    let IpAddr::V6(wrapped) = address else {
        return address;
    };
    let octets = wrapped.octets();
    let inner = |at: usize| {
        Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]).into()
    };
    if let Some(mapped) = wrapped.to_ipv4_mapped() {
        mapped.into()
    } else if TRANSLATED.contains(address) {
        inner(12)
    } else if SIX_TO_FOUR.contains(address) {
        inner(2)
    } else {
        address
    }
}

/// Whether `address` is one of the public Internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match reached(address) {
        v4 @ IpAddr::V4(_) => !SPECIAL_V4.iter().any(|special| special.contains(v4)),
        v6 @ IpAddr::V6(_) => {
            UNICAST_V6.contains(v6) && !SPECIAL_V6.iter().any(|special| special.contains(v6))
        }
    }
}

/// What an operator allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    pub plaintext: Plaintext,
    /// Host names and addresses; `*.example.org` stands for every name below. None: any host.
    pub hosts: Vec<String>,
    /// Networks that are taken although they are not public.
    pub networks: Vec<Network>,
}

/// Whether unprotected posts are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plaintext {
    #[default]
    Refused,
    Allowed,
}

impl Destinations {
    /// What can be said before the name is resolved; [`Destinations::check_address`] has the last
    /// word at each connection.
    pub fn check(&self, destination: &Destination) -> Result<(), DestinationError> {
        let Endpoint { scheme, host, .. } = &destination.endpoint;
        if *scheme == Scheme::Http && self.plaintext == Plaintext::Refused {
            return Err(DestinationError::Plaintext);
        }
        if !self.hosts.is_empty() && !self.hosts.iter().any(|allowed| is_match(allowed, host)) {
            return Err(DestinationError::NotAllowed);
        }
        match host {
            Host::Address(address) => self.check_address(*address),
            Host::Name(name) if is_local(name) && self.networks.is_empty() => {
                Err(DestinationError::NotPublic)
            }
            Host::Name(_) => Ok(()),
        }
    }

    /// Whether a connection to `address` may be opened.
    pub fn check_address(&self, address: IpAddr) -> Result<(), DestinationError> {
        let reached = reached(address);
        let is_named = |network: &Network| network.contains(reached) || network.contains(address);
        if is_public(address) || self.networks.iter().any(is_named) {
            return Ok(());
        }
        Err(DestinationError::NotPublic)
    }
}

fn is_match(allowed: &str, host: &Host) -> bool {
    match host {
        Host::Address(address) => allowed.parse() == Ok(*address),
        Host::Name(name) => match allowed.strip_prefix('*') {
            Some(domain) => {
                domain.starts_with('.')
                    && domain.len() < name.len()
                    && name.ends_with(&domain.to_ascii_lowercase())
            }
            None => allowed.eq_ignore_ascii_case(name),
        },
    }
}

/// Names that never lead out (RFC 6761, 6.3).
fn is_local(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests;
