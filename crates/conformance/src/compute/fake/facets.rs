//! What the fake offers beyond instances.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use polycloud_core::clock::{Clock, SystemClock};
use polycloud_core::compute::{
    Arch, Console, ConsoleOutput, FirewallInfo, Firewalls, Hardware, Image, ImageBuild, Images,
    IngressRule, InstanceId, InstanceState as State, KeyPair, KeyPairs, Network, Networks,
    NewVolume, Price, Prices, PrivateKey, PublicKey, Quota, Quotas, Resize, Snapshot, Subnet,
    Sweep, SweepOptions, SweepReport, Volume, VolumeState, Volumes,
};
use polycloud_core::{ErrorKind, ResourceRef, Result};

use super::world::types;
use super::{Fake, Flaw, invalid_state, not_found};

#[async_trait]
impl Console for Fake {
    async fn output(&self, id: &InstanceId, from: u64) -> Result<ConsoleOutput> {
        let number = self.number(id)?;
        let all = self.world().machine(number)?.read_console(from);
        let from = if self.has(Flaw::ConsoleIgnoresPosition) { 0 } else { from };
        let start = usize::try_from(from).unwrap_or(usize::MAX).min(all.len());
        Ok(ConsoleOutput::new(start as u64, Bytes::copy_from_slice(&all[start..])))
    }
}

#[async_trait]
impl Images for Fake {
    async fn create(&self, build: &ImageBuild) -> Result<Image> {
        let number = self.number(&build.instance)?;
        let mut world = self.world();
        let machine = world.machine(number)?;
        let (disk, kind) = (machine.disk.clone(), machine.instance_type.clone());
        let kind = types().into_iter().find(|other| other.name == kind);
        let id = format!("own-{}", build.name);
        if world.images.contains_key(&id) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let arch = kind.map_or(Arch::X86_64, |kind| kind.arch);
        let image = Image::new(id.as_str(), build.name.as_str(), arch);
        world.images.insert(id, (image.clone(), disk));
        Ok(image)
    }

    async fn list(&self) -> Result<Vec<Image>> {
        let world = self.world();
        let images = world.images.values().map(|(image, _)| image);
        Ok(images.filter(|image| image.id.starts_with("own-")).cloned().collect())
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.world().images.remove(id);
        Ok(())
    }
}

#[async_trait]
impl Quotas for Fake {
    async fn list(&self) -> Result<Vec<Quota>> {
        let used = u32::try_from(self.left().len()).unwrap();
        Ok(vec![Quota::new("instances", 1_000.0, Some(used.into())), Quota::new("keys", 9.0, None)])
    }
}

#[async_trait]
impl Resize for Fake {
    async fn resize(&self, id: &InstanceId, hardware: &Hardware) -> Result<()> {
        let number = self.number(id)?;
        let kind = types().into_iter().find(|kind| match hardware {
            Hardware::Type(name) => kind.name == *name,
            Hardware::Needs(needs) => kind.meets(needs),
            _ => false,
        });
        let mut world = self.world();
        let machine = world.machine(number)?;
        let kind = kind.ok_or_else(not_found)?;
        if machine.state != State::Stopped && !self.has(Flaw::ResizesWhatRuns) {
            return Err(invalid_state());
        }
        machine.instance_type = kind.name;
        Ok(())
    }
}

#[async_trait]
impl Prices for Fake {
    async fn hourly(&self, instance_type: &str, spot: bool) -> Result<Option<Price>> {
        let kind = types().into_iter().find(|kind| kind.name == instance_type);
        let kind = kind.ok_or_else(not_found)?;
        let micros = u64::from(kind.vcpus) * if spot { 3_000 } else { 10_000 };
        Price::from_usd_micros(micros).map(Some)
    }
}

#[async_trait]
impl Sweep for Fake {
    async fn sweep(&self, options: &SweepOptions) -> Result<SweepReport> {
        let now = SystemClock::new().now();
        let mut report = SweepReport::default();
        report.at = Some(now);
        let mut world = self.world();
        let numbers: Vec<_> = world.machines.keys().copied().collect();
        for number in numbers {
            let machine = world.machine(number)?;
            let age = now.duration_since(machine.created).unwrap_or(Duration::ZERO);
            let owned = machine.request.options.owner.as_ref() == Some(&options.owner);
            let owned = owned || self.has(Flaw::SweepsEverybody);
            if !owned || age < options.older_than || machine.state == State::Terminated {
                continue;
            }
            let found = ResourceRef::new("instance", machine.id()?.to_string());
            report.found.push(found.clone());
            if options.dry_run && !self.has(Flaw::DryRunRemoves) {
                continue;
            }
            machine.terminate();
            while world.look(number).is_some_and(|machine| machine.state != State::Terminated) {}
            if !options.dry_run {
                report.removed.push(found);
            }
        }
        Ok(report)
    }
}

