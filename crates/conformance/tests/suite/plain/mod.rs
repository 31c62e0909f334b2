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
use polycloud_core::capability::{Capabilities, Feature};
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::compute::Compute;
use polycloud_core::object::{Buckets, ObjectStore};

pub(crate) use self::fault::Fault;
pub(crate) use self::store::CAPABILITIES;

/// Makes plain stores, all of the same kind.
#[derive(Debug)]
pub(crate) struct Plain {
    fault: Option<Fault>,
    without: Option<Feature>,
    capabilities: Capabilities,
}

impl Plain {
    /// Stores with this fault, if any, that lack this feature, if any.
    pub(crate) fn harness(fault: Option<Fault>, without: Option<Feature>) -> Arc<dyn Harness> {
        Arc::new(Self { fault, without, capabilities: store::capabilities(without) })
    }
}

#[async_trait]
impl Harness for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    async fn store(&self, setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(store::PlainStore::new(setup.versioned, self.fault, self.without)))
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        None
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        None
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        Some(&self.capabilities)
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        None
    }

    fn clock(&self) -> Arc<dyn Clock> {
        SystemClock::shared()
    }

    async fn cleanup(&self) {}
}
