//! The interfaces of instances.

use std::net::Ipv4Addr;

use super::run::Plan;
use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::interfaces::{Interface, InterfaceAttachment};
use crate::ec2::params::Fields;
use crate::ec2::state::Region;
use crate::ec2::state::tags::TagMap;

/// An interface that a request asks for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) device_index: u32,
    pub(super) subnet: Option<String>,
    /// Ids of security groups; empty: the default one.
    pub(super) groups: Vec<String>,
    /// None: as the subnet says.
    pub(super) public_ip: Option<bool>,
    pub(super) private_ip: Option<Ipv4Addr>,
    pub(super) description: String,
    pub(super) delete_on_termination: bool,
    /// An interface that is there already.
    pub(super) existing: Option<String>,
}

/// The interfaces of a request: one, unless it tells of several.
pub(super) fn wanted(region: &Region, call: &Call<'_>) -> Result<Vec<Wanted>> {
    let params = &call.params;
    let top_level = ["SubnetId", "PrivateIpAddress"].iter().any(|name| params.text(name).is_some())
        || ["SecurityGroupId", "SecurityGroup"].iter().any(|name| !params.list(name).is_empty());
    let specified = params.structs("NetworkInterface");
    if !specified.is_empty() && top_level {
        let message = "Network interfaces and an instance-level subnet ID or security groups may not \
                       be specified on the same request";
        return Err(Ec2Error::combination(message));
    }
    let mut all = Vec::new();
    for fields in &specified {
        all.push(specification(region, fields)?);
    }
    if specified.is_empty() {
        all.push(Wanted {
            device_index: 0,
            subnet: subnet(region, params)?,
            groups: groups(region, params)?,
            public_ip: None,
            private_ip: address(params, "PrivateIpAddress")?,
            description: String::new(),
            delete_on_termination: true,
            existing: None,
        });
    }
    all.sort_by_key(|wanted| wanted.device_index);
    if all.first().is_none_or(|first| first.device_index != 0) {
        return Err(Ec2Error::invalid("The first network interface must have the device index 0"));
    }
    if all.windows(2).any(|two| matches!(two, [a, b] if a.device_index == b.device_index)) {
        return Err(Ec2Error::invalid("Each network interface requires a unique device index."));
    }
    let (several, public) = (all.len() > 1, all.iter().any(|wanted| wanted.public_ip.is_some()));
    if several && public {
        let message = "The associatePublicIPAddress parameter cannot be specified when launching \
                       with multiple network interfaces.";
        return Err(Ec2Error::combination(message));
    }
    Ok(all)
}

fn specification(region: &Region, fields: &Fields<'_>) -> Result<Wanted> {
    let existing = fields.text("NetworkInterfaceId");
    if let Some(id) = existing {
        let code = "InvalidNetworkInterfaceID.NotFound";
        let missing = || Ec2Error::not_found(code, "networkInterface ID", id);
        let interface = region.interfaces.get(id).ok_or_else(missing)?;
        if interface.attachment.is_some() {
            let message = format!("Interface: [{id}] in use.");
            return Err(Ec2Error::new("InvalidNetworkInterface.InUse", message));
        }
    }
    let of_existing = existing.and_then(|id| region.interfaces.get(id));
    Ok(Wanted {
        device_index: fields.number("DeviceIndex")?.unwrap_or(0),
        subnet: match of_existing {
            Some(interface) => Some(interface.subnet.clone()),
            None => subnet(region, fields)?,
        },
        groups: groups(region, fields)?,
        public_ip: fields.flag("AssociatePublicIpAddress")?,
        private_ip: address(fields, "PrivateIpAddress")?,
        description: fields.text("Description").unwrap_or_default().to_owned(),
        delete_on_termination: fields
            .flag("DeleteOnTermination")?
            .unwrap_or_else(|| existing.is_none()),
        existing: existing.map(str::to_owned),
    })
}

fn subnet(region: &Region, fields: &Fields<'_>) -> Result<Option<String>> {
    match fields.text("SubnetId") {
        Some(id) if !region.subnets.contains_key(id) => {
            Err(Ec2Error::not_found("InvalidSubnetID.NotFound", "subnet ID", id))
        }
        id => Ok(id.map(str::to_owned)),
    }
}

