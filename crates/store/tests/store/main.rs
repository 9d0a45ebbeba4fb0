//! What a store promises, whoever keeps the promise.

#![cfg(test)]

mod alarm;
mod audit;
mod contract;
mod directory;
mod enrolment;
mod golden;
mod record;
mod replay;
mod sample;
mod settings;
mod telemetry;
