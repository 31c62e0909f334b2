use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A body that consists of the same piece several times.
pub(super) struct Pieces {
    piece: Bytes,
    left: u64,
}

impl Pieces {
    pub(super) fn new(piece: Bytes, count: u64) -> Self {
        Self { piece, left: count }
    }

    pub(super) fn empty() -> Self {
        Self::new(Bytes::new(), 0)
    }

    pub(super) fn size(&self) -> u64 {
        self.piece.len() as u64 * self.left
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size())
    }
}
