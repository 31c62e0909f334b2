use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use polycloud_core::clock::{Clock, Random, SystemClock, SystemRandom};
use polycloud_core::retry::RetryPolicy;
use polycloud_core::{Error, Outcome, Result, ResultExt, Retry};

use crate::attempt::{Fault, Taken, Want};
use crate::client::{HttpClient, RequestBody, ResponseBody};
use crate::limit::Limiter;
use crate::patience::Patience;
use crate::service::{Reason, Service};
use crate::telemetry::Telemetry;

/// What repeating a request can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// It changes nothing.
    Read,
    /// Repeating it leaves what sending it once leaves: an unconditional write, a delete.
    Idempotent,
    /// Repeating it can be refused because of what the first attempt did: a write under a condition,
    /// the completion of an upload. After an attempt whose effect is not known, a refusal proves nothing;
    /// see [`Failure::ambiguous`].
    Conditional,
}

/// A request to be sent, as often as it takes.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// What is called, for errors, spans and metrics.
    pub operation: &'static str,
    /// What repeating it can do.
    pub class: Class,
    /// Makes the request of one attempt, without credentials. The path is sent as it is.
    pub make: &'a (dyn Fn() -> Result<http::Request<RequestBody>> + Sync),
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, class, make: _ } = self;
        f.debug_struct("Call").field("operation", operation).field("class", class).finish()
    }
}

/// A complete answer.
#[derive(Debug)]
pub struct Reply {
    /// The status, a success.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why a call failed for good.
#[derive(Debug)]
pub struct Failure {
    /// The last attempt's error.
    pub error: Error,
    /// Whether an attempt may have had its effect: the last one, or one before it. The caller of a
    /// [`Conditional`](Class::Conditional) call then finds out, or says that it does not know.
    pub ambiguous: bool,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        if failure.ambiguous {
            return failure.error.with_outcome(Outcome::Unknown);
        }
        failure.error
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { ambiguous: error.outcome() == Outcome::Unknown, error }
    }
}

/// How long to wait for a server that is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From the last byte of a request until its answer begins; 30 seconds.
    pub first_byte: Duration,
    /// Between two pieces of a body, in either direction; 20 seconds. Time in which the caller does not
    /// take what has arrived does not count.
    pub stall: Duration,
    /// One attempt until its answer begins, however much moves; unlimited if unset.
    pub attempt: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { first_byte: Duration::from_secs(30), stall: Duration::from_secs(20), attempt: None }
    }
}

impl Timeouts {
    /// Sets how long an answer may take to begin.
    #[must_use]
    pub fn with_first_byte(mut self, first_byte: Duration) -> Self {
        self.first_byte = first_byte;
        self
    }

    /// Sets how long a body may rest.
    #[must_use]
    pub fn with_stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// Sets how long an attempt may take until its answer begins.
    #[must_use]
    pub fn with_attempt(mut self, attempt: Duration) -> Self {
        self.attempt = Some(attempt);
        self
    }
}

/// Sends calls to one endpoint of one provider. Cheap to clone; clones share connections, the retry
/// budget, the limit on concurrency and the learned clock.
pub struct Wire<S>(Arc<Inner<S>>);

pub(crate) struct Inner<S> {
    pub(crate) service: S,
    pub(crate) client: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeouts: Timeouts,
    pub(crate) first_byte: Patience,
    pub(crate) stall: Patience,
    limiter: Limiter,
    telemetry: Telemetry,
    /// How far the server's clock is ahead of ours, in milliseconds.
    skew: AtomicI64,
}

/// How to build a [`Wire`].
#[derive(Debug)]
pub struct WireBuilder<S> {
    service: S,
    client: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    retry: RetryPolicy,
    timeouts: Timeouts,
}

impl<S: Service> WireBuilder<S> {
    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets where the jitter of delays comes from.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Sets when and how often to try again.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how long to wait for a silent server.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Builds it. Sends nothing.
    #[must_use]
    pub fn build(self) -> Wire<S> {
        let Self { service, client, clock, random, retry, timeouts } = self;
        Wire(Arc::new(Inner {
            first_byte: Patience::new(Arc::clone(&clock)),
            stall: Patience::new(Arc::clone(&clock)),
            limiter: Limiter::new(Arc::clone(&clock)),
            telemetry: Telemetry::new(service.provider()),
            skew: AtomicI64::new(0),
            service,
            client,
            clock,
            random,
            retry,
            timeouts,
        }))
    }
}

