//! Objects as headers.

use std::borrow::Cow;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, LAST_MODIFIED,
};
use polycloud_core::checksum::{Checksum, ChecksumAlgorithm, ChecksumSet};
use polycloud_core::object::{
    Attributes, ETag, Key, ObjectMeta, Revision, StorageClass, Tags, VersionId,
};
use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::{encode, time};

use crate::config::{Account, Encryption};

macro_rules! names {
    ($($name:ident = $text:literal;)+) => {
        $(pub(super) const $name: HeaderName = HeaderName::from_static($text);)+
    };
}

names! {
    CHECKSUM_ALGORITHM = "x-amz-checksum-algorithm";
    CHECKSUM_CRC32C = "x-amz-checksum-crc32c";
    CHECKSUM_CRC64NVME = "x-amz-checksum-crc64nvme";
    CHECKSUM_MODE = "x-amz-checksum-mode";
    CHECKSUM_SHA256 = "x-amz-checksum-sha256";
    CHECKSUM_TYPE = "x-amz-checksum-type";
    CONTENT_MD5 = "content-md5";
    CONTENT_SHA256 = "x-amz-content-sha256";
    COPY_SOURCE = "x-amz-copy-source";
    COPY_SOURCE_IF_MATCH = "x-amz-copy-source-if-match";
    COPY_SOURCE_RANGE = "x-amz-copy-source-range";
    DECODED_LENGTH = "x-amz-decoded-content-length";
    DELETE_MARKER = "x-amz-delete-marker";
    METADATA_DIRECTIVE = "x-amz-metadata-directive";
    SSE = "x-amz-server-side-encryption";
    REQUEST_PAYER = "x-amz-request-payer";
    SSE_KMS_KEY = "x-amz-server-side-encryption-aws-kms-key-id";
    STORAGE_CLASS = "x-amz-storage-class";
    TAGGING = "x-amz-tagging";
    TAGGING_DIRECTIVE = "x-amz-tagging-directive";
    TRAILER = "x-amz-trailer";
    VERSION_ID = "x-amz-version-id";
    WRITE_ID = "x-amz-meta-polycloud-write-id";
}

const METADATA_PREFIX: &str = "x-amz-meta-";
const AMAZON_PREFIX: &str = "x-amz-";
const ENCRYPTION: &str = "server-side-encryption";
const WRITE_ID_NAME: &str = "polycloud-write-id";

/// The content type of objects that were written without one.
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// Headers of every request.
pub(super) fn of_requests(account: &Account) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if account.requester_pays {
        headers.insert(REQUEST_PAYER, HeaderValue::from_static("requester"));
    }
    headers
}

/// Headers of every new object.
pub(super) fn of_objects(account: &Account) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let kind = account.encryption.map(|encryption| match encryption {
        Encryption::S3 => "AES256",
        Encryption::Kms => "aws:kms",
    });
    if let Some(kind) = kind {
        headers.insert(SSE, HeaderValue::from_static(kind));
    }
    if let Some(key) = &account.kms_key_id {
        headers.insert(SSE_KMS_KEY, header_value(key)?);
    }
    Ok(headers)
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The revision that an answer tells.
pub(super) fn revision(headers: &HeaderMap) -> Revision {
    Revision::new(text(headers, &ETAG).map(ETag::new), version(headers))
}

/// The version, unless the bucket keeps none: `null` is the version of what was written before it did.
pub(super) fn version(headers: &HeaderMap) -> Option<VersionId> {
    text(headers, &VERSION_ID).map(VersionId::new)
}

/// Reads the head of a get or head.
pub(super) fn meta(key: &Key, size: u64, headers: &HeaderMap) -> Result<ObjectMeta> {
    let Head { etag, modified, version, class, attributes, checksums } = Head::read(headers);
    let etag = etag.ok_or_else(|| missing("ETag"))?;
    let modified = modified.ok_or_else(|| missing("Last-Modified"))?;
    let modified: SystemTime = time::parse_http_date(modified)?;
    let revision = Revision::new(ETag::new(etag), version.map(VersionId::new));
    let mut meta = ObjectMeta::new(key.clone(), size, modified, revision);
    meta.attributes = Some(attributes);
    meta.checksums = checksums;
    meta.storage_class = storage_class(class);
    Ok(meta)
}

/// What the headers of an object say, gathered in one go: looking each up takes several times as long.
#[derive(Default)]
struct Head<'a> {
    etag: Option<&'a str>,
    modified: Option<&'a str>,
    version: Option<&'a str>,
    class: Option<&'a str>,
    attributes: Attributes,
    checksums: ChecksumSet,
}

