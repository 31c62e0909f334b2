//! What configuration files and URLs say about the embedded provider. Every field is explained in
//! `docs/providers/local.md`.

#[cfg(unix)]
use std::path::PathBuf;

use polycloud_core::object::{BucketName, Buckets as _};
use polycloud_core::{Error, Result};
use serde::{Deserialize, Serialize};

#[cfg(unix)]
use crate::{Durability, LocalStore};
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

/// How to open a [`LocalStore`].
#[cfg(unix)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FileConfig {
    /// The directory, absolute.
    pub path: PathBuf,
    /// What writes survive; a power cut, if unset.
    #[serde(default, skip_serializing_if = "is_default")]
    pub durability: Durability,
    /// Whether older versions are kept; if unset, as the directory has it, which is not at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<bool>,
}

#[cfg(unix)]
impl FileConfig {
    /// A durable store in a directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), durability: Durability::default(), versioning: None }
    }

    /// Sets what writes survive.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets whether older versions are kept.
    #[must_use]
    pub fn with_versioning(mut self, versioning: bool) -> Self {
        self.versioning = Some(versioning);
        self
    }

    /// Opens the store, and creates its directory if it is not there.
    ///
    /// # Errors
    /// [`Config`](polycloud_core::ErrorKind::Config) if the path is not absolute, and as
    /// [`LocalStoreBuilder::open`](crate::LocalStoreBuilder::open).
    pub async fn open(&self) -> Result<LocalStore> {
        let Self { path, durability, versioning } = self;
        check_absolute(path)?;
        let mut builder = LocalStore::builder(path).durability(*durability);
        if let Some(versioning) = versioning {
            builder = builder.versioned(*versioning);
        }
        blocking(move || builder.open()).await
    }
}

#[cfg(unix)]
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A relative path would mean another directory wherever the program is started.
#[cfg(unix)]
fn check_absolute(path: &std::path::Path) -> Result<()> {
    if path.is_absolute() {
        return Ok(());
    }
    Err(Error::config(format!("the path of a local backend is absolute, {path:?} is not")))
}

#[cfg(unix)]
async fn blocking<T: Send + 'static>(
    open: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let opened = tokio::task::spawn_blocking(open).await;
    opened.unwrap_or_else(|lost| {
        Err(Error::new(polycloud_core::ErrorKind::Internal).with_source(lost))
    })
}
