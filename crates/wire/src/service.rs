use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use polycloud_core::{Error, ErrorKind, Outcome, Result, Retry};

use crate::client::RequestBody;

/// What a provider adds to HTTP: how requests are authorised and what its refusals mean.
///
/// This is all that the retry loop knows of a provider.
pub trait Service: fmt::Debug + Send + Sync + 'static {
    /// What requests are authorised by.
    type Credentials: Send + Sync;

    /// The provider's name in errors, spans and metrics.
    fn provider(&self) -> &'static str;

    /// Puts credentials on a request and returns them, unless there are none to be renewed. Called once for
    /// every attempt, with the time as the server has it.
    ///
    /// # Errors
    /// `Unauthenticated` if there are no credentials, and those of fetching them.
    fn authorize(
        &self,
        request: &mut http::Request<RequestBody>,
        now: SystemTime,
    ) -> impl Future<Output = Result<Option<Arc<Self::Credentials>>>> + Send;

    /// Drops these credentials, and no others that may have taken their place, because the provider
    /// calls them expired.
    fn forget(&self, credentials: &Arc<Self::Credentials>);

    /// Says what a refusal means.
    fn refusal(&self, answer: &Answer<'_>) -> Refusal;

    /// Finds a refusal in the body of an answer whose status is a success.
    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal>;
}

/// An answer, complete.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// What was called.
    pub operation: &'static str,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, cut off at 64 KiB if the answer is a refusal.
    pub body: &'a [u8],
}

/// What a refusal means for the one retry loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The same request would be refused again.
    Final,
    /// Not acted upon for a reason that passes, such as a conflicting request in progress.
    Passing,
    /// Too many requests; not acted upon.
    Throttled,
    /// The server failed, possibly after it acted.
    Failed,
    /// The credentials expired while they were in use.
    Expired,
    /// The signature's time is too far from the server's.
    Skewed,
}

/// A refusal as an error, and what follows from it.
#[derive(Debug)]
pub struct Refusal {
    /// What the caller is told if nothing helps. Its outcome and retry are set by
    /// [`new`](Self::new) as the reason says.
    pub error: Error,
    /// What the retry loop does.
    pub reason: Reason,
}

impl Refusal {
    /// A refusal; makes the error's outcome and retry agree with the reason.
    #[must_use]
    pub fn new(error: Error, reason: Reason) -> Self {
        let (outcome, retry) = match reason {
            Reason::Final => (Outcome::NotApplied, Retry::Never),
            Reason::Passing | Reason::Throttled | Reason::Expired | Reason::Skewed => {
                (Outcome::NotApplied, Retry::Later)
            }
            Reason::Failed => (Outcome::Unknown, Retry::Later),
        };
        Self { error: error.with_outcome(outcome).with_retry(retry), reason }
    }

    /// What a status means where the provider says nothing more.
    #[must_use]
    pub fn by_status(status: StatusCode) -> Self {
        let (kind, reason) = match status.as_u16() {
            304 => (ErrorKind::NotModified, Reason::Final),
            401 => (ErrorKind::Unauthenticated, Reason::Final),
            403 => (ErrorKind::PermissionDenied, Reason::Final),
            404 | 410 => (ErrorKind::NotFound, Reason::Final),
            408 => (ErrorKind::Timeout, Reason::Failed),
            409 => (ErrorKind::Conflict, Reason::Passing),
            412 => (ErrorKind::PreconditionFailed, Reason::Final),
            413 => (ErrorKind::TooLarge, Reason::Final),
            416 => (ErrorKind::RangeNotSatisfiable, Reason::Final),
            429 => (ErrorKind::RateLimited, Reason::Throttled),
            503 => (ErrorKind::Unavailable, Reason::Throttled),
            507 => (ErrorKind::StorageFull, Reason::Final),
            // The request would have to go elsewhere; it is not sent there with its credentials.
            300..400 => (ErrorKind::Config, Reason::Final),
            400..500 => (ErrorKind::InvalidArgument, Reason::Final),
            500..600 => (ErrorKind::Unavailable, Reason::Failed),
            _ => (ErrorKind::InvalidResponse, Reason::Final),
        };
        Self::new(Error::new(kind).with_status(status.as_u16()), reason)
    }
}
