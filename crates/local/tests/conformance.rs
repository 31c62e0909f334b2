//! The embedded stores keep the contracts of the traits.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use polycloud_conformance::{Harness, Selection, run};

use self::harness::Stores;

mod harness;

async fn conforms(harness: Arc<dyn Harness>) {
    let report = run(harness, &Selection::default()).await;
    assert!(report.is_success(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    conforms(Stores::memory()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disk() {
    conforms(Stores::disk()).await;
}
