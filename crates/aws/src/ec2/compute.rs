//! The trait, by the functions of the other files.

use std::any::Any;

use async_trait::async_trait;
use polycloud_core::capability::Capabilities;
use polycloud_core::compute::{
    Arch, Compute, ComputeInfo, Console, Count, CreateOptions, CreateReport, Firewalls, Image,
    ImageSelector, Images, Instance, InstanceFilter, InstanceId, InstancePage, InstanceSpec,
    KeyPairs, LabelPatch, Location, Networks, Prices, Quotas, Resize, RestartMode, StopMode, Sweep,
    TerminateOptions, TypePage, TypeQuery, Volumes,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Result, ResultExt as _};

use super::instance::incomplete;
use super::{Ec2Compute, image, location, types};
use crate::PROVIDER;

#[async_trait]
impl Compute for Ec2Compute {
    fn info(&self) -> &ComputeInfo {
        &self.0.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    async fn create(&self, spec: &InstanceSpec, options: &CreateOptions) -> Result<Instance> {
        let one = async {
            let report = self.create_all(spec, Count::exactly(1)?, options).await?;
            let first = report.instances.into_iter().next();
            first.ok_or_else(|| incomplete("no instance was launched"))
        };
        one.await.during(PROVIDER, "create", &spec.name)
    }

    async fn create_many(
        &self,
        spec: &InstanceSpec,
        count: Count,
        options: &CreateOptions,
    ) -> Result<CreateReport> {
        self.create_all(spec, count, options).await.during(PROVIDER, "create_many", &spec.name)
    }

    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        let get = async { self.0.instance(&self.0.describe(self.0.native(id)?).await?) };
        get.await.during(PROVIDER, "get", id)
    }

    async fn list_page(
        &self,
        filter: &InstanceFilter,
        token: Option<&PageToken>,
    ) -> Result<InstancePage> {
        self.0.list(filter, token).await.during(PROVIDER, "list_page", self.0.region())
    }

    async fn start(&self, id: &InstanceId) -> Result<()> {
        self.0.start(id).await.during(PROVIDER, "start", id)
    }

    async fn stop(&self, id: &InstanceId, mode: StopMode) -> Result<()> {
        self.0.stop(id, mode).await.during(PROVIDER, "stop", id)
    }

    async fn restart(&self, id: &InstanceId, mode: RestartMode) -> Result<()> {
        self.0.restart(id, mode).await.during(PROVIDER, "restart", id)
    }

    async fn terminate(&self, id: &InstanceId, options: &TerminateOptions) -> Result<()> {
        self.0.terminate(id, options).await.during(PROVIDER, "terminate", id)
    }

    async fn set_labels(&self, id: &InstanceId, patch: &LabelPatch) -> Result<()> {
        self.0.set_labels(id, patch).await.during(PROVIDER, "set_labels", id)
    }

    async fn locations(&self) -> Result<Vec<Location>> {
        location::locations(&self.0).await.during(PROVIDER, "locations", self.0.region())
    }

    async fn types_page(&self, query: &TypeQuery, token: Option<&PageToken>) -> Result<TypePage> {
        types::page(&self.0, query, token).await.during(PROVIDER, "types_page", self.0.region())
    }

    async fn resolve_image(&self, selector: &ImageSelector, arch: Arch) -> Result<Image> {
        let resolved = image::resolve(&self.0, selector, arch).await;
        resolved.map(|found| found.image).during(PROVIDER, "resolve_image", self.0.region())
    }

    fn key_pairs(&self) -> Option<&dyn KeyPairs> {
        Some(self)
    }

    fn volumes(&self) -> Option<&dyn Volumes> {
        Some(self)
    }

    fn networks(&self) -> Option<&dyn Networks> {
        Some(self)
    }

    fn firewalls(&self) -> Option<&dyn Firewalls> {
        Some(self)
    }

    fn images(&self) -> Option<&dyn Images> {
        Some(self)
    }

    fn console(&self) -> Option<&dyn Console> {
        Some(self)
    }

    fn quotas(&self) -> Option<&dyn Quotas> {
        Some(self)
    }

    fn resize(&self) -> Option<&dyn Resize> {
        Some(self)
    }

    fn prices(&self) -> Option<&dyn Prices> {
        None
    }

    fn sweep(&self) -> Option<&dyn Sweep> {
        Some(self)
    }

    fn native(&self) -> &dyn Any {
        self
    }
}
