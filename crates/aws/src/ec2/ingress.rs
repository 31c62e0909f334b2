//! Security groups of our own, and rules in EC2's terms.

use std::net::IpAddr;

use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Cidr, IngressRule, Protocol};
use polycloud_core::{Error, ErrorKind, Result};

use super::instance::incomplete;
use super::list::filter;
use super::patience::{CONSISTENCY, RELEASE};
use super::{Inner, tags};

/// Rules as EC2 takes them: each once.
pub(super) fn permissions(rules: &[IngressRule]) -> Vec<sdk::IpPermission> {
    let mut permissions = Vec::with_capacity(rules.len());
    for rule in rules {
        let permission = permission(rule);
        if !permissions.contains(&permission) {
            permissions.push(permission);
        }
    }
    permissions
}

fn permission(rule: &IngressRule) -> sdk::IpPermission {
    let protocol = match rule.protocol {
        Protocol::Udp => "udp",
        _ => "tcp",
    };
    let permission = sdk::IpPermission::builder()
        .ip_protocol(protocol)
        .from_port(i32::from(*rule.ports.start()))
        .to_port(i32::from(*rule.ports.end()));
    let source = network(rule.source).to_string();
    match rule.source.address() {
        IpAddr::V4(_) => permission.ip_ranges(sdk::IpRange::builder().cidr_ip(source).build()),
        IpAddr::V6(_) => {
            permission.ipv6_ranges(sdk::Ipv6Range::builder().cidr_ipv6(source).build())
        }
    }
    .build()
}

/// The network without the bits that do not count, which EC2 drops, too.
pub(super) fn network(cidr: Cidr) -> Cidr {
    let bits = u32::from(cidr.bits());
    let address = match cidr.address() {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::from((u32::from(address) & mask).to_be_bytes())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::from((u128::from(address) & mask).to_be_bytes())
        }
    };
    Cidr::new(address, cidr.bits()).unwrap_or(cidr)
}

/// Rules as EC2 tells them. What they cannot say, such as another group as the source, is left out.
pub(super) fn rules(permissions: &[sdk::IpPermission]) -> Vec<IngressRule> {
    let mut rules = Vec::new();
    for permission in permissions {
        let (protocols, ports): (&[Protocol], _) = match permission.ip_protocol() {
            Some("tcp") => (&[Protocol::Tcp], ports(permission)),
            Some("udp") => (&[Protocol::Udp], ports(permission)),
            Some("-1") => (&[Protocol::Tcp, Protocol::Udp], Some(1..=u16::MAX)),
            _ => continue,
        };
        let Some(ports) = ports else { continue };
        let v4 = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip());
        let v6 = permission.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6());
        for source in v4.chain(v6).filter_map(|text| text.parse::<Cidr>().ok()) {
            for protocol in protocols {
                rules.extend(IngressRule::new(*protocol, ports.clone(), source));
            }
        }
    }
    rules
}

fn ports(permission: &sdk::IpPermission) -> Option<std::ops::RangeInclusive<u16>> {
    let port = |number: Option<i32>| u16::try_from(number?).ok();
    Some(port(permission.from_port())?.max(1)..=port(permission.to_port())?)
}

impl Inner {
    /// Makes a security group, or takes the one that an earlier attempt of the same create has made, and
    /// tells its id.
    pub(super) async fn make_group(
        &self,
        name: &str,
        vpc: Option<&str>,
        tags: Vec<sdk::Tag>,
    ) -> Result<String> {
        let token = tags::value(&tags, tags::TOKEN).unwrap_or_default().to_owned();
        let client = self.caller.client();
        let request = client
            .create_security_group()
            .group_name(name)
            .description("Ingress of an instance, made by polycloud")
            .set_vpc_id(vpc.map(str::to_owned))
            .tag_specifications(tags::specification(sdk::ResourceType::SecurityGroup, tags));
        let answer = self.caller.call("CreateSecurityGroup", request.send()).await;
        let error = match answer {
            Ok(answer) => {
                let id = answer.group_id;
                return id.ok_or_else(|| incomplete("a security group without an id"));
            }
            Err(error) => error,
        };
        // It may be there from an attempt whose answer was lost, and not be seen yet.
        if error.kind() == ErrorKind::AlreadyExists
            && let Ok(Some(id)) = self.look(CONSISTENCY, || self.find_group(name, &token)).await
        {
            return Ok(id);
        }
        Err(error)
    }

