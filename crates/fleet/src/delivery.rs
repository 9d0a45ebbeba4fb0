//! The delivery ledger: what became of each control at its DER, with the evidence.

use std::collections::BTreeMap;

use units::{Timestamp, Watts};

use crate::{Control, ControlId, DerId};

/// How far a control has come. The order is that of progress.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DeliveryState {
    /// Decided and durable here.
    Planned,
    /// The device has fetched it.
    Sent,
    /// The device says that it has it.
    Received,
    /// The device says that it has begun.
    Started,
    /// A meter agrees.
    Following,
    /// The device has said nothing for too long; it may come back.
    Silent,
    /// The owner opted out, or another control displaced it.
    Overridden,
    /// The device says that it can't or won't.
    Rejected,
    /// The device says that it is done.
    Completed,
}

impl DeliveryState {
    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Overridden | Self::Rejected | Self::Completed)
    }
}

/// What a step in the ledger rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// The control was made durable.
    Journal,
    /// The device was served the control.
    Served,
    /// The device posted a response with this IEEE 2030.5 status code.
    Response(u8),
    /// Its meter read this active power while this was asked.
    Measured {
        /// Active power asked, injection positive.
        asked: Watts,
        /// Active power metered, injection positive.
        metered: Watts,
    },
    /// It was last heard then.
    LastHeard(Timestamp),
    /// It was heard again.
    Heard,
}

/// One step, never edited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeliveryEntry {
    /// Which control.
    pub control: ControlId,
    /// At which DER.
    pub der: DerId,
    /// The state reached.
    pub state: DeliveryState,
    /// When.
    pub at: Timestamp,
    /// On what grounds.
    pub evidence: Evidence,
}

/// Where one (control, DER) stands, with every step that led there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Which control.
    pub control: ControlId,
    /// At which DER.
    pub der: DerId,
    /// Steps in order; the last one is where it stands.
    pub entries: Vec<DeliveryEntry>,
}

impl Delivery {
    /// Most steps one row keeps before its final one; silence and return alternate, so a flapping
    /// device must not grow it without end.
    pub const MAX_ENTRIES: usize = 64;

    /// A row begun when the control became durable.
    #[must_use]
    pub fn planned(control: ControlId, der: DerId, at: Timestamp) -> Self {
        let state = DeliveryState::Planned;
        let first = DeliveryEntry {
            control,
            der,
            state,
            at,
            evidence: Evidence::Journal,
        };
        Self {
            control,
            der,
            entries: vec![first],
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> DeliveryState {
        self.entries
            .last()
            .map_or(DeliveryState::Planned, |entry| entry.state)
    }

    /// The furthest state the device has confirmed, silence aside.
    #[must_use]
    pub fn confirmed(&self) -> DeliveryState {
        self.entries
            .iter()
            .rev()
            .map(|entry| entry.state)
            .find(|state| *state != DeliveryState::Silent)
            .unwrap_or(DeliveryState::Planned)
    }

    /// Whether the device is known to hold the control: it fetched it and did not refuse it.
    #[must_use]
    pub fn is_known_to_device(&self) -> bool {
        let confirmed = self.confirmed();
        confirmed >= DeliveryState::Sent
            && !matches!(
                confirmed,
                DeliveryState::Overridden | DeliveryState::Rejected
            )
    }

    /// When the device was first known to have the control, whatever it did with it.
    #[must_use]
    pub fn told(&self) -> Option<Timestamp> {
        let knows = |entry: &&DeliveryEntry| {
            !matches!(entry.state, DeliveryState::Planned | DeliveryState::Silent)
        };
        self.entries.iter().find(knows).map(|entry| entry.at)
    }

    /// The step that `evidence` at `at` leads to, `None` when it tells nothing new. A repeated or
    /// late response therefore changes nothing, and no state is ever left for an earlier one
    /// but [`DeliveryState::Silent`], from which a device returns to what it had confirmed.
    #[must_use]
    pub fn next(&self, evidence: Evidence, at: Timestamp) -> Option<DeliveryEntry> {
        let now = self.state();
        if now.is_final() {
            return None;
        }
        let confirmed = self.confirmed();
        let state = match evidence {
            Evidence::Journal => return None,
            Evidence::LastHeard(_) => DeliveryState::Silent,
            Evidence::Heard => confirmed,
            Evidence::Served => DeliveryState::Sent.max(confirmed),
            Evidence::Measured { .. } => DeliveryState::Following,
            Evidence::Response(code) => match state_of_response(code) {
                Some(state) if state.is_final() => state,
                Some(state) => state.max(confirmed),
                None => return None,
            },
        };
        let entry = DeliveryEntry {
            control: self.control,
            der: self.der,
            state,
            at,
            evidence,
        };
        let room = self.entries.len() < Self::MAX_ENTRIES || state.is_final();
        (state != now && room).then_some(entry)
    }

    /// Adds a step.
    pub fn push(&mut self, entry: DeliveryEntry) {
        self.entries.push(entry);
    }

    /// When it was first in `state`.
    #[must_use]
    pub fn reached(&self, state: DeliveryState) -> Option<Timestamp> {
        self.entries
            .iter()
            .find(|entry| entry.state == state)
            .map(|entry| entry.at)
    }
}

/// The rows of every (control, DER).
///
/// A control for one DER has its row from the moment it is issued; one for many has a row for each
/// DER of which something is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ledger {
    own: Vec<Option<Delivery>>,
    shared: BTreeMap<(ControlId, DerId), Delivery>,
}

impl Ledger {
    /// Begins the row of a control that has just been issued; controls come in order of issue.
    pub fn begin(&mut self, control: &Control) {
        let row = |der| Delivery::planned(control.id, der, control.created);
        self.own.push(control.der.map(row));
    }

