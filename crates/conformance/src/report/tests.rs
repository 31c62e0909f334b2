use super::*;
use crate::case::{Failure, Subject, ensure, ensure_eq};
use crate::harness::StoreSetup;
use async_trait::async_trait;
use polycloud_core::capability::Capabilities;
use polycloud_core::compute::Compute;
use polycloud_core::object::{Buckets, ObjectStore};
use polycloud_core::{ErrorKind, Result};

/// A backend that declares features but has no stores.
struct Declares(Capabilities);

#[async_trait]
impl Harness for Declares {
    fn name(&self) -> &str {
        "declares"
    }

    async fn store(&self, _setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        Err(ErrorKind::Unavailable.into())
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        None
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        None
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        Some(&self.0)
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        None
    }

    fn clock(&self) -> Arc<dyn Clock> {
        SystemClock::shared()
    }

    async fn cleanup(&self) {}
}

macro_rules! case {
    ($name:ident, $subject:ident, [$($feature:ident),*], $run:expr) => {
        static $name: Case = Case {
            name: stringify!($name),
            sentence: "It holds.",
            area: "test",
            subject: Subject::$subject,
            features: &[$(Feature::$feature),*],
            run: $run,
        };
    };
}

case!(GOOD, Store, [], |_| Box::pin(async { Ok(()) }));
case!(NATIVE, Store, [Tags], |_| Box::pin(async { Ok(()) }));
case!(EMULATED, Store, [Tags, RangeSuffix], |_| Box::pin(async { Ok(()) }));
case!(BAD, Store, [], |_| Box::pin(async { Err(Failure::new("it does not hold")) }));
case!(PANICS, Store, [], |_| Box::pin(async { panic!("at the disco {}", 1) }));
case!(HANGS, Store, [], |_| Box::pin(std::future::pending()));
case!(COMPUTE, Compute, [], |_| Box::pin(async { Ok(()) }));
case!(ASKS, Store, [], |context| Box::pin(async move {
    context.store().await?;
    Ok(())
}));

async fn outcomes(cases: Vec<&'static Case>) -> Report {
    let capabilities = Capabilities::NONE
        .with(Support::Native, &[Feature::Tags])
        .with(Support::Emulated, &[Feature::RangeSuffix]);
    let harness: Arc<dyn Harness> = Arc::new(Declares(capabilities));
    let selection = Selection::default().with_timeout(Duration::from_millis(200));
    run_cases(&harness, cases, &selection).await
}

fn failure(report: &Report, name: &str) -> String {
    match report.outcome(name) {
        Some(Outcome::Failed(why)) => why.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn every_way_to_end_is_told_apart() {
    let cases = vec![&GOOD, &NATIVE, &EMULATED, &BAD, &PANICS, &HANGS, &COMPUTE, &ASKS];
    let report = outcomes(cases).await;
    assert_eq!(report.outcome("GOOD"), Some(&Outcome::Passed));
    assert_eq!(report.outcome("NATIVE"), Some(&Outcome::Passed));
    assert_eq!(report.outcome("EMULATED"), Some(&Outcome::Emulated));
    assert_eq!(report.outcome("COMPUTE"), None, "there is no compute");
    assert!(failure(&report, "BAD").starts_with("it does not hold (crates/conformance/src/report"));
    assert_eq!(failure(&report, "PANICS"), "panicked: at the disco 1");
    assert_eq!(failure(&report, "HANGS"), "not done after 200ms");
    assert!(failure(&report, "ASKS").contains("service unavailable"), "{report}");
    assert!(!report.is_success());
}

static DONE: std::sync::Mutex<Vec<&str>> = std::sync::Mutex::new(Vec::new());

case!(DEFERS, Store, [], |context| Box::pin(async move {
    context.defer(async { Err(Failure::new("it is stuck")) });
    context.defer(async {
        DONE.lock().unwrap().push("last first");
        Ok(())
    });
    Ok(())
}));
case!(DEFERS_AND_HANGS, Store, [], |context| Box::pin(async move {
    context.defer(async {
        DONE.lock().unwrap().push("after a timeout");
        Ok(())
    });
    std::future::pending().await
}));
case!(DEFERS_AND_PANICS, Store, [], |context| Box::pin(async move {
    context.defer(async {
        DONE.lock().unwrap().push("after a panic");
        Ok(())
    });
    panic!("at the disco")
}));

#[tokio::test]
async fn what_was_deferred_is_done_however_the_case_ends() {
    let report = outcomes(vec![&DEFERS, &DEFERS_AND_HANGS, &DEFERS_AND_PANICS]).await;
    assert!(failure(&report, "DEFERS").starts_with("cleaning up: it is stuck ("));
    assert_eq!(failure(&report, "DEFERS_AND_HANGS"), "not done after 200ms");
    assert_eq!(failure(&report, "DEFERS_AND_PANICS"), "panicked: at the disco");
    let mut done = DONE.lock().unwrap().clone();
    done.sort_unstable();
    assert_eq!(done, ["after a panic", "after a timeout", "last first"]);
}

#[tokio::test]
async fn the_matrix_ends_with_the_counts() {
    let (one, two) = (outcomes(vec![&GOOD, &EMULATED]).await, outcomes(vec![&GOOD, &BAD]).await);
    let text = Matrix::new(vec![one.clone(), two]).to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[1], "BAD       -            FAILED     ");
    assert_eq!(lines[2], "EMULATED  emulated     -          ");
    assert_eq!(lines[3], "GOOD      pass         pass       ");
    assert_eq!(lines[4], "FAILED BAD on declares: It holds.");
    let last = "conformance: 3 cases, 2 backends, 3 passed, 0 unsupported, 1 failed";
    assert_eq!(lines.last(), Some(&last));
    assert!(Matrix::new(vec![one]).is_success());
    assert!(!Matrix::new(Vec::new()).is_success(), "nothing is no success");
}

#[test]
fn failures_name_what_was_expected_and_where() {
    let compare = |a: u32, b: u32| -> CaseResult {
        ensure!(a > 0, "a is {a}");
        ensure_eq!(a, b, "the sum of {}", "parts");
        Ok(())
    };
    assert!(compare(2, 2).is_ok());
    assert!(compare(0, 0).unwrap_err().to_string().starts_with("a is 0 ("));
    let text = compare(2, 3).unwrap_err().to_string();
    assert!(text.starts_with("the sum of parts: expected 3, got 2 ("), "{text}");
    let long = "x".repeat(10_000);
    let compare = || -> CaseResult {
        ensure_eq!(long, "");
        Ok(())
    };
    assert!(compare().unwrap_err().to_string().len() < 700);
}
