use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use polycloud::capability::Capabilities;
use polycloud::clock::{Clock, SystemClock};
use polycloud::compute::{InstanceFilter, InstanceState, TerminateOptions};
use polycloud::local::LocalComputeConfig;
use polycloud::object::Buckets;
use polycloud::{Compute, ComputeConfig, ComputeExt, ObjectStore, Result};
use polycloud_conformance::{Harness, StoreSetup};

use crate::folder::Folder;

/// `local:`
#[derive(Debug)]
pub struct Local {
    folder: Folder,
    compute: Arc<dyn Compute>,
}

impl Local {
    /// No instances.
    ///
    /// # Errors
    /// Those of opening a compute in a temporary directory.
    pub async fn new() -> Result<Self> {
        let folder = Folder::new()?;
        let config = ComputeConfig::from(LocalComputeConfig::new(folder.path("instances")));
        let compute = polycloud::open_compute(&config.url()?).await?;
        Ok(Self { folder, compute })
    }

    async fn terminate_all(&self) -> Result<()> {
        let all = InstanceFilter::default().with_states(InstanceState::ALL);
        let instances: Vec<_> = self.compute.list(all).try_collect().await?;
        for instance in &instances {
            self.compute.terminate(&instance.id, &TerminateOptions::default()).await?;
        }
        for instance in &instances {
            let state = InstanceState::Terminated;
            self.compute.wait_until(&instance.id, state, &self.wait()).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Harness for Local {
    fn name(&self) -> &str {
        "local"
    }

    async fn store(&self, _setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        Err(polycloud::ErrorKind::Unsupported.into())
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        None
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        Some(Arc::clone(&self.compute))
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        None
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        Some(self.compute.capabilities())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        SystemClock::shared()
    }

    fn image_alias(&self) -> String {
        "host:latest".into()
    }

    async fn cleanup(&self) {
        // What a case left running would outlive the directory that tells of it.
        if self.terminate_all().await.is_ok() {
            self.folder.remove();
        }
    }
}
