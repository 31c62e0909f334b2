//! When and how often to try again, as values.
//!
//! The policies decide; they do not loop. The one retry loop lives with the wire, and the waiters
//! of [`compute`](crate::compute) poll with a [`Backoff`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Random;
use crate::error::{Error, Retry};

/// Exponentially growing delays with full jitter: attempt *n* waits a random time up to
/// `initial × factorⁿ`, at most `max`.
///
/// Full jitter spreads clients best when many fail at once; see the AWS Architecture Blog,
/// "Exponential Backoff And Jitter".
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Backoff {
    /// Upper bound of the first delay.
    pub initial: Duration,
    /// Upper bound of every delay.
    pub max: Duration,
    /// Growth from one attempt to the next, at least 1.
    pub factor: f64,
    /// Whether the delay is drawn from zero to the bound. Without it the delay is the bound.
    pub jitter: bool,
}

impl Backoff {
    /// Delays up to 100 ms, 200 ms, 400 ms, … 20 s, with full jitter.
    pub const DEFAULT: Self = Self {
        initial: Duration::from_millis(100),
        max: Duration::from_secs(20),
        factor: 2.0,
        jitter: true,
    };

    /// The same delay every time.
    #[must_use]
    pub const fn constant(delay: Duration) -> Self {
        Self { initial: delay, max: delay, factor: 1.0, jitter: false }
    }

    /// Sets the bound of the first delay and of every delay.
    #[must_use]
    pub fn with_bounds(mut self, initial: Duration, max: Duration) -> Self {
        (self.initial, self.max) = (initial, max);
        self
    }

    /// Sets the growth; below 1 counts as 1.
    #[must_use]
    pub fn with_factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Switches jitter.
    #[must_use]
    pub fn with_jitter(mut self, jitter: bool) -> Self {
        self.jitter = jitter;
        self
    }

    /// The largest delay before attempt `n`, counted from 0. Never overflows.
    #[must_use]
    pub fn bound(&self, n: u32) -> Duration {
        let factor = if self.factor >= 1.0 { self.factor } else { 1.0 };
        let seconds =
            self.initial.as_secs_f64() * factor.powi(i32::try_from(n).unwrap_or(i32::MAX));
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(self.max)
    }

    /// The delay before attempt `n`, counted from 0.
    #[must_use]
    pub fn delay(&self, n: u32, random: &dyn Random) -> Duration {
        let bound = self.bound(n);
        if !self.jitter {
            return bound;
        }
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(random.below(nanos.saturating_add(1)))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Decides whether a failed attempt is followed by another one.
///
/// ```
/// use std::time::Duration;
/// use polycloud_core::retry::RetryPolicy;
///
/// let patient = RetryPolicy::default().with_attempts(10).with_time(Duration::from_secs(300));
/// let never = RetryPolicy::never();
/// # let _ = (patient, never);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Delays between attempts.
    pub backoff: Backoff,
    /// Most attempts, the first one included.
    pub attempts: u32,
    /// Most time from the start of the first attempt to the start of the last one.
    pub time: Duration,
    /// What all operations of a client may spend together.
    pub budget: RetryBudget,
}

impl RetryPolicy {
    /// One attempt.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// Sets the delays.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets the number of attempts, the first one included.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the time within which a last attempt may start.
    #[must_use]
    pub fn with_time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Shares a budget with other policies.
    #[must_use]
    pub fn with_budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// How long to wait before the next attempt, or `None` to give up.
    ///
    /// `failed` counts the attempts made so far, `elapsed` is the time since the first one started.
    /// A hint of the provider ([`Error::retry_after`]) is honoured; if it lies beyond the time limit
    /// the answer is `None`, at once. A retry takes one unit from the budget.
    #[must_use]
    pub fn next_delay(
        &self,
        error: &Error,
        failed: u32,
        elapsed: Duration,
        random: &dyn Random,
    ) -> Option<Duration> {
        if error.retry() != Retry::Later || failed >= self.attempts {
            return None;
        }
        let own = self.backoff.delay(failed.saturating_sub(1), random);
        let delay = error.retry_after().map_or(own, |hint| hint.max(own));
        let in_time = elapsed.checked_add(delay).is_some_and(|at| at <= self.time);
        (in_time && self.budget.take()).then_some(delay)
    }
}

impl Default for RetryPolicy {
    /// Five attempts within three minutes, with the default backoff and a budget of its own.
    fn default() -> Self {
        Self {
            backoff: Backoff::DEFAULT,
            attempts: 5,
            time: Duration::from_secs(180),
            budget: RetryBudget::default(),
        }
    }
}

/// A token bucket that keeps retries from multiplying the load on a service that is down.
///
/// A retry takes one token and a success gives a tenth of one back, so that in the long run at most
/// one request in ten is a retry. Clones share the bucket.
#[derive(Clone)]
pub struct RetryBudget(Arc<Bucket>);

struct Bucket {
    capacity: u64,
    tenths: AtomicU64,
}

impl RetryBudget {
    /// A full bucket of `retries` tokens.
    #[must_use]
    pub fn new(retries: u32) -> Self {
        let capacity = u64::from(retries) * 10;
        Self(Arc::new(Bucket { capacity, tenths: AtomicU64::new(capacity) }))
    }

