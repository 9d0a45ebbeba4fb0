//! Where devices find the server, and under which rules.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer};

/// Most addresses that the device listener takes.
pub const MAX_ADDRESSES: usize = 16;
/// Most relays that a server holds a tunnel to.
pub const MAX_TUNNELS: usize = 8;

/// A relay that brings us devices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// Host and port of the relay's inner listener.
    pub relay: String,
    /// The name or address that the relay's certificate carries; the host when absent.
    pub server_name: Option<String>,
}

impl Tunnel {
    /// The name to look for in the relay's certificate.
    #[must_use]
    pub fn name(&self) -> &str {
        let host = || {
            self.relay
                .rsplit_once(':')
                .map_or(self.relay.as_str(), |(host, _)| host)
        };
        self.server_name.as_deref().unwrap_or_else(host)
    }
}

/// How the server makes itself known on the local network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// The instance name of the service, unique on the network.
    pub name: String,
    /// The host name that it is announced under, without domain.
    pub host: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(SocketAddr),
    More(Vec<SocketAddr>),
}

/// One address, or a list of them.
pub(super) fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    let addresses = match OneOrMore::deserialize(from) {
        Ok(OneOrMore::One(address)) => vec![address],
        Ok(OneOrMore::More(addresses)) => addresses,
        Err(_) => Vec::new(),
    };
    if (1..=MAX_ADDRESSES).contains(&addresses.len()) {
        Ok(addresses)
    } else {
        let rule = format!("an address with a port, or a list of 1 to {MAX_ADDRESSES} of them");
        Err(serde::de::Error::custom(rule))
    }
}
