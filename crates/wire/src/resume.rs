//! Bodies that go on where they were interrupted.

use std::fmt;
use std::ops;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::ETAG;
use http::{HeaderValue, StatusCode};
use polycloud_core::object::{Body, BodySource};
use polycloud_core::{Error, ErrorKind, Outcome, Result, ResultExt, Retry};

use crate::client::{RequestBody, ResponseBody};
use crate::range::{ContentRange, content_length};
use crate::service::Service;
use crate::wire::{Call, Class, Wire};

/// As much as is read and dropped when a server answers a range with the whole.
pub const SKIP_LIMIT: u64 = 1024 * 1024;

/// More than this is not reserved on the word of a server.
const RESERVE_LIMIT: u64 = 64 * 1024 * 1024;

type Reopen = Box<dyn Fn(&ops::Range<u64>) -> Result<http::Request<RequestBody>> + Send + Sync>;

/// What it takes to go on with a download.
pub struct Download {
    /// What is called, for errors and metrics.
    pub operation: &'static str,
    /// The object, for errors.
    pub target: String,
    /// The object's validator: an answer with another one is another object.
    pub etag: Option<HeaderValue>,
    /// Makes a request for a part of the very same object: under the condition that it is still the one
    /// whose reading was begun. `None` if the provider gave nothing to recognise it by.
    pub reopen: Option<Reopen>,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, target, etag: _, reopen } = self;
        f.debug_struct("Download")
            .field("operation", operation)
            .field("target", target)
            .field("resumable", &reopen.is_some())
            .finish()
    }
}

impl<S: Service> Wire<S> {
    /// The content of an answer whose head is good: exactly the bytes of `range`, of which the answer
    /// carries `skip` more at its beginning. Whatever interrupts it, the caller sees the whole content of
    /// one version, or an error. `download` is only called if the content is not there at once.
    ///
    /// # Errors
    /// `InvalidResponse` if the answer announces another length.
    pub fn body(
        &self,
        mut response: http::Response<ResponseBody>,
        range: ops::Range<u64>,
        skip: u64,
        download: impl FnOnce() -> Download,
    ) -> Result<Body> {
        let length = range.end.saturating_sub(range.start);
        fits(&response, skip, length)?;
        let mut first = None;
        if skip == 0 {
            // A small object has often arrived together with its head.
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            if let Poll::Ready(Ok(Some(chunk))) = response.body_mut().poll_chunk(&mut context) {
                if chunk.len() as u64 == length && response.body().is_end() {
                    return Ok(Body::from(chunk));
                }
                first = Some(chunk);
            }
        }
        if length == 0 && first.is_none() && response.body().is_end() {
            return Ok(Body::from(Bytes::new()));
        }
        Ok(Body::from_source(Resuming {
            wire: self.clone(),
            download: download(),
            left: range,
            skip,
            first,
            body: Some(response.into_body()),
            failed: 0,
            since: self.clock().monotonic(),
            lost: None,
        }))
    }
}

/// Checks the announced length, where there is one.
fn fits(response: &http::Response<ResponseBody>, skip: u64, length: u64) -> Result<()> {
    match content_length(response.headers())? {
        Some(announced) if Some(announced) != skip.checked_add(length) => {
            Err(invalid(format!("{announced} bytes announced where {length} are due")))
        }
        _ => Ok(()),
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidResponse).with_message(message).with_outcome(Outcome::NotApplied)
}

struct Resuming<S> {
    wire: Wire<S>,
    download: Download,
    /// What is still due, as offsets in the object.
    left: ops::Range<u64>,
    /// Bytes to drop before them.
    skip: u64,
    /// A chunk that was read ahead.
    first: Option<Bytes>,
    /// `None` while there is no connection.
    body: Option<ResponseBody>,
    /// Interruptions since something arrived.
    failed: u32,
    /// When something arrived last.
    since: Duration,
    /// An interruption that has not been dealt with, because the wait was cancelled.
    lost: Option<Error>,
}

