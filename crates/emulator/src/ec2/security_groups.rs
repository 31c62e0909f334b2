//! Security groups.

mod permissions;
mod rules;

use std::collections::BTreeMap;

pub(crate) use self::permissions::{Peer, Rule};
use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::filters::Filters;
use super::paging::page;
use super::select::{ids_or_pages, select};
use super::state::Region;
use super::state::tags::{check_kinds, specified};
use super::xml::Xml;

pub(crate) const ACTIONS: Actions = &[
    ("CreateSecurityGroup", create_security_group),
    ("DescribeSecurityGroups", describe_security_groups),
    ("DeleteSecurityGroup", delete_security_group),
    ("AuthorizeSecurityGroupIngress", rules::authorize_ingress),
    ("AuthorizeSecurityGroupEgress", rules::authorize_egress),
    ("RevokeSecurityGroupIngress", rules::revoke_ingress),
    ("RevokeSecurityGroupEgress", rules::revoke_egress),
    ("DescribeSecurityGroupRules", rules::describe_security_group_rules),
];

/// A security group.
#[derive(Debug, Clone)]
pub(crate) struct SecurityGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) vpc: String,
    pub(crate) rules: Vec<Rule>,
}

/// The group that a network has from its beginning: its members may reach each other.
pub(crate) fn add_default(region: &mut Region, vpc: &str) {
    let id = region.new_id("sg");
    let within = Rule {
        id: region.new_id("sgr"),
        is_egress: false,
        protocol: "-1".to_owned(),
        ports: None,
        peer: Peer::Group(id.clone()),
        description: None,
    };
    let rules = vec![within, all_outwards(region)];
    let group = SecurityGroup {
        id: id.clone(),
        name: "default".to_owned(),
        description: "default VPC security group".to_owned(),
        vpc: vpc.to_owned(),
        rules,
    };
    region.security_groups.insert(id, group);
}

fn all_outwards(region: &mut Region) -> Rule {
    Rule {
        id: region.new_id("sgr"),
        is_egress: true,
        protocol: "-1".to_owned(),
        ports: None,
        peer: Peer::V4("0.0.0.0/0".to_owned()),
        description: None,
    }
}

