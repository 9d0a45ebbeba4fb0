//! Records by mRID, with a dense index.

use std::collections::BTreeMap;

use crate::CimMrid;

/// A record that is named by an mRID and put as a whole.
pub trait Record {
    /// What it is called in messages.
    const WHAT: &'static str;
    /// Most of them.
    const MAX: usize;

    /// Its name.
    fn mrid(&self) -> &CimMrid;
}

/// Every record of one kind, in the order in which they came.
#[derive(Clone, Debug, PartialEq)]
pub struct Register<T> {
    items: Vec<T>,
    by_mrid: BTreeMap<CimMrid, u32>,
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            by_mrid: BTreeMap::new(),
        }
    }
}

impl<T: Record> Register<T> {
    /// Every record, by index.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// The record of this index.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.items.get(index as usize)
    }

    /// The record of this name.
    #[must_use]
    pub fn by_mrid(&self, mrid: &CimMrid) -> Option<&T> {
        self.get(self.index_of(mrid)?)
    }

    /// The index of this name.
    #[must_use]
    pub fn index_of(&self, mrid: &CimMrid) -> Option<u32> {
        self.by_mrid.get(mrid).copied()
    }

    /// The index that `mrid` has, or is given next.
    #[must_use]
    pub fn index_for(&self, mrid: &CimMrid) -> u32 {
        let next = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.index_of(mrid).unwrap_or(next)
    }

    pub(super) fn put(&mut self, record: T) {
        match self.index_of(record.mrid()) {
            Some(index) => self.items[index as usize] = record,
            None => {
                let index = self.index_for(record.mrid());
                self.by_mrid.insert(record.mrid().clone(), index);
                self.items.push(record);
            }
        }
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.items.get_mut(index as usize)
    }
}
