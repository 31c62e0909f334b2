use std::error::Error as StdError;
use std::path::Path;
use std::pin::pin;

use bytes::Bytes;
use futures::stream::{Stream, StreamExt};

use super::{FileSource, TransferOptions, pinned};
use crate::capability::Feature;
use crate::error::{Error, ErrorKind, Outcome, Result, ResultExt};
use crate::object::{
    ChecksumRequest, HeadOptions, Key, ObjectMeta, ObjectStore, Payload, PayloadSource, PutResult,
    Range, Upload, UploadOptions,
};

type BoxError = Box<dyn StdError + Send + Sync>;

pub(crate) async fn upload_file<S: ObjectStore + ?Sized>(
    store: &S,
    path: &Path,
    key: &Key,
    options: &TransferOptions,
) -> Result<PutResult> {
    let source = FileSource::open(path).await?;
    let len = source.len();
    let single = store.capabilities().limits.put_bytes.unwrap_or(u64::MAX).min(options.part_size);
    if len > single {
        return upload_stream(store, key, source.open(), Some(len), options).await;
    }
    options.report(0, Some(len));
    let put = store.put(key, Payload::from_source(source), &options.put).await?;
    options.report(len, Some(len));
    Ok(put)
}

pub(crate) async fn upload_stream<S: ObjectStore + ?Sized, E: Into<BoxError> + Send>(
    store: &S,
    key: &Key,
    chunks: impl Stream<Item = Result<Bytes, E>> + Send,
    total: Option<u64>,
    options: &TransferOptions,
) -> Result<PutResult> {
    let mut how = UploadOptions::from(options.put.clone())
        .with_part_size(options.part_size)
        .with_concurrency(options.concurrency);
    how.size_hint = total;
    let mut upload = store.upload(key, &how).await?;
    let provider = store.info().provider;
    let error = match pump(&mut *upload, chunks, total, options).await {
        Ok(sent) => {
            let put = upload.complete().await?;
            return checked(put, sent).during(provider, "upload", key);
        }
        Err(error) => error.with_outcome(Outcome::NotApplied),
    };
    let error = match upload.abort().await {
        Ok(()) => error,
        Err(abort) => error.with_leaked(abort.leaked().iter().cloned()),
    };
    Err(error).during(provider, "upload", key)
}

/// Moves the stream into the upload, piece by piece: the next one is asked for once there is room.
async fn pump<E: Into<BoxError> + Send>(
    upload: &mut dyn Upload,
    chunks: impl Stream<Item = Result<Bytes, E>> + Send,
    total: Option<u64>,
    options: &TransferOptions,
) -> Result<u64> {
    let mut chunks = pin!(chunks);
    let mut sent = 0;
    options.report(sent, total);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| source_failed(error.into()))?;
        sent += chunk.len() as u64;
        if !chunk.is_empty() {
            upload.write(chunk).await?;
            options.report(sent, total);
        }
    }
    announced(sent, total.unwrap_or(sent))?;
    Ok(sent)
}

fn announced(got: u64, total: u64) -> Result<()> {
    if got == total {
        return Ok(());
    }
    Err(Error::new(ErrorKind::SourceFailed)
        .with_message(format!("{got} bytes of content instead of {total}")))
}

/// An error of this library keeps its kind; any other one says that the stream failed.
fn source_failed(error: BoxError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(other) => Error::new(ErrorKind::SourceFailed)
            .with_message("the stream of the content failed")
            .with_source(other),
    }
}

fn checked(put: PutResult, sent: u64) -> Result<PutResult> {
    if put.size == sent {
        return Ok(put);
    }
    Err(Error::new(ErrorKind::InvalidResponse)
        .with_outcome(Outcome::Applied)
        .with_message(format!("{sent} bytes were sent, and {} are stored", put.size)))
}

pub(crate) async fn copy_to<S: ObjectStore + ?Sized>(
    from: &S,
    key: &Key,
    to: &dyn ObjectStore,
    to_key: &Key,
    options: &TransferOptions,
) -> Result<PutResult> {
    let tags = options.put.tags.is_empty() && from.capabilities().has(Feature::Tags);
    let meta = from.head(key, &HeadOptions::default().with_tags(tags)).await?;
    let get = pinned::get(from, key, Range::from_offset(0), Some(&meta.revision)).await?;
    pinned::check(from, key, &meta.revision, &get.meta.revision)?;
    let options = like_source(options, meta, to);
    let size = get.meta.size;
    if size > options.part_size {
        return upload_stream(to, to_key, get.into_stream(), Some(size), &options).await;
    }
    options.report(0, Some(size));
    let content = get.bytes().await.and_then(|content| {
        announced(content.len() as u64, size)?;
        Ok(content)
    });
    let content = content.during(from.info().provider, "get", key)?;
    let put = to.put(to_key, content.into(), &options.put).await?;
    options.report(size, Some(size));
    checked(put, size).during(to.info().provider, "put", to_key)
}

/// Completes what the caller left open with what the source has.
fn like_source(
    options: &TransferOptions,
    meta: ObjectMeta,
    to: &dyn ObjectStore,
) -> TransferOptions {
    let mut options = options.clone();
    let put = &mut options.put;
    if put.attributes.is_empty() {
        put.attributes = meta.attributes.unwrap_or_default();
    }
    if put.tags.is_empty() {
        put.tags = meta.tags.unwrap_or_default();
    }
    if put.checksum == ChecksumRequest::Auto {
        let known =
            meta.checksums.iter().find(|sum| to.capabilities().has(sum.algorithm().feature()));
        put.checksum = known.map_or(ChecksumRequest::Auto, ChecksumRequest::Expect);
    }
    options
}
