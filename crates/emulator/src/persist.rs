//! Keeping the state in a folder.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::server::{Core, Store};

/// Saves the state; changes that come while it does are saved together afterwards.
#[derive(Debug)]
pub(crate) struct Saver {
    dir: PathBuf,
    /// The change up to which all are saved.
    saved: Mutex<u64>,
}

impl Saver {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, saved: Mutex::default() }
    }

    /// Saves a state that is at hand.
    pub(crate) fn save_now(&self, store: &Store) -> io::Result<()> {
        store.state.save(&self.dir)
    }

    /// Returns once a change is saved.
    pub(crate) async fn save(&self, core: &Arc<Core>, change: u64) -> io::Result<()> {
        let mut saved = self.saved.lock().await;
        if *saved >= change {
            return Ok(());
        }
        let (core, dir) = (Arc::clone(core), self.dir.clone());
        let save = move || {
            let store = core.store();
            store.state.save(&dir).map(|()| store.changes)
        };
        *saved = tokio::task::spawn_blocking(save).await.map_err(io::Error::other)??;
        Ok(())
    }
}
