use serde::{Deserialize, Serialize};

use crate::capability::{Feature, Requires};
use crate::checksum::{Checksum, ChecksumAlgorithm};

use super::attributes::{Attributes, StorageClass, Tags};
use super::bucket::BucketName;
use super::condition::{Access, Precondition, VersionId};
use super::key::Key;
use super::range::Range;

/// Generates `with_field(value)` for the fields of an options struct. Numbers are taken as they are, so
/// that literals have a type.
macro_rules! setters {
    (number: $($(#[doc = $doc:literal])+ $set:ident($field:ident: $ty:ty);)+) => {$(
        $(#[doc = $doc])+
        #[must_use]
        pub fn $set(mut self, $field: $ty) -> Self {
            self.$field = Some($field);
            self
        }
    )+};
    ($($(#[doc = $doc:literal])+ $set:ident($field:ident: $ty:ty) $(=> $wrap:path)?;)+) => {$(
        $(#[doc = $doc])+
        #[must_use]
        pub fn $set(mut self, $field: impl Into<$ty>) -> Self {
            self.$field = $($wrap)?($field.into());
            self
        }
    )+};
}

fn need_condition(condition: Option<&Precondition>, access: Access, need: &mut dyn FnMut(Feature)) {
    // A combination without meaning needs no feature: `Precondition::check` refuses it as invalid.
    if let Some(feature) = condition.and_then(|condition| condition.feature(access)) {
        need(feature);
    }
}

/// Whether a read of a whole object is checked against the stored checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Verify {
    /// If the provider holds one.
    #[default]
    IfStored,
    /// Not at all.
    Never,
}

/// How to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetOptions {
    /// Which bytes; all if unset.
    pub range: Option<Range>,
    /// Which version; the current one if unset.
    pub version: Option<VersionId>,
    /// Read only if this holds.
    pub precondition: Option<Precondition>,
    /// Whether to verify the content.
    pub verify: Verify,
}

impl GetOptions {
    setters! {
        /// Sets which bytes to read.
        with_range(range: Range) => Some;
        /// Sets which version to read.
        with_version(version: VersionId) => Some;
        /// Sets the condition.
        with_precondition(precondition: Precondition) => Some;
        /// Sets whether to verify the content.
        with_verify(verify: Verify);
    }
}

impl Requires for GetOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { range, version, precondition, verify: _ } = self;
        if range.is_some_and(|range| range.is_suffix()) {
            need(Feature::RangeSuffix);
        }
        if version.is_some() {
            need(Feature::ReadVersion);
        }
        need_condition(precondition.as_ref(), Access::Read, need);
    }
}

/// How to read metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadOptions {
    /// Which version; the current one if unset.
    pub version: Option<VersionId>,
    /// Answer only if this holds.
    pub precondition: Option<Precondition>,
    /// Whether to return tags, which costs a second request on S3 and Azure.
    pub tags: bool,
}

impl HeadOptions {
    setters! {
        /// Sets which version to read.
        with_version(version: VersionId) => Some;
        /// Sets the condition.
        with_precondition(precondition: Precondition) => Some;
        /// Sets whether to return tags.
        with_tags(tags: bool);
    }
}

impl Requires for HeadOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { version, precondition, tags } = self;
        if version.is_some() {
            need(Feature::ReadVersion);
        }
        if *tags {
            need(Feature::Tags);
        }
        need_condition(precondition.as_ref(), Access::Read, need);
    }
}

/// Which checksum travels with a write and is stored with the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ChecksumRequest {
    /// What the backend needs to notice damage on the way; none where there is no way to go.
    #[default]
    Auto,
    /// None.
    None,
    /// Compute this one, and store it.
    Compute(ChecksumAlgorithm),
    /// The content has this one: verify it before the object becomes visible, and store it.
    Expect(Checksum),
}

impl ChecksumRequest {
    /// The algorithm that is asked for.
    #[must_use]
    pub fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        match self {
            Self::Auto | Self::None => None,
            Self::Compute(algorithm) => Some(*algorithm),
            Self::Expect(checksum) => Some(checksum.algorithm()),
        }
    }
}

/// How to write an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutOptions {
    /// Write only if this holds.
    pub precondition: Option<Precondition>,
    /// HTTP headers and user metadata of the new object.
    pub attributes: Attributes,
    /// Tags of the new object.
    pub tags: Tags,
    /// The checksum.
    pub checksum: ChecksumRequest,
    /// The storage class; the bucket's default if unset.
    pub storage_class: Option<StorageClass>,
}

