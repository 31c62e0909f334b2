//! An instance's life: boots, stops, restarts, suspends, and ends, as a caller sees it.
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

use compute_support::*;
use polycloud_core::ErrorKind;
use polycloud_core::compute::{
    Compute, ComputeExt, Count, CreateOptions, InstanceFilter, InstanceState as S, Labels,
    RestartMode, StateReason, StopMode, TerminateOptions,
};

#[tokio::test]
async fn a_boot_runs_the_user_data_in_the_instance() {
    let (root, labels) = (Root::new(), Labels::new().with("my-role", "w1").unwrap());
    let compute = root.builder().variable("EXTRA", "from the builder").open().unwrap();
    let data = "pwd; env | sort; echo kept >file; echo to stderr >&2; exit 3";
    let spec = script("a", data).with_labels(labels).with_zone("local-b").with_public_ip(true);
    let made = compute.create(&spec, &owned()).await.unwrap();
    assert_eq!(made.state(), S::Pending);
    let instance = compute.wait_until(&made.id, S::Running, &patient()).await.unwrap().unwrap();
    assert_eq!(
        (instance.zone.as_deref(), instance.instance_type.as_str()),
        (Some("local-b"), "local.nano")
    );
    assert_eq!(
        (instance.image.as_deref(), instance.owner.clone()),
        (Some("host:latest"), Some(owner()))
    );
    assert_eq!(instance.public_ips, instance.private_ips);
    let ip = instance.ip().unwrap();
    assert!(ip.is_loopback());
    std::net::TcpListener::bind((ip, 0)).unwrap();

    let console = console_with(&compute, &made.id, "user data ended with status 3").await;
    let disk = compute.disk(&made.id).await.unwrap();
    for line in [
        disk.to_str().unwrap(),
        "POLYCLOUD_INSTANCE_NAME=a",
        &format!("POLYCLOUD_INSTANCE_ID={}", made.id),
        &format!("POLYCLOUD_INSTANCE_IP={ip}"),
        "POLYCLOUD_LABEL_MY_ROLE=w1",
        "POLYCLOUD_VCPUS=1",
        "POLYCLOUD_MEMORY_MIB=512",
        "POLYCLOUD_ZONE=local-b",
        "POLYCLOUD_BOOT=1",
        "POLYCLOUD_OWNER=tests",
        "EXTRA=from the builder",
        "to stderr",
    ] {
        assert!(console.lines().any(|found| found == line), "{line} is not in {console}");
    }
    assert!(!console.contains("CARGO"), "the caller's environment is not passed on");
    assert_eq!(std::fs::read_to_string(disk.join("file")).unwrap(), "kept\n");
    let status = eventually("a status", async || compute.user_data_status(&made.id).await.unwrap());
    assert_eq!(status.await, 3);
    assert_eq!(compute.get(&made.id).await.unwrap().state(), S::Running, "it stays on");
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn stop_and_start_keep_disk_address_and_id_but_no_process() {
    let root = Root::new();
    let compute = root.open();
    let data = "trap 'echo told to end; exit 0' TERM; echo 1 >>file; echo up; while :; do sleep 0.05; done";
    let before = run(&compute, &script("a", data)).await;
    console_with(&compute, &before.id, "up").await;
    compute.stop(&before.id, StopMode::Deallocate).await.unwrap();
    let stopped = compute.wait_until(&before.id, S::Stopped, &patient()).await.unwrap().unwrap();
    assert_eq!(stopped.status.reason, Some(StateReason::UserRequest));
    assert_eq!(stopped.status.compute_billed, Some(false));
    assert!(marked(root.path()).is_empty());
    assert!(console(&compute, &before.id).await.contains("told to end"));
    compute.stop(&before.id, StopMode::Force).await.unwrap();
    let error = compute.restart(&before.id, RestartMode::Graceful).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);

    compute.start(&before.id).await.unwrap();
    let after = compute.wait_until(&before.id, S::Running, &patient()).await.unwrap().unwrap();
    assert_eq!((after.private_ips, after.status.reason), (before.private_ips, None));
    console_with(&compute, &before.id, "boot 2 of a").await;
    compute.start(&before.id).await.unwrap();
    let file = compute.disk(&before.id).await.unwrap().join("file");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "1\n", "user data runs once");
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn what_does_not_end_is_killed_and_daemons_too() {
    let root = Root::new();
    let compute = root.builder().grace(std::time::Duration::from_millis(100)).open().unwrap();
    let data = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo daemon; while :; do sleep 1; done' & \
                echo stubborn; while :; do sleep 1; done";
    let instance = run(&compute, &script("a", data)).await;
    console_with(&compute, &instance.id, "stubborn").await;
    console_with(&compute, &instance.id, "daemon").await;
    compute.stop(&instance.id, StopMode::Deallocate).await.unwrap();
    assert_eq!(compute.get(&instance.id).await.unwrap().state(), S::Stopping);
    let error = compute.start(&instance.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    reach(&compute, &instance.id, S::Stopped).await;
    assert!(marked(root.path()).is_empty());
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn a_forced_stop_overtakes_a_graceful_one_and_terminate_overtakes_both() {
    let root = Root::new();
    let compute = root.builder().grace(std::time::Duration::from_secs(3600)).open().unwrap();
    for force in [true, false] {
        let data = "trap '' TERM; echo up; while :; do sleep 1; done";
        let instance = run(&compute, &script("a", data)).await;
        console_with(&compute, &instance.id, "up").await;
        compute.stop(&instance.id, StopMode::Deallocate).await.unwrap();
        if force {
            compute.stop(&instance.id, StopMode::Force).await.unwrap();
            reach(&compute, &instance.id, S::Stopped).await;
        }
        compute.terminate(&instance.id, &TerminateOptions::default()).await.unwrap();
        reach(&compute, &instance.id, S::Terminated).await;
        assert_eq!(compute.get(&instance.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn a_suspended_instance_stands_still_and_goes_on() {
    let root = Root::new();
    let compute = root.open();
    let data = "i=0; while :; do i=$((i+1)); echo $i >count; sleep 0.01; done";
    let instance = run(&compute, &script("a", data)).await;
    let file = compute.disk(&instance.id).await.unwrap().join("count");
    let count = || std::fs::read_to_string(&file).ok()?.trim().parse::<u64>().ok();
    eventually("it counts", async || count()).await;
    compute.stop(&instance.id, StopMode::Suspend).await.unwrap();
    reach(&compute, &instance.id, S::Suspended).await;
    let before = std::fs::read_to_string(&file).unwrap();
    let error = compute.stop(&instance.id, StopMode::Deallocate).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    compute.start(&instance.id).await.unwrap();
    reach(&compute, &instance.id, S::Running).await;
    let before = before.trim().parse().unwrap_or(0);
    eventually("it goes on", async || count().filter(|now| *now > before)).await;
    assert!(!console(&compute, &instance.id).await.contains("boot 2"), "it was not booted again");
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn a_restart_keeps_the_address_and_runs_rc_local() {
    let root = Root::new();
    let compute = root.open();
    let data = "mkdir etc; printf '#!/bin/sh\\necho rc.local at boot $POLYCLOUD_BOOT\\n' >etc/rc.local; \
                chmod +x etc/rc.local; echo ready; sleep 600";
    let before = run(&compute, &script("a", data)).await;
    console_with(&compute, &before.id, "ready").await;
    for (mode, line) in [(RestartMode::Graceful, "boot 2"), (RestartMode::Force, "boot 3")] {
        compute.restart(&before.id, mode).await.unwrap();
        let after = compute.wait_until(&before.id, S::Running, &patient()).await.unwrap().unwrap();
        assert_eq!(after.private_ips, before.private_ips);
        console_with(&compute, &before.id, &format!("rc.local at {line}")).await;
    }
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn an_instance_that_shuts_itself_down_is_stopped() {
    let root = Root::new();
    let compute = root.open();
    let instance = compute.create(&script("a", "echo bye; kill 0"), &owned()).await.unwrap();
    let stopped = eventually("it goes down", async || {
        Some(compute.get(&instance.id).await.unwrap()).filter(|found| found.state() == S::Stopped)
    })
    .await;
    assert_eq!(stopped.status.reason, Some(StateReason::GuestShutdown));
    compute.start(&instance.id).await.unwrap();
    reach(&compute, &instance.id, S::Running).await;
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn terminating_is_idempotent_and_asks_for_the_owner() {
    let root = Root::new();
    let compute = root.open();
    let instance = run(&compute, &spec("a")).await;
    let other = polycloud_core::compute::Owner::new("other").unwrap();
    let options = TerminateOptions::default().with_only_owner(other);
    let error = compute.terminate(&instance.id, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let options = TerminateOptions::default().with_only_owner(owner());
    for _ in 0..3 {
        compute.terminate(&instance.id, &options).await.unwrap();
    }
    reach(&compute, &instance.id, S::Terminated).await;
    compute.terminate(&instance.id, &options).await.unwrap();
    for id in ["local:local/i-0", "local:local/i-00000000000000000000", "local:local/../x"] {
        let id = id.parse().unwrap();
        compute.terminate(&id, &options).await.unwrap();
        assert_eq!(compute.get(&id).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let foreign = "aws:eu-west-1/i-1".parse().unwrap();
    for error in [
        compute.get(&foreign).await.map(drop).unwrap_err(),
        compute.terminate(&foreign, &options).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn another_opener_sees_and_manages_the_same_instances() {
    let root = Root::new();
    let (one, two) = (root.open(), root.open());
    let instance = run(&one, &script("a", "echo up; sleep 600")).await;
    drop(one);
    assert_eq!(two.get(&instance.id).await.unwrap(), instance);
    two.restart(&instance.id, RestartMode::Force).await.unwrap();
    let three = root.open();
    reach(&three, &instance.id, S::Running).await;
    three.terminate(&instance.id, &TerminateOptions::default()).await.unwrap();
    reach(&two, &instance.id, S::Terminated).await;
    clean_up(&root, &two).await;
}

#[test]
fn a_runtime_that_ends_finishes_what_it_has_begun() {
    let root = Root::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let compute = root.open();
    let id = runtime().block_on(compute.create(&spec("a"), &owned())).unwrap().id;
    let state = runtime().block_on(compute.get(&id)).unwrap().state();
    assert_eq!(state, S::Running);
    runtime().block_on(compute.terminate(&id, &TerminateOptions::default())).unwrap();
    assert!(marked(root.path()).is_empty());
    assert_eq!(names_in(root.path().join("instances")), Vec::<String>::new());
}

/// Changes a journal behind the provider's back, as a whole.
fn edit(journal: &std::path::Path, change: impl FnOnce(&mut serde_json::Value)) {
    let mut record = serde_json::from_slice(&std::fs::read(journal).unwrap()).unwrap();
    change(&mut record);
    let edited = journal.with_extension("edited");
    std::fs::write(&edited, serde_json::to_vec(&record).unwrap()).unwrap();
    std::fs::rename(&edited, journal).unwrap();
}

#[tokio::test]
async fn what_a_dead_driver_left_is_taken_up_by_the_next_look() {
    let root = Root::new();
    let compute = root.open();
    let instance = run(&compute, &script("a", "echo ran; sleep 600")).await;
    console_with(&compute, &instance.id, "ran").await;
    let journal = root.path().join("instances").join(instance.id.native()).join("instance.json");
    let phases = [
        (r#""suspending""#, S::Suspended),
        (r#""resuming""#, S::Running),
        (r#"{"restarting":{"force":true}}"#, S::Running),
        (r#"{"stopping":{"force":false}}"#, S::Stopped),
        (r#""starting""#, S::Running),
        (r#""terminating""#, S::Terminated),
    ];
    for (phase, state) in phases {
        edit(&journal, |record| {
            record["phase"] = serde_json::from_str(phase).unwrap();
            if phase.contains("\"starting") {
                record["boots"] = 3.into();
            }
        });
        reach(&compute, &instance.id, state).await;
    }
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn a_boot_of_the_host_ends_all_instances() {
    let root = Root::new();
    let compute = root.open();
    let instance = run(&compute, &spec("a")).await;
    let journal = root.path().join("instances").join(instance.id.native()).join("instance.json");
    edit(&journal, |record| record["runner"]["host_boot"] = "an earlier one".into());
    let stopped = eventually("it is seen", async || {
        Some(compute.get(&instance.id).await.unwrap()).filter(|found| found.state() == S::Stopped)
    });
    assert_eq!(stopped.await.status.reason, Some(StateReason::HostError));
    clean_up(&root, &compute).await;
}

#[tokio::test]
async fn many_are_created_listed_and_terminated() {
    let root = Root::new();
    let compute = root.open();
    let count = Count::exactly(20).unwrap();
    let made = compute
        .create_many(&script("w", "sleep 600"), count, &CreateOptions::default())
        .await
        .unwrap();
    assert!(made.shortfall.is_none());
    for instance in &made.instances {
        reach(&compute, &instance.id, S::Running).await;
    }
    use futures::TryStreamExt;
    let filter = InstanceFilter::default().with_page_size(7).with_states([S::Running]);
    let listed: Vec<_> = compute.list(filter).try_collect().await.unwrap();
    let mut names: Vec<_> = listed.iter().map(|instance| instance.name.to_string()).collect();
    names.sort_by_key(|name| name[2..].parse::<u32>().unwrap());
    assert_eq!(names, (0..20).map(|n| format!("w-{n}")).collect::<Vec<_>>());
    for instance in &made.instances {
        compute.terminate(&instance.id, &TerminateOptions::default()).await.unwrap();
    }
    for instance in &made.instances {
        reach(&compute, &instance.id, S::Terminated).await;
    }
    clean_up(&root, &compute).await;
}
