//! Amazon's services as backends: how their URLs read.

use std::sync::Arc;

use crate::config::{Backend, escaped};
use crate::options::Options;
use crate::registry::Shared;
use crate::{Address, Error, Result};

#[cfg(feature = "aws-s3")]
impl Backend<dyn crate::ObjectStore> for polycloud_aws::S3Config {
    fn options(address: &Address) -> Result<Options> {
        // The path was taken for the prefix.
        match address.host() {
            "" => Ok(address.options().clone()),
            bucket => address.options().clone().with("bucket", bucket),
        }
    }

    fn location(&self) -> (&'static str, String) {
        let bucket = self.bucket.as_deref().map(|bucket| format!("//{}", escaped(bucket)));
        ("bucket", format!("s3:{}", bucket.unwrap_or_default()))
    }

    async fn open(&self, shared: &Shared) -> Result<Arc<dyn crate::ObjectStore>> {
        Ok(Arc::new(self.open(&shared.aws).await?))
    }
}

#[cfg(feature = "aws-s3")]
impl crate::config::BucketsBackend for polycloud_aws::S3Config {
    async fn open_buckets(&self, shared: &Shared) -> Result<Arc<dyn crate::object::Buckets>> {
        if let Some(bucket) = &self.bucket {
            return Err(Error::config(format!(
                "the buckets of an account have a URL that names none of them: s3: in place of \
                 s3://{bucket}"
            )));
        }
        Ok(Arc::new(self.open_buckets(&shared.aws).await?))
    }
}

#[cfg(feature = "aws-ec2")]
impl Backend<dyn crate::Compute> for polycloud_aws::Ec2Config {
    fn options(address: &Address) -> Result<Options> {
        if !matches!(address.path(), "" | "/") {
            return Err(Error::config(
                "an ec2 URL names a region alone, as in ec2://eu-west-1; zones are named by instances",
            ));
        }
        match address.host() {
            "" => Ok(address.options().clone()),
            region => address.options().clone().with("region", region),
        }
    }

    fn location(&self) -> (&'static str, String) {
        let region = self.region.as_deref().map(|region| format!("//{}", escaped(region)));
        ("region", format!("ec2:{}", region.unwrap_or_default()))
    }

    async fn open(&self, shared: &Shared) -> Result<Arc<dyn crate::Compute>> {
        Ok(Arc::new(self.open(&shared.aws).await?))
    }
}
