//! The stores as the conformance suite sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use polycloud_conformance::{Harness, StoreSetup};
use polycloud_core::Result;
use polycloud_core::capability::Capabilities;
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::compute::Compute;
use polycloud_core::object::{Buckets, ObjectStore};
use polycloud_local::{Durability, LocalBuckets, LocalStore, MemoryBuckets, MemoryStore};

/// Makes a store that keeps older versions or does not.
type Make = Box<dyn Fn(bool) -> Result<Arc<dyn ObjectStore>> + Send + Sync>;

/// One kind of store.
pub(crate) struct Stores {
    name: &'static str,
    make: Make,
    buckets: Arc<dyn Buckets>,
}

impl Stores {
    /// [`MemoryStore`].
    #[allow(dead_code, reason = "one test breaks stores instead")]
    pub(crate) fn memory() -> Arc<dyn Harness> {
        let make = |versioned| -> Result<Arc<dyn ObjectStore>> {
            Ok(Arc::new(MemoryStore::builder().versioned(versioned).build()))
        };
        let buckets = Arc::new(MemoryBuckets::new());
        Arc::new(Self { name: "memory", make: Box::new(make), buckets })
    }

    /// [`LocalStore`], without waiting for the disk: what it does is the same.
    #[allow(dead_code, reason = "one test breaks stores instead")]
    pub(crate) fn disk() -> Arc<dyn Harness> {
        let folder = tempfile::tempdir().unwrap();
        let buckets = Arc::new(LocalBuckets::open(folder.path().join("buckets")).unwrap());
        let stores = AtomicU64::new(0);
        let make = move |versioned| -> Result<Arc<dyn ObjectStore>> {
            let number = stores.fetch_add(1, Ordering::Relaxed);
            let store = LocalStore::builder(folder.path().join(format!("store-{number}")))
                .durability(Durability::Fast)
                .versioned(versioned)
                .open()?;
            Ok(Arc::new(store))
        };
        Arc::new(Self { name: "disk", make: Box::new(make), buckets })
    }

    /// [`MemoryStore`], changed into something else.
    #[allow(dead_code, reason = "not every test breaks stores")]
    pub(crate) fn broken(
        change: impl Fn(MemoryStore) -> Arc<dyn ObjectStore> + Send + Sync + 'static,
    ) -> Arc<dyn Harness> {
        let make = move |versioned| Ok(change(MemoryStore::builder().versioned(versioned).build()));
        let buckets = Arc::new(MemoryBuckets::new());
        Arc::new(Self { name: "broken", make: Box::new(make), buckets })
    }
}

#[async_trait]
impl Harness for Stores {
    fn name(&self) -> &str {
        self.name
    }

    async fn store(&self, setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        (self.make)(setup.versioned)
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        Some(Arc::clone(&self.buckets))
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        None
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        Some(self.buckets.capabilities())
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        None
    }

    fn clock(&self) -> Arc<dyn Clock> {
        SystemClock::shared()
    }

    async fn cleanup(&self) {}
}
