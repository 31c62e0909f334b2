use std::sync::Arc;

use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_core::clock::{Clock, Random};
use polycloud_core::retry::RetryPolicy;
use polycloud_core::{Error, Result};
use polycloud_wire::Timeouts;
use polycloud_wire::client::HttpClient;

use super::access::{Access, no_region};
use super::endpoint::{Base, check_region};
use super::{Encryption, Endpoint, Preset, Quirks, S3Config};
use crate::Session;
use crate::credentials::CredentialSource;

/// A bucket, and all that it takes to speak to it.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) bucket: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) account: Account,
}

/// What the buckets of an account have in common.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) base: Base,
    pub(crate) path_style: Option<bool>,
    pub(crate) region: String,
    pub(crate) credentials: CredentialSource,
    pub(crate) quirks: Quirks,
    pub(crate) checksum: Option<ChecksumAlgorithm>,
    pub(crate) sign_payload: bool,
    pub(crate) requester_pays: bool,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeouts: Timeouts,
    pub(crate) client: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Account {
    /// The same in another region, which at Amazon is another endpoint.
    #[cfg(feature = "admin")]
    pub(crate) fn in_region(&self, region: &str) -> Result<Self> {
        let mut account = self.clone();
        if self.base.is_amazon() {
            account.base = Base::of_service("s3", region)?;
        }
        region.clone_into(&mut account.region);
        Ok(account)
    }

    /// A bucket of the account.
    pub(crate) fn bucket(&self, bucket: &str) -> Result<Resolved> {
        let path_style = self.is_path_style(bucket);
        Ok(Resolved {
            bucket: bucket.to_owned(),
            endpoint: self.base.bucket(bucket, path_style)?,
            account: self.clone(),
        })
    }

    /// Whether requests to the bucket have it in their path.
    pub(crate) fn is_path_style(&self, bucket: &str) -> bool {
        let default = || self.quirks.path_style || self.base.prefers_path(bucket);
        self.path_style.unwrap_or_else(default)
    }
}

impl S3Config {
    /// Finds out all that it takes to speak to the bucket. Sends nothing.
    pub(crate) async fn resolve(&self, session: &Session) -> Result<Resolved> {
        let bucket = self.bucket.as_deref().filter(|bucket| !bucket.is_empty());
        let bucket = bucket
            .ok_or_else(|| Error::config("no bucket is named: write it as in s3://bucket"))?;
        self.account(session).await?.bucket(bucket)
    }

    /// Finds out all that it takes to speak to the account. Sends nothing.
    pub(crate) async fn account(&self, session: &Session) -> Result<Account> {
        self.check()?;
        let access = self.access();
        let settings = session.environment.settings(self.profile.as_deref()).await?;
        let endpoint = self.endpoint.clone().or_else(|| settings.endpoint("S3"));
        let base = endpoint.as_deref().map(Base::parse).transpose()?;
        let foreign = base.as_ref().is_some_and(|base| !base.is_amazon());
        let preset = self.preset.unwrap_or(if foreign { Preset::Generic } else { Preset::Aws });
        let quirks = preset.quirks();
        let region = self.region.clone().or_else(|| settings.region());
        let region = match region {
            Some(region) => region,
            None if foreign => quirks.region.unwrap_or("us-east-1").to_owned(),
            None => return Err(no_region("s3://bucket?region=eu-west-1")),
        };
        check_region(&region)?;
        let base = base.map_or_else(|| Base::of_service("s3", &region), Ok)?;
        access.check_transport(&base)?;
        Ok(Account {
            base,
            path_style: self.path_style,
            credentials: access.credentials(session, &region)?,
            region,
            quirks,
            checksum: self.checksum.map_or(quirks.checksum, super::UploadChecksum::algorithm),
            sign_payload: self.sign_payload,
            requester_pays: self.requester_pays,
            encryption: self.sse,
            kms_key_id: self.sse_kms_key_id.clone(),
            retry: access.retry(),
            timeouts: access.timeouts(),
            client: Arc::clone(&session.client),
            clock: Arc::clone(&session.clock),
            random: Arc::clone(&session.random),
        })
    }

    /// Checks that the fields do not contradict each other.
    fn check(&self) -> Result<()> {
        self.access().check()?;
        if self.sse_kms_key_id.is_some() && self.sse != Some(Encryption::Kms) {
            return Err(Error::config("sse_kms_key_id belongs to sse=kms"));
        }
        Ok(())
    }

    pub(super) fn access(&self) -> Access<'_> {
        Access {
            profile: self.profile.as_deref(),
            access_key_id: self.access_key_id.as_deref(),
            secret_access_key: self.secret_access_key.as_ref(),
            session_token: self.session_token.as_ref(),
            role_arn: self.role_arn.as_deref(),
            external_id: self.external_id.as_deref(),
            anonymous: self.anonymous,
            allow_http: self.allow_http,
            max_attempts: self.max_attempts,
            first_byte_timeout_ms: self.first_byte_timeout_ms,
            stall_timeout_ms: self.stall_timeout_ms,
        }
    }
}
