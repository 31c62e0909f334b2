//! What the rim and the services exchange.

/// A request as the services see it: authenticated, its body complete and without chunk framing.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: http::Method,
    /// Percent-decoded bucket: from the host name or from the first path segment. None for the service root.
    pub(crate) bucket: Option<String>,
    /// Percent-decoded key (UTF-8), byte for byte what follows the bucket and one slash; None if nothing
    /// follows it.
    pub(crate) key: Option<String>,
    /// Percent-decoded query parameters in the order received; `?acl` has the value "".
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: http::HeaderMap,
    /// Trailers of an aws-chunked body (x-amz-checksum-...), lower-case names.
    pub(crate) trailers: http::HeaderMap,
    pub(crate) body: bytes::Bytes,
    /// The emulator's clock.
    pub(crate) now: std::time::SystemTime,
    /// Whose signature was verified; None: anonymous.
    pub(crate) identity: Option<Identity>,
    /// Unique id of the request, for x-amz-request-id and error bodies.
    pub(crate) id: String,
}

/// An account and the access key that it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) access_key: String,
    pub(crate) account: String,
}

/// What a service answers.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: http::StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: bytes::Bytes,
}
