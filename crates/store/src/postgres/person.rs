//! Ciphertexts of persons in the schema `wattfold`, keys in the schema `wattfold_keys`, so that any
//! node can read and write them and a dump of the one schema has nothing of the other.
//!
//! A row of keys is locked for as long as a record is sealed under it, so a record can't be put
//! while its key is being erased at another node.

use ::postgres::{Client, GenericClient, Row as SqlRow};
use fleet::enrolment::PersonId;

use super::address::Address;
use super::link::Link;
use crate::StorageError;
use crate::person::{Key, KeyMark, Medium, Resealing, Row, Sealed, SealedPersons};

const ROWS: &str = "SELECT key.person IS NOT NULL, key.key,
         sealed.version, sealed.nonce, sealed.ciphertext
     FROM unnest($1::bytea[]) WITH ORDINALITY AS wanted (person, place)
     LEFT JOIN wattfold_keys.person_key AS key ON key.person = wanted.person
     LEFT JOIN person AS sealed ON sealed.person = wanted.person
     ORDER BY wanted.place";
const PUT: &str = "INSERT INTO person (person, version, nonce, ciphertext)
     SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[])
     ON CONFLICT (person) DO UPDATE SET version = excluded.version, nonce = excluded.nonce,
         ciphertext = excluded.ciphertext";
const ADD_KEYS: &str = "INSERT INTO wattfold_keys.person_key (person, key)
     SELECT * FROM unnest($1::bytea[], $2::bytea[]) AS new (person, key) ORDER BY new.person
     ON CONFLICT (person) DO UPDATE SET key = NULL WHERE excluded.key IS NULL";
const ERASE_KEYS: &str = "INSERT INTO wattfold_keys.person_key (person, key)
     SELECT gone.person, NULL FROM unnest($1::bytea[]) AS gone (person) ORDER BY gone.person
     ON CONFLICT (person) DO UPDATE SET key = NULL";

/// A connection to what is kept of persons, made again when it was lost.
#[derive(Debug)]
pub(crate) struct SharedPersons(Link);

impl SharedPersons {
    pub(crate) const fn new(address: Address) -> Self {
        Self(Link::patient(address, "wattfold persons"))
    }

    fn client(&mut self) -> Result<&mut Client, StorageError> {
        Ok(self.0.client()?)
    }

    /// At most `limit` ciphertexts after `after`, in the order of their ids.
    pub(crate) fn page(
        &mut self,
        after: Option<PersonId>,
        limit: usize,
    ) -> Result<SealedPersons, StorageError> {
        let after = after.map(|person| person.0.to_be_bytes());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.client()?.query(
            "SELECT person, version, nonce, ciphertext FROM person
             WHERE $1::bytea IS NULL OR person > $1 ORDER BY person LIMIT $2",
            &[&after.as_ref().map(<[u8; 16]>::as_slice), &limit],
        )?;
        let row = |row: &SqlRow| {
            let id = PersonId(u128::from_be_bytes(super::schema::bytes(row.try_get(0)?)));
            Ok::<_, ::postgres::Error>((id, sealed(row, 1)?))
        };
        Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
    }

    /// Puts ciphertexts as they are.
    pub(crate) fn put(&mut self, rows: &[(PersonId, Sealed)]) -> Result<(), StorageError> {
        Ok(put(self.client()?, rows)?)
    }

    /// Puts keys where there is none yet, and marks of erasure wherever.
    pub(crate) fn add_keys(&mut self, keys: &[(PersonId, KeyMark)]) -> Result<(), StorageError> {
        let ids = ids(keys.iter().map(|(person, _)| *person));
        let column: Vec<Option<&[u8]>> = keys
            .iter()
            .map(|(_, mark)| mark.column().map(<[u8; 32]>::as_slice))
            .collect();
        self.client()?
            .execute(ADD_KEYS, &[&slices(&ids), &column])?;
        Ok(())
    }

