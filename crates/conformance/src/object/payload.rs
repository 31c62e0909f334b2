//! Payloads: ropes, and sources that are read when they are needed.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use polycloud_core::object::{Payload, PayloadSource, PutOptions};
use polycloud_core::{Error, ErrorKind, Result};

use super::kit::{Store, content, holds, is_absent, key, lists, multipart, part, part_size, put};
use crate::case::{CaseResult, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

/// A source that promises so many bytes, yields these chunks, and then fails if it is told to.
#[derive(Debug)]
struct Source {
    promised: usize,
    chunks: Vec<Bytes>,
    fails: bool,
}

impl PayloadSource for Source {
    fn len(&self) -> u64 {
        self.promised as u64
    }

    fn open(&self) -> BoxStream<'static, Result<Bytes>> {
        let failure = self
            .fails
            .then(|| Err(Error::new(ErrorKind::SourceFailed).with_message("the source broke off")));
        stream::iter(self.chunks.clone().into_iter().map(Ok).chain(failure)).boxed()
    }
}

fn source(promised: usize, chunks: Vec<Bytes>) -> Payload {
    Payload::from_source(Source { promised, chunks, fails: false })
}

/// Sources that cannot be written: too short, too long, empty against their word, broken off.
fn liars() -> [Payload; 6] {
    let chunks = vec![content(1_000), content(500)];
    [
        source(1_501, chunks.clone()),
        source(1_499, chunks.clone()),
        source(1_000, chunks.clone()),
        source(10, Vec::new()),
        source(0, vec![Bytes::from("x")]),
        Payload::from_source(Source { promised: 2_000, chunks, fails: true }),
    ]
}

async fn refused(store: &Store, name: &str, payload: Payload) -> CaseResult {
    let result = store.put(&key(name)?, payload, &PutOptions::default()).await;
    let error = expect_kind(result, ErrorKind::SourceFailed)?;
    ensure_eq!(error.outcome(), polycloud_core::Outcome::NotApplied);
    Ok(())
}

cases! {
    Store, "payload";

    /// The chunks of a rope follow each other.
    async fn rope(context: Context) -> CaseResult {
        let store = context.store().await?;
        let chunks: Vec<_> = (0..300).map(content).collect();
        let whole = chunks.concat();
        let result = put(&*store, "k", Payload::from_chunks(chunks)).await?;
        ensure_eq!(result.size, whole.len() as u64);
        holds(&*store, "k", whole).await
    }

    /// Empty chunks of a rope add nothing, and a rope of them is an empty object.
    async fn rope_of_nothing(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "a", Payload::from_chunks(["", "a", "", "b", ""].map(Bytes::from))).await?;
        holds(&*store, "a", "ab").await?;
        put(&*store, "b", Payload::from_chunks(["", ""].map(Bytes::from))).await?;
        holds(&*store, "b", "").await?;
        put(&*store, "c", Payload::from_chunks([])).await?;
        holds(&*store, "c", "").await
    }

    /// The caller's buffer can be used on after a put.
    async fn buffer_is_shared_safely(context: Context) -> CaseResult {
        let store = context.store().await?;
        let bytes = Bytes::from(vec![7; 10_000]);
        let (left, right) = (bytes.slice(..4_000), bytes.slice(4_000..));
        put(&*store, "whole", bytes.clone()).await?;
        put(&*store, "swapped", Payload::from_chunks([right, left])).await?;
        let back = super::kit::read(&*store, "whole").await?;
        drop(bytes);
        super::kit::delete(&*store, "whole").await?;
        ensure!(back.iter().all(|byte| *byte == 7), "what was read has changed");
        Ok(())
    }

    /// A source is written like bytes in memory.
    async fn from_source(context: Context) -> CaseResult {
        let store = context.store().await?;
        let chunks: Vec<_> = (0..200).map(content).collect();
        let whole = chunks.concat();
        put(&*store, "k", source(whole.len(), chunks)).await?;
        holds(&*store, "k", whole).await
    }

    /// A large source is written.
    async fn large_source(context: Context) -> CaseResult {
        let store = context.store().await?;
        let chunks: Vec<_> = (0..70).map(|number| content(100_000 + number)).collect();
        let whole = chunks.concat();
        put(&*store, "k", source(whole.len(), chunks)).await?;
        holds(&*store, "k", whole).await
    }

    /// An empty source is an empty object.
    async fn empty_source(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "none", source(0, Vec::new())).await?;
        put(&*store, "empty", source(0, vec![Bytes::new()])).await?;
        holds(&*store, "none", "").await?;
        holds(&*store, "empty", "").await
    }

    /// A source that can be cloned is written twice.
    async fn source_twice(context: Context) -> CaseResult {
        let store = context.store().await?;
        let payload = source(3_000, vec![content(3_000)]);
        put(&*store, "a", payload.clone()).await?;
        put(&*store, "b", payload).await?;
        holds(&*store, "a", content(3_000)).await?;
        holds(&*store, "b", content(3_000)).await
    }

    /// A source that breaks its word or breaks off fails the put, and nothing becomes visible.
    async fn lying_source(context: Context) -> CaseResult {
        let store = context.store().await?;
        for payload in liars() {
            refused(&*store, "k", payload).await?;
            is_absent(&*store, "k").await?;
        }
        lists(&*store, &[]).await
    }

    /// A source that breaks its word or breaks off leaves the old object as it was.
    async fn lying_source_keeps_old(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "old").await?;
        for payload in liars() {
            refused(&*store, "k", payload).await?;
            holds(&*store, "k", "old").await?;
        }
        Ok(())
    }

    /// A part whose source breaks its word is not there, and the upload goes on without it.
    #[needs(Multipart)]
    async fn lying_part(context: Context) -> CaseResult {
        let store = context.store().await?;
        let parts = multipart(&*store)?;
        let upload = parts.create(&key("k")?, &PutOptions::default()).await?;
        let good = part(&*store, "k", &upload, 1, content(part_size(&*store))).await?;
        let number = polycloud_core::object::PartNumber::new(2)?;
        for payload in liars() {
            let result = parts.put_part(&key("k")?, &upload, number, payload).await;
            expect_kind(result, ErrorKind::SourceFailed)?;
        }
        ensure_eq!(parts.parts(&key("k")?, &upload).await?, std::slice::from_ref(&good));
        parts.complete(&key("k")?, &upload, &[good], &Default::default()).await?;
        holds(&*store, "k", content(part_size(&*store))).await
    }
}
