//! Personal data of owners, outside the journal, each under a key of its own.
//!
//! A record is sealed by AES-256-GCM (NIST SP 800-38D, RFC 5116) under the key of its person, with a
//! nonce drawn for each write; what it belongs to and its version are bound as associated data. Keys
//! lie apart from ciphertexts and are part of no backup. To erase a person is to erase the key:
//! a ciphertext that is anywhere still can't be read by anybody then, and the journal, which has
//! nothing of the person, stays as it is. In place of the key stays the mark that it was erased, so
//! that nothing is ever kept under that id again.

mod memory;
mod seal;
mod sqlite;

use std::fmt;
use std::path::Path;

use fleet::CimMrid;
use fleet::enrolment::PersonId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::postgres::{Address, SharedPersons};
use crate::{OpenError, StorageError};

pub(crate) use seal::{Key, KeyMark, Keyed, Sealed, SealedPersons};
pub(crate) use sqlite::{Ciphertexts, Keys};

/// Persons read, put or erased at one time; more are done in turns.
pub const MAX_PERSONS_PER_TURN: usize = 1_000;

/// What is known of a person; everything may be absent.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Name, up to [`Person::MAX_NAME_CHARS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address of electronic mail, up to [`Person::MAX_EMAIL_CHARS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone number, up to [`Person::MAX_PHONE_CHARS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Postal address, up to [`Person::MAX_POSTAL_ADDRESS_CHARS`]; it may have several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_address: Option<String>,
    /// What else has to be known, up to [`Person::MAX_NOTE_CHARS`]; it may have several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Person {
    /// Most characters of a name.
    pub const MAX_NAME_CHARS: usize = 200;
    /// Most characters of an address of electronic mail (RFC 5321, 4.5.3.1.3, less the brackets).
    pub const MAX_EMAIL_CHARS: usize = 254;
    /// Most characters of a telephone number.
    pub const MAX_PHONE_CHARS: usize = 32;
    /// Most characters of a postal address.
    pub const MAX_POSTAL_ADDRESS_CHARS: usize = 1_000;
    /// Most characters of a note.
    pub const MAX_NOTE_CHARS: usize = 4_000;

    /// The first field that breaks a rule, and the rule, which tells nothing of the value.
    #[must_use]
    pub fn broken_rule(&self) -> Option<(&'static str, String)> {
        let fields = [
            ("name", &self.name, Self::MAX_NAME_CHARS, Lines::One),
            ("email", &self.email, Self::MAX_EMAIL_CHARS, Lines::One),
            ("phone", &self.phone, Self::MAX_PHONE_CHARS, Lines::One),
            (
                "postal_address",
                &self.postal_address,
                Self::MAX_POSTAL_ADDRESS_CHARS,
                Lines::Several,
            ),
            ("note", &self.note, Self::MAX_NOTE_CHARS, Lines::Several),
        ];
        fields.into_iter().find_map(|(field, text, max, lines)| {
            let rule = broken_rule(text.as_deref()?, max, lines)?;
            Some((field, rule))
        })
    }

    /// The same with what `news` has in place of what was there.
    #[must_use]
    pub fn updated(self, news: &Self) -> Self {
        let newer = |new: &Option<String>, old: Option<String>| new.clone().or(old);
        Self {
            name: newer(&news.name, self.name),
            email: newer(&news.email, self.email),
            phone: newer(&news.phone, self.phone),
            postal_address: newer(&news.postal_address, self.postal_address),
            note: newer(&news.note, self.note),
        }
    }
}

/// Shows which fields there are, and none of them.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |field: &Option<String>| field.as_ref().map(|_| "withheld");
        f.debug_struct("Person")
            .field("name", &shown(&self.name))
            .field("email", &shown(&self.email))
            .field("phone", &shown(&self.phone))
            .field("postal_address", &shown(&self.postal_address))
            .field("note", &shown(&self.note))
            .finish()
    }
}

/// How many lines a text may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    One,
    Several,
}

fn broken_rule(text: &str, max: usize, lines: Lines) -> Option<String> {
    let is_allowed = |c: char| !c.is_control() || (lines == Lines::Several && c == '\n');
    if max < text.chars().count() {
        return Some(format!("has more than {max} characters"));
    }
    if text.trim().is_empty() {
        return Some("is empty; leave it out".to_owned());
    }
    (!text.chars().all(is_allowed)).then(|| "has control characters".to_owned())
}

/// Whose data they are: the id under which they lie, and the owner to which they are bound.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Holder {
    /// The id.
    pub person: PersonId,
    /// The owner's record.
    pub owner: CimMrid,
}

/// What is kept of a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Nothing was ever put.
    Nothing,
    /// This.
    Readable {
        /// The record.
        person: Box<Person>,
        /// How often it was put; the first time makes 1.
        version: u64,
    },
    /// A ciphertext that can't be read.
    Unreadable(Unreadable),
    /// It was erased, for good.
    Erased,
}

/// Why a ciphertext can't be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Unreadable {
    /// The key is not there, as after restoring a backup without keys.
    #[error("the key is missing")]
    KeyMissing,
    /// It is not what was sealed under this key for this owner.
    #[error("the ciphertext does not fit its key and owner")]
    Unfit,
}

/// A key and a nonce, drawn at random for one put. The key is used only where there is none yet.
#[derive(Clone, Copy)]
pub struct Draw {
    /// 256 bits.
    pub key: [u8; 32],
    /// 96 bits.
    pub nonce: [u8; 12],
}

