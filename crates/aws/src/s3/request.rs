//! Requests, before they are signed.

use std::fmt::Write as _;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    CONTENT_TYPE, HOST, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE,
};
use http::{HeaderMap, Method};
use polycloud_core::object::{Access, ETag, Key, Precondition, VersionId};
use polycloud_core::{Error, Result};
use polycloud_wire::client::RequestBody;
use polycloud_wire::{encode, time};

use crate::config::Endpoint;

/// A request to a bucket, in the making.
pub(super) struct RequestBuilder<'a> {
    endpoint: &'a Endpoint,
    method: Method,
    key: Option<&'a Key>,
    query: String,
    headers: HeaderMap,
    error: Option<Error>,
}

impl<'a> RequestBuilder<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, method: Method, key: Option<&'a Key>) -> Self {
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(HOST, endpoint.host().clone());
        Self { endpoint, method, key, query: String::new(), headers, error: None }
    }

    /// Adds a parameter. Those without a value are sent as `name=`, which is how they are signed.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(name);
        self.query.push('=');
        encode::component(value, &mut self.query);
        self
    }

    pub(super) fn query_number(mut self, name: &str, value: u32) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        // Writing to a string does not fail.
        let _ = write!(self.query, "{name}={value}");
        self
    }

    pub(super) fn version(self, version: Option<&VersionId>) -> Self {
        match version {
            Some(version) => self.query("versionId", version.as_str()),
            None => self,
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Adds a header whose value may have been made by others.
    pub(super) fn text(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => {
                self.headers.insert(name, value);
            }
            Err(_) => {
                self.error.get_or_insert_with(|| {
                    Error::invalid(format!("{name} cannot have this value"))
                });
            }
        }
        self
    }

    pub(super) fn headers(mut self, headers: &HeaderMap) -> Self {
        for (name, value) in headers {
            self.headers.insert(name.clone(), value.clone());
        }
        self
    }

    /// Adds the condition that S3 knows for a read.
    pub(super) fn read_condition(self, condition: Option<&Precondition>) -> Self {
        match condition {
            Some(Precondition::IfMatch(etag)) => self.text(IF_MATCH, &etag.quoted()),
            Some(Precondition::IfUnchanged(revision)) => match &revision.etag {
                Some(etag) => self.text(IF_MATCH, &etag.quoted()),
                // Compared by the version of what is read.
                None => self,
            },
            Some(Precondition::IfNoneMatch(etag)) => self.text(IF_NONE_MATCH, &etag.quoted()),
            Some(Precondition::IfModifiedSince(at)) => self.date(IF_MODIFIED_SINCE, *at),
            Some(Precondition::IfUnmodifiedSince(at)) => self.date(IF_UNMODIFIED_SINCE, *at),
            Some(other) => self.refuse(other),
            None => self,
        }
    }

    /// Adds the condition that S3 knows for a write or a delete.
    pub(super) fn write_condition(self, condition: Option<&Precondition>) -> Self {
        match condition {
            Some(Precondition::IfAbsent) => {
                self.header(IF_NONE_MATCH, HeaderValue::from_static("*"))
            }
            Some(Precondition::IfExists) => self.header(IF_MATCH, HeaderValue::from_static("*")),
            Some(condition @ (Precondition::IfMatch(_) | Precondition::IfUnchanged(_))) => {
                match etag(condition) {
                    Ok(etag) => self.text(IF_MATCH, &etag.quoted()),
                    Err(error) => self.fail(error),
                }
            }
            Some(other) => self.refuse(other),
            None => self,
        }
    }

    fn date(self, name: HeaderName, at: SystemTime) -> Self {
        self.text(name, &time::format_http_date(at))
    }

    fn refuse(self, condition: &Precondition) -> Self {
        self.fail(Error::invalid(format!("{condition:?} does not apply here")))
    }

    fn fail(mut self, error: Error) -> Self {
        self.error.get_or_insert(error);
        self
    }

    pub(super) fn body(self, body: RequestBody) -> Result<http::Request<RequestBody>> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let uri = match self.key {
            Some(key) => {
                let mut path = String::with_capacity(key.len() + 16);
                encode::path(key, &mut path);
                self.endpoint.uri(Some(&path), &self.query)?
            }
            None => self.endpoint.uri(None, &self.query)?,
        };
        let mut request = http::Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        Ok(request)
    }

    pub(super) fn empty(self) -> Result<http::Request<RequestBody>> {
        self.body(RequestBody::empty())
    }

    /// Sends an XML document.
    pub(super) fn document(self, bytes: Bytes) -> Result<http::Request<RequestBody>> {
        self.header(CONTENT_TYPE, HeaderValue::from_static("application/xml")).body(bytes.into())
    }
}

/// Refuses a condition that has no meaning for what it is put on.
pub(super) fn applies(condition: Option<&Precondition>, access: Access) -> Result<()> {
    match condition {
        Some(condition) if condition.feature(access).is_none() => {
            Err(Error::invalid(format!("{condition:?} does not apply to a {access:?}")))
        }
        _ => Ok(()),
    }
}

/// The ETag that a condition compares by: a write knows no other way.
pub(super) fn etag(condition: &Precondition) -> Result<&ETag> {
    let etag = match condition {
        Precondition::IfMatch(etag) => Some(etag),
        Precondition::IfUnchanged(revision) => revision.etag.as_ref(),
        _ => None,
    };
    etag.ok_or_else(|| Error::invalid("a write under a condition needs the ETag of the revision"))
}
