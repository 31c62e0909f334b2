//! What the conformance suite has no word for, on the emulator.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use polycloud_core::ErrorKind;
use polycloud_core::object::{
    Attributes, CopyOptions, HeadOptions, Key, MultipartStore, ObjectStore, ObjectStoreExt,
    Payload, Precondition, PutOptions, Revision, SignOptions, Signer, Tags,
};
use polycloud_emulator::Emulator;
use polycloud_wire::client::{HttpClient, HyperClient, RequestBody};

use super::{PostPolicy, S3Store};
use crate::{Preset, S3Config, Session};

const MIB: usize = 1024 * 1024;

async fn emulator() -> Emulator {
    let emulator = Emulator::start().await.unwrap();
    emulator.create_bucket("bucket").unwrap();
    emulator
}

fn config(emulator: &Emulator) -> S3Config {
    let account = emulator.credentials();
    S3Config::new("bucket")
        .with_endpoint(emulator.s3_url())
        .with_region("us-east-1")
        .with_preset(Preset::Aws)
        .with_credentials(&*account.access_key, &*account.secret_key)
}

async fn open(emulator: &Emulator) -> S3Store {
    config(emulator).open(&Session::new()).await.unwrap()
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn described() -> PutOptions {
    let attributes = Attributes::new().with_content_type("text/x-test").unwrap();
    PutOptions::default()
        .with_attributes(attributes.with_metadata("colour", "grün").unwrap())
        .with_tags(Tags::new().with("team", "blue").unwrap())
}

/// Sends a request without credentials, and returns status and body.
async fn send(request: http::Request<RequestBody>) -> (u16, Bytes) {
    let mut response = HyperClient::new().send(request).await.unwrap();
    let mut body = Vec::new();
    while let Some(chunk) = response.body_mut().next_chunk().await.unwrap() {
        body.extend_from_slice(&chunk);
    }
    (response.status().as_u16(), body.into())
}

async fn use_url(store: &S3Store, name: &str, method: Method, body: &'static str) -> (u16, Bytes) {
    let options = SignOptions::new(method.clone(), Duration::from_secs(60));
    let signed = store.sign(&key(name), &options).await.unwrap();
    let request = http::Request::builder().method(method).uri(signed.expose());
    send(request.body(RequestBody::from(Bytes::from_static(body.as_bytes()))).unwrap()).await
}

#[tokio::test]
async fn a_large_object_is_copied_by_parts_with_all_that_belongs_to_it() {
    let emulator = emulator().await;
    let mut store = open(&emulator).await;
    let content: Vec<u8> = (0..=250).cycle().take(17 * MIB).collect();
    store.put(&key("large"), Payload::from(content.clone()), &described()).await.unwrap();
    store.limit_puts(6 * MIB as u64);
    let from = key("large").into();
    let copied = store.copy(&from, &key("copy"), &CopyOptions::default()).await.unwrap();
    assert_eq!(copied.size, content.len() as u64);
    assert_eq!(emulator.journal().count("UploadPartCopy"), 3);
    assert!(store.get_bytes(&key("copy")).await.unwrap() == content);
    let meta = store.head(&key("copy"), &HeadOptions::default().with_tags(true)).await.unwrap();
    assert_eq!(meta.attributes.unwrap(), described().attributes);
    assert_eq!(meta.tags.unwrap(), described().tags);

    let absent = CopyOptions::default().with_precondition(Precondition::IfAbsent);
    let error = store.copy(&from, &key("copy"), &absent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(store.uploads("", None).await.unwrap().uploads.is_empty(), "and nothing is left");
}

#[tokio::test]
async fn urls_grant_what_they_were_signed_for_and_no_more() {
    let emulator = emulator().await;
    let store = open(&emulator).await;
    for name in ["plain", "a//../b c+ü%", "=?&#"] {
        assert_eq!(use_url(&store, name, Method::PUT, "content").await.0, 200, "{name}");
        assert_eq!(use_url(&store, name, Method::GET, "").await, (200, "content".into()));
        assert_eq!(use_url(&store, name, Method::HEAD, "").await.0, 200);
        assert_eq!(use_url(&store, name, Method::DELETE, "").await.0, 204);
        assert_eq!(use_url(&store, name, Method::GET, "").await.0, 404);
    }
    let options = SignOptions::new(Method::GET, Duration::from_secs(60));
    let signed = store.sign(&key("k"), &options).await.unwrap();
    let misused = http::Request::builder().method(Method::DELETE).uri(signed.expose());
    assert_eq!(send(misused.body(RequestBody::empty()).unwrap()).await.0, 403);
    for expiry in [0, 7 * 24 * 3600 + 1] {
        let options = SignOptions::new(Method::GET, Duration::from_secs(expiry));
        let error = store.sign(&key("k"), &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}

#[tokio::test]
async fn headers_and_parameters_are_signed_along() {
    let emulator = emulator().await;
    let store = open(&emulator).await;
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "text/plain".parse().unwrap());
    let put = SignOptions::new(Method::PUT, Duration::from_secs(60)).with_headers(headers);
    let signed = store.sign(&key("k"), &put).await.unwrap();
    for (kind, status) in [("text/html", 403), ("text/plain", 200)] {
        let request = http::Request::builder().method("PUT").uri(signed.expose());
        let request = request.header("content-type", kind).body(RequestBody::empty()).unwrap();
        assert_eq!(send(request).await.0, status, "{kind}");
    }
    let upload = store.create(&key("parts"), &PutOptions::default()).await.unwrap();
    let part = SignOptions::new(Method::PUT, Duration::from_secs(60))
        .with_query("partNumber", "1")
        .with_query("uploadId", upload.as_str());
    let signed = store.sign(&key("parts"), &part).await.unwrap();
    let request = http::Request::builder().method("PUT").uri(signed.expose());
    let body = RequestBody::from(Bytes::from_static(b"part"));
    assert_eq!(send(request.body(body).unwrap()).await.0, 200);
    let parts = store.parts(&key("parts"), &upload).await.unwrap();
    let result = store.complete(&key("parts"), &upload, &parts, &Default::default()).await;
    assert_eq!(result.unwrap().size, 4);
}

#[tokio::test]
async fn a_form_uploads_what_it_was_signed_for() {
    let emulator = emulator().await;
    let store = open(&emulator).await;
    let policy = PostPolicy::new(Duration::from_secs(60))
        .with_size(1, 10)
        .with_field("content-type", "text/plain");
    let form = store.sign_post(&key("form/ü.txt"), &policy).await.unwrap();
    assert!(!format!("{form:?}").contains("signature"));
    for (content, fine) in [("hello", true), ("", false), ("more than ten bytes", false)] {
        let mut body = String::new();
        for (name, value) in form.fields() {
            body += &format!(
                "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
        }
        body += &format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n{content}\r\n--b--\r\n"
        );
        let request = http::Request::builder()
            .method("POST")
            .uri(form.url())
            .header("content-type", "multipart/form-data; boundary=b")
            .body(RequestBody::from(Bytes::from(body)))
            .unwrap();
        let (status, answer) = send(request).await;
        assert_eq!((200..300).contains(&status), fine, "{content:?}: {status} {answer:?}");
    }
    assert_eq!(store.get_bytes(&key("form/ü.txt")).await.unwrap(), "hello");
}

#[tokio::test]
async fn the_id_of_a_conditional_write_is_not_shown() {
    let emulator = emulator().await;
    let store = open(&emulator).await;
    let absent = described().with_precondition(Precondition::IfAbsent);
    store.put(&key("k"), "x".into(), &absent).await.unwrap();
    let meta = store.head(&key("k"), &HeadOptions::default()).await.unwrap();
    assert_eq!(meta.attributes.unwrap(), described().attributes);
    let taken = Attributes::new().with_metadata("polycloud-write-id", "x").unwrap();
    let error = store
        .put(&key("k"), "x".into(), &PutOptions::default().with_attributes(taken))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let versioned = Revision::new(None, polycloud_core::object::VersionId::new("v"));
    let condition = PutOptions::default().with_precondition(Precondition::IfUnchanged(versioned));
    let error = store.put(&key("k"), "x".into(), &condition).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "a write needs an ETag to compare by");
}

#[tokio::test]
async fn payloads_can_be_signed() {
    let emulator = emulator().await;
    let store = config(&emulator).with_sign_payload(true).open(&Session::new()).await.unwrap();
    for size in [0, 1, 3 * MIB] {
        let content = Bytes::from(vec![7; size]);
        store.put(&key("k"), content.clone().into(), &PutOptions::default()).await.unwrap();
        assert!(store.get_bytes(&key("k")).await.unwrap() == content);
    }
    let requests = emulator.journal().requests();
    let put = requests.iter().rev().find(|request| request.operation == "PutObject").unwrap();
    let told = put.header("x-amz-content-sha256").unwrap();
    assert_eq!(told.len(), 64, "{told}");
}
