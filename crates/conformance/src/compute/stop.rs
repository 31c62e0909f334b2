//! The ways of stopping: what each ends in, and what it keeps.

use polycloud_core::ErrorKind;
use polycloud_core::compute::{InstanceState as State, Labels, RestartMode, StateReason, StopMode};

use super::lab::Lab;
use crate::case::{CaseResult, Context, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

cases! {
    Compute, "stop";

    /// An instance that gives its machine back is stopped, and its compute is not billed.
    #[needs(StopDeallocate)]
    async fn deallocate(context: Context) -> CaseResult {
        stop_and_start(context, StopMode::Deallocate, State::Stopped).await
    }

    /// An instance that keeps its machine is stopped, and its compute is billed on.
    #[needs(StopKeepAllocated)]
    async fn keep_allocated(context: Context) -> CaseResult {
        stop_and_start(context, StopMode::KeepAllocated, State::Stopped).await
    }

    /// An instance whose power is cut is stopped, and its compute is not billed.
    #[needs(StopForce)]
    async fn force(context: Context) -> CaseResult {
        stop_and_start(context, StopMode::Force, State::Stopped).await
    }

    /// An instance whose memory is saved is suspended, and its compute is not billed.
    #[needs(StopSuspend)]
    async fn suspend(context: Context) -> CaseResult {
        stop_and_start(context, StopMode::Suspend, State::Suspended).await
    }

    /// A suspended instance can be neither stopped nor restarted, and stays suspended.
    #[needs(StopSuspend, StopDeallocate, RestartGraceful)]
    async fn suspended_only_starts(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.stop(&id, StopMode::Suspend).await?;
        lab.reach(&id, State::Suspended).await?;
        let stop = lab.compute.stop(&id, StopMode::Deallocate).await;
        expect_kind(stop, ErrorKind::InvalidState)?;
        let restart = lab.compute.restart(&id, RestartMode::Graceful).await;
        expect_kind(restart, ErrorKind::InvalidState)?;
        ensure_eq!(lab.compute.get(&id).await?.state(), State::Suspended);
        Ok(())
    }

    /// What ran when an instance was suspended rests meanwhile and goes on where it was.
    #[needs(StopSuspend, UserData, Console)]
    async fn suspend_keeps_what_runs(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let count = "n=0; while :; do n=$((n + 1)); echo \"tick-$n-\"; sleep 1; done";
        let id = lab.run(&lab.script("a", count)?).await?.id;
        lab.console_with(&id, "tick-2-").await?;
        lab.compute.stop(&id, StopMode::Suspend).await?;
        lab.reach(&id, State::Suspended).await?;
        let before = lab.console_text(&id).await?;
        ensure_eq!(lab.console_text(&id).await?, before, "the console of a suspended instance");
        lab.compute.start(&id).await?;
        lab.reach(&id, State::Running).await?;
        let next = format!("tick-{}-", before.matches("tick-").count() + 1);
        let after = lab.console_with(&id, &next).await?;
        ensure_eq!(after.matches("tick-1-").count(), 1, "how often it began, in {after:?}");
        Ok(())
    }

    /// Stopping a stopped instance in another way succeeds and changes nothing.
    #[needs(StopDeallocate, StopForce)]
    async fn stopped_is_stopped(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_and_stop("a").await?.id;
        lab.compute.stop(&id, StopMode::Force).await?;
        ensure_eq!(lab.compute.get(&id).await?.state(), State::Stopped);
        lab.compute.start(&id).await?;
        lab.reach(&id, State::Running).await?;
        lab.compute.stop(&id, StopMode::Force).await?;
        lab.reach(&id, State::Stopped).await?;
        lab.compute.stop(&id, StopMode::Deallocate).await?;
        ensure_eq!(lab.compute.get(&id).await?.state(), State::Stopped);
        Ok(())
    }

    /// A stopped instance keeps its name, type, labels and owner.
    #[needs(StopDeallocate, Labels, Sweep)]
    async fn keeps_what_it_is(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let labels = Labels::new().with("role", "worker")?;
        let made = lab.create(&lab.spec("a")?.with_labels(labels), &lab.owned()?).await?;
        let before = lab.reach(&made.id, State::Running).await?;
        let after = lab.stop(&made.id).await?;
        ensure_eq!(after.name, before.name);
        ensure_eq!(after.instance_type, before.instance_type);
        ensure_eq!(after.labels, before.labels);
        ensure_eq!(after.owner, before.owner);
        ensure_eq!(after.created, before.created);
        Ok(())
    }
}

/// Stops an instance, looks at it, and starts it again.
async fn stop_and_start(context: Context, mode: StopMode, end: State) -> CaseResult {
    let lab = Lab::new(&context)?;
    let id = lab.run_bare("a").await?.id;
    lab.compute.stop(&id, mode).await?;
    let stopped = lab.reach(&id, end).await?;
    let billed = mode == StopMode::KeepAllocated;
    ensure!(
        stopped.status.compute_billed.is_none_or(|said| said == billed),
        "compute_billed is {:?}",
        stopped.status.compute_billed
    );
    ensure!(
        matches!(
            stopped.status.reason,
            None | Some(StateReason::UserRequest | StateReason::Other { .. })
        ),
        "the reason is {:?}",
        stopped.status.reason
    );
    lab.compute.start(&id).await?;
    let started = lab.reach(&id, State::Running).await?;
    ensure_eq!(started.id, id);
    Ok(())
}
