use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{Around, Call};
use crate::error::{Error, ErrorKind, Result};

/// Lets only so many calls run at a time; the others wait for their turn, first come, first served.
///
/// - **What counts.** A call counts until it returns. A get returns when its metadata is there: a body
///   that is still being read holds no place. An upload counts while one of its writes, or its
///   completion, is under way; the parts that the backend sends in the background meanwhile are
///   bounded by [`UploadOptions::concurrency`](crate::object::UploadOptions::concurrency).
/// - **Sharing.** Clones share their places: put clones around several stores to limit them together.
/// - **Order.** Outside of [`Timeout`](super::Timeout), or waiting counts as part of the call.
/// - **Cancellation.** Dropping a call gives its place, or its turn, to the next one.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    places: Arc<Semaphore>,
}

impl ConcurrencyLimit {
    /// At most so many calls at a time; 0 counts as 1.
    #[must_use]
    pub fn new(calls: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS))) }
    }
}

impl Around for ConcurrencyLimit {
    async fn around<'a, T, F>(&'a self, _call: Call<'a>, run: F) -> Result<T>
    where
        T: Send + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        let closed = |error| Error::new(ErrorKind::Internal).with_source(error);
        let _place = self.places.acquire().await.map_err(closed)?;
        run.await
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{FakeStore, key};
    use super::*;
    use crate::object::{GetOptions, ObjectStoreExt};
    use futures::poll;
    use std::pin::pin;

    #[tokio::test]
    async fn calls_wait_for_their_turn_in_all_stores_that_share_the_limit() {
        let (fake, limit) = (FakeStore::default(), ConcurrencyLimit::new(2));
        let make = || super::super::store(Arc::new(fake.clone()), limit.clone());
        let (a, b, name) = (make(), make(), key("a"));
        fake.hang(true);
        let (mut first, mut third) = (pin!(a.exists(&name)), pin!(a.exists(&name)));
        let mut second = Box::pin(b.exists(&name));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        assert!(poll!(&mut third).is_pending());
        assert_eq!(fake.take_calls(), ["head", "head"], "the third waits");
        drop(second);
        assert!(poll!(&mut third).is_pending());
        assert_eq!(fake.take_calls(), ["head"], "a dropped call makes room");
        fake.hang(false);
        assert!(!first.await.unwrap());
        assert!(!third.await.unwrap());
    }

    #[tokio::test]
    async fn a_body_holds_no_place() {
        let fake = FakeStore::default();
        fake.insert("a", &["one", "two"]);
        let store = super::super::store(Arc::new(fake), ConcurrencyLimit::new(0));
        let body = store.get(&key("a"), &GetOptions::default()).await.unwrap().body;
        assert_eq!(store.get_bytes(&key("a")).await.unwrap(), "onetwo");
        assert_eq!(body.bytes().await.unwrap(), "onetwo");
    }
}
