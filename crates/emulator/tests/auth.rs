//! Which signatures are accepted, and how the others are refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers fail as tests do")]

mod common;

use std::time::Duration;

use aws_sigv4::http_request::SignableBody;
use common::{Answer, Call, connect, emulator, get, put, start};
use polycloud_emulator::{Credentials, Emulator};
use proptest::prelude::*;

/// Refused with this status and code.
fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    assert_eq!(answer.element("RequestId").as_deref(), answer.header("x-amz-request-id"));
}

fn read(emulator: &Emulator) -> Call {
    Call::new("GET", "/bucket/key").sign(emulator.credentials())
}

/// Changes the value of a header after it was signed.
fn tamper(call: Call, name: &str, change: impl Fn(&str) -> String) -> Call {
    let (_, value) = call.headers.iter().find(|(known, _)| known == name).unwrap();
    let value = change(value);
    call.header(name, value)
}

#[tokio::test]
async fn a_signed_request_is_answered() {
    let emulator = emulator();
    assert_eq!(put(&emulator, "key", "content").await.status, 200);
    let answer = get(&emulator, "key").await;
    assert_eq!((answer.status, answer.text()), (200, "content"));
    assert_eq!(answer.header("date"), Some("Fri, 24 May 2013 00:00:00 GMT"));
    let requests = emulator.journal().requests();
    let key = emulator.credentials().access_key.as_str();
    assert!(requests.iter().all(|request| request.signed_by.as_deref() == Some(key)));
}

#[tokio::test]
async fn who_is_refused() {
    let emulator = emulator();
    let known = emulator.credentials();
    let anonymous = Call::new("GET", "/bucket/key").to(&emulator).await;
    assert_refused(&anonymous, 403, "AccessDenied");

    let stranger = Credentials::new("AKIASTRANGER", &known.secret_key);
    let answer = Call::new("GET", "/bucket/key").sign(&stranger).to(&emulator).await;
    assert_refused(&answer, 403, "InvalidAccessKeyId");
    assert_eq!(answer.element("AWSAccessKeyId").as_deref(), Some("AKIASTRANGER"));

    let wrong = Credentials::new(&known.access_key, "wrong");
    let answer = Call::new("GET", "/bucket/a&b?x-id=1").sign(&wrong).to(&emulator).await;
    assert_refused(&answer, 403, "SignatureDoesNotMatch");
    let canonical = answer.element("CanonicalRequest").unwrap();
    assert!(canonical.starts_with("GET\n/bucket/a%26b\nx-id=1\nhost:127.0.0.1\n"), "{canonical}");
    let string = answer.element("StringToSign").unwrap();
    let expected = "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n";
    assert!(string.starts_with(expected), "{string}");

    let mut session = known.clone();
    session.session_token = Some("made up".to_owned());
    let answer = Call::new("GET", "/bucket/key").sign(&session).to(&emulator).await;
    assert_refused(&answer, 400, "InvalidToken");
}

#[tokio::test]
async fn further_accounts_have_their_own_buckets() {
    let other = Credentials::new("AKIAOTHER", "secret of the other");
    let emulator = Emulator::builder()
        .clock(polycloud_emulator::EmulatorClock::manual(start()))
        .credentials(other.clone())
        .build()
        .unwrap();
    emulator.create_bucket("bucket").unwrap();
    let answer = Call::new("PUT", "/bucket").sign(&other).to(&emulator).await;
    assert_refused(&answer, 409, "BucketAlreadyExists");
    let answer = Call::new("GET", "/bucket/key").sign(&other).to(&emulator).await;
    assert_refused(&answer, 403, "AccessDenied");
    assert_eq!(Call::new("PUT", "/others").sign(&other).to(&emulator).await.status, 200);
}

