//! What a request says about the object that it writes.

use percent_encoding::percent_decode_str;

use super::context::Context;
use crate::s3::state::checksum::Algorithm;
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::object::{Headers, StorageClass, Tag};
use crate::s3::state::tags;

const METADATA_BYTES: usize = 2048;
const META: &str = "x-amz-meta-";

/// Headers that S3 keeps with an object.
const SYSTEM: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-website-redirect-location",
];

/// What S3 does not do here: encryption with keys, locks, appending.
const UNSUPPORTED: [&str; 4] = [
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-write-offset-bytes",
];

/// The headers to keep, out of the fields of a request: names in lower case.
pub(super) fn kept<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Headers> {
    let mut headers = Headers::default();
    for (name, value) in fields {
        if let Some(name) = name.strip_prefix(META) {
            add(&mut headers.metadata, name, value);
        } else if name == "content-encoding" {
            let codings = value.split(',').map(str::trim);
            let codings = codings.filter(|coding| !coding.eq_ignore_ascii_case("aws-chunked"));
            let codings = codings.collect::<Vec<_>>().join(",");
            if !codings.is_empty() {
                add(&mut headers.system, name, &codings);
            }
        } else if SYSTEM.contains(&name) && !value.is_empty() {
            add(&mut headers.system, name, value);
        }
    }
    if !headers.system.iter().any(|(name, _)| name == "content-type") {
        add(&mut headers.system, "content-type", "binary/octet-stream");
    }
    let size = headers.metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if size > METADATA_BYTES {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(S3Error::new("MetadataTooLarge", message)
            .with("Size", size.to_string())
            .with("MaxSizeAllowed", METADATA_BYTES.to_string()));
    }
    Ok(headers)
}

/// A header given several times is one with all values.
fn add(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    match headers.iter_mut().find(|(known, _)| known == name) {
        Some((_, values)) => {
            values.push(',');
            values.push_str(value);
        }
        None => headers.push((name.to_owned(), value.to_owned())),
    }
}

impl Context<'_> {
    pub(super) fn object_headers(&self) -> Result<Headers> {
        kept(self.request.headers.iter().filter_map(|(name, value)| {
            let value = std::str::from_utf8(value.as_bytes()).ok()?;
            Some((name.as_str(), value.trim()))
        }))
    }

    /// Refuses what would be ignored otherwise.
    pub(super) fn check_supported(&self) -> Result<()> {
        if let Some(name) = UNSUPPORTED.into_iter().find(|name| self.header(name).is_some()) {
            return Err(S3Error::not_implemented(name));
        }
        match self.header("x-amz-server-side-encryption") {
            None | Some("AES256") => {}
            Some(_) => return Err(S3Error::not_implemented("x-amz-server-side-encryption")),
        }
        let lock = |name: &str| name.starts_with("x-amz-object-lock-");
        if self.request.headers.keys().any(|name| lock(name.as_str())) {
            let message = "Bucket is missing Object Lock Configuration";
            return Err(S3Error::invalid_request(message));
        }
        check_acl(self.header("x-amz-acl"))?;
        let grant = |name: &str| name.starts_with("x-amz-grant-");
        if self.request.headers.keys().any(|name| grant(name.as_str())) {
            return Err(acl_refused());
        }
        Ok(())
    }

    pub(super) fn storage_class(&self) -> Result<Option<StorageClass>> {
        self.header("x-amz-storage-class").map(storage_class).transpose()
    }

    /// The tags of the header, as `key=value&…`.
    pub(super) fn header_tags(&self) -> Result<Option<Vec<Tag>>> {
        let Some(text) = self.header("x-amz-tagging") else { return Ok(None) };
        let parsed = parse_tags(text);
        tags::check(&parsed, tags::OBJECT_TAGS).map_err(|error| match error.code {
            "InvalidTag" if has_duplicates(&parsed) => S3Error::invalid_argument(
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query \
                 parameters without tag name duplicates.",
                "x-amz-tagging",
                text,
            ),
            _ => error,
        })?;
        Ok(Some(parsed))
    }

    /// The algorithm that a header of this name asks for.
    pub(super) fn algorithm(&self, header: &str) -> Result<Option<Algorithm>> {
        let Some(name) = self.header(header) else { return Ok(None) };
        Algorithm::from_name(name).map(Some).ok_or_else(|| {
            S3Error::invalid_request(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid \
                 types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            )
        })
    }
}

pub(super) fn storage_class(name: &str) -> Result<StorageClass> {
    StorageClass::from_name(name).ok_or_else(|| {
        let message = "The storage class you specified is not valid";
        S3Error::new("InvalidStorageClass", message).with("StorageClassRequested", name)
    })
}

/// New buckets have no access control lists: only those that say nothing are taken.
pub(super) fn check_acl(acl: Option<&str>) -> Result<()> {
    match acl {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(
            "public-read" | "public-read-write" | "authenticated-read" | "aws-exec-read"
            | "bucket-owner-read" | "log-delivery-write",
        ) => Err(acl_refused()),
        Some(other) => Err(S3Error::invalid_argument("", "x-amz-acl", other)),
    }
}

pub(super) fn acl_refused() -> S3Error {
    S3Error::new("AccessControlListNotSupported", "The bucket does not allow ACLs")
}

fn parse_tags(text: &str) -> Vec<Tag> {
    let decode =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(key, value)| (decode(key), decode(value))).collect()
}

fn has_duplicates(tags: &[Tag]) -> bool {
    tags.iter()
        .enumerate()
        .any(|(at, (key, _))| tags.iter().take(at).any(|(known, _)| known == key))
}
