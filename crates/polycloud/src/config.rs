use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::object::Buckets;
use crate::options::{Options, listed};
use crate::registry::{Registry, Shared, with_prefix};
use crate::schemes;
use crate::{Address, Compute, Error, ObjectStore, Result};

/// What a backend's configuration has to know to take part in [`StoreConfig`] or [`ComputeConfig`].
pub(crate) trait Backend<T: ?Sized>: Serialize + DeserializeOwned {
    /// The options of a URL, with what its host and path say among them.
    fn options(address: &Address) -> Result<Options>;

    /// Reads the options of a URL or a file.
    fn read(options: &Options) -> Result<Self> {
        options.read()
    }

    /// The field that the host and path of a URL hold, and the URL up to its options.
    fn location(&self) -> (&'static str, String);

    /// Opens what is configured.
    fn open(&self, shared: &Shared) -> impl Future<Output = Result<Arc<T>>> + Send;
}

/// What a store's configuration has to know beside [`Backend`]: the buckets around it.
pub(crate) trait BucketsBackend {
    /// Opens the buckets of the account, or of the directory.
    fn open_buckets(
        &self,
        shared: &Shared,
    ) -> impl Future<Output = Result<Arc<dyn Buckets>>> + Send;
}

/// Joins the configurations of all backends into one enum. A new backend is one line in it.
macro_rules! backends {
    (
        $(#[doc = $doc:literal])+
        $name:ident opens $object:ident as $what:literal:
        $($(#[doc = $about:literal])+
            $scheme:literal if $available:tt => $variant:ident($config:ty),)*
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        #[allow(
            clippy::large_enum_variant,
            reason = "there are a few of these in a program, and a box would show in `match`"
        )]
        pub enum $name {
            $(
                $(#[doc = $about])+
                #[cfg $available]
                $variant($config),
            )*
        }

        $(#[cfg $available] impl From<$config> for $name {
            fn from(config: $config) -> Self {
                Self::$variant(config)
            }
        })*

        impl $name {
            /// The schemes of URLs, which are also the values of `type` in configuration files.
            pub(crate) const SCHEMES: &'static [&'static str] = &[$(#[cfg $available] $scheme,)*];

            /// Reads the configuration that a URL stands for.
            pub(crate) fn from_address(address: &Address) -> Result<Self> {
                match address.scheme() {
                    $(#[cfg $available] $scheme => {
                        Self::read($scheme, &<$config as Backend<dyn $object>>::options(address)?)
                    })*
                    other => Err(schemes::missing($what, other, Self::SCHEMES.iter().copied())),
                }
            }

            fn read(kind: &str, options: &Options) -> Result<Self> {
                match kind {
                    $(#[cfg $available] $scheme => {
                        <$config as Backend<dyn $object>>::read(options).map(Self::$variant)
                    })*
                    other => Err(schemes::missing($what, other, Self::SCHEMES.iter().copied())),
                }
            }

            fn fields(&self) -> serde_json::Result<(&'static str, Value)> {
                match *self {
                    $(#[cfg $available] Self::$variant(ref config) => {
                        Ok(($scheme, serde_json::to_value(config)?))
                    })*
                }
            }

            fn location(&self) -> (&'static str, String) {
                match *self {
                    $(#[cfg $available] Self::$variant(ref config) => {
                        Backend::<dyn $object>::location(config)
                    })*
                }
            }

            pub(crate) async fn open(&self, shared: &Shared) -> Result<Arc<dyn $object>> {
                match *self {
                    $(#[cfg $available] Self::$variant(ref config) => {
                        Backend::<dyn $object>::open(config, shared).await
                    })*
                }
            }
        }
    };
}

backends! {
    /// The configuration of one kind of store.
    StoreBackend opens ObjectStore as "store":
    /// `file:///dir`: the files of a directory.
    "file" if (all(feature = "local", unix)) => File(polycloud_local::FileConfig),
    /// `memory:` and `memory://bucket`: the memory of this process.
    "memory" if (feature = "local") => Memory(polycloud_local::MemoryConfig),
    /// `s3://bucket`: a bucket of Amazon S3, or of a service that speaks its protocol.
    "s3" if (feature = "aws-s3") => S3(polycloud_aws::S3Config),
}

