//! Uploads part by part.

mod documents;
mod id;

use std::ops;

use async_trait::async_trait;
use http::header::HeaderValue;
use http::{HeaderMap, Method};
use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_core::object::{
    ChecksumRequest, CompleteOptions, CopySource, ETag, Key, MultipartStore, ObjectMeta, Part,
    PartNumber, Payload, Precondition, PutOptions, PutResult, Range, Revision, UploadId,
    UploadPage,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result, ResultExt as _};
use polycloud_wire::client::RequestBody;
use polycloud_wire::{Call, Class, Failure, Reply};

use self::documents::{
    Listed, etag_of_parts, parse_parts, parse_uploads, whole_checksum, write_complete,
};
use self::id::{Upload, algorithm_name};
use super::copy::name_source;
use super::document::{malformed, required};
use super::headers::{
    self, CHECKSUM_ALGORITHM, CHECKSUM_TYPE, COPY_SOURCE, COPY_SOURCE_IF_MATCH, COPY_SOURCE_RANGE,
};
use super::read::unchanged;
use super::write::{unknown, write_error};
use super::{DOCUMENT, NO_BODY, S3Store};
use crate::PROVIDER;

/// Parts of a page of a listing.
const PARTS_PAGE: u32 = 1_000;

impl S3Store {
    pub(super) async fn create_upload(&self, key: &Key, options: &PutOptions) -> Result<UploadId> {
        let checksum = match options.checksum {
            ChecksumRequest::None => None,
            ChecksumRequest::Auto => self.0.account.checksum,
            other => other.algorithm(),
        };
        let crc = [ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme];
        if let ChecksumRequest::Expect(expected) = &options.checksum
            && !crc.contains(&expected.algorithm())
        {
            return Err(Error::new(ErrorKind::Unsupported)
                .with_message("of an upload in parts, S3 verifies a CRC only"));
        }
        let mut sent = self.new_object(options)?;
        if let Some(name) = checksum.and_then(algorithm_name) {
            sent.insert(CHECKSUM_ALGORITHM, HeaderValue::from_static(name));
            // Of a SHA-256, S3 can only make one of those of the parts.
            let kind = if name == "SHA256" { "COMPOSITE" } else { "FULL_OBJECT" };
            sent.insert(CHECKSUM_TYPE, HeaderValue::from_static(kind));
        }
        let make =
            || self.request(Method::POST, Some(key)).query("uploads", "").headers(&sent).empty();
        let call = Call { operation: "create_upload", class: Class::Idempotent, make: &make };
        let Reply { body, .. } = self.0.wire.send(call, DOCUMENT).await?;
        let id = required(&body, "UploadId")?;
        if let ChecksumRequest::Expect(expected) = &options.checksum {
            return Ok(Upload::expecting(&id, expected));
        }
        Ok(Upload::write(&id, checksum, self.0.account.checksum))
    }

