//! Creating one instance.

use std::time::Duration;

use polycloud_core::compute::{
    CreateOptions, Hardware, ImageSelector, Instance, InstanceFilter, InstanceName, InstanceSpec,
    InstanceState as State, Labels,
};

use polycloud_core::{ErrorKind, Outcome, Result as CoreResult};

use super::lab::Lab;
use crate::case::{CaseResult, Context, Failure, cases, ensure, ensure_eq};
use crate::expect::{expect_any, expect_kind};

cases! {
    Compute, "create";

    /// What a create returns is what get reads.
    async fn returns_what_get_reads(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let spec = lab.spec("a")?;
        let made = lab.make(&spec).await?;
        ensure_eq!(made.name, spec.name);
        same(&lab.compute.get(&made.id).await?, &made)?;
        same(&lab.reach(&made.id, State::Running).await?, &made)
    }

    /// A created instance is listed, once, as get reads it.
    async fn is_listed(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let made = lab.make(&lab.spec("a")?).await?;
        let running = lab.reach(&made.id, State::Running).await?;
        ensure_eq!(lab.list(InstanceFilter::default()).await?, [running]);
        Ok(())
    }

    /// A spec with nothing but a name makes an instance without anything that was not asked for.
    async fn defaults(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let instance = lab.run_bare("a").await?;
        ensure_eq!(instance.labels, Labels::new());
        ensure_eq!(instance.owner, None);
        ensure!(instance.public_ips.is_empty(), "it has {:?}", instance.public_ips);
        ensure!(!instance.spot, "it is a spot instance");
        ensure!(!instance.instance_type.is_empty(), "it has no type");
        ensure!(!instance.private_ips.is_empty(), "it has no private address");
        Ok(())
    }

    /// The time of creation is that of the create, where the provider tells it.
    async fn time_of_creation(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        // Providers round, and their clocks differ from the caller's.
        let slack = Duration::from_secs(300);
        let before = context.clock().now() - slack;
        let made = lab.make(&lab.spec("a")?).await?;
        let Some(created) = lab.compute.get(&made.id).await?.created else { return Ok(()) };
        let after = context.clock().now() + slack;
        ensure!((before..=after).contains(&created), "{created:?} is not {before:?}..={after:?}");
        Ok(())
    }

    /// The longest name is taken as it is.
    async fn longest_name(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let name = InstanceName::new(format!("{:x<63}", lab.name("x")?.as_str()))?;
        let made = lab.make(&InstanceSpec::new(name.clone())).await?;
        ensure_eq!(lab.compute.get(&made.id).await?.name, name);
        Ok(())
    }

    /// Two living instances cannot have the same name, and the first is not touched.
    async fn name_is_taken(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let first = lab.run_bare("a").await?;
        let again = lab.create(&lab.spec("a")?, &CreateOptions::default()).await;
        expect_kind(again, ErrorKind::AlreadyExists)?;
        ensure_eq!(lab.list(InstanceFilter::default()).await?, [first]);
        Ok(())
    }

    /// A stopped instance keeps its name.
    #[needs(StopDeallocate)]
    async fn name_of_a_stopped_instance_is_taken(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        lab.run_and_stop("a").await?;
        let again = lab.create(&lab.spec("a")?, &CreateOptions::default()).await;
        expect_kind(again, ErrorKind::AlreadyExists)?;
        Ok(())
    }

    /// Once an instance is terminated, its name is free, and the next to have it is another instance.
    async fn name_is_free_again(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let first = lab.make(&lab.spec("a")?).await?;
        lab.terminate(&first.id).await?;
        let second = lab.run_bare("a").await?;
        ensure!(first.id != second.id, "both have the id {}", first.id);
        Ok(())
    }

    /// An image that does not exist is not found, and nothing is made.
    async fn unknown_image(context: Context) -> CaseResult {
        let image = ImageSelector::Id("conformance-no-such-image".into());
        refused(context, |spec| spec.with_image(image), &[ErrorKind::NotFound]).await
    }

    /// An alias that means no image is not found, and nothing is made.
    #[needs(ImageAlias)]
    async fn unknown_image_alias(context: Context) -> CaseResult {
        let image = ImageSelector::Alias("conformance:0.0".into());
        refused(context, |spec| spec.with_image(image), &[ErrorKind::NotFound]).await
    }

    /// A type that does not exist is not found, and nothing is made.
    async fn unknown_type(context: Context) -> CaseResult {
        let hardware = Hardware::of_type("conformance.none");
        refused(context, |spec| spec.with_hardware(hardware), &[ErrorKind::NotFound]).await
    }

    /// A machine that is larger than all there are is not found, and nothing is made.
    #[needs(HardwareNeeds)]
    async fn impossible_needs(context: Context) -> CaseResult {
        let hardware = Hardware::at_least(1_000_000, 1 << 40);
        refused(context, |spec| spec.with_hardware(hardware), &[ErrorKind::NotFound]).await
    }

    /// A zone that does not exist is refused, and nothing is made.
    #[needs(Zones)]
    async fn unknown_zone(context: Context) -> CaseResult {
        let kinds = [ErrorKind::InvalidArgument, ErrorKind::NotFound];
        refused(context, |spec| spec.with_zone("conformance-none"), &kinds).await
    }

    /// An identity that does not exist is refused, and nothing is made.
    #[needs(InstanceIdentity)]
    async fn unknown_identity(context: Context) -> CaseResult {
        let kinds = [ErrorKind::InvalidArgument, ErrorKind::NotFound, ErrorKind::PermissionDenied];
        refused(context, |spec| spec.with_identity("conformance-none"), &kinds).await
    }

    /// User data above the declared size is refused, and nothing is made.
    #[needs(UserData)]
    async fn too_much_user_data(context: Context) -> CaseResult {
        let Some(data) = padded_script(&context, 1)? else { return Ok(()) };
        let kinds = [ErrorKind::InvalidArgument];
        refused(context, |spec| spec.with_user_data(data), &kinds).await
    }

    /// More labels than declared are refused, and nothing is made.
    #[needs(Labels)]
    async fn too_many_labels(context: Context) -> CaseResult {
        let Some(most) = Lab::new(&context)?.compute.capabilities().limits.labels else {
            return Ok(());
        };
        let labels = numbered_labels(most + 1)?;
        refused(context, |spec| spec.with_labels(labels), &[ErrorKind::InvalidArgument]).await
    }

    /// User data and labels up to the declared limits are taken.
    #[needs(UserData, Labels)]
    async fn largest_spec(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let mut spec = lab.spec("a")?;
        if let Some(data) = padded_script(&context, 0)? {
            spec = spec.with_user_data(data);
        }
        if let Some(most) = lab.compute.capabilities().limits.labels {
            spec = spec.with_labels(numbered_labels(most)?);
        }
        ensure_eq!(lab.run(&spec).await?.labels, spec.labels);
        Ok(())
    }
}

