//! The real binary, over real sockets: other teams' clients, SIGKILL, floods and hostile peers.

#![cfg(test)]

mod api;
mod backup;
#[path = "../../../store/tests/store/cluster.rs"]
mod cluster;
#[path = "../../../store/tests/store/cluster_crash.rs"]
mod cluster_crash;
mod conformance;
mod crash;
mod der2030;
mod device;
mod discovery;
mod disk;
mod exchange;
mod flood;
mod hostile;
mod kill;
mod messages;
mod nodes;
mod notifications;
mod opender;
mod peers;
mod persons;
mod py20305;
mod relay;
mod rig;
mod sep2_client;
mod sessions;
mod sink;
mod telemetry;
mod transcripts;
mod zeep;
