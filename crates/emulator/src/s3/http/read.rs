//! `GetObject` and `HeadObject`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use super::context::Context;
use super::reply;
use crate::http::Response;
use crate::s3::state::checksum::Checksum;
use crate::s3::state::conditions::Verdict;
use crate::s3::state::copy::check_readable;
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::object::{Object, StorageClass};
use crate::s3::state::{Found, S3State};
use crate::s3::time;

/// Headers of the answer that a signed request may replace.
const OVERRIDES: [(&str, &str); 6] = [
    ("response-content-type", "content-type"),
    ("response-content-language", "content-language"),
    ("response-expires", "expires"),
    ("response-cache-control", "cache-control"),
    ("response-content-disposition", "content-disposition"),
    ("response-content-encoding", "content-encoding"),
];

/// What is sent of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent<'a> {
    Whole,
    /// From the first to the last byte.
    Range(u64, u64),
    Part {
        first: u64,
        /// Behind the last byte.
        end: u64,
        checksum: Option<&'a Checksum>,
    },
}

pub(super) fn get(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let (mut response, extent) = answer(state, context)?;
    if response.status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    let found = state.read(context.bucket, context.key, context.version()?)?;
    check_readable(found.object, context.now)?;
    let content = &found.object.content.bytes;
    response.body = match extent {
        Extent::Whole => content.clone(),
        Extent::Range(first, last) => content.slice(index(first)..index(last.saturating_add(1))),
        Extent::Part { first, end, .. } => content.slice(index(first)..index(end)),
    };
    Ok(response)
}

pub(super) fn head(state: &S3State, context: &Context<'_>) -> Result<Response> {
    answer(state, context).map(|(response, _)| response)
}

fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The answer without its body.
fn answer<'a>(state: &'a S3State, context: &Context<'_>) -> Result<(Response, Extent<'a>)> {
    let found = state.read(context.bucket, context.key, context.version()?)?;
    let object = found.object;
    let conditions = context.read_conditions("");
    match conditions.verdict(&object.etag, found.version.modified) {
        Verdict::Go => {}
        Verdict::Failed(condition) => return Err(S3Error::precondition_failed(condition)),
        Verdict::NotModified(_) => {
            let mut response = reply::empty(StatusCode::NOT_MODIFIED);
            set_validators(&mut response, &found);
            return Ok((response, Extent::Whole));
        }
    }
    let extent = extent(object, context)?;
    let mut response = reply::empty(StatusCode::OK);
    set_validators(&mut response, &found);
    set_headers(&mut response, object);
    set_overrides(&mut response, context)?;
    set_extent(&mut response, object, extent, context);
    Ok((response, extent))
}

fn set_validators(response: &mut Response, found: &Found<'_>) {
    reply::set_etag(response, &found.object.etag);
    reply::set(response, "last-modified", &time::http_date(found.version.modified));
    if let Some(version) = &found.version_id {
        reply::set(response, "x-amz-version-id", version);
    }
}

fn set_headers(response: &mut Response, object: &Object) {
    reply::set(response, "accept-ranges", "bytes");
    reply::set(response, "x-amz-server-side-encryption", "AES256");
    for (name, value) in &object.headers.system {
        reply::set(response, name, value);
    }
    for (name, value) in &object.headers.metadata {
        reply::set(response, &format!("x-amz-meta-{name}"), &encoded_word(value));
    }
    if object.storage_class != StorageClass::Standard {
        reply::set(response, "x-amz-storage-class", object.storage_class.name());
    }
    if !object.tags.is_empty() {
        reply::set(response, "x-amz-tagging-count", &object.tags.len().to_string());
    }
    if let Some(until) = object.restored_until {
        let until = time::http_date(until);
        let value = format!("ongoing-request=\"false\", expiry-date=\"{until}\"");
        reply::set(response, "x-amz-restore", &value);
    }
}

fn set_overrides(response: &mut Response, context: &Context<'_>) -> Result<()> {
    for (parameter, header) in OVERRIDES {
        let Some(value) = context.query(parameter) else { continue };
        if context.request.identity.is_none() {
            let message =
                "Request specific response headers cannot be used for anonymous GET requests.";
            return Err(S3Error::invalid_request(message));
        }
        if http::HeaderValue::from_str(value).is_err() {
            let message = "Header value cannot be represented using ISO-8859-1.";
            return Err(S3Error::invalid_argument(message, parameter, value));
        }
        reply::set(response, header, value);
    }
    Ok(())
}

