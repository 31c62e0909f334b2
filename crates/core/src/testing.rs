//! A store in memory for the tests of this crate, which can be told to fail, wait and lie.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use tokio::sync::Semaphore;

use crate::capability::{Capabilities, Feature, Support};
use crate::checksum::{ChecksumAlgorithm, ChecksumSet};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{
    Access, Body, CompleteOptions, CopyOptions, CopySource, DeleteItem, DeleteOptions,
    DeleteOutcome, DeleteResult, ETag, GetOptions, GetResult, HeadOptions, Key, ListEntry,
    ListOptions, ListPage, MultipartStore, ObjectMeta, ObjectStore, ObjectUpdate, Part, PartNumber,
    PartedUpload, Payload, Precondition, PutOptions, PutResult, Range, Revision, Signer, StoreInfo,
    Upload, UploadId, UploadInfo, UploadOptions, UploadPage,
};
use crate::page::PageToken;

/// One call that reached the store.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) operation: &'static str,
    pub(crate) key: String,
    pub(crate) range: Option<Range>,
    pub(crate) conditional: bool,
}

type Hook = Box<dyn FnMut(&FakeStore, &Seen) -> Result<()> + Send>;

/// See the [module documentation](self). Clones share the objects.
#[derive(Clone)]
pub(crate) struct FakeStore(Arc<Inner>);

struct Inner {
    info: StoreInfo,
    capabilities: Capabilities,
    state: Mutex<State>,
    hook: Mutex<Option<Hook>>,
    gates: Mutex<BTreeMap<&'static str, Arc<Semaphore>>>,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    waiting: BTreeMap<&'static str, usize>,
    objects: BTreeMap<Key, (ObjectMeta, Bytes)>,
    uploads: BTreeMap<UploadId, FakeUpload>,
    serial: u64,
}

struct FakeUpload {
    key: Key,
    options: PutOptions,
    parts: BTreeMap<PartNumber, (Part, Bytes)>,
}

impl fmt::Debug for FakeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeStore")
    }
}

impl FakeStore {
    /// Has every feature of stores, and 3 entries a page.
    pub(crate) fn new() -> Self {
        let of_stores: Vec<Feature> =
            Feature::ALL.iter().copied().filter(|feature| !feature.is_compute()).collect();
        let mut capabilities = Capabilities::NONE.with(Support::Native, &of_stores);
        capabilities.limits.list_page = 3;
        capabilities.limits.delete_batch = 4;
        Self::with_capabilities(capabilities)
    }

    pub(crate) fn with_capabilities(capabilities: Capabilities) -> Self {
        Self(Arc::new(Inner {
            info: StoreInfo::new("fake", "bucket", "fake:bucket"),
            capabilities,
            state: Mutex::default(),
            hook: Mutex::default(),
            gates: Mutex::default(),
        }))
    }

    pub(crate) fn without(self, features: &[Feature]) -> Self {
        Self::with_capabilities(self.capabilities().clone().with(Support::Unsupported, features))
    }

