//! IEEE 2030.5 as values: bytes in, resources and answers out.
//!
//! [`wire`] holds one module per function set with the resources as the schema has them, [`codec`]
//! reads and writes them, [`server`] answers requests from a view of the fleet,
//! [`client`] is a device.
//! Nothing here opens a socket, reads a clock or keeps a lock.

pub mod client;
pub mod codec;
pub mod server;
pub mod translate;
pub mod wire;

#[cfg(test)]
mod schema;
