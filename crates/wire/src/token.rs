//! Credentials that expire: fetched once for all who wait, renewed ahead of their end.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use polycloud_core::clock::{Clock, Random};
use polycloud_core::retry::Backoff;
use polycloud_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// A value is renewed so long before its end, or a tenth of its lifetime if that is shorter.
const WINDOW: Duration = Duration::from_secs(300);

/// A value that is fetched counts as good for so long at least, so that a clock that is fast does not
/// lead to one fetch for every request.
const SHORTEST_USE: Duration = Duration::from_secs(10);

/// Who asks so shortly after a fetch failed is told of that failure.
const FAILURE_MEMORY: Duration = Duration::from_millis(250);

/// Between attempts to renew a value that is still good.
const RENEWAL: Backoff = {
    let mut backoff = Backoff::DEFAULT;
    backoff.initial = Duration::from_secs(1);
    backoff.max = Duration::from_secs(20);
    backoff
};

/// A value and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiring<T> {
    /// The value.
    pub value: T,
    /// When it ceases to be good, unless that is never.
    pub expires: Option<SystemTime>,
}

/// Where values come from.
#[async_trait]
pub trait TokenSource<T>: fmt::Debug + Send + Sync {
    /// Fetches a new value.
    ///
    /// # Errors
    /// Whatever keeps the source from it. The error is told to all who wait for the value.
    async fn fetch(&self) -> Result<Expiring<T>>;
}

/// Keeps a value from a [`TokenSource`] for as long as it is good.
///
/// There is never more than one fetch under way, and it goes on even if nobody waits for it any more.
/// A value near its end is renewed in the background, while it is in use; if that fails, the value is used
/// until its end and the renewal tried again. Fetching takes a Tokio runtime. Clones share the value.
pub struct TokenCache<T>(Arc<Shared<T>>);

struct Shared<T> {
    source: Arc<dyn TokenSource<T>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Option<Current<T>>,
    fetch: Option<watch::Receiver<Fetched<T>>>,
    failure: Option<Failure>,
}

struct Current<T> {
    value: Arc<T>,
    expires: Option<SystemTime>,
    renew: Option<SystemTime>,
}

#[derive(Debug, Clone)]
struct Failure {
    error: Arc<Error>,
    /// By the monotonic clock.
    at: Duration,
    /// How many there were in a row, this one included.
    count: u32,
    renew_after: Duration,
}

/// What became of a fetch, once it is known.
type Fetched<T> = Option<Result<Arc<T>, Arc<Error>>>;

impl<T: Send + Sync + 'static> TokenCache<T> {
    /// A cache that has nothing yet.
    #[must_use]
    pub fn new(
        source: Arc<dyn TokenSource<T>>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let state = Mutex::new(State { current: None, fetch: None, failure: None });
        Self(Arc::new(Shared { source, clock, random, state }))
    }

    /// The value, if it is good. Starts its renewal if its end is near.
    #[must_use]
    pub fn cached(&self) -> Option<Arc<T>> {
        let mut state = self.0.lock();
        self.0.current(&mut state)
    }

    /// The value, fetched if there is none.
    ///
    /// # Errors
    /// That of the fetch, if there is no good value.
    pub async fn get(&self) -> Result<Arc<T>> {
        // A fetch that ends without a result was dropped with its runtime, or panicked. Another one may
        // do better, but not any number of them.
        for _ in 0..2 {
            let mut fetch = {
                let mut state = self.0.lock();
                if let Some(value) = self.0.current(&mut state) {
                    return Ok(value);
                }
                if let Some(failure) = self.0.recent_failure(&state) {
                    return Err(told(&failure));
                }
                self.0.fetch(&mut state)?
            };
            if let Ok(fetched) = fetch.wait_for(Option::is_some).await
                && let Some(result) = &*fetched
            {
                return result.clone().map_err(|error| told(&error));
            }
        }
        Err(Error::new(ErrorKind::Internal).with_message("fetching credentials ended unexpectedly"))
    }

    /// Drops this very value, because it was refused. A newer one stays.
    pub fn invalidate(&self, used: &Arc<T>) {
        let mut state = self.0.lock();
        if state.current.as_ref().is_some_and(|current| Arc::ptr_eq(&current.value, used)) {
            state.current = None;
        }
    }
}

