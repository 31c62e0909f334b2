use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use polycloud_core::Result;
use polycloud_core::object::{Key, ListEntry};

use super::object::Slot;
use crate::listing::{Found, Position, Walk};

/// So many that writers of different keys seldom meet.
const SHARDS: usize = 64;

/// Keys that a listing takes from the order at a time: few at first, since a common prefix may let it
/// skip what follows.
const BATCH: std::ops::RangeInclusive<usize> = 16..=1_024;

type Shard = HashMap<Key, Slot, RandomState>;

/// The slots of a bucket. Reads and writes find theirs by hash, in one of many shards; listings go by
/// the order of the keys, which changes only with the first and the last version of a key.
#[derive(Debug)]
pub(super) struct Index {
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
    /// Changed under the lock of the key's shard, read without any other lock.
    order: RwLock<BTreeSet<Key>>,
    /// Whether there may be keys without a current object, which listings leave out.
    hides: AtomicBool,
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
        Self { shards, hasher, order: RwLock::default(), hides: AtomicBool::new(false) }
    }

    fn shard(&self, key: &Key) -> &RwLock<Shard> {
        // The tables use the low bits themselves.
        let at = usize::try_from(self.hasher.hash_one(key.as_str()) >> 58).unwrap_or(0);
        #[allow(clippy::indexing_slicing, reason = "six bits are below 64")]
        &self.shards[at % SHARDS]
    }

    /// Looks at the slot of a key.
    pub(super) fn look<T>(&self, key: &Key, look: impl FnOnce(Option<&Slot>) -> T) -> T {
        look(read(self.shard(key)).get(key))
    }

    /// Changes the slot of a key, which is empty if there was none, and forgets it if it is empty then.
    pub(super) fn change<T>(&self, key: &Key, change: impl FnOnce(&mut Slot) -> T) -> T {
        let mut shard = write(self.shard(key));
        if let Some(slot) = shard.get_mut(key) {
            let result = change(slot);
            if slot.is_empty() {
                shard.remove(key);
                write(&self.order).remove(key);
            } else if slot.current().is_none() {
                self.hides.store(true, Ordering::Release);
            }
            return result;
        }
        let mut slot = Slot::default();
        let result = change(&mut slot);
        if !slot.is_empty() {
            shard.insert(key.clone(), slot);
            write(&self.order).insert(key.clone());
        }
        result
    }

    pub(super) fn is_empty(&self) -> bool {
        read(&self.order).is_empty()
    }

    pub(super) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = write(shard);
            let mut order = write(&self.order);
            shard.keys().for_each(|key| {
                order.remove(key);
            });
            shard.clear();
        }
    }

    pub(super) fn keys(&self) -> Keys<'_> {
        Keys { index: self, batch: VecDeque::new(), size: *BATCH.start(), after: None }
    }

    pub(super) fn versions(&self) -> Versions<'_> {
        Versions { keys: self.keys(), pending: Vec::new() }
    }
}

/// A walk over the keys that hold an object.
pub(super) struct Keys<'a> {
    index: &'a Index,
    /// The next keys, and from where to go on behind them; `None` at the end.
    batch: VecDeque<Key>,
    after: Option<Position>,
    size: usize,
}

impl Keys<'_> {
    fn start(&mut self, position: &Position) {
        self.batch.clear();
        self.size = *BATCH.start();
        self.after = Some(position.clone());
    }

    /// The next key, whether or not it holds an object.
    fn next_key(&mut self) -> Option<Key> {
        if self.batch.is_empty() {
            let after = self.after.take()?;
            let from: Bound<&str> = match &after {
                Position::At(text) | Position::AfterVersion(text, _) => Bound::Included(text),
                Position::After(text) => Bound::Excluded(text),
            };
            let order = read(&self.index.order);
            let next = order.range::<str, _>((from, Bound::Unbounded)).take(self.size);
            self.batch.extend(next.cloned());
            drop(order);
            if self.batch.len() == self.size {
                self.after = self.batch.back().map(|last| Position::After(last.as_str().into()));
            }
            self.size = (self.size * 4).min(*BATCH.end());
        }
        self.batch.pop_front()
    }
}

impl Walk for Keys<'_> {
    type Item = Key;

    fn seek(&mut self, position: &Position) -> Result<()> {
        self.start(position);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Found<Key>>> {
        while let Some(key) = self.next_key() {
            let hidden = self.index.hides.load(Ordering::Acquire)
                && self.index.look(&key, |slot| slot.and_then(Slot::current).is_none());
            if !hidden {
                return Ok(Some(Found { key: key.clone(), version: None, item: key }));
            }
        }
        Ok(None)
    }
}

/// A walk over all versions.
pub(super) struct Versions<'a> {
    keys: Keys<'a>,
    /// Versions of the key at hand that were not returned yet, newest last.
    pending: Vec<Found<ListEntry>>,
}

impl Versions<'_> {
    fn load(&mut self, key: &Key) {
        let pending = &mut self.pending;
        self.keys.index.look(key, |slot| {
            let Some(slot) = slot else { return };
            for (i, version) in slot.versions().enumerate() {
                let item = version.entry(i == 0 && slot.newest.is_some());
                pending.push(Found { key: key.clone(), version: version.id().cloned(), item });
            }
        });
        pending.reverse();
    }
}

impl Walk for Versions<'_> {
    type Item = ListEntry;

    fn seek(&mut self, position: &Position) -> Result<()> {
        self.pending.clear();
        self.keys.start(position);
        if let Position::AfterVersion(text, version) = position
            && let Some(key) = self.keys.next_key()
        {
            self.load(&key);
            if key.as_str() == text {
                let at =
                    self.pending.iter().position(|found| found.version.as_ref() == Some(version));
                self.pending.truncate(at.unwrap_or(self.pending.len()));
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Found<ListEntry>>> {
        loop {
            if let Some(entry) = self.pending.pop() {
                return Ok(Some(entry));
            }
            let Some(key) = self.keys.next_key() else { return Ok(None) };
            self.load(&key);
        }
    }
}