backends! {
    /// The configuration of one kind of compute.
    ComputeBackend opens Compute as "compute":
    /// `local:` and `local:///dir`: process groups of this machine.
    "local" if (all(feature = "local", unix)) => Local(polycloud_local::LocalComputeConfig),
    /// `ec2://region`: Amazon EC2 in a region.
    "ec2" if (feature = "aws-ec2") => Ec2(polycloud_aws::Ec2Config),
}

impl StoreBackend {
    pub(crate) async fn open_buckets(&self, shared: &Shared) -> Result<Arc<dyn Buckets>> {
        match *self {
            #[cfg(all(feature = "local", unix))]
            Self::File(ref config) => config.open_buckets(shared).await,
            #[cfg(feature = "local")]
            Self::Memory(ref config) => config.open_buckets(shared).await,
            #[cfg(feature = "aws-s3")]
            Self::S3(ref config) => BucketsBackend::open_buckets(config, shared).await,
        }
    }
}

/// Which store to open, as a value: what a configuration file holds.
///
/// In a file the kind of store is the field `type`, named like the scheme of its URL; all other
/// fields are those of that kind and `prefix`.
///
/// ```
/// # #[cfg(feature = "local")] {
/// use polycloud::StoreConfig;
///
/// let config: StoreConfig = serde_json::from_str(r#"{"type": "memory", "prefix": "logs/"}"#)?;
/// assert_eq!(config, StoreConfig::from_url("memory:?prefix=logs/")?);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
#[non_exhaustive]
pub struct StoreConfig {
    /// The kind of store and its own fields.
    pub backend: StoreBackend,
    /// Shows only the keys that begin with this, without it.
    pub prefix: Option<String>,
}

impl StoreConfig {
    /// Reads the configuration that a URL stands for.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the fix.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::from_address(&url.parse()?)
    }

    pub(crate) fn from_address(address: &Address) -> Result<Self> {
        let mut address = address.clone();
        let prefix = address.take_prefix()?;
        Ok(Self { backend: StoreBackend::from_address(&address)?, prefix })
    }

    /// Sets the prefix that keys are shown without.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// The URL that stands for this configuration, but for its secrets, which are left out.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if a field cannot be written in a URL: a path that is not UTF-8.
    pub fn url(&self) -> Result<String> {
        let Self { backend, prefix } = self;
        let prefix = prefix.as_ref().map(|prefix| ("prefix", prefix.as_str()));
        join_url(backend.fields(), backend.location(), prefix)
    }

    /// Opens the store, with nothing shared. See [`open_store`](crate::open_store).
    ///
    /// # Errors
    /// As [`Registry::open_store`].
    pub async fn open(&self) -> Result<Arc<dyn ObjectStore>> {
        self.open_in(&Registry::default()).await
    }

    /// Opens the store together with others of a registry, which is what makes a named memory store
    /// one and the same.
    ///
    /// # Errors
    /// As [`Registry::open_store`].
    pub async fn open_in(&self, registry: &Registry) -> Result<Arc<dyn ObjectStore>> {
        let store = self.backend.open(registry.shared()).await?;
        with_prefix(store, self.prefix.as_deref())
    }
}

impl<B: Into<StoreBackend>> From<B> for StoreConfig {
    fn from(backend: B) -> Self {
        Self { backend: backend.into(), prefix: None }
    }
}

impl TryFrom<Map<String, Value>> for StoreConfig {
    type Error = Error;

    fn try_from(fields: Map<String, Value>) -> Result<Self> {
        let (kind, mut options) = split_type("store", StoreBackend::SCHEMES, fields)?;
        let prefix = options.take_text("prefix")?;
        Ok(Self { backend: StoreBackend::read(&kind, &options)?, prefix })
    }
}