/// There is no such group.
pub(super) fn missing(id: &str) -> Ec2Error {
    if !id.starts_with("sg-") {
        let message = format!("Invalid id: \"{id}\" (expecting \"sg-...\")");
        return Ec2Error::new("InvalidGroupId.Malformed", message);
    }
    Ec2Error::new("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

/// The id of the group that a network has from its beginning.
pub(super) fn default_of(region: &Region, vpc: &str) -> Option<String> {
    let mut groups = region.security_groups.values();
    let found = groups.find(|group| group.vpc == vpc && group.name == "default");
    found.map(|group| group.id.clone())
}

/// The id of a group of the default network by its name.
fn by_name(region: &Region, name: &str) -> Result<String> {
    let default = region.default_vpc().map(|vpc| vpc.id.as_str());
    let mut groups = region.security_groups.values();
    let found = groups.find(|group| group.name == name && Some(group.vpc.as_str()) == default);
    found.map(|group| group.id.clone()).ok_or_else(|| {
        let message = format!("The security group '{name}' does not exist");
        Ec2Error::new("InvalidGroup.NotFound", message)
    })
}

/// The id of the group that a request names by `GroupId` or `GroupName`.
fn named(region: &Region, call: &Call<'_>) -> Result<String> {
    match (call.params.text("GroupId"), call.params.text("GroupName")) {
        (Some(id), _) if region.security_groups.contains_key(id) => Ok(id.to_owned()),
        (Some(id), _) => Err(missing(id)),
        (None, Some(name)) => by_name(region, name),
        (None, None) => Err(Ec2Error::missing("GroupName or GroupId")),
    }
}

fn check_text(what: &str, text: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.chars().count() <= 255 && text.chars().all(allowed) {
        return Ok(());
    }
    let message = format!(
        "Value ({text}) for parameter {what} is invalid. Character sets beyond ASCII are not supported."
    );
    Err(Ec2Error::invalid(message))
}

fn create_security_group(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let name = call.params.need("GroupName")?.trim();
    let description = call.params.need("GroupDescription")?;
    check_text("GroupName", name)?;
    check_text("GroupDescription", description)?;
    if name.starts_with("sg-") || name.is_empty() {
        let message = format!(
            "Value ({name}) for parameter groupName is invalid. Group names may not be in the format sg-*."
        );
        return Err(Ec2Error::invalid(message));
    }
    if name.eq_ignore_ascii_case("default") {
        let message = format!("Cannot use reserved security group name: {name}");
        return Err(Ec2Error::invalid(message));
    }
    check_kinds(call, &["security-group"])?;
    let tags = specified(call, "security-group")?;
    let vpc = region.vpc_or_default(call.params.text("VpcId"))?;
    let mut groups = region.security_groups.values();
    if groups.any(|group| group.vpc == vpc && group.name == name) {
        let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
        return Err(Ec2Error::new("InvalidGroup.Duplicate", message));
    }
    call.dry_run()?;
    let id = region.new_id("sg");
    let group = SecurityGroup {
        id: id.clone(),
        name: name.to_owned(),
        description: description.to_owned(),
        vpc,
        rules: vec![all_outwards(region)],
    };
    region.tags.add(&id, &tags)?;
    region.security_groups.insert(id.clone(), group);
    region.created(&id, call);
    let mut xml = Xml::new();
    xml.text("groupId", &id);
    region.tags.write(&mut xml, &id);
    xml.text("securityGroupArn", &arn(region, "security-group", &id));
    Ok(xml)
}

fn arn(region: &Region, kind: &str, id: &str) -> String {
    format!("arn:aws:ec2:{}:{}:{kind}/{id}", region.name, region.account)
}

fn delete_security_group(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let id = named(region, call)?;
    if let Some(group) = region.security_groups.get(&id)
        && group.name == "default"
    {
        let message =
            format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
        return Err(Ec2Error::new("CannotDelete", message));
    }
    let is_used = region.interfaces.values().any(|interface| interface.groups.contains(&id));
    let mut others = region.security_groups.values().filter(|group| group.id != id);
    let is_named = others.any(|group| group.rules.iter().any(|rule| rule.peer.is_group(&id)));
    if is_used || is_named {
        let message = format!("resource {id} has a dependent object");
        return Err(Ec2Error::new("DependencyViolation", message));
    }
    call.dry_run()?;
    if let Some(group) = region.security_groups.remove(&id) {
        for rule in group.rules {
            region.tags.forget(&rule.id);
        }
    }
    region.tags.forget(&id);
    let mut xml = Xml::success();
    xml.text("groupId", &id);
    Ok(xml)
}

const FILTERS: [&str; 24] = [
    "description",
    "egress.ip-permission.cidr",
    "egress.ip-permission.from-port",
    "egress.ip-permission.group-id",
    "egress.ip-permission.group-name",
    "egress.ip-permission.ipv6-cidr",
    "egress.ip-permission.prefix-list-id",
    "egress.ip-permission.protocol",
    "egress.ip-permission.to-port",
    "egress.ip-permission.user-id",
    "group-id",
    "group-name",
    "ip-permission.cidr",
    "ip-permission.from-port",
    "ip-permission.group-id",
    "ip-permission.group-name",
    "ip-permission.ipv6-cidr",
    "ip-permission.prefix-list-id",
    "ip-permission.protocol",
    "ip-permission.to-port",
    "ip-permission.user-id",
    "owner-id",
    "security-group-arn",
    "vpc-id",
];

fn describe_security_groups(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let mut ids = call.params.list("GroupId").into_iter().map(str::to_owned).collect::<Vec<_>>();
    for name in call.params.list("GroupName") {
        ids.push(by_name(region, name)?);
    }
    ids_or_pages(call, "GroupId")?;
    let filters = call.filters(&FILTERS)?;
    let ids = ids.iter().map(String::as_str).collect::<Vec<_>>();
    let mut groups = select(region, call, &region.security_groups, &ids, missing)?;
    call.dry_run()?;
    groups.retain(|group| passes(region, group, &filters));
    let page = page(call, groups, |group| group.id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("securityGroupInfo", &page.items, |xml, group| write(xml, region, group));
    page.write_next(&mut xml);
    Ok(xml)
}

fn passes(region: &Region, group: &SecurityGroup, filters: &Filters<'_>) -> bool {
    let text = |text: &str| vec![text.to_owned()];
    filters.pass(region.tags.of(&group.id), |field| match field {
        "description" => text(&group.description),
        "group-id" => text(&group.id),
        "group-name" => text(&group.name),
        "owner-id" => text(&region.account),
        "security-group-arn" => vec![arn(region, "security-group", &group.id)],
        "vpc-id" => text(&group.vpc),
        field => {
            let (is_egress, field) = match field.strip_prefix("egress.") {
                Some(field) => (true, field),
                None => (false, field),
            };
            let rules = group.rules.iter().filter(|rule| rule.is_egress == is_egress);
            rules.filter_map(|rule| of_rule(region, rule, field)).collect()
        }
    })
}

/// What filters of groups compare of a rule.
fn of_rule(region: &Region, rule: &Rule, field: &str) -> Option<String> {
    match (field.strip_prefix("ip-permission.")?, &rule.peer) {
        ("cidr", Peer::V4(cidr)) | ("ipv6-cidr", Peer::V6(cidr)) => Some(cidr.clone()),
        ("prefix-list-id", Peer::PrefixList(id)) | ("group-id", Peer::Group(id)) => {
            Some(id.clone())
        }
        ("group-name", Peer::Group(id)) => Some(region.security_groups.get(id)?.name.clone()),
        ("user-id", Peer::Group(_)) => Some(region.account.clone()),
        ("protocol", _) => Some(rule.protocol.clone()),
        ("from-port", _) => rule.ports.map(|(from, _)| from.to_string()),
        ("to-port", _) => rule.ports.map(|(_, to)| to.to_string()),
        _ => None,
    }
}

fn write(xml: &mut Xml, region: &Region, group: &SecurityGroup) {
    xml.text("ownerId", &region.account)
        .text("groupId", &group.id)
        .text("groupName", &group.name)
        .text("groupDescription", &group.description)
        .text("vpcId", &group.vpc)
        .text("securityGroupArn", &arn(region, "security-group", &group.id));
    for (name, is_egress) in [("ipPermissions", false), ("ipPermissionsEgress", true)] {
        let rules = group.rules.iter().filter(|rule| rule.is_egress == is_egress);
        write_permissions(xml, name, region, rules);
    }
    region.tags.write(xml, &group.id);
}

/// Rules with the same protocol and ports are one permission.
fn write_permissions<'a>(
    xml: &mut Xml,
    name: &str,
    region: &Region,
    rules: impl Iterator<Item = &'a Rule>,
) {
    let mut permissions = BTreeMap::<_, Vec<&Rule>>::new();
    for rule in rules {
        permissions.entry((&rule.protocol, rule.ports)).or_default().push(rule);
    }
    xml.list(name, permissions, |xml, ((protocol, ports), rules)| {
        xml.text("ipProtocol", protocol)
            .optional_value("fromPort", ports.map(|(from, _)| from))
            .optional_value("toPort", ports.map(|(_, to)| to));
        let groups = rules.iter().filter(|rule| matches!(rule.peer, Peer::Group(_)));
        xml.list("groups", groups, |xml, rule| {
            xml.text("userId", &region.account)
                .text("groupId", rule.peer.text())
                .optional("description", rule.description.as_deref());
        });
        write_peers(xml, &rules, "ipRanges", "cidrIp", |peer| matches!(peer, Peer::V4(_)));
        write_peers(xml, &rules, "ipv6Ranges", "cidrIpv6", |peer| matches!(peer, Peer::V6(_)));
        write_peers(xml, &rules, "prefixListIds", "prefixListId", |peer| {
            matches!(peer, Peer::PrefixList(_))
        });
    });
}

fn write_peers(xml: &mut Xml, rules: &[&Rule], list: &str, name: &str, is: fn(&Peer) -> bool) {
    xml.list(list, rules.iter().filter(|rule| is(&rule.peer)), |xml, rule| {
        xml.text(name, rule.peer.text()).optional("description", rule.description.as_deref());
    });
}

#[cfg(test)]
mod tests;
