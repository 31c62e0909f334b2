//! Volumes come to instances and go from them.

use super::{Attachment, missing, write_attachment};
use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::instances::State;
use crate::ec2::state::{Event, Region};
use crate::ec2::xml::Xml;

/// Most volumes of an instance.
const MAX_ATTACHMENTS: usize = 27;

pub(super) fn attach_volume(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let (id, instance) = (call.params.need("VolumeId")?, call.params.need("InstanceId")?);
    let device = call.params.need("Device")?;
    check(region, id, instance, device)?;
    call.dry_run()?;
    let attachment = Attachment {
        instance: instance.to_owned(),
        device: device.to_owned(),
        state: "attaching",
        since: call.now,
        delete_on_termination: false,
    };
    let mut xml = Xml::new();
    write_attachment(&mut xml, id, &attachment, attachment.state);
    if let Some(volume) = region.volumes.get_mut(id) {
        volume.attachment = Some(attachment);
        volume.state = "in-use";
    }
    region.events.at(call.after(call.settings.timings.attachment), Event::Volume(id.to_owned()));
    Ok(xml)
}

/// Fails unless a volume can be attached to an instance under this name.
fn check(region: &Region, id: &str, instance: &str, device: &str) -> Result<()> {
    let volume = region.volumes.get(id).ok_or_else(|| missing(id))?;
    let target = region.instances.get(instance).ok_or_else(|| {
        Ec2Error::not_found("InvalidInstanceID.NotFound", "instance ID", instance)
    })?;
    if !is_device(device) {
        let message = format!(
            "Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name."
        );
        return Err(Ec2Error::invalid(message));
    }
    match volume.state {
        "available" => {}
        "in-use" => {
            let message = format!("{id} is already attached to an instance");
            return Err(Ec2Error::new("VolumeInUse", message));
        }
        _ => return Err(Ec2Error::new("IncorrectState", format!("{id} is not 'available'."))),
    }
    if volume.zone != target.zone {
        let message = format!(
            "The volume '{id}' is not in the same availability zone as instance '{instance}'"
        );
        return Err(Ec2Error::new("InvalidVolume.ZoneMismatch", message));
    }
    if !matches!(target.state, State::Running | State::Stopped) {
        let message = format!("Instance '{instance}' is not 'running'.");
        return Err(Ec2Error::new("IncorrectState", message));
    }
    check_room(region, instance, device)
}

fn check_room(region: &Region, instance: &str, device: &str) -> Result<()> {
    let attached = region.volumes.values().filter_map(|volume| volume.attachment.as_ref());
    let own = attached.filter(|attached| attached.instance == instance).collect::<Vec<_>>();
    if own.iter().any(|attached| attached.device == device) {
        let message = format!(
            "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        );
        return Err(Ec2Error::invalid(message));
    }
    if own.len() >= MAX_ATTACHMENTS {
        let message =
            format!("Volume attachment limit of {MAX_ATTACHMENTS} was reached for {instance}");
        return Err(Ec2Error::new("AttachmentLimitExceeded", message));
    }
    Ok(())
}

fn is_device(name: &str) -> bool {
    let disk = name.strip_prefix("/dev/").unwrap_or(name);
    let Some(rest) = disk.strip_prefix("sd").or_else(|| disk.strip_prefix("xvd")) else {
        return false;
    };
    (1..=3).contains(&rest.len())
        && rest.starts_with(|first: char| first.is_ascii_lowercase())
        && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

pub(super) fn detach_volume(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("VolumeId")?;
    let force = call.params.flag("Force")?.unwrap_or(false);
    let volume = region.volumes.get_mut(id).ok_or_else(|| missing(id))?;
    let state = volume.state;
    let attachment = match &mut volume.attachment {
        Some(attachment) if force || attachment.state != "detaching" => attachment,
        other => {
            let state = other.as_ref().map_or(state, |attachment| attachment.state);
            let message = format!("Volume '{id}' is in the '{state}' state.");
            return Err(Ec2Error::new("IncorrectState", message));
        }
    };
    let is_other = |name, known: &str| call.params.text(name).is_some_and(|named| named != known);
    if is_other("InstanceId", &attachment.instance) || is_other("Device", &attachment.device) {
        let message =
            "The volume is not attached to the specified instance as the specified device.";
        return Err(Ec2Error::new("InvalidAttachment.NotFound", message));
    }
    let is_needed = region.instances.get(&attachment.instance).is_some_and(|instance| {
        instance.root_device == attachment.device
            && !matches!(instance.state, State::Stopped | State::Terminated)
    });
    if is_needed {
        let message = format!(
            "Unable to detach root volume '{}' from instance '{}'",
            attachment.device, attachment.instance
        );
        return Err(Ec2Error::new("OperationNotPermitted", message));
    }
    call.dry_run()?;
    attachment.state = "detaching";
    let mut xml = Xml::new();
    write_attachment(&mut xml, id, attachment, attachment.state);
    region.events.at(call.after(call.settings.timings.attachment), Event::Volume(id.to_owned()));
    Ok(xml)
}
