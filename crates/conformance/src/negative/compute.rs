use std::sync::Arc;

use futures::future::BoxFuture;
use polycloud_core::capability::Feature;
use polycloud_core::compute::{
    BootDisk, Cidr, Compute, Count, CreateOptions, Hardware, IdempotencyToken, ImageSelector,
    IngressRule, InstanceFilter, InstanceId, InstanceName, InstanceSpec, LabelPatch, Labels,
    Market, Owner, Protocol, PublicKey, RestartMode, StopMode, TerminateOptions,
};
use polycloud_core::{ErrorKind, Result};

use super::Probe;
use crate::case::{CaseResult, Context, ensure};
use crate::expect::expect_kind;

type Work = BoxFuture<'static, CaseResult>;

/// The probe of a feature of computes.
pub(super) fn probe(feature: Feature) -> Option<Probe> {
    use Feature as F;
    Some(match feature {
        F::IdempotentCreate => |c| {
            create_with(c, |options| Ok(options.with_token(IdempotencyToken::new("conformance")?)))
        },
        F::CreateMany => |c| Box::pin(create_many(c)),
        F::UserData => |c| create(c, |spec| Ok(spec.with_user_data("#!/bin/sh\n"))),
        F::Labels => |c| Box::pin(labels(c)),
        F::SshKeys => |c| {
            create(c, |spec| {
                let line = format!("ssh-ed25519 {}", "A".repeat(68));
                Ok(spec.with_ssh_key(PublicKey::new(line)?))
            })
        },
        F::PublicIp => |c| create(c, |spec| Ok(spec.with_public_ip(true))),
        F::Ingress => |c| {
            create(c, |spec| {
                let anywhere: Cidr = "0.0.0.0/0".parse()?;
                Ok(spec.with_ingress(IngressRule::new(Protocol::Tcp, 22..=22, anywhere)?))
            })
        },
        F::BootDisk => |c| create(c, |spec| Ok(spec.with_boot_disk(BootDisk::of_size(20)))),
        F::Zones => |c| Box::pin(zones(c)),
        F::Spot => |c| create(c, |spec| Ok(spec.with_market(Market::Spot { max_hourly: None }))),
        F::InstanceIdentity => |c| create(c, |spec| Ok(spec.with_identity("conformance"))),
        F::StopDeallocate => |c| stop(c, StopMode::Deallocate),
        F::StopKeepAllocated => |c| stop(c, StopMode::KeepAllocated),
        F::StopSuspend => |c| stop(c, StopMode::Suspend),
        F::StopForce => |c| stop(c, StopMode::Force),
        F::RestartGraceful => |c| restart(c, RestartMode::Graceful),
        F::RestartForce => |c| restart(c, RestartMode::Force),
        F::HardwareNeeds => |c| create(c, |spec| Ok(spec.with_hardware(Hardware::at_least(1, 1)))),
        F::ImageAlias => {
            |c| create(c, |spec| Ok(spec.with_image(ImageSelector::Alias("conformance:0".into()))))
        }
        F::KeyPairs => |c| facet(c, |compute| compute.key_pairs().is_none()),
        F::Volumes => |c| facet(c, |compute| compute.volumes().is_none()),
        F::Networks => |c| facet(c, |compute| compute.networks().is_none()),
        F::Firewalls => |c| facet(c, |compute| compute.firewalls().is_none()),
        F::Images => |c| facet(c, |compute| compute.images().is_none()),
        F::Console => |c| facet(c, |compute| compute.console().is_none()),
        F::Quotas => |c| facet(c, |compute| compute.quotas().is_none()),
        F::Resize => |c| facet(c, |compute| compute.resize().is_none()),
        F::Prices => |c| facet(c, |compute| compute.prices().is_none()),
        F::Sweep => |c| Box::pin(sweep(c)),
        _ => return None,
    })
}

