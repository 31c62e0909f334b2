use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::bucket::BucketName;
use super::store::ObjectStore;
use crate::capability::{Capabilities, Feature, Requires};
use crate::error::Result;
use crate::page::PageToken;

/// The buckets of an account: what is above a single [`ObjectStore`].
///
/// Errors that all methods share are those of [`ObjectStore`].
#[async_trait]
pub trait Buckets: fmt::Debug + Send + Sync + 'static {
    /// What can be done with buckets. Costs nothing.
    fn capabilities(&self) -> &Capabilities;

    /// Creates a bucket. One request.
    ///
    /// # Errors
    /// `AlreadyExists`, whoever owns it.
    async fn create(&self, name: &BucketName, options: &CreateBucketOptions) -> Result<BucketInfo>;

    /// Deletes a bucket. One request, and those of deleting every version in it if forced.
    ///
    /// # Errors
    /// `BucketNotFound`; `BucketNotEmpty` unless forced.
    async fn delete(&self, name: &BucketName, options: &DeleteBucketOptions) -> Result<()>;

    /// Reads what a bucket is. One to two requests.
    ///
    /// # Errors
    /// `BucketNotFound`.
    async fn head(&self, name: &BucketName) -> Result<BucketInfo>;

    /// Lists the account's buckets by name, one page at a time. One request.
    ///
    /// # Errors
    /// `InvalidArgument` if the token is not from such a listing.
    async fn list_page(&self, token: Option<&PageToken>) -> Result<BucketPage>;

    /// Switches versioning. Switching it off keeps the versions that are there. One request.
    ///
    /// # Errors
    /// `BucketNotFound`.
    async fn set_versioning(&self, name: &BucketName, enabled: bool) -> Result<()>;

    /// The bucket's lifecycle rules. One request.
    ///
    /// # Errors
    /// `BucketNotFound`.
    async fn lifecycle(&self, name: &BucketName) -> Result<Vec<LifecycleRule>>;

    /// Replaces the bucket's lifecycle rules, all of them. One request.
    ///
    /// # Errors
    /// `BucketNotFound`; `InvalidArgument` if a rule does nothing.
    async fn set_lifecycle(&self, name: &BucketName, rules: &[LifecycleRule]) -> Result<()>;

    /// Opens a bucket as a store that shares connections and credentials with its siblings. Costs
    /// nothing: that the bucket exists shows at its first use, or by [`head`](Self::head).
    ///
    /// # Errors
    /// Where the backend has to touch the bucket to open it: `BucketNotFound`.
    fn open(&self, name: &BucketName) -> Result<Arc<dyn ObjectStore>>;
}

/// How to create a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateBucketOptions {
    /// The provider's region or location; the client's own if unset.
    pub location: Option<String>,
    /// Whether to keep older versions.
    pub versioning: bool,
}

impl CreateBucketOptions {
    /// Sets the location.
    #[must_use]
    pub fn with_location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// Sets whether to keep older versions.
    #[must_use]
    pub fn with_versioning(mut self, versioning: bool) -> Self {
        self.versioning = versioning;
        self
    }
}

impl Requires for CreateBucketOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { location, versioning } = self;
        if location.is_some() {
            need(Feature::BucketLocation);
        }
        if *versioning {
            need(Feature::BucketVersioning);
        }
    }
}

/// How to delete a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteBucketOptions {
    /// Whether to delete every object, version and unfinished upload in it first.
    pub force: bool,
}

impl DeleteBucketOptions {
    /// Sets whether to delete what is in the bucket.
    #[must_use]
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }
}

/// What a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketInfo {
    /// The name.
    pub name: BucketName,
    /// When it was created, where the provider tells.
    pub created: Option<SystemTime>,
    /// The provider's region or location, where there is one.
    pub location: Option<String>,
    /// Whether older versions are kept, where the answer tells.
    pub versioning: Option<bool>,
}

impl BucketInfo {
    /// A bucket of which nothing but the name is known.
    #[must_use]
    pub fn new(name: BucketName) -> Self {
        Self { name, created: None, location: None, versioning: None }
    }
}

/// A part of a listing of buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketPage {
    /// Buckets, ordered by name.
    pub buckets: Vec<BucketInfo>,
    /// Where the listing goes on, or `None` at its end.
    pub next: Option<PageToken>,
}

impl BucketPage {
    /// A page.
    #[must_use]
    pub fn new(buckets: Vec<BucketInfo>, next: Option<PageToken>) -> Self {
        Self { buckets, next }
    }
}

/// A rule by which the provider removes what is old.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LifecycleRule {
    /// Keys that begin with this.
    pub prefix: String,
    /// Deletes current objects after so many days.
    pub expire_days: Option<u32>,
    /// Removes versions so many days after they were replaced or deleted.
    pub expire_old_versions_days: Option<u32>,
    /// Aborts multipart uploads that were started so many days ago.
    pub abort_uploads_days: Option<u32>,
}
