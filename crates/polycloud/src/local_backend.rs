//! The embedded provider as a backend: how its URLs read.

use std::path::PathBuf;
use std::sync::Arc;

use polycloud_local::MemoryConfig;

use crate::config::{Backend, BucketsBackend, escaped};
use crate::object::Buckets;
use crate::options::Options;
use crate::registry::Shared;
use crate::{Address, Compute, Error, ErrorKind, ObjectStore, Result};

impl Backend<dyn ObjectStore> for MemoryConfig {
    fn options(address: &Address) -> Result<Options> {
        if !matches!(address.path(), "" | "/") {
            return Err(Error::config(
                "a memory store is named by a host alone, as in memory://bucket; for a part of it use \
                 memory://bucket?prefix=part/",
            ));
        }
        match address.host() {
            "" => Ok(address.options().clone()),
            name => address.options().clone().with("name", name),
        }
    }

    fn location(&self) -> (&'static str, String) {
        let name = self.name.as_ref().map(|name| format!("//{name}"));
        ("name", format!("memory:{}", name.unwrap_or_default()))
    }

    async fn open(&self, shared: &Shared) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(self.open(&shared.memory).await?))
    }
}

#[cfg(unix)]
impl Backend<dyn ObjectStore> for polycloud_local::FileConfig {
    fn options(address: &Address) -> Result<Options> {
        directory(address)?;
        if address.path().is_empty() {
            return Err(Error::config("a file URL names a directory, as in file:///data/bucket"));
        }
        address.options().clone().with("path", address.path())
    }

    fn location(&self) -> (&'static str, String) {
        ("path", format!("file://{}", escaped(&self.path.to_string_lossy())))
    }

    async fn open(&self, _shared: &Shared) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(self.open().await?))
    }
}

impl BucketsBackend for MemoryConfig {
    async fn open_buckets(&self, shared: &Shared) -> Result<Arc<dyn Buckets>> {
        if let Some(name) = &self.name {
            return Err(Error::config(format!(
                "the buckets in memory have a URL that names none of them: memory: in place of \
                 memory://{name}"
            )));
        }
        Ok(Arc::new(shared.memory.clone()))
    }
}

/// Every directory in the directory is a bucket.
#[cfg(unix)]
impl BucketsBackend for polycloud_local::FileConfig {
    async fn open_buckets(&self, _shared: &Shared) -> Result<Arc<dyn Buckets>> {
        let Self { path, durability, .. } = self.clone();
        let opened = tokio::task::spawn_blocking(move || polycloud_local::LocalBuckets::open(path));
        let buckets = opened
            .await
            .map_err(|lost| Error::new(ErrorKind::Internal).with_source(lost))
            .flatten()?;
        Ok(Arc::new(buckets.with_durability(durability)))
    }
}

#[cfg(unix)]
impl Backend<dyn Compute> for polycloud_local::LocalComputeConfig {
    fn options(address: &Address) -> Result<Options> {
        directory(address)?;
        match address.path() {
            "" => Ok(address.options().clone()),
            path => address.options().clone().with("path", path),
        }
    }

    fn read(options: &Options) -> Result<Self> {
        if options.has("path") {
            return options.read();
        }
        let path = state_directory()?.join("polycloud/compute");
        options.clone().with("path", path.to_string_lossy())?.read()
    }

    fn location(&self) -> (&'static str, String) {
        ("path", format!("local://{}", escaped(&self.path.to_string_lossy())))
    }

    async fn open(&self, _shared: &Shared) -> Result<Arc<dyn Compute>> {
        let config = self.clone();
        let opened = tokio::task::spawn_blocking(move || config.open()).await;
        let compute =
            opened.map_err(|lost| Error::new(ErrorKind::Internal).with_source(lost)).flatten()?;
        Ok(Arc::new(compute))
    }
}

/// Where programs of this user keep what outlives them (XDG Base Directory Specification).
#[cfg(unix)]
fn state_directory() -> Result<PathBuf> {
    let named = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::home_dir().map(|home| home.join(".local/state"));
    named.filter(|path| path.is_absolute()).or_else(home).ok_or_else(|| {
        Error::config("there is no home directory to keep instances in: name one with local:///dir")
    })
}

/// Checks that a URL names an absolute directory of this machine, or none.
#[cfg(unix)]
fn directory(address: &Address) -> Result<()> {
    let (scheme, host, path) = (address.scheme(), address.host(), address.path());
    if !matches!(host, "" | "localhost") {
        return Err(Error::config(format!(
            "{scheme}://{host}{path} names the machine {host}; a directory is written with three \
             slashes: {scheme}:///{host}{path}"
        )));
    }
    if path.is_empty() || path.starts_with('/') {
        return Ok(());
    }
    Err(Error::config(format!(
        "a {scheme} URL names an absolute directory, as in {scheme}:///data/{path}"
    )))
}
