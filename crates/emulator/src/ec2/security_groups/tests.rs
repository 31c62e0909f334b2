use super::*;
use crate::ec2::select::testing::{ask, check_filters, code, instance, region, text};

fn create(region: &mut Region, name: &str) -> Result<String> {
    ask(region, "CreateSecurityGroup", 0, &[("GroupName", name), ("GroupDescription", "for tests")])
}

fn group(region: &mut Region) -> String {
    text(&create(region, "web").unwrap(), "groupId").to_owned()
}

const SSH: [(&str, &str); 5] = [
    ("IpPermissions.1.IpProtocol", "tcp"),
    ("IpPermissions.1.FromPort", "22"),
    ("IpPermissions.1.ToPort", "22"),
    ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
    ("IpPermissions.1.IpRanges.1.Description", "everyone"),
];

fn change(region: &mut Region, what: &str, id: &str, pairs: &[(&str, &str)]) -> Result<String> {
    let action = format!("{what}SecurityGroupIngress");
    ask(region, &action, 0, &[&[("GroupId", id)], pairs].concat())
}

#[test]
fn groups_come_and_go() {
    let mut region = region();
    let id = group(&mut region);
    assert_eq!(code(create(&mut region, "web")), "InvalidGroup.Duplicate");
    assert_eq!(code(create(&mut region, "sg-web")), "InvalidParameterValue");
    assert_eq!(code(create(&mut region, "default")), "InvalidParameterValue");
    assert_eq!(code(create(&mut region, "w\u{e9}b")), "InvalidParameterValue");
    let early = ask(&mut region, "DescribeSecurityGroups", 0, &[]).unwrap();
    assert_eq!(early.matches("<groupName>").count(), 1, "only the default group");
    for pairs in [[("GroupId.1", id.as_str())], [("GroupName.1", "web")]] {
        let xml = ask(&mut region, "DescribeSecurityGroups", 0, &pairs).unwrap();
        assert_eq!(text(&xml, "groupId"), id);
        assert_eq!(text(&xml, "ipPermissions"), "");
        assert!(text(&xml, "ipPermissionsEgress").contains("<cidrIp>0.0.0.0/0</cidrIp>"));
    }
    let deleted = ask(&mut region, "DeleteSecurityGroup", 0, &[("GroupId", &id)]).unwrap();
    assert_eq!(text(&deleted, "groupId"), id);
    let again = ask(&mut region, "DeleteSecurityGroup", 0, &[("GroupId", &id)]);
    assert_eq!(code(again), "InvalidGroup.NotFound");
    for (pair, expected) in [
        (("GroupId", "1"), "InvalidGroupId.Malformed"),
        (("GroupName", "web"), "InvalidGroup.NotFound"),
        (("GroupName", "default"), "CannotDelete"),
        (("DryRun", "true"), "MissingParameter"),
    ] {
        assert_eq!(code(ask(&mut region, "DeleteSecurityGroup", 0, &[pair])), expected);
    }
}

#[test]
fn groups_in_use_stay() {
    let mut region = region();
    let (id, other) = (group(&mut region), create(&mut region, "db").unwrap());
    let other = text(&other, "groupId").to_owned();
    let delete =
        |region: &mut Region, at| ask(region, "DeleteSecurityGroup", at, &[("GroupId", &id)]);
    let from_group =
        [("IpPermissions.1.IpProtocol", "-1"), ("IpPermissions.1.Groups.1.GroupId", id.as_str())];
    change(&mut region, "Authorize", &other, &from_group).unwrap();
    assert_eq!(code(delete(&mut region, 0)), "DependencyViolation");
    change(&mut region, "Revoke", &other, &from_group).unwrap();
    let machine = instance(&mut region, "us-east-1a");
    let interface = region.interfaces.keys().next().unwrap().clone();
    let join = [("NetworkInterfaceId", interface.as_str()), ("SecurityGroupId.1", &id)];
    ask(&mut region, "ModifyNetworkInterfaceAttribute", 20, &join).unwrap();
    assert_eq!(code(delete(&mut region, 20)), "DependencyViolation");
    ask(&mut region, "TerminateInstances", 20, &[("InstanceId.1", &machine)]).unwrap();
    assert_eq!(code(delete(&mut region, 21)), "DependencyViolation");
    delete(&mut region, 51).unwrap();
}

