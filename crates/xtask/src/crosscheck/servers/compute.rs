//! Our compute against servers of others that stand in for EC2.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use polycloud_aws::{Ec2Config, Session};
use polycloud_conformance::{Harness, StoreSetup};
use polycloud_core::capability::Capabilities;
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::compute::{
    Compute, ComputeExt as _, InstanceFilter, TerminateOptions, WaitOptions,
};
use polycloud_core::object::{Buckets, ObjectStore};
use polycloud_core::retry::Backoff;
use polycloud_core::{ErrorKind, Result};

use super::{Kind, Running, launch, or_failure, run_suite};
use crate::crosscheck::report::Check;
use crate::crosscheck::{Bench, NotRun};

/// A server, and what our client finds there.
#[derive(Debug)]
pub(crate) struct ComputeServer {
    pub(crate) name: &'static str,
    kind: Kind,
}

pub(crate) const PARTS: &[ComputeServer] =
    &[ComputeServer { name: "servers/moto-ec2", kind: Kind::Moto }];

/// Runs the conformance suite against a server.
pub(crate) async fn run(
    bench: &Bench,
    part: &ComputeServer,
) -> std::result::Result<Vec<Check>, NotRun> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let running = launch(bench, part.name, part.kind, home.path()).await?;
    let checked = async { run_suite(bench, Arc::new(Foreign::new(part, &running).await?)).await };
    Ok(or_failure(checked.await))
}

/// A server as the conformance suite sees it.
#[derive(Debug)]
struct Foreign {
    part: &'static str,
    compute: Arc<dyn Compute>,
}

impl Foreign {
    async fn new(part: &ComputeServer, running: &Running) -> Result<Self> {
        let config = Ec2Config::new("us-east-1")
            .with_endpoint(running.endpoint.as_str())
            .with_credentials(running.access_key.as_str(), running.secret_key.as_str());
        let compute = config.open(&Session::new()).await?;
        Ok(Self { part: part.name, compute: Arc::new(compute) })
    }

    async fn terminate_all(&self) -> Result<()> {
        let all: Vec<_> = self.compute.list(InstanceFilter::default()).try_collect().await?;
        for instance in all {
            self.compute.terminate(&instance.id, &TerminateOptions::default()).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Harness for Foreign {
    fn name(&self) -> &str {
        self.part
    }

    async fn store(&self, _setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        None
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        Some(Arc::clone(&self.compute))
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        None
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        Some(self.compute.capabilities())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        SystemClock::shared()
    }

    fn wait(&self) -> WaitOptions {
        // What does not happen at once there never happens.
        let backoff = Backoff::DEFAULT
            .with_bounds(Duration::from_millis(50), Duration::from_millis(500))
            .with_jitter(false);
        WaitOptions::default()
            .with_clock(self.clock())
            .with_timeout(Duration::from_secs(20))
            .with_consistency(Duration::from_secs(5))
            .with_backoff(backoff)
    }

    async fn cleanup(&self) {
        // What cannot be terminated goes with the server.
        let _ = self.terminate_all().await;
    }
}
