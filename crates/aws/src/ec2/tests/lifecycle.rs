use std::time::{Duration, SystemTime};

use polycloud_core::ErrorKind;
use polycloud_core::compute::{
    InstanceFilter, InstanceState as State, LabelPatch, Owner, StateReason, StopMode,
    TerminateOptions,
};

use super::*;

fn reason(code: &str) -> String {
    format!("<stateReason><code>{code}</code><message>W</message></stateReason>")
}

fn tags(pairs: &[(&str, &str)]) -> String {
    let item = |(key, value): &(&str, &str)| {
        format!("<item><key>{key}</key><value>{value}</value></item>")
    };
    format!("<tagSet>{}</tagSet>", pairs.iter().map(item).collect::<String>())
}

async fn read(state: &str, more: &str) -> polycloud_core::compute::Instance {
    let (compute, _) = region([described(&[instance("i-1", state, more)])]).await;
    compute.0.instance(&compute.0.describe("i-1").await.unwrap()).unwrap()
}

#[tokio::test]
async fn states_and_reasons_are_the_traits() {
    let hibernated = reason("Client.UserInitiatedHibernate");
    let rows = [
        ("pending", String::new(), State::Pending, Some(false)),
        ("pending", reason("pending"), State::Pending, Some(false)),
        ("running", String::new(), State::Running, Some(true)),
        ("stopping", reason("Client.UserInitiatedShutdown"), State::Stopping, Some(false)),
        ("stopping", hibernated.clone(), State::Suspending, Some(true)),
        ("stopped", reason("Server.SpotInstanceShutdown"), State::Stopped, Some(false)),
        ("stopped", hibernated, State::Suspended, Some(false)),
        ("shutting-down", String::new(), State::Terminating, Some(false)),
        ("terminated", String::new(), State::Terminated, Some(false)),
        ("melting", String::new(), State::Unknown, None),
    ];
    for (native, more, state, billed) in rows {
        let status = read(native, &more).await.status;
        assert_eq!((status.state, status.compute_billed), (state, billed), "{native} {more}");
        assert_eq!(status.native, native);
    }
    for (code, expected) in [
        ("Client.UserInitiatedShutdown", StateReason::UserRequest),
        ("Client.UserInitiatedHibernate", StateReason::UserRequest),
        ("Client.InstanceInitiatedShutdown", StateReason::GuestShutdown),
        ("Server.SpotInstanceTermination", StateReason::Preempted),
        ("Server.SpotInstanceShutdown", StateReason::Preempted),
        ("Server.InsufficientInstanceCapacity", StateReason::CapacityLost),
        ("Server.InternalError", StateReason::HostError),
        (
            "Client.VolumeLimitExceeded",
            StateReason::Other { code: "Client.VolumeLimitExceeded".into(), message: "W".into() },
        ),
    ] {
        assert_eq!(read("terminated", &reason(code)).await.status.reason, Some(expected));
    }
    assert_eq!(read("running", &reason("pending")).await.status.reason, None);
}

#[tokio::test]
async fn an_instance_is_read_with_all_that_it_has() {
    let more = tags(&[
        ("Name", "web"),
        ("polycloud-owner", "me"),
        ("polycloud-token", "t"),
        ("env", "prod"),
        ("aws:autoscaling:x", "y"),
        ("Cost Centre", "7"),
    ]);
    let more = format!(
        "<instanceLifecycle>spot</instanceLifecycle><ipAddress>192.0.2.7</ipAddress>\
         <privateIpAddress>10.0.0.7</privateIpAddress><networkInterfaceSet><item><attachment>\
         <deviceIndex>0</deviceIndex><attachTime>2025-12-31T10:00:00.000Z</attachTime></attachment>\
         <privateIpAddressesSet><item><privateIpAddress>10.0.0.7</privateIpAddress></item>\
         <item><privateIpAddress>10.0.0.8</privateIpAddress></item></privateIpAddressesSet>\
         <ipv6AddressesSet><item><ipv6Address>2001:db8::7</ipv6Address></item></ipv6AddressesSet>\
         </item></networkInterfaceSet>{more}"
    );
    let instance = read("running", &more).await;
    assert_eq!(instance.id.to_string(), "aws:eu-west-1/i-1");
    assert_eq!((instance.name.as_str(), instance.instance_type.as_str()), ("web", "t3.micro"));
    assert_eq!(instance.owner, Some(Owner::new("me").unwrap()));
    assert_eq!(instance.labels.iter().collect::<Vec<_>>(), [("env", "prod")]);
    assert_eq!(instance.zone.as_deref(), Some("eu-west-1b"));
    assert!(instance.spot);
    let text = |ips: &[std::net::IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(text(&instance.public_ips), ["192.0.2.7", "2001:db8::7"]);
    assert_eq!(text(&instance.private_ips), ["10.0.0.7", "10.0.0.8"]);
    // It was launched again on the next day.
    let created = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_175_200);
    assert_eq!(instance.created, Some(created));
    let bare = read("running", "").await;
    assert_eq!((bare.name.as_str(), bare.owner, bare.spot), ("i-1", None, false));
    assert_eq!(read("running", &tags(&[("Name", "My Server")])).await.name.as_str(), "i-1");
}

