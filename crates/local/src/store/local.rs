//! The store itself: opening it, and its operations on the blocking threads.

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use polycloud_core::capability::Capabilities;
use polycloud_core::clock::{Clock, SystemClock, SystemRandom};
use polycloud_core::object::{
    ChecksumRequest, CopyOptions, CopySource, DeleteItem, DeleteOptions, DeleteOutcome,
    DeleteResult, GetOptions, GetResult, HeadOptions, Key, ListOptions, ListPage, MultipartStore,
    ObjectMeta, ObjectStore, ObjectUpdate, Payload, PutOptions, PutResult, Signer, StoreInfo,
    Upload, UploadOptions,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result, ResultExt};
use tokio::task::JoinError;

use super::identity::Stamps;
use super::list::Cursors;
use super::lock::Locks;
use super::names::PRIVATE;
use super::read::Found;
use super::record::{self, Record};
use super::root::{self, Dir, failed};
use super::session::Session;
use super::sync::{DirSyncs, Durability};
use super::upload::LocalUpload;
use crate::common::{CAPABILITIES, check_attributes, check_update};

pub(super) const PROVIDER: &str = "local";
pub(super) const LIST_PAGE: u32 = 1_000;

/// An object store in the files of a directory.
///
/// An object `a/b.txt` is the file `a/b.txt`, for everyone to look at, and a file that someone else puts
/// there is an object. Keys that cannot be paths are kept under escaped names in `.polycloud`, beside
/// versions and everything else that is not an object.
///
/// Writes are atomic and, by default, survive a power cut when they return ([`Durability`]). Any number
/// of stores and processes can use one directory at the same time: conditional writes exclude each other
/// among all of them. Nothing outside of the directory is read or written, and no symbolic link is
/// followed. Files that a killed process left unfinished are invisible, and removed when the directory is
/// opened again.
///
/// The file system has to keep extended attributes, hard links and nanosecond times: ext4, XFS, Btrfs,
/// ZFS, tmpfs and APFS do. Attributes, metadata and tags of an object have 4,000 bytes together.
///
/// Available on Unix. Clones share one set of open files.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// use polycloud_core::object::{Key, ObjectStore, Payload, PutOptions};
/// use polycloud_local::LocalStore;
///
/// let store = LocalStore::open(folder.path())?;
/// let key = Key::new("notes/today.txt")?;
/// store.put(&key, Payload::from("buy milk"), &PutOptions::default()).await?;
/// assert_eq!(std::fs::read_to_string(folder.path().join("notes/today.txt"))?, "buy milk");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LocalStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    info: StoreInfo,
    path: PathBuf,
    pub(super) root: Dir,
    pub(super) private: Dir,
    pub(super) keys: Dir,
    pub(super) versions: Dir,
    pub(super) uploads: Dir,
    pub(super) locks: Locks,
    pub(super) session: Session,
    pub(super) syncs: DirSyncs,
    pub(super) stamps: Stamps,
    pub(super) cursors: Cursors,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) durability: Durability,
    /// Whether the file system takes names for the same that differ in case or in Unicode form.
    pub(super) folding: bool,
    /// What the last write or listing found on the disk; reads go by it.
    versioned: AtomicBool,
}

/// Settings of a [`LocalStore`].
#[derive(Debug, Clone)]
pub struct LocalStoreBuilder {
    path: PathBuf,
    durability: Durability,
    versioned: Option<bool>,
    clock: Arc<dyn Clock>,
}

impl LocalStoreBuilder {
    /// Sets what writes survive; a power cut by default.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Switches versioning of the bucket, for every process that uses it. Without this it stays as it is.
    #[must_use]
    pub fn versioned(mut self, versioned: bool) -> Self {
        self.versioned = Some(versioned);
        self
    }

    /// Sets where modification times come from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the store, and creates its directory if it is not there. Removes what killed processes left
    /// unfinished. Blocks for a few system calls.
    ///
    /// # Errors
    /// `PermissionDenied`; `Config` if the path is not a directory, or was laid out by a later version of
    /// this library; `Unsupported` if the file system lacks something.
    pub fn open(self) -> Result<LocalStore> {
        let path = self.path.clone();
        self.open_or_create(true).during(PROVIDER, "open", path.display())
    }

    pub(super) fn open_or_create(self, create: bool) -> Result<LocalStore> {
        let Self { path, durability, versioned, clock } = self;
        if create {
            std::fs::create_dir_all(&path).map_err(not_a_directory)?;
        }
        let path = path.canonicalize().map_err(not_a_directory)?;
        let root = root::open_root(&path).map_err(not_a_directory)?;
        let sub = |name: &str| root::create_dirs(&root, name, durability == Durability::Full);
        let folder = |name: &str| sub(&format!("{PRIVATE}/{name}")).map_err(failed);
        let private = sub(PRIVATE).map_err(failed)?;
        check_layout(&private)?;
        let session = Session::start(folder("tmp")?, &SystemRandom)?;
        let folding = probe(&session)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let store = LocalStore(Arc::new(Inner {
            info: StoreInfo::new(PROVIDER, name, url(&path)),
            path,
            keys: folder("keys")?,
            versions: folder("versions")?,
            uploads: folder("uploads")?,
            locks: Locks::new(folder("locks")?),
            root,
            private,
            session,
            syncs: DirSyncs::default(),
            stamps: Stamps::default(),
            cursors: Cursors::default(),
            clock,
            durability,
            folding,
            versioned: AtomicBool::new(false),
        }));
        store.0.look_up_versioning()?;
        if let Some(versioned) = versioned {
            store.0.set_versioning(versioned)?;
        }
        Ok(store)
    }
}

