//! Layers: what happens around every call of a store or a compute, whatever the backend.
//!
//! A layer implements [`Around`] and says what it does before, after or instead of a call.
//! [`Layered`] puts it around a backend and forwards both traits with all their facets, so that a
//! layer knows nothing of the methods and serves stores and computes alike.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use polycloud_core::layer::{self, ConcurrencyLimit, Timeout, Tracing};
//! use polycloud_core::object::ObjectStore;
//!
//! fn hardened(store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
//!     let store = layer::store(store, Timeout::new(Duration::from_secs(30)));
//!     let store = layer::store(store, ConcurrencyLimit::new(64));
//!     layer::store(store, Tracing::new())
//! }
//! ```
//!
//! # Order
//!
//! The layer that is put around last is the outermost one: it sees a call first and the result last.
//! From the inside out, this order fits most programs:
//!
//! | layer | why there |
//! | --- | --- |
//! | [`Chaos`] | its faults look like the backend's to everything around it |
//! | [`Prefix`] | what is inside sees the keys of the bucket, what is outside those of the caller |
//! | [`Timeout`] | inside the limit, so that waiting for a turn does not use up the time of a call |
//! | [`ConcurrencyLimit`] | inside the measurements, so that waiting for a turn shows in them |
//! | [`Metrics`], [`Tracing`] | see what the caller sees: waiting, time-outs and all |
//!
//! # What every layer does and does not reach
//!
//! - One call of a method is one call of the layer. Content is reached piece by piece: each
//!   [`write`](crate::object::Upload::write) of an upload is a call of its own, named `write`, and the
//!   content of a get passes [`Around::body`].
//! - What fails for a single item of a
//!   [`delete_many`](crate::object::ObjectStore::delete_many) is in the outcomes, and no layer sees
//!   it. If a layer makes the whole call fail, each outcome has that error, with the shared one as its
//!   source.
//! - Retries within a backend, and parts that it sends in the background, are part of the one call.
//! - `info`, `capabilities` and `native` are the backend's own. What is done through `native`, or with
//!   a signed URL, passes no layer.
//! - Dropping a call drops it in all layers: none of them detaches work.
//!
//! A call through a layer costs one more allocation for its future. A layer that leaves bodies alone
//! costs nothing for each chunk.

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

mod chaos;
mod compute;
mod facets;
mod limit;
mod metrics;
mod multipart;
mod prefix;
mod store;
mod timeout;
mod tracing;
mod upload;
mod view;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::compute::Compute;
use crate::error::{Error, ErrorKind, Outcome, Result, ResultExt};
use crate::object::{Body, ObjectStore};

pub use self::chaos::Chaos;
pub use self::limit::ConcurrencyLimit;
pub use self::metrics::Metrics;
pub use self::prefix::Prefix;
pub use self::timeout::Timeout;
pub use self::tracing::Tracing;

/// Puts a layer around a store.
pub fn store(store: Arc<dyn ObjectStore>, around: impl Around) -> Arc<dyn ObjectStore> {
    Arc::new(Layered::of_store(store, around))
}

/// Puts a layer around a compute.
pub fn compute(compute: Arc<dyn Compute>, around: impl Around) -> Arc<dyn Compute> {
    Arc::new(Layered::of_compute(compute, around))
}

/// What a layer does around a call. Every method leaves things as they are unless it is overridden.
///
/// A layer that counts the calls that succeed:
///
/// ```
/// use std::future::Future;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use polycloud_core::Result;
/// use polycloud_core::layer::{Around, Call};
///
/// #[derive(Debug, Default)]
/// struct Count(AtomicU64);
///
/// impl Around for Count {
///     async fn around<'a, T, F>(&'a self, _call: Call<'a>, run: F) -> Result<T>
///     where
///         T: Send + 'a,
///         F: Future<Output = Result<T>> + Send + 'a,
///     {
///         let done = run.await?;
///         self.0.fetch_add(1, Ordering::Relaxed);
///         Ok(done)
///     }
/// }
/// ```
pub trait Around: fmt::Debug + Send + Sync + 'static {
    /// Carries a call out: `run` does nothing until it is awaited, and then does the call.
    ///
    /// An error that the layer itself returns need not name the provider, operation and target:
    /// [`Layered`] fills them in. Not to await `run` is to refuse the call.
    fn around<'a, T, F>(
        &'a self,
        call: Call<'a>,
        run: F,
    ) -> impl Future<Output = Result<T>> + Send + 'a
    where
        T: Send + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        let _ = call;
        run
    }

    /// Wraps the content that a get has begun to return.
    fn body(&self, call: Call<'_>, body: Body) -> Body {
        let _ = call;
        body
    }

    /// What the caller's keys have in front of them in the bucket. Of all ways to rename keys only
    /// this one keeps the order of listings, so it is all that a layer can do to them.
    fn prefix(&self) -> &str {
        ""
    }
}

