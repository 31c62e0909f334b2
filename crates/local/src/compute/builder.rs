use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use polycloud_core::capability::{Capabilities, Feature, Limits, Support};
use polycloud_core::clock::{Clock, Random, SystemClock, SystemRandom};
use polycloud_core::compute::ComputeInfo;
use polycloud_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::boot::Environment;
use super::error::failed;
use super::{Handle, Inner, LocalCompute, ids, process};

/// What instances can do. SSH keys, ports, disks of a size, spot and identities mean nothing here.
const CAPABILITIES: Capabilities = Capabilities::NONE
    .with(
        Support::Native,
        &[
            Feature::IdempotentCreate,
            Feature::CreateMany,
            Feature::UserData,
            Feature::Labels,
            Feature::PublicIp,
            Feature::Zones,
            Feature::StopDeallocate,
            Feature::StopSuspend,
            Feature::StopForce,
            Feature::RestartGraceful,
            Feature::RestartForce,
            Feature::HardwareNeeds,
            Feature::ImageAlias,
            Feature::Images,
            Feature::Console,
            Feature::Quotas,
            Feature::Resize,
            Feature::Sweep,
        ],
    )
    .with_limits(LIMITS);

const LIMITS: Limits = {
    let mut limits = Limits::NONE;
    limits.user_data_bytes = Some(64 << 10);
    limits.labels = Some(64);
    limits
};

/// Settings of a [`LocalCompute`].
#[derive(Debug)]
#[must_use]
pub struct LocalComputeBuilder {
    root: PathBuf,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    grace: Duration,
    capacity: u32,
    variables: BTreeMap<String, String>,
}

impl LocalComputeBuilder {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            clock: SystemClock::shared(),
            random: Arc::new(SystemRandom),
            grace: Duration::from_secs(5),
            capacity: 256,
            variables: BTreeMap::new(),
        }
    }

    /// Sets the clock that tells when instances were created, and how old they are to a sweep. What
    /// waits for processes keeps real time.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets where ids and addresses are drawn from.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Sets how long programs get to end by themselves at a stop or restart before they are killed:
    /// five seconds by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how many instances may live at a time, stopped ones included: 256 by default. More are
    /// `NoCapacity`.
    pub fn capacity(mut self, instances: u32) -> Self {
        self.capacity = instances;
        self
    }

    /// Sets a variable in the environment of the programs on all instances.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Opens the instances, and creates the directory if it is not there. Blocks for a few system
    /// calls.
    ///
    /// # Errors
    /// `Config` if a variable's name or value is not legal; otherwise as [`LocalCompute::open`].
    #[allow(
        clippy::disallowed_methods,
        reason = "the search path of the host is what instances get"
    )]
    pub fn open(self) -> Result<LocalCompute> {
        let Self { root, clock, random, grace, capacity, variables } = self;
        check_variables(&variables)?;
        let host_boot = process::host_boot().map_err(|error| {
            Error::new(ErrorKind::Unsupported)
                .with_provider(ids::PROVIDER)
                .with_message("local instances need the process table of Linux in /proc")
                .with_source(error)
        })?;
        let root = make_directories(&root).map_err(|error| {
            failed("cannot make the directory of instances", error)
                .with_provider(ids::PROVIDER)
                .with_target(root.display())
        })?;
        let default_path = || "/usr/local/bin:/usr/bin:/bin".into();
        let search_path = std::env::var_os("PATH").unwrap_or_else(default_path);
        let inner = Inner {
            info: ComputeInfo::new(ids::PROVIDER, ids::REGION, format!("local:{}", root.display())),
            capabilities: CAPABILITIES,
            root,
            clock,
            random,
            grace,
            capacity,
            environment: Environment { search_path, variables },
            host_boot,
            driving: Mutex::new(HashMap::new()),
        };
        Ok(LocalCompute { handle: Handle { inner: Arc::new(inner) } })
    }
}

/// Makes the directories, closed to others than their owner, and returns the root without links.
fn make_directories(root: &Path) -> io::Result<PathBuf> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(root)?;
    let root = root.canonicalize()?;
    for directory in ["instances", "images"] {
        builder.create(root.join(directory))?;
    }
    Ok(root)
}

fn check_variables(variables: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in variables {
        let legal = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
        if !legal || name.starts_with("POLYCLOUD_") {
            return Err(Error::config(format!(
                "{name:?} cannot be a variable of instances: names are not empty, have no = and do \
                 not begin with POLYCLOUD_, and values have no zero byte"
            )));
        }
    }
    Ok(())
}

/// What configuration files and URLs say about a [`LocalCompute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LocalComputeConfig {
    /// The directory that holds everything.
    pub path: PathBuf,
    /// Most living instances; 256 if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Seconds that programs get to end by themselves at a stop; 5 if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
}

impl LocalComputeConfig {
    /// The instances below a directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), capacity: None, grace_seconds: None }
    }

    /// Sets the most living instances.
    #[must_use]
    pub fn with_capacity(mut self, instances: u32) -> Self {
        self.capacity = Some(instances);
        self
    }

    /// Sets how many seconds programs get to end by themselves at a stop.
    #[must_use]
    pub fn with_grace_seconds(mut self, seconds: u32) -> Self {
        self.grace_seconds = Some(seconds);
        self
    }

    /// Opens the instances.
    ///
    /// # Errors
    /// As [`LocalCompute::open`].
    pub fn open(&self) -> Result<LocalCompute> {
        let Self { path, capacity, grace_seconds } = self;
        let mut builder = LocalCompute::builder(path);
        if let Some(capacity) = capacity {
            builder = builder.capacity(*capacity);
        }
        if let Some(seconds) = grace_seconds {
            builder = builder.grace(Duration::from_secs((*seconds).into()));
        }
        builder.open()
    }
}
