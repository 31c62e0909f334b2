use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{self, BoxStream, StreamExt};

use super::id::InstanceId;
use super::instance::Instance;
use super::provider::Compute;
use super::state::{InstanceState, InstanceStatus, Reach};
use crate::clock::{Clock, Random, SystemClock, SystemRandom};
use crate::error::{Error, ErrorKind, Outcome, Result, ResultExt, Retry};
use crate::retry::Backoff;

/// How to wait: how long, and how often to look.
///
/// ```
/// use std::time::Duration;
/// use polycloud_core::compute::WaitOptions;
///
/// let patient = WaitOptions::default().with_timeout(Duration::from_secs(1800));
/// # let _ = patient;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WaitOptions {
    /// Most time to wait: ten minutes by default.
    pub timeout: Duration,
    /// Time between two looks: 50 ms at first, growing to 5 s. With jitter, up to a quarter of it is
    /// left out at random.
    pub backoff: Backoff,
    /// How long the provider may still answer as if the last request had not been made: not found
    /// after a create, the old state after a start or stop. One minute by default.
    pub consistency: Duration,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where the jitter comes from.
    pub random: Arc<dyn Random>,
}

impl WaitOptions {
    /// Sets the most time to wait.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the time between two looks.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets how long the provider may still answer as if the last request had not been made.
    #[must_use]
    pub fn with_consistency(mut self, consistency: Duration) -> Self {
        self.consistency = consistency;
        self
    }

    /// Sets where the time comes from.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets where the jitter comes from.
    #[must_use]
    pub fn with_random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Time until look `n`, counted from 0, or what the provider asked for if that is longer.
    pub(super) fn delay(&self, n: u32, hint: Option<Duration>) -> Duration {
        let bound = self.backoff.bound(n);
        let own = if self.backoff.jitter {
            let quarter = u64::try_from((bound / 4).as_nanos()).unwrap_or(u64::MAX);
            bound.saturating_sub(Duration::from_nanos(self.random.below(quarter.saturating_add(1))))
        } else {
            bound
        };
        hint.map_or(own, |hint| hint.max(own))
    }
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(600),
            backoff: Backoff::DEFAULT
                .with_bounds(Duration::from_millis(50), Duration::from_secs(5)),
            consistency: Duration::from_secs(60),
            clock: SystemClock::shared(),
            random: Arc::new(SystemRandom),
        }
    }
}

/// Reads in a row that have to agree before an instance that was on its way counts as lost: reads of
/// an eventually consistent provider may go back in time once.
const AGREEING_READS: u32 = 2;

/// What one read means for the wait.
enum Look {
    Reached(Option<Box<Instance>>),
    Lost(Error),
    Again { hint: Option<Duration>, failure: Option<Error> },
}

/// One wait for one state.
struct Wait<'a> {
    id: &'a InstanceId,
    target: InstanceState,
    options: &'a WaitOptions,
    start: Duration,
    last: Option<InstanceStatus>,
    on_its_way: bool,
    off_course: u32,
}

/// See [`ComputeExt::wait_until`](super::ComputeExt::wait_until).
pub(super) async fn wait_until<C: Compute + ?Sized>(
    compute: &C,
    id: &InstanceId,
    target: InstanceState,
    options: &WaitOptions,
) -> Result<Option<Instance>> {
    let mut wait = Wait {
        id,
        target,
        options,
        start: options.clock.monotonic(),
        last: None,
        on_its_way: false,
        off_course: 0,
    };
    wait.run(compute).await.during("", "wait_until", id)
}

