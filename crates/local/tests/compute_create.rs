//! Creating instances: idempotency, names, counts, limits, images, and what is refused.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the helpers of tests may fail like tests"
)]
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes")]

mod compute_support;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use compute_support::*;
use futures::future::join_all;
use polycloud_core::clock::{ManualClock, SeededRandom};
use polycloud_core::compute::{
    BootDisk, Compute, ComputeExt, Count, CreateOptions, Hardware, IdempotencyToken, ImageBuild,
    ImageSelector, IngressRule, InstanceFilter, InstanceState as S, LabelPatch, Labels, Market,
    Owner, Protocol, PublicKey, StopMode, SweepOptions, TerminateOptions,
};
use polycloud_core::page::PageToken;
use polycloud_core::{BlastRadius, ErrorKind};

fn token(text: &str) -> CreateOptions {
    owned().with_token(IdempotencyToken::new(text).unwrap())
}

fn count(min: u32, max: u32) -> Count {
    Count::new(min, max).unwrap()
}

#[tokio::test]
async fn a_token_makes_one_instance() {
    let root = Root::new();
    let (one, two) = (root.open(), root.open());
    let spec = script("a", "sleep 600");
    let options = token("t");
    let makes = (0..8).map(|n| if n % 2 == 0 { &one } else { &two });
    let made = join_all(makes.map(|compute| compute.create(&spec, &options))).await;
    let ids: std::collections::HashSet<_> = made.into_iter().map(|made| made.unwrap().id).collect();
    assert_eq!(ids.len(), 1);
    for other in [spec.clone().with_user_data("#!/bin/sh\n"), spec.clone().with_public_ip(true)] {
        let error = one.create(&other, &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IdempotencyMismatch);
    }
    let error = one.create_many(&spec, count(1, 2), &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IdempotencyMismatch);
    assert_eq!(names_in(root.path().join("instances")).len(), 1);
    clean_up(&root, &one).await;
}

