//! Everything in memory, in the same shape as on disk.

use std::collections::BTreeMap;

use fleet::DeliveryEntry;
use units::Timestamp;

use crate::chain;
use crate::journal::{self, Sealed};
use crate::{
    Account, AccountId, Batch, CommitError, Document, DocumentChange, DocumentKey, Head, JournalId,
    MAX_ACCOUNTS, ReadError, Secrets, Store, Visit, account,
};

/// A store that is gone when it is dropped.
#[derive(Debug)]
pub struct Memory {
    journal: JournalId,
    head: Head,
    entries: Vec<Sealed>,
    deliveries: Vec<DeliveryEntry>,
    documents: BTreeMap<DocumentKey, Document>,
    accounts: Vec<Account>,
    last_account: u32,
    secrets: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new(journal: JournalId) -> Self {
        Self {
            journal,
            head: chain::genesis(journal),
            entries: Vec::new(),
            deliveries: Vec::new(),
            documents: BTreeMap::new(),
            accounts: Vec::new(),
            last_account: 0,
            secrets: BTreeMap::new(),
        }
    }
}

impl Store for Memory {
    fn journal(&self) -> JournalId {
        self.journal
    }

    fn head(&self) -> Head {
        self.head
    }

    fn commit(&mut self, batch: &Batch) -> Result<u64, CommitError> {
        batch.check(self.head.version)?;
        let mut head = self.head;
        let mut sealed = Vec::with_capacity(batch.entries.len());
        for entry in &batch.entries {
            let next = journal::seal(head, entry)?;
            head = Head {
                version: next.sequence,
                hash: next.hash,
            };
            sealed.push(next);
        }
        self.head = head;
        self.entries.append(&mut sealed);
        self.deliveries.extend_from_slice(&batch.deliveries);
        for change in &batch.documents {
            match change {
                DocumentChange::Put(document) => {
                    self.documents
                        .insert(document.key.clone(), document.clone());
                }
                DocumentChange::Delete(key) => {
                    self.documents.remove(key);
                }
            }
        }
        Ok(head.version)
    }

    fn scan(&self, from: u64, limit: usize, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        for entry in self.entries.iter().skip(skip).take(limit) {
            if visit(entry.raw()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn deliveries(&self, skip: u64, limit: usize) -> Result<Vec<DeliveryEntry>, ReadError> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(self
            .deliveries
            .iter()
            .skip(skip)
            .take(limit)
            .copied()
            .collect())
    }

    fn document(&self, key: &DocumentKey) -> Result<Option<Document>, ReadError> {
        Ok(self.documents.get(key).cloned())
    }

    fn documents(&self) -> Result<Vec<Document>, ReadError> {
        Ok(self.documents.values().cloned().collect())
    }

    fn create_account(
        &mut self,
        name: &str,
        password_hash: &str,
        created: Timestamp,
    ) -> Result<AccountId, CommitError> {
        account::check(name, password_hash)?;
        if self.accounts.iter().any(|known| known.name == name) {
            return Err(CommitError::AccountExists(name.to_owned()));
        }
        if self.accounts.len() >= MAX_ACCOUNTS {
            return Err(CommitError::TooLarge {
                what: "accounts",
                max: MAX_ACCOUNTS,
            });
        }
        self.last_account += 1;
        let id = AccountId(self.last_account);
        let (name, password_hash) = (name.to_owned(), password_hash.to_owned());
        self.accounts.push(Account {
            id,
            name,
            password_hash,
            created,
        });
        Ok(id)
    }

    fn set_password(&mut self, id: AccountId, password_hash: &str) -> Result<(), CommitError> {
        let known = self.accounts.iter_mut().find(|known| known.id == id);
        let known = known.ok_or(CommitError::NoAccount(id.0))?;
        account::check_hash(password_hash)?;
        password_hash.clone_into(&mut known.password_hash);
        Ok(())
    }

    fn delete_account(&mut self, id: AccountId) -> Result<(), CommitError> {
        let place = self.accounts.iter().position(|known| known.id == id);
        self.accounts
            .remove(place.ok_or(CommitError::NoAccount(id.0))?);
        Ok(())
    }

    fn accounts(&self) -> Result<Vec<Account>, ReadError> {
        Ok(self.accounts.clone())
    }

    fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.secrets.get(name).cloned())
    }

    fn secrets(&self) -> Result<Secrets, ReadError> {
        Ok(self.secrets.clone())
    }

    fn last_account(&self) -> Result<AccountId, ReadError> {
        Ok(AccountId(self.last_account))
    }

    fn set_secret(&mut self, name: &str, value: &[u8]) -> Result<(), CommitError> {
        account::check_secret(name, value)?;
        self.secrets.insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}
