//! A request to S3 on its way to the state machine and back.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use hyper::body::Incoming;

use super::core::Core;
use super::exchange::{About, Broken, Exchange};
use super::target::{self, Target};
use super::{body, operation};
use crate::auth::{self, AuthError, Checks, Payload, Signed, Verified, form};
use crate::faults::{self, Fault};
use crate::http::{Request, Response};
use crate::s3;

/// An object of 5 GiB and its framing.
const MAX_BODY: u64 = (5 << 30) + (64 << 20);

/// All names and values of headers together.
const MAX_HEADERS: usize = 16 << 10;

/// Answers a request, or breaks the connection.
pub(super) async fn answer(
    core: &Arc<Core>,
    exchange: &mut Exchange<'_>,
    head: http::request::Parts,
    incoming: Incoming,
) -> Result<Response, Broken> {
    let mut request = match request_of(exchange, &head) {
        Ok(request) => request,
        Err(error) => {
            exchange.begin("Unknown".to_owned(), About::default())?;
            body::drain(incoming, &head.headers).await;
            return Ok(refusal(exchange, &error));
        }
    };
    let (bucket, key) = (request.bucket.as_deref(), request.key.as_deref());
    let name = operation::name(&head.method, bucket, key, &request.query, &head.headers);
    exchange.begin(name, About { bucket, key, query: &request.query })?;
    request.now = exchange.now;

    let verified = match verify(exchange, &request, &head) {
        Ok(verified) => verified,
        Err(error) => {
            body::drain(incoming, &head.headers).await;
            return Ok(refusal(exchange, &error));
        }
    };
    let whole = match body::read(incoming, MAX_BODY, exchange.stop_after()).await {
        Ok(whole) => whole,
        Err(body::ReadError::Stopped) => return Err(exchange.broken()),
        Err(error) => return Ok(refusal(exchange, &unread(error))),
    };
    exchange.record.bytes_in = whole.len() as u64;
    if let Some(caller) = verified.caller {
        exchange.record.signed_by = Some(caller.identity.access_key.clone());
        request.identity = Some(caller.identity);
    }
    request.headers = head.headers;
    if let Err(error) = accept(&mut request, verified.payload, whole) {
        return Ok(refusal(exchange, &error));
    }
    if let Some(response) = exchange.before().await? {
        return Ok(response);
    }
    let response = effect(core, exchange, request).await;
    exchange.after(response)
}

/// The request as far as its first line tells it.
fn request_of(exchange: &Exchange<'_>, head: &http::request::Parts) -> Result<Request, AuthError> {
    let uri = || AuthError::new("InvalidURI", "Couldn't parse the specified URI.");
    let host = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or(""),
    };
    let target = Target::parse(host, head.uri.path(), &exchange.core.domains).map_err(|_| uri())?;
    let query = target::query(head.uri.query().unwrap_or("")).map_err(|_| uri())?;
    let lengths = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    if lengths.sum::<usize>() > MAX_HEADERS {
        let message = "Your request header and query parameter's size exceeds the maximum allowed \
                       size.";
        return Err(AuthError::new("RequestHeaderSectionTooLarge", message));
    }
    Ok(Request {
        method: head.method.clone(),
        bucket: target.bucket,
        key: target.key,
        query,
        headers: HeaderMap::new(),
        trailers: HeaderMap::new(),
        body: Bytes::new(),
        now: exchange.now,
        identity: None,
        id: exchange.record.id.clone(),
    })
}

fn verify(
    exchange: &Exchange<'_>,
    request: &Request,
    head: &http::request::Parts,
) -> Result<Verified, AuthError> {
    if form::is_upload(request, &head.headers) {
        // What is signed is a field of the form.
        return Ok(Verified { caller: None, payload: Payload::Unsigned });
    }
    let unframed = head.headers.contains_key(header::TRANSFER_ENCODING)
        && !head.headers.contains_key("x-amz-decoded-content-length");
    if unframed && head.method == Method::PUT {
        let message = "You must provide the Content-Length HTTP header.";
        return Err(AuthError::new("MissingContentLength", message));
    }
    let region = region(exchange, request);
    let signed = Signed {
        method: &head.method,
        path: head.uri.path(),
        query: &request.query,
        headers: &head.headers,
    };
    auth::verify(signed, checks(exchange, region.as_deref()))
}

fn checks<'a>(exchange: &Exchange<'a>, region: Option<&'a str>) -> Checks<'a> {
    Checks { keys: &exchange.core.keys, now: exchange.now, service: "s3", region, body: None }
}

/// The region that has to be signed for: that of the bucket.
fn region(exchange: &Exchange<'_>, request: &Request) -> Option<String> {
    let bucket = request.bucket.as_deref()?;
    if exchange.record.operation == "CreateBucket" {
        return None;
    }
    exchange.core.store().state.bucket_region(bucket).map(str::to_owned)
}

