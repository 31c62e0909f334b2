//! Service Quotas: what an account may have of EC2.

use serde_json::{Value, json};

use super::addresses::MAX_ADDRESSES;
use super::call::{Call, Targets};
use super::error::{Ec2Error, Result};
use super::state::Region;

pub(crate) const TARGETS: Targets = &[
    ("ServiceQuotasV20190624.ListServiceQuotas", list_service_quotas),
    ("ServiceQuotasV20190624.GetServiceQuota", get_service_quota),
];

/// The size of pages unless the request tells another one.
const PAGE: usize = 100;

/// A limit: its code, its name, how much, and what the metric of its use counts, if there is one.
struct Quota {
    code: &'static str,
    name: &'static str,
    value: f64,
    class: Option<&'static str>,
}

/// The limits in the order of their codes.
fn all(call: &Call<'_>) -> Vec<Quota> {
    let vcpus = f64::from(call.settings.quota_vcpus);
    let addresses = u32::try_from(MAX_ADDRESSES).map_or(0.0, f64::from);
    let quota = |code, name, value, class| Quota { code, name, value, class };
    vec![
        quota("L-0263D0A3", "EC2-VPC Elastic IPs", addresses, None),
        quota(
            "L-1216C47A",
            "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
            vcpus,
            Some("Standard/OnDemand"),
        ),
        quota("L-1945791B", "Running On-Demand Inf instances", 0.0, Some("Inf/OnDemand")),
        quota(
            "L-34B43A08",
            "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
            vcpus,
            Some("Standard/Spot"),
        ),
        quota("L-3819A6DF", "All G and VT Spot Instance Requests", vcpus, Some("G/Spot")),
        quota("L-417A185B", "Running On-Demand P instances", 0.0, Some("P/OnDemand")),
        quota("L-7212CCBC", "All P Spot Instance Requests", 0.0, Some("P/Spot")),
        quota("L-74FC7D96", "Running On-Demand F instances", 0.0, Some("F/OnDemand")),
        quota("L-DB2E81BA", "Running On-Demand G and VT instances", vcpus, Some("G/OnDemand")),
        quota("L-F7808C92", "Running On-Demand X instances", 0.0, Some("X/OnDemand")),
    ]
}

fn told(region: &Region, quota: &Quota) -> Value {
    let code = quota.code;
    let mut told = json!({
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": format!("arn:aws:servicequotas:{}:{}:ec2/{code}", region.name, region.account),
        "QuotaCode": code,
        "QuotaName": quota.name,
        "Value": quota.value,
        "Unit": "None",
        "Adjustable": true,
        "GlobalQuota": false,
        "QuotaAppliedAtLevel": "ACCOUNT",
    });
    if let (Some(class), Some(fields)) = (quota.class, told.as_object_mut()) {
        let dimensions =
            json!({ "Class": class, "Resource": "vCPU", "Service": "EC2", "Type": "Resource" });
        let metric = json!({
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": dimensions,
            "MetricStatisticRecommendation": "Maximum",
        });
        fields.insert("UsageMetric".to_owned(), metric);
    }
    told
}

fn illegal(message: impl Into<String>) -> Ec2Error {
    Ec2Error::new("IllegalArgumentException", message)
}

fn missing(message: impl Into<String>) -> Ec2Error {
    Ec2Error::new("NoSuchResourceException", message)
}

/// The limits are those of EC2 only.
fn check_service(body: &Value) -> Result<()> {
    match body.get("ServiceCode").and_then(Value::as_str) {
        Some("ec2") => Ok(()),
        Some(other) => Err(missing(format!("The service {other} does not exist or has no quotas"))),
        None => Err(illegal("ServiceCode is required")),
    }
}

