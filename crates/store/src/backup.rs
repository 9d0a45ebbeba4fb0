//! Backup, restoring and moving to another medium.
//!
//! A backup is a data directory: the files `fleet.sqlite`, `telemetry.sqlite` and `persons.sqlite`
//! as a server on SQLite keeps them, whatever medium they were taken from. A journal is taken over
//! byte by byte, with its identity and its chain, and the chain is walked where it has arrived.
//! Personal data go along as they are sealed; their keys do not, so that what is erased can't be
//! read in any backup. Sessions, requests between nodes and what nodes tell one another are not part
//! of it.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use thiserror::Error;

use crate::person::{Ciphertexts, Keys};
use crate::postgres::SharedPersons;
use crate::sqlite::{Lock, fleet_file, keys_file, persons_file, read_only, telemetry_file};
use crate::telemetry::TelemetryError;
use crate::{
    Address, Asked, CommitError, Head, Lease, MAX_PERSONS_PER_TURN, OpenError, Postgres, ReadError,
    Sqlite, StorageError, Store, Telemetry, audit,
};

/// Delivery steps read at a time.
pub(crate) const STEPS_PER_READ: usize = 10_000;
/// Samples moved at a time.
const SAMPLES_PER_TURN: usize = 50_000;
/// How long no node leads after an import that was killed.
const IMPORT_LEASE: Duration = Duration::from_secs(60);
/// How often the lease is renewed while an import goes on.
const RENEW_EVERY: Duration = Duration::from_secs(15);

/// What was moved, and checked to be where it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Where the journal ends.
    pub head: Head,
    /// Steps of the delivery ledger.
    pub steps: u64,
    /// Documents.
    pub documents: usize,
    /// Accounts.
    pub accounts: usize,
    /// Samples of telemetry.
    pub samples: u64,
    /// Records of personal data, sealed.
    pub persons: u64,
    /// Keys that open them, and marks of keys that were erased.
    pub person_keys: u64,
}

/// Whether the keys of personal data go along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PersonKeys {
    /// They go.
    Taken,
    /// They stay behind, and what they open can't be read where it arrives.
    Left,
}

