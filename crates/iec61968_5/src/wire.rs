//! Payloads, one file for each noun: what the schemas can hold, and nothing of what it means.

pub mod der_group_dispatches;
pub mod der_group_queries;
pub mod der_group_statuses;
pub mod der_groups;
pub mod naming;
pub mod quantity;