fn not_a_directory(error: impl Into<std::io::Error>) -> Error {
    let error = error.into();
    match error.kind() {
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
            Error::config("the path of a store must be a directory").with_source(error)
        }
        std::io::ErrorKind::NotFound => ErrorKind::BucketNotFound.into(),
        _ => failed(error),
    }
}

/// The URL of a directory, with what has a meaning in URLs escaped.
fn url(path: &Path) -> String {
    let mut url = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

const LAYOUT_FILE: &str = "layout";
const LAYOUT: &[u8] = b"polycloud 1\n";

/// Marks the directory as one of this layout, and refuses one of another.
fn check_layout(private: &Dir) -> Result<()> {
    use std::io::{Read, Write};
    match root::create_file(private, LAYOUT_FILE) {
        Ok(mut file) => return file.write_all(LAYOUT).map_err(failed),
        Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(failed(error)),
    }
    let file = root::open_file(private, LAYOUT_FILE).map_err(failed)?;
    let mut found = Vec::new();
    std::fs::File::from(file).take(64).read_to_end(&mut found).map_err(failed)?;
    // An empty one is being written at this moment, or its writer was killed.
    if found.is_empty() || found == LAYOUT {
        return Ok(());
    }
    Err(Error::config("the directory was laid out by another version of this library"))
}

/// Finds out whether the file system folds names, and that it keeps what is needed.
fn probe(session: &Session) -> Result<bool> {
    let (lower, upper) = (session.named("probe-a")?, session.named("PROBE-A"));
    record::write(&lower.file, b"{}")?;
    Ok(upper.is_err())
}

/// The result of a task on a blocking thread.
pub(super) fn joined<T>(result: Result<Result<T>, JoinError>) -> Result<T> {
    result.unwrap_or_else(|error| {
        let kind = if error.is_panic() { ErrorKind::Internal } else { ErrorKind::Cancelled };
        Err(Error::new(kind).with_source(error))
    })
}

impl Inner {
    pub(super) fn is_versioned(&self) -> bool {
        self.versioned.load(Ordering::Acquire)
    }

    pub(super) fn set_versioned_hint(&self, versioned: bool) {
        self.versioned.store(versioned, Ordering::Release);
    }

    fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        let (found, is_latest) = self.find_for_read(key, options.version.as_ref())?;
        let mut meta = self.describe(key, &found, is_latest, options.precondition.as_ref())?;
        if !options.tags {
            meta.tags = None;
        }
        Ok(meta)
    }

    fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult> {
        let CopySource { key, version, precondition, .. } = from;
        let sibling = match &from.bucket {
            Some(name) => Some(self.sibling(name)?),
            None => None,
        };
        let source = sibling.as_ref().map_or(self, |store| &*store.0);
        let (found, is_latest) = source.find_for_read(key, version.as_ref())?;
        let meta = source.describe(key, &found, is_latest, precondition.as_ref())?;
        let size = meta.size;
        let record = Record {
            attributes: options.attributes.clone().or(meta.attributes).unwrap_or_default(),
            tags: options.tags.clone().or(meta.tags).unwrap_or_default(),
            checksums: meta.checksums,
            ..Record::default()
        };
        check_attributes(&record.attributes)?;
        let temp = self.duplicate(found, size)?;
        let staged = self.stage(temp, record, size)?;
        self.commit(to, staged, options.precondition.as_ref())
    }

    /// Copies the content of a file into a new one, within the kernel where that can be.
    fn duplicate(&self, found: Found, size: u64) -> Result<super::session::TempFile> {
        let mut temp = self.session.file()?;
        let mut file = std::fs::File::from(found.file);
        let copied = std::io::copy(&mut file, &mut temp.file).map_err(failed)?;
        if copied != size {
            return Err(Error::new(ErrorKind::ObjectChanged)
                .with_message("another tool changed the file while it was copied"));
        }
        Ok(temp)
    }

    /// Another bucket beside this one.
    pub(super) fn sibling(&self, name: &polycloud_core::object::BucketName) -> Result<LocalStore> {
        let path = self.path.parent().unwrap_or(&self.path).join(name.as_str());
        LocalStore::builder(path).clock(Arc::clone(&self.clock)).open_or_create(false)
    }
}

