use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};

use super::{Around, Call};
use crate::clock::{Clock, Random, SystemClock};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::object::Body;

/// Makes calls slow and lets them fail, at random but repeatably: for tests of what a program does
/// about it.
///
/// Each fault has its rate, from 0.0 (never, the default of all) to 1.0 (always):
///
/// | fault | what happens |
/// | --- | --- |
/// | [latency](Self::with_latency) | the call begins later |
/// | [error before](Self::with_error_before) | `Unavailable`, `NotApplied`; the call is not made |
/// | [error after](Self::with_error_after) | the call is made, then `Unavailable`; outcome unknown if it writes |
/// | [cut](Self::with_cut) | the content of a get ends too early, with `Unavailable` |
///
/// - **Repeatable.** All chance comes from the injected source. The same seed gives the same faults to
///   the same sequence of calls; what runs side by side draws in the order in which it runs.
/// - **Order.** Innermost, so that every other layer sees the faults.
/// - **Cancellation.** As without it.
#[derive(Debug, Clone)]
pub struct Chaos {
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    before: f64,
    after: f64,
    cut: f64,
    slow: f64,
    latency: Duration,
    operations: Option<Arc<[&'static str]>>,
}

impl Chaos {
    /// No faults yet, and where their chance is to come from: a
    /// [`SeededRandom`](crate::clock::SeededRandom) to repeat them.
    #[must_use]
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self {
            random,
            clock: SystemClock::shared(),
            before: 0.0,
            after: 0.0,
            cut: 0.0,
            slow: 0.0,
            latency: Duration::ZERO,
            operations: None,
        }
    }

    /// Sets the clock that latency passes on; that of the machine if unset.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how many calls fail before they are made.
    #[must_use]
    pub fn with_error_before(mut self, rate: f64) -> Self {
        self.before = rate;
        self
    }

    /// Sets how many calls that succeed lose their answer.
    #[must_use]
    pub fn with_error_after(mut self, rate: f64) -> Self {
        self.after = rate;
        self
    }

    /// Sets how many bodies are cut: at a random place, at the latest in place of their end.
    #[must_use]
    pub fn with_cut(mut self, rate: f64) -> Self {
        self.cut = rate;
        self
    }

    /// Sets how many calls are late, and by how much at most. Delays below that are equally likely.
    #[must_use]
    pub fn with_latency(mut self, rate: f64, most: Duration) -> Self {
        self.slow = rate;
        self.latency = most;
        self
    }

    /// Spares all other operations. They are named as in [`Call::operation`]; bodies belong to `get`.
    #[must_use]
    pub fn with_operations(mut self, only: impl IntoIterator<Item = &'static str>) -> Self {
        self.operations = Some(only.into_iter().collect());
        self
    }

    /// Whether a fault of this rate happens now.
    fn happens(&self, rate: f64) -> bool {
        // 53 bits are what a float holds exactly.
        const STEPS: f64 = (1_u64 << 53) as f64;
        ((self.random.next_u64() >> 11) as f64 / STEPS) < rate
    }

    fn spares(&self, call: Call<'_>) -> bool {
        self.operations.as_ref().is_some_and(|only| !only.contains(&call.operation))
    }

    fn delay(&self) -> Duration {
        let most = u64::try_from(self.latency.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.random.below(most))
    }
}

impl Around for Chaos {
    async fn around<'a, T, F>(&'a self, call: Call<'a>, run: F) -> Result<T>
    where
        T: Send + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        if self.spares(call) {
            return run.await;
        }
        if self.happens(self.slow) {
            self.clock.sleep(self.delay()).await;
        }
        if self.happens(self.before) {
            return Err(fault(call, "before the call").with_outcome(Outcome::NotApplied));
        }
        let done = run.await?;
        if self.happens(self.after) {
            return Err(fault(call, "after the call"));
        }
        Ok(done)
    }

    fn body(&self, call: Call<'_>, body: Body) -> Body {
        if self.spares(call) || !self.happens(self.cut) {
            return body;
        }
        let cut = Cut { body, fault: fault(call, "in the content"), chaos: self.clone() };
        Body::from_stream(stream::try_unfold((Some(cut), None), Cut::next).boxed())
    }
}

fn fault(call: Call<'_>, place: &str) -> Error {
    call.error(ErrorKind::Unavailable).with_message(format!("injected fault {place}"))
}

/// A body that does not get to its end.
struct Cut {
    body: Body,
    fault: Error,
    chaos: Chaos,
}

/// The body, until it is cut; the error, once it is.
type Left = (Option<Cut>, Option<Error>);

