//! A compute in memory, to test the cases with: correct, or with one flaw that a case has to find.
//!
//! Transitional states last for a number of looks, so that nothing depends on time.

mod facets;
mod machine;
mod provider;
mod tests;
mod world;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use polycloud_core::capability::{Capabilities, Feature, Limits, Support};
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::compute::{Compute, ComputeInfo, InstanceId, WaitOptions};
use polycloud_core::object::{Buckets, ObjectStore};
use polycloud_core::retry::Backoff;
use polycloud_core::{Error, ErrorKind, Result};

use self::world::World;
use crate::harness::{Harness, StoreSetup};

pub(super) const PROVIDER: &str = "fake";
pub(super) const REGION: &str = "fake-1";
pub(super) const ZONES: [&str; 2] = ["fake-1a", "fake-1b"];

/// One way to get it wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    AcceptsOtherProviders,
    BillsWhatIsDeallocated,
    ChangesAddressAtRestart,
    ConsoleIgnoresPosition,
    CreatesBeforeItRefuses,
    DryRunRemoves,
    ForgetsPublicAddress,
    ForgetsZone,
    IgnoresCapabilities,
    IgnoresLimits,
    IgnoresMismatch,
    IgnoresOwner,
    IgnoresToken,
    KeepsBelowMin,
    KeepsNamesForever,
    LabelsMatchAny,
    ListsOneTwice,
    ListsTerminated,
    LosesLabelsOfOthers,
    NamesNotUnique,
    PicksTheLargest,
    ResizesWhatRuns,
    RestartsWhatIsStopped,
    RunsScriptAtEachBoot,
    ShowsSecrets,
    ShowsWrongState,
    StartOfRunningFails,
    StateFilterIgnored,
    StopsWhatIsSuspended,
    SuspendForgetsMemory,
    SweepsEverybody,
    TakesAnyPageToken,
    TerminateOfUnknownFails,
    TrimsUserData,
}

/// A provider with everything, or with nothing that a provider may lack.
#[derive(Clone)]
pub(super) struct Fake {
    inner: Arc<Inner>,
}

struct Inner {
    info: ComputeInfo,
    capabilities: Capabilities,
    flaw: Option<Flaw>,
    world: Mutex<World>,
}

impl Fake {
    pub(super) fn full(flaw: Option<Flaw>) -> Self {
        let all: Vec<_> = Feature::ALL.iter().copied().filter(|f| f.is_compute()).collect();
        let mut limits = Limits::NONE;
        limits.user_data_bytes = Some(16 << 10);
        limits.labels = Some(16);
        limits.list_page = 3;
        let capabilities = Capabilities::NONE
            .with(Support::Native, &all)
            .with(Support::Emulated, &[Feature::CreateMany])
            .with_limits(limits);
        Self::new(capabilities, flaw)
    }

    pub(super) fn bare(flaw: Option<Flaw>) -> Self {
        Self::new(Capabilities::NONE, flaw)
    }

    fn new(capabilities: Capabilities, flaw: Option<Flaw>) -> Self {
        let info = ComputeInfo::new(PROVIDER, REGION, "fake:");
        let world = Mutex::new(World::new(flaw));
        Self { inner: Arc::new(Inner { info, capabilities, flaw, world }) }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.inner.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.inner.flaw == Some(flaw)
    }

    /// The number of an instance that there may be.
    fn number(&self, id: &InstanceId) -> Result<u32> {
        let own = id.provider() == PROVIDER || self.has(Flaw::AcceptsOtherProviders);
        if !own || id.scope() != REGION {
            return Err(Error::invalid("the id of another provider"));
        }
        let digits = id.native().strip_prefix("vm-").unwrap_or_default();
        u32::from_str_radix(digits, 16).map_err(|_| not_found())
    }

    /// The ids of all instances that live, for tests of the clean-up.
    pub(super) fn left(&self) -> Vec<u32> {
        self.world().machines.values().filter(|m| m.lives()).map(|m| m.number).collect()
    }
}

fn not_found() -> Error {
    ErrorKind::NotFound.into()
}

fn invalid_state() -> Error {
    ErrorKind::InvalidState.into()
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has(Flaw::ShowsSecrets) {
            for machine in self.world().machines.values() {
                let data = machine.request.spec.user_data.as_ref().map(|data| data.as_bytes());
                write!(f, "{}", String::from_utf8_lossy(data.unwrap_or_default()))?;
            }
        }
        f.write_str("Fake")
    }
}

#[async_trait]
impl Harness for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    async fn store(&self, _setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        None
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        Some(Arc::new(self.clone()))
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        None
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        Some(&self.inner.capabilities)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        SystemClock::shared()
    }

    fn wait(&self) -> WaitOptions {
        WaitOptions::default()
            .with_timeout(Duration::from_secs(20))
            .with_consistency(Duration::from_secs(1))
            .with_backoff(Backoff::constant(Duration::from_millis(1)))
    }

    async fn cleanup(&self) {}
}