impl Serialize for StoreConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { backend, prefix } = self;
        let prefix = prefix.as_ref().map(|prefix| ("prefix", prefix.as_str()));
        join_type(backend.fields(), prefix).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Which compute to open, as a value: what a configuration file holds.
///
/// In a file the kind of compute is the field `type`, named like the scheme of its URL; all other
/// fields are those of that kind.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
#[non_exhaustive]
pub struct ComputeConfig {
    /// The kind of compute and its own fields.
    pub backend: ComputeBackend,
}

impl ComputeConfig {
    /// Reads the configuration that a URL stands for.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the fix.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::from_address(&url.parse()?)
    }

    pub(crate) fn from_address(address: &Address) -> Result<Self> {
        Ok(Self { backend: ComputeBackend::from_address(address)? })
    }

    /// The URL that stands for this configuration, but for its secrets, which are left out.
    ///
    /// # Errors
    /// As [`StoreConfig::url`].
    pub fn url(&self) -> Result<String> {
        join_url(self.backend.fields(), self.backend.location(), None)
    }

    /// Opens the compute, with nothing shared. See [`open_compute`](crate::open_compute).
    ///
    /// # Errors
    /// As [`Registry::open_compute`].
    pub async fn open(&self) -> Result<Arc<dyn Compute>> {
        self.open_in(&Registry::default()).await
    }

    /// Opens the compute together with others of a registry.
    ///
    /// # Errors
    /// As [`Registry::open_compute`].
    pub async fn open_in(&self, registry: &Registry) -> Result<Arc<dyn Compute>> {
        self.backend.open(registry.shared()).await
    }
}

impl<B: Into<ComputeBackend>> From<B> for ComputeConfig {
    fn from(backend: B) -> Self {
        Self { backend: backend.into() }
    }
}

impl TryFrom<Map<String, Value>> for ComputeConfig {
    type Error = Error;

    fn try_from(fields: Map<String, Value>) -> Result<Self> {
        let (kind, options) = split_type("compute", ComputeBackend::SCHEMES, fields)?;
        Ok(Self { backend: ComputeBackend::read(&kind, &options)? })
    }
}

impl Serialize for ComputeConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { backend } = self;
        join_type(backend.fields(), None).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Takes the kind of backend out of the fields of a file.
fn split_type(
    what: &'static str,
    known: &[&str],
    fields: Map<String, Value>,
) -> Result<(String, Options)> {
    let mut options = Options::from_map(what, fields);
    let kind = options.take_text("type")?.ok_or_else(|| {
        Error::config(format!(
            "a {what} needs the field `type`, one of {}",
            listed(known.iter().copied())
        ))
    })?;
    Ok((kind.clone(), options.of(kind)))
}

/// Puts the kind of backend, and what is common to all kinds, beside its own fields.
fn join_type(
    fields: serde_json::Result<(&'static str, Value)>,
    common: Option<(&str, &str)>,
) -> serde_json::Result<Map<String, Value>> {
    let (kind, fields) = fields?;
    let own = match fields {
        Value::Object(own) => own,
        _ => Map::new(),
    };
    let text = |(name, value): (&str, &str)| (name.to_owned(), value.into());
    let common = common.into_iter().map(text);
    Ok([text(("type", kind))].into_iter().chain(common).chain(own).collect())
}

/// What stands for itself in the path and in the options of a URL.
const PLAIN: AsciiSet =
    NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Escapes text for the path or an option of a URL.
pub(crate) fn escaped(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, &PLAIN)
}

/// Writes fields as the options of a URL, but for the one that its host or path holds.
fn join_url(
    fields: serde_json::Result<(&'static str, Value)>,
    (located, mut url): (&str, String),
    common: Option<(&str, &str)>,
) -> Result<String> {
    let mut fields = join_type(fields, common)
        .map_err(|error| Error::config("the configuration has no URL").with_source(error))?;
    fields.retain(|name, _| name != located && name != "type");
    for (n, (name, value)) in fields.iter().enumerate() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let between = if n == 0 { '?' } else { '&' };
        url.push_str(&format!("{between}{name}={}", escaped(&text)));
    }
    Ok(url)
}
