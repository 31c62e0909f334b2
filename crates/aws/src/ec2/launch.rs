//! The request that launches instances.

use std::future::Future;

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{BootDisk, InstanceType, Market, Price};
use polycloud_core::{ErrorKind, Result};

use super::image::ResolvedImage;
use super::plan::Request;
use super::{Inner, tags};

/// All that is decided before instances are launched.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) hardware: InstanceType,
    pub(super) image: ResolvedImage,
    pub(super) user_data: Option<String>,
    /// Names that are free.
    pub(super) names: Vec<String>,
    /// Fewest and most.
    pub(super) count: (u32, u32),
}

/// What was made for the instances ahead of them.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) group: Option<String>,
    pub(super) key_pair: Option<String>,
}

impl Plan<'_> {
    /// The tags of all that is made.
    pub(super) fn tags(&self, name: &str) -> Vec<sdk::Tag> {
        let mut tags = tags::of(name, self.request.owner);
        tags.push(tags::tag(tags::TOKEN, &self.request.token));
        tags
    }

    /// The tags of the instances.
    fn instance_tags(&self, made: &Made) -> Vec<sdk::Tag> {
        let mut all = self.tags(self.request.spec.name.as_str());
        if let ([only], 1) = (self.names.as_slice(), self.count.1) {
            all.retain(|tag| tag.key() != Some(tags::NAME));
            all.push(tags::tag(tags::NAME, only));
        }
        all.push(tags::tag(tags::SPEC, &self.request.digest));
        all.extend(made.group.as_ref().map(|group| tags::tag(tags::GROUP, group)));
        all.extend(self.request.spec.labels.iter().map(|(key, value)| tags::tag(key, value)));
        all
    }

    fn interface(
        &self,
        subnet: Option<&str>,
        made: &Made,
    ) -> sdk::InstanceNetworkInterfaceSpecification {
        sdk::InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .associate_public_ip_address(self.request.spec.public_ip)
            .delete_on_termination(true)
            .set_subnet_id(subnet.map(str::to_owned))
            .set_groups(made.group.clone().map(|group| vec![group]))
            .build()
    }

    fn disk(&self, hibernates: bool) -> sdk::BlockDeviceMapping {
        // The kinds of disks that the trait knows are one here: what is cheapest of those that are made
        // today is also the fastest that needs no settings.
        let BootDisk { size_gib, kind: _, .. } = self.request.spec.boot_disk;
        // The memory is saved on the disk, which has to be encrypted for it.
        let memory = u32::try_from(self.hardware.memory_mib.div_ceil(1024)).unwrap_or(u32::MAX);
        let with_memory = self.image.root_size_gib.saturating_add(memory).saturating_add(1);
        // Without a size EC2 takes the image's, but not all that speaks its protocol does.
        let of_image = Some(self.image.root_size_gib).filter(|size| *size > 0);
        let size = if hibernates { size_gib.or(Some(with_memory)) } else { size_gib.or(of_image) };
        let disk = sdk::EbsBlockDevice::builder()
            .delete_on_termination(true)
            .volume_type(sdk::VolumeType::Gp3)
            .set_volume_size(size.map(|size| i32::try_from(size).unwrap_or(i32::MAX)))
            .set_encrypted(hibernates.then_some(true))
            .build();
        sdk::BlockDeviceMapping::builder().device_name(&self.image.root_device).ebs(disk).build()
    }

    fn placement(&self) -> Option<sdk::Placement> {
        let placement = &self.request.spec.placement;
        if placement.zone.is_none() && placement.group.is_none() {
            return None;
        }
        let builder = sdk::Placement::builder()
            .set_availability_zone(placement.zone.clone())
            .set_group_name(placement.group.clone());
        Some(builder.build())
    }

    fn specifications(&self, made: &Made) -> Vec<sdk::TagSpecification> {
        let name = self.request.spec.name.as_str();
        let mut all =
            vec![tags::specification(sdk::ResourceType::Instance, self.instance_tags(made))];
        let mut kinds = vec![sdk::ResourceType::Volume, sdk::ResourceType::NetworkInterface];
        if self.request.spec.market != Market::OnDemand {
            kinds.push(sdk::ResourceType::SpotInstancesRequest);
        }
        all.extend(kinds.into_iter().map(|kind| tags::specification(kind, self.tags(name))));
        all
    }
}

