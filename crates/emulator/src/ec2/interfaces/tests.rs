use super::*;
use crate::ec2::select::testing::{ask, check_filters, code, instance, region, text};

fn subnet(region: &Region) -> String {
    region.subnets.keys().next().unwrap().clone()
}

#[test]
fn interfaces_come_change_and_go() {
    let mut region = region();
    let subnet = subnet(&region);
    let create = [
        ("SubnetId", subnet.as_str()),
        ("Description", "first"),
        ("ClientToken", "t"),
        ("TagSpecification.1.ResourceType", "network-interface"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "n"),
    ];
    let xml = ask(&mut region, "CreateNetworkInterface", 0, &create).unwrap();
    let id = text(&xml, "networkInterfaceId").to_owned();
    assert_eq!(text(&xml, "status"), "available");
    assert_eq!(text(&xml, "groupName"), "default");
    assert_eq!(text(&xml, "clientToken"), "t");
    let again = ask(&mut region, "CreateNetworkInterface", 0, &create).unwrap();
    assert_eq!(text(&again, "networkInterfaceId"), id);
    assert_eq!(region.interfaces.len(), 1);

    let pairs = [("GroupName", "web"), ("GroupDescription", "w")];
    let group = ask(&mut region, "CreateSecurityGroup", 0, &pairs).unwrap();
    let group = text(&group, "groupId").to_owned();
    let of = ("NetworkInterfaceId", id.as_str());
    let modify =
        |region: &mut Region, pair| ask(region, "ModifyNetworkInterfaceAttribute", 0, &[of, pair]);
    modify(&mut region, ("SecurityGroupId.1", &group)).unwrap();
    modify(&mut region, ("Description.Value", "second")).unwrap();
    modify(&mut region, ("SourceDestCheck.Value", "false")).unwrap();
    let changed = region.interfaces.get(&id).unwrap();
    assert_eq!(changed.groups, [group.as_str()]);
    assert_eq!((changed.description.as_str(), changed.source_dest_check), ("second", false));
    assert_eq!(code(modify(&mut region, ("SecurityGroupId.1", "sg-1"))), "InvalidGroup.NotFound");
    let dry = modify(&mut region, ("DryRun", "true"));
    assert_eq!(code(dry), "DryRunOperation");

    let free = region.free_private_ips(&subnet);
    ask(&mut region, "DeleteNetworkInterface", 0, &[of]).unwrap();
    assert_eq!(region.free_private_ips(&subnet), free + 1);
    let gone = "InvalidNetworkInterfaceID.NotFound";
    assert_eq!(code(ask(&mut region, "DeleteNetworkInterface", 0, &[of])), gone);
    assert_eq!(code(modify(&mut region, ("SourceDestCheck.Value", "true"))), gone);
}

#[test]
fn what_an_interface_cannot_be() {
    let mut region = region();
    let subnet = subnet(&region);
    let vpc = ask(&mut region, "CreateVpc", 0, &[("CidrBlock", "10.0.0.0/16")]).unwrap();
    let pairs = [("GroupName", "w"), ("GroupDescription", "w"), ("VpcId", text(&vpc, "vpcId"))];
    let foreign = ask(&mut region, "CreateSecurityGroup", 0, &pairs).unwrap();
    let foreign = text(&foreign, "groupId").to_owned();
    let many = (1..=6).map(|number| format!("SecurityGroupId.{number}")).collect::<Vec<_>>();
    let many = many.iter().map(|name| (name.as_str(), "sg-1")).collect::<Vec<_>>();
    let on = ("SubnetId", subnet.as_str());
    for (pairs, expected) in [
        (vec![], "MissingParameter"),
        (vec![("SubnetId", "subnet-1")], "InvalidSubnetID.NotFound"),
        (vec![on, ("SecurityGroupId.1", "sg-1")], "InvalidGroup.NotFound"),
        (vec![on, ("SecurityGroupId.1", foreign.as_str())], "InvalidGroup.NotFound"),
        ([&[on], many.as_slice()].concat(), "SecurityGroupsPerInterfaceLimitExceeded"),
        (vec![on, ("PrivateIpAddress", "10.9.9.9")], "InvalidParameterValue"),
        (vec![on, ("PrivateIpAddress", "here")], "InvalidParameterValue"),
        (vec![on, ("DryRun", "true")], "DryRunOperation"),
    ] {
        let created = ask(&mut region, "CreateNetworkInterface", 0, &pairs);
        assert_eq!(code(created), expected, "{pairs:?}");
    }
}

#[test]
fn interfaces_of_instances() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let id = region.interfaces.keys().next().unwrap().clone();
    let delete = ask(&mut region, "DeleteNetworkInterface", 20, &[("NetworkInterfaceId", &id)]);
    assert_eq!(code(delete), "InvalidNetworkInterface.InUse");
    let subnet = region.subnets.values().find(|subnet| subnet.zone == "us-east-1c").unwrap();
    let other = subnet.id.clone();
    ask(&mut region, "CreateNetworkInterface", 0, &[("SubnetId", &other)]).unwrap();
    let attachment = region.interfaces.get(&id).unwrap().attachment.clone().unwrap();
    let group = region.security_groups.keys().next().unwrap().clone();
    check_filters(
        &mut region,
        "DescribeNetworkInterfaces",
        20,
        "networkInterfaceId",
        &[
            ("attachment.instance-id", &machine, "i-1"),
            ("attachment.attachment-id", &attachment.id, "x"),
            ("attachment.status", "attached", "detached"),
            ("attachment.device-index", "0", "1"),
            ("attachment.delete-on-termination", "true", "false"),
            ("association.public-ip", "198.1*", "10.*"),
            ("association.ip-owner-id", "amazon", "111122223333"),
            ("availability-zone", "us-east-1a", "us-east-1b"),
            ("network-interface-id", &id, "eni-1"),
            ("private-ip-address", "172.31.32.*", "10.*"),
            ("status", "available", "detaching"),
            ("subnet-id", &other, "subnet-1"),
        ],
    );
    for (field, value, count) in [
        ("group-id", group.as_str(), 2),
        ("group-name", "default", 2),
        ("owner-id", "111122223333", 2),
        ("interface-type", "efa", 0),
        ("source-dest-check", "true", 2),
        ("mac-address", "06:*", 2),
        ("vpc-id", "vpc-1", 0),
    ] {
        let pairs = [("Filter.1.Name", field), ("Filter.1.Value.1", value)];
        let xml = ask(&mut region, "DescribeNetworkInterfaces", 20, &pairs).unwrap();
        assert_eq!(xml.matches("<macAddress>").count(), count, "{field} {value}");
    }
    let keep = [
        ("NetworkInterfaceId", id.as_str()),
        ("Attachment.AttachmentId", &attachment.id),
        ("Attachment.DeleteOnTermination", "false"),
    ];
    ask(&mut region, "ModifyNetworkInterfaceAttribute", 20, &keep).unwrap();
    let wrong = [keep[0], ("Attachment.AttachmentId", "x"), keep[2]];
    let wrong = ask(&mut region, "ModifyNetworkInterfaceAttribute", 20, &wrong);
    assert_eq!(code(wrong), "InvalidAttachmentID.NotFound");
    ask(&mut region, "TerminateInstances", 20, &[("InstanceId.1", &machine)]).unwrap();
    let xml = ask(&mut region, "DescribeNetworkInterfaces", 60, &[("NetworkInterfaceId.1", &id)]);
    assert_eq!(text(&xml.unwrap(), "status"), "available");
}
