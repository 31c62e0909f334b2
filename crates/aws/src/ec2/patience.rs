//! Waiting for what EC2 does not show yet, or does not let go yet.

use std::future::Future;
use std::time::Duration;

use polycloud_core::retry::Backoff;
use polycloud_core::{Error, ErrorKind, Result};

use super::Inner;

/// How long EC2 may not see what it has just made.
pub(super) const CONSISTENCY: Duration = Duration::from_secs(30);

/// How long what is being terminated may hold on to what it uses.
pub(super) const RELEASE: Duration = Duration::from_secs(180);

/// Bounds of the time between two looks.
const PACE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

impl Inner {
    /// Repeats an attempt for a while as long as it fails in one way.
    pub(super) async fn repeat<T, F>(
        &self,
        window: Duration,
        again: impl Fn(&Error) -> bool + Send,
        mut attempt: impl FnMut() -> F + Send,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let start = self.caller.clock().monotonic();
        for n in 0.. {
            match attempt().await {
                Err(error) if again(&error) && self.is_within(start, window) => self.pause(n).await,
                result => return result,
            }
        }
        Err(ErrorKind::Timeout.into())
    }

    /// Repeats an attempt that fails because it names something that was just made.
    pub(super) async fn until_seen<T, F>(&self, attempt: impl FnMut() -> F + Send) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        self.repeat(CONSISTENCY, |error| error.kind() == ErrorKind::NotFound, attempt).await
    }

    /// Looks again and again until something is there, at most for a while.
    pub(super) async fn look<T, F>(
        &self,
        window: Duration,
        mut look: impl FnMut() -> F + Send,
    ) -> Result<Option<T>>
    where
        F: Future<Output = Result<Option<T>>> + Send,
    {
        let start = self.caller.clock().monotonic();
        for n in 0.. {
            match look().await? {
                Some(found) => return Ok(Some(found)),
                None if self.is_within(start, window) => self.pause(n).await,
                None => break,
            }
        }
        Ok(None)
    }

    fn is_within(&self, start: Duration, window: Duration) -> bool {
        self.caller.clock().monotonic().saturating_sub(start) < window
    }

    async fn pause(&self, n: u32) {
        // Half of it is sure, so that a look is never at once.
        let bound = Backoff::DEFAULT.with_bounds(PACE.0, PACE.1).bound(n);
        let nanos = u64::try_from((bound / 2).as_nanos()).unwrap_or(u64::MAX);
        let random = Duration::from_nanos(self.caller.random().below(nanos.saturating_add(1)));
        self.caller.clock().sleep(bound.saturating_sub(random)).await;
    }
}
