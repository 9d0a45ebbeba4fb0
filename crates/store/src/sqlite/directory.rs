//! The data directory and who may use it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::OpenError;

/// The file in a data directory that holds journal, ledger, documents and accounts.
#[must_use]
pub fn fleet_file(directory: &Path) -> PathBuf {
    directory.join("fleet.sqlite")
}

/// Telemetry.
pub(crate) fn telemetry_file(directory: &Path) -> PathBuf {
    directory.join("telemetry.sqlite")
}

/// Ciphertexts of personal data.
pub(crate) fn persons_file(directory: &Path) -> PathBuf {
    directory.join("persons.sqlite")
}

/// Their keys.
pub(crate) fn keys_file(directory: &Path) -> PathBuf {
    directory.join("keys.sqlite")
}

/// Opens `path` without writing to it; it must exist.
pub(crate) fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

/// The right to use a data directory; the operating system takes it back when the process ends,
/// however it ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held open for its lock")] File);

impl Lock {
    /// Creates `directory` if need be, readable by its owner alone, and locks it.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        let refused = |source: io::Error| OpenError::Storage {
            place: directory.display().to_string(),
            source: source.into(),
        };
        if !directory.exists() {
            create(directory).map_err(refused)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("lock"))
            .map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.display().to_string())),
            Err(TryLockError::Error(source)) => Err(refused(source)),
        }
    }
}

/// The entry in the parent directory must be as durable as what will be stored under it.
fn create(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    let parent = directory
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