#[test]
fn rules_by_what_they_say() {
    let mut region = region();
    let id = group(&mut region);
    let xml = change(&mut region, "Authorize", &id, &SSH).unwrap();
    assert!(text(&xml, "securityGroupRuleId").starts_with("sgr-"));
    assert_eq!(text(&xml, "cidrIpv4"), "0.0.0.0/0");
    let again = change(&mut region, "Authorize", &id, &SSH);
    assert_eq!(code(again), "InvalidPermission.Duplicate");
    let more = [
        SSH[0],
        SSH[1],
        SSH[2],
        ("IpPermissions.1.Ipv6Ranges.1.CidrIpv6", "::/0"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "10.1.1.1/8"),
    ];
    change(&mut region, "Authorize", &id, &more).unwrap();
    let direct =
        [("IpProtocol", "17"), ("FromPort", "53"), ("ToPort", "54"), ("CidrIp", "10.0.0.0/8")];
    change(&mut region, "Authorize", &id, &direct).unwrap();
    let xml = ask(&mut region, "DescribeSecurityGroups", 0, &[("GroupId.1", &id)]).unwrap();
    let permissions = text(&xml, "ipPermissions");
    // One permission for each protocol with its ports.
    assert_eq!(permissions.matches("<ipProtocol>").count(), 2, "{permissions}");
    for part in [
        "<cidrIp>0.0.0.0/0</cidrIp><description>everyone</description>",
        "<cidrIp>10.0.0.0/8</cidrIp>",
        "<cidrIpv6>::/0</cidrIpv6>",
        "<ipProtocol>udp</ipProtocol><fromPort>53</fromPort><toPort>54</toPort>",
    ] {
        assert!(permissions.contains(part), "{part} in {permissions}");
    }
    // What it is said to be for does not matter.
    let revoked = change(&mut region, "Revoke", &id, &SSH[..4]).unwrap();
    assert_eq!(text(&revoked, "cidrIpv4"), "0.0.0.0/0");
    let unknown = change(&mut region, "Revoke", &id, &SSH).unwrap();
    assert!(text(&unknown, "unknownIpPermissionSet").contains("<cidrIp>0.0.0.0/0</cidrIp>"));
    assert_eq!(text(&unknown, "revokedSecurityGroupRuleSet"), "");
}

#[test]
fn rules_by_their_ids() {
    let mut region = region();
    let id = group(&mut region);
    let xml = change(&mut region, "Authorize", &id, &SSH).unwrap();
    let rule = text(&xml, "securityGroupRuleId").to_owned();
    let by_id = ("SecurityGroupRuleId.1", rule.as_str());
    let told = ask(&mut region, "DescribeSecurityGroupRules", 5, &[by_id]).unwrap();
    assert_eq!((text(&told, "groupId"), text(&told, "fromPort")), (id.as_str(), "22"));
    check_filters(
        &mut region,
        "DescribeSecurityGroupRules",
        5,
        "securityGroupRuleId",
        &[("security-group-rule-id", &rule, "sgr-1")],
    );
    let of_group = [
        ("Filter.1.Name", "group-id"),
        ("Filter.1.Value.1", id.as_str()),
        ("Filter.2.Name", "is-egress"),
        ("Filter.2.Value.1", "true"),
    ];
    let told = ask(&mut region, "DescribeSecurityGroupRules", 5, &of_group).unwrap();
    assert_eq!(told.matches("<securityGroupRuleId>").count(), 1);
    assert_eq!(text(&told, "ipProtocol"), "-1");
    // The rule is one of ingress.
    let egress = ask(&mut region, "RevokeSecurityGroupEgress", 5, &[("GroupId", &id), by_id]);
    assert_eq!(code(egress), "InvalidSecurityGroupRuleId.NotFound");
    let both = change(&mut region, "Revoke", &id, &[&SSH[..], &[by_id]].concat());
    assert_eq!(code(both), "InvalidParameterCombination");
    change(&mut region, "Revoke", &id, &[by_id]).unwrap();
    let again = change(&mut region, "Revoke", &id, &[by_id]);
    assert_eq!(code(again), "InvalidSecurityGroupRuleId.NotFound");
}

#[test]
fn rules_outwards() {
    let mut region = region();
    let id = group(&mut region);
    let all = [
        ("GroupId", id.as_str()),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
    ];
    let twice = ask(&mut region, "AuthorizeSecurityGroupEgress", 0, &all);
    assert_eq!(code(twice), "InvalidPermission.Duplicate");
    ask(&mut region, "RevokeSecurityGroupEgress", 0, &all).unwrap();
    assert!(region.security_groups.get(&id).unwrap().rules.is_empty());
    ask(&mut region, "AuthorizeSecurityGroupEgress", 0, &all).unwrap();
}