    /// Adds rules to a security group that was just made.
    pub(super) async fn authorize(&self, id: &str, rules: &[IngressRule]) -> Result<()> {
        let permissions = permissions(rules);
        let added = self.until_seen(|| {
            let request = self.caller.client().authorize_security_group_ingress().group_id(id);
            let request = request.set_ip_permissions(Some(permissions.clone()));
            self.caller.call("AuthorizeSecurityGroupIngress", request.send())
        });
        match added.await {
            // Rules are added all or none, so that these are there from an earlier attempt.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            added => added.map(drop),
        }
    }

    /// The security group of this name that a create has made.
    pub(super) async fn find_group(&self, name: &str, token: &str) -> Result<Option<String>> {
        let client = self.caller.client();
        let request = client
            .describe_security_groups()
            .filters(filter("group-name", [name]))
            .filters(filter(format!("tag:{}", tags::TOKEN), [token]));
        let answer = self.caller.call("DescribeSecurityGroups", request.send()).await?;
        let found = answer.security_groups.into_iter().flatten().next();
        Ok(found.and_then(|group| group.group_id))
    }

    /// Deletes a security group as soon as nothing uses it any more. That it is gone is fine.
    pub(super) async fn delete_group(&self, id: &str) -> Result<()> {
        let in_use = |error: &Error| error.kind() == ErrorKind::InvalidState;
        let deleted = self.repeat(RELEASE, in_use, || {
            let request = self.caller.client().delete_security_group().group_id(id);
            self.caller.call("DeleteSecurityGroup", request.send())
        });
        match deleted.await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    /// The group that a network gives to what names none.
    pub(super) async fn default_group(&self, vpc: &str) -> Result<String> {
        let client = self.caller.client();
        let request = client
            .describe_security_groups()
            .filters(filter("vpc-id", [vpc]))
            .filters(filter("group-name", ["default"]));
        let answer = self.caller.call("DescribeSecurityGroups", request.send()).await?;
        let found = answer.security_groups.into_iter().flatten().next();
        found.and_then(|group| group.group_id).ok_or_else(|| {
            Error::new(ErrorKind::NotFound).with_message("the network has no default group")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_survive_the_way_there_and_back() {
        let rule = |protocol, ports, source: &str| {
            IngressRule::new(protocol, ports, source.parse().unwrap()).unwrap()
        };
        let all = [
            rule(Protocol::Tcp, 22..=22, "192.0.2.0/24"),
            rule(Protocol::Udp, 4000..=4010, "0.0.0.0/0"),
            rule(Protocol::Tcp, 1..=65535, "2001:db8::/32"),
            rule(Protocol::Tcp, 443..=443, "::/0"),
        ];
        assert_eq!(rules(&permissions(&all)), all);
    }

    #[test]
    fn bits_that_do_not_count_are_dropped() {
        for (from, to) in [
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("192.0.2.77/32", "192.0.2.77/32"),
            ("192.0.2.77/0", "0.0.0.0/0"),
            ("2001:db8::1/64", "2001:db8::/64"),
            ("2001:db8::1/128", "2001:db8::1/128"),
            ("2001:db8::1/0", "::/0"),
        ] {
            assert_eq!(network(from.parse().unwrap()).to_string(), to);
        }
    }

    #[test]
    fn what_rules_cannot_say_is_left_out() {
        let range = sdk::IpRange::builder().cidr_ip("10.0.0.0/8").build();
        let icmp =
            sdk::IpPermission::builder().ip_protocol("icmp").ip_ranges(range.clone()).build();
        let group = sdk::IpPermission::builder().ip_protocol("tcp").from_port(1).to_port(2).build();
        let all = sdk::IpPermission::builder().ip_protocol("-1").ip_ranges(range).build();
        assert_eq!(rules(&[icmp, group]), []);
        assert_eq!(rules(&[all]).len(), 2);
    }
}
