//! Images.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::filters::Filters;
use super::instances::{Instance, State};
use super::paging::page;
use super::public_images;
use super::select::{ids_or_pages, maybe, select, truth};
use super::snapshots;
use super::state::tags::{check_kinds, specified};
use super::state::{Event, Region};
use super::time;
use super::userdata::Effect;
use super::volumes::Volume;
use super::xml::Xml;

pub(crate) const ACTIONS: Actions = &[
    ("CreateImage", create_image),
    ("DescribeImages", describe_images),
    ("DeregisterImage", deregister_image),
];

/// The accounts of publishers of images.
pub(crate) const CANONICAL: &str = "099720109477";
pub(crate) const DEBIAN: &str = "136693071363";
pub(crate) const AMAZON: &str = "137112412989";

/// An image.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    /// `x86_64` or `arm64`.
    pub(crate) architecture: String,
    /// `pending`, `available` or `failed`.
    pub(crate) state: &'static str,
    pub(crate) root_device: String,
    pub(crate) root_snapshot: String,
    pub(crate) root_size_gib: u32,
    pub(crate) created: SystemTime,
    pub(crate) description: String,
    /// The type of the root volume, such as `gp3`.
    pub(crate) root_kind: String,
    /// Disks other than the root, with which instances start as well.
    pub(crate) further_disks: Vec<ImageDisk>,
    /// What it was made of.
    pub(crate) source_instance: Option<String>,
}

/// A disk of an image.
#[derive(Debug, Clone)]
pub(crate) struct ImageDisk {
    pub(crate) device: String,
    pub(crate) snapshot: String,
    pub(crate) size_gib: u32,
    pub(crate) kind: String,
    pub(crate) delete_on_termination: bool,
}

impl Image {
    /// All of its disks, the root first.
    pub(crate) fn disks(&self) -> Vec<ImageDisk> {
        let root = ImageDisk {
            device: self.root_device.clone(),
            snapshot: self.root_snapshot.clone(),
            size_gib: self.root_size_gib,
            kind: self.root_kind.clone(),
            delete_on_termination: true,
        };
        std::iter::once(root).chain(self.further_disks.iter().cloned()).collect()
    }

    /// Whether a snapshot is part of it.
    pub(crate) fn uses(&self, snapshot: &str) -> bool {
        self.root_snapshot == snapshot
            || self.further_disks.iter().any(|disk| disk.snapshot == snapshot)
    }

    fn alias(&self) -> Option<&'static str> {
        (self.owner == AMAZON).then_some("amazon")
    }

    fn boot_mode(&self) -> &'static str {
        if self.architecture == "arm64" { "uefi" } else { "uefi-preferred" }
    }
}

/// The public images.
pub(crate) fn set_up(region: &mut Region) {
    for image in public_images::all(&region.name) {
        region.images.insert(image.id.clone(), image);
    }
}

/// What happens to an image at its time.
pub(crate) fn settle(region: &mut Region, id: &str, _due: SystemTime) {
    if let Some(image) = region.images.get_mut(id) {
        image.state = "available";
    }
}

fn missing(id: &str) -> Ec2Error {
    if !id.starts_with("ami-") {
        return Ec2Error::new("InvalidAMIID.Malformed", format!("Invalid id: \"{id}\""));
    }
    Ec2Error::new("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"))
}

fn check_name(region: &Region, name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    if !(3..=128).contains(&name.len()) || !name.chars().all(allowed) {
        let message = "AMI names must be between 3 and 128 characters long, and may contain letters, \
                       numbers, '(', ')', '.', '-', '/' and '_'";
        return Err(Ec2Error::new("InvalidAMIName.Malformed", message));
    }
    let own = region.images.values().filter(|image| image.owner == region.account);
    match own.filter(|image| image.name == name).map(|image| &image.id).next() {
        Some(id) => {
            let message = format!("AMI name {name} is already in use by AMI {id}");
            Err(Ec2Error::new("InvalidAMIName.Duplicate", message))
        }
        None => Ok(()),
    }
}