impl Wait<'_> {
    async fn run<C: Compute + ?Sized>(&mut self, compute: &C) -> Result<Option<Instance>> {
        let clock = &*self.options.clock;
        let mut failure = None;
        for n in 0.. {
            let left = self.options.timeout.saturating_sub(self.elapsed());
            let Some(read) = within(clock, left, compute.get(self.id)).await else {
                return Err(self.timed_out(failure));
            };
            let hint = match self.judge(read) {
                Look::Reached(instance) => return Ok(instance.map(|instance| *instance)),
                Look::Lost(error) => return Err(error),
                Look::Again { hint, failure: now } => {
                    failure = now;
                    hint
                }
            };
            let left = self.options.timeout.saturating_sub(self.elapsed());
            if left.is_zero() {
                break;
            }
            clock.sleep(self.options.delay(n, hint).min(left)).await;
        }
        Err(self.timed_out(failure))
    }

    fn elapsed(&self) -> Duration {
        self.options.clock.monotonic().saturating_sub(self.start)
    }

    fn judge(&mut self, read: Result<Instance>) -> Look {
        let instance = match read {
            Ok(instance) => instance,
            Err(error) if error.kind() == ErrorKind::NotFound => return self.judge_missing(error),
            Err(error) if error.retry() == Retry::Later => {
                return Look::Again { hint: error.retry_after(), failure: Some(error) };
            }
            Err(error) => return Look::Lost(error),
        };
        self.last = Some(instance.status.clone());
        match instance.state().reach(self.target) {
            Reach::Now => Look::Reached(Some(Box::new(instance))),
            Reach::Yes => {
                (self.on_its_way, self.off_course) = (true, 0);
                Look::Again { hint: None, failure: None }
            }
            Reach::NeedsAction if self.may_be_stale() => Look::Again { hint: None, failure: None },
            Reach::NeedsAction | Reach::Never => Look::Lost(self.unreachable(&instance.status)),
        }
    }

    fn judge_missing(&mut self, error: Error) -> Look {
        if self.target == InstanceState::Terminated {
            Look::Reached(None)
        } else if self.may_be_stale() {
            Look::Again { hint: None, failure: None }
        } else if self.last.is_some() {
            let gone = InstanceStatus::new(InstanceState::Terminated, "not found");
            Look::Lost(self.unreachable(&gone).with_source(error))
        } else {
            Look::Lost(error)
        }
    }

    /// Whether an answer that contradicts the last request may be from before that request.
    fn may_be_stale(&mut self) -> bool {
        self.off_course = self.off_course.saturating_add(1);
        let confirmed = self.on_its_way && self.off_course >= AGREEING_READS;
        !confirmed && self.elapsed() < self.options.consistency
    }

    fn unreachable(&self, status: &InstanceStatus) -> Error {
        let status = explained(status);
        let message = format!("it is {status} and will not become {} by itself", self.target);
        Error::new(ErrorKind::Unreachable)
            .with_message(message)
            .with_provider(self.id.provider().to_owned())
    }

    fn timed_out(&self, failure: Option<Error>) -> Error {
        let last = self.last.as_ref().map_or_else(
            || "it was never seen".to_owned(),
            |status| format!("it was {} when last seen", explained(status)),
        );
        let error = Error::new(ErrorKind::Timeout)
            .with_outcome(Outcome::NotApplied)
            .with_message(format!("not {} within {:?}; {last}", self.target, self.options.timeout))
            .with_provider(self.id.provider().to_owned());
        match failure {
            Some(failure) => error.with_source(failure),
            None => error,
        }
    }
}

/// A status with its reason, where the provider tells one.
fn explained(status: &InstanceStatus) -> String {
    match &status.reason {
        Some(reason) => format!("{status}, because of {reason:?},"),
        None => status.to_string(),
    }
}

/// See [`ComputeExt::watch`](super::ComputeExt::watch).
pub(super) fn watch<'a, C: Compute + ?Sized>(
    compute: &'a C,
    id: &InstanceId,
    options: &WaitOptions,
) -> BoxStream<'a, Result<Instance>> {
    let watch = Watch {
        compute,
        id: id.clone(),
        start: options.clock.monotonic(),
        options: options.clone(),
        last: None,
        failing_since: None,
        looks: 0,
        done: false,
    };
    stream::unfold(watch, |mut watch| async move {
        let item = watch.next().await?;
        Some((item.during("", "watch", &watch.id), watch))
    })
    .boxed()
}

struct Watch<'a, C: ?Sized> {
    compute: &'a C,
    id: InstanceId,
    options: WaitOptions,
    start: Duration,
    last: Option<InstanceStatus>,
    failing_since: Option<Duration>,
    looks: u32,
    done: bool,
}

impl<C: Compute + ?Sized> Watch<'_, C> {
    async fn next(&mut self) -> Option<Result<Instance>> {
        let clock = Arc::clone(&self.options.clock);
        let mut hint = None;
        while !self.done {
            if self.looks > 0 {
                clock.sleep(self.options.delay(self.looks - 1, hint.take())).await;
            }
            self.looks = self.looks.saturating_add(1);
            match self.compute.get(&self.id).await {
                Ok(instance) => {
                    self.failing_since = None;
                    if self.last.as_ref() != Some(&instance.status) {
                        self.last = Some(instance.status.clone());
                        self.looks = 1;
                        self.done = instance.state() == InstanceState::Terminated;
                        return Some(Ok(instance));
                    }
                }
                Err(error) => {
                    hint = error.retry_after();
                    if self.is_final(&error) {
                        self.done = true;
                        let gone = error.kind() == ErrorKind::NotFound && self.last.is_some();
                        return (!gone).then_some(Err(error));
                    }
                }
            }
        }
        None
    }

    fn is_final(&mut self, error: &Error) -> bool {
        let now = self.options.clock.monotonic();
        if error.kind() == ErrorKind::NotFound {
            let age = now.saturating_sub(self.start);
            return self.last.is_some() || age >= self.options.consistency;
        }
        let since = *self.failing_since.get_or_insert(now);
        error.retry() != Retry::Later || now.saturating_sub(since) >= self.options.timeout
    }
}

/// The result of `work`, or `None` if the time is up first.
async fn within<T>(
    clock: &dyn Clock,
    time: Duration,
    work: impl Future<Output = T> + Send + Unpin,
) -> Option<T> {
    match select(work, clock.sleep(time)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}

#[cfg(test)]
mod tests;
