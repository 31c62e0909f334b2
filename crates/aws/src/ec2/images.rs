//! Images made from instances.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Arch, Image, ImageBuild, Images};
use polycloud_core::{Error, ErrorKind, Outcome, Result, ResultExt as _};

use super::instance::incomplete;
use super::list::next_page;
use super::{Ec2Compute, Inner, image, tags};
use crate::PROVIDER;

#[async_trait]
impl Images for Ec2Compute {
    /// A running instance is restarted for it, so that what is on its disk is consistent. The image can be
    /// used once EC2 has copied the disk, which takes minutes; a create that names it earlier is refused as
    /// `InvalidState`.
    async fn create(&self, build: &ImageBuild) -> Result<Image> {
        self.0.create_image(build).await.during(PROVIDER, "create_image", &build.instance)
    }

    async fn list(&self) -> Result<Vec<Image>> {
        self.0.own_images().await.during(PROVIDER, "list_images", self.0.region())
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.0.delete_image(id).await.during(PROVIDER, "delete_image", id)
    }
}

impl Inner {
    async fn create_image(&self, build: &ImageBuild) -> Result<Image> {
        let native = self.native(&build.instance)?;
        let known = self.describe(native).await?;
        let arch = match known.architecture() {
            Some(sdk::ArchitectureValues::X8664) => Arch::X86_64,
            Some(sdk::ArchitectureValues::Arm64) => Arch::Arm64,
            _ => return Err(ErrorKind::Unsupported.into()),
        };
        let own = tags::of(&build.name, None);
        let request = self
            .caller
            .client()
            .create_image()
            .instance_id(native)
            .name(&build.name)
            .no_reboot(false)
            .tag_specifications(tags::specification(sdk::ResourceType::Image, own.clone()))
            .tag_specifications(tags::specification(sdk::ResourceType::Snapshot, own));
        let answer = self.caller.call("CreateImage", request.send()).await?;
        let id = answer.image_id.ok_or_else(|| incomplete("an image without an id"))?;
        Ok(Image::new(id, &*build.name, arch))
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

    async fn delete_image(&self, id: &str) -> Result<()> {
        let request = self.caller.client().describe_images().owners("self").image_ids(id);
        let found = match self.caller.call("DescribeImages", request.send()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        let Some(image) = found.images().first() else { return Ok(()) };
        let request = self.caller.client().deregister_image().image_id(id);
        match self.caller.call("DeregisterImage", request.send()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            deregistered => drop(deregistered?),
        }
        let disks = image.block_device_mappings().iter();
        for snapshot in disks.filter_map(|disk| disk.ebs()?.snapshot_id()) {
            self.remove_snapshot(snapshot).await.map_err(|error: Error| {
                error
                    .with_outcome(Outcome::Applied)
                    .with_leaked([polycloud_core::ResourceRef::new("snapshot", snapshot)])
            })?;
        }
        Ok(())
    }
}