    /// Takes a token, if there is one.
    #[must_use]
    pub fn take(&self) -> bool {
        self.0
            .tenths
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |tenths| tenths.checked_sub(10))
            .is_ok()
    }

    /// Gives a tenth of a token back: call it for every request that succeeded.
    pub fn succeeded(&self) {
        let _full = self.0.tenths.fetch_update(Ordering::AcqRel, Ordering::Acquire, |tenths| {
            (tenths < self.0.capacity).then_some(tenths + 1)
        });
    }

    /// Whole tokens left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.0.tenths.load(Ordering::Acquire) / 10
    }
}

impl Default for RetryBudget {
    /// A bucket of 100 retries.
    fn default() -> Self {
        Self::new(100)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudget").field("left", &self.left()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededRandom;
    use crate::error::ErrorKind;

    #[test]
    fn delays_grow_to_the_bound_and_never_overflow() {
        let backoff = Backoff::DEFAULT;
        assert_eq!(backoff.bound(0), Duration::from_millis(100));
        assert_eq!(backoff.bound(3), Duration::from_millis(800));
        assert_eq!(backoff.bound(u32::MAX), Duration::from_secs(20));
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        for n in 0..100 {
            assert!(backoff.delay(n, &*random) <= backoff.bound(n));
        }
        let huge = Backoff::DEFAULT.with_bounds(Duration::MAX, Duration::MAX);
        assert_eq!(huge.bound(9), Duration::MAX);
        assert!(huge.delay(9, &*random) <= Duration::MAX);
    }

    #[test]
    fn policy_gives_up_by_kind_count_time_and_budget() {
        let random = SeededRandom::new(1);
        let busy = Error::new(ErrorKind::Unavailable);
        let gone = Error::new(ErrorKind::NotFound);
        let policy = RetryPolicy::default().with_attempts(3).with_budget(RetryBudget::new(1));
        let zero = Duration::ZERO;
        assert!(policy.next_delay(&gone, 1, zero, &random).is_none());
        assert!(policy.next_delay(&busy, 3, zero, &random).is_none());
        assert!(policy.next_delay(&busy, 1, Duration::MAX, &random).is_none());
        assert!(policy.next_delay(&busy, 1, zero, &random).is_some());
        assert!(policy.next_delay(&busy, 1, zero, &random).is_none(), "the budget is spent");
    }

    #[test]
    fn a_hint_is_honoured_or_fails_at_once() {
        let random = SeededRandom::new(1);
        let policy = RetryPolicy::default().with_time(Duration::from_secs(60));
        let hint = |s| Error::new(ErrorKind::RateLimited).with_retry_after(Duration::from_secs(s));
        let delay = policy.next_delay(&hint(7), 1, Duration::ZERO, &random);
        assert_eq!(delay, Some(Duration::from_secs(7)));
        assert_eq!(policy.next_delay(&hint(u64::MAX), 1, Duration::ZERO, &random), None);
    }

    #[test]
    fn ten_successes_earn_one_retry() {
        let budget = RetryBudget::new(1);
        assert!(budget.take());
        (0..9).for_each(|_| budget.succeeded());
        assert!(!budget.take());
        budget.succeeded();
        assert!(budget.take());
        (0..100).for_each(|_| budget.succeeded());
        assert_eq!(budget.left(), 1);
    }
}
