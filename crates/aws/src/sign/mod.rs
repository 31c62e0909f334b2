//! Signature Version 4.
//!
//! A request is signed on every attempt, so this is the hot path of every call: the signing key is kept
//! for the day, and the canonical request goes into the hash without ever being a string.

mod canonical;
mod key;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::client::RequestBody;
use polycloud_wire::encode;
use sha2::{Digest as _, Sha256};

use self::canonical::{Canonical, Names};
use self::key::{KeyCache, SigningKey, Stamp};
use crate::credentials::Credentials;

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// What differs between services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whether the path, which is encoded already, is encoded again to be signed.
    pub(crate) encode_path_again: bool,
    /// Whether `.`, `..` and empty segments are resolved in the path that is signed.
    pub(crate) normalize_path: bool,
    /// Whether the hash of the body may be left out, and is told in a header.
    pub(crate) payload_header: bool,
    /// Whether all headers are signed, or those that S3 demands.
    pub(crate) all_headers: bool,
}

impl Rules {
    /// The path is signed as it is sent, and the body need not be hashed. Signed are `host`,
    /// `content-type`, `content-md5` and all of `x-amz-*`: what S3 demands and what decides about the
    /// meaning of a request. Ranges and conditions stay out, so that a proxy may add to them.
    pub(crate) const S3: Self = Self {
        encode_path_again: false,
        normalize_path: false,
        payload_header: true,
        all_headers: false,
    };

    /// What all other services demand.
    pub(crate) const GENERAL: Self = Self {
        encode_path_again: true,
        normalize_path: true,
        payload_header: false,
        all_headers: true,
    };

    fn of(service: &str) -> Self {
        if service == "s3" { Self::S3 } else { Self::GENERAL }
    }
}

/// Signs requests to one service in one region.
#[derive(Debug)]
pub(crate) struct SigV4 {
    region: String,
    service: &'static str,
    rules: Rules,
    key: KeyCache,
}

impl SigV4 {
    /// A signer by the rules of the service, which is named as in a credential scope.
    pub(crate) fn new(region: impl Into<String>, service: &'static str) -> Self {
        Self { region: region.into(), service, rules: Rules::of(service), key: KeyCache::default() }
    }

    #[cfg(test)]
    fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Signs a request, in its headers. Path and query are signed as they are in the URI: encoded,
    /// every parameter with a `=`.
    pub(crate) fn sign(
        &self,
        request: &mut http::Request<RequestBody>,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<()> {
        let stamp = Stamp::new(now);
        self.complete(request, credentials, &stamp)?;
        let key = self.key(credentials, &stamp);
        let payload = self.payload(request);
        let canonical = Canonical {
            method: request.method(),
            uri: request.uri(),
            more_query: "",
            headers: request.headers(),
            payload: payload.text(),
        };
        let authorization = canonical::with_names(request.headers(), self.rules, |names| {
            let signature = key.sign(&stamp, canonical.hash(self.rules, names));
            authorization(credentials, &key, names, &signature)
        });
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(authorization))
            .map_err(|_| unusable("the access key ID cannot be sent in a header"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(())
    }

    /// Adds the headers that are signed and not there yet.
    fn complete(
        &self,
        request: &mut http::Request<RequestBody>,
        credentials: &Credentials,
        stamp: &Stamp,
    ) -> Result<()> {
        if !request.headers().contains_key(HOST) {
            let host = HeaderValue::from_str(host(request.uri())?)
                .map_err(|_| Error::config("the host cannot be sent in a header"))?;
            request.headers_mut().insert(HOST, host);
        }
        let headers = request.headers_mut();
        headers.insert(DATE, stamp.header()?);
        match &credentials.session_token {
            Some(token) => {
                let mut value = HeaderValue::from_str(token.expose())
                    .map_err(|_| unusable("the session token cannot be sent in a header"))?;
                value.set_sensitive(true);
                headers.insert(SECURITY_TOKEN, value);
            }
            // Left from an attempt with other credentials.
            None => {
                headers.remove(SECURITY_TOKEN);
            }
        }
        if self.rules.payload_header && !headers.contains_key(CONTENT_SHA256) {
            headers.insert(CONTENT_SHA256, HeaderValue::from_static(UNSIGNED_PAYLOAD));
        }
        headers.remove(AUTHORIZATION);
        Ok(())
    }

    fn payload<'a>(&self, request: &'a http::Request<RequestBody>) -> Payload<'a> {
        match request.headers().get(CONTENT_SHA256).and_then(|value| value.to_str().ok()) {
            Some(told) => Payload::Told(told),
            None => match request.body().as_bytes() {
                Some(bytes) => Payload::Hashed(Hex::of(Sha256::digest(bytes).as_ref())),
                None => Payload::Told(UNSIGNED_PAYLOAD),
            },
        }
    }

