//! The resources of the standard, one module per function set.
//!
//! A struct has the attributes and elements of its schema type with those of its base types first.
//! Its declaration is also its table: field, type, occurrence and the standard's own name.

pub mod aggregation;
pub mod billing;
pub mod configuration;
pub mod connection_point;
pub mod control_mode;
pub mod demand_response;
pub mod der;
pub mod der_component;
pub mod der_control;
pub mod der_curve;
pub mod device_capability;
pub mod device_information;
pub mod device_status;
pub mod end_device;
pub mod error;
pub mod file_download;
pub mod flow_reservation;
pub mod function_set_assignments;
pub mod link;
pub mod log_event;
pub mod messaging;
pub mod metering;
pub mod metering_mirror;
pub mod network_status;
pub mod power_status;
pub mod prepayment;
pub mod pricing;
pub mod quantity;
pub mod registry;
pub mod response;
pub mod self_device;
pub mod subscription;
pub mod time;
