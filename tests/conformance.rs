//! Every backend keeps the contracts of the traits.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

use std::sync::Arc;

use polycloud_conformance::{Harness, Selection, run};
use polycloud_tests::{File, Local, Memory};

async fn conforms(harness: impl Harness) {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let report = run(harness, &Selection::default()).await;
    println!("{report}");
    assert!(report.is_success(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    conforms(Memory::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file() {
    conforms(File::durable().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_fast() {
    conforms(File::fast().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local() {
    conforms(Local::new().await.unwrap()).await;
}