/// A spec that no backend can create, and that needs no feature: there is no such image.
fn impossible(context: &Context) -> Result<InstanceSpec> {
    let image = ImageSelector::Id("conformance-no-such-image".into());
    Ok(InstanceSpec::new(InstanceName::new(context.unique("none"))?).with_image(image))
}

/// The id of an instance that does not exist, of the provider under test.
fn nobody(compute: &dyn Compute) -> Result<InstanceId> {
    InstanceId::new(compute.info().provider, "conformance", "no-such-instance")
}

fn create(context: Context, with: fn(InstanceSpec) -> Result<InstanceSpec>) -> Work {
    Box::pin(async move {
        let spec = with(impossible(&context)?)?;
        let result = context.compute()?.create(&spec, &CreateOptions::default()).await;
        expect_kind(result, ErrorKind::Unsupported).map(drop)
    })
}

fn create_with(context: Context, with: fn(CreateOptions) -> Result<CreateOptions>) -> Work {
    Box::pin(async move {
        let (spec, options) = (impossible(&context)?, with(CreateOptions::default())?);
        let result = context.compute()?.create(&spec, &options).await;
        expect_kind(result, ErrorKind::Unsupported).map(drop)
    })
}

async fn create_many(context: Context) -> CaseResult {
    let (spec, count) = (impossible(&context)?, Count::new(1, 2)?);
    let result = context.compute()?.create_many(&spec, count, &CreateOptions::default()).await;
    expect_kind(result, ErrorKind::Unsupported).map(drop)
}

async fn labels(context: Context) -> CaseResult {
    let with = |spec: InstanceSpec| Ok(spec.with_labels(Labels::new().with("name", "value")?));
    create(context.clone(), with).await?;
    let compute = context.compute()?;
    let patch = LabelPatch::new().set("name", "value")?;
    let result = compute.set_labels(&nobody(&*compute)?, &patch).await;
    expect_kind(result, ErrorKind::Unsupported)?;
    let filter = InstanceFilter::default().with_labels(Labels::new().with("name", "value")?);
    list(context, filter).await
}

async fn zones(context: Context) -> CaseResult {
    create(context.clone(), |spec| Ok(spec.with_zone("conformance"))).await?;
    list(context, InstanceFilter::default().with_zone("conformance")).await
}

async fn list(context: Context, filter: InstanceFilter) -> CaseResult {
    let result = context.compute()?.list_page(&filter, None).await;
    expect_kind(result, ErrorKind::Unsupported).map(drop)
}

fn stop(context: Context, mode: StopMode) -> Work {
    Box::pin(async move {
        let compute = context.compute()?;
        let result = compute.stop(&nobody(&*compute)?, mode).await;
        expect_kind(result, ErrorKind::Unsupported).map(drop)
    })
}

fn restart(context: Context, mode: RestartMode) -> Work {
    Box::pin(async move {
        let compute = context.compute()?;
        let result = compute.restart(&nobody(&*compute)?, mode).await;
        expect_kind(result, ErrorKind::Unsupported).map(drop)
    })
}

fn facet(context: Context, is_none: fn(&Arc<dyn Compute>) -> bool) -> Work {
    Box::pin(async move {
        ensure!(is_none(&context.compute()?), "the facet is there all the same");
        Ok(())
    })
}

async fn sweep(context: Context) -> CaseResult {
    facet(context.clone(), |compute| compute.sweep().is_none()).await?;
    let with = |options: CreateOptions| Ok(options.with_owner(Owner::new("conformance")?));
    create_with(context.clone(), with).await?;
    let filter = InstanceFilter::default().with_owner(Owner::new("conformance")?);
    list(context.clone(), filter).await?;
    let compute = context.compute()?;
    let options = TerminateOptions::default().with_only_owner(Owner::new("conformance")?);
    let result = compute.terminate(&nobody(&*compute)?, &options).await;
    expect_kind(result, ErrorKind::Unsupported).map(drop)
}
