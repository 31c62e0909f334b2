use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use polycloud::aws::{Preset, S3Buckets, S3Config, Session};
use polycloud::capability::Capabilities;
use polycloud::clock::{Clock, SystemClock};
use polycloud::object::{BucketName, Buckets, CreateBucketOptions, StorageClass};
use polycloud::{Compute, Error, ErrorKind, ObjectStore, Result};
use polycloud_conformance::{Harness, StoreSetup};
use polycloud_emulator::Emulator;

/// `s3:`, spoken to an emulator in this process.
#[derive(Debug)]
pub struct S3 {
    emulator: Emulator,
    buckets: S3Buckets,
    capabilities: Capabilities,
    stores: AtomicU64,
}

impl S3 {
    /// An emulator of its own, without buckets.
    ///
    /// # Errors
    /// Those of starting the emulator.
    pub async fn new() -> Result<Self> {
        let emulator = Emulator::start().await.map_err(not_started)?;
        let buckets = config(&emulator).open_buckets(&Session::new()).await?;
        let probe = buckets.open(&BucketName::new("probe")?)?;
        Ok(Self {
            capabilities: probe.capabilities().clone(),
            buckets,
            emulator,
            stores: AtomicU64::new(0),
        })
    }
}

fn not_started(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable)
        .with_message("the emulator does not start")
        .with_source(error)
}

/// How to reach an emulator.
fn config(emulator: &Emulator) -> S3Config {
    let account = emulator.credentials();
    S3Config::default()
        .with_endpoint(emulator.s3_url())
        .with_region("eu-central-1")
        .with_preset(Preset::Aws)
        .with_credentials(&*account.access_key, &*account.secret_key)
}

#[async_trait]
impl Harness for S3 {
    fn name(&self) -> &str {
        "s3"
    }

    async fn store(&self, setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        let n = self.stores.fetch_add(1, Ordering::Relaxed);
        let name = BucketName::new(format!("bucket-{n}"))?;
        let options = CreateBucketOptions::default().with_versioning(setup.versioned);
        self.buckets.create(&name, &options).await?;
        self.buckets.open(&name)
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

    fn storage_class(&self) -> Option<StorageClass> {
        StorageClass::new("STANDARD_IA").ok()
    }

    fn location(&self) -> Option<String> {
        Some("eu-west-1".into())
    }

    async fn cleanup(&self) {
        self.emulator.reset();
    }
}
