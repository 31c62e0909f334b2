//! Every compute case of the conformance suite.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes")]

mod compute_support;

use std::sync::Arc;

use async_trait::async_trait;
use compute_support::*;
use polycloud_conformance::{Harness, Outcome, Selection, StoreSetup, run};
use polycloud_core::capability::Capabilities;
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::compute::{Compute, InstanceFilter, InstanceState};
use polycloud_core::object::{Buckets, ObjectStore};
use polycloud_core::{ErrorKind, Result};
use polycloud_local::LocalCompute;

struct Local(LocalCompute);

#[async_trait]
impl Harness for Local {
    fn name(&self) -> &str {
        "local"
    }

    async fn store(&self, _setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        None
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        Some(Arc::new(self.0.clone()))
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        None
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        Some(self.0.capabilities())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        SystemClock::shared()
    }

    fn image_alias(&self) -> String {
        "host:latest".into()
    }

    async fn cleanup(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let root = Root::new();
    let compute = root.open();
    let report = run(Arc::new(Local(compute.clone())), &Selection::default()).await;
    assert!(report.is_success(), "{report}");
    assert!(report.rows.iter().any(|row| row.outcome == Outcome::Unsupported));
    let all = InstanceFilter::default().with_states(InstanceState::ALL);
    let left = compute.list_page(&all, None).await.unwrap().instances;
    assert_eq!(left, [], "each case cleans up after itself");
    clean_up(&root, &compute).await;
}
