//! Get and head.

use std::ops;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{ETAG, IF_MATCH, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_core::object::{
    Access, Body, GetOptions, GetResult, HeadOptions, Key, ObjectMeta, Precondition, Range, Verify,
    VersionId,
};
use polycloud_core::{Error, ErrorKind, Outcome, Result};
use polycloud_wire::client::ResponseBody;
use polycloud_wire::{Call, Class, ContentRange, Download, Failure, Reply};

use super::headers::{self, CHECKSUM_MODE};
use super::request::applies;
use super::{NO_BODY, S3Store};

/// For so many seconds a bucket that was there is taken to be there still.
const BUCKET_SEEN: u64 = 10;

const ENABLED: HeaderValue = HeaderValue::from_static("ENABLED");

impl S3Store {
    pub(super) async fn read(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        self.0.capabilities.check(options)?;
        applies(options.precondition.as_ref(), Access::Read)?;
        let head = of_version(options.version.as_ref());
        if options.range.is_some_and(|range| range.is_empty()) {
            // Nothing that HTTP can ask for.
            return Ok(nothing(self.look(key, &head, options.precondition.as_ref()).await?));
        }
        match self.read_range(key, options).await {
            Err(error) if is_all_of_nothing(&error, options.range) => {
                Ok(nothing(self.look(key, &head, options.precondition.as_ref()).await?))
            }
            result => result,
        }
    }

    async fn read_range(&self, key: &Key, options: &GetOptions) -> Result<GetResult> {
        let range = options.range.filter(|range| *range != Range::from_offset(0));
        let range_header = range.and_then(|range| range.header());
        let verify = range_header.is_none() && options.verify == Verify::IfStored;
        let make = || {
            let mut request =
                self.request(Method::GET, Some(key)).version(options.version.as_ref());
            request = request.read_condition(options.precondition.as_ref());
            if let Some(range) = &range_header {
                request = request.text(RANGE, range);
            }
            if verify {
                request = request.header(CHECKSUM_MODE, ENABLED);
            }
            request.empty()
        };
        let call = Call { operation: "get", class: Class::Read, make: &make };
        let response = self.0.wire.open(call).await?;
        let Extent { range, skip, size } = extent(&response, range)?;
        let mut meta = headers::meta(key, size, response.headers())?;
        self.complete_meta(&mut meta, response.headers(), options.version.as_ref());
        check_version(options.precondition.as_ref(), &meta)?;
        // An ETag that looks like an MD5 is not stored for this, and the dearest to verify.
        let stored = meta.checksums.iter().find(|it| it.algorithm() != ChecksumAlgorithm::Md5);
        let stored = stored.filter(|_| verify);
        let body = self.0.wire.body(response, range.clone(), skip, || self.download(key, &meta))?;
        let result = GetResult::new(meta, range, body);
        Ok(match stored {
            Some(checksum) => result.verified(checksum),
            None => result,
        })
    }

    /// What it takes to go on reading the very version that `meta` is of.
    fn download(&self, key: &Key, meta: &ObjectMeta) -> Download {
        let etag = meta.revision.etag.as_ref().map(|etag| etag.quoted());
        // A weak validator does not promise the same bytes.
        let etag = etag.filter(|etag| !etag.starts_with("\"W/"));
        let (store, key, version) = (self.clone(), key.clone(), meta.revision.version.clone());
        let header = etag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok());
        Download {
            operation: "get",
            target: key.to_string(),
            etag: header,
            reopen: etag.map(|etag| {
                let reopen = move |left: &ops::Range<u64>| {
                    let range = Range::bounded(left.start, left.end)?.header().unwrap_or_default();
                    store
                        .request(Method::GET, Some(&key))
                        .version(version.as_ref())
                        .text(IF_MATCH, &etag)
                        .text(RANGE, &range)
                        .empty()
                };
                Box::new(reopen) as _
            }),
        }
    }

    pub(super) async fn head_object(&self, key: &Key, options: &HeadOptions) -> Result<ObjectMeta> {
        self.0.capabilities.check(options)?;
        applies(options.precondition.as_ref(), Access::Read)?;
        let mut meta = self.look(key, options, options.precondition.as_ref()).await?;
        if options.tags {
            let version = options.version.as_ref().or(meta.revision.version.as_ref());
            meta.tags = Some(self.tags(key, version).await?);
        }
        Ok(meta)
    }

    /// One head request.
    pub(super) async fn look(
        &self,
        key: &Key,
        options: &HeadOptions,
        condition: Option<&Precondition>,
    ) -> Result<ObjectMeta> {
        let headers = self.look_headers(key, options.version.as_ref(), condition).await?;
        let mut meta = headers::meta(key, object_size(&headers)?, &headers)?;
        self.complete_meta(&mut meta, &headers, options.version.as_ref());
        check_version(condition, &meta)?;
        Ok(meta)
    }

    pub(super) async fn look_headers(
        &self,
        key: &Key,
        version: Option<&VersionId>,
        condition: Option<&Precondition>,
    ) -> Result<HeaderMap> {
        let make = || {
            self.request(Method::HEAD, Some(key))
                .version(version)
                .read_condition(condition)
                .header(CHECKSUM_MODE, ENABLED)
                .empty()
        };
        let call = Call { operation: "head", class: Class::Read, make: &make };
        match self.0.wire.send(call, NO_BODY).await {
            Ok(Reply { headers, .. }) => Ok(headers),
            Err(Failure { error, .. }) if error.kind() == ErrorKind::NotFound => {
                Err(self.what_is_missing(key, version, error).await)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// A head has no body to tell by whether there is no object, no version or no bucket. A read of one
    /// byte has. The bucket is asked for now and then only: a program may look for many objects that are
    /// not there.
    async fn what_is_missing(&self, key: &Key, version: Option<&VersionId>, error: Error) -> Error {
        let now = self.0.wire.clock().monotonic().as_secs();
        let told = self.0.bucket_seen.load(Ordering::Relaxed);
        if version.is_none() && now < told {
            return error;
        }
        let make = || {
            self.request(Method::GET, Some(key)).version(version).text(RANGE, "bytes=0-0").empty()
        };
        let call = Call { operation: "head", class: Class::Read, make: &make };
        match self.0.wire.send(call, NO_BODY).await.map_err(|failure| failure.error) {
            Err(why) if why.kind() == ErrorKind::BucketNotFound => why,
            Err(why) if why.kind() == ErrorKind::VersionNotFound => why,
            _ => {
                self.0.bucket_seen.store(now.saturating_add(BUCKET_SEEN), Ordering::Relaxed);
                error
            }
        }
    }

    fn complete_meta(
        &self,
        meta: &mut ObjectMeta,
        headers: &HeaderMap,
        version: Option<&VersionId>,
    ) {
        if !self.0.account.quirks.etag_is_md5 {
            let known = meta.checksums.iter();
            meta.checksums =
                known.filter(|known| known.algorithm() != ChecksumAlgorithm::Md5).collect();
        }
        if version.is_some() {
            meta.is_latest = None;
            // Some services leave out the version that was asked for.
            if meta.revision.version.is_none() && headers.contains_key(ETAG) {
                meta.revision.version = version.cloned();
            }
        }
    }
}

/// Whatever became of a read, it changed nothing.
pub(super) fn unchanged(error: Error) -> Error {
    error.with_outcome(Outcome::NotApplied)
}

/// How to look at a version, or at the current object.
pub(super) fn of_version(version: Option<&VersionId>) -> HeadOptions {
    let mut options = HeadOptions::default();
    options.version = version.cloned();
    options
}

/// The content of an object that has none, or of a range that has none.
fn nothing(meta: ObjectMeta) -> GetResult {
    GetResult::new(meta, 0..0, Body::from(Bytes::new()))
}

/// S3 refuses to send the last bytes of an empty object. There is nothing wrong with asking.
fn is_all_of_nothing(error: &Error, range: Option<Range>) -> bool {
    error.kind() == ErrorKind::RangeNotSatisfiable
        && error.object_size() == Some(0)
        && range.is_some_and(|range| range.resolve(0).is_ok())
}

/// S3 compares by ETag alone; a revision can say more.
fn check_version(condition: Option<&Precondition>, meta: &ObjectMeta) -> Result<()> {
    match condition {
        Some(Precondition::IfUnchanged(revision)) if !revision.is_same(&meta.revision) => {
            Err(Error::new(ErrorKind::PreconditionFailed)
                .with_message("the object is another version"))
        }
        _ => Ok(()),
    }
}

pub(super) fn object_size(headers: &HeaderMap) -> Result<u64> {
    let length = headers::text(headers, &http::header::CONTENT_LENGTH);
    length
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| invalid("the answer does not tell the object's size"))
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidResponse).with_message(message).with_outcome(Outcome::NotApplied)
}

/// Which bytes an answer carries, behind `skip` others.
struct Extent {
    range: ops::Range<u64>,
    skip: u64,
    size: u64,
}

fn extent(response: &http::Response<ResponseBody>, asked: Option<Range>) -> Result<Extent> {
    if response.status() == StatusCode::PARTIAL_CONTENT {
        let content = ContentRange::of(response.headers())?;
        let Some(ContentRange { range: Some(range), size: Some(size) }) = content else {
            return Err(invalid("a part was sent without saying which"));
        };
        if asked.map(|asked| asked.resolve(size)).transpose()? != Some(range.clone()) {
            return Err(invalid("another part was sent than asked for"));
        }
        return Ok(Extent { range, skip: 0, size });
    }
    let size = object_size(response.headers())?;
    let Some(asked) = asked else { return Ok(Extent { range: 0..size, skip: 0, size }) };
    // The server does not do ranges. What leads to the end can be had all the same.
    let range = asked.resolve(size)?;
    if range.end != size || range.start > polycloud_wire::SKIP_LIMIT {
        return Err(invalid("the whole was sent where a part was asked for"));
    }
    Ok(Extent { skip: range.start, range, size })
}