/// The form that a request uploads, if it does.
fn verify_form(
    exchange: &mut Exchange<'_>,
    request: &mut Request,
) -> Result<Option<form::Upload>, AuthError> {
    let region = region(exchange, request);
    let form = form::verify(request, checks(exchange, region.as_deref()))?;
    if let Some(form) = &form {
        exchange.record.signed_by =
            form.identity.as_ref().map(|identity| identity.access_key.clone());
        request.identity.clone_from(&form.identity);
    }
    Ok(form)
}

/// Takes the body in, as the head promised it, and leaves out what was for the signature only.
fn accept(request: &mut Request, payload: Payload, body: Vec<u8>) -> Result<(), AuthError> {
    match payload {
        Payload::Unsigned => request.body = body.into(),
        Payload::Digest(promised) => {
            auth::check_digest(&promised, &body)?;
            request.body = body.into();
        }
        Payload::Chunked(framing) => {
            (request.body, request.trailers) = framing.decode(body)?;
            remove_chunked(&mut request.headers);
        }
    }
    auth::unwrap_presigned(&mut request.query, &mut request.headers);
    Ok(())
}

/// Takes `aws-chunked` out of Content-Encoding: the object does not have it.
fn remove_chunked(headers: &mut HeaderMap) {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return };
    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let kept = value.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked");
    let kept = kept.collect::<Vec<_>>().join(",");
    match HeaderValue::from_str(&kept) {
        Ok(kept) if !kept.is_empty() => {
            headers.insert(header::CONTENT_ENCODING, kept);
        }
        _ => {
            headers.remove(header::CONTENT_ENCODING);
        }
    }
}

/// Carries a request out.
async fn effect(core: &Arc<Core>, exchange: &mut Exchange<'_>, mut request: Request) -> Response {
    let fault = exchange.record.fault.clone();
    if fault == Some(Fault::RangeIgnored) {
        request.headers.remove(header::RANGE);
    }
    let form = match verify_form(exchange, &mut request) {
        Ok(form) => form,
        Err(error) => return refusal(exchange, &error),
    };
    let changes = !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS)
        || fault == Some(Fault::EtagChange);
    let (mut response, change) = {
        let mut store = core.store();
        store.changes += u64::from(changes);
        if fault == Some(Fault::EtagChange) {
            replace_content(&mut store.state, &request);
        }
        let response = match form {
            Some(form) => s3::post_object(&mut store.state, &request, &form.fields, form.file),
            None => s3::handle(&mut store.state, &request),
        };
        (response, store.changes)
    };
    if changes && let Err(error) = core.save(change).await {
        let mut response = exchange.error(500, "InternalError");
        if let Ok(why) = HeaderValue::from_str(&error.to_string()) {
            response.headers.insert("x-emulator-error", why);
        }
        return response;
    }
    if let Some(fault) = &fault {
        faults::alter(fault, &request, &mut response);
    }
    response
}

/// Puts other content of the same length in the place of an object.
fn replace_content(state: &mut s3::S3State, request: &Request) {
    let mut read = request.clone();
    for name in ["range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] {
        read.headers.remove(name);
    }
    read.query.clear();
    let found = s3::handle(state, &read);
    if found.status != StatusCode::OK {
        return;
    }
    let mut write = read;
    write.method = Method::PUT;
    write.body = found.body.iter().map(|byte| !byte).collect::<Vec<_>>().into();
    let kept = found.headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        name.starts_with("x-amz-meta-") || name == "x-amz-storage-class" || is_kept(name)
    });
    write.headers = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    s3::handle(state, &write);
}

fn is_kept(name: &str) -> bool {
    name.starts_with("content-") && !matches!(name, "content-length" | "content-range")
        || matches!(name, "cache-control" | "expires")
}

fn unread(error: body::ReadError) -> AuthError {
    match error {
        body::ReadError::TooLarge => {
            let message = "Your proposed upload exceeds the maximum allowed size";
            AuthError::new("EntityTooLarge", message)
        }
        _ => AuthError::incomplete_body(),
    }
}

/// The error document of a request that does not come to the state machine.
fn refusal(exchange: &Exchange<'_>, error: &AuthError) -> Response {
    let record = &exchange.record;
    let mut response = s3::error_response(&record.id, error.code, &error.message, &record.path);
    let mut details = String::new();
    for (name, value) in &error.details {
        let value = faults::escape(value);
        details.push_str(&format!("<{name}>{value}</{name}>"));
        if *name == "Region"
            && let Ok(region) = HeaderValue::from_str(&value)
        {
            response.headers.insert("x-amz-bucket-region", region);
        }
    }
    let mut document = String::from_utf8_lossy(&response.body).into_owned();
    if let Some(at) = document.find("<Resource>") {
        document.insert_str(at, &details);
    }
    response.body = document.into();
    response
}
