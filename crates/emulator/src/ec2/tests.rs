//! What holds for all actions.

use super::call::testing::TestCall;
use super::state::Region;
use super::*;
use crate::clockwork::Dice;

#[test]
fn names_are_unique() {
    let mut names = ACTIONS
        .iter()
        .flat_map(|actions| actions.iter())
        .map(|(name, _)| *name)
        .collect::<Vec<_>>();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(handler("RunInstances").is_some());
    assert!(handler("Nonsense").is_none());
    assert!(json_handler("AmazonSSM.GetParameter").is_some());
}

const NAMES: [&str; 30] = [
    "InstanceId.1",
    "InstanceId.2",
    "InstanceId",
    "ImageId",
    "InstanceType",
    "InstanceType.Value",
    "MinCount",
    "MaxCount",
    "MaxResults",
    "NextToken",
    "VolumeId",
    "SnapshotId",
    "Size",
    "AvailabilityZone",
    "Device",
    "GroupId",
    "GroupId.1",
    "GroupName",
    "KeyName",
    "AllocationId",
    "SubnetId",
    "NetworkInterfaceId",
    "ResourceId.1",
    "Tag.1.Key",
    "Filter.1.Name",
    "Filter.1.Value.1",
    "BlockDeviceMapping.1.DeviceName",
    "BlockDeviceMapping.1.Ebs.VolumeSize",
    "ClientToken",
    "Name",
];

const VALUES: [&str; 14] = [
    "",
    "0",
    "1",
    "5",
    "-1",
    "4294967295",
    "18446744073709551616",
    "true",
    "x",
    "t3.micro",
    "us-east-1a",
    "/dev/sdf",
    "*",
    "é\u{0}<&>",
];

/// A value from a list, or an id of something that is there.
fn value(dice: &mut Dice, region: &Region) -> String {
    let ids = [
        region.instances.keys().next(),
        region.volumes.keys().last(),
        region.images.keys().next(),
        region.security_groups.keys().next(),
        region.subnets.keys().next(),
        region.interfaces.keys().next(),
        region.addresses.keys().next(),
        region.snapshots.keys().next(),
    ];
    let count = u64::try_from(ids.len() + VALUES.len()).unwrap();
    let drawn = usize::try_from(dice.next() % count).unwrap();
    match ids.get(drawn) {
        Some(id) => id.cloned().unwrap_or_default(),
        None => VALUES[drawn - ids.len()].to_owned(),
    }
}

#[test]
fn whatever_is_asked_is_answered() {
    let actions = ACTIONS
        .iter()
        .flat_map(|actions| actions.iter())
        .map(|(name, _)| *name)
        .collect::<Vec<_>>();
    let pick = |dice: &mut Dice, from: &[&'static str]| {
        from[usize::try_from(dice.next() % u64::try_from(from.len()).unwrap()).unwrap()]
    };
    let mut region = Region::new("us-east-1", "111122223333");
    let mut dice = Dice::new(1);
    let (mut good, mut bad) = (0, 0);
    for step in 0..4000 {
        let action = pick(&mut dice, &actions);
        let mut call = TestCall::new(action).at(step);
        call.settings.quota_instances = 20;
        for _ in 0..dice.next() % 6 {
            let name = pick(&mut dice, &NAMES);
            call = call.with(name, &value(&mut dice, &region));
        }
        if step % 50 == 0 {
            let image = region.images.values().find(|image| image.architecture == "x86_64");
            call = TestCall::new("RunInstances")
                .with("ImageId", &image.unwrap().id)
                .with("InstanceType", "t3.micro")
                .with("MinCount", "1")
                .with("MaxCount", "1")
                .at(step);
            call.settings.quota_instances = 20;
        }
        match call.run(&mut region) {
            Ok(answer) => {
                good += 1;
                let document = answer.document(action, "id");
                let mut reader = quick_xml::Reader::from_str(&document);
                loop {
                    match reader.read_event() {
                        Ok(quick_xml::events::Event::Eof) => break,
                        Ok(_) => {}
                        Err(error) => panic!("{action}: {error} in {document}"),
                    }
                }
            }
            Err(error) => {
                bad += 1;
                assert!((400..600).contains(&error.status), "{action}: {error:?}");
                assert!(!error.code.is_empty() && !error.message.is_empty(), "{action}");
            }
        }
    }
    assert!(good > 500 && bad > 500, "{good} {bad}");
}
