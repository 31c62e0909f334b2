//! Volumes.

mod attach;
mod create;

use std::time::SystemTime;

use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::filters::Filters;
use super::paging::page;
use super::select::{ids_or_pages, maybe, select, truth};
use super::state::{Event, Region};
use super::xml::Xml;
use super::{time, zones};

pub(crate) const ACTIONS: Actions = &[
    ("CreateVolume", create::create_volume),
    ("DescribeVolumes", describe_volumes),
    ("AttachVolume", attach::attach_volume),
    ("DetachVolume", attach::detach_volume),
    ("DeleteVolume", delete_volume),
];

/// A volume.
#[derive(Debug, Clone)]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) size_gib: u32,
    /// Such as `gp3`.
    pub(crate) kind: String,
    pub(crate) iops: Option<u32>,
    pub(crate) throughput: Option<u32>,
    pub(crate) encrypted: bool,
    pub(crate) snapshot: Option<String>,
    pub(crate) created: SystemTime,
    /// `creating`, `available`, `in-use`, `deleting`.
    pub(crate) state: &'static str,
    pub(crate) attachment: Option<Attachment>,
}

/// A volume on an instance.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    pub(crate) instance: String,
    pub(crate) device: String,
    /// `attaching`, `attached`, `detaching`.
    pub(crate) state: &'static str,
    pub(crate) since: SystemTime,
    pub(crate) delete_on_termination: bool,
}

/// What happens to a volume at its time: it comes to the next state, or goes.
pub(crate) fn settle(region: &mut Region, id: &str, _due: SystemTime) {
    let Some(volume) = region.volumes.get_mut(id) else { return };
    if volume.state == "deleting" {
        region.volumes.remove(id);
        region.tags.forget(id);
        return;
    }
    if volume.state == "creating" {
        volume.state = "available";
    }
    match &mut volume.attachment {
        Some(attachment) if attachment.state == "attaching" => attachment.state = "attached",
        Some(attachment) if attachment.state == "detaching" => {
            volume.attachment = None;
            volume.state = "available";
        }
        _ => {}
    }
}

/// There is no such volume.
pub(super) fn missing(id: &str) -> Ec2Error {
    if !id.starts_with("vol-") {
        let message =
            format!("Value ({id}) for parameter volumeId is invalid. Expected: 'vol-...'.");
        return Ec2Error::new("InvalidParameterValue", message);
    }
    Ec2Error::new("InvalidVolume.NotFound", format!("The volume '{id}' does not exist."))
}

fn delete_volume(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("VolumeId")?;
    let volume = region.volumes.get_mut(id).ok_or_else(|| missing(id))?;
    match volume.state {
        "available" => {}
        "deleting" => return Err(missing(id)),
        "in-use" => {
            let instance =
                volume.attachment.as_ref().map_or("", |attachment| attachment.instance.as_str());
            let message = format!("Volume {id} is currently attached to {instance}");
            return Err(Ec2Error::new("VolumeInUse", message));
        }
        other => {
            let message = format!("Volume '{id}' is in the '{other}' state.");
            return Err(Ec2Error::new("IncorrectState", message));
        }
    }
    call.dry_run()?;
    volume.state = "deleting";
    region.events.at(call.after(call.settings.timings.volume), Event::Volume(id.to_owned()));
    Ok(Xml::success())
}

const FILTERS: [&str; 18] = [
    "attachment.attach-time",
    "attachment.delete-on-termination",
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "availability-zone-id",
    "create-time",
    "encrypted",
    "fast-restored",
    "multi-attach-enabled",
    "operator.managed",
    "operator.principal",
    "size",
    "snapshot-id",
    "status",
    "volume-id",
    "volume-type",
];

fn describe_volumes(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = call.params.list("VolumeId");
    ids_or_pages(call, "VolumeId")?;
    let filters = call.filters(&FILTERS)?;
    let mut volumes = select(region, call, &region.volumes, &ids, missing)?;
    call.dry_run()?;
    volumes.retain(|volume| passes(region, volume, &filters));
    let page = page(call, volumes, |volume| volume.id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("volumeSet", &page.items, |xml, volume| write(xml, region, volume));
    page.write_next(&mut xml);
    Ok(xml)
}

fn passes(region: &Region, volume: &Volume, filters: &Filters<'_>) -> bool {
    let attached = volume.attachment.as_ref();
    let text = |text: &str| vec![text.to_owned()];
    filters.pass(region.tags.of(&volume.id), |field| match field {
        "attachment.attach-time" => maybe(attached.map(|attached| time::text(attached.since))),
        "attachment.delete-on-termination" => {
            maybe(attached.map(|attached| attached.delete_on_termination))
        }
        "attachment.device" => maybe(attached.map(|attached| &attached.device)),
        "attachment.instance-id" => maybe(attached.map(|attached| &attached.instance)),
        "attachment.status" => maybe(attached.map(|attached| attached.state)),
        "availability-zone" => text(&volume.zone),
        "availability-zone-id" => vec![zones::id(&region.name, &volume.zone)],
        "create-time" => vec![time::text(volume.created)],
        "encrypted" => truth(volume.encrypted),
        "fast-restored" | "multi-attach-enabled" | "operator.managed" => truth(false),
        "operator.principal" => Vec::new(),
        "size" => vec![volume.size_gib.to_string()],
        "snapshot-id" => maybe(volume.snapshot.as_ref()),
        "status" => text(volume.state),
        "volume-id" => text(&volume.id),
        _ => text(&volume.kind),
    })
}

fn write(xml: &mut Xml, region: &Region, volume: &Volume) {
    xml.text("volumeId", &volume.id)
        .value("size", volume.size_gib)
        .text("snapshotId", volume.snapshot.as_deref().unwrap_or_default())
        .text("availabilityZone", &volume.zone)
        .text("availabilityZoneId", &zones::id(&region.name, &volume.zone))
        .text("status", volume.state)
        .time("createTime", volume.created)
        .list("attachmentSet", &volume.attachment, |xml, attachment| {
            write_attachment(xml, &volume.id, attachment, attachment.state);
        })
        .text("volumeType", &volume.kind)
        .optional_value("iops", volume.iops)
        .optional_value("throughput", volume.throughput)
        .value("encrypted", volume.encrypted)
        .value("multiAttachEnabled", false);
    region.tags.write(xml, &volume.id);
}

fn write_attachment(xml: &mut Xml, volume: &str, attachment: &Attachment, state: &str) {
    xml.text("volumeId", volume)
        .text("instanceId", &attachment.instance)
        .text("device", &attachment.device)
        .text("status", state)
        .time("attachTime", attachment.since)
        .value("deleteOnTermination", attachment.delete_on_termination);
}

#[cfg(test)]
mod tests;
