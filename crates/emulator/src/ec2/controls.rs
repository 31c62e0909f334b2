//! What tests set, and what they see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Ec2Error, Result};
use super::instances::{self, Instance, Reason, State};
use super::networks;
use super::state::Region;
use crate::server::Core;

/// How long things take on the emulator's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ec2Timings {
    /// `pending` until `running`: 12 s.
    pub pending: Duration,
    /// `stopping` until `stopped`: 30 s.
    pub stopping: Duration,
    /// `shutting-down` until `terminated`: 30 s.
    pub shutting_down: Duration,
    /// How long terminated instances can be seen: one hour.
    pub terminated_visible: Duration,
    /// Running until the status checks pass: two minutes.
    pub initializing: Duration,
    /// Until a new volume is available: 3 s.
    pub volume: Duration,
    /// Until a volume is attached or detached: 2 s.
    pub attachment: Duration,
    /// Until a snapshot is completed: 10 s.
    pub snapshot: Duration,
    /// Until an image is available: 60 s.
    pub image: Duration,
    /// Until what was created is seen by other requests: 1 s.
    pub visible: Duration,
}

impl Default for Ec2Timings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            pending: seconds(12),
            stopping: seconds(30),
            shutting_down: seconds(30),
            terminated_visible: seconds(3600),
            initializing: seconds(120),
            volume: seconds(3),
            attachment: seconds(2),
            snapshot: seconds(10),
            image: seconds(60),
            visible: seconds(1),
        }
    }
}

/// What all regions follow.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) timings: Ec2Timings,
    /// Instances that a zone has room for, by zone and type; elsewhere there is room.
    pub(crate) capacity: BTreeMap<(String, String), usize>,
    /// Virtual processors that may run in each region, for on-demand and for spot instances.
    pub(crate) quota_vcpus: u32,
    /// Instances that there may be in each region, whatever their size.
    pub(crate) quota_instances: usize,
    /// Reads that do not see what was created, after `timings.visible`.
    pub(crate) unseen_reads: u32,
    /// Names of instance profiles that there are.
    pub(crate) profiles: BTreeSet<String>,
    /// Whether that is the most, and drawn for each resource from this seed.
    pub(crate) lag_seed: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timings: Ec2Timings::default(),
            capacity: BTreeMap::new(),
            quota_vcpus: 100_000,
            quota_instances: 100_000,
            unseen_reads: 0,
            profiles: BTreeSet::new(),
            lag_seed: None,
        }
    }
}

/// What EC2 does of itself. All clones act on the same emulator.
#[derive(Clone)]
pub struct Ec2Controls {
    core: Arc<Core>,
}

impl Ec2Controls {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Changes how long things take from now on.
    pub fn timings(&self, change: impl FnOnce(&mut Ec2Timings)) {
        change(&mut self.core.ec2.lock().settings.timings);
    }

    /// From when on others see what was created: after a while on the emulator's clock, and then after so
    /// many reads that still do not.
    pub fn lag(&self, visible: Duration, unseen_reads: u32) {
        let settings = &mut self.core.ec2.lock().settings;
        settings.timings.visible = visible;
        settings.unseen_reads = unseen_reads;
        settings.lag_seed = None;
    }

    /// The same, but drawn anew for each resource up to these: from equal seeds equally.
    pub fn lag_drawn(&self, seed: u64, visible: Duration, unseen_reads: u32) {
        self.lag(visible, unseen_reads);
        self.core.ec2.lock().settings.lag_seed = Some(seed);
    }

    /// A zone has room for so many instances of a type, those included that are there; beyond that launches
    /// and starts fail with `InsufficientInstanceCapacity`.
    pub fn capacity(
        &self,
        zone: impl Into<String>,
        instance_type: impl Into<String>,
        instances: usize,
    ) {
        let key = (zone.into(), instance_type.into());
        self.core.ec2.lock().settings.capacity.insert(key, instances);
    }

    /// There is room everywhere again.
    pub fn unlimited_capacity(&self) {
        self.core.ec2.lock().settings.capacity.clear();
    }

