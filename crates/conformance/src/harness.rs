use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use polycloud_core::Result;
use polycloud_core::capability::Capabilities;
use polycloud_core::clock::Clock;
use polycloud_core::compute::{Compute, WaitOptions};
use polycloud_core::object::{Buckets, ObjectStore, StorageClass};
use polycloud_core::retry::Backoff;

/// Which bucket a case asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreSetup {
    /// Whether older versions are kept. Asked for only where the backend lists versions.
    pub versioned: bool,
}

impl StoreSetup {
    /// A bucket that keeps older versions.
    #[must_use]
    pub fn versioned() -> Self {
        Self { versioned: true }
    }
}

/// What the suite needs of a backend. Implemented in the backend's own tests.
///
/// A backend that has no object stores, or no compute, answers `None` where it is asked for their
/// capabilities; the cases of that side are left out then.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// The name of the backend in reports, such as `memory`.
    fn name(&self) -> &str;

    /// A bucket of its own: fresh, empty, and used by nobody else.
    ///
    /// # Errors
    /// Whatever kept it from being made, which fails the case.
    async fn store(&self, setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>>;

    /// The administration of buckets, if the backend has it.
    fn buckets(&self) -> Option<Arc<dyn Buckets>>;

    /// The compute side, if the backend has it.
    fn compute(&self) -> Option<Arc<dyn Compute>>;

    /// What its stores can do, known before one is made.
    fn object_capabilities(&self) -> Option<&Capabilities>;

    /// What its compute can do.
    fn compute_capabilities(&self) -> Option<&Capabilities>;

    /// The clock that the backend's own times agree with: the machine's, or an emulator's.
    fn clock(&self) -> Arc<dyn Clock>;

    /// How to wait for instances.
    fn wait(&self) -> WaitOptions {
        let backoff = Backoff::DEFAULT
            .with_bounds(Duration::from_millis(5), Duration::from_millis(100))
            .with_jitter(false);
        WaitOptions::default()
            .with_clock(self.clock())
            .with_timeout(Duration::from_secs(50))
            .with_consistency(Duration::from_secs(10))
            .with_backoff(backoff)
    }

    /// A storage class other than the bucket's default. Needed by backends that have storage classes.
    fn storage_class(&self) -> Option<StorageClass> {
        None
    }

    /// A location to create a bucket in. Needed by backends whose buckets have locations.
    fn location(&self) -> Option<String> {
        None
    }

    /// An alias of an image that the compute knows, as [`ImageSelector::Alias`] has it.
    ///
    /// [`ImageSelector::Alias`]: polycloud_core::compute::ImageSelector::Alias
    fn image_alias(&self) -> String {
        "ubuntu:24.04".into()
    }

    /// Removes what the cases left behind. Called once, after the last case.
    async fn cleanup(&self);
}
