//! What a store promises, whoever keeps the promise.

#![cfg(test)]

mod alarm;
mod audit;
mod backup;
mod cluster;
mod cluster_crash;
mod contract;
mod database;
mod directory;
mod enrolment;
mod golden;
mod lease;
mod microgrid;
mod nodes;
mod person;
mod record;
mod replay;
mod rollup;
mod sample;
mod settings;
mod strategy;
mod telemetry;
