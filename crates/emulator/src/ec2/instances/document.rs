//! Instances as answers show them.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Instance, State};
use crate::ec2::interfaces::Interface;
use crate::ec2::state::Region;
use crate::ec2::volumes::Volume;
use crate::ec2::xml::Xml;

/// The volumes of instances, by the instance and in the order of their devices.
pub(super) type Volumes<'r> = BTreeMap<&'r str, Vec<&'r Volume>>;

/// The volumes of the instances that pass.
pub(super) fn volumes<'r>(region: &'r Region, pass: impl Fn(&str) -> bool) -> Volumes<'r> {
    let mut all = Volumes::new();
    for volume in region.volumes.values() {
        if let Some(attachment) = &volume.attachment
            && pass(&attachment.instance)
        {
            all.entry(attachment.instance.as_str()).or_default().push(volume);
        }
    }
    for of_one in all.values_mut() {
        of_one.sort_by_key(|volume| volume.attachment.as_ref().map(|known| known.device.clone()));
    }
    all
}

/// `compute-1.amazonaws.com` for the first region, as its names have been since before there were others.
fn domain(region: &Region, compute: &str) -> String {
    match (region.name.as_str(), compute) {
        ("us-east-1", "compute") => "compute-1.amazonaws.com".to_owned(),
        ("us-east-1", _) => "ec2.internal".to_owned(),
        (name, "compute") => format!("{name}.compute.amazonaws.com"),
        (name, _) => format!("{name}.compute.internal"),
    }
}

pub(super) fn private_name(region: &Region, interface: &Interface) -> String {
    let address = interface.private_ip.to_string().replace('.', "-");
    format!("ip-{address}.{}", domain(region, "private"))
}

fn public_name(region: &Region, address: &str) -> String {
    format!("ec2-{}.{}", address.replace('.', "-"), domain(region, "compute"))
}

pub(super) fn dns_name(region: &Region, interface: &Interface) -> Option<String> {
    public_ip(region, interface).map(|(address, _)| public_name(region, &address))
}

/// The public address of an interface and who owns it.
pub(super) fn public_ip(region: &Region, interface: &Interface) -> Option<(String, String)> {
    let associated = region.addresses.values().find(|address| {
        address.association.as_ref().is_some_and(|(_, known)| *known == interface.id)
    });
    match associated {
        Some(address) => Some((address.public_ip.to_string(), region.account.clone())),
        None => interface.public_ip.map(|address| (address.to_string(), "amazon".to_owned())),
    }
}

/// The answer to a request for instances: their reservation.
pub(super) fn reservation(region: &Region, id: &str) -> Xml {
    let instances =
        region.instances.values().filter(|instance| instance.reservation == id).collect::<Vec<_>>();
    let ids = instances.iter().map(|instance| instance.id.as_str()).collect::<BTreeSet<_>>();
    let volumes = volumes(region, |known| ids.contains(known));
    let mut xml = Xml::new();
    write_reservation(&mut xml, region, id, &instances, &volumes);
    xml
}

pub(super) fn write_reservation(
    xml: &mut Xml,
    region: &Region,
    id: &str,
    instances: &[&Instance],
    volumes: &Volumes<'_>,
) {
    let mut instances = instances.to_vec();
    instances.sort_by_key(|instance| instance.launch_index);
    xml.text("reservationId", id).text("ownerId", &region.account);
    xml.list("groupSet", [(); 0], |_, ()| {});
    xml.list("instancesSet", instances, |xml, instance| {
        let own = volumes.get(instance.id.as_str()).map_or(&[][..], Vec::as_slice);
        write(xml, region, instance, own);
    });
}

fn write(xml: &mut Xml, region: &Region, instance: &Instance, volumes: &[&Volume]) {
    let interfaces =
        instance.interfaces.iter().filter_map(|id| region.interfaces.get(id)).collect::<Vec<_>>();
    let first = interfaces.first().copied();
    let dns = first.and_then(|first| dns_name(region, first)).unwrap_or_default();
    let private = first.map(|first| private_name(region, first)).unwrap_or_default();
    xml.text("instanceId", &instance.id).text("imageId", &instance.image);
    xml.element("instanceState", |xml| {
        xml.value("code", instance.state.code()).text("name", instance.state.name());
    });
    xml.text("privateDnsName", &private)
        .text("dnsName", &dns)
        .text("reason", &instance.transition_reason)
        .optional("keyName", instance.key_name.as_deref())
        .value("amiLaunchIndex", instance.launch_index)
        .list("productCodes", [(); 0], |_, ()| {})
        .text("instanceType", &instance.machine_type)
        .time("launchTime", instance.launched);
    xml.element("placement", |xml| {
        xml.text("availabilityZone", &instance.zone)
            .text("groupName", instance.placement_group.as_deref().unwrap_or_default())
            .text("tenancy", &instance.tenancy);
    });
    xml.element("monitoring", |xml| {
        xml.text("state", if instance.monitoring { "enabled" } else { "disabled" });
    });
    if let Some(first) = first {
        let public = public_ip(region, first);
        xml.text("subnetId", &first.subnet)
            .text("vpcId", &first.vpc)
            .value("privateIpAddress", first.private_ip)
            .optional("ipAddress", public.as_ref().map(|(address, _)| address.as_str()))
            .value("sourceDestCheck", first.source_dest_check);
    }
    write_groups(xml, region, first.map_or(&[], |first| &first.groups));
    write_reason(xml, instance);
    write_rest(xml, region, instance, volumes);
    xml.list("networkInterfaceSet", interfaces, |xml, interface| {
        write_interface(xml, region, interface);
    });
}

