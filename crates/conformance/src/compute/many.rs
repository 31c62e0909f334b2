//! Creating many instances at once.

use std::collections::BTreeSet;

use polycloud_core::ErrorKind;
use polycloud_core::compute::{
    Count, CreateOptions, ImageSelector, InstanceFilter, InstanceName, InstanceSpec,
    InstanceState as State, Labels,
};

use super::lab::Lab;
use crate::case::{cases, ensure, ensure_eq};
use crate::expect::expect_kind;

cases! {
    Compute, "many";

    /// Instances that are created together have numbered names, and ids and addresses of their own.
    #[needs(CreateMany)]
    async fn numbered_names(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (spec, count) = (lab.spec("a")?, Count::exactly(3)?);
        let report = lab.create_many(&spec, count, &CreateOptions::default()).await?;
        ensure!(report.shortfall.is_none(), "a shortfall: {:?}", report.shortfall);
        ensure_eq!(report.instances.len(), 3);
        let (mut ids, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for made in &report.instances {
            let running = lab.reach(&made.id, State::Running).await?;
            ids.insert(running.id.clone());
            addresses.extend(running.private_ips);
        }
        ensure_eq!(ids.len(), 3, "the ids {ids:?}");
        ensure!(addresses.len() >= 3, "the addresses {addresses:?}");
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["a-0", "a-1", "a-2"]);
        Ok(())
    }

    /// A single instance has the name of the spec.
    #[needs(CreateMany)]
    async fn one_has_the_plain_name(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (spec, count) = (lab.spec("a")?, Count::exactly(1)?);
        let report = lab.create_many(&spec, count, &CreateOptions::default()).await?;
        ensure_eq!(report.instances.len(), 1);
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["a"]);
        Ok(())
    }

    /// All instances that are created together have the labels and the owner.
    #[needs(CreateMany, Labels, Sweep)]
    async fn labels_and_owner(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let labels = Labels::new().with("role", "worker")?;
        let (spec, options) = (lab.spec("a")?.with_labels(labels.clone()), lab.owned()?);
        let report = lab.create_many(&spec, Count::exactly(2)?, &options).await?;
        for made in &report.instances {
            let read = lab.compute.get(&made.id).await?;
            ensure_eq!(read.labels, labels);
            ensure_eq!(read.owner, options.owner);
        }
        Ok(())
    }

    /// If as many as asked for can be had, there are that many, though fewer would have sufficed.
    #[needs(CreateMany)]
    async fn as_many_as_can_be_had(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (spec, count) = (lab.spec("a")?, Count::new(1, 3)?);
        let report = lab.create_many(&spec, count, &CreateOptions::default()).await?;
        ensure!(
            report.shortfall.is_some() || report.instances.len() == 3,
            "{} instances, but no shortfall",
            report.instances.len()
        );
        Ok(())
    }

    /// If at least min can be created, they are, and the report says why there are fewer than max.
    #[needs(CreateMany)]
    async fn shortfall(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let in_the_way = lab.run_bare("a-1").await?;
        let (spec, count) = (lab.spec("a")?, Count::new(1, 3)?);
        let report = lab.create_many(&spec, count, &CreateOptions::default()).await?;
        let why = report.shortfall.as_ref().map(polycloud_core::Error::kind);
        ensure_eq!(why, Some(ErrorKind::AlreadyExists), "the shortfall");
        let mut names: Vec<_> = report.instances.iter().map(|made| lab.suffix(made)).collect();
        names.sort_unstable();
        ensure_eq!(names, ["a-0", "a-2"]);
        for made in &report.instances {
            lab.reach(&made.id, State::Running).await?;
        }
        ensure_eq!(lab.compute.get(&in_the_way.id).await?, in_the_way);
        Ok(())
    }

    /// If fewer than min can be created, those that were are removed again, and nothing else is.
    #[needs(CreateMany)]
    async fn below_min_removes_all(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let in_the_way = lab.run_bare("a-1").await?;
        let (spec, count) = (lab.spec("a")?, Count::exactly(3)?);
        let result = lab.create_many(&spec, count, &CreateOptions::default()).await;
        let error = expect_kind(result, ErrorKind::AlreadyExists)?;
        ensure_eq!(error.leaked(), []);
        for instance in lab.list(InstanceFilter::default()).await? {
            if instance.id != in_the_way.id {
                ensure_eq!(instance.state(), State::Terminating, "{}", instance.name);
                lab.gone(&instance.id).await?;
            }
        }
        ensure_eq!(lab.list(InstanceFilter::default()).await?, [in_the_way]);
        Ok(())
    }

    /// A create of many whose spec is refused makes none.
    #[needs(CreateMany)]
    async fn refused_as_a_whole(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let image = ImageSelector::Id("conformance-no-such-image".into());
        let (spec, count) = (lab.spec("a")?.with_image(image), Count::new(1, 3)?);
        let result = lab.create_many(&spec, count, &CreateOptions::default()).await;
        expect_kind(result, ErrorKind::NotFound)?;
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, [""; 0]);
        Ok(())
    }

    /// A name that has no room for the numbers is refused, and nothing is made.
    #[needs(CreateMany)]
    async fn name_without_room(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let name = InstanceName::new(format!("{:x<62}", lab.name("x")?.as_str()))?;
        let (spec, count) = (InstanceSpec::new(name), Count::new(1, 2)?);
        let result = lab.create_many(&spec, count, &CreateOptions::default()).await;
        expect_kind(result, ErrorKind::InvalidArgument)?;
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, [""; 0]);
        Ok(())
    }
}
