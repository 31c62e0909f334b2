//! Networks: VPCs and their subnets.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Network, Networks, Subnet};
use polycloud_core::{Error, ErrorKind, Result, ResultExt as _};

use super::list::{filter, next_page};
use super::{Ec2Compute, Inner, tags};
use crate::PROVIDER;

#[async_trait]
impl Networks for Ec2Compute {
    async fn list(&self) -> Result<Vec<Network>> {
        self.0.networks(None).await.during(PROVIDER, "list_networks", self.0.region())
    }

    async fn default_network(&self) -> Result<Network> {
        let default = async {
            let found = self.0.networks(Some(filter("is-default", ["true"]))).await?;
            found.into_iter().next().ok_or_else(|| {
                Error::new(ErrorKind::NotFound).with_message(
                    "the region has no default VPC: make one by `aws ec2 create-default-vpc`, or name \
                     a subnet by the option `subnet`",
                )
            })
        };
        default.await.during(PROVIDER, "default_network", self.0.region())
    }
}

impl Inner {
    async fn networks(&self, only: Option<sdk::Filter>) -> Result<Vec<Network>> {
        let (mut vpcs, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_vpcs();
            let request = request.set_filters(only.clone().map(|only| vec![only]));
            let answer = self
                .caller
                .call("DescribeVpcs", request.set_next_token(next.take()).send())
                .await?;
            vpcs.extend(answer.vpcs.unwrap_or_default());
            match next_page(answer.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => break,
            }
        }
        let mut subnets = self.subnets().await?;
        let network = |vpc: sdk::Vpc| {
            let id = vpc.vpc_id()?;
            let name = tags::value(vpc.tags(), tags::NAME).unwrap_or(id);
            Some(Network::new(id, name, subnets.remove(id).unwrap_or_default()))
        };
        Ok(vpcs.into_iter().filter_map(network).collect())
    }

    /// The subnets of the region by their VPC.
    async fn subnets(&self) -> Result<BTreeMap<String, Vec<Subnet>>> {
        let (mut subnets, mut next, mut seen) = (BTreeMap::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_subnets().set_next_token(next.take());
            let answer = self.caller.call("DescribeSubnets", request.send()).await?;
            for from in answer.subnets.unwrap_or_default() {
                if let Some((vpc, subnet)) = subnet(&from) {
                    subnets.entry(vpc).or_insert_with(Vec::new).push(subnet);
                }
            }
            match next_page(answer.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(subnets),
            }
        }
    }
}

/// A subnet and its VPC. One that has only IPv6 addresses is told by those.
fn subnet(from: &sdk::Subnet) -> Option<(String, Subnet)> {
    let v6 = from.ipv6_cidr_block_association_set().iter();
    let cidr = from
        .cidr_block()
        .filter(|block| !block.is_empty())
        .or_else(|| v6.filter_map(|block| block.ipv6_cidr_block()).next())?;
    let zone = from.availability_zone().map(str::to_owned);
    let subnet = Subnet::new(from.subnet_id()?, cidr.parse().ok()?, zone);
    Some((from.vpc_id()?.to_owned(), subnet))
}
