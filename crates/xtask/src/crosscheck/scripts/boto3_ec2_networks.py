"""boto3: networks, security groups and addresses."""

import ec2 as the
from checks import check, equal, that
from ec2 import as_dict, by, ec2, end, look, refused, start, wait, would_succeed


def group(**arguments):
    """A new security group in the default VPC."""
    arguments = {"GroupName": the.unique("group"), "Description": "of a check", **arguments}
    arguments.setdefault("VpcId", the.default_vpc()["VpcId"])
    made = ec2.create_security_group(**arguments)["GroupId"]
    filters = [{"Name": "group-id", "Values": [made]}]
    the.eventually(
        made, lambda: ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    )
    return made


def described(group_id):
    return the.one(ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"])


def tcp(first, last=None, **where):
    where = where or {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    return {"IpProtocol": "tcp", "FromPort": first, "ToPort": last or first, **where}


@check
def there_is_a_default_network():
    vpc = the.default_vpc()
    equal((vpc["IsDefault"], vpc["State"]), (True, "available"), "default VPC")
    that("/" in vpc["CidrBlock"], f"CidrBlock {vpc['CidrBlock']}")
    listed = ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"]
    equal(the.one(listed)["VpcId"], vpc["VpcId"], "by id")
    subnets = the.subnets()
    that(len(subnets) >= 2, f"default subnets in {len(subnets)} zones")
    for zone, subnet in subnets.items():
        equal(subnet["VpcId"], vpc["VpcId"], "VPC of a subnet")
        equal((subnet["State"], subnet["MapPublicIpOnLaunch"]), ("available", True), zone)
        that(subnet["AvailableIpAddressCount"] > 0, f"{zone} has no addresses")
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=["vpc-0123456789abcdef0"])
    missing = "subnet-0123456789abcdef0"
    refused("InvalidSubnetID.NotFound", ec2.describe_subnets, SubnetIds=[missing])


@check
def subnets_are_listed_in_pages():
    pages = ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5})
    paged = [subnet["SubnetId"] for page in pages for subnet in page["Subnets"]]
    everything = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    equal(sorted(paged), sorted(everything), "subnets")
    zone = the.zone()
    listed = ec2.describe_subnets(Filters=by(availability_zone=zone))["Subnets"]
    that(all(subnet["AvailabilityZone"] == zone for subnet in listed), "other zones")


@check
def zones_and_regions():
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    that(len(zones) >= 2, f"{len(zones)} zones")
    for zone in zones:
        equal((zone["State"], zone["RegionName"]), ("available", the.REGION), zone["ZoneName"])
        that(zone["ZoneName"].startswith(the.REGION) and zone["ZoneId"], "names")
    names = [region["RegionName"] for region in ec2.describe_regions()["Regions"]]
    that(the.REGION in names and "eu-central-1" in names, f"regions {names}")
    one = ec2.describe_regions(RegionNames=["eu-west-1"])["Regions"]
    equal(the.one(one)["RegionName"], "eu-west-1", "by name")
    refused("InvalidParameterValue", ec2.describe_regions, RegionNames=["nowhere-1"])


@check
def groups_begin_without_ingress():
    made = group(TagSpecifications=the.tagged("security-group", Name="mine"))
    that(made.startswith("sg-"), f"GroupId {made}")
    wait("security_group_exists", GroupIds=[made])
    seen = described(made)
    equal(seen["Description"], "of a check", "Description")
    equal(seen["VpcId"], the.default_vpc()["VpcId"], "VpcId")
    equal(seen["IpPermissions"], [], "ingress")
    egress = the.one(seen["IpPermissionsEgress"], "rule of egress")
    equal((egress["IpProtocol"], egress["IpRanges"]), ("-1", [{"CidrIp": "0.0.0.0/0"}]), "egress")
    equal(as_dict(seen["Tags"]), {"Name": "mine"}, "tags")
    ec2.delete_security_group(GroupId=made)
    refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=[made])
    refused("InvalidGroup.NotFound", ec2.delete_security_group, GroupId=made)


@check
def names_of_groups_are_unique_in_a_network():
    name = the.unique("twice")
    made = group(GroupName=name)
    refused(
        "InvalidGroup.Duplicate",
        ec2.create_security_group,
        GroupName=name,
        Description="another",
        VpcId=the.default_vpc()["VpcId"],
    )
    listed = ec2.describe_security_groups(Filters=by(group_name=name))["SecurityGroups"]
    equal(the.one(listed)["GroupId"], made, "by name")
    ec2.delete_security_group(GroupId=made)


