//! A feeder with DER on it, and the devices that speak for them.
//!
//! [`plant`] and [`feeder`] are physics as pure functions of time. A [`device`] joins a plant to an
//! IEEE 2030.5 client over real mutual TLS. [`demo`] starts a server, tells a storyline with all of
//! it and judges the outcome at the meter of the feeder head. [`sim`] runs a whole fleet with its
//! server in virtual time, through faults, under the eyes of checkers.

pub mod demo;
pub mod device;
pub mod feeder;
pub mod noise;
pub mod plant;
pub mod sim;
pub mod world;
