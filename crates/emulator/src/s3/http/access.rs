//! Who may do what: the owner everything, others what the policy of the bucket allows them.

use super::context::Context;
use super::routes::Operation;
use crate::s3::state::S3State;
use crate::s3::state::bucket::Bucket;
use crate::s3::state::error::{Result, S3Error};

/// Whether an account, or an anonymous caller, may do this.
pub(super) fn may(bucket: &Bucket, account: Option<&str>, action: &str, resource: &str) -> bool {
    if account == Some(bucket.owner.as_str()) {
        return true;
    }
    let Some(policy) = &bucket.policy else { return false };
    let restricted = bucket.public_access.is_some_and(|block| block.restrict_public_buckets);
    !(restricted && policy.is_public()) && policy.allows(account, action, resource)
}

/// Refuses what the caller may not do.
pub(super) fn check(state: &S3State, context: &Context<'_>, operation: Operation) -> Result<()> {
    if matches!(operation, Operation::ListBuckets | Operation::CreateBucket) {
        return if context.account().is_some() { Ok(()) } else { Err(S3Error::access_denied()) };
    }
    let bucket = state.bucket(context.bucket)?;
    context.check_owner("x-amz-expected-bucket-owner", bucket)?;
    // Deletions of many keys are decided as deletions in the bucket.
    let action = operation.action(context.query("versionId").is_some());
    let on_object = context.request.key.is_some() || operation == Operation::DeleteObjects;
    let resource = match (on_object, context.request.key.as_deref()) {
        (true, Some(key)) => format!("arn:aws:s3:::{}/{key}", context.bucket),
        (true, None) => format!("arn:aws:s3:::{}/*", context.bucket),
        (false, _) => format!("arn:aws:s3:::{}", context.bucket),
    };
    if may(bucket, context.account(), action, &resource) {
        return Ok(());
    }
    Err(S3Error::access_denied())
}

/// Who may not list a bucket is not told which keys it has.
pub(super) fn hide(state: &S3State, context: &Context<'_>, error: S3Error) -> S3Error {
    if !matches!(error.code, "NoSuchKey" | "NoSuchVersion") {
        return error;
    }
    let resource = format!("arn:aws:s3:::{}", context.bucket);
    match state.bucket(context.bucket) {
        Ok(bucket) if !may(bucket, context.account(), "s3:ListBucket", &resource) => {
            S3Error::access_denied()
        }
        _ => error,
    }
}
