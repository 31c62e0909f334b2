//! Put.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use md5::Digest as _;
use polycloud_core::checksum::{Checksum, ChecksumAlgorithm};
use polycloud_core::object::{
    Access, ChecksumRequest, Key, ObjectStore as _, Payload, Precondition, PutOptions, PutResult,
};
use polycloud_core::{Error, ErrorKind, Outcome, Result};
use polycloud_wire::client::RequestBody;
use polycloud_wire::{Call, Class, Failure, Reply, encode};
use sha2::Sha256;

use super::headers::{self, CONTENT_SHA256, WRITE_ID};
use super::request::applies;
use super::trailer::Trailed;
use super::{NO_BODY, S3Store};

/// From here on, hashing takes long enough to be done beside the runtime's threads.
const SLOW_HASH: u64 = 1024 * 1024;

impl S3Store {
    pub(super) async fn write(
        &self,
        key: &Key,
        payload: Payload,
        options: &PutOptions,
    ) -> Result<PutResult> {
        self.0.capabilities.check(options)?;
        applies(options.precondition.as_ref(), Access::Write)?;
        if payload.len() > self.0.single_put {
            return self.write_in_parts(key, &payload, options).await;
        }
        let mut sent = self.new_object(options)?;
        let write_id = match &options.precondition {
            Some(_) => Some(self.mark(&mut sent)?),
            None => None,
        };
        let content = self.sealed(payload, options.checksum, &mut sent).await?;
        let make = || {
            self.request(Method::PUT, Some(key))
                .headers(&sent)
                .write_condition(options.precondition.as_ref())
                .body(RequestBody::from(&content.payload))
        };
        let class = if write_id.is_some() { Class::Conditional } else { Class::Idempotent };
        match self.0.wire.send(Call { operation: "put", class, make: &make }, NO_BODY).await {
            Ok(Reply { headers, .. }) => {
                let mut result = PutResult::new(headers::revision(&headers), content.size);
                result.checksums = headers::checksums(&headers);
                result.checksums.extend(content.checksum);
                Ok(result)
            }
            Err(failure) => {
                self.settle(key, failure, write_id.as_ref(), options.precondition.as_ref()).await
            }
        }
    }

    async fn write_in_parts(
        &self,
        key: &Key,
        payload: &Payload,
        options: &PutOptions,
    ) -> Result<PutResult> {
        use futures::TryStreamExt as _;
        use polycloud_core::object::UploadOptions;

        let hint = UploadOptions::from(options.clone()).with_size_hint(payload.len());
        let mut upload = self.upload(key, &hint).await?;
        let mut chunks = payload.stream();
        loop {
            let written = match chunks.try_next().await {
                Ok(Some(chunk)) => upload.write(chunk).await,
                Ok(None) => return upload.complete().await,
                Err(error) => Err(error),
            };
            if let Err(error) = written {
                // The error that led here says more than one of tidying up.
                let leaked = upload.abort().await.err();
                let leaked = leaked.map(|error| error.leaked().to_vec()).unwrap_or_default();
                return Err(error.with_leaked(leaked));
            }
        }
    }

    /// The headers that describe a new object, for a put, a copy or an upload.
    pub(super) fn new_object(&self, options: &PutOptions) -> Result<HeaderMap> {
        let mut sent = self.0.object_headers.clone();
        headers::set_attributes(&options.attributes, &mut sent)?;
        if !options.tags.is_empty() {
            let tags = headers::tagging(&options.tags);
            sent.insert(headers::TAGGING, headers::header_value(&tags)?);
        }
        if let Some(class) = &options.storage_class {
            sent.insert(headers::STORAGE_CLASS, headers::header_value(class.as_str())?);
        }
        Ok(sent)
    }

    /// Gives a write an id by which it is recognised if its answer is lost.
    fn mark(&self, sent: &mut HeaderMap) -> Result<HeaderValue> {
        let random = self.0.wire.random();
        let mut id = String::with_capacity(32);
        encode::hex(&random.next_u64().to_be_bytes(), &mut id);
        encode::hex(&random.next_u64().to_be_bytes(), &mut id);
        let id = headers::header_value(&id)?;
        sent.insert(WRITE_ID, id.clone());
        Ok(id)
    }

    /// Adds the checksums that travel with a content, as headers where it is in memory and as a trailer
    /// where it is only read as it is sent.
    pub(super) async fn sealed(
        &self,
        payload: Payload,
        request: ChecksumRequest,
        sent: &mut HeaderMap,
    ) -> Result<Sealed> {
        let size = payload.len();
        if size == 0 {
            // Nothing is asked of a source that has nothing, so that it would not be found out if it had.
            payload.bytes().await?;
        }
        let algorithm = match request {
            ChecksumRequest::None => None,
            ChecksumRequest::Auto => self.0.account.checksum,
            ChecksumRequest::Compute(algorithm) => Some(algorithm),
            ChecksumRequest::Expect(checksum) => Some(checksum.algorithm()),
            _ => self.0.account.checksum,
        };
        if self.0.account.sign_payload {
            let digest = sha256(payload.clone()).await?;
            sent.insert(CONTENT_SHA256, headers::header_value(&digest)?);
        }
        let Some(algorithm) = algorithm else {
            return Ok(Sealed { payload, size, checksum: None });
        };
        let name = headers::checksum_header(algorithm);
        let checksum = match request {
            ChecksumRequest::Expect(checksum) => checksum,
            _ if payload.chunks().is_none()
                && can_trail(algorithm)
                && !self.0.account.sign_payload =>
            {
                return trailed(payload, algorithm, &name, sent);
            }
            _ => checksum_of(payload.clone(), algorithm).await?,
        };
        sent.insert(name, headers::header_value(&headers::checksum_text(&checksum))?);
        Ok(Sealed { payload, size, checksum: Some(checksum) })
    }

