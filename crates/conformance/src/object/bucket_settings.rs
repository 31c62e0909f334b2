//! Settings of buckets that only some providers have.

use std::sync::Arc;

use polycloud_core::ErrorKind;
use polycloud_core::object::{
    BucketName, Buckets, CreateBucketOptions, DeleteBucketOptions, LifecycleRule,
};

use super::kit::Step;
use crate::case::{Context, Failure, cases, ensure_eq};
use crate::expect::expect_kind;

/// Makes a bucket, which is deleted when the case has ended.
async fn bucket(
    context: &Context,
    options: &CreateBucketOptions,
) -> Step<(Arc<dyn Buckets>, BucketName)> {
    let (buckets, name) = (context.buckets()?, BucketName::new(context.unique("settings"))?);
    buckets.create(&name, options).await?;
    let made = (Arc::clone(&buckets), name.clone());
    context.defer(async move {
        buckets.delete(&name, &DeleteBucketOptions::default().with_force(true)).await?;
        Ok(())
    });
    Ok(made)
}

/// A rule that deletes what is older than so many days.
fn expiring(prefix: &str, days: u32) -> LifecycleRule {
    let mut rule = LifecycleRule::default();
    rule.prefix = prefix.to_owned();
    rule.expire_days = Some(days);
    rule
}

cases! {
    Buckets, "bucket_settings";

    /// A new bucket has no lifecycle rules.
    #[needs(BucketLifecycle)]
    async fn no_rules(context: Context) -> CaseResult {
        let (buckets, name) = bucket(&context, &CreateBucketOptions::default()).await?;
        ensure_eq!(buckets.lifecycle(&name).await?, Vec::<LifecycleRule>::new());
        Ok(())
    }

    /// Lifecycle rules are returned as they were set.
    #[needs(BucketLifecycle)]
    async fn rules(context: Context) -> CaseResult {
        let (buckets, name) = bucket(&context, &CreateBucketOptions::default()).await?;
        let mut versions = LifecycleRule::default();
        versions.expire_old_versions_days = Some(30);
        let mut uploads = LifecycleRule::default();
        uploads.prefix = "up/".to_owned();
        uploads.abort_uploads_days = Some(7);
        let rules = [expiring("tmp/", 1), versions, uploads];
        buckets.set_lifecycle(&name, &rules).await?;
        ensure_eq!(buckets.lifecycle(&name).await?, rules);
        Ok(())
    }

    /// Setting lifecycle rules replaces all of the old ones, and setting none removes them.
    #[needs(BucketLifecycle)]
    async fn rules_replaced(context: Context) -> CaseResult {
        let (buckets, name) = bucket(&context, &CreateBucketOptions::default()).await?;
        buckets.set_lifecycle(&name, &[expiring("a/", 1), expiring("b/", 2)]).await?;
        buckets.set_lifecycle(&name, &[expiring("c/", 3)]).await?;
        ensure_eq!(buckets.lifecycle(&name).await?, [expiring("c/", 3)]);
        buckets.set_lifecycle(&name, &[]).await?;
        ensure_eq!(buckets.lifecycle(&name).await?, Vec::<LifecycleRule>::new());
        Ok(())
    }

    /// A lifecycle rule that does nothing is invalid, and the old rules stay.
    #[needs(BucketLifecycle)]
    async fn idle_rule(context: Context) -> CaseResult {
        let (buckets, name) = bucket(&context, &CreateBucketOptions::default()).await?;
        buckets.set_lifecycle(&name, &[expiring("a/", 1)]).await?;
        let rules = [expiring("b/", 2), LifecycleRule::default()];
        expect_kind(buckets.set_lifecycle(&name, &rules).await, ErrorKind::InvalidArgument)?;
        ensure_eq!(buckets.lifecycle(&name).await?, [expiring("a/", 1)]);
        Ok(())
    }

    /// A missing bucket has no lifecycle rules to read or set.
    #[needs(BucketLifecycle)]
    async fn rules_of_missing(context: Context) -> CaseResult {
        let (buckets, name) = (context.buckets()?, BucketName::new(context.unique("none"))?);
        expect_kind(buckets.lifecycle(&name).await, ErrorKind::BucketNotFound)?;
        let rules = [expiring("a/", 1)];
        expect_kind(buckets.set_lifecycle(&name, &rules).await, ErrorKind::BucketNotFound)?;
        Ok(())
    }

    /// A bucket is created in the location that is asked for, and shows it.
    #[needs(BucketLocation)]
    async fn location(context: Context) -> CaseResult {
        let location = context.harness().location();
        let location = location.ok_or_else(|| Failure::new("the harness names no location"))?;
        let options = CreateBucketOptions::default().with_location(location.as_str());
        let (buckets, name) = bucket(&context, &options).await?;
        ensure_eq!(buckets.head(&name).await?.location, Some(location));
        Ok(())
    }
}