impl PutOptions {
    setters! {
        /// Sets the condition.
        with_precondition(precondition: Precondition) => Some;
        /// Sets HTTP headers and user metadata.
        with_attributes(attributes: Attributes);
        /// Sets the tags.
        with_tags(tags: Tags);
        /// Sets the checksum.
        with_checksum(checksum: ChecksumRequest);
        /// Sets the storage class.
        with_storage_class(storage_class: StorageClass) => Some;
    }
}

impl Requires for PutOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { precondition, attributes, tags, checksum, storage_class } = self;
        need_condition(precondition.as_ref(), Access::Write, need);
        need_attributes(attributes, need);
        if !tags.is_empty() {
            need(Feature::Tags);
        }
        if let Some(algorithm) = checksum.algorithm() {
            need(algorithm.feature());
        }
        if storage_class.is_some() {
            need(Feature::StorageClass);
        }
    }
}

fn need_attributes(attributes: &Attributes, need: &mut dyn FnMut(Feature)) {
    if attributes.has_headers() {
        need(Feature::Attributes);
    }
    if !attributes.metadata().is_empty() {
        need(Feature::Metadata);
    }
}

/// How to write an object whose content comes piece by piece.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadOptions {
    /// How to write it. The precondition is decided when the upload completes.
    pub put: PutOptions,
    /// Bytes of a part; chosen from the size hint if unset. It grows as the upload goes on, so that
    /// the provider's number of parts suffices for its largest object.
    pub part_size: Option<u64>,
    /// Most parts under way at a time; 4 if unset. Memory is bounded by part size × (this + 1).
    pub concurrency: Option<usize>,
    /// The expected size in bytes. A hint: the content may be shorter or longer.
    pub size_hint: Option<u64>,
}

impl UploadOptions {
    setters! {
        /// Sets how the object is written.
        with_put(put: PutOptions);
    }
    setters! { number:
        /// Sets the bytes of a part.
        with_part_size(part_size: u64);
        /// Sets the number of parts under way at a time.
        with_concurrency(concurrency: usize);
        /// Sets the expected size.
        with_size_hint(size_hint: u64);
    }
}

impl From<PutOptions> for UploadOptions {
    fn from(put: PutOptions) -> Self {
        Self { put, ..Self::default() }
    }
}

impl Requires for UploadOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { put, part_size: _, concurrency: _, size_hint: _ } = self;
        put.requires(need);
    }
}

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteOptions {
    /// Delete only if this holds.
    pub precondition: Option<Precondition>,
    /// The version to remove for good; if unset, the current object is deleted as the bucket's
    /// versioning says.
    pub version: Option<VersionId>,
}

impl DeleteOptions {
    setters! {
        /// Sets the condition.
        with_precondition(precondition: Precondition) => Some;
        /// Sets the version to remove.
        with_version(version: VersionId) => Some;
    }
}

impl Requires for DeleteOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { precondition, version } = self;
        if version.is_some() {
            need(Feature::DeleteVersion);
        }
        need_condition(precondition.as_ref(), Access::Delete, need);
    }
}

/// One of many objects to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteItem {
    /// The name.
    pub key: Key,
    /// How to delete it.
    pub options: DeleteOptions,
}

impl DeleteItem {
    /// A key and how to delete it.
    #[must_use]
    pub fn new(key: Key, options: DeleteOptions) -> Self {
        Self { key, options }
    }
}

impl From<Key> for DeleteItem {
    fn from(key: Key) -> Self {
        Self::new(key, DeleteOptions::default())
    }
}

impl Requires for DeleteItem {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { key: _, options } = self;
        options.requires(need);
    }
}

/// What to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Only keys that begin with this string, which need not end at a `/`.
    pub prefix: String,
    /// Groups keys: all that share the text up to the first delimiter behind the prefix become one
    /// [`Prefix`](super::ListEntry::Prefix).
    pub delimiter: Option<String>,
    /// Only keys greater than this one, in byte order.
    pub start_after: Option<String>,
    /// Most entries of a page; the provider's own number if unset or larger.
    pub page_size: Option<u32>,
    /// Whether to list older versions and delete markers.
    pub versions: bool,
    /// Whether entries carry HTTP headers and user metadata.
    pub attributes: bool,
    /// Whether entries carry tags.
    pub tags: bool,
}

impl ListOptions {
    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }

    setters! {
        /// Sets the prefix.
        with_prefix(prefix: String);
        /// Sets the delimiter. An empty one groups nothing.
        with_delimiter(delimiter: String) => Some;
        /// Sets the key to start behind.
        with_start_after(start_after: String) => Some;
        /// Sets whether to list older versions.
        with_versions(versions: bool);
        /// Sets whether entries carry attributes.
        with_attributes(attributes: bool);
        /// Sets whether entries carry tags.
        with_tags(tags: bool);
    }
    setters! { number:
        /// Sets the most entries of a page; 0 counts as 1.
        with_page_size(page_size: u32);
    }
}

