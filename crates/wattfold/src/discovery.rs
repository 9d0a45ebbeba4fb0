//! Finding servers on the local network, and being found: DNS-SD over multicast DNS
//! (IEEE 2030.5 clause 7).
//!
//! A server is one instance of `_smartenergy._tcp`, and for each function set that it serves one
//! more of that set's subtype, because the `path` of its TXT record differs. What a peer announces
//! is nobody's word: a client still meets the server's certificate.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ieee2030_5::server::hosted::Hosted;
use ieee2030_5::server::href::Target;
use mdns_sd::{DaemonStatus, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};

use crate::clock;

/// Servers that one search finds at most.
pub const MAX_FOUND: usize = 256;
/// Addresses of one server that are kept.
pub const MAX_ADDRESSES_FOUND: usize = 16;
/// Characters of a value in a TXT record that is taken for what it says.
pub const MAX_VALUE_LEN: usize = 255;

const SERVICE: &str = "_smartenergy._tcp.local.";
/// RFC 6763 4.1.1: a label has at most 63 bytes.
const MAX_LABEL_LEN: usize = 63;
/// IEEE 2030.5 7.4: what an `https` key without a value means.
const HTTPS_PORT: u16 = 443;
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// IEEE 2030.5 7.5: subtypes, and where our server has that function set.
///
/// Interpretation: which programmes there are is said for each end device by its assignments, so
/// the way to them begins with the end devices.
pub const FUNCTION_SETS: [(&str, &str); 13] = [
    ("bill", "/bill"),
    ("derp", "/edev"),
    ("dr", "/dr"),
    ("edev", "/edev"),
    ("file", "/file"),
    ("msg", "/msg"),
    ("mup", "/mup"),
    ("ppy", "/ppy"),
    ("rsps", "/rsps"),
    ("sdev", "/sdev"),
    ("tm", "/tm"),
    ("tp", "/tp"),
    ("upt", "/upt"),
];

#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    #[error("multicast DNS")]
    Multicast(#[from] mdns_sd::Error),
    #[error("`{name}` has more than {MAX_LABEL_LEN} bytes")]
    Name { name: String },
    #[error("`{subtype}` is no subtype of IEEE 2030.5")]
    Subtype { subtype: String },
}

/// The function sets that are served: those without dispatch meaning while something is hosted for
/// anybody.
#[must_use]
pub fn function_sets(hosted: &Hosted) -> Vec<(String, String)> {
    let is_served = |path: &str| match Target::parse(path) {
        Some(Target::Hosted(list)) => hosted.members(list).next().is_some(),
        Some(_) => true,
        None => false,
    };
    let served = FUNCTION_SETS.iter().filter(|(_, path)| is_served(path));
    served
        .map(|(subtype, path)| ((*subtype).to_owned(), (*path).to_owned()))
        .collect()
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The instance name, unique on the network.
    pub name: String,
    /// The host name, without domain.
    pub host: String,
    /// Where it is reached; every address of the machine when empty.
    pub addresses: Vec<IpAddr>,
    /// The port of its TLS listener.
    pub port: u16,
    /// The path of its `DeviceCapability`.
    pub dcap: String,
    /// The edition, as `-S1` or `-S2`.
    pub level: String,
    /// Subtypes with their paths.
    pub function_sets: Vec<(String, String)>,
}

/// An announcement that stands as long as this does.
pub struct Announced {
    daemon: ServiceDaemon,
}

impl Announced {
    /// Takes it back: tells the network that the server is gone.
    pub async fn withdraw(self) {
        let Ok(gone) = self.daemon.shutdown() else {
            return;
        };
        let goodbye = async { while gone.recv_async().await != Ok(DaemonStatus::Shutdown) {} };
        if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!("the network was not told that the server is gone");
        }
    }
}

/// Announces a server on every interface.
///
/// # Errors
/// [`DiscoveryError`] when nothing is announced.
pub fn announce(server: &Announcement) -> Result<Announced, DiscoveryError> {
    let mut services = vec![service(server, SERVICE, &server.name, None)?];
    for (subtype, path) in &server.function_sets {
        let kind = format!("_{subtype}._sub.{SERVICE}");
        let name = format!("{} {subtype}", server.name);
        services.push(service(server, &kind, &name, Some(path))?);
    }
    let daemon = ServiceDaemon::new()?;
    for service in services {
        daemon.register(service)?;
    }
    Ok(Announced { daemon })
}

