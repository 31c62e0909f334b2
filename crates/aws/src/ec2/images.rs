//! Images made from instances.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Image, ImageBuild, Images};
use polycloud_core::{Error, ErrorKind, Outcome, ResourceRef, Result, ResultExt as _};

use super::instance::incomplete;
use super::list::{filter, next_page};
use super::patience::{CONSISTENCY, RELEASE};
use super::{Ec2Compute, Inner, image, resize, tags};
use crate::PROVIDER;

#[async_trait]
impl Images for Ec2Compute {
    /// A running instance is restarted for it, so that what is on its disks is consistent. The image can be
    /// used once EC2 has copied the disks, which takes minutes; a create that names it earlier is refused as
    /// `InvalidState`.
    async fn create(&self, build: &ImageBuild) -> Result<Image> {
        self.0.create_image(build).await.during(PROVIDER, "create_image", &build.instance)
    }

    async fn list(&self) -> Result<Vec<Image>> {
        let list = self.0.complete("ami-", |image: &Image| &image.id, || self.0.own_images());
        list.await.during(PROVIDER, "list_images", self.0.region())
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.0.delete_image(id).await.during(PROVIDER, "delete_image", id)
    }
}

impl Inner {
    async fn create_image(&self, build: &ImageBuild) -> Result<Image> {
        let native = self.native(&build.instance)?;
        let known = self.describe(native).await?;
        let arch = resize::arch(&known).ok_or_else(|| Error::from(ErrorKind::Unsupported))?;
        let (mut own, token) = (tags::of(&build.name, None), self.draw_token());
        own.push(tags::tag(tags::TOKEN, &token));
        let request = self
            .caller
            .client()
            .create_image()
            .instance_id(native)
            .name(&build.name)
            .no_reboot(false)
            .tag_specifications(tags::specification(sdk::ResourceType::Image, own.clone()))
            .tag_specifications(tags::specification(sdk::ResourceType::Snapshot, own));
        let id = match self.caller.call("CreateImage", request.send()).await {
            Ok(answer) => answer.image_id.ok_or_else(|| incomplete("an image without an id"))?,
            Err(error) => self.made_image(&token, error).await?,
        };
        self.made(&id);
        Ok(Image::new(id, &*build.name, arch))
    }

    /// The image of a request whose answer was lost.
    async fn made_image(&self, token: &str, error: Error) -> Result<String> {
        if error.outcome() != Outcome::Unknown {
            return Err(error);
        }
        let found = self.look(CONSISTENCY, || async {
            let request = self.caller.client().describe_images().owners("self");
            let request = request.filters(filter(format!("tag:{}", tags::TOKEN), [token]));
            let answer = self.caller.call("DescribeImages", request.send()).await?;
            let first = answer.images.into_iter().flatten().next();
            Ok(first.and_then(|image| image.image_id))
        });
        found.await.ok().flatten().ok_or(error)
    }

    async fn own_images(&self) -> Result<Vec<Image>> {
        let (mut all, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_images().owners("self");
            let request = request.max_results(1_000).set_next_token(next.take());
            let answer = self.caller.call("DescribeImages", request.send()).await?;
            all.extend(answer.images().iter().filter_map(image::image));
            match next_page(answer.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// Deletes an image of the own account, and then the snapshots that it was made of.
    async fn delete_image(&self, id: &str) -> Result<()> {
        let described = self.once_seen(id, || async {
            let request = self.caller.client().describe_images().owners("self").image_ids(id);
            let answer = self.caller.call("DescribeImages", request.send()).await?;
            let first = answer.images.into_iter().flatten().next();
            first.ok_or_else(|| ErrorKind::NotFound.into())
        });
        let image = match described.await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            image => image?,
        };
        let deregistered = self.removed(id, || {
            let request = self.caller.client().deregister_image().image_id(id);
            self.caller.call("DeregisterImage", request.send())
        });
        deregistered.await?;
        let disks = image.block_device_mappings().iter();
        let mut snapshots = disks.filter_map(|disk| disk.ebs()?.snapshot_id());
        while let Some(snapshot) = snapshots.next() {
            if let Err(error) = self.delete_image_snapshot(snapshot).await {
                let left = std::iter::once(snapshot).chain(snapshots);
                let left = left.map(|snapshot| ResourceRef::new("snapshot", snapshot));
                return Err(error.with_outcome(Outcome::Applied).with_leaked(left));
            }
        }
        Ok(())
    }

    /// Deletes a snapshot, once EC2 does not count it to its image any more.
    async fn delete_image_snapshot(&self, id: &str) -> Result<()> {
        let in_use = |error: &Error| error.kind() == ErrorKind::InvalidState;
        self.repeat(RELEASE, in_use, || self.remove_snapshot(id)).await
    }
}
