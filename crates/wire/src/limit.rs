//! How many requests are under way at a time, as learned from the provider.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use polycloud_core::clock::Clock;
use tokio::sync::oneshot;

/// What a refusal for too many requests leaves of the limit.
const DECREASE: f64 = 0.7;

/// Without a refusal for so long, what was learned is forgotten.
const MEMORY: Duration = Duration::from_secs(60);

/// Limits how many requests are under way at a time, once the provider has asked for less.
///
/// There is no limit until a request is [`throttled`](Permit::throttled). Then it is a part of what was
/// under way, it shrinks when that is still too much and grows by one while all that are admitted succeed
/// once, and it is gone again when it is far above what is used. All clones share one limit. Waiters are
/// admitted in the order of their arrival.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    under_way: AtomicUsize,
    /// Twice the number of decreases, plus one while there is a limit.
    ///
    /// `under_way` and `epoch` are sequentially consistent: who lets go of a permit sees that there is a
    /// limit, or who waits because of the limit sees that the permit is back.
    epoch: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limit: f64,
    /// Most that was under way or waited at a time since the last decrease.
    peak: usize,
    last_decrease: Duration,
    next_ticket: u64,
    waiters: BTreeMap<u64, oneshot::Sender<Permit>>,
}

/// The right to have one request under way. Dropping it gives it back.
#[derive(Debug)]
#[must_use = "the request counts as under way until the permit is dropped"]
pub struct Permit {
    shared: Arc<Shared>,
    epoch: u64,
    /// How many were under way with this one.
    among: usize,
}

impl Limiter {
    /// No limit as yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            clock,
            under_way: AtomicUsize::new(0),
            epoch: AtomicU64::new(0),
            state: Mutex::default(),
        }))
    }

    /// Waits until one more request may be under way.
    pub async fn admit(&self) -> Permit {
        let epoch = self.0.epoch.load(Ordering::SeqCst);
        if !is_limited(epoch) {
            return self.0.permit(epoch);
        }
        let (ticket, permit) = match self.0.queue() {
            Ok(permit) => return permit,
            Err(waiting) => waiting,
        };
        // Declared before the receiver is awaited, so that a waiter that is dropped leaves the queue
        // before a permit can be sent to nobody.
        let mut waiter = Waiter { shared: &self.0, ticket, permit };
        match (&mut waiter.permit).await {
            Ok(permit) => permit,
            // Senders are dropped with the limiter only, which is borrowed here.
            Err(_) => self.0.permit(epoch),
        }
    }

    /// The limit, if there is one now.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        let state = self.0.lock();
        is_limited(self.0.epoch.load(Ordering::SeqCst)).then(|| state.slots())
    }

    /// How many requests are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.0.under_way.load(Ordering::SeqCst)
    }
}

impl Permit {
    /// The request was refused because there are too many.
    ///
    /// The limit shrinks once for all requests that were admitted before it last did.
    pub fn throttled(&self) {
        let shared = &self.shared;
        let mut state = shared.lock();
        let epoch = shared.epoch.load(Ordering::SeqCst);
        if self.epoch >> 1 < epoch >> 1 {
            return;
        }
        let under_way = shared.under_way.load(Ordering::SeqCst).max(self.among);
        if !is_limited(epoch) {
            state.limit = as_f64(under_way);
        }
        state.limit = (state.limit * DECREASE).max(1.0);
        state.peak = under_way + state.waiters.len();
        state.last_decrease = shared.clock.monotonic();
        shared.epoch.store(((epoch >> 1) + 1) << 1 | 1, Ordering::SeqCst);
    }

    /// The request was served.
    pub fn succeeded(&self) {
        if !is_limited(self.shared.epoch.load(Ordering::SeqCst)) {
            return;
        }
        let grants = {
            let mut state = self.shared.lock();
            let epoch = self.shared.epoch.load(Ordering::SeqCst);
            if !is_limited(epoch) {
                return;
            }
            state.limit += 1.0 / state.limit;
            let age = self.shared.clock.monotonic().saturating_sub(state.last_decrease);
            let outlived = age >= MEMORY && state.waiters.is_empty();
            if state.limit > as_f64(state.peak.saturating_mul(2)) || outlived {
                self.shared.epoch.store(epoch & !1, Ordering::SeqCst);
            }
            self.shared.grants(&mut state)
        };
        hand_out(grants);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.under_way.fetch_sub(1, Ordering::SeqCst);
        if is_limited(self.shared.epoch.load(Ordering::SeqCst)) {
            let grants = self.shared.grants(&mut self.shared.lock());
            hand_out(grants);
        }
    }
}

