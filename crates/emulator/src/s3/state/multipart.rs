//! Uploads in parts.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::bucket::{Bucket, Stored};
use super::checksum::{self, Algorithm, Checksum, ChecksumKind};
use super::conditions::WriteConditions;
use super::copy::{CopySource, check_readable};
use super::error::{Result, S3Error};
use super::ids::IdKind;
use super::object::{Content, Object, ObjectPart};
use super::uploads::{Completed, Part, Upload};
use super::{S3State, check_key, check_size};

/// The highest number of a part.
pub(crate) const PART_NUMBERS: u16 = 10_000;
/// For how many completed uploads of a bucket the answer is remembered.
const REMEMBERED: usize = 10_000;

/// Which upload a request means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UploadRef<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) id: &'a str,
}

/// A part as the request to complete names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedPart {
    pub(crate) number: u16,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) checksums: Vec<(Algorithm, String)>,
}

/// A request to complete an upload.
#[derive(Debug, Clone, Default)]
pub(crate) struct Completion {
    pub(crate) parts: Vec<NamedPart>,
    /// Of the whole object.
    pub(crate) checksum: Option<(Algorithm, String)>,
    pub(crate) kind: Option<ChecksumKind>,
    pub(crate) size: Option<u64>,
    pub(crate) conditions: WriteConditions,
}

/// A part that was copied.
#[derive(Debug, Clone)]
pub(crate) struct CopiedPart {
    pub(crate) part: Part,
    pub(crate) source_version_id: Option<String>,
}

impl S3State {
    /// Begins an upload; returns its id.
    pub(crate) fn create_upload(
        &mut self,
        bucket: &str,
        key: &str,
        upload: Upload,
    ) -> Result<String> {
        check_key(key)?;
        self.bucket(bucket)?;
        let number = self.ids.take();
        self.bucket_mut(bucket)?.uploads.insert((key.to_owned(), number), upload);
        Ok(self.ids.encode(IdKind::Upload, number))
    }

    /// The text of an upload.
    pub(crate) fn upload_id(&self, number: u64) -> String {
        self.ids.encode(IdKind::Upload, number)
    }

    pub(crate) fn upload_number(&self, id: &str) -> Result<u64> {
        self.ids.decode(IdKind::Upload, id).ok_or_else(|| S3Error::no_such_upload(id))
    }

    pub(crate) fn upload(&self, UploadRef { bucket, key, id }: UploadRef<'_>) -> Result<&Upload> {
        let uploads = &self.bucket(bucket)?.uploads;
        let number = self.upload_number(id)?;
        uploads.get(&(key.to_owned(), number)).ok_or_else(|| S3Error::no_such_upload(id))
    }

    pub(crate) fn upload_part(
        &mut self,
        upload_ref: UploadRef<'_>,
        number: u16,
        body: Bytes,
        checksum: Option<Checksum>,
        now: u64,
    ) -> Result<Part> {
        let upload = self.upload(upload_ref)?;
        let checksum = part_checksum(upload, checksum, &body)?;
        check_size(&body, self.limits.put_bytes)?;
        let etag = checksum::etag(&body);
        let part = Part { content: Content::new(body), etag, modified: now, checksum };
        self.keep_part(upload_ref, number, part)
    }

    pub(crate) fn upload_part_copy(
        &mut self,
        upload_ref: UploadRef<'_>,
        number: u16,
        source: &CopySource,
        range: Option<(u64, u64)>,
        now: u64,
    ) -> Result<CopiedPart> {
        let upload = self.upload(upload_ref)?;
        let found = self.copy_source(source)?;
        check_readable(found.object, now)?;
        let content = match range {
            Some(range) => cut(&found.object.content, range)?,
            None => found.object.content.clone(),
        };
        let limit = self.limits.copy_bytes;
        if content.len() > limit {
            return Err(S3Error::invalid_request(format!(
                "The specified copy source is larger than the maximum allowable size for a copy \
                 source: {limit}"
            )));
        }
        let checksum = upload.algorithm.map(|algorithm| Checksum::of(algorithm, &content.bytes));
        let source_version_id = found.version_id;
        let etag = checksum::etag(&content.bytes);
        let part = Part { content, etag, modified: now, checksum };
        let part = self.keep_part(upload_ref, number, part)?;
        Ok(CopiedPart { part, source_version_id })
    }

    fn keep_part(&mut self, upload_ref: UploadRef<'_>, number: u16, part: Part) -> Result<Part> {
        let UploadRef { bucket, key, id } = upload_ref;
        let upload = (key.to_owned(), self.upload_number(id)?);
        let bucket = self.bucket_mut(bucket)?;
        let upload = bucket.uploads.get_mut(&upload).ok_or_else(|| S3Error::no_such_upload(id))?;
        upload.parts.insert(number, part.clone());
        Ok(part)
    }

