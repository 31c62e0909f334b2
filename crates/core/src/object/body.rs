use std::fmt;
use std::ops;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use super::meta::ObjectMeta;
use super::payload::join;
use crate::checksum::{Checksum, Hasher};
use crate::error::{Error, ErrorKind, Result};

/// What a get returns: the metadata at once, the content as it is read.
#[derive(Debug)]
#[non_exhaustive]
pub struct GetResult {
    /// The object that is being read.
    pub meta: ObjectMeta,
    /// The bytes of the object that the body yields.
    pub range: ops::Range<u64>,
    /// The content.
    pub body: Body,
    /// The stored checksum that the body is verified against, if there is one and the whole object is
    /// read: a body that ends without an error had it.
    pub verified_by: Option<Checksum>,
}

impl GetResult {
    /// Pairs an object with its content.
    #[must_use]
    pub fn new(meta: ObjectMeta, range: ops::Range<u64>, body: Body) -> Self {
        Self { meta, range, body, verified_by: None }
    }

    /// Verifies the body against a stored checksum while it is read.
    #[must_use]
    pub fn verified(mut self, checksum: Checksum) -> Self {
        self.verified_by = Some(checksum);
        self.body = self.body.verified(checksum);
        self
    }

    /// Reads everything into memory. See [`Body::bytes`].
    ///
    /// # Errors
    /// As [`Body::next_chunk`].
    pub async fn bytes(self) -> Result<Bytes> {
        self.body.bytes().await
    }

    /// Reads everything into a buffer of the caller. See [`Body::read_into`].
    ///
    /// # Errors
    /// As [`Body::read_into`].
    pub async fn read_into(self, buffer: &mut [u8]) -> Result<usize> {
        self.body.read_into(buffer).await
    }

    /// The content as a stream.
    #[must_use]
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        self.body.into_stream()
    }
}

/// Content that is being read. Dropping it ends the read and frees its connection or file.
pub struct Body(Repr);

enum Repr {
    Bytes(Option<Bytes>),
    Chunks(std::collections::VecDeque<Bytes>),
    Source(Box<dyn BodySource>),
}

/// Where a backend's content comes from.
#[async_trait]
pub trait BodySource: Send + 'static {
    /// The next chunk, never empty, or `None` at the end.
    async fn next_chunk(&mut self) -> Result<Option<Bytes>>;

    /// All that is left, in one piece.
    ///
    /// A source that knows a better way than joining chunks takes it.
    async fn read_rest(&mut self) -> Result<Bytes>;
}

impl Body {
    /// Content that is in memory already.
    #[must_use]
    pub fn from_chunks(chunks: impl IntoIterator<Item = Bytes>) -> Self {
        Self(Repr::Chunks(chunks.into_iter().filter(|chunk| !chunk.is_empty()).collect()))
    }

    /// Content of a backend.
    #[must_use]
    pub fn from_source(source: impl BodySource) -> Self {
        Self(Repr::Source(Box::new(source)))
    }

    /// Content of a stream.
    #[must_use]
    pub fn from_stream(chunks: BoxStream<'static, Result<Bytes>>) -> Self {
        Self::from_source(StreamSource(chunks))
    }

    /// Fails at the end unless the content has this checksum.
    #[must_use]
    pub fn verified(self, checksum: Checksum) -> Self {
        Self::from_source(Verified {
            body: self,
            hasher: Some(checksum.algorithm().hasher()),
            checksum,
        })
    }