type Grants = Vec<(oneshot::Sender<Permit>, Permit)>;

/// Outside the lock: a permit that nobody takes is given back at once, which takes the lock.
fn hand_out(grants: Grants) {
    for (waiter, permit) in grants {
        drop(waiter.send(permit));
    }
}

impl Shared {
    fn permit(self: &Arc<Self>, epoch: u64) -> Permit {
        let among = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        Permit { shared: Arc::clone(self), epoch, among }
    }

    /// A permit, or a place in the queue.
    fn queue(self: &Arc<Self>) -> Result<Permit, (u64, oneshot::Receiver<Permit>)> {
        let mut state = self.lock();
        let epoch = self.epoch.load(Ordering::SeqCst);
        let under_way = self.under_way.load(Ordering::SeqCst);
        state.peak = state.peak.max(under_way + state.waiters.len() + 1);
        let free = state.waiters.is_empty() && under_way < state.slots();
        if free || !is_limited(epoch) {
            return Ok(self.permit(epoch));
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let (sender, receiver) = oneshot::channel();
        state.waiters.insert(ticket, sender);
        Err((ticket, receiver))
    }

    /// Takes from the queue whom the limit leaves room for.
    fn grants(self: &Arc<Self>, state: &mut State) -> Grants {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let mut grants = Vec::new();
        while !is_limited(epoch) || self.under_way.load(Ordering::SeqCst) < state.slots() {
            let Some((_, waiter)) = state.waiters.pop_first() else { break };
            grants.push((waiter, self.permit(epoch)));
        }
        grants
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("under_way", &self.under_way)
            .field("limited", &is_limited(self.epoch.load(Ordering::SeqCst)))
            .finish_non_exhaustive()
    }
}

impl State {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least one, and casts saturate"
    )]
    fn slots(&self) -> usize {
        self.limit.max(1.0) as usize
    }
}

struct Waiter<'a> {
    shared: &'a Arc<Shared>,
    ticket: u64,
    permit: oneshot::Receiver<Permit>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.shared.lock().waiters.remove(&self.ticket);
    }
}

fn is_limited(epoch: u64) -> bool {
    epoch & 1 == 1
}