    pub(crate) fn abort_upload(&mut self, upload_ref: UploadRef<'_>) -> Result<()> {
        self.upload(upload_ref)?;
        let UploadRef { bucket, key, id } = upload_ref;
        let number = self.upload_number(id)?;
        self.bucket_mut(bucket)?.uploads.remove(&(key.to_owned(), number));
        Ok(())
    }

    pub(crate) fn complete_upload(
        &mut self,
        upload_ref: UploadRef<'_>,
        completion: &Completion,
        now: u64,
    ) -> Result<Stored> {
        let UploadRef { bucket, key, id } = upload_ref;
        let number = self.upload_number(id)?;
        if let Some(stored) = completed_before(self.bucket(bucket)?, number, key, &completion.parts)
        {
            return Ok(stored);
        }
        let upload = self.upload(upload_ref)?;
        check_parts(upload, id, &completion.parts, self.limits.part_min_bytes)?;
        check_kind(upload, completion)?;
        check_total(upload, completion)?;
        self.check_write(bucket, key, &completion.conditions)?;

        let object = assemble(upload, completion)?;
        self.bucket_mut(bucket)?.uploads.remove(&(key.to_owned(), number));
        let stored = self.store(bucket, key, object, now)?;
        let parts = completion.parts.iter().map(|part| (part.number, part.etag.clone())).collect();
        let completed = Completed { key: key.to_owned(), parts, stored: stored.clone() };
        let remembered = &mut self.bucket_mut(bucket)?.completed;
        remembered.insert(number, completed);
        if remembered.len() > REMEMBERED {
            remembered.pop_first();
        }
        Ok(stored)
    }
}

/// What an earlier request with the same parts made of this upload.
fn completed_before(
    bucket: &Bucket,
    number: u64,
    key: &str,
    parts: &[NamedPart],
) -> Option<Stored> {
    let completed = bucket.completed.get(&number).filter(|completed| completed.key == key)?;
    let same = completed.parts.len() == parts.len()
        && (completed.parts.iter().zip(parts))
            .all(|((number, etag), part)| *number == part.number && *etag == part.etag);
    same.then(|| completed.stored.clone())
}

fn part_checksum(
    upload: &Upload,
    given: Option<Checksum>,
    body: &[u8],
) -> Result<Option<Checksum>> {
    let Some(expected) = upload.algorithm else { return Ok(given) };
    let actual = given.as_ref().map(|checksum| checksum.algorithm);
    if actual == Some(expected) {
        return Ok(given);
    }
    if actual.is_none() && upload.kind == ChecksumKind::FullObject {
        return Ok(Some(Checksum::of(expected, body)));
    }
    let name = |algorithm: Algorithm| algorithm.name().to_ascii_lowercase();
    let (expected, actual) = (name(expected), actual.map_or_else(|| "null".to_owned(), name));
    Err(S3Error::invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum Type: \
         {actual}"
    )))
}

fn cut(content: &Content, (first, last): (u64, u64)) -> Result<Content> {
    let size = content.len();
    let bad = || {
        let range = format!("bytes={first}-{last}");
        let message = format!("Range specified is not valid for source object of size: {size}");
        S3Error::invalid_argument(message, "x-amz-copy-source-range", &range)
    };
    if first > last || last >= size {
        return Err(bad());
    }
    let index = |at: u64| usize::try_from(at).map_err(|_| bad());
    Ok(content.slice(index(first)?..index(last)?.saturating_add(1)))
}

fn check_parts(upload: &Upload, id: &str, named: &[NamedPart], minimum: u64) -> Result<()> {
    if named.is_empty() {
        return Err(S3Error::malformed_xml());
    }
    if !named.is_sorted_by(|a, b| a.number < b.number) {
        let message =
            "The list of parts was not in ascending order. Parts must be ordered by part number.";
        return Err(S3Error::new("InvalidPartOrder", message).with("UploadId", id));
    }
    for (at, named_part) in named.iter().enumerate() {
        let part = upload.parts.get(&named_part.number).filter(|part| part.etag == named_part.etag);
        let part = part.ok_or_else(|| invalid_part(id, named_part))?;
        check_part_checksums(upload, part, id, named_part)?;
        if at + 1 < named.len() && part.content.len() < minimum {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            return Err(S3Error::new("EntityTooSmall", message)
                .with("ProposedSize", part.content.len().to_string())
                .with("MinSizeAllowed", minimum.to_string())
                .with("PartNumber", named_part.number.to_string())
                .with("ETag", part.etag.clone()));
        }
    }
    Ok(())
}

