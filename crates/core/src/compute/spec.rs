use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::facets::Price;
use super::id::InstanceName;
use super::labels::Labels;
use super::types::Arch;
use crate::capability::{Feature, Requires};
use crate::error::{Error, Result};

/// The instance to create.
///
/// Only the name is required; the rest has defaults that work without any set-up at the provider.
///
/// ```
/// use polycloud_core::compute::{Hardware, ImageSelector, InstanceName, InstanceSpec};
///
/// let spec = InstanceSpec::new(InstanceName::new("web-1")?)
///     .with_hardware(Hardware::at_least(2, 4096))
///     .with_image("ubuntu:24.04".parse::<ImageSelector>()?)
///     .with_user_data("#!/bin/sh\necho hello");
/// # Ok::<(), polycloud_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceSpec {
    /// The name. Unique among the living instances of the account, or of the scope where the provider
    /// keeps names per scope.
    pub name: InstanceName,
    /// The machine. The smallest that the provider has, if unset.
    pub hardware: Hardware,
    /// What it boots. The provider's current Debian, if unset.
    pub image: ImageSelector,
    /// Where it stands.
    pub placement: Placement,
    /// Whether it gets a public address.
    pub public_ip: bool,
    /// Ports that are open to the outside; none by default.
    pub ingress: Vec<IngressRule>,
    /// Keys that may log in.
    pub ssh_keys: Vec<PublicKey>,
    /// The user that the keys log in as; the image's own if unset.
    pub login_user: Option<String>,
    /// What it runs (a script that begins with `#!`) or reads (cloud-init) at its first boot.
    pub user_data: Option<UserData>,
    /// Its disk.
    pub boot_disk: BootDisk,
    /// Its labels.
    pub labels: Labels,
    /// On which terms it is bought.
    pub market: Market,
    /// The provider's identity that programs on it act as: an instance profile, a service account, a
    /// managed identity.
    pub identity: Option<String>,
}

impl InstanceSpec {
    /// An instance with defaults for everything but its name.
    #[must_use]
    pub fn new(name: InstanceName) -> Self {
        Self {
            name,
            hardware: Hardware::default(),
            image: ImageSelector::default(),
            placement: Placement::default(),
            public_ip: false,
            ingress: Vec::new(),
            ssh_keys: Vec::new(),
            login_user: None,
            user_data: None,
            boot_disk: BootDisk::default(),
            labels: Labels::new(),
            market: Market::OnDemand,
            identity: None,
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(mut self, name: InstanceName) -> Self {
        self.name = name;
        self
    }

    /// Sets the machine.
    #[must_use]
    pub fn with_hardware(mut self, hardware: Hardware) -> Self {
        self.hardware = hardware;
        self
    }

    /// Sets what it boots.
    #[must_use]
    pub fn with_image(mut self, image: ImageSelector) -> Self {
        self.image = image;
        self
    }

    /// Sets the zone.
    #[must_use]
    pub fn with_zone(mut self, zone: impl Into<String>) -> Self {
        self.placement.zone = Some(zone.into());
        self
    }

    /// Sets whether it gets a public address.
    #[must_use]
    pub fn with_public_ip(mut self, public_ip: bool) -> Self {
        self.public_ip = public_ip;
        self
    }

    /// Opens ports.
    #[must_use]
    pub fn with_ingress(mut self, rule: IngressRule) -> Self {
        self.ingress.push(rule);
        self
    }

    /// Adds a key that may log in.
    #[must_use]
    pub fn with_ssh_key(mut self, key: PublicKey) -> Self {
        self.ssh_keys.push(key);
        self
    }

    /// Sets what it runs or reads at its first boot.
    #[must_use]
    pub fn with_user_data(mut self, data: impl Into<UserData>) -> Self {
        self.user_data = Some(data.into());
        self
    }

    /// Sets its disk.
    #[must_use]
    pub fn with_boot_disk(mut self, disk: BootDisk) -> Self {
        self.boot_disk = disk;
        self
    }

    /// Sets its labels.
    #[must_use]
    pub fn with_labels(mut self, labels: Labels) -> Self {
        self.labels = labels;
        self
    }

    /// Sets on which terms it is bought.
    #[must_use]
    pub fn with_market(mut self, market: Market) -> Self {
        self.market = market;
        self
    }

    /// Sets the identity of programs on it.
    #[must_use]
    pub fn with_identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }
}

impl Requires for InstanceSpec {
    fn requires(&self, need: &mut dyn FnMut(Feature)) {
        let Self {
            name: _,
            hardware,
            image,
            placement,
            public_ip,
            ingress,
            ssh_keys,
            login_user,
            user_data,
            boot_disk,
            labels,
            market,
            identity,
        } = self;
        let mut need_if = |wanted: bool, feature| {
            if wanted {
                need(feature);
            }
        };
        let Placement { zone, group } = placement;
        need_if(
            matches!(hardware, Hardware::Needs(needs) if *needs != Needs::default()),
            Feature::HardwareNeeds,
        );
        need_if(matches!(image, ImageSelector::Alias(_)), Feature::ImageAlias);
        need_if(zone.is_some() || group.is_some(), Feature::Zones);
        need_if(*public_ip, Feature::PublicIp);
        need_if(!ingress.is_empty(), Feature::Ingress);
        need_if(!ssh_keys.is_empty() || login_user.is_some(), Feature::SshKeys);
        need_if(user_data.is_some(), Feature::UserData);
        need_if(*boot_disk != BootDisk::default(), Feature::BootDisk);
        need_if(!labels.is_empty(), Feature::Labels);
        need_if(*market != Market::OnDemand, Feature::Spot);
        need_if(identity.is_some(), Feature::InstanceIdentity);
    }
}

/// Which machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hardware {
    /// The provider's type of this name.
    Type(String),
    /// The smallest type that is at least this.
    Needs(Needs),
}

