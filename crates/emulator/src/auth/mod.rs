//! Signature Version 4 as the service checks it, written from the documentation of AWS.

mod canonical;
mod chunked;
mod crypto;
mod error;
pub(crate) mod form;
mod scope;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderMap;

pub(crate) use self::chunked::Framing;
pub(crate) use self::crypto::{hmac, same, sha256_hex};
pub(crate) use self::error::{AuthError, Result};
use self::scope::{ALGORITHM, Claim, Scope};
use crate::credentials::{self, Key, Keys};
use crate::date;
use crate::http::Identity;

/// How far the clocks of client and server may be apart.
const MAX_SKEW: Duration = Duration::from_secs(15 * 60);

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The part of a request that is signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a http::Method,
    /// As it was sent.
    pub(crate) path: &'a str,
    /// Decoded.
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a HeaderMap,
}

/// Against what a request is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checks<'a> {
    pub(crate) keys: &'a Keys,
    pub(crate) now: SystemTime,
    pub(crate) service: &'static str,
    /// The region that has to be signed for; None: any.
    pub(crate) region: Option<&'a str>,
    /// The body, if it is there already: its digest is signed although no header tells it.
    pub(crate) body: Option<&'a [u8]>,
}

/// What the head of a request proves and promises.
#[derive(Debug)]
pub(crate) struct Verified {
    /// None: anonymous.
    pub(crate) caller: Option<Caller>,
    pub(crate) payload: Payload,
}

/// Whose signature it is.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) key: Arc<Key>,
    /// The region that was signed for.
    pub(crate) region: String,
}

/// What is known of the body before it arrives.
#[derive(Debug)]
pub(crate) enum Payload {
    /// Nothing.
    Unsigned,
    /// Its SHA-256 in hexadecimal digits.
    Digest(String),
    /// It comes in chunks.
    Chunked(Framing),
}

/// Verifies everything that the head of a request tells.
pub(crate) fn verify(request: Signed<'_>, checks: Checks<'_>) -> Result<Verified> {
    let authorization = request.headers.get(http::header::AUTHORIZATION);
    let presigned = request.query.iter().any(|(name, _)| {
        matches!(name.as_str(), "X-Amz-Algorithm" | "X-Amz-Signature" | "X-Amz-Credential")
    });
    match authorization {
        Some(_) if presigned => {
            let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query \
                           parameter, Signature query string parameter or the Authorization header \
                           should be specified";
            Err(AuthError::new("InvalidArgument", message))
        }
        Some(value) => {
            let value = value.to_str().map_err(|_| AuthError::unsupported())?;
            let claim = Claim::from_headers(value, request.headers)?;
            verify_claim(request, checks, &claim)
        }
        None if presigned => verify_claim(request, checks, &Claim::from_query(request.query)?),
        None if request.query.iter().any(|(name, _)| name == "AWSAccessKeyId") => {
            Err(AuthError::unsupported())
        }
        None => {
            let announced = announced_payload(request.headers);
            let payload = payload(announced.unwrap_or(UNSIGNED), request.headers, None)?;
            Ok(Verified { caller: None, payload })
        }
    }
}

