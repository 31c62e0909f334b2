//! Taking back what a create has made.

use std::time::Duration;

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::PublicKey;
use polycloud_core::{Error, ErrorKind, Outcome, Result};

use super::instance::{incomplete, native_word};
use super::patience::{CONSISTENCY, RELEASE};
use super::{Inner, tags};

/// Whether an instance is terminated, or about to be.
pub(super) fn is_ending(instance: &sdk::Instance) -> bool {
    matches!(native_word(instance), "shutting-down" | "terminated")
}

/// That what was to be removed may not even be there.
pub(super) fn unsure(error: Error) -> Error {
    error.with_outcome(Outcome::Unknown)
}

impl Inner {
    /// Terminates an instance that was just launched, and frees the name, the token and the group that it
    /// holds.
    pub(super) async fn take_back(&self, instance: &sdk::Instance) -> Result<()> {
        let native = instance.instance_id().unwrap_or_default();
        let ids = [native.to_owned()];
        self.until_seen(|| self.terminate_all(&ids)).await?;
        if let Some(group) = tags::value(instance.tags(), tags::GROUP) {
            self.leave_group(group, instance).await;
        }
        // So that the same create makes another one, and does not find this. A token that stays is no harm.
        let request = self.caller.client().delete_tags().resources(native);
        let request = request.tags(sdk::Tag::builder().key(tags::TOKEN).build());
        self.caller.call("DeleteTags", request.send()).await.ok();
        Ok(())
    }

    /// Terminates what a request has launched whose answer is lost: so many at least and at most.
    pub(super) async fn terminate_by_token(&self, token: &str, count: (u32, u32)) -> Result<()> {
        let (least, most) = (count.0, usize::try_from(count.1).unwrap_or(usize::MAX));
        let found = self.find_launched(token, most, CONSISTENCY).await.map_err(unsure)?;
        for instance in found.iter().filter(|instance| !is_ending(instance)) {
            self.take_back(instance).await?;
        }
        if u32::try_from(found.len()).is_ok_and(|found| found < least) {
            return Err(Error::new(ErrorKind::Unavailable)
                .with_outcome(Outcome::Unknown)
                .with_message("not all is to be seen of what may have been launched"));
        }
        Ok(())
    }

    /// What creates with a token have launched, as soon as so much is seen, or after a while.
    pub(super) async fn find_launched(
        &self,
        token: &str,
        most: usize,
        window: Duration,
    ) -> Result<Vec<sdk::Instance>> {
        let all = self.look(window, || async {
            let found = self.find_by_token(token).await?;
            Ok(Some(found).filter(|found| found.len() >= most))
        });
        match all.await? {
            Some(all) => Ok(all),
            None => self.find_by_token(token).await,
        }
    }

    /// Deletes a security group that was just made, which EC2 may not see yet.
    pub(super) async fn delete_new_group(&self, id: &str) -> Result<()> {
        let start = self.caller.clock().monotonic();
        let again = |error: &Error| match error.kind() {
            ErrorKind::InvalidState => true,
            ErrorKind::NotFound => {
                self.caller.clock().monotonic().saturating_sub(start) < CONSISTENCY
            }
            _ => false,
        };
        let deleted = self.repeat(RELEASE, again, || {
            let request = self.caller.client().delete_security_group().group_id(id);
            self.caller.call("DeleteSecurityGroup", request.send())
        });
        match deleted.await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    /// Deletes the security group of a request whose answer is lost, if it was made.
    pub(super) async fn delete_group_by_name(&self, name: &str, token: &str) -> Result<()> {
        let found = self.look(CONSISTENCY, || self.find_group(name, token)).await;
        match found.map_err(unsure)? {
            Some(id) => self.delete_new_group(&id).await,
            None => Ok(()),
        }
    }

    /// Stores a key under a name.
    pub(super) async fn import_key_pair(
        &self,
        name: &str,
        key: &PublicKey,
        tags: sdk::TagSpecification,
    ) -> Result<()> {
        let request = self.caller.client().import_key_pair().key_name(name);
        let request = request.public_key_material(Blob::new(key.as_str())).tag_specifications(tags);
        self.caller.call("ImportKeyPair", request.send()).await.map(drop)
    }

    /// Deletes a key pair of ours. That it is gone is fine.
    pub(super) async fn delete_key_pair(&self, name: &str) -> Result<()> {
        let request = self.caller.client().delete_key_pair().key_name(name);
        match self.caller.call("DeleteKeyPair", request.send()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    /// The network that a subnet belongs to.
    pub(super) async fn vpc_of(&self, subnet: &str) -> Result<String> {
        let request = self.caller.client().describe_subnets().subnet_ids(subnet);
        let answer = self.caller.call("DescribeSubnets", request.send()).await?;
        let found = answer.subnets.into_iter().flatten().next();
        found.and_then(|subnet| subnet.vpc_id).ok_or_else(|| incomplete("a subnet without a VPC"))
    }
}