fn service(
    server: &Announcement,
    kind: &str,
    name: &str,
    path: Option<&str>,
) -> Result<ServiceInfo, DiscoveryError> {
    if MAX_LABEL_LEN < name.len() {
        return Err(DiscoveryError::Name {
            name: name.to_owned(),
        });
    }
    let port = server.port.to_string();
    // 7.4: `txtvers` comes first.
    let mut text = vec![
        ("txtvers", "1"),
        ("dcap", server.dcap.as_str()),
        ("https", port.as_str()),
        ("level", server.level.as_str()),
    ];
    text.extend(path.map(|path| ("path", path)));
    // Interpretation: 7.5 has the SRV record carry the port of the plain scheme. There is no plain
    // listener, so it carries the one port there is.
    let host = format!("{}.local.", server.host);
    let addresses = server.addresses.as_slice();
    let info = ServiceInfo::new(kind, name, &host, addresses, server.port, &text[..])?;
    Ok(if addresses.is_empty() {
        info.enable_addr_auto()
    } else {
        info
    })
}

/// A server that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The instance name.
    pub name: String,
    /// The host name.
    pub host: String,
    pub addresses: Vec<IpAddr>,
    /// The port of its TLS listener; `None` if it announces none, which ours never use.
    pub https: Option<u16>,
    /// The path of its `DeviceCapability`.
    pub dcap: Option<String>,
    /// The path of the function set whose subtype was asked for.
    pub path: Option<String>,
    /// The edition, as `-S1` or `-S2`.
    pub level: Option<String>,
}

impl Found {
    /// Where its `DeviceCapability` is, by its first address or else its host name.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        let port = self.https?;
        let dcap = self.dcap.as_deref()?;
        let host = match self.addresses.first() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(IpAddr::V4(address)) => address.to_string(),
            None => self.host.clone(),
        };
        Some(format!("https://{host}:{port}{dcap}"))
    }
}

/// The servers that answer within `within`, by name.
///
/// # Errors
/// [`DiscoveryError`] when the network can't be asked.
pub async fn browse(within: Duration) -> Result<Vec<Found>, DiscoveryError> {
    search(SERVICE, within).await
}

/// The servers with the `EndDevice` of the device of this SFDI that answer within `within`.
///
/// # Errors
/// [`DiscoveryError`] when the network can't be asked.
pub async fn browse_for_device(sfdi: u64, within: Duration) -> Result<Vec<Found>, DiscoveryError> {
    // IEEE 2030.5 7.5: `edev`, a hyphen, and the SFDI with its leading zeros.
    search(&format!("_edev-{sfdi:012}._sub.{SERVICE}"), within).await
}

/// The servers with the function set `subtype`, such as `derp`, that answer within `within`.
///
/// # Errors
/// [`DiscoveryError`] when the network can't be asked, or not for that.
pub async fn browse_for(subtype: &str, within: Duration) -> Result<Vec<Found>, DiscoveryError> {
    if !FUNCTION_SETS.iter().any(|(known, _)| *known == subtype) {
        return Err(DiscoveryError::Subtype {
            subtype: subtype.to_owned(),
        });
    }
    search(&format!("_{subtype}._sub.{SERVICE}"), within).await
}

