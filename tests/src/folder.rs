use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use polycloud::{Error, ErrorKind, Result};
use tempfile::TempDir;

/// A temporary directory that is removed when it is asked to, at the latest when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    handle: Mutex<Option<TempDir>>,
}

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        let handle = tempfile::Builder::new()
            .prefix("polycloud-")
            .tempdir()
            .map_err(|error| Error::new(ErrorKind::Internal).with_source(error))?;
        Ok(Self { path: handle.path().to_owned(), handle: Mutex::new(Some(handle)) })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn remove(&self) {
        drop(self.handle.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