    pub(super) async fn send_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        payload: Payload,
    ) -> Result<Part> {
        let upload = Upload::parse(upload, self.0.account.checksum);
        let mut sent = HeaderMap::new();
        let request = upload.checksum.map_or(ChecksumRequest::None, ChecksumRequest::Compute);
        let content = self.sealed(payload, request, &mut sent).await?;
        let make = || {
            self.request(Method::PUT, Some(key))
                .query_number("partNumber", number.get())
                .query("uploadId", upload.id)
                .headers(&sent)
                .body(RequestBody::from(&content.payload))
        };
        let call = Call { operation: "put_part", class: Class::Idempotent, make: &make };
        let Reply { headers, .. } = self.0.wire.send(call, NO_BODY).await?;
        let etag = headers::revision(&headers).etag;
        let etag = etag.ok_or_else(|| malformed("the part has no ETag"))?;
        Ok(Part::new(number, etag, content.size))
    }

    async fn copy_to_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        from: &CopySource,
        range: Option<Range>,
    ) -> Result<Part> {
        let source = self.source(from).await?;
        let range = match range {
            Some(range) => range.resolve(source.size)?,
            None => 0..source.size,
        };
        self.copy_range(key, upload, number, from, &source, &range).await
    }

    /// Makes a part of a range of an object, provided that it is still the one that was looked at.
    pub(super) async fn copy_range(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        from: &CopySource,
        source: &ObjectMeta,
        range: &ops::Range<u64>,
    ) -> Result<Part> {
        let upload = Upload::parse(upload, self.0.account.checksum);
        let name = name_source(&self.0.info.bucket, from);
        let make = || {
            let mut request = self
                .request(Method::PUT, Some(key))
                .query_number("partNumber", number.get())
                .query("uploadId", upload.id)
                .text(COPY_SOURCE, &name);
            if let Some(etag) = &source.revision.etag {
                request = request.text(COPY_SOURCE_IF_MATCH, &etag.quoted());
            }
            if *range != (0..source.size) {
                let range = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
                request = request.text(COPY_SOURCE_RANGE, &range);
            }
            request.empty()
        };
        let call = Call { operation: "copy_part", class: Class::Idempotent, make: &make };
        let Reply { body, .. } = self.0.wire.send(call, DOCUMENT).await?;
        let etag = ETag::new(required(&body, "ETag")?);
        Ok(Part::new(number, etag, range.end.saturating_sub(range.start)))
    }

    pub(super) async fn complete_upload(
        &self,
        key: &Key,
        upload: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult> {
        self.0.capabilities.check(options)?;
        if parts.is_empty() {
            return Err(Error::invalid("an upload needs a part to be completed"));
        }
        let named = Upload::parse(upload, self.0.account.checksum);
        let checksums = match named.checksum {
            Some(ChecksumAlgorithm::Sha256) => self.list_parts(key, named.id).await?,
            _ => Vec::new(),
        };
        let body = write_complete(parts, &checksums)?;
        let condition = options.precondition.as_ref();
        let make = || {
            let mut request = self
                .request(Method::POST, Some(key))
                .query("uploadId", named.id)
                .write_condition(condition);
            if let Some(expected) = &named.expected {
                request = request
                    .text(
                        headers::checksum_header(expected.algorithm()),
                        &headers::checksum_text(expected),
                    )
                    .header(CHECKSUM_TYPE, HeaderValue::from_static("FULL_OBJECT"));
            }
            request.document(body.clone())
        };
        let call = Call { operation: "complete_upload", class: Class::Conditional, make: &make };
        let size = parts.iter().map(|part| part.size).sum();
        match self.0.wire.send(call, DOCUMENT).await {
            Ok(Reply { headers, body, .. }) => {
                let etag = required(&body, "ETag")?;
                let revision = Revision::new(ETag::new(etag), headers::version(&headers));
                let mut result = PutResult::new(revision, size);
                result.checksums.extend(whole_checksum(&body)?);
                Ok(result)
            }
            Err(failure) => self.completed(key, parts, failure, condition).await,
        }
    }

    /// What to say about a completion that failed. An upload that is gone after an interrupted attempt
    /// was completed by it, if the object is made of these parts.
    async fn completed(
        &self,
        key: &Key,
        parts: &[Part],
        failure: Failure,
        condition: Option<&Precondition>,
    ) -> Result<PutResult> {
        if !failure.ambiguous {
            let error = Error::from(failure);
            // A missing upload is no missing object.
            return Err(write_error(error, condition));
        }
        if let Some(etag) = etag_of_parts(parts)
            && let Ok(meta) = self.look(key, &Default::default(), None).await
            && meta.revision.etag.as_ref() == Some(&etag)
        {
            let mut result = PutResult::new(meta.revision, meta.size);
            result.checksums = meta.checksums;
            return Ok(result);
        }
        Err(unknown(failure))
    }

    pub(super) async fn abort_upload(&self, key: &Key, upload: &UploadId) -> Result<()> {
        let upload = Upload::parse(upload, self.0.account.checksum);
        let make = || self.request(Method::DELETE, Some(key)).query("uploadId", upload.id).empty();
        let call = Call { operation: "abort_upload", class: Class::Idempotent, make: &make };
        match self.0.wire.send(call, NO_BODY).await.map_err(Error::from) {
            Err(error) if error.kind() != ErrorKind::UploadNotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn list_parts(&self, key: &Key, id: &str) -> Result<Vec<Listed>> {
        let mut parts = Vec::new();
        let mut after = 0;
        loop {
            let make = || {
                let request = self
                    .request(Method::GET, Some(key))
                    .query("uploadId", id)
                    .query_number("max-parts", PARTS_PAGE);
                if after > 0 { request.query_number("part-number-marker", after) } else { request }
                    .empty()
            };
            let call = Call { operation: "parts", class: Class::Read, make: &make };
            let Reply { body, .. } = self.0.wire.send(call, DOCUMENT).await?;
            let next = parse_parts(&body, &mut parts)?;
            match next {
                None => return Ok(parts),
                Some(next) if next <= after => {
                    return Err(malformed("the listing repeats its marker"));
                }
                Some(next) => after = next,
            }
        }
    }

    async fn list_uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage> {
        let marker: Option<(String, String)> = match token {
            Some(token) => Some(
                serde_json::from_str(token.as_str())
                    .map_err(|_| Error::invalid("not a token of a listing of uploads"))?,
            ),
            None => None,
        };
        let make = || {
            let mut request = self.request(Method::GET, None).query("uploads", "");
            if !prefix.is_empty() {
                request = request.query("prefix", prefix);
            }
            if let Some((key, id)) = &marker {
                request = request.query("key-marker", key).query("upload-id-marker", id);
            }
            if self.0.account.quirks.encoding_type {
                request = request.query("encoding-type", "url");
            }
            request.empty()
        };
        let call = Call { operation: "uploads", class: Class::Read, make: &make };
        let Reply { body, .. } = self.0.wire.send(call, DOCUMENT).await?;
        parse_uploads(&body, self.0.account.checksum)
    }
}

#[async_trait]
impl MultipartStore for S3Store {
    async fn create(&self, key: &Key, options: &PutOptions) -> Result<UploadId> {
        let create = async {
            self.0.capabilities.check(options)?;
            if options.precondition.is_some() {
                return Err(Error::invalid("the precondition belongs to the completion"));
            }
            self.create_upload(key, options).await
        };
        create.await.during(PROVIDER, "create_upload", key)
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        payload: Payload,
    ) -> Result<Part> {
        self.send_part(key, upload, number, payload).await.during(PROVIDER, "put_part", key)
    }

    async fn copy_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        from: &CopySource,
        range: Option<Range>,
    ) -> Result<Part> {
        let copy = async {
            self.0.capabilities.check(from)?;
            self.copy_to_part(key, upload, number, from, range).await
        };
        copy.await.during(PROVIDER, "copy_part", key)
    }

    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>> {
        let named = Upload::parse(upload, self.0.account.checksum);
        let parts = self.list_parts(key, named.id).await;
        let parts = parts.map_err(unchanged).during(PROVIDER, "parts", key)?;
        Ok(parts.into_iter().map(|listed| listed.part).collect())
    }

    async fn uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage> {
        let page = self.list_uploads(prefix, token).await.map_err(unchanged);
        page.during(PROVIDER, "uploads", prefix)
    }

    async fn complete(
        &self,
        key: &Key,
        upload: &UploadId,
        parts: &[Part],
        options: &CompleteOptions,
    ) -> Result<PutResult> {
        let completed = self.complete_upload(key, upload, parts, options).await;
        completed.during(PROVIDER, "complete_upload", key)
    }

    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<()> {
        self.abort_upload(key, upload).await.during(PROVIDER, "abort_upload", key)
    }
}
