use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use polycloud::capability::Capabilities;
use polycloud::clock::{Clock, SystemClock};
use polycloud::local::{MemoryBuckets, MemoryStore};
use polycloud::object::Buckets;
use polycloud::{Compute, ObjectStore, Registry, Result};
use polycloud_conformance::{Harness, StoreSetup};

/// `memory:`
#[derive(Debug)]
pub struct Memory {
    registry: Registry,
    buckets: MemoryBuckets,
    capabilities: Capabilities,
    stores: AtomicU64,
}

impl Memory {
    /// Nothing is shared with other harnesses.
    #[must_use]
    pub fn new() -> Self {
        Self {
            registry: Registry::default(),
            buckets: MemoryBuckets::new(),
            capabilities: MemoryStore::new().capabilities().clone(),
            stores: AtomicU64::new(0),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Harness for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    async fn store(&self, setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        let n = self.stores.fetch_add(1, Ordering::Relaxed);
        let url = format!("memory://bucket-{n}?versioning={}", setup.versioned);
        self.registry.open_store(&url).await
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        Some(Arc::new(self.buckets.clone()))
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
