use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use futures::TryStreamExt;

use super::*;
use crate::capability::Capabilities;
use crate::clock::{ManualClock, SeededRandom};
use crate::compute::{
    Arch, ComputeExt, ComputeInfo, Console, Count, CreateOptions, CreateReport, Firewalls, Image,
    ImageSelector, Images, InstanceFilter, InstanceName, InstancePage, InstanceSpec, InstanceType,
    KeyPairs, LabelPatch, Location, Networks, Prices, Quotas, Resize, RestartMode, StateReason,
    StopMode, Sweep, TerminateOptions, TypePage, TypeQuery, Volumes,
};
use crate::page::PageToken;

use InstanceState as S;

/// What the next read answers.
#[derive(Debug, Clone)]
enum Step {
    Is(InstanceState),
    Fails(ErrorKind),
    Busy(Duration),
    Hangs,
}

use Step::{Busy, Fails, Hangs, Is};

/// Answers reads from a script, whose last step repeats for ever.
#[derive(Debug)]
struct Scripted {
    info: ComputeInfo,
    reads: Mutex<VecDeque<Step>>,
    terminations: Mutex<VecDeque<Step>>,
    calls: Mutex<Vec<&'static str>>,
}

impl Scripted {
    fn new(reads: impl IntoIterator<Item = Step>) -> Self {
        Self {
            info: ComputeInfo::new("fake", "here", "fake:"),
            reads: Mutex::new(reads.into_iter().collect()),
            terminations: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    fn calls(&self, method: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| **call == method).count()
    }

    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

fn next(script: &Mutex<VecDeque<Step>>) -> Option<Step> {
    let mut script = script.lock().unwrap();
    if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
}

fn id() -> InstanceId {
    InstanceId::new("fake", "here", "i-1").unwrap()
}

fn instance(state: InstanceState) -> Instance {
    let mut status = InstanceStatus::new(state, state.as_str().to_uppercase());
    if state == S::Failed {
        status = status.with_reason(StateReason::CapacityLost);
    }
    Instance::new(id(), InstanceName::new("a").unwrap(), status, "t")
}

#[async_trait]
impl Compute for Scripted {
    fn info(&self) -> &ComputeInfo {
        &self.info
    }
    fn capabilities(&self) -> &Capabilities {
        &Capabilities::NONE
    }
    async fn create(&self, _: &InstanceSpec, _: &CreateOptions) -> Result<Instance> {
        self.note("create");
        Ok(instance(S::Pending))
    }
    async fn create_many(
        &self,
        _: &InstanceSpec,
        _: Count,
        _: &CreateOptions,
    ) -> Result<CreateReport> {
        Err(ErrorKind::Unsupported.into())
    }
    async fn get(&self, _: &InstanceId) -> Result<Instance> {
        self.note("get");
        match next(&self.reads).unwrap() {
            Is(state) => Ok(instance(state)),
            Fails(kind) => Err(kind.into()),
            Busy(hint) => Err(Error::new(ErrorKind::RateLimited).with_retry_after(hint)),
            Hangs => futures::future::pending().await,
        }
    }
    async fn list_page(
        &self,
        _: &InstanceFilter,
        token: Option<&PageToken>,
    ) -> Result<InstancePage> {
        let next = token.is_none().then(|| PageToken::new("2"));
        Ok(InstancePage::new(vec![instance(S::Running)], next))
    }
    async fn start(&self, _: &InstanceId) -> Result<()> {
        Ok(())
    }
    async fn stop(&self, _: &InstanceId, _: StopMode) -> Result<()> {
        Ok(())
    }
    async fn restart(&self, _: &InstanceId, _: RestartMode) -> Result<()> {
        Ok(())
    }
    async fn terminate(&self, _: &InstanceId, _: &TerminateOptions) -> Result<()> {
        self.note("terminate");
        match next(&self.terminations) {
            Some(Fails(kind)) => Err(kind.into()),
            _ => Ok(()),
        }
    }
    async fn set_labels(&self, _: &InstanceId, _: &LabelPatch) -> Result<()> {
        Ok(())
    }
    async fn locations(&self) -> Result<Vec<Location>> {
        Ok(Vec::new())
    }
    async fn types_page(&self, _: &TypeQuery, token: Option<&PageToken>) -> Result<TypePage> {
        let name = if token.is_none() { "small" } else { "large" };
        let next = token.is_none().then(|| PageToken::new("2"));
        Ok(TypePage::new(vec![InstanceType::new(name, 1, 512, Arch::Arm64)], next))
    }
    async fn resolve_image(&self, _: &ImageSelector, _: Arch) -> Result<Image> {
        Err(ErrorKind::NotFound.into())
    }
    fn key_pairs(&self) -> Option<&dyn KeyPairs> {
        None
    }
    fn volumes(&self) -> Option<&dyn Volumes> {
        None
    }
    fn networks(&self) -> Option<&dyn Networks> {
        None
    }
    fn firewalls(&self) -> Option<&dyn Firewalls> {
        None
    }
    fn images(&self) -> Option<&dyn Images> {
        None
    }
    fn console(&self) -> Option<&dyn Console> {
        None
    }
    fn quotas(&self) -> Option<&dyn Quotas> {
        None
    }
    fn resize(&self) -> Option<&dyn Resize> {
        None
    }
    fn prices(&self) -> Option<&dyn Prices> {
        None
    }
    fn sweep(&self) -> Option<&dyn Sweep> {
        None
    }
    fn native(&self) -> &dyn Any {
        self
    }
}

/// Polls `work` and moves the clock whenever it stands still. Returns the time that it took.
async fn drive<T>(clock: &ManualClock, work: impl Future<Output = T>) -> (T, Duration) {
    let mut work = std::pin::pin!(work);
    let start = clock.monotonic();
    loop {
        if let Poll::Ready(result) = futures::poll!(&mut work) {
            return (result, clock.monotonic() - start);
        }
        clock.advance(Duration::from_millis(10));
    }
}

fn options(clock: &ManualClock) -> WaitOptions {
    WaitOptions::default()
        .with_clock(Arc::new(clock.clone()))
        .with_random(Arc::new(SeededRandom::new(1)))
}

async fn wait(
    target: InstanceState,
    reads: impl IntoIterator<Item = Step>,
) -> (Result<Option<InstanceState>>, Duration) {
    let (clock, compute) = (ManualClock::new(), Scripted::new(reads));
    let (result, took) = drive(&clock, compute.wait_until(&id(), target, &options(&clock))).await;
    (result.map(|instance| instance.map(|instance| instance.state())), took)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test]
async fn a_state_is_reached() {
    let (state, took) = wait(S::Running, [Is(S::Pending), Is(S::Pending), Is(S::Running)]).await;
    assert_eq!(state.unwrap(), Some(S::Running));
    assert!(took <= Duration::from_millis(160), "{took:?}");
    let (state, took) = wait(S::Running, [Is(S::Running)]).await;
    assert_eq!((state.unwrap(), took), (Some(S::Running), Duration::ZERO));
}

#[tokio::test]
async fn what_is_gone_counts_as_terminated() {
    let (state, took) = wait(S::Terminated, [Fails(ErrorKind::NotFound)]).await;
    assert_eq!((state.unwrap(), took), (None, Duration::ZERO));
    let (state, _) = wait(S::Terminated, [Is(S::Terminating), Is(S::Terminated)]).await;
    assert_eq!(state.unwrap(), Some(S::Terminated));
}

#[tokio::test]
async fn what_is_impossible_fails_at_once() {
    for dead in [S::Terminating, S::Terminated, S::Failed] {
        let (result, took) = wait(S::Running, [Is(dead)]).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert_eq!((error.operation(), error.provider()), ("wait_until", "fake"));
        assert_eq!(took, Duration::ZERO);
    }
    let error = wait(S::Running, [Is(S::Failed)]).await.0.unwrap_err();
    assert!(error.to_string().contains("FAILED") && error.to_string().contains("CapacityLost"));
}

#[tokio::test]
async fn an_old_state_is_waited_out_within_the_consistency_time() {
    let reads = [Is(S::Stopped), Is(S::Stopped), Is(S::Pending), Is(S::Running)];
    assert_eq!(wait(S::Running, reads).await.0.unwrap(), Some(S::Running));
    let (result, took) = wait(S::Running, [Is(S::Stopped)]).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Unreachable);
    assert!(took >= seconds(60) && took < seconds(70), "{took:?}");
}

#[tokio::test]
async fn an_instance_that_was_on_its_way_is_lost_once_two_reads_agree() {
    let (result, took) = wait(S::Running, [Is(S::Pending), Is(S::Stopped)]).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Unreachable);
    assert!(took < seconds(1), "{took:?}");
    let (result, took) = wait(S::Running, [Is(S::Pending), Fails(ErrorKind::NotFound)]).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Unreachable);
    assert!(took < seconds(1), "{took:?}");
    let replica = [
        Is(S::Pending),
        Fails(ErrorKind::NotFound),
        Is(S::Pending),
        Is(S::Stopped),
        Is(S::Running),
    ];
    assert_eq!(wait(S::Running, replica).await.0.unwrap(), Some(S::Running));
}

