//! Changing the type of instances.

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Hardware, InstanceId, InstanceState, Resize};
use polycloud_core::{Error, ErrorKind, Result, ResultExt as _};

use super::instance::status;
use super::{Ec2Compute, Inner, types};
use crate::PROVIDER;

#[async_trait]
impl Resize for Ec2Compute {
    async fn resize(&self, id: &InstanceId, hardware: &Hardware) -> Result<()> {
        self.0.resize(id, hardware).await.during(PROVIDER, "resize", id)
    }
}

impl Inner {
    async fn resize(&self, id: &InstanceId, hardware: &Hardware) -> Result<()> {
        let native = self.native(id)?;
        let known = self.describe(native).await?;
        let status = status(&known);
        if status.state != InstanceState::Stopped {
            let message = format!("it is {status}, and has to be stopped");
            return Err(Error::new(ErrorKind::InvalidState).with_message(message));
        }
        let zone = known.placement().and_then(sdk::Placement::availability_zone);
        let wanted = types::choose(self, hardware, zone).await?;
        let value = sdk::AttributeValue::builder().value(wanted.name).build();
        let request = self.caller.client().modify_instance_attribute().instance_id(native);
        let request = request.instance_type(value);
        self.caller.call("ModifyInstanceAttribute", request.send()).await.map(drop)
    }
}
