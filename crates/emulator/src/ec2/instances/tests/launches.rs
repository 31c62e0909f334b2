//! Requests for instances.

use super::*;

#[test]
fn a_token_makes_one_reservation() {
    let mut region = region();
    let call = run(&region, 2).with("ClientToken", "token-1");
    let first = ok(&mut region, &call);
    let again = ok(&mut region, &call.clone().at(5));
    assert_eq!(all(&first, "instanceId"), all(&again, "instanceId"));
    assert_eq!(one(&first, "clientToken"), "token-1");
    assert_eq!(region.instances.len(), 2);
    let other = run(&region, 1).with("ClientToken", "token-1");
    assert_eq!(code(&mut region, &other), "IdempotentParameterMismatch");
    let ids = all(&first, "instanceId");
    let end = of("TerminateInstances", &ids[0]).with("InstanceId.2", &ids[1]).at(20);
    ok(&mut region, &end);
    // As long as it is seen it is the answer.
    let ended = ok(&mut region, &call.clone().at(100));
    assert_eq!(all(&ended, "instanceId"), ids);
    assert!(ended.contains("<name>terminated</name>"), "{ended}");
    let anew = ok(&mut region, &call.at(4000));
    assert_ne!(all(&anew, "instanceId"), ids);
    let long = run(&region, 1).with("ClientToken", &"x".repeat(65));
    assert_eq!(code(&mut region, &long), "InvalidParameterValue");
}

#[test]
fn what_is_missing_or_wrong_is_told() {
    let mut region = region();
    let base = || TestCall::new("RunInstances").with("MinCount", "1").with("MaxCount", "1");
    let image = image(&region, "x86_64");
    let arm = super::image(&region, "arm64");
    let good = || base().with("InstanceType", TYPE).with("ImageId", &image);
    for (call, expected) in [
        (TestCall::new("RunInstances"), "MissingParameter"),
        (base().with("InstanceType", TYPE), "MissingParameter"),
        (base().with("ImageId", "ami-0123456789abcdef0"), "InvalidAMIID.NotFound"),
        (base().with("ImageId", "image"), "InvalidAMIID.Malformed"),
        (base().with("ImageId", &image).with("InstanceType", "x9.huge"), "InvalidParameterValue"),
        (base().with("ImageId", &arm).with("InstanceType", TYPE), "InvalidParameterValue"),
        (good().with("KeyName", "none"), "InvalidKeyPair.NotFound"),
        (good().with("SecurityGroupId.1", "sg-0123"), "InvalidGroup.NotFound"),
        (good().with("SubnetId", "subnet-0123"), "InvalidSubnetID.NotFound"),
        (good().with("Placement.AvailabilityZone", "us-west-1a"), "InvalidParameterValue"),
        (good().with("UserData", "not base64!"), "InvalidParameterValue"),
        (good().with("UserData", &"QUFB".repeat(6000)), "InvalidParameterValue"),
        (good().with("InstanceMarketOptions.MarketType", "flea"), "InvalidParameterValue"),
        (good().with("TagSpecification.1.ResourceType", "bucket"), "InvalidParameterValue"),
        (good().with("DryRun", "true"), "DryRunOperation"),
    ] {
        assert_eq!(code(&mut region, &call), expected, "{call:?}");
    }
    for (least, most) in [("0", "1"), ("2", "1"), ("1", "0"), ("-1", "1"), ("x", "1")] {
        let call = TestCall::new("RunInstances")
            .with("MinCount", least)
            .with("MaxCount", most)
            .with("ImageId", &image)
            .with("InstanceType", TYPE);
        assert_eq!(code(&mut region, &call), "InvalidParameterValue", "{least} {most}");
    }
    let small = good()
        .with("BlockDeviceMapping.1.DeviceName", &region.images[&image].root_device)
        .with("BlockDeviceMapping.1.Ebs.VolumeSize", "1");
    assert_eq!(code(&mut region, &small), "InvalidBlockDeviceMapping");
    assert!(region.instances.is_empty() && region.volumes.is_empty());
    assert!(region.interfaces.is_empty());
}

#[test]
fn tags_are_on_everything() {
    let mut region = region();
    let mut call = run(&region, 1);
    for (number, kind) in ["instance", "volume", "network-interface"].into_iter().enumerate() {
        let prefix = format!("TagSpecification.{}", number + 1);
        call = call
            .with(&format!("{prefix}.ResourceType"), kind)
            .with(&format!("{prefix}.Tag.1.Key"), "owner")
            .with(&format!("{prefix}.Tag.1.Value"), kind);
    }
    let document = ok(&mut region, &call);
    assert!(
        document.contains("<tagSet><item><key>owner</key><value>instance</value></item></tagSet>")
    );
    let tags = ok(&mut region, &TestCall::new("DescribeTags").at(2));
    let mut values = all(&tags, "value");
    values.sort();
    assert_eq!(values, ["instance", "network-interface", "volume"]);
    let reserved = run(&region, 1)
        .with("TagSpecification.1.ResourceType", "instance")
        .with("TagSpecification.1.Tag.1.Key", "aws:x");
    assert_eq!(code(&mut region, &reserved), "InvalidParameterValue");
}

