//! The directory of a PKI: files that are made once and never replaced.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::PkiError;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    Public,
    Private,
}

impl Secrecy {
    fn mode(self) -> u32 {
        match self {
            Self::Public => 0o644,
            Self::Private => 0o600,
        }
    }
}

pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes the directory unless it is there already and holds no PKI.
    pub(super) fn create(path: &Path) -> Result<Self, PkiError> {
        let root = path.join("serca.pem");
        if root.exists() {
            return Err(PkiError::Exists { path: root });
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(path)
            .map_err(|source| PkiError::Write {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    pub(super) fn open(path: &Path) -> Result<Self, PkiError> {
        for missing in ["serca.pem", "ca-chain.pem", "issued.csv"] {
            if !path.join(missing).is_file() {
                return Err(PkiError::NotInitialised {
                    dir: path.to_owned(),
                    missing,
                });
            }
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, PkiError> {
        let path = self.path.join(name);
        std::fs::read(&path).map_err(|source| PkiError::Read { path, source })
    }

    /// Writes a new file; one that exists is left as it is and refused.
    pub(super) fn write(
        &self,
        name: &str,
        content: &[u8],
        secrecy: Secrecy,
    ) -> Result<(), PkiError> {
        let path = self.path.join(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(secrecy.mode())
            .open(&path)
            .and_then(|mut file| file.write_all(content));
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(PkiError::Exists { path })
            }
            Err(source) => Err(PkiError::Write { path, source }),
        }
    }

    /// Replaces a file, or makes it, so that a reader sees the old one or the new one.
    pub(super) fn replace(
        &self,
        name: &str,
        content: &[u8],
        secrecy: Secrecy,
    ) -> Result<(), PkiError> {
        let path = self.path.join(name);
        let draft = self.path.join(format!("{name}.new"));
        let replaced = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(secrecy.mode())
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&draft, &path));
        replaced.map_err(|source| PkiError::Write { path, source })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    pub(super) fn append(&self, name: &str, line: &str) -> Result<(), PkiError> {
        let path = self.path.join(name);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(|source| PkiError::Write { path, source })
    }
}
