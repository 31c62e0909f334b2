//! Those who take part, behind one interface.

mod object_store;
mod opendal;
mod polycloud;
mod raw;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use bytes::Bytes;

use crate::measure::Measured;
use crate::suite::{Case, Store};
use crate::work;

/// A client as the cases use it. Static dispatch, so that the interface costs nothing.
pub(crate) trait Client: Clone + Send + Sync + 'static {
    /// The client's own type for names, made once per object.
    type Key: Clone + Send + Sync + 'static;

    /// Opens a store; files are to be in `dir`.
    fn open(store: Store, dir: &Path) -> anyhow::Result<Self>;

    /// Makes a name.
    fn key(name: &str) -> anyhow::Result<Self::Key>;

    /// Writes an object.
    fn put(
        &self,
        key: &Self::Key,
        content: Bytes,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Reads an object into memory and returns its size.
    fn get(&self, key: &Self::Key) -> impl Future<Output = anyhow::Result<u64>> + Send;

    /// Lists all objects with their metadata and returns their number.
    fn list(&self) -> impl Future<Output = anyhow::Result<u64>> + Send;

    /// Writes an object that consists of `count` times the piece, one after the other.
    fn stream_in(
        &self,
        key: &Self::Key,
        piece: Bytes,
        count: u64,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Reads an object piece by piece and returns its size.
    fn stream_out(&self, key: &Self::Key) -> impl Future<Output = anyhow::Result<u64>> + Send;
}

/// Measures a case with the client of that name.
pub(crate) fn measure(
    client: &str,
    case: &Case,
    dir: &Path,
    millis: u64,
) -> anyhow::Result<Measured> {
    match client {
        "polycloud" => measure_with::<polycloud::Polycloud>(case, dir, millis),
        "object_store" => measure_with::<object_store::ArrowStore>(case, dir, millis),
        "opendal" => measure_with::<opendal::OpenDal>(case, dir, millis),
        "raw" => measure_with::<raw::Raw>(case, dir, millis),
        _ => bail!("no client is called {client:?}"),
    }
}

fn measure_with<C: Client>(case: &Case, dir: &Path, millis: u64) -> anyhow::Result<Measured> {
    let store = dir.join("store");
    std::fs::create_dir_all(&store)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let client = C::open(case.store, &store)?;
    runtime.block_on(work::measure(client, case, dir, Duration::from_millis(millis)))
}
