//! Elastic IP addresses.

use std::net::Ipv4Addr;

use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::instances::State;
use super::interfaces::Interface;
use super::select::{maybe, select};
use super::state::Region;
use super::state::tags::{check_kinds, specified};
use super::xml::Xml;

pub(crate) const ACTIONS: Actions = &[
    ("AllocateAddress", allocate_address),
    ("AssociateAddress", associate_address),
    ("DisassociateAddress", disassociate_address),
    ("ReleaseAddress", release_address),
    ("DescribeAddresses", describe_addresses),
];

/// Most addresses of an account in a region.
pub(super) const MAX_ADDRESSES: usize = 5;

/// An address that belongs to the account.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) allocation: String,
    pub(crate) public_ip: Ipv4Addr,
    /// The association and the interface, if it is associated.
    pub(crate) association: Option<(String, String)>,
}

fn missing(id: &str) -> Ec2Error {
    let message = format!("The allocation ID '{id}' does not exist");
    Ec2Error::new("InvalidAllocationID.NotFound", message)
}

fn unknown_address(address: &str) -> Ec2Error {
    Ec2Error::new("InvalidAddress.NotFound", format!("Address '{address}' not found."))
}

/// The address that a request names by `AllocationId` or `PublicIp`.
fn named<'a>(region: &'a Region, call: &Call<'_>) -> Result<&'a Address> {
    match (call.params.text("AllocationId"), call.params.text("PublicIp")) {
        (Some(id), _) => region.addresses.get(id).ok_or_else(|| missing(id)),
        (None, Some(ip)) => {
            let mut all = region.addresses.values();
            all.find(|address| address.public_ip.to_string() == ip)
                .ok_or_else(|| unknown_address(ip))
        }
        (None, None) => Err(Ec2Error::missing("AllocationId")),
    }
}

fn allocate_address(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    check_kinds(call, &["elastic-ip"])?;
    let tags = specified(call, "elastic-ip")?;
    match call.params.text("Domain") {
        None | Some("vpc") => {}
        Some(other) => return Err(Ec2Error::invalid_value("domain", other)),
    }
    if region.addresses.len() >= MAX_ADDRESSES {
        let message = "The maximum number of addresses has been reached.";
        return Err(Ec2Error::new("AddressLimitExceeded", message));
    }
    call.dry_run()?;
    let id = region.new_id("eipalloc");
    let public_ip = region.take_public_ip();
    region.tags.add(&id, &tags)?;
    region
        .addresses
        .insert(id.clone(), Address { allocation: id.clone(), public_ip, association: None });
    region.created(&id, call);
    let mut xml = Xml::new();
    xml.value("publicIp", public_ip)
        .text("allocationId", &id)
        .text("publicIpv4Pool", "amazon")
        .text("networkBorderGroup", &region.name)
        .text("domain", "vpc");
    Ok(xml)
}

/// The interface that a request names, itself or by its instance.
fn target(region: &Region, call: &Call<'_>) -> Result<String> {
    match (call.params.text("NetworkInterfaceId"), call.params.text("InstanceId")) {
        (Some(id), None) if region.interfaces.contains_key(id) => Ok(id.to_owned()),
        (Some(id), None) => Err(super::interfaces::missing(id)),
        (None, Some(id)) => {
            let instance = region.instances.get(id).ok_or_else(|| {
                Ec2Error::not_found("InvalidInstanceID.NotFound", "instance ID", id)
            })?;
            let interface = instance.interfaces.first();
            match (instance.state, interface) {
                (State::Running | State::Stopping | State::Stopped, Some(interface)) => {
                    Ok(interface.clone())
                }
                (state, _) => {
                    let message = format!(
                        "The {} instance '{id}' is not in a valid state for this operation.",
                        state.name()
                    );
                    Err(Ec2Error::new("InvalidInstanceID", message))
                }
            }
        }
        (None, None) => Err(Ec2Error::missing("InstanceId or NetworkInterfaceId")),
        (Some(_), Some(_)) => {
            let message = "You may specify an instance or a network interface, but not both";
            Err(Ec2Error::combination(message))
        }
    }
}

