use super::*;
use crate::ec2::select::testing::{ask, check_filters, code, instance, region, text};

const ZONE: (&str, &str) = ("AvailabilityZone", "us-east-1a");

fn create(region: &mut Region, pairs: &[(&str, &str)]) -> Result<String> {
    ask(region, "CreateVolume", 0, &[&[ZONE], pairs].concat())
}

fn volume(region: &mut Region) -> String {
    let xml = create(region, &[("Size", "20"), ("VolumeType", "gp3")]).unwrap();
    text(&xml, "volumeId").to_owned()
}

fn status(region: &mut Region, id: &str, at: u64) -> String {
    let xml = ask(region, "DescribeVolumes", at, &[("VolumeId.1", id)]).unwrap();
    let (attachments, rest) = xml.split_once("</attachmentSet>").unwrap();
    let (volume, attachments) = attachments.split_once("<attachmentSet>").unwrap();
    assert!(rest.contains("<volumeType>"));
    let state = text(volume, "status").to_owned();
    match attachments {
        "" => state,
        attachment => format!("{state} {}", text(attachment, "status")),
    }
}

#[test]
fn a_life_on_the_clock() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let id = volume(&mut region);
    assert_eq!(status(&mut region, &id, 2), "creating");
    assert_eq!(status(&mut region, &id, 3), "available");
    let attach = [("VolumeId", id.as_str()), ("InstanceId", &machine), ("Device", "/dev/sdf")];
    let xml = ask(&mut region, "AttachVolume", 20, &attach).unwrap();
    assert_eq!(text(&xml, "status"), "attaching");
    assert_eq!(status(&mut region, &id, 21), "in-use attaching");
    assert_eq!(status(&mut region, &id, 22), "in-use attached");
    assert_eq!(code(ask(&mut region, "DeleteVolume", 22, &attach[..1])), "VolumeInUse");
    assert_eq!(code(ask(&mut region, "AttachVolume", 22, &attach)), "VolumeInUse");
    let xml = ask(&mut region, "DetachVolume", 30, &attach[..1]).unwrap();
    assert_eq!(text(&xml, "status"), "detaching");
    assert_eq!(code(ask(&mut region, "DetachVolume", 30, &attach[..1])), "IncorrectState");
    assert_eq!(status(&mut region, &id, 31), "in-use detaching");
    assert_eq!(status(&mut region, &id, 32), "available");
    assert_eq!(code(ask(&mut region, "DetachVolume", 32, &attach[..1])), "IncorrectState");
    ask(&mut region, "DeleteVolume", 40, &attach[..1]).unwrap();
    assert_eq!(status(&mut region, &id, 40), "deleting");
    let gone = "InvalidVolume.NotFound";
    assert_eq!(code(ask(&mut region, "DeleteVolume", 41, &attach[..1])), gone);
    assert_eq!(code(ask(&mut region, "DescribeVolumes", 43, &[("VolumeId.1", &id)])), gone);
    assert_eq!(region.tags.of(&id).len(), 0);
}

#[test]
fn a_volume_that_is_being_created_is_not_deleted_or_attached() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let id = volume(&mut region);
    assert_eq!(code(ask(&mut region, "DeleteVolume", 1, &[("VolumeId", &id)])), "IncorrectState");
    let attach = [("VolumeId", id.as_str()), ("InstanceId", &machine), ("Device", "/dev/sdf")];
    assert_eq!(code(ask(&mut region, "AttachVolume", 1, &attach)), "IncorrectState");
    // The volume is there by now; the instance does not run yet.
    assert_eq!(code(ask(&mut region, "AttachVolume", 5, &attach)), "IncorrectState");
    ask(&mut region, "AttachVolume", 12, &attach).unwrap();
}

#[test]
fn where_a_volume_can_be_attached() {
    let mut region = region();
    let (near, far) = (instance(&mut region, "us-east-1a"), instance(&mut region, "us-east-1b"));
    let id = volume(&mut region);
    let mut attach = |volume: &str, instance: &str, device: &str| {
        let pairs = [("VolumeId", volume), ("InstanceId", instance), ("Device", device)];
        code(ask(&mut region, "AttachVolume", 20, &pairs))
    };
    assert_eq!(attach(&id, &far, "/dev/sdf"), "InvalidVolume.ZoneMismatch");
    assert_eq!(attach("vol-1", &near, "/dev/sdf"), "InvalidVolume.NotFound");
    assert_eq!(attach("1", &near, "/dev/sdf"), "InvalidParameterValue");
    assert_eq!(attach(&id, "i-1", "/dev/sdf"), "InvalidInstanceID.NotFound");
    // The root volume of the instance is there.
    assert_eq!(attach(&id, &near, "/dev/xvda"), "InvalidParameterValue");
    for device in ["disk", "/dev/sd", "/dev/sdF", "/dev/sdffff"] {
        assert_eq!(attach(&id, &near, device), "InvalidParameterValue", "{device}");
    }
}

