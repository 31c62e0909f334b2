use std::sync::Arc;

use bytes::Bytes;
use polycloud_core::object::{
    DeleteOptions, GetOptions, HeadOptions, Key, ListOptions, ObjectStore, PutOptions,
    UploadOptions,
};
use polycloud_local::{Durability, LocalStore, MemoryStore};

use super::{BUCKET, Client, KEY_ID, REGION, SECRET, directory};
use crate::suite::Store;

/// This project.
#[derive(Clone)]
pub(super) struct Polycloud(Arc<dyn ObjectStore>);

impl Client for Polycloud {
    type Key = Key;

    async fn open(store: Store, at: &str) -> anyhow::Result<Self> {
        let files = |durability| {
            anyhow::Ok(LocalStore::builder(directory(at)?).durability(durability).open()?)
        };
        Ok(Self(match store {
            Store::Memory => Arc::new(MemoryStore::new()),
            Store::Durable => Arc::new(files(Durability::Full)?),
            Store::Fast => Arc::new(files(Durability::Fast)?),
            Store::S3 => {
                let credentials = format!("access_key_id={KEY_ID}&secret_access_key={SECRET}");
                // `preset`: what Amazon would be asked, although the endpoint is another.
                let server = format!("endpoint={at}&region={REGION}&preset=aws&path_style=true");
                polycloud::open_store(&format!("s3://{BUCKET}?{server}&{credentials}")).await?
            }
        }))
    }

    fn key(name: &str) -> anyhow::Result<Key> {
        Ok(Key::new(name)?)
    }

    async fn put(&self, key: &Key, content: Bytes) -> anyhow::Result<()> {
        self.0.put(key, content.into(), &PutOptions::default()).await?;
        Ok(())
    }

    async fn get(&self, key: &Key) -> anyhow::Result<u64> {
        let result = self.0.get(key, &GetOptions::default()).await?;
        Ok(result.bytes().await?.len() as u64)
    }

    async fn head(&self, key: &Key) -> anyhow::Result<()> {
        self.0.head(key, &HeadOptions::default()).await?;
        Ok(())
    }

    async fn delete(&self, key: &Key) -> anyhow::Result<()> {
        self.0.delete(key, &DeleteOptions::default()).await?;
        Ok(())
    }

    async fn list(&self) -> anyhow::Result<u64> {
        let (options, mut token, mut count) = (ListOptions::default(), None, 0);
        loop {
            let page = self.0.list_page(&options, token.as_ref()).await?;
            count += page.entries.len() as u64;
            token = page.next;
            if token.is_none() {
                return Ok(count);
            }
        }
    }

    async fn stream_in(&self, key: &Key, piece: Bytes, count: u64) -> anyhow::Result<()> {
        let mut upload = self.0.upload(key, &UploadOptions::default()).await?;
        for _ in 0..count {
            upload.write(piece.clone()).await?;
        }
        upload.complete().await?;
        Ok(())
    }

    async fn stream_out(&self, key: &Key) -> anyhow::Result<u64> {
        let mut body = self.0.get(key, &GetOptions::default()).await?.body;
        let mut sum = 0;
        while let Some(piece) = body.next_chunk().await? {
            sum += piece.len() as u64;
        }
        Ok(sum)
    }
}
