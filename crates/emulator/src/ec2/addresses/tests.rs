use super::*;
use crate::ec2::select::testing::{ask, check_filters, code, instance, region, text};

fn allocate(region: &mut Region) -> String {
    let xml = ask(region, "AllocateAddress", 0, &[("Domain", "vpc")]).unwrap();
    text(&xml, "allocationId").to_owned()
}

#[test]
fn five_addresses_and_no_more() {
    let mut region = region();
    let first = allocate(&mut region);
    for _ in 1..5 {
        allocate(&mut region);
    }
    assert_eq!(code(ask(&mut region, "AllocateAddress", 0, &[])), "AddressLimitExceeded");
    let release = [("AllocationId", first.as_str())];
    ask(&mut region, "ReleaseAddress", 0, &release).unwrap();
    assert_eq!(
        code(ask(&mut region, "ReleaseAddress", 0, &release)),
        "InvalidAllocationID.NotFound"
    );
    ask(&mut region, "AllocateAddress", 0, &[]).unwrap();
    let classic = ask(&mut region, "AllocateAddress", 0, &[("Domain", "standard")]);
    assert_eq!(code(classic), "InvalidParameterValue");
}

#[test]
fn an_address_on_an_instance() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let id = allocate(&mut region);
    let associate = [("AllocationId", id.as_str()), ("InstanceId", machine.as_str())];
    assert_eq!(code(ask(&mut region, "AssociateAddress", 5, &associate)), "InvalidInstanceID");
    let xml = ask(&mut region, "AssociateAddress", 20, &associate).unwrap();
    let association = text(&xml, "associationId").to_owned();
    let again = ask(&mut region, "AssociateAddress", 20, &associate).unwrap();
    assert_eq!(text(&again, "associationId"), association);
    let interface = region.interfaces.values().next().unwrap();
    assert_eq!(interface.public_ip, None, "the address that came with the instance is gone");
    let private = interface.private_ip.to_string();
    let ip = region.addresses.get(&id).unwrap().public_ip.to_string();
    let told = ask(&mut region, "DescribeAddresses", 20, &[("PublicIp.1", &ip)]).unwrap();
    assert_eq!(text(&told, "instanceId"), machine);
    assert_eq!(text(&told, "privateIpAddress"), private);
    let on = ask(&mut region, "DescribeNetworkInterfaces", 20, &[]).unwrap();
    assert!(on.contains(&format!("<publicIp>{ip}</publicIp>")), "{on}");

    let release = [("AllocationId", id.as_str())];
    assert_eq!(code(ask(&mut region, "ReleaseAddress", 20, &release)), "InvalidIPAddress.InUse");
    let part = [("AssociationId", association.as_str())];
    ask(&mut region, "DisassociateAddress", 20, &part).unwrap();
    let twice = ask(&mut region, "DisassociateAddress", 20, &part);
    assert_eq!(code(twice), "InvalidAssociationID.NotFound");
    ask(&mut region, "ReleaseAddress", 20, &release).unwrap();
}

#[test]
fn addresses_move() {
    let mut region = region();
    let (one, other) = (instance(&mut region, "us-east-1a"), instance(&mut region, "us-east-1b"));
    let (first, second) = (allocate(&mut region), allocate(&mut region));
    let mut associate = |address: &str, instance: &str, more: &[(&str, &str)]| {
        let pairs = [&[("AllocationId", address), ("InstanceId", instance)], more].concat();
        ask(&mut region, "AssociateAddress", 20, &pairs)
    };
    associate(&first, &one, &[]).unwrap();
    let fixed = associate(&first, &other, &[("AllowReassociation", "false")]);
    assert_eq!(code(fixed), "Resource.AlreadyAssociated");
    associate(&first, &other, &[]).unwrap();
    associate(&second, &other, &[]).unwrap();
    for (address, instance, expected) in [
        ("eipalloc-1", one.as_str(), "InvalidAllocationID.NotFound"),
        (first.as_str(), "i-1", "InvalidInstanceID.NotFound"),
        (first.as_str(), "", "MissingParameter"),
    ] {
        assert_eq!(code(associate(address, instance, &[])), expected, "{address} {instance}");
    }
    let both = associate(&first, &one, &[("NetworkInterfaceId", "eni-1")]);
    assert_eq!(code(both), "InvalidParameterCombination");
    // An interface has one address.
    assert_eq!(region.addresses.get(&first).unwrap().association, None);
    assert!(region.addresses.get(&second).unwrap().association.is_some());
    let unknown = ask(&mut region, "AssociateAddress", 20, &[("PublicIp", "192.0.2.1")]);
    assert_eq!(code(unknown), "InvalidAddress.NotFound");
}

#[test]
fn filters() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let (id, _) = (allocate(&mut region), allocate(&mut region));
    let pairs = [("AllocationId", id.as_str()), ("InstanceId", machine.as_str())];
    ask(&mut region, "AssociateAddress", 20, &pairs).unwrap();
    let address = region.addresses.get(&id).unwrap().clone();
    let (association, interface) = address.association.unwrap();
    let ip = address.public_ip.to_string();
    check_filters(
        &mut region,
        "DescribeAddresses",
        30,
        "publicIp",
        &[
            ("allocation-id", &id, "x"),
            ("association-id", &association, "x"),
            ("instance-id", &machine, "i-1"),
            ("network-interface-id", &interface, "eni-1"),
            ("network-interface-owner-id", "111122223333", "1"),
            ("private-ip-address", "172.31.*", "10.*"),
            ("public-ip", &ip, "x"),
        ],
    );
    let in_vpc = [("Filter.1.Name", "domain"), ("Filter.1.Value.1", "vpc")];
    let all = ask(&mut region, "DescribeAddresses", 30, &in_vpc).unwrap();
    assert_eq!(all.matches("<domain>").count(), 2);
    let missing = ask(&mut region, "DescribeAddresses", 30, &[("AllocationId.1", "eipalloc-1")]);
    assert_eq!(code(missing), "InvalidAllocationID.NotFound");
    let missing = ask(&mut region, "DescribeAddresses", 30, &[("PublicIp.1", "192.0.2.1")]);
    assert_eq!(code(missing), "InvalidAddress.NotFound");
}