#[test]
fn an_instance_has_room_for_so_many_volumes() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let mut attach = |device: &str| {
        let id = volume(&mut region);
        // By then the volume and the instance are there.
        let pairs = [("VolumeId", id.as_str()), ("InstanceId", &machine), ("Device", device)];
        ask(&mut region, "AttachVolume", 20, &pairs)
    };
    // One is the root volume.
    for letter in ('b'..='z').chain(['a']) {
        attach(&format!("/dev/sd{letter}")).unwrap();
    }
    assert_eq!(code(attach("/dev/sdaa")), "AttachmentLimitExceeded");
}

#[test]
fn root_volumes_of_running_instances_stay() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1a");
    let root = region.volumes.keys().next().unwrap().clone();
    let detach = |region: &mut Region, pairs: &[(&str, &str)], at| {
        ask(region, "DetachVolume", at, &[&[("VolumeId", root.as_str())], pairs].concat())
    };
    assert_eq!(code(detach(&mut region, &[], 20)), "OperationNotPermitted");
    let elsewhere = detach(&mut region, &[("Device", "/dev/sdx")], 20);
    assert_eq!(code(elsewhere), "InvalidAttachment.NotFound");
    ask(&mut region, "StopInstances", 20, &[("InstanceId.1", &machine)]).unwrap();
    detach(&mut region, &[("InstanceId", &machine)], 60).unwrap();
    assert_eq!(status(&mut region, &root, 62), "available");
}

#[test]
fn one_token_is_one_volume() {
    let mut region = region();
    let pairs = [("Size", "20"), ("ClientToken", "t")];
    let once = create(&mut region, &pairs).unwrap();
    let again = create(&mut region, &pairs).unwrap();
    assert_eq!(text(&once, "volumeId"), text(&again, "volumeId"));
    assert_eq!(region.volumes.len(), 1);
    let other = create(&mut region, &[("Size", "30"), ("ClientToken", "t")]);
    assert_eq!(code(other), "IdempotentParameterMismatch");
    create(&mut region, &[("Size", "30"), ("ClientToken", "u")]).unwrap();
    assert_eq!(region.volumes.len(), 2);
}

#[test]
fn what_volumes_can_be() {
    let mut region = region();
    for (pairs, iops, throughput) in [
        (&[("Size", "20")][..], Some("100"), None),
        (&[("Size", "1000")], Some("3000"), None),
        (&[("Size", "20"), ("VolumeType", "gp3")], Some("3000"), Some("125")),
        (&[("Size", "20"), ("VolumeType", "gp3"), ("Iops", "4000")], Some("4000"), Some("125")),
        (&[("Size", "20"), ("VolumeType", "io2"), ("Iops", "200")], Some("200"), None),
        (&[("Size", "200"), ("VolumeType", "st1")], None, None),
    ] {
        let xml = create(&mut region, pairs).unwrap();
        for (name, value) in [("iops", iops), ("throughput", throughput)] {
            let found = xml.contains(&format!("<{name}>")).then(|| text(&xml, name));
            assert_eq!(found, value, "{pairs:?}");
        }
    }
    for (pairs, expected) in [
        (&[][..], "MissingParameter"),
        (&[("Size", "x")], "InvalidParameterValue"),
        (&[("Size", "0")], "InvalidParameterValue"),
        (&[("Size", "20"), ("VolumeType", "tape")], "InvalidParameterValue"),
        (&[("Size", "20"), ("VolumeType", "st1")], "InvalidParameterValue"),
        (&[("Size", "20"), ("VolumeType", "io1")], "MissingParameter"),
        (&[("Size", "20"), ("VolumeType", "io1"), ("Iops", "64000")], "InvalidParameterValue"),
        (&[("Size", "20"), ("Iops", "100")], "InvalidParameterCombination"),
        (&[("Size", "20"), ("Throughput", "125")], "InvalidParameterCombination"),
        (&[("Size", "20"), ("VolumeType", "gp3"), ("Throughput", "1")], "InvalidParameterValue"),
        (&[("SnapshotId", "snap-1")], "InvalidSnapshot.NotFound"),
        (&[("SnapshotId", "1")], "InvalidParameterValue"),
        (&[("Size", "20"), ("DryRun", "true")], "DryRunOperation"),
    ] {
        assert_eq!(code(create(&mut region, pairs)), expected, "{pairs:?}");
    }
    for (zone, expected) in [
        (&[][..], "MissingParameter"),
        (&[("AvailabilityZone", "us-east-1x")], "InvalidZone.NotFound"),
        (&[("AvailabilityZoneId", "use1-az9")], "InvalidZone.NotFound"),
        (&[ZONE, ("AvailabilityZoneId", "use1-az1")], "InvalidParameterCombination"),
    ] {
        let pairs = [zone, &[("Size", "20")]].concat();
        assert_eq!(code(ask(&mut region, "CreateVolume", 0, &pairs)), expected, "{zone:?}");
    }
    let by_id = [("AvailabilityZoneId", "use1-az2"), ("Size", "20")];
    let xml = ask(&mut region, "CreateVolume", 0, &by_id).unwrap();
    assert_eq!(text(&xml, "availabilityZone"), "us-east-1b");
}