impl<'a> Head<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        let mut head = Self::default();
        let (mut composite, mut md5) = (false, true);
        for (name, value) in headers {
            let text = || std::str::from_utf8(value.as_bytes()).ok();
            match *name {
                ETAG => head.etag = text(),
                LAST_MODIFIED => head.modified = text(),
                CONTENT_TYPE if value == DEFAULT_CONTENT_TYPE => {}
                CONTENT_TYPE | CONTENT_ENCODING | CONTENT_LANGUAGE | CONTENT_DISPOSITION
                | CACHE_CONTROL => head.attribute(name, text().unwrap_or_default()),
                _ => {
                    let name = name.as_str();
                    let Some(name) = name.strip_prefix(AMAZON_PREFIX) else { continue };
                    match (name, text().unwrap_or_default()) {
                        ("version-id", text) => head.version = Some(text),
                        ("storage-class", text) => head.class = Some(text),
                        ("checksum-type", text) => composite = is_composite(text),
                        (ENCRYPTION, "AES256") => {}
                        (name, _) if name.starts_with(ENCRYPTION) => md5 = false,
                        (name, text) => head.other(name, text),
                    }
                }
            }
        }
        if composite {
            // Checksums of checksums say nothing about content that is read in one piece.
            head.checksums = ChecksumSet::new();
        }
        let etag = head.etag.unwrap_or_default().trim_matches('"');
        head.checksums.extend(etag_md5(etag).filter(|_| md5));
        head
    }

    /// Takes over an attribute. What is stored and cannot be one of ours is left out: one odd header does
    /// not make an object unreadable.
    fn attribute(&mut self, name: &HeaderName, value: &str) {
        let old = self.attributes.clone();
        let changed = match *name {
            CONTENT_TYPE => old.with_content_type(value),
            CONTENT_ENCODING => old.with_content_encoding(value),
            CONTENT_LANGUAGE => old.with_content_language(value),
            CONTENT_DISPOSITION => old.with_content_disposition(value),
            _ => old.with_cache_control(value),
        };
        if let Ok(changed) = changed {
            self.attributes = changed;
        }
    }

    /// Takes over metadata or a checksum.
    fn other(&mut self, name: &str, value: &str) {
        if let Some(name) = name.strip_prefix("meta-") {
            let changed = self.attributes.clone().with_metadata(name, rfc2047(value));
            match changed {
                Ok(changed) if name != WRITE_ID_NAME => self.attributes = changed,
                _ => {}
            }
        }
        let algorithm = match name {
            "checksum-crc32c" => ChecksumAlgorithm::Crc32c,
            "checksum-crc64nvme" => ChecksumAlgorithm::Crc64Nvme,
            "checksum-sha256" => ChecksumAlgorithm::Sha256,
            _ => return,
        };
        // Where the kind is not told, a composite checksum ends in the number of parts.
        self.checksums.extend(parse_checksum(algorithm, value));
    }
}

fn is_composite(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("COMPOSITE")
}

fn missing(header: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse).with_message(format!("the answer has no {header}"))
}

/// The class, unless it is the one that buckets have.
pub(super) fn storage_class(name: Option<&str>) -> Option<StorageClass> {
    name.filter(|name| *name != "STANDARD").and_then(|name| StorageClass::new(name).ok())
}

/// Writes attributes as headers.
pub(super) fn set_attributes(attributes: &Attributes, headers: &mut HeaderMap) -> Result<()> {
    let named = [
        (CONTENT_TYPE, attributes.content_type()),
        (CONTENT_ENCODING, attributes.content_encoding()),
        (CONTENT_LANGUAGE, attributes.content_language()),
        (CONTENT_DISPOSITION, attributes.content_disposition()),
        (CACHE_CONTROL, attributes.cache_control()),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            headers.insert(name, header_value(value)?);
        }
    }
    for (name, value) in attributes.metadata().iter() {
        let name = HeaderName::from_bytes(format!("{METADATA_PREFIX}{name}").as_bytes());
        let name = name.map_err(|_| Error::invalid("a metadata name is no header name"))?;
        if name == WRITE_ID {
            return Err(Error::invalid("the metadata name polycloud-write-id is reserved"));
        }
        headers.insert(name, header_value(&to_rfc2047(value))?);
    }
    Ok(())
}

pub(super) fn header_value(value: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value).map_err(|_| Error::invalid("a value is no header value"))
}

/// Text that is not plain ASCII, or that a server would trim, as encoded words (RFC 2047), which is how
/// S3 shows such text.
fn to_rfc2047(value: &str) -> Cow<'_, str> {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if plain && value.trim() == value && !value.contains("=?") {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("=?UTF-8?B?{}?=", BASE64.encode(value)))
}

/// Reads encoded words, of either kind; what is none stays as it is.
fn rfc2047(value: &str) -> String {
    let mut decoded = Vec::new();
    for word in value.split_whitespace() {
        let Some(bytes) = encoded_word(word) else { return value.to_owned() };
        decoded.extend(bytes);
    }
    match String::from_utf8(decoded) {
        Ok(text) if !value.is_empty() => text,
        _ => value.to_owned(),
    }
}

