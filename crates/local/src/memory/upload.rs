use async_trait::async_trait;
use bytes::Bytes;
use polycloud_core::object::{Key, PutOptions, PutResult, Upload};
use polycloud_core::{Result, ResultExt};

use super::object::Content;
use super::store::{MemoryStore, PROVIDER};

/// Gathers the pieces and makes them an object at the end.
#[derive(Debug)]
pub(super) struct MemoryUpload {
    store: MemoryStore,
    key: Key,
    options: PutOptions,
    chunks: Vec<Bytes>,
}

impl MemoryUpload {
    pub(super) fn new(store: MemoryStore, key: Key, options: PutOptions) -> Self {
        Self { store, key, options, chunks: Vec::new() }
    }
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        if !chunk.is_empty() {
            self.chunks.push(chunk);
        }
        Ok(())
    }

    async fn complete(self: Box<Self>) -> Result<PutResult> {
        let Self { store, key, options, chunks } = *self;
        let content = Content::from_chunks(chunks);
        let commit = async {
            let checksums = content.checksums(options.checksum).await?;
            let (attributes, tags) = (options.attributes, options.tags);
            let object = store.object(&key, content, checksums, attributes, tags);
            store.commit(object, options.precondition.as_ref())
        };
        commit.await.during(PROVIDER, "upload", &key)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
