use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use polycloud_core::capability::Capabilities;
use polycloud_core::checksum::ChecksumSet;
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::object::{
    Access, Attributes, CopyOptions, CopySource, DeleteItem, DeleteMarker, DeleteOptions,
    DeleteOutcome, DeleteResult, ETag, GetOptions, GetResult, HeadOptions, Key, ListEntry,
    ListOptions, ListPage, MultipartStore, ObjectMeta, ObjectStore, ObjectUpdate, Payload,
    Precondition, PutOptions, PutResult, Revision, Signer, StoreInfo, Tags, Upload, UploadId,
    UploadOptions, Verify, VersionId,
};
use polycloud_core::page::PageToken;
use polycloud_core::{ErrorKind, Result, ResultExt};

use super::buckets::WeakBuckets;
use super::index::Index;
use super::multipart::Uploads;
use super::object::{Content, Object, Slot, Version};
use super::upload::MemoryUpload;
use crate::common::{CAPABILITIES, LIMITS, check_attributes, check_update};
use crate::listing::{self, Line};

pub(super) const PROVIDER: &str = "memory";

/// An object store in memory.
///
/// Puts and gets share the caller's bytes and copy none. Objects live until the last clone of the
/// store is dropped. All limits are those of the memory, but for 2 KiB of metadata per object.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> polycloud_core::Result<()> {
/// use polycloud_core::object::{GetOptions, Key, ObjectStore, Payload, PutOptions};
/// use polycloud_local::MemoryStore;
///
/// let store = MemoryStore::new();
/// let key = Key::new("greeting")?;
/// store.put(&key, Payload::from("hello"), &PutOptions::default()).await?;
/// assert_eq!(store.get(&key, &GetOptions::default()).await?.bytes().await?, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    info: StoreInfo,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) created: SystemTime,
    pub(super) index: Index,
    pub(super) uploads: Uploads,
    pub(super) versioned: AtomicBool,
    /// Set when the bucket was deleted: handles that are still around must not write into nowhere.
    pub(super) deleted: AtomicBool,
    /// The next number for an ETag or a version. Never reused.
    next: AtomicU64,
    /// The service that the bucket belongs to, for copies between buckets.
    buckets: WeakBuckets,
}

/// Settings of a [`MemoryStore`].
#[derive(Debug, Clone)]
pub struct MemoryStoreBuilder {
    name: String,
    versioned: bool,
    clock: Arc<dyn Clock>,
    buckets: WeakBuckets,
}

impl MemoryStoreBuilder {
    /// Sets the name that [`StoreInfo`] shows.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets whether older versions are kept. They are not by default.
    #[must_use]
    pub fn versioned(mut self, versioned: bool) -> Self {
        self.versioned = versioned;
        self
    }

    /// Sets where modification times come from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    pub(super) fn buckets(mut self, buckets: WeakBuckets) -> Self {
        self.buckets = buckets;
        self
    }

    /// Makes the store.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        let Self { name, versioned, clock, buckets } = self;
        let url = if name.is_empty() { "memory:".to_owned() } else { format!("memory://{name}") };
        MemoryStore(Arc::new(Inner {
            info: StoreInfo::new(PROVIDER, name, url),
            created: clock.now(),
            clock,
            index: Index::new(),
            uploads: Uploads::default(),
            versioned: AtomicBool::new(versioned),
            deleted: AtomicBool::new(false),
            next: AtomicU64::new(1),
            buckets,
        }))
    }
}

