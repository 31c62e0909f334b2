use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use polycloud_core::capability::{Capabilities, Requires};
use polycloud_core::compute::{
    Arch, Compute, ComputeInfo, Console, Count, CreateOptions, CreateReport, Firewalls, Image,
    ImageSelector, Images, Instance, InstanceFilter, InstanceId, InstancePage, InstanceSpec,
    KeyPairs, LabelPatch, Location, Networks, Prices, Quotas, Resize, RestartMode, StopMode, Sweep,
    TerminateOptions, TypePage, TypeQuery, Volumes,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, Result, ResultExt};

use super::ids::{self, PROVIDER, REGION, ZONES};
use super::journal::InstanceDir;
use super::{Handle, Inner, LocalCompute, image, not_found, types};

impl Handle {
    /// Checks the options, then does blocking work on an instance.
    pub(super) async fn on<T: Send + 'static>(
        &self,
        operation: &'static str,
        id: &InstanceId,
        options: &(dyn Requires + Sync),
        work: impl FnOnce(&Arc<Inner>, &InstanceDir) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let done = async {
            self.inner.capabilities.check(options)?;
            let dir = self.inner.dir(id)?;
            self.blocking(move |inner| work(inner, &dir)).await
        };
        done.await.during(PROVIDER, operation, id)
    }

    /// Checks the options, then does blocking work on no instance in particular.
    pub(super) async fn at<T: Send + 'static>(
        &self,
        operation: &'static str,
        target: &(dyn fmt::Display + Sync),
        options: &[&(dyn Requires + Sync)],
        work: impl FnOnce(&Arc<Inner>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let done = async {
            options.iter().try_for_each(|options| self.inner.capabilities.check(*options))?;
            self.blocking(work).await
        };
        done.await.during(PROVIDER, operation, target)
    }
}

/// Needs nothing that a backend could lack.
pub(super) struct Nothing;

impl Requires for Nothing {
    fn requires(&self, _: &mut dyn FnMut(polycloud_core::capability::Feature)) {}
}

#[async_trait]
impl Compute for LocalCompute {
    fn info(&self) -> &ComputeInfo {
        &self.handle.inner.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.handle.inner.capabilities
    }

    async fn create(&self, spec: &InstanceSpec, options: &CreateOptions) -> Result<Instance> {
        let (owned_spec, owned_options) = (spec.clone(), options.clone());
        let one = Count::exactly(1)?;
        let work = move |inner: &Arc<Inner>| inner.create(&owned_spec, one, &owned_options);
        let made = self.handle.at("create", &spec.name, &[spec, options], work).await;
        let (report, pledge) = made?;
        pledge.kept().await;
        report.instances.into_iter().next().ok_or_else(not_found)
    }

