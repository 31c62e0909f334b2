//! Files that are being written, and the removal of those that a killed process left.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use polycloud_core::Result;
use polycloud_core::clock::Random;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::root::{self, Dir, failed};

/// A folder of this process's own. As long as it holds the lock beside it, nobody sweeps it away.
#[derive(Debug)]
pub(super) struct Session {
    parent: Dir,
    dir: Dir,
    name: String,
    _lock: OwnedFd,
    next: AtomicU64,
}

const LOCK_SUFFIX: &str = ".lock";

impl Session {
    /// Removes what dead processes left, and makes a folder.
    pub(super) fn start(parent: Dir, random: &dyn Random) -> Result<Self> {
        sweep(&parent).map_err(failed)?;
        loop {
            let name = format!("{:016x}", random.next_u64());
            let Some(lock) = lock_file(&parent, &name).map_err(failed)? else { continue };
            let dir = root::create_dirs(&parent, &name, false).map_err(failed)?;
            return Ok(Self { parent, dir, name, _lock: lock, next: AtomicU64::new(0) });
        }
    }

    /// A new empty file, which is removed when it is dropped.
    pub(super) fn file(&self) -> Result<TempFile> {
        self.named(&self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    pub(super) fn named(&self, name: &str) -> Result<TempFile> {
        let file = root::create_file(&self.dir, name).map_err(failed)?;
        Ok(TempFile { dir: Dir::clone(&self.dir), name: Some(name.to_owned()), file })
    }

    /// A second name for a file, which is removed when it is dropped.
    pub(super) fn link(&self, dir: &Dir, from: &str) -> Result<TempFile> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        rustix::fs::linkat(dir, from, &self.dir, &name, rustix::fs::AtFlags::empty())
            .map_err(failed)?;
        let file = root::open_file(&self.dir, &name).map_err(failed)?;
        Ok(TempFile { dir: Dir::clone(&self.dir), name: Some(name), file: file.into() })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next one who opens the store.
        let removed = root::remove_tree(&self.parent, &self.name)
            .and_then(|()| root::unlink(&self.parent, &format!("{}{LOCK_SUFFIX}", self.name)));
        if let Err(error) = removed {
            tracing::debug!(%error, "a folder of temporary files is left to be swept");
        }
    }
}

/// Creates and locks a lock file, or returns `None` if a sweeper took it for a dead one in between.
fn lock_file(parent: &Dir, name: &str) -> Result<Option<OwnedFd>, Errno> {
    let name = format!("{name}{LOCK_SUFFIX}");
    let file: OwnedFd = match root::create_file(parent, &name) {
        Ok(file) => file.into(),
        Err(Errno::EXIST) => return Ok(None),
        Err(error) => return Err(error),
    };
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    let alive = rustix::fs::fstat(&file)?.st_nlink > 0;
    Ok(alive.then_some(file))
}

/// Removes the folders whose lock nobody holds.
fn sweep(parent: &Dir) -> Result<(), Errno> {
    for (name, is_dir) in root::names(parent)? {
        let Some(session) = name.strip_suffix(LOCK_SUFFIX).filter(|_| !is_dir) else { continue };
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = match rustix::fs::openat(parent, &name, flags, Mode::empty()) {
            Ok(lock) => lock,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error),
        };
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                root::remove_tree(parent, session)?;
                root::unlink(parent, &name)?;
            }
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A file that is being written. Dropping it removes it, unless it was moved to its place.
#[derive(Debug)]
pub(super) struct TempFile {
    dir: Dir,
    name: Option<String>,
    pub(super) file: File,
}

/// What to do with a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// Fail: the name is to be new.
    Refuse,
    /// Replace it.
    Replace,
    /// Replace it, in whatever way is quickest now. ext4 takes a rename over a file as a reason to write
    /// the new content to the disk at once, but not an exchange of the two.
    ReplaceQuickly,
}

impl TempFile {
    /// Moves it into a directory.
    pub(super) fn rename(
        &mut self,
        dir: &Dir,
        name: &str,
        existing: Existing,
    ) -> Result<(), Errno> {
        let Some(from) = &self.name else { return Err(Errno::INVAL) };
        match existing {
            Existing::Refuse => no_replace(&self.dir, from, dir, name)?,
            Existing::ReplaceQuickly if exchange(&self.dir, from, dir, name) => {
                root::unlink(&self.dir, from)?;
            }
            Existing::Replace | Existing::ReplaceQuickly => {
                rustix::fs::renameat(&self.dir, from, dir, name)?;
            }
        }
        self.name = None;
        Ok(())
    }
}

/// Exchanges a file with another one; `false` if there is no other one, or the system cannot do it.
fn exchange(from_dir: &Dir, from: &str, dir: &Dir, name: &str) -> bool {
    #[cfg(target_os = "linux")]
    {
        let flags = rustix::fs::RenameFlags::EXCHANGE;
        root::stat(dir, name).is_ok_and(|stat| root::is_file(&stat))
            && rustix::fs::renameat_with(from_dir, from, dir, name, flags).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (from_dir, from, dir, name);
        false
    }
}

#[cfg(target_os = "linux")]
fn no_replace(from_dir: &Dir, from: &str, dir: &Dir, name: &str) -> Result<(), Errno> {
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(from_dir, from, dir, name, flags) {
        // Not every file system can; a link fails just the same if the name is taken.
        Err(Errno::INVAL | Errno::NOSYS) => link_over(from_dir, from, dir, name),
        result => result,
    }
}

#[cfg(not(target_os = "linux"))]
fn no_replace(from_dir: &Dir, from: &str, dir: &Dir, name: &str) -> Result<(), Errno> {
    link_over(from_dir, from, dir, name)
}

fn link_over(from_dir: &Dir, from: &str, dir: &Dir, name: &str) -> Result<(), Errno> {
    rustix::fs::linkat(from_dir, from, dir, name, rustix::fs::AtFlags::empty())?;
    root::unlink(from_dir, from)
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(name) = &self.name
            && let Err(error) = root::unlink(&self.dir, name)
        {
            tracing::debug!(%error, "a temporary file is left to be swept");
        }
    }
}
