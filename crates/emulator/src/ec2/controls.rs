//! What tests set.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long things take on the emulator's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ec2Timings {
    /// `pending` until `running`: 12 s.
    pub pending: Duration,
    /// `stopping` until `stopped`: 30 s.
    pub stopping: Duration,
    /// `shutting-down` until `terminated`: 30 s.
    pub shutting_down: Duration,
    /// How long terminated instances can be seen: one hour.
    pub terminated_visible: Duration,
    /// Running until the status checks pass: two minutes.
    pub initializing: Duration,
    /// Until a spot instance is taken away after its interruption was announced: two minutes.
    pub spot_notice: Duration,
    /// Until a new volume is available: 3 s.
    pub volume: Duration,
    /// Until a volume is attached or detached: 2 s.
    pub attachment: Duration,
    /// Until a snapshot is completed: 10 s.
    pub snapshot: Duration,
    /// Until an image is available: 60 s.
    pub image: Duration,
    /// Until what was created is seen by other requests: 1 s.
    pub visible: Duration,
}

impl Default for Ec2Timings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            pending: seconds(12),
            stopping: seconds(30),
            shutting_down: seconds(30),
            terminated_visible: seconds(3600),
            initializing: seconds(120),
            spot_notice: seconds(120),
            volume: seconds(3),
            attachment: seconds(2),
            snapshot: seconds(10),
            image: seconds(60),
            visible: seconds(1),
        }
    }
}

/// What all regions follow.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) timings: Ec2Timings,
    /// Instances that a zone has room for, by zone and type; elsewhere there is room.
    pub(crate) capacity: BTreeMap<(String, String), usize>,
    /// Virtual processors that may run in each region, for on-demand and for spot instances.
    pub(crate) quota_vcpus: u32,
    /// Instances that there may be in each region, whatever their size.
    pub(crate) quota_instances: usize,
    /// Reads that do not see what was created, after `timings.visible`.
    pub(crate) unseen_reads: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timings: Ec2Timings::default(),
            capacity: BTreeMap::new(),
            quota_vcpus: 100_000,
            quota_instances: 100_000,
            unseen_reads: 0,
        }
    }
}
