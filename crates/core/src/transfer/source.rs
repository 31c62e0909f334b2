use std::fs::{self, File, Metadata};
use std::io;
use std::ops;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use super::blocking;
use crate::error::{Error, ErrorKind, Result};
use crate::object::PayloadSource;

/// Bytes that are read from a file at a time.
const CHUNK: u64 = 1 << 20;

/// A file, or a range of one, as the content of a put or a part.
///
/// It is read when it is sent, and again from the start when the request is tried again, in pieces
/// of 1 MiB on Tokio's blocking threads. The file is opened once: replacing it by renaming another
/// one over it does no harm. A file that is written to while it is read fails the request with
/// [`SourceFailed`](ErrorKind::SourceFailed), as far as its length or time of modification shows it.
///
/// ```no_run
/// # async fn example() -> polycloud_core::Result<()> {
/// use polycloud_core::object::Payload;
/// use polycloud_core::transfer::FileSource;
///
/// let payload = Payload::from_source(FileSource::open("photo.jpg").await?);
/// # let _ = payload;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FileSource {
    open: Arc<Opened>,
    range: ops::Range<u64>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    path: PathBuf,
    stamp: Stamp,
}

/// What tells that a file was written to.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { len: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl FileSource {
    /// Opens a whole file.
    ///
    /// # Errors
    /// [`SourceFailed`](ErrorKind::SourceFailed) if it cannot be opened or is not a regular file.
    pub async fn open(path: impl AsRef<Path> + Send) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        blocking::run(move || {
            // Opening a pipe would wait for its other end, so look first.
            let regular = fs::metadata(&path).and_then(|metadata| match metadata.is_file() {
                true => File::open(&path),
                false => Err(io::Error::other("not a regular file")),
            });
            let opened = regular.and_then(|file| Ok((Stamp::of(&file.metadata()?), file)));
            let (stamp, file) = opened.map_err(|error| failed(&path, error))?;
            let range = 0..stamp.len;
            Ok(Self { open: Arc::new(Opened { file, path, stamp }), range })
        })
        .await
    }

    /// A part of it. Costs nothing; both share the open file.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if the range is not within this one's length.
    pub fn slice(&self, range: ops::Range<u64>) -> Result<Self> {
        if range.start > range.end || range.end > self.len() {
            return Err(Error::invalid(format!("{range:?} is not within {} bytes", self.len())));
        }
        let start = self.range.start;
        Ok(Self { open: Arc::clone(&self.open), range: start + range.start..start + range.end })
    }
}

impl PayloadSource for FileSource {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn open(&self) -> BoxStream<'static, Result<Bytes>> {
        let (open, end) = (Arc::clone(&self.open), self.range.end);
        stream::unfold(Some(self.range.start), move |at| {
            let open = Arc::clone(&open);
            async move {
                let at = at?;
                let stop = end.min(at + CHUNK);
                let chunk = blocking::run(move || open.read(at..stop, end)).await;
                let next = (chunk.is_ok() && stop < end).then_some(stop);
                Some((chunk, next))
            }
        })
        .boxed()
    }
}

impl Opened {
    fn read(&self, range: ops::Range<u64>, end: u64) -> Result<Bytes> {
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut chunk = vec![0; len];
        let read = blocking::read_at(&self.file, range.start, &mut chunk);
        if read.map_err(|error| failed(&self.path, error))? < len {
            return Err(self.changed());
        }
        if range.end == end {
            let metadata = self.file.metadata().map_err(|error| failed(&self.path, error))?;
            if Stamp::of(&metadata) != self.stamp {
                return Err(self.changed());
            }
        }
        Ok(chunk.into())
    }

    fn changed(&self) -> Error {
        Error::new(ErrorKind::SourceFailed)
            .with_message(format!("{} changed while it was read", self.path.display()))
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::SourceFailed)
        .with_message(format!("cannot read {}", path.display()))
        .with_source(error)
}
