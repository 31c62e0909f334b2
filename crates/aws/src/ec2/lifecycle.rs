//! Starting, stopping and restarting.

use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{InstanceId, InstanceState, RestartMode, StopMode};
use polycloud_core::{Error, ErrorKind, Result};

use super::Inner;
use super::instance::{incomplete, status};

impl Inner {
    /// See [`start`](polycloud_core::compute::Compute::start).
    pub(super) async fn start(&self, id: &InstanceId) -> Result<()> {
        let native = self.native(id)?;
        let request = self.caller.client().start_instances().instance_ids(native);
        let answer = self.caller.call("StartInstances", request.send()).await;
        match answer {
            Err(error) if error.kind() == ErrorKind::InvalidState => {
                // EC2 refuses by states that its own reads may not show any more.
                self.settled(native, error, &[InstanceState::Pending, InstanceState::Running]).await
            }
            answer => answer.map(drop),
        }
    }

    /// See [`stop`](polycloud_core::compute::Compute::stop).
    pub(super) async fn stop(&self, id: &InstanceId, mode: StopMode) -> Result<()> {
        self.capabilities.check(&mode)?;
        let native = self.native(id)?;
        let request = self.caller.client().stop_instances().instance_ids(native);
        let request = match mode {
            StopMode::Suspend => request.hibernate(true),
            StopMode::Force => request.force(true),
            _ => request,
        };
        let about_to = [InstanceState::Stopping, InstanceState::Stopped];
        let answer = match self.caller.call("StopInstances", request.send()).await {
            Err(error) if error.kind() == ErrorKind::InvalidState => {
                return self.settled(native, error, &about_to).await;
            }
            answer => answer?,
        };
        let changes = answer.stopping_instances();
        let change = changes.iter().find(|change| change.instance_id() == Some(native));
        let change = change.ok_or_else(|| incomplete("nothing is said about the instance"))?;
        match change.previous_state().and_then(sdk::InstanceState::name) {
            // EC2 takes saved memory for a way of being stopped.
            Some(sdk::InstanceStateName::Stopped | sdk::InstanceStateName::Stopping) => {
                self.must_be_stopped(native).await
            }
            _ => Ok(()),
        }
    }

    /// Judges a stop that changed nothing by the state that the instance is in.
    async fn must_be_stopped(&self, native: &str) -> Result<()> {
        let status = status(&self.describe(native).await?);
        if matches!(status.state, InstanceState::Suspending | InstanceState::Suspended) {
            let message = format!("it is {status}");
            return Err(Error::new(ErrorKind::InvalidState).with_message(message));
        }
        Ok(())
    }

    /// Forgives a refusal if the instance is where it was to go.
    async fn settled(&self, native: &str, error: Error, states: &[InstanceState]) -> Result<()> {
        match self.describe(native).await {
            Ok(instance) if states.contains(&status(&instance).state) => Ok(()),
            _ => Err(error),
        }
    }

    /// See [`restart`](polycloud_core::compute::Compute::restart).
    pub(super) async fn restart(&self, id: &InstanceId, mode: RestartMode) -> Result<()> {
        self.capabilities.check(&mode)?;
        let native = self.native(id)?;
        let request = self.caller.client().reboot_instances().instance_ids(native);
        self.caller.call("RebootInstances", request.send()).await.map(drop)
    }
}
