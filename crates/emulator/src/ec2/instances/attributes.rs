//! `ModifyInstanceAttribute`, `DescribeInstanceAttribute`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::document::{volumes, write_groups, write_volumes};
use super::model::{Instance, State, UserData};
use super::needed;
use super::network::groups_in;
use super::run::user_data;
use crate::ec2::call::Call;
use crate::ec2::catalog::{MachineType, machine_type};
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::state::Region;
use crate::ec2::xml::Xml;

/// One change, checked.
enum Change {
    Type(&'static MachineType),
    Groups(Vec<String>),
    UserData(Option<UserData>),
    DisableApiTermination(bool),
    DisableApiStop(bool),
    SourceDestCheck(bool),
    EbsOptimized(bool),
    Shutdown(String),
    DeleteOnTermination(Vec<(String, bool)>),
    Nothing,
}

pub(super) fn modify_instance_attribute(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let instance = needed(region, call)?;
    if instance.state == State::Terminated {
        let message = format!("The instance '{}' is terminated.", instance.id);
        return Err(Ec2Error::new("IncorrectInstanceState", message));
    }
    let change = change(region, call, instance)?;
    call.dry_run()?;
    let id = instance.id.clone();
    apply(region, &id, change);
    Ok(Xml::success())
}

/// The value of an attribute: as a structure of its name, or with `Attribute` and `Value`.
fn value<'a>(call: &Call<'a>, structure: &str, attribute: &str) -> Option<&'a str> {
    let direct = call.params.inner(structure).any_text("Value");
    let named = || {
        let asked = call.params.text("Attribute") == Some(attribute);
        asked.then(|| call.params.any_text("Value").unwrap_or_default())
    };
    direct.or_else(|| call.params.any_text(structure)).or_else(named)
}

fn change(region: &Region, call: &Call<'_>, instance: &Instance) -> Result<Change> {
    let flag = |structure, attribute| match value(call, structure, attribute) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(Ec2Error::invalid_value(attribute, other)),
    };
    let groups = call.params.list("GroupId");
    if !groups.is_empty() {
        return change_groups(region, instance, &groups).map(Change::Groups);
    }
    if let Some(name) = value(call, "InstanceType", "instanceType") {
        return change_type(instance, name).map(Change::Type);
    }
    if let Some(text) = value(call, "UserData", "userData") {
        must_be_stopped(instance, "userData")?;
        let data = Some(text).filter(|text| !text.is_empty()).map(user_data).transpose()?;
        return Ok(Change::UserData(data));
    }
    if let Some(set) = flag("DisableApiTermination", "disableApiTermination")? {
        return Ok(Change::DisableApiTermination(set));
    }
    if let Some(set) = flag("DisableApiStop", "disableApiStop")? {
        return Ok(Change::DisableApiStop(set));
    }
    if let Some(set) = flag("SourceDestCheck", "sourceDestCheck")? {
        return Ok(Change::SourceDestCheck(set));
    }
    if let Some(set) = flag("EbsOptimized", "ebsOptimized")? {
        must_be_stopped(instance, "ebsOptimized")?;
        return Ok(Change::EbsOptimized(set));
    }
    let behavior = "instanceInitiatedShutdownBehavior";
    if let Some(name) = value(call, "InstanceInitiatedShutdownBehavior", behavior) {
        if !matches!(name, "stop" | "terminate") {
            return Err(Ec2Error::invalid_value(behavior, name));
        }
        return Ok(Change::Shutdown(name.to_owned()));
    }
    change_volumes(region, call, instance)
}

fn change_groups(region: &Region, instance: &Instance, groups: &[&str]) -> Result<Vec<String>> {
    for id in groups {
        if !region.security_groups.contains_key(*id) {
            return Err(Ec2Error::not_found("InvalidGroup.NotFound", "security group", id));
        }
    }
    let groups = groups.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    groups_in(region, &instance.vpc, &groups)
}

fn change_type(instance: &Instance, name: &str) -> Result<&'static MachineType> {
    must_be_stopped(instance, "instanceType")?;
    let unknown = || Ec2Error::invalid(format!("Invalid value '{name}' for InstanceType."));
    let found = machine_type(name).ok_or_else(unknown)?;
    if found.architecture != instance.architecture {
        let message = format!(
            "The architecture '{}' of the instance type does not match that of the instance, '{}'.",
            found.architecture, instance.architecture
        );
        return Err(Ec2Error::new("InvalidInstanceAttributeValue", message));
    }
    Ok(found)
}

