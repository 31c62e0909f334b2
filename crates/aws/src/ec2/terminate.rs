//! Terminating instances, and removing what was made for them.

use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{InstanceId, TerminateOptions};
use polycloud_core::{Error, ErrorKind, Outcome, ResourceRef, Result};

use super::instance::incomplete;
use super::list::filter;
use super::{Inner, tags};

/// States of instances that still use what is theirs.
const USING: [&str; 4] = ["pending", "running", "stopping", "stopped"];

impl Inner {
    /// See [`terminate`](polycloud_core::compute::Compute::terminate).
    pub(super) async fn terminate(
        &self,
        id: &InstanceId,
        options: &TerminateOptions,
    ) -> Result<()> {
        self.capabilities.check(options)?;
        let native = self.native(id)?;
        let known = match self.describe(native).await {
            Ok(instance) => Some(instance),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(only) = &options.only_owner {
            // What cannot be seen cannot be told to be one's own.
            let Some(known) = &known else { return Ok(()) };
            if tags::owner(known.tags()).as_ref() != Some(only) {
                return Err(Error::new(ErrorKind::PermissionDenied)
                    .with_message(format!("it does not belong to {only}")));
            }
        }
        let ids = [native.to_owned()];
        match self.once_seen(native, || self.terminate_all(&ids)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            terminated => terminated?,
        }
        match known {
            Some(known) => self.release_group(&known).await,
            None => Ok(()),
        }
    }

    /// Asks for the end of instances, and makes sure that it was accepted.
    pub(super) async fn terminate_all(&self, ids: &[String]) -> Result<()> {
        let request = self.caller.client().terminate_instances();
        let request = request.set_instance_ids(Some(ids.to_vec()));
        let answer = self.caller.call("TerminateInstances", request.send()).await?;
        let changes = answer.terminating_instances();
        let ends = |id: &String| {
            changes.iter().any(|change| {
                let state = change.current_state().and_then(sdk::InstanceState::name);
                change.instance_id() == Some(id)
                    && matches!(
                        state,
                        Some(
                            sdk::InstanceStateName::ShuttingDown
                                | sdk::InstanceStateName::Terminated
                        )
                    )
            })
        };
        if ids.iter().all(ends) {
            return Ok(());
        }
        Err(incomplete("not all of the instances are being terminated"))
    }

    /// Removes the security group that was made for an instance that is being terminated, unless others
    /// use it.
    async fn release_group(&self, instance: &sdk::Instance) -> Result<()> {
        let Some(group) = tags::value(instance.tags(), tags::GROUP) else { return Ok(()) };
        let released = self.delete_unused_group(group, instance).await;
        released.map_err(|error| {
            error
                .with_outcome(Outcome::Applied)
                .with_leaked([ResourceRef::new("security group", group)])
        })
    }

    async fn delete_unused_group(&self, group: &str, instance: &sdk::Instance) -> Result<()> {
        let native = instance.instance_id().unwrap_or_default();
        let users = self
            .find(vec![filter("instance.group-id", [group]), filter("instance-state-name", USING)]);
        let others = users.await?;
        if others.iter().any(|other| other.instance_id() != Some(native)) {
            return Ok(());
        }
        // An instance holds on to its groups until it has shut down, unless it is given another.
        self.leave_group(group, instance).await;
        self.delete_group(group).await
    }

    /// Moves an instance to the default group. Where that fails, its end is waited for instead.
    pub(super) async fn leave_group(&self, group: &str, instance: &sdk::Instance) {
        let uses = instance.security_groups().iter().any(|used| used.group_id() == Some(group));
        let (Some(vpc), Some(native), true) = (instance.vpc_id(), instance.instance_id(), uses)
        else {
            return;
        };
        if let Ok(default) = self.default_group(vpc).await {
            let request = self.caller.client().modify_instance_attribute().instance_id(native);
            let request = request.groups(default);
            self.caller.call("ModifyInstanceAttribute", request.send()).await.ok();
        }
    }
}
