//! State from what is stored.

use std::ops::ControlFlow;

use fleet::{Event, Evidence, Fleet, Ledger};

use crate::chain;
use crate::record::RecordError;
use crate::{Actor, Head, ReadError, Store};

/// Delivery steps read at a time.
const STEPS_PER_READ: usize = 10_000;

/// The fleet as the journal has it, checking the chain on the way, and the head it stands at.
pub fn fold(store: &dyn Store) -> Result<(Fleet, Head), ReadError> {
    fold_noting(store, &mut |_, _| {})
}

/// Takes note of an event and of who caused it.
pub type Note<'a> = dyn FnMut(&Actor, &Event) + 'a;

/// As [`fold()`], with every event shown to `note` together with who caused it.
pub fn fold_noting(store: &dyn Store, note: &mut Note<'_>) -> Result<(Fleet, Head), ReadError> {
    let mut fleet = Fleet::default();
    let mut head = chain::genesis(store.journal());
    let mut failed = None;
    store.scan(1, usize::MAX, &mut |raw| {
        if raw.sequence != head.version + 1 || raw.linked_to(head.hash) != raw.hash {
            failed = Some(ReadError::Chain {
                sequence: head.version + 1,
            });
            return ControlFlow::Break(());
        }
        head = Head {
            version: raw.sequence,
            hash: raw.hash,
        };
        match raw.decode() {
            Ok(stored) => {
                note(&stored.entry.actor, &stored.entry.event);
                fleet.apply(&stored.entry.event);
            }
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    match failed {
        Some(error) => Err(error),
        None if head != store.head() => Err(ReadError::Chain {
            sequence: head.version + 1,
        }),
        None => Ok((fleet, head)),
    }
}

/// The delivery ledger. The first step of each row, planned, follows from the journal.
pub fn ledger(store: &dyn Store, fleet: &Fleet) -> Result<Ledger, ReadError> {
    let mut ledger = Ledger::default();
    for control in fleet.controls() {
        ledger.begin(control);
    }
    let mut skip = 0;
    loop {
        let steps = store.deliveries(skip, STEPS_PER_READ)?;
        for step in &steps {
            skip += 1;
            let known = fleet.control(step.control).is_some_and(|control| {
                let own = ledger.own(control.id).map(|row| row.der);
                let fits = own.is_none_or(|der| der == step.der);
                let news = step.evidence != Evidence::Journal;
                fits && (!news || ledger.push(*step, control.created))
            });
            if !known {
                let error = RecordError::malformed("control", &"is not one of this DER");
                return Err(ReadError::Delivery { row: skip, error });
            }
        }
        if steps.len() < STEPS_PER_READ {
            return Ok(ledger);
        }
    }
}
