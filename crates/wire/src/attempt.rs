//! One attempt: authorise, send, watch, read.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::DATE;
use http::{HeaderMap, StatusCode, response};
use polycloud_core::{Error, ErrorKind, Outcome, Retry};

use crate::client::{Progress, RequestBody, ResponseBody, SendError, SendErrorKind};
use crate::retry_after::retry_after;
use crate::service::{Answer, Reason, Refusal, Service};
use crate::time::parse_http_date;
use crate::wire::{Call, Inner};

/// As much of a refusal's body as is read.
const REFUSAL_LIMIT: usize = 64 * 1024;

/// If the clocks are so far apart, that may be why a signature was refused.
const SKEW: Duration = Duration::from_secs(4 * 60);

/// What is wanted of a success.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want {
    /// Its head.
    Head,
    /// All of it, of at most so many bytes.
    Whole(usize),
}

/// A success.
pub(crate) struct Taken {
    pub(crate) head: response::Parts,
    /// What is still to be read.
    pub(crate) body: ResponseBody,
    /// What was read.
    pub(crate) bytes: Bytes,
}

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    pub(crate) reason: Reason,
    /// The server's time.
    pub(crate) date: Option<SystemTime>,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self { error: refusal.error, reason: refusal.reason, date: None }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, reason: Reason::Final, date: None }
    }
}

impl From<SendError> for Fault {
    fn from(error: SendError) -> Self {
        let passing = !matches!(error.kind(), SendErrorKind::Tls | SendErrorKind::Source);
        let retry = if passing { Retry::Later } else { Retry::Never };
        Self { error: Error::from(error).with_retry(retry), reason: Reason::Failed, date: None }
    }
}

impl<S: Service> Inner<S> {
    pub(crate) async fn attempt(&self, call: &Call<'_>, want: Want) -> Result<Taken, Fault> {
        let mut request = (call.make)().map_err(before_sending)?;
        let authorized = self.service.authorize(&mut request, self.server_time()).await;
        let credentials = authorized.map_err(before_sending)?;
        let result = self.exchange(call, want, request).await;
        if let (Err(Fault { reason: Reason::Expired, .. }), Some(used)) = (&result, credentials) {
            self.service.forget(&used);
        }
        result
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        want: Want,
        request: http::Request<RequestBody>,
    ) -> Result<Taken, Fault> {
        let progress = request.body().progress().cloned();
        let sent = self.answer_to(self.client.send(request), progress.as_ref()).await;
        let (head, mut body) = match sent {
            Ok(response) => response.into_parts(),
            Err(error) => {
                let failed = progress.and_then(|progress| progress.take_failure());
                return Err(failed.map_or_else(|| error.into(), source_failed));
            }
        };
        if !head.status.is_success() {
            return Err(self.refused(call, &head, body).await);
        }
        let Want::Whole(limit) = want else {
            return Ok(Taken { head, body, bytes: Bytes::new() });
        };
        let bytes = self.whole(&mut body, limit).await?;
        if !bytes.is_empty() {
            let answer = answer(call, head.status, &head.headers, &bytes);
            if let Some(refusal) = self.service.hidden_refusal(&answer) {
                return Err(self.fault(refusal, &head.headers));
            }
        }
        Ok(Taken { head, body, bytes })
    }

    /// Waits for the answer as long as the request moves, and then for the first byte.
    async fn answer_to<T>(
        &self,
        sending: impl Future<Output = Result<T, SendError>>,
        progress: Option<&Progress>,
    ) -> Result<T, SendError> {
        let mut sending = pin!(sending);
        let begun = self.timeouts.attempt.map(|limit| (self.clock.monotonic(), limit));
        let mut seen = 0;
        loop {
            let window = match begun {
                Some((begun, limit)) => limit
                    .saturating_sub(self.clock.monotonic().saturating_sub(begun))
                    .min(self.timeouts.first_byte),
                None => self.timeouts.first_byte,
            };
            if let Some(result) = self.first_byte.within(window, sending.as_mut()).await {
                return result;
            }
            let now = progress.map_or(0, Progress::count);
            let over = begun.is_some_and(|(begun, limit)| {
                self.clock.monotonic().saturating_sub(begun) >= limit
            });
            if now == seen || over {
                return Err(SendError::new(SendErrorKind::Stalled));
            }
            seen = now;
        }
    }

    /// Reads a body to its end.
    async fn whole(&self, body: &mut ResponseBody, limit: usize) -> Result<Bytes, Fault> {
        let (mut whole, mut pace) = (Collected::default(), Pace::default());
        while let Some(chunk) = self.next_chunk(body).await? {
            if self.is_drip(&mut pace, &chunk) {
                return Err(SendError::new(SendErrorKind::Stalled).into());
            }
            if !whole.push(chunk, limit) {
                let error = Error::new(ErrorKind::InvalidResponse)
                    .with_message(format!("the answer is longer than {limit} bytes"));
                return Err(error.into());
            }
        }
        Ok(whole.finish())
    }

