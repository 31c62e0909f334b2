//! The examples of the documentation of Signature Version 4 for S3.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers fail as tests do")]

mod common;

use common::{Answer, Call, start};
use polycloud_emulator::{Credentials, Emulator, EmulatorClock};

const SCOPE: &str = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const HOST: &str = "examplebucket.s3.amazonaws.com";

fn emulator() -> Emulator {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let emulator = Emulator::builder()
        .clock(EmulatorClock::manual(start()))
        .test_credentials(Credentials::new("AKIAIOSFODNN7EXAMPLE", secret))
        .build()
        .unwrap();
    emulator.create_bucket("examplebucket").unwrap();
    emulator
}

fn call(method: &'static str, target: &str, sha256: &str, signed: &str, signature: &str) -> Call {
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders={signed},Signature={signature}");
    Call::new(method, target)
        .header("host", HOST)
        .header("authorization", authorization)
        .header("x-amz-content-sha256", sha256)
        .header("x-amz-date", "20130524T000000Z")
}

fn put() -> Call {
    call(
        "PUT",
        "/test$file.text",
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    )
    .header("date", "Fri, 24 May 2013 00:00:00 GMT")
    .header("x-amz-storage-class", "REDUCED_REDUNDANCY")
    .body("Welcome to Amazon S3.")
}

fn get() -> Call {
    let signed = "host;range;x-amz-content-sha256;x-amz-date";
    let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    call("GET", "/test.txt", EMPTY, signed, signature).header("range", "bytes=0-9")
}

const PRESIGNED: &str = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
    &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

/// The example itself is accepted, and the same with one digit of the signature changed is not.
async fn check(call: Call, status: u16, code: &str) -> Answer {
    let emulator = emulator();
    let answer = call.to(&emulator).await;
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    let mut changed = call;
    for (name, value) in &mut changed.headers {
        if name == "authorization" {
            let last = value.pop().unwrap();
            value.push(if last == '0' { '1' } else { '0' });
        }
    }
    changed.target = changed.target.replace("aeeed", "beeed");
    let refused = changed.to(&emulator).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "SignatureDoesNotMatch"));
    answer
}

#[tokio::test]
async fn get_object() {
    check(get(), 404, "NoSuchKey").await;
}

#[tokio::test]
async fn put_object() {
    check(put(), 200, "").await;
}

#[tokio::test]
async fn get_lifecycle() {
    let signed = "host;x-amz-content-sha256;x-amz-date";
    let signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    let call = call("GET", "/?lifecycle", EMPTY, signed, signature);
    check(call, 404, "NoSuchLifecycleConfiguration").await;
}

#[tokio::test]
async fn list_objects() {
    let signed = "host;x-amz-content-sha256;x-amz-date";
    let signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    let call = call("GET", "/?max-keys=2&prefix=J", EMPTY, signed, signature);
    let answer = check(call, 200, "").await;
    assert_eq!(answer.element("MaxKeys").as_deref(), Some("2"));
}

#[tokio::test]
async fn presigned() {
    let call = Call::new("GET", PRESIGNED).header("host", HOST);
    check(call, 404, "NoSuchKey").await;
}

fn chunked(kind: &str, signed: &str, signature: &str, chunks: [&str; 3]) -> Call {
    let mut body = Vec::new();
    for (length, signature) in [65_536, 1024, 0].into_iter().zip(chunks) {
        body.extend(format!("{length:x};chunk-signature={signature}\r\n").into_bytes());
        body.extend(vec![b'a'; length]);
        if length > 0 {
            body.extend(b"\r\n");
        }
    }
    call("PUT", "/examplebucket/chunkObject.txt", kind, signed, signature)
        .header("host", "s3.amazonaws.com")
        .header("x-amz-storage-class", "REDUCED_REDUNDANCY")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", "66560")
        .body(body)
}

const CHUNKS: [&str; 3] = [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
];

fn signed_chunks() -> Call {
    let mut call = chunked(
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;\
         x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        CHUNKS,
    );
    call.body.extend(b"\r\n");
    assert_eq!(call.body.len(), 66_824);
    call.header("content-length", "66824")
}

#[tokio::test]
async fn upload_in_signed_chunks() {
    check(signed_chunks(), 200, "").await;
}

#[tokio::test]
async fn a_chunk_that_was_changed() {
    let emulator = emulator();
    for at in [100, 66_000] {
        let mut call = signed_chunks();
        call.body[at] = b'b';
        let refused = call.to(&emulator).await;
        assert_eq!(refused.code(), "SignatureDoesNotMatch", "{at}");
    }
    let object = "/examplebucket/chunkObject.txt";
    let answer = Call::new("HEAD", object).sign(emulator.credentials()).to(&emulator).await;
    assert_eq!(answer.status, 404);
}

fn signed_trailer() -> Call {
    let mut call = chunked(
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        [
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ],
    );
    call.body.extend(
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n\
          x-amz-trailer-signature:\
          d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
    );
    call.header("x-amz-trailer", "x-amz-checksum-crc32c")
}

#[tokio::test]
async fn upload_with_a_signed_trailer() {
    check(signed_trailer(), 200, "").await;
}

#[tokio::test]
async fn a_trailer_that_was_changed() {
    let emulator = emulator();
    let mut call = signed_trailer();
    let text = String::from_utf8(call.body).unwrap();
    call.body = text.replace("sOO8/Q==", "sOO8/A==").into_bytes();
    assert_eq!(call.to(&emulator).await.code(), "SignatureDoesNotMatch");
}