impl Hardware {
    /// The provider's type of this name, such as `t3.micro`.
    pub fn of_type(name: impl Into<String>) -> Self {
        Self::Type(name.into())
    }

    /// The smallest type with so many processors and MiB of memory.
    #[must_use]
    pub fn at_least(vcpus: u32, memory_mib: u64) -> Self {
        Self::Needs(Needs { vcpus, memory_mib, arch: None })
    }
}

impl Default for Hardware {
    fn default() -> Self {
        Self::Needs(Needs::default())
    }
}

/// What a machine must have at least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Needs {
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The processor architecture; any if unset.
    pub arch: Option<Arch>,
}

impl Needs {
    /// So many processors and MiB of memory, of any architecture.
    #[must_use]
    pub fn new(vcpus: u32, memory_mib: u64) -> Self {
        Self { vcpus, memory_mib, arch: None }
    }

    /// Sets the architecture.
    #[must_use]
    pub fn with_arch(mut self, arch: Arch) -> Self {
        self.arch = Some(arch);
        self
    }
}

/// Which image to boot. `os:version` parses to an alias, `id:…` to an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ImageSelector {
    /// The backend's default.
    #[default]
    Default,
    /// The provider's identifier, path or URN.
    Id(String),
    /// An operating system and its version, such as `ubuntu:24.04`, which the backend looks up.
    Alias(String),
}

impl FromStr for ImageSelector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let plain =
            |s: &str| !s.is_empty() && !s.contains(|c: char| c.is_control() || c.is_whitespace());
        match text.split_once(':') {
            Some(("id", id)) if plain(id) => Ok(Self::Id(id.into())),
            Some((os, version)) if plain(os) && plain(version) => Ok(Self::Alias(text.into())),
            _ => Err(Error::invalid(format!(
                "an image is written os:version (ubuntu:24.04) or id:IDENTIFIER, not {text:?}"
            ))),
        }
    }
}

/// Where an instance stands within the region of its backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placement {
    /// The zone; the provider's choice if unset.
    pub zone: Option<String>,
    /// The provider's placement group or availability set.
    pub group: Option<String>,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Ports that are open to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IngressRule {
    /// The protocol.
    pub protocol: Protocol,
    /// The ports.
    pub ports: RangeInclusive<u16>,
    /// From where.
    pub source: Cidr,
}

impl IngressRule {
    /// Opens ports to a network.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if there are no ports or port 0 is one.
    pub fn new(protocol: Protocol, ports: RangeInclusive<u16>, source: Cidr) -> Result<Self> {
        if ports.is_empty() || *ports.start() == 0 {
            return Err(Error::invalid(format!("not a range of ports: {ports:?}")));
        }
        Ok(Self { protocol, ports, source })
    }
}

/// A network: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Checks and joins the parts.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if there are more bits than the address has.
    pub fn new(address: IpAddr, bits: u8) -> Result<Self> {
        if bits > if address.is_ipv4() { 32 } else { 128 } {
            return Err(Error::invalid(format!("not a network: {address}/{bits}")));
        }
        Ok(Self { address, bits })
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }
}

