//! The content of an open file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use polycloud_core::object::BodySource;
use polycloud_core::{Error, ErrorKind, Result};
use tokio::task::JoinHandle;

use super::local::joined;
use super::root::failed;

/// Bytes of a chunk. Large enough that handing it between threads costs little beside copying it.
const CHUNK: u64 = 1 << 20;

/// Reading everything at once goes in so many parts side by side, each at least so large.
const PARTS: u64 = 4;
const PART_MIN: u64 = 8 << 20;

/// Reads a file chunk by chunk, one chunk ahead of its consumer.
///
/// The file stays open, so that what replaces it or deletes it meanwhile does not matter.
pub(super) struct FileBody {
    file: Arc<File>,
    left: Range<u64>,
    ahead: Option<JoinHandle<Result<Bytes>>>,
}

impl FileBody {
    pub(super) fn new(file: File, range: Range<u64>) -> Self {
        Self { file: Arc::new(file), left: range, ahead: None }
    }

    /// Starts to read the next chunk, unless all are read.
    fn read_ahead(&mut self) {
        if self.left.is_empty() {
            return;
        }
        let end = self.left.end.min(self.left.start + CHUNK);
        let (file, range) = (Arc::clone(&self.file), self.left.start..end);
        self.left.start = end;
        self.ahead = Some(tokio::task::spawn_blocking(move || read_at(&file, range)));
    }
}

#[async_trait]
impl BodySource for FileBody {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        if self.ahead.is_none() {
            self.read_ahead();
        }
        let Some(ahead) = &mut self.ahead else { return Ok(None) };
        let chunk = joined(ahead.await);
        self.ahead = None;
        if chunk.is_ok() {
            self.read_ahead();
        } else {
            self.left.start = self.left.end;
        }
        chunk.map(Some)
    }

    async fn read_rest(&mut self) -> Result<Bytes> {
        let first = match self.ahead.take() {
            Some(ahead) => joined(ahead.await)?,
            None => Bytes::new(),
        };
        let left = std::mem::replace(&mut self.left, 0..0);
        let total = left.end - left.start + first.len() as u64;
        let total = usize::try_from(total).map_err(|_| Error::new(ErrorKind::TooLarge))?;
        let mut all = BytesMut::zeroed(total);
        let mut rest = all.split_off(first.len());
        all.copy_from_slice(&first);
        let part = (rest.len() as u64).div_ceil(PARTS).max(PART_MIN);
        let part = usize::try_from(part).unwrap_or(usize::MAX);

        let (mut at, mut parts) = (left.start, Vec::new());
        while !rest.is_empty() {
            let mut buffer = rest.split_to(part.min(rest.len()));
            let (file, start) = (Arc::clone(&self.file), at);
            at += buffer.len() as u64;
            parts.push(tokio::task::spawn_blocking(move || {
                file.read_exact_at(&mut buffer, start).map_err(cut_short)?;
                Ok(buffer)
            }));
        }
        for part in parts {
            // The parts are neighbours in one allocation, so that joining them copies nothing.
            all.unsplit(joined(part.await)?);
        }
        Ok(all.freeze())
    }
}

/// Reads a range of a file. Blocks.
pub(super) fn read_at(file: &File, range: Range<u64>) -> Result<Bytes> {
    let len =
        usize::try_from(range.end - range.start).map_err(|_| Error::new(ErrorKind::TooLarge))?;
    let mut buffer = BytesMut::zeroed(len);
    file.read_exact_at(&mut buffer, range.start).map_err(cut_short)?;
    Ok(buffer.freeze())
}

/// A file that ends early was cut by another tool: this library never changes the content of a file.
fn cut_short(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Error::new(ErrorKind::InvalidResponse)
            .with_message("the file became shorter while it was read");
    }
    failed(error)
}
