//! Content with its checksum behind it, in the framing `aws-chunked`.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use polycloud_core::Result;
use polycloud_core::checksum::{ChecksumAlgorithm, Hasher};
use polycloud_core::object::{Payload, PayloadSource};

use super::headers::checksum_text;

/// Bytes of a frame but the last. S3 asks for 8 KiB or more; some services allow no more than 16 MiB.
const FRAME: u64 = 1024 * 1024;

const LINE: &str = "\r\n";

/// A payload in frames, followed by a checksum that is computed on the way.
pub(super) struct Trailed {
    payload: Payload,
    algorithm: ChecksumAlgorithm,
    name: String,
}

impl Trailed {
    pub(super) fn new(payload: Payload, algorithm: ChecksumAlgorithm, name: String) -> Self {
        Self { payload, algorithm, name }
    }

    fn trailer(&self, hasher: Hasher) -> String {
        format!("0\r\n{}:{}\r\n\r\n", self.name, checksum_text(&hasher.finish()))
    }
}

impl fmt::Debug for Trailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trailed").field("trailer", &self.name).finish_non_exhaustive()
    }
}

fn head(size: u64) -> String {
    format!("{size:x}\r\n")
}

impl PayloadSource for Trailed {
    fn len(&self) -> u64 {
        let size = self.payload.len();
        let frame = |size: u64| head(size).len() as u64 + size + LINE.len() as u64;
        let rest = size % FRAME;
        // A checksum has the same length whatever it is of.
        let trailer = self.trailer(self.algorithm.hasher()).len() as u64;
        let last = if rest > 0 { frame(rest) } else { 0 };
        size / FRAME * frame(FRAME) + last + trailer
    }

    fn open(&self) -> BoxStream<'static, Result<Bytes>> {
        let frames = Frames {
            left: self.payload.len(),
            in_frame: 0,
            hasher: Some(self.algorithm.hasher()),
            ready: VecDeque::new(),
        };
        let state = (self.payload.stream(), frames, self.without_content());
        stream::unfold(Some(state), |state| async {
            let (mut chunks, mut frames, trailed) = state?;
            loop {
                if let Some(ready) = frames.ready.pop_front() {
                    return Some((Ok(ready), Some((chunks, frames, trailed))));
                }
                match chunks.next().await {
                    Some(Ok(chunk)) => frames.push(chunk),
                    Some(Err(error)) => return Some((Err(error), None)),
                    None => {
                        let hasher = frames.hasher.take()?;
                        frames.ready.push_back(trailed.trailer(hasher).into());
                    }
                }
            }
        })
        .boxed()
    }
}

impl Trailed {
    fn without_content(&self) -> Self {
        Self { payload: Payload::empty(), algorithm: self.algorithm, name: self.name.clone() }
    }
}

/// Cuts chunks into frames.
struct Frames {
    /// Content that has not been framed.
    left: u64,
    /// What the current frame still takes.
    in_frame: u64,
    /// `None` once the trailer was written.
    hasher: Option<Hasher>,
    ready: VecDeque<Bytes>,
}

impl Frames {
    fn push(&mut self, mut chunk: Bytes) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&chunk);
        }
        while !chunk.is_empty() {
            if self.in_frame == 0 {
                self.in_frame = self.left.min(FRAME);
                self.ready.push_back(head(self.in_frame).into());
            }
            let size = usize::try_from(self.in_frame).unwrap_or(usize::MAX).min(chunk.len());
            let piece = chunk.split_to(size);
            self.in_frame = self.in_frame.saturating_sub(size as u64);
            self.left = self.left.saturating_sub(size as u64);
            self.ready.push_back(piece);
            if self.in_frame == 0 {
                self.ready.push_back(Bytes::from_static(LINE.as_bytes()));
            }
            if size == 0 {
                // More than was promised: the payload's own stream fails for it.
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    async fn framed(size: usize, chunk: usize) -> Vec<u8> {
        let content: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let payload = Payload::from_chunks(content.chunks(chunk).map(Bytes::copy_from_slice));
        let trailed =
            Trailed::new(payload, ChecksumAlgorithm::Crc64Nvme, "x-amz-checksum-crc64nvme".into());
        let sent: Vec<Bytes> = trailed.open().try_collect().await.unwrap();
        assert_eq!(sent.concat().len() as u64, trailed.len(), "{size} bytes");
        sent.concat()
    }

    #[tokio::test]
    async fn the_length_is_known_beforehand() {
        let frame = usize::try_from(FRAME).unwrap();
        for size in [0, 1, 15, 16, frame - 1, frame, frame + 1, 2 * frame, 2 * frame + 17] {
            for chunk in [1 << 20, 65_521] {
                framed(size, chunk).await;
            }
        }
    }

    #[tokio::test]
    async fn frames_and_trailer() {
        let sent = String::from_utf8(framed(3, 2).await).unwrap();
        let crc = checksum_text(&ChecksumAlgorithm::Crc64Nvme.of(&[0, 1, 2]));
        assert_eq!(
            sent,
            format!("3\r\n\0\u{1}\u{2}\r\n0\r\nx-amz-checksum-crc64nvme:{crc}\r\n\r\n")
        );
    }
}
