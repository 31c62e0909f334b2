//! Every backend keeps the contracts of the traits.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

use std::sync::Arc;

use polycloud::layer::Prefix;
use polycloud_conformance::{Harness, Selection, run};
use polycloud_tests::{Ec2, File, Layered, Local, Memory, S3};

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
async fn s3() {
    conforms(S3::new().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local() {
    conforms(Local::new().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ec2() {
    let harness = Arc::new(Ec2::new().await.unwrap());
    let report = run(Arc::clone(&harness) as Arc<dyn Harness>, &Selection::default()).await;
    println!("{report}");
    assert!(report.is_success(), "{report}");
    // The cases have removed all that they made, and what was made for it: groups, keys, disks.
    assert_eq!(harness.left(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ec2_hibernating() {
    let harness: Arc<dyn Harness> = Arc::new(Ec2::hibernating().await.unwrap());
    // The emulator ends what runs on an instance that hibernates, so that it cannot be watched to go on.
    let selection = Selection::default().with_name("state/").with_name("suspended");
    let report = run(harness, &selection).await;
    println!("{report}");
    assert!(report.is_success(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_layered() {
    conforms(Layered::new(Memory::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_layered() {
    conforms(Layered::new(Local::new().await.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_behind_a_prefix() {
    let harness = Layered::new(Memory::new()).with_prefix(Prefix::new("p").unwrap());
    let report = run(Arc::new(harness), &Selection::default()).await;
    // A prefix takes its length from the keys, so that only those of the full length cannot be there.
    let too_long = "a key has at most 1024 bytes, this one has 1025";
    let failed: Vec<_> = report.failures().filter(|(_, why)| !why.contains(too_long)).collect();
    assert!(failed.is_empty(), "{failed:?}");
}
