//! IEC 61968-5 (DER groups) over the IEC 61968-100 envelope and SOAP 1.1, both sides, without a
//! socket or a clock.
//!
//! A server passes the body of a POST to [`server::handle`], makes the commands it gets back
//! durable, and gives the outcomes to [`server::finish`]. A client builds bodies and reads
//! replies with [`client`]. On the wire a group's power may be given with a flow direction;
//! everything beyond [`translate`] has injection positive.

pub mod client;
pub mod envelope;
pub mod limits;
pub mod message;
pub mod profile;
pub mod schema;
pub mod server;
pub mod soap;
pub mod translate;
pub mod wire;
pub mod xml;

mod literals;