#[tokio::test]
async fn everything_signed_is_verified() {
    let emulator = emulator();
    let mismatch = "SignatureDoesNotMatch";
    let mut other_path = read(&emulator);
    other_path.target = "/bucket/other".to_owned();
    assert_refused(&other_path.to(&emulator).await, 403, mismatch);
    let mut other_query = read(&emulator);
    other_query.target.push_str("?versionId=null");
    assert_refused(&other_query.to(&emulator).await, 403, mismatch);
    let mut other_method = read(&emulator);
    other_method.method = "DELETE";
    assert_refused(&other_method.to(&emulator).await, 403, mismatch);
    let other_host = read(&emulator).header("host", "localhost");
    assert_refused(&other_host.to(&emulator).await, 403, mismatch);
    let ranged = Call::new("GET", "/bucket/key").header("range", "bytes=0-1");
    let ranged = ranged.sign(emulator.credentials()).header("range", "bytes=0-2");
    assert_refused(&ranged.to(&emulator).await, 403, mismatch);

    let unsigned = read(&emulator).header("x-amz-meta-late", "1").to(&emulator).await;
    assert_refused(&unsigned, 403, "AccessDenied");
    assert_eq!(unsigned.element("HeadersNotSigned").as_deref(), Some("x-amz-meta-late"));
    let no_host = tamper(read(&emulator), "authorization", |value| value.replace("host;", ""));
    let answer = no_host.to(&emulator).await;
    assert_refused(&answer, 403, "AccessDenied");
    assert_eq!(answer.element("HeadersNotSigned").as_deref(), Some("host"));
    assert_eq!(emulator.journal().requests().iter().filter(|r| r.signed_by.is_some()).count(), 0);
}

