use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::clock::Clock;
use crate::error::{Error, Outcome, ResourceRef, Result, Retry};
use crate::retry::Backoff;

type Remove<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<()>> + Send + Sync + 'a>;

/// What was made on the way to something larger, to be taken back if the rest of it fails.
///
/// Backends note every resource as soon as it may exist, together with what removes it. In the end they
/// [keep](Self::keep) all of it, or [run](Self::run) the removals with the error that made them
/// necessary. A caller that goes away in the midst does neither: what is left then is found by its token
/// or owner, or by the [journal](super::IntentJournal).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use polycloud_core::clock::SystemClock;
/// use polycloud_core::compute::Undo;
/// use polycloud_core::{Error, ErrorKind, ResourceRef};
///
/// let mut undo = Undo::new(SystemClock::shared());
/// undo.push(ResourceRef::new("security group", "sg-1"), || Box::pin(async { Ok(()) }));
/// undo.push(ResourceRef::new("disk", "d-1"), || {
///     Box::pin(async { Err(ErrorKind::PermissionDenied.into()) })
/// });
/// let error = undo.run(ErrorKind::NoCapacity.into()).await;
/// assert_eq!(error.kind(), ErrorKind::NoCapacity);
/// assert_eq!(error.leaked(), [ResourceRef::new("disk", "d-1")]);
/// # }
/// ```
pub struct Undo<'a> {
    steps: Vec<(ResourceRef, Remove<'a>)>,
    clock: Arc<dyn Clock>,
    window: Duration,
}

impl<'a> Undo<'a> {
    /// Nothing was made yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { steps: Vec::new(), clock, window: Duration::from_secs(60) }
    }

    /// Sets for how long a removal is repeated that fails for a reason that passes; one minute by default.
    #[must_use]
    pub fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Notes a resource and what removes it. Removing what is not there has to succeed, and success has to
    /// mean that it is gone: a removal that the provider has merely accepted has to be verified.
    pub fn push(
        &mut self,
        resource: ResourceRef,
        remove: impl Fn() -> BoxFuture<'a, Result<()>> + Send + Sync + 'a,
    ) {
        self.steps.push((resource, Box::new(remove)));
    }

    /// Forgets a resource that is gone, or that is not to be taken back any more.
    pub fn forget(&mut self, resource: &ResourceRef) {
        self.steps.retain(|(noted, _)| noted != resource);
    }

    /// What is noted, in the order in which it was made.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceRef> {
        self.steps.iter().map(|(resource, _)| resource)
    }

    /// Leaves everything as it is: all is well.
    pub fn keep(self) {}

    /// Removes everything, what was made last first, and goes on where a removal fails.
    ///
    /// The error comes back with what could not be removed in [`leaked`](Error::leaked), and with an
    /// outcome that says so: `Applied` if something is left; not that if nothing is.
    pub async fn run(self, error: Error) -> Error {
        let Self { steps, clock, window } = self;
        let mut left = Vec::new();
        for (resource, remove) in steps.into_iter().rev() {
            if let Err(failure) = removed(&*clock, window, &remove).await {
                tracing::warn!(%resource, %failure, "could not be taken back");
                left.push(resource);
            }
        }
        if !left.is_empty() {
            return error.with_leaked(left).with_outcome(Outcome::Applied);
        }
        if error.outcome() == Outcome::Applied {
            return error.with_outcome(Outcome::NotApplied);
        }
        error
    }
}

impl fmt::Debug for Undo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.resources()).finish()
    }
}

async fn removed(clock: &dyn Clock, window: Duration, remove: &Remove<'_>) -> Result<()> {
    let pace = Backoff::DEFAULT.with_jitter(false);
    let start = clock.monotonic();
    let mut n = 0;
    loop {
        match remove().await {
            Err(error) if error.retry() == Retry::Later => {
                let delay = error.retry_after().unwrap_or_default().max(pace.bound(n));
                let spent = clock.monotonic().saturating_sub(start);
                if spent.saturating_add(delay) > window {
                    return Err(error);
                }
                clock.sleep(delay).await;
                n += 1;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::clock::SystemClock;
    use crate::error::ErrorKind;

    /// An undo of two resources, the removal of the first of which answers what it is told to, and then
    /// succeeds.
    fn undo<'a>(answers: &'a Mutex<Vec<ErrorKind>>, log: &'a Mutex<Vec<&'static str>>) -> Undo<'a> {
        let mut undo = Undo::new(SystemClock::shared());
        undo.push(ResourceRef::new("group", "1"), || {
            log.lock().unwrap().push("group");
            let answer = answers.lock().unwrap().pop();
            Box::pin(async move { answer.map_or(Ok(()), |kind| Err(kind.into())) })
        });
        undo.push(ResourceRef::new("key", "2"), || {
            log.lock().unwrap().push("key");
            Box::pin(async { Ok(()) })
        });
        undo
    }

    fn applied() -> Error {
        Error::new(ErrorKind::NoCapacity).with_outcome(Outcome::Applied)
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_is_removed_first_and_what_passes_is_repeated() {
        let (answers, log) =
            (Mutex::new(vec![ErrorKind::Unavailable, ErrorKind::RateLimited]), Mutex::default());
        let error = undo(&answers, &log).run(applied()).await;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::NoCapacity, Outcome::NotApplied));
        assert!(error.leaked().is_empty());
        assert_eq!(*log.lock().unwrap(), ["key", "group", "group", "group"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_named() {
        for (kind, attempts) in [(ErrorKind::PermissionDenied, 1), (ErrorKind::Unavailable, 12)] {
            let (answers, log) = (Mutex::new(vec![kind; 1_000]), Mutex::default());
            let error = undo(&answers, &log).run(ErrorKind::NoCapacity.into()).await;
            assert_eq!(error.leaked(), [ResourceRef::new("group", "1")]);
            assert_eq!(error.outcome(), Outcome::Applied);
            assert!(log.lock().unwrap().len() <= 1 + attempts, "{kind:?}: it does not end");
        }
    }

    #[tokio::test]
    async fn what_is_kept_or_forgotten_is_not_touched() {
        let (answers, log) = (Mutex::default(), Mutex::default());
        undo(&answers, &log).keep();
        let mut partly = undo(&answers, &log);
        partly.forget(&ResourceRef::new("key", "2"));
        let unknown = Error::new(ErrorKind::Timeout).with_outcome(Outcome::Unknown);
        assert_eq!(partly.run(unknown).await.outcome(), Outcome::Unknown);
        assert_eq!(*log.lock().unwrap(), ["group"]);
    }
}