fn write_reason(xml: &mut Xml, instance: &Instance) {
    let (code, message) = match (&instance.reason, instance.state) {
        (Some(reason), _) => (reason.code.as_str(), reason.message.as_str()),
        (None, State::Pending) => ("pending", "pending"),
        (None, _) => return,
    };
    xml.element("stateReason", |xml| {
        xml.text("code", code).text("message", message);
    });
}

fn write_rest(xml: &mut Xml, region: &Region, instance: &Instance, volumes: &[&Volume]) {
    xml.text("architecture", &instance.architecture)
        .text("rootDeviceType", "ebs")
        .text("rootDeviceName", &instance.root_device);
    write_volumes(xml, volumes);
    xml.text("virtualizationType", "hvm")
        .text("clientToken", instance.client_token.as_deref().unwrap_or_default());
    region.tags.write(xml, &instance.id);
    xml.text("hypervisor", "xen");
    if instance.is_spot() {
        xml.text("instanceLifecycle", "spot");
    }
    xml.optional("spotInstanceRequestId", instance.spot_request.as_deref());
    if let Some((arn, id)) = &instance.profile {
        xml.element("iamInstanceProfile", |xml| {
            xml.text("arn", arn).text("id", id);
        });
    }
    xml.value("ebsOptimized", instance.ebs_optimized).value("enaSupport", true);
    xml.element("hibernationOptions", |xml| {
        xml.value("configured", instance.hibernation);
    });
    xml.element("metadataOptions", |xml| {
        xml.text("state", if instance.state == State::Pending { "pending" } else { "applied" })
            .text("httpTokens", &instance.metadata.tokens)
            .value("httpPutResponseHopLimit", instance.metadata.hop_limit)
            .text("httpEndpoint", &instance.metadata.endpoint)
            .text("httpProtocolIpv6", "disabled")
            .text("instanceMetadataTags", &instance.metadata.tags);
    });
    xml.element("enclaveOptions", |xml| {
        xml.value("enabled", false);
    });
    xml.text("platformDetails", "Linux/UNIX")
        .text("usageOperation", "RunInstances")
        .time("usageOperationUpdateTime", instance.launched);
    xml.element("maintenanceOptions", |xml| {
        xml.text("autoRecovery", "default");
    });
}

pub(super) fn write_groups(xml: &mut Xml, region: &Region, groups: &[String]) {
    xml.list("groupSet", groups, |xml, id| {
        let name = region.security_groups.get(id).map_or("", |group| group.name.as_str());
        xml.text("groupId", id).text("groupName", name);
    });
}

pub(super) fn write_volumes(xml: &mut Xml, volumes: &[&Volume]) {
    xml.list("blockDeviceMapping", volumes, |xml, volume| {
        let Some(attachment) = &volume.attachment else { return };
        xml.text("deviceName", &attachment.device);
        xml.element("ebs", |xml| {
            xml.text("volumeId", &volume.id)
                .text("status", attachment.state)
                .time("attachTime", attachment.since)
                .value("deleteOnTermination", attachment.delete_on_termination);
        });
    });
}

fn write_interface(xml: &mut Xml, region: &Region, interface: &Interface) {
    let name = private_name(region, interface);
    xml.text("networkInterfaceId", &interface.id)
        .text("subnetId", &interface.subnet)
        .text("vpcId", &interface.vpc)
        .text("description", &interface.description)
        .text("ownerId", &region.account)
        .text("status", "in-use")
        .text("macAddress", &interface.mac)
        .value("privateIpAddress", interface.private_ip)
        .text("privateDnsName", &name)
        .value("sourceDestCheck", interface.source_dest_check);
    write_groups(xml, region, &interface.groups);
    if let Some(attachment) = &interface.attachment {
        xml.element("attachment", |xml| {
            xml.text("attachmentId", &attachment.id)
                .value("deviceIndex", attachment.device_index)
                .text("status", "attached")
                .time("attachTime", attachment.since)
                .value("deleteOnTermination", attachment.delete_on_termination)
                .value("networkCardIndex", 0);
        });
    }
    write_association(xml, region, interface);
    xml.list("privateIpAddressesSet", [interface], |xml, interface| {
        xml.value("privateIpAddress", interface.private_ip)
            .text("privateDnsName", &name)
            .value("primary", true);
        write_association(xml, region, interface);
    });
    xml.list("ipv6AddressesSet", [(); 0], |_, ()| {});
    xml.text("interfaceType", "interface");
}

fn write_association(xml: &mut Xml, region: &Region, interface: &Interface) {
    let Some((address, owner)) = public_ip(region, interface) else { return };
    xml.element("association", |xml| {
        xml.text("publicIp", &address)
            .text("publicDnsName", &public_name(region, &address))
            .text("ipOwnerId", &owner);
    });
}
