//! What a service is known not to do is refused before anything is sent.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use polycloud_aws::{Preset, S3Config, S3Store, Session};
use polycloud_core::ErrorKind;
use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_core::object::{
    CopyOptions, CopySource, DeleteOptions, HeadOptions, Key, ObjectStore, Precondition,
    PutOptions, Tags, VersionId,
};
use polycloud_emulator::Emulator;

async fn open(emulator: &Emulator, preset: Preset) -> S3Store {
    let account = emulator.credentials();
    let config = S3Config::new("bucket")
        .with_endpoint(emulator.s3_url())
        .with_region("us-east-1")
        .with_preset(preset)
        .with_credentials(&*account.access_key, &*account.secret_key);
    config.open(&Session::new()).await.unwrap()
}

#[tokio::test]
async fn conditions_that_a_service_would_pass_over_are_refused() {
    let emulator = Emulator::start().await.unwrap();
    emulator.create_bucket("bucket").unwrap();
    let key = Key::new("k").unwrap();
    let source = CopySource::new(key.clone());
    let put = PutOptions::default().with_precondition(Precondition::IfAbsent);
    let copy = CopyOptions::default().with_precondition(Precondition::IfAbsent);
    let delete = DeleteOptions::default().with_precondition(Precondition::IfExists);
    for (preset, puts, copies, deletes) in [
        (Preset::Aws, true, true, true),
        (Preset::Localstack, true, true, false),
        (Preset::Minio, true, false, false),
        (Preset::Ceph, true, false, false),
        (Preset::R2, true, false, false),
        (Preset::Generic, false, false, false),
    ] {
        emulator.reset();
        emulator.create_bucket("bucket").unwrap();
        let store = open(&emulator, preset).await;
        store.put(&key, "content".into(), &PutOptions::default()).await.unwrap();
        emulator.journal().clear();
        let other = Key::new("other").unwrap();
        let copied = store.copy(&source, &other, &copy).await.map(drop);
        let put = store.put(&Key::new("new").unwrap(), "x".into(), &put).await.map(drop);
        let deleted = store.delete(&key, &delete).await.map(drop);
        let operations = ["CopyObject", "PutObject", "DeleteObject"];
        let expected = [copies, puts, deletes];
        for ((result, operation), can) in
            [copied, put, deleted].into_iter().zip(operations).zip(expected)
        {
            let sent = emulator.journal().count(operation) > 0;
            assert_eq!((result.is_ok(), sent), (can, can), "{preset:?} {operation} {result:?}");
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{preset:?} {error}");
            }
        }
    }
}

#[tokio::test]
async fn tags_and_versions_are_refused_where_there_are_none() {
    let emulator = Emulator::start().await.unwrap();
    let store = open(&emulator, Preset::R2).await;
    let key = Key::new("k").unwrap();
    let tags = PutOptions::default().with_tags(Tags::new().with("a", "b").unwrap());
    let error = store.put(&key, "x".into(), &tags).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let version = DeleteOptions::default().with_version(VersionId::new("v"));
    let error = store.delete(&key, &version).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(emulator.journal().requests().is_empty());
}

/// A digest that an ETag only looks like is not told as one.
#[tokio::test]
async fn an_etag_is_a_digest_where_that_is_known() {
    let emulator = Emulator::start().await.unwrap();
    emulator.create_bucket("bucket").unwrap();
    let key = Key::new("k").unwrap();
    for (preset, is_digest) in
        [(Preset::Aws, true), (Preset::Minio, true), (Preset::Generic, false)]
    {
        let store = open(&emulator, preset).await;
        store.put(&key, "content".into(), &PutOptions::default()).await.unwrap();
        let head = store.head(&key, &HeadOptions::default()).await.unwrap();
        assert_eq!(head.checksums.get(ChecksumAlgorithm::Md5).is_some(), is_digest, "{preset:?}");
    }
}
