//! Volumes.

use std::time::SystemTime;

use super::call::Actions;
use super::state::Region;

pub(crate) const ACTIONS: Actions = &[];

/// A volume.
#[derive(Debug, Clone)]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) size_gib: u32,
    /// Such as `gp3`.
    pub(crate) kind: String,
    pub(crate) iops: Option<u32>,
    pub(crate) throughput: Option<u32>,
    pub(crate) encrypted: bool,
    pub(crate) snapshot: Option<String>,
    pub(crate) created: SystemTime,
    /// `creating`, `available`, `in-use`, `deleting`.
    pub(crate) state: &'static str,
    pub(crate) attachment: Option<Attachment>,
}

/// A volume on an instance.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    pub(crate) instance: String,
    pub(crate) device: String,
    /// `attaching`, `attached`, `detaching`.
    pub(crate) state: &'static str,
    pub(crate) since: SystemTime,
    pub(crate) delete_on_termination: bool,
}

/// What happens to a volume at its time.
pub(crate) fn settle(region: &mut Region, id: &str, _due: SystemTime) {
    if let Some(volume) = region.volumes.get_mut(id)
        && volume.state == "creating"
    {
        volume.state = "available";
    }
}