    /// The row of `control` at `der`, if it has one.
    #[must_use]
    pub fn get(&self, control: ControlId, der: DerId) -> Option<&Delivery> {
        match self.own.get(control.index())? {
            Some(row) => Some(row).filter(|row| row.der == der),
            None => self.shared.get(&(control, der)),
        }
    }

    /// The rows of `control`.
    pub fn of(&self, control: ControlId) -> impl Iterator<Item = &Delivery> {
        let own = self.own.get(control.index()).and_then(Option::as_ref);
        let (first, last) = (DerId(0), DerId(u32::MAX));
        let shared = self.shared.range((control, first)..=(control, last));
        own.into_iter().chain(shared.map(|(_, row)| row))
    }

    /// The row of a control for one DER.
    #[must_use]
    pub fn own(&self, control: ControlId) -> Option<&Delivery> {
        self.own.get(control.index())?.as_ref()
    }

    /// Every row, those of shared controls last.
    pub fn rows(&self) -> impl Iterator<Item = &Delivery> {
        self.own.iter().flatten().chain(self.shared.values())
    }

    /// The step that `evidence` of `control` at `der` leads to, `None` when it tells nothing new.
    #[must_use]
    pub fn next(
        &self,
        control: &Control,
        der: DerId,
        evidence: Evidence,
        at: Timestamp,
    ) -> Option<DeliveryEntry> {
        match self.get(control.id, der) {
            Some(row) => row.next(evidence, at),
            None if control.der.is_none() => {
                Delivery::planned(control.id, der, control.created).next(evidence, at)
            }
            None => None,
        }
    }

    /// Adds a step; whether there is such a row. `created` is when the control was made.
    pub fn push(&mut self, entry: DeliveryEntry, created: Timestamp) -> bool {
        match self.own.get_mut(entry.control.index()) {
            Some(Some(row)) if row.der == entry.der => row.push(entry),
            Some(None) => self
                .shared
                .entry((entry.control, entry.der))
                .or_insert_with(|| Delivery::planned(entry.control, entry.der, created))
                .push(entry),
            _ => return false,
        }
        true
    }
}

/// When a device that was silent at `then` had last been heard, by the `rows` of its controls; `None`
/// for one that was not silent.
#[must_use]
pub fn silent_since<'a>(
    rows: impl Iterator<Item = &'a Delivery>,
    then: Timestamp,
) -> Option<Timestamp> {
    let entries = rows.flat_map(|row| &row.entries);
    let told = entries.filter(|entry| entry.at <= then && entry.evidence != Evidence::Journal);
    match told.max_by_key(|entry| entry.at)?.evidence {
        Evidence::LastHeard(at) => Some(at),
        _ => None,
    }
}

/// The ledger state an IEEE 2030.5 response status stands for (table 27 of 2018, table 31 of 2023);
/// `None` when it says nothing about delivery.
#[must_use]
pub const fn state_of_response(code: u8) -> Option<DeliveryState> {
    match code {
        1 => Some(DeliveryState::Received),
        2 | 5 | 15 => Some(DeliveryState::Started),
        3 => Some(DeliveryState::Completed),
        4 | 6 | 7 | 8 | 10 | 14 => Some(DeliveryState::Overridden),
        9 => Some(DeliveryState::Started),
        13 | 251..=255 => Some(DeliveryState::Rejected),
        _ => None,
    }
}

/// Whether a response says that the owner opted out.
#[must_use]
pub const fn is_opt_out(code: u8) -> bool {
    matches!(code, 4 | 8 | 10)
}