@check
def rules_are_added_and_revoked():
    made = group()
    answer = ec2.authorize_security_group_ingress(
        GroupId=made,
        IpPermissions=[
            tcp(22, IpRanges=[{"CidrIp": "192.0.2.0/24", "Description": "home"}]),
            tcp(8000, 8080),
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
            tcp(5432, UserIdGroupPairs=[{"GroupId": made}]),
        ],
    )
    equal(answer["Return"], True, "Return")
    equal(len(answer["SecurityGroupRules"]), 5, "rules")
    that(all(not rule["IsEgress"] for rule in answer["SecurityGroupRules"]), "rules of egress")
    found = {
        (rule["IpProtocol"], rule.get("FromPort")): rule for rule in described(made)["IpPermissions"]
    }
    equal(len(found), 5, "rules when described")
    home = [{"CidrIp": "192.0.2.0/24", "Description": "home"}]
    equal(found["tcp", 22]["IpRanges"], home, "with a description")
    equal(found["tcp", 8000]["ToPort"], 8080, "ports")
    equal(found["udp", 53]["Ipv6Ranges"], [{"CidrIpv6": "::/0"}], "of IPv6")
    equal(found["tcp", 5432]["UserIdGroupPairs"][0]["GroupId"], made, "of a group")
    listed = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [made]}])
    equal(len(listed["SecurityGroupRules"]), 6, "rules by themselves, with that of egress")
    refused(
        "InvalidPermission.Duplicate",
        ec2.authorize_security_group_ingress,
        GroupId=made,
        IpPermissions=[tcp(8000, 8080)],
    )
    ec2.revoke_security_group_ingress(GroupId=made, IpPermissions=[tcp(8000, 8080)])
    equal(len(described(made)["IpPermissions"]), 4, "rules after one was revoked")
    # In the default network that is no error.
    answer_again = ec2.revoke_security_group_ingress(
        GroupId=made, IpPermissions=[tcp(8000, 8080)]
    )
    unknown = the.one(answer_again["UnknownIpPermissions"])
    equal((unknown["FromPort"], unknown["ToPort"]), (8000, 8080), "rules that were not there")
    rule = next(rule for rule in answer["SecurityGroupRules"] if rule.get("FromPort") == 22)
    ec2.revoke_security_group_ingress(
        GroupId=made, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
    )
    equal(len(described(made)["IpPermissions"]), 3, "rules after one was revoked by its id")
    ec2.delete_security_group(GroupId=made)


@check
def rules_are_checked():
    made = group()
    for wrong in (
        tcp(22, IpRanges=[{"CidrIp": "nonsense"}]),
        tcp(70000),
        tcp(100, 50),
        {"IpProtocol": "nonsense", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
    ):
        codes = ("InvalidParameterValue", "InvalidPermission.Malformed")
        refused(codes, ec2.authorize_security_group_ingress, GroupId=made, IpPermissions=[wrong])
    missing = "sg-0123456789abcdef0"
    refused(
        "InvalidGroup.NotFound",
        ec2.authorize_security_group_ingress,
        GroupId=missing,
        IpPermissions=[tcp(1)],
    )
    would_succeed(ec2.authorize_security_group_ingress, GroupId=made, IpPermissions=[tcp(1)])
    equal(described(made)["IpPermissions"], [], "rules")
    ec2.delete_security_group(GroupId=made)


@check
def groups_in_use_stay():
    made = group()
    instance = start(SecurityGroupIds=[made])
    equal(look(instance)["SecurityGroups"][0]["GroupId"], made, "group of the instance")
    equal(the.found(Filters=[{"Name": "instance.group-id", "Values": [made]}]), [instance], "by group")
    refused("DependencyViolation", ec2.delete_security_group, GroupId=made)
    ec2.modify_instance_attribute(InstanceId=instance, Groups=[the.default_group()])
    equal([it["GroupId"] for it in look(instance)["SecurityGroups"]], [the.default_group()], "moved")
    ec2.delete_security_group(GroupId=made)
    end(instance)


@check
def groups_can_be_removed_after_the_instance():
    made = group()
    end(start(SecurityGroupIds=[made]))
    ec2.delete_security_group(GroupId=made)


@check
def the_default_group_stays():
    refused("CannotDelete", ec2.delete_security_group, GroupId=the.default_group())


@check
def groups_are_listed_in_pages():
    made = [group() for _ in range(7)]
    pages = list(
        ec2.get_paginator("describe_security_groups").paginate(PaginationConfig={"PageSize": 5})
    )
    paged = [it["GroupId"] for page in pages for it in page["SecurityGroups"]]
    that(set(made) <= set(paged) and len(pages) > 1, "groups are missing")
    equal(len(paged), len(set(paged)), "groups are repeated")
    for it in made:
        ec2.delete_security_group(GroupId=it)


@check
def addresses_are_kept():
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=the.tagged("elastic-ip", Name="kept"))
    allocation, address = made["AllocationId"], made["PublicIp"]
    equal(made["Domain"], "vpc", "Domain")
    seen = the.one(ec2.describe_addresses(AllocationIds=[allocation])["Addresses"])
    equal((seen["PublicIp"], as_dict(seen["Tags"])), (address, {"Name": "kept"}), "address")
    that("AssociationId" not in seen, "associated with nothing")
    instance = start()
    association = ec2.associate_address(InstanceId=instance, AllocationId=allocation)["AssociationId"]
    equal(look(instance)["PublicIpAddress"], address, "address of the instance")
    seen = the.one(ec2.describe_addresses(AllocationIds=[allocation])["Addresses"])
    equal((seen["InstanceId"], seen["AssociationId"]), (instance, association), "association")
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=allocation)
    ec2.stop_instances(InstanceIds=[instance])
    wait("instance_stopped", instance)
    equal(look(instance)["PublicIpAddress"], address, "address of the stopped instance")
    ec2.disassociate_address(AssociationId=association)
    that("PublicIpAddress" not in look(instance), "it still has the address")
    end(instance)
    ec2.release_address(AllocationId=allocation)
    missing = {"AllocationId": allocation}
    refused("InvalidAllocationID.NotFound", ec2.release_address, **missing)
    refused(
        "InvalidAllocationID.NotFound", ec2.describe_addresses, AllocationIds=[allocation]
    )


@check
def interfaces_belong_to_instances():
    instance = start()
    listed = ec2.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance]}]
    )["NetworkInterfaces"]
    interface = the.one(listed)
    equal(interface["Attachment"]["InstanceId"], instance, "attachment")
    equal(interface["PrivateIpAddress"], look(instance)["PrivateIpAddress"], "address")
    interface = interface["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface, Groups=[the.default_group()]
    )
    end(instance)
    the.eventually(
        "its end",
        lambda: not ec2.describe_network_interfaces(
            Filters=[{"Name": "network-interface-id", "Values": [interface]}]
        )["NetworkInterfaces"],
    )


if __name__ == "__main__":
    the.main()