#[test]
fn volumes_of_snapshots_are_as_large() {
    let mut region = region();
    let id = volume(&mut region);
    let snapshot = ask(&mut region, "CreateSnapshot", 5, &[("VolumeId", &id)]).unwrap();
    let from = ("SnapshotId", text(&snapshot, "snapshotId"));
    let at = 20;
    let xml = ask(&mut region, "CreateVolume", at, &[ZONE, from]).unwrap();
    assert_eq!(text(&xml, "size"), "20");
    let small = ask(&mut region, "CreateVolume", at, &[ZONE, from, ("Size", "19")]);
    assert_eq!(code(small), "InvalidParameterValue");
    let public = region.images.values().next().unwrap().root_snapshot.clone();
    let pairs = [ZONE, ("SnapshotId", public.as_str())];
    let xml = ask(&mut region, "CreateVolume", at, &pairs).unwrap();
    assert_eq!(text(&xml, "size"), "8");
}

#[test]
fn listings_show_new_volumes_late_and_filter() {
    let mut region = region();
    let machine = instance(&mut region, "us-east-1b");
    let xml = create(
        &mut region,
        &[
            ("Size", "20"),
            ("VolumeType", "gp3"),
            ("TagSpecification.1.ResourceType", "volume"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", "data"),
        ],
    );
    let id = text(&xml.unwrap(), "volumeId").to_owned();
    let by_name = [("Filter.1.Name", "tag:Name"), ("Filter.1.Value.1", "data")];
    let early = ask(&mut region, "DescribeVolumes", 0, &by_name).unwrap();
    assert_eq!(early, "<volumeSet></volumeSet>");
    let named = ask(&mut region, "DescribeVolumes", 0, &[("VolumeId.1", &id)]).unwrap();
    assert_eq!(text(&named, "volumeId"), id);
    check_filters(
        &mut region,
        "DescribeVolumes",
        20,
        "createTime",
        &[
            ("attachment.attach-time", "2013*", "2014*"),
            ("attachment.delete-on-termination", "true", "false"),
            ("attachment.device", "/dev/xvda", "/dev/sdf"),
            ("attachment.instance-id", &machine, "i-1"),
            ("attachment.status", "attached", "detaching"),
            ("availability-zone", "us-east-1a", "us-east-1c"),
            ("availability-zone-id", "use1-az1", "use1-az3"),
            ("size", "20", "21"),
            ("status", "available", "error"),
            ("tag:Name", "data", "other"),
            ("tag-key", "Name", "Owner"),
            ("volume-id", &id, "vol-1"),
            ("snapshot-id", "snap-*", "none"),
        ],
    );
    let all = ask(&mut region, "DescribeVolumes", 20, &[]).unwrap();
    assert_eq!(all.matches("<createTime>").count(), 2);
    let wrong =
        ask(&mut region, "DescribeVolumes", 20, &[("VolumeId.1", &id), ("MaxResults", "9")]);
    assert_eq!(code(wrong), "InvalidParameterCombination");
}
