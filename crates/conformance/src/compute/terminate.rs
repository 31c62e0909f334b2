//! Terminating instances.

use polycloud_core::ErrorKind;
use polycloud_core::compute::{
    CreateOptions, InstanceFilter, InstanceState as State, Owner, StopMode, TerminateOptions,
};

use super::lab::Lab;
use crate::case::{cases, ensure_eq};
use crate::expect::{expect_kind, race};

cases! {
    Compute, "terminate";

    /// A running instance is terminated and nothing of it is listed.
    async fn running(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.terminate(&id).await?;
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, [""; 0]);
        Ok(())
    }

    /// An instance is terminated as soon as it was created, whether it runs or not.
    async fn pending(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.make(&lab.spec("a")?).await?.id;
        lab.terminate(&id).await
    }

    /// A stopped instance is terminated.
    #[needs(StopDeallocate)]
    async fn stopped(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_and_stop("a").await?.id;
        lab.terminate(&id).await
    }

    /// An instance that is just being stopped is terminated.
    #[needs(StopDeallocate)]
    async fn stopping(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.stop(&id, StopMode::Deallocate).await?;
        lab.terminate(&id).await
    }

    /// A suspended instance is terminated.
    #[needs(StopSuspend)]
    async fn suspended(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.stop(&id, StopMode::Suspend).await?;
        lab.reach(&id, State::Suspended).await?;
        lab.terminate(&id).await
    }

    /// Terminating an instance twice, at once and later, succeeds.
    async fn twice(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.terminate(&id, &TerminateOptions::default()).await?;
        lab.compute.terminate(&id, &TerminateOptions::default()).await?;
        lab.gone(&id).await?;
        lab.terminate(&id).await
    }

    /// Terminates that come at the same moment all succeed.
    async fn concurrent(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        let results = race(4, |_| {
            let (compute, id) = (lab.compute.clone(), id.clone());
            async move { compute.terminate(&id, &TerminateOptions::default()).await }
        });
        for result in results.await? {
            result?;
        }
        lab.gone(&id).await
    }

    /// Terminating an instance that was never there succeeds.
    async fn unknown(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let unknown = lab.unknown().await?;
        lab.compute.terminate(&unknown, &TerminateOptions::default()).await?;
        Ok(())
    }

    /// Terminating one instance leaves the others alone.
    async fn others_stay(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (goes, stays) = (lab.run_bare("a").await?, lab.run_bare("b").await?);
        lab.terminate(&goes.id).await?;
        ensure_eq!(lab.compute.get(&stays.id).await?, stays);
        Ok(())
    }

    /// An instance of another owner, or of nobody, is not terminated for who asks for its own only.
    #[needs(Sweep)]
    async fn of_another_owner(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let other = Owner::new(context.unique("other"))?;
        let only_other = TerminateOptions::default().with_only_owner(other);
        for (name, options) in [("owned", lab.owned()?), ("nobodys", CreateOptions::default())] {
            let id = lab.create(&lab.spec(name)?, &options).await?.id;
            lab.reach(&id, State::Running).await?;
            let result = lab.compute.terminate(&id, &only_other).await;
            expect_kind(result, ErrorKind::PermissionDenied)?;
            ensure_eq!(lab.compute.get(&id).await?.state(), State::Running);
        }
        Ok(())
    }

    /// An instance of one's own is terminated for who asks for its own only.
    #[needs(Sweep)]
    async fn of_the_same_owner(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.create(&lab.spec("a")?, &lab.owned()?).await?.id;
        let only_own = TerminateOptions::default().with_only_owner(lab.owner()?);
        lab.compute.terminate(&id, &only_own).await?;
        lab.gone(&id).await
    }

    /// What was never there is nobody else's: terminating it succeeds for who asks for its own only.
    #[needs(Sweep)]
    async fn unknown_of_an_owner(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let only_own = TerminateOptions::default().with_only_owner(lab.owner()?);
        lab.compute.terminate(&lab.unknown().await?, &only_own).await?;
        Ok(())
    }
}
