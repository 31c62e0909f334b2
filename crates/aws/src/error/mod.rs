//! What refusals of S3 mean, and what those of all services have in common.

mod advice;
pub(crate) mod codes;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_RANGE;
use polycloud_core::{Error, ErrorKind};
use polycloud_wire::xml::{Event, Reader};
use polycloud_wire::{Answer, Reason, Refusal};

const DELETE_MARKER: &str = "x-amz-delete-marker";
const REQUEST_ID: &str = "x-amz-request-id";
const BUCKET_REGION: &str = "x-amz-bucket-region";

/// So much of a provider's own words is repeated.
const WORDS: usize = 500;

/// What S3 says about a request that it refuses.
#[derive(Debug, Default)]
pub(crate) struct Details<'a> {
    pub(crate) code: Cow<'a, str>,
    pub(crate) message: Cow<'a, str>,
    pub(crate) request_id: Cow<'a, str>,
    /// Where the bucket is.
    pub(crate) region: Cow<'a, str>,
    /// The size of the object that a range lies behind.
    pub(crate) object_size: Option<u64>,
    /// The time as the server has it.
    pub(crate) server_time: Cow<'a, str>,
}

impl<'a> Details<'a> {
    /// Reads an error document. One that is broken, or no such document, tells as much as can be read.
    pub(crate) fn read(body: &'a [u8]) -> Self {
        let mut details = Self::default();
        let mut reader = Reader::new(body);
        while let Ok(Some(event)) = reader.next() {
            let Event::Leaf(name, text) = event else { continue };
            match name {
                "Code" => details.code = text,
                "Message" => details.message = text,
                "RequestId" | "RequestID" => details.request_id = text,
                "Region" => details.region = text,
                "ActualObjectSize" => details.object_size = text.parse().ok(),
                "ServerTime" => details.server_time = text,
                _ => {}
            }
        }
        details
    }

    /// Adds what headers tell, which is all that a HEAD has.
    fn complete(&mut self, headers: &'a HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let (true, Some(region)) = (self.region.is_empty(), text(BUCKET_REGION)) {
            self.region = Cow::Borrowed(region);
        }
        if let (true, Some(id)) = (self.request_id.is_empty(), text(REQUEST_ID)) {
            self.request_id = Cow::Borrowed(id);
        }
        let total = text(CONTENT_RANGE.as_str()).and_then(|range| range.strip_prefix("bytes */"));
        let total = || total.and_then(|total| total.parse().ok());
        self.object_size = self.object_size.or_else(total);
    }
}

/// What a refusal means.
pub(crate) fn refusal(answer: &Answer<'_>) -> Refusal {
    let mut details = Details::read(answer.body);
    details.complete(answer.headers);
    let status = answer.status.as_u16();
    let Refusal { error, reason } = if details.code.is_empty() && status == 400 {
        // A HEAD has no words to say that the credentials expired, which is the likeliest reason.
        Refusal::new(ErrorKind::InvalidArgument.into(), Reason::Expired)
    } else if details.code.is_empty() {
        Refusal::by_status(answer.status)
    } else {
        by_code(&details.code, || Refusal::by_status(answer.status))
    };
    let (kind, reason) = sharpen(error.kind(), reason, answer, &details);
    finish(kind, reason, answer.operation, Some(status), &details)
}

/// Finds a refusal in the body of an answer whose status is a success.
pub(crate) fn hidden_refusal(answer: &Answer<'_>) -> Option<Refusal> {
    if !is_error_document(answer.body) {
        return None;
    }
    let mut details = Details::read(answer.body);
    details.complete(answer.headers);
    // S3 says so when it fails in the midst of an answer that it has begun.
    let failed = || Refusal::new(ErrorKind::Unavailable.into(), Reason::Failed);
    let Refusal { error, reason } = by_code(&details.code, failed);
    let (kind, reason) = sharpen(error.kind(), reason, answer, &details);
    Some(finish(kind, reason, answer.operation, Some(answer.status.as_u16()), &details))
}

/// What a code means that came by another way than the wire.
#[cfg(feature = "admin")]
pub(crate) fn from_parts(
    operation: &'static str,
    status: Option<u16>,
    details: &Details<'_>,
) -> Refusal {
    let by_status = || match status.map(http::StatusCode::from_u16) {
        Some(Ok(status)) => Refusal::by_status(status),
        _ => Refusal::new(ErrorKind::Unavailable.into(), Reason::Failed),
    };
    let Refusal { error, reason } = by_code(&details.code, by_status);
    finish(error.kind(), reason, operation, status, details)
}

