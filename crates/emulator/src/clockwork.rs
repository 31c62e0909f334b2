//! What happens by itself once its time has come, and what is seen only later than it is there.
//!
//! Nothing here waits: whoever looks at a state first lets happen what is due by the time of the look, in the
//! order in which it was due. So all of it follows the emulator's clock, also one that is moved by hand.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// Events in the order in which they are due; those of the same time in the order in which they were planned.
#[derive(Debug, Clone)]
pub(crate) struct Clockwork<E> {
    planned: BTreeMap<(SystemTime, u64), E>,
    count: u64,
}

impl<E> Default for Clockwork<E> {
    fn default() -> Self {
        Self { planned: BTreeMap::new(), count: 0 }
    }
}

impl<E> Clockwork<E> {
    /// Plans an event.
    pub(crate) fn at(&mut self, due: SystemTime, event: E) {
        self.count += 1;
        self.planned.insert((due, self.count), event);
    }

    /// Takes the next event out that is due by now, and when it was.
    pub(crate) fn take(&mut self, now: SystemTime) -> Option<(SystemTime, E)> {
        let next = self.planned.first_entry()?;
        let (due, _) = *next.key();
        (due <= now).then(|| (due, next.remove()))
    }
}

/// Draws delays and rates: the same ones for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 on and below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // 32 bits are exact in a float.
        let high = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}

/// A resource that is there, and that readers see only later.
#[derive(Debug, Clone)]
pub(crate) struct Late {
    from: SystemTime,
    /// Reads that still do not see it.
    reads: Cell<u32>,
}

impl Late {
    /// Unseen until a while after `now`, and by the next reads after that.
    pub(crate) fn new(now: SystemTime, delay: Duration, reads: u32) -> Self {
        Self { from: now.checked_add(delay).unwrap_or(now), reads: Cell::new(reads) }
    }

    /// Whether a read sees it; counts the read.
    pub(crate) fn seen(&self, now: SystemTime) -> bool {
        if now < self.from {
            return false;
        }
        let left = self.reads.get();
        self.reads.set(left.saturating_sub(1));
        left == 0
    }

    /// Whether it will be seen by all reads from now on.
    pub(crate) fn is_over(&self, now: SystemTime) -> bool {
        now >= self.from && self.reads.get() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn events_come_in_order_and_not_before_their_time() {
        let mut clockwork = Clockwork::default();
        clockwork.at(at(5), "second");
        clockwork.at(at(3), "first");
        clockwork.at(at(5), "third");
        assert_eq!(clockwork.take(at(2)), None);
        assert_eq!(clockwork.take(at(9)), Some((at(3), "first")));
        assert_eq!(clockwork.take(at(9)), Some((at(5), "second")));
        assert_eq!(clockwork.take(at(9)), Some((at(5), "third")));
        assert_eq!(clockwork.take(at(9)), None);
    }

    #[test]
    fn what_is_late_is_seen_after_its_time_and_its_reads() {
        let late = Late::new(at(0), Duration::from_secs(2), 1);
        assert!(!late.seen(at(1)));
        assert!(!late.seen(at(2)));
        assert!(late.is_over(at(2)));
        assert!(late.seen(at(2)));
    }

    #[test]
    fn equal_seeds_draw_equally() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..20).map(|_| dice.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let mut dice = Dice::new(3);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&dice.unit())));
    }
}
