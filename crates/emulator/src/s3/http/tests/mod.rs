//! Requests and what they answer, operation by operation.

mod access;
mod buckets;
mod checksums;
mod copies;
mod deletes;
mod forms;
mod lists;
mod objects;
mod uploads;
mod versions;

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;

use super::handle;
use crate::http::{Identity, Request, Response};
use crate::s3::state::S3State;

/// A service with one bucket named `bkt`, and a clock that stands still.
pub(super) struct S3 {
    pub(super) state: S3State,
    pub(super) now: u64,
}

/// A request under construction.
pub(super) struct Call<'a> {
    s3: &'a mut S3,
    request: Request,
}

impl S3 {
    pub(super) fn new() -> Self {
        let mut s3 = Self { state: S3State::default(), now: 1_800_000_000 };
        assert_eq!(s3.put("/bkt").send().status(), 200);
        s3
    }

    pub(super) fn versioned() -> Self {
        let mut s3 = Self::new();
        s3.set_versioning("Enabled");
        s3
    }

    pub(super) fn set_versioning(&mut self, status: &str) {
        let body =
            format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        assert_eq!(self.put("/bkt?versioning").body(body).send().status(), 200);
    }

    /// Stores an object; returns the answer.
    pub(super) fn store(&mut self, path: &str, body: &'static str) -> Answer {
        let answer = self.put(path).body(body).send();
        assert_eq!(answer.status(), 200, "{answer:?}");
        answer
    }

    /// The body of an object.
    pub(super) fn read(&mut self, path: &str) -> String {
        let answer = self.get(path).send();
        assert_eq!(answer.status(), 200, "{answer:?}");
        answer.body()
    }

    pub(super) fn get(&mut self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(super) fn put(&mut self, path: &str) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    pub(super) fn post(&mut self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub(super) fn head(&mut self, path: &str) -> Call<'_> {
        self.call(Method::HEAD, path)
    }

    pub(super) fn delete(&mut self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    /// A request whose path is encoded as in HTTP.
    pub(super) fn call(&mut self, method: Method, path: &str) -> Call<'_> {
        let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = path.strip_prefix('/').unwrap();
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let some = |text: &str| (!text.is_empty()).then(|| decode(text));
        let query = query.split('&').filter(|pair| !pair.is_empty());
        let query = query.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let request = Request {
            method,
            bucket: some(bucket),
            key: some(key),
            query: query.map(|(name, value)| (decode(name), decode(value))).collect(),
            headers: HeaderMap::new(),
            trailers: HeaderMap::new(),
            body: Bytes::new(),
            now: UNIX_EPOCH + Duration::from_secs(self.now),
            identity: Some(identity("111122223333")),
            id: "ID1".to_owned(),
        };
        Call { s3: self, request }
    }
}

fn identity(account: &str) -> Identity {
    Identity { access_key: "AKIATEST".to_owned(), account: account.to_owned() }
}

impl Call<'_> {
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.request.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub(super) fn trailer(mut self, name: &'static str, value: &str) -> Self {
        self.request.trailers.insert(name, value.parse().unwrap());
        self
    }

    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request.body = body.into();
        self
    }

    /// Adds the digest that some operations demand.
    pub(super) fn md5(self) -> Self {
        use base64::Engine as _;
        use md5::Digest as _;
        let digest = md5::Md5::digest(&self.request.body);
        let digest = base64::engine::general_purpose::STANDARD.encode(digest);
        self.header("content-md5", &digest)
    }

    pub(super) fn anonymous(mut self) -> Self {
        self.request.identity = None;
        self
    }

    pub(super) fn account(mut self, account: &str) -> Self {
        self.request.identity = Some(identity(account));
        self
    }

    pub(super) fn send(self) -> Answer {
        let answer = Answer(handle(&mut self.s3.state, &self.request));
        assert_eq!(answer.header("x-amz-request-id"), Some("ID1"));
        assert!(answer.header("date").is_some() && answer.header("x-amz-id-2").is_some());
        answer
    }

    pub(super) fn into_request(self) -> Request {
        self.request
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer(pub(super) Response);

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.0.status.as_u16()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn body(&self) -> String {
        String::from_utf8(self.0.body.to_vec()).unwrap()
    }

    /// The texts of all elements of a name, as they are written.
    pub(super) fn all(&self, element: &str) -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let body = self.body();
        let pieces = body.split(&open).skip(1);
        pieces.map(|piece| piece.split(&close).next().unwrap().to_owned()).collect()
    }

    /// The text of the first element of a name.
    pub(super) fn text(&self, element: &str) -> Option<String> {
        self.all(element).into_iter().next()
    }

    /// Status and code of an error.
    pub(super) fn error(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/xml"), "{self:?}");
        (self.status(), self.text("Code").unwrap_or_else(|| panic!("{self:?}")))
    }

    pub(super) fn etag(&self) -> &str {
        self.header("etag").unwrap()
    }
}

/// A status and a code, to compare with an error.
pub(super) fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
