use std::time::UNIX_EPOCH;

use bytes::Bytes;
use polycloud_wire::time::parse_compact;

use super::*;

mod documented;
mod peer;
mod suite;

fn credentials(id: &str, secret: &str, token: &str) -> Credentials {
    let token = (!token.is_empty()).then(|| polycloud_wire::redact::Secret::new(token));
    Credentials::new(id, &polycloud_wire::redact::Secret::new(secret), token.as_ref()).unwrap()
}

fn at(stamp: &str) -> SystemTime {
    parse_compact(stamp).unwrap()
}

/// The signature in the header, as text.
fn signature(request: &http::Request<RequestBody>) -> String {
    let value = request.headers()[AUTHORIZATION].to_str().unwrap();
    value.split_once("Signature=").unwrap().1.to_owned()
}

fn request(method: &str, url: &str) -> http::Request<RequestBody> {
    http::Request::builder().method(method).uri(url).body(RequestBody::empty()).unwrap()
}

#[test]
fn keys_are_derived_once_a_day_and_never_mixed() {
    let signer = SigV4::new("us-east-1", "s3");
    let (one, other) = (credentials("A", "secret-1", ""), credentials("A", "secret-2", ""));
    let today = Stamp::new(at("20260101T235959Z"));
    let tomorrow = Stamp::new(at("20260102T000000Z"));
    let first = signer.key(&one, &today);
    assert!(std::sync::Arc::ptr_eq(&first, &signer.key(&one, &today)));
    assert!(!std::sync::Arc::ptr_eq(&first, &signer.key(&one, &tomorrow)));
    assert_eq!(signer.key(&one, &tomorrow).scope(), "20260102/us-east-1/s3/aws4_request");
    let signed = |credentials: &Credentials| {
        let mut request = request("GET", "https://host.example/k");
        signer.sign(&mut request, credentials, UNIX_EPOCH).unwrap();
        signature(&request)
    };
    let (a, b) = (signed(&one), signed(&other));
    assert_ne!(a, b);
    assert_eq!((signed(&one), signed(&other)), (a, b));
}

#[test]
fn signing_again_replaces_what_was_signed() {
    let signer = SigV4::new("us-east-1", "s3");
    let temporary = credentials("A", "secret", "token");
    let lasting = credentials("B", "secret", "");
    let mut twice = request("GET", "https://host.example/k");
    signer.sign(&mut twice, &temporary, at("20260101T000000Z")).unwrap();
    signer.sign(&mut twice, &lasting, at("20260101T000100Z")).unwrap();
    let mut once = request("GET", "https://host.example/k");
    signer.sign(&mut once, &lasting, at("20260101T000100Z")).unwrap();
    assert_eq!(twice.headers(), once.headers());
}

#[test]
fn secrets_are_not_printed() {
    let signer = SigV4::new("us-east-1", "s3");
    let credentials = credentials("AKID", "c4n4ry-key", "c4n4ry-token");
    let mut request = request("GET", "https://host.example/k");
    signer.sign(&mut request, &credentials, UNIX_EPOCH).unwrap();
    let signed = signature(&request);
    let shown = format!("{signer:?} {credentials:?} {request:?}");
    assert!(!shown.contains("c4n4ry") && !shown.contains(&signed), "{shown}");
}

#[test]
fn the_host_is_what_a_client_sends() {
    for (url, expected) in [
        ("http://h.example:80/", "h.example"),
        ("https://h.example:443/", "h.example"),
        ("https://h.example:80/", "h.example:80"),
        ("http://h.example:443/", "h.example:443"),
        ("http://127.0.0.1:9000/a", "127.0.0.1:9000"),
        ("http://[::1]:80/a", "[::1]"),
    ] {
        assert_eq!(host(&url.parse().unwrap()).unwrap(), expected, "{url}");
    }
    assert!(host(&"/relative".parse().unwrap()).is_err());
}

#[test]
fn many_headers_and_parameters_are_signed_like_few() {
    let signer = SigV4::new("us-east-1", "s3");
    let credentials = credentials("A", "secret", "");
    let query: Vec<String> = (0..50).map(|n| format!("p{n}=")).collect();
    let url = format!("https://host.example/?{}", query.join("&"));
    let mut request = request("GET", &url);
    for n in 0..50 {
        let name: HeaderName = format!("x-amz-meta-{n}").parse().unwrap();
        request.headers_mut().insert(name, HeaderValue::from_static("v"));
    }
    signer.sign(&mut request, &credentials, UNIX_EPOCH).unwrap();
    let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
    let (_, names) = authorization.split_once("SignedHeaders=").unwrap();
    let names: Vec<&str> = names.split(", ").next().unwrap().split(';').collect();
    assert_eq!(names.len(), 53);
    assert!(names.is_sorted());
}

#[test]
fn what_others_may_change_is_not_signed() {
    let signer = SigV4::new("us-east-1", "s3");
    let credentials = credentials("A", "secret", "");
    let mut plain = request("GET", "https://host.example/k");
    signer.sign(&mut plain, &credentials, UNIX_EPOCH).unwrap();
    let mut more = request("GET", "https://host.example/k");
    for name in ["range", "if-match", "user-agent", "expect", "content-length"] {
        more.headers_mut().insert(name, HeaderValue::from_static("1"));
    }
    signer.sign(&mut more, &credentials, UNIX_EPOCH).unwrap();
    assert_eq!(signature(&plain), signature(&more));
    for name in ["content-type", "content-md5", "x-amz-anything"] {
        let mut other = request("GET", "https://host.example/k");
        other.headers_mut().insert(name, HeaderValue::from_static("1"));
        signer.sign(&mut other, &credentials, UNIX_EPOCH).unwrap();
        assert_ne!(signature(&plain), signature(&other), "{name}");
    }
}

#[test]
fn a_body_of_another_service_is_hashed() {
    let signer = SigV4::new("us-east-1", "sts");
    let credentials = credentials("A", "secret", "");
    let signed = |body: &'static str| {
        let mut request = http::Request::builder()
            .method("POST")
            .uri("https://host.example/")
            .body(RequestBody::from(Bytes::from_static(body.as_bytes())))
            .unwrap();
        signer.sign(&mut request, &credentials, UNIX_EPOCH).unwrap();
        assert!(!request.headers().contains_key(CONTENT_SHA256));
        signature(&request)
    };
    assert_ne!(signed("Action=A"), signed("Action=B"));
}
