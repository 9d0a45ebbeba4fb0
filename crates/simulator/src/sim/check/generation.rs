//! A stale plan is never adopted.

use std::collections::BTreeMap;

use fleet::DispatchId;
use fleet::dispatch::Plan;

use super::Verdict;

/// The generation in force of each dispatch, as the journal has told it.
#[derive(Clone, Debug, Default)]
pub struct Generations(BTreeMap<DispatchId, u32>);

impl Generations {
    /// Takes in a plan that was adopted: its generation is the next one.
    pub fn adopted(&mut self, plan: &Plan) -> Verdict {
        let current = self.0.entry(plan.dispatch).or_default();
        let expected = *current + 1;
        *current = plan.generation;
        if plan.generation == expected {
            return Ok(());
        }
        let (dispatch, got) = (plan.dispatch.0, plan.generation);
        Err(format!(
            "dispatch {dispatch}: generation {got} follows {}",
            expected - 1
        ))
    }
}