impl Inner {
    /// Launches instances, in the order in which they were launched.
    pub(super) async fn launch(
        &self,
        plan: &Plan<'_>,
        made: &Made,
        client_token: &str,
    ) -> Result<Vec<sdk::Instance>> {
        let answer = self.until_made_is_seen(|| {
            let request = self.run_instances(plan, made).client_token(client_token);
            self.caller.call("RunInstances", request.send())
        });
        let mut instances = answer.await?.instances.unwrap_or_default();
        instances.sort_by_key(|instance| instance.ami_launch_index());
        Ok(instances)
    }

    fn run_instances(&self, plan: &Plan<'_>, made: &Made) -> RunInstancesFluentBuilder {
        let spec = plan.request.spec;
        let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let hibernates = self.hibernates && spec.market == Market::OnDemand;
        let metadata = sdk::InstanceMetadataOptionsRequest::builder()
            .http_tokens(sdk::HttpTokensState::Required)
            .http_endpoint(sdk::InstanceMetadataEndpointState::Enabled)
            .build();
        self.caller
            .client()
            .run_instances()
            .image_id(&plan.image.image.id)
            .instance_type(sdk::InstanceType::from(plan.hardware.name.as_str()))
            .min_count(number(plan.count.0))
            .max_count(number(plan.count.1))
            .network_interfaces(plan.interface(self.subnet.as_deref(), made))
            .block_device_mappings(plan.disk(hibernates))
            .metadata_options(metadata)
            .set_placement(plan.placement())
            .set_key_name(made.key_pair.clone())
            .set_user_data(plan.user_data.clone())
            .set_instance_market_options(market(spec.market))
            .set_iam_instance_profile(spec.identity.as_deref().map(identity))
            .set_hibernation_options(
                hibernates
                    .then(|| sdk::HibernationOptionsRequest::builder().configured(true).build()),
            )
            .set_tag_specifications(Some(plan.specifications(made)))
    }

    /// Repeats a launch that fails because it names what was made for it just before.
    async fn until_made_is_seen<T, F>(&self, attempt: impl FnMut() -> F + Send) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        const MADE: [&str; 2] = ["InvalidGroup.NotFound", "InvalidKeyPair.NotFound"];
        let again = |error: &polycloud_core::Error| {
            error.kind() == ErrorKind::NotFound
                && error.code().is_some_and(|code| MADE.contains(&code))
        };
        self.repeat(super::patience::CONSISTENCY, again, attempt).await
    }
}

fn market(market: Market) -> Option<sdk::InstanceMarketOptionsRequest> {
    let Market::Spot { max_hourly } = market else { return None };
    let spot = sdk::SpotMarketOptions::builder()
        .spot_instance_type(sdk::SpotInstanceType::OneTime)
        .instance_interruption_behavior(sdk::InstanceInterruptionBehavior::Terminate)
        .set_max_price(max_hourly.map(dollars))
        .build();
    Some(
        sdk::InstanceMarketOptionsRequest::builder()
            .market_type(sdk::MarketType::Spot)
            .spot_options(spot)
            .build(),
    )
}

fn dollars(price: Price) -> String {
    let micros = price.usd_micros();
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// An instance profile, by its name or its ARN.
fn identity(identity: &str) -> sdk::IamInstanceProfileSpecification {
    let profile = sdk::IamInstanceProfileSpecification::builder();
    if identity.starts_with("arn:") { profile.arn(identity) } else { profile.name(identity) }
        .build()
}
