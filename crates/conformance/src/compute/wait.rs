//! Waiting for states, and watching them.

use std::time::Duration;

use futures::TryStreamExt;
use futures::future::join_all;
use polycloud_core::compute::{
    ComputeExt, CreateOptions, InstanceFilter, InstanceState as State, StopMode, TerminateOptions,
};
use polycloud_core::{ErrorKind, Outcome};

use super::lab::Lab;
use crate::case::{cases, ensure, ensure_eq};
use crate::expect::{expect_any, expect_kind};

cases! {
    Compute, "wait";

    /// Waiting for the state that an instance is in returns the instance.
    async fn for_the_present_state(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        let read = lab.compute.get(&id).await?;
        ensure_eq!(lab.reach(&id, State::Running).await?, read);
        Ok(())
    }

    /// Waiting for a state that an instance does not get to by itself fails as unreachable.
    async fn for_what_needs_a_request(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        let wait = lab.wait().clone().with_consistency(Duration::ZERO);
        for state in [State::Stopped, State::Suspended, State::Terminated, State::Failed] {
            let result = lab.compute.wait_until(&id, state, &wait).await;
            expect_kind(result, ErrorKind::Unreachable)?;
        }
        Ok(())
    }

    /// A stopped instance does not run by itself, and waiting for that fails as unreachable.
    #[needs(StopDeallocate)]
    async fn for_a_stopped_instance_to_run(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_and_stop("a").await?.id;
        let wait = lab.wait().clone().with_consistency(Duration::ZERO);
        let result = lab.compute.wait_until(&id, State::Running, &wait).await;
        expect_kind(result, ErrorKind::Unreachable)?;
        Ok(())
    }

    /// An instance that is being terminated will not run again, and waiting for that fails at once.
    async fn for_a_terminated_instance_to_run(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.make(&lab.spec("a")?).await?.id;
        lab.compute.terminate(&id, &TerminateOptions::default()).await?;
        let wait = lab.wait().clone().with_consistency(Duration::ZERO);
        let result = lab.compute.wait_until(&id, State::Running, &wait).await;
        expect_any(result, &[ErrorKind::Unreachable, ErrorKind::NotFound])?;
        Ok(())
    }

    /// A wait whose time is up fails as timed out, and leaves the instance alone.
    async fn too_long(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        // The old state may be stale for longer than the wait takes, so that it goes on to its end.
        let wait = lab.wait().clone().with_timeout(Duration::from_millis(200));
        let wait = wait.with_consistency(Duration::from_secs(3600));
        let result = lab.compute.wait_until(&id, State::Stopped, &wait).await;
        let error = expect_kind(result, ErrorKind::Timeout)?;
        ensure_eq!(error.outcome(), Outcome::NotApplied);
        ensure_eq!(lab.compute.get(&id).await?.state(), State::Running);
        Ok(())
    }

    /// Waiting for an instance that was never there to run fails as not found.
    async fn for_an_unknown_instance(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let unknown = lab.unknown().await?;
        let wait = lab.wait().clone().with_consistency(Duration::ZERO);
        let result = lab.compute.wait_until(&unknown, State::Running, &wait).await;
        expect_kind(result, ErrorKind::NotFound)?;
        Ok(())
    }

    /// An instance that is not found counts as terminated.
    async fn for_an_unknown_instance_to_be_gone(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let unknown = lab.unknown().await?;
        let result = lab.compute.wait_until(&unknown, State::Terminated, lab.wait()).await?;
        ensure!(result.is_none(), "what was never there is {result:?}");
        Ok(())
    }

    /// After a terminate the instance is gone: terminated, or not found.
    async fn for_the_end(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.terminate(&id, &TerminateOptions::default()).await?;
        let last = lab.compute.wait_until(&id, State::Terminated, lab.wait()).await?;
        ensure!(last.is_none_or(|last| last.state() == State::Terminated), "it is not terminated");
        match lab.compute.get(&id).await {
            Ok(instance) => ensure_eq!(instance.state(), State::Terminated),
            Err(error) => ensure_eq!(error.kind(), ErrorKind::NotFound),
        }
        Ok(())
    }

    /// Any number of waits for the same instance come to the same end.
    async fn together(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.make(&lab.spec("a")?).await?.id;
        for result in join_all((0..4).map(|_| lab.reach(&id, State::Running))).await {
            result?;
        }
        Ok(())
    }

    /// A create that waits returns an instance that runs and has an address.
    async fn create_and_wait(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (spec, options) = (lab.spec("a")?, CreateOptions::default());
        let instance = lab.compute.create_and_wait(&spec, &options, lab.wait()).await?;
        ensure_eq!(instance.state(), State::Running);
        ensure_eq!(instance.name, spec.name);
        ensure!(instance.ip().is_some(), "it has no address");
        Ok(())
    }

    /// A create whose wait takes too long terminates the instance again, or names it as left behind.
    async fn create_and_wait_too_long(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let wait = lab.wait().clone().with_timeout(Duration::from_millis(1));
        let (spec, options) = (lab.spec("a")?, CreateOptions::default());
        let Err(error) = lab.compute.create_and_wait(&spec, &options, &wait).await else {
            // It ran within a millisecond.
            return Ok(());
        };
        ensure_eq!(error.kind(), ErrorKind::Timeout);
        let left = lab.list(InstanceFilter::default()).await?;
        for instance in left {
            let id = instance.id.to_string();
            let named = error.leaked().iter().any(|resource| resource.id == id);
            ensure!(named || instance.state() == State::Terminating, "{instance:?} is not named");
        }
        Ok(())
    }

    /// A watch shows each state that an instance rests in, in order, and what lies between them in
    /// order or not at all; it ends when the instance is gone.
    #[needs(StopDeallocate)]
    async fn watch_a_life(context: Context) -> CaseResult {
        const LIFE: [State; 8] = [
            State::Pending,
            State::Running,
            State::Stopping,
            State::Stopped,
            State::Pending,
            State::Running,
            State::Terminating,
            State::Terminated,
        ];
        let lab = Lab::new(&context)?;
        let id = lab.make(&lab.spec("a")?).await?.id;
        let mut watch = lab.compute.watch(&id, lab.wait());
        let mut seen: Vec<State> = Vec::new();
        while let Some(instance) = watch.try_next().await? {
            let state = instance.state();
            if seen.last() == Some(&state) {
                continue;
            }
            seen.push(state);
            let lives = seen.iter().filter(|state| **state == State::Running).count();
            match state {
                State::Running if lives == 1 => {
                    lab.compute.stop(&id, StopMode::Deallocate).await?;
                }
                State::Stopped => lab.compute.start(&id).await?,
                State::Running => {
                    lab.compute.terminate(&id, &TerminateOptions::default()).await?;
                }
                _ => {}
            }
        }
        let mut life = LIFE.iter();
        let in_order = seen.iter().all(|state| life.any(|next| next == state));
        ensure!(in_order, "the states came as {seen:?}");
        let rests: Vec<_> = seen.iter().filter(|state| !state.is_transitional()).collect();
        ensure!(
            rests.starts_with(&[&State::Running, &State::Stopped, &State::Running]),
            "the states came as {seen:?}"
        );
        lab.gone(&id).await
    }

    /// A watch of an instance that was never there fails as not found.
    async fn watch_an_unknown_instance(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let unknown = lab.unknown().await?;
        let wait = lab.wait().clone().with_consistency(Duration::ZERO);
        let mut watch = lab.compute.watch(&unknown, &wait);
        expect_kind(watch.try_next().await, ErrorKind::NotFound)?;
        ensure!(watch.try_next().await?.is_none(), "the watch goes on after its error");
        Ok(())
    }
}
