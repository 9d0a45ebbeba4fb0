//! Files that are read again when they change.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::FileTime;

/// When each of the files was changed last, and how long it is.
pub(super) type Stamps = Vec<Option<(FileTime, u64)>>;

pub(super) fn stamps<'a>(files: impl Iterator<Item = &'a Path>) -> Stamps {
    let stamp = |path: &Path| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.len()))
    };
    files.map(stamp).collect()
}

/// Which state of the files is in use, and which one was said to be unusable.
#[derive(Debug)]
pub(super) struct Followed(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    used: Stamps,
    complained: Option<Stamps>,
}

impl Followed {
    /// `used` is what the files were like before they were read.
    pub(super) fn new(used: Stamps) -> Self {
        Self(Mutex::new(Seen {
            used,
            complained: None,
        }))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether other files are there than those in use.
    pub(super) fn differs(&self, found: &Stamps) -> bool {
        self.seen().used != *found
    }

    /// Notes what came of reading the files as they were `found`. They are tried again until they
    /// can be used, and an error is passed on once for each of their states.
    pub(super) fn note<T, E>(&self, found: Stamps, read: Result<T, E>) -> Result<Option<T>, E> {
        let mut seen = self.seen();
        match read {
            Ok(value) => {
                seen.used = found;
                seen.complained = None;
                Ok(Some(value))
            }
            Err(_) if seen.complained.as_ref() == Some(&found) => Ok(None),
            Err(error) => {
                seen.complained = Some(found);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_tried_again_and_complained_of_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let look = || stamps([file.path()].into_iter());
        let followed = Followed::new(look());
        assert!(!followed.differs(&look()));
        std::fs::write(file.path(), "longer").unwrap();
        let found = look();
        assert!(followed.differs(&found));
        let failed = |text| followed.note(found.clone(), Err::<(), _>(text));
        assert_eq!(failed("unreadable"), Err("unreadable"));
        assert_eq!(failed("unreadable"), Ok(None));
        assert!(followed.differs(&found));
        assert_eq!(followed.note(found.clone(), Ok::<_, ()>(7)), Ok(Some(7)));
        assert!(!followed.differs(&found));
    }
}
