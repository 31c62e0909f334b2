//! Removing what a killed caller left behind.

use std::time::Duration;

use polycloud_core::ResourceRef;
use polycloud_core::compute::{
    InstanceFilter, InstanceId, InstanceState as State, Owner, SweepOptions, SweepReport,
};

use super::lab::Lab;
use crate::case::{Failure, cases, ensure, ensure_eq};

cases! {
    Compute, "sweep";

    /// A sweep removes the instances of an owner, running, stopped or pending, and reports them.
    #[needs(Sweep, StopDeallocate)]
    async fn removes_what_is_owned(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let options = lab.owned()?;
        let stopped = lab.create(&lab.spec("stopped")?, &options).await?.id;
        lab.reach(&stopped, State::Running).await?;
        lab.stop(&stopped).await?;
        let running = lab.create(&lab.spec("running")?, &options).await?.id;
        lab.reach(&running, State::Running).await?;
        let pending = lab.create(&lab.spec("pending")?, &options).await?.id;
        let report = sweep(&lab, &SweepOptions::new(lab.owner()?)).await?;
        ensure!(report.failed.is_empty(), "it could not remove {:?}", report.failed);
        ensure!(report.at.is_some(), "it does not say when it started");
        for id in [&stopped, &running, &pending] {
            ensure!(names(&report.found, id), "{id} was not found: {report:?}");
            ensure!(names(&report.removed, id), "{id} was not removed: {report:?}");
        }
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, [""; 0]);
        Ok(())
    }

    /// A sweep leaves the instances of other owners and of nobody alone.
    #[needs(Sweep)]
    async fn leaves_the_rest(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let owned = lab.create(&lab.spec("owned")?, &lab.owned()?).await?;
        let nobodys = lab.make(&lab.spec("nobodys")?).await?;
        let longer = format!("{}-1", lab.owner()?);
        for other in [context.unique("other"), longer] {
            let report = sweep(&lab, &SweepOptions::new(Owner::new(other)?)).await?;
            for made in [&owned, &nobodys] {
                ensure!(!names(&report.found, &made.id), "{} was found", made.name);
            }
        }
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["nobodys", "owned"]);
        lab.reach(&owned.id, State::Running).await?;
        lab.reach(&nobodys.id, State::Running).await?;
        Ok(())
    }

    /// A dry run finds what a sweep would remove, and removes nothing.
    #[needs(Sweep)]
    async fn dry_run(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.create(&lab.spec("a")?, &lab.owned()?).await?.id;
        lab.reach(&id, State::Running).await?;
        let options = SweepOptions::new(lab.owner()?).with_dry_run(true);
        let report = sweep(&lab, &options).await?;
        ensure!(names(&report.found, &id), "it was not found: {report:?}");
        ensure_eq!(report.removed, []);
        ensure!(report.failed.is_empty(), "{report:?}");
        ensure_eq!(lab.compute.get(&id).await?.state(), State::Running);
        Ok(())
    }

    /// A sweep of what is older leaves what was just made.
    #[needs(Sweep)]
    async fn older_than(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.create(&lab.spec("a")?, &lab.owned()?).await?.id;
        let hour = SweepOptions::new(lab.owner()?).with_older_than(Duration::from_secs(3600));
        let report = sweep(&lab, &hour).await?;
        ensure!(!names(&report.found, &id), "it was found: {report:?}");
        lab.reach(&id, State::Running).await?;
        Ok(())
    }

    /// A sweep that is repeated succeeds and finds nothing any more.
    #[needs(Sweep)]
    async fn repeated(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.create(&lab.spec("a")?, &lab.owned()?).await?.id;
        let options = SweepOptions::new(lab.owner()?);
        let first = sweep(&lab, &options).await?;
        ensure!(names(&first.removed, &id), "it was not removed: {first:?}");
        let second = sweep(&lab, &options).await?;
        ensure!(!names(&second.found, &id), "it was found again: {second:?}");
        Ok(())
    }

    /// An instance says who it belongs to, and its owner is not among its labels.
    #[needs(Sweep)]
    async fn owner_is_shown(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let made = lab.create(&lab.spec("a")?, &lab.owned()?).await?;
        ensure_eq!(made.owner, Some(lab.owner()?));
        let read = lab.compute.get(&made.id).await?;
        ensure_eq!(read.owner, Some(lab.owner()?));
        ensure!(read.labels.is_empty(), "its labels are {:?}", read.labels);
        Ok(())
    }
}

async fn sweep(lab: &Lab, options: &SweepOptions) -> Result<SweepReport, Failure> {
    let sweep =
        lab.compute.sweep().ok_or_else(|| Failure::new("sweeping is declared but not there"));
    Ok(sweep?.sweep(options).await?)
}

/// Whether an instance is among the resources.
fn names(resources: &[ResourceRef], id: &InstanceId) -> bool {
    let id = id.to_string();
    resources.iter().any(|resource| resource.id == id)
}
