//! The file in which a client's state outlives its process.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ieee2030_5::client::{Client, Config, SavedError};
use units::Timestamp;

/// Why the state can't be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot read or write {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is not a state of this client")]
    Saved {
        path: PathBuf,
        #[source]
        source: SavedError,
    },
}

/// The file, open for what is appended between two savings.
pub(super) struct StateFile {
    path: PathBuf,
    file: Option<File>,
}

impl StateFile {
    pub(super) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
        }
    }

    /// The client as it was, or a new one if nothing was saved.
    pub(super) fn client(&self, config: Config, now: Timestamp) -> Result<Client, StateError> {
        match std::fs::read(&self.path) {
            Ok(saved) => {
                let client = Client::restore(config, &saved, now);
                client.map_err(|source| StateError::Saved {
                    path: self.path.clone(),
                    source,
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Client::new(config, now)),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Replaces the file by the state of now.
    pub(super) fn save(&mut self, client: &Client) -> Result<(), StateError> {
        let next = self.path.with_extension("next");
        let written = (|| {
            let mut file = File::create(&next)?;
            file.write_all(&client.save())?;
            file.sync_all()?;
            std::fs::rename(&next, &self.path)?;
            OpenOptions::new().append(true).open(&self.path)
        })();
        self.file = Some(written.map_err(|source| self.failed(source))?);
        Ok(())
    }

    /// Adds lines. They are on the medium when this returns.
    pub(super) fn append(&mut self, lines: &str) -> Result<(), StateError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let written = file
            .write_all(lines.as_bytes())
            .and_then(|()| file.sync_data());
        written.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> StateError {
        StateError::File {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use ieee2030_5::client::{DeviceConfig, DeviceIndex, Taken};
    use ieee2030_5::wire::response::ResponseStatus;

    use super::*;
    use crate::der2030::config::{Kind, Make};

    #[test]
    fn what_is_appended_is_read_again_up_to_where_the_power_failed() {
        let folder = tempfile::tempdir().unwrap();
        let make = Make {
            kind: Kind::Pv,
            p_inject_max_w: 5_000,
            p_absorb_max_w: 0,
            q_max_var: None,
            energy_max_wh: None,
            grad_w: 100,
        };
        let device = DeviceConfig::new([0x3E; 20], 1, make.nameplate());
        let config = Config::of_device("https://server.example/dcap".to_owned(), device);
        let client = Client::new(config.clone(), Timestamp::default());
        let path = folder.path().join("state");
        let mut file = StateFile::at(&path);
        file.save(&client).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let taken = |subject| Taken {
            device: DeviceIndex::OWN,
            subject,
            status: ResponseStatus::STARTED,
        };
        let lines: String = (1..=3).map(|it| client.taken_line(&taken(it))).collect();
        file.append(&lines).unwrap();
        let saved = std::fs::read(&path).unwrap();
        assert_eq!(saved, [&whole[..], lines.as_bytes()].concat());
        for len in whole.len()..=saved.len() {
            std::fs::write(&path, &saved[..len]).unwrap();
            let read = StateFile::at(&path).client(config.clone(), Timestamp::default());
            assert!(read.is_ok(), "of {len} bytes");
        }
    }
}
