//! System calls that never leave a directory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use polycloud_core::{Error, ErrorKind, Outcome};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// A directory that is held open, so that renaming what leads to it changes nothing.
pub(super) type Dir = Arc<OwnedFd>;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Without `NONBLOCK`, opening a named pipe would wait for its other end.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Opens the root itself, by any path that the caller trusts.
pub(super) fn open_root(path: &Path) -> io::Result<Dir> {
    let fd = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
    Ok(Arc::new(fd))
}

/// Opens a path below a directory, through no symbolic link and no `..`.
fn open_beneath(dir: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags as R;
        let resolve = R::BENEATH | R::NO_SYMLINKS | R::NO_MAGICLINKS;
        match rustix::fs::openat2(dir, path, flags, Mode::empty(), resolve) {
            Err(Errno::NOSYS) => {}
            result => return result,
        }
    }
    open_stepwise(dir, path, flags)
}

/// The same name by name, for systems whose kernel does not do it at once.
fn open_stepwise(dir: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut at = None::<OwnedFd>;
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        if matches!(name, "" | "." | "..") {
            return Err(Errno::INVAL);
        }
        let flags = if names.peek().is_some() { DIRECTORY } else { flags } | OFlags::NOFOLLOW;
        let from = at.as_ref().map_or(dir, AsFd::as_fd);
        at = Some(rustix::fs::openat(from, name, flags, Mode::empty())?);
    }
    at.ok_or(Errno::INVAL)
}

/// Opens a file for reading if the kernel can do so from its caches, without waiting for a disk.
/// `Errno::AGAIN` means that it cannot.
#[cfg(target_os = "linux")]
pub(super) fn open_file_cached(dir: &Dir, path: &str) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags as R;
    let resolve = R::BENEATH | R::NO_SYMLINKS | R::NO_MAGICLINKS | R::CACHED;
    rustix::fs::openat2(dir, path, READ, Mode::empty(), resolve)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open_file_cached(_: &Dir, _: &str) -> Result<OwnedFd, Errno> {
    Err(Errno::AGAIN)
}

/// Opens a file for reading.
pub(super) fn open_file(dir: &Dir, path: &str) -> Result<OwnedFd, Errno> {
    open_beneath(dir.as_fd(), path, READ)
}

/// Opens a directory below another one; the empty path is the directory itself.
pub(super) fn open_dir(dir: &Dir, path: &str) -> Result<Dir, Errno> {
    if path.is_empty() {
        return Ok(Arc::clone(dir));
    }
    open_beneath(dir.as_fd(), path, DIRECTORY).map(Arc::new)
}

/// Opens a directory below another one and creates what is missing. With `durable` the new
/// directories survive a power cut.
pub(super) fn create_dirs(dir: &Dir, path: &str, durable: bool) -> Result<Dir, Errno> {
    let mut at = Arc::clone(dir);
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let created = match rustix::fs::mkdirat(&at, name, Mode::from(0o777)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error),
        };
        let next = rustix::fs::openat(&at, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        // Of a symbolic link, "not a directory" is only half of the truth.
        let next = next.map_err(|error| match error {
            Errno::NOTDIR if is_symlink(&at, name) => Errno::LOOP,
            error => error,
        })?;
        if created && durable {
            rustix::fs::fsync(&at)?;
        }
        at = Arc::new(next);
    }
    Ok(at)
}

fn is_symlink(dir: &Dir, name: &str) -> bool {
    stat(dir, name).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

/// Looks at a name in a directory, without following a symbolic link.
pub(super) fn stat(dir: &Dir, name: &str) -> Result<Stat, Errno> {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

pub(super) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Splits a path into its directory and its last name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The names in a directory, with `true` for directories. Whatever is neither a file nor a directory,
/// and names that are not UTF-8, are left out.
pub(super) fn names(dir: &Dir) -> Result<Vec<(String, bool)>, Errno> {
    let mut found = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if matches!(name, "." | "..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match stat(dir, name) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(_) => continue,
            },
            kind => kind,
        };
        match kind {
            FileType::RegularFile => found.push((name.to_owned(), false)),
            FileType::Directory => found.push((name.to_owned(), true)),
            _ => {}
        }
    }
    Ok(found)
}

/// Removes a directory with all that is in it. What is gone already is fine.
pub(super) fn remove_tree(dir: &Dir, name: &str) -> Result<(), Errno> {
    let inner = match open_dir(dir, name) {
        Ok(inner) => inner,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error),
    };
    for (name, is_dir) in names(&inner)? {
        if is_dir {
            remove_tree(&inner, &name)?;
        } else {
            unlink(&inner, &name)?;
        }
    }
    remove_dir(dir, name)
}

/// Removes a file. What is gone already is fine.
pub(super) fn unlink(dir: &Dir, name: &str) -> Result<(), Errno> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Removes an empty directory. What is gone already is fine.
pub(super) fn remove_dir(dir: &Dir, name: &str) -> Result<(), Errno> {
    match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Creates a file that nobody else has, for reading and writing.
pub(super) fn create_file(dir: &Dir, name: &str) -> Result<File, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(dir, name, flags, Mode::from(0o666)).map(File::from)
}

/// What a failed system call means to a caller.
pub(super) fn failed(error: impl Into<io::Error>) -> Error {
    let error = error.into();
    let kind = match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT) => ErrorKind::StorageFull,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => ErrorKind::PermissionDenied,
        Some(Errno::FBIG) => ErrorKind::TooLarge,
        Some(Errno::NOENT) => ErrorKind::NotFound,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => ErrorKind::Unavailable,
        Some(Errno::LOOP) => {
            return Error::new(ErrorKind::PermissionDenied)
                .with_message("a symbolic link stands in the way, and none is followed");
        }
        _ => ErrorKind::Internal,
    };
    Error::new(kind).with_outcome(Outcome::NotApplied).with_source(error)
}