    /// Virtual processors that may run in each region, on demand and as many again as spot instances;
    /// beyond that `VcpuLimitExceeded` or `MaxSpotInstanceCountExceeded`.
    pub fn quota_vcpus(&self, vcpus: u32) {
        self.core.ec2.lock().settings.quota_vcpus = vcpus;
    }

    /// Instances that there may be in each region; beyond that `InstanceLimitExceeded`.
    pub fn quota_instances(&self, instances: usize) {
        self.core.ec2.lock().settings.quota_instances = instances;
    }

    /// There is an instance profile of this name. Instances with a profile that there is not are refused.
    pub fn instance_profile(&self, name: impl Into<String>) {
        self.core.ec2.lock().settings.profiles.insert(name.into());
    }

    /// Refuses requests of an operation, or of all (`*`), with `RequestLimitExceeded` at a rate from 0
    /// (never) to 1. Which ones is the same in every run.
    pub fn throttle(&self, operation: impl Into<String>, rate: f64) {
        self.core.ec2.lock().throttles.insert(operation.into(), rate);
    }

    /// The next instances end instead of running: `code` is a reason such as `Server.InternalError`.
    ///
    /// # Errors
    ///
    /// There is no such region.
    pub fn fail_launches(
        &self,
        region: &str,
        instances: usize,
        code: &str,
        message: &str,
    ) -> io::Result<()> {
        self.in_region(region, |region| {
            let reasons = std::iter::repeat_n(Reason::new(code, message), instances);
            region.failing_launches.extend(reasons);
            Ok(())
        })
    }

    /// Takes the default network of a region away, with its subnets and security groups, as some accounts
    /// have none. What is in it stays. `CreateDefaultVpc` makes another one.
    ///
    /// # Errors
    ///
    /// There is no such region.
    pub fn remove_default_vpc(&self, region: &str) -> io::Result<()> {
        self.in_region(region, |region| {
            networks::remove_default(region);
            Ok(())
        })
    }

    /// Takes a spot instance away: it terminates, stops or hibernates, as its request says.
    ///
    /// # Errors
    ///
    /// There is no such spot instance that runs or is about to.
    pub fn interrupt_spot(&self, id: &str) -> io::Result<()> {
        self.of_instance(id, instances::interrupt)
    }

    /// Shuts an instance down as from inside: it stops or terminates, as it was launched to.
    ///
    /// # Errors
    ///
    /// There is no such instance that runs.
    pub fn shut_down(&self, id: &str) -> io::Result<()> {
        self.of_instance(id, instances::shut_down)
    }

    /// All instances that can be seen, those that have terminated among them, by region and id. There is
    /// no lag here.
    #[must_use]
    pub fn instances(&self) -> Vec<Ec2Instance> {
        let mut all = Vec::new();
        self.each_region(|region| {
            all.extend(region.instances.values().map(|instance| Ec2Instance::of(region, instance)));
        });
        all
    }

    /// All that was created and is still there, but for instances that have terminated: instances, volumes,
    /// snapshots, images, addresses, network interfaces, security groups, key pairs, and requests for spot
    /// instances that are still open. There is no lag here.
    #[must_use]
    pub fn resources(&self) -> Vec<Ec2Resource> {
        let mut all = Vec::new();
        self.each_region(|region| all.extend(resources(region)));
        all
    }

    fn each_region(&self, mut see: impl FnMut(&Region)) {
        self.core.ec2.settle(self.core.clock.now());
        self.core.ec2.lock().regions.values().for_each(&mut see);
    }

    fn in_region(
        &self,
        name: &str,
        change: impl FnOnce(&mut Region) -> Result<()>,
    ) -> io::Result<()> {
        let account = self.core.keys.get(&self.access_key()).map(|key| key.account.clone());
        let mut state = self.core.ec2.lock();
        let found = state.region(&account.unwrap_or_default(), name);
        found.and_then(|(_, region)| change(region)).map_err(failed)
    }

