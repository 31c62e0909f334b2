//! The volumes of instances.

use std::collections::BTreeSet;

use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::images::{Image, ImageDisk};
use crate::ec2::params::Fields;
use crate::ec2::state::Region;
use crate::ec2::state::tags::TagMap;
use crate::ec2::volumes::{Attachment, Volume};

const KINDS: [&str; 7] = ["standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"];
const MAX_GIB: u32 = 65_536;

/// A volume that comes with an instance.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) device: String,
    pub(super) size_gib: u32,
    kind: String,
    iops: Option<u32>,
    throughput: Option<u32>,
    pub(super) encrypted: bool,
    snapshot: Option<String>,
    delete_on_termination: bool,
}

/// The volumes of a request: those of the image, as the request changes them, and further ones.
pub(super) fn disks(region: &Region, call: &Call<'_>, image: &Image) -> Result<Vec<Disk>> {
    let none = Fields::default();
    let mut all = Vec::new();
    for given in image.disks() {
        all.push(of_image(&none, &given)?);
    }
    let mut named = BTreeSet::new();
    for mapping in call.params.structs("BlockDeviceMapping") {
        let device = mapping.need("DeviceName")?;
        if !named.insert(device) {
            let message = format!("The device '{device}' is used in more than one mapping");
            return Err(Ec2Error::new("InvalidBlockDeviceMapping", message));
        }
        let ebs = mapping.inner("Ebs");
        let at = all.iter().position(|disk| disk.device == device);
        if mapping.any_text("NoDevice").is_some() {
            all.retain(|disk| disk.device != device || disk.device == image.root_device);
        } else if let Some(given) = image.disks().iter().find(|given| given.device == device) {
            if let Some(disk) = at.and_then(|at| all.get_mut(at)) {
                *disk = of_image(&ebs, given)?;
            }
        } else if mapping.text("VirtualName").is_none() {
            all.push(further(region, &ebs, device)?);
        }
    }
    Ok(all)
}

/// A disk of an image, as a request changes it.
fn of_image(ebs: &Fields<'_>, given: &ImageDisk) -> Result<Disk> {
    let size = ebs.number("VolumeSize")?.unwrap_or(given.size_gib);
    if size < given.size_gib {
        let message = format!(
            "Volume of size {size}GB is smaller than snapshot '{}', expect size >= {}GB",
            given.snapshot, given.size_gib
        );
        return Err(Ec2Error::new("InvalidBlockDeviceMapping", message));
    }
    let delete = ebs.flag("DeleteOnTermination")?.unwrap_or(given.delete_on_termination);
    let made = disk(ebs, &given.device, size, given.kind.clone(), Some(given.snapshot.clone()))?;
    Ok(Disk { delete_on_termination: delete, ..made })
}

fn further(region: &Region, ebs: &Fields<'_>, device: &str) -> Result<Disk> {
    let snapshot = ebs.text("SnapshotId");
    let of_snapshot = match snapshot {
        Some(id) => {
            let missing = || Ec2Error::not_found("InvalidSnapshot.NotFound", "snapshot", id);
            Some(region.snapshots.get(id).ok_or_else(missing)?.size_gib)
        }
        None => None,
    };
    let missing = || Ec2Error::missing("BlockDeviceMapping.Ebs.VolumeSize");
    let size = ebs.number("VolumeSize")?.or(of_snapshot).ok_or_else(missing)?;
    if of_snapshot.is_some_and(|least| size < least) {
        let message = format!("Volume of size {size}GB is smaller than its snapshot");
        return Err(Ec2Error::new("InvalidBlockDeviceMapping", message));
    }
    disk(ebs, device, size, "gp2".to_owned(), snapshot.map(str::to_owned))
}

fn disk(
    ebs: &Fields<'_>,
    device: &str,
    size_gib: u32,
    default_kind: String,
    snapshot: Option<String>,
) -> Result<Disk> {
    let kind = ebs.text("VolumeType").map_or(default_kind, str::to_owned);
    if !KINDS.contains(&kind.as_str()) {
        return Err(Ec2Error::invalid_value("volumeType", &kind));
    }
    if size_gib == 0 || size_gib > MAX_GIB {
        return Err(Ec2Error::invalid_value("volumeSize", &size_gib.to_string()));
    }
    let (iops, throughput) = match kind.as_str() {
        "gp3" => (Some(3000), Some(125)),
        "gp2" => (Some(size_gib.saturating_mul(3).clamp(100, 16_000)), None),
        _ => (None, None),
    };
    Ok(Disk {
        device: device.to_owned(),
        size_gib,
        iops: ebs.number("Iops")?.or(iops),
        throughput: ebs.number("Throughput")?.or(throughput),
        encrypted: ebs.flag("Encrypted")?.unwrap_or(false),
        snapshot,
        delete_on_termination: ebs.flag("DeleteOnTermination")?.unwrap_or(true),
        kind,
    })
}

/// Makes the volumes of an instance.
pub(super) fn create(
    region: &mut Region,
    call: &Call<'_>,
    disks: &[Disk],
    instance: &str,
    zone: &str,
    tags: &TagMap,
) -> Result<()> {
    for disk in disks {
        let id = region.new_id("vol");
        let attachment = Attachment {
            instance: instance.to_owned(),
            device: disk.device.clone(),
            state: "attaching",
            since: call.now,
            delete_on_termination: disk.delete_on_termination,
        };
        let volume = Volume {
            id: id.clone(),
            zone: zone.to_owned(),
            size_gib: disk.size_gib,
            kind: disk.kind.clone(),
            iops: disk.iops,
            throughput: disk.throughput,
            encrypted: disk.encrypted,
            snapshot: disk.snapshot.clone(),
            created: call.now,
            state: "in-use",
            attachment: Some(attachment),
        };
        region.volumes.insert(id.clone(), volume);
        region.tags.add(&id, tags)?;
        region.created(&id, call);
    }
    Ok(())
}

/// Lets the volumes follow their instances: those of instances that run are at their disposal, and those of
/// instances that have ended go with them or become free.
///
/// All at once, because each time all volumes are looked at.
pub(crate) fn follow(region: &mut Region) {
    let runs = std::mem::take(&mut region.begun).into_iter().collect::<BTreeSet<_>>();
    let ended = std::mem::take(&mut region.ended).into_iter().collect::<BTreeSet<_>>();
    if runs.is_empty() && ended.is_empty() {
        return;
    }
    let mut deleted = Vec::new();
    for volume in region.volumes.values_mut() {
        let Some(attachment) = &mut volume.attachment else { continue };
        if ended.contains(&attachment.instance) {
            if attachment.delete_on_termination {
                deleted.push(volume.id.clone());
            } else {
                volume.attachment = None;
                volume.state = "available";
            }
        } else if attachment.state == "attaching" && runs.contains(&attachment.instance) {
            attachment.state = "attached";
        }
    }
    for id in deleted {
        region.volumes.remove(&id);
        region.tags.forget(&id);
    }
}
