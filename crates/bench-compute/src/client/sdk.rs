use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    Filter, Image, InstanceStateName, InstanceType, ResourceType, Tag, TagSpecification,
};
use aws_smithy_http_client::Builder;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::Client;
use crate::case::{LISTED, TASKS};
use crate::server::{ACCESS_KEY, REGION, SECRET_KEY};

/// The type of all instances.
pub(super) const TYPE: &str = "t3.micro";
/// The image of all instances, as polycloud names it.
pub(super) const IMAGE: &str = "ubuntu:24.04";

const STATES: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];
/// Instances of a page, and of a launch.
const MOST: i32 = 1_000;

/// aws-sdk-ec2, told everything beforehand: no request but those that cannot be left out. Its HTTP client
/// is its own, without TLS, which the server does not speak.
pub(super) struct Sdk {
    client: Ec2,
    image: String,
}

impl Sdk {
    fn launch(&self, name: &str, count: i32) -> RunInstancesFluentBuilder {
        let tags = [("Name", name), ("polycloud-managed", "1"), ("polycloud-token", name)];
        let tags: Vec<_> =
            tags.map(|(key, value)| Tag::builder().key(key).value(value).build()).into();
        let tagged = |kind| {
            TagSpecification::builder().resource_type(kind).set_tags(Some(tags.clone())).build()
        };
        self.client
            .run_instances()
            .image_id(&self.image)
            .instance_type(InstanceType::from(TYPE))
            .min_count(count)
            .max_count(count)
            .client_token(name)
            .tag_specifications(tagged(ResourceType::Instance))
            .tag_specifications(tagged(ResourceType::Volume))
            .tag_specifications(tagged(ResourceType::NetworkInterface))
    }

    async fn launched(&self, name: &str, count: i32) -> anyhow::Result<Vec<String>> {
        let answer = self.launch(name, count).send().await?;
        let instances = answer.instances.unwrap_or_default();
        Ok(instances.into_iter().filter_map(|instance| instance.instance_id).collect())
    }

    /// Creates the instances that listings find.
    pub(super) async fn populate(&self) -> anyhow::Result<()> {
        let (mut left, mut batch) = (i32::try_from(LISTED)?, 0);
        while left > 0 {
            let made = self.launched(&format!("listed-{batch}"), left.min(MOST)).await?;
            ensure!(!made.is_empty(), "no instances were created");
            left -= i32::try_from(made.len())?;
            batch += 1;
        }
        Ok(())
    }
}

impl Client for Sdk {
    type Id = String;

    async fn open(at: &str) -> anyhow::Result<Self> {
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(Builder::new().build_http())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "benchmark"))
            .endpoint_url(at)
            .build();
        let client = Ec2::from_conf(config);
        let named = |name: &str, value| Filter::builder().name(name).values(value).build();
        let images = client
            .describe_images()
            .filters(named("architecture", "x86_64"))
            .filters(named("name", "*ubuntu*24.04*"))
            .send()
            .await?;
        let first = images.images().first().and_then(Image::image_id);
        let image = first.context("there is no image")?.to_owned();
        Ok(Self { client, image })
    }

    async fn list(&self) -> anyhow::Result<usize> {
        let states = STATES.map(str::to_owned).to_vec();
        let filter = Filter::builder().name("instance-state-name").set_values(Some(states)).build();
        let (mut next, mut count) = (None, 0);
        loop {
            let request = self.client.describe_instances().filters(filter.clone());
            let page = request.max_results(MOST).set_next_token(next).send().await?;
            for reservation in page.reservations() {
                let named = reservation.instances().iter();
                count += named.filter(|instance| instance.instance_id().is_some()).count();
            }
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(count);
            }
        }
    }

    async fn create(&self, name: &str) -> anyhow::Result<String> {
        self.launched(name, 1).await?.pop().context("no instance")
    }

    async fn create_many(&self, name: &str, count: usize) -> anyhow::Result<Vec<String>> {
        let ids = self.launched(name, i32::try_from(count)?).await?;
        let names = stream::iter(ids.iter().enumerate()).map(|(n, id)| {
            let tag = Tag::builder().key("Name").value(format!("{name}-{n}")).build();
            self.client.create_tags().resources(id).tags(tag).send()
        });
        let _: Vec<_> = names.buffer_unordered(TASKS).try_collect().await?;
        Ok(ids)
    }

    #[allow(clippy::disallowed_methods, reason = "a real server is waited for")]
    async fn wait(&self, ids: &[String]) -> anyhow::Result<()> {
        // As long as polycloud waits between two looks.
        let (mut pause, longest) = (Duration::from_millis(50), Duration::from_secs(5));
        loop {
            let request = self.client.describe_instances().set_instance_ids(Some(ids.to_vec()));
            let answer = request.send().await?;
            let all = answer.reservations().iter().flat_map(|it| it.instances());
            let running = all.filter(|instance| {
                let state = instance.state().and_then(|state| state.name());
                state == Some(&InstanceStateName::Running)
            });
            if running.count() == ids.len() {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}