    /// The next chunk, or `None` at the end. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// - [`ChecksumMismatch`](ErrorKind::ChecksumMismatch) in place of the end, if the content is not
    ///   what its stored checksum says.
    /// - [`ObjectChanged`](ErrorKind::ObjectChanged) if an interrupted read cannot be continued
    ///   because the object was replaced.
    /// - [`InvalidResponse`](ErrorKind::InvalidResponse) if the content is shorter or longer than
    ///   announced.
    /// - [`Unavailable`](ErrorKind::Unavailable), [`Timeout`](ErrorKind::Timeout) if the connection
    ///   fails for good.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        match &mut self.0 {
            Repr::Bytes(bytes) => Ok(bytes.take()),
            Repr::Chunks(chunks) => Ok(chunks.pop_front()),
            Repr::Source(source) => source.next_chunk().await,
        }
    }

    /// Reads everything into memory. Content that is in memory already in one piece is not copied.
    ///
    /// # Errors
    /// As [`next_chunk`](Self::next_chunk).
    pub async fn bytes(self) -> Result<Bytes> {
        match self.0 {
            Repr::Bytes(bytes) => Ok(bytes.unwrap_or_default()),
            Repr::Chunks(chunks) => Ok(join(&Vec::from(chunks))),
            Repr::Source(mut source) => source.read_rest().await,
        }
    }

    /// Reads everything into a buffer and returns how many bytes that were.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) if it does not fit, and as [`next_chunk`](Self::next_chunk).
    pub async fn read_into(mut self, mut buffer: &mut [u8]) -> Result<usize> {
        let room = buffer.len();
        while let Some(chunk) = self.next_chunk().await? {
            let Some((head, tail)) = buffer.split_at_mut_checked(chunk.len()) else {
                return Err(Error::new(ErrorKind::TooLarge)
                    .with_message(format!("the content does not fit into {room} bytes")));
            };
            head.copy_from_slice(&chunk);
            buffer = tail;
        }
        Ok(room - buffer.len())
    }

    /// The content as a stream, which ends after its first error.
    #[must_use]
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        match self.0 {
            Repr::Bytes(bytes) => stream::iter(bytes.map(Ok)).boxed(),
            Repr::Chunks(chunks) => stream::iter(chunks.into_iter().map(Ok)).boxed(),
            Repr::Source(_) => stream::unfold(Some(self), |body| async {
                let mut body = body?;
                match body.next_chunk().await {
                    Ok(Some(chunk)) => Some((Ok(chunk), Some(body))),
                    Ok(None) => None,
                    Err(error) => Some((Err(error), None)),
                }
            })
            .boxed(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Repr::Bytes((!bytes.is_empty()).then_some(bytes)))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

/// Reads a source chunk by chunk and joins: what a `read_rest` does that knows no better way.
async fn collect(source: &mut (dyn BodySource + '_)) -> Result<Bytes> {
    let mut chunks = Vec::new();
    while let Some(chunk) = source.next_chunk().await? {
        chunks.push(chunk);
    }
    Ok(join(&chunks))
}

struct StreamSource(BoxStream<'static, Result<Bytes>>);

#[async_trait]
impl BodySource for StreamSource {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.0.next().await.transpose()? {
                Some(chunk) if chunk.is_empty() => {}
                chunk => return Ok(chunk),
            }
        }
    }

    async fn read_rest(&mut self) -> Result<Bytes> {
        collect(self).await
    }
}

struct Verified {
    body: Body,
    /// `None` once the end was seen.
    hasher: Option<Hasher>,
    checksum: Checksum,
}

#[async_trait]
impl BodySource for Verified {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        let chunk = self.body.next_chunk().await?;
        match (&chunk, &mut self.hasher) {
            (Some(chunk), Some(hasher)) => hasher.update(chunk),
            (None, hasher) => {
                if let Some(hasher) = hasher.take() {
                    self.checksum.verify(&hasher.finish())?;
                }
            }
            (Some(_), None) => {}
        }
        Ok(chunk)
    }

    async fn read_rest(&mut self) -> Result<Bytes> {
        let body = std::mem::replace(&mut self.body, Body::from_chunks([]));
        let rest = body.bytes().await?;
        if let Some(mut hasher) = self.hasher.take() {
            hasher.update(&rest);
            self.checksum.verify(&hasher.finish())?;
        }
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::ChecksumAlgorithm;
    use futures::TryStreamExt;

    fn body() -> Body {
        Body::from_chunks(["ab", "", "cde"].map(Bytes::from))
    }

    #[tokio::test]
    async fn all_ways_to_read_agree() {
        let streamed = || Body::from_stream(body().into_stream());
        for make in [&body as &dyn Fn() -> Body, &streamed] {
            assert_eq!(make().bytes().await.unwrap(), "abcde");
            let chunks: Vec<Bytes> = make().into_stream().try_collect().await.unwrap();
            assert_eq!(chunks, ["ab", "cde"]);
            let mut buffer = [0; 6];
            assert_eq!(make().read_into(&mut buffer).await.unwrap(), 5);
            assert_eq!(&buffer, b"abcde\0");
            let error = make().read_into(&mut buffer[..4]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge);
        }
    }

    #[tokio::test]
    async fn a_wrong_checksum_fails_every_way_to_read() {
        for algorithm in ChecksumAlgorithm::ALL {
            let (good, bad) = (algorithm.of(b"abcde"), algorithm.of(b"abcdf"));
            assert_eq!(body().verified(good).bytes().await.unwrap(), "abcde");
            assert!(body().verified(good).into_stream().try_collect::<Vec<_>>().await.is_ok());
            let error = body().verified(bad).bytes().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
            assert!(body().verified(bad).into_stream().try_collect::<Vec<_>>().await.is_err());
            assert!(body().verified(bad).read_into(&mut [0; 9]).await.is_err());
        }
    }
}
