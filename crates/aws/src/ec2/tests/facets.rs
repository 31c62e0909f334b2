use polycloud_core::compute::{
    Arch, Compute, ComputeExt, Hardware, ImageBuild, ImageSelector, IngressRule, Needs, NewVolume,
    Protocol, TypeQuery,
};
use polycloud_core::page::PageToken;
use polycloud_core::{ErrorKind, Outcome};
use serde_json::json;

use super::*;

fn kind(name: &str, vcpus: u32, memory: u32, arch: &str, more: &str) -> String {
    format!(
        "<item><instanceType>{name}</instanceType><processorInfo><supportedArchitectures>\
         <item>{arch}</item></supportedArchitectures></processorInfo><vCpuInfo><defaultVCpus>{vcpus}\
         </defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>{memory}</sizeInMiB></memoryInfo>{more}</item>"
    )
}

fn kinds(all: &[String], next: &str) -> Answer {
    let all = all.concat();
    let inside = format!("<instanceTypeSet>{all}</instanceTypeSet><nextToken>{next}</nextToken>");
    answered("DescribeInstanceTypes", &inside)
}

const NITRO: &str = "<hypervisor>nitro</hypervisor>";
const BURSTS: &str = "<burstablePerformanceSupported>true</burstablePerformanceSupported>";
const GPU: &str = "<gpuInfo><totalGpuMemoryInMiB>1</totalGpuMemoryInMiB></gpuInfo>";
const METAL: &str = "<bareMetal>true</bareMetal>";

/// A catalogue on two pages, in no order.
fn catalogue() -> Vec<Answer> {
    let first = [
        kind("m6i.large", 2, 8192, "x86_64", NITRO),
        kind("g5.tiny", 1, 1024, "x86_64", GPU),
        kind("z1.metal", 1, 1024, "x86_64", METAL),
        kind("mac1.metal", 2, 1024, "x86_64_mac", ""),
        kind("m4.large", 2, 8192, "x86_64", ""),
    ];
    let second = [
        kind("t3.large", 2, 8192, "x86_64", &format!("{NITRO}{BURSTS}")),
        kind("t4g.micro", 2, 1024, "arm64", &format!("{NITRO}{BURSTS}")),
        kind("t3.micro", 2, 1024, "x86_64", &format!("{NITRO}{BURSTS}")),
        kind("t3.nano", 2, 512, "x86_64", &format!("{NITRO}{BURSTS}")),
    ];
    vec![kinds(&first, "p2"), kinds(&second, "")]
}

#[tokio::test]
async fn the_smallest_plain_type_is_chosen() {
    let (compute, script) = region(catalogue()).await;
    let chosen = async |needs: Needs| {
        types::choose(&compute.0, &Hardware::Needs(needs), None).await.map(|kind| kind.name)
    };
    assert_eq!(chosen(Needs::default()).await.unwrap(), "t3.micro");
    let arm = Needs::default().with_arch(Arch::Arm64);
    assert_eq!(chosen(arm).await.unwrap(), "t4g.micro");
    assert_eq!(chosen(Needs::new(1, 0)).await.unwrap(), "t3.nano");
    assert_eq!(chosen(Needs::new(2, 4096)).await.unwrap(), "t3.large");
    let error = chosen(Needs::new(64, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("64 vCPU"), "{error}");
    // All of it from one reading of two pages.
    assert_eq!(script.actions(), ["DescribeInstanceTypes"; 2]);
    assert_eq!(script.asked()[1].value("NextToken").as_deref(), Some("p2"));
}

#[tokio::test]
async fn types_are_listed_in_pages_smallest_first() {
    use futures::TryStreamExt as _;
    let (compute, _) = region(catalogue()).await;
    let query = TypeQuery::default().with_page_size(3);
    let all: Vec<_> = compute.types(query.clone()).try_collect().await.unwrap();
    let names: Vec<_> = all.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "g5.tiny",
            "z1.metal",
            "t3.nano",
            "t3.micro",
            "t4g.micro",
            "t3.large",
            "m6i.large",
            "m4.large"
        ]
    );
    for token in ["", "x", "ec2-type/", "ec2-type/no.such", "ec2-type/a b", "ec2//x"] {
        let page = compute.types_page(&query, Some(&PageToken::new(token))).await;
        assert_eq!(page.unwrap_err().kind(), ErrorKind::InvalidArgument, "{token}");
    }
}