impl Requires for ListOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { prefix: _, delimiter, start_after, page_size: _, versions, attributes, tags } =
            self;
        if delimiter.as_deref().is_some_and(|delimiter| !matches!(delimiter, "" | "/")) {
            need(Feature::ListDelimiter);
        }
        if start_after.is_some() {
            need(Feature::ListStartAfter);
        }
        if *versions {
            need(Feature::ListVersions);
        }
        if *attributes {
            need(Feature::ListAttributes);
        }
        if *tags {
            need(Feature::ListTags);
        }
    }
}

/// What to copy from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopySource {
    /// The name.
    pub key: Key,
    /// The bucket, if it is another one of the same provider.
    pub bucket: Option<BucketName>,
    /// The version; the current one if unset.
    pub version: Option<VersionId>,
    /// Copy only if this holds for the source.
    pub precondition: Option<Precondition>,
}

impl CopySource {
    /// The current version of an object in this bucket.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { key, bucket: None, version: None, precondition: None }
    }

    setters! {
        /// Sets the bucket.
        with_bucket(bucket: BucketName) => Some;
        /// Sets the version.
        with_version(version: VersionId) => Some;
        /// Sets the condition on the source.
        with_precondition(precondition: Precondition) => Some;
    }
}

impl From<Key> for CopySource {
    fn from(key: Key) -> Self {
        Self::new(key)
    }
}

impl Requires for CopySource {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { key: _, bucket, version, precondition } = self;
        if bucket.is_some() {
            need(Feature::CopyAcrossBuckets);
        }
        if version.is_some() {
            need(Feature::CopySourceVersion);
        }
        if precondition.is_some() {
            need(Feature::CopySourceCondition);
        }
    }
}

/// How to copy. What is unset is taken over from the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Copy only if this holds for the target.
    pub precondition: Option<Precondition>,
    /// Replaces HTTP headers and user metadata, all of them.
    pub attributes: Option<Attributes>,
    /// Replaces the tags, all of them.
    pub tags: Option<Tags>,
    /// The storage class of the copy; the bucket's default if unset.
    pub storage_class: Option<StorageClass>,
}

impl CopyOptions {
    setters! {
        /// Sets the condition on the target.
        with_precondition(precondition: Precondition) => Some;
        /// Replaces HTTP headers and user metadata.
        with_attributes(attributes: Attributes) => Some;
        /// Replaces the tags.
        with_tags(tags: Tags) => Some;
        /// Sets the storage class.
        with_storage_class(storage_class: StorageClass) => Some;
    }
}

impl Requires for CopyOptions {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { precondition, attributes, tags, storage_class } = self;
        need_condition(precondition.as_ref(), Access::Write, need);
        if precondition.is_some() {
            need(Feature::CopyTargetCondition);
        }
        if let Some(attributes) = attributes {
            need_attributes(attributes, need);
        }
        if tags.is_some() {
            need(Feature::Tags);
        }
        if storage_class.is_some() {
            need(Feature::StorageClass);
        }
    }
}

/// What to change about an object in place. What is unset stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectUpdate {
    /// Change only if this holds.
    pub precondition: Option<Precondition>,
    /// Replaces HTTP headers and user metadata, all of them.
    pub attributes: Option<Attributes>,
    /// Replaces the tags, all of them.
    pub tags: Option<Tags>,
    /// Moves the object to this storage class.
    pub storage_class: Option<StorageClass>,
}

impl ObjectUpdate {
    setters! {
        /// Sets the condition.
        with_precondition(precondition: Precondition) => Some;
        /// Replaces HTTP headers and user metadata.
        with_attributes(attributes: Attributes) => Some;
        /// Replaces the tags.
        with_tags(tags: Tags) => Some;
        /// Sets the storage class.
        with_storage_class(storage_class: StorageClass) => Some;
    }
}

impl Requires for ObjectUpdate {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self { precondition, attributes, tags, storage_class } = self;
        need_condition(precondition.as_ref(), Access::Write, need);
        if let Some(attributes) = attributes {
            need(Feature::UpdateAttributes);
            need_attributes(attributes, need);
        }
        if tags.is_some() {
            need(Feature::UpdateTags);
        }
        if storage_class.is_some() {
            need(Feature::UpdateStorageClass);
        }
    }
}