    /// What to say about a write that failed. If it may have taken effect, the object tells.
    pub(super) async fn settle(
        &self,
        key: &Key,
        failure: Failure,
        write_id: Option<&HeaderValue>,
        condition: Option<&Precondition>,
    ) -> Result<PutResult> {
        let Some(write_id) = write_id.filter(|_| failure.ambiguous) else {
            return Err(write_error(failure.into(), condition));
        };
        if let Ok(found) = self.look_headers(key, None, None).await
            && found.get(WRITE_ID) == Some(write_id)
        {
            let meta = headers::meta(key, super::read::object_size(&found)?, &found)?;
            let mut result = PutResult::new(meta.revision, meta.size);
            result.checksums = meta.checksums;
            return Ok(result);
        }
        // Another object, or none, proves nothing: ours may have been there before.
        Err(unknown(failure))
    }
}

/// Content as it is sent.
pub(super) struct Sealed {
    pub(super) payload: Payload,
    /// Its size without framing.
    pub(super) size: u64,
    /// Its checksum, if it was known before it is sent.
    pub(super) checksum: Option<Checksum>,
}

fn can_trail(algorithm: ChecksumAlgorithm) -> bool {
    algorithm != ChecksumAlgorithm::Md5
}

fn trailed(
    payload: Payload,
    algorithm: ChecksumAlgorithm,
    name: &HeaderName,
    sent: &mut HeaderMap,
) -> Result<Sealed> {
    let size = payload.len();
    sent.insert(CONTENT_SHA256, HeaderValue::from_static("STREAMING-UNSIGNED-PAYLOAD-TRAILER"));
    sent.insert(headers::TRAILER, headers::header_value(name.as_str())?);
    sent.insert(headers::DECODED_LENGTH, size.into());
    let chunked = HeaderValue::from_static("aws-chunked");
    let encoding = match sent.get(http::header::CONTENT_ENCODING).map(HeaderValue::to_str) {
        Some(Ok(own)) => headers::header_value(&format!("aws-chunked,{own}"))?,
        _ => chunked,
    };
    sent.insert(http::header::CONTENT_ENCODING, encoding);
    let payload = Payload::from_source(Trailed::new(payload, algorithm, name.as_str().to_owned()));
    Ok(Sealed { payload, size, checksum: None })
}

/// The outcome of a write of which nobody can tell any more.
pub(super) fn unknown(failure: Failure) -> Error {
    let error = match failure.error.outcome() {
        Outcome::Unknown => failure.error,
        // The last answer refuses because of an object that may be ours.
        _ => Error::new(ErrorKind::Unavailable)
            .with_message("an attempt was interrupted and it cannot be told what became of it")
            .with_source(failure.error),
    };
    error.with_outcome(Outcome::Unknown)
}

/// Says it as the condition was put: S3 has one answer for all.
pub(super) fn write_error(error: Error, condition: Option<&Precondition>) -> Error {
    match (error.kind(), condition) {
        (ErrorKind::PreconditionFailed, Some(Precondition::IfAbsent)) => {
            error.with_kind(ErrorKind::AlreadyExists)
        }
        (ErrorKind::NotFound | ErrorKind::VersionNotFound, Some(_)) => {
            error.with_kind(ErrorKind::PreconditionFailed)
        }
        _ => error,
    }
}

async fn checksum_of(payload: Payload, algorithm: ChecksumAlgorithm) -> Result<Checksum> {
    let mut hasher = algorithm.hasher();
    let slow = matches!(algorithm, ChecksumAlgorithm::Md5 | ChecksumAlgorithm::Sha256);
    if slow && payload.len() > SLOW_HASH && payload.chunks().is_some() {
        return beside(move || {
            payload.chunks().into_iter().flatten().for_each(|chunk| hasher.update(chunk));
            hasher.finish()
        })
        .await;
    }
    each_chunk(&payload, |chunk| hasher.update(chunk)).await?;
    Ok(hasher.finish())
}

async fn sha256(payload: Payload) -> Result<String> {
    let mut hasher = Sha256::new();
    if payload.len() > SLOW_HASH && payload.chunks().is_some() {
        hasher = beside(move || {
            payload.chunks().into_iter().flatten().for_each(|chunk| hasher.update(chunk));
            hasher
        })
        .await?;
    } else {
        each_chunk(&payload, |chunk| hasher.update(chunk)).await?;
    }
    let mut digest = String::with_capacity(64);
    encode::hex(&hasher.finalize(), &mut digest);
    Ok(digest)
}

async fn each_chunk(payload: &Payload, mut take: impl FnMut(&Bytes)) -> Result<()> {
    use futures::TryStreamExt as _;
    if let Some(chunks) = payload.chunks() {
        chunks.iter().for_each(take);
        return Ok(());
    }
    let mut chunks = payload.stream();
    while let Some(chunk) = chunks.try_next().await? {
        take(&chunk);
    }
    Ok(())
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|lost| Error::new(ErrorKind::Cancelled).with_source(lost))
}
