//! What happens between two steps: others write, the caller goes away, the caller's content fails.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use polycloud_core::object::{
    GetOptions, ObjectStore as _, ObjectStoreExt as _, Payload, PayloadSource, Precondition,
    PutOptions, UploadOptions,
};
use polycloud_core::transfer::{CoalesceOptions, TransferOptions};
use polycloud_core::{Error, ErrorKind, Outcome, Result};
use polycloud_emulator::{Fault, Rule};

use crate::history::content;
use crate::lab::{DEADLINE, Lab, PART, key, on_paused_time};
use crate::operation::{ALL, Op, Stage, State, fill};
use crate::small_parts::SmallParts;

/// Polls a future so many times, and drops it.
async fn poll_times<T>(future: impl Future<Output = T>, times: u32) -> Option<T> {
    let (mut future, mut left) = (pin!(future), times);
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Rows 27 and 30: whoever goes away leaves the old or the new, whole, and a client that goes on.
#[test]
fn dropped_at_every_await() {
    let mut points = 0;
    for op in ALL {
        points += on_paused_time(drop_everywhere(op));
    }
    println!("{points} points");
    assert!(points > 500, "{points}");
}

async fn drop_everywhere(op: Op) -> u32 {
    let lab = Lab::new();
    let clean = lab.store(0).await;
    fill(&clean).await;
    // A narrow way has many places to stop at.
    lab.network.narrow(60);
    for times in 1.. {
        let stage = Stage::set(op, &lab, &clean, times as usize).await;
        let store = lab.store(u64::from(times)).await;
        let result = poll_times(stage.perform(&store), times).await;
        lab.settle().await;
        let state = stage.state(&lab).await;
        let seen = format!("{op:?}, dropped after {times} polls");
        if let Some(result) = result {
            assert_eq!(result.unwrap(), Ok(()), "{seen}");
            return times;
        }
        let possible = state == State::Old || (state == State::New && !op.is_read());
        assert!(possible, "{seen}: {state:?}");
        if op != Op::CreateUpload {
            assert_eq!(stage.left_behind(&lab).await, [], "{seen}");
        }
        // The same connections are good for the next one.
        let next = Stage::set(Op::Get, &lab, &clean, times as usize).await;
        assert_eq!(next.perform(&store).await.unwrap(), Ok(()), "{seen}");
        assert!(times < 5_000, "{seen}");
    }
    unreachable!()
}

fn changed(nth: u64) -> Rule {
    Rule::new(Fault::EtagChange).operation("GetObject").nth(nth)
}

fn gone(nth: u64) -> Rule {
    let (status, code) = (404, "NoSuchKey".to_owned());
    Rule::new(Fault::Status { status, code, retry_after: None }).operation("GetObject").nth(nth)
}

/// Row 26, of a read that was interrupted.
#[test]
fn replaced_while_a_read_goes_on() {
    on_paused_time(async {
        for (after_bytes, then) in
            [(1, changed(1)), (100, changed(1)), (999, changed(1)), (100, gone(1))]
        {
            let lab = Lab::new();
            let store = lab.store(0).await;
            let put = PutOptions::default();
            store.put(&key("k"), content(1, 1000).into(), &put).await.unwrap();
            // The request that a rule fires for is not counted by those behind it.
            let cut = Rule::new(Fault::ResetDuringResponse { after_bytes }).operation("GetObject");
            lab.emulator.faults().script([cut, then]);
            let get = store.get(&key("k"), &GetOptions::default()).await.unwrap();
            let error = get.bytes().await.unwrap_err();
            let found = (error.kind(), error.outcome());
            assert_eq!(found, (ErrorKind::ObjectChanged, Outcome::NotApplied));
            assert_eq!(lab.emulator.faults().fired().len(), 2);
        }
    });
}

/// Row 26, of many reads of one object.
#[test]
fn replaced_between_ranges() {
    on_paused_time(async {
        for nth in 2..=4 {
            for rule in [changed(nth), gone(nth)] {
                let lab = Lab::new();
                let store = lab.store(0).await;
                let put = PutOptions::default();
                store.put(&key("k"), content(1, 1000).into(), &put).await.unwrap();
                lab.emulator.faults().push(rule);
                let apart = CoalesceOptions::default().with_max_gap(0).with_concurrency(1);
                let ranges = [0..10, 100..110, 500..510, 900..910];
                let error = store.get_ranges_with(&key("k"), &ranges, &apart).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ObjectChanged, "{nth}");
                assert_eq!(lab.emulator.faults().fired().len(), 1);
            }
        }
    });
}

