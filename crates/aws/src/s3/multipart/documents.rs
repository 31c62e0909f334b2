//! The documents of uploads.

use bytes::Bytes;
use md5::{Digest as _, Md5};
use polycloud_core::Result;
use polycloud_core::checksum::{Checksum, ChecksumAlgorithm};
use polycloud_core::object::{ETag, Key, Part, PartNumber, UploadInfo, UploadPage};
use polycloud_core::page::PageToken;
use polycloud_wire::xml::{Event, Reader, Writer};
use polycloud_wire::{encode, time};

use super::id::{Upload, algorithm_name};
use crate::s3::document::{leaf, malformed};
use crate::s3::headers;

/// The checksum of the whole content that a completion tells.
pub(super) fn whole_checksum(body: &[u8]) -> Result<Option<Checksum>> {
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
pub(super) fn etag_of_parts(parts: &[Part]) -> Option<ETag> {
    let mut digest = Md5::new();
    for part in parts {
        let Checksum::Md5(of_part) = headers::etag_md5(part.etag.as_str())? else { return None };
        digest.update(of_part);
    }
    let mut etag = String::with_capacity(38);
    encode::hex(&digest.finalize(), &mut etag);
    Some(ETag::new(format!("{etag}-{}", parts.len())))
}

pub(super) fn write_complete(parts: &[Part], listed: &[Listed]) -> Result<Bytes> {
    let mut xml = Writer::with_capacity(parts.len() * 128 + 64);
    xml.start("CompleteMultipartUpload");
    for part in parts {
        xml.start("Part");
        xml.leaf("PartNumber", &part.number.to_string())?;
        xml.leaf("ETag", &part.etag.quoted())?;
        // They are listed by number.
        let at = listed.binary_search_by_key(&part.number, |listed| listed.part.number).ok();
        let checksum = at.and_then(|at| listed.get(at)?.sha256.as_deref());
        if let Some(checksum) = checksum {
            xml.leaf("ChecksumSHA256", checksum)?;
        }
        xml.end("Part");
    }
    xml.end("CompleteMultipartUpload");
    Ok(xml.finish().into())
}

/// A part as S3 lists it.
pub(super) struct Listed {
    pub(super) part: Part,
    pub(super) sha256: Option<String>,
}

/// Adds the parts of a page, and returns where the next one begins.
pub(super) fn parse_parts(body: &[u8], parts: &mut Vec<Listed>) -> Result<Option<u32>> {
    let mut reader = Reader::new(body);
    let (mut number, mut size, mut etag, mut sha256) = (None, None, None, None);
    let (mut truncated, mut next, mut complete) = (false, None, false);
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
            // Servers disagree on the name of the whole, and on nothing else.
            Event::End(name) if name.starts_with("ListParts") => complete = true,
            _ => {}
        }
    }
    if !complete {
        return Err(malformed("it is no listing of parts"));
    }
    if !truncated {
        return Ok(None);
    }
    next.map(Some).ok_or_else(|| malformed("there is no marker to go on"))
}

pub(super) fn parse_uploads(body: &[u8], usual: Option<ChecksumAlgorithm>) -> Result<UploadPage> {
    let mut reader = Reader::new(body);
    let mut page = UploadPage::default();
    let (mut encoded, mut truncated, mut complete) = (false, false, false);
    let (mut next_key, mut next_id) = (String::new(), String::new());
    let (mut key, mut id, mut started, mut checksum) = (String::new(), String::new(), None, usual);
    while let Some(event) = reader.next()? {
        match event {
            Event::Leaf("EncodingType", text) => encoded = text == "url",
            Event::Leaf("IsTruncated", text) => truncated = text == "true",
            Event::Leaf("NextKeyMarker", text) => next_key = crate::s3::list::name(&text, encoded)?,
            Event::Leaf("NextUploadIdMarker", text) => next_id = text.into_owned(),
            Event::Leaf("Key", text) => key = crate::s3::list::name(&text, encoded)?,
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
            Event::End("ListMultipartUploadsResult") => complete = true,
            _ => {}
        }
    }
    if !complete {
        return Err(malformed("it is no listing of uploads"));
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
