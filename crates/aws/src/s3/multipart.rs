//! Uploads part by part.

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HeaderValue;
use http::{HeaderMap, Method};
use md5::{Digest as _, Md5};
use polycloud_core::checksum::{Checksum, ChecksumAlgorithm};
use polycloud_core::object::{
    ChecksumRequest, CompleteOptions, CopySource, ETag, Key, MultipartStore, Part, PartNumber,
    Payload, Precondition, PutOptions, PutResult, Range, Revision, UploadId, UploadInfo,
    UploadPage,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result, ResultExt as _};
use polycloud_wire::client::RequestBody;
use polycloud_wire::xml::{Event, Reader, Writer};
use polycloud_wire::{Call, Class, Failure, Reply, encode, time};

use super::copy::copied_etag;
use super::headers::{
    self, CHECKSUM_ALGORITHM, CHECKSUM_TYPE, COPY_SOURCE, COPY_SOURCE_IF_MATCH, COPY_SOURCE_RANGE,
};
use super::read::of_version;
use super::write::{unknown, write_error};
use super::{DOCUMENT, NO_BODY, S3Store};
use crate::PROVIDER;

/// Parts of a page of a listing.
const PARTS_PAGE: u32 = 1_000;

/// An upload's id as S3 has it, the checksum of its parts, which S3 wants to be the same for all, and the
/// one that the whole is expected to have. It is written as `id~algorithm=checksum`, without the checksum
/// if none is expected, and as the bare id for the usual algorithm.
struct Upload<'a> {
    id: &'a str,
    checksum: Option<ChecksumAlgorithm>,
    expected: Option<Checksum>,
}

const ALGORITHMS: [(&str, Option<ChecksumAlgorithm>); 5] = [
    ("crc64nvme", Some(ChecksumAlgorithm::Crc64Nvme)),
    ("crc32c", Some(ChecksumAlgorithm::Crc32c)),
    ("sha256", Some(ChecksumAlgorithm::Sha256)),
    ("md5", Some(ChecksumAlgorithm::Md5)),
    ("none", None),
];

impl<'a> Upload<'a> {
    fn parse(upload: &'a UploadId, usual: Option<ChecksumAlgorithm>) -> Self {
        let text = upload.as_str();
        let split = text.rsplit_once('~').and_then(|(id, rest)| {
            let (name, expected) = rest.split_once('=').unwrap_or((rest, ""));
            let (_, checksum) = ALGORITHMS.iter().find(|(known, _)| *known == name)?;
            let expected = checksum.and_then(|it| headers::parse_checksum(it, expected));
            Some(Self { id, checksum: *checksum, expected })
        });
        split.unwrap_or(Self { id: text, checksum: usual, expected: None })
    }

    fn write(
        id: &str,
        checksum: Option<ChecksumAlgorithm>,
        usual: Option<ChecksumAlgorithm>,
    ) -> UploadId {
        match ALGORITHMS.iter().find(|(_, known)| *known == checksum) {
            Some((name, _)) if checksum != usual => UploadId::new(format!("{id}~{name}")),
            _ => UploadId::new(id),
        }
    }

    fn expecting(id: &str, checksum: &Checksum) -> UploadId {
        let algorithm = Some(checksum.algorithm());
        let name = ALGORITHMS.iter().find(|(_, known)| *known == algorithm).map_or("", |it| it.0);
        UploadId::new(format!("{id}~{name}={}", headers::checksum_text(checksum)))
    }
}