impl<T> Clone for TokenCache<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for TokenCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("source", &self.0.source).finish_non_exhaustive()
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent_failure(&self, state: &State<T>) -> Option<Arc<Error>> {
        let failure = state.failure.as_ref()?;
        let age = self.clock.monotonic().saturating_sub(failure.at);
        (age < FAILURE_MEMORY).then(|| Arc::clone(&failure.error))
    }

    fn keep(&self, Expiring { value, expires }: Expiring<T>) -> Arc<T> {
        let value = Arc::new(value);
        let now = self.clock.now();
        let expires =
            expires.map(|end| now.checked_add(SHORTEST_USE).map_or(end, |min| end.max(min)));
        let renew = expires.and_then(|end| {
            let window = end.duration_since(now).map_or(WINDOW, |life| WINDOW.min(life / 10));
            end.checked_sub(window)?.checked_sub(self.jitter(window / 2))
        });
        let current = Current { value: Arc::clone(&value), expires, renew };
        let mut state = self.lock();
        *state = State { current: Some(current), fetch: None, failure: None };
        value
    }

    /// Up to `most`, so that many clients that started together do not renew together.
    fn jitter(&self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.random.below(nanos))
    }

    fn fail(&self, error: Error) -> Arc<Error> {
        let error = Arc::new(error);
        let mut state = self.lock();
        let before = state.failure.as_ref().map_or(0, |failure| failure.count);
        let at = self.clock.monotonic();
        let bound = RENEWAL.bound(before);
        let delay = bound / 2 + self.jitter(bound / 2);
        state.fetch = None;
        state.failure = Some(Failure {
            error: Arc::clone(&error),
            at,
            count: before.saturating_add(1),
            renew_after: at.saturating_add(delay),
        });
        error
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn current(self: &Arc<Self>, state: &mut State<T>) -> Option<Arc<T>> {
        let current = state.current.as_ref()?;
        let value = Arc::clone(&current.value);
        let Some(expires) = current.expires else { return Some(value) };
        let now = self.clock.now();
        if now >= expires {
            return None;
        }
        if current.renew.is_none_or(|renew| now >= renew) && state.fetch.is_none() {
            let waits = state
                .failure
                .as_ref()
                .is_some_and(|failure| self.clock.monotonic() < failure.renew_after);
            if !waits {
                // Without a runtime the value is good nevertheless.
                let _ = self.fetch(state);
            }
        }
        Some(value)
    }

    /// Joins the fetch that is under way or starts one.
    fn fetch(self: &Arc<Self>, state: &mut State<T>) -> Result<watch::Receiver<Fetched<T>>> {
        if let Some(fetch) = &state.fetch {
            return Ok(fetch.clone());
        }
        let runtime = Handle::try_current().map_err(|error| {
            Error::config("fetching credentials takes a Tokio runtime").with_source(error)
        })?;
        let (sender, receiver) = watch::channel(None);
        state.fetch = Some(receiver.clone());
        let under_way = UnderWay { shared: Arc::clone(self), sender, receiver: receiver.clone() };
        runtime.spawn(async move {
            let shared = &under_way.shared;
            let result = match shared.source.fetch().await {
                Ok(fetched) => Ok(shared.keep(fetched)),
                Err(error) => Err(shared.fail(error)),
            };
            under_way.sender.send_replace(Some(result));
        });
        Ok(receiver)
    }
}

/// Makes room for the next fetch if this one ends without a result.
struct UnderWay<T> {
    shared: Arc<Shared<T>>,
    sender: watch::Sender<Fetched<T>>,
    receiver: watch::Receiver<Fetched<T>>,
}

impl<T> Drop for UnderWay<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.fetch.as_ref().is_some_and(|fetch| fetch.same_channel(&self.receiver)) {
            state.fetch = None;
        }
    }
}

/// The error for one of those who waited.
fn told(error: &Arc<Error>) -> Error {
    let told = error.repeat();
    if error.source().is_some() { told.with_source(Cause(Arc::clone(error))) } else { told }
}

/// The cause of an error that several share.
#[derive(Debug)]
struct Cause(Arc<Error>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(cause) => fmt::Display::fmt(cause, f),
            None => Ok(()),
        }
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source().and_then(StdError::source)
    }
}

#[cfg(test)]
mod tests;
