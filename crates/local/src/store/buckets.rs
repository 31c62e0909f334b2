//! Buckets as directories below one directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use polycloud_core::capability::{Capabilities, Feature};
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::object::{
    BucketInfo, BucketName, BucketPage, Buckets, CreateBucketOptions, DeleteBucketOptions,
    LifecycleRule, ListOptions, ObjectStore,
};
use polycloud_core::page::PageToken;
use polycloud_core::{ErrorKind, Result, ResultExt};
use rustix::io::Errno;

use super::identity::Identity;
use super::local::{LocalStore, PROVIDER, joined};
use super::names::PRIVATE;
use super::root::{self, Dir, failed};
use super::sync::Durability;
use crate::common::CAPABILITIES;

/// The buckets of a directory: each is a directory below it with the bucket's name, and a [`LocalStore`].
///
/// Directories whose names are not [`BucketName`]s are left alone.
#[derive(Debug, Clone)]
pub struct LocalBuckets {
    path: PathBuf,
    root: Dir,
    durability: Durability,
    clock: Arc<dyn Clock>,
}

impl LocalBuckets {
    /// Opens a directory, and creates it if it is not there.
    ///
    /// # Errors
    /// `PermissionDenied`; `Internal` if the path is not a directory.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let open = || {
            std::fs::create_dir_all(path).map_err(failed)?;
            let path = path.canonicalize().map_err(failed)?;
            let root = root::open_root(&path).map_err(failed)?;
            let (durability, clock) = (Durability::default(), SystemClock::shared());
            Ok(Self { path, root, durability, clock })
        };
        open().during(PROVIDER, "open", path.display())
    }

    /// Sets what writes to the buckets survive.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets where modification times come from.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens a bucket that is there. Blocks.
    fn store(&self, name: &BucketName) -> Result<LocalStore> {
        self.layout_of(name.as_str())?;
        LocalStore::builder(self.path.join(name.as_str()))
            .durability(self.durability)
            .clock(Arc::clone(&self.clock))
            .open_or_create(false)
    }

    /// When a bucket was made. What is not a directory with the mark of a store is no bucket.
    fn layout_of(&self, name: &str) -> Result<Identity> {
        let layout = root::open_dir(&self.root, &format!("{name}/{PRIVATE}"))
            .and_then(|private| root::stat(&private, "layout"));
        match layout {
            Ok(stat) => Ok(Identity::of(&stat)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                Err(ErrorKind::BucketNotFound.into())
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn info(&self, name: BucketName) -> Result<BucketInfo> {
        let created = self.layout_of(name.as_str())?.modified();
        let private = root::open_dir(&self.root, &format!("{name}/{PRIVATE}")).map_err(failed)?;
        let mut info = BucketInfo::new(name);
        info.created = Some(created);
        info.versioning = Some(root::stat(&private, "versioning").is_ok());
        Ok(info)
    }

    fn create_blocking(&self, name: &BucketName, versioning: bool) -> Result<BucketInfo> {
        // Making the directory is what two creators race for.
        match rustix::fs::mkdirat(&self.root, name.as_str(), rustix::fs::Mode::from(0o777)) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(ErrorKind::AlreadyExists.into()),
            Err(error) => return Err(failed(error)),
        }
        let store = LocalStore::builder(self.path.join(name.as_str()))
            .durability(self.durability)
            .versioned(versioning)
            .clock(Arc::clone(&self.clock))
            .open_or_create(false)?;
        store.0.sync(&self.root)?;
        self.info(name.clone())
    }

    fn delete_blocking(&self, name: &BucketName, force: bool) -> Result<()> {
        let store = self.store(name)?;
        if !force {
            let all = ListOptions::default().with_versions(true).with_page_size(1);
            let page = store.0.list(&all, None)?;
            let uploads = root::names(&store.0.uploads).map_err(failed)?;
            if !page.entries.is_empty() || !uploads.is_empty() {
                return Err(ErrorKind::BucketNotEmpty.into());
            }
        }
        drop(store);
        // Once it has another name nobody finds it any more, however long its removal takes.
        let doomed = format!(".deleted-{name}-{}", std::process::id());
        match rustix::fs::renameat(&self.root, name.as_str(), &self.root, &doomed) {
            Ok(()) => root::remove_tree(&self.root, &doomed).map_err(failed),
            Err(Errno::NOENT) => Err(ErrorKind::BucketNotFound.into()),
            Err(error) => Err(failed(error)),
        }
    }

    fn list_blocking(&self, after: Option<&str>) -> Result<BucketPage> {
        let limit = CAPABILITIES.limits.list_page as usize;
        let mut names: Vec<_> = root::names(&self.root)
            .map_err(failed)?
            .into_iter()
            .filter(|(name, is_dir)| *is_dir && after.is_none_or(|after| name.as_str() > after))
            .filter_map(|(name, _)| BucketName::new(name).ok())
            .collect();
        names.sort();
        // A bucket that is deleted meanwhile, or a directory that is none, is left out.
        let mut infos = names.into_iter().filter_map(|name| self.info(name).ok());
        let page: Vec<_> = infos.by_ref().take(limit).collect();
        let next = infos.next().and_then(|_| page.last());
        let next = next.map(|last| PageToken::new(last.name.as_str()));
        Ok(BucketPage::new(page, next))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let buckets = self.clone();
        joined(tokio::task::spawn_blocking(move || run(&buckets)).await)
    }
}

#[async_trait]
impl Buckets for LocalBuckets {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn create(&self, name: &BucketName, options: &CreateBucketOptions) -> Result<BucketInfo> {
        let create = async {
            CAPABILITIES.check(options)?;
            let (name, versioning) = (name.clone(), options.versioning);
            self.blocking(move |buckets| buckets.create_blocking(&name, versioning)).await
        };
        create.await.during(PROVIDER, "create_bucket", name)
    }

    async fn delete(&self, name: &BucketName, options: &DeleteBucketOptions) -> Result<()> {
        let (bucket, force) = (name.clone(), options.force);
        let deleted = self.blocking(move |buckets| buckets.delete_blocking(&bucket, force)).await;
        deleted.during(PROVIDER, "delete_bucket", name)
    }

    async fn head(&self, name: &BucketName) -> Result<BucketInfo> {
        let bucket = name.clone();
        let info = self.blocking(move |buckets| buckets.info(bucket)).await;
        info.during(PROVIDER, "head_bucket", name)
    }

    async fn list_page(&self, token: Option<&PageToken>) -> Result<BucketPage> {
        let after = token.map(|token| token.as_str().to_owned());
        let page = self.blocking(move |buckets| buckets.list_blocking(after.as_deref())).await;
        page.during(PROVIDER, "list_buckets", "")
    }

    async fn set_versioning(&self, name: &BucketName, enabled: bool) -> Result<()> {
        let bucket = name.clone();
        let set = self.blocking(move |buckets| buckets.store(&bucket)?.0.set_versioning(enabled));
        set.await.during(PROVIDER, "set_versioning", name)
    }

    async fn lifecycle(&self, name: &BucketName) -> Result<Vec<LifecycleRule>> {
        let unsupported = CAPABILITIES.require(Feature::BucketLifecycle);
        unsupported.map(|()| Vec::new()).during(PROVIDER, "lifecycle", name)
    }

    async fn set_lifecycle(&self, name: &BucketName, _rules: &[LifecycleRule]) -> Result<()> {
        CAPABILITIES.require(Feature::BucketLifecycle).during(PROVIDER, "set_lifecycle", name)
    }

    fn open(&self, name: &BucketName) -> Result<Arc<dyn ObjectStore>> {
        let store = self.store(name).during(PROVIDER, "open", name)?;
        Ok(Arc::new(store))
    }
}
