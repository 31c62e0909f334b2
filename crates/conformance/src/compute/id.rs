//! Ids of instances: known, unknown, and another provider's.

use polycloud_core::ErrorKind;
use polycloud_core::capability::Feature;
use polycloud_core::compute::{
    Compute, Hardware, ImageBuild, InstanceId, InstanceState as State, LabelPatch, RestartMode,
    StopMode, TerminateOptions,
};

use super::lab::Lab;
use crate::case::{CaseResult, Failure, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

cases! {
    Compute, "id";

    /// An id names its provider, and its text stands for the instance as well as the id itself.
    async fn as_text(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let made = lab.make(&lab.spec("a")?).await?;
        ensure_eq!(made.id.provider(), lab.compute.info().provider);
        let parsed: InstanceId = made.id.to_string().parse()?;
        ensure_eq!(parsed, made.id);
        ensure_eq!(lab.compute.get(&parsed).await?.name, made.name);
        Ok(())
    }

    /// No two instances have the same id or, while both live, the same address.
    async fn unique(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (first, second) = (lab.run_bare("a").await?, lab.run_bare("b").await?);
        ensure!(first.id != second.id, "both have the id {}", first.id);
        let shared = first.private_ips.iter().find(|ip| second.private_ips.contains(ip));
        ensure!(shared.is_none(), "both have the address {shared:?}");
        Ok(())
    }

    /// An id that was never given out is not found, whatever is asked of it.
    async fn unknown(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.unknown().await?;
        refused(&*lab.compute, &id, ErrorKind::NotFound).await
    }

    /// An id of another provider is refused, whatever is asked of it.
    async fn of_another_provider(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let own = lab.make(&lab.spec("a")?).await?.id;
        let other = InstanceId::new("conformance", own.scope(), own.native())?;
        refused(&*lab.compute, &other, ErrorKind::InvalidArgument).await?;
        let terminate = lab.compute.terminate(&other, &TerminateOptions::default()).await;
        expect_kind(terminate, ErrorKind::InvalidArgument)?;
        // The instance whose native id it shares was not touched.
        lab.reach(&own, State::Running).await?;
        Ok(())
    }
}

/// Shows that every request but a terminate refuses an id.
async fn refused(compute: &dyn Compute, id: &InstanceId, kind: ErrorKind) -> CaseResult {
    let what = |what: &'static str| move |failure: Failure| failure.context(what);
    expect_kind(compute.get(id).await, kind).map_err(what("get"))?;
    expect_kind(compute.start(id).await, kind).map_err(what("start"))?;
    let capabilities = compute.capabilities();
    for mode in StopMode::ALL.into_iter().filter(|mode| capabilities.check(mode).is_ok()) {
        expect_kind(compute.stop(id, mode).await, kind).map_err(what("stop"))?;
    }
    for mode in [RestartMode::Graceful, RestartMode::Force] {
        if capabilities.check(&mode).is_ok() {
            expect_kind(compute.restart(id, mode).await, kind).map_err(what("restart"))?;
        }
    }
    if capabilities.has(Feature::Labels) {
        let patch = LabelPatch::new().set("a", "b")?;
        expect_kind(compute.set_labels(id, &patch).await, kind).map_err(what("set_labels"))?;
    }
    if let Some(console) = compute.console() {
        expect_kind(console.output(id, 0).await, kind).map_err(what("console"))?;
    }
    if let Some(resize) = compute.resize() {
        let result = resize.resize(id, &Hardware::default()).await;
        expect_kind(result, kind).map_err(what("resize"))?;
    }
    if let Some(images) = compute.images() {
        let build = ImageBuild::new("conformance-never", id.clone());
        expect_kind(images.create(&build).await, kind).map_err(what("images"))?;
    }
    Ok(())
}
