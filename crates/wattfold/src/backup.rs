//! `wattfold backup`, `restore` and `copy`.

use std::path::{Path, PathBuf};

use clap::Args;
use store::backup::{self, BackupError, Moved, PersonKeys};
use store::{Address, AddressError};
use thiserror::Error;

use crate::config::{Config, ConfigError};

/// Where a fleet is kept.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Configuration file (TOML) of a node, for a fleet in a database.
    #[arg(long, required_unless_present = "data")]
    pub config: Option<PathBuf>,
    /// Data directory, for a fleet without a database.
    #[arg(long)]
    pub data: Option<PathBuf>,
}

/// Why it was not done.
#[derive(Debug, Error)]
pub enum Error {
    /// The configuration is not usable.
    #[error("the configuration")]
    Config(#[from] ConfigError),
    /// The database's address is not usable.
    #[error("the URL of the database")]
    Address(#[from] AddressError),
    /// Neither a database nor a data directory is named.
    #[error("the configuration has no [store]; name the data directory with --data")]
    NoPlace,
    /// It could not be done.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

/// Backs up what is at `of` into `to`.
///
/// # Errors
/// [`Error`].
pub fn back_up(of: &Place, to: &Path) -> Result<Moved, Error> {
    match database(of)? {
        Some(address) => Ok(backup::from_database(&address, to)?),
        None => Ok(backup::from_directory(directory(of)?, to)?),
    }
}

/// Restores `from` to `of`.
///
/// # Errors
/// [`Error`].
pub fn restore(of: &Place, from: &Path) -> Result<Moved, Error> {
    match database(of)? {
        Some(address) => Ok(backup::to_database(from, &address, PersonKeys::Left)?),
        None => Ok(backup::to_directory(from, directory(of)?)?),
    }
}

/// Moves the data directory `from` to the database at `url`, the keys of personal data if told so.
///
/// # Errors
/// [`Error`].
pub fn copy(from: &Path, url: &str, ca: Option<&Path>, keys: PersonKeys) -> Result<Moved, Error> {
    Ok(backup::to_database(from, &Address::new(url, ca)?, keys)?)
}

fn database(of: &Place) -> Result<Option<Address>, Error> {
    let Some(config) = &of.config else {
        return Ok(None);
    };
    let database = Config::read(config)?.store;
    Ok(database.map(|database| database.address()).transpose()?)
}

fn directory(of: &Place) -> Result<&Path, Error> {
    of.data.as_deref().ok_or(Error::NoPlace)
}
