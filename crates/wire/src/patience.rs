//! Waiting for a while, many times a second.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use polycloud_core::clock::{Clock, Sleep};
use tokio::runtime::{Handle, Id};

/// So many timers are kept, whatever was under way at some time.
const KEPT: usize = 1_024;

/// Timers that are kept for the next wait.
///
/// Nearly every wait ends long before its time. To set a timer for each and take it back costs more than
/// the rest of the wait, a system call among it. So a timer stays set when its wait is over, and the next
/// wait takes it: if it goes off before its deadline, it is set anew for the rest.
#[derive(Debug)]
pub(crate) struct Patience {
    clock: Arc<dyn Clock>,
    idle: Mutex<Vec<Timer>>,
}

struct Timer {
    sleep: Sleep,
    /// When it goes off, by the monotonic clock.
    at: Duration,
    /// Timers are of no use in another runtime.
    runtime: Option<Id>,
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Patience {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, idle: Mutex::default() }
    }

    /// Waits for a future, but no longer than this.
    pub(crate) async fn within<F: Future>(&self, window: Duration, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut wait: Option<Wait<'_>> = None;
        std::future::poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let wait = wait.get_or_insert_with(|| self.wait(window));
            loop {
                let Some(timer) = &mut wait.timer else { return Poll::Ready(None) };
                if timer.sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                let left = wait.deadline.saturating_sub(self.clock.monotonic());
                wait.timer = (!left.is_zero()).then(|| self.set(left));
            }
        })
        .await
    }

    fn wait(&self, window: Duration) -> Wait<'_> {
        let now = self.clock.monotonic();
        let deadline = now.saturating_add(window);
        let runtime = runtime();
        let kept = self.idle().pop();
        let fits =
            |timer: &Timer| timer.runtime == runtime && timer.at > now && timer.at <= deadline;
        let timer = kept.filter(fits).unwrap_or_else(|| self.set(window));
        Wait { patience: self, timer: Some(timer), deadline }
    }

    fn set(&self, window: Duration) -> Timer {
        let at = self.clock.monotonic().saturating_add(window);
        Timer { sleep: self.clock.sleep(window), at, runtime: runtime() }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Timer>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn runtime() -> Option<Id> {
    Handle::try_current().ok().map(|runtime| runtime.id())
}

/// A wait that may end at any time.
struct Wait<'a> {
    patience: &'a Patience,
    /// `None` once it went off for good.
    timer: Option<Timer>,
    deadline: Duration,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let Some(timer) = self.timer.take() else { return };
        let mut idle = self.patience.idle();
        if idle.len() < KEPT {
            idle.push(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polycloud_core::clock::ManualClock;

    fn patience() -> (ManualClock, Patience) {
        let clock = ManualClock::new();
        (clock.clone(), Patience::new(Arc::new(clock)))
    }

    const WINDOW: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_timer_serves_many_waits() {
        let (clock, patience) = patience();
        for _ in 0..100 {
            let soon = async { tokio::task::yield_now().await };
            assert!(patience.within(WINDOW, soon).await.is_some());
            clock.advance(Duration::from_millis(50));
        }
        assert_eq!((clock.sleepers(), patience.idle().len()), (1, 1));
    }

    #[tokio::test]
    async fn every_wait_has_its_whole_time() {
        let (clock, patience) = patience();
        let soon = async { tokio::task::yield_now().await };
        assert!(patience.within(WINDOW, soon).await.is_some());
        clock.advance(Duration::from_secs(7));
        // The kept timer goes off after three of the ten seconds.
        let mut wait = pin!(patience.within(WINDOW, std::future::pending::<()>()));
        assert!(futures::poll!(&mut wait).is_pending());
        for _ in 0..9 {
            clock.advance(Duration::from_secs(1));
            assert!(futures::poll!(&mut wait).is_pending());
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(futures::poll!(&mut wait), Poll::Ready(None));
    }

    #[tokio::test]
    async fn a_shorter_wait_is_not_kept_waiting() {
        let (clock, patience) = patience();
        let soon = async { tokio::task::yield_now().await };
        assert!(patience.within(WINDOW, soon).await.is_some());
        let short = Duration::from_secs(1);
        let mut wait = pin!(patience.within(short, std::future::pending::<()>()));
        assert!(futures::poll!(&mut wait).is_pending());
        clock.advance(short);
        assert_eq!(futures::poll!(&mut wait), Poll::Ready(None));
    }

    #[test]
    fn a_timer_does_not_outlive_its_runtime() {
        let patience = Patience::new(polycloud_core::clock::SystemClock::shared());
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let soon = async { tokio::task::yield_now().await };
                assert!(patience.within(WINDOW, soon).await.is_some());
            });
        }
    }
}