/// The name that S3 has for a checksum of an upload; it has none for MD5.
fn algorithm_name(algorithm: ChecksumAlgorithm) -> Option<&'static str> {
    match algorithm {
        ChecksumAlgorithm::Crc32c => Some("CRC32C"),
        ChecksumAlgorithm::Crc64Nvme => Some("CRC64NVME"),
        ChecksumAlgorithm::Sha256 => Some("SHA256"),
        _ => None,
    }
}

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
        let id = leaf(&body, "UploadId")?.ok_or_else(|| malformed("the upload has no id"))?;
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

    pub(super) async fn copy_to_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: PartNumber,
        from: &CopySource,
        range: Option<Range>,
    ) -> Result<Part> {
        let bucket = from.bucket.as_ref().map_or(&*self.0.info.bucket, |bucket| bucket.as_str());
        let store = match &from.bucket {
            Some(bucket) => self.sibling(bucket)?,
            None => self.clone(),
        };
        let source = store
            .look(&from.key, &of_version(from.version.as_ref()), from.precondition.as_ref())
            .await?;
        let range = match range {
            Some(range) => range.resolve(source.size)?,
            None => 0..source.size,
        };
        let upload = Upload::parse(upload, self.0.account.checksum);
        let mut name = format!("/{bucket}/");
        encode::path(&from.key, &mut name);
        if let Some(version) = &from.version {
            name.push_str("?versionId=");
            encode::component(version.as_str(), &mut name);
        }
        let make = || {
            let mut request = self
                .request(Method::PUT, Some(key))
                .query_number("partNumber", number.get())
                .query("uploadId", upload.id)
                .text(COPY_SOURCE, &name);
            if let Some(etag) = &source.revision.etag {
                request = request.text(COPY_SOURCE_IF_MATCH, &etag.quoted());
            }
            if range != (0..source.size) {
                let range = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
                request = request.text(COPY_SOURCE_RANGE, &range);
            }
            request.empty()
        };
        let call = Call { operation: "copy_part", class: Class::Idempotent, make: &make };
        let Reply { body, .. } = self.0.wire.send(call, DOCUMENT).await?;
        Ok(Part::new(number, copied_etag(&body)?, range.end.saturating_sub(range.start)))
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
                let etag = leaf(&body, "ETag")?.ok_or_else(|| malformed("there is no ETag"))?;
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
        let parts = self.list_parts(key, named.id).await.during(PROVIDER, "parts", key)?;
        Ok(parts.into_iter().map(|listed| listed.part).collect())
    }

    async fn uploads(&self, prefix: &str, token: Option<&PageToken>) -> Result<UploadPage> {
        self.list_uploads(prefix, token).await.during(PROVIDER, "uploads", prefix)
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

fn malformed(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidResponse).with_message(message)
}

/// The text of the first element of a name.
fn leaf(body: &[u8], name: &str) -> Result<Option<String>> {
    let mut reader = Reader::new(body);
    while let Some(event) = reader.next()? {
        match event {
            Event::Leaf(found, text) if found == name => return Ok(Some(text.into_owned())),
            _ => {}
        }
    }
    Ok(None)
}

/// The checksum of the whole content that a completion tells.
fn whole_checksum(body: &[u8]) -> Result<Option<Checksum>> {
    if leaf(body, "ChecksumType")?.as_deref() == Some("COMPOSITE") {
        return Ok(None);
    }
    let mut reader = Reader::new(body);
    while let Some(event) = reader.next()? {
        let (algorithm, text) = match event {
            Event::Leaf("ChecksumCRC64NVME", text) => (ChecksumAlgorithm::Crc64Nvme, text),
            Event::Leaf("ChecksumCRC32C", text) => (ChecksumAlgorithm::Crc32c, text),
            _ => continue,
        };
        return Ok(headers::parse_checksum(algorithm, &text));
    }
    Ok(None)
}

/// The ETag of an object that is made of parts: the MD5 of their MD5s. `None` if the parts' ETags are
/// none, as those of encrypted parts.
fn etag_of_parts(parts: &[Part]) -> Option<ETag> {
    let mut digest = Md5::new();
    for part in parts {
        let Checksum::Md5(of_part) = headers::etag_md5(part.etag.as_str())? else { return None };
        digest.update(of_part);
    }
    let mut etag = String::with_capacity(38);
    encode::hex(&digest.finalize(), &mut etag);
    Some(ETag::new(format!("{etag}-{}", parts.len())))
}

fn write_complete(parts: &[Part], listed: &[Listed]) -> Result<Bytes> {
    let mut xml = Writer::with_capacity(parts.len() * 128 + 64);
    xml.start("CompleteMultipartUpload");
    for part in parts {
        xml.start("Part");
        xml.leaf("PartNumber", &part.number.to_string())?;
        xml.leaf("ETag", &part.etag.quoted())?;
        let checksum = listed.iter().find(|listed| listed.part.number == part.number);
        if let Some(checksum) = checksum.and_then(|listed| listed.sha256.as_deref()) {
            xml.leaf("ChecksumSHA256", checksum)?;
        }
        xml.end("Part");
    }
    xml.end("CompleteMultipartUpload");
    Ok(xml.finish().into())
}

/// A part as S3 lists it.
struct Listed {
    part: Part,
    sha256: Option<String>,
}

