//! The thread that tells other nodes what was observed here and takes up what they tell, accounts
//! included.

use std::sync::Weak;
use std::time::Duration;

use store::{Shared, StorageError};

use crate::auth::Auth;
use crate::clock;
use crate::node::Node;

/// How often nodes tell one another what they have observed.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// How often accounts are read.
const ACCOUNTS_EVERY: Duration = Duration::from_secs(1);
/// Observations told in one statement.
const MAX_TOLD: usize = 10_000;

/// Runs until the node is gone.
pub(super) fn run(mut shared: Shared, node: &Weak<Node>, auth: &Weak<Auth>) {
    let mut accounts_at = clock::monotonic();
    let mut failing = false;
    loop {
        std::thread::park_timeout(TELL_EVERY);
        let (Some(node), Some(auth)) = (node.upgrade(), auth.upgrade()) else {
            return;
        };
        let now = clock::monotonic();
        let is_due = accounts_at <= now;
        if is_due {
            accounts_at = now + ACCOUNTS_EVERY;
        }
        let shared = &mut shared;
        match exchange(shared, &node).and_then(|()| match is_due {
            true => accounts(shared, &auth),
            false => Ok(()),
        }) {
            Ok(()) => failing = false,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "nothing is shared with other nodes");
                }
            }
        }
    }
}

/// What can't be told now is told when it is observed again.
fn exchange(shared: &mut Shared, node: &Node) -> Result<(), StorageError> {
    for part in node.observed_here().chunks(MAX_TOLD) {
        shared.tell(part)?;
    }
    let told = shared.told()?;
    if !told.is_empty() {
        node.observed_elsewhere(&told);
    }
    Ok(())
}

fn accounts(shared: &mut Shared, auth: &Auth) -> Result<(), StorageError> {
    let accounts = shared.accounts()?;
    auth.replace(accounts.into_iter().map(crate::auth::Account::from));
    Ok(())
}
