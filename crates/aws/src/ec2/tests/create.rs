use polycloud_core::capability::Feature;
use polycloud_core::compute::{
    Compute, Count, CreateOptions, Hardware, IdempotencyToken, ImageSelector, IngressRule,
    InstanceName, InstanceSpec, InstanceState as State, Labels, Market, Owner, Protocol, PublicKey,
};
use polycloud_core::{ErrorKind, Outcome};

use super::*;

fn spec() -> InstanceSpec {
    InstanceSpec::new(InstanceName::new("web").unwrap())
        .with_hardware(Hardware::of_type("t3.micro"))
        .with_image(ImageSelector::Id("ami-1".into()))
}

fn options() -> CreateOptions {
    CreateOptions::default()
        .with_owner(Owner::new("me").unwrap())
        .with_token(IdempotencyToken::new("job-7").unwrap())
}

fn hardware() -> Answer {
    answered(
        "DescribeInstanceTypes",
        "<instanceTypeSet><item><instanceType>t3.micro</instanceType><processorInfo>\
         <supportedArchitectures><item>x86_64</item></supportedArchitectures></processorInfo>\
         <vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>1024</sizeInMiB>\
         </memoryInfo></item></instanceTypeSet>",
    )
}

fn image() -> Answer {
    answered(
        "DescribeImages",
        "<imagesSet><item><imageId>ami-1</imageId><name>x</name><architecture>x86_64</architecture>\
         <imageState>available</imageState><rootDeviceName>/dev/xvda</rootDeviceName>\
         <blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeSize>8</volumeSize>\
         </ebs></item></blockDeviceMapping></item></imagesSet>",
    )
}

/// What is asked before anything is made: the token, the name, the machine and the image.
fn before() -> Vec<Answer> {
    vec![described(&[]), described(&[]), hardware(), image()]
}