fn create_image(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let (instance, name) = (call.params.need("InstanceId")?, call.params.need("Name")?);
    call.params.flag("NoReboot")?;
    check_kinds(call, &["image", "snapshot"])?;
    let tags = specified(call, "image")?;
    check_name(region, name)?;
    let source = source(region, instance)?;
    let (architecture, root_device) = (source.architecture.clone(), source.root_device.clone());
    let volumes = disks_of(region, instance);
    if !volumes.contains_key(&root_device) {
        let message = format!("The instance '{instance}' does not have a root volume attached.");
        return Err(Ec2Error::new("IncorrectState", message));
    }
    call.dry_run()?;
    let id = region.new_id("ami");
    let about = format!("Created by CreateImage({instance}) for {id}");
    let mut disks = take_snapshots(region, call, volumes, &about)?;
    let root = disks.remove(&root_device).ok_or_else(|| missing(&id))?;
    let image = Image {
        id: id.clone(),
        name: name.to_owned(),
        owner: region.account.clone(),
        architecture,
        state: "pending",
        root_device,
        root_snapshot: root.snapshot,
        root_size_gib: root.size_gib,
        created: call.now,
        description: call.params.text("Description").unwrap_or_default().to_owned(),
        root_kind: root.kind,
        further_disks: disks.into_values().collect(),
        source_instance: Some(instance.to_owned()),
    };
    region.tags.add(&id, &tags)?;
    region.images.insert(id.clone(), image);
    region.created(&id, call);
    let of = instance.to_owned();
    region.effects.push(Effect::Imaged { instance: of, image: id.clone() });
    region.events.at(call.after(call.settings.timings.image), Event::Image(id.clone()));
    let mut xml = Xml::new();
    xml.text("imageId", &id);
    Ok(xml)
}

/// An instance of which an image can be made.
fn source<'r>(region: &'r Region, id: &str) -> Result<&'r Instance> {
    let missing = || Ec2Error::not_found("InvalidInstanceID.NotFound", "instance ID", id);
    let instance = region.instances.get(id).ok_or_else(missing)?;
    if !matches!(instance.state, State::Running | State::Stopping | State::Stopped) {
        let message = format!("Instance '{id}' is not in a state of which an image can be made.");
        return Err(Ec2Error::new("IncorrectInstanceState", message));
    }
    Ok(instance)
}

/// Takes snapshots of volumes, and tells the disks of an image that they make.
fn take_snapshots(
    region: &mut Region,
    call: &Call<'_>,
    volumes: BTreeMap<String, Volume>,
    about: &str,
) -> Result<BTreeMap<String, ImageDisk>> {
    let tags = specified(call, "snapshot")?;
    let mut disks = BTreeMap::new();
    for (device, volume) in volumes {
        let snapshot = snapshots::take(region, call, &volume, about, &tags)?;
        let attachment = volume.attachment;
        let delete_on_termination = attachment.is_some_and(|known| known.delete_on_termination);
        let (size_gib, kind) = (volume.size_gib, volume.kind);
        let disk =
            ImageDisk { device: device.clone(), snapshot, size_gib, kind, delete_on_termination };
        disks.insert(device, disk);
    }
    Ok(disks)
}

/// The volumes of an instance by the names of their devices.
fn disks_of(region: &Region, instance: &str) -> BTreeMap<String, Volume> {
    let attached = region.volumes.values().filter_map(|volume| {
        let attachment = volume.attachment.as_ref()?;
        (attachment.instance == instance).then(|| (attachment.device.clone(), volume.clone()))
    });
    attached.collect()
}

fn deregister_image(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("ImageId")?;
    let with_snapshots = call.params.flag("DeleteAssociatedSnapshots")?.unwrap_or(false);
    let image = region.images.get(id).ok_or_else(|| missing(id))?;
    if image.owner != region.account {
        let message = format!("Not authorized for image: {id}");
        return Err(Ec2Error::with_status(403, "AuthFailure", message));
    }
    call.dry_run()?;
    let disks = image.disks();
    region.images.remove(id);
    region.effects.push(Effect::Gone(id.to_owned()));
    region.tags.forget(id);
    let mut results = Vec::new();
    for disk in disks.iter().filter(|_| with_snapshots) {
        let in_use = region.images.values().any(|image| image.uses(&disk.snapshot));
        if !in_use {
            region.snapshots.remove(&disk.snapshot);
            region.tags.forget(&disk.snapshot);
        }
        results.push((&disk.snapshot, if in_use { "skipped" } else { "success" }));
    }
    let mut xml = Xml::success();
    if with_snapshots {
        xml.list("deleteSnapshotResultSet", results, |xml, (snapshot, code)| {
            xml.text("snapshotId", snapshot).text("returnCode", code);
        });
    }
    Ok(xml)
}

const FILTERS: [&str; 25] = [
    "architecture",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.encrypted",
    "block-device-mapping.snapshot-id",
    "block-device-mapping.volume-size",
    "block-device-mapping.volume-type",
    "creation-date",
    "description",
    "ena-support",
    "hypervisor",
    "image-id",
    "image-type",
    "is-public",
    "manifest-location",
    "name",
    "owner-alias",
    "owner-id",
    "platform",
    "root-device-name",
    "root-device-type",
    "source-instance-id",
    "state",
    "state-reason-code",
    "virtualization-type",
];

