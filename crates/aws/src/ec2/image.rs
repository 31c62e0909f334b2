//! Images: by id, and by alias through the public parameters that their publishers keep.

use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Arch, Image, ImageSelector};
use polycloud_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::Inner;
use super::list::filter;
use super::sdk::JsonService;

/// What the default means.
const DEFAULT: &str = "debian:13";

/// An image, and what of it decides about the disk.
#[derive(Debug, Clone)]
pub(super) struct ResolvedImage {
    pub(super) image: Image,
    /// The name of the device that it boots from.
    pub(super) root_device: String,
    pub(super) root_size_gib: u32,
    /// The account that it belongs to, and what Amazon calls that.
    owners: [Option<String>; 2],
}

/// A publisher of images, and how to find the newest of a release.
struct Publisher {
    /// What aliases begin with.
    names: &'static [&'static str],
    /// The account that the images belong to.
    owner: &'static str,
    login_user: &'static str,
    /// Parameters that tell the image of `{version}` and `{arch}`, the best first.
    parameters: &'static [&'static str],
    /// What the images are called, where the parameters cannot be read.
    name: &'static str,
    /// The word for x86-64.
    x86_64: &'static str,
}

const PUBLISHERS: [Publisher; 3] = [
    Publisher {
        names: &["debian"],
        owner: "136693071363",
        login_user: "admin",
        parameters: &["/aws/service/debian/release/{version}/latest/{arch}"],
        name: "debian-{version}-{arch}-*",
        x86_64: "amd64",
    },
    Publisher {
        names: &["ubuntu"],
        owner: "099720109477",
        login_user: "ubuntu",
        parameters: &[
            "/aws/service/canonical/ubuntu/server/{version}/stable/current/{arch}/hvm/ebs-gp3/ami-id",
            "/aws/service/canonical/ubuntu/server/{version}/stable/current/{arch}/hvm/ebs-gp2/ami-id",
        ],
        name: "ubuntu/images/hvm-ssd*/ubuntu-*-{version}-{arch}-server-*",
        x86_64: "amd64",
    },
    Publisher {
        names: &["amazon-linux", "amazonlinux"],
        owner: "137112412989",
        login_user: "ec2-user",
        parameters: &["/aws/service/ami-amazon-linux-latest/al{version}-ami-kernel-default-{arch}"],
        name: "al{version}-ami-{version}.*-kernel-*-{arch}",
        x86_64: "x86_64",
    },
];

/// The image that a selector means now, of an architecture.
pub(super) async fn resolve(
    inner: &Inner,
    selector: &ImageSelector,
    arch: Arch,
) -> Result<ResolvedImage> {
    match selector {
        ImageSelector::Id(id) => {
            let found = by_id(inner, id).await?;
            if found.image.arch != arch {
                let is = found.image.arch;
                return Err(missing(&format!("the image {id} is for {is}, not for {arch}")));
            }
            Ok(found)
        }
        ImageSelector::Alias(alias) => by_alias(inner, alias, arch).await,
        _ => by_alias(inner, DEFAULT, arch).await,
    }
}

/// The image of an id, of whichever architecture it is.
pub(super) async fn by_id(inner: &Inner, id: &str) -> Result<ResolvedImage> {
    let answer = inner.once_seen(id, || {
        let request = inner.caller.client().describe_images().image_ids(id);
        inner.caller.call("DescribeImages", request.send())
    });
    let answer = answer.await?;
    let found = answer.images.into_iter().flatten().next();
    found.and_then(|found| resolved(&found)).ok_or_else(|| missing(&format!("no image {id}")))
}

async fn by_alias(inner: &Inner, alias: &str, arch: Arch) -> Result<ResolvedImage> {
    let unknown = || missing(&format!("no image is known by {alias:?}"));
    let (os, version) = alias.split_once(':').ok_or_else(unknown)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.';
    if !version.bytes().all(plain) || !(1..=32).contains(&version.len()) {
        return Err(unknown());
    }
    let publisher =
        PUBLISHERS.iter().find(|known| known.names.contains(&os)).ok_or_else(unknown)?;
    let told = match publisher.told(inner, version, arch).await {
        // Whoever may not read parameters, or whose endpoint has none, may still look for the image.
        Err(error)
            if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) =>
        {
            None
        }
        told => told?,
    };
    let found = match told {
        Some(id) => publisher.checked(by_id(inner, &id).await?, arch)?,
        None => publisher.newest(inner, version, arch).await?.ok_or_else(unknown)?,
    };
    let image = found.image.with_login_user(publisher.login_user);
    Ok(ResolvedImage { image, ..found })
}

