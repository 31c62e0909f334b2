//! The embedded stores agree with a plain model of a store, and the model notices those that do not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::ops::Range;
use std::sync::Arc;

use polycloud_conformance::Harness;
use polycloud_conformance::model::check;

use self::harness::Stores;

mod harness;

async fn agrees(harness: Arc<dyn Harness>, seeds: Range<u64>) {
    for versioned in [false, true] {
        check(&harness, versioned, seeds.clone(), 60).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    agrees(Stores::memory(), 0..200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disk() {
    agrees(Stores::disk(), 0..60).await;
}