fn describe_images(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = call.params.list("ImageId");
    let owners = call.params.list("Owner");
    let executable_by = call.params.list("ExecutableBy");
    ids_or_pages(call, "ImageId")?;
    let filters = call.filters(&FILTERS)?;
    for flag in ["IncludeDeprecated", "IncludeDisabled"] {
        call.params.flag(flag)?;
    }
    let mut images = select(region, call, &region.images, &ids, missing)?;
    call.dry_run()?;
    images
        .retain(|image| owners.is_empty() || owners.iter().any(|owner| owns(region, image, owner)));
    images.retain(|image| {
        let is_public = image.owner != region.account;
        executable_by.is_empty() || executable_by.contains(&"all") && is_public
    });
    images.retain(|image| passes(region, image, &filters));
    let page = page(call, images, |image| image.id.clone(), 1..=1000)?;
    let mut xml = Xml::new();
    xml.list("imagesSet", &page.items, |xml, image| write(xml, region, image));
    page.write_next(&mut xml);
    Ok(xml)
}

fn owns(region: &Region, image: &Image, owner: &str) -> bool {
    match owner {
        "self" => image.owner == region.account,
        "amazon" => image.alias() == Some("amazon"),
        other => image.owner == other,
    }
}

fn passes(region: &Region, image: &Image, filters: &Filters<'_>) -> bool {
    let text = |text: &str| vec![text.to_owned()];
    let disks =
        |value: fn(&ImageDisk) -> String| image.disks().iter().map(value).collect::<Vec<_>>();
    filters.pass(region.tags.of(&image.id), |field| match field {
        "architecture" => text(&image.architecture),
        "block-device-mapping.delete-on-termination" => {
            disks(|disk| disk.delete_on_termination.to_string())
        }
        "block-device-mapping.device-name" => disks(|disk| disk.device.clone()),
        "block-device-mapping.encrypted" => truth(false),
        "block-device-mapping.snapshot-id" => disks(|disk| disk.snapshot.clone()),
        "block-device-mapping.volume-size" => disks(|disk| disk.size_gib.to_string()),
        "block-device-mapping.volume-type" => disks(|disk| disk.kind.clone()),
        "creation-date" => vec![time::text(image.created)],
        "description" => text(&image.description),
        "ena-support" => truth(true),
        "hypervisor" => text("xen"),
        "image-id" => text(&image.id),
        "image-type" => text("machine"),
        "is-public" => truth(image.owner != region.account),
        "manifest-location" => vec![location(image)],
        "name" => text(&image.name),
        "owner-alias" => maybe(image.alias()),
        "owner-id" => text(&image.owner),
        "root-device-name" => text(&image.root_device),
        "root-device-type" => text("ebs"),
        "source-instance-id" => maybe(image.source_instance.as_ref()),
        "state" => text(image.state),
        "virtualization-type" => text("hvm"),
        _ => Vec::new(),
    })
}

fn location(image: &Image) -> String {
    format!("{}/{}", image.alias().unwrap_or(&image.owner), image.name)
}

fn write(xml: &mut Xml, region: &Region, image: &Image) {
    xml.text("imageId", &image.id)
        .text("imageLocation", &location(image))
        .text("imageState", image.state)
        .text("imageOwnerId", &image.owner)
        .text("creationDate", &time::text(image.created))
        .value("isPublic", image.owner != region.account)
        .text("architecture", &image.architecture)
        .text("imageType", "machine")
        .optional("imageOwnerAlias", image.alias())
        .text("name", &image.name)
        .optional(
            "description",
            Some(&image.description).filter(|text| !text.is_empty()).map(|t| &**t),
        )
        .text("rootDeviceType", "ebs")
        .text("rootDeviceName", &image.root_device)
        .list("blockDeviceMapping", image.disks(), |xml, disk| {
            xml.text("deviceName", &disk.device).element("ebs", |xml| {
                xml.text("snapshotId", &disk.snapshot)
                    .value("volumeSize", disk.size_gib)
                    .value("deleteOnTermination", disk.delete_on_termination)
                    .text("volumeType", &disk.kind)
                    .value("encrypted", false);
            });
        })
        .text("virtualizationType", "hvm")
        .text("hypervisor", "xen")
        .value("enaSupport", true)
        .text("sriovNetSupport", "simple")
        .text("bootMode", image.boot_mode())
        .text("platformDetails", "Linux/UNIX")
        .text("usageOperation", "RunInstances")
        .optional("sourceInstanceId", image.source_instance.as_deref());
    region.tags.write(xml, &image.id);
}

#[cfg(test)]
mod tests;