#[tokio::test]
async fn a_repeated_create_of_many_fills_up_what_is_missing() {
    let root = Root::new();
    let compute = root.open();
    let made = compute.create_many(&spec("a"), count(1, 3), &token("t")).await.unwrap();
    let lost = &made.instances[1];
    compute.terminate(&lost.id, &TerminateOptions::default()).await.unwrap();
    reach(&compute, &lost.id, S::Terminated).await;
    let again = compute.create_many(&spec("a"), count(1, 3), &token("t")).await.unwrap();
    let names = |report: &polycloud_core::compute::CreateReport| {
        report.instances.iter().map(|i| i.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&again), ["a-0", "a-1", "a-2"]);
    assert_eq!(again.instances[0].id, made.instances[0].id);
    assert_ne!(again.instances[1].id, lost.id);
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn names_of_the_living_are_unique() {
    let root = Root::new();
    let compute = root.open();
    let first = compute.create(&spec("a"), &owned()).await.unwrap();
    let error = compute.create(&spec("a"), &owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(error.operation(), "create");
    compute.terminate(&first.id, &TerminateOptions::default()).await.unwrap();
    compute.create(&spec("a"), &owned()).await.unwrap();
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn capacity_falls_short_or_fails() {
    let root = Root::new();
    let compute = root.builder().capacity(3).open().unwrap();
    let error = compute.create_many(&spec("a"), count(4, 4), &owned()).await.unwrap_err();
    assert_eq!((error.kind(), error.radius()), (ErrorKind::NoCapacity, BlastRadius::Region));
    assert!(error.leaked().is_empty());
    assert!(names_in(root.path().join("instances")).is_empty(), "all or nothing");
    let report = compute.create_many(&spec("a"), count(2, 5), &owned()).await.unwrap();
    assert_eq!(report.instances.len(), 3);
    assert_eq!(report.shortfall.unwrap().kind(), ErrorKind::NoCapacity);
    let quota = compute.quotas().unwrap().list().await.unwrap();
    assert_eq!((quota[0].limit, quota[0].used), (3.0, Some(3.0)));
    assert_eq!(
        compute.create(&spec("b"), &owned()).await.unwrap_err().kind(),
        ErrorKind::NoCapacity
    );
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_and_leaves_nothing() {
    let root = Root::new();
    let compute = root.open();
    let rule = IngressRule::new(Protocol::Tcp, 80..=80, "0.0.0.0/0".parse().unwrap()).unwrap();
    let key = PublicKey::new(format!("ssh-ed25519 {}", "A".repeat(68))).unwrap();
    let many = (0..65).fold(Labels::new(), |l, n| l.with(format!("k{n}"), "").unwrap());
    let big = format!("#!/bin/sh\n{}", "#".repeat(64 << 10));
    let mut grouped = spec("a");
    grouped.placement.group = Some("g".into());
    let rows = [
        (spec("a").with_ingress(rule), ErrorKind::Unsupported),
        (spec("a").with_ssh_key(key), ErrorKind::Unsupported),
        (spec("a").with_boot_disk(BootDisk::of_size(10)), ErrorKind::Unsupported),
        (spec("a").with_market(Market::Spot { max_hourly: None }), ErrorKind::Unsupported),
        (spec("a").with_identity("me"), ErrorKind::Unsupported),
        (grouped, ErrorKind::Unsupported),
        (spec("a").with_user_data("#cloud-config"), ErrorKind::InvalidArgument),
        (spec("a").with_user_data(big), ErrorKind::InvalidArgument),
        (spec("a").with_labels(many), ErrorKind::InvalidArgument),
        (spec("a").with_zone("mars-a"), ErrorKind::InvalidArgument),
        (spec("a").with_hardware(Hardware::of_type("m5.large")), ErrorKind::NotFound),
        (spec("a").with_hardware(Hardware::at_least(1000, 0)), ErrorKind::NotFound),
        (spec("a").with_image("plan9:4".parse().unwrap()), ErrorKind::NotFound),
        (spec("a").with_image(ImageSelector::Id("../x".into())), ErrorKind::NotFound),
    ];
    for (spec, kind) in rows {
        let error = compute.create(&spec, &owned()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!((error.provider(), error.target()), ("local", "a"));
    }
    let long = spec(&"a".repeat(63));
    let error = compute.create_many(&long, count(1, 2), &owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let missing = "local:local/i-00000000000000000000".parse().unwrap();
    let error = compute.stop(&missing, StopMode::KeepAllocated).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(names_in(root.path().join("instances")).is_empty());
}

#[tokio::test]
async fn secrets_stay_out_of_journal_and_debug_output() {
    let root = Root::new();
    let compute = root.builder().variable("TOKEN", "cafe-secret").open().unwrap();
    let instance = run(&compute, &script("a", "sleep 600 # cafe-secret")).await;
    let dir = root.path().join("instances").join(instance.id.native());
    let journal = fs::read_to_string(dir.join("instance.json")).unwrap();
    assert!(!journal.contains("cafe-secret"));
    assert!(!format!("{compute:?} {instance:?}").contains("cafe-secret"));
    use std::os::unix::fs::PermissionsExt;
    for private in [dir.clone(), dir.join("user-data"), dir.join("instance.json")] {
        assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o077, 0, "{private:?}");
    }
    let refused = root.builder().variable("POLYCLOUD_X", "y").open().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn listings_filter_and_page() {
    let root = Root::new();
    let compute = root.open();
    let red = Labels::new().with("color", "red").unwrap();
    let other = CreateOptions::default().with_owner(Owner::new("other").unwrap());
    compute.create(&spec("a").with_labels(red.clone()), &owned()).await.unwrap();
    let b = compute.create(&spec("b").with_zone("local-b"), &owned()).await.unwrap();
    let c = compute.create(&spec("c").with_labels(red.clone()), &other).await.unwrap();
    let names = async |filter: InstanceFilter| {
        use futures::TryStreamExt;
        let names = compute.list(filter).map_ok(|instance| instance.name.to_string());
        let mut names = names.try_collect::<Vec<_>>().await.unwrap();
        names.sort();
        names
    };
    let all = InstanceFilter::default;
    assert_eq!(names(all().with_page_size(1)).await, ["a", "b", "c"]);
    assert_eq!(names(all().with_labels(red.clone())).await, ["a", "c"]);
    assert_eq!(names(all().with_zone("local-b")).await, ["b"]);
    assert_eq!(names(all().with_owner(owner()).with_labels(red)).await, ["a"]);
    reach(&compute, &b.id, S::Running).await;
    compute.stop(&b.id, StopMode::Force).await.unwrap();
    reach(&compute, &b.id, S::Stopped).await;
    assert_eq!(names(all().with_states([S::Stopped])).await, ["b"]);
    let error = compute.list_page(&all(), Some(&PageToken::new("x"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);

    let patch = LabelPatch::new().set("color", "blue").unwrap();
    compute.set_labels(&c.id, &patch).await.unwrap();
    assert_eq!(compute.get(&c.id).await.unwrap().labels.get("color"), Some("blue"));
    let many = (0..64).fold(LabelPatch::new(), |p, n| p.set(format!("k{n}"), "").unwrap());
    let error = compute.set_labels(&c.id, &many).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(compute.get(&c.id).await.unwrap().labels.len(), 1);
    compute.terminate(&c.id, &TerminateOptions::default()).await.unwrap();
    reach(&compute, &c.id, S::Terminated).await;
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn images_become_disks_and_disks_become_images() {
    let root = Root::new();
    let compute = root.open();
    let directory = root.path().join("images/web");
    fs::create_dir_all(directory.join("bin")).unwrap();
    fs::write(directory.join("bin/hello"), "echo hello from the image\n").unwrap();
    let web = "id:web".parse::<ImageSelector>().unwrap();
    let data = "sh bin/hello; echo more >added; echo done; sleep 600";
    let first = run(&compute, &script("a", data).with_image(web)).await;
    assert_eq!(first.image.as_deref(), Some("web"));
    let console = console_with(&compute, &first.id, "done").await;
    assert!(console.contains("hello from the image"));

    let images = compute.images().unwrap();
    let image = images.create(&ImageBuild::new("web2", first.id.clone())).await.unwrap();
    let again = images.create(&ImageBuild::new("web2", first.id.clone())).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    let ids: Vec<_> = images.list().await.unwrap().into_iter().map(|image| image.id).collect();
    assert_eq!(ids, ["web", image.id.as_str()]);
    assert_eq!(compute.get(&first.id).await.unwrap().state(), S::Running);

    let data = "cat added; sh bin/hello; echo done; sleep 600";
    let selector = ImageSelector::Id(image.id.clone());
    let second = run(&compute, &script("b", data).with_image(selector)).await;
    let console = console_with(&compute, &second.id, "done").await;
    assert!(console.contains("more\nhello from the image"));
    images.delete(&image.id).await.unwrap();
    images.delete(&image.id).await.unwrap();
    assert_eq!(images.delete("/etc").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(names_in(root.path().join("images")), ["web"]);
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn an_image_that_does_not_unpack_is_a_failed_instance() {
    let root = Root::new();
    let compute = root.open();
    fs::write(root.path().join("images/bad.tar.gz"), "this is not a tar file").unwrap();
    let selector = ImageSelector::Id("bad".into());
    let instance = compute.create(&spec("a").with_image(selector.clone()), &owned()).await.unwrap();
    let error = compute.wait_until(&instance.id, S::Running, &patient()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("cannot unpack the image"), "{error}");
    assert_eq!(compute.get(&instance.id).await.unwrap().state(), S::Failed);
    let error = compute.start(&instance.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    let second = spec("b").with_image(selector);
    let error = compute.create_and_wait(&second, &owned(), &patient()).await.unwrap_err();
    assert!(error.leaked().is_empty());
    assert_eq!(names_in(root.path().join("instances")), [instance.id.native()]);
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn a_stopped_instance_is_resized() {
    let root = Root::new();
    let compute = root.open();
    let resize = compute.resize().unwrap();
    let instance = run(&compute, &spec("a")).await;
    let large = Hardware::of_type("local.medium");
    let error = resize.resize(&instance.id, &large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    compute.stop(&instance.id, StopMode::Force).await.unwrap();
    reach(&compute, &instance.id, S::Stopped).await;
    resize.resize(&instance.id, &large).await.unwrap();
    let error = resize.resize(&instance.id, &Hardware::of_type("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    compute.start(&instance.id).await.unwrap();
    reach(&compute, &instance.id, S::Running).await;
    assert_eq!(compute.get(&instance.id).await.unwrap().instance_type, "local.medium");
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn the_memory_of_the_type_is_a_limit() {
    let root = Root::new();
    let compute = root.open();
    let data = "ulimit -d; [ -r /proc/self/status ] && grep Cpus_allowed_list /proc/self/status; echo done";
    let instance = run(&compute, &script("a", data)).await;
    let console = console_with(&compute, &instance.id, "done").await;
    assert!(console.contains(&format!("{}\n", 512 * 1024)), "{console}");
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn the_console_is_read_from_a_position_on() {
    let root = Root::new();
    let compute = root.open();
    let instance = run(&compute, &script("a", "printf 'one\\n\\377two\\n'; sleep 600")).await;
    console_bytes_with(&compute, &instance.id, b"\xfftwo\n").await;
    let console = compute.console().unwrap();
    let all = console.output(&instance.id, 0).await.unwrap();
    assert_eq!((all.start, all.next), (0, all.data.len() as u64));
    let rest = console.output(&instance.id, all.next - 4).await.unwrap();
    assert_eq!((rest.data.as_ref(), rest.next), (b"two\n".as_slice(), all.next));
    let end = console.output(&instance.id, all.next).await.unwrap();
    assert_eq!((end.data.len(), end.start, end.next), (0, all.next, all.next));
    let behind = console.output(&instance.id, u64::MAX).await.unwrap();
    assert_eq!((behind.data.len(), behind.next), (0, all.next));
    let missing = "local:local/i-00000000000000000000".parse().unwrap();
    assert_eq!(console.output(&missing, 0).await.unwrap_err().kind(), ErrorKind::NotFound);
    clean_up(&root, &compute).await;
}

async fn console_bytes_with(
    compute: &polycloud_local::LocalCompute,
    id: &polycloud_core::compute::InstanceId,
    text: &[u8],
) {
    eventually("the console has it", async || {
        let output = compute.console().unwrap().output(id, 0).await.unwrap();
        output.data.windows(text.len()).any(|window| window == text).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_sweep_takes_what_is_old_and_owned() {
    let (root, clock) = (Root::new(), ManualClock::new());
    let compute = root
        .builder()
        .clock(Arc::new(clock.clone()))
        .random(Arc::new(SeededRandom::new(7)))
        .open()
        .unwrap();
    let old = run(&compute, &script("old", "setsid sleep 600 & sleep 600")).await;
    clock.advance(Duration::from_secs(100));
    let young = run(&compute, &spec("young")).await;
    let other = CreateOptions::default().with_owner(Owner::new("other").unwrap());
    let foreign = compute.create(&spec("foreign"), &other).await.unwrap();
    fs::create_dir(root.path().join("instances/i-0123456789abcdef0123")).unwrap();

    let sweeper = compute.sweep().unwrap();
    let options = SweepOptions::new(owner()).with_older_than(Duration::from_secs(50));
    let dry = sweeper.sweep(&options.clone().with_dry_run(true)).await.unwrap();
    assert_eq!((dry.found.len(), dry.removed.len()), (2, 0));
    assert_eq!(compute.get(&old.id).await.unwrap().state(), S::Running);
    let report = sweeper.sweep(&options).await.unwrap();
    assert_eq!((&report.found, report.failed.len()), (&report.removed, 0));
    assert_eq!(report.removed[0].id, old.id.to_string());
    assert_eq!(report.removed[1].kind, "unfinished directory");
    assert_eq!(compute.get(&old.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    compute.get(&young.id).await.unwrap();
    let again = sweeper.sweep(&options).await.unwrap();
    assert!(again.found.is_empty());

    // Its directory was removed by hand: what is left of it is found in the process table.
    fs::remove_dir_all(root.path().join("instances").join(young.id.native())).unwrap();
    let report = sweeper.sweep(&SweepOptions::new(owner())).await.unwrap();
    assert!(!report.removed.is_empty() && report.failed.is_empty(), "{report:?}");
    compute.get(&foreign.id).await.unwrap();
    compute.terminate(&foreign.id, &TerminateOptions::default()).await.unwrap();
    reach(&compute, &foreign.id, S::Terminated).await;
    clean_up(&root, &compute).await;
}
