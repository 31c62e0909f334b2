//! Network interfaces.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::filters::Filters;
use super::paging::page;
use super::select::{ids_or_pages, maybe, select, truth};
use super::state::Region;
use super::state::tags::{check_kinds, specified};
use super::xml::Xml;
use super::{security_groups, zones};

pub(crate) const ACTIONS: Actions = &[
    ("CreateNetworkInterface", create_network_interface),
    ("DescribeNetworkInterfaces", describe_network_interfaces),
    ("ModifyNetworkInterfaceAttribute", modify_network_interface_attribute),
    ("DeleteNetworkInterface", delete_network_interface),
];

/// Most groups of an interface.
const MAX_GROUPS: usize = 5;

/// A network interface.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    pub(crate) id: String,
    pub(crate) subnet: String,
    pub(crate) vpc: String,
    pub(crate) zone: String,
    pub(crate) description: String,
    pub(crate) mac: String,
    pub(crate) private_ip: Ipv4Addr,
    /// The address that comes and goes with the instance; that of an association is in `addresses`.
    pub(crate) public_ip: Option<Ipv4Addr>,
    /// Ids of security groups.
    pub(crate) groups: Vec<String>,
    pub(crate) source_dest_check: bool,
    /// None: `available`.
    pub(crate) attachment: Option<InterfaceAttachment>,
}

/// An interface on an instance.
#[derive(Debug, Clone)]
pub(crate) struct InterfaceAttachment {
    pub(crate) id: String,
    pub(crate) instance: String,
    pub(crate) device_index: u32,
    pub(crate) since: SystemTime,
    pub(crate) delete_on_termination: bool,
}

/// There is no such interface.
pub(super) fn missing(id: &str) -> Ec2Error {
    let message = format!("The networkInterface ID '{id}' does not exist");
    Ec2Error::new("InvalidNetworkInterfaceID.NotFound", message)
}

/// The groups that a request names, all of which have to be of a network.
fn groups(region: &Region, call: &Call<'_>, vpc: &str) -> Result<Option<Vec<String>>> {
    let ids = call.params.list("SecurityGroupId");
    if ids.is_empty() {
        return Ok(None);
    }
    if ids.len() > MAX_GROUPS {
        let message = "The maximum number of security groups per interface has been reached.";
        return Err(Ec2Error::new("SecurityGroupsPerInterfaceLimitExceeded", message));
    }
    let mut groups = Vec::new();
    for id in ids {
        let group = region.security_groups.get(id).ok_or_else(|| security_groups::missing(id))?;
        if group.vpc != vpc {
            let message = "You have specified two resources that belong to different networks.";
            return Err(Ec2Error::new("InvalidGroup.NotFound", message));
        }
        if !groups.contains(&group.id) {
            groups.push(group.id.clone());
        }
    }
    Ok(Some(groups))
}

fn create_network_interface(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    check_kinds(call, &["network-interface"])?;
    let tags = specified(call, "network-interface")?;
    let subnet = call.params.need("SubnetId")?;
    let known = region
        .subnets
        .get(subnet)
        .cloned()
        .ok_or_else(|| Ec2Error::not_found("InvalidSubnetID.NotFound", "subnet ID", subnet))?;
    if let Some(id) = region.tokens.created(call)? {
        let interface = region.interfaces.get(id).ok_or_else(|| missing(id))?;
        return Ok(told(region, call, interface));
    }
    let groups = match groups(region, call, &known.vpc)? {
        Some(groups) => groups,
        None => security_groups::default_of(region, &known.vpc).into_iter().collect(),
    };
    call.dry_run()?;
    let wanted = call.params.number::<Ipv4Addr>("PrivateIpAddress")?;
    let private_ip = region.take_private_ip(subnet, wanted)?;
    let id = region.new_id("eni");
    let interface = Interface {
        id: id.clone(),
        subnet: subnet.to_owned(),
        vpc: known.vpc,
        zone: known.zone,
        description: call.params.text("Description").unwrap_or_default().to_owned(),
        mac: mac(&id),
        private_ip,
        public_ip: None,
        groups,
        source_dest_check: true,
        attachment: None,
    };
    region.tags.add(&id, &tags)?;
    region.tokens.remember(call, &id);
    region.created(&id, call);
    let xml = told(region, call, &interface);
    region.interfaces.insert(id, interface);
    Ok(xml)
}