    async fn create_many(
        &self,
        spec: &InstanceSpec,
        count: Count,
        options: &CreateOptions,
    ) -> Result<CreateReport> {
        let (owned_spec, owned_options) = (spec.clone(), options.clone());
        let work = move |inner: &Arc<Inner>| inner.create(&owned_spec, count, &owned_options);
        let made = self.handle.at("create_many", &spec.name, &[spec, options], work).await;
        let (report, pledge) = made?;
        pledge.kept().await;
        Ok(report)
    }

    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        self.handle
            .on("get", id, &Nothing, |inner, dir| match inner.observe(dir)? {
                Some(record) => record.instance(),
                None => {
                    // The last steps of a termination may still be under way, and who is told that the
                    // instance is gone may rely on it. Nobody knows the id of one that is being made.
                    dir.remove()?;
                    Err(not_found())
                }
            })
            .await
    }

    async fn list_page(
        &self,
        filter: &InstanceFilter,
        token: Option<&PageToken>,
    ) -> Result<InstancePage> {
        let (owned_filter, token) = (filter.clone(), token.cloned());
        let work = move |inner: &Arc<Inner>| inner.list_page(&owned_filter, token.as_ref());
        self.handle.at("list_page", &"", &[filter], work).await
    }

    async fn start(&self, id: &InstanceId) -> Result<()> {
        let work = |inner: &Arc<Inner>, dir: &InstanceDir| inner.start(dir);
        self.handle.on("start", id, &Nothing, work).await?.kept().await;
        Ok(())
    }

    async fn stop(&self, id: &InstanceId, mode: StopMode) -> Result<()> {
        let work = move |inner: &Arc<Inner>, dir: &InstanceDir| inner.stop(dir, mode);
        self.handle.on("stop", id, &mode, work).await?.kept().await;
        Ok(())
    }

    async fn restart(&self, id: &InstanceId, mode: RestartMode) -> Result<()> {
        let work = move |inner: &Arc<Inner>, dir: &InstanceDir| inner.restart(dir, mode);
        self.handle.on("restart", id, &mode, work).await?.kept().await;
        Ok(())
    }

    async fn terminate(&self, id: &InstanceId, options: &TerminateOptions) -> Result<()> {
        if ids::native(id).during(PROVIDER, "terminate", id)?.is_none() {
            return self.handle.inner.capabilities.check(options).during(PROVIDER, "terminate", id);
        }
        let owned = options.clone();
        let work = move |inner: &Arc<Inner>, dir: &InstanceDir| inner.terminate(dir, &owned);
        self.handle.on("terminate", id, options, work).await?.kept().await;
        Ok(())
    }

    async fn set_labels(&self, id: &InstanceId, patch: &LabelPatch) -> Result<()> {
        let patch = patch.clone();
        self.handle
            .on("set_labels", id, &Nothing, move |inner, dir| inner.set_labels(dir, &patch))
            .await
    }

    async fn locations(&self) -> Result<Vec<Location>> {
        Ok(vec![Location::new(REGION, ZONES.map(str::to_owned))])
    }

    async fn types_page(&self, query: &TypeQuery, token: Option<&PageToken>) -> Result<TypePage> {
        let most = self.handle.inner.capabilities.limits.list_page;
        types::page(query, token, most).during(PROVIDER, "types_page", "")
    }

    async fn resolve_image(&self, selector: &ImageSelector, arch: Arch) -> Result<Image> {
        let owned = selector.clone();
        let work = move |inner: &Arc<Inner>| image::resolve(&inner.images(), &owned, arch);
        self.handle.at("resolve_image", &format!("{selector:?}"), &[], work).await
    }

    fn key_pairs(&self) -> Option<&dyn KeyPairs> {
        None
    }

    fn volumes(&self) -> Option<&dyn Volumes> {
        None
    }

    fn networks(&self) -> Option<&dyn Networks> {
        None
    }

    fn firewalls(&self) -> Option<&dyn Firewalls> {
        None
    }

    fn images(&self) -> Option<&dyn Images> {
        Some(&self.handle)
    }

    fn console(&self) -> Option<&dyn Console> {
        Some(&self.handle)
    }

    fn quotas(&self) -> Option<&dyn Quotas> {
        Some(&self.handle)
    }

    fn resize(&self) -> Option<&dyn Resize> {
        Some(&self.handle)
    }

    fn prices(&self) -> Option<&dyn Prices> {
        None
    }

    fn sweep(&self) -> Option<&dyn Sweep> {
        Some(&self.handle)
    }

    fn native(&self) -> &dyn Any {
        self
    }
}

impl Inner {
    /// One page of the instances, ordered by id. The token is the last id before it.
    fn list_page(
        self: &Arc<Self>,
        filter: &InstanceFilter,
        token: Option<&PageToken>,
    ) -> Result<InstancePage> {
        let after = token.map(PageToken::as_str);
        if after.is_some_and(|after| !ids::is_native(after)) {
            return Err(Error::invalid("not a page token of this listing"));
        }
        let most = self.capabilities.limits.list_page;
        let size = filter.page_size.unwrap_or(most).clamp(1, most);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut page = InstancePage::default();
        let mut last = None;
        for dir in self.dirs()?.into_iter().filter(|dir| after.is_none_or(|after| dir.id() > after))
        {
            if page.instances.len() == size {
                page.next = last.map(PageToken::new);
                break;
            }
            if let Some(record) = self.observe(&dir)? {
                let instance = record.instance()?;
                if filter.matches(&instance) {
                    page.instances.push(instance);
                }
            }
            last = Some(dir.id().to_owned());
        }
        Ok(page)
    }
}
