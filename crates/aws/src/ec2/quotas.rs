//! Limits of the account.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Quota, Quotas};
use polycloud_core::{ErrorKind, Result, ResultExt as _};
use serde_json::{Value, json};

use super::list::{filter, next_page};
use super::sdk::JsonService;
use super::{Ec2Compute, Inner};
use crate::PROVIDER;

/// The code of the quota for processors of ordinary on-demand instances: those whose types begin with a
/// letter of [`ORDINARY`].
const ON_DEMAND: &str = "L-1216C47A";
/// The same for spot instances.
const SPOT: &str = "L-34B43A08";
const ORDINARY: [char; 9] = ['a', 'c', 'd', 'h', 'i', 'm', 'r', 't', 'z'];
/// Families that begin with such a letter, and have quotas of their own
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html>).
const APART: [&str; 5] = ["dl", "hpc", "inf", "mac", "trn"];

/// The quotas of EC2 as Service Quotas tells them; of processors of ordinary instances also how many are in
/// use.
#[async_trait]
impl Quotas for Ec2Compute {
    async fn list(&self) -> Result<Vec<Quota>> {
        self.0.quotas().await.during(PROVIDER, "quotas", self.0.region())
    }
}

impl Inner {
    async fn quotas(&self) -> Result<Vec<Quota>> {
        let (told, used) = futures::join!(self.told_quotas(), self.processors_in_use());
        let used = match used {
            // Whoever may not list instances may still read limits.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => BTreeMap::new(),
            used => used?,
        };
        let mut quotas = BTreeMap::new();
        for (code, mut quota) in told? {
            quota.used = used.get(code.as_str()).copied();
            if quotas.contains_key(&quota.name) {
                quota.name = format!("{} ({code})", quota.name);
            }
            quotas.insert(quota.name.clone(), quota);
        }
        Ok(quotas.into_values().collect())
    }

    /// The limits by their code.
    async fn told_quotas(&self) -> Result<BTreeMap<String, Quota>> {
        let (mut quotas, mut next, mut seen) = (BTreeMap::new(), None::<String>, BTreeSet::new());
        loop {
            let mut body = json!({ "ServiceCode": "ec2", "MaxResults": 100 });
            if let (Some(fields), Some(token)) = (body.as_object_mut(), next.take()) {
                fields.insert("NextToken".to_owned(), Value::String(token));
            }
            let target = "ServiceQuotasV20190624.ListServiceQuotas";
            let answer = self.caller.json(JsonService::ServiceQuotas, target, body).await?;
            let all = answer.get("Quotas").and_then(Value::as_array).into_iter().flatten();
            quotas.extend(all.filter_map(described));
            let token = answer.get("NextToken").and_then(Value::as_str).map(str::to_owned);
            match next_page(token, &mut seen)? {
                Some(token) => next = Some(token),
                None => return Ok(quotas),
            }
        }
    }

    /// Processors of ordinary instances that run: on demand and spot.
    async fn processors_in_use(&self) -> Result<BTreeMap<&'static str, f64>> {
        let running =
            self.find(vec![filter("instance-state-name", ["pending", "running"])]).await?;
        let mut used = BTreeMap::from([(ON_DEMAND, 0.0), (SPOT, 0.0)]);
        for instance in &running {
            let name = instance.instance_type().map(|kind| kind.as_str()).unwrap_or_default();
            if !is_ordinary(name) {
                continue;
            }
            let cpu = instance.cpu_options();
            let count = |n: Option<i32>| f64::from(n.unwrap_or_default());
            let processors = count(cpu.and_then(|cpu| cpu.core_count()))
                * count(cpu.and_then(|cpu| cpu.threads_per_core()));
            let is_spot = instance.instance_lifecycle() == Some(&sdk::InstanceLifecycleType::Spot);
            let code = if is_spot { SPOT } else { ON_DEMAND };
            *used.entry(code).or_default() += processors;
        }
        Ok(used)
    }
}

/// Whether instances of a type count to the quota of ordinary ones.
fn is_ordinary(name: &str) -> bool {
    name.starts_with(ORDINARY) && !APART.iter().any(|family| name.starts_with(family))
}

/// A limit and its code.
fn described(quota: &Value) -> Option<(String, Quota)> {
    let code = quota.get("QuotaCode")?.as_str()?;
    let name = quota.get("QuotaName")?.as_str()?;
    let limit = quota.get("Value")?.as_f64()?;
    Some((code.to_owned(), Quota::new(name, limit, None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accelerators_and_whole_machines_have_other_quotas() {
        for name in [
            "t3.micro",
            "m7i.large",
            "c5.metal",
            "i4i.large",
            "im4gn.large",
            "d3en.large",
            "h1.2xlarge",
        ] {
            assert!(is_ordinary(name), "{name}");
        }
        for name in [
            "inf2.xlarge",
            "trn1.2xlarge",
            "dl1.24xlarge",
            "hpc7a.12xlarge",
            "mac2.metal",
            "g5.xlarge",
            "",
        ] {
            assert!(!is_ordinary(name), "{name}");
        }
    }
}
