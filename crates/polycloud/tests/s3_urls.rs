//! URLs of Amazon S3: what they configure, and what they say when they do not.
#![cfg(feature = "aws-s3")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use polycloud::aws::{Preset, S3Config};
use polycloud::object::{GetOptions, Key};
use polycloud::{ErrorKind, Registry, StoreBackend, StoreConfig};

/// What a URL has to say so that nothing else decides: neither variables nor files of this machine.
const COMPLETE: &str = "region=eu-west-1&endpoint=https%3A%2F%2Fs3.example.com&access_key_id=AKID&secret_access_key=hunter2";

#[test]
fn a_file_and_a_url_configure_the_same() {
    let rows = [
        ("s3://my-bucket", r#"{"type": "s3", "bucket": "my-bucket"}"#),
        ("s3:", r#"{"type": "s3"}"#),
        (
            "s3://b.c?anonymous=true&endpoint=http%3A//127.0.0.1%3A9000&path_style=false&prefix=a/&preset=minio",
            r#"{"type": "s3", "bucket": "b.c", "anonymous": true, "prefix": "a/", "preset": "minio",
                "endpoint": "http://127.0.0.1:9000", "path_style": false}"#,
        ),
        (
            "s3://bucket?checksum=sha256&max_attempts=3&sse=kms&sse_kms_key_id=k",
            r#"{"type": "s3", "bucket": "bucket", "checksum": "sha256", "max_attempts": 3,
                "sse": "kms", "sse_kms_key_id": "k"}"#,
        ),
    ];
    for (url, json) in rows {
        let from_url = StoreConfig::from_url(url).unwrap();
        let from_json: StoreConfig = serde_json::from_str(json).unwrap();
        assert_eq!(from_url, from_json, "{url}");
        assert_eq!(from_url.url().unwrap(), url);
        let written = serde_json::to_string(&from_url).unwrap();
        assert_eq!(serde_json::from_str::<StoreConfig>(&written).unwrap(), from_url);
    }
    let typed = S3Config::new("bucket").with_region("eu-west-1").with_preset(Preset::R2);
    let url = StoreConfig::from(typed.clone()).url().unwrap();
    assert_eq!(url, "s3://bucket?preset=r2&region=eu-west-1");
    assert_eq!(StoreConfig::from_url(&url).unwrap(), StoreConfig::from(typed));
}

#[test]
fn the_path_is_a_directory() {
    let prefix = |url: &str| StoreConfig::from_url(url).unwrap().prefix;
    for (url, expected) in [
        ("s3://bucket", None),
        ("s3://bucket/", None),
        ("s3://bucket/logs", Some("logs/")),
        ("s3://bucket/logs/", Some("logs/")),
        ("s3://bucket/a%20b//c?region=x", Some("a b//c/")),
        ("s3://bucket//logs", Some("/logs/")),
        ("s3://bucket?prefix=log", Some("log")),
    ] {
        assert_eq!(prefix(url).as_deref(), expected, "{url}");
    }
    let error = StoreConfig::from_url("s3://bucket/logs?prefix=more/").unwrap_err();
    assert!(error.to_string().contains("leave out one of the two"), "{error}");
}

#[test]
fn secrets_are_in_no_url_and_no_text() {
    let config = StoreConfig::from_url(&format!("s3://bucket?{COMPLETE}")).unwrap();
    let StoreBackend::S3(s3) = &config.backend else { panic!("{config:?}") };
    assert_eq!(s3.secret_access_key.as_ref().unwrap().expose(), "hunter2");
    let shown =
        [config.url().unwrap(), serde_json::to_string(&config).unwrap(), format!("{config:?}")];
    for text in shown {
        assert!(text.contains("AKID") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn opening_sends_nothing_and_shares_connections() {
    let registry = Registry::default();
    let whole = registry.open_store(&format!("s3://bucket?{COMPLETE}")).await.unwrap();
    assert_eq!((whole.info().provider, whole.info().bucket.as_str()), ("aws", "bucket"));
    let part = registry.open_store(&format!("s3://bucket/logs?{COMPLETE}")).await.unwrap();
    assert_eq!(part.info().bucket, "bucket");
}

#[tokio::test]
async fn what_cannot_be_opened_names_the_fix() {
    let rows = [
        (format!("s3:?{COMPLETE}"), "s3://bucket"),
        (format!("s3://bucket?bucket=other&{COMPLETE}"), "option `bucket` of s3 is given twice"),
        ("s3://bucket?regoin=x".into(), "did you mean `region`?"),
        ("s3://bucket?preset=mino".into(), "did you mean `minio`?"),
        ("s3://bucket?max_attempts=many".into(), "option `max_attempts`: it takes u32"),
        ("s3://bucket?path_style=yes".into(), "option `path_style`: it takes a boolean"),
        ("s3://key:secret@bucket".into(), "no user or password"),
        (
            "s3://bucket?endpoint=http%3A%2F%2Fs3.example.com&access_key_id=A&secret_access_key=hunter2".into(),
            "allow_http=true",
        ),
        ("s3://bucket?access_key_id=A&region=eu-west-1".into(), "secret_access_key"),
        (format!("s3://a%2Fb?{COMPLETE}"), "a bucket has"),
    ];
    for (url, fix) in rows {
        let error = polycloud::open_store(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(error.to_string().contains(fix), "{url}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    // Nobody listens on a port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!(
        "s3://bucket?endpoint=http%3A%2F%2F127.0.0.1%3A{port}&anonymous=true&max_attempts=1"
    );
    let store = polycloud::open_store(&url).await.unwrap();
    let error = store.get(&Key::new("k").unwrap(), &GetOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.provider()), (ErrorKind::Unavailable, "aws"));
}