#[tokio::test]
async fn not_found_is_waited_out_then_reported() {
    let reads = [Fails(ErrorKind::NotFound), Fails(ErrorKind::NotFound), Is(S::Running)];
    assert_eq!(wait(S::Running, reads).await.0.unwrap(), Some(S::Running));
    let (result, took) = wait(S::Running, [Fails(ErrorKind::NotFound)]).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(took >= seconds(60) && took < seconds(70), "{took:?}");
}

#[tokio::test]
async fn failures_that_pass_are_repeated_and_others_are_not() {
    let reads = [Fails(ErrorKind::Unavailable), Busy(seconds(30)), Is(S::Running)];
    let (result, took) = wait(S::Running, reads).await;
    assert_eq!(result.unwrap(), Some(S::Running));
    assert!(took >= seconds(30) && took < seconds(31), "the hint is honoured: {took:?}");
    let (result, took) = wait(S::Running, [Fails(ErrorKind::PermissionDenied)]).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test]
async fn the_deadline_names_the_last_state() {
    for reads in [
        vec![Is(S::Pending)],
        vec![Is(S::Pending), Hangs],
        vec![Is(S::Pending), Busy(seconds(9999))],
    ] {
        let (result, took) = wait(S::Running, reads).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("pending (PENDING)"), "{error}");
        assert_eq!(took, seconds(600));
    }
    let error = wait(S::Running, [Fails(ErrorKind::Unavailable)]).await.0.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("unavailable"));
}

