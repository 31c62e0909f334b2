//! All instances, and what is made of and for them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::compute::{
    Arch, FirewallInfo, Hardware, Image, ImageSelector, InstanceName, InstanceState as State,
    InstanceType, KeyPair, Snapshot, Volume,
};
use polycloud_core::{Error, ErrorKind, Result};

use super::machine::{Disk, Machine, Request};
use super::{Flaw, ZONES, not_found};

pub(super) struct World {
    pub(super) machines: BTreeMap<u32, Machine>,
    pub(super) images: BTreeMap<String, (Image, Disk)>,
    pub(super) keys: BTreeMap<String, KeyPair>,
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    pub(super) firewalls: BTreeMap<String, FirewallInfo>,
    /// Names that were ever given.
    names: Vec<InstanceName>,
    next: u32,
    flaw: Option<Flaw>,
}

pub(super) fn types() -> Vec<InstanceType> {
    vec![
        InstanceType::new("fake.small", 1, 512, Arch::X86_64),
        InstanceType::new("fake.medium", 2, 2_048, Arch::X86_64),
        InstanceType::new("fake.arm", 2, 2_048, Arch::Arm64),
        InstanceType::new("fake.large", 4, 8_192, Arch::X86_64),
    ]
}

impl World {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        let image = |arch: Arch| {
            let image = Image::new(format!("image-{arch}"), "Fake OS", arch);
            (image.id.clone(), (image.with_login_user("fake"), Disk::new()))
        };
        Self {
            machines: BTreeMap::new(),
            images: [Arch::X86_64, Arch::Arm64].map(image).into(),
            keys: BTreeMap::new(),
            volumes: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            firewalls: BTreeMap::new(),
            names: Vec::new(),
            next: 0,
            flaw,
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// A number whose neighbours are never given out.
    pub(super) fn next(&mut self) -> u32 {
        self.next += 16;
        self.next
    }

    /// A look at an instance, which gets on with what it is about to do. Every other one is forgotten
    /// once it is terminated.
    pub(super) fn look(&mut self, number: u32) -> Option<&mut Machine> {
        self.machines.get_mut(&number)?.look();
        let machine = self.machines.get(&number)?;
        if machine.state == State::Terminated && number.is_multiple_of(32) {
            self.machines.remove(&number);
        }
        self.machines.get_mut(&number)
    }

    pub(super) fn machine(&mut self, number: u32) -> Result<&mut Machine> {
        self.machines.get_mut(&number).ok_or_else(not_found)
    }

    fn hardware(&self, hardware: &Hardware) -> Result<InstanceType> {
        let mut types = types();
        if self.has(Flaw::PicksTheLargest) {
            types.reverse();
        }
        let found = types.into_iter().find(|kind| match hardware {
            Hardware::Type(name) => kind.name == *name,
            Hardware::Needs(needs) => kind.meets(needs),
            _ => false,
        });
        found.ok_or_else(not_found)
    }

    pub(super) fn image(&self, selector: &ImageSelector, arch: Arch) -> Result<&(Image, Disk)> {
        let id = match selector {
            ImageSelector::Default => format!("image-{arch}"),
            ImageSelector::Alias(alias) if alias == "ubuntu:24.04" => format!("image-{arch}"),
            ImageSelector::Id(id) => id.clone(),
            _ => return Err(not_found()),
        };
        let image = self.images.get(&id).filter(|(image, _)| image.arch == arch);
        image.ok_or_else(not_found)
    }

    fn zone(&self, asked: Option<&str>) -> Result<&'static str> {
        let [first, _] = ZONES;
        let zone = ZONES.into_iter().find(|zone| asked.is_none_or(|asked| asked == *zone));
        let zone = zone.ok_or_else(|| Error::invalid("no such zone"))?;
        Ok(if self.has(Flaw::ForgetsZone) { first } else { zone })
    }

    /// Makes one of the instances of a create.
    pub(super) fn make(&mut self, request: &Request, index: u32) -> Result<u32> {
        let spec = &request.spec;
        let name = match request.count.max() {
            1 => spec.name.clone(),
            _ => InstanceName::new(format!("{}-{index}", spec.name))?,
        };
        let taken = self.machines.values().any(|other| other.lives() && other.name == name)
            && !self.has(Flaw::NamesNotUnique);
        if taken || (self.has(Flaw::KeepsNamesForever) && self.names.contains(&name)) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let kind = self.hardware(&spec.hardware)?;
        let zone = self.zone(spec.placement.zone.as_deref())?;
        if spec.identity.as_deref().is_some_and(|identity| identity != "fake-role") {
            return Err(not_found());
        }
        let number = self.next();
        let [.., high, low] = number.to_be_bytes();
        let public = spec.public_ip && !self.has(Flaw::ForgetsPublicAddress);
        let mut machine = Machine {
            number,
            request: request.clone(),
            index,
            name: name.clone(),
            instance_type: kind.name,
            image: String::new(),
            zone: zone.to_owned(),
            labels: spec.labels.clone(),
            created: SystemClock::new().now(),
            state: State::Pending,
            looks: 2,
            billed: true,
            private: IpAddr::from([10, 0, high, low]),
            public: public.then(|| IpAddr::from([203, 0, high, low])),
            boots: 0,
            console: Vec::new(),
            disk: Disk::new(),
            ticks: None,
            flaw: self.flaw,
        };
        let image = self.image(&spec.image, kind.arch);
        match image {
            Ok((image, disk)) => (machine.image, machine.disk) = (image.id.clone(), disk.clone()),
            Err(_) if self.has(Flaw::CreatesBeforeItRefuses) => {}
            Err(error) => return Err(error),
        }
        let refused = machine.image.is_empty();
        self.machines.insert(number, machine);
        self.names.push(name);
        if refused { Err(not_found()) } else { Ok(number) }
    }
}
