#![doc = include_str!("../README.md")]
//!
//! # Crate features
//!
//! | feature | brings |
//! | --- | --- |
//! | `local` (default) | [`local`]: stores in memory and in files, instances as process groups |
//! | `aws-s3` | `aws`: Amazon S3 and services that speak its protocol |
//! | `aws-ec2` | `aws`: Amazon EC2, whose SDK takes minutes and 8 GB of memory to compile |
//! | `aws` | all of Amazon's: `aws-s3` and `aws-ec2` |
//!
//! # Where things are
//!
//! - [`object`] and [`compute`]: the two traits with their value types.
//! - [`open_store`] and [`open_compute`]: backends by URL. [`StoreConfig`] and [`ComputeConfig`]: the
//!   same from a configuration file. [`Registry`]: schemes of your own.
//! - [`layer`]: timeouts, limits, prefixes, tracing, metrics and faults around a store or a compute.
//! - [`transfer`]: files and streams in and out.
//! - [`Error`] and [`ErrorKind`]: what can go wrong, the same on every provider.
#![cfg_attr(
    not(feature = "local"),
    allow(
        unused,
        reason = "without a backend there is nothing to configure or to open, and of some there are stores or computes alone"
    )
)]

use std::sync::Arc;

mod address;
#[cfg(any(feature = "aws-s3", feature = "aws-ec2"))]
mod aws_backend;
mod config;
#[cfg(feature = "local")]
mod local_backend;
mod options;
pub mod prelude;
mod registry;
mod schemes;

#[cfg(any(feature = "aws-s3", feature = "aws-ec2"))]
pub use polycloud_aws as aws;
pub use polycloud_core::compute::{Compute, ComputeExt};
pub use polycloud_core::object::{ObjectStore, ObjectStoreExt};
pub use polycloud_core::{
    BlastRadius, Error, ErrorKind, Outcome, ResourceRef, Result, ResultExt, Retry, capability,
    checksum, clock, compute, error, layer, object, page, retry, transfer,
};
#[cfg(feature = "local")]
pub use polycloud_local as local;

pub use self::address::Address;
pub use self::config::{ComputeBackend, ComputeConfig, StoreBackend, StoreConfig};
pub use self::options::Options;
pub use self::registry::Registry;

/// Opens a store by its URL, such as `file:///data/bucket`, `s3://bucket` or `memory:`.
///
/// Every call uses a [`Registry`] of its own. So each `memory:` and each `memory://bucket` that is
/// opened here is a new, empty store: share the returned [`Arc`], or open through one [`Registry`] to
/// meet the same store again.
///
/// # Errors
/// As [`Registry::open_store`].
///
/// ```
/// # #[cfg(feature = "local")] {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use polycloud::object::{Key, PutOptions};
///
/// let store = polycloud::open_store("memory:?versioning=true").await?;
/// let key = Key::new("a")?;
/// let written = store.put(&key, "text".into(), &PutOptions::default()).await?;
/// assert!(written.revision.version.is_some());
/// # Ok::<(), polycloud::Error>(())
/// # })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn open_store(url: &str) -> Result<Arc<dyn ObjectStore>> {
    Registry::default().open_store(url).await
}

/// Opens the buckets of an account or a directory by its URL, such as `s3:?region=eu-west-1` or
/// `file:///data`.
///
/// # Errors
/// As [`Registry::open_buckets`].
///
/// ```
/// # #[cfg(feature = "local")] {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use polycloud::object::{BucketName, CreateBucketOptions};
///
/// let buckets = polycloud::open_buckets("memory:").await?;
/// let name = BucketName::new("reports")?;
/// buckets.create(&name, &CreateBucketOptions::default()).await?;
/// let store = buckets.open(&name)?;
/// assert_eq!(store.info().bucket, "reports");
/// # Ok::<(), polycloud::Error>(())
/// # })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn open_buckets(url: &str) -> Result<Arc<dyn object::Buckets>> {
    Registry::default().open_buckets(url).await
}

/// Opens a compute by its URL, such as `local:` or `ec2://eu-west-1`.
///
/// # Errors
/// As [`Registry::open_compute`].
pub async fn open_compute(url: &str) -> Result<Arc<dyn Compute>> {
    Registry::default().open_compute(url).await
}
