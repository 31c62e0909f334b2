//! What some providers offer beyond instances. Errors that all methods share are those of
//! [`Compute`](super::Compute).

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;

use super::id::InstanceId;
use super::key::PrivateKey;
use super::labels::Owner;
use super::spec::{DiskKind, Hardware, IngressRule, PublicKey};
use super::types::Image;
use crate::error::{Error, ResourceRef, Result};

/// Key pairs held by the provider.
#[async_trait]
pub trait KeyPairs: fmt::Debug + Send + Sync {
    /// Stores a public key under a name. One request.
    ///
    /// # Errors
    /// `AlreadyExists`.
    async fn import(&self, name: &str, key: &PublicKey) -> Result<KeyPair>;

    /// Makes a key pair of which the provider keeps the public key only. The private one is told this
    /// once. One request.
    ///
    /// # Errors
    /// `AlreadyExists`. After an error with the outcome `Unknown` a pair may be there that nobody has
    /// the private key of.
    async fn generate(&self, name: &str) -> Result<(KeyPair, PrivateKey)>;

    /// Lists all key pairs. One request a page.
    async fn list(&self) -> Result<Vec<KeyPair>>;

    /// Deletes a key pair. Deleting what is not there succeeds. One request.
    async fn delete(&self, name: &str) -> Result<()>;
}

/// A key pair held by the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPair {
    /// Its name.
    pub name: String,
    /// The provider's fingerprint of it.
    pub fingerprint: String,
}

impl KeyPair {
    /// A key pair.
    pub fn new(name: impl Into<String>, fingerprint: impl Into<String>) -> Self {
        Self { name: name.into(), fingerprint: fingerprint.into() }
    }
}

/// Volumes and their snapshots.
#[async_trait]
pub trait Volumes: fmt::Debug + Send + Sync {
    /// Creates a volume. One request.
    ///
    /// # Errors
    /// `QuotaExceeded`, `NoCapacity`; `NotFound` if the snapshot does not exist.
    async fn create(&self, volume: &NewVolume) -> Result<Volume>;

    /// Reads a volume. One request.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get(&self, id: &str) -> Result<Volume>;

    /// Lists all volumes. One request a page.
    async fn list(&self) -> Result<Vec<Volume>>;

    /// Attaches a volume to an instance of the same zone. One to two requests.
    ///
    /// # Errors
    /// `NotFound`; `InvalidState` if it is attached already.
    async fn attach(&self, id: &str, instance: &InstanceId) -> Result<()>;

    /// Detaches a volume. Detaching one that is not attached succeeds. One request.
    ///
    /// # Errors
    /// `NotFound`.
    async fn detach(&self, id: &str) -> Result<()>;

    /// Deletes a volume. Deleting what is not there succeeds. One request.
    ///
    /// # Errors
    /// `InvalidState` while it is attached.
    async fn delete(&self, id: &str) -> Result<()>;

    /// Takes a snapshot of a volume. One request.
    ///
    /// # Errors
    /// `NotFound`.
    async fn snapshot(&self, id: &str, name: &str) -> Result<Snapshot>;

    /// Lists all snapshots of the account. One request a page.
    async fn snapshots(&self) -> Result<Vec<Snapshot>>;

    /// Deletes a snapshot. Deleting what is not there succeeds. One request.
    async fn delete_snapshot(&self, id: &str) -> Result<()>;
}

/// The volume to create.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewVolume {
    /// Its name.
    pub name: String,
    /// Size in GiB.
    pub size_gib: u32,
    /// Kind of disk; the backend's default if unset.
    pub kind: Option<DiskKind>,
    /// The zone; the provider's choice if unset.
    pub zone: Option<String>,
    /// The snapshot that it starts from; empty if unset.
    pub snapshot: Option<String>,
    /// Who it belongs to.
    pub owner: Option<Owner>,
}

impl NewVolume {
    /// An empty volume of so many GiB.
    pub fn new(name: impl Into<String>, size_gib: u32) -> Self {
        Self { name: name.into(), size_gib, kind: None, zone: None, snapshot: None, owner: None }
    }
}

