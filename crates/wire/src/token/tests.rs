use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::FutureExt;
use futures::future::join_all;
use polycloud_core::Retry;
use polycloud_core::clock::{ManualClock, SeededRandom};
use tokio::sync::Notify;

use super::*;

const LIFETIME: Duration = Duration::from_secs(600);

/// Hands out 1, 2, 3…
#[derive(Debug, Default)]
struct Numbers {
    clock: ManualClock,
    fetches: AtomicU64,
    down: AtomicBool,
    panics: AtomicBool,
    /// A fetch waits for this, if it is there.
    gate: Option<Notify>,
    ahead: Option<Duration>,
}

#[async_trait]
impl TokenSource<u64> for Numbers {
    async fn fetch(&self) -> Result<Expiring<u64>> {
        let value = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
        match &self.gate {
            Some(gate) => gate.notified().await,
            None => tokio::task::yield_now().await,
        }
        assert!(!self.panics.load(Ordering::SeqCst), "asked to panic");
        if self.down.load(Ordering::SeqCst) {
            let cause = std::io::Error::other("the cause");
            return Err(Error::new(ErrorKind::Unavailable).with_message("down").with_source(cause));
        }
        let end = match self.ahead {
            Some(ahead) => self.clock.now().checked_sub(ahead),
            None => self.clock.now().checked_add(LIFETIME),
        };
        Ok(Expiring { value, expires: end })
    }
}

impl Numbers {
    fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::SeqCst)
    }
}

fn cache(numbers: Numbers) -> (TokenCache<u64>, Arc<Numbers>, ManualClock) {
    let clock = numbers.clock.clone();
    let source = Arc::new(numbers);
    let random = Arc::new(SeededRandom::new(1));
    (TokenCache::new(source.clone(), Arc::new(clock.clone()), random), source, clock)
}

/// Lets tasks in the background get to their end.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn all_who_wait_share_one_fetch() {
    let (cache, source, _) = cache(Numbers::default());
    assert_eq!(cache.cached(), None);
    let values = join_all((0..100).map(|_| cache.get())).await;
    assert!(values.into_iter().all(|value| *value.unwrap() == 1));
    assert_eq!(cache.cached().as_deref(), Some(&1));
    assert_eq!(source.fetches(), 1);
}

#[tokio::test]
async fn all_who_wait_share_one_failure() {
    let (cache, source, clock) = cache(Numbers { down: true.into(), ..Numbers::default() });
    for result in join_all((0..100).map(|_| cache.get())).await {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Later));
        assert_eq!(error.source().unwrap().to_string(), "the cause");
    }
    assert_eq!(source.fetches(), 1);
    source.down.store(false, Ordering::SeqCst);
    assert!(cache.get().await.is_err(), "the failure is remembered for a moment");
    clock.advance(FAILURE_MEMORY);
    assert_eq!(*cache.get().await.unwrap(), 2);
}

#[tokio::test]
async fn a_waiter_that_leaves_does_not_end_the_fetch() {
    let (cache, source, _) = cache(Numbers { gate: Some(Notify::new()), ..Numbers::default() });
    let mut leaving = Box::pin(cache.get());
    let mut staying = Box::pin(cache.get());
    assert!((&mut leaving).now_or_never().is_none());
    assert!((&mut staying).now_or_never().is_none());
    drop(leaving);
    source.gate.as_ref().unwrap().notify_one();
    assert_eq!(*staying.await.unwrap(), 1);

    let alone = cache.clone();
    cache.invalidate(&cache.cached().unwrap());
    assert!(alone.get().now_or_never().is_none());
    source.gate.as_ref().unwrap().notify_one();
    settle().await;
    assert_eq!(cache.cached().as_deref(), Some(&2));
    assert_eq!(source.fetches(), 2);
}

#[tokio::test]
async fn a_value_near_its_end_is_renewed_while_it_is_used() {
    let (cache, source, clock) = cache(Numbers::default());
    let first = cache.get().await.unwrap();
    clock.advance(LIFETIME / 2);
    assert_eq!(cache.cached(), Some(Arc::clone(&first)));
    settle().await;
    assert_eq!(source.fetches(), 1);
    clock.advance(LIFETIME * 9 / 20);
    for _ in 0..100 {
        assert_eq!(cache.get().now_or_never().unwrap().unwrap(), first);
    }
    settle().await;
    assert_eq!(cache.cached().as_deref(), Some(&2));
    assert_eq!(source.fetches(), 2);
}

