//! The buckets of an account, by way of the AWS SDK.

mod client;
mod empty;
mod lifecycle;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus,
    CreateBucketConfiguration, VersioningConfiguration,
};
use polycloud_core::capability::{Capabilities, Feature};
use polycloud_core::object::{
    BucketInfo, BucketName, BucketPage, Buckets, CreateBucketOptions, DeleteBucketOptions,
    LifecycleRule, ObjectStore,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Outcome, ResourceRef, Result, ResultExt as _};

use self::client::Caller;
use crate::config::{Account, S3Config};
use crate::s3::{S3Store, capabilities};
use crate::{PROVIDER, Session};

/// Buckets on a page. An account has 10,000 at most unless it asks for more.
const PAGE: i32 = 1_000;

/// The region in which a bucket is created if nothing is said.
const CLASSIC: &str = "us-east-1";

/// The buckets of an account, in one region.
///
/// Opened by [`S3Config::open_buckets`]. The stores that it opens share its connections and credentials.
#[derive(Clone)]
pub struct S3Buckets(Arc<Inner>);

struct Inner {
    account: Account,
    caller: Caller,
    capabilities: Capabilities,
}

impl S3Config {
    /// Opens the buckets of the account; which bucket is configured does not matter. Reads the
    /// environment and the profile, and sends nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_buckets(&self, session: &Session) -> Result<S3Buckets> {
        let account = self.account(session).await?;
        let caller = Caller::new(&account);
        let capabilities = capabilities::of(&account.quirks);
        Ok(S3Buckets(Arc::new(Inner { account, caller, capabilities })))
    }
}

impl fmt::Debug for S3Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Buckets({})", self.0.account.base.url())
    }
}

impl S3Buckets {
    /// The SDK's client, for what this crate has no word for.
    #[must_use]
    pub fn sdk(&self) -> &Client {
        self.0.caller.client()
    }

    async fn create_bucket(
        &self,
        name: &BucketName,
        options: &CreateBucketOptions,
    ) -> Result<BucketInfo> {
        let Inner { account, caller, capabilities } = &*self.0;
        capabilities.check(options)?;
        let location = options.location.as_deref().unwrap_or(&account.region);
        let caller = caller.in_region(account, location)?;
        let regions = account.quirks.classic_region;
        if location == CLASSIC && regions {
            // There, and only there, creating one's own bucket again succeeds.
            self.refuse_existing(name).await?;
        }
        // Another service is told the location only if somebody names one.
        let constraint = location != CLASSIC && (regions || options.location.is_some())
            || options.location.as_deref().is_some_and(|location| location != CLASSIC);
        let constraint = constraint.then(|| {
            let constraint = BucketLocationConstraint::from(location);
            CreateBucketConfiguration::builder().location_constraint(constraint).build()
        });
        let watch = caller.watch();
        let created = caller.call("create_bucket", || {
            let call = caller.client().create_bucket().bucket(name.as_str());
            let call = call.set_create_bucket_configuration(constraint.clone());
            call.customize().config_override(watch.config()).send()
        });
        if let Err(error) = created.await {
            // The refusal may be the answer to a second attempt of a create that had its effect.
            let doubtful = error.kind() == ErrorKind::AlreadyExists && watch.is_unclear();
            return Err(if doubtful { error.with_outcome(Outcome::Unknown) } else { error });
        }
        if options.versioning {
            let switched = switch_versioning(&caller, name, true).await;
            if let Err(error) = switched {
                return Err(undo(&caller, name, error).await);
            }
        }
        let mut info = BucketInfo::new(name.clone());
        info.location = Some(location.to_owned());
        info.versioning = Some(options.versioning);
        Ok(info)
    }

    async fn refuse_existing(&self, name: &BucketName) -> Result<()> {
        match self.head_bucket(name).await {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(error) => match error.kind() {
                ErrorKind::BucketNotFound => Ok(()),
                // It is somebody else's, or in another region.
                ErrorKind::PermissionDenied | ErrorKind::Config => {
                    Err(Error::new(ErrorKind::AlreadyExists).with_source(error))
                }
                _ => Err(error),
            },
        }
    }

