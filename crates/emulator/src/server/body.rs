//! Bodies of requests.

use bytes::Buf as _;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};

/// What is set aside for a body at once, whatever length is announced.
const MAX_AHEAD: u64 = 64 << 20;

/// What is read of a body that nobody wants, so that the client sees the answer.
const MAX_DRAINED: u64 = 16 << 20;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The connection ended, or its framing was wrong.
    Broken,
    TooLarge,
    /// As much was read as was to be read.
    Stopped,
}

/// Reads a body to its end, or to the byte at which to stop.
pub(crate) async fn read(
    mut body: Incoming,
    limit: u64,
    stop_after: Option<u64>,
) -> Result<Vec<u8>, ReadError> {
    let announced = body.size_hint().exact().unwrap_or(0);
    if announced > limit {
        return Err(ReadError::TooLarge);
    }
    let ahead = usize::try_from(announced.min(MAX_AHEAD)).unwrap_or(0);
    let mut whole = Vec::with_capacity(ahead);
    while stop_after.is_none_or(|stop| (whole.len() as u64) < stop) {
        let Some(frame) = body.frame().await else {
            return if stop_after.is_some() { Err(ReadError::Stopped) } else { Ok(whole) };
        };
        let frame = frame.map_err(|_| ReadError::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        if (whole.len() + data.len()) as u64 > limit {
            return Err(ReadError::TooLarge);
        }
        whole.extend_from_slice(data.chunk());
    }
    Err(ReadError::Stopped)
}

/// Reads what is not wanted, up to a limit. A client that asks before it sends is not told to.
pub(crate) async fn drain(mut body: Incoming, headers: &HeaderMap) {
    if headers.contains_key(http::header::EXPECT) {
        return;
    }
    let mut drained = 0;
    while drained < MAX_DRAINED {
        match body.frame().await {
            Some(Ok(frame)) => drained += frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => return,
        }
    }
}