    /// Signs a request in its URL, which is returned. The sender has to send `headers`.
    pub(crate) fn presign(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        expires_in: Duration,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<String> {
        let stamp = Stamp::new(now);
        let key = self.key(credentials, &stamp);
        let mut headers = headers.clone();
        let host = host(uri)?;
        let value = HeaderValue::from_str(host)
            .map_err(|_| Error::config("the host cannot be sent in a header"))?;
        headers.insert(HOST, value);
        let rules = Rules { all_headers: true, ..self.rules };
        let told = headers.get(CONTENT_SHA256).and_then(|value| value.to_str().ok());
        let payload = match told {
            Some(told) => Payload::Told(told),
            None if rules.payload_header => Payload::Told(UNSIGNED_PAYLOAD),
            None => Payload::Hashed(Hex::of(Sha256::digest([]).as_ref())),
        };
        let (query, signature) = canonical::with_names(&headers, rules, |names| {
            let query = presign_query(credentials, &key, &stamp, expires_in, names);
            let canonical = Canonical {
                method,
                uri,
                more_query: &query,
                headers: &headers,
                payload: payload.text(),
            };
            let signature = key.sign(&stamp, canonical.hash(rules, names));
            (query, signature)
        });
        let scheme = uri.scheme_str().unwrap_or("https");
        let path = uri.path();
        let between = if uri.query().is_some_and(|query| !query.is_empty()) { "&" } else { "" };
        let own = uri.query().unwrap_or_default();
        let signature = signature.as_str();
        Ok(format!("{scheme}://{host}{path}?{own}{between}{query}&X-Amz-Signature={signature}"))
    }

    /// Signs a POST policy: returns the fields of the form but for the policy's own conditions.
    ///
    /// `policy` makes the JSON document, in which the fields that it is given have to be conditions.
    pub(crate) fn sign_policy(
        &self,
        policy: impl FnOnce(&[(&'static str, String)]) -> String,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Vec<(&'static str, String)> {
        let stamp = Stamp::new(now);
        let key = self.key(credentials, &stamp);
        let mut fields = vec![
            ("x-amz-algorithm", ALGORITHM.to_owned()),
            ("x-amz-credential", format!("{}/{}", credentials.access_key_id, key.scope())),
            ("x-amz-date", stamp.as_str().to_owned()),
        ];
        if let Some(token) = &credentials.session_token {
            fields.push(("x-amz-security-token", token.expose().to_owned()));
        }
        let mut encoded = String::new();
        encode::base64(policy(&fields).as_bytes(), &mut encoded);
        let signature = key.sign_text(encoded.as_bytes());
        fields.push(("policy", encoded));
        fields.push(("x-amz-signature", signature.as_str().to_owned()));
        fields
    }

    fn key(&self, credentials: &Credentials, stamp: &Stamp) -> std::sync::Arc<SigningKey> {
        self.key.get(credentials, stamp, &self.region, self.service)
    }
}

/// The parameters of a signature in a URL, in the order in which they are signed.
fn presign_query(
    credentials: &Credentials,
    key: &SigningKey,
    stamp: &Stamp,
    expires_in: Duration,
    names: &Names<'_>,
) -> String {
    let mut query = String::with_capacity(256);
    let _ = write!(query, "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential=");
    encode::component(&credentials.access_key_id, &mut query);
    query.push_str("%2F");
    encode::component(key.scope(), &mut query);
    let (date, expires) = (stamp.as_str(), expires_in.as_secs());
    let _ = write!(query, "&X-Amz-Date={date}&X-Amz-Expires={expires}");
    if let Some(token) = &credentials.session_token {
        query.push_str("&X-Amz-Security-Token=");
        encode::component(token.expose(), &mut query);
    }
    query.push_str("&X-Amz-SignedHeaders=");
    for (n, name) in names.iter().enumerate() {
        if n > 0 {
            query.push_str("%3B");
        }
        query.push_str(name);
    }
    query
}

fn authorization(
    credentials: &Credentials,
    key: &SigningKey,
    names: &Names<'_>,
    signature: &Hex,
) -> String {
    let id = &credentials.access_key_id;
    let signed: usize = names.iter().map(|name| name.len() + 1).sum();
    let mut text = String::with_capacity(128 + id.len() + key.scope().len() + signed);
    text.push_str(ALGORITHM);
    text.push_str(" Credential=");
    text.push_str(id);
    text.push('/');
    text.push_str(key.scope());
    text.push_str(", SignedHeaders=");
    for (n, name) in names.iter().enumerate() {
        if n > 0 {
            text.push(';');
        }
        text.push_str(name);
    }
    text.push_str(", Signature=");
    text.push_str(signature.as_str());
    text
}

/// What a client sends as the host.
fn host(uri: &Uri) -> Result<&str> {
    let authority = uri.authority().ok_or_else(|| Error::config("the URL has no host"))?;
    let text = authority.as_str();
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let default = match uri.scheme_str() {
        Some("http") => ":80",
        _ => ":443",
    };
    Ok(text.strip_suffix(default).unwrap_or(text))
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated).with_message(message)
}

/// The hash of a body, or what stands in its place.
enum Payload<'a> {
    Told(&'a str),
    Hashed(Hex),
}

impl Payload<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Told(text) => text,
            Self::Hashed(hex) => hex.as_str(),
        }
    }
}

/// 32 bytes as hexadecimal digits.
struct Hex([u8; 64]);

impl Hex {
    fn of(bytes: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
        let mut digits = [b'0'; 64];
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for ([high, low], byte) in pairs.iter_mut().zip(bytes) {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
        Self(digits)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
