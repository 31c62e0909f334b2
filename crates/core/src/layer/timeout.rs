use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{self, StreamExt};

use super::{Around, Call};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::object::Body;

/// Ends calls that take too long with [`Timeout`](ErrorKind::Timeout).
///
/// - **Two limits.** A call has to return within its limit. Content has to get on: each chunk of a
///   body and each write of an upload has the stall limit, which is the same unless it is set. So a
///   long transfer is fine as long as it moves. The content of a put counts as part of the call:
///   choose the limit for the largest put, or use an upload.
/// - **Outcome.** Unknown for calls that write, since the provider may still carry them out;
///   `NotApplied` for calls that read. An upload whose write or complete timed out cannot go on, and
///   what it sent is removed in the background.
/// - **Order.** Inside of [`ConcurrencyLimit`](super::ConcurrencyLimit), or waiting for a turn counts.
/// - **Cancellation.** The call that is late is dropped.
/// - **Cost.** One timer for each call and each chunk.
///
/// Time comes from the clock of the machine unless another one is injected.
#[derive(Debug, Clone)]
pub struct Timeout {
    call: Duration,
    stall: Duration,
    clock: Arc<dyn Clock>,
}

impl Timeout {
    /// Every call and every chunk within this time.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { call: limit, stall: limit, clock: SystemClock::shared() }
    }

    /// Sets how long content may stand still.
    #[must_use]
    pub fn with_stall(mut self, limit: Duration) -> Self {
        self.stall = limit;
        self
    }

    /// Sets where the time comes from.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl Around for Timeout {
    async fn around<'a, T, F>(&'a self, call: Call<'a>, run: F) -> Result<T>
    where
        T: Send + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        let limit = if call.operation == Call::WRITE { self.stall } else { self.call };
        match within(&*self.clock, limit, run).await {
            Some(result) => result,
            None => Err(late(call, limit)),
        }
    }

    fn body(&self, call: Call<'_>, body: Body) -> Body {
        let (clock, limit) = (Arc::clone(&self.clock), self.stall);
        // Made in advance, since the stream outlives the call and its names.
        let late = late(call, limit);
        let chunks = stream::try_unfold((body, late), move |(mut body, late)| {
            let clock = Arc::clone(&clock);
            async move {
                let chunk = within(&*clock, limit, body.next_chunk()).await;
                match chunk {
                    Some(chunk) => Ok(chunk?.map(|chunk| (chunk, (body, late)))),
                    None => Err(late),
                }
            }
        });
        Body::from_stream(chunks.boxed())
    }
}

/// What comes of `run`, unless it takes too long.
async fn within<T>(clock: &dyn Clock, limit: Duration, run: impl Future<Output = T>) -> Option<T> {
    match select(pin!(run), clock.sleep(limit)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

fn late(call: Call<'_>, limit: Duration) -> Error {
    call.error(ErrorKind::Timeout).with_message(format!("no answer within {limit:?}"))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{self, FakeStore, key};
    use super::*;
    use crate::clock::ManualClock;
    use crate::error::Outcome;
    use crate::object::{GetOptions, ObjectStore, ObjectStoreExt, UploadOptions};
    use futures::{FutureExt, poll};

    const CALL: Duration = Duration::from_secs(30);
    const STALL: Duration = Duration::from_secs(5);

    fn slow() -> (FakeStore, ManualClock, Arc<dyn ObjectStore>) {
        let (fake, clock) = (FakeStore::default(), ManualClock::new());
        let timeout = Timeout::new(CALL).with_stall(STALL).with_clock(Arc::new(clock.clone()));
        let store = super::super::store(Arc::new(fake.clone()), timeout);
        (fake, clock, store)
    }

    /// Fails unless `run` is ended by the clock, and that not before the limit.
    async fn ends_after<T>(
        clock: &ManualClock,
        limit: Duration,
        run: impl Future<Output = Result<T>>,
    ) -> Error {
        let mut run = pin!(run);
        assert!(poll!(&mut run).is_pending());
        clock.advance(limit - Duration::from_millis(1));
        assert!(poll!(&mut run).is_pending());
        clock.advance(Duration::from_millis(1));
        run.now_or_never().unwrap().err().unwrap()
    }

    #[tokio::test]
    async fn late_calls_end_with_what_is_known_of_their_effect() {
        let (fake, clock, store) = slow();
        fake.hang(true);
        let error = ends_after(&clock, CALL, store.get_bytes(&key("a"))).await;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotApplied));
        assert_eq!(error.to_string(), "get a: timed out: no answer within 30s");
        assert_eq!(error.provider(), "fake");
        let error = ends_after(&clock, CALL, store.put_bytes(&key("a"), "x")).await;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown));
    }

    #[tokio::test]
    async fn calls_in_time_are_left_alone() {
        let (_, clock, store) = slow();
        store.put_bytes(&key("a"), "text").await.unwrap();
        assert_eq!(store.get_bytes(&key("a")).await.unwrap(), "text");
        assert_eq!(clock.sleepers(), 0);
    }

    #[tokio::test]
    async fn content_may_take_long_but_not_stand_still() {
        let (fake, clock, store) = slow();
        fake.insert("a", &["one", "two", "three"]);
        let mut body = store.get(&key("a"), &GetOptions::default()).await.unwrap().body;
        for chunk in ["one", "two"] {
            clock.advance(CALL);
            assert_eq!(body.next_chunk().await.unwrap().unwrap(), chunk);
        }
        fake.hang(true);
        let error = ends_after(&clock, STALL, body.next_chunk()).await;
        assert_eq!(error.to_string(), "get a: timed out: no answer within 5s");
        assert_eq!(error.outcome(), Outcome::NotApplied);
    }

    #[tokio::test]
    async fn an_upload_that_stalls_cannot_be_completed() {
        let (fake, clock, store) = slow();
        let mut upload = store.upload(&key("a"), &UploadOptions::default()).await.unwrap();
        upload.write("one".into()).await.unwrap();
        fake.hang(true);
        let error = ends_after(&clock, STALL, upload.write("two".into())).await;
        assert_eq!((error.operation(), error.outcome()), ("write", Outcome::Unknown));
        fake.hang(false);
        let error = upload.complete().await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidState, Outcome::NotApplied));
        assert_eq!(fake.take_calls(), ["upload", "write", "write", "abort"]);
    }

    #[tokio::test]
    async fn computes_have_it_too() {
        let (fake, clock) = (fake::FakeCompute::default(), ManualClock::new());
        let timeout = Timeout::new(CALL).with_clock(Arc::new(clock.clone()));
        let compute = super::super::compute(Arc::new(fake.clone()), timeout);
        fake.hang(true);
        let id = fake::instance();
        let error = ends_after(&clock, CALL, compute.start(&id)).await;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown));
        assert_eq!(error.target(), id.to_string());
    }
}
