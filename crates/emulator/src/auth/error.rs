//! Why a signature is refused.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::date;

pub(crate) type Result<T, E = AuthError> = std::result::Result<T, E>;

/// A code of S3, a sentence, and the fields that S3 adds for this code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthError {
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    pub(crate) details: Vec<(&'static str, String)>,
}

impl AuthError {
    pub(crate) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    pub(crate) fn missing_header(name: &str) -> Self {
        Self::new("MissingSecurityHeader", "Your request was missing a required header")
            .with("MissingHeaderName", name)
    }

    pub(crate) fn no_date() -> Self {
        Self::new("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    }

    pub(crate) fn unsupported() -> Self {
        let message = "The authorization mechanism you have provided is not supported. Please use \
                       AWS4-HMAC-SHA256.";
        Self::new("InvalidRequest", message)
    }

    pub(crate) fn unknown_key(access_key: &str) -> Self {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        Self::new("InvalidAccessKeyId", message).with("AWSAccessKeyId", access_key)
    }

    pub(crate) fn invalid_token() -> Self {
        Self::new("InvalidToken", "The provided token is malformed or otherwise invalid.")
    }

    pub(crate) fn expired_token() -> Self {
        Self::new("ExpiredToken", "The provided token has expired.")
    }

    pub(crate) fn too_skewed(text: &str, now: SystemTime, allowed: Duration) -> Self {
        let message = "The difference between the request time and the current time is too large.";
        Self::new("RequestTimeTooSkewed", message)
            .with("RequestTime", text)
            .with("ServerTime", date::extended(now))
            .with("MaxAllowedSkewMilliseconds", allowed.as_millis().to_string())
    }

    pub(crate) fn not_signed(headers: &[&str]) -> Self {
        let message = "There were headers present in the request which were not signed";
        Self::new("AccessDenied", message).with("HeadersNotSigned", headers.join(", "))
    }

    pub(crate) fn mismatch() -> Self {
        let message = "The request signature we calculated does not match the signature you \
                       provided. Check your key and signing method.";
        Self::new("SignatureDoesNotMatch", message)
    }

    pub(crate) fn incomplete_body() -> Self {
        let message = "The request body terminated unexpectedly";
        Self::new("IncompleteBody", message)
    }

    pub(crate) fn malformed_trailer() -> Self {
        let message = "The request contained trailing data that was not well-formed or did not \
                       conform to our published schema.";
        Self::new("MalformedTrailerError", message)
    }
}
