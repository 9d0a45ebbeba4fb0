//! What a store promises, whoever keeps the promise.

#![cfg(test)]

mod audit;
mod cluster;
mod contract;
mod database;
mod directory;
mod golden;
mod lease;
mod nodes;
mod record;
mod replay;
mod sample;
mod settings;
mod telemetry;
