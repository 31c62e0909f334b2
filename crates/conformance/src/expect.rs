//! Assertions about results, and tasks that run at the same moment.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use polycloud_core::{Error, ErrorKind};
use tokio::sync::Barrier;
use tokio::task::{JoinError, JoinSet};

use crate::case::{Chain, Failure, Short};

/// Takes the error out of a result that has to be one of this kind.
#[track_caller]
pub(crate) fn expect_kind<T: fmt::Debug>(
    result: Result<T, Error>,
    kind: ErrorKind,
) -> Result<Error, Failure> {
    expect_any(result, &[kind])
}

/// Takes the error out of a result that has to be one of these kinds.
#[track_caller]
pub(crate) fn expect_any<T: fmt::Debug>(
    result: Result<T, Error>,
    kinds: &[ErrorKind],
) -> Result<Error, Failure> {
    match result {
        Err(error) if kinds.contains(&error.kind()) => Ok(error),
        Err(error) => {
            Err(Failure::new(format!("expected {kinds:?}, got the error {}", Chain(&error))))
        }
        Ok(value) => {
            Err(Failure::new(format!("expected {kinds:?}, got success: {:?}", Short(&value))))
        }
    }
}

/// Runs `count` tasks that start at the same moment, and returns their results in the order of their
/// numbers.
pub(crate) async fn race<T, F>(
    count: usize,
    mut task: impl FnMut(usize) -> F,
) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let (start, work) = (Arc::clone(&start), task(number));
        tasks.spawn(async move {
            start.wait().await;
            (number, work.await)
        });
    }
    let mut results = Vec::with_capacity(count);
    while let Some(done) = tasks.join_next().await {
        results.push(done.map_err(|error| Failure::new(panic_message(error)))?);
    }
    results.sort_by_key(|(number, _)| *number);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// What a task that did not end by itself had to say.
pub(crate) fn panic_message(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "the task was cancelled".into() };
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_else(|| "without a message".into()))
}
