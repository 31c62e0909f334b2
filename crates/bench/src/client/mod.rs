//! Those who take part, behind one interface.

mod aws_sdk;
mod hyper;
mod object_store;
mod opendal;
mod pieces;
mod polycloud;
mod raw;

use std::future::Future;
use std::path::{Path, PathBuf};

use anyhow::bail;
use bytes::Bytes;

use crate::measure::Measured;
use crate::suite::{Case, Store};
use crate::work::{self, Extent};

/// A client as the cases use it. Static dispatch, so that the interface costs nothing.
pub(crate) trait Client: Clone + Send + Sync + 'static {
    /// The client's own type for names, made once per object.
    type Key: Clone + Send + Sync + 'static;

    /// Opens a store: of files in the directory, or of the server with the endpoint that `at` states.
    fn open(store: Store, at: &str) -> impl Future<Output = anyhow::Result<Self>>;

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

    /// Reads an object's metadata.
    fn head(&self, key: &Self::Key) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Deletes an object.
    fn delete(&self, key: &Self::Key) -> impl Future<Output = anyhow::Result<()>> + Send;

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

/// The bucket of the server.
const BUCKET: &str = "bench";
const REGION: &str = "us-east-1";
/// Accepted by the server, as any other.
const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY";

/// Measures a case with the client of that name.
pub(crate) fn measure(
    client: &str,
    case: &Case,
    at: &str,
    extent: Extent,
) -> anyhow::Result<Measured> {
    match client {
        "polycloud" => measure_with::<polycloud::Polycloud>(case, at, extent),
        "object_store" => measure_with::<object_store::ArrowStore>(case, at, extent),
        "opendal" => measure_with::<opendal::OpenDal>(case, at, extent),
        "aws-sdk-s3" => measure_with::<aws_sdk::AwsSdk>(case, at, extent),
        "hyper" => measure_with::<hyper::Hyper>(case, at, extent),
        "raw" => measure_with::<raw::Raw>(case, at, extent),
        _ => bail!("no client is called {client:?}"),
    }
}

fn measure_with<C: Client>(case: &Case, at: &str, extent: Extent) -> anyhow::Result<Measured> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let client = C::open(case.store, at).await?;
        work::measure(client, case, at, extent).await
    })
}

/// Where the files of a case are: beside the marker that says that they were written.
fn directory(at: &str) -> anyhow::Result<PathBuf> {
    let store = Path::new(at).join("store");
    std::fs::create_dir_all(&store)?;
    Ok(store)
}
