//! The composition root: configuration, clock, sockets, TLS, accounts and the one binary. Here,
//! and only here, protocols, domain and store meet.

pub mod api;
pub mod auth;
pub mod backup;
pub mod cim;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod console;
pub mod control_loop;
pub mod der2030;
pub mod device_listener;
pub mod discovery;
pub mod enterprise_listener;
mod forward;
pub mod metrics;
pub mod node;
pub mod notifier;
pub mod pki;
pub mod relay;
pub mod request_body;
pub mod serve;
pub mod soap_route;
pub mod steady;
pub mod telemetry;
pub mod tls;
