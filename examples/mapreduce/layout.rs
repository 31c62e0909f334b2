//! What the job keeps in the store, and where.
//!
//! Every fact but the heartbeats is an object that is created once and never changed, by a put that
//! fails if the object is there. So the store decides every race, and nobody needs a lock: a task
//! has one owner because its claim has one writer; a partition that two workers finish counts once
//! because the second result is refused.
//!
//! ```text
//! mapreduce/JOB/program             the program that workers run
//! mapreduce/JOB/input/…             the texts
//! mapreduce/JOB/plan                which texts make which partition
//! mapreduce/JOB/tasks/offer/P-A     partition P may be done in attempt A (attempt 0 needs no offer)
//! mapreduce/JOB/tasks/claim/P-A     who does attempt A of partition P
//! mapreduce/JOB/tasks/result/P      what came out of partition P
//! mapreduce/JOB/beat/NAME           written again and again by a worker that is alive
//! ```

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use polycloud::object::Revision;
use polycloud::prelude::*;
use polycloud::{ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Which texts make which partition.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) partitions: Vec<Vec<Key>>,
}

/// Who does a task.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) worker: String,
}

/// What came out of a partition.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Partial {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    pub(crate) words: BTreeMap<String, u64>,
}

/// One attempt to do one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Task {
    pub(crate) partition: usize,
    pub(crate) attempt: u32,
}

/// The keys of one job.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: String,
}

impl Layout {
    pub(crate) fn new(job: &str) -> Self {
        Self { root: format!("mapreduce/{job}/") }
    }

    /// What all keys of the job begin with.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    pub(crate) fn program(&self) -> Result<Key> {
        self.key("program")
    }

    pub(crate) fn input(&self, path: &str) -> Result<Key> {
        self.key(&format!("input/{path}"))
    }

    pub(crate) fn plan(&self) -> Result<Key> {
        self.key("plan")
    }

    pub(crate) fn offer(&self, task: Task) -> Result<Key> {
        self.key(&format!("tasks/offer/{}-{}", task.partition, task.attempt))
    }

    pub(crate) fn claim(&self, task: Task) -> Result<Key> {
        self.key(&format!("tasks/claim/{}-{}", task.partition, task.attempt))
    }

    pub(crate) fn result(&self, partition: usize) -> Result<Key> {
        self.key(&format!("tasks/result/{partition}"))
    }

    pub(crate) fn beat(&self, name: &str) -> Result<Key> {
        self.key(&format!("beat/{name}"))
    }

    fn key(&self, path: &str) -> Result<Key> {
        Key::new(format!("{}{path}", self.root))
    }
}

/// What is offered, claimed and done: one listing.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) done: BTreeSet<usize>,
    claimed: BTreeSet<Task>,
    offered: BTreeMap<usize, u32>,
}

impl Board {
    pub(crate) async fn read(store: &dyn ObjectStore, layout: &Layout) -> Result<Self> {
        let prefix = format!("{}tasks/", layout.root());
        let mut board = Self::default();
        let mut objects = store.list(&prefix);
        while let Some(object) = objects.try_next().await? {
            board.note(object.key.get(prefix.len()..).unwrap_or_default());
        }
        Ok(board)
    }

    fn note(&mut self, name: &str) -> Option<()> {
        let (kind, name) = name.split_once('/')?;
        if kind == "result" {
            self.done.insert(name.parse().ok()?);
            return Some(());
        }
        let (partition, attempt) = name.split_once('-')?;
        let task = Task { partition: partition.parse().ok()?, attempt: attempt.parse().ok()? };
        if kind == "claim" {
            self.claimed.insert(task);
        } else {
            let last = self.offered.entry(task.partition).or_default();
            *last = task.attempt.max(*last);
        }
        Some(())
    }

    /// The attempt of a partition that counts now.
    fn current(&self, partition: usize) -> Task {
        Task { partition, attempt: self.offered.get(&partition).copied().unwrap_or(0) }
    }

    /// The tasks among so many partitions that wait for somebody to claim them.
    pub(crate) fn open(&self, partitions: usize) -> impl Iterator<Item = Task> {
        (0..partitions)
            .filter(|partition| !self.done.contains(partition))
            .map(|partition| self.current(partition))
            .filter(|task| !self.claimed.contains(task))
    }

    /// The tasks that somebody claimed and has not finished.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = Task> {
        let claimed = self.claimed.iter().copied();
        claimed.filter(|task| {
            !self.done.contains(&task.partition) && self.current(task.partition) == *task
        })
    }
}

/// When each worker was last heard of, as the revision of its heartbeat.
pub(crate) async fn beats(
    store: &dyn ObjectStore,
    layout: &Layout,
) -> Result<BTreeMap<String, Revision>> {
    let prefix = format!("{}beat/", layout.root());
    let objects = store.list(&prefix);
    let name = |key: &Key| key.get(prefix.len()..).unwrap_or_default().to_owned();
    objects.map_ok(|object| (name(&object.key), object.revision)).try_collect().await
}

/// Writes a fact. Returns false if it is there already.
pub(crate) async fn create(
    store: &dyn ObjectStore,
    key: &Key,
    fact: &impl Serialize,
) -> Result<bool> {
    match store.put_if_absent(key, json(fact)?).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a fact.
pub(crate) async fn read<T: DeserializeOwned>(store: &dyn ObjectStore, key: &Key) -> Result<T> {
    serde_json::from_slice(&store.get_bytes(key).await?).map_err(|error| {
        polycloud::Error::new(ErrorKind::InvalidResponse).with_target(key).with_source(error)
    })
}

fn json(fact: &impl Serialize) -> Result<Payload> {
    let bytes = serde_json::to_vec(fact)
        .map_err(|error| polycloud::Error::new(ErrorKind::Internal).with_source(error))?;
    Ok(bytes.into())
}
