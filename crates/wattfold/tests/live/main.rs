//! The real binary, over real sockets: other teams' clients, SIGKILL, floods and hostile peers.

#![cfg(test)]

mod api;
mod device;
mod exchange;
mod flood;
mod hostile;
mod kill;
mod peers;
mod py20305;
mod rig;
mod telemetry;
mod zeep;
