//! Durability, and directory syncs that concurrent writers share.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use polycloud_core::{Error, Outcome, Result};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::root::{Dir, failed};

/// What a write has survived when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A power cut: the file and its directories are on the disk.
    #[default]
    Full,
    /// The death of the process: the operating system has it.
    Fast,
}

impl FromStr for Durability {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "full" => Ok(Self::Full),
            "fast" => Ok(Self::Fast),
            _ => Err(Error::config(format!("durability is full or fast, not {text:?}"))),
        }
    }
}

/// Directories that are being synced, by device and inode number.
///
/// A sync of a directory covers every rename that happened before it began. Writers that come while one
/// is under way wait for the next one, and one of them does it for all.
#[derive(Debug, Default)]
pub(super) struct DirSyncs(Mutex<HashMap<(u64, u64), Arc<DirSync>>>);

#[derive(Debug, Default)]
struct DirSync {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many have asked so far, and how many of them were served.
    asked: u64,
    served: u64,
    running: bool,
    /// The last sync that failed: it served those above the first number up to the second.
    failure: Option<(u64, u64, Errno)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DirSyncs {
    /// Returns once a sync of the directory has ended that began after this call.
    ///
    /// # Errors
    /// The renames are in place but may not survive a power cut: `Outcome::Unknown`.
    pub(super) fn sync(&self, dir: &Dir) -> Result<()> {
        let unknown = |error: Errno| failed(error).with_outcome(Outcome::Unknown);
        let stat = rustix::fs::fstat(dir).map_err(unknown)?;
        #[allow(clippy::useless_conversion, reason = "narrower on some systems")]
        let id = (u64::from(stat.st_dev), u64::from(stat.st_ino));
        let entry = Arc::clone(lock(&self.0).entry(id).or_default());
        let result = entry.sync(dir);
        let mut map = lock(&self.0);
        // Two owners, the map and this call: nobody else is waiting for this directory.
        if Arc::strong_count(&entry) == 2 {
            map.remove(&id);
        }
        drop(map);
        result.map_err(unknown)
    }
}

impl DirSync {
    fn sync(&self, dir: impl AsFd) -> Result<(), Errno> {
        let mut state = lock(&self.state);
        state.asked += 1;
        let mine = state.asked;
        loop {
            if state.served >= mine {
                let failure = state.failure.filter(|(after, to, _)| *after < mine && mine <= *to);
                return failure.map_or(Ok(()), |(_, _, error)| Err(error));
            }
            if state.running {
                state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (after, to) = (state.served, state.asked);
            state.running = true;
            drop(state);
            let result = rustix::fs::fsync(&dir);
            state = lock(&self.state);
            state.running = false;
            state.served = to;
            if let Err(error) = result {
                state.failure = Some((after, to, error));
            }
            self.done.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::root::open_root;

    #[test]
    fn many_writers_are_all_served() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open_root(folder.path()).unwrap();
        let syncs = Arc::new(DirSyncs::default());
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (syncs, dir) = (Arc::clone(&syncs), Arc::clone(&dir));
                std::thread::spawn(move || (0..20).for_each(|_| syncs.sync(&dir).unwrap()))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(lock(&syncs.0).is_empty());
    }
}
