use std::any::Any;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::body::GetResult;
use super::key::Key;
use super::meta::{DeleteOutcome, DeleteResult, ListPage, ObjectMeta, PutResult};
use super::multipart::MultipartStore;
use super::options::{
    CopyOptions, CopySource, DeleteItem, DeleteOptions, GetOptions, HeadOptions, ListOptions,
    ObjectUpdate, PutOptions, UploadOptions,
};
use super::payload::Payload;
use super::signer::Signer;
use crate::capability::Capabilities;
use crate::error::Result;
use crate::page::PageToken;

/// Which store it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInfo {
    /// The provider, such as `aws`, `gcp`, `azure`, `local` or `memory`.
    pub provider: &'static str,
    /// The bucket or container; for a local store the name of its directory.
    pub bucket: String,
    /// The URL that opens the store, without credentials.
    pub url: String,
    /// The provider's region, where there is one.
    pub region: Option<String>,
}

impl StoreInfo {
    /// A store without a region.
    pub fn new(provider: &'static str, bucket: impl Into<String>, url: impl Into<String>) -> Self {
        Self { provider, bucket: bucket.into(), url: url.into(), region: None }
    }

    /// Sets the region.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }
}

impl fmt::Display for StoreInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.url)
    }
}

/// One bucket of an object store.
///
/// This is the contract between backends and the programs that use them, kept small on purpose:
/// conveniences are in [`ObjectStoreExt`](super::ObjectStoreExt), bucket administration is in
/// [`Buckets`](super::Buckets). Stores are shared as `Arc<dyn ObjectStore>`.
///
/// # What holds for every method
///
/// - **Consistency.** A write that returned is seen by every read and listing that starts later.
///   Reads see whole objects, never a mixture of two versions. The last of several concurrent
///   writes wins, whichever that is; use a [`Precondition`](super::Precondition) to decide.
/// - **Options are honoured or refused.** An option that the backend lacks is
///   [`Unsupported`](crate::ErrorKind::Unsupported) before any I/O. See
///   [`Capabilities`](crate::capability::Capabilities).
/// - **Errors** say by [`outcome`](crate::Error::outcome) whether the change took effect. Besides the
///   kinds named at a method, all can fail with `BucketNotFound`, `Unauthenticated`,
///   `PermissionDenied`, `RateLimited`, `Timeout`, `Unavailable` and `Internal`.
/// - **Cancellation.** Dropping a future gives up waiting. A read leaves nothing behind. A write that
///   was dropped either took effect as a whole or not at all.
/// - **Cost** is in requests to the provider; the embedded providers make none.
///
/// Backends implement all methods; there are no default bodies, so that a layer cannot forget one.
#[async_trait]
pub trait ObjectStore: fmt::Debug + Send + Sync + 'static {
    /// Which store it is. Costs nothing.
    fn info(&self) -> &StoreInfo;

    /// What the store can do. Costs nothing.
    fn capabilities(&self) -> &Capabilities;

    /// Reads an object, or a part of it.
    ///
    /// Metadata is there when this returns; the content follows as it is read from the body. The
    /// whole content is verified against the checksum that the provider holds, if it holds one. A
    /// read that is interrupted goes on where it stopped, on the same version or not at all.
    ///
    /// A range that ends behind the object ends with the object; an empty range yields no bytes
    /// once the object is known to exist. One request, two for an emulated suffix range.
    ///
    /// # Errors
    /// `NotFound`, `VersionNotFound`; `NotModified` and `PreconditionFailed` as the precondition says;
    /// `RangeNotSatisfiable` (with the size) if the range starts behind the end; `Archived`.
    async fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult>;

    /// Reads the metadata of an object. One request, and one more for tags where the provider keeps
    /// them apart.
    ///
    /// # Errors
    /// As [`get`](Self::get), without those of ranges.
    async fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta>;

    /// Writes an object, or replaces it with its metadata and tags.
    ///
    /// It becomes visible all at once, and is durable when this returns. Idempotent without a
    /// precondition. One request; a large payload is sent as a multipart upload.
    ///
    /// # Errors
    /// `AlreadyExists` (of `IfAbsent`), `PreconditionFailed`; `Conflict` if a concurrent write of the
    /// same key stands in the way; `ChecksumMismatch` if the content is not what was expected;
    /// `SourceFailed` if the payload cannot be read; `TooLarge`; `StorageFull`. In all of these the old
    /// object is intact.
    async fn put(&self, key: &Key, payload: Payload, options: &PutOptions) -> Result<PutResult>;

    /// Starts to write an object whose content comes piece by piece. Costs nothing yet.
    ///
    /// # Errors
    /// Those of the options; all others come from the [`Upload`].
    async fn upload(&self, key: &Key, options: &UploadOptions) -> Result<Box<dyn Upload>>;

    /// Deletes an object. Deleting what is not there succeeds.
    ///
    /// On a versioned bucket the current version becomes an older one; with a version in the options
    /// that version is removed for good. Idempotent. One request.
    ///
    /// # Errors
    /// `PreconditionFailed`, also of a condition on an object that is not there; `Locked`.
    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult>;

    /// Deletes many objects, in as few requests as the provider allows.
    ///
    /// Returns one outcome per item, in the order of the items; what fails for one item does not keep
    /// the others from being deleted.
    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome>;

    /// Lists objects, one page at a time. One request.
    ///
    /// Entries are in the byte order of their names where
    /// [`list_ordered`](crate::capability::Capabilities::list_ordered) says so, and common prefixes are
    /// merged into that order. An object that exists during the whole listing is listed exactly once;
    /// one that is created or deleted meanwhile may or may not be.
    ///
    /// # Errors
    /// `InvalidArgument` if the token is not from such a listing.
    async fn list_page(&self, options: &ListOptions, token: Option<&PageToken>)
    -> Result<ListPage>;

    /// Copies an object within the provider, without moving its content through the caller.
    ///
    /// Metadata and tags come along unless the options replace them. Copying an object onto itself is
    /// how an older version is restored. One request; several for objects above the provider's limit
    /// for a single copy.
    ///
    /// # Errors
    /// `NotFound`, `VersionNotFound`, `PreconditionFailed` and `NotModified` of the source;
    /// `AlreadyExists` and `PreconditionFailed` of the target; `TooLarge`.
    async fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult>;

    /// Changes metadata, tags or storage class without sending the content again, and returns the
    /// object as it is then, with its tags.
    ///
    /// Whether the revision changes is up to the provider: go on with the returned one. One to three
    /// requests.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`; `InvalidArgument` if nothing is to be changed.
    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta>;

    /// Signs URLs, if the store can.
    fn signer(&self) -> Option<&dyn Signer>;

    /// Uploads part by part under the caller's own control, if the store can.
    fn multipart(&self) -> Option<&dyn MultipartStore>;

    /// The backend's own type, for what these traits do not cover: `native().downcast_ref()`.
    /// Layers pass it through.
    fn native(&self) -> &dyn Any;
}

/// An object that is being written piece by piece.
///
/// Nothing is visible before [`complete`](Self::complete) returns, and then all of it is. Dropping an
/// upload aborts it in the background, as far as a runtime is there to do so.
#[async_trait]
pub trait Upload: fmt::Debug + Send + 'static {
    /// Takes the next piece of the content, of any size.
    ///
    /// Waits until there is room: memory stays within part size × (concurrency + 1). An error is
    /// final: the upload can only be aborted then. Not cancel-safe: after dropping this future the
    /// piece may or may not be part of the content, so abort.
    ///
    /// # Errors
    /// `TooLarge`, `StorageFull`, and those of a put.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object visible, if the precondition of the options holds now.
    ///
    /// # Errors
    /// As [`ObjectStore::put`]. What was sent is removed again, or named in
    /// [`leaked`](crate::Error::leaked).
    async fn complete(self: Box<Self>) -> Result<PutResult>;

    /// Gives up and removes what was sent.
    ///
    /// # Errors
    /// What could not be removed is named in [`leaked`](crate::Error::leaked).
    async fn abort(self: Box<Self>) -> Result<()>;
}
