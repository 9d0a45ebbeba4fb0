//! Sums of what groups answered.

use std::collections::BTreeMap;

use super::super::fleet::{Fleet, Sweep};
use super::super::master::Column;
use super::GROUPS_IN_ONE;

/// What several groups answered, as the answer of one.
pub(super) fn merged(columns: &[Column]) -> Column {
    let mut sum = columns[0].clone();
    sum.group /= GROUPS_IN_ONE;
    for column in &columns[1..] {
        sum.cost += column.cost;
        add(&mut sum.p_w, &column.p_w);
        for (limit, limit_w) in &column.limit_w {
            match sum.limit_w.get_mut(limit) {
                Some(sum) => add(sum, limit_w),
                None => {
                    sum.limit_w.insert(*limit, limit_w.clone());
                }
            }
        }
    }
    sum
}

/// Writes the part that each column's group has in a limit.
pub(super) fn add_limit(fleet: &Fleet<'_>, limit: u32, sweep: &Sweep, columns: &mut [Column]) {
    let intervals = fleet.problem.intervals();
    let mut by_group: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (unit, factor) in &fleet.problem.limits[limit as usize].terms {
        let at = *unit as usize * intervals;
        let sum = by_group
            .entry(fleet.group_of[*unit as usize])
            .or_insert_with(|| vec![0.0; intervals]);
        for (sum, p_w) in sum.iter_mut().zip(&sweep.p_w[at..at + intervals]) {
            *sum += factor * p_w;
        }
    }
    for column in columns {
        if let Some(limit_w) = by_group.get(&column.group) {
            column.limit_w.insert(limit, limit_w.clone());
        }
    }
}

pub(super) fn add_share(sum: &mut [f64], terms: &[f64], share: f64) {
    for (sum, term) in sum.iter_mut().zip(terms) {
        *sum += share * term;
    }
}

pub(super) fn add(sum: &mut [f64], terms: &[f64]) {
    for (sum, term) in sum.iter_mut().zip(terms) {
        *sum += term;
    }
}
