//! Drives a client through a case.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;

use crate::client::Client;
use crate::measure::{Measured, Start};
use crate::suite::{Case, Store, Work};

/// Small objects in turn, as many as that; large ones as many as fit into [`LARGE_BYTES`].
const OBJECTS: usize = 1_000;
const LARGE_BYTES: usize = 128 << 20;
/// Objects that a listing finds in each directory.
const PER_DIRECTORY: usize = 1_000;
/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extent {
    /// For about that time, after enough calls to know how many that are.
    Time(Duration),
    /// So many calls of each task.
    Calls(u64),
}

/// Measures calls, after the set-up and a call of each task that does not count. `at` is where the case's store is.
pub(crate) async fn measure<C: Client>(
    client: C,
    case: &Case,
    at: &str,
    extent: Extent,
) -> anyhow::Result<Measured> {
    let mut load = Load::<C>::new(case)?;
    if case.store != Store::S3 {
        load.set_up(&client, case, Path::new(at)).await?;
    }
    if !matches!(case.work, Work::Put(_) | Work::StreamIn(_)) {
        // It would count as memory of the reads.
        load.contents.fill(Bytes::new());
    }
    // Connects, and fills what the client keeps from call to call.
    load.batch(&client, case, 1).await?;
    let calls = match extent {
        Extent::Time(time) => load.calls_in(&client, case, time).await?,
        Extent::Calls(calls) => calls,
    };
    let start = Start::now()?;
    load.batch(&client, case, calls).await?;
    start.per_call(calls * case.tasks as u64 * case.work.calls(case.store))
}

/// Keys and content, made once, outside of what is measured.
struct Load<C: Client> {
    keys: Vec<C::Key>,
    /// One for each task: tasks that share one would meet at its reference count.
    contents: Vec<Bytes>,
}

impl<C: Client> Load<C> {
    fn new(case: &Case) -> anyhow::Result<Self> {
        let (count, size) = match case.work {
            Work::Put(size) | Work::Get(size) => ((LARGE_BYTES / size).clamp(1, OBJECTS), size),
            Work::List(count) => (count, 1),
            Work::Head | Work::Delete => (OBJECTS, 1),
            Work::StreamIn(_) | Work::StreamOut(_) => (1, piece(case.store)),
        };
        let prefix = prefix(case);
        let name =
            |i| format!("{prefix}logs/{:03}/object-{:04}", i / PER_DIRECTORY, i % PER_DIRECTORY);
        let keys = (0..count).map(|i| C::key(&name(i))).collect::<anyhow::Result<_>>()?;
        // Not all alike, so that nothing on the way can do better than to copy them.
        let content = (0..size).map(|i| (i.wrapping_mul(0x9E37_79B9) >> 13).to_le_bytes()[0]);
        let content: Vec<u8> = content.collect();
        let contents = (0..case.tasks).map(|_| Bytes::copy_from_slice(&content)).collect();
        Ok(Self { keys, contents })
    }

    /// Writes what the calls read. Files that an earlier round wrote are used again.
    async fn set_up(&self, client: &C, case: &Case, dir: &Path) -> anyhow::Result<()> {
        let done = dir.join("ready");
        let files = case.store != Store::Memory;
        if files && done.exists() {
            return Ok(());
        }
        let content = self.contents.first().context("no tasks")?;
        match case.work {
            // What is measured replaces objects, so that every call finds the same.
            Work::Put(_) => {
                for key in &self.keys {
                    client.put(key, content.clone()).await?;
                }
            }
            Work::Get(_) | Work::Head | Work::Delete | Work::List(_) => {
                for key in &self.keys {
                    client.put(key, Bytes::copy_from_slice(content)).await?;
                }
            }
            Work::StreamIn(_) => {}
            Work::StreamOut(size) => {
                let count = size / content.len() as u64;
                client.stream_in(self.key(0)?, content.clone(), count).await?;
            }
        }
        if files {
            std::fs::write(done, "")?;
            // What the set-up left to be written must not burden the calls.
            nix::unistd::sync();
        }
        Ok(())
    }

    fn key(&self, number: usize) -> anyhow::Result<&C::Key> {
        self.keys.get(number % self.keys.len()).context("no keys")
    }

    /// How many calls each task makes in that time.
    async fn calls_in(&self, client: &C, case: &Case, time: Duration) -> anyhow::Result<u64> {
        let mut calls = 1;
        loop {
            let start = Start::now()?;
            self.batch(client, case, calls).await?;
            let elapsed = start.elapsed();
            if elapsed * 8 >= time {
                let wanted = (calls as f64 * time.as_secs_f64() / elapsed.as_secs_f64()).ceil();
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "1 to 8 × calls"
                )]
                return Ok((wanted as u64).max(1));
            }
            calls *= 2;
        }
    }

    /// As many calls as stated in each of the case's tasks.
    async fn batch(&self, client: &C, case: &Case, calls: u64) -> anyhow::Result<()> {
        let (work, tasks) = (case.work, case.tasks);
        let spawned: Vec<_> = (0..)
            .zip(&self.contents)
            .map(|(task, content)| {
                let (client, content) = (client.clone(), content.clone());
                // Each task has keys of its own, as far as there are enough.
                let keys: Vec<_> = self.keys.iter().skip(task).step_by(tasks).cloned().collect();
                let keys = if keys.is_empty() { self.keys.clone() } else { keys };
                tokio::spawn(async move {
                    for key in keys.iter().cycle().take(usize::try_from(calls)?) {
                        call(&client, work, key, &content).await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for task in spawned {
            task.await??;
        }
        Ok(())
    }
}

async fn call<C: Client>(
    client: &C,
    work: Work,
    key: &C::Key,
    content: &Bytes,
) -> anyhow::Result<()> {
    let (found, expected) = match work {
        Work::Put(_) => return client.put(key, content.clone()).await,
        Work::StreamIn(size) => {
            let count = size / content.len() as u64;
            return client.stream_in(key, content.clone(), count).await;
        }
        Work::Head => return client.head(key).await,
        Work::Delete => return client.delete(key).await,
        Work::Get(size) => (client.get(key).await?, size as u64),
        Work::List(count) => (client.list().await?, count as u64),
        Work::StreamOut(size) => (client.stream_out(key).await?, size),
    };
    ensure!(found == expected, "found {found} instead of {expected}");
    Ok(())
}

/// Size of the pieces in which a stream is written.
fn piece(store: Store) -> usize {
    if store == Store::S3 { 8 << 20 } else { 1 << 20 }
}

/// The server makes objects of the size that their names begin with.
fn prefix(case: &Case) -> String {
    match (case.store, case.work) {
        (Store::S3, Work::Get(size)) => format!("{size}/"),
        (Store::S3, Work::StreamOut(size)) => format!("{size}/"),
        (Store::S3, _) => "4096/".into(),
        _ => String::new(),
    }
}
