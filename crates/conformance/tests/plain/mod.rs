//! A store that is as simple as it can be, to try the suite on; and the same store with one fault.

mod fault;
mod listing;
mod multipart;
mod state;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use polycloud_conformance::{Harness, StoreSetup};
use polycloud_core::Result;
use polycloud_core::capability::Capabilities;
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::compute::Compute;
use polycloud_core::object::{Buckets, ObjectStore};

pub(crate) use self::fault::Fault;
pub(crate) use self::store::PlainStore;

/// Makes plain stores, each with the same fault or none.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    fault: Option<Fault>,
}

impl Plain {
    /// Stores without a fault.
    pub(crate) fn harness() -> Arc<dyn Harness> {
        Arc::new(Self::default())
    }

    /// Stores with this fault.
    pub(crate) fn with(fault: Fault) -> Arc<dyn Harness> {
        Arc::new(Self { fault: Some(fault) })
    }
}

#[async_trait]
impl Harness for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    async fn store(&self, setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(PlainStore::new(setup.versioned, self.fault)))
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        None
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        None
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        Some(store::capabilities(self.fault))
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        None
    }

    fn clock(&self) -> Arc<dyn Clock> {
        SystemClock::shared()
    }

    async fn cleanup(&self) {}
}