#[tokio::test]
async fn the_body_is_the_signed_one() {
    let emulator = emulator();
    let call = || Call::new("PUT", "/bucket/key").body("content");
    let mut changed = call().sign(emulator.credentials());
    changed.body = b"Content".to_vec();
    let answer = changed.to(&emulator).await;
    assert_refused(&answer, 400, "XAmzContentSHA256Mismatch");
    assert_eq!(get(&emulator, "key").await.status, 404);

    let mut unsigned = call();
    unsigned.payload = Some(SignableBody::UnsignedPayload);
    let mut unsigned = unsigned.sign(emulator.credentials());
    unsigned.body = b"CONTENT".to_vec();
    assert_eq!(unsigned.to(&emulator).await.status, 200);
    assert_eq!(get(&emulator, "key").await.text(), "CONTENT");

    let mut none = call().sign(emulator.credentials());
    none.headers.retain(|(name, _)| name != "x-amz-content-sha256");
    let answer = none.to(&emulator).await;
    // The header is said to be signed, and it is not there.
    assert_refused(&answer, 400, "MissingSecurityHeader");
    let odd = tamper(call().sign(emulator.credentials()), "x-amz-content-sha256", |_| "odd".into());
    assert_refused(&odd.to(&emulator).await, 403, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn times_are_close() {
    let emulator = emulator();
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let at = |time| Call::new("GET", "/bucket/key").at(time).sign(emulator.credentials());
    for good in [start() - minutes(15), start() + minutes(15)] {
        assert_refused(&at(good).to(&emulator).await, 404, "NoSuchKey");
    }
    for bad in [start() - minutes(16), start() + minutes(16)] {
        let answer = at(bad).to(&emulator).await;
        assert_refused(&answer, 403, "RequestTimeTooSkewed");
        assert_eq!(answer.element("ServerTime").as_deref(), Some("2013-05-24T00:00:00Z"));
    }
    let call = at(start());
    emulator.clock().advance(minutes(16));
    assert_refused(&call.to(&emulator).await, 403, "RequestTimeTooSkewed");
    let dateless = {
        let mut call = at(start());
        call.headers.retain(|(name, _)| name != "x-amz-date");
        call
    };
    assert_refused(&dateless.to(&emulator).await, 403, "AccessDenied");
}

#[tokio::test]
async fn malformed_authorization() {
    let emulator = emulator();
    let malformed = "AuthorizationHeaderMalformed";
    let mut west = Call::new("GET", "/bucket/key");
    west.region = "us-west-2";
    let answer = west.clone().sign(emulator.credentials()).to(&emulator).await;
    assert_refused(&answer, 400, malformed);
    assert_eq!(answer.element("Region").as_deref(), Some("us-east-1"));
    assert_eq!(answer.header("x-amz-bucket-region"), Some("us-east-1"));
    west.target = "/missing".to_owned();
    let answer = west.sign(emulator.credentials()).to(&emulator).await;
    assert_refused(&answer, 404, "NoSuchBucket");

    let mut ec2 =
        Call::new("GET", "/bucket/key").header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    ec2.service = "ec2";
    assert_refused(&ec2.sign(emulator.credentials()).to(&emulator).await, 400, malformed);
    for (from, to) in [
        ("20130524/", "20130525/"),
        ("20130524/", "2013/"),
        ("aws4_request", "aws3_request"),
        ("Credential=", "Other="),
        ("SignedHeaders=", "Other="),
        ("Signature=", "Other="),
    ] {
        let call = tamper(read(&emulator), "authorization", |value| value.replace(from, to));
        assert_refused(&call.to(&emulator).await, 400, malformed);
    }
    for other in ["AWS AKIA:c2lnbmF0dXJl", "Bearer token", "AWS4-ECDSA-P256-SHA256 Credential=a"] {
        let call = Call::new("GET", "/bucket/key").header("authorization", other);
        assert_refused(&call.to(&emulator).await, 400, "InvalidRequest");
    }
}

#[tokio::test]
async fn presigned_urls() {
    let emulator = emulator();
    put(&emulator, "key", "content").await;
    let hour = Duration::from_secs(3600);
    let url = Call::new("GET", "/bucket/key").presign(emulator.credentials(), hour);
    assert_eq!(url.to(&emulator).await.text(), "content");
    let upload = Call::new("PUT", "/bucket/new").presign(emulator.credentials(), hour).body("new");
    assert_eq!(upload.to(&emulator).await.status, 200);
    assert_eq!(get(&emulator, "new").await.text(), "new");

    let mut changed = url.clone();
    changed.target = changed.target.replace("/key", "/new");
    assert_refused(&changed.to(&emulator).await, 403, "SignatureDoesNotMatch");
    let longer = Call { target: url.target.replace("Expires=3600", "Expires=3601"), ..url.clone() };
    assert_refused(&longer.to(&emulator).await, 403, "SignatureDoesNotMatch");
    let twice = url.clone().header("authorization", "AWS4-HMAC-SHA256 Credential=a");
    assert_refused(&twice.to(&emulator).await, 400, "InvalidArgument");

    emulator.clock().advance(hour);
    assert_eq!(url.to(&emulator).await.status, 200);
    emulator.clock().advance(Duration::from_secs(1));
    let answer = url.to(&emulator).await;
    assert_refused(&answer, 403, "AccessDenied");
    assert_eq!(answer.element("Message").as_deref(), Some("Request has expired"));
    assert_eq!(answer.element("Expires").as_deref(), Some("2013-05-24T01:00:00Z"));
}

#[tokio::test]
async fn malformed_presigned_urls() {
    let emulator = emulator();
    let week = Duration::from_secs(604_800);
    let url = Call::new("GET", "/bucket/key").presign(emulator.credentials(), week);
    assert_refused(&url.to(&emulator).await, 404, "NoSuchKey");
    for (from, to) in [
        ("Expires=604800", "Expires=604801"),
        ("Expires=604800", "Expires=0"),
        ("Expires=604800", "Expires=-1"),
        ("Expires=604800", "Expires=soon"),
        ("X-Amz-Expires=604800", "x=y"),
        ("X-Amz-Date=20130524T000000Z", "X-Amz-Date=today"),
        ("20130524%2F", "20130525%2F"),
        ("us-east-1", "us-west-2"),
        ("X-Amz-Signature=", "x="),
    ] {
        let changed = Call { target: url.target.replace(from, to), ..url.clone() };
        assert_ne!(changed.target, url.target);
        let answer = changed.to(&emulator).await;
        assert_refused(&answer, 400, "AuthorizationQueryParametersError");
    }
    let early = Call::new("GET", "/bucket/key").at(start() + week);
    let answer = early.presign(emulator.credentials(), week).to(&emulator).await;
    assert_refused(&answer, 403, "AccessDenied");
}

#[tokio::test]
async fn parameters_of_presigned_urls_stand_for_headers() {
    let emulator = emulator();
    let call = Call::new("PUT", "/bucket/key?x-amz-meta-colour=blue").body("content");
    let call = call.presign(emulator.credentials(), Duration::from_secs(60));
    assert_eq!(call.to(&emulator).await.status, 200);
    assert_eq!(get(&emulator, "key").await.header("x-amz-meta-colour"), Some("blue"));
}

/// A body in unsigned chunks, with a trailer.
fn chunks(framed: &str, decoded: usize) -> Call {
    let mut call = Call::new("PUT", "/bucket/key")
        .header("content-encoding", "aws-chunked,gzip")
        .header("x-amz-decoded-content-length", decoded.to_string())
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .body(framed);
    call.payload = Some(SignableBody::StreamingUnsignedPayloadTrailer);
    call
}

#[tokio::test]
async fn unsigned_chunks_with_a_trailer() {
    let emulator = emulator();
    let framed = "7\r\ncontent\r\n0\r\nx-amz-checksum-crc32:/sUwqQ==\r\n\r\n";
    let send = async |call: Call| call.sign(emulator.credentials()).to(&emulator).await;
    let wrong = framed.replace("/sUwqQ==", "AAAAAA==");
    assert_refused(&send(chunks(&wrong, 7)).await, 400, "BadDigest");
    assert_refused(&send(chunks(framed, 8)).await, 400, "IncompleteBody");
    assert_refused(&send(chunks("7\r\ncont", 7)).await, 400, "IncompleteBody");
    let silent = "7\r\ncontent\r\n0\r\n\r\n";
    assert_refused(&send(chunks(silent, 7)).await, 400, "MalformedTrailerError");
    let mut lengthless = chunks(framed, 7);
    lengthless.headers.retain(|(name, _)| name != "x-amz-decoded-content-length");
    assert_refused(&send(lengthless).await, 411, "MissingContentLength");
    assert_eq!(get(&emulator, "key").await.status, 404);

    let good = send(chunks(framed, 7)).await;
    assert_eq!(good.status, 200, "{}", good.text());
    let answer = get(&emulator, "key").await;
    assert_eq!(answer.text(), "content");
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn anonymous_requests_to_a_public_bucket() {
    let emulator = emulator();
    put(&emulator, "key", "content").await;
    emulator.make_bucket_public("bucket").unwrap();
    let answer = Call::new("GET", "/bucket/key").to(&emulator).await;
    assert_eq!((answer.status, answer.text()), (200, "content"));
    assert_eq!(emulator.journal().requests().last().unwrap().signed_by, None);
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let emulator = emulator();
    let mut io = connect(&emulator);
    for number in 0..10 {
        let call = Call::new("PUT", format!("/bucket/{number}")).body(number.to_string());
        assert_eq!(call.sign(emulator.credentials()).send(&mut io).await.status, 200);
        // Refused with its body read, so that the connection goes on.
        let refused = Call::new("PUT", "/bucket/no").body("x".repeat(100_000));
        assert_refused(&refused.send(&mut io).await, 403, "AccessDenied");
    }
    assert_eq!(emulator.journal().count("PutObject"), 20);
}

/// Percent-encodes as clients of S3 do.
fn encode(text: &str, slash: bool) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slash && byte == b'/')
    };
    let one = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(one).collect()
}

