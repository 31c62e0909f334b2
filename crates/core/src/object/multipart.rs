use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::condition::{ETag, Precondition};
use super::key::Key;
use super::meta::PutResult;
use super::options::{CopySource, PutOptions};
use super::payload::Payload;
use super::range::Range;
use crate::error::{Error, Result};
use crate::page::PageToken;

/// Uploads whose parts the caller sends, lists and completes, possibly from several processes.
///
/// [`ObjectStore::upload`](super::ObjectStore::upload) does the same with less to do. Parts are
/// invisible and cost storage until the upload is completed or aborted.
#[async_trait]
pub trait MultipartStore: fmt::Debug + Send + Sync {
    /// Starts an upload. One request. The precondition of the options must be unset: it belongs to
    /// [`complete`](Self::complete).
    ///
    /// # Errors
    /// `InvalidArgument` if the options have a precondition.
    async fn create(&self, key: &Key, options: &PutOptions) -> Result<UploadId>;

    /// Sends a part, or replaces it. Parts can be sent in any order and side by side. One request.
    ///
    /// # Errors
    /// `UploadNotFound`; `TooLarge`; `StorageFull`; `SourceFailed`.
    async fn put_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        payload: Payload,
    ) -> Result<Part>;

    /// Makes a part of a range of an object, without moving it through the caller. One request.
    ///
    /// # Errors
    /// `UploadNotFound`; `NotFound` and `RangeNotSatisfiable` of the source.
    async fn copy_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        from: &CopySource,
        range: Option<Range>,
    ) -> Result<Part>;

    /// Lists the parts that have arrived, by number. As many requests as the provider has pages.
    ///
    /// # Errors
    /// `UploadNotFound`.
    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>>;

    /// Lists uploads that are neither completed nor aborted, by key, one page at a time. One request.
    ///
    /// # Errors
    /// `InvalidArgument` if the token is not from such a listing.
    async fn uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage>;

    /// Makes an object of the parts, in the order of their numbers. Parts that are not named are
    /// dropped. One request.
    ///
    /// # Errors
    /// `UploadNotFound`; `InvalidArgument` if there are no parts, or one is unknown, out of order, not
    /// the one that was sent, or too small; `AlreadyExists` and `PreconditionFailed` as the
    /// precondition says, and the upload stays as it was.
    async fn complete(
        &self,
        key: &Key,
        upload: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult>;

    /// Removes an upload and its parts. Aborting what is not there succeeds. One request.
    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<()>;
}

/// Identifies an upload of a key. It can be stored and used by another process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadId(String);

impl UploadId {
    /// Wraps a provider's identifier.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The provider's identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The place of a part in its object: 1 to 50,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PartNumber(u32);

impl PartNumber {
    /// The largest number: Azure's, which is the largest of all.
    pub const MAX: u32 = 50_000;

    /// Checks and wraps a number.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) outside 1 to 50,000.
    pub fn new(number: u32) -> Result<Self> {
        if (1..=Self::MAX).contains(&number) {
            return Ok(Self(number));
        }
        Err(Error::invalid(format!("a part number is between 1 and 50,000, not {number}")))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for PartNumber {
    type Error = Error;

    fn try_from(number: u32) -> Result<Self> {
        Self::new(number)
    }
}

impl From<PartNumber> for u32 {
    fn from(number: PartNumber) -> Self {
        number.0
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Part {
    /// Its place in the object.
    pub number: PartNumber,
    /// Identifies its content.
    pub etag: ETag,
    /// Its size in bytes.
    pub size: u64,
}

impl Part {
    /// A part.
    #[must_use]
    pub fn new(number: PartNumber, etag: ETag, size: u64) -> Self {
        Self { number, etag, size }
    }
}

/// How to complete an upload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompleteOptions {
    /// Complete only if this holds for the object that is there.
    pub precondition: Option<Precondition>,
}

impl CompleteOptions {
    /// Sets the condition.
    #[must_use]
    pub fn with_precondition(mut self, precondition: Precondition) -> Self {
        self.precondition = Some(precondition);
        self
    }
}

impl crate::capability::Requires for CompleteOptions {
    fn requires(&self, need: &mut dyn FnMut(crate::capability::Feature)) {
        let Self { precondition } = self;
        let access = super::condition::Access::Write;
        if let Some(feature) = precondition.as_ref().and_then(|it| it.feature(access)) {
            need(feature);
        }
    }
}

/// An upload that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadInfo {
    /// The key that it will write.
    pub key: Key,
    /// Its identifier.
    pub id: UploadId,
    /// When it was started.
    pub started: SystemTime,
}

impl UploadInfo {
    /// An upload.
    #[must_use]
    pub fn new(key: Key, id: UploadId, started: SystemTime) -> Self {
        Self { key, id, started }
    }
}

/// A part of a listing of uploads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadPage {
    /// Uploads, by key and then by the time of their start.
    pub uploads: Vec<UploadInfo>,
    /// Where the listing goes on, or `None` at its end.
    pub next: Option<PageToken>,
}

impl UploadPage {
    /// A page.
    #[must_use]
    pub fn new(uploads: Vec<UploadInfo>, next: Option<PageToken>) -> Self {
        Self { uploads, next }
    }
}
