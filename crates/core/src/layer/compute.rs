use std::any::Any;

use async_trait::async_trait;

use super::{Around, Layered, run};
use crate::capability::Capabilities;
use crate::compute::{
    Arch, Compute, ComputeInfo, Console, Count, CreateOptions, CreateReport, Firewalls, Image,
    ImageSelector, Images, Instance, InstanceFilter, InstanceId, InstancePage, InstanceSpec,
    KeyPairs, LabelPatch, Location, Networks, Prices, Quotas, Resize, RestartMode, StopMode, Sweep,
    TerminateOptions, TypePage, TypeQuery, Volumes,
};
use crate::error::Result;
use crate::page::PageToken;

/// Facets are there if the backend has them, and pass the layer like everything else.
macro_rules! facets {
    ($($facet:ident: $name:ident,)+) => {$(
        fn $facet(&self) -> Option<&dyn $name> {
            self.inner.$facet().map(|_| self as _)
        }
    )+};
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Compute + ?Sized, A: Around> Compute for Layered<S, A> {
    fn info(&self) -> &ComputeInfo {
        self.inner.info()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, spec: &InstanceSpec, options: &CreateOptions) -> Result<Instance> {
        let call = self.writes("create", &spec.name);
        run(&*self.around, call, self.inner.create(spec, options)).await
    }

    async fn create_many(
        &self,
        spec: &InstanceSpec,
        count: Count,
        options: &CreateOptions,
    ) -> Result<CreateReport> {
        let call = self.writes("create_many", &spec.name);
        run(&*self.around, call, self.inner.create_many(spec, count, options)).await
    }

    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        run(&*self.around, self.reads("get", id), self.inner.get(id)).await
    }

    async fn list_page(
        &self,
        filter: &InstanceFilter,
        token: Option<&PageToken>,
    ) -> Result<InstancePage> {
        let call = self.reads("list_page", &"");
        run(&*self.around, call, self.inner.list_page(filter, token)).await
    }

    async fn start(&self, id: &InstanceId) -> Result<()> {
        run(&*self.around, self.writes("start", id), self.inner.start(id)).await
    }

    async fn stop(&self, id: &InstanceId, mode: StopMode) -> Result<()> {
        run(&*self.around, self.writes("stop", id), self.inner.stop(id, mode)).await
    }

    async fn restart(&self, id: &InstanceId, mode: RestartMode) -> Result<()> {
        run(&*self.around, self.writes("restart", id), self.inner.restart(id, mode)).await
    }

    async fn terminate(&self, id: &InstanceId, options: &TerminateOptions) -> Result<()> {
        let call = self.writes("terminate", id);
        run(&*self.around, call, self.inner.terminate(id, options)).await
    }

    async fn set_labels(&self, id: &InstanceId, patch: &LabelPatch) -> Result<()> {
        run(&*self.around, self.writes("set_labels", id), self.inner.set_labels(id, patch)).await
    }

    async fn locations(&self) -> Result<Vec<Location>> {
        run(&*self.around, self.reads("locations", &""), self.inner.locations()).await
    }

    async fn types_page(&self, query: &TypeQuery, token: Option<&PageToken>) -> Result<TypePage> {
        let call = self.reads("types_page", &"");
        run(&*self.around, call, self.inner.types_page(query, token)).await
    }

    async fn resolve_image(&self, selector: &ImageSelector, arch: Arch) -> Result<Image> {
        let target = match selector {
            ImageSelector::Default => "",
            ImageSelector::Id(name) | ImageSelector::Alias(name) => name,
        };
        let call = self.reads("resolve_image", &target);
        run(&*self.around, call, self.inner.resolve_image(selector, arch)).await
    }

    facets! {
        key_pairs: KeyPairs,
        volumes: Volumes,
        networks: Networks,
        firewalls: Firewalls,
        images: Images,
        console: Console,
        quotas: Quotas,
        resize: Resize,
        prices: Prices,
        sweep: Sweep,
    }

    fn native(&self) -> &dyn Any {
        self.inner.native()
    }
}
