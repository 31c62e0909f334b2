use super::*;
use crate::ec2::select::testing::{ask, check_filters, code, instance, region, text};

fn create(region: &mut Region, instance: &str, name: &str, at: u64) -> Result<String> {
    let pairs = [
        ("InstanceId", instance),
        ("Name", name),
        ("Description", "nightly"),
        ("TagSpecification.1.ResourceType", "image"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "tagged"),
    ];
    ask(region, "CreateImage", at, &pairs)
}

#[test]
fn the_newest_image_of_an_owner() {
    let mut region = region();
    let all = [
        ("Owner.1", CANONICAL),
        ("Filter.1.Name", "name"),
        ("Filter.1.Value.1", "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"),
    ];
    let xml = ask(&mut region, "DescribeImages", 0, &all).unwrap();
    let names = xml.split("<name>").skip(1).map(|rest| rest.split('<').next().unwrap());
    let mut names = names.collect::<Vec<_>>();
    names.sort_unstable();
    assert_eq!(names.len(), 3);
    assert!(names.last().unwrap().ends_with("-20260917"), "{names:?}");
    assert_eq!(text(&xml, "rootDeviceName"), "/dev/sda1");
    assert_eq!(text(&xml, "volumeSize"), "8");
    // Someone else has an image of that name, and it is newer.
    let any_owner = ask(&mut region, "DescribeImages", 0, &all[1..]).unwrap();
    assert_eq!(any_owner.matches("<imageId>").count(), 4);
    assert!(any_owner.contains("-server-20261111</name>"));
}

#[test]
fn images_of_publishers() {
    let mut region = region();
    let count = |region: &mut Region, owner, pattern| {
        let pairs = [("Owner.1", owner), ("Filter.1.Name", "name"), ("Filter.1.Value.1", pattern)];
        ask(region, "DescribeImages", 0, &pairs).unwrap().matches("<imageId>").count()
    };
    assert_eq!(count(&mut region, DEBIAN, "debian-12-arm64-*"), 3);
    assert_eq!(count(&mut region, DEBIAN, "debian-13-amd64-*"), 3);
    assert_eq!(count(&mut region, "amazon", "al2023-ami-2023.*-x86_64"), 3);
    assert_eq!(count(&mut region, "amazon", "al2023-ami-minimal-*-arm64"), 1);
    assert_eq!(count(&mut region, "amazon", "debian*"), 0);
    assert_eq!(count(&mut region, "self", "*"), 0);
    let ids = region.images.keys().collect::<std::collections::BTreeSet<_>>();
    let other = Region::new("eu-west-1", "111122223333");
    assert!(other.images.keys().all(|id| !ids.contains(id)), "ids differ between regions");
    let again = Region::new("us-east-1", "999999999999");
    assert_eq!(again.images.keys().collect::<Vec<_>>(), region.images.keys().collect::<Vec<_>>());
}

#[test]
fn filters_of_images() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let id = text(&create(&mut region, &machine, "mine", 20).unwrap(), "imageId").to_owned();
    let snapshot = region_snapshot(&region, &id);
    check_filters(
        &mut region,
        "DescribeImages",
        100,
        "imageId",
        &[
            ("image-id", &id, "ami-1"),
            ("name", "min?", "min"),
            ("description", "nightly", "daily"),
            ("is-public", "false", "maybe"),
            ("owner-id", "111122223333", "1"),
            ("source-instance-id", &machine, "i-1"),
            ("tag:Name", "tagged", "other"),
            ("creation-date", "2013-05-24T00:00:20.000Z", "2012*"),
            ("manifest-location", "111122223333/mine", "x"),
            ("block-device-mapping.snapshot-id", &snapshot, "snap-1"),
        ],
    );
    let total = region.images.len();
    let mut count = |field, value: &str| {
        let pairs = [("Filter.1.Name", field), ("Filter.1.Value.1", value)];
        ask(&mut region, "DescribeImages", 100, &pairs).unwrap().matches("<imageId>").count()
    };
    assert_eq!(count("architecture", "x86_64") + count("architecture", "arm64"), total);
    for (field, yes, no) in [
        ("state", "available", "pending"),
        ("root-device-type", "ebs", "instance-store"),
        ("virtualization-type", "hvm", "paravirtual"),
        ("hypervisor", "xen", "ovm"),
        ("image-type", "machine", "kernel"),
        ("ena-support", "true", "false"),
        ("block-device-mapping.volume-size", "8", "9"),
        ("block-device-mapping.volume-type", "gp?", "io1"),
        ("root-device-name", "/dev/*", "x"),
    ] {
        assert_eq!((count(field, yes), count(field, no)), (total, 0), "{field}");
    }
    assert!(count("owner-alias", "amazon") > 0 && count("platform", "windows") == 0);
    let all = ask(&mut region, "DescribeImages", 100, &[("ExecutableBy.1", "all")]).unwrap();
    assert_eq!(all.matches("<imageId>").count(), total - 1);
}

