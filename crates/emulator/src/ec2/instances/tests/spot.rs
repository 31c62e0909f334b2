//! Spot instances.

use super::*;
use crate::ec2::instances::interrupt;

fn spot(region: &Region) -> TestCall {
    run(region, 1).with("InstanceMarketOptions.MarketType", "spot")
}

fn requests(region: &mut Region, at: u64) -> (String, String) {
    let document = ok(region, &TestCall::new("DescribeSpotInstanceRequests").at(at));
    (one(&document, "state"), one(&document, "code"))
}

#[test]
fn a_one_time_instance_is_taken_away() {
    let mut region = region();
    let call = spot(&region).with("InstanceMarketOptions.SpotOptions.MaxPrice", "0.05");
    let document = ok(&mut region, &call);
    let id = one(&document, "instanceId");
    assert_eq!(one(&document, "instanceLifecycle"), "spot");
    assert!(document.contains("<spotInstanceRequestId>sir-"), "{document}");
    assert_eq!(requests(&mut region, 20), ("active".to_owned(), "fulfilled".to_owned()));
    assert_eq!(code(&mut region, &of("StopInstances", &id).at(20)), "UnsupportedOperation");
    let test = TestCall::new("").at(30);
    interrupt(&mut region, &id, test.now, &test.settings).unwrap();
    let document = ok(&mut region, &of("DescribeInstances", &id).at(60));
    assert!(document.contains("<name>terminated</name>"), "{document}");
    assert!(document.contains("<code>Server.SpotInstanceTermination</code>"), "{document}");
    let expected = ("closed".to_owned(), "instance-terminated-no-capacity".to_owned());
    assert_eq!(requests(&mut region, 60), expected);
    assert!(interrupt(&mut region, &id, test.now, &test.settings).is_err());
}

#[test]
fn a_persistent_instance_is_stopped() {
    let mut region = region();
    let stopping = spot(&region)
        .with("InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "stop");
    assert_eq!(code(&mut region, &stopping), "InvalidParameterCombination");
    let call = stopping.with("InstanceMarketOptions.SpotOptions.SpotInstanceType", "persistent");
    let id = one(&ok(&mut region, &call), "instanceId");
    state(&mut region, &id, 20);
    let test = TestCall::new("").at(30);
    interrupt(&mut region, &id, test.now, &test.settings).unwrap();
    assert_eq!(state(&mut region, &id, 60), "stopped");
    assert_eq!(requests(&mut region, 60).0, "disabled");
    ok(&mut region, &of("TerminateInstances", &id).at(70));
    assert_eq!(requests(&mut region, 70).0, "open");
    let request = region.spot_requests.keys().next().unwrap().clone();
    let cancel =
        TestCall::new("CancelSpotInstanceRequests").with("SpotInstanceRequestId.1", &request);
    assert_eq!(one(&ok(&mut region, &cancel.at(80)), "state"), "cancelled");
}

#[test]
fn only_spot_instances_are_taken_away() {
    let mut region = region();
    let id = running(&mut region);
    let test = TestCall::new("").at(30);
    assert!(interrupt(&mut region, &id, test.now, &test.settings).is_err());
}
