//! Networks and subnets come and go.

use std::net::Ipv4Addr;

use super::reading::{write_subnet, write_vpc};
use super::{Subnet, Vpc, missing_subnet, missing_vpc, remove_default, set_up};
use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::security_groups;
use crate::ec2::state::Region;
use crate::ec2::state::tags::{check_kinds, specified};
use crate::ec2::xml::Xml;
use crate::ec2::zones;

pub(super) fn create_default_vpc(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    if let Some(vpc) = region.default_vpc() {
        let message =
            format!("A Default VPC already exists for this account in this region: {}", vpc.id);
        return Err(Ec2Error::new("DefaultVpcAlreadyExists", message));
    }
    call.dry_run()?;
    set_up(region);
    Ok(told(region, region.default_vpc()))
}

fn told(region: &Region, vpc: Option<&Vpc>) -> Xml {
    let mut xml = Xml::new();
    if let Some(vpc) = vpc {
        xml.element("vpc", |xml| write_vpc(xml, region, vpc));
    }
    xml
}

/// The first address and the length of the prefix of a block between /16 and /28.
fn block(cidr: &str) -> Result<(Ipv4Addr, u32)> {
    let parsed = cidr.split_once('/').and_then(|(base, prefix)| {
        Some((base.parse::<Ipv4Addr>().ok()?, prefix.parse::<u32>().ok()?))
    });
    let Some((base, prefix)) = parsed else {
        let message = format!(
            "Value ({cidr}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        );
        return Err(Ec2Error::invalid(message));
    };
    if !(16..=28).contains(&prefix) {
        return Err(Ec2Error::new("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    Ok((Ipv4Addr::from(u32::from(base) & mask(prefix)), prefix))
}

fn mask(prefix: u32) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0)
}

/// Whether blocks have addresses in common.
fn overlap(one: (Ipv4Addr, u32), other: (Ipv4Addr, u32)) -> bool {
    let mask = mask(one.1.min(other.1));
    u32::from(one.0) & mask == u32::from(other.0) & mask
}

pub(super) fn create_vpc(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let (base, prefix) = block(call.params.need("CidrBlock")?)?;
    check_kinds(call, &["vpc"])?;
    let tags = specified(call, "vpc")?;
    call.dry_run()?;
    let id = region.new_id("vpc");
    let vpc = Vpc { id: id.clone(), cidr: format!("{base}/{prefix}"), is_default: false };
    region.tags.add(&id, &tags)?;
    region.vpcs.insert(id.clone(), vpc);
    region.created(&id, call);
    security_groups::add_default(region, &id);
    Ok(told(region, region.vpcs.get(&id)))
}

pub(super) fn delete_vpc(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("VpcId")?;
    let vpc = region.vpcs.get(id).ok_or_else(|| missing_vpc(id))?;
    let has_subnets = region.subnets.values().any(|subnet| subnet.vpc == id);
    let mut groups = region.security_groups.values();
    if has_subnets || groups.any(|group| group.vpc == id && group.name != "default") {
        let message = format!("The vpc '{id}' has dependencies and cannot be deleted.");
        return Err(Ec2Error::new("DependencyViolation", message));
    }
    let is_default = vpc.is_default;
    call.dry_run()?;
    if is_default {
        remove_default(region);
    }
    region.vpcs.remove(id);
    region.security_groups.retain(|_, group| group.vpc != id);
    region.tags.forget(id);
    Ok(Xml::success())
}

pub(super) fn create_subnet(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("VpcId")?;
    let vpc = region.vpcs.get(id).ok_or_else(|| missing_vpc(id))?;
    let cidr = call.params.need("CidrBlock")?;
    let (base, prefix) = block(cidr)?;
    check_kinds(call, &["subnet"])?;
    let tags = specified(call, "subnet")?;
    let whole = block(&vpc.cidr)?;
    if prefix < whole.1 || !overlap(whole, (base, prefix)) {
        return Err(Ec2Error::new("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    let mut others = region.subnets.values().filter(|subnet| subnet.vpc == id);
    if others.any(|subnet| overlap((subnet.base, subnet.prefix), (base, prefix))) {
        let message = format!("The CIDR '{cidr}' conflicts with another subnet");
        return Err(Ec2Error::new("InvalidSubnet.Conflict", message));
    }
    let first = zones::of(&region.name).into_iter().next().unwrap_or_default();
    let zone = region.zone(call)?.unwrap_or(first);
    let vpc = id.to_owned();
    call.dry_run()?;
    let id = region.new_id("subnet");
    let subnet = Subnet {
        id: id.clone(),
        vpc,
        zone,
        base,
        prefix,
        default_for_zone: false,
        map_public_ip: false,
    };
    region.tags.add(&id, &tags)?;
    let mut xml = Xml::new();
    region.subnets.insert(id.clone(), subnet.clone());
    region.created(&id, call);
    xml.element("subnet", |xml| write_subnet(xml, region, &subnet));
    Ok(xml)
}

pub(super) fn delete_subnet(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("SubnetId")?;
    if !region.subnets.contains_key(id) {
        return Err(missing_subnet(id));
    }
    if region.interfaces.values().any(|interface| interface.subnet == id) {
        let message = format!("The subnet '{id}' has dependencies and cannot be deleted.");
        return Err(Ec2Error::new("DependencyViolation", message));
    }
    call.dry_run()?;
    region.subnets.remove(id);
    region.tags.forget(id);
    Ok(Xml::success())
}

pub(super) fn modify_subnet_attribute(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = call.params.need("SubnetId")?;
    let map_public_ip = call.params.inner("MapPublicIpOnLaunch").flag("Value")?;
    let subnet = region.subnets.get_mut(id).ok_or_else(|| missing_subnet(id))?;
    let Some(map_public_ip) = map_public_ip else {
        return Err(Ec2Error::missing("MapPublicIpOnLaunch.Value"));
    };
    subnet.map_public_ip = map_public_ip;
    Ok(Xml::success())
}
