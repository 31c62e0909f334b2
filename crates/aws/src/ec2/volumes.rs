//! Volumes of EBS, and their snapshots.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{InstanceId, NewVolume, Snapshot, Volume, VolumeState, Volumes};
use polycloud_core::{Error, ErrorKind, Outcome, Result, ResultExt as _};

use super::instance::incomplete;
use super::list::{filter, next_page};
use super::patience::CONSISTENCY;
use super::{Ec2Compute, Inner, location, tags};
use crate::PROVIDER;

/// Entries on a page.
const PAGE: i32 = 500;

/// Letters of the devices that volumes are attached as: `/dev/sdf` to `/dev/sdp`, as Amazon recommends
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html>).
const DEVICES: std::ops::RangeInclusive<char> = 'f'..='p';

#[async_trait]
impl Volumes for Ec2Compute {
    async fn create(&self, volume: &NewVolume) -> Result<Volume> {
        self.0.create_volume(volume).await.during(PROVIDER, "create_volume", &volume.name)
    }

    async fn get(&self, id: &str) -> Result<Volume> {
        let get = async {
            let read = self.0.once_seen(id, || self.0.describe_volume(id)).await?;
            self.0.volume(&read)
        };
        get.await.during(PROVIDER, "get_volume", id)
    }

    async fn list(&self) -> Result<Vec<Volume>> {
        let list = self.0.complete("vol-", |volume: &Volume| &volume.id, || self.0.volumes());
        list.await.during(PROVIDER, "list_volumes", self.0.region())
    }

    async fn attach(&self, id: &str, instance: &InstanceId) -> Result<()> {
        self.0.attach(id, instance).await.during(PROVIDER, "attach_volume", id)
    }

    async fn detach(&self, id: &str) -> Result<()> {
        self.0.detach(id).await.during(PROVIDER, "detach_volume", id)
    }

    async fn delete(&self, id: &str) -> Result<()> {
        let removed = self.0.removed(id, || {
            let request = self.0.caller.client().delete_volume().volume_id(id);
            self.0.caller.call("DeleteVolume", request.send())
        });
        removed.await.during(PROVIDER, "delete_volume", id)
    }

    async fn snapshot(&self, id: &str, name: &str) -> Result<Snapshot> {
        self.0.snapshot(id, name).await.during(PROVIDER, "create_snapshot", id)
    }

    async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let list = self.0.complete("snap-", |known: &Snapshot| &known.id, || self.0.snapshots());
        list.await.during(PROVIDER, "list_snapshots", self.0.region())
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        self.0.remove_snapshot(id).await.during(PROVIDER, "delete_snapshot", id)
    }
}

impl Inner {
    async fn create_volume(&self, volume: &NewVolume) -> Result<Volume> {
        let zone = match &volume.zone {
            Some(zone) => zone.clone(),
            None => location::first_zone(self).await?,
        };
        let own = tags::of(&volume.name, volume.owner.as_ref());
        let request = self
            .caller
            .client()
            .create_volume()
            .availability_zone(zone)
            .size(i32::try_from(volume.size_gib).unwrap_or(i32::MAX))
            // As with the disks of instances, one type is all kinds: see `launch`.
            .volume_type(sdk::VolumeType::Gp3)
            .set_snapshot_id(volume.snapshot.clone())
            .client_token(self.draw_token())
            .tag_specifications(tags::specification(sdk::ResourceType::Volume, own));
        let source = volume.snapshot.as_deref().unwrap_or_default();
        let answer =
            self.once_seen(source, || self.caller.call("CreateVolume", request.clone().send()));
        let answer = answer.await?;
        let id = answer.volume_id.ok_or_else(|| incomplete("a volume without an id"))?;
        self.made(&id);
        let state = answer.state.as_ref().map_or(VolumeState::Pending, state);
        Ok(Volume::new(id, &*volume.name, volume.size_gib, state))
    }

    async fn describe_volume(&self, id: &str) -> Result<sdk::Volume> {
        let request = self.caller.client().describe_volumes().volume_ids(id);
        let answer = self.caller.call("DescribeVolumes", request.send()).await?;
        let found = answer.volumes.into_iter().flatten().next();
        found.ok_or_else(|| ErrorKind::NotFound.into())
    }

    async fn volumes(&self) -> Result<Vec<Volume>> {
        let (mut all, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_volumes();
            let request = request.max_results(PAGE).set_next_token(next.take());
            let answer = self.caller.call("DescribeVolumes", request.send()).await?;
            for volume in answer.volumes() {
                all.push(self.volume(volume)?);
            }
            match next_page(answer.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(all),
            }
        }
    }

    fn volume(&self, from: &sdk::Volume) -> Result<Volume> {
        let id = from.volume_id().ok_or_else(|| incomplete("a volume without an id"))?;
        let name = tags::value(from.tags(), tags::NAME).unwrap_or(id);
        let size = u32::try_from(from.size().unwrap_or_default()).unwrap_or_default();
        let state = from.state().map_or(VolumeState::Failed, state);
        let mut volume = Volume::new(id, name, size, state);
        let attached = from.attachments().iter().find_map(sdk::VolumeAttachment::instance_id);
        volume.attached_to = attached.map(|instance| self.id(instance)).transpose()?;
        Ok(volume)
    }

