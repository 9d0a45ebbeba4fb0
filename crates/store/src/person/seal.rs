//! Sealing a record under the key of its person, and opening it.

use std::fmt;

use fleet::enrolment::PersonId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce as Once, UnboundKey};

use super::{Holder, Kept, Onto, Person, Put, PutError, Row, Unreadable};

/// First part of what is bound to every ciphertext; another shape of the record is another one.
const SHAPE: &[u8] = b"wattfold person 1\0";

/// The key of one person.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// What lies in the place of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyMark {
    Kept(Key),
    Erased,
}

impl KeyMark {
    /// As a column has it: nothing where it was erased.
    pub(crate) fn of_column(key: Option<[u8; 32]>) -> Self {
        key.map_or(Self::Erased, |key| Self::Kept(Key(key)))
    }

    /// The column.
    pub(crate) const fn column(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Kept(Key(key)) => Some(key),
            Self::Erased => None,
        }
    }
}

/// Never the same twice under one key.
type Nonce = [u8; 12];

/// A record that only its key opens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sealed {
    /// From 1.
    pub(crate) version: u64,
    pub(crate) nonce: Nonce,
    /// With its tag of 16 bytes at the end.
    pub(crate) ciphertext: Vec<u8>,
}

/// Records by their persons.
pub(crate) type SealedPersons = Vec<(PersonId, Sealed)>;
/// What lies in the place of each person's key.
pub(crate) type Keyed = Vec<(PersonId, KeyMark)>;

/// What `row` holds for `holder`.
pub(super) fn open(holder: &Holder, row: &Row) -> Kept {
    match (row.key, &row.sealed) {
        (Some(KeyMark::Erased), _) => Kept::Erased,
        (_, None) => Kept::Nothing,
        (None, Some(_)) => Kept::Unreadable(Unreadable::KeyMissing),
        (Some(KeyMark::Kept(key)), Some(sealed)) => match opened(key, holder, sealed) {
            Some(person) => Kept::Readable {
                person: Box::new(person),
                version: sealed.version,
            },
            None => Kept::Unreadable(Unreadable::Unfit),
        },
    }
}

/// What becomes of `put` where there is `row`, and the record to write if there is one to write.
pub(super) fn reseal(put: &Put, row: &Row) -> (Result<u64, PutError>, Option<Sealed>) {
    let Some(KeyMark::Kept(key)) = row.key else {
        return (Err(PutError::Erased), None);
    };
    let found = row.sealed.as_ref().map_or(0, |sealed| sealed.version);
    if let Onto::Version(expected) = put.onto
        && expected != found
    {
        return (Err(PutError::Stale { found }), None);
    }
    let known = open(&put.holder, row);
    let person = match (put.onto, &known) {
        (Onto::Kept, Kept::Unreadable(why)) => return (Err((*why).into()), None),
        (Onto::Kept, Kept::Readable { person, .. }) => Person::clone(person).updated(&put.person),
        _ => put.person.clone(),
    };
    if let Kept::Readable { person: known, .. } = &known
        && **known == person
    {
        return (Ok(found), None);
    }
    let version = found + 1;
    let sealed = sealed(key, &put.holder, &person, (version, put.draw.nonce));
    (Ok(version), Some(sealed))
}

fn sealed(key: Key, holder: &Holder, person: &Person, (version, nonce): (u64, Nonce)) -> Sealed {
    let mut bytes = serde_json::to_vec(person).expect("a person has text fields only");
    let bound = bound(holder, version);
    cipher(key)
        .seal_in_place_append_tag(
            Once::assume_unique_for_key(nonce),
            Aad::from(bound),
            &mut bytes,
        )
        .expect("a record has far fewer bytes than AES-GCM takes");
    Sealed {
        version,
        nonce,
        ciphertext: bytes,
    }
}

fn opened(key: Key, holder: &Holder, sealed: &Sealed) -> Option<Person> {
    let mut bytes = sealed.ciphertext.clone();
    let nonce = Once::assume_unique_for_key(sealed.nonce);
    let bound = Aad::from(bound(holder, sealed.version));
    let plain = cipher(key).open_in_place(nonce, bound, &mut bytes).ok()?;
    serde_json::from_slice(plain).ok()
}

fn cipher(key: Key) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, &key.0).expect("a key has 32 bytes");
    LessSafeKey::new(key)
}

/// The shape, 16 bytes of the id, 8 of the version, then the owner's mRID.
fn bound(holder: &Holder, version: u64) -> Vec<u8> {
    let mut bound = SHAPE.to_vec();
    bound.extend_from_slice(&holder.person.0.to_be_bytes());
    bound.extend_from_slice(&version.to_be_bytes());
    bound.extend_from_slice(holder.owner.as_str().as_bytes());
    bound
}