fn region_snapshot(region: &Region, image: &str) -> String {
    region.images.get(image).unwrap().root_snapshot.clone()
}

#[test]
fn an_image_of_an_instance_takes_its_time() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let zone = ("AvailabilityZone", "us-east-1a");
    let data = ask(&mut region, "CreateVolume", 0, &[zone, ("Size", "33")]).unwrap();
    let attach = [
        ("VolumeId", text(&data, "volumeId")),
        ("InstanceId", machine.as_str()),
        ("Device", "/dev/sdf"),
    ];
    ask(&mut region, "AttachVolume", 15, &attach).unwrap();
    let id = text(&create(&mut region, &machine, "mine", 20).unwrap(), "imageId").to_owned();
    let state = |region: &mut Region, at| {
        let xml = ask(region, "DescribeImages", at, &[("ImageId.1", &id)]).unwrap();
        assert_eq!(text(&xml, "isPublic"), "false");
        assert_eq!(xml.matches("<snapshotId>").count(), 2);
        assert!(xml.contains("<volumeSize>33</volumeSize>"));
        text(&xml, "imageState").to_owned()
    };
    assert_eq!(state(&mut region, 79), "pending");
    assert_eq!(state(&mut region, 80), "available");
    let own = ask(&mut region, "DescribeImages", 80, &[("Owner.1", "self")]).unwrap();
    assert_eq!(text(&own, "imageId"), id);

    let snapshot = region_snapshot(&region, &id);
    let in_use = ask(&mut region, "DeleteSnapshot", 80, &[("SnapshotId", &snapshot)]);
    assert_eq!(code(in_use), "InvalidSnapshot.InUse");
    ask(&mut region, "DeregisterImage", 80, &[("ImageId", &id)]).unwrap();
    assert_eq!(region.snapshots.len(), 2, "snapshots stay");
    ask(&mut region, "DeleteSnapshot", 80, &[("SnapshotId", &snapshot)]).unwrap();
    let gone = ask(&mut region, "DescribeImages", 80, &[("ImageId.1", &id)]);
    assert_eq!(code(gone), "InvalidAMIID.NotFound");
}

#[test]
fn an_image_goes_with_its_snapshots() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let id = text(&create(&mut region, &machine, "mine", 20).unwrap(), "imageId").to_owned();
    let pairs = [("ImageId", id.as_str()), ("DeleteAssociatedSnapshots", "true")];
    let xml = ask(&mut region, "DeregisterImage", 30, &pairs).unwrap();
    assert_eq!(text(&xml, "returnCode"), "success");
    assert!(region.snapshots.is_empty());
    // What was to happen to them does no harm.
    ask(&mut region, "DescribeImages", 200, &[]).unwrap();
    assert_eq!(code(ask(&mut region, "DeregisterImage", 30, &pairs)), "InvalidAMIID.NotFound");
}

#[test]
fn what_is_refused() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    assert_eq!(code(create(&mut region, &machine, "mine", 5)), "IncorrectInstanceState");
    assert_eq!(code(create(&mut region, "i-1", "mine", 20)), "InvalidInstanceID.NotFound");
    for name in ["ab", "a*c", &"x".repeat(129)] {
        assert_eq!(code(create(&mut region, &machine, name, 20)), "InvalidAMIName.Malformed");
    }
    create(&mut region, &machine, "mine", 20).unwrap();
    assert_eq!(code(create(&mut region, &machine, "mine", 20)), "InvalidAMIName.Duplicate");
    let public = region.images.values().find(|image| image.owner == DEBIAN).unwrap().id.clone();
    let foreign = ask(&mut region, "DeregisterImage", 20, &[("ImageId", &public)]);
    assert_eq!(code(foreign), "AuthFailure");
    let malformed = ask(&mut region, "DescribeImages", 20, &[("ImageId.1", "debian")]);
    assert_eq!(code(malformed), "InvalidAMIID.Malformed");
    let both = [("ImageId.1", public.as_str()), ("MaxResults", "5")];
    assert_eq!(code(ask(&mut region, "DescribeImages", 20, &both)), "InvalidParameterCombination");
}
