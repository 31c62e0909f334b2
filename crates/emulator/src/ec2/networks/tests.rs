use super::*;
use crate::ec2::select::testing::{ask, check_filters, code, region, text};

#[test]
fn the_default_network() {
    let mut region = region();
    let vpcs = ask(&mut region, "DescribeVpcs", 0, &[]).unwrap();
    assert_eq!(text(&vpcs, "isDefault"), "true");
    assert_eq!(text(&vpcs, "cidrBlock"), "172.31.0.0/16");
    let id = text(&vpcs, "vpcId").to_owned();
    let subnets = ask(&mut region, "DescribeSubnets", 0, &[]).unwrap();
    assert_eq!(subnets.matches("<subnetId>").count(), 3);
    assert_eq!(text(&subnets, "availableIpAddressCount"), "4091");
    check_filters(
        &mut region,
        "DescribeVpcs",
        0,
        "vpcId",
        &[
            ("is-default", "true", "false"),
            ("vpc-id", &id, "vpc-1"),
            ("cidr", "172.31.0.0/16", "10.*"),
            ("owner-id", "111122223333", "1"),
            ("state", "available", "pending"),
            ("dhcp-options-id", "dopt-*", "x"),
        ],
    );
    let one = region.subnets.values().next().unwrap().clone();
    let cidr = one.cidr();
    check_filters(
        &mut region,
        "DescribeSubnets",
        0,
        "subnetId",
        &[
            ("availability-zone", "us-east-1b", "us-east-1x"),
            ("availability-zone-id", "use1-az3", "use1-az4"),
            ("subnet-id", &one.id, "subnet-1"),
            ("cidr-block", &cidr, "10.*"),
        ],
    );
    for (field, value, count) in [
        ("default-for-az", "true", 3),
        ("default-for-az", "false", 0),
        ("vpc-id", &id, 3),
        ("vpc-id", "vpc-1", 0),
        ("map-public-ip-on-launch", "true", 3),
    ] {
        let pairs = [("Filter.1.Name", field), ("Filter.1.Value.1", value)];
        let xml = ask(&mut region, "DescribeSubnets", 0, &pairs).unwrap();
        assert_eq!(xml.matches("<subnetId>").count(), count, "{field} {value}");
    }
}

#[test]
fn gateways_and_routes() {
    let mut region = region();
    ask(&mut region, "CreateVpc", 0, &[("CidrBlock", "10.0.0.0/16")]).unwrap();
    let gateways = ask(&mut region, "DescribeInternetGateways", 5, &[]).unwrap();
    let id = region.default_vpc().unwrap().id.clone();
    assert_eq!(gateways.matches("<internetGatewayId>").count(), 1);
    assert_eq!(text(&gateways, "vpcId"), id);
    let tables = ask(&mut region, "DescribeRouteTables", 5, &[]).unwrap();
    assert_eq!(tables.matches("<main>true</main>").count(), 2);
    assert_eq!(tables.matches("<gatewayId>igw-").count(), 1);
    let of_default = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", id.as_str())];
    let one = ask(&mut region, "DescribeRouteTables", 5, &of_default).unwrap();
    assert_eq!(one.matches("<main>").count(), 1);
    let unknown =
        ask(&mut region, "DescribeInternetGateways", 5, &[("InternetGatewayId.1", "igw-1")]);
    assert_eq!(code(unknown), "InvalidInternetGatewayID.NotFound");
    let unknown = ask(&mut region, "DescribeRouteTables", 5, &[("RouteTableId.1", "rtb-1")]);
    assert_eq!(code(unknown), "InvalidRouteTableID.NotFound");
}

#[test]
fn without_a_default_network() {
    let mut region = region();
    let twice = ask(&mut region, "CreateDefaultVpc", 0, &[]);
    assert_eq!(code(twice), "DefaultVpcAlreadyExists");
    remove_default(&mut region);
    let none = ask(&mut region, "DescribeVpcs", 0, &[]).unwrap();
    assert_eq!(none, "<vpcSet></vpcSet>");
    assert!(region.subnets.is_empty() && region.security_groups.is_empty());
    let group = [("GroupName", "web"), ("GroupDescription", "w")];
    assert_eq!(code(ask(&mut region, "CreateSecurityGroup", 0, &group)), "VPCIdNotSpecified");
    let created = ask(&mut region, "CreateDefaultVpc", 0, &[]).unwrap();
    assert_eq!(text(&created, "isDefault"), "true");
    assert_eq!(region.subnets.len(), 3);
    ask(&mut region, "CreateSecurityGroup", 0, &group).unwrap();
}

#[test]
fn networks_of_ones_own() {
    let mut region = region();
    let vpc = ask(&mut region, "CreateVpc", 0, &[("CidrBlock", "10.1.2.3/16")]).unwrap();
    assert_eq!(text(&vpc, "cidrBlock"), "10.1.0.0/16");
    let id = text(&vpc, "vpcId").to_owned();
    let of = ("VpcId", id.as_str());
    let new =
        |region: &mut Region, cidr| ask(region, "CreateSubnet", 0, &[of, ("CidrBlock", cidr)]);
    let subnet = new(&mut region, "10.1.1.0/24").unwrap();
    assert_eq!(text(&subnet, "availableIpAddressCount"), "251");
    let subnet = text(&subnet, "subnetId").to_owned();
    assert_eq!(code(new(&mut region, "10.1.1.128/25")), "InvalidSubnet.Conflict");
    assert_eq!(code(new(&mut region, "10.2.1.0/24")), "InvalidSubnet.Range");
    assert_eq!(code(new(&mut region, "10.1.1.0/29")), "InvalidVpc.Range");
    assert_eq!(code(new(&mut region, "near")), "InvalidParameterValue");
    let public = [("SubnetId", subnet.as_str()), ("MapPublicIpOnLaunch.Value", "true")];
    ask(&mut region, "ModifySubnetAttribute", 0, &public).unwrap();
    assert!(region.subnets.get(&subnet).unwrap().map_public_ip);
    let nothing = ask(&mut region, "ModifySubnetAttribute", 0, &public[..1]);
    assert_eq!(code(nothing), "MissingParameter");

    assert_eq!(code(ask(&mut region, "DeleteVpc", 0, &[of])), "DependencyViolation");
    let on = ask(&mut region, "CreateNetworkInterface", 0, &[("SubnetId", &subnet)]).unwrap();
    let delete = [("SubnetId", subnet.as_str())];
    assert_eq!(code(ask(&mut region, "DeleteSubnet", 0, &delete)), "DependencyViolation");
    let interface = [("NetworkInterfaceId", text(&on, "networkInterfaceId"))];
    ask(&mut region, "DeleteNetworkInterface", 0, &interface).unwrap();
    ask(&mut region, "DeleteSubnet", 0, &delete).unwrap();
    assert_eq!(code(ask(&mut region, "DeleteSubnet", 0, &delete)), "InvalidSubnetID.NotFound");
    ask(&mut region, "DeleteVpc", 0, &[of]).unwrap();
    assert_eq!(code(ask(&mut region, "DeleteVpc", 0, &[of])), "InvalidVpcID.NotFound");
    assert_eq!(region.vpcs.len(), 1);
    let missing = ask(&mut region, "DescribeSubnets", 0, &[("SubnetId.1", "subnet-1")]);
    assert_eq!(code(missing), "InvalidSubnetID.NotFound");
}
