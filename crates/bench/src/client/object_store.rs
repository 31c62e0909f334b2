use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart, path};

use super::{BUCKET, Client, KEY_ID, REGION, SECRET, directory};
use crate::suite::Store;

/// The `object_store` crate.
#[derive(Clone)]
pub(super) struct ArrowStore(Arc<dyn ObjectStore>);

impl Client for ArrowStore {
    type Key = path::Path;

    async fn open(store: Store, at: &str) -> anyhow::Result<Self> {
        let files =
            |fsync| anyhow::Ok(LocalFileSystem::new_with_prefix(directory(at)?)?.with_fsync(fsync));
        Ok(Self(match store {
            Store::Memory => Arc::new(InMemory::new()),
            Store::Durable => Arc::new(files(true)?),
            Store::Fast => Arc::new(files(false)?),
            Store::S3 => {
                let s3 = AmazonS3Builder::new().with_endpoint(at).with_allow_http(true);
                let s3 = s3.with_bucket_name(BUCKET).with_region(REGION);
                Arc::new(s3.with_access_key_id(KEY_ID).with_secret_access_key(SECRET).build()?)
            }
        }))
    }

    fn key(name: &str) -> anyhow::Result<path::Path> {
        Ok(path::Path::parse(name)?)
    }

    async fn put(&self, key: &path::Path, content: Bytes) -> anyhow::Result<()> {
        self.0.put(key, content.into()).await?;
        Ok(())
    }

    async fn get(&self, key: &path::Path) -> anyhow::Result<u64> {
        Ok(self.0.get(key).await?.bytes().await?.len() as u64)
    }

    async fn head(&self, key: &path::Path) -> anyhow::Result<()> {
        self.0.head(key).await?;
        Ok(())
    }

    async fn delete(&self, key: &path::Path) -> anyhow::Result<()> {
        Ok(self.0.delete(key).await?)
    }

    async fn list(&self) -> anyhow::Result<u64> {
        let entries = self.0.list(None);
        Ok(entries.try_fold(0, |count, _| async move { Ok(count + 1) }).await?)
    }

    async fn stream_in(&self, key: &path::Path, piece: Bytes, count: u64) -> anyhow::Result<()> {
        let mut upload = WriteMultipart::new(self.0.put_multipart(key).await?);
        for _ in 0..count {
            upload.wait_for_capacity(4).await?;
            upload.put(piece.clone());
        }
        upload.finish().await?;
        Ok(())
    }

    async fn stream_out(&self, key: &path::Path) -> anyhow::Result<u64> {
        let pieces = self.0.get(key).await?.into_stream();
        let sum = |sum, piece: Bytes| async move { Ok(sum + piece.len() as u64) };
        Ok(pieces.try_fold(0, sum).await?)
    }
}