impl fmt::Debug for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draw")
    }
}

/// A record to put.
#[derive(Clone, Debug)]
pub struct Put {
    /// Whose.
    pub holder: Holder,
    /// The record.
    pub person: Person,
    /// What becomes of the one before.
    pub onto: Onto,
    /// Drawn for this put alone.
    pub draw: Draw,
}

/// What becomes of the record that there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Onto {
    /// It is replaced, whatever it is.
    Anything,
    /// It is replaced if it has this version; 0 means that there must be none.
    Version(u64),
    /// What the new one lacks is kept.
    Kept,
}

/// The version of a record that was put, or why it was not.
pub type PutOutcome = Result<u64, PutError>;

/// Why a record was not put. Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PutError {
    /// The person was erased.
    #[error("the person's data were erased for good")]
    Erased,
    /// Another put came first.
    #[error("the record is at version {found}")]
    Stale {
        /// Its version; 0 when there is none.
        found: u64,
    },
    /// What it is to be joined with can't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A field breaks a rule.
    #[error("{field} {rule}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Which rule.
        rule: String,
    },
}

/// One person as it lies there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) key: Option<KeyMark>,
    pub(crate) sealed: Option<Sealed>,
}

/// Makes the record to write of the one at this place in what was asked for; nothing to leave it.
pub(crate) type Resealing<'a> = dyn FnMut(usize, &Row) -> Option<Sealed> + 'a;

/// Where keys and ciphertexts lie.
pub(crate) trait Medium: Send {
    /// The rows of `persons`, in their order.
    fn rows(&mut self, persons: &[PersonId]) -> Result<Vec<Row>, StorageError>;

    /// Gives its key to each person that has none, and writes what `reseal` makes of each row. The
    /// keys are durable no later than what is sealed under them.
    fn replace(
        &mut self,
        wanted: &[(PersonId, Key)],
        reseal: &mut Resealing<'_>,
    ) -> Result<(), StorageError>;

    /// Erases keys, then ciphertexts, durably; the mark of it stays.
    fn erase(&mut self, persons: &[PersonId]) -> Result<(), StorageError>;
}

/// Personal data of the owners of one fleet.
pub struct Persons {
    medium: Box<dyn Medium>,
}

impl Persons {
    /// In memory, gone when they are dropped.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            medium: Box::new(memory::Memory::default()),
        }
    }

    /// In a data directory, which the caller has to itself: ciphertexts in `persons.sqlite`, keys
    /// in `keys.sqlite`.
    ///
    /// # Errors
    /// [`OpenError`] when the files can't be used.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            medium: Box::new(sqlite::Files::open(directory)?),
        })
    }

    /// In the database at `address`, in which there is a store: ciphertexts in the schema
    /// `wattfold`, keys in the schema `wattfold_keys`.
    #[must_use]
    pub fn connect(address: &Address) -> Self {
        Self {
            medium: Box::new(SharedPersons::new(address.clone())),
        }
    }

    /// What is kept of each of `holders`, in their order.
    ///
    /// # Errors
    /// [`StorageError`] when the medium fails.
    pub fn read(&mut self, holders: &[Holder]) -> Result<Vec<Kept>, StorageError> {
        let mut kept = Vec::with_capacity(holders.len());
        for turn in holders.chunks(MAX_PERSONS_PER_TURN) {
            let persons: Vec<PersonId> = turn.iter().map(|holder| holder.person).collect();
            let rows = self.medium.rows(&persons)?;
            kept.extend(
                turn.iter()
                    .zip(&rows)
                    .map(|(holder, row)| seal::open(holder, row)),
            );
        }
        Ok(kept)
    }

    /// Puts each of `puts`, of different persons, by itself; gives its version then. A record that
    /// is so already keeps its version.
    ///
    /// # Errors
    /// [`StorageError`] when the medium fails; then some of them may be put.
    pub fn put(&mut self, puts: &[Put]) -> Result<Vec<PutOutcome>, StorageError> {
        let mut outcomes = Vec::with_capacity(puts.len());
        for turn in puts.chunks(MAX_PERSONS_PER_TURN) {
            let mut done = vec![Err(PutError::Erased); turn.len()];
            let checked = |put: &Put| match put.person.broken_rule() {
                Some((field, rule)) => Err(PutError::Invalid { field, rule }),
                None => Ok((put.holder.person, Key(put.draw.key))),
            };
            let mut places = Vec::with_capacity(turn.len());
            let mut wanted = Vec::with_capacity(turn.len());
            for (place, put) in turn.iter().enumerate() {
                match checked(put) {
                    Ok(one) => {
                        places.push(place);
                        wanted.push(one);
                    }
                    Err(refused) => done[place] = Err(refused),
                }
            }
            self.medium.replace(&wanted, &mut |index, row| {
                let place = places[index];
                let (outcome, sealed) = seal::reseal(&turn[place], row);
                done[place] = outcome;
                sealed
            })?;
            outcomes.append(&mut done);
        }
        Ok(outcomes)
    }

    /// Erases what is kept of `persons`, for good; those that are erased already stay so. It is
    /// durable when this returns.
    ///
    /// # Errors
    /// [`StorageError`] when the medium fails; then it is to be done again.
    pub fn erase(&mut self, persons: &[PersonId]) -> Result<(), StorageError> {
        for turn in persons.chunks(MAX_PERSONS_PER_TURN) {
            self.medium.erase(turn)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Persons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Persons").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
