use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use polycloud_core::Error;

use super::body::{BodyFailed, RequestBody, ResponseBody};
use super::error::{Reached, SendError, SendErrorKind};
use super::{HttpClient, tls};

const OTHER_URL: &str = "it comes from another URL; the client must not follow redirects";
const CHANGED_TARGET: &str = "reqwest would change the path or the query of the request; the built-in \
                              client sends them as they are";

/// Sends by a [`reqwest::Client`], for applications that have their own way to the network in one: a
/// proxy, client certificates, a resolver.
///
/// Paths have to arrive as they are. A request whose path or query `reqwest` would change, such as one
/// with `..` between slashes, is refused and nothing sent.
#[derive(Debug, Clone)]
pub struct ReqwestClient(reqwest::Client);

impl ReqwestClient {
    /// Uses this client as it is.
    ///
    /// It must not follow redirects, because the request would go elsewhere with its credentials; an
    /// answer from another URL is an error. It must not decompress bodies either, which cannot be seen
    /// from here and makes ranges and checksums wrong. [`from_builder`](Self::from_builder) sees to both.
    #[must_use]
    pub fn new(client: reqwest::Client) -> Self {
        Self(client)
    }

    /// Builds a client that neither follows redirects nor decompresses bodies, names no referrer and
    /// leaves retries to the wire.
    ///
    /// # Errors
    /// [`Config`](polycloud_core::ErrorKind::Config) if `reqwest` cannot build it.
    pub fn from_builder(builder: reqwest::ClientBuilder) -> Result<Self, Error> {
        let client = builder
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .build();
        client.map(Self).map_err(|error| {
            Error::config("reqwest cannot build its client").with_source(error.without_url())
        })
    }
}

#[async_trait]
impl HttpClient for ReqwestClient {
    async fn send(
        &self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<ResponseBody>, SendError> {
        let uri = request.uri().clone();
        let request = reqwest::Request::try_from(request.map(outgoing)).map_err(classify)?;
        let url = request.url().clone();
        if url.path() != uri.path() || url.query() != uri.query() {
            return Err(SendError::new(SendErrorKind::Malformed)
                .with_reached(Reached::Nothing)
                .with_message(CHANGED_TARGET));
        }
        let response = self.0.execute(request).await.map_err(classify)?;
        if *response.url() != url {
            return Err(SendError::new(SendErrorKind::Malformed).with_message(OTHER_URL));
        }
        Ok(http::Response::from(response).map(ResponseBody::wrap))
    }
}

fn outgoing(body: RequestBody) -> reqwest::Body {
    match (body.as_bytes(), body.progress()) {
        (Some(bytes), None) => bytes.clone().into(),
        _ => reqwest::Body::wrap(Exclusive(Mutex::new(body))),
    }
}

fn classify(error: reqwest::Error) -> SendError {
    // The URL may carry a signature, and errors are logged.
    let error = error.without_url();
    let mut kind = if error.is_connect() { SendErrorKind::Connect } else { SendErrorKind::Closed };
    let mut unsent = false;
    if error.is_builder() {
        (kind, unsent) = (SendErrorKind::Malformed, true);
    } else if error.is_redirect() {
        kind = SendErrorKind::Malformed;
    } else if kind == SendErrorKind::Closed && error.is_timeout() {
        kind = SendErrorKind::Stalled;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
            unsent |= hyper.is_canceled();
            if kind == SendErrorKind::Closed && hyper.is_parse() {
                kind = SendErrorKind::Malformed;
            }
        }
        if error.is::<BodyFailed>() {
            kind = SendErrorKind::Source;
        } else if tls::is_error(error) {
            kind = SendErrorKind::Tls;
        }
        cause = error.source();
    }
    let classified = SendError::new(kind);
    let reached = if unsent { Reached::Nothing } else { classified.reached() };
    classified.with_reached(reached).with_source(error)
}

/// Makes a body shareable between threads, as `reqwest` asks for, by not sharing it.
struct Exclusive(Mutex<RequestBody>);

impl Body for Exclusive {
    type Data = Bytes;
    type Error = BodyFailed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailed>>> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

#[cfg(test)]
mod tests;
