//! Rules, as requests tell them.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::params::Fields;
use crate::ec2::state::Region;

/// Who may be reached, or may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Addresses: `10.0.0.0/8`.
    V4(String),
    V6(String),
    /// The members of a security group.
    Group(String),
    PrefixList(String),
}

impl Peer {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::V4(text) | Self::V6(text) | Self::Group(text) | Self::PrefixList(text) => text,
        }
    }

    pub(crate) fn is_group(&self, id: &str) -> bool {
        matches!(self, Self::Group(group) if group == id)
    }
}

/// A rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Empty as long as the rule belongs to no group.
    pub(crate) id: String,
    pub(crate) is_egress: bool,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, the number of another one, `-1` for all.
    pub(crate) protocol: String,
    /// From and to; of ICMP type and code.
    pub(crate) ports: Option<(i32, i32)>,
    pub(crate) peer: Peer,
    pub(crate) description: Option<String>,
}

impl Rule {
    /// Whether it allows the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.is_egress == other.is_egress
            && self.protocol == other.protocol
            && self.ports == other.ports
            && self.peer == other.peer
    }
}

/// The rules of a request: those in `IpPermissions`, or the one that its parameters tell directly.
pub(super) fn parse(region: &Region, call: &Call<'_>, is_egress: bool) -> Result<Vec<Rule>> {
    let mut rules = Vec::new();
    for permission in call.params.structs("IpPermissions") {
        add(&mut rules, region, &permission, is_egress)?;
    }
    if call.params.text("IpProtocol").is_some() {
        add_direct(&mut rules, region, &call.params, is_egress)?;
    }
    for (at, rule) in rules.iter().enumerate() {
        if rules.iter().skip(at + 1).any(|other| other.is_like(rule)) {
            let message = "The same permission must not appear multiple times";
            return Err(Ec2Error::invalid(message));
        }
    }
    Ok(rules)
}

fn add(
    rules: &mut Vec<Rule>,
    region: &Region,
    permission: &Fields<'_>,
    is_egress: bool,
) -> Result<()> {
    let mut peers = Vec::new();
    for range in permission.structs("IpRanges") {
        peers.push((Peer::V4(v4(range.need("CidrIp")?)?), range));
    }
    for range in permission.structs("Ipv6Ranges") {
        peers.push((Peer::V6(v6(range.need("CidrIpv6")?)?), range));
    }
    for list in permission.structs("PrefixListIds") {
        peers.push((Peer::PrefixList(list.need("PrefixListId")?.to_owned()), list));
    }
    for group in permission.structs("Groups") {
        let id = match (group.text("GroupId"), group.text("GroupName")) {
            (Some(id), _) if region.security_groups.contains_key(id) => id.to_owned(),
            (Some(id), _) => return Err(super::missing(id)),
            (None, Some(name)) => super::by_name(region, name)?,
            (None, None) => return Err(Ec2Error::missing("GroupId")),
        };
        peers.push((Peer::Group(id), group));
    }
    if peers.is_empty() {
        return Err(Ec2Error::missing("CidrIp, CidrIpv6, GroupId or PrefixListId"));
    }
    let (protocol, ports) = protocol(permission)?;
    for (peer, fields) in peers {
        let description = fields.text("Description").map(str::to_owned);
        if let Some(text) = &description {
            super::check_text("Description", text)?;
        }
        let (id, protocol) = (String::new(), protocol.clone());
        rules.push(Rule { id, is_egress, protocol, ports, peer, description });
    }
    Ok(())
}

fn add_direct(
    rules: &mut Vec<Rule>,
    region: &Region,
    fields: &Fields<'_>,
    is_egress: bool,
) -> Result<()> {
    let peer = match (fields.text("CidrIp"), fields.text("SourceSecurityGroupName")) {
        (Some(cidr), _) => Peer::V4(v4(cidr)?),
        (None, Some(name)) => Peer::Group(super::by_name(region, name)?),
        (None, None) => return Err(Ec2Error::missing("CidrIp")),
    };
    let (protocol, ports) = protocol(fields)?;
    rules.push(Rule { id: String::new(), is_egress, protocol, ports, peer, description: None });
    Ok(())
}

