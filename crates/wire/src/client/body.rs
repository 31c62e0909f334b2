use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use polycloud_core::Error;
use polycloud_core::object::Payload;

use super::error::{SendError, SendErrorKind};
use super::pool::PooledBody;

/// Chunks are handed over in pieces of this size, so that progress shows.
const PIECE: usize = 512 * 1024;

/// What becomes of a request body while the connection takes it.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Taken>);

#[derive(Debug, Default)]
struct Taken {
    pieces: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl Progress {
    /// How many pieces were taken.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.pieces.load(Ordering::Relaxed)
    }

    /// The error by which the source of the body failed, if that is what happened. It is given out once.
    #[must_use]
    pub fn take_failure(&self) -> Option<Error> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn step(&self) {
        self.0.pieces.fetch_add(1, Ordering::Relaxed);
    }

    fn fail(&self, error: Error) {
        *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// Stands for the error that [`Progress::take_failure`] returns.
#[derive(Debug, thiserror::Error)]
#[error("the source of the body failed")]
pub struct BodyFailed;

/// The body of one attempt to send a request.
pub struct RequestBody {
    left: Left,
    size: u64,
    progress: Option<Progress>,
}

enum Left {
    /// Pieces of one chunk.
    Chunk(Bytes),
    /// Chunks of a payload from this index on, in pieces.
    Chunks { payload: Payload, next: usize, piece: Bytes },
    /// A source, of which one chunk is held back: a connection that has got as many bytes as were
    /// announced asks for no more, and would not notice that the source has more, or fails.
    Stream { stream: BoxStream<'static, Result<Bytes, Error>>, held: Option<Bytes> },
}

impl RequestBody {
    /// No content.
    #[must_use]
    pub const fn empty() -> Self {
        Self { left: Left::Chunk(Bytes::new()), size: 0, progress: None }
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What counts the pieces; there is none for content that goes out in one.
    #[must_use]
    pub fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    /// The content, if it is in memory in one piece.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.left {
            Left::Chunk(bytes) => Some(bytes),
            Left::Chunks { .. } | Left::Stream { .. } => None,
        }
    }

    fn piece(&mut self) -> Option<Bytes> {
        match &mut self.left {
            Left::Chunk(chunk) => split(chunk),
            Left::Chunks { payload, next, piece } => loop {
                if let Some(piece) = split(piece) {
                    return Some(piece);
                }
                *piece = payload.chunks()?.get(*next)?.clone();
                *next += 1;
            },
            Left::Stream { .. } => None,
        }
    }
}

/// The chunk before the one that comes next, if one does.
fn poll_held(
    stream: &mut BoxStream<'static, Result<Bytes, Error>>,
    held: &mut Option<Bytes>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, Error>>> {
    loop {
        match ready!(stream.poll_next_unpin(context)) {
            Some(Ok(chunk)) => {
                if let Some(before) = held.replace(chunk) {
                    return Poll::Ready(Some(Ok(before)));
                }
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(held.take().map(Ok)),
        }
    }
}

fn split(chunk: &mut Bytes) -> Option<Bytes> {
    let size = chunk.len().min(PIECE);
    (size > 0).then(|| chunk.split_to(size))
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        let size = bytes.len() as u64;
        let progress = (bytes.len() > PIECE).then(Progress::default);
        Self { left: Left::Chunk(bytes), size, progress }
    }
}

impl From<&Payload> for RequestBody {
    fn from(payload: &Payload) -> Self {
        let size = payload.len();
        let left = match payload.chunks() {
            Some([bytes]) => return bytes.clone().into(),
            Some(_) => Left::Chunks { payload: payload.clone(), next: 0, piece: Bytes::new() },
            None => Left::Stream { stream: payload.stream(), held: None },
        };
        Self { left, size, progress: Some(Progress::default()) }
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFailed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailed>>> {
        let next = match &mut self.left {
            Left::Stream { stream, held } => ready!(poll_held(stream, held, context)),
            _ => self.piece().map(Ok),
        };
        let Some(progress) = &self.progress else {
            return Poll::Ready(next.map(|piece| piece.map(Frame::data).map_err(|_| BodyFailed)));
        };
        progress.step();
        Poll::Ready(next.map(|piece| match piece {
            Ok(piece) => Ok(Frame::data(piece)),
            Err(error) => {
                progress.fail(error);
                Err(BodyFailed)
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        match &self.left {
            Left::Chunk(chunk) => chunk.is_empty(),
            Left::Chunks { .. } | Left::Stream { .. } => self.size == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.left {
            Left::Chunk(chunk) => SizeHint::with_exact(chunk.len() as u64),
            // Read once, for the head, before any piece is taken.
            Left::Chunks { .. } | Left::Stream { .. } => SizeHint::with_exact(self.size),
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer, as it arrives.
pub struct ResponseBody(Repr);

enum Repr {
    Whole(Option<Bytes>),
    Hyper(hyper::body::Incoming),
    Pooled(Box<PooledBody>),
    Other(UnsyncBoxBody<Bytes, BoxError>),
}

impl ResponseBody {
    /// Content that is in memory already.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self(Repr::Whole((!bytes.is_empty()).then_some(bytes)))
    }

    pub(super) fn pooled(body: Box<PooledBody>) -> Self {
        Self(Repr::Pooled(body))
    }

    /// The body of another library.
    pub fn wrap<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Repr::Other(body.map_err(Into::into).boxed_unsync()))
    }

    /// The next chunk, never empty, or `None` at the end. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// The body ended early or is malformed.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, SendError> {
        std::future::poll_fn(|context| self.poll_chunk(context)).await
    }

    /// As [`next_chunk`](Self::next_chunk), to be polled.
    ///
    /// # Errors
    /// As [`next_chunk`](Self::next_chunk).
    pub fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, SendError>> {
        loop {
            let frame = match &mut self.0 {
                Repr::Whole(bytes) => return Poll::Ready(Ok(bytes.take())),
                Repr::Hyper(body) => ready!(Pin::new(body).poll_frame(context))
                    .transpose()
                    .map_err(super::pool::classify)?,
                Repr::Pooled(body) => {
                    ready!(body.poll_frame(context)).transpose().map_err(super::pool::classify)?
                }
                Repr::Other(body) => ready!(Pin::new(body).poll_frame(context))
                    .transpose()
                    .map_err(|source| SendError::new(SendErrorKind::Closed).with_source(source))?,
            };
            match frame.map(Frame::into_data) {
                Some(Ok(chunk)) if !chunk.is_empty() => return Poll::Ready(Ok(Some(chunk))),
                Some(_) => {}
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Whether it is known, without waiting, that nothing follows.
    #[must_use]
    pub fn is_end(&self) -> bool {
        match &self.0 {
            Repr::Whole(bytes) => bytes.is_none(),
            Repr::Hyper(body) => body.is_end_stream(),
            Repr::Pooled(body) => body.is_end(),
            Repr::Other(body) => body.is_end_stream(),
        }
    }
}

impl From<hyper::body::Incoming> for ResponseBody {
    fn from(body: hyper::body::Incoming) -> Self {
        Self(Repr::Hyper(body))
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseBody")
    }
}