    pub(crate) fn shared(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.clone())
    }

    /// Runs before each call, with nothing locked; an error is the call's.
    pub(crate) fn before(&self, hook: impl FnMut(&Self, &Seen) -> Result<()> + Send + 'static) {
        *self.0.hook.lock().unwrap() = Some(Box::new(hook));
    }

    /// Fails each call of an operation.
    pub(crate) fn fail(&self, operation: &'static str, kind: ErrorKind) {
        self.before(move |_, seen| match seen.operation == operation {
            true => Err(Error::new(kind)),
            false => Ok(()),
        });
    }

    /// Calls of an operation wait for a permit, and keep it.
    pub(crate) fn gate(&self, operation: &'static str) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.0.gates.lock().unwrap().insert(operation, Arc::clone(&gate));
        gate
    }

    /// How many calls of an operation wait for a permit now.
    pub(crate) fn waiting(&self, operation: &str) -> usize {
        self.state().waiting.get(operation).copied().unwrap_or(0)
    }

    pub(crate) fn seen(&self, operation: &str) -> Vec<Seen> {
        self.state().seen.iter().filter(|seen| seen.operation == operation).cloned().collect()
    }

    pub(crate) fn write(&self, key: &str, content: impl AsRef<[u8]>) -> ObjectMeta {
        self.commit(&Key::new(key.to_owned()).unwrap(), content.as_ref(), &PutOptions::default())
            .unwrap();
        self.state().objects[key].0.clone()
    }

    pub(crate) fn remove(&self, key: &str) {
        self.state().objects.remove(key);
    }

    pub(crate) fn read(&self, key: &str) -> Option<Bytes> {
        self.state().objects.get(key).map(|(_, content)| content.clone())
    }

    pub(crate) fn meta(&self, key: &str) -> ObjectMeta {
        self.state().objects[key].0.clone()
    }

    /// Changes a byte of the content, but not the checksum.
    pub(crate) fn corrupt(&self, key: &str) {
        let mut state = self.state();
        let content = &mut state.objects.get_mut(key).unwrap().1;
        let mut bytes = content.to_vec();
        bytes[0] ^= 1;
        *content = bytes.into();
    }

    /// Takes away the last byte of the content, but changes neither size nor checksum.
    pub(crate) fn shorten(&self, key: &str) {
        let mut state = self.state();
        let content = &mut state.objects.get_mut(key).unwrap().1;
        content.truncate(content.len() - 1);
    }

    pub(crate) fn forget_checksum(&self, key: &str) {
        self.state().objects.get_mut(key).unwrap().0.checksums = ChecksumSet::new();
    }

    pub(crate) fn open_uploads(&self) -> usize {
        self.state().uploads.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    async fn enter(&self, operation: &'static str, key: &str) -> Result<()> {
        self.enter_with(operation, key, None, false).await
    }

    async fn enter_with(
        &self,
        operation: &'static str,
        key: &str,
        range: Option<Range>,
        conditional: bool,
    ) -> Result<()> {
        let seen = Seen { operation, key: key.to_owned(), range, conditional };
        self.state().seen.push(seen.clone());
        let gate = self.0.gates.lock().unwrap().get(operation).cloned();
        if let Some(gate) = gate {
            *self.state().waiting.entry(operation).or_default() += 1;
            let waiting = Waiting(self, operation);
            gate.acquire().await.unwrap().forget();
            drop(waiting);
        }
        let hook = self.0.hook.lock().unwrap().take();
        let Some(mut hook) = hook else { return Ok(()) };
        let result = hook(self, &seen);
        self.0.hook.lock().unwrap().get_or_insert(hook);
        result
    }

    fn commit(&self, key: &Key, content: &[u8], options: &PutOptions) -> Result<PutResult> {
        let mut state = self.state();
        let current = state.objects.get(key).map(|(meta, _)| meta);
        check(options.precondition.as_ref(), Access::Write, current)?;
        state.serial += 1;
        let revision = Revision::new(ETag::new(format!("e{}", state.serial)), None);
        let size = content.len() as u64;
        let mut meta = ObjectMeta::new(key.clone(), size, SystemTime::UNIX_EPOCH, revision.clone());
        meta.attributes = Some(options.attributes.clone());
        meta.tags = Some(options.tags.clone());
        meta.checksums.insert(ChecksumAlgorithm::Crc32c.of(content));
        // Copied, so that tests can see when the caller's bytes are let go.
        state.objects.insert(key.clone(), (meta, Bytes::copy_from_slice(content)));
        Ok(PutResult::new(revision, size))
    }

    fn current(&self, key: &Key, condition: Option<&Precondition>) -> Result<(ObjectMeta, Bytes)> {
        let state = self.state();
        let found = state.objects.get(key);
        check(condition, Access::Read, found.map(|(meta, _)| meta))?;
        found.cloned().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

/// What is there of a range of the content, which may be shorter than the metadata says.
fn slice(content: &Bytes, range: std::ops::Range<u64>) -> Bytes {
    let index = |at| usize::try_from(at).unwrap().min(content.len());
    content.slice(index(range.start)..index(range.end))
}

/// Counts a call that waits, also if it is cancelled.
struct Waiting<'a>(&'a FakeStore, &'static str);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *self.0.state().waiting.entry(self.1).or_default() -= 1;
    }
}