/// An address that an interface has for itself.
fn mac(id: &str) -> String {
    let digits = id.get(5..15).unwrap_or("0000000000").as_bytes();
    let pairs = digits.chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned());
    format!("06:{}", pairs.collect::<Vec<_>>().join(":"))
}

fn told(region: &Region, call: &Call<'_>, interface: &Interface) -> Xml {
    let mut xml = Xml::new();
    xml.element("networkInterface", |xml| write(xml, region, interface))
        .optional("clientToken", call.params.text("ClientToken"));
    xml
}

fn modify_network_interface_attribute(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("NetworkInterfaceId")?;
    let interface = region.interfaces.get(id).ok_or_else(|| missing(id))?;
    let mut changed = interface.clone();
    if let Some(groups) = groups(region, call, &interface.vpc)? {
        changed.groups = groups;
    }
    if let Some(description) = call.params.inner("Description").any_text("Value") {
        changed.description = description.to_owned();
    }
    if let Some(check) = call.params.inner("SourceDestCheck").flag("Value")? {
        changed.source_dest_check = check;
    }
    let fields = call.params.inner("Attachment");
    if let Some(delete) = fields.flag("DeleteOnTermination")? {
        let attachment_id = fields.need("AttachmentId")?;
        match &mut changed.attachment {
            Some(attachment) if attachment.id == attachment_id => {
                attachment.delete_on_termination = delete;
            }
            _ => {
                let message = format!("The attachment ID '{attachment_id}' does not exist");
                return Err(Ec2Error::new("InvalidAttachmentID.NotFound", message));
            }
        }
    }
    call.dry_run()?;
    region.interfaces.insert(id.to_owned(), changed);
    Ok(Xml::success())
}

fn delete_network_interface(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("NetworkInterfaceId")?;
    let interface = region.interfaces.get(id).ok_or_else(|| missing(id))?;
    if interface.attachment.is_some() {
        let message = format!("Network interface '{id}' is currently in use.");
        return Err(Ec2Error::new("InvalidNetworkInterface.InUse", message));
    }
    call.dry_run()?;
    let (subnet, private_ip) = (interface.subnet.clone(), interface.private_ip);
    region.interfaces.remove(id);
    region.free_private_ip(&subnet, private_ip);
    region.tags.forget(id);
    for address in region.addresses.values_mut() {
        if address.association.as_ref().is_some_and(|(_, on)| on == id) {
            address.association = None;
        }
    }
    Ok(Xml::success())
}

const FILTERS: [&str; 26] = [
    "addresses.primary",
    "addresses.private-ip-address",
    "association.allocation-id",
    "association.association-id",
    "association.ip-owner-id",
    "association.public-ip",
    "attachment.attachment-id",
    "attachment.delete-on-termination",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.instance-owner-id",
    "attachment.status",
    "availability-zone",
    "description",
    "group-id",
    "group-name",
    "interface-type",
    "mac-address",
    "network-interface-id",
    "owner-id",
    "private-ip-address",
    "requester-managed",
    "source-dest-check",
    "status",
    "subnet-id",
    "vpc-id",
];