fn change_volumes(region: &Region, call: &Call<'_>, instance: &Instance) -> Result<Change> {
    let mut devices = Vec::new();
    for mapping in call.params.structs("BlockDeviceMapping") {
        let device = mapping.need("DeviceName")?;
        let mut attachments = region.volumes.values().filter_map(|known| known.attachment.as_ref());
        if !attachments.any(|known| known.instance == instance.id && known.device == device) {
            let message = format!("No device is currently mapped at {device}");
            return Err(Ec2Error::new("InvalidInstanceAttributeValue", message));
        }
        if let Some(delete) = mapping.inner("Ebs").flag("DeleteOnTermination")? {
            devices.push((device.to_owned(), delete));
        }
    }
    if !devices.is_empty() {
        return Ok(Change::DeleteOnTermination(devices));
    }
    match call.params.text("Attribute") {
        Some(_) => Ok(Change::Nothing),
        None => Err(Ec2Error::new("InvalidParameterCombination", "No attributes specified.")),
    }
}

fn must_be_stopped(instance: &Instance, attribute: &str) -> Result<()> {
    if instance.state == State::Stopped {
        return Ok(());
    }
    let message = format!(
        "The instance '{}' is not in the 'stopped' state, which changing {attribute} needs.",
        instance.id
    );
    Err(Ec2Error::new("IncorrectInstanceState", message))
}

fn apply(region: &mut Region, id: &str, change: Change) {
    let Some(instance) = region.instances.get_mut(id) else { return };
    let first = instance.interfaces.first().cloned();
    let first = first.and_then(|first| region.interfaces.get_mut(&first));
    match change {
        Change::Type(found) => {
            found.name.clone_into(&mut instance.machine_type);
            instance.vcpus = found.vcpus;
        }
        Change::Groups(groups) => {
            if let Some(first) = first {
                first.groups = groups;
            }
        }
        Change::SourceDestCheck(set) => {
            instance.source_dest_check = set;
            if let Some(first) = first {
                first.source_dest_check = set;
            }
        }
        Change::UserData(data) => instance.user_data = data,
        Change::DisableApiTermination(set) => instance.disable_api_termination = set,
        Change::DisableApiStop(set) => instance.disable_api_stop = set,
        Change::EbsOptimized(set) => instance.ebs_optimized = set,
        Change::Shutdown(name) => instance.shutdown_behavior = name,
        Change::DeleteOnTermination(devices) => {
            let attachments =
                region.volumes.values_mut().filter_map(|volume| volume.attachment.as_mut());
            for attachment in attachments.filter(|attachment| attachment.instance == id) {
                let found = devices.iter().find(|(device, _)| *device == attachment.device);
                if let Some((_, delete)) = found {
                    attachment.delete_on_termination = *delete;
                }
            }
        }
        Change::Nothing => {}
    }
}

pub(super) fn describe_instance_attribute(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let instance = needed(region, call)?;
    let attribute = call.params.need("Attribute")?;
    call.dry_run()?;
    let mut xml = Xml::new();
    xml.text("instanceId", &instance.id);
    let value = match attribute {
        "instanceType" => instance.machine_type.clone(),
        "disableApiTermination" => instance.disable_api_termination.to_string(),
        "disableApiStop" => instance.disable_api_stop.to_string(),
        "ebsOptimized" => instance.ebs_optimized.to_string(),
        "enaSupport" => "true".to_owned(),
        "instanceInitiatedShutdownBehavior" => instance.shutdown_behavior.clone(),
        "rootDeviceName" => instance.root_device.clone(),
        "sriovNetSupport" => "simple".to_owned(),
        "sourceDestCheck" => instance.source_dest_check.to_string(),
        "userData" => match &instance.user_data {
            Some(data) => STANDARD.encode(data.bytes()),
            None => String::new(),
        },
        "kernel" | "ramdisk" => String::new(),
        "groupSet" => {
            let first = instance.interfaces.first().and_then(|id| region.interfaces.get(id));
            write_groups(&mut xml, region, first.map_or(&[], |first| &first.groups));
            return Ok(xml);
        }
        "blockDeviceMapping" => {
            let all = volumes(region, |id| id == instance.id);
            let own = all.get(instance.id.as_str()).map_or(&[][..], Vec::as_slice);
            write_volumes(&mut xml, own);
            return Ok(xml);
        }
        "enclaveOptions" => {
            xml.element("enclaveOptions", |xml| {
                xml.value("enabled", false);
            });
            return Ok(xml);
        }
        "productCodes" => {
            xml.list("productCodes", [(); 0], |_, ()| {});
            return Ok(xml);
        }
        other => return Err(Ec2Error::invalid_value("attribute", other)),
    };
    xml.element(attribute, |xml| {
        if !value.is_empty() {
            xml.text("value", &value);
        }
    });
    Ok(xml)
}