    async fn attach(&self, id: &str, instance: &InstanceId) -> Result<()> {
        let native = self.native(instance)?;
        let mut tried = None;
        loop {
            let device = self.free_device(native).await?;
            let attached = self.once_seen(id, || {
                let request = self.caller.client().attach_volume().volume_id(id);
                let request = request.instance_id(native).device(&device);
                self.caller.call("AttachVolume", request.send())
            });
            match attached.await {
                // Somebody else may have taken the device at the same time. Then another one is free.
                Err(error)
                    if error.kind() == ErrorKind::InvalidArgument
                        && tried.as_ref() != Some(&device) =>
                {
                    if self.free_device(native).await? == device {
                        return Err(error);
                    }
                    tried = Some(device);
                }
                attached => return attached.map(drop),
            }
        }
    }

    /// The first device name of an instance that nothing is attached as.
    async fn free_device(&self, native: &str) -> Result<String> {
        let known = self.describe(native).await?;
        let disks = known.block_device_mappings().iter();
        let used: BTreeSet<_> = disks.filter_map(|disk| letter(disk.device_name()?)).collect();
        let free = DEVICES.into_iter().find(|letter| !used.contains(letter));
        free.map(|letter| format!("/dev/sd{letter}")).ok_or_else(|| {
            Error::new(ErrorKind::QuotaExceeded).with_message("the instance has no device left")
        })
    }

    async fn detach(&self, id: &str) -> Result<()> {
        let detached = self.once_seen(id, || {
            let request = self.caller.client().detach_volume().volume_id(id);
            self.caller.call("DetachVolume", request.send())
        });
        match detached.await {
            // It is attached to nothing, or is being detached.
            Err(error) if error.kind() == ErrorKind::InvalidState => {
                let now = self.describe_volume(id).await?;
                let stays = |at: &sdk::VolumeAttachment| {
                    !matches!(
                        at.state(),
                        Some(
                            sdk::VolumeAttachmentState::Detaching
                                | sdk::VolumeAttachmentState::Detached
                        )
                    )
                };
                if now.attachments().iter().any(stays) { Err(error) } else { Ok(()) }
            }
            detached => detached.map(drop),
        }
    }

    async fn snapshot(&self, id: &str, name: &str) -> Result<Snapshot> {
        let (mut own, token) = (tags::of(name, None), self.draw_token());
        own.push(tags::tag(tags::TOKEN, &token));
        let answer = self.once_seen(id, || {
            let request = self.caller.client().create_snapshot().volume_id(id).description(name);
            let own = tags::specification(sdk::ResourceType::Snapshot, own.clone());
            self.caller.call("CreateSnapshot", request.tag_specifications(own).send())
        });
        let snapshot = match answer.await {
            Ok(answer) => {
                let id =
                    answer.snapshot_id.ok_or_else(|| incomplete("a snapshot without an id"))?;
                let size = answer.volume_size.unwrap_or_default();
                let ready = answer.state == Some(sdk::SnapshotState::Completed);
                Snapshot::new(id, name, u32::try_from(size).unwrap_or_default(), ready)
            }
            Err(error) => self.made_snapshot(&token, error).await?,
        };
        self.made(&snapshot.id);
        Ok(snapshot)
    }

    /// The snapshot of a request whose answer was lost.
    async fn made_snapshot(&self, token: &str, error: Error) -> Result<Snapshot> {
        if error.outcome() != Outcome::Unknown {
            return Err(error);
        }
        let found = self.look(CONSISTENCY, || async {
            let request = self.caller.client().describe_snapshots().owner_ids("self");
            let request = request.filters(filter(format!("tag:{}", tags::TOKEN), [token]));
            let answer = self.caller.call("DescribeSnapshots", request.send()).await?;
            Ok(answer.snapshots().iter().find_map(snapshot))
        });
        found.await.ok().flatten().ok_or(error)
    }

    async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let (mut all, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_snapshots().owner_ids("self");
            let request = request.max_results(PAGE).set_next_token(next.take());
            let answer = self.caller.call("DescribeSnapshots", request.send()).await?;
            all.extend(answer.snapshots().iter().filter_map(snapshot));
            match next_page(answer.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// Deletes a snapshot. That it is gone is fine.
    pub(super) async fn remove_snapshot(&self, id: &str) -> Result<()> {
        let removed = self.removed(id, || {
            let request = self.caller.client().delete_snapshot().snapshot_id(id);
            self.caller.call("DeleteSnapshot", request.send())
        });
        removed.await
    }
}

/// The letter of a device, if it is named as disks are: `/dev/sdf`, `xvdf`.
fn letter(device: &str) -> Option<char> {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    let rest = ["sd", "xvd", "hd"].iter().find_map(|start| name.strip_prefix(start))?;
    rest.chars().next()
}

fn snapshot(from: &sdk::Snapshot) -> Option<Snapshot> {
    let id = from.snapshot_id()?;
    let name = tags::value(from.tags(), tags::NAME).unwrap_or(id);
    let size = u32::try_from(from.volume_size().unwrap_or_default()).ok()?;
    let ready = from.state() == Some(&sdk::SnapshotState::Completed);
    Some(Snapshot::new(id, name, size, ready))
}

fn state(state: &sdk::VolumeState) -> VolumeState {
    match state {
        sdk::VolumeState::Creating => VolumeState::Pending,
        sdk::VolumeState::Available => VolumeState::Available,
        sdk::VolumeState::InUse => VolumeState::InUse,
        sdk::VolumeState::Deleting | sdk::VolumeState::Deleted => VolumeState::Deleting,
        _ => VolumeState::Failed,
    }
}