/// One call, as a layer sees it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The provider, as the backend's `info` has it.
    pub provider: &'static str,
    /// What is called: the name of the method, such as `get` or `create`, with its subject where the
    /// method belongs to a facet, such as `create_multipart` or `attach_volume`.
    pub operation: &'static str,
    /// The key, instance or other thing that it is about; prints nothing where there is none.
    pub target: &'a (dyn fmt::Display + Sync),
    /// Whether it may change something at the provider.
    pub writes: bool,
    /// Bytes of content that it sends.
    pub bytes: u64,
}

impl<'a> Call<'a> {
    /// The name of the call that hands an upload its next piece.
    pub const WRITE: &'static str = "write";

    /// A call that changes nothing.
    #[must_use]
    pub fn reading(
        provider: &'static str,
        operation: &'static str,
        target: &'a (dyn fmt::Display + Sync),
    ) -> Self {
        Self { provider, operation, target, writes: false, bytes: 0 }
    }

    /// A call that may change something.
    #[must_use]
    pub fn writing(
        provider: &'static str,
        operation: &'static str,
        target: &'a (dyn fmt::Display + Sync),
    ) -> Self {
        Self { writes: true, ..Self::reading(provider, operation, target) }
    }

    /// Sets how much content it sends.
    #[must_use]
    pub fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// What is known about the effect of a call whose answer is lost.
    #[must_use]
    pub fn lost(&self) -> Outcome {
        if self.writes { Outcome::Unknown } else { Outcome::NotApplied }
    }

    /// An error of this call whose effect is not known better than [`lost`](Self::lost) says.
    #[must_use]
    pub fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind)
            .with_outcome(self.lost())
            .with_provider(self.provider)
            .with_operation(self.operation)
            .with_target(self.target)
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, operation, target, writes, bytes } = self;
        f.debug_struct("Call")
            .field("provider", provider)
            .field("operation", operation)
            .field("target", &format_args!("{target}"))
            .field("writes", writes)
            .field("bytes", bytes)
            .finish()
    }
}

/// A store or compute with a layer around it.
///
/// It implements the traits that `S` implements. Cloning is cheap and shares both.
pub struct Layered<S: ?Sized, A> {
    inner: Arc<S>,
    around: Arc<A>,
    provider: &'static str,
}

impl<S: ObjectStore + ?Sized, A: Around> Layered<S, A> {
    /// A store with a layer around it.
    pub fn of_store(store: Arc<S>, around: A) -> Self {
        Self { provider: store.info().provider, inner: store, around: Arc::new(around) }
    }
}

impl<S: Compute + ?Sized, A: Around> Layered<S, A> {
    /// A compute with a layer around it.
    pub fn of_compute(compute: Arc<S>, around: A) -> Self {
        Self { provider: compute.info().provider, inner: compute, around: Arc::new(around) }
    }
}

impl<S: ?Sized, A: Around> Layered<S, A> {
    fn reads<'a>(
        &self,
        operation: &'static str,
        target: &'a (dyn fmt::Display + Sync),
    ) -> Call<'a> {
        Call::reading(self.provider, operation, target)
    }

    fn writes<'a>(
        &self,
        operation: &'static str,
        target: &'a (dyn fmt::Display + Sync),
    ) -> Call<'a> {
        Call::writing(self.provider, operation, target)
    }
}

/// Carries a call out with a layer around it, and names it in errors.
async fn run<'a, A: Around, T: Send + 'a>(
    around: &'a A,
    call: Call<'a>,
    run: impl Future<Output = Result<T>> + Send + 'a,
) -> Result<T> {
    around.around(call, run).await.during(call.provider, call.operation, call.target)
}

impl<S: ?Sized, A> Clone for Layered<S, A> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            around: Arc::clone(&self.around),
            provider: self.provider,
        }
    }
}

impl<S: fmt::Debug + ?Sized, A: fmt::Debug> fmt::Debug for Layered<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inner, around, provider: _ } = self;
        f.debug_struct("Layered").field("around", around).field("inner", inner).finish()
    }
}
