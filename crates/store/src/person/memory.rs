//! Keys and ciphertexts in memory.

use std::collections::BTreeMap;

use fleet::enrolment::PersonId;

use super::{Key, KeyMark, Medium, Resealing, Row, Sealed};
use crate::StorageError;

#[derive(Debug, Default)]
pub(super) struct Memory {
    keys: BTreeMap<PersonId, KeyMark>,
    ciphertexts: BTreeMap<PersonId, Sealed>,
}

impl Memory {
    fn row(&self, person: PersonId) -> Row {
        Row {
            key: self.keys.get(&person).copied(),
            sealed: self.ciphertexts.get(&person).cloned(),
        }
    }
}

impl Medium for Memory {
    fn rows(&mut self, persons: &[PersonId]) -> Result<Vec<Row>, StorageError> {
        Ok(persons.iter().map(|person| self.row(*person)).collect())
    }

    fn replace(
        &mut self,
        wanted: &[(PersonId, Key)],
        reseal: &mut Resealing<'_>,
    ) -> Result<(), StorageError> {
        for (index, (person, key)) in wanted.iter().enumerate() {
            self.keys.entry(*person).or_insert(KeyMark::Kept(*key));
            if let Some(sealed) = reseal(index, &self.row(*person)) {
                self.ciphertexts.insert(*person, sealed);
            }
        }
        Ok(())
    }

    fn erase(&mut self, persons: &[PersonId]) -> Result<(), StorageError> {
        for person in persons {
            self.keys.insert(*person, KeyMark::Erased);
            self.ciphertexts.remove(person);
        }
        Ok(())
    }
}