/// What a volume is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VolumeState {
    /// Being created.
    Pending,
    /// Ready to be attached.
    Available,
    /// Attached, or about to be.
    InUse,
    /// Being deleted.
    Deleting,
    /// Broken.
    Failed,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Volume {
    /// The provider's identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Size in GiB.
    pub size_gib: u32,
    /// What it is doing.
    pub state: VolumeState,
    /// The instance that it is attached to.
    pub attached_to: Option<InstanceId>,
}

impl Volume {
    /// A volume that is attached to nothing.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        size_gib: u32,
        state: VolumeState,
    ) -> Self {
        Self { id: id.into(), name: name.into(), size_gib, state, attached_to: None }
    }
}

/// A snapshot of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The provider's identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Size of the volume in GiB.
    pub size_gib: u32,
    /// Whether it is complete.
    pub ready: bool,
}

impl Snapshot {
    /// A snapshot.
    pub fn new(id: impl Into<String>, name: impl Into<String>, size_gib: u32, ready: bool) -> Self {
        Self { id: id.into(), name: name.into(), size_gib, ready }
    }
}

/// Networks and subnets.
#[async_trait]
pub trait Networks: fmt::Debug + Send + Sync {
    /// Lists networks with their subnets. One to two requests a page.
    async fn list(&self) -> Result<Vec<Network>>;

    /// The network that instances get if none is named. One to two requests.
    ///
    /// # Errors
    /// `NotFound` if the account has none.
    async fn default_network(&self) -> Result<Network>;
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// The provider's identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its subnets.
    pub subnets: Vec<Subnet>,
}

impl Network {
    /// A network.
    pub fn new(id: impl Into<String>, name: impl Into<String>, subnets: Vec<Subnet>) -> Self {
        Self { id: id.into(), name: name.into(), subnets }
    }
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subnet {
    /// The provider's identifier.
    pub id: String,
    /// Its addresses.
    pub cidr: super::spec::Cidr,
    /// Its zone, where it has one.
    pub zone: Option<String>,
}

impl Subnet {
    /// A subnet.
    pub fn new(id: impl Into<String>, cidr: super::spec::Cidr, zone: Option<String>) -> Self {
        Self { id: id.into(), cidr, zone }
    }
}

/// Firewalls of their own, apart from the one that a spec's ingress rules make.
#[async_trait]
pub trait Firewalls: fmt::Debug + Send + Sync {
    /// Creates a firewall with these rules; everything else from outside is denied. One to two requests.
    ///
    /// # Errors
    /// `AlreadyExists`.
    async fn create(&self, name: &str, rules: &[IngressRule]) -> Result<FirewallInfo>;

    /// Lists firewalls. One request a page.
    async fn list(&self) -> Result<Vec<FirewallInfo>>;

    /// Replaces the rules of a firewall. Two to three requests.
    ///
    /// # Errors
    /// `NotFound`.
    async fn set_rules(&self, id: &str, rules: &[IngressRule]) -> Result<()>;

    /// Deletes a firewall. Deleting what is not there succeeds. One request.
    ///
    /// # Errors
    /// `InvalidState` while an instance uses it.
    async fn delete(&self, id: &str) -> Result<()>;
}

/// A firewall.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirewallInfo {
    /// The provider's identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its rules.
    pub rules: Vec<IngressRule>,
}

impl FirewallInfo {
    /// A firewall.
    pub fn new(id: impl Into<String>, name: impl Into<String>, rules: Vec<IngressRule>) -> Self {
        Self { id: id.into(), name: name.into(), rules }
    }
}

/// Images made from instances.
#[async_trait]
pub trait Images: fmt::Debug + Send + Sync {
    /// Makes an image of an instance's disk. A running instance may be stopped for it, unless the
    /// backend's documentation says that it is not. One to two requests.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyExists`.
    async fn create(&self, build: &ImageBuild) -> Result<Image>;

    /// Lists the account's own images. One request a page.
    async fn list(&self) -> Result<Vec<Image>>;

    /// Deletes an image and its snapshots. Deleting what is not there succeeds. One to two requests, and
    /// one for each disk.
    async fn delete(&self, id: &str) -> Result<()>;
}

/// The image to make.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageBuild {
    /// Its name.
    pub name: String,
    /// The instance whose disk it is made of.
    pub instance: InstanceId,
}

impl ImageBuild {
    /// An image of an instance.
    pub fn new(name: impl Into<String>, instance: InstanceId) -> Self {
        Self { name: name.into(), instance }
    }
}