    /// How many ciphertexts there are.
    pub(crate) fn count(&mut self) -> Result<u64, StorageError> {
        let sql = "SELECT count(*) FROM person";
        let count: i64 = self.client()?.query_one(sql, &[])?.try_get(0)?;
        Ok(count.cast_unsigned())
    }
}

impl Medium for SharedPersons {
    fn rows(&mut self, persons: &[PersonId]) -> Result<Vec<Row>, StorageError> {
        let ids = ids(persons.iter().copied());
        Ok(rows(self.client()?, &slices(&ids))?)
    }

    fn replace(
        &mut self,
        wanted: &[(PersonId, Key)],
        reseal: &mut Resealing<'_>,
    ) -> Result<(), StorageError> {
        let ids = ids(wanted.iter().map(|(person, _)| *person));
        let ids = slices(&ids);
        let keys: Vec<&[u8]> = wanted.iter().map(|(_, key)| key.0.as_slice()).collect();
        let mut transaction = self.client()?.transaction()?;
        transaction.execute(ADD_KEYS, &[&ids, &keys])?;
        let lock = "SELECT FROM wattfold_keys.person_key WHERE person = ANY ($1)
                    ORDER BY person FOR UPDATE";
        transaction.execute(lock, &[&ids])?;
        let rows = rows(&mut transaction, &ids)?;
        let mut changed = Vec::new();
        for (index, ((person, _), row)) in wanted.iter().zip(&rows).enumerate() {
            if let Some(sealed) = reseal(index, row) {
                changed.push((*person, sealed));
            }
        }
        put(&mut transaction, &changed)?;
        Ok(transaction.commit()?)
    }

    fn erase(&mut self, persons: &[PersonId]) -> Result<(), StorageError> {
        let ids = ids(persons.iter().copied());
        let ids = slices(&ids);
        let mut transaction = self.client()?.transaction()?;
        transaction.execute(ERASE_KEYS, &[&ids])?;
        transaction.execute("DELETE FROM person WHERE person = ANY ($1)", &[&ids])?;
        Ok(transaction.commit()?)
    }
}

fn put(
    client: &mut impl GenericClient,
    rows: &[(PersonId, Sealed)],
) -> Result<(), ::postgres::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids = ids(rows.iter().map(|(person, _)| *person));
    let each = || rows.iter().map(|(_, sealed)| sealed);
    let versions: Vec<i64> = each().map(|sealed| sealed.version.cast_signed()).collect();
    let nonces: Vec<&[u8]> = each().map(|sealed| sealed.nonce.as_slice()).collect();
    let ciphertexts: Vec<&[u8]> = each().map(|sealed| sealed.ciphertext.as_slice()).collect();
    client.execute(PUT, &[&slices(&ids), &versions, &nonces, &ciphertexts])?;
    Ok(())
}

fn rows(client: &mut impl GenericClient, ids: &[&[u8]]) -> Result<Vec<Row>, ::postgres::Error> {
    let found = client.query(ROWS, &[&ids])?;
    found.iter().map(row).collect()
}

fn row(row: &SqlRow) -> Result<Row, ::postgres::Error> {
    let key: Option<&[u8]> = row.try_get(1)?;
    let is_marked: bool = row.try_get(0)?;
    let version: Option<i64> = row.try_get(2)?;
    Ok(Row {
        key: is_marked.then(|| KeyMark::of_column(key.map(super::schema::bytes))),
        sealed: version.map(|_| sealed(row, 2)).transpose()?,
    })
}

fn sealed(row: &SqlRow, first: usize) -> Result<Sealed, ::postgres::Error> {
    Ok(Sealed {
        version: row.try_get::<_, i64>(first)?.cast_unsigned(),
        nonce: super::schema::bytes(row.try_get(first + 1)?),
        ciphertext: row.try_get(first + 2)?,
    })
}

fn ids(persons: impl Iterator<Item = PersonId>) -> Vec<[u8; 16]> {
    persons.map(|person| person.0.to_be_bytes()).collect()
}

fn slices(ids: &[[u8; 16]]) -> Vec<&[u8]> {
    ids.iter().map(<[u8; 16]>::as_slice).collect()
}
