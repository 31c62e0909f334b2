//! Setting and removing labels.

use polycloud_core::compute::{InstanceId, InstanceState, LabelPatch};
use polycloud_core::{Error, ErrorKind, Result};

use super::instance::status;
use super::{Inner, tags};

impl Inner {
    /// See [`set_labels`](polycloud_core::compute::Compute::set_labels).
    pub(super) async fn set_labels(&self, id: &InstanceId, patch: &LabelPatch) -> Result<()> {
        let native = self.native(id)?;
        let instance = self.describe(native).await?;
        let status = status(&instance);
        if matches!(status.state, InstanceState::Terminated | InstanceState::Terminating) {
            let message = format!("it is {status}");
            return Err(Error::new(ErrorKind::InvalidState).with_message(message));
        }
        let mut labels = tags::labels(instance.tags());
        labels.apply(patch);
        self.check_labels(&labels)?;
        let (mut set, mut unset) = (Vec::new(), Vec::new());
        for (key, value) in patch.iter() {
            match value {
                Some(value) => set.push(tags::tag(key, value)),
                None if tags::value(instance.tags(), key).is_some() => {
                    unset.push(aws_sdk_ec2::types::Tag::builder().key(key).build());
                }
                None => {}
            }
        }
        // What goes makes room for what comes.
        if !unset.is_empty() {
            let request = self.caller.client().delete_tags().resources(native);
            let request = request.set_tags(Some(unset));
            self.caller.call("DeleteTags", request.send()).await?;
        }
        if !set.is_empty() {
            self.put_tags(native, set).await?;
        }
        Ok(())
    }

    /// Puts tags on a resource.
    pub(super) async fn put_tags(
        &self,
        native: &str,
        tags: Vec<aws_sdk_ec2::types::Tag>,
    ) -> Result<()> {
        let request = self.caller.client().create_tags().resources(native).set_tags(Some(tags));
        self.caller.call("CreateTags", request.send()).await.map(drop)
    }

    /// Refuses more labels than a resource can have.
    pub(super) fn check_labels(&self, labels: &polycloud_core::compute::Labels) -> Result<()> {
        let most = self.capabilities.limits.labels.unwrap_or(u32::MAX);
        if labels.len() > usize::try_from(most).unwrap_or(usize::MAX) {
            return Err(Error::invalid(format!("an instance has at most {most} labels")));
        }
        Ok(())
    }
}
