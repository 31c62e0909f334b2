//! A process that creates, stops and terminates instances is killed at any moment. What it was told to
//! be created is there, and a sweep leaves no process, no directory and no journal.
//!
//! `POLYCLOUD_COMPUTE_KILL_CREATES` sets how many creates are begun in all: 200 by default.
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
#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use compute_support::*;
use polycloud_core::ErrorKind;
use polycloud_core::clock::{Random, SeededRandom};
use polycloud_core::compute::{
    Compute, ComputeExt, Count, InstanceId, InstanceState, StopMode, SweepOptions, TerminateOptions,
};
use polycloud_local::LocalCompute;

const CREATORS: usize = 4;

/// What the instances run: a child in the group, and a daemon that leaves it.
const DATA: &str = "setsid sh -c 'while :; do sleep 1; done' & while :; do sleep 1; done";

/// Creates until it is killed. Says on standard output what it does, a word and perhaps an id a line.
#[test]
#[ignore = "the process that the test below kills"]
fn creator() {
    let Some(args) = support::args() else { return };
    let compute = LocalCompute::builder(&args[0]).grace(Duration::from_millis(20)).open().unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let creators: Vec<_> = (0..CREATORS)
        .map(|creator| {
            let (compute, round) = (compute.clone(), args[1].clone());
            runtime.spawn(async move {
                for step in 0.. {
                    one_life(&compute, &format!("r{round}-c{creator}-{step}"), step).await;
                }
            })
        })
        .collect();
    runtime.block_on(futures::future::join_all(creators));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").and_then(|()| out.flush()).unwrap();
}

async fn one_life(compute: &LocalCompute, name: &str, step: usize) {
    let count = Count::exactly(if step % 3 == 2 { 2 } else { 1 }).unwrap();
    (0..count.max()).for_each(|_| say("begins"));
    let made = compute.create_many(&script(name, DATA), count, &owned()).await.unwrap().instances;
    made.iter().for_each(|instance| say(&format!("created {}", instance.id)));
    let id = &made[0].id;
    if step.is_multiple_of(2) {
        return;
    }
    reach(compute, id, InstanceState::Running).await;
    if step % 4 == 1 {
        compute.stop(id, StopMode::Deallocate).await.unwrap();
        reach(compute, id, InstanceState::Stopped).await;
    }
    say(&format!("terminates {id}"));
    compute.terminate(id, &TerminateOptions::default()).await.unwrap();
    compute.wait_until(id, InstanceState::Terminated, &patient()).await.unwrap();
}

/// Kills a creator after a random time. Returns how many creates it began, and what happened to which
/// instance last.
fn one_round(root: &Root, round: usize, random: &dyn Random) -> (usize, BTreeMap<String, String>) {
    let mut child = support::spawn("creator", &[root.path().to_str().unwrap(), &round.to_string()]);
    let output = child.stdout.take().unwrap();
    let (began, first) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(output.take(1 << 20)).lines() {
            let line = line.unwrap();
            if line == "begins" {
                let _nobody_waits_any_more = began.send(());
            }
            lines.push(line);
        }
        lines
    });
    first.recv().expect("the creator begins");
    std::thread::sleep(Duration::from_micros(random.below(60_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    let lines = reader.join().unwrap();
    let creates = lines.iter().filter(|line| *line == "begins").count();
    let told = lines.iter().filter_map(|line| line.split_once(' '));
    let told = told.filter(|(_, id)| id.starts_with("local:"));
    (creates, told.map(|(word, id)| (id.to_owned(), word.to_owned())).collect())
}

#[tokio::test]
async fn a_sweep_removes_what_killed_creators_left() {
    let creates = support::rounds("POLYCLOUD_COMPUTE_KILL_CREATES", 200);
    let (root, random) = (Root::new(), SeededRandom::new(11));
    let (mut begun, mut swept) = (0, 0);
    for round in 0.. {
        if begun >= creates {
            break;
        }
        let (now, told) = one_round(&root, round, &random);
        begun += now;
        let compute = root.open();
        for (id, word) in &told {
            let found = compute.get(&id.parse::<InstanceId>().unwrap()).await;
            match found {
                Err(error) if word == "created" => panic!("round {round}: {id} is lost: {error}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
                Ok(_) => {}
            }
        }
        let report = compute.sweep().unwrap().sweep(&SweepOptions::new(owner())).await.unwrap();
        assert!(report.failed.is_empty(), "round {round}: {report:?}");
        swept += report.removed.len();
        assert_eq!(names_in(root.path().join("instances")), Vec::<String>::new(), "round {round}");
        eventually("no process is left", async || marked(root.path()).is_empty().then_some(()))
            .await;
    }
    assert!(swept > 0, "no kill came in time");
    println!("{begun} creates, {swept} leftovers swept");
}

/// Creates an instance, suspends it and ends.
#[test]
#[ignore = "the process that the test below lets end"]
fn suspender() {
    let Some(args) = support::args() else { return };
    let compute = LocalCompute::open(&args[0]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let instance = run(&compute, &script("a", DATA)).await;
        compute.stop(&instance.id, StopMode::Suspend).await.unwrap();
        reach(&compute, &instance.id, InstanceState::Suspended).await;
        say(&format!("suspended {}", instance.id));
    });
}

#[tokio::test]
async fn a_suspended_instance_outlives_its_caller() {
    let root = Root::new();
    let child = support::spawn("suspender", &[root.path().to_str().unwrap()]);
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let id = output.lines().find_map(|line| line.strip_prefix("suspended ")).unwrap();
    let id: InstanceId = id.parse().unwrap();
    let compute = root.open();
    for _ in 0..5 {
        assert_eq!(compute.get(&id).await.unwrap().state(), InstanceState::Suspended);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    compute.start(&id).await.unwrap();
    reach(&compute, &id, InstanceState::Running).await;
    clean_up(&root, &compute).await;
}
