//! How subscribers are told of what changes.

use std::net::SocketAddr;
use std::time::Duration;

use ieee2030_5::server::subscription::destination::{NetworkError, Plaintext};
use ieee2030_5::server::subscription::{self, Destinations, SubscriptionConfig};
use serde::Deserialize;

use super::ConfigError;

/// Most hosts that are named.
pub const MAX_HOSTS: usize = 1_000;
/// Most networks that are named.
pub const MAX_NETWORKS: usize = 256;

/// Subscriptions and notifications.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notifications {
    /// Which clients may subscribe.
    pub subscribers: Subscribers,
    /// Scheme, host and port under which clients reach this server, which is what the addresses of
    /// their subscriptions begin with in notifications; empty to give the path alone. The first
    /// listening address when absent.
    pub server_uri: Option<String>,
    /// Whether notifications may go to `http` addresses, unprotected.
    pub plain_http: bool,
    /// Hosts that notifications may go to, `*.example.org` for every name below; any when empty.
    pub hosts: Vec<String>,
    /// Networks that they may go to although they are not public, such as `10.0.0.0/8`.
    pub networks: Vec<String>,
    /// How long a subscription lives that is not renewed, seconds.
    pub lifetime_s: u32,
    /// How long a subscriber may fail to take notifications before its subscriptions end, seconds.
    pub give_up_after_s: u32,
}

/// Which clients may subscribe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subscribers {
    /// Aggregators, as CSIP has it.
    #[default]
    Aggregators,
    /// Devices too.
    All,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            subscribers: Subscribers::default(),
            server_uri: None,
            plain_http: false,
            hosts: Vec::new(),
            networks: Vec::new(),
            lifetime_s: 129_600,
            give_up_after_s: 86_400,
        }
    }
}

impl Notifications {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let value = |key, rule: String| Err(ConfigError::Value { key, rule });
        if MAX_HOSTS < self.hosts.len() {
            let rule = format!("are at most {MAX_HOSTS}");
            return value("ieee2030_5.notifications.hosts", rule);
        }
        if MAX_NETWORKS < self.networks.len() {
            let rule = format!("are at most {MAX_NETWORKS}");
            return value("ieee2030_5.notifications.networks", rule);
        }
        for network in &self.networks {
            if let Err(error) = network.parse::<subscription::destination::Network>() {
                let NetworkError = error;
                let rule = format!("{network:?}: {error}");
                return value("ieee2030_5.notifications.networks", rule);
            }
        }
        let is_server = |uri: &str| {
            let rest = uri.strip_prefix("https://");
            uri.is_empty() || rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
        };
        if !self.server_uri.as_deref().is_none_or(is_server) {
            let rule = "is https://host:port, or empty".to_owned();
            return value("ieee2030_5.notifications.server_uri", rule);
        }
        if self.lifetime_s == 0 || self.give_up_after_s == 0 {
            let rule = "and give_up_after_s must be at least 1".to_owned();
            return value("ieee2030_5.notifications.lifetime_s", rule);
        }
        Ok(())
    }

    /// The rules for the device server, which listens there.
    #[must_use]
    pub fn rules(&self, listen: &[SocketAddr]) -> SubscriptionConfig {
        let networks = self.networks.iter();
        let known = listen.iter().find(|address| !address.ip().is_unspecified());
        let listening = || known.map_or_else(String::new, |address| format!("https://{address}"));
        SubscriptionConfig {
            subscribers: match self.subscribers {
                Subscribers::Aggregators => subscription::Subscribers::Aggregators,
                Subscribers::All => subscription::Subscribers::All,
            },
            destinations: Destinations {
                plaintext: match self.plain_http {
                    true => Plaintext::Allowed,
                    false => Plaintext::Refused,
                },
                hosts: self.hosts.clone(),
                networks: networks
                    .filter_map(|network| network.parse().ok())
                    .collect(),
            },
            lifetime: Duration::from_secs(u64::from(self.lifetime_s)),
            server_uri: self.server_uri.clone().unwrap_or_else(listening),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(notifications: &Notifications) -> String {
        notifications.check().unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let usual = Notifications::default;
        usual().check().unwrap();
        let networks = ["10.0.0.0/33".to_owned()].to_vec();
        let told = refusal(&Notifications {
            networks,
            ..usual()
        });
        assert!(told.contains("10.0.0.0/33"), "{told}");
        for uri in ["http://a", "https://", "https://a/b", "a"] {
            let server_uri = Some(uri.to_owned());
            let told = refusal(&Notifications {
                server_uri,
                ..usual()
            });
            assert!(told.contains("server_uri"), "{uri}: {told}");
        }
        let told = refusal(&Notifications {
            lifetime_s: 0,
            ..usual()
        });
        assert!(told.contains("lifetime_s"), "{told}");
        let hosts = vec![String::new(); MAX_HOSTS + 1];
        assert!(refusal(&Notifications { hosts, ..usual() }).contains("at most"));
        let networks = vec!["10.0.0.0/8".to_owned(); MAX_NETWORKS + 1];
        assert!(
            refusal(&Notifications {
                networks,
                ..usual()
            })
            .contains("at most")
        );
    }

    #[test]
    fn subscriptions_are_addressed_as_the_server_is_reached() {
        let any: SocketAddr = "0.0.0.0:8443".parse().unwrap();
        let one: SocketAddr = "192.0.2.7:8443".parse().unwrap();
        let usual = Notifications::default();
        assert_eq!(usual.rules(&[any]).server_uri, "");
        assert_eq!(
            usual.rules(&[any, one]).server_uri,
            "https://192.0.2.7:8443"
        );
        let named = Notifications {
            server_uri: Some("https://derms.example:11443".to_owned()),
            ..usual
        };
        assert_eq!(
            named.rules(&[one]).server_uri,
            "https://derms.example:11443"
        );
    }
}