fn image(id: &str, owner: &str, name: &str, created: &str) -> String {
    format!(
        "<item><imageId>{id}</imageId><imageOwnerId>{owner}</imageOwnerId><name>{name}</name>\
         <architecture>x86_64</architecture><imageState>available</imageState>\
         <creationDate>{created}</creationDate><rootDeviceName>/dev/xvda</rootDeviceName>\
         <blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId>\
         <volumeSize>8</volumeSize></ebs></item></blockDeviceMapping></item>"
    )
}

fn images(all: &[String]) -> Answer {
    answered("DescribeImages", &format!("<imagesSet>{}</imagesSet>", all.concat()))
}

const DEBIAN: &str = "136693071363";

fn parameter() -> Answer {
    let name = "/aws/service/debian/release/13/latest/amd64";
    answer(200, json!({ "Parameters": [{ "Name": name, "Value": "ami-7" }] }).to_string())
}

#[tokio::test]
async fn an_alias_is_the_publishers_image() {
    let (compute, script) =
        region([parameter(), images(&[image("ami-7", DEBIAN, "debian-13", "")])]).await;
    let found = compute.resolve_image(&ImageSelector::Default, Arch::X86_64).await.unwrap();
    assert_eq!((found.id.as_str(), found.login_user.as_deref()), ("ami-7", Some("admin")));
    assert_eq!(script.asked()[0].target, "AmazonSSM.GetParameters");
    assert_eq!(script.asked()[1].value("ImageId.1").as_deref(), Some("ami-7"));
    // What a parameter names may belong to nobody else, and is of the architecture.
    let (compute, _) =
        region([parameter(), images(&[image("ami-7", "666666666666", "debian-13", "")])]).await;
    let error = compute.resolve_image(&ImageSelector::Default, Arch::X86_64).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains(DEBIAN), "{error}");
}

#[tokio::test]
async fn an_alias_is_searched_by_name_where_parameters_cannot_be_read() {
    let denied = || answer(400, json!({ "__type": "AccessDeniedException" }).to_string());
    let none = || answer(200, json!({ "InvalidParameters": ["x"] }).to_string());
    let all = [
        image("ami-2", DEBIAN, "debian-12-amd64-20260101-1", "2026-01-01T00:00:00.000Z"),
        image("ami-3", DEBIAN, "debian-12-amd64-20260301-1", "2026-03-01T00:00:00.000Z"),
        image("ami-1", DEBIAN, "debian-12-amd64-20250101-1", "2025-01-01T00:00:00.000Z"),
    ];
    for first in [denied(), none()] {
        let (compute, script) = region([first, images(&all)]).await;
        let alias = ImageSelector::Alias("debian:12".into());
        let found = compute.resolve_image(&alias, Arch::X86_64).await.unwrap();
        assert_eq!(found.id, "ami-3");
        let asked = &script.asked()[1];
        assert_eq!(asked.value("Owner.1").as_deref(), Some(DEBIAN));
        assert_eq!(asked.value("Filter.1.Value.1").as_deref(), Some("debian-12-amd64-*"));
    }
    // Nothing is asked for what no publisher can have.
    let (compute, script) = region([]).await;
    for alias in ["debian:1*", "debian", "debian:", "nobody:1", "ubuntu:24.04/../x"] {
        let alias = ImageSelector::Alias(alias.into());
        let error = compute.resolve_image(&alias, Arch::X86_64).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{alias:?}");
    }
    assert_eq!(script.actions(), [""; 0]);
}