#[test]
fn rules_of_other_networks_have_to_be_there() {
    let mut region = region();
    let vpc = ask(&mut region, "CreateVpc", 0, &[("CidrBlock", "10.0.0.0/16")]).unwrap();
    let pairs = [("GroupName", "web"), ("GroupDescription", "x"), ("VpcId", text(&vpc, "vpcId"))];
    let xml = ask(&mut region, "CreateSecurityGroup", 0, &pairs).unwrap();
    let revoked = change(&mut region, "Revoke", text(&xml, "groupId"), &SSH);
    assert_eq!(code(revoked), "InvalidPermission.NotFound");
    let nowhere = [("GroupName", "x"), ("GroupDescription", "x"), ("VpcId", "vpc-1")];
    assert_eq!(code(ask(&mut region, "CreateSecurityGroup", 0, &nowhere)), "InvalidVpcID.NotFound");
}

#[test]
fn what_a_rule_cannot_be() {
    let mut region = region();
    let id = group(&mut region);
    let cidr = ("CidrIp", "10.0.0.0/8");
    for (pairs, expected) in [
        (&[][..], "MissingParameter"),
        (&[("IpProtocol", "tcp"), cidr], "InvalidParameterValue"),
        (
            &[("IpProtocol", "tcp"), cidr, ("FromPort", "9"), ("ToPort", "8")],
            "InvalidParameterValue",
        ),
        (
            &[("IpProtocol", "tcp"), cidr, ("FromPort", "-1"), ("ToPort", "8")],
            "InvalidParameterValue",
        ),
        (
            &[("IpProtocol", "tcp"), cidr, ("FromPort", "0"), ("ToPort", "65536")],
            "InvalidParameterValue",
        ),
        (
            &[("IpProtocol", "icmp"), cidr, ("FromPort", "256"), ("ToPort", "0")],
            "InvalidParameterValue",
        ),
        (&[("IpProtocol", "carrier-pigeon"), cidr], "InvalidPermission.Malformed"),
        (&[("IpProtocol", "-1"), ("CidrIp", "10.0.0.0")], "InvalidParameterValue"),
        (&[("IpProtocol", "-1")], "MissingParameter"),
        (&[("IpProtocol", "-1"), ("SourceSecurityGroupName", "x")], "InvalidGroup.NotFound"),
        (&[("IpPermissions.1.IpProtocol", "-1")], "MissingParameter"),
        (
            &[("IpPermissions.1.IpProtocol", "-1"), ("IpPermissions.1.Groups.1.GroupId", "sg-1")],
            "InvalidGroup.NotFound",
        ),
        (
            &[&SSH[..], &[("IpPermissions.1.IpRanges.2.CidrIp", "1.1.1.1/0")]].concat(),
            "InvalidParameterValue",
        ),
        (&[("IpProtocol", "-1"), cidr, ("DryRun", "true")], "DryRunOperation"),
    ] {
        assert_eq!(code(change(&mut region, "Authorize", &id, pairs)), expected, "{pairs:?}");
    }
    for port in 0..60 {
        let port = port.to_string();
        let pairs = [("IpProtocol", "tcp"), cidr, ("FromPort", &port), ("ToPort", &port)];
        change(&mut region, "Authorize", &id, &pairs).unwrap();
    }
    let last = change(&mut region, "Authorize", &id, &SSH);
    assert_eq!(code(last), "RulesPerSecurityGroupLimitExceeded");
}

#[test]
fn filters() {
    let mut region = region();
    let id = group(&mut region);
    change(&mut region, "Authorize", &id, &SSH).unwrap();
    let vpc = region.default_vpc().unwrap().id.clone();
    check_filters(
        &mut region,
        "DescribeSecurityGroups",
        5,
        "ownerId",
        &[
            ("description", "for tests", "x"),
            ("group-id", &id, "sg-1"),
            ("group-name", "web", "x"),
            ("ip-permission.cidr", "0.0.0.0/0", "10.0.0.0/8"),
            ("ip-permission.from-port", "22", "80"),
            ("ip-permission.to-port", "22", "80"),
            ("ip-permission.protocol", "tcp", "udp"),
            ("ip-permission.group-name", "default", "web"),
            ("ip-permission.user-id", "111122223333", "1"),
            ("security-group-arn", &format!("arn:*:security-group/{id}"), "x"),
        ],
    );
    for (field, value, count) in [
        ("vpc-id", vpc.as_str(), 2),
        ("vpc-id", "vpc-1", 0),
        ("owner-id", "111122223333", 2),
        ("egress.ip-permission.cidr", "0.0.0.0/0", 2),
        ("egress.ip-permission.protocol", "tcp", 0),
    ] {
        let pairs = [("Filter.1.Name", field), ("Filter.1.Value.1", value)];
        let xml = ask(&mut region, "DescribeSecurityGroups", 5, &pairs).unwrap();
        assert_eq!(xml.matches("<ownerId>").count(), count, "{field} {value}");
    }
}