/// Why something could not be taken over. Nothing of it is stored.
#[derive(Debug, Error)]
pub enum ImportError {
    /// There is something already.
    #[error("there is a fleet already")]
    NotEmpty,
    /// What there is can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It can't be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Why there is no backup, or why nothing was restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// One end can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// One end can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It can't be taken over.
    #[error("nothing was taken over")]
    Import(#[from] ImportError),
    /// Telemetry could not be moved.
    #[error("telemetry was not moved as a whole")]
    Telemetry(#[from] TelemetryError),
    /// A medium failed.
    #[error("the medium failed")]
    Storage(#[from] StorageError),
    /// A node leads, or has led a moment ago.
    #[error("{0:?} leads; stop every node first")]
    Led(String),
    /// There is no fleet, and something of one that was there.
    #[error("{0} is in the way: take it away, or choose an empty directory")]
    InTheWay(String),
    /// What has arrived is not what was sent.
    #[error("what has arrived is not what was sent: {0}")]
    Differs(String),
}

impl From<rusqlite::Error> for ImportError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Commit(error.into())
    }
}

impl From<postgres::Error> for ImportError {
    fn from(error: postgres::Error) -> Self {
        Self::Commit(error.into())
    }
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// Backs the data directory `data` up, which may be in use, into the empty or absent directory
/// `to`.
///
/// # Errors
/// [`BackupError`].
pub fn from_directory(data: &Path, to: &Path) -> Result<Moved, BackupError> {
    let work = Work::begin(to)?;
    copy_file(&fleet_file(data), &fleet_file(work.path()))?;
    if telemetry_file(data).exists() {
        copy_file(&telemetry_file(data), &telemetry_file(work.path()))?;
    }
    if persons_file(data).exists() {
        copy_file(&persons_file(data), &persons_file(work.path()))?;
    }
    let moved = checked_files(work.path())?;
    work.finish()?;
    Ok(moved)
}

/// As [`checked`], of a directory; its files are closed again.
fn checked_files(directory: &Path) -> Result<Moved, BackupError> {
    let store = Sqlite::open(directory, crate::JournalId(0))?;
    let persons = Ciphertexts::open(directory)?.count()?;
    checked(&store, &Telemetry::open(directory)?, persons)
}

/// Restores the backup in `from` as the data directory `data`, which must be empty or absent.
///
/// # Errors
/// [`BackupError`].
pub fn to_directory(from: &Path, data: &Path) -> Result<Moved, BackupError> {
    from_directory(from, data)
}

/// Backs the database at `address` up, which may be in use, into the empty or absent directory
/// `to`.
///
/// # Errors
/// [`BackupError`].
pub fn from_database(address: &Address, to: &Path) -> Result<Moved, BackupError> {
    let work = Work::begin(to)?;
    let mut source = Postgres::existing(address)?;
    let mut target = Sqlite::open(work.path(), source.journal())?;
    let (imported, position) = source.consistently(|source| {
        target.import(source)?;
        agree(source, &target)
    })?;
    imported?;
    drop(target);
    let mut samples = Telemetry::open(work.path())?;
    let sent = move_samples(&Telemetry::connect(address)?, &mut samples)?;
    drop(samples);
    let mut persons = Ciphertexts::open(work.path())?;
    let sent_persons = take_persons(&mut SharedPersons::new(address.clone()), &mut persons)?;
    drop(persons);
    let moved = checked_files(work.path())?;
    moved.check((position.head, sent, sent_persons))?;
    work.finish()?;
    Ok(moved)
}

/// Moves the data directory `from`, which no server uses, or a backup, to the empty database at
/// `address`. Of a backup there are no keys to take.
///
/// # Errors
/// [`BackupError`]. What was taken over until then is no fleet that a server would start on, and is
/// discarded when the same fleet is taken over next.
pub fn to_database(from: &Path, address: &Address, keys: PersonKeys) -> Result<Moved, BackupError> {
    if !fleet_file(from).exists() {
        return Err(OpenError::Foreign(from.display().to_string()).into());
    }
    let source = Sqlite::open(from, crate::JournalId(0))?;
    let mut target = Postgres::to_import(address, source.journal())?;
    if target.journal() != source.journal() {
        return Err(ImportError::NotEmpty.into());
    }
    let mut lease = Lease::new(address.clone(), "import".to_owned());
    let term = match lease.acquire(IMPORT_LEASE)? {
        Asked::Given(term) => term,
        Asked::Held(standing) => return Err(BackupError::Led(standing.holder)),
    };
    let imported = std::thread::scope(|scope| {
        let (work, is_over) = mpsc::channel::<()>();
        let lease = &mut lease;
        scope.spawn(move || keep(lease, term, &is_over));
        let imported = under(&term, &source, &mut target, (from, keys));
        drop(work);
        imported
    });
    target.follow();
    let released = lease.release(term);
    let moved = imported?;
    released?;
    Ok(moved)
}

/// Renews the lease until the work is over. Where that fails for too long, the work is refused as
/// soon as another has taken the lease.
fn keep(lease: &mut Lease, term: crate::Term, is_over: &mpsc::Receiver<()>) {
    while is_over.recv_timeout(RENEW_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
        if let Err(error) = lease.renew(term, IMPORT_LEASE) {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the lease of the import was not renewed");
        }
    }
}

fn under(
    term: &crate::Term,
    source: &Sqlite,
    target: &mut Postgres,
    (from, keys): (&Path, PersonKeys),
) -> Result<Moved, BackupError> {
    target.lead(term)?;
    target.begin_import()?;
    let mut samples = Telemetry::connect(target.address())?;
    let sent = move_samples(&Telemetry::open(from)?, &mut samples)?;
    let mut persons = SharedPersons::new(target.address().clone());
    let sent_persons = give_persons(&Ciphertexts::open(from)?, &mut persons)?;
    let person_keys = match keys {
        PersonKeys::Taken if keys_file(from).exists() => {
            give_keys(&Keys::open(from)?, &mut persons)?
        }
        _ => 0,
    };
    target.import(source)?;
    agree(source, target)?;
    let moved = Moved {
        person_keys,
        ..checked(target, &samples, persons.count()?)?
    };
    moved.check((source.head(), sent, sent_persons))?;
    target.finish_import()?;
    Ok(moved)
}

impl Moved {
    /// Whether it ends where what was `sent` ends, with as many samples and persons.
    fn check(&self, sent: (Head, u64, u64)) -> Result<(), BackupError> {
        match (self.head, self.samples, self.persons) == sent {
            true => Ok(()),
            false => Err(BackupError::Differs(format!("{self:?}"))),
        }
    }
}

/// Where files are put together that are to be a data directory as a whole, or not at all.
struct Work {
    to: PathBuf,
    path: PathBuf,
    _lock: Lock,
}

impl Work {
    /// Begins anew, whatever another has left there. There may be no fleet in `to`, nor what another
    /// has not written to its files yet, for that would be taken for a part of the new ones.
    fn begin(to: &Path) -> Result<Self, BackupError> {
        let lock = Lock::take(to)?;
        if fleet_file(to).exists() {
            return Err(ImportError::NotEmpty.into());
        }
        for file in FILES {
            if let Some(log) = log_of(&file(to)) {
                return Err(BackupError::InTheWay(log.display().to_string()));
            }
        }
        let path = to.join("wattfold-unfinished");
        let cleared = match path.exists() {
            true => std::fs::remove_dir_all(&path),
            false => Ok(()),
        };
        cleared.map_err(StorageError::from)?;
        drop(Lock::take(&path)?);
        Ok(Self {
            to: to.to_owned(),
            path,
            _lock: lock,
        })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the files to their places; that of the fleet, without which there is none, comes last, when
    /// the others are sure to be there. Nobody has them open any more, so that all there is is in them.
    fn finish(self) -> Result<(), BackupError> {
        let sync = || std::fs::File::open(&self.to)?.sync_all();
        let moved = || {
            for file in FILES {
                let from = file(&self.path);
                if log_of(&from).is_some() {
                    return Err(std::io::Error::other("a file is still being written"));
                }
                if from.exists() {
                    sync()?;
                    std::fs::rename(from, file(&self.to))?;
                }
            }
            sync()
        };
        moved().map_err(StorageError::from)?;
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, "{} is left over", self.path.display());
        }
        Ok(())
    }
}

/// The files of a data directory that are taken over; without the last there is no fleet.
const FILES: [Place; 3] = [persons_file, telemetry_file, fleet_file];
/// Where a file of a data directory is.
type Place = fn(&Path) -> PathBuf;

/// What SQLite has yet to write to `file`, or has for it in use.
fn log_of(file: &Path) -> Option<PathBuf> {
    let beside = |suffix| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    ["-wal", "-shm"]
        .into_iter()
        .map(beside)
        .find(|log| log.exists())
}

/// What one read transaction of the source sees, page by page.
fn copy_file(from: &Path, to: &Path) -> Result<(), BackupError> {
    let source = read_only(from)?;
    let mut target = Connection::open(to)?;
    let backup = Backup::new(&source, &mut target)?;
    backup.step(-1)?;
    drop(backup);
    target.pragma_update(None, "journal_mode", "WAL")?;
    target.close().map_err(|(_, error)| error)?;
    let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
    Ok(synced.map_err(StorageError::from)?)
}

fn move_samples(from: &Telemetry, to: &mut Telemetry) -> Result<u64, BackupError> {
    let mut sent = 0;
    let mut last = None;
    loop {
        let samples = from.page(last.as_ref(), SAMPLES_PER_TURN)?;
        to.insert(&samples)?;
        sent += samples.len() as u64;
        if samples.len() < SAMPLES_PER_TURN {
            to.take_over_retired(from)?;
            return Ok(sent);
        }
        last = samples.last().copied();
    }
}

fn take_persons(from: &mut SharedPersons, to: &mut Ciphertexts) -> Result<u64, StorageError> {
    let (mut last, mut sent) = (None, 0);
    loop {
        let persons = from.page(last, MAX_PERSONS_PER_TURN)?;
        to.put(&persons)?;
        sent += persons.len() as u64;
        if persons.len() < MAX_PERSONS_PER_TURN {
            return Ok(sent);
        }
        last = persons.last().map(|(person, _)| *person);
    }
}

fn give_persons(from: &Ciphertexts, to: &mut SharedPersons) -> Result<u64, StorageError> {
    let (mut last, mut sent) = (None, 0);
    loop {
        let persons = from.page(last, MAX_PERSONS_PER_TURN)?;
        to.put(&persons)?;
        sent += persons.len() as u64;
        if persons.len() < MAX_PERSONS_PER_TURN {
            return Ok(sent);
        }
        last = persons.last().map(|(person, _)| *person);
    }
}

fn give_keys(from: &Keys, to: &mut SharedPersons) -> Result<u64, StorageError> {
    let (mut last, mut sent) = (None, 0);
    loop {
        let keys = from.page(last, MAX_PERSONS_PER_TURN)?;
        to.add_keys(&keys)?;
        sent += keys.len() as u64;
        if keys.len() < MAX_PERSONS_PER_TURN {
            return Ok(sent);
        }
        last = keys.last().map(|(person, _)| *person);
    }
}

/// Whether two stores have the same beside journal and telemetry.
fn agree(one: &dyn Store, other: &dyn Store) -> Result<(), BackupError> {
    let differs = |what: &str| Err(BackupError::Differs(what.to_owned()));
    if (one.journal(), one.head()) != (other.journal(), other.head()) {
        return differs("the head");
    }
    let mut skip = 0;
    loop {
        let steps = one.deliveries(skip, STEPS_PER_READ)?;
        if other.deliveries(skip, STEPS_PER_READ)? != steps {
            return differs("the ledger");
        }
        skip += steps.len() as u64;
        if steps.len() < STEPS_PER_READ {
            break;
        }
    }
    if one.documents()? != other.documents()? {
        return differs("documents");
    }
    if one.accounts()? != other.accounts()? || one.last_account()? != other.last_account()? {
        return differs("accounts");
    }
    if one.secrets()? != other.secrets()? {
        return differs("secrets");
    }
    Ok(())
}

/// Walks the chain and counts.
fn checked(store: &dyn Store, samples: &Telemetry, persons: u64) -> Result<Moved, BackupError> {
    let report = audit::verify_store(store, &[store.head()])?;
    if !report.is_intact() {
        return Err(BackupError::Differs(report.to_string()));
    }
    let mut steps = 0;
    loop {
        let read = store.deliveries(steps, STEPS_PER_READ)?.len();
        steps += read as u64;
        if read < STEPS_PER_READ {
            break;
        }
    }
    Ok(Moved {
        head: store.head(),
        steps,
        documents: store.documents()?.len(),
        accounts: store.accounts()?.len(),
        samples: samples.count()?,
        persons,
        person_keys: 0,
    })
}
