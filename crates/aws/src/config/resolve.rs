use std::sync::Arc;
use std::time::Duration;

use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_core::clock::{Clock, Random};
use polycloud_core::retry::RetryPolicy;
use polycloud_core::{Error, Result};
use polycloud_wire::Timeouts;
use polycloud_wire::client::HttpClient;

use super::endpoint::{Base, check_region};
use super::{Encryption, Endpoint, Preset, Quirks, S3Config};
use crate::Session;
use crate::credentials::{Chain, CredentialSource, Credentials, Role};

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
            account.base = Base::of_region(region)?;
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
        let settings = session.environment.settings(self.profile.as_deref()).await?;
        let endpoint = self.endpoint.clone().or_else(|| settings.endpoint());
        let base = endpoint.as_deref().map(Base::parse).transpose()?;
        let foreign = base.as_ref().is_some_and(|base| !base.is_amazon());
        let preset = self.preset.unwrap_or(if foreign { Preset::Generic } else { Preset::Aws });
        let quirks = preset.quirks();
        let region = self.region.clone().or_else(|| settings.region());
        let region = match region {
            Some(region) => region,
            None if foreign => quirks.region.unwrap_or("us-east-1").to_owned(),
            None => return Err(no_region()),
        };
        check_region(&region)?;
        let base = base.map_or_else(|| Base::of_region(&region), Ok)?;
        if !base.secure && !self.anonymous && !self.allow_http && !base.is_loopback() {
            return Err(Error::config(format!(
                "credentials would be used over plain http, with {}: use https, or set \
                 allow_http=true if the network between is trusted",
                base.url()
            )));
        }
        Ok(Account {
            base,
            path_style: self.path_style,
            credentials: self.credentials(session, &region)?,
            region,
            quirks,
            checksum: self.checksum.map_or(quirks.checksum, super::UploadChecksum::algorithm),
            sign_payload: self.sign_payload,
            requester_pays: self.requester_pays,
            encryption: self.sse,
            kms_key_id: self.sse_kms_key_id.clone(),
            retry: self.retry(),
            timeouts: self.timeouts(),
            client: Arc::clone(&session.client),
            clock: Arc::clone(&session.clock),
            random: Arc::clone(&session.random),
        })
    }

    /// Checks that the fields do not contradict each other.
    fn check(&self) -> Result<()> {
        let Self { access_key_id, secret_access_key, session_token, role_arn, .. } = self;
        let named = access_key_id.is_some() || secret_access_key.is_some();
        let why = if access_key_id.is_some() != secret_access_key.is_some() {
            "access_key_id and secret_access_key come together; the secret is never written into \
             URLs and files by polycloud itself"
        } else if session_token.is_some() && !named {
            "session_token belongs to an access_key_id and a secret_access_key"
        } else if self.anonymous && (named || self.profile.is_some() || role_arn.is_some()) {
            "anonymous=true excludes access_key_id, profile and role_arn"
        } else if named && self.profile.is_some() {
            "access_key_id and profile exclude each other"
        } else if self.external_id.is_some() && role_arn.is_none() {
            "external_id belongs to a role_arn"
        } else if self.sse_kms_key_id.is_some() && self.sse != Some(Encryption::Kms) {
            "sse_kms_key_id belongs to sse=kms"
        } else if self.max_attempts == Some(0) {
            "max_attempts is at least 1, for the first attempt"
        } else {
            return Ok(());
        };
        Err(Error::config(why))
    }

    fn credentials(&self, session: &Session, region: &str) -> Result<CredentialSource> {
        if self.anonymous {
            return Ok(CredentialSource::anonymous());
        }
        let fixed = match (&self.access_key_id, &self.secret_access_key) {
            (Some(id), Some(secret)) => {
                Some(Credentials::new(id, secret, self.session_token.as_ref())?)
            }
            _ => None,
        };
        let role =
            self.role_arn.clone().map(|arn| Role { arn, external_id: self.external_id.clone() });
        match (fixed, role) {
            (Some(credentials), None) => Ok(CredentialSource::fixed(credentials)),
            (fixed, role) => {
                let chain = Chain::new(session, region)
                    .with_fixed(fixed)
                    .with_profile(self.profile.clone())
                    .with_role(role);
                Ok(CredentialSource::chain(chain, session))
            }
        }
    }

    fn retry(&self) -> RetryPolicy {
        let policy = RetryPolicy::default();
        match self.max_attempts {
            Some(attempts) => policy.with_attempts(attempts),
            None => policy,
        }
    }

    fn timeouts(&self) -> Timeouts {
        let mut timeouts = Timeouts::default();
        if let Some(limit) = self.first_byte_timeout_ms {
            timeouts = timeouts.with_first_byte(Duration::from_millis(limit));
        }
        if let Some(limit) = self.stall_timeout_ms {
            timeouts = timeouts.with_stall(Duration::from_millis(limit));
        }
        timeouts
    }
}

fn no_region() -> Error {
    Error::config(
        "no region is named: set the option region, as in s3://bucket?region=eu-west-1, the variable \
         AWS_REGION, or region in the profile",
    )
}