fn check(
    condition: Option<&Precondition>,
    access: Access,
    current: Option<&ObjectMeta>,
) -> Result<()> {
    condition.map_or(Ok(()), |condition| condition.check(access, current))
}

#[async_trait]
impl ObjectStore for FakeStore {
    fn info(&self) -> &StoreInfo {
        &self.0.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    async fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        self.capabilities().check(options)?;
        let condition = options.precondition.as_ref();
        self.enter_with("get", key, options.range, condition.is_some()).await?;
        let (meta, content) = self.current(key, condition)?;
        let range = options.range.map_or(Ok(0..meta.size), |range| range.resolve(meta.size))?;
        let part = slice(&content, range.clone());
        let chunks: Vec<_> =
            part.chunks(1_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let body = Body::from_stream(stream::iter(chunks).boxed());
        let checksum = meta.checksums.cheapest().filter(|_| options.range.is_none());
        let result = GetResult::new(meta, range, body);
        Ok(match checksum {
            Some(checksum) => result.verified(checksum),
            None => result,
        })
    }

    async fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        self.capabilities().check(options)?;
        self.enter_with("head", key, None, options.precondition.is_some()).await?;
        let mut meta = self.current(key, options.precondition.as_ref())?.0;
        meta.tags = meta.tags.filter(|_| options.tags);
        Ok(meta)
    }

    async fn put(&self, key: &Key, payload: Payload, options: &PutOptions) -> Result<PutResult> {
        self.capabilities().check(options)?;
        self.enter_with("put", key, None, options.precondition.is_some()).await?;
        let content = payload.bytes().await?;
        if let crate::object::ChecksumRequest::Expect(checksum) = options.checksum {
            checksum.verify(&checksum.algorithm().of(&content))?;
        }
        self.commit(key, &content, options)
    }

    async fn upload(&self, key: &Key, options: &UploadOptions) -> Result<Box<dyn Upload>> {
        self.enter("upload", key).await?;
        Ok(Box::new(PartedUpload::new(self.shared(), key.clone(), options.clone())?))
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        self.capabilities().check(options)?;
        self.enter_with("delete", key, None, options.precondition.is_some()).await?;
        let mut state = self.state();
        let current = state.objects.get(key).map(|(meta, _)| meta);
        check(options.precondition.as_ref(), Access::Delete, current)?;
        Ok(DeleteResult::new(Some(state.objects.remove(key).is_some())))
    }

    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        assert!(items.len() <= self.capabilities().limits.delete_batch as usize);
        let batch = self.enter("delete_many", &items.len().to_string()).await;
        let kind = batch.err().map(|error| error.kind());
        let mut outcomes = Vec::new();
        for item in items {
            let result = match kind {
                Some(kind) => Err(Error::new(kind)),
                None => self.delete(&item.key, &item.options).await,
            };
            outcomes.push(DeleteOutcome::new(item, result));
        }
        outcomes
    }

    async fn list_page(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        self.capabilities().check(options)?;
        self.enter("list_page", &options.prefix).await?;
        let most = options.page_size.unwrap_or(u32::MAX).min(self.capabilities().limits.list_page);
        let start = token.map(PageToken::as_str).or(options.start_after.as_deref()).unwrap_or("");
        let delimiter = options.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
        let mut entries: Vec<ListEntry> = Vec::new();
        let state = self.state();
        let matching =
            state.objects.values().filter(|(meta, _)| meta.key.starts_with(&options.prefix));
        for (meta, _) in matching {
            let rest = &meta.key[options.prefix.len()..];
            let cut =
                delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len()));
            let entry = match cut {
                Some(cut) => ListEntry::Prefix(format!("{}{}", options.prefix, &rest[..cut])),
                None => ListEntry::Object(meta.clone()),
            };
            if entry.name() > start && entries.last().is_none_or(|last| last.name() != entry.name())
            {
                entries.push(entry);
            }
        }
        let more = entries.len() > most as usize;
        entries.truncate(most as usize);
        let last = entries.last().filter(|_| more);
        let next = last.map(|last| PageToken::new(last.name()));
        Ok(ListPage::new(entries, next))
    }

    async fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult> {
        self.capabilities().check(from)?;
        self.enter_with("copy", &from.key, None, from.precondition.is_some()).await?;
        let (meta, content) = self.current(&from.key, from.precondition.as_ref())?;
        let attributes = options.attributes.clone().or(meta.attributes).unwrap_or_default();
        let tags = options.tags.clone().or(meta.tags).unwrap_or_default();
        let mut put = PutOptions::default().with_attributes(attributes).with_tags(tags);
        put.precondition = options.precondition.clone();
        self.commit(to, &content, &put)
    }

    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        self.enter("update", key).await?;
        let (mut meta, content) = self.current(key, None)?;
        meta.attributes = update.attributes.clone().or(meta.attributes);
        meta.tags = update.tags.clone().or(meta.tags);
        self.state().objects.insert(key.clone(), (meta.clone(), content));
        Ok(meta)
    }

    fn signer(&self) -> Option<&dyn Signer> {
        None
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        self.capabilities().has(Feature::Multipart).then_some(self)
    }

    fn native(&self) -> &dyn Any {
        self
    }
}

