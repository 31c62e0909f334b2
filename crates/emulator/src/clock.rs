//! The time that the emulator tells.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// The emulator's clock: of the machine, of the runtime, or moved by hand only.
///
/// Signatures, expiry of credentials and the dates of objects follow it. All clones are one clock.
#[derive(Clone)]
pub struct EmulatorClock {
    source: Source,
    /// What [`advance`](Self::advance) added.
    advanced: Arc<Mutex<Duration>>,
}

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual { start: SystemTime },
    Runtime { start: SystemTime, since: tokio::time::Instant },
}

impl EmulatorClock {
    /// The clock of the machine.
    #[must_use]
    pub fn system() -> Self {
        Self::of(Source::System)
    }

    /// A clock that stands still at `start` until it is [advanced](Self::advance).
    #[must_use]
    pub fn manual(start: SystemTime) -> Self {
        Self::of(Source::Manual { start })
    }

    /// A clock that begins at `start` and runs with the clock of the tokio runtime, which tests may pause.
    #[must_use]
    pub fn runtime(start: SystemTime) -> Self {
        Self::of(Source::Runtime { start, since: tokio::time::Instant::now() })
    }

    /// Whether it moves by itself with the clock of the machine.
    pub(crate) fn is_system(&self) -> bool {
        matches!(self.source, Source::System)
    }

    fn of(source: Source) -> Self {
        Self { source, advanced: Arc::default() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        let base = match &self.source {
            Source::System => system_time(),
            Source::Manual { start } => *start,
            Source::Runtime { start, since } => {
                start.checked_add(since.elapsed()).unwrap_or(*start)
            }
        };
        let advanced = *self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        base.checked_add(advanced).unwrap_or(base)
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut advanced = self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        *advanced = advanced.saturating_add(by);
    }
}

impl Default for EmulatorClock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for EmulatorClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorClock").field("source", &self.source).finish_non_exhaustive()
    }
}

#[allow(clippy::disallowed_methods, reason = "this clock is what the others take the time from")]
fn system_time() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_by_hand_only() {
        let clock = EmulatorClock::manual(SystemTime::UNIX_EPOCH);
        assert_eq!(clock.now(), SystemTime::UNIX_EPOCH);
        clock.clone().advance(Duration::from_secs(5));
        assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(5));
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), SystemTime::UNIX_EPOCH);
    }

    #[tokio::test(start_paused = true)]
    async fn a_runtime_clock_follows_the_runtime() {
        let clock = EmulatorClock::runtime(SystemTime::UNIX_EPOCH);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
    }
}
