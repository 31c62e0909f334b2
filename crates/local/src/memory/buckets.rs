use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use async_trait::async_trait;
use polycloud_core::capability::{Capabilities, Feature};
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::object::{
    BucketInfo, BucketName, BucketPage, Buckets, CreateBucketOptions, DeleteBucketOptions,
    LifecycleRule, ObjectStore,
};
use polycloud_core::page::PageToken;
use polycloud_core::{ErrorKind, Result, ResultExt};

use super::store::{MemoryStore, PROVIDER};
use crate::common::CAPABILITIES;

/// Buckets in memory. Clones share them; they live until the last clone is dropped.
#[derive(Clone)]
pub struct MemoryBuckets {
    buckets: Arc<Map>,
    clock: Arc<dyn Clock>,
}

type Map = RwLock<BTreeMap<BucketName, MemoryStore>>;

/// The way from a store back to its siblings, which does not keep them alive.
#[derive(Clone, Default)]
pub(super) struct WeakBuckets(Weak<Map>);

impl WeakBuckets {
    pub(super) fn open(&self, name: &BucketName) -> Result<MemoryStore> {
        let buckets = self.0.upgrade();
        let store = buckets.and_then(|buckets| read(&buckets).get(name).cloned());
        store.ok_or_else(|| ErrorKind::BucketNotFound.into())
    }
}

impl fmt::Debug for WeakBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakBuckets")
    }
}

fn read(map: &Map) -> RwLockReadGuard<'_, BTreeMap<BucketName, MemoryStore>> {
    map.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write(map: &Map) -> RwLockWriteGuard<'_, BTreeMap<BucketName, MemoryStore>> {
    map.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl MemoryBuckets {
    /// No buckets.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(SystemClock::shared())
    }

    /// No buckets, and times from this clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { buckets: Arc::default(), clock }
    }

    /// Opens a bucket, and creates it first if it is not there.
    #[must_use]
    pub fn open_or_create(&self, name: &BucketName) -> MemoryStore {
        let mut buckets = write(&self.buckets);
        buckets.entry(name.clone()).or_insert_with(|| self.make(name, false)).clone()
    }

    fn make(&self, name: &BucketName, versioned: bool) -> MemoryStore {
        MemoryStore::builder()
            .name(name.as_str())
            .versioned(versioned)
            .clock(Arc::clone(&self.clock))
            .buckets(WeakBuckets(Arc::downgrade(&self.buckets)))
            .build()
    }

    fn find(&self, name: &BucketName) -> Result<MemoryStore> {
        read(&self.buckets).get(name).cloned().ok_or_else(|| ErrorKind::BucketNotFound.into())
    }

    fn remove(&self, name: &BucketName, force: bool) -> Result<()> {
        let mut buckets = write(&self.buckets);
        let store = buckets.get(name).ok_or(ErrorKind::BucketNotFound)?;
        let empty = store.0.index.is_empty() && store.0.uploads.is_empty();
        if !empty && !force {
            return Err(ErrorKind::BucketNotEmpty.into());
        }
        store.0.deleted.store(true, Ordering::Release);
        store.0.index.clear();
        store.0.uploads.clear();
        buckets.remove(name);
        Ok(())
    }
}

fn info(name: &BucketName, store: &MemoryStore) -> BucketInfo {
    let mut info = BucketInfo::new(name.clone());
    info.created = Some(store.0.created);
    info.versioning = Some(store.is_versioned());
    info
}

impl Default for MemoryBuckets {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryBuckets({} buckets)", read(&self.buckets).len())
    }
}

#[async_trait]
impl Buckets for MemoryBuckets {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn create(&self, name: &BucketName, options: &CreateBucketOptions) -> Result<BucketInfo> {
        let create = || {
            CAPABILITIES.check(options)?;
            let mut buckets = write(&self.buckets);
            if buckets.contains_key(name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            let store = self.make(name, options.versioning);
            let info = info(name, &store);
            buckets.insert(name.clone(), store);
            Ok(info)
        };
        create().during(PROVIDER, "create_bucket", name)
    }

    async fn delete(&self, name: &BucketName, options: &DeleteBucketOptions) -> Result<()> {
        self.remove(name, options.force).during(PROVIDER, "delete_bucket", name)
    }

    async fn head(&self, name: &BucketName) -> Result<BucketInfo> {
        self.find(name).map(|store| info(name, &store)).during(PROVIDER, "head_bucket", name)
    }

    async fn list_page(&self, token: Option<&PageToken>) -> Result<BucketPage> {
        let buckets = read(&self.buckets);
        let limit = CAPABILITIES.limits.list_page as usize;
        let mut infos = buckets
            .iter()
            .filter(|(name, _)| token.is_none_or(|token| name.as_str() > token.as_str()))
            .map(|(name, store)| info(name, store));
        let page: Vec<_> = infos.by_ref().take(limit).collect();
        let next =
            infos.next().and_then(|_| page.last()).map(|last| PageToken::new(last.name.as_str()));
        Ok(BucketPage::new(page, next))
    }

    async fn set_versioning(&self, name: &BucketName, enabled: bool) -> Result<()> {
        let store = self.find(name).during(PROVIDER, "set_versioning", name)?;
        store.set_versioned(enabled);
        Ok(())
    }

    async fn lifecycle(&self, name: &BucketName) -> Result<Vec<LifecycleRule>> {
        let unsupported = CAPABILITIES.require(Feature::BucketLifecycle);
        unsupported.map(|()| Vec::new()).during(PROVIDER, "lifecycle", name)
    }

    async fn set_lifecycle(&self, name: &BucketName, _rules: &[LifecycleRule]) -> Result<()> {
        CAPABILITIES.require(Feature::BucketLifecycle).during(PROVIDER, "set_lifecycle", name)
    }

    fn open(&self, name: &BucketName) -> Result<Arc<dyn ObjectStore>> {
        let store = self.find(name).during(PROVIDER, "open", name)?;
        Ok(Arc::new(store))
    }
}