    /// The region of a bucket.
    async fn head_bucket(&self, name: &BucketName) -> Result<Option<String>> {
        let caller = &self.0.caller;
        let call = || caller.client().head_bucket().bucket(name.as_str()).send();
        let head = caller.call("head_bucket", call).await?;
        Ok(head.bucket_region)
    }

    /// The region that a bucket is in instead of ours, if that is why a request was refused.
    async fn elsewhere(&self, name: &BucketName, error: &Error) -> Option<String> {
        if !matches!(error.status(), Some(301 | 400)) {
            return None;
        }
        let region = self.0.caller.told_region(name.as_str()).await?;
        (region != self.0.account.region).then_some(region)
    }

    async fn delete_bucket(&self, name: &BucketName, options: DeleteBucketOptions) -> Result<()> {
        let Inner { account, caller, .. } = &*self.0;
        match delete_from(account, caller, name, options).await {
            Err(error) => match self.elsewhere(name, &error).await {
                Some(region) => {
                    let account = account.in_region(&region)?;
                    delete_from(&account, &Caller::new(&account), name, options).await
                }
                None => Err(error),
            },
            deleted => deleted,
        }
    }

    async fn describe(&self, name: &BucketName) -> Result<BucketInfo> {
        let Inner { account, caller, .. } = &*self.0;
        let (caller, region) = match self.head_bucket(name).await {
            Ok(region) => (caller.clone(), region),
            Err(error) => match self.elsewhere(name, &error).await {
                Some(region) => (caller.in_region(account, &region)?, Some(region)),
                None => return Err(error),
            },
        };
        let mut info = BucketInfo::new(name.clone());
        info.location = region.or_else(|| account.base.is_amazon().then(|| account.region.clone()));
        if !account.quirks.versions {
            return Ok(info);
        }
        let call = || caller.client().get_bucket_versioning().bucket(name.as_str()).send();
        match caller.call("head_bucket", call).await {
            Ok(found) => {
                info.versioning = Some(found.status == Some(BucketVersioningStatus::Enabled));
            }
            // Who may see a bucket need not be allowed to see this.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
        Ok(info)
    }

    async fn list(&self, token: Option<&PageToken>) -> Result<BucketPage> {
        let caller = &self.0.caller;
        let page = caller.call("list_buckets", || {
            let call = caller.client().list_buckets().max_buckets(PAGE);
            call.set_continuation_token(token.map(|token| token.as_str().to_owned())).send()
        });
        let page = page.await?;
        let mut buckets: Vec<BucketInfo> = page
            .buckets
            .unwrap_or_default()
            .into_iter()
            // Old names that are legal nowhere else are reached by a URL, not from here.
            .filter_map(|bucket| {
                let mut info = BucketInfo::new(BucketName::new(bucket.name?).ok()?);
                info.created = bucket.creation_date.and_then(|date| date.try_into().ok());
                info.location = bucket.bucket_region;
                Some(info)
            })
            .collect();
        buckets.sort_by(|a, b| a.name.cmp(&b.name));
        let next = page.continuation_token.filter(|token| !token.is_empty());
        Ok(BucketPage::new(buckets, next.map(PageToken::new)))
    }

    async fn switch(&self, name: &BucketName, enabled: bool) -> Result<()> {
        self.0.capabilities.require(Feature::BucketVersioning)?;
        switch_versioning(&self.0.caller, name, enabled).await
    }

    async fn rules(&self, name: &BucketName) -> Result<Vec<LifecycleRule>> {
        let Inner { caller, capabilities, .. } = &*self.0;
        capabilities.require(Feature::BucketLifecycle)?;
        let call =
            || caller.client().get_bucket_lifecycle_configuration().bucket(name.as_str()).send();
        match caller.call("lifecycle", call).await {
            Ok(found) => found.rules.unwrap_or_default().iter().map(lifecycle::read).collect(),
            Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn set_rules(&self, name: &BucketName, rules: &[LifecycleRule]) -> Result<()> {
        let Inner { caller, capabilities, .. } = &*self.0;
        capabilities.require(Feature::BucketLifecycle)?;
        if rules.is_empty() {
            let call = || caller.client().delete_bucket_lifecycle().bucket(name.as_str()).send();
            return caller.call("set_lifecycle", call).await.map(drop);
        }
        let rules = rules.iter().enumerate().map(|(n, rule)| lifecycle::write(n + 1, rule));
        let rules = rules.collect::<Result<Vec<_>>>()?;
        let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
        let rules = rules.map_err(client::incomplete)?;
        let call = || {
            let call = caller.client().put_bucket_lifecycle_configuration().bucket(name.as_str());
            call.lifecycle_configuration(rules.clone()).send()
        };
        caller.call("set_lifecycle", call).await.map(drop)
    }
}

async fn switch_versioning(caller: &Caller, name: &BucketName, enabled: bool) -> Result<()> {
    let status = match enabled {
        true => BucketVersioningStatus::Enabled,
        false => BucketVersioningStatus::Suspended,
    };
    let configuration = VersioningConfiguration::builder().status(status).build();
    let call = || {
        let call = caller.client().put_bucket_versioning().bucket(name.as_str());
        call.versioning_configuration(configuration.clone()).send()
    };
    caller.call("set_versioning", call).await.map(drop)
}

/// Takes back a create that could not be completed, and names the bucket if that fails too.
async fn undo(caller: &Caller, name: &BucketName, error: Error) -> Error {
    let call = || caller.client().delete_bucket().bucket(name.as_str()).send();
    match caller.call("delete_bucket", call).await {
        Ok(_) => error.with_outcome(Outcome::NotApplied),
        Err(_) => error
            .with_outcome(Outcome::Applied)
            .with_leaked([ResourceRef::new("bucket", name.as_str())]),
    }
}

#[async_trait]
impl Buckets for S3Buckets {
    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    async fn create(&self, name: &BucketName, options: &CreateBucketOptions) -> Result<BucketInfo> {
        self.create_bucket(name, options).await.during(PROVIDER, "create_bucket", name)
    }

    async fn delete(&self, name: &BucketName, options: &DeleteBucketOptions) -> Result<()> {
        self.delete_bucket(name, *options).await.during(PROVIDER, "delete_bucket", name)
    }

    async fn head(&self, name: &BucketName) -> Result<BucketInfo> {
        self.describe(name).await.during(PROVIDER, "head_bucket", name)
    }

    async fn list_page(&self, token: Option<&PageToken>) -> Result<BucketPage> {
        self.list(token).await.during(PROVIDER, "list_buckets", "")
    }

    async fn set_versioning(&self, name: &BucketName, enabled: bool) -> Result<()> {
        self.switch(name, enabled).await.during(PROVIDER, "set_versioning", name)
    }

    async fn lifecycle(&self, name: &BucketName) -> Result<Vec<LifecycleRule>> {
        self.rules(name).await.during(PROVIDER, "lifecycle", name)
    }

    async fn set_lifecycle(&self, name: &BucketName, rules: &[LifecycleRule]) -> Result<()> {
        self.set_rules(name, rules).await.during(PROVIDER, "set_lifecycle", name)
    }

    fn open(&self, name: &BucketName) -> Result<Arc<dyn ObjectStore>> {
        let resolved = self.0.account.bucket(name.as_str());
        let store = resolved.and_then(S3Store::from_resolved).during(PROVIDER, "open", name)?;
        Ok(Arc::new(store))
    }
}

async fn delete_from(
    account: &Account,
    caller: &Caller,
    name: &BucketName,
    options: DeleteBucketOptions,
) -> Result<()> {
    if options.force {
        empty::empty(&S3Store::from_resolved(account.bucket(name.as_str())?)?).await?;
    }
    let watch = caller.watch();
    let deleted = caller.call("delete_bucket", || {
        let call = caller.client().delete_bucket().bucket(name.as_str());
        call.customize().config_override(watch.config()).send()
    });
    match deleted.await {
        Err(error) if error.kind() == ErrorKind::BucketNotFound && watch.is_unclear() => Ok(()),
        result => result.map(drop),
    }
}
