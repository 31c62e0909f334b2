//! The states of instances, and which request each of them allows.

use polycloud_core::ErrorKind;
use polycloud_core::capability::Feature;
use polycloud_core::compute::{
    Compute, InstanceFilter, InstanceId, InstanceState as State, LabelPatch, RestartMode, StopMode,
    TerminateOptions,
};

use super::lab::Lab;
use crate::case::{CaseResult, Context, cases, ensure, ensure_eq};
use crate::expect::{expect_any, expect_kind, race};

/// What requests about an instance that was terminated fail with.
const GONE: [ErrorKind; 2] = [ErrorKind::NotFound, ErrorKind::InvalidState];

cases! {
    Compute, "state";

    /// A created instance is pending or runs already, and then runs.
    async fn create_leads_to_running(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let made = lab.make(&lab.spec("a")?).await?;
        ensure!(
            matches!(made.state(), State::Pending | State::Running),
            "it is {} after its create",
            made.status
        );
        let running = lab.reach(&made.id, State::Running).await?;
        ensure!(!running.status.native.is_empty(), "the provider's own word is missing");
        Ok(())
    }

    /// Starting an instance that is on its way to run succeeds and changes nothing.
    async fn start_while_pending(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let made = lab.make(&lab.spec("a")?).await?;
        lab.compute.start(&made.id).await?;
        lab.reach(&made.id, State::Running).await?;
        Ok(())
    }

    /// Starting an instance that runs succeeds and changes nothing.
    async fn start_while_running(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let before = lab.run_bare("a").await?;
        lab.compute.start(&before.id).await?;
        let after = lab.compute.get(&before.id).await?;
        ensure_eq!(after.state(), State::Running);
        ensure_eq!(after.private_ips, before.private_ips);
        Ok(())
    }

    /// A stopped instance starts again, and is the same instance.
    #[needs(StopDeallocate)]
    async fn start_after_stop(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let stopped = lab.run_and_stop("a").await?;
        lab.compute.start(&stopped.id).await?;
        let again = lab.reach(&stopped.id, State::Running).await?;
        ensure_eq!(again.name, stopped.name);
        ensure_eq!(again.instance_type, stopped.instance_type);
        ensure_eq!(again.zone, stopped.zone);
        ensure!(again.ip().is_some(), "it has no address after its start");
        Ok(())
    }

    /// Stopping a pending instance is refused, and then it runs; or it ran already, and then it stops.
    #[needs(StopDeallocate)]
    async fn stop_while_pending(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let made = lab.make(&lab.spec("a")?).await?;
        let result = lab.compute.stop(&made.id, StopMode::Deallocate).await;
        let state = if result.is_ok() { State::Stopped } else { State::Running };
        if result.is_err() {
            expect_kind(result, ErrorKind::InvalidState)?;
        }
        lab.reach(&made.id, state).await?;
        Ok(())
    }

    /// Stopping an instance that is being stopped, or is stopped, succeeds and changes nothing.
    #[needs(StopDeallocate)]
    async fn stop_twice(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.stop(&id, StopMode::Deallocate).await?;
        lab.compute.stop(&id, StopMode::Deallocate).await?;
        lab.reach(&id, State::Stopped).await?;
        lab.compute.stop(&id, StopMode::Deallocate).await?;
        ensure_eq!(lab.compute.get(&id).await?.state(), State::Stopped);
        Ok(())
    }

    /// Starting an instance that is being stopped is refused, and it stops; or it had stopped already,
    /// and then it runs.
    #[needs(StopDeallocate)]
    async fn start_while_stopping(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.stop(&id, StopMode::Deallocate).await?;
        let result = lab.compute.start(&id).await;
        let state = if result.is_ok() { State::Running } else { State::Stopped };
        if result.is_err() {
            expect_kind(result, ErrorKind::InvalidState)?;
        }
        lab.reach(&id, state).await?;
        Ok(())
    }

    /// An instance that is not running cannot be restarted, and stays as it is.
    #[needs(RestartGraceful, StopDeallocate)]
    async fn restart_while_stopped(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_and_stop("a").await?.id;
        let restart = lab.compute.restart(&id, RestartMode::Graceful).await;
        expect_kind(restart, ErrorKind::InvalidState)?;
        ensure_eq!(lab.compute.get(&id).await?.state(), State::Stopped);
        Ok(())
    }

    /// A restarted instance runs again, as the same instance.
    #[needs(RestartGraceful)]
    async fn restart_gracefully(context: Context) -> CaseResult {
        restart(context, RestartMode::Graceful).await
    }

    /// An instance that was reset runs again, as the same instance.
    #[needs(RestartForce)]
    async fn restart_by_force(context: Context) -> CaseResult {
        restart(context, RestartMode::Force).await
    }

    /// Nothing brings a terminated instance back: each request says that it is gone or terminated.
    #[needs(Labels, RestartGraceful, StopDeallocate)]
    async fn terminated_is_final(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.terminate(&id).await?;
        expect_any(lab.compute.start(&id).await, &GONE)?;
        expect_any(lab.compute.stop(&id, StopMode::Deallocate).await, &GONE)?;
        expect_any(lab.compute.restart(&id, RestartMode::Graceful).await, &GONE)?;
        let patch = LabelPatch::new().set("a", "b")?;
        expect_any(lab.compute.set_labels(&id, &patch).await, &GONE)?;
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, [""; 0]);
        lab.gone(&id).await
    }

    /// An instance that is being terminated cannot be started or stopped any more.
    #[needs(StopDeallocate)]
    async fn terminating_is_final(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.terminate(&id, &TerminateOptions::default()).await?;
        expect_any(lab.compute.start(&id).await, &GONE)?;
        expect_any(lab.compute.stop(&id, StopMode::Deallocate).await, &GONE)?;
        lab.gone(&id).await
    }

    /// Stops that come at the same moment all succeed, and the instance is stopped.
    #[needs(StopDeallocate)]
    async fn concurrent_stops(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        let results = race(4, |_| {
            let (compute, id) = (lab.compute.clone(), id.clone());
            async move { compute.stop(&id, StopMode::Deallocate).await }
        });
        for result in results.await? {
            result?;
        }
        lab.reach(&id, State::Stopped).await?;
        Ok(())
    }

    /// Starts that come at the same moment all succeed, and the instance runs.
    #[needs(StopDeallocate)]
    async fn concurrent_starts(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_and_stop("a").await?.id;
        let results = race(4, |_| {
            let (compute, id) = (lab.compute.clone(), id.clone());
            async move { compute.start(&id).await }
        });
        for result in results.await? {
            result?;
        }
        lab.reach(&id, State::Running).await?;
        Ok(())
    }

    /// In any order of starts, stops and restarts, each is allowed or refused by the state alone, and a
    /// request that is refused changes nothing.
    #[needs(StopDeallocate)]
    async fn any_order_of_requests(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        let mut requests = vec![Request::Start];
        let modes = [
            (Feature::StopDeallocate, Request::Stop(StopMode::Deallocate)),
            (Feature::StopKeepAllocated, Request::Stop(StopMode::KeepAllocated)),
            (Feature::StopSuspend, Request::Stop(StopMode::Suspend)),
            (Feature::StopForce, Request::Stop(StopMode::Force)),
            (Feature::RestartGraceful, Request::Restart(RestartMode::Graceful)),
            (Feature::RestartForce, Request::Restart(RestartMode::Force)),
        ];
        let capabilities = lab.compute.capabilities();
        requests.extend(modes.iter().filter(|m| capabilities.has(m.0)).map(|m| m.1));
        let (mut state, mut history) = (State::Running, Vec::new());
        for _ in 0..STEPS {
            let drawn = context.random().below(requests.len() as u64);
            let request = usize::try_from(drawn).ok().and_then(|n| requests.get(n));
            let Some(request) = request.copied() else { continue };
            history.push((state, request));
            let result = request.send(&*lab.compute, &id).await;
            match request.leads_to(state) {
                Some(next) => {
                    ensure!(result.is_ok(), "the last of {history:?} failed: {result:?}");
                    state = next;
                }
                None => {
                    let error = expect_kind(result, ErrorKind::InvalidState);
                    error.map_err(|failure| failure.context(format_args!("after {history:?}")))?;
                }
            }
            let reached = lab.reach(&id, state).await;
            reached.map_err(|failure| failure.context(format_args!("after {history:?}")))?;
        }
        Ok(())
    }
}