/// What the code of one entry of a bulk delete means.
pub(crate) fn entry(code: &str, message: &str) -> Refusal {
    let details = Details { code: code.into(), message: message.into(), ..Details::default() };
    let failed = || Refusal::new(ErrorKind::Unavailable.into(), Reason::Failed);
    let Refusal { error, reason } = by_code(code, failed);
    let kind = if is_locked(error.kind(), &details) { ErrorKind::Locked } else { error.kind() };
    finish(kind, reason, "delete", None, &details)
}

fn by_code(code: &str, unknown: impl FnOnce() -> Refusal) -> Refusal {
    match codes::row(code) {
        Some((_, kind, reason)) => Refusal::new((*kind).into(), *reason),
        None => unknown(),
    }
}

/// Corrects what the code says by what else is known.
fn sharpen(
    kind: ErrorKind,
    reason: Reason,
    answer: &Answer<'_>,
    details: &Details<'_>,
) -> (ErrorKind, Reason) {
    let marker = answer.headers.get(DELETE_MARKER).is_some_and(|value| value == "true");
    match (&*details.code, kind) {
        // The version that was asked for is a delete marker, which cannot be read.
        _ if marker && answer.status == http::StatusCode::METHOD_NOT_ALLOWED => {
            (ErrorKind::VersionNotFound, Reason::Final)
        }
        ("AuthorizationHeaderMalformed", _) if !details.region.is_empty() => {
            (ErrorKind::Config, Reason::Final)
        }
        _ if is_locked(kind, details) => (ErrorKind::Locked, Reason::Final),
        _ => (kind, reason),
    }
}

/// Whether the words tell of a retention rule or legal hold, for which S3 has no code of its own.
fn is_locked(kind: ErrorKind, details: &Details<'_>) -> bool {
    let words = details.message.to_ascii_lowercase();
    match kind {
        ErrorKind::PermissionDenied => words.contains("object lock") || words.contains("worm"),
        // Not the request for a lock that the bucket does not know.
        ErrorKind::InvalidArgument => words.contains("worm protected"),
        _ => false,
    }
}

fn finish(
    kind: ErrorKind,
    reason: Reason,
    operation: &str,
    status: Option<u16>,
    details: &Details<'_>,
) -> Refusal {
    let advice = advice::advice(kind, operation, details);
    let mut error = assemble(kind, status, details, &advice);
    if let (ErrorKind::RangeNotSatisfiable, Some(size)) = (kind, details.object_size) {
        error = error.with_object_size(size);
    }
    Refusal::new(error, reason)
}

/// An error with the provider's own words, and with what helps.
pub(crate) fn assemble(
    kind: ErrorKind,
    status: Option<u16>,
    details: &Details<'_>,
    advice: &str,
) -> Error {
    let theirs = clipped(details.message.trim_end_matches('.'), WORDS);
    let words = match (theirs.is_empty(), advice.is_empty()) {
        (_, true) => theirs,
        (true, false) => advice.to_owned(),
        (false, false) => format!("{theirs}; {advice}"),
    };
    let mut error = Error::new(kind).with_message(words);
    if let Some(status) = status {
        error = error.with_status(status);
    }
    if !details.code.is_empty() {
        error = error.with_code(clipped(&details.code, 100));
    }
    if !details.request_id.is_empty() {
        error = error.with_request_id(clipped(&details.request_id, 200));
    }
    error
}

/// The text without control characters, and no longer than this.
fn clipped(text: &str, most: usize) -> String {
    text.chars().filter(|char| !char.is_control()).take(most).collect()
}

/// Whether the root element is `Error`. S3 may send white space first, to keep a connection alive.
fn is_error_document(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let body = match body.strip_prefix(b"<?xml") {
        Some(rest) => match rest.iter().position(|byte| *byte == b'>') {
            Some(end) => rest.get(end + 1..).unwrap_or_default().trim_ascii_start(),
            None => return false,
        },
        None => body,
    };
    let behind = body.strip_prefix(b"<Error").and_then(<[u8]>::first);
    behind.is_some_and(|byte| matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace())
}
