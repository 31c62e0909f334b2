//! Rules come and go.

use super::permissions::{Peer, Rule, parse};
use super::{arn, named, write_permissions};
use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::paging::page;
use crate::ec2::select::{ids_or_pages, truth};
use crate::ec2::state::Region;
use crate::ec2::state::tags::{check_kinds, specified};
use crate::ec2::xml::Xml;

/// Most rules of a group in each direction.
const MAX_RULES: usize = 60;

pub(super) fn authorize_ingress(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    authorize(region, call, false)
}

pub(super) fn authorize_egress(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    authorize(region, call, true)
}

pub(super) fn revoke_ingress(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    revoke(region, call, false)
}

pub(super) fn revoke_egress(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    revoke(region, call, true)
}

fn authorize(region: &mut Region, call: &Call<'_>, is_egress: bool) -> Result<Xml> {
    let id = named(region, call)?;
    check_kinds(call, &["security-group-rule"])?;
    let tags = specified(call, "security-group-rule")?;
    let mut rules = parse(region, call, is_egress)?;
    if rules.is_empty() {
        return Err(Ec2Error::missing("ipPermissions"));
    }
    let group = region.security_groups.get(&id).ok_or_else(|| super::missing(&id))?;
    for rule in &rules {
        if group.rules.iter().any(|known| known.is_like(rule)) {
            let message = format!("the specified rule \"{}\" already exists", in_words(rule));
            return Err(Ec2Error::new("InvalidPermission.Duplicate", message));
        }
    }
    let count = group.rules.iter().filter(|rule| rule.is_egress == is_egress).count();
    if count + rules.len() > MAX_RULES {
        let message = "The maximum number of rules per security group has been reached.";
        return Err(Ec2Error::new("RulesPerSecurityGroupLimitExceeded", message));
    }
    call.dry_run()?;
    for rule in &mut rules {
        rule.id = region.new_id("sgr");
        region.tags.add(&rule.id, &tags)?;
    }
    let mut xml = Xml::success();
    xml.list("securityGroupRuleSet", &rules, |xml, rule| write_rule(xml, region, &id, rule));
    if let Some(group) = region.security_groups.get_mut(&id) {
        group.rules.extend(rules);
    }
    Ok(xml)
}

/// As the service tells a rule in its messages.
fn in_words(rule: &Rule) -> String {
    let ports = match rule.ports {
        Some((from, to)) => {
            format!("{}, from port: {from}, to port: {to}", rule.protocol.to_ascii_uppercase())
        }
        None => "ALL".to_owned(),
    };
    format!("peer: {}, {ports}, ALLOW", rule.peer.text())
}

fn revoke(region: &mut Region, call: &Call<'_>, is_egress: bool) -> Result<Xml> {
    let id = named(region, call)?;
    let rule_ids = call.params.list("SecurityGroupRuleId");
    let wanted = parse(region, call, is_egress)?;
    if rule_ids.is_empty() == wanted.is_empty() {
        let message = "Specify either IpPermissions or SecurityGroupRuleIds, and not both";
        return Err(Ec2Error::combination(message));
    }
    let group = region.security_groups.get(&id).ok_or_else(|| super::missing(&id))?;
    let of_direction = || group.rules.iter().filter(|rule| rule.is_egress == is_egress);
    let (mut revoked, mut unknown) = (Vec::new(), Vec::new());
    for rule_id in rule_ids {
        let found = of_direction().find(|rule| rule.id == rule_id);
        revoked.push(found.cloned().ok_or_else(|| missing_rule(rule_id))?);
    }
    for rule in wanted {
        match of_direction().find(|known| known.is_like(&rule)) {
            Some(known) => revoked.push(known.clone()),
            None => unknown.push(rule),
        }
    }
    // In the default network what is not there is told and is no error.
    let is_default = region.vpcs.get(&group.vpc).is_some_and(|vpc| vpc.is_default);
    if !unknown.is_empty() && !is_default {
        let message = "The specified rule does not exist in this security group.";
        return Err(Ec2Error::new("InvalidPermission.NotFound", message));
    }
    call.dry_run()?;
    for rule in &revoked {
        region.tags.forget(&rule.id);
    }
    if let Some(group) = region.security_groups.get_mut(&id) {
        group.rules.retain(|rule| !revoked.iter().any(|revoked| revoked.id == rule.id));
    }
    let mut xml = Xml::success();
    if !unknown.is_empty() {
        write_permissions(&mut xml, "unknownIpPermissionSet", region, unknown.iter());
    }
    xml.list("revokedSecurityGroupRuleSet", &revoked, |xml, rule| {
        write_common(xml, &id, rule);
        if let Peer::Group(peer) = &rule.peer {
            xml.text("referencedGroupId", peer);
        }
    });
    Ok(xml)
}

fn missing_rule(id: &str) -> Ec2Error {
    let message = format!("The security group rule ID '{id}' does not exist");
    Ec2Error::new("InvalidSecurityGroupRuleId.NotFound", message)
}

pub(super) fn describe_security_group_rules(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let ids = call.params.list("SecurityGroupRuleId");
    ids_or_pages(call, "SecurityGroupRuleId")?;
    let filters = call.filters(&["group-id", "is-egress", "security-group-rule-id"])?;
    let groups = region.security_groups.values();
    let mut rules = groups
        .flat_map(|group| group.rules.iter().map(move |rule| (group, rule)))
        .collect::<Vec<_>>();
    if let Some(unknown) = ids.iter().find(|id| !rules.iter().any(|(_, rule)| rule.id == **id)) {
        return Err(missing_rule(unknown));
    }
    call.dry_run()?;
    rules.retain(|(group, rule)| {
        (ids.is_empty() || ids.contains(&rule.id.as_str()))
            && filters.pass(region.tags.of(&rule.id), |field| match field {
                "group-id" => vec![group.id.clone()],
                "is-egress" => truth(rule.is_egress),
                _ => vec![rule.id.clone()],
            })
    });
    let page = page(call, rules, |(_, rule)| rule.id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("securityGroupRuleSet", &page.items, |xml, (group, rule)| {
        write_rule(xml, region, &group.id, rule);
    });
    page.write_next(&mut xml);
    Ok(xml)
}

fn write_common(xml: &mut Xml, group: &str, rule: &Rule) {
    // Where there are no ports, all are meant.
    let (from, to) = rule.ports.unwrap_or((-1, -1));
    xml.text("securityGroupRuleId", &rule.id)
        .text("groupId", group)
        .value("isEgress", rule.is_egress)
        .text("ipProtocol", &rule.protocol)
        .value("fromPort", from)
        .value("toPort", to);
    match &rule.peer {
        Peer::V4(cidr) => xml.text("cidrIpv4", cidr),
        Peer::V6(cidr) => xml.text("cidrIpv6", cidr),
        Peer::PrefixList(id) => xml.text("prefixListId", id),
        Peer::Group(_) => xml,
    };
    xml.optional("description", rule.description.as_deref());
}

fn write_rule(xml: &mut Xml, region: &Region, group: &str, rule: &Rule) {
    write_common(xml, group, rule);
    xml.text("groupOwnerId", &region.account)
        .text("securityGroupRuleArn", &arn(region, "security-group-rule", &rule.id));
    if let Peer::Group(peer) = &rule.peer {
        xml.element("referencedGroupInfo", |xml| {
            xml.text("groupId", peer).text("userId", &region.account);
        });
    }
    region.tags.write(xml, &rule.id);
}