fn list_service_quotas(region: &mut Region, call: &Call<'_>, body: &Value) -> Result<Value> {
    check_service(body)?;
    let size = match body.get("MaxResults") {
        None | Some(Value::Null) => PAGE,
        Some(size) => size
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| (1..=PAGE).contains(size))
            .ok_or_else(|| illegal(format!("MaxResults is between 1 and {PAGE}")))?,
    };
    let code = body.get("QuotaCode").and_then(Value::as_str);
    let mut quotas = all(call);
    quotas.retain(|quota| code.is_none_or(|code| quota.code == code));
    if let Some(token) = body.get("NextToken").and_then(Value::as_str) {
        // A token is the code of the last quota of the page before it.
        if !quotas.iter().any(|quota| quota.code == token) {
            let message = "The NextToken is not valid";
            return Err(Ec2Error::new("InvalidPaginationTokenException", message));
        }
        quotas.retain(|quota| quota.code > token);
    }
    let more = quotas.len() > size;
    quotas.truncate(size);
    let next = quotas.last().filter(|_| more).map(|last| last.code);
    let page = quotas.iter().map(|quota| told(region, quota)).collect::<Vec<_>>();
    let mut answer = json!({ "Quotas": page });
    if let (Some(next), Some(fields)) = (next, answer.as_object_mut()) {
        fields.insert("NextToken".to_owned(), next.into());
    }
    Ok(answer)
}

fn get_service_quota(region: &mut Region, call: &Call<'_>, body: &Value) -> Result<Value> {
    check_service(body)?;
    let code = body.get("QuotaCode").and_then(Value::as_str);
    let code = code.ok_or_else(|| illegal("QuotaCode is required"))?;
    let quotas = all(call);
    let quota = quotas.iter().find(|quota| quota.code == code).ok_or_else(|| {
        missing(format!("The request failed because the specified quota {code} does not exist"))
    })?;
    Ok(json!({ "Quota": told(region, quota) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::call::testing::TestCall;

    fn list(body: &Value) -> Result<Value> {
        let mut region = Region::new("us-east-1", "111122223333");
        list_service_quotas(&mut region, &TestCall::new("").call(), body)
    }

    fn get(test: &TestCall, body: &Value) -> Result<Value> {
        let mut region = Region::new("us-east-1", "111122223333");
        get_service_quota(&mut region, &test.call(), body)
    }

    #[test]
    fn pages_follow_each_other() {
        let mut codes = Vec::new();
        let mut body = json!({ "ServiceCode": "ec2", "MaxResults": 4 });
        loop {
            let page = list(&body).unwrap();
            let quotas = page["Quotas"].as_array().unwrap();
            assert!(quotas.len() <= 4);
            codes
                .extend(quotas.iter().map(|quota| quota["QuotaCode"].as_str().unwrap().to_owned()));
            match page.get("NextToken") {
                Some(token) => body["NextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(codes.len(), all(&TestCall::new("").call()).len());
        assert!(codes.is_sorted());
        let whole = list(&json!({ "ServiceCode": "ec2" })).unwrap();
        assert_eq!(whole["Quotas"].as_array().unwrap().len(), codes.len());
        assert_eq!(whole.get("NextToken"), None);
    }

    #[test]
    fn quotas_are_those_that_are_set() {
        let mut test = TestCall::new("");
        test.settings.quota_vcpus = 32;
        let body = json!({ "ServiceCode": "ec2", "QuotaCode": "L-1216C47A" });
        let quota = get(&test, &body).unwrap();
        assert_eq!(quota["Quota"]["Value"], json!(32.0));
        assert_eq!(quota["Quota"]["UsageMetric"]["MetricDimensions"]["Class"], "Standard/OnDemand");
    }

    #[test]
    fn what_is_refused() {
        let code = |result: Result<Value>| result.unwrap_err().code.into_owned();
        let test = TestCall::new("");
        assert_eq!(code(list(&json!({}))), "IllegalArgumentException");
        assert_eq!(code(list(&json!({ "ServiceCode": "moon" }))), "NoSuchResourceException");
        let large = json!({ "ServiceCode": "ec2", "MaxResults": 101 });
        assert_eq!(code(list(&large)), "IllegalArgumentException");
        let token = json!({ "ServiceCode": "ec2", "NextToken": "made-up" });
        assert_eq!(code(list(&token)), "InvalidPaginationTokenException");
        let unknown = json!({ "ServiceCode": "ec2", "QuotaCode": "L-0" });
        assert_eq!(code(get(&test, &unknown)), "NoSuchResourceException");
        assert_eq!(code(get(&test, &json!({ "ServiceCode": "ec2" }))), "IllegalArgumentException");
    }
}