/// Adds the parts of a page, and returns where the next one begins.
fn parse_parts(body: &[u8], parts: &mut Vec<Listed>) -> Result<Option<u32>> {
    let mut reader = Reader::new(body);
    let (mut number, mut size, mut etag, mut sha256) = (None, None, None, None);
    let (mut truncated, mut next) = (false, None);
    while let Some(event) = reader.next()? {
        match event {
            Event::Leaf("PartNumber", text) => number = text.parse().ok(),
            Event::Leaf("Size", text) => size = text.parse().ok(),
            Event::Leaf("ETag", text) => etag = Some(ETag::new(text)),
            Event::Leaf("ChecksumSHA256", text) => sha256 = Some(text.into_owned()),
            Event::Leaf("IsTruncated", text) => truncated = text == "true",
            Event::Leaf("NextPartNumberMarker", text) => next = text.parse().ok(),
            Event::End("Part") => {
                let whole = number.take().zip(size.take()).zip(etag.take());
                let ((number, size), etag) =
                    whole.ok_or_else(|| malformed("a part is not described"))?;
                let part = Part::new(PartNumber::new(number)?, etag, size);
                parts.push(Listed { part, sha256: sha256.take() });
            }
            _ => {}
        }
    }
    if !truncated {
        return Ok(None);
    }
    next.map(Some).ok_or_else(|| malformed("there is no marker to go on"))
}

fn parse_uploads(body: &[u8], usual: Option<ChecksumAlgorithm>) -> Result<UploadPage> {
    let mut reader = Reader::new(body);
    let mut page = UploadPage::default();
    let (mut encoded, mut truncated) = (false, false);
    let (mut next_key, mut next_id) = (String::new(), String::new());
    let (mut key, mut id, mut started, mut checksum) = (String::new(), String::new(), None, usual);
    while let Some(event) = reader.next()? {
        match event {
            Event::Leaf("EncodingType", text) => encoded = text == "url",
            Event::Leaf("IsTruncated", text) => truncated = text == "true",
            Event::Leaf("NextKeyMarker", text) => next_key = super::list::name(&text, encoded)?,
            Event::Leaf("NextUploadIdMarker", text) => next_id = text.into_owned(),
            Event::Leaf("Key", text) => key = super::list::name(&text, encoded)?,
            Event::Leaf("UploadId", text) => id = text.into_owned(),
            Event::Leaf("Initiated", text) => started = Some(time::parse_rfc3339(&text)?),
            Event::Leaf("ChecksumAlgorithm", text) => {
                let known = ChecksumAlgorithm::ALL.into_iter();
                checksum = known.into_iter().find(|it| algorithm_name(*it) == Some(&text));
            }
            Event::Start("Initiator" | "Owner") => reader.skip()?,
            Event::End("Upload") => {
                let started = started.take().ok_or_else(|| malformed("an upload has no time"))?;
                let id = Upload::write(&id, std::mem::replace(&mut checksum, usual), usual);
                page.uploads.push(UploadInfo::new(Key::new(&*key)?, id, started));
            }
            _ => {}
        }
    }
    if truncated {
        let token = serde_json::json!([next_key, next_id]).to_string();
        page.next = Some(PageToken::new(token));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_the_checksum_of_its_parts() {
        let usual = Some(ChecksumAlgorithm::Crc64Nvme);
        for checksum in [usual, Some(ChecksumAlgorithm::Crc32c), Some(ChecksumAlgorithm::Md5), None]
        {
            let id = Upload::write("2~abc.x", checksum, usual);
            let upload = Upload::parse(&id, usual);
            assert_eq!((upload.id, upload.checksum), ("2~abc.x", checksum), "{id}");
        }
    }

    #[test]
    fn etag_of_an_object_of_parts() {
        let part = |n, text: &[u8]| {
            let mut etag = String::new();
            encode::hex(&Md5::digest(text), &mut etag);
            Part::new(PartNumber::new(n).unwrap(), ETag::new(etag), text.len() as u64)
        };
        let etag = etag_of_parts(&[part(1, b"a"), part(2, b"b")]).unwrap();
        assert_eq!(etag.as_str(), "96e024ba2074fe77e8e965ba43a704be-2");
        assert_eq!(
            etag_of_parts(&[Part::new(PartNumber::new(1).unwrap(), ETag::new("x"), 1)]),
            None
        );
    }
}