    /// The next chunk of a body, or an error if it rests for too long.
    pub(crate) async fn next_chunk(
        &self,
        body: &mut ResponseBody,
    ) -> Result<Option<Bytes>, SendError> {
        let next = self.stall.within(self.timeouts.stall, body.next_chunk()).await;
        next.unwrap_or_else(|| Err(SendError::new(SendErrorKind::Stalled)))
    }

    /// Whether a server sends less than a byte a second, and so never rests for too long.
    fn is_drip(&self, pace: &mut Pace, chunk: &Bytes) -> bool {
        let (stall, size) = (self.timeouts.stall, chunk.len() as u64);
        if size >= stall.as_secs() {
            *pace = Pace::default();
            return false;
        }
        let now = self.clock.monotonic();
        let elapsed = now.saturating_sub(*pace.since.get_or_insert(now));
        pace.bytes += size;
        if elapsed < stall {
            return false;
        }
        std::mem::take(pace).bytes < elapsed.as_secs()
    }

    async fn refused(
        &self,
        call: &Call<'_>,
        head: &response::Parts,
        mut body: ResponseBody,
    ) -> Fault {
        let (mut whole, mut pace) = (Collected::default(), Pace::default());
        let complete = loop {
            match self.next_chunk(&mut body).await {
                Ok(Some(chunk)) => {
                    if self.is_drip(&mut pace, &chunk) {
                        break false;
                    }
                    if !whole.push(chunk, REFUSAL_LIMIT) {
                        break true;
                    }
                }
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let bytes = whole.finish();
        let refusal = self.service.refusal(&answer(call, head.status, &head.headers, &bytes));
        let mut fault = self.fault(refusal, &head.headers);
        if !complete && fault.reason == Reason::Final {
            // The status alone says less than the words that were lost, which may be of something passing.
            fault.reason = Reason::Passing;
            fault.error = fault.error.with_retry(Retry::Later);
        }
        fault
    }

    fn fault(&self, refusal: Refusal, headers: &HeaderMap) -> Fault {
        let mut fault = Fault::from(refusal);
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        fault.date = date.and_then(|date| parse_http_date(date).ok());
        // Given as a date, it is by the server's clock.
        let now = fault.date.unwrap_or_else(|| self.server_time());
        if is_denied(&fault) && apart(now, self.server_time()) > SKEW {
            // An answer without a body cannot say why, and some services say of a request that is too old
            // what they say of one whose credentials are.
            fault.reason = Reason::Skewed;
        }
        if let Some(after) = retry_after(headers, now) {
            fault.error = fault.error.with_retry_after(after);
        }
        fault
    }
}

fn is_denied(fault: &Fault) -> bool {
    let kinds = [ErrorKind::PermissionDenied, ErrorKind::Unauthenticated];
    matches!(fault.reason, Reason::Final | Reason::Expired) && kinds.contains(&fault.error.kind())
}

fn apart(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|behind| behind.duration())
}

fn answer<'a>(
    call: &Call<'_>,
    status: StatusCode,
    headers: &'a HeaderMap,
    body: &'a [u8],
) -> Answer<'a> {
    Answer { operation: call.operation, status, headers, body }
}

fn before_sending(error: Error) -> Fault {
    let reason = if error.retry() == Retry::Later { Reason::Passing } else { Reason::Final };
    Fault { error: error.with_outcome(Outcome::NotApplied), reason, date: None }
}

/// What was sent of the body is no whole one, so that nothing came of it.
fn source_failed(error: Error) -> Fault {
    error.with_outcome(Outcome::NotApplied).with_retry(Retry::Never).into()
}

/// What came in chunks of a few bytes.
#[derive(Default)]
struct Pace {
    since: Option<Duration>,
    bytes: u64,
}

/// Chunks that become one piece; a single one is not copied.
#[derive(Default)]
struct Collected {
    first: Bytes,
    more: BytesMut,
}

impl Collected {
    /// Whether the chunk is within the limit. What is beyond it is dropped.
    fn push(&mut self, mut chunk: Bytes, limit: usize) -> bool {
        let room = limit.saturating_sub(self.first.len().max(self.more.len()));
        let fits = chunk.len() <= room;
        chunk.truncate(room);
        if self.first.is_empty() && self.more.is_empty() {
            self.first = chunk;
        } else {
            if self.more.is_empty() {
                self.more.extend_from_slice(&std::mem::take(&mut self.first));
            }
            self.more.extend_from_slice(&chunk);
        }
        fits
    }

    fn finish(self) -> Bytes {
        if self.more.is_empty() { self.first } else { self.more.freeze() }
    }
}
