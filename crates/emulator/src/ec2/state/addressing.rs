//! Which IP addresses are in use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::Region;
use crate::ec2::error::{Ec2Error, Result};

/// The first addresses of a subnet and its last one are the network's own.
const RESERVED_FIRST: u32 = 4;
const RESERVED: u32 = 5;

/// Public addresses are from the block for benchmarks (RFC 2544): nobody else has them.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const PUBLIC_BITS: u32 = 17;

/// Private and public addresses that are taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    /// By subnet.
    private: BTreeMap<String, BTreeSet<u32>>,
    public: BTreeSet<u32>,
    /// How many public ones were given out, so that none comes back soon.
    count: u32,
}

impl Region {
    /// Takes a free address of a subnet, or the one that is wanted.
    pub(crate) fn take_private_ip(
        &mut self,
        subnet: &str,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr> {
        let (first, count) = match self.subnets.get(subnet) {
            Some(subnet) => (u32::from(subnet.base), size(subnet.prefix)),
            None => {
                return Err(Ec2Error::not_found("InvalidSubnetID.NotFound", "subnet ID", subnet));
            }
        };
        let usable = first.saturating_add(RESERVED_FIRST)..first.saturating_add(count - 1);
        let taken = self.taken.private.entry(subnet.to_owned()).or_default();
        let address = match wanted.map(u32::from) {
            Some(wanted) if !usable.contains(&wanted) => {
                let message = "Address does not fall within the subnet's address range";
                return Err(Ec2Error::invalid(message));
            }
            Some(wanted) if taken.contains(&wanted) => {
                let message = format!("Address {} is in use.", Ipv4Addr::from(wanted));
                return Err(Ec2Error::new("InvalidIPAddress.InUse", message));
            }
            Some(wanted) => wanted,
            None => free(taken, &usable).ok_or_else(|| {
                let message = format!("There are not enough free addresses in subnet '{subnet}'.");
                Ec2Error::new("InsufficientFreeAddressesInSubnet", message)
            })?,
        };
        taken.insert(address);
        Ok(Ipv4Addr::from(address))
    }

    /// Gives an address of a subnet back.
    pub(crate) fn free_private_ip(&mut self, subnet: &str, address: Ipv4Addr) {
        if let Some(taken) = self.taken.private.get_mut(subnet) {
            taken.remove(&u32::from(address));
        }
    }

    /// How many addresses of a subnet are free.
    pub(crate) fn free_private_ips(&self, subnet: &str) -> u32 {
        let count = self.subnets.get(subnet).map_or(0, |subnet| size(subnet.prefix));
        let taken = self.taken.private.get(subnet).map_or(0, BTreeSet::len);
        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
        count.saturating_sub(RESERVED).saturating_sub(taken)
    }

    /// Takes a public address.
    pub(crate) fn take_public_ip(&mut self) -> Ipv4Addr {
        let taken = &mut self.taken;
        loop {
            taken.count = taken.count.wrapping_add(1);
            // An odd factor visits every address once.
            let offset = taken.count.wrapping_mul(48_271) & ((1 << PUBLIC_BITS) - 1);
            let address = u32::from(PUBLIC) | offset;
            if taken.public.insert(address) || taken.public.len() >= 1 << PUBLIC_BITS {
                return Ipv4Addr::from(address);
            }
        }
    }

    /// Gives a public address back.
    pub(crate) fn free_public_ip(&mut self, address: Ipv4Addr) {
        self.taken.public.remove(&u32::from(address));
    }
}

fn size(prefix: u32) -> u32 {
    1_u32.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(u32::MAX).max(8)
}

/// The next address behind the highest one that is taken, else the lowest that is free.
fn free(taken: &BTreeSet<u32>, usable: &std::ops::Range<u32>) -> Option<u32> {
    let next = taken.last().map_or(usable.start, |last| last.saturating_add(1));
    if usable.contains(&next) {
        return Some(next);
    }
    usable.clone().find(|address| !taken.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_of_the_subnet_and_taken_once() {
        let mut region = Region::new("us-east-1", "1");
        let subnet = region.subnets.keys().next().unwrap().clone();
        let free = region.free_private_ips(&subnet);
        assert_eq!(free, 4096 - 5);
        let base = region.subnets[&subnet].base;
        let first = region.take_private_ip(&subnet, None).unwrap();
        assert_eq!(u32::from(first), u32::from(base) + 4);
        let again = region.take_private_ip(&subnet, Some(first)).unwrap_err();
        assert_eq!(again.code, "InvalidIPAddress.InUse");
        assert_eq!(region.free_private_ips(&subnet), free - 1);
        region.free_private_ip(&subnet, first);
        for _ in 0..free {
            region.take_private_ip(&subnet, None).unwrap();
        }
        let none = region.take_private_ip(&subnet, None).unwrap_err();
        assert_eq!(none.code, "InsufficientFreeAddressesInSubnet");
    }

    #[test]
    fn public_addresses_differ() {
        let mut region = Region::new("us-east-1", "1");
        let all = (0..1000).map(|_| region.take_public_ip()).collect::<BTreeSet<_>>();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|address| matches!(address.octets(), [198, 18 | 19, _, _])));
    }
}