/// Groups by their ids, and by their names in the default network.
pub(super) fn groups(region: &Region, fields: &Fields<'_>) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for id in fields.list("SecurityGroupId") {
        if !region.security_groups.contains_key(id) {
            return Err(Ec2Error::not_found("InvalidGroup.NotFound", "security group", id));
        }
        ids.push(id.to_owned());
    }
    let default = region.vpcs.values().find(|vpc| vpc.is_default).map(|vpc| vpc.id.as_str());
    for name in fields.list("SecurityGroup") {
        let mut all = region.security_groups.values();
        let found = all.find(|group| group.name == name && Some(group.vpc.as_str()) == default);
        let missing = || Ec2Error::not_found("InvalidGroup.NotFound", "security group", name);
        ids.push(found.ok_or_else(missing)?.id.clone());
    }
    Ok(ids)
}

fn address(fields: &Fields<'_>, name: &str) -> Result<Option<Ipv4Addr>> {
    fields.number(name)
}

/// The groups of an interface in a network: those wanted, all of which have to be of that network, else
/// the default one.
pub(super) fn groups_in(region: &Region, vpc: &str, wanted: &[String]) -> Result<Vec<String>> {
    let mut of_vpc = region.security_groups.values().filter(|group| group.vpc == vpc);
    if wanted.is_empty() {
        return Ok(of_vpc
            .find(|group| group.name == "default")
            .map(|g| g.id.clone())
            .into_iter()
            .collect());
    }
    for id in wanted {
        if region.security_groups.get(id).is_some_and(|group| group.vpc != vpc) {
            let message =
                format!("Security group {id} and the subnet belong to different networks.");
            return Err(Ec2Error::invalid(message));
        }
    }
    Ok(wanted.to_vec())
}

/// Makes the interfaces of an instance, or takes those that are there, and tells their ids.
pub(super) fn create(
    region: &mut Region,
    call: &Call<'_>,
    plan: &Plan<'_>,
    instance: &str,
    tags: &TagMap,
) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for wanted in &plan.interfaces {
        let attachment = InterfaceAttachment {
            id: region.new_id("eni-attach"),
            instance: instance.to_owned(),
            device_index: wanted.device_index,
            since: call.now,
            delete_on_termination: wanted.delete_on_termination,
        };
        let id = match &wanted.existing {
            Some(id) => id.clone(),
            None => create_one(region, call, plan, wanted, tags)?,
        };
        if let Some(interface) = region.interfaces.get_mut(&id) {
            interface.attachment = Some(attachment);
        }
        ids.push(id);
    }
    Ok(ids)
}

fn create_one(
    region: &mut Region,
    call: &Call<'_>,
    plan: &Plan<'_>,
    wanted: &Wanted,
    tags: &TagMap,
) -> Result<String> {
    let subnet = wanted.subnet.clone().unwrap_or_else(|| plan.subnet.clone());
    let groups = groups_in(region, &plan.vpc, &wanted.groups)?;
    let private_ip = region.take_private_ip(&subnet, wanted.private_ip)?;
    let id = region.new_id("eni");
    let digits = id.get(5..15).unwrap_or("0000000000").as_bytes();
    let pairs = digits.chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned());
    let mac = format!("06:{}", pairs.collect::<Vec<_>>().join(":"));
    let interface = Interface {
        id: id.clone(),
        subnet,
        vpc: plan.vpc.clone(),
        zone: plan.zone.clone(),
        description: wanted.description.clone(),
        mac,
        private_ip,
        public_ip: None,
        groups,
        source_dest_check: true,
        attachment: None,
    };
    region.interfaces.insert(id.clone(), interface);
    region.tags.add(&id, tags)?;
    region.created(&id, call);
    Ok(id)
}

/// An instance has ended: its interface goes with it, or becomes free.
pub(super) fn release(region: &mut Region, id: &str) {
    let Some(interface) = region.interfaces.get_mut(id) else { return };
    let attachment = interface.attachment.take();
    if attachment.is_some_and(|attachment| attachment.delete_on_termination) {
        let (subnet, address) = (interface.subnet.clone(), interface.private_ip);
        region.interfaces.remove(id);
        region.tags.forget(id);
        region.free_private_ip(&subnet, address);
        for address in region.addresses.values_mut() {
            if address.association.as_ref().is_some_and(|(_, interface)| interface == id) {
                address.association = None;
            }
        }
    }
}
