use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use polycloud::capability::Capabilities;
use polycloud::clock::{Clock, SystemClock};
use polycloud::local::{Durability, FileConfig, LocalBuckets};
use polycloud::object::Buckets;
use polycloud::{Compute, ObjectStore, Result, StoreConfig};
use polycloud_conformance::{Harness, StoreSetup};

use crate::folder::Folder;

/// `file:`
#[derive(Debug)]
pub struct File {
    name: &'static str,
    durability: Durability,
    folder: Folder,
    buckets: LocalBuckets,
    capabilities: Capabilities,
    stores: AtomicU64,
}

impl File {
    /// With writes that survive a power cut.
    ///
    /// # Errors
    /// Those of opening a store in a temporary directory.
    pub async fn durable() -> Result<Self> {
        Self::new("file", Durability::Full).await
    }

    /// With writes that survive the death of the process.
    ///
    /// # Errors
    /// As [`durable`](Self::durable).
    pub async fn fast() -> Result<Self> {
        Self::new("file, fast", Durability::Fast).await
    }

    async fn new(name: &'static str, durability: Durability) -> Result<Self> {
        let folder = Folder::new()?;
        let probe = FileConfig::new(folder.path("probe")).open().await?;
        Ok(Self {
            name,
            durability,
            buckets: LocalBuckets::open(folder.path("buckets"))?,
            capabilities: probe.capabilities().clone(),
            folder,
            stores: AtomicU64::new(0),
        })
    }
}

#[async_trait]
impl Harness for File {
    fn name(&self) -> &str {
        self.name
    }

    async fn store(&self, setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        let n = self.stores.fetch_add(1, Ordering::Relaxed);
        let config = FileConfig::new(self.folder.path(&format!("bucket-{n}")))
            .with_durability(self.durability)
            .with_versioning(setup.versioned);
        polycloud::open_store(&StoreConfig::from(config).url()?).await
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

    async fn cleanup(&self) {
        self.folder.remove();
    }
}