/// Requests of one walk through the states.
const STEPS: usize = 10;

async fn restart(context: Context, mode: RestartMode) -> CaseResult {
    let lab = Lab::new(&context)?;
    let before = lab.run_bare("a").await?;
    lab.compute.restart(&before.id, mode).await?;
    let after = lab.reach(&before.id, State::Running).await?;
    ensure_eq!(after.name, before.name);
    ensure_eq!(after.private_ips, before.private_ips, "private addresses after a restart");
    ensure_eq!(after.public_ips, before.public_ips, "public addresses after a restart");
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Request {
    Start,
    Stop(StopMode),
    Restart(RestartMode),
}

impl Request {
    async fn send(self, compute: &dyn Compute, id: &InstanceId) -> polycloud_core::Result<()> {
        match self {
            Self::Start => compute.start(id).await,
            Self::Stop(mode) => compute.stop(id, mode).await,
            Self::Restart(mode) => compute.restart(id, mode).await,
        }
    }

    /// Where the request leads, or `None` if the state does not allow it.
    fn leads_to(self, state: State) -> Option<State> {
        match (self, state) {
            (Self::Start, _) => Some(State::Running),
            (Self::Stop(StopMode::Suspend), State::Running) => Some(State::Suspended),
            (Self::Stop(_), State::Running | State::Stopped) => Some(State::Stopped),
            (Self::Restart(_), State::Running) => Some(State::Running),
            _ => None,
        }
    }
}