fn invalid_part(id: &str, part: &NamedPart) -> S3Error {
    let message = "One or more of the specified parts could not be found. The part may not have been \
                   uploaded, or the specified entity tag may not match the part's entity tag.";
    S3Error::new("InvalidPart", message)
        .with("UploadId", id)
        .with("PartNumber", part.number.to_string())
        .with("ETag", part.etag.clone())
}

fn check_part_checksums(upload: &Upload, part: &Part, id: &str, named: &NamedPart) -> Result<()> {
    for (algorithm, value) in &named.checksums {
        let known = part.checksum.as_ref().filter(|known| known.algorithm == *algorithm);
        let same = match known {
            Some(known) => known.value == *value,
            None => upload.algorithm.is_none() && algorithm.encoded(&part.content.bytes) == *value,
        };
        if !same {
            return Err(invalid_part(id, named));
        }
    }
    match upload.algorithm {
        Some(algorithm) if upload.kind == ChecksumKind::Composite && named.checksums.is_empty() => {
            let name = algorithm.name().to_ascii_lowercase();
            let number = named.number;
            Err(S3Error::invalid_request(format!(
                "The upload was created using a {name} checksum. The complete request must include \
                 the checksum for each part. It was missing for part {number} in the request."
            )))
        }
        _ => Ok(()),
    }
}

fn check_kind(upload: &Upload, completion: &Completion) -> Result<()> {
    match completion.kind {
        Some(kind) if upload.algorithm.is_some() && kind != upload.kind => {
            let (upload, request) = (upload.kind.name(), kind.name());
            Err(S3Error::invalid_request(format!(
                "The upload was created using the {upload} checksum mode. The complete request must \
                 use the same checksum mode, not {request}."
            )))
        }
        _ => Ok(()),
    }
}

fn check_total(upload: &Upload, completion: &Completion) -> Result<()> {
    let total = total(&upload.parts, &completion.parts);
    match completion.size {
        Some(size) if size != total => Err(S3Error::invalid_request(format!(
            "The provided 'x-amz-mp-object-size' header value {size} does not match what was \
             computed: {total}"
        ))),
        _ => Ok(()),
    }
}

fn total(parts: &BTreeMap<u16, Part>, named: &[NamedPart]) -> u64 {
    named.iter().filter_map(|part| parts.get(&part.number)).map(|part| part.content.len()).sum()
}

fn assemble(upload: &Upload, completion: &Completion) -> Result<Object> {
    let parts = completion
        .parts
        .iter()
        .filter_map(|named| upload.parts.get(&named.number).map(|part| (named.number, part)));
    let parts = parts.collect::<Vec<_>>();
    let content = join(&parts, total(&upload.parts, &completion.parts));
    let checksum = match upload.algorithm {
        Some(algorithm) if upload.kind == ChecksumKind::Composite => {
            let values = parts.iter().filter_map(|(_, part)| part.checksum.as_ref());
            Checksum::composite(algorithm, values.map(|checksum| checksum.value.as_str()))
        }
        algorithm => Checksum::of(algorithm.unwrap_or(Algorithm::Crc64Nvme), &content.bytes),
    };
    if let Some((algorithm, expected)) = &completion.checksum {
        verify_whole(&checksum, *algorithm, expected, &content)?;
    }
    let etag = checksum::etag_of_parts(parts.iter().map(|(_, part)| part.etag.as_str()));
    let described = parts.iter().map(|(number, part)| ObjectPart {
        number: *number,
        size: part.content.len(),
        checksum: upload.algorithm.and_then(|_| part.checksum.clone()),
    });
    Ok(Object {
        etag,
        headers: upload.headers.clone(),
        tags: upload.tags.clone(),
        storage_class: upload.storage_class,
        checksum: Some(checksum),
        parts: described.collect(),
        restored_until: None,
        content,
    })
}

fn join(parts: &[(u16, &Part)], total: u64) -> Content {
    if let [(_, part)] = parts {
        return part.content.clone();
    }
    let mut all = BytesMut::with_capacity(usize::try_from(total).unwrap_or_default());
    for (_, part) in parts {
        all.extend_from_slice(&part.content.bytes);
    }
    Content::new(all.freeze())
}

fn verify_whole(
    checksum: &Checksum,
    algorithm: Algorithm,
    expected: &str,
    content: &Content,
) -> Result<()> {
    let same = if checksum.algorithm == algorithm {
        // Of a composite checksum the number of parts may be left out.
        let bare = checksum.value.split_once('-').map(|(bare, _)| bare);
        checksum.value == expected || bare == Some(expected)
    } else {
        checksum::check_form(algorithm, expected)?;
        algorithm.encoded(&content.bytes) == expected
    };
    if same { Ok(()) } else { Err(checksum::mismatch(algorithm)) }
}