fn verify_claim(request: Signed<'_>, checks: Checks<'_>, claim: &Claim) -> Result<Verified> {
    check_scope(&claim.scope, checks, claim.expires.is_some())?;
    check_signed_headers(request.headers, claim)?;
    let hash = payload_hash(request, checks, claim)?;
    let key = check_key(checks, claim)?;
    check_time(checks.now, claim)?;

    let canonical = canonical_request(request, claim, &hash);
    let scope = claim.scope.text();
    let string_to_sign =
        format!("{ALGORITHM}\n{}\n{scope}\n{}", claim.time_text, sha256_hex(canonical.as_bytes()));
    let signing_key = signing_key(&key, &claim.scope, &scope);
    let expected = crypto::hex(&hmac(&signing_key, string_to_sign.as_bytes()));
    if !same(&expected, &claim.signature) {
        return Err(AuthError::mismatch()
            .with("AWSAccessKeyId", claim.scope.access_key.clone())
            .with("StringToSign", string_to_sign.clone())
            .with("SignatureProvided", claim.signature.clone())
            .with("StringToSignBytes", spaced_hex(&string_to_sign))
            .with("CanonicalRequest", canonical.clone())
            .with("CanonicalRequestBytes", spaced_hex(&canonical)));
    }
    let signer =
        chunked::Signer::new(signing_key, claim.time_text.clone(), scope, claim.signature.clone());
    let payload = match checks.body {
        Some(_) => Payload::Unsigned,
        None => payload(&hash, request.headers, Some(signer))?,
    };
    let identity = credentials::identity(&claim.scope.access_key, &key);
    let caller = Caller { identity, key, region: claim.scope.region.clone() };
    Ok(Verified { caller: Some(caller), payload })
}

fn check_scope(scope: &Scope, checks: Checks<'_>, presigned: bool) -> Result<()> {
    if scope.service != checks.service {
        let what = format!(
            "incorrect service \"{}\". This endpoint belongs to \"{}\".",
            scope.service, checks.service
        );
        return Err(Claim::malformed(presigned, &what));
    }
    match checks.region {
        Some(region) if region != scope.region => {
            let what = format!("the region '{}' is wrong; expecting '{region}'", scope.region);
            Err(Claim::malformed(presigned, &what).with("Region", region))
        }
        _ => Ok(()),
    }
}

/// `host` and all headers of AWS have to be signed.
fn check_signed_headers(headers: &HeaderMap, claim: &Claim) -> Result<()> {
    let signed = |name: &str| claim.signed_headers.split(';').any(|known| known == name);
    let must = |name: &&str| {
        *name == "host"
            || (name.starts_with("x-amz-")
                && !(claim.expires.is_some() && *name == "x-amz-content-sha256"))
    };
    let names = headers.keys().map(http::HeaderName::as_str).filter(must);
    let missing = names.filter(|name| !signed(name)).collect::<Vec<_>>();
    if !signed("host") || !missing.is_empty() {
        return Err(AuthError::not_signed(if missing.is_empty() { &["host"] } else { &missing }));
    }
    Ok(())
}

fn announced_payload(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-content-sha256")?.to_str().ok()
}

/// What stands for the body in the canonical request.
fn payload_hash(request: Signed<'_>, checks: Checks<'_>, claim: &Claim) -> Result<String> {
    if let Some(body) = checks.body {
        return Ok(sha256_hex(body));
    }
    let announced = announced_payload(request.headers);
    if claim.expires.is_some() {
        return Ok(announced.unwrap_or(UNSIGNED).to_owned());
    }
    let announced = announced.ok_or_else(|| AuthError::missing_header("x-amz-content-sha256"))?;
    Ok(announced.to_owned())
}

fn check_key(checks: Checks<'_>, claim: &Claim) -> Result<Arc<Key>> {
    let unknown = || AuthError::unknown_key(&claim.scope.access_key);
    let key = checks.keys.get(&claim.scope.access_key).ok_or_else(unknown)?;
    match (&key.token, &claim.token) {
        (None, None) => {}
        (Some(_), None) => return Err(unknown()),
        (Some(known), Some(given)) if same(known, given) => {}
        _ => return Err(AuthError::invalid_token()),
    }
    if key.expires.is_some_and(|expires| checks.now >= expires) {
        return Err(AuthError::expired_token());
    }
    Ok(key)
}