impl<S: Service> Wire<S> {
    /// How to build one for a service and the client to send by.
    pub fn builder(service: S, client: Arc<dyn HttpClient>) -> WireBuilder<S> {
        WireBuilder {
            service,
            client,
            clock: SystemClock::shared(),
            random: Arc::new(SystemRandom),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
        }
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &S {
        &self.0.service
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Where chance comes from.
    #[must_use]
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.0.random
    }

    /// The time as the server has it.
    #[must_use]
    pub fn server_time(&self) -> SystemTime {
        self.0.server_time()
    }

    /// Sends a call and reads its answer, of at most `limit` bytes.
    ///
    /// # Errors
    /// The provider's refusal, or what kept the request from being answered, when trying again is of no
    /// use any more.
    pub async fn send(&self, call: Call<'_>, limit: usize) -> Result<Reply, Failure> {
        let Taken { head, body: _, bytes } = self.run(call, Want::Whole(limit)).await?;
        Ok(Reply { status: head.status, headers: head.headers, body: bytes })
    }

    /// Sends a call and returns its answer with a body that is still to be read.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn open(&self, call: Call<'_>) -> Result<http::Response<ResponseBody>, Failure> {
        let Taken { head, body, bytes: _ } = self.run(call, Want::Head).await?;
        Ok(http::Response::from_parts(head, body))
    }

    pub(crate) fn inner(&self) -> &Inner<S> {
        &self.0
    }

    async fn run(&self, call: Call<'_>, want: Want) -> Result<Taken, Failure> {
        let inner = &*self.0;
        let started = inner.clock.monotonic();
        let mut tries = Tries::default();
        loop {
            let permit = inner.limiter.admit().await;
            let begun = inner.clock.monotonic();
            let result = inner.attempt(&call, want).await;
            let now = inner.clock.monotonic();
            inner.telemetry.attempt(&call, tries.attempts, now.saturating_sub(begun), &result);
            let fault = match result {
                Ok(taken) => {
                    permit.succeeded();
                    inner.retry.budget.succeeded();
                    return Ok(taken);
                }
                Err(fault) => fault,
            };
            if fault.reason == Reason::Throttled {
                permit.throttled();
            }
            drop(permit);
            let elapsed = now.saturating_sub(started);
            match tries.after(inner, &call, fault, elapsed) {
                Ok(delay) if delay.is_zero() => {}
                Ok(delay) => inner.clock.sleep(delay).await,
                Err(failure) => return Err(failure),
            }
        }
    }
}

impl<S: Service> Inner<S> {
    pub(crate) fn server_time(&self) -> SystemTime {
        let now = self.clock.now();
        let skew = self.skew.load(Ordering::Relaxed);
        let by = Duration::from_millis(skew.unsigned_abs());
        let moved = if skew < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        moved.unwrap_or(now)
    }

    /// Takes over the clock of a server that refused ours.
    fn learn_time(&self, servers: SystemTime) {
        let now = self.clock.now();
        let millis = |by: Duration| i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let skew = match servers.duration_since(now) {
            Ok(ahead) => millis(ahead),
            Err(behind) => -millis(behind.duration()),
        };
        self.skew.store(skew, Ordering::Relaxed);
    }
}

/// What the attempts so far tell.
#[derive(Debug, Default)]
struct Tries {
    /// All that were made.
    attempts: u32,
    /// Those that count against the policy.
    failed: u32,
    ambiguous: bool,
    renewed: bool,
    skewed: bool,
}

impl Tries {
    /// How long to wait before the next attempt, or why there is none.
    fn after<S: Service>(
        &mut self,
        inner: &Inner<S>,
        call: &Call<'_>,
        fault: Fault,
        elapsed: Duration,
    ) -> Result<Duration, Failure> {
        self.attempts += 1;
        self.ambiguous |= call.class != Class::Read && fault.error.outcome() == Outcome::Unknown;
        match (fault.reason, fault.date) {
            (Reason::Expired, _) if !self.renewed => {
                self.renewed = true;
                return Ok(Duration::ZERO);
            }
            (Reason::Skewed, Some(date)) if !self.skewed => {
                self.skewed = true;
                inner.learn_time(date);
                return Ok(Duration::ZERO);
            }
            // A second time, neither passes by itself.
            (Reason::Expired | Reason::Skewed, _) => return Err(self.give_up(inner, call, fault)),
            _ => {}
        }
        self.failed += 1;
        inner
            .retry
            .next_delay(&fault.error, self.failed, elapsed, &*inner.random)
            .ok_or_else(|| self.give_up(inner, call, fault))
    }

    fn give_up<S: Service>(&self, inner: &Inner<S>, call: &Call<'_>, fault: Fault) -> Failure {
        let mut error = fault.error;
        if error.retry() == Retry::Later && self.attempts > 1 {
            error = error.with_retry(Retry::Exhausted);
        }
        if call.class == Class::Read {
            error = error.with_outcome(Outcome::NotApplied);
        }
        let error = Err::<Infallible, _>(error);
        let Err(error) = error.during(inner.service.provider(), "", "");
        Failure { error, ambiguous: self.ambiguous }
    }
}

impl<S> Clone for Wire<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Service> fmt::Debug for Wire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("service", &self.0.service).finish_non_exhaustive()
    }
}
