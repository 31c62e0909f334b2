//! URLs and configurations: what opens, what is refused, and with which words.
#![cfg(feature = "local")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use polycloud::object::{GetOptions, Key, PutOptions};
use polycloud::{ErrorKind, ObjectStore, Registry, StoreConfig};

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
        ("s3://bucket/", "needs the feature `aws`"),
        ("gs://bucket/", "needs the feature `gcp`"),
        ("az://container/", "needs the feature `azure`"),
        ("memroy:", "did you mean `memory`?"),
        ("foo:", "Registry::with_store"),
        ("local:", "open_compute"),
        ("memory:?versionign=true", "did you mean `versioning`?"),
        ("memory:?versionign=true", "its options are `name` and `versioning`"),
        ("memory:?versioning=yes", "option `versioning`: it takes a boolean"),
        ("memory://abc?name=abd", "option `name` of memory is given twice"),
        ("memory://abc/def", "memory://bucket?prefix=part/"),
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
        ("memory:?prefix=a/", r#"{"type": "memory", "prefix": "a/"}"#),
    ];
    for (url, json) in rows {
        let from_url = StoreConfig::from_url(url).unwrap();
        let from_json: StoreConfig = serde_json::from_str(json).unwrap();
        assert_eq!(from_url, from_json, "{url}");
        let written = serde_json::to_string(&from_url).unwrap();
        assert_eq!(serde_json::from_str::<StoreConfig>(&written).unwrap(), from_url);
    }
    let wrong = [
        (r#"{"type": "s3"}"#, "needs the feature `aws`"),
        (r#"{"name": "abc"}"#, "the field `type`"),
        (r#"{"type": "memory", "versionign": true}"#, "did you mean `versioning`?"),
        (r#"{"type": "memory", "prefix": 3}"#, "option `prefix` of memory takes text"),
    ];
    for (json, fix) in wrong {
        let error = serde_json::from_str::<StoreConfig>(json).unwrap_err();
        assert!(error.to_string().contains(fix), "{json}: {error}");
    }
}