#[async_trait]
impl KeyPairs for Fake {
    async fn import(&self, name: &str, key: &PublicKey) -> Result<KeyPair> {
        let mut world = self.world();
        if world.keys.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let pair = KeyPair::new(name, key.as_str().len().to_string());
        world.keys.insert(name.to_owned(), pair.clone());
        Ok(pair)
    }

    async fn generate(&self, name: &str) -> Result<(KeyPair, PrivateKey)> {
        let number = self.world().next();
        let key = PublicKey::new(format!("ssh-ed25519 {number:0>68}"))?;
        let private = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{number}\n");
        Ok((self.import(name, &key).await?, PrivateKey::new(private)))
    }

    async fn list(&self) -> Result<Vec<KeyPair>> {
        Ok(self.world().keys.values().cloned().collect())
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.world().keys.remove(name);
        Ok(())
    }
}

#[async_trait]
impl Volumes for Fake {
    async fn create(&self, volume: &NewVolume) -> Result<Volume> {
        let mut world = self.world();
        let id = format!("vol-{}", world.next());
        let name = volume.name.as_str();
        let volume = Volume::new(id.as_str(), name, volume.size_gib, VolumeState::Pending);
        world.volumes.insert(id, volume.clone());
        Ok(volume)
    }

    async fn get(&self, id: &str) -> Result<Volume> {
        let mut world = self.world();
        let volume = world.volumes.get_mut(id).ok_or_else(not_found)?;
        let seen = volume.clone();
        if volume.state == VolumeState::Pending {
            volume.state = VolumeState::Available;
        }
        Ok(seen)
    }

    async fn list(&self) -> Result<Vec<Volume>> {
        Ok(self.world().volumes.values().cloned().collect())
    }

    async fn attach(&self, id: &str, instance: &InstanceId) -> Result<()> {
        let number = self.number(instance)?;
        let mut world = self.world();
        world.machine(number)?;
        let volume = world.volumes.get_mut(id).ok_or_else(not_found)?;
        if volume.state != VolumeState::Available {
            return Err(invalid_state());
        }
        volume.state = VolumeState::InUse;
        volume.attached_to = Some(instance.clone());
        Ok(())
    }

    async fn detach(&self, id: &str) -> Result<()> {
        let mut world = self.world();
        let volume = world.volumes.get_mut(id).ok_or_else(not_found)?;
        volume.state = VolumeState::Available;
        volume.attached_to = None;
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<()> {
        let mut world = self.world();
        if world.volumes.get(id).is_some_and(|volume| volume.state == VolumeState::InUse) {
            return Err(invalid_state());
        }
        world.volumes.remove(id);
        Ok(())
    }

    async fn snapshot(&self, id: &str, name: &str) -> Result<Snapshot> {
        let mut world = self.world();
        let size = world.volumes.get(id).ok_or_else(not_found)?.size_gib;
        let snapshot = Snapshot::new(format!("snap-{}", world.next()), name, size, true);
        world.snapshots.insert(snapshot.id.clone(), snapshot.clone());
        Ok(snapshot)
    }

    async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        Ok(self.world().snapshots.values().cloned().collect())
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        self.world().snapshots.remove(id);
        Ok(())
    }
}

#[async_trait]
impl Networks for Fake {
    async fn list(&self) -> Result<Vec<Network>> {
        let subnet = Subnet::new("subnet", "10.0.0.0/16".parse()?, None);
        Ok(vec![Network::new("default", "Default", vec![subnet])])
    }

    async fn default_network(&self) -> Result<Network> {
        Networks::list(self).await?.into_iter().next().ok_or_else(not_found)
    }
}

#[async_trait]
impl Firewalls for Fake {
    async fn create(&self, name: &str, rules: &[IngressRule]) -> Result<FirewallInfo> {
        let mut world = self.world();
        if world.firewalls.values().any(|firewall| firewall.name == name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let made = FirewallInfo::new(format!("fw-{}", world.next()), name, rules.to_vec());
        world.firewalls.insert(made.id.clone(), made.clone());
        Ok(made)
    }

    async fn list(&self) -> Result<Vec<FirewallInfo>> {
        Ok(self.world().firewalls.values().cloned().collect())
    }

    async fn set_rules(&self, id: &str, rules: &[IngressRule]) -> Result<()> {
        let mut world = self.world();
        world.firewalls.get_mut(id).ok_or_else(not_found)?.rules = rules.to_vec();
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.world().firewalls.remove(id);
        Ok(())
    }
}