/// The tags of an instance that was launched by these requests.
fn launched_tags(asked: &Asked, name: &str) -> String {
    let value = |key: &str| {
        let keys = (1..30).map(|n| format!("TagSpecification.1.Tag.{n}"));
        let mut found = keys.filter(|at| asked.value(&format!("{at}.Key")).as_deref() == Some(key));
        found.find_map(|at| asked.value(&format!("{at}.Value")))
    };
    let keys = ["polycloud-token", "polycloud-spec", "polycloud-owner", "polycloud-group"];
    let items = keys.iter().filter_map(|key| Some((*key, value(key)?)));
    let items = items.chain([("Name", name.to_owned())]);
    let item = |(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>");
    format!("<tagSet>{}</tagSet>", items.map(item).collect::<String>())
}

fn launched(instances: &[String]) -> Answer {
    let all = instances.concat();
    answered(
        "RunInstances",
        &format!("<reservationId>r-1</reservationId><instancesSet>{all}</instancesSet>"),
    )
}

fn ok(action: &str) -> Answer {
    answered(action, "<return>true</return>")
}

fn pending(id: &str) -> String {
    instance(id, "pending", "")
}

fn with(more: impl IntoIterator<Item = Answer>) -> Vec<Answer> {
    before().into_iter().chain(more).collect()
}

#[tokio::test]
async fn a_bare_instance_is_one_request_that_makes_it() {
    let seen = described(&[instance("i-1", "running", "")]);
    let (compute, script) = region(with([launched(&[pending("i-1")]), seen])).await;
    let labels = Labels::new().with("env", "prod").unwrap();
    let made = compute.create(&spec().with_labels(labels), &options()).await.unwrap();
    assert_eq!((made.id, made.name.as_str()), (id(), "web"));
    assert_eq!(made.status.state, State::Running);
    let run = &script.asked()[4];
    assert_eq!(run.action(), "RunInstances");
    for (name, value) in [
        ("ClientToken", "job-7"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("ImageId", "ami-1"),
        ("InstanceType", "t3.micro"),
        ("NetworkInterface.1.AssociatePublicIpAddress", "false"),
        ("NetworkInterface.1.DeleteOnTermination", "true"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true"),
        ("MetadataOptions.HttpTokens", "required"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.2.ResourceType", "volume"),
        ("TagSpecification.3.ResourceType", "network-interface"),
    ] {
        assert_eq!(run.value(name).as_deref(), Some(value), "{name}");
    }
    for absent in ["SubnetId", "NetworkInterface.1.SubnetId", "UserData", "KeyName", "Placement"] {
        assert!(!run.body.contains(&format!("&{absent}")), "{absent}: {}", run.body);
    }
    let kinds = ["1", "2", "3"].map(|kind| format!("TagSpecification.{kind}.Tag."));
    for kind in &kinds {
        for (key, value) in [
            ("Name", "web"),
            ("polycloud-owner", "me"),
            ("polycloud-managed", "1"),
            ("polycloud-token", "job-7"),
        ] {
            let has = (1..9).any(|n| {
                run.value(&format!("{kind}{n}.Key")).as_deref() == Some(key)
                    && run.value(&format!("{kind}{n}.Value")).as_deref() == Some(value)
            });
            assert!(has, "{kind}{key}");
        }
    }
    assert!(run.body.contains("=env&"), "{}", run.body);
}

#[tokio::test]
async fn what_is_asked_for_is_in_the_request() {
    let price = polycloud_core::compute::Price::from_usd_micros(12_500).unwrap();
    let mut spec = spec()
        .with_zone("eu-west-1b")
        .with_public_ip(true)
        .with_user_data("#!/bin/sh")
        .with_identity("arn:aws:iam::1:instance-profile/x")
        .with_boot_disk(polycloud_core::compute::BootDisk::of_size(64))
        .with_market(Market::Spot { max_hourly: Some(price) });
    spec.placement.group = Some("g".into());
    let answers = with([launched(&[pending("i-1")]), described(&[pending("i-1")])]);
    let (compute, script) = region(answers).await;
    compute.create(&spec, &options()).await.unwrap();
    let run = &script.asked()[4];
    for (name, value) in [
        ("Placement.AvailabilityZone", "eu-west-1b"),
        ("Placement.GroupName", "g"),
        ("NetworkInterface.1.AssociatePublicIpAddress", "true"),
        ("UserData", "IyEvYmluL3No"),
        ("IamInstanceProfile.Arn", "arn:aws:iam::1:instance-profile/x"),
        ("BlockDeviceMapping.1.Ebs.VolumeSize", "64"),
        ("InstanceMarketOptions.MarketType", "spot"),
        ("InstanceMarketOptions.SpotOptions.MaxPrice", "0.012500"),
        ("InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "terminate"),
        ("TagSpecification.4.ResourceType", "spot-instances-request"),
    ] {
        assert_eq!(run.value(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_create_that_is_repeated_returns_what_the_first_made() {
    let answers = with([launched(&[pending("i-1")]), described(&[pending("i-1")])]);
    let (compute, script) = region(answers).await;
    compute.create(&spec(), &options()).await.unwrap();
    let tags = launched_tags(&script.asked()[4], "web");
    let known = || described(&[instance("i-1", "running", &tags)]);
    let (compute, script) = region([known()]).await;
    assert_eq!(compute.create(&spec(), &options()).await.unwrap().id, id());
    assert_eq!(script.asked()[0].value("Filter.1.Name").as_deref(), Some("tag:polycloud-token"));
    let (compute, script) = region([known()]).await;
    let other = spec().with_public_ip(true);
    let error = compute.create(&other, &options()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::IdempotencyMismatch, Outcome::NotApplied)
    );
    assert_eq!(script.actions().len(), 1);
}

#[tokio::test]
async fn a_name_is_taken_by_what_lives() {
    let living = described(&[instance(
        "i-9",
        "stopped",
        "<tagSet><item><key>Name</key><value>web</value></item></tagSet>",
    )]);
    let (compute, script) = region([described(&[]), living]).await;
    let error = compute.create(&spec(), &options()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::AlreadyExists, "create"));
    assert_eq!(script.actions(), ["DescribeInstances", "DescribeInstances"]);
}

fn group() -> Answer {
    answered("CreateSecurityGroup", "<return>true</return><groupId>sg-1</groupId>")
}

fn open() -> InstanceSpec {
    let all = "0.0.0.0/0".parse().unwrap();
    spec().with_ingress(IngressRule::new(Protocol::Tcp, 22..=22, all).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_refused_launch_leaves_no_group_and_no_key() {
    let key = PublicKey::new(format!("ssh-ed25519 {} me", "A".repeat(68))).unwrap();
    let answers = with([
        group(),
        // The group is not to be seen yet.
        refused(400, "InvalidGroup.NotFound"),
        ok("AuthorizeSecurityGroupIngress"),
        answered("ImportKeyPair", "<keyName>x</keyName>"),
        refused(500, "InsufficientInstanceCapacity"),
        ok("DeleteKeyPair"),
        refused(400, "DependencyViolation"),
        ok("DeleteSecurityGroup"),
    ]);
    let (compute, script) = region(answers).await;
    let error = compute.create(&open().with_ssh_key(key), &options()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::NoCapacity, Outcome::NotApplied));
    assert!(error.leaked().is_empty());
    let asked = script.asked();
    let name = asked[4].value("GroupName").unwrap();
    assert!(name.starts_with("polycloud-web-") && name.len() == 22, "{name}");
    assert_eq!(asked[8].value("KeyName"), asked[9].value("KeyName"));
    assert_eq!(asked[8].value("NetworkInterface.1.SecurityGroupId.1").as_deref(), Some("sg-1"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_is_named() {
    let answers = with([
        group(),
        ok("AuthorizeSecurityGroupIngress"),
        refused(400, "VcpuLimitExceeded"),
        refused(403, "UnauthorizedOperation"),
    ]);
    let (compute, _) = region(answers).await;
    let error = compute.create(&open(), &options()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::QuotaExceeded, Outcome::Applied));
    assert_eq!(error.leaked()[0].to_string(), "security group sg-1");
}

#[tokio::test(start_paused = true)]
async fn a_launch_whose_answer_is_lost_is_taken_back_by_its_token() {
    let tags = "<tagSet><item><key>polycloud-token</key><value>job-7</value></item></tagSet>";
    let made = described(&[instance("i-1", "pending", tags)]);
    let answers = with([
        lost(),
        described(&[]),
        made,
        changed("TerminateInstances", "i-1", "pending", "shutting-down"),
        ok("DeleteTags"),
    ]);
    let (compute, script) = region(answers).await;
    let error = compute.create(&spec(), &options()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert_eq!(script.actions().len(), 9);

    // Nothing is to be seen of it for so long that it cannot be told.
    let nothing = std::iter::repeat_with(|| described(&[])).take(200);
    let (compute, _) = region(with([lost()]).into_iter().chain(nothing)).await;
    let error = compute.create(&spec(), &options()).await.unwrap_err();
    assert_eq!(error.leaked()[0].to_string(), "instance with token job-7");
    assert_ne!(error.outcome(), Outcome::NotApplied);
}

#[tokio::test(start_paused = true)]
async fn a_group_of_a_lost_answer_is_taken() {
    let found = answered(
        "DescribeSecurityGroups",
        "<securityGroupInfo><item><groupId>sg-1</groupId></item></securityGroupInfo>",
    );
    let answers = with([
        lost(),
        refused(400, "InvalidGroup.Duplicate"),
        found,
        refused(400, "InvalidPermission.Duplicate"),
        launched(&[pending("i-1")]),
        described(&[pending("i-1")]),
    ]);
    let (compute, _) = patient(2, answers).await;
    compute.create(&open(), &options()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_back_is_launched_again() {
    let dead = |id: &str| instance(id, "terminated", "");
    let answers = with([
        refused(400, "IdempotentInstanceTerminated"),
        launched(&[dead("i-0")]),
        launched(&[pending("i-1")]),
        described(&[pending("i-1")]),
    ]);
    let (compute, script) = region(answers).await;
    assert_eq!(compute.create(&spec(), &options()).await.unwrap().id, id());
    let asked = script.asked();
    let tokens: Vec<_> = asked[4..7].iter().map(|run| run.value("ClientToken").unwrap()).collect();
    assert_eq!(tokens[0], "job-7");
    assert!(tokens[1] != tokens[0] && tokens[1] != tokens[2]);
}

#[tokio::test(start_paused = true)]
async fn several_are_launched_at_once_and_named_one_by_one() {
    let named = |id: &str, index: u32| {
        let tags = "<tagSet><item><key>Name</key><value>web</value></item></tagSet>";
        instance(id, "pending", &format!("<amiLaunchIndex>{index}</amiLaunchIndex>{tags}"))
    };
    let taken = described(&[instance(
        "i-9",
        "running",
        "<tagSet><item><key>Name</key><value>web-1</value></item></tagSet>",
    )]);
    let answers = [
        described(&[]),
        taken,
        hardware(),
        image(),
        launched(&[named("i-2", 1), named("i-1", 0)]),
        ok("CreateTags"),
        ok("CreateTags"),
        described(&[named("i-1", 0), named("i-2", 1)]),
    ];
    let (compute, script) = region(answers).await;
    let count = Count::new(1, 3).unwrap();
    let report = compute.create_many(&spec(), count, &options()).await.unwrap();
    let names: Vec<_> = report.instances.iter().map(|made| made.name.as_str()).collect();
    assert_eq!(names, ["web-0", "web-2"]);
    assert_eq!(report.shortfall.unwrap().kind(), ErrorKind::AlreadyExists);
    let asked = script.asked();
    assert_eq!(asked[4].value("MaxCount").as_deref(), Some("2"));
    assert_eq!(asked[5].value("ResourceId.1").as_deref(), Some("i-1"));
    assert_eq!(asked[5].value("Tag.1.Value").as_deref(), Some("web-0"));
}

#[tokio::test]
async fn what_is_wrong_is_refused_before_any_request() {
    let (compute, script) = region([]).await;
    let too_many = (0..45).try_fold(Labels::new(), |labels, n| labels.with(format!("l{n}"), ""));
    let too_much = spec().with_user_data(vec![b'x'; 16 * 1024 + 1]);
    for spec in [spec().with_labels(too_many.unwrap()), too_much] {
        let error = compute.create(&spec, &options()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    assert!(script.asked().is_empty());
    assert!(!compute.capabilities().has(Feature::StopKeepAllocated));
}

#[tokio::test(start_paused = true)]
async fn the_journal_knows_what_was_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let script = Arc::new(Script::default());
    let run = refused(403, "UnauthorizedOperation");
    let answers = with([group(), ok("AuthorizeSecurityGroupIngress"), run]);
    let denied = refused(403, "UnauthorizedOperation");
    script.answers.lock().unwrap().extend(answers.into_iter().chain([denied]));
    let config = Ec2Config::new("eu-west-1").with_credentials("AKID", "c4n4ry");
    let config = config.with_max_attempts(1).with_journal(&path);
    let compute = config.open(&session(&script)).await.unwrap();
    compute.create(&open(), &options()).await.unwrap_err();
    let pending = compute.0.journal.as_ref().unwrap().pending().await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!((pending[0].1.token.as_str(), pending[0].1.scope.as_str()), ("job-7", "eu-west-1"));
    assert_eq!(pending[0].1.resources[0].to_string(), "security group sg-1");
}