#[async_trait]
impl MultipartStore for FakeStore {
    async fn create(&self, key: &Key, options: &PutOptions) -> Result<UploadId> {
        self.enter("create_multipart", key).await?;
        assert_eq!(options.precondition, None, "it belongs to the completion");
        let mut state = self.state();
        state.serial += 1;
        let id = UploadId::new(format!("u{}", state.serial));
        let (key, options) = (key.clone(), options.clone());
        state.uploads.insert(id.clone(), FakeUpload { key, options, parts: BTreeMap::new() });
        Ok(id)
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        payload: Payload,
    ) -> Result<Part> {
        self.enter("put_part", key).await?;
        let content = Bytes::copy_from_slice(&payload.bytes().await?);
        let part = Part::new(number, ETag::new(format!("p{number}")), content.len() as u64);
        let mut state = self.state();
        let upload = state.uploads.get_mut(upload).ok_or(ErrorKind::UploadNotFound)?;
        upload.parts.insert(number, (part.clone(), content));
        Ok(part)
    }

    async fn copy_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        from: &CopySource,
        range: Option<Range>,
    ) -> Result<Part> {
        let (meta, content) = self.current(&from.key, from.precondition.as_ref())?;
        let range = range.map_or(Ok(0..meta.size), |range| range.resolve(meta.size))?;
        let content = slice(&content, range);
        self.put_part(key, upload, number, content.into()).await
    }

    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>> {
        self.enter("parts", key).await?;
        let state = self.state();
        let upload = state.uploads.get(upload).ok_or(ErrorKind::UploadNotFound)?;
        Ok(upload.parts.values().map(|(part, _)| part.clone()).collect())
    }

    async fn uploads(&self, prefix: &str, _: Option<&PageToken>) -> Result<UploadPage> {
        self.enter("uploads", prefix).await?;
        let state = self.state();
        let matching = state.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix));
        let info = |(id, upload): (&UploadId, &FakeUpload)| {
            UploadInfo::new(upload.key.clone(), id.clone(), SystemTime::UNIX_EPOCH)
        };
        Ok(UploadPage::new(matching.map(info).collect(), None))
    }

    async fn complete(
        &self,
        key: &Key,
        id: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult> {
        self.enter_with("complete_multipart", key, None, options.precondition.is_some()).await?;
        let (content, mut put) = {
            let state = self.state();
            let upload = state.uploads.get(id).ok_or(ErrorKind::UploadNotFound)?;
            assert_eq!(upload.key, *key);
            assert!(parts.is_sorted_by_key(|part| part.number));
            let contents: Vec<Bytes> =
                parts.iter().map(|part| upload.parts[&part.number].1.clone()).collect();
            (contents.concat(), upload.options.clone())
        };
        put.precondition = options.precondition.clone();
        let result = self.commit(key, &content, &put)?;
        self.state().uploads.remove(id);
        Ok(result)
    }

    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<()> {
        self.enter("abort_multipart", key).await?;
        self.state().uploads.remove(upload);
        Ok(())
    }
}