fn describe_network_interfaces(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = call.params.list("NetworkInterfaceId");
    ids_or_pages(call, "NetworkInterfaceId")?;
    let filters = call.filters(&FILTERS)?;
    let mut interfaces = select(region, call, &region.interfaces, &ids, missing)?;
    call.dry_run()?;
    interfaces.retain(|interface| passes(region, interface, &filters));
    let page = page(call, interfaces, |interface| interface.id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("networkInterfaceSet", &page.items, |xml, interface| write(xml, region, interface));
    page.write_next(&mut xml);
    Ok(xml)
}

fn passes(region: &Region, interface: &Interface, filters: &Filters<'_>) -> bool {
    let text = |text: &str| vec![text.to_owned()];
    let attached = interface.attachment.as_ref();
    let address = region.address_on(&interface.id);
    let public_ip = address.map(|address| address.public_ip).or(interface.public_ip);
    filters.pass(region.tags.of(&interface.id), |field| match field {
        "addresses.primary" => truth(true),
        "addresses.private-ip-address" | "private-ip-address" => {
            text(&interface.private_ip.to_string())
        }
        "association.allocation-id" => maybe(address.map(|address| &address.allocation)),
        "association.association-id" => {
            maybe(address.and_then(|address| address.association.as_ref()).map(|(id, _)| id))
        }
        "association.ip-owner-id" => {
            maybe(public_ip.map(|_| if address.is_some() { &*region.account } else { "amazon" }))
        }
        "association.public-ip" => maybe(public_ip),
        "attachment.attachment-id" => maybe(attached.map(|attached| &attached.id)),
        "attachment.delete-on-termination" => {
            maybe(attached.map(|attached| attached.delete_on_termination))
        }
        "attachment.device-index" => maybe(attached.map(|attached| attached.device_index)),
        "attachment.instance-id" => maybe(attached.map(|attached| &attached.instance)),
        "attachment.instance-owner-id" => maybe(attached.map(|_| &region.account)),
        "attachment.status" => maybe(attached.map(|_| "attached")),
        "availability-zone" => text(&interface.zone),
        "description" => text(&interface.description),
        "group-id" => interface.groups.clone(),
        "group-name" => {
            let groups = interface.groups.iter();
            groups.filter_map(|id| Some(region.security_groups.get(id)?.name.clone())).collect()
        }
        "interface-type" => text("interface"),
        "mac-address" => text(&interface.mac),
        "network-interface-id" => text(&interface.id),
        "owner-id" => text(&region.account),
        "requester-managed" => truth(false),
        "source-dest-check" => truth(interface.source_dest_check),
        "status" => text(status(interface)),
        "subnet-id" => text(&interface.subnet),
        _ => text(&interface.vpc),
    })
}

fn status(interface: &Interface) -> &'static str {
    if interface.attachment.is_some() { "in-use" } else { "available" }
}

fn write(xml: &mut Xml, region: &Region, interface: &Interface) {
    xml.text("networkInterfaceId", &interface.id)
        .text("subnetId", &interface.subnet)
        .text("vpcId", &interface.vpc)
        .text("availabilityZone", &interface.zone)
        .text("availabilityZoneId", &zones::id(&region.name, &interface.zone))
        .text("description", &interface.description)
        .text("ownerId", &region.account)
        .value("requesterManaged", false)
        .text("status", status(interface))
        .text("macAddress", &interface.mac)
        .value("privateIpAddress", interface.private_ip)
        .text("privateDnsName", &private_name(region, interface))
        .value("sourceDestCheck", interface.source_dest_check)
        .list("groupSet", &interface.groups, |xml, id| {
            let name = region.security_groups.get(id).map(|group| group.name.as_str());
            xml.text("groupId", id).optional("groupName", name);
        });
    if let Some(attachment) = &interface.attachment {
        xml.element("attachment", |xml| {
            xml.text("attachmentId", &attachment.id)
                .text("instanceId", &attachment.instance)
                .text("instanceOwnerId", &region.account)
                .value("deviceIndex", attachment.device_index)
                .value("networkCardIndex", 0)
                .text("status", "attached")
                .time("attachTime", attachment.since)
                .value("deleteOnTermination", attachment.delete_on_termination);
        });
    }
    write_association(xml, region, interface);
    region.tags.write(xml, &interface.id);
    xml.list("privateIpAddressesSet", [interface], |xml, interface| {
        xml.value("privateIpAddress", interface.private_ip)
            .text("privateDnsName", &private_name(region, interface))
            .value("primary", true);
        write_association(xml, region, interface);
    })
    .texts::<&str>("ipv6AddressesSet", [])
    .text("interfaceType", "interface");
}

fn private_name(region: &Region, interface: &Interface) -> String {
    let domain = match region.name.as_str() {
        "us-east-1" => "ec2.internal".to_owned(),
        other => format!("{other}.compute.internal"),
    };
    format!("ip-{}.{domain}", interface.private_ip.to_string().replace('.', "-"))
}

/// The public address, if the interface has one.
fn write_association(xml: &mut Xml, region: &Region, interface: &Interface) {
    let address = region.address_on(&interface.id);
    let Some(public_ip) = address.map(|address| address.public_ip).or(interface.public_ip) else {
        return;
    };
    xml.element("association", |xml| {
        xml.value("publicIp", public_ip)
            .text("ipOwnerId", if address.is_some() { &region.account } else { "amazon" })
            .optional("allocationId", address.map(|address| address.allocation.as_str()));
        let association = address.and_then(|address| address.association.as_ref());
        xml.optional("associationId", association.map(|(id, _)| id.as_str()));
    });
}

#[cfg(test)]
mod tests;
