//! Taking over everything that another store has.

use std::ops::ControlFlow;

use ::postgres::Transaction;
use ::postgres::binary_copy::BinaryCopyInWriter;
use ::postgres::types::ToSql;

use super::{Address, Locked, Postgres, change_documents, insert_deliveries, journal, lock_head};
use crate::backup::{ImportError, STEPS_PER_READ};
use crate::chain;
use crate::{CommitError, DocumentChange, JournalId, OpenError, Store};

/// Name of the secret that says, while it is there, that not everything has been taken over yet.
pub(super) const UNFINISHED: &str = "unfinished import";
/// Leaves these as they are made.
const DISCARD: &str = "TRUNCATE sample, rollup, person;
    TRUNCATE journal, delivery, document, session, account RESTART IDENTITY;
    UPDATE horizon SET hour = (-9223372036854775808)::bigint;
    UPDATE rolled_up SET hour = (-9223372036854775808)::bigint, der = -1";
const FORGET_SECRETS: &str = "DELETE FROM secret WHERE name <> $1";
const MARKED: &str = "SELECT EXISTS (SELECT FROM secret WHERE name = $1)";

impl Postgres {
    /// As [`Self::open`], to take over what another store has.
    ///
    /// # Errors
    /// As [`Self::open`], but that of an import that was not finished.
    pub(crate) fn to_import(address: &Address, new: JournalId) -> Result<Self, OpenError> {
        Self::prepared(address, new)
    }

    /// Whether not everything has been taken over yet.
    pub(super) fn is_unfinished(&self) -> Result<bool, ::postgres::Error> {
        let mut client = self.client.borrow_mut();
        client.query_one(MARKED, &[&UNFINISHED])?.try_get(0)
    }

    /// Notes that something is about to be taken over, and discards what was before in vain. Nothing
    /// else may be here but the same journal's identity. It has to [lead](Self::lead).
    pub(crate) fn begin_import(&mut self) -> Result<(), ImportError> {
        let genesis = chain::genesis(self.journal());
        let mut transaction = self.client.get_mut().transaction()?;
        let mut locked = lock_head(&mut transaction, &self.statements)?;
        check_leads(&locked, self.token)?;
        if transaction.query_one(MARKED, &[&UNFINISHED])?.try_get(0)? {
            transaction.batch_execute(DISCARD)?;
            transaction.execute(FORGET_SECRETS, &[&UNFINISHED])?;
            let hash = genesis.hash.0.as_slice();
            let none: [&(dyn ToSql + Sync); 4] = [&0_i64, &hash, &0_i64, &0_i64];
            transaction.query(&self.statements.move_head, &none)?;
            locked = lock_head(&mut transaction, &self.statements)?;
        }
        check_vacant(&mut transaction, &locked)?;
        let stray = "SELECT EXISTS (SELECT FROM sample) OR EXISTS (SELECT FROM rollup)
                         OR EXISTS (SELECT FROM person)";
        if transaction.query_one(stray, &[])?.try_get(0)? {
            return Err(ImportError::NotEmpty);
        }
        transaction.execute(
            "INSERT INTO secret (name, value) VALUES ($1, '') ON CONFLICT (name) DO NOTHING",
            &[&UNFINISHED],
        )?;
        transaction.commit()?;
        self.head = genesis;
        Ok(())
    }

    /// What was begun by [`Self::begin_import`] is here, and was looked at: from now on it is a fleet. It
    /// has to [lead](Self::lead).
    pub(crate) fn finish_import(&mut self) -> Result<(), ImportError> {
        let mut transaction = self.client.get_mut().transaction()?;
        let locked = lock_head(&mut transaction, &self.statements)?;
        check_leads(&locked, self.token)?;
        transaction.execute("DELETE FROM secret WHERE name = $1", &[&UNFINISHED])?;
        Ok(transaction.commit()?)
    }

    /// Takes over everything that `from` has, in one transaction, between [`Self::begin_import`] and
    /// [`Self::finish_import`]. It has to [lead](Self::lead).
    pub(crate) fn import(&mut self, from: &dyn Store) -> Result<(), ImportError> {
        let mut transaction = self.client.get_mut().transaction()?;
        let locked = lock_head(&mut transaction, &self.statements)?;
        check_leads(&locked, self.token)?;
        check_vacant(&mut transaction, &locked)?;
        let statements = &self.statements;
        import_journal(&mut transaction, &statements.copy_journal, from)?;
        let mut steps: i64 = 0;
        loop {
            let read = from.deliveries(steps.cast_unsigned(), STEPS_PER_READ)?;
            let copy = &statements.copy_delivery;
            steps = insert_deliveries(&mut transaction, copy, steps, &read)?;
            if read.len() < STEPS_PER_READ {
                break;
            }
        }
        let documents = from.documents()?;
        let puts: Vec<DocumentChange> = documents.into_iter().map(DocumentChange::Put).collect();
        change_documents(&mut transaction, &statements.put_documents, &puts, 1)?;
        import_accounts(&mut transaction, from)?;
        let head = from.head();
        transaction.query(
            &statements.move_head,
            &[
                &head.version.cast_signed(),
                &head.hash.0.as_slice(),
                &steps,
                &1_i64,
            ],
        )?;
        transaction.commit()?;
        self.head = head;
        Ok(())
    }
}

/// Fails unless it is the token `own` under which somebody leads.
const fn check_leads(locked: &Locked, own: u64) -> Result<(), ImportError> {
    match locked.token == own && own != 0 {
        true => Ok(()),
        false => Err(ImportError::Commit(CommitError::Fenced {
            own,
            current: locked.token,
        })),
    }
}

/// Fails where there is a fleet.
fn check_vacant(transaction: &mut Transaction<'_>, locked: &Locked) -> Result<(), ImportError> {
    let row = transaction.query_one(
        "SELECT EXISTS (SELECT FROM account) OR EXISTS (SELECT FROM document)
             OR EXISTS (SELECT FROM secret WHERE name <> $1)",
        &[&UNFINISHED],
    )?;
    if locked.head.version != 0 || locked.change != 0 || row.try_get(0)? {
        return Err(ImportError::NotEmpty);
    }
    Ok(())
}

fn import_journal(
    transaction: &mut Transaction<'_>,
    copy: &::postgres::Statement,
    from: &dyn Store,
) -> Result<(), ImportError> {
    let mut rows = BinaryCopyInWriter::new(transaction.copy_in(copy)?, &journal::COLUMNS);
    let mut failed = None;
    from.scan(1, usize::MAX, &mut |raw| {
        failed = journal::write(&mut rows, &raw).err();
        match failed {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(rows.finish().map(drop)?),
    }
}

fn import_accounts(transaction: &mut Transaction<'_>, from: &dyn Store) -> Result<(), ImportError> {
    for account in from.accounts()? {
        transaction.execute(
            "INSERT INTO account (id, name, password_hash, created_ms) VALUES ($1, $2, $3, $4)",
            &[
                &account.id.0.cast_signed(),
                &account.name,
                &account.password_hash,
                &account.created.millis(),
            ],
        )?;
    }
    let last = i64::from(from.last_account()?.0);
    if 0 < last {
        transaction.execute("SELECT setval('account_id_seq', $1)", &[&last])?;
    }
    for (name, value) in from.secrets()? {
        transaction.execute(
            "INSERT INTO secret (name, value) VALUES ($1, $2)",
            &[&name, &value],
        )?;
    }
    Ok(())
}
