//! Appends one entry after another and says so once each is durable: `append DIRECTORY COUNT`.
//!
//! Each line on standard output is the journal's head after a commit. Whoever has read the line
//! may rely on the entry, whatever happens to the process or to the power afterwards.

use std::io::{Write, stdout};
use std::path::Path;

use fleet::{DeliveryEntry, DeliveryState, DerId, Event, Evidence};
use store::{Actor, Batch, Document, DocumentChange, DocumentKey, Entry, JournalId, Sqlite, Store};
use units::Timestamp;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(count)) = (arguments.next(), arguments.next()) else {
        return Err("append DIRECTORY COUNT".into());
    };
    let mut store = Sqlite::open(Path::new(&directory), JournalId(1))?;
    let mut output = stdout().lock();
    for _ in 0..count.parse()? {
        let number = store.head().version + 1;
        store.commit(&batch(number))?;
        writeln!(output, "{}", store.head())?;
        output.flush()?;
    }
    Ok(())
}

/// Entry, delivery step and document number `number`, which belong together.
fn batch(number: u64) -> Batch {
    let index = u32::try_from(number).unwrap_or(u32::MAX);
    let at = Timestamp::from_millis(number.cast_signed());
    let key = DocumentKey {
        listener: "example".into(),
        owner: "all".into(),
        path: "/n".into(),
    };
    Batch {
        expected_version: number - 1,
        entries: vec![Entry {
            actor: Actor::System,
            at,
            event: Event::DerRegistered(DerId(index), at),
        }],
        deliveries: vec![DeliveryEntry {
            control: fleet::ControlId(index),
            der: DerId(index),
            state: DeliveryState::Sent,
            at,
            evidence: Evidence::Served,
        }],
        documents: vec![DocumentChange::Put(Document {
            key,
            version: 1,
            body: number.to_string().into_bytes(),
        })],
        decided: Vec::new(),
    }
}