impl FromStr for Cidr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::invalid(format!("a network is written 192.0.2.0/24, not {text:?}"));
        let (address, bits) = text.split_once('/').ok_or_else(bad)?;
        Self::new(address.parse().map_err(|_| bad())?, bits.parse().map_err(|_| bad())?)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// An SSH public key as it stands in `authorized_keys`: type, base64, and perhaps a comment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey(String);

impl PublicKey {
    /// Checks and wraps a line.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) unless it is one line that begins with a known
    /// key type and base64. A private key is refused without being repeated in the message.
    pub fn new(line: impl AsRef<str>) -> Result<Self> {
        const TYPES: [&str; 5] = [
            "ssh-ed25519",
            "ssh-rsa",
            "ecdsa-sha2-nistp256",
            "ecdsa-sha2-nistp384",
            "ecdsa-sha2-nistp521",
        ];
        let line = line.as_ref().trim();
        let mut words = line.split(' ');
        let (kind, body) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
        let legal = TYPES.contains(&kind)
            && body.len() >= 64
            && body.bytes().all(base64)
            && !line.contains(char::is_control);
        if legal {
            return Ok(Self(line.into()));
        }
        Err(Error::invalid(
            "not an SSH public key: it must be one line such as \"ssh-ed25519 AAAA… me\"",
        ))
    }

    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an instance runs or reads at its first boot. It often holds secrets, so `Debug` shows its
/// size only.
#[derive(Clone, PartialEq, Eq)]
pub struct UserData(Bytes);

impl UserData {
    /// The content.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Bytes>> From<T> for UserData {
    fn from(data: T) -> Self {
        Self(data.into())
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserData({} bytes)", self.0.len())
    }
}

/// A kind of disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiskKind {
    /// The cheapest.
    Standard,
    /// Solid state at a moderate price.
    Balanced,
    /// The fastest that needs no further settings.
    Fast,
}

/// The disk that an instance boots from. It is removed with the instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BootDisk {
    /// Size in GiB; the image's own if unset.
    pub size_gib: Option<u32>,
    /// Kind of disk; the backend's default if unset.
    pub kind: Option<DiskKind>,
}

impl BootDisk {
    /// A disk of so many GiB.
    #[must_use]
    pub fn of_size(size_gib: u32) -> Self {
        Self { size_gib: Some(size_gib), kind: None }
    }

    /// Sets the kind.
    #[must_use]
    pub fn with_kind(mut self, kind: DiskKind) -> Self {
        self.kind = Some(kind);
        self
    }
}

/// On which terms an instance is bought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Market {
    /// Until it is terminated.
    #[default]
    OnDemand,
    /// Cheaper, until the provider takes it back, which terminates it.
    Spot {
        /// Most to pay per hour; the on-demand price if unset.
        max_hourly: Option<Price>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_is_not_printed() {
        let spec = InstanceSpec::new(InstanceName::new("a").unwrap()).with_user_data("TOKEN=cafe");
        assert!(!format!("{spec:?} {spec:#?}").contains("cafe"));
    }

    #[test]
    fn a_bare_spec_needs_nothing() {
        let spec = InstanceSpec::new(InstanceName::new("a").unwrap());
        let mut needs = Vec::new();
        spec.requires(&mut |feature| needs.push(feature));
        assert_eq!(needs, []);
        spec.with_public_ip(true).with_zone("z").requires(&mut |feature| needs.push(feature));
        assert_eq!(needs, [Feature::Zones, Feature::PublicIp]);
    }

    #[test]
    fn images_networks_and_keys_parse() {
        let image = |text: &str| text.parse::<ImageSelector>().ok();
        assert_eq!(image("ubuntu:24.04"), Some(ImageSelector::Alias("ubuntu:24.04".into())));
        assert_eq!(image("id:ami-1"), Some(ImageSelector::Id("ami-1".into())));
        assert!(image("ubuntu").is_none() && image("a:b c").is_none() && image("id:").is_none());

        assert_eq!("10.0.0.0/8".parse::<Cidr>().unwrap().to_string(), "10.0.0.0/8");
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
        assert!(IngressRule::new(Protocol::Tcp, 0..=1, "::/0".parse().unwrap()).is_err());

        let body = "A".repeat(68);
        assert!(PublicKey::new(format!("ssh-ed25519 {body} me@host")).is_ok());
        assert!(PublicKey::new(format!("ssh-ed25519 {body}\nssh-rsa {body}")).is_err());
        let error = PublicKey::new("-----BEGIN OPENSSH PRIVATE KEY----- cafe").unwrap_err();
        assert!(!error.to_string().contains("cafe"));
    }
}
