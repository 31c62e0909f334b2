//! Mutual exclusion by key, between threads and between processes.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use polycloud_core::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, Mode, OFlags};

use super::root::{Dir, failed};

/// So many that writers of different keys seldom meet. Part of the layout on disk.
const STRIPES: usize = 64;

/// One lock file for every stripe of keys, opened when it is first needed.
#[derive(Debug)]
pub(super) struct Locks {
    dir: Dir,
    stripes: [Mutex<Option<OwnedFd>>; STRIPES],
}

/// Holds a stripe until it is dropped. The kernel releases it when a process dies.
pub(super) struct Guard<'a>(MutexGuard<'a, Option<OwnedFd>>);

impl Locks {
    pub(super) fn new(dir: Dir) -> Self {
        Self { dir, stripes: std::array::from_fn(|_| Mutex::new(None)) }
    }

    /// Waits for the stripe of a key. Blocks the thread, for as long as others take to look at a file
    /// and rename another.
    pub(super) fn lock(&self, key: &str) -> Result<Guard<'_>> {
        let at = usize::try_from(hash(key) % STRIPES as u64).unwrap_or(0);
        let stripe = self.stripes.get(at).ok_or_else(|| Error::new(ErrorKind::Internal))?;
        let mut stripe = stripe.lock().unwrap_or_else(PoisonError::into_inner);
        let fd = match stripe.take() {
            Some(fd) => fd,
            None => {
                let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                rustix::fs::openat(&self.dir, format!("{at:02}"), flags, Mode::from(0o666))
                    .map_err(failed)?
            }
        };
        let locked =
            rustix::io::retry_on_intr(|| rustix::fs::flock(&fd, FlockOperation::LockExclusive));
        *stripe = Some(fd);
        locked.map_err(failed)?;
        Ok(Guard(stripe))
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(fd) = &*self.0 {
            // Unlocking cannot fail on an open file; if it did, the file is opened anew next time.
            if rustix::fs::flock(fd, FlockOperation::Unlock).is_err() {
                *self.0 = None;
            }
        }
    }
}

/// FNV-1a: the same in every process, whatever its version of this library.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::root::open_root;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn the_hash_is_part_of_the_layout() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
    }

    /// Two sets of locks on one folder exclude each other as two processes do.
    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open_root(folder.path()).unwrap();
        let inside = Arc::new(AtomicU32::new(0));
        let sets = [Arc::new(Locks::new(dir.clone())), Arc::new(Locks::new(dir))];
        let threads: Vec<_> = (0..8)
            .map(|i| {
                let (locks, inside) = (Arc::clone(&sets[i % 2]), Arc::clone(&inside));
                std::thread::spawn(move || {
                    for _ in 0..200 {
                        let _guard = locks.lock("key").unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
