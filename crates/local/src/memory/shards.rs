use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, btree_map};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use polycloud_core::Result;
use polycloud_core::object::{Key, ListEntry};

use super::object::Slot;
use crate::listing::{Found, Position, Walk};

/// So many that writers of different keys seldom meet, so few that a listing can merge them quickly.
const SHARDS: usize = 32;

type Shard = BTreeMap<Key, Slot>;

/// The slots of a bucket, spread by a hash of the key. Each shard is ordered, so that a listing is a
/// merge of them.
#[derive(Debug)]
pub(super) struct Shards {
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
}

impl Shards {
    pub(super) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()), hasher: RandomState::new() }
    }

    fn shard(&self, key: &Key) -> &RwLock<Shard> {
        let hash = self.hasher.hash_one(key.as_str());
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        #[allow(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
        &self.shards[at]
    }

    // A panic while a lock is held leaves no slot half changed, since each change is one assignment,
    // so a poisoned lock is as good as any.
    pub(super) fn read(&self, key: &Key) -> RwLockReadGuard<'_, Shard> {
        self.shard(key).read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self, key: &Key) -> RwLockWriteGuard<'_, Shard> {
        self.shard(key).write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A view of all shards at one moment. Writers wait until it is dropped.
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot(
            self.shards.iter().map(|s| s.read().unwrap_or_else(PoisonError::into_inner)).collect(),
        )
    }

    pub(super) fn clear(&self) {
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

pub(super) struct Snapshot<'a>(Vec<RwLockReadGuard<'a, Shard>>);

impl Snapshot<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|shard| shard.is_empty())
    }

    pub(super) fn walk(&self, versions: bool) -> Merge<'_> {
        Merge { shards: &self.0, heads: BinaryHeap::new(), versions, pending: Vec::new() }
    }
}

/// A walk over the keys of all shards in order.
pub(super) struct Merge<'a> {
    shards: &'a [RwLockReadGuard<'a, Shard>],
    heads: BinaryHeap<Reverse<Head<'a>>>,
    versions: bool,
    /// Versions of the key at hand that were not returned yet, oldest first.
    pending: Vec<Found<ListEntry>>,
}

/// The next key of a shard and what follows it.
struct Head<'a> {
    key: &'a Key,
    slot: &'a Slot,
    rest: btree_map::Range<'a, Key, Slot>,
}

impl<'a> Head<'a> {
    fn of(mut rest: btree_map::Range<'a, Key, Slot>) -> Option<Self> {
        rest.next().map(|(key, slot)| Self { key, slot, rest })
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(other.key)
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Head<'_> {}

impl<'a> Merge<'a> {
    fn next_slot(&mut self) -> Option<(&'a Key, &'a Slot)> {
        let mut head = self.heads.peek_mut()?;
        let found = (head.0.key, head.0.slot);
        match head.0.rest.next() {
            Some((key, slot)) => (head.0.key, head.0.slot) = (key, slot),
            None => drop(std::collections::binary_heap::PeekMut::pop(head)),
        }
        Some(found)
    }

    fn load_versions(&mut self, key: &Key, slot: &Slot) {
        let entries = slot.versions().enumerate().map(|(i, version)| {
            let id = version.id().cloned();
            let item = version.entry(i == 0 && slot.newest.is_some());
            Found { key: key.clone(), version: id, item }
        });
        self.pending.extend(entries);
        self.pending.reverse();
    }
}

impl Walk for Merge<'_> {
    type Item = ListEntry;

    fn seek(&mut self, position: &Position) -> Result<()> {
        let from: Bound<&str> = match position {
            Position::At(text) | Position::AfterVersion(text, _) => Bound::Included(text),
            Position::After(text) => Bound::Excluded(text),
        };
        let heads = self.shards.iter().filter_map(|shard| {
            Head::of(shard.range::<str, _>((from, Bound::Unbounded))).map(Reverse)
        });
        self.heads = heads.collect();
        self.pending.clear();
        if let Position::AfterVersion(text, version) = position {
            let here = self.heads.peek().is_some_and(|head| head.0.key.as_str() == text);
            if let Some((key, slot)) = here.then(|| self.next_slot()).flatten() {
                self.load_versions(key, slot);
                if let Some(at) =
                    self.pending.iter().position(|found| found.version.as_ref() == Some(version))
                {
                    self.pending.truncate(at);
                }
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Found<ListEntry>>> {
        loop {
            if let Some(entry) = self.pending.pop() {
                return Ok(Some(entry));
            }
            let Some((key, slot)) = self.next_slot() else { return Ok(None) };
            if self.versions {
                self.load_versions(key, slot);
            } else if let Some(object) = slot.current() {
                let entry = ListEntry::Object(object.meta.clone());
                return Ok(Some(Found { key: key.clone(), version: None, item: entry }));
            }
        }
    }
}
