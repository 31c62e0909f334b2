use std::sync::Arc;

use futures::TryStreamExt as _;
use futures::future::try_join_all;
use polycloud_aws::{Ec2Config, Session};
use polycloud_core::compute::{
    Compute, ComputeExt as _, Count, CreateOptions, Hardware, ImageSelector, InstanceFilter,
    InstanceId, InstanceName, InstanceSpec, InstanceState, WaitOptions,
};

use super::Client;
use super::sdk::{IMAGE, TYPE};
use crate::server::{ACCESS_KEY, REGION, SECRET_KEY};

/// This project.
pub(super) struct Polycloud(Arc<dyn Compute>);

/// The spec of instances of that name.
fn spec(name: &str) -> anyhow::Result<InstanceSpec> {
    Ok(InstanceSpec::new(InstanceName::new(name)?)
        .with_hardware(Hardware::of_type(TYPE))
        .with_image(ImageSelector::Alias(IMAGE.into())))
}

impl Client for Polycloud {
    type Id = InstanceId;

    async fn open(at: &str) -> anyhow::Result<Self> {
        let config =
            Ec2Config::new(REGION).with_endpoint(at).with_credentials(ACCESS_KEY, SECRET_KEY);
        Ok(Self(Arc::new(config.open(&Session::new()).await?)))
    }

    async fn list(&self) -> anyhow::Result<usize> {
        let mut all = self.0.list(InstanceFilter::default());
        let mut count = 0;
        while let Some(instance) = all.try_next().await? {
            // As much of it is looked at as of the SDK's.
            count += usize::from(!instance.id.native().is_empty());
        }
        Ok(count)
    }

    async fn create(&self, name: &str) -> anyhow::Result<InstanceId> {
        Ok(self.0.create(&spec(name)?, &CreateOptions::default()).await?.id)
    }

    async fn create_many(&self, name: &str, count: usize) -> anyhow::Result<Vec<InstanceId>> {
        let count = Count::exactly(u32::try_from(count)?)?;
        let made = self.0.create_many(&spec(name)?, count, &CreateOptions::default()).await?;
        Ok(made.instances.into_iter().map(|instance| instance.id).collect())
    }

    async fn wait(&self, ids: &[InstanceId]) -> anyhow::Result<()> {
        let options = WaitOptions::default();
        let wait = |id| self.0.wait_until(id, InstanceState::Running, &options);
        try_join_all(ids.iter().map(wait)).await?;
        Ok(())
    }
}