fn check_time(now: SystemTime, claim: &Claim) -> Result<()> {
    let age = now.duration_since(claim.time);
    let Some(seconds) = claim.expires else {
        let apart = age.unwrap_or_else(|early| early.duration());
        if apart > MAX_SKEW {
            return Err(AuthError::too_skewed(&claim.time_text, now, MAX_SKEW));
        }
        return Ok(());
    };
    match age {
        Ok(age) if age.as_secs() > seconds => {
            let end = claim.time.checked_add(Duration::from_secs(seconds));
            Err(AuthError::new("AccessDenied", "Request has expired")
                .with("X-Amz-Expires", seconds.to_string())
                .with("Expires", end.map(date::extended).unwrap_or_default())
                .with("ServerTime", date::extended(now)))
        }
        Err(early) if early.duration() > MAX_SKEW => {
            Err(AuthError::new("AccessDenied", "Request is not yet valid")
                .with("ServerTime", date::extended(now)))
        }
        _ => Ok(()),
    }
}

fn canonical_request(request: Signed<'_>, claim: &Claim, hash: &str) -> String {
    let mut text = String::with_capacity(1024);
    text.push_str(request.method.as_str());
    text.push('\n');
    canonical::path(request.path, &mut text);
    text.push('\n');
    canonical::query(request.query, &mut text);
    text.push('\n');
    canonical::headers(request.headers, &claim.signed_headers, &mut text);
    text.push('\n');
    text.push_str(&claim.signed_headers);
    text.push('\n');
    text.push_str(hash);
    text
}

/// The signing key of a scope: the one that was used last is remembered with the access key.
fn signing_key(key: &Key, scope: &Scope, text: &str) -> [u8; 32] {
    let mut last = key.signing.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, signing_key)) = last.as_ref()
        && known == text
    {
        return *signing_key;
    }
    let signing_key = crypto::signing_key(&key.secret, &scope.day, &scope.region, &scope.service);
    *last = Some((text.to_owned(), signing_key));
    signing_key
}

/// What a value of `x-amz-content-sha256` says of the body.
fn payload(hash: &str, headers: &HeaderMap, signer: Option<chunked::Signer>) -> Result<Payload> {
    let framing = |signer: Option<chunked::Signer>, trailer| {
        Framing::new(signer, trailer, headers).map(Payload::Chunked)
    };
    match hash {
        UNSIGNED => Ok(Payload::Unsigned),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => framing(Some(need_signer(signer)?), false),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => framing(Some(need_signer(signer)?), true),
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => framing(None, true),
        digest if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Payload::Digest(digest.to_ascii_lowercase()))
        }
        other => {
            let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
                           STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                           STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
                           STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
            Err(AuthError::new("InvalidArgument", message)
                .with("ArgumentName", "x-amz-content-sha256")
                .with("ArgumentValue", other))
        }
    }
}

/// Signed chunks continue the signature of the head: without one there is nothing to continue.
fn need_signer(signer: Option<chunked::Signer>) -> Result<chunked::Signer> {
    signer.ok_or_else(|| AuthError::missing_header("authorization"))
}

/// Parameters of a presigned URL that are about its signature.
const PRESIGNED: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

/// Takes the signature out of a query; its other parameters of AWS stand for headers.
pub(crate) fn unwrap_presigned(query: &mut Vec<(String, String)>, headers: &mut HeaderMap) {
    query.retain(|(name, value)| {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") {
            return true;
        }
        if PRESIGNED.contains(&name.as_str()) {
            return false;
        }
        let parsed = (http::HeaderName::try_from(name), http::HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = parsed
            && let http::header::Entry::Vacant(vacant) = headers.entry(name)
        {
            vacant.insert(value);
        }
        false
    });
}

/// Checks a body against the digest that the head promised.
pub(crate) fn check_digest(promised: &str, body: &[u8]) -> Result<()> {
    let computed = sha256_hex(body);
    if same(promised, &computed) {
        return Ok(());
    }
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    Err(AuthError::new("XAmzContentSHA256Mismatch", message)
        .with("ClientComputedContentSHA256", promised)
        .with("S3ComputedContentSHA256", computed))
}

fn spaced_hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