/// What instances write to their console.
#[async_trait]
pub trait Console: fmt::Debug + Send + Sync {
    /// Reads console output from a position on. Providers keep the last 64 KiB to 1 MiB. One request.
    ///
    /// # Errors
    /// `NotFound`.
    async fn output(&self, id: &InstanceId, from: u64) -> Result<ConsoleOutput>;
}

/// A piece of console output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsoleOutput {
    /// What was written, byte for byte.
    pub data: Bytes,
    /// The position of its first byte: greater than what was asked for if older output is gone.
    pub start: u64,
    /// The position to go on from.
    pub next: u64,
}

impl ConsoleOutput {
    /// Output that begins at a position.
    #[must_use]
    pub fn new(start: u64, data: Bytes) -> Self {
        let next = start.saturating_add(data.len() as u64);
        Self { data, start, next }
    }
}

/// Limits of the account.
#[async_trait]
pub trait Quotas: fmt::Debug + Send + Sync {
    /// Lists limits with their use. One to two requests.
    async fn list(&self) -> Result<Vec<Quota>>;
}

/// A limit of the account.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Quota {
    /// The provider's name of it.
    pub name: String,
    /// The limit.
    pub limit: f64,
    /// How much of it is used, where the provider tells.
    pub used: Option<f64>,
}

impl Quota {
    /// A limit.
    pub fn new(name: impl Into<String>, limit: f64, used: Option<f64>) -> Self {
        Self { name: name.into(), limit, used }
    }
}

/// Changing the hardware of an instance.
#[async_trait]
pub trait Resize: fmt::Debug + Send + Sync {
    /// Gives a stopped instance other hardware. One to three requests, and those of finding a type by
    /// need.
    ///
    /// # Errors
    /// `NotFound`, also of the type; `InvalidState` unless it is stopped.
    async fn resize(&self, id: &InstanceId, hardware: &Hardware) -> Result<()>;
}

/// Prices of instance types.
#[async_trait]
pub trait Prices: fmt::Debug + Send + Sync {
    /// The price per hour of an instance type in this region, where it is known. An unknown price is
    /// never zero.
    ///
    /// # Errors
    /// `NotFound` if there is no such type.
    async fn hourly(&self, instance_type: &str, spot: bool) -> Result<Option<Price>>;
}

/// An amount of money: millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u64);

impl Price {
    /// So many millionths of a US dollar.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if it is zero, which means "unknown" in the
    /// providers' own lists.
    pub fn from_usd_micros(micros: u64) -> Result<Self> {
        if micros == 0 {
            return Err(Error::invalid("a price is not zero"));
        }
        Ok(Self(micros))
    }

    /// The amount in millionths of a US dollar.
    #[must_use]
    pub fn usd_micros(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Finding and removing what a killed caller left behind.
#[async_trait]
pub trait Sweep: fmt::Debug + Send + Sync {
    /// Removes instances and everything made for them that belong to an owner and are older than an
    /// age, and verifies that they are gone. Touches nothing that has another owner or none.
    ///
    /// Safe to repeat and to run while others create; with an age above the time that a create takes,
    /// it never takes away what is just being made.
    ///
    /// # Errors
    /// What could not be removed is in the report, not an error; an error means that the search itself
    /// failed.
    async fn sweep(&self, options: &SweepOptions) -> Result<SweepReport>;
}

/// What to sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Whose.
    pub owner: Owner,
    /// Only what was created at least so long ago.
    pub older_than: Duration,
    /// Whether to find only, and remove nothing.
    pub dry_run: bool,
}

impl SweepOptions {
    /// Everything of an owner, whatever its age.
    #[must_use]
    pub fn new(owner: Owner) -> Self {
        Self { owner, older_than: Duration::ZERO, dry_run: false }
    }

    /// Sets the age.
    #[must_use]
    pub fn with_older_than(mut self, age: Duration) -> Self {
        self.older_than = age;
        self
    }

    /// Sets whether to find only.
    #[must_use]
    pub fn with_dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// What a sweep found and did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct SweepReport {
    /// What was found.
    pub found: Vec<ResourceRef>,
    /// What is gone for sure.
    pub removed: Vec<ResourceRef>,
    /// What is still there, and why.
    pub failed: Vec<(ResourceRef, Error)>,
    /// When the search started, by the backend's clock.
    pub at: Option<SystemTime>,
}