fn encoded_word(word: &str) -> Option<Vec<u8>> {
    let (charset, rest) = word.strip_prefix("=?")?.strip_suffix("?=")?.split_once('?')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    match rest.split_once('?')? {
        ("B" | "b", text) => BASE64.decode(text).ok(),
        ("Q" | "q", text) => {
            let escaped = text.replace('%', "%25").replace('=', "%").replace('_', " ");
            encode::decode(&escaped).ok().map(|text| text.into_owned().into_bytes())
        }
        _ => None,
    }
}

/// The tags as the value of a header.
pub(super) fn tagging(tags: &Tags) -> String {
    let mut text = String::new();
    for (key, value) in tags.iter() {
        if !text.is_empty() {
            text.push('&');
        }
        encode::component(key, &mut text);
        text.push('=');
        encode::component(value, &mut text);
    }
    text
}

/// The header that carries a checksum. MD5 has one of HTTP's own.
pub(super) fn checksum_header(algorithm: ChecksumAlgorithm) -> HeaderName {
    match algorithm {
        ChecksumAlgorithm::Crc32c => CHECKSUM_CRC32C,
        ChecksumAlgorithm::Crc64Nvme => CHECKSUM_CRC64NVME,
        ChecksumAlgorithm::Sha256 => CHECKSUM_SHA256,
        _ => CONTENT_MD5,
    }
}

/// A checksum as S3 writes it.
pub(super) fn checksum_text(checksum: &Checksum) -> String {
    match checksum {
        Checksum::Crc32c(crc) => BASE64.encode(crc.to_be_bytes()),
        Checksum::Crc64Nvme(crc) => BASE64.encode(crc.to_be_bytes()),
        Checksum::Md5(digest) => BASE64.encode(digest),
        Checksum::Sha256(digest) => BASE64.encode(digest),
        _ => String::new(),
    }
}

pub(super) fn parse_checksum(algorithm: ChecksumAlgorithm, text: &str) -> Option<Checksum> {
    let bytes = BASE64.decode(text).ok()?;
    Some(match algorithm {
        ChecksumAlgorithm::Crc32c => Checksum::Crc32c(u32::from_be_bytes(bytes.try_into().ok()?)),
        ChecksumAlgorithm::Crc64Nvme => {
            Checksum::Crc64Nvme(u64::from_be_bytes(bytes.try_into().ok()?))
        }
        ChecksumAlgorithm::Md5 => Checksum::Md5(bytes.try_into().ok()?),
        ChecksumAlgorithm::Sha256 => Checksum::Sha256(bytes.try_into().ok()?),
        _ => return None,
    })
}

/// The checksums of the whole content that an answer tells. Those of a composite kind are checksums of
/// checksums, which say nothing about content that is read in one piece.
pub(super) fn checksums(headers: &HeaderMap) -> ChecksumSet {
    if text(headers, &CHECKSUM_TYPE).is_some_and(is_composite) {
        return ChecksumSet::new();
    }
    [ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Sha256]
        .into_iter()
        .filter_map(|algorithm| {
            let value = text(headers, &checksum_header(algorithm))?;
            parse_checksum(algorithm, value)
        })
        .collect()
}

/// The MD5 that an ETag is, if it is one: 32 hexadecimal digits. It is that of the content for what was
/// written in one piece and is not encrypted by a key of the customer's.
pub(super) fn etag_md5(etag: &str) -> Option<Checksum> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits: &[u8; 32] = etag.as_bytes().try_into().ok()?;
    let mut digest = [0; 16];
    for (byte, pair) in digest.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = *pair;
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(Checksum::Md5(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_language_goes_there_and_back() {
        for value in ["plain", "Ä ☺", "=?looks like it", " space around ", "", "ä=_?%"] {
            let sent = to_rfc2047(value);
            assert!(sent.is_ascii(), "{sent}");
            assert_eq!(rfc2047(&sent), value, "{sent}");
        }
        assert_eq!(rfc2047("=?UTF-8?Q?=C3=84_b?="), "Ä b");
        assert_eq!(rfc2047("=?utf-8?B?w4Q=?= =?UTF-8?B?w5Y=?="), "ÄÖ");
        assert_eq!(rfc2047("=?latin1?Q?x?="), "=?latin1?Q?x?=");
    }

    #[test]
    fn checksums_go_there_and_back() {
        for algorithm in ChecksumAlgorithm::ALL {
            let checksum = algorithm.of(b"content");
            assert_eq!(parse_checksum(algorithm, &checksum_text(&checksum)), Some(checksum));
            assert_eq!(parse_checksum(algorithm, "AAAA-2"), None);
        }
    }
}
