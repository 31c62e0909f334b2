//! Connections that do not come about, and servers that say when to come again.

use std::time::Duration;

use polycloud_core::clock::Clock as _;
use polycloud_core::{ErrorKind, Outcome};
use polycloud_emulator::{Fault, Rule};

use crate::lab::{DEADLINE, Lab, on_paused_time};
use crate::operation::{ALL, Op, Stage, State, fill};

/// Row 1: nothing was sent, and nothing is changed.
#[test]
fn no_connection() {
    on_paused_time(async {
        for op in ALL {
            let lab = Lab::new();
            let clean = lab.store(0).await;
            fill(&clean).await;
            for (n, what) in ["refused", "not answered"].into_iter().enumerate() {
                let fail = |connections| match what {
                    "refused" => lab.network.refuse(connections),
                    _ => lab.network.hang(connections),
                };
                let stage = Stage::set(op, &lab, &clean, 2 * n).await;
                let before = lab.network.failed();
                fail(1);
                let result = stage.perform(&lab.store(1).await).await;
                assert_eq!(result.unwrap(), Ok(()), "{op:?}, {what} once");
                assert_eq!(lab.network.failed(), before + 1);

                let stage = Stage::set(op, &lab, &clean, 2 * n + 1).await;
                fail(1000);
                let store = lab.store(2).await;
                let result = tokio::time::timeout(DEADLINE, stage.perform(&store)).await;
                fail(0);
                let error = result.expect("it ends").unwrap_err();
                let expected = [ErrorKind::Unavailable, ErrorKind::Timeout];
                assert!(expected.contains(&error.kind()), "{op:?}, {what}: {error:?}");
                if what == "refused" || op.is_read() {
                    assert_eq!(error.outcome(), Outcome::NotApplied, "{op:?}, {what}");
                }
                assert_eq!(stage.state(&lab).await, State::Old);
            }
        }
    });
}

/// Row 12: how long a server asks to wait.
#[test]
fn retry_after() {
    // The clock stands at midnight and a bit.
    let rows = [
        (None, 0.0, 1.0),
        (Some("7"), 7.0, 7.0),
        (Some("0"), 0.0, 1.0),
        (Some("soon"), 0.0, 1.0),
        (Some("-5"), 0.0, 1.0),
        (Some("Thu, 01 Jan 2026 00:00:30 GMT"), 25.0, 30.0),
        (Some("Wed, 31 Dec 2025 00:00:00 GMT"), 0.0, 1.0),
    ];
    for status in [429, 503] {
        for op in [Op::Get, Op::Put, Op::PutIfAbsent, Op::Delete, Op::List, Op::Copy] {
            for (text, least, most) in rows {
                let (elapsed, result) = on_paused_time(waited(op, status, text));
                let elapsed = elapsed.as_secs_f64();
                let seen = format!("{op:?} {status} {text:?}: {elapsed}");
                assert!(result.is_ok(), "{seen}");
                assert!((least..=most + 0.5).contains(&elapsed), "{seen}");
            }
            for beyond in ["1000000000", "999999999999999999999999999"] {
                let (elapsed, result) = on_paused_time(waited(op, status, Some(beyond)));
                let error = match result {
                    Ok(()) => panic!("{op:?} waited for {beyond} seconds"),
                    Err(error) => error,
                };
                assert!(elapsed < Duration::from_secs(1), "it fails at once");
                let told = error.retry_after();
                assert!(told >= Some(Duration::from_secs(1_000_000_000)), "{told:?}");
                assert_eq!(error.outcome(), Outcome::NotApplied);
            }
        }
    }
}

async fn waited(
    op: Op,
    status: u16,
    text: Option<&str>,
) -> (Duration, Result<(), polycloud_core::Error>) {
    let lab = Lab::new();
    let clean = lab.store(0).await;
    fill(&clean).await;
    let stage = Stage::set(op, &lab, &clean, 0).await;
    let code = if status == 503 { "SlowDown" } else { "TooManyRequests" };
    let retry_after = text.map(str::to_owned);
    let fault = Fault::Status { status, code: code.to_owned(), retry_after };
    lab.emulator.faults().push(Rule::new(fault));
    let before = lab.clock.monotonic();
    let result = stage.perform(&lab.store(3).await).await;
    let elapsed = lab.clock.monotonic() - before;
    assert_eq!(lab.emulator.faults().fired().len(), 1);
    (elapsed, result.map(|seen| seen.unwrap()))
}
