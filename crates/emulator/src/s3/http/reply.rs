//! Answers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::xml::Xml;
use crate::http::Response;
use crate::s3::state::bucket::Stored;

pub(super) fn empty(status: StatusCode) -> Response {
    Response { status, headers: HeaderMap::new(), body: Bytes::new() }
}

/// The answer to something that was removed.
pub(super) fn no_content() -> Response {
    empty(StatusCode::NO_CONTENT)
}

/// 200 with a document.
pub(super) fn xml(xml: Xml) -> Response {
    let mut response = empty(StatusCode::OK);
    response.body = xml.finish().into();
    set(&mut response, "content-type", "application/xml");
    response
}

/// Sets a header. A value that HTTP cannot carry is left out.
pub(super) fn set(response: &mut Response, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
        response.headers.insert(name, value);
    }
}

pub(super) fn set_etag(response: &mut Response, etag: &str) {
    set(response, "etag", &format!("\"{etag}\""));
}

/// The headers of an answer to a write.
pub(super) fn set_stored(response: &mut Response, stored: &Stored) {
    set_etag(response, &stored.etag);
    set(response, "x-amz-server-side-encryption", "AES256");
    if let Some(version) = &stored.version_id {
        set(response, "x-amz-version-id", version);
    }
    if let Some(checksum) = &stored.checksum {
        set(response, checksum.algorithm.header(), &checksum.value);
        set(response, "x-amz-checksum-type", checksum.kind.name());
    }
}
