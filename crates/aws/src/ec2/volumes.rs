//! Volumes of EBS, and their snapshots.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{InstanceId, NewVolume, Snapshot, Volume, VolumeState, Volumes};
use polycloud_core::{Error, ErrorKind, Result, ResultExt as _};

use super::instance::incomplete;
use super::list::next_page;
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
        let get = async { self.0.volume(&self.0.describe_volume(id).await?) };
        get.await.during(PROVIDER, "get_volume", id)
    }

    async fn list(&self) -> Result<Vec<Volume>> {
        self.0.volumes().await.during(PROVIDER, "list_volumes", self.0.region())
    }

    async fn attach(&self, id: &str, instance: &InstanceId) -> Result<()> {
        self.0.attach(id, instance).await.during(PROVIDER, "attach_volume", id)
    }

    async fn detach(&self, id: &str) -> Result<()> {
        self.0.detach(id).await.during(PROVIDER, "detach_volume", id)
    }

    async fn delete(&self, id: &str) -> Result<()> {
        let delete = async {
            let request = self.0.caller.client().delete_volume().volume_id(id);
            match self.0.caller.call("DeleteVolume", request.send()).await {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                deleted => deleted.map(drop),
            }
        };
        delete.await.during(PROVIDER, "delete_volume", id)
    }

    async fn snapshot(&self, id: &str, name: &str) -> Result<Snapshot> {
        self.0.snapshot(id, name).await.during(PROVIDER, "create_snapshot", id)
    }

    async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        self.0.snapshots().await.during(PROVIDER, "list_snapshots", self.0.region())
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
        let random = self.caller.random();
        let token = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
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
            .client_token(token)
            .tag_specifications(tags::specification(sdk::ResourceType::Volume, own));
        let answer = self.caller.call("CreateVolume", request.send()).await?;
        let id = answer.volume_id.ok_or_else(|| incomplete("a volume without an id"))?;
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
        self.describe_volume(id).await?;
        let known = self.describe(native).await?;
        let used: BTreeSet<_> = known
            .block_device_mappings()
            .iter()
            .filter_map(|disk| disk.device_name()?.chars().last())
            .collect();
        let letter =
            DEVICES.into_iter().find(|letter| !used.contains(letter)).ok_or_else(|| {
                Error::new(ErrorKind::QuotaExceeded).with_message("the instance has no device left")
            })?;
        let request = self.caller.client().attach_volume().volume_id(id).instance_id(native);
        let request = request.device(format!("/dev/sd{letter}"));
        self.caller.call("AttachVolume", request.send()).await.map(drop)
    }

    async fn detach(&self, id: &str) -> Result<()> {
        let known = self.describe_volume(id).await?;
        if known.attachments().is_empty() {
            return Ok(());
        }
        let request = self.caller.client().detach_volume().volume_id(id);
        match self.caller.call("DetachVolume", request.send()).await {
            // It was detached meanwhile, or is being detached.
            Err(error) if error.kind() == ErrorKind::InvalidState => {
                let now = self.describe_volume(id).await?;
                let stays = |at: &sdk::VolumeAttachment| {
                    !matches!(at.state(), Some(sdk::VolumeAttachmentState::Detaching))
                };
                if now.attachments().iter().any(stays) { Err(error) } else { Ok(()) }
            }
            detached => detached.map(drop),
        }
    }

    async fn snapshot(&self, id: &str, name: &str) -> Result<Snapshot> {
        let own = tags::of(name, None);
        let request = self.caller.client().create_snapshot().volume_id(id).description(name);
        let request =
            request.tag_specifications(tags::specification(sdk::ResourceType::Snapshot, own));
        let answer = self.caller.call("CreateSnapshot", request.send()).await?;
        let id = answer.snapshot_id.ok_or_else(|| incomplete("a snapshot without an id"))?;
        let size = u32::try_from(answer.volume_size.unwrap_or_default()).unwrap_or_default();
        Ok(Snapshot::new(id, name, size, answer.state == Some(sdk::SnapshotState::Completed)))
    }

    async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let (mut all, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_snapshots().owner_ids("self");
            let request = request.max_results(PAGE).set_next_token(next.take());
            let answer = self.caller.call("DescribeSnapshots", request.send()).await?;
            all.extend(answer.snapshots().iter().filter_map(|from| {
                let id = from.snapshot_id()?;
                let name = tags::value(from.tags(), tags::NAME).unwrap_or(id);
                let size = u32::try_from(from.volume_size().unwrap_or_default()).ok()?;
                let ready = from.state() == Some(&sdk::SnapshotState::Completed);
                Some(Snapshot::new(id, name, size, ready))
            }));
            match next_page(answer.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// Deletes a snapshot. That it is gone is fine.
    pub(super) async fn remove_snapshot(&self, id: &str) -> Result<()> {
        let request = self.caller.client().delete_snapshot().snapshot_id(id);
        match self.caller.call("DeleteSnapshot", request.send()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted.map(drop),
        }
    }
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