#[tokio::test]
async fn dropping_a_wait_leaves_no_sleeper() {
    let (clock, compute) = (ManualClock::new(), Scripted::new([Is(S::Pending)]));
    let (id, options) = (id(), options(&clock));
    let mut wait = Box::pin(compute.wait_until(&id, S::Running, &options));
    assert!(futures::poll!(&mut wait).is_pending());
    assert_eq!(clock.sleepers(), 1);
    drop(wait);
    assert_eq!(clock.sleepers(), 0);
}

#[tokio::test]
async fn delays_stay_within_a_quarter_of_the_bound() {
    let options = options(&ManualClock::new());
    for n in 0..50 {
        let (bound, delay) = (options.backoff.bound(n), options.delay(n, None));
        assert!(delay <= bound && delay >= bound * 3 / 4, "{n}: {delay:?}");
    }
    assert_eq!(options.delay(0, Some(seconds(7))), seconds(7));
}

#[tokio::test]
async fn a_watch_reports_changes_and_ends_with_the_instance() {
    let reads = [
        Fails(ErrorKind::NotFound),
        Is(S::Pending),
        Is(S::Pending),
        Fails(ErrorKind::Unavailable),
        Is(S::Running),
        Is(S::Running),
        Is(S::Terminating),
        Fails(ErrorKind::NotFound),
    ];
    let (clock, compute) = (ManualClock::new(), Scripted::new(reads));
    let seen = compute.watch(&id(), &options(&clock)).map_ok(|i| i.state()).try_collect::<Vec<_>>();
    let (seen, _) = drive(&clock, seen).await;
    assert_eq!(seen.unwrap(), [S::Pending, S::Running, S::Terminating]);

    let compute = Scripted::new([Is(S::Terminated)]);
    let seen = compute.watch(&id(), &options(&clock)).map_ok(|i| i.state()).try_collect::<Vec<_>>();
    assert_eq!(drive(&clock, seen).await.0.unwrap(), [S::Terminated]);
}

