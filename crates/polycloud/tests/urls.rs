//! URLs and configurations: what opens, what is refused, and with which words.
#![cfg(feature = "local")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use polycloud::object::{GetOptions, Key, ListOptions, PutOptions};
use polycloud::{ComputeConfig, ErrorKind, ObjectStore, Registry, StoreConfig};

/// Whether Amazon EC2 is among the backends.
const EC2: bool = cfg!(feature = "aws-ec2");

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

async fn put(store: &Arc<dyn ObjectStore>, name: &str) {
    store.put(&key(name), "x".into(), &PutOptions::default()).await.unwrap();
}

async fn has(store: &Arc<dyn ObjectStore>, name: &str) -> bool {
    match store.get(&key(name), &GetOptions::default()).await {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn named_memory_stores_are_shared_within_a_registry_only() {
    let registry = Registry::default();
    let (a, b) = (registry.open_store("memory://abc"), registry.open_store("memory://abc/"));
    let (a, b) = (a.await.unwrap(), b.await.unwrap());
    put(&a, "k").await;
    assert!(has(&b, "k").await);
    assert!(has(&registry.clone().open_store("memory://abc").await.unwrap(), "k").await);
    let config = StoreConfig::from_url("memory://abc").unwrap();
    assert!(has(&config.open_in(&registry).await.unwrap(), "k").await);

    assert!(!has(&config.open().await.unwrap(), "k").await);
    assert!(!has(&registry.open_store("memory://abd").await.unwrap(), "k").await);
    assert!(!has(&registry.open_store("memory:").await.unwrap(), "k").await);
    assert!(!has(&polycloud::open_store("memory://abc").await.unwrap(), "k").await);
}

#[tokio::test]
async fn what_cannot_be_opened_names_the_fix() {
    let rows = [
        ("aws:", "Registry::with_store"),
        ("ec2://eu-west-1", if EC2 { "open_compute" } else { "enable the feature `aws-ec2`" }),
        ("gs://bucket/", "needs the feature `gcp`"),
        ("az://container/", "needs the feature `azure`"),
        ("flie:///data", "did you mean `file`?"),
        ("foo:", "Registry::with_store"),
        ("local:", "open_compute"),
        ("memory:?versionign=true", "did you mean `versioning`?"),
        ("memory:?versionign=true", "its options are `name` and `versioning`"),
        ("memory:?versioning=yes", "option `versioning`: it takes a boolean"),
        ("memory://abc?name=abd", "option `name` of memory is given twice"),
        ("memory://abc/def", "memory://bucket?prefix=part/"),
        ("file:", "file:///data/bucket"),
        ("file:data/x", "file:///data/data/x"),
        ("file://data/bucket", "file:///data/bucket"),
        ("file:///data?path=/x", "option `path` of file is given twice"),
        ("file:///data?durability=fsat", "did you mean `fast`?"),
        ("file:///data?durability=fsat", "its values are `full` and `fast`"),
        ("file:///data?durable=1", "its options are `path`, `durability` and `versioning`"),
        ("memory://a", "a bucket name has 3 to 63 characters"),
    ];
    for (url, fix) in rows {
        let error = polycloud::open_store(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(error.to_string().contains(fix), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_file_and_a_url_configure_the_same() {
    let rows = [
        ("memory:", r#"{"type": "memory"}"#),
        (
            "memory://abc?versioning=true",
            r#"{"type": "memory", "name": "abc", "versioning": true}"#,
        ),
        ("file:///data/my%20bucket", r#"{"type": "file", "path": "/data/my bucket"}"#),
        (
            "file:///data?durability=fast&prefix=a%26b/&versioning=false",
            r#"{"type": "file", "path": "/data", "durability": "fast", "prefix": "a&b/",
                "versioning": false}"#,
        ),
        ("memory:?prefix=a/", r#"{"type": "memory", "prefix": "a/"}"#),
    ];
    for (url, json) in rows {
        let from_url = StoreConfig::from_url(url).unwrap();
        let from_json: StoreConfig = serde_json::from_str(json).unwrap();
        assert_eq!(from_url, from_json, "{url}");
        assert_eq!(from_url.url().unwrap(), url);
        let written = serde_json::to_string(&from_url).unwrap();
        assert_eq!(serde_json::from_str::<StoreConfig>(&written).unwrap(), from_url);
    }
    let wrong = [
        (r#"{"type": "gs"}"#, "needs the feature `gcp`"),
        (r#"{"name": "abc"}"#, "the field `type`"),
        (r#"{"type": "memory", "versionign": true}"#, "did you mean `versioning`?"),
        (r#"{"type": "file"}"#, "file: option `path` is missing"),
        (r#"{"type": "memory", "prefix": 3}"#, "option `prefix` of memory takes text"),
    ];
    for (json, fix) in wrong {
        let error = serde_json::from_str::<StoreConfig>(json).unwrap_err();
        assert!(error.to_string().contains(fix), "{json}: {error}");
    }
}

#[tokio::test]
async fn a_path_is_taken_as_it_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("100% ä?#&");
    let config = StoreConfig::from(polycloud::local::FileConfig::new(&path));
    let store = polycloud::open_store(&config.url().unwrap()).await.unwrap();
    put(&store, "a/b").await;
    assert_eq!(std::fs::read(path.join("a/b")).unwrap(), b"x");
    assert!(has(&polycloud::open_store(&store.info().url).await.unwrap(), "a/b").await);
    let relative = StoreConfig::from(polycloud::local::FileConfig::new("data"));
    assert_eq!(relative.open().await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_prefix_shows_a_part_as_a_whole() {
    let registry = Registry::default();
    let whole = registry.open_store("memory://abc").await.unwrap();
    put(&whole, "logs/a").await;
    put(&whole, "other").await;
    let part = registry.open_store("memory://abc?prefix=logs/").await.unwrap();
    assert!(has(&part, "a").await && !has(&part, "other").await);
    put(&part, "b").await;
    assert!(has(&whole, "logs/b").await);
    let config = StoreConfig::from_url("memory://abc").unwrap().with_prefix("logs/");
    assert!(has(&config.open_in(&registry).await.unwrap(), "b").await);
    let long = format!("memory:?prefix={}", "x".repeat(1024));
    let error = registry.open_store(&long).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_scheme_of_ones_own_has_a_prefix_too() {
    let inner: Arc<dyn ObjectStore> = polycloud::open_store("memory:").await.unwrap();
    let shared = Arc::clone(&inner);
    let registry = Registry::default().with_store("mine", move |address| {
        let (shared, empty) = (Arc::clone(&shared), address.options().read::<Nothing>());
        async move { empty.map(|_| shared) }
    });
    put(&registry.open_store("mine:?prefix=a/").await.unwrap(), "b").await;
    assert!(has(&inner, "a/b").await);
    let error = registry.open_store("mine:?x=1").await.unwrap_err();
    assert!(error.to_string().contains("no option `x`"), "{error}");
}

#[derive(Debug, serde::Deserialize)]
struct Nothing {}

#[cfg(not(feature = "aws-s3"))]
#[tokio::test]
async fn a_feature_that_is_off_is_named() {
    let error = polycloud::open_store("s3://bucket").await.unwrap_err();
    assert!(error.to_string().contains("enable the feature `aws-s3`"), "{error}");
}

#[cfg(not(feature = "aws-ec2"))]
#[tokio::test]
async fn a_feature_of_a_compute_that_is_off_is_named() {
    let error = polycloud::open_compute("ec2://eu-west-1").await.unwrap_err();
    assert!(error.to_string().contains("enable the feature `aws-ec2`"), "{error}");
}

#[tokio::test]
async fn versioning_is_switched_by_the_url() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let registry = Registry::default();
    for url in [url.as_str(), "memory://abc"] {
        for (query, versioned) in
            [("", false), ("?versioning=true", true), ("", true), ("?versioning=false", false)]
        {
            let store = registry.open_store(&format!("{url}{query}")).await.unwrap();
            put(&store, "a").await;
            let list = ListOptions::default().with_versions(true);
            let before = store.list_page(&list, None).await.unwrap().entries.len();
            put(&store, "a").await;
            let after = store.list_page(&list, None).await.unwrap().entries.len();
            assert_eq!(after > before, versioned, "{url}{query}");
        }
    }
}

#[test]
fn computes_are_configured_likewise() {
    let rows = [
        ("local:///data/x", r#"{"type": "local", "path": "/data/x"}"#),
        (
            "local:///data/x?capacity=3&grace_seconds=1",
            r#"{"type": "local", "path": "/data/x", "capacity": 3, "grace_seconds": 1}"#,
        ),
    ];
    for (url, json) in rows {
        let from_url = ComputeConfig::from_url(url).unwrap();
        assert_eq!(from_url, serde_json::from_str(json).unwrap());
        assert_eq!(from_url.url().unwrap(), url);
    }
    let bare = ComputeConfig::from_url("local:").unwrap();
    assert!(bare.url().unwrap().ends_with("/polycloud/compute"), "{bare:?}");
    assert_eq!(bare, serde_json::from_str(r#"{"type": "local"}"#).unwrap());
}

#[tokio::test]
async fn a_compute_that_cannot_be_opened_names_the_fix() {
    let rows = [
        ("aws:eu-west-1", "Registry::with_compute"),
        ("gcp://europe-west1", "needs the feature `gcp`"),
        ("locla:", "did you mean `local`?"),
        ("file:///data", "open_store"),
        ("local:data", "local:///data/data"),
        ("local://data", "local:///data"),
        ("local:///data?capacty=3", "did you mean `capacity`?"),
        ("local:///data?capacity=many", "option `capacity`: it takes u32"),
    ];
    for (url, fix) in rows {
        let error = polycloud::open_compute(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(error.to_string().contains(fix), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_local_compute_opens_in_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("local://{}/instances", folder.path().display());
    let compute = polycloud::open_compute(&url).await.unwrap();
    assert_eq!(compute.info().provider, "local");
    assert!(folder.path().join("instances").is_dir());
}