#[tokio::test]
async fn an_outage_of_any_length_costs_no_more_than_it_must() {
    const STEP: Duration = Duration::from_secs(10);
    let steps = |time: Duration| time.as_secs() / STEP.as_secs();
    for outage in 0..=steps(LIFETIME * 2) {
        let (cache, source, clock) = cache(Numbers::default());
        let mut value = cache.get().await.unwrap();
        let mut fresh = 0;
        source.down.store(true, Ordering::SeqCst);
        for step in 1..=steps(LIFETIME * 3) {
            clock.advance(STEP);
            if step > outage {
                source.down.store(false, Ordering::SeqCst);
            }
            let result = cache.get().await;
            settle().await;
            fresh = if result.as_ref().is_ok_and(|now| **now != *value) { step } else { fresh };
            match result {
                Ok(now) => value = now,
                Err(_) => assert!(
                    steps(LIFETIME) <= step && step <= outage,
                    "failed at step {step} of an outage of {outage} steps"
                ),
            }
        }
        assert!(fresh > outage, "never renewed after an outage of {outage} steps");
        // At least 0.5 seconds between renewals, and one try per step once the value is gone.
        assert!(source.fetches() < 3 * steps(LIFETIME), "{} fetches", source.fetches());
    }
}

#[tokio::test]
async fn renewals_that_fail_are_tried_again_with_growing_delays() {
    let (cache, source, clock) = cache(Numbers::default());
    let value = cache.get().await.unwrap();
    source.down.store(true, Ordering::SeqCst);
    clock.advance(LIFETIME * 9 / 10);
    for _ in 0..59 {
        for _ in 0..10 {
            assert_eq!(cache.cached(), Some(Arc::clone(&value)));
            settle().await;
        }
        clock.advance(Duration::from_secs(1));
    }
    let tries = source.fetches() - 1;
    assert!((3..=12).contains(&tries), "{tries} tries in a minute");
}

#[tokio::test]
async fn what_is_refused_is_fetched_anew_once() {
    let (cache, source, _) = cache(Numbers::default());
    let used = cache.get().await.unwrap();
    let renewed = join_all((0..100).map(|_| async {
        cache.invalidate(&used);
        cache.get().await.unwrap()
    }));
    assert!(renewed.await.into_iter().all(|value| *value == 2));
    cache.invalidate(&used);
    assert_eq!(cache.cached().as_deref(), Some(&2), "the newer value stays");
    assert_eq!(source.fetches(), 2);
}

#[tokio::test]
async fn a_clock_that_is_fast_does_not_lead_to_a_fetch_per_request() {
    for ahead in [Duration::from_secs(3600), Duration::from_secs(1 << 40), Duration::MAX] {
        let (cache, source, clock) = cache(Numbers { ahead: Some(ahead), ..Numbers::default() });
        for _ in 0..100 {
            assert_eq!(*cache.get().await.unwrap(), 1);
        }
        clock.advance(Duration::from_secs(5));
        assert_eq!(cache.cached().as_deref(), Some(&1));
        assert_eq!(source.fetches(), 1);
    }
}

#[tokio::test]
async fn a_fetch_that_panics_is_an_error_and_not_the_end() {
    let (cache, source, _) = cache(Numbers { panics: true.into(), ..Numbers::default() });
    assert_eq!(cache.get().await.unwrap_err().kind(), ErrorKind::Internal);
    source.panics.store(false, Ordering::SeqCst);
    assert_eq!(*cache.get().await.unwrap(), 3);
}

#[test]
fn a_fetch_outlives_the_runtime_it_began_on() {
    let (cache, source, _) = cache(Numbers { gate: Some(Notify::new()), ..Numbers::default() });
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime().block_on(async {
        assert!(cache.get().now_or_never().is_none());
        settle().await;
    });
    source.gate.as_ref().unwrap().notify_one();
    assert_eq!(*runtime().block_on(cache.get()).unwrap(), 2);
    let error = cache_without_value().get().now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

fn cache_without_value() -> TokenCache<u64> {
    cache(Numbers::default()).0
}

#[tokio::test]
async fn clients_that_start_together_renew_apart() {
    let mut moments = BTreeSet::new();
    for seed in 0..20 {
        let source = Arc::new(Numbers::default());
        let clock = source.clock.clone();
        let random = Arc::new(SeededRandom::new(seed));
        let cache = TokenCache::new(source.clone(), Arc::new(clock.clone()), random);
        cache.get().await.unwrap();
        while source.fetches() == 1 {
            clock.advance(Duration::from_secs(1));
            let _ = cache.cached();
            settle().await;
        }
        moments.insert(clock.monotonic());
    }
    assert!(moments.len() > 8, "{moments:?}");
    assert!(*moments.first().unwrap() >= LIFETIME * 17 / 20);
    assert!(*moments.last().unwrap() <= LIFETIME * 9 / 10 + Duration::from_secs(1));
}

#[tokio::test]
async fn what_never_expires_is_fetched_once() {
    #[derive(Debug)]
    struct Forever;
    #[async_trait]
    impl TokenSource<&'static str> for Forever {
        async fn fetch(&self) -> Result<Expiring<&'static str>> {
            Ok(Expiring { value: "c4n4ry", expires: None })
        }
    }
    let clock = ManualClock::new();
    let random = Arc::new(SeededRandom::new(1));
    let cache = TokenCache::new(Arc::new(Forever), Arc::new(clock.clone()), random);
    let value = cache.get().await.unwrap();
    clock.advance(Duration::from_secs(1 << 35));
    assert!(Arc::ptr_eq(&value, &cache.cached().unwrap()));
    assert!(!format!("{cache:?}").contains("c4n4ry"));
}
