use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::TryStreamExt;
use polycloud::aws::{Ec2Config, Session};
use polycloud::capability::Capabilities;
use polycloud::clock::{Clock, Sleep};
use polycloud::compute::{InstanceFilter, InstanceState, TerminateOptions, WaitOptions};
use polycloud::object::Buckets;
use polycloud::retry::Backoff;
use polycloud::{Compute, ComputeExt, Error, ErrorKind, ObjectStore, Result};
use polycloud_conformance::{Harness, StoreSetup};
use polycloud_emulator::{Emulator, EmulatorClock};

/// The region of the instances.
const REGION: &str = "eu-central-1";

/// When the emulator's clock begins: 2026-01-01T00:00:00Z.
const BEGIN: Duration = Duration::from_secs(1_767_225_600);

/// `ec2:`, spoken to an emulator in this process, which takes the times of the real one on a clock that
/// moves on as fast as somebody waits.
#[derive(Debug)]
pub struct Ec2 {
    emulator: Emulator,
    compute: Arc<dyn Compute>,
    clock: Arc<dyn Clock>,
}

impl Ec2 {
    /// An emulator of its own, without instances. It runs their user data.
    ///
    /// # Errors
    /// Those of starting the emulator.
    pub async fn new() -> Result<Self> {
        Self::open(Ec2Config::new(REGION)).await
    }

    /// One whose instances are created so that they can be suspended.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn hibernating() -> Result<Self> {
        Self::open(Ec2Config::new(REGION).with_hibernation(true)).await
    }

    async fn open(config: Ec2Config) -> Result<Self> {
        let time = EmulatorClock::manual(SystemTime::UNIX_EPOCH + BEGIN);
        let builder = Emulator::builder().clock(time.clone()).run_user_data(true);
        let emulator = builder.start().await.map_err(|error| {
            Error::new(ErrorKind::Unavailable)
                .with_message("the emulator does not start")
                .with_source(error)
        })?;
        let clock: Arc<dyn Clock> = Arc::new(FastClock::new(time));
        let account = emulator.credentials();
        let config = config
            .with_endpoint(emulator.ec2_url())
            .with_credentials(&*account.access_key, &*account.secret_key);
        let session = Session::new().with_clock(Arc::clone(&clock));
        let compute = Arc::new(config.open(&session).await?);
        Ok(Self { emulator, compute, clock })
    }

    /// What was created and is still there: kinds and ids.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let resources = self.emulator.ec2().resources();
        resources.iter().map(|left| format!("{} {} {:?}", left.kind, left.id, left.tags)).collect()
    }

    async fn terminate_all(&self) -> Result<()> {
        let all = InstanceFilter::default().with_states(InstanceState::ALL);
        let instances: Vec<_> = self.compute.list(all).try_collect().await?;
        for instance in &instances {
            self.compute.terminate(&instance.id, &TerminateOptions::default()).await?;
        }
        for instance in &instances {
            let state = InstanceState::Terminated;
            self.compute.wait_until(&instance.id, state, &self.wait()).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Harness for Ec2 {
    fn name(&self) -> &str {
        "ec2"
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
        Arc::clone(&self.clock)
    }

    fn wait(&self) -> WaitOptions {
        // Instances take 12 s to run and 30 s to stop, and what their user data does takes real time.
        let backoff = Backoff::DEFAULT
            .with_bounds(Duration::from_millis(100), Duration::from_secs(1))
            .with_jitter(false);
        WaitOptions::default()
            .with_clock(self.clock())
            .with_timeout(Duration::from_secs(1800))
            .with_consistency(Duration::from_secs(60))
            .with_backoff(backoff)
    }

    async fn cleanup(&self) {
        // What cannot be terminated is left, and `left` tells of it.
        let _ = self.terminate_all().await;
    }
}

/// An emulator's clock, which moves on when somebody has slept.
#[derive(Debug)]
struct FastClock {
    emulator: EmulatorClock,
    start: SystemTime,
    /// Two sleepers must not both move the clock by the same time.
    moving: Arc<Mutex<()>>,
}

/// How many times faster than the machine's the clock can be at most.
const SPEED: u32 = 300;

/// Sleeps that are longer are no pauses between two looks but limits of requests, which take real time.
const PAUSE: Duration = Duration::from_secs(6);

/// The shortest real sleep: enough for the processes of instances to get on.
const SHORTEST: Duration = Duration::from_millis(1);

impl FastClock {
    fn new(emulator: EmulatorClock) -> Self {
        Self { start: emulator.now(), emulator, moving: Arc::default() }
    }
}

#[allow(clippy::disallowed_methods, reason = "a sleep takes a little real time, too")]
impl Clock for FastClock {
    fn now(&self) -> SystemTime {
        self.emulator.now()
    }

    fn monotonic(&self) -> Duration {
        self.now().duration_since(self.start).unwrap_or_default()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if duration > PAUSE {
            return Box::pin(tokio::time::sleep(duration));
        }
        let until = self.now() + duration;
        let (emulator, moving) = (self.emulator.clone(), Arc::clone(&self.moving));
        Box::pin(async move {
            tokio::time::sleep((duration / SPEED).max(SHORTEST)).await;
            let _moving = moving.lock().unwrap_or_else(PoisonError::into_inner);
            emulator.advance(until.duration_since(emulator.now()).unwrap_or_default());
        })
    }
}
