use std::time::SystemTime;

use super::attributes::{Attributes, StorageClass, Tags};
use super::condition::{Revision, VersionId};
use super::key::Key;
use super::options::DeleteItem;
use crate::checksum::ChecksumSet;
use crate::error::Result;
use crate::page::PageToken;

/// What is known about an object without reading it.
///
/// An optional field that is `None` was not returned by the provider, which is not the same as being
/// empty: listings leave out what the provider does not list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectMeta {
    /// The name.
    pub key: Key,
    /// Size in bytes.
    pub size: u64,
    /// When this version was written, by the provider's clock.
    pub last_modified: SystemTime,
    /// What conditional requests compare by.
    pub revision: Revision,
    /// Whether this is the current version. Always returned by listings and by reads that name no version;
    /// S3 does not tell it of a version that is read by name.
    pub is_latest: Option<bool>,
    /// HTTP headers and user metadata. Always returned by get, head and update.
    pub attributes: Option<Attributes>,
    /// Tags. Returned where [`HeadOptions::tags`](super::HeadOptions::tags) or
    /// [`ListOptions::tags`](super::ListOptions::tags) asks for them.
    pub tags: Option<Tags>,
    /// The checksums that the provider holds.
    pub checksums: ChecksumSet,
    /// The storage class, unless it is the bucket's default.
    pub storage_class: Option<StorageClass>,
}

impl ObjectMeta {
    /// Metadata of a current version with nothing optional in it.
    #[must_use]
    pub fn new(key: Key, size: u64, last_modified: SystemTime, revision: Revision) -> Self {
        Self {
            key,
            size,
            last_modified,
            revision,
            is_latest: Some(true),
            attributes: None,
            tags: None,
            checksums: ChecksumSet::new(),
            storage_class: None,
        }
    }
}

/// What a put, an upload or a copy created.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutResult {
    /// The revision of the new object.
    pub revision: Revision,
    /// Its size in bytes.
    pub size: u64,
    /// The checksums that the provider computed or verified and now holds.
    pub checksums: ChecksumSet,
}

impl PutResult {
    /// A result without checksums.
    #[must_use]
    pub fn new(revision: Revision, size: u64) -> Self {
        Self { revision, size, checksums: ChecksumSet::new() }
    }
}

/// What a delete did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteResult {
    /// Whether there was something to delete, where the provider tells.
    pub existed: Option<bool>,
    /// The delete marker that now hides older versions, on a versioned bucket that uses them.
    pub delete_marker: Option<VersionId>,
}

impl DeleteResult {
    /// A delete that left no marker.
    #[must_use]
    pub fn new(existed: Option<bool>) -> Self {
        Self { existed, delete_marker: None }
    }
}

/// What became of one item of a `delete_many`.
#[derive(Debug)]
#[non_exhaustive]
pub struct DeleteOutcome {
    /// The item.
    pub item: DeleteItem,
    /// What happened to it.
    pub result: Result<DeleteResult>,
}

impl DeleteOutcome {
    /// Pairs an item with what happened to it.
    #[must_use]
    pub fn new(item: DeleteItem, result: Result<DeleteResult>) -> Self {
        Self { item, result }
    }
}

/// A version that says "deleted".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteMarker {
    /// The name.
    pub key: Key,
    /// The marker's own version. Deleting it brings the version before it back.
    pub version: VersionId,
    /// When the object was deleted.
    pub last_modified: SystemTime,
    /// Whether it hides the object now.
    pub is_latest: bool,
}

impl DeleteMarker {
    /// A marker.
    #[must_use]
    pub fn new(key: Key, version: VersionId, last_modified: SystemTime, is_latest: bool) -> Self {
        Self { key, version, last_modified, is_latest }
    }
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListEntry {
    /// An object, or one version of it.
    Object(ObjectMeta),
    /// All keys that begin with this, grouped by the delimiter, which is its end.
    Prefix(String),
    /// A delete marker; only where versions are listed.
    DeleteMarker(DeleteMarker),
}

impl ListEntry {
    /// The key or the common prefix: what the listing is ordered by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Object(meta) => &meta.key,
            Self::Prefix(prefix) => prefix,
            Self::DeleteMarker(marker) => &marker.key,
        }
    }

    /// The object, if it is one.
    #[must_use]
    pub fn into_object(self) -> Option<ObjectMeta> {
        match self {
            Self::Object(meta) => Some(meta),
            Self::Prefix(_) | Self::DeleteMarker(_) => None,
        }
    }
}

/// A part of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListPage {
    /// Objects and common prefixes, merged in the order of their names; versions of one key newest
    /// first. May be empty although more follows.
    pub entries: Vec<ListEntry>,
    /// Where the listing goes on, or `None` at its end.
    pub next: Option<PageToken>,
}

impl ListPage {
    /// A page.
    #[must_use]
    pub fn new(entries: Vec<ListEntry>, next: Option<PageToken>) -> Self {
        Self { entries, next }
    }
}
