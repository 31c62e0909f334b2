//! A root of instances that is emptied at the end of a test, whatever happens in it.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the helpers of tests may fail like tests, and wait for real processes"
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use polycloud_core::compute::{
    Compute, ComputeExt, CreateOptions, Instance, InstanceId, InstanceName, InstanceSpec,
    InstanceState, Owner, WaitOptions,
};
use polycloud_core::retry::Backoff;
use polycloud_local::{LocalCompute, LocalComputeBuilder};

pub(crate) struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn open(&self) -> LocalCompute {
        self.builder().open().unwrap()
    }

    pub(crate) fn builder(&self) -> LocalComputeBuilder {
        LocalCompute::builder(self.dir.path()).grace(Duration::from_secs(2))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        for pid in marked(self.dir.path()) {
            let _gone = rustix::process::kill_process(
                rustix::process::Pid::from_raw(pid).unwrap(),
                rustix::process::Signal::KILL,
            );
        }
    }
}

/// The processes whose environment names an instance below a root.
pub(crate) fn marked(root: &Path) -> Vec<i32> {
    let instances = root.canonicalize().unwrap().join("instances");
    let mark = format!("POLYCLOUD_INSTANCE_DIR={}/", instances.display());
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        entry.unwrap().file_name().to_str().and_then(|name| name.parse::<i32>().ok())
    });
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(mark.as_bytes()))
    })
    .collect()
}

pub(crate) fn names_in(dir: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

pub(crate) fn owner() -> Owner {
    Owner::new("tests").unwrap()
}

pub(crate) fn owned() -> CreateOptions {
    CreateOptions::default().with_owner(owner())
}

pub(crate) fn spec(name: &str) -> InstanceSpec {
    InstanceSpec::new(InstanceName::new(name).unwrap())
}

pub(crate) fn script(name: &str, script: &str) -> InstanceSpec {
    spec(name).with_user_data(format!("#!/bin/sh\n{script}\n"))
}

pub(crate) fn patient() -> WaitOptions {
    WaitOptions::default()
        .with_timeout(Duration::from_secs(60))
        .with_consistency(Duration::ZERO)
        .with_backoff(Backoff::constant(Duration::from_millis(5)))
}

pub(crate) async fn run(compute: &LocalCompute, spec: &InstanceSpec) -> Instance {
    compute.create_and_wait(spec, &owned(), &patient()).await.unwrap()
}

pub(crate) async fn reach(compute: &LocalCompute, id: &InstanceId, state: InstanceState) {
    compute.wait_until(id, state, &patient()).await.unwrap();
}

/// Looks again and again until something is there.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..3_000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

pub(crate) async fn console(compute: &LocalCompute, id: &InstanceId) -> String {
    let output = compute.console().unwrap().output(id, 0).await.unwrap();
    String::from_utf8(output.data.to_vec()).unwrap()
}

/// Waits until the console shows a text, and returns all of it.
pub(crate) async fn console_with(compute: &LocalCompute, id: &InstanceId, text: &str) -> String {
    eventually(text, async || {
        Some(console(compute, id).await).filter(|console| console.contains(text))
    })
    .await
}

/// Terminates everything and checks that nothing is left.
pub(crate) async fn clean_up(root: &Root, compute: &LocalCompute) {
    use polycloud_core::compute::SweepOptions;
    let report = compute.sweep().unwrap().sweep(&SweepOptions::new(owner())).await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    assert_eq!(names_in(root.path().join("instances")), Vec::<String>::new());
    eventually("no process is left", async || marked(root.path()).is_empty().then_some(())).await;
}