fn set_extent(response: &mut Response, object: &Object, extent: Extent<'_>, context: &Context<'_>) {
    let size = object.content.len();
    let (first, end) = match extent {
        Extent::Whole => (0, size),
        Extent::Range(first, last) => (first, last + 1),
        Extent::Part { first, end, .. } => (first, end),
    };
    reply::set(response, "content-length", &(end - first).to_string());
    if extent != Extent::Whole && end > first {
        response.status = StatusCode::PARTIAL_CONTENT;
        let last = end - 1;
        reply::set(response, "content-range", &format!("bytes {first}-{last}/{size}"));
    }
    if matches!(extent, Extent::Part { .. }) && !object.parts.is_empty() {
        reply::set(response, "x-amz-mp-parts-count", &object.parts.len().to_string());
    }
    let wanted = context.header("x-amz-checksum-mode");
    if wanted.is_none_or(|mode| !mode.eq_ignore_ascii_case("enabled")) {
        return;
    }
    let whole = object.checksum.as_ref();
    let checksum = match extent {
        Extent::Whole => whole,
        Extent::Range(..) => None,
        Extent::Part { .. } if object.parts.is_empty() => whole,
        Extent::Part { checksum, .. } => checksum,
    };
    if let Some(checksum) = checksum {
        reply::set(response, checksum.algorithm.header(), &checksum.value);
        let kind = whole.map_or(checksum.kind, |whole| whole.kind);
        reply::set(response, "x-amz-checksum-type", kind.name());
    }
}

fn extent<'a>(object: &'a Object, context: &Context<'_>) -> Result<Extent<'a>> {
    let range = context.header("range");
    let Some(text) = context.query("partNumber") else {
        return range.map_or(Ok(Extent::Whole), |range| ranged(object, range));
    };
    if range.is_some() {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(S3Error::invalid_request(message));
    }
    let number = super::multipart::part_number(text)?;
    if object.parts.is_empty() && number == 1 {
        return Ok(Extent::Part { first: 0, end: object.content.len(), checksum: None });
    }
    let mut first = 0;
    for part in &object.parts {
        let end = first + part.size;
        if part.number == number {
            return Ok(Extent::Part { first, end, checksum: part.checksum.as_ref() });
        }
        first = end;
    }
    let count = object.parts.len().max(1);
    Err(S3Error::new("InvalidPartNumber", "The requested partnumber is not satisfiable")
        .with("PartNumberRequested", text)
        .with("ActualPartCount", count.to_string()))
}

/// A range that cannot be read as one is ignored, as RFC 9110 demands.
fn ranged<'a>(object: &Object, header: &str) -> Result<Extent<'a>> {
    let size = object.content.len();
    let Some(range) = parse_range(header) else { return Ok(Extent::Whole) };
    let (first, last) = match range {
        (Some(first), last) => (first, last.unwrap_or(u64::MAX).min(size.saturating_sub(1))),
        (None, Some(suffix)) if suffix > 0 => (size.saturating_sub(suffix), size.saturating_sub(1)),
        _ => (u64::MAX, 0),
    };
    if first < size {
        return Ok(Extent::Range(first, last));
    }
    Err(S3Error::new("InvalidRange", "The requested range is not satisfiable")
        .with("RangeRequested", header)
        .with("ActualObjectSize", size.to_string())
        .with_header("content-range", format!("bytes */{size}")))
}

fn parse_range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = header.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    };
    match (number(first.trim())?, number(last.trim())?) {
        (None, None) => None,
        (Some(first), Some(last)) if first > last => None,
        range => Some(range),
    }
}

/// A text as a header carries it: beyond ASCII as an encoded word of RFC 2047.
fn encoded_word(text: &str) -> String {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) || byte == b'\t';
    if text.bytes().all(plain) {
        return text.to_owned();
    }
    let most_plain = text.bytes().filter(|byte| plain(*byte)).count() * 2 > text.len();
    if !most_plain {
        return format!("=?UTF-8?B?{}?=", STANDARD.encode(text));
    }
    let mut word = String::from("=?UTF-8?Q?");
    for byte in text.bytes() {
        match byte {
            b' ' => word.push('_'),
            byte if byte.is_ascii_alphanumeric() => word.push(char::from(byte)),
            byte => {
                use std::fmt::Write as _;
                let _ = write!(word, "={byte:02X}");
            }
        }
    }
    word.push_str("?=");
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_or_ignored() {
        assert_eq!(parse_range("bytes=1-2"), Some((Some(1), Some(2))));
        assert_eq!(parse_range("bytes=1-"), Some((Some(1), None)));
        assert_eq!(parse_range("bytes=-3"), Some((None, Some(3))));
        assert_eq!(parse_range("bytes=2-1"), None);
        assert_eq!(parse_range("bytes=-"), None);
        assert_eq!(parse_range("bytes=1-2,4-5"), None);
        assert_eq!(parse_range("lines=1-2"), None);
        assert_eq!(parse_range("bytes=+1-2"), None);
    }

    #[test]
    fn metadata_beyond_ascii_is_encoded() {
        assert_eq!(encoded_word("plain = ?"), "plain = ?");
        assert_eq!(encoded_word("Grüße an"), "=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?=");
        assert_eq!(encoded_word("日本"), "=?UTF-8?B?5pel5pys?=");
    }
}
