//! Lifecycle rules, theirs and ours.

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, ExpirationStatus, LifecycleExpiration, LifecycleRule as Theirs,
    LifecycleRuleFilter, NoncurrentVersionExpiration,
};
use polycloud_core::object::LifecycleRule;
use polycloud_core::{Error, ErrorKind, Result};

/// Reads a rule. One that does what ours cannot say is an error, so that nobody writes the rules back
/// without it.
pub(super) fn read(rule: &Theirs) -> Result<LifecycleRule> {
    let mut ours = LifecycleRule::default();
    if rule.status != ExpirationStatus::Enabled {
        return Err(foreign(rule, "is switched off"));
    }
    if rule.transitions.is_some() || rule.noncurrent_version_transitions.is_some() {
        return Err(foreign(rule, "changes storage classes"));
    }
    ours.prefix = prefix(rule)?;
    if let Some(expiration) = &rule.expiration {
        let LifecycleExpiration { date, days, expired_object_delete_marker, .. } = expiration;
        if date.is_some() || *expired_object_delete_marker == Some(true) {
            return Err(foreign(rule, "expires by a date, or delete markers"));
        }
        ours.expire_days = days.map(count).transpose()?;
    }
    if let Some(old) = &rule.noncurrent_version_expiration {
        if old.newer_noncurrent_versions.is_some() {
            return Err(foreign(rule, "keeps a number of versions"));
        }
        ours.expire_old_versions_days = old.noncurrent_days.map(count).transpose()?;
    }
    if let Some(abort) = &rule.abort_incomplete_multipart_upload {
        ours.abort_uploads_days = abort.days_after_initiation.map(count).transpose()?;
    }
    Ok(ours)
}

fn prefix(rule: &Theirs) -> Result<String> {
    #[allow(deprecated, reason = "rules of old have their prefix there")]
    let of_rule = rule.prefix.clone();
    let Some(filter) = &rule.filter else { return Ok(of_rule.unwrap_or_default()) };
    let LifecycleRuleFilter {
        prefix,
        tag,
        object_size_greater_than,
        object_size_less_than,
        and,
        ..
    } = filter;
    if tag.is_some()
        || object_size_greater_than.is_some()
        || object_size_less_than.is_some()
        || and.is_some()
    {
        return Err(foreign(rule, "applies by tags or sizes"));
    }
    Ok(prefix.clone().or(of_rule).unwrap_or_default())
}

fn foreign(rule: &Theirs, what: &str) -> Error {
    let name = rule.id.as_deref().unwrap_or("without a name");
    Error::new(ErrorKind::Unsupported).with_message(format!(
        "the lifecycle rule {name:?} {what}, which has no portable form: read and change the rules by \
         the client that S3Buckets::sdk returns"
    ))
}

fn count(days: i32) -> Result<u32> {
    u32::try_from(days).map_err(|error| {
        let broken =
            Error::new(ErrorKind::InvalidResponse).with_message("a negative number of days");
        broken.with_source(error)
    })
}

/// Writes a rule, the n-th.
pub(super) fn write(n: usize, rule: &LifecycleRule) -> Result<Theirs> {
    let days = [rule.expire_days, rule.expire_old_versions_days, rule.abort_uploads_days];
    if days.iter().all(Option::is_none) {
        return Err(Error::invalid(format!("the lifecycle rule {n} does nothing")));
    }
    if days.contains(&Some(0)) {
        return Err(Error::invalid(format!("the lifecycle rule {n} has 0 days; 1 is the least")));
    }
    let [expire, old, abort] =
        days.map(|days| days.map(|days| i32::try_from(days).unwrap_or(i32::MAX)));
    Theirs::builder()
        .id(format!("rule-{n}"))
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(&rule.prefix).build())
        .set_expiration(expire.map(|days| LifecycleExpiration::builder().days(days).build()))
        .set_noncurrent_version_expiration(
            old.map(|days| NoncurrentVersionExpiration::builder().noncurrent_days(days).build()),
        )
        .set_abort_incomplete_multipart_upload(abort.map(|days| {
            AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build()
        }))
        .build()
        .map_err(super::client::incomplete)
}
