use std::ops;
use std::sync::OnceLock;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::pinned;
use crate::error::{Error, ErrorKind, Outcome, Result, ResultExt};
use crate::object::{Key, ObjectStore, Range, Revision};

/// How ranges are joined into fewer requests.
///
/// A request costs about as much time as moving a megabyte, so that reading what lies between two
/// ranges is cheaper than asking twice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoalesceOptions {
    /// Ranges with at most so many bytes between them are joined; 1 MiB by default.
    pub max_gap: u64,
    /// Joined ranges have at most so many bytes; 16 MiB by default. A range that is larger by itself
    /// is read as it is.
    pub max_merged: u64,
    /// Most requests under way at a time; 8 by default.
    pub concurrency: usize,
}

impl CoalesceOptions {
    /// Sets the bytes between ranges that are joined.
    #[must_use]
    pub fn with_max_gap(mut self, bytes: u64) -> Self {
        self.max_gap = bytes;
        self
    }

    /// Sets the bytes of joined ranges.
    #[must_use]
    pub fn with_max_merged(mut self, bytes: u64) -> Self {
        self.max_merged = bytes;
        self
    }

    /// Sets the requests under way at a time; 0 counts as 1.
    #[must_use]
    pub fn with_concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }
}

impl Default for CoalesceOptions {
    fn default() -> Self {
        Self { max_gap: 1 << 20, max_merged: 16 << 20, concurrency: 8 }
    }
}

/// Which bytes to read, and which of these reads holds each of the wanted ranges.
#[derive(Debug, Default)]
struct Plan {
    reads: Vec<ops::Range<u64>>,
    /// By wanted range; `None` if it is empty.
    held_by: Vec<Option<usize>>,
}

impl Plan {
    fn new(wanted: &[ops::Range<u64>], options: &CoalesceOptions) -> Self {
        let mut plan = Self { reads: Vec::new(), held_by: vec![None; wanted.len()] };
        let mut order: Vec<_> = wanted.iter().zip(&mut plan.held_by).collect();
        order.sort_by_key(|(range, _)| (range.start, range.end));
        for (range, held_by) in order.into_iter().filter(|(range, _)| !range.is_empty()) {
            let joined = plan.reads.last_mut().filter(|last| {
                let merged = last.end.max(range.end) - last.start;
                range.start <= last.end.saturating_add(options.max_gap)
                    && (range.end <= last.end || merged <= options.max_merged)
            });
            match joined {
                Some(last) => last.end = last.end.max(range.end),
                None => plan.reads.push(range.clone()),
            }
            *held_by = plan.reads.len().checked_sub(1);
        }
        plan
    }
}

/// What one read returned: bytes from `start` on, of an object of `size` bytes.
struct Piece {
    start: u64,
    size: u64,
    bytes: Bytes,
}

impl Piece {
    /// What a get of just this range would return.
    fn part(&self, range: &ops::Range<u64>) -> Result<Bytes> {
        let resolved = Range::bounded(range.start, range.end)?.resolve(self.size)?;
        let index = |at: u64| usize::try_from(at - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.slice(index(resolved.start)..index(resolved.end)))
    }
}

pub(crate) async fn get_ranges<S: ObjectStore + ?Sized>(
    store: &S,
    key: &Key,
    wanted: &[ops::Range<u64>],
    options: &CoalesceOptions,
) -> Result<Vec<Bytes>> {
    if let Some(bad) = wanted.iter().find(|range| range.start > range.end) {
        return Err(Error::invalid(format!("a range must not end before it starts: {bad:?}")));
    }
    let plan = Plan::new(wanted, options);
    let revision = OnceLock::new();
    let pieces: Vec<Piece> = stream::iter(&plan.reads)
        .map(|range| read(store, key, range, &revision))
        .buffered(options.concurrency.max(1))
        .boxed()
        .try_collect()
        .await?;
    let parts = wanted.iter().zip(&plan.held_by).map(|(range, held_by)| {
        held_by.and_then(|at| pieces.get(at)).map_or(Ok(Bytes::new()), |piece| piece.part(range))
    });
    parts.collect::<Result<_>>().during(store.info().provider, "get_ranges", key)
}

/// Reads one range of the revision that the first answer showed.
///
/// Reads that start before the first answer have no condition yet, so that they need not wait for
/// it: comparing revisions covers them, and stores without conditional reads.
async fn read<S: ObjectStore + ?Sized>(
    store: &S,
    key: &Key,
    range: &ops::Range<u64>,
    pinned: &OnceLock<Revision>,
) -> Result<Piece> {
    let wanted = Range::bounded(range.start, range.end)?;
    let get = pinned::get(store, key, wanted, pinned.get()).await?;
    let revision = get.meta.revision.clone();
    pinned::check(store, key, pinned.get_or_init(|| revision.clone()), &revision)?;
    let (start, end, size) = (get.range.start, get.range.end, get.meta.size);
    let bytes = get.bytes().await?;
    if bytes.len() as u64 != end - start {
        return Err(Error::new(ErrorKind::InvalidResponse)
            .with_message(format!("{} bytes for the range {start}..{end}", bytes.len()))
            .with_outcome(Outcome::NotApplied));
    }
    Ok(Piece { start, size, bytes })
}
