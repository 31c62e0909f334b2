use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use futures::TryStreamExt;
use opendal::{EntryMode, Operator, services};

use super::Client;
use crate::suite::Store;

/// OpenDAL.
#[derive(Clone)]
pub(super) struct OpenDal(Operator);

impl Client for OpenDal {
    type Key = String;

    fn open(store: Store, dir: &Path) -> anyhow::Result<Self> {
        let root = dir.to_str().context("a path that is not UTF-8")?;
        let files = services::Fs::default().root(root);
        Ok(Self(match store {
            Store::Memory => Operator::new(services::Memory::default())?,
            // It syncs the file but never the directory: this is as durable as it gets.
            Store::Durable => Operator::new(files.atomic_write_dir(&format!("{root}.tmp")))?,
            Store::Fast => Operator::new(files)?,
        }))
    }

    fn key(name: &str) -> anyhow::Result<String> {
        Ok(name.to_owned())
    }

    async fn put(&self, key: &String, content: Bytes) -> anyhow::Result<()> {
        self.0.write(key, content).await?;
        Ok(())
    }

    async fn get(&self, key: &String) -> anyhow::Result<u64> {
        Ok(self.0.read(key).await?.len() as u64)
    }

    async fn list(&self) -> anyhow::Result<u64> {
        let entries = self.0.lister_with("").recursive(true).await?;
        let files = |count, entry: opendal::Entry| async move {
            Ok(count + u64::from(entry.metadata().mode() == EntryMode::FILE))
        };
        Ok(entries.try_fold(0, files).await?)
    }

    async fn stream_in(&self, key: &String, piece: Bytes, count: u64) -> anyhow::Result<()> {
        let mut writer = self.0.writer(key).await?;
        for _ in 0..count {
            writer.write(piece.clone()).await?;
        }
        writer.close().await?;
        Ok(())
    }

    async fn stream_out(&self, key: &String) -> anyhow::Result<u64> {
        let pieces = self.0.reader(key).await?.into_stream(..).await?;
        let sum = |sum, piece: opendal::Buffer| async move { Ok(sum + piece.len() as u64) };
        Ok(pieces.try_fold(0, sum).await?)
    }
}
