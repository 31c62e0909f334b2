//! States and what comes and goes with them.

use super::*;
use crate::ec2::instances::{Reason, shut_down};
use crate::ec2::userdata::Effect;

#[test]
fn an_instance_takes_its_time() {
    let mut region = region();
    let id = launched(&mut region);
    let hidden = code(&mut region, &of("DescribeInstances", &id));
    assert_eq!(hidden, "InvalidInstanceID.NotFound");
    assert_eq!(state(&mut region, &id, 1), "pending");
    assert_eq!(state(&mut region, &id, 11), "pending");
    assert_eq!(state(&mut region, &id, 12), "running");
    assert_eq!(region.effects, [Effect::FirstBoot(id.clone())]);

    let document = ok(&mut region, &of("StopInstances", &id).at(20));
    assert_eq!(all(&document, "name"), ["stopping", "running"]);
    assert_eq!(all(&document, "code"), ["64", "16"]);
    assert_eq!(state(&mut region, &id, 49), "stopping");
    let document = ok(&mut region, &of("DescribeInstances", &id).at(50));
    assert!(document.contains("<name>stopped</name>"), "{document}");
    assert!(document.contains("<reason>User initiated (2013-05-24 00:00:20 GMT)</reason>"));
    assert!(document.contains("<code>Client.UserInitiatedShutdown</code>"));

    let document = ok(&mut region, &of("StartInstances", &id).at(60));
    assert_eq!(all(&document, "name"), ["pending", "stopped"]);
    assert_eq!(state(&mut region, &id, 72), "running");
    // Scripts run once only.
    assert_eq!(region.effects, [Effect::FirstBoot(id.clone()), Effect::End(id.clone())]);

    let document = ok(&mut region, &of("TerminateInstances", &id).at(80));
    assert_eq!(all(&document, "name"), ["shutting-down", "running"]);
    assert_eq!(state(&mut region, &id, 109), "shutting-down");
    assert_eq!(state(&mut region, &id, 110), "terminated");
    assert_eq!(state(&mut region, &id, 3709), "terminated");
    let gone = code(&mut region, &of("DescribeInstances", &id).at(3710));
    assert_eq!(gone, "InvalidInstanceID.NotFound");
}

#[test]
fn what_can_be_done_in_which_state() {
    let mut region = region();
    let id = running(&mut region);
    let mut call =
        |action, at| of(action, &id).at(at).run(&mut region).err().map(|error| error.code);
    let wrong = Some("IncorrectInstanceState".into());
    assert_eq!(call("StartInstances", 20), None);
    assert_eq!(call("RebootInstances", 20), None);
    assert_eq!(call("StopInstances", 20), None);
    assert_eq!(call("StopInstances", 21), None);
    assert_eq!(call("StartInstances", 21), wrong);
    assert_eq!(call("RebootInstances", 21), wrong);
    assert_eq!(call("StopInstances", 60), None);
    assert_eq!(call("RebootInstances", 60), wrong);
    assert_eq!(call("StartInstances", 60), None);
    // It is pending.
    assert_eq!(call("StopInstances", 61), wrong);
    assert_eq!(call("StartInstances", 61), None);
    assert_eq!(call("TerminateInstances", 61), None);
    for at in [62, 200] {
        assert_eq!(call("TerminateInstances", at), None);
        assert_eq!(call("StartInstances", at), wrong);
        assert_eq!(call("StopInstances", at), wrong);
        assert_eq!(call("RebootInstances", at), wrong);
    }
}

#[test]
fn several_are_acted_on_together_or_not_at_all() {
    let mut region = region();
    let (one, other) = (running(&mut region), running(&mut region));
    ok(&mut region, &of("TerminateInstances", &other).at(20));
    let both = of("StopInstances", &one).with("InstanceId.2", &other).at(21);
    assert_eq!(code(&mut region, &both), "IncorrectInstanceState");
    assert_eq!(state(&mut region, &one, 21), "running");
    let missing = of("StopInstances", &one).with("InstanceId.2", "i-0123456789abcdef0").at(21);
    assert_eq!(code(&mut region, &missing), "InvalidInstanceID.NotFound");
    let malformed = of("StopInstances", "i-xyz").at(21);
    assert_eq!(code(&mut region, &malformed), "InvalidInstanceID.Malformed");
    assert_eq!(code(&mut region, &TestCall::new("StopInstances")), "MissingParameter");
    let dry = of("StopInstances", &one).with("DryRun", "true").at(21).run(&mut region).unwrap_err();
    assert_eq!((dry.status, &*dry.code), (412, "DryRunOperation"));
    assert_eq!(state(&mut region, &one, 22), "running");
}

#[test]
fn a_stopped_instance_terminates_at_once() {
    let mut region = region();
    let id = running(&mut region);
    ok(&mut region, &of("StopInstances", &id).at(20));
    let document = ok(&mut region, &of("TerminateInstances", &id).at(60));
    assert_eq!(all(&document, "name"), ["terminated", "stopped"]);
}

