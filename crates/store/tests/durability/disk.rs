//! A disk that forgets what was not synced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::trace::Call;

/// The smallest unit a disk writes as a whole.
const SECTOR: usize = 512;

/// What a fault may do to the writes that were not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// None reached the disk.
    NoneWritten,
    /// All did.
    AllWritten,
    /// Any of them did, each whole or torn.
    SomeWritten,
    /// Those up to one of them did, and that one is torn.
    CutOff,
}

pub(crate) const FATES: [Fate; 4] = [
    Fate::NoneWritten,
    Fate::AllWritten,
    Fate::SomeWritten,
    Fate::CutOff,
];

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { len: usize },
}

#[derive(Default)]
struct File {
    /// Whether the directory entry is durable.
    linked: bool,
    /// Whether it was removed and the directory not synced since.
    removed: bool,
    synced: Vec<u8>,
    pending: Vec<Change>,
}

/// Files by path, each with what is durable and what is not yet.
#[derive(Default)]
pub(crate) struct Disk {
    files: BTreeMap<PathBuf, File>,
}

impl Disk {
    pub(crate) fn apply(&mut self, call: &Call) {
        match call {
            Call::Open { path } => {
                let file = self.files.entry(path.clone()).or_default();
                if std::mem::take(&mut file.removed) {
                    file.synced.clear();
                    file.pending.clear();
                }
            }
            Call::Write {
                path,
                offset,
                bytes,
            } => {
                self.change(
                    path,
                    Change::Write {
                        offset: *offset,
                        bytes: bytes.clone(),
                    },
                );
            }
            Call::Truncate { path, len } => self.change(path, Change::Truncate { len: *len }),
            Call::Sync { path } => self.sync(path),
            Call::Remove { path } => {
                if let Some(file) = self.files.get_mut(path) {
                    file.removed = true;
                }
            }
            Call::Acknowledge { .. } => {}
        }
    }

    fn change(&mut self, path: &Path, change: Change) {
        self.files
            .entry(path.to_owned())
            .or_default()
            .pending
            .push(change);
    }

    /// Syncing a directory makes the entries in it durable, syncing a file its content.
    fn sync(&mut self, path: &Path) {
        if let Some(file) = self.files.get_mut(path) {
            for change in std::mem::take(&mut file.pending) {
                write(&mut file.synced, &change);
            }
        }
        self.files
            .retain(|file, state| !(state.removed && file.parent() == Some(path)));
        for (_, state) in self
            .files
            .iter_mut()
            .filter(|(file, _)| file.parent() == Some(path))
        {
            state.linked = true;
        }
    }

    /// Puts into `directory` what is left after the power failed, and returns how many writes
    /// were lost or torn.
    pub(crate) fn lose_power(&self, fate: Fate, seed: u64, directory: &Path) -> usize {
        let mut chance = Chance(seed);
        let mut lost = 0;
        for (path, file) in &self.files {
            let kept = match fate {
                Fate::NoneWritten => file.linked,
                Fate::AllWritten | Fate::CutOff => !file.removed,
                Fate::SomeWritten if file.linked && !file.removed => true,
                Fate::SomeWritten => chance.below(2) == 0,
            };
            // The index of the log is shared memory, which power takes with it.
            if !kept || path.to_string_lossy().ends_with("-shm") {
                continue;
            }
            let mut content = file.synced.clone();
            let survivors = survivors(&file.pending, fate, &mut chance, &mut lost);
            survivors
                .iter()
                .for_each(|change| write(&mut content, change));
            std::fs::write(directory.join(path.file_name().unwrap()), content).unwrap();
        }
        lost
    }
}

fn survivors(pending: &[Change], fate: Fate, chance: &mut Chance, lost: &mut usize) -> Vec<Change> {
    let mut left = Vec::new();
    match fate {
        Fate::AllWritten => left.extend_from_slice(pending),
        Fate::NoneWritten => *lost += pending.len(),
        Fate::CutOff => {
            let end = chance.below(pending.len() + 1);
            left.extend_from_slice(&pending[..end]);
            if let Some(last) = left.last_mut() {
                tear(last, chance);
            }
            *lost += pending.len() - end + usize::from(end > 0);
        }
        Fate::SomeWritten => {
            for change in pending {
                let mut change = change.clone();
                match chance.below(3) {
                    0 => left.push(change),
                    1 => {
                        tear(&mut change, chance);
                        left.push(change);
                        *lost += 1;
                    }
                    _ => *lost += 1,
                }
            }
        }
    }
    left
}

/// Only the first sectors of a write arrived.
fn tear(change: &mut Change, chance: &mut Chance) {
    if let Change::Write { bytes, .. } = change {
        let sectors = chance.below(bytes.len().div_ceil(SECTOR));
        bytes.truncate(sectors * SECTOR);
    }
}

fn write(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => {
            let end = offset + bytes.len();
            content.resize(content.len().max(end), 0);
            content[*offset..end].copy_from_slice(bytes);
        }
        Change::Truncate { len } => content.resize(*len, 0),
    }
}

/// Chance that comes out the same each time (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = usize::try_from((bits ^ (bits >> 31)) >> 1).unwrap();
        if end == 0 { 0 } else { bits % end }
    }
}