impl<S: Service> Resuming<S> {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let Some(body) = &mut self.body else {
                self.resume().await?;
                continue;
            };
            let next = match self.first.take() {
                Some(first) => Ok(Some(first)),
                None => self.wire.inner().next_chunk(body).await,
            };
            match next {
                Ok(Some(chunk)) => {
                    if let Some(chunk) = self.take(chunk)? {
                        return Ok(Some(chunk));
                    }
                }
                Ok(None) if self.left.is_empty() && self.skip == 0 => return Ok(None),
                Ok(None) => self.interrupted(
                    Error::new(ErrorKind::Unavailable).with_message("the content ended early"),
                ),
                Err(error) => self.interrupted(error.into()),
            }
        }
    }

    /// Counts a chunk as arrived, without what is to be skipped.
    fn take(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>> {
        let skipped = self.skip.min(chunk.len() as u64);
        self.skip -= skipped;
        let _skipped = chunk.split_to(usize::try_from(skipped).unwrap_or(chunk.len()));
        if chunk.is_empty() {
            return Ok(None);
        }
        let Some(next) = self.left.start.checked_add(chunk.len() as u64) else {
            return Err(invalid("the content has no end".into()));
        };
        if next > self.left.end {
            return Err(invalid("the content is longer than announced".into()));
        }
        self.left.start = next;
        (self.failed, self.since) = (0, self.wire.clock().monotonic());
        Ok(Some(chunk))
    }

    fn interrupted(&mut self, error: Error) {
        (self.body, self.skip) = (None, 0);
        // With what is there already, nothing is missing but the end.
        if !self.left.is_empty() {
            self.failed += 1;
        }
        self.lost = Some(error.with_outcome(Outcome::NotApplied));
    }

    /// Opens the rest, after a while.
    async fn resume(&mut self) -> Result<()> {
        if self.left.is_empty() {
            // All bytes came, and then the connection broke instead of ending.
            self.body = Some(ResponseBody::new(Bytes::new()));
            return Ok(());
        }
        let Some(reopen) = &self.download.reopen else {
            let error = self.lost.take().unwrap_or_else(|| Error::new(ErrorKind::Unavailable));
            return Err(error.with_retry(Retry::Never));
        };
        let inner = self.wire.inner();
        if let Some(error) = self.lost.take() {
            let elapsed = inner.clock.monotonic().saturating_sub(self.since);
            let error = error.with_retry(Retry::Later);
            match inner.retry.next_delay(&error, self.failed, elapsed, &*inner.random) {
                Some(delay) => inner.clock.sleep(delay).await,
                None => return Err(error.with_retry(Retry::Exhausted)),
            }
        }
        let left = self.left.clone();
        let make = || reopen(&left);
        let call = Call { operation: self.download.operation, class: Class::Read, make: &make };
        let response = self.wire.open(call).await.map_err(|failure| changed(failure.into()))?;
        let found = response.headers().get(ETAG);
        if self.download.etag.as_ref().zip(found).is_some_and(|(etag, found)| etag != found) {
            return Err(ErrorKind::ObjectChanged.into());
        }
        self.skip = rest_of(&response, &left)?;
        self.body = Some(response.into_body());
        Ok(())
    }
}

/// What it means that the rest of an object cannot be had.
fn changed(error: Error) -> Error {
    let gone = [ErrorKind::PreconditionFailed, ErrorKind::NotFound, ErrorKind::VersionNotFound];
    if gone.contains(&error.kind()) || error.kind() == ErrorKind::RangeNotSatisfiable {
        return Error::new(ErrorKind::ObjectChanged).with_source(error);
    }
    error
}

/// How much precedes the rest in an answer, which has to be the rest or the whole.
fn rest_of(response: &http::Response<ResponseBody>, left: &ops::Range<u64>) -> Result<u64> {
    let length = left.end.saturating_sub(left.start);
    if response.status() == StatusCode::PARTIAL_CONTENT {
        let range = ContentRange::of(response.headers())?.and_then(|content| content.range);
        if range.as_ref() != Some(left) {
            return Err(invalid(format!("{range:?} was sent where {left:?} is due")));
        }
        fits(response, 0, length)?;
        return Ok(0);
    }
    if left.start > SKIP_LIMIT {
        return Err(invalid("the server does not send parts of the content".into()));
    }
    fits(response, left.start, length)?;
    Ok(left.start)
}

#[async_trait]
impl<S: Service> BodySource for Resuming<S> {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        // A read, whatever the error says of itself.
        let result = self.chunk().await.map_err(|error| error.with_outcome(Outcome::NotApplied));
        let Download { operation, target, .. } = &self.download;
        result.during(self.wire.service().provider(), operation, target)
    }

    async fn read_rest(&mut self) -> Result<Bytes> {
        let Some(first) = self.next_chunk().await? else { return Ok(Bytes::new()) };
        let left = self.left.end.saturating_sub(self.left.start);
        let Some(mut chunk) = self.next_chunk().await? else { return Ok(first) };
        let reserve = usize::try_from(left.min(RESERVE_LIMIT)).unwrap_or(0) + first.len();
        let mut all = BytesMut::with_capacity(reserve);
        all.extend_from_slice(&first);
        loop {
            all.extend_from_slice(&chunk);
            match self.next_chunk().await? {
                Some(next) => chunk = next,
                None => return Ok(all.freeze()),
            }
        }
    }
}
