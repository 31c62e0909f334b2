//! Listings: filters, pages, and what they do not see yet.

use super::*;

fn list(region: &mut Region, filters: &[(&str, &str)], at: u64) -> Vec<String> {
    let mut call = TestCall::new("DescribeInstances").at(at);
    for (number, (name, value)) in filters.iter().enumerate() {
        call = call
            .with(&format!("Filter.{}.Name", number + 1), name)
            .with(&format!("Filter.{}.Value.1", number + 1), value);
    }
    all(&ok(region, &call), "instanceId")
}

#[test]
fn what_was_created_is_seen_later() {
    let mut region = region();
    let id = launched(&mut region);
    assert!(list(&mut region, &[], 0).is_empty());
    assert!(list(&mut region, &[("instance-state-name", "pending")], 0).is_empty());
    assert_eq!(code(&mut region, &of("TerminateInstances", &id)), "InvalidInstanceID.NotFound");
    let tag = TestCall::new("CreateTags")
        .with("ResourceId.1", &id)
        .with("Tag.1.Key", "a")
        .with("Tag.1.Value", "b");
    assert_eq!(code(&mut region, &tag), "InvalidInstanceID.NotFound");
    assert_eq!(list(&mut region, &[], 1), [id.as_str()]);
    ok(&mut region, &tag.at(1));

    // Or after some reads.
    let mut call = run(&region, 1);
    call.settings.unseen_reads = 2;
    let id = one(&ok(&mut region, &call), "instanceId");
    let describe = of("DescribeInstances", &id).at(5);
    for _ in 0..2 {
        assert_eq!(code(&mut region, &describe), "InvalidInstanceID.NotFound");
    }
    ok(&mut region, &describe);
}

#[test]
fn delays_are_drawn() {
    let seen_after = |seed| {
        let mut region = region();
        let mut call = run(&region, 1);
        call.settings.lag_seed = Some(seed);
        call.settings.unseen_reads = 9;
        let ids = (0..20).map(|_| one(&ok(&mut region, &call), "instanceId")).collect::<Vec<_>>();
        let reads = |id: &String| {
            let describe = of("DescribeInstances", id).at(1);
            (0..=10).find(|_| describe.run(&mut region).is_ok()).unwrap()
        };
        ids.iter().map(reads).collect::<Vec<_>>()
    };
    assert_eq!(seen_after(1), seen_after(1));
    assert_ne!(seen_after(1), seen_after(2));
    assert!(seen_after(1).iter().all(|reads| *reads <= 9));
}

#[test]
fn filters() {
    let mut region = region();
    let one_id = running(&mut region);
    let other = launched(&mut region);
    let tag = TestCall::new("CreateTags").with("ResourceId.1", &one_id).at(2);
    ok(&mut region, &tag.with("Tag.1.Key", "Name").with("Tag.1.Value", "web-1"));
    let document = ok(&mut region, &of("DescribeInstances", &one_id).at(2));
    let shown = |name: &str| one(&document, name);
    for (name, value) in [
        ("tag:Name", "web-?".to_owned()),
        ("tag-key", "Na*".to_owned()),
        ("instance-state-name", "running".to_owned()),
        ("instance-state-code", "16".to_owned()),
        ("private-ip-address", shown("privateIpAddress")),
        ("ip-address", shown("ipAddress")),
        ("dns-name", shown("dnsName")),
        ("network-interface.network-interface-id", shown("networkInterfaceId")),
        ("block-device-mapping.volume-id", shown("volumeId")),
        ("reservation-id", shown("reservationId")),
        ("instance-id", one_id.clone()),
    ] {
        assert_eq!(list(&mut region, &[(name, &value)], 2), [one_id.as_str()], "{name}");
    }
    let both = list(&mut region, &[("instance-type", TYPE), ("vpc-id", &shown("vpcId"))], 2);
    assert_eq!(both.len(), 2);
    let pending = list(&mut region, &[("instance-state-name", "pending")], 2);
    assert_eq!(pending, [other.as_str()]);
    let unknown = TestCall::new("DescribeInstances")
        .with("Filter.1.Name", "nonsense")
        .with("Filter.1.Value.1", "x");
    assert_eq!(code(&mut region, &unknown), "InvalidParameterValue");
}

#[test]
fn pages_keep_reservations_together() {
    let mut region = region();
    for count in [3, 1, 4] {
        let call = run(&region, count);
        ok(&mut region, &call);
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let mut call = TestCall::new("DescribeInstances").with("MaxResults", "5").at(2);
        if !token.is_empty() {
            call = call.with("NextToken", &token);
        }
        let document = ok(&mut region, &call);
        let ids = all(&document, "instanceId");
        assert!(ids.len() <= 5);
        seen.extend(ids);
        token = one(&document, "nextToken");
        if token.is_empty() {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 8);
    let named = of("DescribeInstances", &seen[0]).with("MaxResults", "5").at(2);
    assert_eq!(code(&mut region, &named), "InvalidParameterCombination");
    let few = TestCall::new("DescribeInstances").with("MaxResults", "4");
    assert_eq!(code(&mut region, &few), "InvalidParameterValue");
}

#[test]
fn status_checks() {
    let mut region = region();
    let id = running(&mut region);
    let status = |region: &mut Region, call: TestCall| all(&ok(region, &call), "status");
    let describe = || of("DescribeInstanceStatus", &id);
    let now = status(&mut region, describe().at(100));
    assert_eq!(now, ["initializing"; 4]);
    let later = status(&mut region, describe().at(140));
    assert_eq!(later, ["ok", "passed", "ok", "passed"]);
    ok(&mut region, &of("StopInstances", &id).at(150));
    assert!(status(&mut region, TestCall::new("DescribeInstanceStatus").at(200)).is_empty());
    let every = describe().with("IncludeAllInstances", "true").at(200);
    assert_eq!(status(&mut region, every), ["not-applicable"; 2]);
}
