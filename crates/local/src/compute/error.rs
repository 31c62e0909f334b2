//! What failed system calls mean to a caller.

use std::io;

use polycloud_core::{Error, ErrorKind};
use rustix::io::Errno;

/// An error of the file system or the process table.
pub(super) fn failed(what: &'static str, error: io::Error) -> Error {
    let kind = match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT) => ErrorKind::StorageFull,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => ErrorKind::PermissionDenied,
        Some(Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOMEM) => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    Error::new(kind).with_message(what).with_source(error)
}

/// A file of the provider's own that makes no sense.
pub(super) fn broken(message: String) -> Error {
    Error::new(ErrorKind::InvalidResponse).with_message(message)
}