fn group(id: &str, ports: &[(u16, &str)]) -> Answer {
    let rule = |(port, source): &(u16, &str)| {
        format!(
            "<item><ipProtocol>tcp</ipProtocol><fromPort>{port}</fromPort><toPort>{port}</toPort>\
             <ipRanges><item><cidrIp>{source}</cidrIp><description>x</description></item></ipRanges>\
             </item>"
        )
    };
    let rules: String = ports.iter().map(rule).collect();
    let inside = format!(
        "<securityGroupInfo><item><groupId>{id}</groupId><groupName>web</groupName>\
         <ipPermissions>{rules}</ipPermissions></item></securityGroupInfo>"
    );
    answered("DescribeSecurityGroups", &inside)
}

fn rules(all: &[(u16, &str)]) -> Vec<IngressRule> {
    let rule = |(port, source): &(u16, &str)| {
        IngressRule::new(Protocol::Tcp, *port..=*port, source.parse().unwrap()).unwrap()
    };
    all.iter().map(rule).collect()
}

#[tokio::test]
async fn only_rules_that_differ_are_changed_and_new_ones_come_first() {
    let done = |action| answered(action, "<return>true</return>");
    let (authorize, revoke) = ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress");
    let before = [(22, "10.0.0.0/8"), (80, "0.0.0.0/0")];
    let (compute, script) = region([group("sg-1", &before), done(authorize), done(revoke)]).await;
    let after = rules(&[(80, "0.0.0.0/0"), (443, "0.0.0.0/0")]);
    compute.firewalls().unwrap().set_rules("sg-1", &after).await.unwrap();
    assert_eq!(script.actions(), ["DescribeSecurityGroups", authorize, revoke]);
    let port = |n: usize| script.asked()[n].values("IpPermissions.1.FromPort");
    assert_eq!((port(1), port(2)), (vec!["443".to_owned()], vec!["22".to_owned()]));
    assert_eq!(script.asked()[1].value("IpPermissions.2.FromPort"), None);
    let (compute, script) = region([group("sg-1", &before)]).await;
    compute.firewalls().unwrap().set_rules("sg-1", &rules(&before)).await.unwrap();
    assert_eq!(script.actions().len(), 1, "nothing differs");
}