impl Publisher {
    fn fill(&self, pattern: &str, version: &str, arch: Arch) -> String {
        let arch = if arch == Arch::Arm64 { "arm64" } else { self.x86_64 };
        pattern.replace("{version}", version).replace("{arch}", arch)
    }

    /// The id of the image that a parameter tells.
    async fn told(&self, inner: &Inner, version: &str, arch: Arch) -> Result<Option<String>> {
        let names: Vec<_> =
            self.parameters.iter().map(|pattern| self.fill(pattern, version, arch)).collect();
        let body = json!({ "Names": names });
        let target = "AmazonSSM.GetParameters";
        let answer = inner.caller.json(JsonService::Ssm, target, body).await?;
        let all = answer.get("Parameters").and_then(Value::as_array);
        let value = |name: &String| {
            let named = |p: &&Value| p.get("Name").and_then(Value::as_str) == Some(name.as_str());
            let parameter = all?.iter().find(named)?;
            Some(parameter.get("Value")?.as_str()?.to_owned())
        };
        Ok(names.iter().find_map(value).filter(|id| id.starts_with("ami-")))
    }

    /// Refuses an image of somebody else, or for another processor. In some partitions the publisher has
    /// another account, and then Amazon vouches for it.
    fn checked(&self, found: ResolvedImage, arch: Arch) -> Result<ResolvedImage> {
        let [owner, alias] = &found.owners;
        if owner.as_deref() != Some(self.owner) && alias.as_deref() != Some("amazon") {
            let id = &found.image.id;
            return Err(missing(&format!("the image {id} is not of the account {}", self.owner)));
        }
        if found.image.arch != arch {
            return Err(missing(&format!("the image {} is not for {arch}", found.image.id)));
        }
        Ok(found)
    }

    /// The newest image of the publisher that is called as it should be.
    async fn newest(
        &self,
        inner: &Inner,
        version: &str,
        arch: Arch,
    ) -> Result<Option<ResolvedImage>> {
        let pattern = self.fill(self.name, version, arch);
        let request = inner
            .caller
            .client()
            .describe_images()
            .owners(self.owner)
            .filters(sdk::Filter::builder().name("name").values(pattern).build())
            .filters(filter("state", ["available"]));
        let answer = inner.caller.call("DescribeImages", request.send()).await?;
        let all = answer.images.into_iter().flatten();
        let newest = all.max_by(|a, b| a.creation_date().cmp(&b.creation_date()));
        Ok(newest.as_ref().and_then(resolved).filter(|found| found.image.arch == arch))
    }
}

fn missing(message: &str) -> Error {
    Error::new(ErrorKind::NotFound).with_message(message.to_owned())
}

/// An image in the terms of the trait; none for those of neither architecture.
pub(super) fn image(from: &sdk::Image) -> Option<Image> {
    let arch = match from.architecture()? {
        sdk::ArchitectureValues::X8664 => Arch::X86_64,
        sdk::ArchitectureValues::Arm64 => Arch::Arm64,
        _ => return None,
    };
    Some(Image::new(from.image_id()?, from.name().unwrap_or_default(), arch))
}

fn resolved(from: &sdk::Image) -> Option<ResolvedImage> {
    let root_device = from.root_device_name()?.to_owned();
    let disks = from.block_device_mappings();
    let root = disks.iter().find(|disk| disk.device_name() == Some(&root_device));
    let size = root.and_then(|root| root.ebs()?.volume_size()).unwrap_or_default();
    let root_size_gib = u32::try_from(size).unwrap_or_default();
    let owners = [from.owner_id.clone(), from.image_owner_alias.clone()];
    Some(ResolvedImage { image: image(from)?, root_device, root_size_gib, owners })
}