    fn access_key(&self) -> String {
        self.core.accounts.first().map(|first| first.access_key.clone()).unwrap_or_default()
    }

    fn of_instance(
        &self,
        id: &str,
        change: fn(&mut Region, &str, std::time::SystemTime, &Settings) -> Result<()>,
    ) -> io::Result<()> {
        let now = self.core.clock.now();
        let state = &mut *self.core.ec2.lock();
        let missing = || Ec2Error::not_found("InvalidInstanceID.NotFound", "instance ID", id);
        let mut regions = state.regions.values_mut();
        let region = regions.find(|region| region.instances.contains_key(id));
        let region = region.ok_or_else(missing).map_err(failed)?;
        region.settle(now, &state.settings);
        let changed = change(region, id, now, &state.settings).map_err(failed);
        region.settle(now, &state.settings);
        self.core.ec2.processes.follow(region);
        changed
    }
}

impl fmt::Debug for Ec2Controls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2Controls").finish_non_exhaustive()
    }
}

fn failed(error: impl std::borrow::Borrow<Ec2Error>) -> io::Error {
    let error = error.borrow();
    io::Error::other(format!("{}: {}", error.code, error.message))
}

/// An instance as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ec2Instance {
    /// Such as `i-0123456789abcdef0`.
    pub id: String,
    /// Its region.
    pub region: String,
    /// Its zone.
    pub zone: String,
    /// `pending`, `running`, `shutting-down`, `terminated`, `stopping` or `stopped`.
    pub state: String,
    /// Its type.
    pub instance_type: String,
    /// Its image.
    pub image: String,
    /// The token of the request that made it.
    pub client_token: Option<String>,
    /// Whether it is a spot instance.
    pub spot: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Ec2Instance {
    fn of(region: &Region, instance: &Instance) -> Self {
        Self {
            id: instance.id.clone(),
            region: region.name.clone(),
            zone: instance.zone.clone(),
            state: instance.state.name().to_owned(),
            instance_type: instance.machine_type.clone(),
            image: instance.image.clone(),
            client_token: instance.client_token.clone(),
            spot: instance.is_spot(),
            tags: region.tags.of(&instance.id).clone(),
        }
    }
}

/// Something that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ec2Resource {
    /// As in tags: `instance`, `volume`, `snapshot`, `image`, `elastic-ip`, `network-interface`,
    /// `security-group`, `key-pair` or `spot-instances-request`.
    pub kind: &'static str,
    /// Such as `vol-0123456789abcdef0`.
    pub id: String,
    /// Its region.
    pub region: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

fn resources(region: &Region) -> Vec<Ec2Resource> {
    let instances = region.instances.values().filter(|known| known.state != State::Terminated);
    let images = region.images.values().filter(|image| image.owner == region.account);
    let groups = region.security_groups.values().filter(|group| group.name != "default");
    let spot = region.spot_requests.values().filter(|request| request.state == "open");
    let snapshots = region.snapshots.values();
    let volumes = region.volumes.values().filter(|volume| volume.state != "deleting");
    let named = [
        ("instance", instances.map(|known| &known.id).collect::<Vec<_>>()),
        ("volume", volumes.map(|known| &known.id).collect()),
        ("snapshot", snapshots.map(|known| &known.id).collect()),
        ("image", images.map(|known| &known.id).collect()),
        ("elastic-ip", region.addresses.keys().collect()),
        ("network-interface", region.interfaces.keys().collect()),
        ("security-group", groups.map(|known| &known.id).collect()),
        ("key-pair", region.key_pairs.keys().collect()),
        ("spot-instances-request", spot.map(|known| &known.id).collect()),
    ];
    let all = named.into_iter().flat_map(|(kind, ids)| ids.into_iter().map(move |id| (kind, id)));
    all.map(|(kind, id)| Ec2Resource {
        kind,
        id: id.clone(),
        region: region.name.clone(),
        tags: region.tags.of(id).clone(),
    })
    .collect()
}