fn associate_address(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let address = named(region, call)?;
    let allocation = address.allocation.clone();
    let interface = target(region, call)?;
    let may_move = call.params.flag("AllowReassociation")?.unwrap_or(true);
    let mut xml = Xml::new();
    match &address.association {
        Some((association, on)) if *on == interface => {
            xml.text("associationId", association);
            return Ok(xml);
        }
        Some((_, on)) if !may_move => {
            let message =
                format!("resource {allocation} is already associated with associate-id {on}");
            return Err(Ec2Error::new("Resource.AlreadyAssociated", message));
        }
        _ => {}
    }
    call.dry_run()?;
    let association = region.new_id("eipassoc");
    // An interface has one public address: another one of the account becomes free, the one that came with
    // the instance goes.
    for other in region.addresses.values_mut() {
        if other.association.as_ref().is_some_and(|(_, on)| *on == interface) {
            other.association = None;
        }
    }
    let own = region.interfaces.get_mut(&interface).and_then(|known| known.public_ip.take());
    if let Some(own) = own {
        region.free_public_ip(own);
    }
    if let Some(address) = region.addresses.get_mut(&allocation) {
        address.association = Some((association.clone(), interface));
    }
    xml.text("associationId", &association);
    Ok(xml)
}

fn disassociate_address(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let allocation = match call.params.text("AssociationId") {
        Some(id) => {
            let mut all = region.addresses.values();
            let has = |address: &&Address| {
                address.association.as_ref().is_some_and(|(association, _)| association == id)
            };
            let message = format!("The association ID '{id}' does not exist");
            all.find(has)
                .ok_or_else(|| Ec2Error::new("InvalidAssociationID.NotFound", message))?
                .allocation
                .clone()
        }
        None => named(region, call)?.allocation.clone(),
    };
    call.dry_run()?;
    if let Some(address) = region.addresses.get_mut(&allocation) {
        address.association = None;
    }
    Ok(Xml::success())
}

fn release_address(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let address = named(region, call)?;
    let (id, public_ip) = (address.allocation.clone(), address.public_ip);
    if address.association.is_some() {
        let message = format!("Address {public_ip} is in use.");
        return Err(Ec2Error::new("InvalidIPAddress.InUse", message));
    }
    call.dry_run()?;
    region.addresses.remove(&id);
    region.free_public_ip(public_ip);
    region.tags.forget(&id);
    Ok(Xml::success())
}

impl Region {
    /// The address of the account on an interface.
    pub(crate) fn address_on(&self, interface: &str) -> Option<&Address> {
        let mut all = self.addresses.values();
        all.find(|address| address.association.as_ref().is_some_and(|(_, on)| on == interface))
    }

    /// The interface that an address is on, if it is on one.
    fn interface_of(&self, address: &Address) -> Option<&Interface> {
        address.association.as_ref().and_then(|(_, on)| self.interfaces.get(on))
    }
}

fn describe_addresses(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let filters = call.filters(&[
        "allocation-id",
        "association-id",
        "domain",
        "instance-id",
        "network-border-group",
        "network-interface-id",
        "network-interface-owner-id",
        "private-ip-address",
        "public-ip",
    ])?;
    let mut ids = call.params.list("AllocationId");
    for ip in call.params.list("PublicIp") {
        let mut all = region.addresses.values();
        let found = all.find(|address| address.public_ip.to_string() == ip);
        ids.push(found.map(|found| found.allocation.as_str()).ok_or_else(|| unknown_address(ip))?);
    }
    let mut addresses = select(region, call, &region.addresses, &ids, missing)?;
    call.dry_run()?;
    addresses.retain(|address| {
        let on = region.interface_of(address);
        let attached = on.and_then(|on| on.attachment.as_ref());
        filters.pass(region.tags.of(&address.allocation), |field| match field {
            "allocation-id" => vec![address.allocation.clone()],
            "association-id" => maybe(address.association.as_ref().map(|(id, _)| id)),
            "domain" => vec!["vpc".to_owned()],
            "instance-id" => maybe(attached.map(|attached| &attached.instance)),
            "network-border-group" => vec![region.name.clone()],
            "network-interface-id" => maybe(on.map(|on| &on.id)),
            "network-interface-owner-id" => maybe(on.map(|_| &region.account)),
            "private-ip-address" => maybe(on.map(|on| on.private_ip)),
            _ => vec![address.public_ip.to_string()],
        })
    });
    let mut xml = Xml::new();
    xml.list("addressesSet", addresses, |xml, address| write(xml, region, address));
    Ok(xml)
}

fn write(xml: &mut Xml, region: &Region, address: &Address) {
    xml.value("publicIp", address.public_ip)
        .text("allocationId", &address.allocation)
        .text("domain", "vpc");
    if let (Some((association, _)), Some(on)) = (&address.association, region.interface_of(address))
    {
        let instance = on.attachment.as_ref().map(|attached| attached.instance.as_str());
        xml.optional("instanceId", instance)
            .text("associationId", association)
            .text("networkInterfaceId", &on.id)
            .text("networkInterfaceOwnerId", &region.account)
            .value("privateIpAddress", on.private_ip);
    }
    xml.text("publicIpv4Pool", "amazon").text("networkBorderGroup", &region.name);
    region.tags.write(xml, &address.allocation);
}

#[cfg(test)]
mod tests;