async fn search(kind: &str, within: Duration) -> Result<Vec<Found>, DiscoveryError> {
    let daemon = ServiceDaemon::new()?;
    // Some responders answer for a subtype with the service's own record and have the subtype's
    // beside it; that counts as unasked for.
    daemon.accept_unsolicited(true)?;
    let events = daemon.browse(kind)?;
    let mut found = BTreeMap::new();
    let begun = clock::monotonic();
    loop {
        let left = within.saturating_sub(begun.elapsed());
        match tokio::time::timeout(left, events.recv_async()).await {
            Ok(Ok(ServiceEvent::ServiceResolved(service))) => {
                keep(&mut found, server(&service));
            }
            Ok(Ok(ServiceEvent::ServiceRemoved(_, name))) => {
                found.remove(instance(&name));
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    daemon.shutdown()?;
    Ok(found.into_values().collect())
}

fn keep(found: &mut BTreeMap<String, Found>, server: Found) {
    if found.len() < MAX_FOUND || found.contains_key(&server.name) {
        found.insert(server.name.clone(), server);
    }
}

fn server(service: &ResolvedService) -> Found {
    let text = |key: &str| {
        let value = service.txt_properties.get_property_val_str(key)?;
        let fits = (1..=MAX_VALUE_LEN).contains(&value.len());
        (fits && !value.contains(char::is_control)).then(|| value.to_owned())
    };
    let path = |key: &str| text(key).filter(|path| path.starts_with('/'));
    let mut addresses: Vec<IpAddr> = service
        .addresses
        .iter()
        .map(mdns_sd::ScopedIp::to_ip_addr)
        .filter(|address| !is_link_local(address))
        .collect();
    addresses.sort_unstable();
    addresses.truncate(MAX_ADDRESSES_FOUND);
    Found {
        name: shown(instance(&service.fullname)),
        host: shown(service.host.trim_end_matches('.')),
        addresses,
        https: https(service),
        dcap: path("dcap"),
        path: path("path"),
        level: text("level"),
    }
}

/// What can be written to a terminal.
fn shown(name: &str) -> String {
    name.replace(char::is_control, "\u{FFFD}")
}

/// One that can't be dialled without naming an interface.
fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn https(service: &ResolvedService) -> Option<u16> {
    let value = service.txt_properties.get("https")?.val_str();
    if value.is_empty() {
        return Some(HTTPS_PORT);
    }
    value.parse().ok().filter(|port| *port != 0)
}

/// The instance name in a full service name.
fn instance(fullname: &str) -> &str {
    fullname
        .strip_suffix(SERVICE)
        .unwrap_or(fullname)
        .trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use ieee2030_5::server::{DocumentWrite, Owner, Resources};

    use super::*;

    fn found(name: &str, https: u16) -> Found {
        Found {
            name: name.to_owned(),
            host: "host.local".to_owned(),
            addresses: Vec::new(),
            https: Some(https),
            dcap: Some("/dcap".to_owned()),
            path: None,
            level: None,
        }
    }

    #[test]
    fn a_network_full_of_servers_fills_no_memory() {
        let mut all = BTreeMap::new();
        for n in 0..2 * MAX_FOUND {
            keep(&mut all, found(&format!("{n:04}"), 1));
        }
        assert_eq!(all.len(), MAX_FOUND);
        keep(&mut all, found("0000", 2));
        assert_eq!(all["0000"].https, Some(2));
    }

    #[test]
    fn what_is_announced_is_what_is_served() {
        let mut resources = Resources::default();
        let subtypes = |resources: &Resources| -> Vec<String> {
            let sets = function_sets(resources.hosted()).into_iter();
            sets.map(|(subtype, _)| subtype).collect()
        };
        let always = ["derp", "edev", "mup", "rsps", "sdev", "tm"];
        assert_eq!(subtypes(&resources), always);
        let document = "<MessagingProgram xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>01</mRID>\
                        <locale>en</locale><primacy>0</primacy></MessagingProgram>";
        let write = DocumentWrite {
            owner: Owner::Everyone,
            path: "/msg/1".to_owned(),
            bytes: Some(document.as_bytes().to_vec()),
        };
        resources.apply(&write).unwrap();
        let with_messages = ["derp", "edev", "msg", "mup", "rsps", "sdev", "tm"];
        assert_eq!(subtypes(&resources), with_messages);
    }

    fn resolved(text: &[(&str, &str)], addresses: &str) -> Found {
        let name = "a b";
        let info = ServiceInfo::new(SERVICE, name, "host.local.", addresses, 80, text);
        server(&info.unwrap().as_resolved_service())
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let none = resolved(&[("txtvers", "1")], "192.0.2.1");
        assert_eq!((none.https, none.dcap, none.level), (None, None, None));
        for https in ["0", "65536", "-1", "https"] {
            assert_eq!(resolved(&[("https", https)], "").https, None, "{https}");
        }
        let odd = resolved(&[("dcap", "http://elsewhere/"), ("level", "-S1\n")], "");
        assert_eq!((odd.dcap, odd.level), (None, None));
        let most = "x".repeat(MAX_VALUE_LEN - "level=".len());
        let long = resolved(&[("level", most.as_str())], "");
        assert_eq!(long.level, Some(most));
    }

    #[test]
    fn addresses_are_those_that_can_be_dialled() {
        let many: Vec<String> = (0..40).map(|n| format!("192.0.2.{n}")).collect();
        let server = resolved(&[], &many.join(","));
        assert_eq!(server.addresses.len(), MAX_ADDRESSES_FOUND);
        let text = [("https", ""), ("dcap", "/d")];
        let six = resolved(&text, "fe80::1,2001:db8::1");
        assert_eq!(six.url().as_deref(), Some("https://[2001:db8::1]:443/d"));
        let by_name = resolved(&text, "");
        assert_eq!(by_name.name, "a b");
        assert_eq!(by_name.url().as_deref(), Some("https://host.local:443/d"));
    }
}