#[test]
fn interfaces_and_groups_as_asked_for() {
    let mut region = region();
    let (subnet, zone) = {
        let subnet = region.subnets.values().last().unwrap();
        (subnet.id.clone(), subnet.zone.clone())
    };
    let group = region.security_groups.keys().next().unwrap().clone();
    let call = run(&region, 1)
        .with("NetworkInterface.1.DeviceIndex", "0")
        .with("NetworkInterface.1.SubnetId", &subnet)
        .with("NetworkInterface.1.AssociatePublicIpAddress", "false")
        .with("NetworkInterface.1.SecurityGroupId.1", &group);
    let document = ok(&mut region, &call);
    assert_eq!(one(&document, "availabilityZone"), zone);
    assert_eq!(one(&document, "groupId"), group);
    let id = one(&document, "instanceId");
    let document = ok(&mut region, &of("DescribeInstances", &id).at(20));
    assert!(document.contains("<name>running</name>"), "{document}");
    assert!(!document.contains("<ipAddress>"), "{document}");
    let both = call.with("SubnetId", &subnet);
    assert_eq!(code(&mut region, &both), "InvalidParameterCombination");

    let placed = run(&region, 1).with("Placement.AvailabilityZone", &zone);
    assert_eq!(one(&ok(&mut region, &placed), "subnetId"), subnet);
    let elsewhere =
        run(&region, 1).with("SubnetId", &subnet).with("Placement.AvailabilityZone", "us-east-1a");
    assert_eq!(code(&mut region, &elsewhere), "InvalidParameterValue");
}

#[test]
fn capacity_of_zones() {
    let mut region = region();
    let zone = "us-east-1a";
    let mut call = run(&region, 1).with("Placement.AvailabilityZone", zone);
    call.settings.capacity.insert((zone.to_owned(), TYPE.to_owned()), 2);
    let id = one(&ok(&mut region, &call), "instanceId");
    // As many as there is room for, if that is enough.
    let mut several = run(&region, 1).with("Placement.AvailabilityZone", zone);
    several.settings = call.settings.clone();
    let mut many = TestCall::new("RunInstances")
        .with("ImageId", &image(&region, "x86_64"))
        .with("InstanceType", TYPE)
        .with("Placement.AvailabilityZone", zone)
        .with("MinCount", "1")
        .with("MaxCount", "5");
    many.settings = call.settings.clone();
    assert_eq!(all(&ok(&mut region, &many), "instanceId").len(), 1);
    let error = several.run(&mut region).unwrap_err();
    assert_eq!((error.status, &*error.code), (500, "InsufficientInstanceCapacity"));
    // Another zone has room.
    let mut anywhere = run(&region, 1);
    anywhere.settings = call.settings.clone();
    assert_ne!(one(&ok(&mut region, &anywhere), "availabilityZone"), zone);

    // A stopped instance has no place.
    ok(&mut region, &of("StopInstances", &id).at(20));
    assert_eq!(state(&mut region, &id, 60), "stopped");
    ok(&mut region, &several.at(60));
    let mut start = of("StartInstances", &id).at(60);
    start.settings = call.settings;
    assert_eq!(code(&mut region, &start), "InsufficientInstanceCapacity");
}

#[test]
fn quotas_of_the_account() {
    let mut region = region();
    let mut call = run(&region, 2);
    call.settings.quota_vcpus = 6;
    ok(&mut region, &call);
    assert_eq!(code(&mut region, &call), "VcpuLimitExceeded");
    let mut spot = call.clone().with("InstanceMarketOptions.MarketType", "spot");
    ok(&mut region, &spot);
    assert_eq!(code(&mut region, &spot), "MaxSpotInstanceCountExceeded");
    spot.settings.quota_instances = 5;
    assert_eq!(code(&mut region, &spot), "InstanceLimitExceeded");
}

#[test]
fn several_start_together_or_not_at_all() {
    let mut region = region();
    let call = run(&region, 2);
    let ids = all(&ok(&mut region, &call), "instanceId");
    let both = |action, at| of(action, &ids[0]).with("InstanceId.2", &ids[1]).at(at);
    state(&mut region, &ids[0], 20);
    ok(&mut region, &both("StopInstances", 20));
    let zone = region.instances[&ids[0]].zone.clone();
    let mut start = both("StartInstances", 60);
    start.settings.capacity.insert((zone, TYPE.to_owned()), 1);
    assert_eq!(code(&mut region, &start), "InsufficientInstanceCapacity");
    let mut start = both("StartInstances", 60);
    start.settings.quota_vcpus = 3;
    assert_eq!(code(&mut region, &start), "VcpuLimitExceeded");
    ok(&mut region, &both("StartInstances", 60));
}

#[test]
fn a_full_subnet_is_not_chosen() {
    let mut region = region();
    let call = run(&region, 3000);
    let first = one(&ok(&mut region, &call), "subnetId");
    let second = one(&ok(&mut region, &call), "subnetId");
    assert_ne!(first, second);
    let full = run(&region, 3000).with("SubnetId", &first);
    assert_eq!(code(&mut region, &full), "InsufficientFreeAddressesInSubnet");
}