fn key() -> impl Strategy<Value = String> {
    let odd = "[ -~\u{1}-\u{1f}\u{80}-\u{17f}\u{1f600}]{1,40}";
    let paths = "(/|\\.|\\.\\.|%|%2F|\\+| |a|é|;|=|&|\\?|#|:|\\*){1,12}";
    prop_oneof![odd, paths, any::<String>()]
        .prop_filter("S3 limits keys", |key| !key.is_empty() && key.len() <= 1024)
        .prop_filter("the end of the path", |key| !key.contains('\0'))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn odd_keys_and_queries_agree_with_the_signer_of_aws(
        key in key(),
        query in proptest::collection::vec(("[a-zA-Z~ é+-]{1,8}", any::<String>()), 0..4),
        meta in "[!-~]{1,8}( {1,3}[!-~]{1,8}){0,3}",
        presign in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let emulator = emulator();
            let path = format!("/bucket/{}", encode(&key, true));
            let query = query.iter().map(|(name, value)| format!("q{}={}", encode(name, false), encode(value, false)));
            let query = query.collect::<Vec<_>>().join("&");
            let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
            let call = Call::new("PUT", target).header("x-amz-meta-m", meta.clone()).body("content");
            let call = if presign {
                call.presign(emulator.credentials(), Duration::from_secs(60))
            } else {
                call.sign(emulator.credentials())
            };
            let answer = call.to(&emulator).await;
            prop_assert_eq!(answer.status, 200, "{}", answer.text());
            let answer = Call::new("GET", path).sign(emulator.credentials()).to(&emulator).await;
            prop_assert_eq!((answer.status, answer.text()), (200, "content"));
            prop_assert_eq!(answer.header("x-amz-meta-m"), Some(meta.as_str()));
            let list = Call::new("GET", "/bucket?list-type=2&encoding-type=url");
            let listed = list.sign(emulator.credentials()).to(&emulator).await.element("Key").unwrap();
            let listed = percent_encoding::percent_decode_str(&listed.replace('+', " ")).decode_utf8().unwrap().into_owned();
            prop_assert_eq!(listed, key.clone());
            Ok(())
        })?;
    }
}
