use anyhow::Context;
use bytes::Bytes;
use futures::TryStreamExt;
use opendal::{EntryMode, Operator, services};

use super::{BUCKET, Client, KEY_ID, REGION, SECRET, directory};
use crate::suite::Store;

/// OpenDAL.
#[derive(Clone)]
pub(super) struct OpenDal {
    operator: Operator,
    /// Whether streams are written as parts, several at a time.
    parts: bool,
}

impl Client for OpenDal {
    type Key = String;

    async fn open(store: Store, at: &str) -> anyhow::Result<Self> {
        opendal::install_default();
        let operator = match store {
            Store::Memory => Operator::new(services::Memory::default())?,
            Store::Durable | Store::Fast => {
                let root = directory(at)?;
                let root = root.to_str().context("a path that is not UTF-8")?;
                let files = services::Fs::default().root(root);
                // It syncs the file but never the directory: this is as durable as it gets.
                let durable = store == Store::Durable;
                let temporary = format!("{root}.tmp");
                Operator::new(if durable { files.atomic_write_dir(&temporary) } else { files })?
            }
            Store::S3 => {
                let s3 = services::S3::default().endpoint(at).bucket(BUCKET).region(REGION);
                Operator::new(s3.access_key_id(KEY_ID).secret_access_key(SECRET))?
            }
        };
        Ok(Self { operator, parts: store == Store::S3 })
    }

    fn key(name: &str) -> anyhow::Result<String> {
        Ok(name.to_owned())
    }

    async fn put(&self, key: &String, content: Bytes) -> anyhow::Result<()> {
        self.operator.write(key, content).await?;
        Ok(())
    }

    async fn get(&self, key: &String) -> anyhow::Result<u64> {
        Ok(self.operator.read(key).await?.len() as u64)
    }

    async fn head(&self, key: &String) -> anyhow::Result<()> {
        self.operator.stat(key).await?;
        Ok(())
    }

    async fn delete(&self, key: &String) -> anyhow::Result<()> {
        Ok(self.operator.delete(key).await?)
    }

    async fn list(&self) -> anyhow::Result<u64> {
        let entries = self.operator.lister_with("").recursive(true).await?;
        let files = |count, entry: opendal::Entry| async move {
            Ok(count + u64::from(entry.metadata().mode() == EntryMode::FILE))
        };
        Ok(entries.try_fold(0, files).await?)
    }

    async fn stream_in(&self, key: &String, piece: Bytes, count: u64) -> anyhow::Result<()> {
        let writer = self.operator.writer_with(key);
        let mut writer = if self.parts {
            writer.chunk(piece.len()).concurrent(4).await?
        } else {
            writer.await?
        };
        for _ in 0..count {
            writer.write(piece.clone()).await?;
        }
        writer.close().await?;
        Ok(())
    }

    async fn stream_out(&self, key: &String) -> anyhow::Result<u64> {
        let pieces = self.operator.reader(key).await?.into_stream(..).await?;
        let sum = |sum, piece: opendal::Buffer| async move { Ok(sum + piece.len() as u64) };
        Ok(pieces.try_fold(0, sum).await?)
    }
}
