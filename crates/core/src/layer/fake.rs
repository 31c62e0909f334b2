//! A store and a compute that write down what is called, for the tests of layers.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

use crate::capability::Capabilities;
use crate::compute::*;
use crate::error::{ErrorKind, Result};
use crate::object::*;
use crate::page::PageToken;

pub(super) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(super) fn instance() -> InstanceId {
    InstanceId::new("fake", "here", "i-1").unwrap()
}

/// What is called, and whether it gets an answer.
#[derive(Debug, Default)]
struct Calls {
    names: Mutex<Vec<&'static str>>,
    hang: AtomicBool,
}

impl Calls {
    async fn note(&self, name: &'static str) {
        self.names.lock().unwrap().push(name);
        self.answered().await;
    }

    /// Wakes nobody: whoever waits is polled again by the test.
    async fn answered(&self) {
        poll_fn(|_| if self.hang.load(Ordering::SeqCst) { Poll::Pending } else { Poll::Ready(()) })
            .await;
    }
}

macro_rules! controls {
    ($($fake:ty),+) => {$(
        impl $fake {
            /// Leaves calls without an answer from now on, or no longer.
            pub(super) fn hang(&self, hang: bool) {
                self.calls.hang.store(hang, Ordering::SeqCst);
            }

            /// What was called since the last time.
            pub(super) fn take_calls(&self) -> Vec<&'static str> {
                std::mem::take(&mut self.calls.names.lock().unwrap())
            }
        }
    )+};
}

controls!(FakeStore, FakeCompute);

#[derive(Debug, Clone)]
pub(super) struct FakeStore {
    info: StoreInfo,
    calls: Arc<Calls>,
    objects: Arc<Mutex<BTreeMap<Key, Vec<Bytes>>>>,
}

impl Default for FakeStore {
    fn default() -> Self {
        let info = StoreInfo::new("fake", "bucket", "fake:");
        Self { info, calls: Arc::default(), objects: Arc::default() }
    }
}

impl FakeStore {
    pub(super) fn insert(&self, name: &str, chunks: &[&'static str]) {
        let chunks = chunks.iter().copied().map(Bytes::from).collect();
        self.objects.lock().unwrap().insert(key(name), chunks);
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().map(|key| key.as_str().to_owned()).collect()
    }

    fn read(&self, key: &Key) -> Result<(ObjectMeta, Vec<Bytes>)> {
        let chunks = self.objects.lock().unwrap().get(key).cloned().ok_or(ErrorKind::NotFound)?;
        let size = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let at = SystemTime::UNIX_EPOCH;
        Ok((ObjectMeta::new(key.clone(), size, at, Revision::default()), chunks))
    }

    fn write(&self, key: &Key, chunks: Vec<Bytes>) -> PutResult {
        self.objects.lock().unwrap().insert(key.clone(), chunks);
        PutResult::new(Revision::default(), 0)
    }

    fn remove(&self, key: &Key) -> DeleteResult {
        DeleteResult::new(Some(self.objects.lock().unwrap().remove(key).is_some()))
    }
}

#[async_trait]
impl ObjectStore for FakeStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn capabilities(&self) -> &Capabilities {
        &Capabilities::NONE
    }

    async fn get(&self, key: &Key, _: &GetOptions) -> Result<GetResult> {
        self.calls.note("get").await;
        let (meta, chunks) = self.read(key)?;
        let range = 0..meta.size;
        let body = FakeBody { calls: Arc::clone(&self.calls), chunks: chunks.into_iter() };
        Ok(GetResult::new(meta, range, Body::from_source(body)))
    }

    async fn head(&self, key: &Key, _: &HeadOptions) -> Result<ObjectMeta> {
        self.calls.note("head").await;
        Ok(self.read(key)?.0)
    }

    async fn put(&self, key: &Key, payload: Payload, _: &PutOptions) -> Result<PutResult> {
        self.calls.note("put").await;
        Ok(self.write(key, vec![payload.bytes().await?]))
    }

    async fn upload(&self, key: &Key, _: &UploadOptions) -> Result<Box<dyn Upload>> {
        self.calls.note("upload").await;
        Ok(Box::new(FakeUpload { store: self.clone(), key: key.clone(), chunks: Vec::new() }))
    }