/// Compares what does not change as an instance boots.
fn same(read: &Instance, made: &Instance) -> CaseResult {
    ensure_eq!(read.id, made.id);
    ensure_eq!(read.name, made.name);
    ensure_eq!(read.instance_type, made.instance_type);
    ensure_eq!(read.image, made.image);
    ensure_eq!(read.zone, made.zone);
    ensure_eq!(read.labels, made.labels);
    ensure_eq!(read.owner, made.owner);
    ensure_eq!(read.spot, made.spot);
    ensure_eq!(read.created, made.created);
    Ok(())
}

/// Shows that a spec is refused, that nothing is made of it, and that its name stays free.
async fn refused(
    context: Context,
    with: impl FnOnce(InstanceSpec) -> InstanceSpec,
    kinds: &[ErrorKind],
) -> CaseResult {
    let lab = Lab::new(&context)?;
    let spec = with(lab.spec("a")?);
    let error = expect_any(lab.create(&spec, &CreateOptions::default()).await, kinds)?;
    ensure_eq!(error.outcome(), Outcome::NotApplied);
    ensure_eq!(error.leaked(), []);
    ensure_eq!(lab.listed(InstanceFilter::default()).await?, [""; 0]);
    lab.make(&lab.spec("a")?).await.map(drop)
}

/// A script that is as long as user data may be, and so many bytes more; `None` without a limit.
fn padded_script(context: &Context, more: usize) -> Result<Option<Vec<u8>>, Failure> {
    const SCRIPT: &[u8] = b"#!/bin/sh\nexit 0\n#";
    let Some(most) = context.compute()?.capabilities().limits.user_data_bytes else {
        return Ok(None);
    };
    let most = usize::try_from(most).map_err(|error| Failure::new(error.to_string()))?;
    let mut data = SCRIPT.to_vec();
    data.resize(most.saturating_add(more), b'x');
    Ok(Some(data))
}

fn numbered_labels(count: u32) -> CoreResult<Labels> {
    (0..count).try_fold(Labels::new(), |labels, n| labels.with(format!("l{n}"), n.to_string()))
}