/// The protocol by its usual name, and its ports.
fn protocol(fields: &Fields<'_>) -> Result<(String, Option<(i32, i32)>)> {
    let given = fields.need("IpProtocol")?;
    let name = match given.to_ascii_lowercase().as_str() {
        "-1" | "all" => return Ok(("-1".to_owned(), None)),
        "tcp" | "6" => "tcp",
        "udp" | "17" => "udp",
        "icmp" | "1" => "icmp",
        "icmpv6" | "58" => "icmpv6",
        other => {
            return match other.parse::<u8>() {
                Ok(number) => Ok((number.to_string(), None)),
                Err(_) => {
                    let message =
                        format!("Invalid value '{given}' for IP protocol. Unknown protocol.");
                    Err(Ec2Error::new("InvalidPermission.Malformed", message))
                }
            };
        }
    };
    let from = fields.number::<i32>("FromPort")?;
    let to = fields.number::<i32>("ToPort")?;
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from, to),
        (None, None) if name == "icmpv6" => return Ok((name.to_owned(), None)),
        _ => {
            let message = "Invalid value 'Must specify both from and to ports with TCP/UDP/ICMP.' for \
                           portRange.";
            return Err(Ec2Error::invalid(message));
        }
    };
    let is_possible = match name {
        "tcp" | "udp" => 0 <= from && from <= to && to <= 65_535,
        _ => (-1..=255).contains(&from) && (-1..=255).contains(&to),
    };
    if !is_possible {
        let message = format!("Invalid TCP/UDP port range ({from}:{to})");
        return Err(Ec2Error::invalid(message));
    }
    Ok((name.to_owned(), Some((from, to))))
}

fn malformed(cidr: &str) -> Ec2Error {
    Ec2Error::invalid(format!("CIDR block {cidr} is malformed"))
}

/// A block of addresses with nothing behind its prefix.
fn v4(cidr: &str) -> Result<String> {
    let parsed = cidr.split_once('/').and_then(|(address, prefix)| {
        let prefix = prefix.parse::<u32>().ok().filter(|prefix| *prefix <= 32)?;
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        let address = address.parse::<Ipv4Addr>().ok()?;
        Some(format!("{}/{prefix}", Ipv4Addr::from(u32::from(address) & mask)))
    });
    parsed.ok_or_else(|| malformed(cidr))
}

fn v6(cidr: &str) -> Result<String> {
    let parsed = cidr.split_once('/').and_then(|(address, prefix)| {
        let prefix = prefix.parse::<u32>().ok().filter(|prefix| *prefix <= 128)?;
        let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        let address = address.parse::<Ipv6Addr>().ok()?;
        Some(format!("{}/{prefix}", Ipv6Addr::from(u128::from(address) & mask)))
    });
    parsed.ok_or_else(|| malformed(cidr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_addresses() {
        assert_eq!(v4("10.1.2.3/8").unwrap(), "10.0.0.0/8");
        assert_eq!(v4("1.2.3.4/0").unwrap(), "0.0.0.0/0");
        assert_eq!(v4("1.2.3.4/32").unwrap(), "1.2.3.4/32");
        assert_eq!(v6("2001:db8::1/32").unwrap(), "2001:db8::/32");
        assert_eq!(v6("::1/0").unwrap(), "::/0");
        for wrong in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/0", "x/8"] {
            assert_eq!(v4(wrong).unwrap_err().code, "InvalidParameterValue", "{wrong}");
        }
        for wrong in ["::", "::/129", "10.0.0.0/8"] {
            assert_eq!(v6(wrong).unwrap_err().code, "InvalidParameterValue", "{wrong}");
        }
    }
}