    async fn delete(&self, key: &Key, _: &DeleteOptions) -> Result<DeleteResult> {
        self.calls.note("delete").await;
        Ok(self.remove(key))
    }

    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        self.calls.note("delete_many").await;
        let outcome = |item: DeleteItem| {
            let result = Ok(self.remove(&item.key));
            DeleteOutcome::new(item, result)
        };
        items.into_iter().map(outcome).collect()
    }

    async fn list_page(&self, options: &ListOptions, _: Option<&PageToken>) -> Result<ListPage> {
        self.calls.note("list_page").await;
        let after = options.start_after.as_deref().unwrap_or_default();
        let listed = |key: &String| key.starts_with(&options.prefix) && key.as_str() > after;
        let entries = self.keys().into_iter().filter(listed).map(|name| {
            let at = SystemTime::UNIX_EPOCH;
            ListEntry::Object(ObjectMeta::new(key(&name), 0, at, Revision::default()))
        });
        Ok(ListPage::new(entries.collect(), None))
    }

    async fn copy(&self, from: &CopySource, to: &Key, _: &CopyOptions) -> Result<PutResult> {
        self.calls.note("copy").await;
        Ok(self.write(to, self.read(&from.key)?.1))
    }

    async fn update(&self, key: &Key, _: &ObjectUpdate) -> Result<ObjectMeta> {
        self.calls.note("update").await;
        Ok(self.read(key)?.0)
    }

    fn signer(&self) -> Option<&dyn Signer> {
        Some(self)
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(self)
    }

    fn native(&self) -> &dyn Any {
        self
    }
}

struct FakeBody {
    calls: Arc<Calls>,
    chunks: std::vec::IntoIter<Bytes>,
}

#[async_trait]
impl BodySource for FakeBody {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        self.calls.answered().await;
        Ok(self.chunks.next())
    }

    async fn read_rest(&mut self) -> Result<Bytes> {
        self.calls.answered().await;
        Ok(self.chunks.by_ref().flatten().collect())
    }
}

#[derive(Debug)]
struct FakeUpload {
    store: FakeStore,
    key: Key,
    chunks: Vec<Bytes>,
}

#[async_trait]
impl Upload for FakeUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.store.calls.note("write").await;
        self.chunks.push(chunk);
        Ok(())
    }

    async fn complete(self: Box<Self>) -> Result<PutResult> {
        self.store.calls.note("complete").await;
        Ok(self.store.write(&self.key, self.chunks.clone()))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.store.calls.note("abort").await;
        Ok(())
    }
}

#[async_trait]
impl Signer for FakeStore {
    async fn sign(&self, key: &Key, options: &SignOptions) -> Result<SignedRequest> {
        self.calls.note("sign").await;
        let url = format!("fake:{key}");
        Ok(SignedRequest::new(options.method.clone(), url, options.headers.clone()))
    }
}

#[async_trait]
impl MultipartStore for FakeStore {
    async fn create(&self, key: &Key, _: &PutOptions) -> Result<UploadId> {
        self.calls.note("create_multipart").await;
        Ok(UploadId::new(key.as_str()))
    }

    async fn put_part(
        &self,
        _: &Key,
        _: &UploadId,
        number: PartNumber,
        payload: Payload,
    ) -> Result<Part> {
        self.calls.note("put_part").await;
        Ok(Part::new(number, ETag::new("e"), payload.len()))
    }

    async fn copy_part(
        &self,
        _: &Key,
        _: &UploadId,
        number: PartNumber,
        _: &CopySource,
        _: Option<Range>,
    ) -> Result<Part> {
        self.calls.note("copy_part").await;
        Ok(Part::new(number, ETag::new("e"), 0))
    }

    async fn parts(&self, _: &Key, _: &UploadId) -> Result<Vec<Part>> {
        self.calls.note("parts").await;
        Ok(Vec::new())
    }

    async fn uploads(&self, prefix: &str, _: Option<&PageToken>) -> Result<UploadPage> {
        self.calls.note("uploads").await;
        let upload = UploadInfo::new(key(prefix), UploadId::new("u"), SystemTime::UNIX_EPOCH);
        Ok(UploadPage::new(vec![upload], None))
    }

    async fn complete(
        &self,
        key: &Key,
        _: &UploadId,
        _: &[Part],
        _: &CompleteOptions,
    ) -> Result<PutResult> {
        self.calls.note("complete_multipart").await;
        Ok(self.write(key, Vec::new()))
    }

    async fn abort(&self, _: &Key, _: &UploadId) -> Result<()> {
        self.calls.note("abort_multipart").await;
        Ok(())
    }
}

#[derive(Debug, Clone)]
pub(super) struct FakeCompute {
    info: ComputeInfo,
    calls: Arc<Calls>,
    facets: bool,
}

impl Default for FakeCompute {
    fn default() -> Self {
        let info = ComputeInfo::new("fake", "here", "fake:");
        Self { info, calls: Arc::default(), facets: true }
    }
}

impl FakeCompute {
    /// A compute without facets.
    pub(super) fn bare() -> Self {
        Self { facets: false, ..Self::default() }
    }
}