#[tokio::test]
async fn a_stop_of_what_is_suspended_is_refused() {
    let stopped = || changed("StopInstances", "i-1", "stopped", "stopped");
    let hibernated = reason("Client.UserInitiatedHibernate");
    for (more, expected) in [(hibernated.as_str(), Err(ErrorKind::InvalidState)), ("", Ok(()))] {
        let (compute, _) =
            region([stopped(), described(&[instance("i-1", "stopped", more)])]).await;
        let result = compute.0.stop(&id(), StopMode::Deallocate).await;
        assert_eq!(result.map_err(|error| error.kind()), expected);
    }
    let (compute, script) = region([changed("StopInstances", "i-1", "running", "stopping")]).await;
    compute.0.stop(&id(), StopMode::Force).await.unwrap();
    assert_eq!(script.asked()[0].value("Force").as_deref(), Some("true"));
}

#[tokio::test]
async fn modes_that_ec2_lacks_are_refused_without_a_request() {
    let (compute, script) = region([]).await;
    for mode in [StopMode::KeepAllocated, StopMode::Suspend] {
        let error = compute.0.stop(&id(), mode).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let force = polycloud_core::compute::RestartMode::Force;
    let error = compute.0.restart(&id(), force).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let other = InstanceId::new("aws", "us-east-1", "i-1").unwrap();
    assert_eq!(compute.0.start(&other).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn a_start_that_is_refused_may_have_been_done_by_another() {
    let refused = || refused(400, "IncorrectInstanceState");
    for (state, expected) in [
        ("pending", Ok(())),
        ("running", Ok(())),
        ("stopping", Err(ErrorKind::InvalidState)),
        ("terminated", Err(ErrorKind::InvalidState)),
    ] {
        let (compute, _) = region([refused(), described(&[instance("i-1", state, "")])]).await;
        let result = compute.0.start(&id()).await;
        assert_eq!(result.map_err(|error| error.kind()), expected, "{state}");
    }
}

#[tokio::test]
async fn pages_below_five_are_parts_of_a_page() {
    let ids = |n: std::ops::Range<u32>| {
        n.map(|n| instance(&format!("i-{n}"), "running", "")).collect::<Vec<_>>()
    };
    let page = |instances: &[String], next: &str| {
        let all = instances.concat();
        answered(
            "DescribeInstances",
            &format!(
                "<reservationSet><item><instancesSet>{all}</instancesSet></item></reservationSet>\
                 <nextToken>{next}</nextToken>"
            ),
        )
    };
    // One of the rest is gone by the time that it is asked for.
    let answers =
        [page(&ids(0..5), "n/1"), page(&ids(2..3), ""), page(&ids(4..5), ""), page(&ids(5..6), "")];
    let (compute, script) = region(answers).await;
    let filter = InstanceFilter::default().with_page_size(2);
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let page = compute.0.list(&filter, token.as_ref()).await.unwrap();
        assert!(page.instances.len() <= 2);
        names.extend(page.instances.iter().map(|instance| instance.name.to_string()));
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["i-0", "i-1", "i-2", "i-4", "i-5"]);
    let asked = script.asked();
    let values = |name: &str| asked.iter().map(|asked| asked.value(name)).collect::<Vec<_>>();
    assert_eq!(values("NextToken"), [None, None, None, Some("n/1".to_owned())]);
    let rest = ["i-2", "i-4"].map(|id| Some(id.to_owned()));
    assert_eq!(values("Filter.2.Value.1")[1..3], rest, "the rest of a page is asked for by id");
}

#[tokio::test]
async fn labels_are_set_and_removed_in_the_limits() {
    let more = tags(&[("Name", "a"), ("old", "1"), ("polycloud-owner", "me")]);
    let read = || described(&[instance("i-1", "running", &more)]);
    let ok = |action: &str| answered(action, "<return>true</return>");
    let (compute, script) = region([read(), ok("DeleteTags"), ok("CreateTags")]).await;
    let patch = LabelPatch::new().set("new", "2").unwrap().remove("old").unwrap();
    compute.0.set_labels(&id(), &patch.remove("never").unwrap()).await.unwrap();
    let asked = script.asked();
    assert_eq!(script.actions(), ["DescribeInstances", "DeleteTags", "CreateTags"]);
    assert_eq!(asked[1].value("Tag.1.Key").as_deref(), Some("old"));
    assert_eq!((asked[1].value("Tag.2.Key"), asked[1].value("Tag.1.Value")), (None, None));
    assert_eq!(asked[2].value("Tag.1.Key").as_deref(), Some("new"));
    let (compute, script) = region([read()]).await;
    let many = (0..44).try_fold(LabelPatch::new(), |patch, n| patch.set(format!("l{n}"), "x"));
    let error = compute.0.set_labels(&id(), &many.unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), script.actions().len()), (ErrorKind::InvalidArgument, 1));
    let (compute, _) = region([described(&[instance("i-1", "terminated", "")])]).await;
    let patch = LabelPatch::new().set("a", "b").unwrap();
    let error = compute.0.set_labels(&id(), &patch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
}

fn terminating() -> Answer {
    changed("TerminateInstances", "i-1", "running", "shutting-down")
}

#[tokio::test]
async fn a_terminate_is_for_the_owner_who_is_named() {
    let owned = |owner: &str| {
        described(&[instance("i-1", "running", &tags(&[("polycloud-owner", owner)]))])
    };
    let only = TerminateOptions::default().with_only_owner(Owner::new("me").unwrap());
    let (compute, script) = region([owned("you")]).await;
    let error = compute.0.terminate(&id(), &only).await.unwrap_err();
    assert_eq!((error.kind(), script.actions().len()), (ErrorKind::PermissionDenied, 1));
    let (compute, _) = region([owned("me"), terminating()]).await;
    compute.0.terminate(&id(), &only).await.unwrap();
    let unknown = || refused(400, "InvalidInstanceID.NotFound");
    let (compute, _) = region([unknown()]).await;
    compute.0.terminate(&id(), &only).await.unwrap();
    let (compute, _) = region([unknown(), unknown()]).await;
    compute.0.terminate(&id(), &TerminateOptions::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_terminate_removes_the_group_of_the_instance() {
    let more = format!(
        "{}<vpcId>vpc-1</vpcId><groupSet><item><groupId>sg-1</groupId></item></groupSet>",
        tags(&[("polycloud-group", "sg-1")])
    );
    let own = || described(&[instance("i-1", "running", &more)]);
    let ok = |action: &str| answered(action, "<return>true</return>");
    let default = answered(
        "DescribeSecurityGroups",
        "<securityGroupInfo><item><groupId>sg-0</groupId></item></securityGroupInfo>",
    );
    let answers = [
        own(),
        terminating(),
        described(&[]),
        default,
        ok("ModifyInstanceAttribute"),
        refused(400, "DependencyViolation"),
        ok("DeleteSecurityGroup"),
    ];
    let (compute, script) = region(answers).await;
    compute.0.terminate(&id(), &TerminateOptions::default()).await.unwrap();
    assert_eq!(script.asked()[4].value("GroupId.1").as_deref(), Some("sg-0"));

    // Others use it.
    let other = described(&[instance("i-2", "running", "")]);
    let (compute, script) = region([own(), terminating(), other]).await;
    compute.0.terminate(&id(), &TerminateOptions::default()).await.unwrap();
    assert_eq!(script.actions().len(), 3);

    let denied = refused(403, "UnauthorizedOperation");
    let answers = [own(), terminating(), described(&[]), refused(400, "X"), denied];
    let (compute, _) = region(answers).await;
    let error = compute.0.terminate(&id(), &TerminateOptions::default()).await.unwrap_err();
    assert_eq!(error.outcome(), polycloud_core::Outcome::Applied);
    assert_eq!(error.leaked()[0].to_string(), "security group sg-1");
}

#[tokio::test]
async fn a_terminate_that_is_not_confirmed_is_an_error() {
    let (compute, _) = region([
        described(&[instance("i-1", "running", "")]),
        changed("TerminateInstances", "i-1", "running", "running"),
    ])
    .await;
    let error = compute.0.terminate(&id(), &TerminateOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
}
