//! Amazon's services as backends: how their URLs read.

use std::sync::Arc;

use polycloud_aws::S3Config;

use crate::config::{Backend, BucketsBackend, escaped};
use crate::object::Buckets;
use crate::options::Options;
use crate::registry::Shared;
use crate::{Address, Error, ObjectStore, Result};

impl Backend<dyn ObjectStore> for S3Config {
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

    async fn open(&self, shared: &Shared) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(self.open(&shared.aws).await?))
    }
}

impl BucketsBackend for S3Config {
    async fn open_buckets(&self, shared: &Shared) -> Result<Arc<dyn Buckets>> {
        if let Some(bucket) = &self.bucket {
            return Err(Error::config(format!(
                "the buckets of an account have a URL that names none of them: s3: in place of \
                 s3://{bucket}"
            )));
        }
        Ok(Arc::new(self.open_buckets(&shared.aws).await?))
    }
}