/// Facets whose methods are written down and find nothing.
macro_rules! facets {
    ($($facet:ident by $accessor:ident {
        $($operation:literal $method:ident($($ty:ty),*) -> $out:ty;)+
    })+) => {
        $(
            #[async_trait]
            impl $facet for FakeCompute {
                $(async fn $method(&self, $(_: $ty),*) -> Result<$out> {
                    self.calls.note($operation).await;
                    Err(ErrorKind::NotFound.into())
                })+
            }
        )+

        #[async_trait]
        impl Compute for FakeCompute {
            fn info(&self) -> &ComputeInfo {
                &self.info
            }

            fn capabilities(&self) -> &Capabilities {
                &Capabilities::NONE
            }

            async fn create(&self, _: &InstanceSpec, _: &CreateOptions) -> Result<Instance> {
                self.calls.note("create").await;
                Err(ErrorKind::NoCapacity.into())
            }

            async fn create_many(
                &self,
                _: &InstanceSpec,
                _: Count,
                _: &CreateOptions,
            ) -> Result<CreateReport> {
                self.calls.note("create_many").await;
                Ok(CreateReport::new(Vec::new(), None))
            }

            async fn get(&self, _: &InstanceId) -> Result<Instance> {
                self.calls.note("get").await;
                Err(ErrorKind::NotFound.into())
            }

            async fn list_page(
                &self,
                _: &InstanceFilter,
                _: Option<&PageToken>,
            ) -> Result<InstancePage> {
                self.calls.note("list_page").await;
                Ok(InstancePage::default())
            }

            async fn start(&self, _: &InstanceId) -> Result<()> {
                self.calls.note("start").await;
                Ok(())
            }

            async fn stop(&self, _: &InstanceId, _: StopMode) -> Result<()> {
                self.calls.note("stop").await;
                Ok(())
            }

            async fn restart(&self, _: &InstanceId, _: RestartMode) -> Result<()> {
                self.calls.note("restart").await;
                Ok(())
            }

            async fn terminate(&self, _: &InstanceId, _: &TerminateOptions) -> Result<()> {
                self.calls.note("terminate").await;
                Ok(())
            }

            async fn set_labels(&self, _: &InstanceId, _: &LabelPatch) -> Result<()> {
                self.calls.note("set_labels").await;
                Ok(())
            }

            async fn locations(&self) -> Result<Vec<Location>> {
                self.calls.note("locations").await;
                Ok(Vec::new())
            }

            async fn types_page(&self, _: &TypeQuery, _: Option<&PageToken>) -> Result<TypePage> {
                self.calls.note("types_page").await;
                Ok(TypePage::default())
            }

            async fn resolve_image(&self, _: &ImageSelector, _: Arch) -> Result<Image> {
                self.calls.note("resolve_image").await;
                Err(ErrorKind::NotFound.into())
            }

            $(fn $accessor(&self) -> Option<&dyn $facet> {
                self.facets.then_some(self as _)
            })+

            fn native(&self) -> &dyn Any {
                self
            }
        }
    };
}

facets! {
    KeyPairs by key_pairs {
        "import_key_pair" import(&str, &PublicKey) -> KeyPair;
        "generate_key_pair" generate(&str) -> (KeyPair, PrivateKey);
        "list_key_pairs" list() -> Vec<KeyPair>;
        "delete_key_pair" delete(&str) -> ();
    }
    Volumes by volumes {
        "create_volume" create(&NewVolume) -> Volume;
        "get_volume" get(&str) -> Volume;
        "list_volumes" list() -> Vec<Volume>;
        "attach_volume" attach(&str, &InstanceId) -> ();
        "detach_volume" detach(&str) -> ();
        "delete_volume" delete(&str) -> ();
        "create_snapshot" snapshot(&str, &str) -> Snapshot;
        "list_snapshots" snapshots() -> Vec<Snapshot>;
        "delete_snapshot" delete_snapshot(&str) -> ();
    }
    Networks by networks {
        "list_networks" list() -> Vec<Network>;
        "default_network" default_network() -> Network;
    }
    Firewalls by firewalls {
        "create_firewall" create(&str, &[IngressRule]) -> FirewallInfo;
        "list_firewalls" list() -> Vec<FirewallInfo>;
        "set_firewall_rules" set_rules(&str, &[IngressRule]) -> ();
        "delete_firewall" delete(&str) -> ();
    }
    Images by images {
        "create_image" create(&ImageBuild) -> Image;
        "list_images" list() -> Vec<Image>;
        "delete_image" delete(&str) -> ();
    }
    Console by console {
        "console" output(&InstanceId, u64) -> ConsoleOutput;
    }
    Quotas by quotas {
        "list_quotas" list() -> Vec<Quota>;
    }
    Resize by resize {
        "resize" resize(&InstanceId, &Hardware) -> ();
    }
    Prices by prices {
        "hourly_price" hourly(&str, bool) -> Option<Price>;
    }
    Sweep by sweep {
        "sweep" sweep(&SweepOptions) -> SweepReport;
    }
}
