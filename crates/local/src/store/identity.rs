//! What tells one state of an object from every other one.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use polycloud_core::clock::Clock;
use polycloud_core::object::{ETag, VersionId};
use rustix::fs::{Stat, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

/// Modification time and inode number of a file.
///
/// Every write makes a new file and gives it a time of its own ([`Stamps`]). An inode number comes back
/// only after its file is gone, and by then the time is another one. So two states of a key never have
/// the same identity, and reading it takes nothing but a `stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    nanos: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(stat: &Stat) -> Self {
        let (seconds, nanos) = (i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec));
        let nanos = u64::try_from(seconds * 1_000_000_000 + nanos).unwrap_or(0);
        #[allow(clippy::useless_conversion, reason = "narrower on some systems")]
        Self { nanos, inode: u64::from(stat.st_ino) }
    }

    /// The modification time in nanoseconds, as records keep it.
    pub(super) fn stamp(self) -> u64 {
        self.nanos
    }

    pub(super) fn modified(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.nanos)
    }

    /// As text that orders by time: 23 characters, which a small string holds without an allocation.
    fn text(self) -> [u8; 23] {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
        // 64 bits of time and 48 of the inode number, five bits a character.
        let bits = u128::from(self.nanos) << 51 | u128::from(self.inode & ((1 << 48) - 1)) << 3;
        std::array::from_fn(|i| {
            let digit = usize::try_from(bits >> (5 * (22 - i)) & 31).unwrap_or(0);
            *DIGITS.get(digit).unwrap_or(&b'0')
        })
    }

    pub(super) fn etag(self) -> ETag {
        ETag::new(std::str::from_utf8(&self.text()).unwrap_or_default())
    }

    pub(super) fn version(self) -> VersionId {
        VersionId::new(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// Gives out modification times, each one later than all before it in this process.
#[derive(Debug, Default)]
pub(super) struct Stamps(AtomicU64);

impl Stamps {
    pub(super) fn next(&self, clock: &dyn Clock) -> Duration {
        let now = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let later = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, later).unwrap_or(now);
        Duration::from_nanos(now.max(last.saturating_add(1)))
    }
}

/// Sets the modification time of a file.
pub(super) fn stamp(file: &File, time: Duration) -> Result<(), Errno> {
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let modified = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    rustix::fs::futimens(file, &Timestamps { last_access: omit, last_modification: modified })
}

#[cfg(test)]
mod tests {
    use super::*;
    use polycloud_core::clock::ManualClock;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_orders_by_time_and_tells_inodes_apart(
            a: u64, b: u64, i in 0u64..1 << 48, j in 0u64..1 << 48,
        ) {
            let (x, y) = (Identity { nanos: a, inode: i }, Identity { nanos: b, inode: j });
            prop_assert_eq!(x.text() == y.text(), x == y);
            if a != b {
                prop_assert_eq!(x.text() < y.text(), a < b);
            }
        }
    }

    #[test]
    fn stamps_never_repeat_even_if_the_clock_stands() {
        let (clock, stamps) = (ManualClock::new(), Stamps::default());
        let first = stamps.next(&clock);
        assert!((0..1000).map(|_| stamps.next(&clock)).is_sorted_by(|a, b| first < *a && a < b));
    }
}
