//! What configuration files and URLs say about the embedded provider. Every field is explained in
//! `docs/providers/local.md`.

use polycloud_core::Result;
use polycloud_core::object::{BucketName, Buckets as _};
use serde::{Deserialize, Serialize};

use crate::{MemoryBuckets, MemoryStore};

/// How to open a [`MemoryStore`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// The bucket among those of the same [`MemoryBuckets`]; a new store that nobody else has, if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<BucketName>,
    /// Whether older versions are kept; if unset, as the bucket has it, which is not at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<bool>,
}

impl MemoryConfig {
    /// A new store that nobody else has.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the bucket.
    #[must_use]
    pub fn with_name(mut self, name: BucketName) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets whether older versions are kept.
    #[must_use]
    pub fn with_versioning(mut self, versioning: bool) -> Self {
        self.versioning = Some(versioning);
        self
    }

    /// Opens the store, and creates the bucket if it is not there.
    ///
    /// # Errors
    /// None at present.
    pub async fn open(&self, buckets: &MemoryBuckets) -> Result<MemoryStore> {
        let Self { name, versioning } = self;
        let Some(name) = name else {
            return Ok(MemoryStore::builder().versioned(versioning.unwrap_or(false)).build());
        };
        let store = buckets.open_or_create(name);
        if let Some(versioning) = versioning {
            buckets.set_versioning(name, *versioning).await?;
        }
        Ok(store)
    }
}
