use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::error::{Error, ErrorKind, Result};

/// The content of a put or a part: bytes in memory, or a source that can be opened again.
///
/// Cloning is cheap and copies no content, so that a retry can send it once more from the start.
///
/// ```
/// use polycloud_core::object::Payload;
///
/// let rope = Payload::from_chunks([bytes::Bytes::from("one "), bytes::Bytes::from("two")]);
/// assert_eq!(rope.len(), 7);
/// assert_eq!(Payload::from("text").len(), 4);
/// ```
#[derive(Clone)]
pub struct Payload(Repr);

#[derive(Clone)]
enum Repr {
    One([Bytes; 1]),
    Rope(Arc<[Bytes]>, u64),
    Source(Arc<dyn PayloadSource>),
}

/// Content that is not in memory and can be read any number of times, such as a range of a file.
pub trait PayloadSource: fmt::Debug + Send + Sync + 'static {
    /// Size in bytes. A stream that yields more or less fails the write.
    fn len(&self) -> u64;

    /// Whether there is no content.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Opens the content from the start. Every call yields the same bytes.
    fn open(&self) -> BoxStream<'static, Result<Bytes>>;
}

impl Payload {
    /// No content.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Repr::One([Bytes::new()]))
    }

    /// Chunks that follow each other, without copying them.
    pub fn from_chunks(chunks: impl IntoIterator<Item = Bytes>) -> Self {
        let chunks: Arc<[Bytes]> = chunks.into_iter().collect();
        let len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Self(Repr::Rope(chunks, len))
    }

    /// Content that is read when it is needed.
    pub fn from_source(source: impl PayloadSource) -> Self {
        Self(Repr::Source(Arc::new(source)))
    }

    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Repr::One([bytes]) => bytes.len() as u64,
            Repr::Rope(_, len) => *len,
            Repr::Source(source) => source.len(),
        }
    }

    /// Whether there is no content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The chunks, if the content is in memory.
    #[must_use]
    pub fn chunks(&self) -> Option<&[Bytes]> {
        match &self.0 {
            Repr::One(one) => Some(one),
            Repr::Rope(chunks, _) => Some(chunks),
            Repr::Source(_) => None,
        }
    }

    /// The content as a stream, checked to have the promised length.
    ///
    /// # Errors
    /// The stream fails with [`SourceFailed`](ErrorKind::SourceFailed) if a source yields more or less
    /// than its [`len`](PayloadSource::len), and with the source's own errors.
    #[must_use]
    pub fn stream(&self) -> BoxStream<'static, Result<Bytes>> {
        match &self.0 {
            Repr::One([bytes]) => stream::iter([Ok(bytes.clone())]).boxed(),
            Repr::Rope(chunks, _) => {
                let chunks = Arc::clone(chunks);
                let count = chunks.len();
                stream::iter((0..count).filter_map(move |i| chunks.get(i).cloned().map(Ok))).boxed()
            }
            Repr::Source(source) => exactly(source.len(), source.open()),
        }
    }

    /// The content in one piece: shared if it is one chunk, copied if not. Reads a source to its end,
    /// so use it only for content that is known to be small.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn bytes(&self) -> Result<Bytes> {
        match self.chunks() {
            Some([bytes]) => Ok(bytes.clone()),
            Some(chunks) => Ok(join(chunks)),
            None => Ok(join(&self.stream().try_collect::<Vec<_>>().await?)),
        }
    }
}

/// Puts chunks into one piece. A single chunk is not copied.
pub(crate) fn join(chunks: &[Bytes]) -> Bytes {
    if let [bytes] = chunks {
        return bytes.clone();
    }
    let mut all = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    chunks.iter().for_each(|chunk| all.extend_from_slice(chunk));
    all.freeze()
}

fn exactly(
    promised: u64,
    chunks: BoxStream<'static, Result<Bytes>>,
) -> BoxStream<'static, Result<Bytes>> {
    let failed = move |message: &'static str| {
        Err(Error::new(ErrorKind::SourceFailed).with_message(format!(
            "the source yields {message} than the promised {promised} bytes"
        )))
    };
    stream::unfold(Some((chunks, promised)), move |state| async move {
        let (mut chunks, left) = state?;
        match chunks.next().await {
            Some(Ok(chunk)) => match left.checked_sub(chunk.len() as u64) {
                Some(left) => Some((Ok(chunk), Some((chunks, left)))),
                None => Some((failed("more"), None)),
            },
            Some(Err(error)) => Some((Err(error), None)),
            None if left > 0 => Some((failed("less"), None)),
            None => None,
        }
    })
    // Who sends it may look behind the end.
    .fuse()
    .boxed()
}

impl Default for Payload {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(Repr::One([bytes]))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Payload {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Payload {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Lies(u64);

    impl PayloadSource for Lies {
        fn len(&self) -> u64 {
            self.0
        }

        fn open(&self) -> BoxStream<'static, Result<Bytes>> {
            stream::iter([Ok(Bytes::from("abc")), Ok(Bytes::from("de"))]).boxed()
        }
    }

    #[tokio::test]
    async fn a_source_must_keep_its_word() {
        assert_eq!(Payload::from_source(Lies(5)).bytes().await.unwrap(), "abcde");
        for promised in [0, 3, 4, 6, 100] {
            let error = Payload::from_source(Lies(promised)).bytes().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SourceFailed, "{promised}");
        }
    }

    #[tokio::test]
    async fn behind_the_end_is_nothing() {
        for payload in [Payload::from("abc"), Payload::from_source(Lies(5))] {
            let mut chunks = payload.stream();
            while chunks.next().await.is_some() {}
            assert!(chunks.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn one_chunk_is_shared_and_many_are_joined() {
        let bytes = Bytes::from(vec![1, 2, 3]);
        let same = Payload::from(bytes.clone()).bytes().await.unwrap();
        assert_eq!(same.as_ptr(), bytes.as_ptr());
        let rope = Payload::from_chunks([bytes.clone(), bytes]);
        assert_eq!(rope.bytes().await.unwrap(), &[1, 2, 3, 1, 2, 3][..]);
        assert_eq!(rope.stream().count().await, 2);
    }
}
