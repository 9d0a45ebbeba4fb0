//! The fold of what is stored is the state that was served.

use fleet::{Fleet, Ledger};

use super::Verdict;

/// Compares what was `served` with what was `folded` from the store.
pub fn check(served: (&Fleet, &Ledger), folded: (&Fleet, &Ledger)) -> Verdict {
    if served.0 != folded.0 {
        return Err("the fold of the journal is another fleet than was served".to_owned());
    }
    if served.1 != folded.1 {
        let rows = served.1.rows().zip(folded.1.rows());
        let differ = rows.into_iter().find(|(served, folded)| served != folded);
        return Err(format!(
            "the ledger differs from what was served: {differ:?}"
        ));
    }
    Ok(())
}
