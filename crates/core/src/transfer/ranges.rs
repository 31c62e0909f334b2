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
    let pieces = get_pieces(store, key, wanted, options).await;
    pieces.during(store.info().provider, "get_ranges", key)
}

async fn get_pieces<S: ObjectStore + ?Sized>(
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
    parts.collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Feature;
    use crate::object::ObjectStoreExt;
    use crate::testing::FakeStore;
    use proptest::prelude::*;

    type Pair = (u64, u64);
    type Ranges = Vec<ops::Range<u64>>;

    fn key() -> Key {
        Key::new("k").unwrap()
    }

    fn content(len: u64) -> Vec<u8> {
        (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    fn options(max_gap: u64, max_merged: u64) -> CoalesceOptions {
        CoalesceOptions::default().with_max_gap(max_gap).with_max_merged(max_merged)
    }

    #[test]
    fn ranges_are_joined_within_both_bounds() {
        let rows: [(&[Pair], &[Pair]); 8] = [
            (&[], &[]),
            (&[(3, 3)], &[]),
            (&[(0, 1), (11, 12)], &[(0, 12)]),
            (&[(0, 1), (12, 13)], &[(0, 1), (12, 13)]),
            (&[(90, 100), (0, 60), (50, 70)], &[(0, 70), (90, 100)]),
            (&[(0, 60), (60, 100)], &[(0, 100)]),
            (&[(0, 60), (60, 101)], &[(0, 60), (60, 101)]),
            (&[(0, 500), (100, 200), (499, 501)], &[(0, 500), (499, 501)]),
        ];
        for (wanted, expected) in rows {
            let wanted: Ranges = wanted.iter().map(|(a, b)| *a..*b).collect();
            let expected: Ranges = expected.iter().map(|(a, b)| *a..*b).collect();
            assert_eq!(Plan::new(&wanted, &options(10, 100)).reads, expected, "{wanted:?}");
        }
    }

    proptest! {
        #[test]
        fn a_plan_holds_every_range_and_reads_nothing_for_nobody(
            wanted in prop::collection::vec((0_u64..5_000, 0_u64..300), 0..40),
            max_gap in 0_u64..500,
            max_merged in 0_u64..2_000,
        ) {
            let wanted: Ranges = wanted.into_iter().map(|(at, len)| at..at + len).collect();
            let plan = Plan::new(&wanted, &options(max_gap, max_merged));
            let mut used = vec![false; plan.reads.len()];
            for (range, held_by) in wanted.iter().zip(&plan.held_by) {
                prop_assert_eq!(held_by.is_none(), range.is_empty());
                if let Some(at) = held_by {
                    let read = &plan.reads[*at];
                    prop_assert!(read.start <= range.start && range.end <= read.end);
                    used[*at] = true;
                }
            }
            prop_assert!(used.into_iter().all(|used| used));
            for read in &plan.reads {
                let alone = wanted.contains(read);
                prop_assert!(alone || read.end - read.start <= max_merged);
            }
        }

        #[test]
        fn ranges_are_what_single_reads_return(
            size in 0_u64..3_000,
            wanted in prop::collection::vec((0_u64..3_100, 0_u64..400), 0..20),
            max_gap in 0_u64..500,
            max_merged in 0_u64..2_000,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let wanted: Ranges = wanted.into_iter().map(|(at, len)| at..at + len).collect();
            let store = FakeStore::new();
            store.write("k", content(size));
            runtime.block_on(async {
                let got = store.get_ranges_with(&key(), &wanted, &options(max_gap, max_merged)).await;
                let mut single = Ok(Vec::new());
                for range in &wanted {
                    match store.get_range(&key(), range.clone().try_into().unwrap()).await {
                        Ok(bytes) => single.iter_mut().for_each(|all: &mut Vec<_>| all.push(bytes.clone())),
                        Err(error) => single = Err(error.kind()),
                    }
                }
                prop_assert_eq!(got.map_err(|error| error.kind()), single);
                Ok(())
            })?;
        }
    }

    #[tokio::test]
    async fn nothing_wanted_costs_nothing() {
        let store = FakeStore::new();
        assert_eq!(store.get_ranges(&key(), &[]).await.unwrap().len(), 0);
        assert_eq!(store.get_ranges(&key(), &[7..7, 0..0]).await.unwrap(), ["", ""]);
        assert_eq!(store.seen("get").len(), 0);
    }

    #[tokio::test]
    async fn bad_ranges_are_told_apart() {
        let store = FakeStore::new();
        store.write("k", content(100));
        let backwards = ops::Range { start: 5, end: 3 };
        let error = store.get_ranges(&key(), &[backwards]).await.unwrap_err();
        assert_eq!((error.kind(), store.seen("get").len()), (ErrorKind::InvalidArgument, 0));
        for wanted in [vec![0..10, 100..101], vec![0..1, 200..u64::MAX]] {
            let error = store.get_ranges(&key(), &wanted).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::RangeNotSatisfiable);
            assert_eq!((error.object_size(), error.target()), (Some(100), "k"));
        }
        store.shorten("k");
        let error = store.get_ranges(&key(), &[90..100, 95..98]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    }

    #[tokio::test]
    async fn all_ranges_are_of_one_revision() {
        let (apart, wanted) = (options(0, 0), [0..1, 10..11, 20..21]);
        for (features, conditional) in [(&[][..], true), (&[Feature::ReadIfMatch][..], false)] {
            let store = FakeStore::new().without(features);
            store.write("k", content(100));
            store.get_ranges_with(&key(), &wanted, &apart).await.unwrap();
            let seen = store.seen("get");
            assert_eq!(
                seen.iter().map(|seen| seen.conditional).collect::<Vec<_>>(),
                [false, conditional, conditional]
            );
            assert_eq!(seen[1].range, Some(Range::bounded(10, 11).unwrap()));
            for change in [Some("new"), None] {
                change_at_second_read(&store, change);
                let result = store.get_ranges_with(&key(), &wanted, &apart).await;
                assert_eq!(result.unwrap_err().kind(), ErrorKind::ObjectChanged);
                store.write("k", content(100));
            }
        }
    }

    #[tokio::test]
    async fn reads_that_start_together_are_compared() {
        let store = FakeStore::new();
        store.write("k", content(100));
        let (apart, wanted, key) =
            (options(0, 0).with_concurrency(2), [0..1, 10..11, 20..21], key());
        let gate = store.gate("get");
        let mut get = std::pin::pin!(store.get_ranges_with(&key, &wanted, &apart));
        assert!(futures::poll!(&mut get).is_pending());
        assert_eq!(store.waiting("get"), 2, "bounded by the options");
        assert!(store.seen("get").iter().all(|seen| !seen.conditional));
        change_at_second_read(&store, Some("new"));
        gate.add_permits(10);
        assert_eq!(get.await.unwrap_err().kind(), ErrorKind::ObjectChanged);
    }

    fn change_at_second_read(store: &FakeStore, change: Option<&'static str>) {
        let mut reads = 0;
        store.before(move |store, seen| {
            reads += u32::from(seen.operation == "get");
            match change {
                Some(content) if reads == 2 => drop(store.write("k", content.repeat(50))),
                None if reads == 2 => store.remove("k"),
                _ => {}
            }
            Ok(())
        });
    }

    #[tokio::test]
    async fn a_missing_object_is_not_found() {
        let error = FakeStore::new().get_ranges(&key(), &[0..1, 5..6]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
