use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use polycloud::capability::Capabilities;
use polycloud::clock::{Clock, SeededRandom};
use polycloud::layer::{self, Chaos, ConcurrencyLimit, Metrics, Prefix, Timeout, Tracing};
use polycloud::object::{Buckets, Key, StorageClass};
use polycloud::{Compute, ObjectStore, ObjectStoreExt, Result};
use polycloud_conformance::{Harness, StoreSetup};

/// Long enough for everything that the suite does.
const LIMIT: Duration = Duration::from_secs(60);

/// What stands outside of a prefix, before and behind it.
const OUTSIDE: [&str; 2] = ["a", "z"];

/// Another backend with all layers around it, in their usual order. Layers that do nothing to a call
/// must not change what it means.
#[derive(Debug)]
pub struct Layered<H> {
    inner: H,
    name: String,
    prefix: Option<Prefix>,
}

impl<H: Harness> Layered<H> {
    /// All layers but [`Prefix`], without faults.
    pub fn new(inner: H) -> Self {
        Self { name: format!("{}, layered", inner.name()), inner, prefix: None }
    }

    /// Shows the part of its stores that begins with a prefix, with other objects around it.
    #[must_use]
    pub fn with_prefix(self, prefix: Prefix) -> Self {
        Self { name: format!("{}, prefix", self.name), prefix: Some(prefix), ..self }
    }
}

fn chaos() -> Chaos {
    Chaos::new(Arc::new(SeededRandom::new(1)))
}

#[async_trait]
impl<H: Harness> Harness for Layered<H> {
    fn name(&self) -> &str {
        &self.name
    }

    async fn store(&self, setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        let mut store = layer::store(self.inner.store(setup).await?, chaos());
        if let Some(prefix) = &self.prefix {
            for key in OUTSIDE {
                store.put_bytes(&Key::new(key)?, "outside").await?;
            }
            store = layer::store(store, prefix.clone());
        }
        store = layer::store(store, Timeout::new(LIMIT));
        store = layer::store(store, ConcurrencyLimit::new(64));
        store = layer::store(store, Metrics::new());
        Ok(layer::store(store, Tracing::new()))
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        // They open stores without layers.
        None
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        let compute = layer::compute(self.inner.compute()?, chaos());
        let compute = layer::compute(compute, Timeout::new(LIMIT));
        let compute = layer::compute(compute, ConcurrencyLimit::new(64));
        let compute = layer::compute(compute, Metrics::new());
        Some(layer::compute(compute, Tracing::new()))
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        self.inner.object_capabilities()
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        self.inner.compute_capabilities()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.inner.clock()
    }

    fn storage_class(&self) -> Option<StorageClass> {
        self.inner.storage_class()
    }

    fn location(&self) -> Option<String> {
        self.inner.location()
    }

    fn image_alias(&self) -> String {
        self.inner.image_alias()
    }

    async fn cleanup(&self) {
        self.inner.cleanup().await;
    }
}
