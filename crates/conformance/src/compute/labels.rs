//! Labels of instances.

use polycloud_core::ErrorKind;
use polycloud_core::compute::{InstanceFilter, InstanceState as State, LabelPatch, Labels};

use super::lab::Lab;
use crate::case::{cases, ensure_eq};
use crate::expect::{expect_kind, race};

cases! {
    Compute, "labels";

    /// The labels of a spec are those of the instance, with none added that a caller can see.
    #[needs(Labels, Sweep)]
    async fn of_the_spec(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let labels = Labels::new()
            .with("role", "worker")?
            .with("empty", "")?
            .with("long-key_".to_owned() + &"k".repeat(54), "v".repeat(63))?;
        let spec = lab.spec("a")?.with_labels(labels.clone());
        let made = lab.create(&spec, &lab.owned()?).await?;
        ensure_eq!(made.labels, labels);
        ensure_eq!(lab.compute.get(&made.id).await?.labels, labels);
        Ok(())
    }

    /// A patch sets new labels, replaces others, removes others, and leaves the rest.
    #[needs(Labels)]
    async fn patch(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let before = Labels::new().with("stays", "1")?.with("changes", "1")?.with("goes", "1")?;
        let id = lab.make(&lab.spec("a")?.with_labels(before)).await?.id;
        let patch = LabelPatch::new().set("changes", "2")?.remove("goes")?.set("comes", "2")?;
        lab.compute.set_labels(&id, &patch).await?;
        let after = Labels::new().with("stays", "1")?.with("changes", "2")?.with("comes", "2")?;
        ensure_eq!(lab.compute.get(&id).await?.labels, after);
        Ok(())
    }

    /// Removing a label that is not there succeeds, and so does a patch that changes nothing.
    #[needs(Labels)]
    async fn patch_without_effect(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let labels = Labels::new().with("stays", "1")?;
        let id = lab.make(&lab.spec("a")?.with_labels(labels.clone())).await?.id;
        lab.compute.set_labels(&id, &LabelPatch::new().remove("none")?).await?;
        lab.compute.set_labels(&id, &LabelPatch::new()).await?;
        lab.compute.set_labels(&id, &LabelPatch::new().set("stays", "1")?).await?;
        ensure_eq!(lab.compute.get(&id).await?.labels, labels);
        Ok(())
    }

    /// Patches of different labels that come at the same moment all take effect.
    #[needs(Labels)]
    async fn concurrent_patches(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        let results = race(6, |number| {
            let (compute, id) = (lab.compute.clone(), id.clone());
            async move {
                let patch = LabelPatch::new().set(format!("l{number}"), number.to_string())?;
                compute.set_labels(&id, &patch).await
            }
        });
        for result in results.await? {
            result?;
        }
        let all = (0..6).try_fold(Labels::new(), |labels, number| {
            labels.with(format!("l{number}"), number.to_string())
        });
        ensure_eq!(lab.compute.get(&id).await?.labels, all?);
        Ok(())
    }

    /// Changed labels are those that a listing filters by.
    #[needs(Labels)]
    async fn filters_see_changes(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (old, new) = (Labels::new().with("step", "1")?, Labels::new().with("step", "2")?);
        let id = lab.make(&lab.spec("a")?.with_labels(old.clone())).await?.id;
        lab.compute.set_labels(&id, &LabelPatch::new().set("step", "2")?).await?;
        let found = |labels| lab.listed(InstanceFilter::default().with_labels(labels));
        ensure_eq!(found(old).await?, [""; 0]);
        ensure_eq!(found(new).await?, ["a"]);
        Ok(())
    }

    /// Changed labels outlast a stop and a start.
    #[needs(Labels, StopDeallocate)]
    async fn outlast_a_stop(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.set_labels(&id, &LabelPatch::new().set("while", "running")?).await?;
        lab.stop(&id).await?;
        lab.compute.set_labels(&id, &LabelPatch::new().set("and", "stopped")?).await?;
        lab.compute.start(&id).await?;
        let after = lab.reach(&id, State::Running).await?;
        ensure_eq!(after.labels, Labels::new().with("while", "running")?.with("and", "stopped")?);
        Ok(())
    }

    /// A patch that leads to more labels than declared is refused and changes nothing.
    #[needs(Labels)]
    async fn too_many(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let Some(most) = lab.compute.capabilities().limits.labels else { return Ok(()) };
        let labels = Labels::new().with("stays", "1")?;
        let id = lab.make(&lab.spec("a")?.with_labels(labels.clone())).await?.id;
        let patch = (0..most)
            .try_fold(LabelPatch::new(), |patch, number| patch.set(format!("l{number}"), ""))?;
        let result = lab.compute.set_labels(&id, &patch).await;
        expect_kind(result, ErrorKind::InvalidArgument)?;
        ensure_eq!(lab.compute.get(&id).await?.labels, labels);
        Ok(())
    }

    /// Changing the labels of one instance leaves those of others.
    #[needs(Labels)]
    async fn others_stay(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let labels = Labels::new().with("step", "1")?;
        let changes = lab.make(&lab.spec("a")?.with_labels(labels.clone())).await?;
        let stays = lab.make(&lab.spec("b")?.with_labels(labels.clone())).await?;
        lab.compute.set_labels(&changes.id, &LabelPatch::new().set("step", "2")?).await?;
        ensure_eq!(lab.compute.get(&stays.id).await?.labels, labels);
        Ok(())
    }
}
