//! Attributes, console output and tags of instances.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn modify(id: &str, at: u64) -> TestCall {
    TestCall::new("ModifyInstanceAttribute").with("InstanceId", id).at(at)
}

fn attribute(region: &mut Region, id: &str, name: &str, at: u64) -> String {
    let call = TestCall::new("DescribeInstanceAttribute")
        .with("InstanceId", id)
        .with("Attribute", name)
        .at(at);
    one(&one(&ok(region, &call), name), "value")
}

#[test]
fn some_need_a_stopped_instance() {
    let mut region = region();
    let id = running(&mut region);
    let resize = |at| modify(&id, at).with("InstanceType.Value", "m5.large");
    let data = STANDARD.encode("#!/bin/sh\n");
    let user_data = |at| modify(&id, at).with("UserData.Value", &data);
    assert_eq!(code(&mut region, &resize(20)), "IncorrectInstanceState");
    assert_eq!(code(&mut region, &user_data(20)), "IncorrectInstanceState");
    ok(&mut region, &of("StopInstances", &id).at(20));
    ok(&mut region, &resize(60));
    ok(&mut region, &user_data(60));
    assert_eq!(attribute(&mut region, &id, "instanceType", 60), "m5.large");
    assert_eq!(attribute(&mut region, &id, "userData", 60), data);
    let arm = modify(&id, 60).with("InstanceType.Value", "t4g.micro");
    assert_eq!(code(&mut region, &arm), "InvalidInstanceAttributeValue");
}

#[test]
fn others_change_at_any_time() {
    let mut region = region();
    let id = running(&mut region);
    ok(&mut region, &modify(&id, 20).with("DisableApiTermination.Value", "true"));
    assert_eq!(attribute(&mut region, &id, "disableApiTermination", 20), "true");
    ok(&mut region, &modify(&id, 20).with("SourceDestCheck.Value", "false"));
    assert_eq!(attribute(&mut region, &id, "sourceDestCheck", 20), "false");
    let named = modify(&id, 20).with("Attribute", "disableApiTermination").with("Value", "false");
    ok(&mut region, &named);
    assert_eq!(attribute(&mut region, &id, "disableApiTermination", 20), "false");
    let group = region.security_groups.keys().next().unwrap().clone();
    ok(&mut region, &modify(&id, 20).with("GroupId.1", &group));
    let unknown = modify(&id, 20).with("GroupId.1", "sg-0");
    assert_eq!(code(&mut region, &unknown), "InvalidGroup.NotFound");
    assert_eq!(code(&mut region, &modify(&id, 20)), "InvalidParameterCombination");
    ok(&mut region, &of("TerminateInstances", &id).at(20));
    // Until it is gone its groups can be taken from it.
    ok(&mut region, &modify(&id, 21).with("GroupId.1", &group));
    let late = modify(&id, 60).with("GroupId.1", &group);
    assert_eq!(code(&mut region, &late), "IncorrectInstanceState");
}

#[test]
fn console_output_is_the_latest() {
    let mut region = region();
    let id = running(&mut region);
    let get = |region: &mut Region| {
        let call = TestCall::new("GetConsoleOutput").with("InstanceId", &id).at(20);
        STANDARD.decode(one(&ok(region, &call), "output")).unwrap()
    };
    assert_eq!(get(&mut region), format!("instance {id} boots\n").into_bytes());
    region.instances[&id].console.write(&[b'x'; 70_000]);
    region.instances[&id].console.write(b"end\n");
    let output = get(&mut region);
    assert_eq!(output.len(), 64 << 10);
    assert!(output.ends_with(b"xend\n"));
}

#[test]
fn tags_and_their_limits() {
    let mut region = region();
    let id = running(&mut region);
    let tags = |from: usize, count: usize| {
        let mut call = TestCall::new("CreateTags").with("ResourceId.1", &id).at(20);
        for number in 0..count {
            call = call
                .with(&format!("Tag.{}.Key", number + 1), &format!("key-{}", from + number))
                .with(&format!("Tag.{}.Value", number + 1), "v");
        }
        call
    };
    ok(&mut region, &tags(0, 50));
    assert_eq!(code(&mut region, &tags(50, 1)), "TagLimitExceeded");
    ok(&mut region, &tags(10, 5));
    let delete = |key: &str| {
        TestCall::new("DeleteTags").with("ResourceId.1", &id).with("Tag.1.Key", key).at(20)
    };
    ok(&mut region, &delete("key-0").with("Tag.1.Value", "other"));
    assert_eq!(region.tags.of(&id).len(), 50);
    ok(&mut region, &delete("key-0").with("Tag.1.Value", "v"));
    ok(&mut region, &delete("key-1"));
    assert_eq!(region.tags.of(&id).len(), 48);
    assert_eq!(code(&mut region, &delete("aws:x")), "InvalidParameterValue");
    ok(&mut region, &TestCall::new("DeleteTags").with("ResourceId.1", &id).at(20));
    assert!(region.tags.of(&id).is_empty());
    let nothing = TestCall::new("CreateTags").with("ResourceId.1", "thing");
    assert_eq!(code(&mut region, &nothing), "InvalidID");
}
