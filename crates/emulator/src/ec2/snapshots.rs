//! Snapshots of volumes.

use std::time::SystemTime;

use super::call::Actions;
use super::state::Region;

pub(crate) const ACTIONS: Actions = &[];

/// A snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) volume: String,
    pub(crate) size_gib: u32,
    pub(crate) started: SystemTime,
    pub(crate) completed: bool,
}

/// What happens to a snapshot at its time.
pub(crate) fn settle(region: &mut Region, id: &str, _due: SystemTime) {
    if let Some(snapshot) = region.snapshots.get_mut(id) {
        snapshot.completed = true;
    }
}
