use std::any::Any;
use std::collections::btree_map::Entry;
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
    Precondition, PutOptions, PutResult, Revision, Signer, StoreInfo, Tags, Upload, UploadOptions,
    Verify, VersionId,
};
use polycloud_core::page::PageToken;
use polycloud_core::{ErrorKind, Result, ResultExt};

use super::buckets::WeakBuckets;
use super::multipart::Uploads;
use super::object::{Content, Object, Slot, Version};
use super::shards::Shards;
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
    pub(super) shards: Shards,
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
            shards: Shards::new(),
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

    pub(super) fn fresh_id(&self) -> String {
        format!("{:016x}", self.0.next.fetch_add(1, Ordering::Relaxed))
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
        let id = self.fresh_id();
        let version = self.is_versioned().then(|| VersionId::new(&id));
        let revision = Revision::new(ETag::new(&id), version);
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
        let mut shard = self.0.shards.write(&object.meta.key);
        self.check_alive()?;
        if let Some(condition) = condition {
            let current = shard.get(&object.meta.key).and_then(Slot::current);
            condition.check(Access::Write, current.map(|object| &object.meta))?;
        }
        let (key, keep) = (object.meta.key.clone(), object.meta.revision.version.is_some());
        let replaced = shard.entry(key).or_default().push(Version::Object(object), keep);
        // Freeing a large object takes a while, so the lock goes first.
        drop(shard);
        drop(replaced);
        Ok(result)
    }

    /// The object or version that a read means.
    fn find(&self, key: &Key, version: Option<&VersionId>) -> Result<Object> {
        self.check_alive()?;
        let shard = self.0.shards.read(key);
        let slot = shard.get(key);
        let Some(id) = version else {
            let current = slot.and_then(Slot::current);
            return current.cloned().ok_or_else(|| ErrorKind::NotFound.into());
        };
        let slot = slot.ok_or(ErrorKind::NotFound)?;
        match slot.find(id) {
            Some(Version::Object(object)) => {
                let mut object = object.clone();
                let newest = slot.newest.as_ref().and_then(Version::id);
                object.meta.is_latest = newest == Some(id);
                Ok(object)
            }
            Some(Version::Marker(_)) | None => Err(ErrorKind::VersionNotFound.into()),
        }
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
        let mut shard = self.0.shards.write(key);
        let current = shard.get(key).and_then(Slot::current);
        if let Some(condition) = &options.precondition {
            condition.check(Access::Delete, current.map(|object| &object.meta))?;
        }
        let existed = current.is_some();
        let Some(id) = &options.version else {
            if !self.is_versioned() {
                if let Entry::Occupied(mut slot) = shard.entry(key.clone()) {
                    drop(slot.get_mut().newest.take_if(|_| existed));
                    if slot.get().is_empty() {
                        slot.remove();
                    }
                }
                return Ok(DeleteResult::new(Some(existed)));
            }
            if !existed {
                return Ok(DeleteResult::new(Some(false)));
            }
            let marker = VersionId::new(self.fresh_id());
            let version = DeleteMarker::new(key.clone(), marker.clone(), self.0.clock.now(), true);
            shard.entry(key.clone()).or_default().push(Version::Marker(version), true);
            let mut result = DeleteResult::new(Some(existed));
            result.delete_marker = Some(marker);
            return Ok(result);
        };
        let Some(slot) = shard.get_mut(key) else { return Ok(DeleteResult::new(Some(false))) };
        let removed = slot.remove(id);
        if slot.is_empty() {
            shard.remove(key);
        }
        Ok(DeleteResult::new(Some(removed.is_some())))
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
            let checksums = content.checksums(options.checksum)?;
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
            let snapshot = self.0.shards.snapshot();
            let mut walk = snapshot.walk(options.versions);
            let (lines, next) = listing::page(&mut walk, options, token, LIMITS.list_page)?;
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
            let object =
                self.object(to, content, meta.checksums, attributes, tags);
            self.commit(object, options.precondition.as_ref())
        };
        copy().during(PROVIDER, "copy", to)
    }

    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        let change = || {
            CAPABILITIES.check(update)?;
            check_update(update)?;
            self.check_alive()?;
            let mut shard = self.0.shards.write(key);
            let object = shard.get_mut(key).and_then(Slot::current_mut);
            let meta = &mut object.ok_or(ErrorKind::NotFound)?.meta;
            if let Some(condition) = &update.precondition {
                condition.check(Access::Write, Some(meta))?;
            }
            if let Some(attributes) = &update.attributes {
                meta.attributes = Some(attributes.clone());
            }
            if let Some(tags) = &update.tags {
                meta.tags = Some(tags.clone());
            }
            meta.revision.etag = Some(ETag::new(self.fresh_id()));
            meta.last_modified = self.0.clock.now();
            Ok(meta.clone())
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