#[tokio::test]
async fn rules_that_somebody_changes_meanwhile_are_read_again() {
    let revoke = "RevokeSecurityGroupIngress";
    let (compute, script) = region([
        group("sg-1", &[(22, "10.0.0.0/8"), (23, "10.0.0.0/8")]),
        refused(400, "InvalidPermission.NotFound"),
        group("sg-1", &[(23, "10.0.0.0/8")]),
        answered(revoke, "<return>true</return>"),
    ])
    .await;
    compute.firewalls().unwrap().set_rules("sg-1", &[]).await.unwrap();
    assert_eq!(script.actions()[3], revoke);
    let (compute, _) = region([refused(400, "InvalidGroup.NotFound")]).await;
    let error = compute.firewalls().unwrap().set_rules("sg-1", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_firewall_without_its_rules_is_removed_again() {
    let made = || answered("CreateSecurityGroup", "<groupId>sg-1</groupId>");
    let gone = answered("DeleteSecurityGroup", "<return>true</return>");
    let refusal = || refused(400, "RulesPerSecurityGroupLimitExceeded");
    let (compute, script) = region([made(), refusal(), gone]).await;
    let open = rules(&[(80, "0.0.0.0/0")]);
    let error = compute.firewalls().unwrap().create("web", &open).await.unwrap_err();
    assert_eq!((error.kind(), error.leaked().len()), (ErrorKind::QuotaExceeded, 0));
    assert_eq!(script.actions()[2], "DeleteSecurityGroup");
    let stuck = refused(403, "UnauthorizedOperation");
    let (compute, _) = region([made(), refusal(), stuck]).await;
    let error = compute.firewalls().unwrap().create("web", &open).await.unwrap_err();
    assert_eq!((error.outcome(), error.leaked()[0].id.as_str()), (Outcome::Applied, "sg-1"));
}

fn disks(names: &[&str]) -> Answer {
    let disk = |name: &&str| {
        format!("<item><deviceName>{name}</deviceName><ebs><volumeId>v</volumeId></ebs></item>")
    };
    let disks: String = names.iter().map(disk).collect();
    let disks = format!("<blockDeviceMapping>{disks}</blockDeviceMapping>");
    described(&[instance("i-1", "running", &disks)])
}

#[tokio::test]
async fn a_volume_is_attached_as_a_device_that_is_free() {
    let attached = || answered("AttachVolume", "<volumeId>vol-1</volumeId>");
    for (used, device) in [
        (vec!["/dev/xvda"], "/dev/sdf"),
        (vec!["/dev/sda1", "/dev/sdf", "xvdg"], "/dev/sdh"),
        (vec!["/dev/sdg", "/dev/nvme1n1"], "/dev/sdf"),
    ] {
        let (compute, script) = region([disks(&used), attached()]).await;
        compute.volumes().unwrap().attach("vol-1", &id()).await.unwrap();
        assert_eq!(script.asked()[1].value("Device").as_deref(), Some(device));
    }
    // Somebody else was faster.
    let taken = || refused(400, "InvalidParameterValue");
    let (compute, script) =
        region([disks(&[]), taken(), disks(&["/dev/sdf"]), disks(&["/dev/sdf"]), attached()]).await;
    compute.volumes().unwrap().attach("vol-1", &id()).await.unwrap();
    assert_eq!(script.asked()[4].value("Device").as_deref(), Some("/dev/sdg"));
    let (compute, _) = region([disks(&[]), taken(), disks(&[])]).await;
    let error = compute.volumes().unwrap().attach("vol-1", &id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let all: Vec<_> = ('f'..='p').map(|letter| format!("/dev/sd{letter}")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let (compute, _) = region([disks(&all)]).await;
    let error = compute.volumes().unwrap().attach("vol-1", &id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
}

#[tokio::test(start_paused = true)]
async fn what_was_just_made_is_waited_for_and_nothing_else() {
    let made = answered("CreateVolume", "<volumeId>vol-1</volumeId><status>creating</status>");
    let missing = || refused(400, "InvalidVolume.NotFound");
    let listed = |inside: &str| {
        let inside = format!("<volumeSet>{inside}</volumeSet>");
        answered("DescribeVolumes", &inside)
    };
    let one = "<item><volumeId>vol-1</volumeId><size>1</size><status>available</status></item>";
    let gone = || answered("DeleteVolume", "<return>true</return>");
    let (compute, script) = region([
        made,
        missing(),
        listed(one),
        listed(""),
        listed(one),
        missing(),
        gone(),
        missing(),
    ])
    .await;
    let volumes = compute.volumes().unwrap();
    let mut new = NewVolume::new("data", 1);
    new.zone = Some("eu-west-1a".into());
    let volume = volumes.create(&new).await.unwrap();
    assert_eq!(script.asked()[0].value("ClientToken").unwrap().len(), 32);
    assert_eq!(volumes.get(&volume.id).await.unwrap().id, "vol-1");
    assert_eq!(volumes.list().await.unwrap().len(), 1);
    volumes.delete("vol-1").await.unwrap();
    // Now it is known to be gone, and nobody waits for it.
    volumes.delete("vol-1").await.unwrap();
    assert_eq!(script.actions().len(), 8);
    let (compute, script) = region([missing()]).await;
    let error = compute.volumes().unwrap().get("vol-1").await.unwrap_err();
    assert_eq!((error.kind(), script.actions().len()), (ErrorKind::NotFound, 1));
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_made_of_a_snapshot_that_is_not_seen_yet() {
    let snapshot = answered("CreateSnapshot", "<snapshotId>snap-1</snapshotId>");
    let missing = || refused(400, "InvalidSnapshot.NotFound");
    let made = answered("CreateVolume", "<volumeId>vol-2</volumeId><status>creating</status>");
    let (compute, script) = region([snapshot, missing(), made, missing()]).await;
    let volumes = compute.volumes().unwrap();
    let mut new = NewVolume::new("copy", 1);
    new.zone = Some("eu-west-1a".into());
    new.snapshot = Some(volumes.snapshot("vol-1", "backup").await.unwrap().id);
    assert_eq!(volumes.create(&new).await.unwrap().id, "vol-2");
    let tokens: Vec<_> = script.asked()[1..].iter().map(|it| it.value("ClientToken")).collect();
    assert!(tokens[0].is_some() && tokens[0] == tokens[1], "{tokens:?}");
    // Of a snapshot that somebody else has made nothing is waited for.
    new.snapshot = Some("snap-2".into());
    let error = volumes.create(&new).await.unwrap_err();
    assert_eq!((error.kind(), script.actions().len()), (ErrorKind::NotFound, 4));
}

#[tokio::test]
async fn a_private_key_that_was_lost_leaves_no_pair() {
    let found = answered(
        "DescribeKeyPairs",
        "<keySet><item><keyPairId>key-1</keyPairId><keyName>k</keyName></item></keySet>",
    );
    let gone = answered("DeleteKeyPair", "<return>true</return>");
    let (compute, script) = region([lost(), found, gone]).await;
    let error = compute.key_pairs().unwrap().generate("k").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    let asked = script.asked();
    assert_eq!(asked[0].value("KeyType").as_deref(), Some("ed25519"));
    assert_eq!(asked[1].value("Filter.1.Name").as_deref(), Some("tag:polycloud-token"));
    assert_eq!(asked[2].value("KeyPairId").as_deref(), Some("key-1"));
    let (compute, script) = region([refused(400, "InvalidKeyPair.Duplicate")]).await;
    let error = compute.key_pairs().unwrap().generate("k").await.unwrap_err();
    assert_eq!((error.kind(), script.actions().len()), (ErrorKind::AlreadyExists, 1));
}

#[tokio::test]
async fn a_generated_key_is_not_shown() {
    let inside = "<keyName>k</keyName><keyFingerprint>f</keyFingerprint>\
                  <keyMaterial>-----BEGIN OPENSSH PRIVATE KEY-----</keyMaterial>";
    let (compute, _) = region([answered("CreateKeyPair", inside)]).await;
    let (pair, key) = compute.key_pairs().unwrap().generate("k").await.unwrap();
    assert_eq!((pair.name.as_str(), pair.fingerprint.as_str()), ("k", "f"));
    assert_eq!(key.expose(), "-----BEGIN OPENSSH PRIVATE KEY-----");
    assert!(!format!("{key:?}").contains("BEGIN"));
}

#[tokio::test(start_paused = true)]
async fn an_image_whose_answer_was_lost_is_found_again() {
    let arch = "<architecture>arm64</architecture>";
    let source = described(&[instance("i-1", "running", arch)]);
    let found = images(&[image("ami-9", "1", "mine", "")]);
    let (compute, script) = region([source, lost(), images(&[]), found]).await;
    let build = ImageBuild::new("mine", id());
    let made = compute.images().unwrap().create(&build).await.unwrap();
    assert_eq!((made.id.as_str(), made.arch), ("ami-9", Arch::Arm64));
    let asked = script.asked();
    assert_eq!(asked[1].value("NoReboot").as_deref(), Some("false"));
    assert_eq!(asked[1].value("TagSpecification.2.ResourceType").as_deref(), Some("snapshot"));
}

#[tokio::test(start_paused = true)]
async fn an_image_goes_with_its_snapshots() {
    let done = |action| answered(action, "<return>true</return>");
    let found = || images(&[image("ami-9", "1", "mine", "")]);
    let busy = refused(400, "InvalidSnapshot.InUse");
    let (compute, script) =
        region([found(), done("DeregisterImage"), busy, done("DeleteSnapshot")]).await;
    compute.images().unwrap().delete("ami-9").await.unwrap();
    assert_eq!(script.asked()[3].value("SnapshotId").as_deref(), Some("snap-1"));
    let stuck = refused(403, "UnauthorizedOperation");
    let (compute, _) = region([found(), done("DeregisterImage"), stuck]).await;
    let error = compute.images().unwrap().delete("ami-9").await.unwrap_err();
    assert_eq!((error.outcome(), error.leaked()[0].id.as_str()), (Outcome::Applied, "snap-1"));
    let (compute, script) = region([refused(400, "InvalidAMIID.NotFound")]).await;
    compute.images().unwrap().delete("ami-9").await.unwrap();
    assert_eq!(script.actions().len(), 1);
}

#[tokio::test]
async fn quotas_have_names_of_their_own_and_their_use() {
    let page = |quotas: serde_json::Value, next: Option<&str>| {
        answer(200, json!({ "Quotas": quotas, "NextToken": next }).to_string())
    };
    let quota =
        |code: &str, name: &str| json!({ "QuotaCode": code, "QuotaName": name, "Value": 5.0 });
    let first = page(json!([quota("L-1216C47A", "Standard")]), Some("2"));
    let second = page(json!([quota("L-2", "Same"), quota("L-3", "Same"), {"odd": 1}]), None);
    let cpu = "<cpuOptions><coreCount>2</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>";
    let running = described(&[instance("i-1", "running", cpu)]);
    let (compute, script) = region([first, second, running]).await;
    let all = compute.quotas().unwrap().list().await.unwrap();
    let all: Vec<_> = all.iter().map(|quota| (quota.name.as_str(), quota.used)).collect();
    assert_eq!(all, [("Same", None), ("Same (L-3)", None), ("Standard", Some(4.0))]);
    assert!(script.asked()[1].body.contains("\"NextToken\":\"2\""));
}

#[tokio::test]
async fn the_console_is_decoded_and_cut() {
    let output = |text: &str| {
        let text = base64(text);
        answered(
            "GetConsoleOutput",
            &format!("<instanceId>i-1</instanceId><output>{text}</output>"),
        )
    };
    let (compute, script) =
        region([refused(400, "UnsupportedOperation"), output("hello\n"), output("hello\nyou\n")])
            .await;
    let console = compute.console().unwrap();
    let first = console.output(&id(), 0).await.unwrap();
    assert_eq!((first.start, &first.data[..], first.next), (0, &b"hello\n"[..], 6));
    let more = console.output(&id(), first.next).await.unwrap();
    assert_eq!((more.start, &more.data[..]), (6, &b"you\n"[..]));
    let asked = script.asked();
    assert_eq!(asked[0].value("Latest").as_deref(), Some("true"));
    assert_eq!(asked[1].value("Latest"), None);
    let (compute, _) = region([answered("GetConsoleOutput", "<output>%</output>")]).await;
    let error = compute.console().unwrap().output(&id(), 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    let (compute, _) = region([answered("GetConsoleOutput", "<instanceId>i-1</instanceId>")]).await;
    let none = compute.console().unwrap().output(&id(), 7).await.unwrap();
    assert_eq!((none.start, none.next), (0, 0));
}

fn base64(text: &str) -> String {
    let mut encoded = String::new();
    encode::base64(text.as_bytes(), &mut encoded);
    encoded
}

#[tokio::test]
async fn an_instance_is_resized_within_its_architecture() {
    let arm = "<architecture>arm64</architecture>";
    let stopped = described(&[instance("i-1", "stopped", arm)]);
    let offered = answered(
        "DescribeInstanceTypeOfferings",
        "<instanceTypeOfferingSet><item><instanceType>t4g.micro</instanceType></item>\
         <item><instanceType>t3.nano</instanceType></item></instanceTypeOfferingSet>",
    );
    let mut answers = vec![stopped];
    answers.extend(catalogue());
    answers.extend([offered, answered("ModifyInstanceAttribute", "<return>true</return>")]);
    let (compute, script) = region(answers).await;
    compute.resize().unwrap().resize(&id(), &Hardware::at_least(2, 0)).await.unwrap();
    assert_eq!(script.asked()[4].value("InstanceType.Value").as_deref(), Some("t4g.micro"));
    let (compute, script) = region([described(&[instance("i-1", "running", arm)])]).await;
    let error = compute.resize().unwrap().resize(&id(), &Hardware::of_type("x")).await.unwrap_err();
    assert_eq!((error.kind(), script.actions().len()), (ErrorKind::InvalidState, 1));
}
