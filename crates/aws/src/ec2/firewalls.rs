//! Firewalls: security groups of the default VPC.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{FirewallInfo, Firewalls, IngressRule};
use polycloud_core::{Error, ErrorKind, Outcome, ResourceRef, Result, ResultExt as _};

use super::ingress::{permissions, rules};
use super::instance::incomplete;
use super::list::next_page;
use super::{Ec2Compute, Inner, tags};
use crate::PROVIDER;

#[async_trait]
impl Firewalls for Ec2Compute {
    async fn create(&self, name: &str, rules: &[IngressRule]) -> Result<FirewallInfo> {
        self.0.create_firewall(name, rules).await.during(PROVIDER, "create_firewall", name)
    }

    async fn list(&self) -> Result<Vec<FirewallInfo>> {
        self.0.firewalls().await.during(PROVIDER, "list_firewalls", self.0.region())
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
        let mut tags = tags::of(name, None);
        tags.push(tags::tag(tags::CREATED, &tags::time(self.caller.now())));
        let tags = tags::specification(sdk::ResourceType::SecurityGroup, tags);
        let request = self.caller.client().create_security_group().group_name(name);
        let request = request.description("Made by polycloud").tag_specifications(tags);
        let answer = self.caller.call("CreateSecurityGroup", request.send()).await?;
        let id = answer.group_id.ok_or_else(|| incomplete("a security group without an id"))?;
        if !rules.is_empty()
            && let Err(error) = self.authorize(&id, rules).await
        {
            let left = self.delete_new_group(&id).await.is_err();
            let leaked = left.then(|| ResourceRef::new("security group", id));
            let outcome = if left { Outcome::Applied } else { Outcome::NotApplied };
            return Err(error.with_leaked(leaked).with_outcome(outcome));
        }
        Ok(firewall(&id, name, rules.to_vec()))
    }

    async fn firewalls(&self) -> Result<Vec<FirewallInfo>> {
        let (mut all, mut next, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let request = self.caller.client().describe_security_groups();
            let request = request.max_results(1_000).set_next_token(next.take());
            let answer = self.caller.call("DescribeSecurityGroups", request.send()).await?;
            all.extend(answer.security_groups().iter().filter_map(|group| {
                let rules = rules(group.ip_permissions());
                Some(firewall(group.group_id()?, group.group_name()?, rules))
            }));
            match next_page(answer.next_token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(all),
            }
        }
    }

    async fn set_rules(&self, id: &str, wanted: &[IngressRule]) -> Result<()> {
        let client = self.caller.client();
        let request = client.describe_security_groups().group_ids(id);
        let answer = self.caller.call("DescribeSecurityGroups", request.send()).await?;
        let group = answer.security_groups().first();
        let group = group.ok_or_else(|| Error::from(ErrorKind::NotFound))?;
        let wanted = permissions(wanted);
        let present: Vec<_> = group.ip_permissions().iter().flat_map(split).collect();
        let missing: Vec<_> = wanted.iter().filter(|it| !present.contains(it)).cloned().collect();
        if !missing.is_empty() {
            let request = client.authorize_security_group_ingress().group_id(id);
            let request = request.set_ip_permissions(Some(missing));
            match self.caller.call("AuthorizeSecurityGroupIngress", request.send()).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                added => drop(added?),
            }
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
        let request = self.caller.client().delete_security_group().group_id(id);
        match self.caller.call("DeleteSecurityGroup", request.send()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

fn firewall(id: &str, name: &str, rules: Vec<IngressRule>) -> FirewallInfo {
    FirewallInfo::new(id, name, rules)
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
    let lists = lists.map(|list| base().prefix_list_ids(list.clone()));
    let groups = permission.user_id_group_pairs().iter();
    let groups = groups.map(|pair| base().user_id_group_pairs(pair.clone()));
    v4.chain(v6).chain(lists).chain(groups).map(|builder| builder.build()).collect()
}
