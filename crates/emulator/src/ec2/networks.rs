//! Networks and subnets.

use std::net::Ipv4Addr;

use super::call::Actions;
use super::security_groups::SecurityGroup;
use super::state::Region;
use super::zones;

pub(crate) const ACTIONS: Actions = &[];

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
    let id = region.new_id("sg");
    let group = SecurityGroup {
        id: id.clone(),
        name: "default".to_owned(),
        description: "default VPC security group".to_owned(),
        vpc,
    };
    region.security_groups.insert(id, group);
}
