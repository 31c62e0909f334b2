use std::any::Any;
use std::sync::{Arc, LazyLock, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use polycloud_core::capability::{Capabilities, Feature, Support};
use polycloud_core::checksum::ChecksumSet;
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::object::{
    Access, Body, ChecksumRequest, CopyOptions, CopySource, DeleteItem, DeleteMarker,
    DeleteOptions, DeleteOutcome, DeleteResult, ETag, GetOptions, GetResult, HeadOptions, Key,
    ListOptions, ListPage, MultipartStore, ObjectMeta, ObjectStore, ObjectUpdate, Payload,
    Precondition, PutOptions, PutResult, Range, Revision, Signer, StoreInfo, Upload, UploadOptions,
    Verify, VersionId,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result, ResultExt};

use super::fault::Fault;
use super::listing;
use super::state::{Object, Shared, State, Version};

pub(crate) const PROVIDER: &str = "plain";

/// Everything but storage classes, signed URLs and what is above a single bucket.
pub(crate) static CAPABILITIES: LazyLock<Capabilities> = LazyLock::new(|| {
    use Feature as F;
    let missing = [
        F::StorageClass,
        F::UpdateStorageClass,
        F::SignedUrls,
        F::CopyAcrossBuckets,
        F::BucketVersioning,
        F::BucketLifecycle,
        F::BucketLocation,
    ];
    let has = |feature: &Feature| !feature.is_compute() && !missing.contains(feature);
    let features: Vec<_> = Feature::ALL.iter().copied().filter(has).collect();
    Capabilities::NONE.with(Support::Native, &features)
});

/// The capabilities of a store that lacks a feature.
pub(crate) fn capabilities(without: Option<Feature>) -> Capabilities {
    CAPABILITIES.clone().with(Support::Unsupported, without.as_slice())
}

/// A part of content.
pub(super) fn cut(content: &Bytes, range: &std::ops::Range<u64>) -> Bytes {
    let at = |position| usize::try_from(position).unwrap();
    content.slice(at(range.start)..at(range.end))
}

/// A bucket behind one lock.
#[derive(Debug, Clone)]
pub(crate) struct PlainStore {
    info: Arc<StoreInfo>,
    declared: Arc<Capabilities>,
    /// What it refuses by: what it declares, unless it is faulty.
    pub(super) able: Arc<Capabilities>,
    versioned: bool,
    pub(super) fault: Option<Fault>,
    state: Shared,
}

impl PlainStore {
    pub(crate) fn new(versioned: bool, fault: Option<Fault>, without: Option<Feature>) -> Self {
        let declared = Arc::new(capabilities(without));
        let able = match fault {
            Some(Fault::NotRefused) => Arc::new(capabilities(None)),
            _ => Arc::clone(&declared),
        };
        let info = Arc::new(StoreInfo::new(PROVIDER, "plain", "plain:"));
        Self { info, declared, able, versioned, fault, state: Shared::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) fn now(&self) -> std::time::SystemTime {
        SystemClock::new().now()
    }

    /// Leaves the others time to come in between.
    async fn dawdle(&self) {
        SystemClock::new().sleep(std::time::Duration::from_millis(2)).await;
    }

    /// The key that a faulty store takes for this one.
    pub(super) fn key(&self, key: &Key) -> Key {
        let name = match self.fault {
            Some(Fault::KeysTrimmed) => key.trim().to_owned(),
            Some(Fault::SlashesCollapsed) => {
                let mut name = key.as_str().to_owned();
                while name.contains("//") {
                    name = name.replace("//", "/");
                }
                name
            }
            Some(Fault::KeysFolded) => key.to_lowercase(),
            _ => return key.clone(),
        };
        Key::new(name).unwrap_or_else(|_| Key::new("-").unwrap())
    }

    fn check(&self, condition: Option<&Precondition>, current: Option<&ObjectMeta>) -> Result<()> {
        let Some(condition) = condition else { return Ok(()) };
        let ignored = match condition {
            Precondition::IfAbsent => self.has(Fault::IfAbsentIgnored),
            Precondition::IfUnchanged(_) => self.has(Fault::IfUnchangedIgnored),
            _ => false,
        };
        if ignored { Ok(()) } else { condition.check(Access::Write, current) }
    }

    /// Makes content the current object of a key.
    pub(super) fn write(
        &self,
        key: &Key,
        content: Bytes,
        options: &PutOptions,
        checksums: ChecksumSet,
    ) -> Result<PutResult> {
        let (key, mut state) = (self.key(key), self.lock());
        let current = state.current(&key).map(|object| object.meta.clone());
        self.check(options.precondition.as_ref(), current.as_ref())?;
        let id = state.number();
        let etag = if self.has(Fault::EtagConstant) { "etag".to_owned() } else { id.clone() };
        let version = self.versioned.then(|| VersionId::new(&id));
        let revision = Revision::new(ETag::new(etag), version);
        let mut meta = ObjectMeta::new(key.clone(), content.len() as u64, self.now(), revision);
        let old = current.filter(|_| self.has(Fault::MetadataSurvives));
        let kept = old.and_then(|meta| meta.attributes);
        meta.attributes = kept.or_else(|| Some(options.attributes.clone()));
        meta.tags = Some(options.tags.clone());
        meta.checksums = checksums.clone();
        let mut result = PutResult::new(meta.revision.clone(), meta.size);
        result.checksums = checksums;
        let versions = state.keys.entry(key).or_default();
        if !self.versioned {
            versions.clear();
        }
        versions.push(Version::Object(Object { meta, content }));
        Ok(result)
    }

    /// The checksums to store with content, compared where they are expected.
    pub(super) fn checksums(
        &self,
        content: &[u8],
        request: ChecksumRequest,
    ) -> Result<ChecksumSet> {
        let Some(algorithm) = request.algorithm() else { return Ok(ChecksumSet::new()) };
        let actual = algorithm.of(content);
        if let ChecksumRequest::Expect(expected) = request
            && !self.has(Fault::ChecksumUnchecked)
        {
            expected.verify(&actual)?;
        }
        Ok(ChecksumSet::from_iter([actual]))
    }

    pub(super) async fn content(&self, payload: &Payload) -> Result<Bytes> {
        use futures::StreamExt;
        if !self.has(Fault::SourceCutShort) {
            return payload.bytes().await;
        }
        let mut stream = payload.stream();
        let mut content = Vec::new();
        while let Some(Ok(chunk)) = stream.next().await {
            content.extend_from_slice(&chunk);
        }
        Ok(content.into())
    }

    fn find(&self, key: &Key, version: Option<&VersionId>) -> Result<Object> {
        let (key, state) = (self.key(key), self.lock());
        let Some(id) = version else {
            return state.current(&key).cloned().ok_or_else(|| ErrorKind::NotFound.into());
        };
        let versions = state.keys.get(&key).map_or(&[][..], Vec::as_slice);
        let found = versions.iter().find(|version| version.id() == Some(id));
        if let Some(Version::Object(object)) = found {
            let mut object = object.clone();
            object.meta.is_latest = Some(versions.last().and_then(Version::id) == Some(id));
            return Ok(object);
        }
        let mut undead = state.undead.iter();
        let undead = undead.find(|object| object.meta.revision.version.as_ref() == Some(id));
        undead.cloned().ok_or_else(|| ErrorKind::VersionNotFound.into())
    }

    pub(super) fn read(
        &self,
        key: &Key,
        version: Option<&VersionId>,
        condition: Option<&Precondition>,
    ) -> Result<Object> {
        let object = self.find(key, version);
        if let Some(condition) = condition {
            condition.check(Access::Read, object.as_ref().ok().map(|object| &object.meta))?;
        }
        object
    }

    /// The bytes that a range means, to this store.
    fn resolve(&self, range: &Range, size: u64) -> Result<std::ops::Range<u64>> {
        match range.resolve(size) {
            Ok(range) if self.has(Fault::RangeOffByOne) && range.end < size => {
                Ok(range.start..range.end + 1)
            }
            Err(_) if self.has(Fault::RangeBehindEndIsEmpty) => Ok(0..0),
            resolved => resolved,
        }
    }

    fn remove(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        self.able.check(options)?;
        let (key, mut state) = (self.key(key), self.lock());
        let current = state.current(&key).map(|object| object.meta.clone());
        if let Some(condition) = &options.precondition
            && !self.has(Fault::DeleteConditionIgnored)
        {
            condition.check(Access::Delete, current.as_ref())?;
        }
        let existed = current.is_some();
        if let Some(id) = &options.version {
            return Ok(self.remove_version(&mut state, &key, id));
        }
        if !existed && self.has(Fault::DeleteMissingFails) {
            return Err(ErrorKind::NotFound.into());
        }
        if let Some(meta) = current.filter(|_| self.has(Fault::DeletedStaysListed)) {
            state.ghosts.insert(key.clone(), meta);
        }
        let mut result = DeleteResult::new(Some(existed));
        if !self.versioned || self.has(Fault::DeleteTakesVersions) {
            state.keys.remove(&key);
        } else if existed {
            let id = VersionId::new(state.number());
            let marker = DeleteMarker::new(key.clone(), id.clone(), self.now(), true);
            state.keys.entry(key).or_default().push(Version::Marker(marker));
            result.delete_marker = Some(id);
        }
        Ok(result)
    }

    fn remove_version(&self, state: &mut State, key: &Key, id: &VersionId) -> DeleteResult {
        let Some(versions) = state.keys.get_mut(key) else { return DeleteResult::new(Some(false)) };
        let position = versions.iter().position(|version| version.id() == Some(id));
        let Some(position) = position else { return DeleteResult::new(Some(false)) };
        let removed = versions.remove(position);
        if versions.is_empty() {
            state.keys.remove(key);
        }
        if let Version::Object(object) = removed
            && self.has(Fault::VersionsUndead)
        {
            state.undead.push(object);
        }
        DeleteResult::new(Some(true))
    }
}

#[async_trait]
impl ObjectStore for PlainStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.declared
    }

    async fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        let get = || {
            self.able.check(options)?;
            let GetOptions { range, version, precondition, verify, .. } = options;
            let Object { mut meta, content } =
                self.read(key, version.as_ref(), precondition.as_ref())?;
            meta.tags = None;
            meta.key = key.clone();
            let all = 0..meta.size;
            let range = range.map_or(Ok(all.clone()), |range| self.resolve(&range, meta.size))?;
            let checksum = meta.checksums.cheapest();
            let body = cut(&content, &range);
            let result = GetResult::new(meta, range.clone(), Body::from(body));
            Ok(match checksum.filter(|_| range == all && *verify == Verify::IfStored) {
                Some(checksum) => result.verified(checksum),
                None => result,
            })
        };
        get().during(PROVIDER, "get", key)
    }

    async fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        let head = || {
            self.able.check(options)?;
            let HeadOptions { version, precondition, tags, .. } = options;
            let mut meta = self.read(key, version.as_ref(), precondition.as_ref())?.meta;
            meta.key = key.clone();
            meta.tags = meta.tags.filter(|_| *tags);
            Ok(meta)
        };
        head().during(PROVIDER, "head", key)
    }

    async fn put(&self, key: &Key, payload: Payload, options: &PutOptions) -> Result<PutResult> {
        let put = async {
            let mut options = options.clone();
            self.able.check(&options)?;
            let content = self.content(&payload).await?;
            let checksums = self.checksums(&content, options.checksum)?;
            if self.has(Fault::TornWrites) {
                let half = content.slice(..content.len() / 2);
                self.write(key, half, &options, ChecksumSet::new())?;
                self.dawdle().await;
                options.precondition = None;
            }
            if self.has(Fault::SwapNotAtomic) {
                let current = self.lock().current(key).map(|object| object.meta.clone());
                self.check(options.precondition.as_ref(), current.as_ref())?;
                self.dawdle().await;
                options.precondition = None;
            }
            self.write(key, content, &options, checksums)
        };
        put.await.during(PROVIDER, "put", key)
    }

    async fn upload(&self, key: &Key, options: &UploadOptions) -> Result<Box<dyn Upload>> {
        let mut put = options.put.clone();
        self.able.check(&put).during(PROVIDER, "upload", key)?;
        if self.has(Fault::UploadDecidesEarly) {
            let current = self.lock().current(key).map(|object| object.meta.clone());
            self.check(put.precondition.take().as_ref(), current.as_ref())?;
        }
        Ok(Box::new(PlainUpload {
            store: self.clone(),
            key: key.clone(),
            options: put,
            content: Vec::new(),
            aborted: false,
        }))
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        self.remove(key, options).during(PROVIDER, "delete", key)
    }

    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        let mut outcomes: Vec<_> = items
            .into_iter()
            .map(|item| {
                let result = self.remove(&item.key, &item.options);
                let result = result.during(PROVIDER, "delete_many", &item.key);
                DeleteOutcome::new(item, result)
            })
            .collect();
        if self.has(Fault::OutcomesSorted) {
            outcomes.sort_by(|a, b| a.item.key.cmp(&b.item.key));
        }
        outcomes
    }

    async fn list_page(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        let list = || {
            self.able.check(options)?;
            listing::page(&self.lock(), options, token, self.fault)
        };
        list().during(PROVIDER, "list_page", &options.prefix)
    }

    async fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult> {
        let copy = || {
            self.able.check(from)?;
            self.able.check(options)?;
            let CopySource { key, version, precondition, .. } = from;
            let Object { meta, content } =
                self.read(key, version.as_ref(), precondition.as_ref())?;
            let mut put = PutOptions::default();
            put.precondition = options.precondition.clone();
            let attributes = options.attributes.clone().or(meta.attributes);
            put.attributes = attributes.unwrap_or_default();
            let kept = meta.tags.filter(|_| !self.has(Fault::CopyDropsTags));
            put.tags = options.tags.clone().or(kept).unwrap_or_default();
            self.write(to, content, &put, meta.checksums)
        };
        copy().during(PROVIDER, "copy", to)
    }

    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        let change = || {
            self.able.check(update)?;
            let ObjectUpdate { precondition, attributes, tags, storage_class, .. } = update;
            if attributes.is_none() && tags.is_none() && storage_class.is_none() {
                return Err(Error::invalid("nothing to change"));
            }
            let (key, mut state) = (self.key(key), self.lock());
            let etag = ETag::new(state.number());
            let object = state.current_mut(&key).ok_or(ErrorKind::NotFound)?;
            self.check(precondition.as_ref(), Some(&object.meta))?;
            if let Some(attributes) = attributes {
                object.meta.attributes = Some(attributes.clone());
            } else if self.has(Fault::UpdateDropsAttributes) {
                object.meta.attributes = Some(Default::default());
            }
            if let Some(tags) = tags {
                object.meta.tags = Some(tags.clone());
            }
            object.meta.revision.etag = Some(etag);
            Ok(object.meta.clone())
        };
        change().during(PROVIDER, "update", key)
    }

    fn signer(&self) -> Option<&dyn Signer> {
        None
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        self.able.has(Feature::Multipart).then_some(self)
    }

    fn native(&self) -> &dyn Any {
        self
    }
}

/// Gathers the pieces.
#[derive(Debug)]
struct PlainUpload {
    store: PlainStore,
    key: Key,
    options: PutOptions,
    content: Vec<u8>,
    aborted: bool,
}

impl PlainUpload {
    fn finish(&mut self) -> Result<PutResult> {
        self.aborted = true;
        let content = Bytes::from(std::mem::take(&mut self.content));
        let checksums = self.store.checksums(&content, self.options.checksum)?;
        self.store.write(&self.key, content, &self.options, checksums)
    }
}

#[async_trait]
impl Upload for PlainUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.content.extend_from_slice(&chunk);
        if self.store.has(Fault::UploadVisibleEarly) {
            let content = self.content.clone().into();
            self.store.write(&self.key, content, &self.options, ChecksumSet::new())?;
        }
        Ok(())
    }

    async fn complete(mut self: Box<Self>) -> Result<PutResult> {
        self.finish().during(PROVIDER, "upload", &self.key)
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        self.aborted = true;
        Ok(())
    }
}

impl Drop for PlainUpload {
    fn drop(&mut self) {
        if !self.aborted && self.store.has(Fault::DropCompletes) {
            let _written = self.finish();
        }
    }
}