/// Row 26, of a download in parts: the file that was there stays.
#[test]
fn replaced_while_it_is_downloaded() {
    on_paused_time(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for concurrency in [1, 3] {
            for nth in 2..=4 {
                for rule in [changed(nth), gone(nth)] {
                    std::fs::write(&path, "before").unwrap();
                    let lab = Lab::new();
                    let store = lab.store(0).await;
                    let put = PutOptions::default();
                    store.put(&key("k"), content(1, 1000).into(), &put).await.unwrap();
                    lab.emulator.faults().push(rule);
                    let options = TransferOptions::default()
                        .with_part_size(300)
                        .with_concurrency(concurrency)
                        .with_durable(false);
                    let result = store.download_file(&key("k"), &path, &options).await;
                    assert_eq!(result.unwrap_err().kind(), ErrorKind::ObjectChanged);
                    assert_eq!(lab.emulator.faults().fired().len(), 1);
                    assert_eq!(std::fs::read(&path).unwrap(), b"before");
                    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
                }
            }
        }
    });
}

/// A source that does not keep its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Short,
    Long,
    Fails,
    Rests,
}

impl PayloadSource for Broken {
    fn len(&self) -> u64 {
        100
    }

    fn open(&self) -> BoxStream<'static, Result<Bytes>> {
        let first = stream::iter([Ok(content(9, 50))]);
        match self {
            Self::Short => first.boxed(),
            Self::Long => first.chain(stream::iter([Ok(content(8, 51))])).boxed(),
            Self::Fails => {
                let error = Error::new(ErrorKind::SourceFailed).with_message("no more");
                first.chain(stream::iter([Err(error)])).boxed()
            }
            Self::Rests => first.chain(stream::pending()).boxed(),
        }
    }
}

/// Row 29: nothing of a content that is not whole becomes visible.
#[test]
fn sources_that_fail() {
    on_paused_time(async {
        for source in [Broken::Short, Broken::Long, Broken::Fails, Broken::Rests] {
            for condition in [None, Some(Precondition::IfAbsent)] {
                let lab = Lab::new();
                let store = lab.store(0).await;
                let mut put = PutOptions::default();
                put.precondition = condition;
                let name = key("k");
                let result = store.put(&name, Payload::from_source(source), &put);
                let result = tokio::time::timeout(DEADLINE, result).await.expect("it ends");
                let error = result.unwrap_err();
                let kind = match source {
                    Broken::Rests => ErrorKind::Timeout,
                    _ => ErrorKind::SourceFailed,
                };
                assert_eq!(error.kind(), kind, "{source:?}: {error:?}");
                if source != Broken::Rests {
                    assert_eq!(error.outcome(), Outcome::NotApplied, "{source:?}: {error:?}");
                }
                lab.settle().await;
                let gone = store.get(&key("k"), &GetOptions::default()).await.unwrap_err();
                assert_eq!(gone.kind(), ErrorKind::NotFound, "{source:?}");
            }
        }
    });
}

/// Row 27: an upload that its caller forgets is removed.
#[test]
fn uploads_that_are_forgotten() {
    on_paused_time(async {
        for written in [10, PART, PART + 1, 3 * PART] {
            let lab = Lab::new();
            let store = lab.store(0).await;
            let parts = SmallParts::new(&store);
            let mut upload = parts.upload(&key("k"), &UploadOptions::default()).await.unwrap();
            upload.write(content(1, written)).await.unwrap();
            drop(upload);
            tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_secs(60)).await;
            assert_eq!(lab.uploads(&store).await, []);
            let gone = store.get(&key("k"), &GetOptions::default()).await.unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::NotFound);
        }
    });
}
