//! The resources of the standard, one module per function set.
//!
//! A struct has the attributes and elements of its schema type with those of its base types first.
//! Its declaration is also its table: field, type, occurrence and the standard's own name.

pub mod der;
pub mod der_control;
pub mod der_curve;
pub mod device_capability;
pub mod device_information;
pub mod end_device;
pub mod error;
pub mod function_set_assignments;
pub mod link;
pub mod log_event;
pub mod metering;
pub mod metering_mirror;
pub mod quantity;
pub mod response;
pub mod self_device;
pub mod time;