impl MemoryStore {
    /// An empty store that keeps no versions.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Sets up a store.
    #[must_use]
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder {
            name: String::new(),
            versioned: false,
            clock: SystemClock::shared(),
            buckets: WeakBuckets::default(),
        }
    }

    pub(super) fn set_versioned(&self, versioned: bool) {
        self.0.versioned.store(versioned, Ordering::Release);
    }

    pub(super) fn is_versioned(&self) -> bool {
        self.0.versioned.load(Ordering::Acquire)
    }

    fn check_alive(&self) -> Result<()> {
        if self.0.deleted.load(Ordering::Acquire) {
            return Err(ErrorKind::BucketNotFound.into());
        }
        Ok(())
    }

    /// A number that was never given out, as sixteen hexadecimal digits.
    fn fresh_id(&self) -> [u8; 16] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        std::array::from_fn(|i| {
            let digit = usize::try_from(number >> (60 - 4 * i) & 15).unwrap_or(0);
            *DIGITS.get(digit).unwrap_or(&b'0')
        })
    }

    pub(super) fn fresh_etag(&self) -> ETag {
        ETag::new(std::str::from_utf8(&self.fresh_id()).unwrap_or_default())
    }

    pub(super) fn fresh_version(&self) -> VersionId {
        VersionId::new(std::str::from_utf8(&self.fresh_id()).unwrap_or_default())
    }

    pub(super) fn fresh_upload(&self) -> UploadId {
        UploadId::new(String::from_utf8_lossy(&self.fresh_id()))
    }

    /// Makes an object that is not in the store yet.
    pub(super) fn object(
        &self,
        key: &Key,
        content: Content,
        checksums: ChecksumSet,
        attributes: Attributes,
        tags: Tags,
    ) -> Object {
        let version = self.is_versioned().then(|| self.fresh_version());
        let revision = Revision::new(self.fresh_etag(), version);
        let mut meta = ObjectMeta::new(key.clone(), content.len(), self.0.clock.now(), revision);
        meta.attributes = Some(attributes);
        meta.tags = Some(tags);
        meta.checksums = checksums;
        Object { meta, content }
    }

    /// Makes an object current, if the condition holds.
    pub(super) fn commit(
        &self,
        object: Object,
        condition: Option<&Precondition>,
    ) -> Result<PutResult> {
        let mut result = PutResult::new(object.meta.revision.clone(), object.meta.size);
        result.checksums = object.meta.checksums.clone();
        self.check_alive()?;
        let (key, keep) = (object.meta.key.clone(), object.meta.revision.version.is_some());
        // What was there is handed out of the lock, for freeing a large object takes a while.
        let replaced = self.0.index.change(&key, |slot| {
            if let Some(condition) = condition {
                condition.check(Access::Write, slot.current().map(|object| &object.meta))?;
            }
            Ok(slot.push(Version::Object(object), keep))
        });
        replaced.map(|_| result)
    }

    /// The object or version that a read means.
    fn find(&self, key: &Key, version: Option<&VersionId>) -> Result<Object> {
        self.check_alive()?;
        self.0.index.look(key, |slot| {
            let Some(id) = version else {
                let current = slot.and_then(Slot::current);
                return current.cloned().ok_or_else(|| ErrorKind::NotFound.into());
            };
            let slot = slot.ok_or(ErrorKind::NotFound)?;
            match slot.find(id) {
                Some(Version::Object(object)) => {
                    let mut object = object.clone();
                    let newest = slot.newest.as_ref().and_then(Version::id);
                    object.meta.is_latest = Some(newest == Some(id));
                    Ok(object)
                }
                Some(Version::Marker(_)) | None => Err(ErrorKind::VersionNotFound.into()),
            }
        })
    }

    pub(super) fn read(
        &self,
        key: &Key,
        version: Option<&VersionId>,
        condition: Option<&Precondition>,
    ) -> Result<Object> {
        let object = self.find(key, version)?;
        if let Some(condition) = condition {
            condition.check(Access::Read, Some(&object.meta))?;
        }
        Ok(object)
    }

    /// The object that a copy starts from, in this bucket or in another one of the same service.
    pub(super) fn source(&self, from: &CopySource) -> Result<Object> {
        let CopySource { key, bucket, version, precondition, .. } = from;
        let store = match bucket {
            Some(name) => self.0.buckets.open(name)?,
            None => self.clone(),
        };
        store.read(key, version.as_ref(), precondition.as_ref())
    }

    fn remove(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        self.check_alive()?;
        self.0.index.change(key, |slot| {
            let current = slot.current().map(|object| &object.meta);
            if let Some(condition) = &options.precondition {
                condition.check(Access::Delete, current)?;
            }
            let existed = current.is_some();
            if let Some(id) = &options.version {
                return Ok(DeleteResult::new(Some(slot.remove(id).is_some())));
            }
            let mut result = DeleteResult::new(Some(existed));
            if existed && self.is_versioned() {
                let id = self.fresh_version();
                let marker = DeleteMarker::new(key.clone(), id.clone(), self.0.clock.now(), true);
                slot.push(Version::Marker(marker), true);
                result.delete_marker = Some(id);
            } else if existed {
                slot.newest = None;
            }
            Ok(result)
        })
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({})", self.0.info)
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn info(&self) -> &StoreInfo {
        &self.0.info
    }

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        let read = || {
            CAPABILITIES.check(options)?;
            let object = self.read(key, options.version.as_ref(), options.precondition.as_ref())?;
            let size = object.meta.size;
            let range = options.range.map_or(Ok(0..size), |range| range.resolve(size))?;
            let body = object.content.body(&range);
            let checksum = object.meta.checksums.cheapest();
            let checksum =
                checksum.filter(|_| range == (0..size) && options.verify == Verify::IfStored);
            let mut meta = object.meta;
            meta.tags = None;
            let result = GetResult::new(meta, range, body);
            Ok(match checksum {
                Some(checksum) => result.verified(checksum),
                None => result,
            })
        };
        read().during(PROVIDER, "get", key)
    }

    async fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        let read = || {
            CAPABILITIES.check(options)?;
            let object = self.read(key, options.version.as_ref(), options.precondition.as_ref())?;
            let mut meta = object.meta;
            if !options.tags {
                meta.tags = None;
            }
            Ok(meta)
        };
        read().during(PROVIDER, "head", key)
    }

    async fn put(&self, key: &Key, payload: Payload, options: &PutOptions) -> Result<PutResult> {
        let write = async {
            CAPABILITIES.check(options)?;
            check_attributes(&options.attributes)?;
            let content = Content::take(&payload).await?;
            let checksums = content.checksums(options.checksum).await?;
            let (attributes, tags) = (options.attributes.clone(), options.tags.clone());
            let object = self.object(key, content, checksums, attributes, tags);
            self.commit(object, options.precondition.as_ref())
        };
        write.await.during(PROVIDER, "put", key)
    }

    async fn upload(&self, key: &Key, options: &UploadOptions) -> Result<Box<dyn Upload>> {
        CAPABILITIES
            .check(options)
            .and_then(|()| check_attributes(&options.put.attributes))
            .during(PROVIDER, "upload", key)?;
        Ok(Box::new(MemoryUpload::new(self.clone(), key.clone(), options.put.clone())))
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        let removed = CAPABILITIES.check(options).and_then(|()| self.remove(key, options));
        removed.during(PROVIDER, "delete", key)
    }

    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        let delete = |item: DeleteItem| {
            let removed =
                CAPABILITIES.check(&item).and_then(|()| self.remove(&item.key, &item.options));
            let result = removed.during(PROVIDER, "delete_many", &item.key);
            DeleteOutcome::new(item, result)
        };
        items.into_iter().map(delete).collect()
    }

    async fn list_page(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        let list = || {
            CAPABILITIES.check(options)?;
            self.check_alive()?;
            let order = self.0.index.in_order();
            let (lines, next) = if options.versions {
                listing::page(&mut order.versions(), options, token, LIMITS.list_page)?
            } else {
                listing::page(&mut order.objects(), options, token, LIMITS.list_page)?
            };
            drop(order);
            let entries = lines.into_iter().map(|line| match line {
                Line::Object(entry) => strip(entry, options),
                Line::Prefix(prefix) => ListEntry::Prefix(prefix),
            });
            Ok(ListPage::new(entries.collect(), next))
        };
        list().during(PROVIDER, "list_page", &options.prefix)
    }

    async fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult> {
        let copy = || {
            CAPABILITIES.check(from)?;
            CAPABILITIES.check(options)?;
            let Object { meta, content } = self.source(from)?;
            let attributes = options.attributes.clone().or(meta.attributes).unwrap_or_default();
            check_attributes(&attributes)?;
            let tags = options.tags.clone().or(meta.tags).unwrap_or_default();
            let object = self.object(to, content, meta.checksums, attributes, tags);
            self.commit(object, options.precondition.as_ref())
        };
        copy().during(PROVIDER, "copy", to)
    }

    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        let change = || {
            CAPABILITIES.check(update)?;
            check_update(update)?;
            self.check_alive()?;
            self.0.index.change(key, |slot| {
                let meta = &mut slot.current_mut().ok_or(ErrorKind::NotFound)?.meta;
                if let Some(condition) = &update.precondition {
                    condition.check(Access::Write, Some(meta))?;
                }
                if let Some(attributes) = &update.attributes {
                    meta.attributes = Some(attributes.clone());
                }
                if let Some(tags) = &update.tags {
                    meta.tags = Some(tags.clone());
                }
                meta.revision.etag = Some(self.fresh_etag());
                meta.last_modified = self.0.clock.now();
                Ok(meta.clone())
            })
        };
        change().during(PROVIDER, "update", key)
    }

    fn signer(&self) -> Option<&dyn Signer> {
        None
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(self)
    }

    fn native(&self) -> &dyn Any {
        self
    }
}

/// Leaves out what the listing did not ask for.
fn strip(mut entry: ListEntry, options: &ListOptions) -> ListEntry {
    if let ListEntry::Object(meta) = &mut entry {
        if !options.attributes {
            meta.attributes = None;
        }
        if !options.tags {
            meta.tags = None;
        }
    }
    entry
}