impl Cut {
    /// Every other chunk is cut somewhere.
    async fn next((cut, failed): Left) -> Result<Option<(Bytes, Left)>> {
        if let Some(failed) = failed {
            return Err(failed);
        }
        let Some(mut cut) = cut else { return Ok(None) };
        let Some(mut chunk) = cut.body.next_chunk().await? else { return Err(cut.fault) };
        if !cut.chaos.happens(0.5) {
            return Ok(Some((chunk, (Some(cut), None))));
        }
        let keep = cut.chaos.random.below(chunk.len() as u64);
        chunk.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
        Ok(Some((chunk, (None, Some(cut.fault)))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{FakeCompute, FakeStore, instance, key};
    use super::*;
    use crate::clock::{ManualClock, SeededRandom};
    use crate::object::{DeleteItem, GetOptions, ObjectStore, ObjectStoreExt, UploadOptions};
    use futures::poll;
    use std::error::Error as _;
    use std::pin::pin;

    fn chaos(seed: u64) -> Chaos {
        Chaos::new(Arc::new(SeededRandom::new(seed)))
    }

    fn store(fake: &FakeStore, chaos: Chaos) -> Arc<dyn ObjectStore> {
        super::super::store(Arc::new(fake.clone()), chaos)
    }

    #[tokio::test]
    async fn faults_come_before_or_after_the_effect_and_say_so() {
        let fake = FakeStore::default();
        let never = store(&fake, chaos(1).with_error_before(1.0));
        let error = never.put_bytes(&key("a"), "1").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
        assert_eq!(fake.take_calls(), [""; 0]);
        let lost = store(&fake, chaos(1).with_error_after(1.0));
        let error = lost.put_bytes(&key("a"), "1").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
        assert_eq!(fake.keys(), ["a"]);
        let error = lost.get_bytes(&key("a")).await.unwrap_err();
        assert_eq!((error.operation(), error.outcome()), ("get", Outcome::NotApplied));
    }

    #[tokio::test]
    async fn errors_of_the_call_itself_stay() {
        let lost = store(&FakeStore::default(), chaos(1).with_error_after(1.0));
        assert_eq!(lost.get_bytes(&key("a")).await.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_seed_repeats_its_faults_at_about_the_rate() {
        let faults = async |seed| {
            let store = store(&FakeStore::default(), chaos(seed).with_error_before(0.3));
            let mut faults = Vec::new();
            for _ in 0..1000 {
                faults.push(store.exists(&key("a")).await.is_err());
            }
            faults
        };
        let first = faults(7).await;
        assert_eq!(first, faults(7).await);
        assert_ne!(first, faults(8).await);
        let hit = first.iter().filter(|hit| **hit).count();
        assert!((240..360).contains(&hit), "{hit}");
    }

    #[tokio::test]
    async fn other_operations_are_spared() {
        let fake = FakeStore::default();
        let chaos = chaos(1).with_error_before(1.0).with_cut(1.0).with_operations(["start", "put"]);
        let store = store(&fake, chaos.clone());
        fake.insert("a", &["text"]);
        assert_eq!(store.get_bytes(&key("a")).await.unwrap(), "text");
        assert!(store.put_bytes(&key("a"), "2").await.is_err());
        let compute = super::super::compute(Arc::new(FakeCompute::default()), chaos);
        assert!(compute.start(&instance()).await.is_err());
        assert!(compute.restart(&instance(), Default::default()).await.is_ok());
    }

    #[tokio::test]
    async fn a_cut_body_is_a_true_beginning_and_then_an_error() {
        let fake = FakeStore::default();
        fake.insert("a", &["one", "two", "three"]);
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let store = store(&fake, chaos(seed).with_cut(1.0));
            let mut body = store.get(&key("a"), &GetOptions::default()).await.unwrap().body;
            let mut seen = Vec::new();
            let error = loop {
                match body.next_chunk().await {
                    Ok(chunk) => seen.extend_from_slice(&chunk.unwrap()),
                    Err(error) => break error,
                }
            };
            assert!(b"onetwothree".starts_with(&seen));
            assert_eq!(
                error.to_string(),
                "get a: service unavailable: injected fault in the content"
            );
            assert_eq!(error.outcome(), Outcome::NotApplied);
            lengths.insert(seen.len());
        }
        assert!(lengths.contains(&0) && lengths.contains(&11) && lengths.len() > 6, "{lengths:?}");
    }

    #[tokio::test]
    async fn latency_passes_on_the_clock() {
        let clock = ManualClock::new();
        let slow = chaos(1).with_latency(1.0, Duration::from_secs(9));
        let store = store(&FakeStore::default(), slow.with_clock(Arc::new(clock.clone())));
        let name = key("a");
        let mut head = pin!(store.exists(&name));
        assert!(poll!(&mut head).is_pending());
        clock.advance(Duration::from_secs(9));
        assert!(!head.await.unwrap());
    }

    #[tokio::test]
    async fn a_delete_of_many_that_fails_as_a_whole_fails_for_each() {
        let fake = FakeStore::default();
        let store = store(&fake, chaos(1).with_error_after(1.0));
        fake.insert("a", &["1"]);
        let items = ["a", "b"].map(|name| DeleteItem::from(key(name)));
        let outcomes = store.delete_many(items.to_vec()).await;
        assert_eq!(outcomes.len(), 2);
        for (outcome, item) in outcomes.into_iter().zip(items) {
            let error = outcome.result.unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
            assert_eq!(error.target(), item.key.as_str());
            assert!(error.source().unwrap().to_string().starts_with("delete_many 2 objects: "));
            assert_eq!(outcome.item, item);
        }
        assert_eq!(fake.keys(), [""; 0]);
    }

    #[tokio::test]
    async fn an_upload_with_a_lost_piece_never_becomes_visible() {
        let fake = FakeStore::default();
        let store = store(&fake, chaos(1).with_error_before(1.0).with_operations(["write"]));
        let mut upload = store.upload(&key("a"), &UploadOptions::default()).await.unwrap();
        upload.write("1".into()).await.unwrap_err();
        assert_eq!(upload.complete().await.unwrap_err().kind(), ErrorKind::InvalidState);
        assert_eq!(fake.keys(), [""; 0]);
    }
}