#[allow(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use futures::FutureExt;
    use futures::future::join_all;
    use polycloud_core::clock::ManualClock;

    use super::*;

    fn limiter() -> (Limiter, ManualClock) {
        let clock = ManualClock::new();
        (Limiter::new(Arc::new(clock.clone())), clock)
    }

    fn admit_now(limiter: &Limiter) -> Option<Permit> {
        limiter.admit().now_or_never()
    }

    fn admit_all(limiter: &Limiter, count: usize) -> Vec<Permit> {
        (0..count).map_while(|_| admit_now(limiter)).collect()
    }

    #[test]
    fn there_is_no_limit_before_the_first_refusal() {
        let (limiter, _) = limiter();
        let permits = admit_all(&limiter, 10_000);
        permits.iter().for_each(Permit::succeeded);
        assert_eq!((permits.len(), limiter.under_way(), limiter.limit()), (10_000, 10_000, None));
        drop(permits);
        assert_eq!(limiter.under_way(), 0);
    }

    #[test]
    fn a_round_trip_of_refusals_shrinks_the_limit_once() {
        let (limiter, _) = limiter();
        let permits = admit_all(&limiter, 100);
        permits.iter().for_each(Permit::throttled);
        assert_eq!(limiter.limit(), Some(70));
        drop(permits);
        let permits = admit_all(&limiter, 100);
        assert_eq!(permits.len(), 70);
        permits.iter().for_each(Permit::throttled);
        assert_eq!(limiter.limit(), Some(49));
    }

    #[test]
    fn the_limit_never_goes_below_one() {
        let (limiter, _) = limiter();
        for _ in 0..100 {
            let permit = admit_now(&limiter).expect("one is always admitted");
            permit.throttled();
            assert_eq!(limiter.limit(), Some(1));
        }
    }

    #[test]
    fn the_limit_grows_by_about_one_per_round_trip() {
        let (limiter, _) = limiter();
        let permits = admit_all(&limiter, 100);
        permits[0].throttled();
        permits[1..71].iter().for_each(Permit::succeeded);
        assert_eq!(limiter.limit(), Some(70));
        permits[71].succeeded();
        assert_eq!(limiter.limit(), Some(71));
    }

    #[test]
    fn a_limit_far_above_what_is_used_goes_away() {
        let (limiter, _) = limiter();
        admit_now(&limiter).unwrap().throttled();
        assert_eq!(limiter.limit(), Some(1));
        for _ in 0..3 {
            admit_now(&limiter).unwrap().succeeded();
        }
        assert_eq!(limiter.limit(), None);
    }

    #[test]
    fn what_was_learned_is_forgotten_after_a_while() {
        let (limiter, clock) = limiter();
        let mut permits = admit_all(&limiter, 1000);
        permits[0].throttled();
        permits.truncate(10);
        clock.advance(MEMORY - Duration::from_nanos(1));
        permits[1].succeeded();
        assert_eq!(limiter.limit(), Some(700));
        clock.advance(Duration::from_nanos(1));
        permits[2].succeeded();
        assert_eq!(limiter.limit(), None);
    }

    #[test]
    fn waiters_are_admitted_in_order_and_may_leave() {
        let (limiter, _) = limiter();
        let first = admit_now(&limiter).unwrap();
        first.throttled();
        let mut waiters: Vec<_> = (0..4).map(|_| Box::pin(limiter.admit())).collect();
        for waiter in &mut waiters {
            assert!(waiter.now_or_never().is_none());
        }
        drop(waiters.remove(1));
        drop(first);
        for mut waiter in waiters {
            let permit = (&mut waiter).now_or_never().expect("the next in the queue");
            assert_eq!(limiter.under_way(), 1);
            drop(permit);
        }
        assert_eq!(limiter.under_way(), 0);
    }

    #[test]
    fn a_waiter_that_leaves_with_its_permit_passes_it_on() {
        let (limiter, _) = limiter();
        let first = admit_now(&limiter).unwrap();
        first.throttled();
        let (mut second, mut third) = (Box::pin(limiter.admit()), Box::pin(limiter.admit()));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        drop(second);
        assert!(third.now_or_never().is_some());
        assert_eq!(limiter.under_way(), 0);
    }

    #[test]
    fn growth_admits_waiters() {
        let (limiter, _) = limiter();
        let permits = admit_all(&limiter, 2);
        permits[0].throttled();
        let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(limiter.admit())).collect();
        waiters.iter_mut().for_each(|waiter| assert!(waiter.now_or_never().is_none()));
        // 1.4 grows to 2.11, 2.58 and 2.97, then to 3.31.
        (0..4).for_each(|_| permits[1].succeeded());
        assert_eq!(limiter.limit(), Some(3));
        assert!((&mut waiters[0]).now_or_never().is_some());
    }

    /// More tasks than slots, some refused, some dropped while they wait: all others end, and never are
    /// more under way than the limit allows.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_tasks_end() {
        let (limiter, _) = limiter();
        let refused = Arc::new(AtomicBool::new(false));
        let tasks = (0..500).map(|task: usize| {
            let (limiter, refused) = (limiter.clone(), Arc::clone(&refused));
            tokio::spawn(async move {
                for round in 0..20 {
                    if (task + round).is_multiple_of(7) {
                        let mut waiter = Box::pin(limiter.admit());
                        let permit = (&mut waiter).now_or_never();
                        tokio::task::yield_now().await;
                        drop((permit, waiter));
                        continue;
                    }
                    let permit = limiter.admit().await;
                    tokio::task::yield_now().await;
                    if (task * 31 + round).is_multiple_of(5) {
                        refused.store(true, Ordering::Relaxed);
                        permit.throttled();
                    } else {
                        permit.succeeded();
                    }
                }
            })
        });
        for ended in join_all(tasks.collect::<Vec<_>>()).await {
            ended.unwrap();
        }
        assert!(refused.load(Ordering::Relaxed));
        assert_eq!(limiter.under_way(), 0);
        assert_eq!(limiter.0.lock().waiters.len(), 0);
    }
}
