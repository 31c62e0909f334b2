use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method};

use super::key::Key;
use crate::error::Result;

/// Signs requests that someone without credentials can then send.
#[async_trait]
pub trait Signer: fmt::Debug + Send + Sync {
    /// Signs one request. Costs none, but fetching a user delegation key (Azure) or a remote signature
    /// (Google Cloud without a private key) does.
    ///
    /// # Errors
    /// `InvalidArgument` if the time is zero or above the provider's limit (7 days on S3 and Google
    /// Cloud), or the method is not GET, HEAD, PUT or DELETE; `Unauthenticated` if there is nothing to
    /// sign with.
    async fn sign(&self, key: &Key, options: &SignOptions) -> Result<SignedRequest>;
}

/// What a signed request may do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignOptions {
    /// GET, HEAD, PUT or DELETE.
    pub method: Method,
    /// How long the signature is valid.
    pub expires_in: Duration,
    /// Headers that the sender must send as they are here.
    pub headers: HeaderMap,
    /// Further query parameters, such as `response-content-disposition`.
    pub query: Vec<(String, String)>,
}

impl SignOptions {
    /// A request of this method, valid for this long.
    #[must_use]
    pub fn new(method: Method, expires_in: Duration) -> Self {
        Self { method, expires_in, headers: HeaderMap::new(), query: Vec::new() }
    }

    /// Sets the headers that the sender must send.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }
}

/// A signed request. Whoever has the URL has the access, so that it is shown only by
/// [`expose`](Self::expose).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedRequest {
    /// The method to send it with.
    pub method: Method,
    /// The headers to send with it.
    pub headers: HeaderMap,
    url: String,
}

impl SignedRequest {
    /// A signed request.
    pub fn new(method: Method, url: impl Into<String>, headers: HeaderMap) -> Self {
        Self { method, headers, url: url.into() }
    }

    /// The URL with its signature.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.url.split_once('?').map_or(self.url.as_str(), |(bare, _)| bare);
        write!(f, "{} {bare}?<redacted>", self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_not_printed() {
        let url = "https://b.example/k?X-Amz-Signature=cafe";
        let request = SignedRequest::new(Method::GET, url, HeaderMap::new());
        for shown in [format!("{request}"), format!("{request:?}"), format!("{request:#?}")] {
            assert!(!shown.contains("cafe"), "{shown}");
        }
        assert_eq!(request.expose(), url);
    }
}
