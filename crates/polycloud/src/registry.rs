use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};

use crate::config::{ComputeBackend, StoreBackend};
use crate::layer::{self, Prefix};
use crate::object::Buckets;
use crate::{Address, Compute, Error, ObjectStore, Result, schemes};

type Opening<T> = BoxFuture<'static, Result<Arc<T>>>;
type Factory<T> = Arc<dyn Fn(Address) -> Opening<T> + Send + Sync>;

/// What opens which scheme of URL.
///
/// [`Registry::default`] knows the schemes of the features that are enabled; more can be added, or
/// put in place of those. There is no global registry: the functions [`open_store`](crate::open_store)
/// and [`open_compute`](crate::open_compute) make a default one for each call.
///
/// A registry also holds what its stores share: `memory://name` opened twice through the same
/// registry, or a clone of it, is the same store.
///
/// ```
/// # #[cfg(feature = "local")] {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use std::sync::Arc;
/// use polycloud::local::MemoryStore;
/// use polycloud::{ObjectStore, Registry};
///
/// let registry = Registry::default().with_store("mine", async |address| {
///     let store = MemoryStore::builder().name(address.host()).build();
///     Ok(Arc::new(store) as Arc<dyn ObjectStore>)
/// });
/// let store = registry.open_store("mine://cache").await?;
/// assert_eq!(store.info().bucket, "cache");
/// # Ok::<(), polycloud::Error>(())
/// # })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Registry {
    stores: BTreeMap<String, Factory<dyn ObjectStore>>,
    computes: BTreeMap<String, Factory<dyn Compute>>,
    shared: Shared,
}

/// What the backends of one registry have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    /// The buckets that `memory://name` means.
    #[cfg(feature = "local")]
    pub(crate) memory: polycloud_local::MemoryBuckets,
    /// The connections to Amazon's services and their like.
    #[cfg(any(feature = "aws-s3", feature = "aws-ec2"))]
    pub(crate) aws: polycloud_aws::Session,
}

impl Registry {
    /// Knows no scheme.
    #[must_use]
    pub fn empty() -> Self {
        Self { stores: BTreeMap::new(), computes: BTreeMap::new(), shared: Shared::default() }
    }

    /// Opens stores of a scheme with `factory`, in place of what opened them before.
    ///
    /// The option `prefix` is taken care of by the registry and not shown to the factory; all others
    /// are the factory's, which reads them with [`Options::read`](crate::Options::read) so that none is
    /// ignored.
    #[must_use]
    pub fn with_store<F, Fut>(mut self, scheme: impl Into<String>, factory: F) -> Self
    where
        F: Fn(Address) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Arc<dyn ObjectStore>>> + Send + 'static,
    {
        self.stores.insert(scheme.into(), Arc::new(move |address| factory(address).boxed()));
        self
    }

    /// Opens computes of a scheme with `factory`, in place of what opened them before.
    #[must_use]
    pub fn with_compute<F, Fut>(mut self, scheme: impl Into<String>, factory: F) -> Self
    where
        F: Fn(Address) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Arc<dyn Compute>>> + Send + 'static,
    {
        self.computes.insert(scheme.into(), Arc::new(move |address| factory(address).boxed()));
        self
    }

    /// The schemes of which stores can be opened.
    pub fn store_schemes(&self) -> impl Iterator<Item = &str> {
        self.stores.keys().map(String::as_str)
    }

    /// The schemes of which computes can be opened.
    pub fn compute_schemes(&self) -> impl Iterator<Item = &str> {
        self.computes.keys().map(String::as_str)
    }

    /// Opens a store by its URL.
    ///
    /// The option `prefix` works for every scheme: the store then shows only the keys that begin with
    /// it, without it. The path of an `s3` URL is another way to write it: `s3://bucket/logs` has the
    /// prefix `logs/`. Opening makes no request to a cloud; what a local backend does is said in its own
    /// documentation.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the fix, if the URL is malformed, its scheme is not
    /// known, or an option is unknown or wrong; and those of the backend.
    pub async fn open_store(&self, url: &str) -> Result<Arc<dyn ObjectStore>> {
        let mut address: Address = url.parse()?;
        let factory = self
            .stores
            .get(address.scheme())
            .ok_or_else(|| schemes::missing("store", address.scheme(), self.store_schemes()))?;
        let prefix = address.take_prefix()?;
        with_prefix(factory(address).await?, prefix.as_deref())
    }

    /// Opens the buckets that a URL without a bucket stands for: `memory:`, `file:///dir`, whose
    /// directories are buckets, or `s3:?region=eu-west-1`.
    ///
    /// # Errors
    /// As [`open_store`](Self::open_store).
    pub async fn open_buckets(&self, url: &str) -> Result<Arc<dyn Buckets>> {
        let address: Address = url.parse()?;
        StoreBackend::from_address(&address)?.open_buckets(&self.shared).await
    }

    /// Opens a compute by its URL.
    ///
    /// # Errors
    /// As [`open_store`](Self::open_store).
    pub async fn open_compute(&self, url: &str) -> Result<Arc<dyn Compute>> {
        let address: Address = url.parse()?;
        let factory = self
            .computes
            .get(address.scheme())
            .ok_or_else(|| schemes::missing("compute", address.scheme(), self.compute_schemes()))?;
        factory(address).await
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Default for Registry {
    /// Knows the schemes of the features that are enabled, and shares nothing with other registries.
    fn default() -> Self {
        let mut registry = Self::empty();
        for scheme in StoreBackend::SCHEMES {
            let shared = registry.shared.clone();
            registry = registry.with_store(*scheme, move |address| {
                let shared = shared.clone();
                async move { StoreBackend::from_address(&address)?.open(&shared).await }
            });
        }
        for scheme in ComputeBackend::SCHEMES {
            let shared = registry.shared.clone();
            registry = registry.with_compute(*scheme, move |address| {
                let shared = shared.clone();
                async move { ComputeBackend::from_address(&address)?.open(&shared).await }
            });
        }
        registry
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stores, computes, shared: _ } = self;
        f.debug_struct("Registry")
            .field("stores", &stores.keys())
            .field("computes", &computes.keys())
            .finish_non_exhaustive()
    }
}

/// Shows only the keys of a store that begin with a prefix.
pub(crate) fn with_prefix(
    store: Arc<dyn ObjectStore>,
    prefix: Option<&str>,
) -> Result<Arc<dyn ObjectStore>> {
    let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) else { return Ok(store) };
    let prefix = Prefix::new(prefix).map_err(|error| {
        Error::config("option `prefix` leaves no room for keys").with_source(error)
    })?;
    Ok(layer::store(store, prefix))
}
