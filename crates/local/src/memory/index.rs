use std::collections::{BTreeMap, HashMap, btree_map};
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use polycloud_core::Result;
use polycloud_core::object::{Key, ListEntry, VersionId};

use super::object::Slot;
use crate::listing::{Found, Position, Walk, keep_older};

/// So many that writers of new keys seldom meet.
const SHARDS: usize = 64;

/// What a key holds, behind a lock of its own.
type Cell = RwLock<Slot>;
type Shard = HashMap<Key, Arc<Cell>, RandomState>;
type Order = BTreeMap<Key, Arc<Cell>>;

/// The slots of a bucket. Reads and writes find theirs by hash, in one of many shards; listings go by
/// the order of the keys, which changes only with the first and the last version of a key.
///
/// Locks are taken in this order: a shard, the order of keys, a cell.
#[derive(Debug)]
pub(super) struct Index {
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
    /// Changed under the lock of the key's shard.
    order: RwLock<Order>,
}

// A panic while a lock is held leaves nothing half changed, since each change is one assignment, so a
// poisoned lock is as good as any.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    pub(super) fn new() -> Self {
        let hasher = RandomState::default();
        let shards = std::array::from_fn(|_| RwLock::new(Shard::with_hasher(hasher.clone())));
        Self { shards, hasher, order: RwLock::default() }
    }

    fn shard(&self, key: &Key) -> &RwLock<Shard> {
        // The tables use the low bits themselves.
        let at = usize::try_from(self.hasher.hash_one(key) >> 58).unwrap_or(0);
        #[allow(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
        &self.shards[at % SHARDS]
    }

    /// Looks at the slot of a key.
    pub(super) fn look<T>(&self, key: &Key, look: impl FnOnce(Option<&Slot>) -> T) -> T {
        let shard = read(self.shard(key));
        match shard.get(key) {
            Some(cell) => look(Some(&read(cell))),
            None => look(None),
        }
    }

    /// Changes the slot of a key, which is empty if there was none, and forgets it if it is empty then.
    pub(super) fn change<T>(&self, key: &Key, change: impl FnOnce(&mut Slot) -> T) -> T {
        loop {
            let cell = self.cell(key);
            let mut slot = write(&cell);
            // Someone forgot the key since: what went into this slot would be lost.
            if slot.forgotten {
                continue;
            }
            let result = change(&mut slot);
            let is_empty = slot.is_empty();
            drop(slot);
            if is_empty {
                self.forget(key);
            }
            return result;
        }
    }

    /// The cell of a key, which is made if there is none.
    fn cell(&self, key: &Key) -> Arc<Cell> {
        let lock = self.shard(key);
        if let Some(cell) = read(lock).get(key) {
            return Arc::clone(cell);
        }
        let mut shard = write(lock);
        if let Some(cell) = shard.get(key) {
            return Arc::clone(cell);
        }
        let cell = Arc::new(Cell::default());
        shard.insert(key.clone(), Arc::clone(&cell));
        write(&self.order).insert(key.clone(), Arc::clone(&cell));
        cell
    }

    /// Forgets a key whose slot is still empty.
    fn forget(&self, key: &Key) {
        let mut shard = write(self.shard(key));
        let Some(cell) = shard.get(key).map(Arc::clone) else { return };
        let mut slot = write(&cell);
        slot.forgotten = slot.is_empty();
        let forgotten = slot.forgotten;
        // A listing waits for cells while it holds the order.
        drop(slot);
        if forgotten {
            shard.remove(key);
            write(&self.order).remove(key);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        read(&self.order).is_empty()
    }

    pub(super) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = write(shard);
            let mut order = write(&self.order);
            shard.keys().for_each(|key| drop(order.remove(key)));
            shard.clear();
        }
    }

    /// The keys in order. No key comes or goes until this is dropped.
    pub(super) fn in_order(&self) -> InOrder<'_> {
        InOrder(read(&self.order))
    }
}

pub(super) struct InOrder<'a>(RwLockReadGuard<'a, Order>);

impl InOrder<'_> {
    pub(super) fn objects(&self) -> Objects<'_> {
        Objects { order: &self.0, rest: self.0.range::<str, _>(..) }
    }

    pub(super) fn versions(&self) -> Versions<'_> {
        Versions { objects: self.objects(), pending: Vec::new() }
    }
}

/// A walk over the keys that hold an object.
pub(super) struct Objects<'a> {
    order: &'a Order,
    rest: btree_map::Range<'a, Key, Arc<Cell>>,
}

impl Walk for Objects<'_> {
    type Item = ListEntry;

    fn seek(&mut self, position: &Position) -> Result<()> {
        let from: Bound<&str> = match position {
            Position::At(text) | Position::AfterVersion(text, _) => Bound::Included(text),
            Position::After(text) => Bound::Excluded(text),
        };
        self.rest = self.order.range::<str, _>((from, Bound::Unbounded));
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Found<ListEntry>>> {
        for (key, cell) in self.rest.by_ref() {
            if let Some(object) = read(cell).current() {
                let item = ListEntry::Object(object.meta.clone());
                return Ok(Some(Found { key: key.clone(), version: None, item }));
            }
        }
        Ok(None)
    }
}

/// A walk over all versions.
pub(super) struct Versions<'a> {
    objects: Objects<'a>,
    /// Versions of the key at hand that were not returned yet, newest last.
    pending: Vec<Found<ListEntry>>,
}

impl Versions<'_> {
    /// Goes on to the next key and returns it.
    fn load(&mut self) -> Option<&Key> {
        let (key, cell) = self.objects.rest.next()?;
        let slot = read(cell);
        for (i, version) in slot.versions().enumerate() {
            let item = version.entry(i == 0 && slot.newest.is_some());
            // What was written while versions were not kept has none; there is at most one of it.
            let version = version.id().cloned().unwrap_or_else(|| VersionId::new(""));
            self.pending.push(Found { key: key.clone(), version: Some(version), item });
        }
        self.pending.reverse();
        Some(key)
    }
}

impl Walk for Versions<'_> {
    type Item = ListEntry;

    fn seek(&mut self, position: &Position) -> Result<()> {
        self.pending.clear();
        self.objects.seek(position)?;
        if let Position::AfterVersion(text, version) = position
            && self.load().is_some_and(|key| key.as_str() == text)
        {
            keep_older(&mut self.pending, version);
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Found<ListEntry>>> {
        loop {
            if let Some(entry) = self.pending.pop() {
                return Ok(Some(entry));
            }
            if self.load().is_none() {
                return Ok(None);
            }
        }
    }
}