#[test]
fn addresses_volumes_and_interfaces_come_and_go() {
    let mut region = region();
    let id = launched(&mut region);
    let pending = ok(&mut region, &of("DescribeInstances", &id).at(2));
    assert!(!pending.contains("<ipAddress>"), "{pending}");
    let before = ok(&mut region, &of("DescribeInstances", &id).at(20));
    let (public, private) = (one(&before, "ipAddress"), one(&before, "privateIpAddress"));
    assert!(public.starts_with("198.1"), "{before}");
    assert!(private.starts_with("172.31."), "{before}");
    assert_eq!(one(&before, "status"), "attached");
    assert_eq!((region.volumes.len(), region.interfaces.len()), (1, 1));

    ok(&mut region, &of("StopInstances", &id).at(20));
    let stopped = ok(&mut region, &of("DescribeInstances", &id).at(60));
    assert!(!stopped.contains("<ipAddress>"), "{stopped}");
    ok(&mut region, &of("StartInstances", &id).at(60));
    let after = ok(&mut region, &of("DescribeInstances", &id).at(80));
    assert_ne!(one(&after, "ipAddress"), public);
    assert_eq!(one(&after, "privateIpAddress"), private);

    ok(&mut region, &of("TerminateInstances", &id).at(90));
    let ended = ok(&mut region, &of("DescribeInstances", &id).at(130));
    assert!(!ended.contains("subnetId") && !ended.contains("volumeId"), "{ended}");
    assert_eq!((region.volumes.len(), region.interfaces.len()), (0, 0));
}

#[test]
fn a_volume_may_outlive_its_instance() {
    let mut region = region();
    let root = region.images.values().next().unwrap().root_device.clone();
    let call = run(&region, 1)
        .with("BlockDeviceMapping.1.DeviceName", &root)
        .with("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "false")
        .with("BlockDeviceMapping.1.Ebs.VolumeSize", "30")
        .with("BlockDeviceMapping.2.DeviceName", "/dev/sdf")
        .with("BlockDeviceMapping.2.Ebs.VolumeSize", "5");
    let id = one(&ok(&mut region, &call), "instanceId");
    ok(&mut region, &of("TerminateInstances", &id).at(20));
    assert_eq!(state(&mut region, &id, 60), "terminated");
    let left = region.volumes.values().collect::<Vec<_>>();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].state, left[0].size_gib), ("available", 30));
    assert!(left[0].attachment.is_none());
}

#[test]
fn protection_and_shutdown_from_inside() {
    let mut region = region();
    let call = run(&region, 1).with("DisableApiTermination", "true");
    let id = one(&ok(&mut region, &call), "instanceId");
    let refused = code(&mut region, &of("TerminateInstances", &id).at(20));
    assert_eq!(refused, "OperationNotPermitted");
    let now = TestCall::new("").at(20).now;
    shut_down(&mut region, &id, now, &TestCall::new("").settings).unwrap();
    assert_eq!(state(&mut region, &id, 60), "stopped");

    let call = run(&region, 1).with("InstanceInitiatedShutdownBehavior", "terminate");
    let id = one(&ok(&mut region, &call), "instanceId");
    state(&mut region, &id, 20);
    shut_down(&mut region, &id, now, &TestCall::new("").settings).unwrap();
    let document = ok(&mut region, &of("DescribeInstances", &id).at(60));
    assert!(document.contains("Client.InstanceInitiatedShutdown"), "{document}");
    assert!(document.contains("<name>terminated</name>"), "{document}");
}

#[test]
fn a_launch_may_fail_later() {
    let mut region = region();
    region.failing_launches.push(Reason::new("Server.InternalError", "Internal error on launch"));
    let id = launched(&mut region);
    assert_eq!(state(&mut region, &id, 5), "pending");
    let document = ok(&mut region, &of("DescribeInstances", &id).at(12));
    assert!(document.contains("<name>terminated</name>"), "{document}");
    assert!(document.contains("<message>Server.InternalError: Internal error on launch</message>"));
    assert!(region.volumes.is_empty() && region.interfaces.is_empty());
}

#[test]
fn hibernation_has_to_be_prepared() {
    let mut region = region();
    let id = running(&mut region);
    let hibernate = of("StopInstances", &id).with("Hibernate", "true").at(20);
    assert_eq!(code(&mut region, &hibernate), "UnsupportedHibernationConfiguration");
    let prepared = run(&region, 1).with("HibernationOptions.Configured", "true");
    assert_eq!(code(&mut region, &prepared), "UnsupportedHibernationConfiguration");
    let root = region.images.values().next().unwrap().root_device.clone();
    let prepared = prepared
        .with("BlockDeviceMapping.1.DeviceName", &root)
        .with("BlockDeviceMapping.1.Ebs.Encrypted", "true");
    let id = one(&ok(&mut region, &prepared), "instanceId");
    ok(&mut region, &of("StopInstances", &id).with("Hibernate", "true").at(20));
    let document = ok(&mut region, &of("DescribeInstances", &id).at(60));
    assert!(document.contains("<code>Client.UserInitiatedHibernate</code>"), "{document}");
}