#[tokio::test]
async fn a_watch_fails_once() {
    for (reads, kind, least) in [
        (Fails(ErrorKind::PermissionDenied), ErrorKind::PermissionDenied, 0),
        (Fails(ErrorKind::NotFound), ErrorKind::NotFound, 60),
        (Fails(ErrorKind::Unavailable), ErrorKind::Unavailable, 600),
    ] {
        let (clock, compute) = (ManualClock::new(), Scripted::new([reads]));
        let items = compute.watch(&id(), &options(&clock)).collect::<Vec<_>>();
        let (items, took) = drive(&clock, items).await;
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].as_ref().unwrap_err().kind(), kind);
        assert!(took >= seconds(least) && took < seconds(least + 10), "{kind}: {took:?}");
    }
}

#[tokio::test]
async fn create_and_wait_gives_a_running_instance() {
    let (clock, compute) = (ManualClock::new(), Scripted::new([Is(S::Pending), Is(S::Running)]));
    let spec = InstanceSpec::new(InstanceName::new("a").unwrap());
    let (create, wait) = (CreateOptions::default(), options(&clock));
    let (made, _) = drive(&clock, compute.create_and_wait(&spec, &create, &wait)).await;
    assert_eq!(made.unwrap().state(), S::Running);
    assert_eq!((compute.calls("create"), compute.calls("terminate")), (1, 0));
}

#[tokio::test]
async fn create_and_wait_removes_what_does_not_run() {
    let reads = [Is(S::Pending), Is(S::Failed), Is(S::Failed), Fails(ErrorKind::NotFound)];
    let (clock, compute) = (ManualClock::new(), Scripted::new(reads));
    let spec = InstanceSpec::new(InstanceName::new("a").unwrap());
    let (create, wait) = (CreateOptions::default(), options(&clock));
    *compute.terminations.lock().unwrap() =
        [Fails(ErrorKind::RateLimited), Is(S::Terminating)].into();
    let (made, _) = drive(&clock, compute.create_and_wait(&spec, &create, &wait)).await;
    let error = made.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert_eq!(error.leaked(), []);
    assert_eq!(compute.calls("terminate"), 2);
}

#[tokio::test]
async fn create_and_wait_names_what_it_could_not_remove() {
    let (clock, compute) = (ManualClock::new(), Scripted::new([Is(S::Failed)]));
    let spec = InstanceSpec::new(InstanceName::new("a").unwrap());
    let (create, wait) = (CreateOptions::default(), options(&clock));
    *compute.terminations.lock().unwrap() = [Fails(ErrorKind::PermissionDenied)].into();
    let (made, _) = drive(&clock, compute.create_and_wait(&spec, &create, &wait)).await;
    let error = made.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert_eq!(error.leaked(), [crate::ResourceRef::new("instance", id().to_string())]);
}

#[tokio::test]
async fn pages_become_streams() {
    let compute = Scripted::new([Is(S::Running)]);
    let dynamic: &dyn Compute = &compute;
    let all = dynamic.list(InstanceFilter::default()).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(all.len(), 2);
    let types = dynamic.types(TypeQuery::default()).map_ok(|t| t.name).try_collect::<Vec<_>>();
    assert_eq!(types.await.unwrap(), ["small", "large"]);
}
