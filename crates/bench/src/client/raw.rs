use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{Client, directory};
use crate::suite::Store;

/// The system calls that a write, a read and a listing need at least, on the blocking pool.
#[derive(Clone)]
pub(super) struct Raw(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    durable: bool,
    /// Numbers the files that are being written.
    temporary: AtomicU64,
}

impl Client for Raw {
    type Key = String;

    async fn open(store: Store, at: &str) -> anyhow::Result<Self> {
        let durable = match store {
            Store::Memory | Store::S3 => bail!("there are no files to compare with"),
            Store::Durable => true,
            Store::Fast => false,
        };
        Ok(Self(Arc::new(Inner { dir: directory(at)?, durable, temporary: AtomicU64::new(0) })))
    }

    fn key(name: &str) -> anyhow::Result<String> {
        Ok(name.to_owned())
    }

    async fn put(&self, key: &String, content: Bytes) -> anyhow::Result<()> {
        self.stream_in(key, content, 1).await
    }

    async fn get(&self, key: &String) -> anyhow::Result<u64> {
        let path = self.0.dir.join(key);
        spawn_blocking(move || Ok(fs::read(path)?.len() as u64)).await?
    }

    async fn head(&self, key: &String) -> anyhow::Result<()> {
        let path = self.0.dir.join(key);
        spawn_blocking(move || Ok(fs::metadata(path).map(drop)?)).await?
    }

    async fn delete(&self, key: &String) -> anyhow::Result<()> {
        let path = self.0.dir.join(key);
        spawn_blocking(move || Ok(fs::remove_file(path)?)).await?
    }

    async fn list(&self) -> anyhow::Result<u64> {
        let inner = Arc::clone(&self.0);
        spawn_blocking(move || count(&inner.dir)).await?
    }

    async fn stream_in(&self, key: &String, piece: Bytes, count: u64) -> anyhow::Result<()> {
        let (inner, path) = (Arc::clone(&self.0), self.0.dir.join(key));
        spawn_blocking(move || inner.write(&path, &piece, count)).await?
    }

    async fn stream_out(&self, key: &String) -> anyhow::Result<u64> {
        let path = self.0.dir.join(key);
        spawn_blocking(move || {
            let (mut file, mut buffer, mut sum) = (File::open(path)?, vec![0; 1 << 20], 0);
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(sum),
                    read => sum += read as u64,
                }
            }
        })
        .await?
    }
}

impl Inner {
    fn write(&self, path: &Path, piece: &[u8], count: u64) -> anyhow::Result<()> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(number.to_string());
        let parent = path.parent().context("a path without a parent")?;
        let mut file = match File::create_new(&temporary) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(parent)?;
                File::create_new(&temporary)?
            }
            file => file?,
        };
        for _ in 0..count {
            file.write_all(piece)?;
        }
        if self.durable {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)?;
        if self.durable {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }
}

fn count(dir: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() {
            count(&entry.path())?
        } else {
            u64::from(entry.metadata()?.is_file())
        };
    }
    Ok(sum)
}
