//! Firewalls: security groups of the default VPC.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{FirewallInfo, Firewalls, IngressRule};
use polycloud_core::{Error, ErrorKind, Outcome, ResourceRef, Result, ResultExt as _};

use super::ingress::{permissions, rules};
use super::instance::incomplete;
use super::ledger::GROUP;
use super::list::next_page;
use super::patience::CONSISTENCY;
use super::{Ec2Compute, Inner, tags};
use crate::PROVIDER;

/// How often rules are read that somebody else changes meanwhile.
const RULES_ATTEMPTS: u32 = 5;

#[async_trait]
impl Firewalls for Ec2Compute {
    async fn create(&self, name: &str, rules: &[IngressRule]) -> Result<FirewallInfo> {
        self.0.create_firewall(name, rules).await.during(PROVIDER, "create_firewall", name)
    }

    async fn list(&self) -> Result<Vec<FirewallInfo>> {
        let list = self.0.complete("sg-", |known: &FirewallInfo| &known.id, || self.0.firewalls());
        list.await.during(PROVIDER, "list_firewalls", self.0.region())
    }

    /// What is missing is allowed before what is too much is denied, so that nothing is cut off that both
    /// allow.
    async fn set_rules(&self, id: &str, rules: &[IngressRule]) -> Result<()> {
        self.0.set_rules(id, rules).await.during(PROVIDER, "set_rules", id)
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.0.delete_firewall(id).await.during(PROVIDER, "delete_firewall", id)
    }
}

impl Inner {
    async fn create_firewall(&self, name: &str, rules: &[IngressRule]) -> Result<FirewallInfo> {
        let vpc = match &self.subnet {
            Some(subnet) => Some(self.vpc_of(subnet).await?),
            None => None,
        };
        let id = self.new_firewall(name, vpc).await?;
        self.made(&id);
        if !rules.is_empty()
            && let Err(error) = self.authorize(&id, rules).await
        {
            let left = self.delete_firewall(&id).await.is_err();
            let leaked = left.then(|| ResourceRef::new(GROUP, id));
            let outcome = if left { Outcome::Applied } else { Outcome::NotApplied };
            return Err(error.with_leaked(leaked).with_outcome(outcome));
        }
        Ok(FirewallInfo::new(id, name, self::rules(&permissions(rules))))
    }

    async fn new_firewall(&self, name: &str, vpc: Option<String>) -> Result<String> {
        let (mut own, token) = (tags::of(name, None), self.draw_token());
        own.push(tags::tag(tags::TOKEN, &token));
        own.push(tags::tag(tags::CREATED, &tags::time(self.caller.now())));
        let own = tags::specification(sdk::ResourceType::SecurityGroup, own);
        let request = self.caller.client().create_security_group().group_name(name);
        let request = request.description("Made by polycloud").set_vpc_id(vpc);
        let request = request.tag_specifications(own);
        match self.caller.call("CreateSecurityGroup", request.send()).await {
            Ok(answer) => {
                answer.group_id.ok_or_else(|| incomplete("a security group without an id"))
            }
            // It may have been made.
            Err(error) if error.outcome() == Outcome::Unknown => {
                let found = self.look(CONSISTENCY, || self.find_group(name, &token)).await;
                found.ok().flatten().ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn firewalls(&self) -> Result<Vec<FirewallInfo>> {
        let (mut all, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_security_groups();
            let request = request.max_results(1_000).set_next_token(next.take());
            let answer = self.caller.call("DescribeSecurityGroups", request.send()).await?;
            all.extend(answer.security_groups().iter().filter_map(|group| {
                let rules = rules(group.ip_permissions());
                Some(FirewallInfo::new(group.group_id()?, group.group_name()?, rules))
            }));
            match next_page(answer.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(all),
            }
        }
    }

    async fn set_rules(&self, id: &str, wanted: &[IngressRule]) -> Result<()> {
        let wanted = permissions(wanted);
        for _ in 0..RULES_ATTEMPTS {
            match self.exchange_rules(id, &wanted).await {
                // Somebody else has changed the rules at the same time, which are read anew.
                Err(error)
                    if error.code().is_some_and(|code| code.starts_with("InvalidPermission.")) => {}
                exchanged => return exchanged,
            }
        }
        Err(ErrorKind::Conflict.into())
    }

    async fn exchange_rules(&self, id: &str, wanted: &[sdk::IpPermission]) -> Result<()> {
        let client = self.caller.client();
        let answer = self.once_seen(id, || {
            let request = client.describe_security_groups().group_ids(id);
            self.caller.call("DescribeSecurityGroups", request.send())
        });
        let answer = answer.await?;
        let group = answer.security_groups().first();
        let group = group.ok_or_else(|| Error::from(ErrorKind::NotFound))?;
        let present: Vec<_> = group.ip_permissions().iter().flat_map(split).collect();
        let missing: Vec<_> = wanted.iter().filter(|it| !present.contains(it)).cloned().collect();
        if !missing.is_empty() {
            let request = client.authorize_security_group_ingress().group_id(id);
            let request = request.set_ip_permissions(Some(missing));
            self.caller.call("AuthorizeSecurityGroupIngress", request.send()).await?;
        }
        let surplus: Vec<_> = present.into_iter().filter(|it| !wanted.contains(it)).collect();
        if !surplus.is_empty() {
            let request = client.revoke_security_group_ingress().group_id(id);
            let request = request.set_ip_permissions(Some(surplus));
            self.caller.call("RevokeSecurityGroupIngress", request.send()).await?;
        }
        Ok(())
    }

    async fn delete_firewall(&self, id: &str) -> Result<()> {
        let removed = self.removed(id, || {
            let request = self.caller.client().delete_security_group().group_id(id);
            self.caller.call("DeleteSecurityGroup", request.send())
        });
        removed.await
    }
}

/// A permission for each of its sources, in the form in which rules of ours are sent.
fn split(permission: &sdk::IpPermission) -> Vec<sdk::IpPermission> {
    let base = || {
        sdk::IpPermission::builder()
            .set_ip_protocol(permission.ip_protocol.clone())
            .set_from_port(permission.from_port)
            .set_to_port(permission.to_port)
    };
    let v4 = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip());
    let v4 = v4.map(|cidr| base().ip_ranges(sdk::IpRange::builder().cidr_ip(cidr).build()));
    let v6 = permission.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6());
    let v6 = v6.map(|cidr| base().ipv6_ranges(sdk::Ipv6Range::builder().cidr_ipv6(cidr).build()));
    let lists = permission.prefix_list_ids().iter();
    let lists = lists.map(|list| {
        let list = sdk::PrefixListId::builder().set_prefix_list_id(list.prefix_list_id.clone());
        base().prefix_list_ids(list.build())
    });
    let groups = permission.user_id_group_pairs().iter();
    let groups = groups.map(|pair| {
        let pair = sdk::UserIdGroupPair::builder()
            .set_group_id(pair.group_id.clone())
            .set_user_id(pair.user_id.clone())
            .build();
        base().user_id_group_pairs(pair)
    });
    v4.chain(v6).chain(lists).chain(groups).map(|builder| builder.build()).collect()
}