impl LocalStore {
    /// Opens a durable store in a directory, which is created if it is not there. See
    /// [`LocalStoreBuilder::open`].
    ///
    /// # Errors
    /// As [`LocalStoreBuilder::open`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::builder(path).open()
    }

    /// Sets up a store in a directory.
    pub fn builder(path: impl Into<PathBuf>) -> LocalStoreBuilder {
        LocalStoreBuilder {
            path: path.into(),
            durability: Durability::default(),
            versioned: None,
            clock: SystemClock::shared(),
        }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Runs an operation on a thread that may block.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.0);
        // What is missing may be all of it.
        let run = move || {
            run(&inner).map_err(|error| match error.kind() {
                ErrorKind::NotFound => inner.check_alive().err().unwrap_or(error),
                _ => error,
            })
        };
        joined(tokio::task::spawn_blocking(run).await)
    }

    /// Writes content that is read while it is written.
    async fn put_stream(
        &self,
        key: &Key,
        payload: &Payload,
        options: &PutOptions,
    ) -> Result<PutResult> {
        let request = options.checksum;
        let writer = self.blocking(move |inner| inner.writer(request)).await?;
        let mut upload =
            Box::new(LocalUpload::new(Arc::clone(&self.0), key.clone(), options.clone(), writer));
        let mut chunks = payload.stream();
        while let Some(chunk) = chunks.next().await {
            upload.write(chunk?).await?;
        }
        upload.complete().await
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalStore({})", self.0.info)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalStore({})", self.info)
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    fn info(&self) -> &StoreInfo {
        &self.0.info
    }

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn get(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        let get = async {
            CAPABILITIES.check(options)?;
            if let Some(result) = self.0.get_cached(key, options)? {
                return Ok(result);
            }
            let (key, options) = (key.clone(), options.clone());
            self.blocking(move |inner| inner.get(&key, &options)).await
        };
        get.await.during(PROVIDER, "get", key)
    }

    async fn head(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        let head = async {
            CAPABILITIES.check(options)?;
            let (key, options) = (key.clone(), options.clone());
            self.blocking(move |inner| inner.head(&key, &options)).await
        };
        head.await.during(PROVIDER, "head", key)
    }

    async fn put(&self, key: &Key, payload: Payload, options: &PutOptions) -> Result<PutResult> {
        let put = async {
            CAPABILITIES.check(options)?;
            check_attributes(&options.attributes)?;
            if payload.chunks().is_none() {
                return self.put_stream(key, &payload, options).await;
            }
            let (key, options) = (key.clone(), options.clone());
            self.blocking(move |inner| {
                let mut writer = inner.writer(options.checksum)?;
                writer.write(payload.chunks().unwrap_or_default())?;
                let staged = inner.seal(writer, &options)?;
                inner.commit(&key, staged, options.precondition.as_ref())
            })
            .await
        };
        put.await.during(PROVIDER, "put", key)
    }

    async fn upload(&self, key: &Key, options: &UploadOptions) -> Result<Box<dyn Upload>> {
        let start = async {
            CAPABILITIES.check(options)?;
            check_attributes(&options.put.attributes)?;
            let request: ChecksumRequest = options.put.checksum;
            self.blocking(move |inner| inner.writer(request)).await
        };
        let writer = start.await.during(PROVIDER, "upload", key)?;
        let (inner, put) = (Arc::clone(&self.0), options.put.clone());
        Ok(Box::new(LocalUpload::new(inner, key.clone(), put, writer)))
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        let delete = async {
            CAPABILITIES.check(options)?;
            let (key, options) = (key.clone(), options.clone());
            self.blocking(move |inner| inner.delete(&key, &options)).await
        };
        delete.await.during(PROVIDER, "delete", key)
    }

    async fn delete_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        let all = items.clone();
        let deleted = self.blocking(move |inner| {
            let delete = |item: DeleteItem| {
                let result = CAPABILITIES
                    .check(&item)
                    .and_then(|()| inner.delete(&item.key, &item.options))
                    .during(PROVIDER, "delete_many", &item.key);
                DeleteOutcome::new(item, result)
            };
            Ok(items.into_iter().map(delete).collect())
        });
        deleted.await.unwrap_or_else(|error| {
            let lost = |item| DeleteOutcome::new(item, Err(Error::new(error.kind())));
            all.into_iter().map(lost).collect()
        })
    }

    async fn list_page(
        &self,
        options: &ListOptions,
        token: Option<&PageToken>,
    ) -> Result<ListPage> {
        let list = async {
            CAPABILITIES.check(options)?;
            let (options, token) = (options.clone(), token.cloned());
            self.blocking(move |inner| inner.list(&options, token.as_ref())).await
        };
        list.await.during(PROVIDER, "list_page", &options.prefix)
    }

    async fn copy(&self, from: &CopySource, to: &Key, options: &CopyOptions) -> Result<PutResult> {
        let copy = async {
            CAPABILITIES.check(from)?;
            CAPABILITIES.check(options)?;
            let (from, to, options) = (from.clone(), to.clone(), options.clone());
            self.blocking(move |inner| inner.copy(&from, &to, &options)).await
        };
        copy.await.during(PROVIDER, "copy", to)
    }

    async fn update(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        let change = async {
            CAPABILITIES.check(update)?;
            check_update(update)?;
            let (key, update) = (key.clone(), update.clone());
            self.blocking(move |inner| inner.update(&key, &update)).await
        };
        change.await.during(PROVIDER, "update", key)
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
