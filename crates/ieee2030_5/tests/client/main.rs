//! The client against servers that are made up here: many devices, other habits, broken answers.

#![cfg(test)]

mod aggregator;
mod foreign;
mod restart;
mod subscription;
mod town;
