//! Changing the type of instances.

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Arch, Hardware, InstanceId, InstanceState, Resize};
use polycloud_core::{Error, ErrorKind, Result, ResultExt as _};

use super::instance::status;
use super::{Ec2Compute, Inner, types};
use crate::PROVIDER;

#[async_trait]
impl Resize for Ec2Compute {
    /// The type is looked up before it is set, and what is chosen by need has the architecture that the
    /// instance has, and is to be had in its zone.
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
        let wanted = match (hardware, arch(&known)) {
            (Hardware::Needs(needs), Some(arch)) if needs.arch.is_none() => {
                types::choose(self, &Hardware::Needs(needs.with_arch(arch)), zone).await?
            }
            _ => types::choose(self, hardware, zone).await?,
        };
        let value = sdk::AttributeValue::builder().value(wanted.name).build();
        let request = self.caller.client().modify_instance_attribute().instance_id(native);
        let request = request.instance_type(value);
        self.caller.call("ModifyInstanceAttribute", request.send()).await.map(drop)
    }
}

/// The architecture of an instance.
pub(super) fn arch(instance: &sdk::Instance) -> Option<Arch> {
    match instance.architecture()? {
        sdk::ArchitectureValues::X8664 => Some(Arch::X86_64),
        sdk::ArchitectureValues::Arm64 => Some(Arch::Arm64),
        _ => None,
    }
}
