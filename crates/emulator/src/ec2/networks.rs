//! Networks and subnets.

mod manage;
mod reading;

use std::net::Ipv4Addr;

use super::call::Actions;
use super::error::{Ec2Error, Result};
use super::security_groups;
use super::state::Region;
use super::zones;

pub(crate) const ACTIONS: Actions = &[
    ("DescribeVpcs", reading::describe_vpcs),
    ("DescribeSubnets", reading::describe_subnets),
    ("DescribeInternetGateways", reading::describe_internet_gateways),
    ("DescribeRouteTables", reading::describe_route_tables),
    ("CreateDefaultVpc", manage::create_default_vpc),
    ("CreateVpc", manage::create_vpc),
    ("DeleteVpc", manage::delete_vpc),
    ("CreateSubnet", manage::create_subnet),
    ("DeleteSubnet", manage::delete_subnet),
    ("ModifySubnetAttribute", manage::modify_subnet_attribute),
];

/// A network.
#[derive(Debug, Clone)]
pub(crate) struct Vpc {
    pub(crate) id: String,
    pub(crate) cidr: String,
    pub(crate) is_default: bool,
}

/// A part of a network in a zone.
#[derive(Debug, Clone)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) zone: String,
    /// The first address, and the length of the prefix.
    pub(crate) base: Ipv4Addr,
    pub(crate) prefix: u32,
    pub(crate) default_for_zone: bool,
    pub(crate) map_public_ip: bool,
}

impl Subnet {
    fn cidr(&self) -> String {
        format!("{}/{}", self.base, self.prefix)
    }
}

impl Region {
    /// The network of those who name none.
    pub(crate) fn default_vpc(&self) -> Option<&Vpc> {
        self.vpcs.values().find(|vpc| vpc.is_default)
    }

    /// The id of a network that is there, or that of the default one.
    pub(crate) fn vpc_or_default(&self, id: Option<&str>) -> Result<String> {
        match id {
            Some(id) if self.vpcs.contains_key(id) => Ok(id.to_owned()),
            Some(id) => Err(missing_vpc(id)),
            None => self
                .default_vpc()
                .map(|vpc| vpc.id.clone())
                .ok_or_else(|| Ec2Error::new("VPCIdNotSpecified", "No default VPC for this user")),
        }
    }
}

fn missing_vpc(id: &str) -> Ec2Error {
    Ec2Error::new("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist"))
}

fn missing_subnet(id: &str) -> Ec2Error {
    Ec2Error::new("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))
}

/// The default network: a subnet in each zone, and the default group.
pub(crate) fn set_up(region: &mut Region) {
    let vpc = region.new_id("vpc");
    let cidr = "172.31.0.0/16".to_owned();
    region.vpcs.insert(vpc.clone(), Vpc { id: vpc.clone(), cidr, is_default: true });
    for (number, zone) in (0_u8..).zip(zones::of(&region.name)) {
        let id = region.new_id("subnet");
        let subnet = Subnet {
            id: id.clone(),
            vpc: vpc.clone(),
            zone,
            base: Ipv4Addr::new(172, 31, number.saturating_mul(16), 0),
            prefix: 20,
            default_for_zone: true,
            map_public_ip: true,
        };
        region.subnets.insert(id, subnet);
    }
    security_groups::add_default(region, &vpc);
}

/// Takes the default network away, with its subnets and groups, as people do who want none. What is in it
/// stays, and so do networks that are not the default one.
pub(crate) fn remove_default(region: &mut Region) {
    if let Some(vpc) = region.default_vpc().map(|vpc| vpc.id.clone()) {
        region.subnets.retain(|_, subnet| subnet.vpc != vpc);
        region.security_groups.retain(|_, group| group.vpc != vpc);
        region.vpcs.remove(&vpc);
    }
}

#[cfg(test)]
mod tests;
