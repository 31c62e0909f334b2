use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use polycloud_core::clock::Clock;
use polycloud_core::{Error, ErrorKind, Result, Retry};
use polycloud_wire::client::HttpClient;
use polycloud_wire::redact::Secret;
use polycloud_wire::token::{Expiring, TokenSource};
use tokio::sync::OnceCell;

use super::Credentials;
use crate::Session;
use crate::smithy::{SmithyClient, SmithyClock};

/// A role to assume.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
}

/// The chain of the AWS SDK: variables, profile, web identity, container, instance metadata.
pub(crate) struct Chain {
    client: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    region: String,
    fixed: Option<Credentials>,
    profile: Option<String>,
    role: Option<Role>,
    /// Made at the first use: making it reads files.
    provider: OnceCell<SharedCredentialsProvider>,
}

impl Chain {
    pub(crate) fn new(session: &Session, region: &str) -> Self {
        Self {
            client: Arc::clone(&session.client),
            clock: Arc::clone(&session.clock),
            region: region.to_owned(),
            fixed: None,
            profile: None,
            role: None,
            provider: OnceCell::new(),
        }
    }

    /// Uses these, and looks no further.
    pub(crate) fn with_fixed(mut self, fixed: Option<Credentials>) -> Self {
        self.fixed = fixed;
        self
    }

    /// Uses this profile, and looks no further.
    pub(crate) fn with_profile(mut self, profile: Option<String>) -> Self {
        self.profile = profile;
        self
    }

    /// Assumes a role with what is found.
    pub(crate) fn with_role(mut self, role: Option<Role>) -> Self {
        self.role = role;
        self
    }

    async fn provider(&self) -> SharedCredentialsProvider {
        let base = self.base().await;
        let Some(Role { arn, external_id }) = &self.role else { return base };
        let mut loader = aws_config::defaults(behavior())
            .region(Region::new(self.region.clone()))
            .http_client(SmithyClient::new(Arc::clone(&self.client)))
            .time_source(SmithyClock::new(Arc::clone(&self.clock)))
            .sleep_impl(SmithyClock::new(Arc::clone(&self.clock)))
            .credentials_provider(base.clone());
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        let mut role =
            AssumeRoleProvider::builder(arn).configure(&config).session_name("polycloud");
        if let Some(id) = external_id {
            role = role.external_id(id);
        }
        SharedCredentialsProvider::new(role.build_from_provider(base).await)
    }

    async fn base(&self) -> SharedCredentialsProvider {
        if let Some(fixed) = &self.fixed {
            return SharedCredentialsProvider::new(fixed.to_sdk());
        }
        let region = Region::new(self.region.clone());
        let config = ProviderConfig::default()
            .with_behavior_version(Some(behavior()))
            .with_region(Some(region.clone()))
            .with_time_source(SmithyClock::new(Arc::clone(&self.clock)))
            .with_sleep_impl(SmithyClock::new(Arc::clone(&self.clock)))
            .with_http_client(SmithyClient::new(Arc::clone(&self.client)));
        match &self.profile {
            Some(name) => {
                let profile = ProfileFileCredentialsProvider::builder().configure(&config);
                SharedCredentialsProvider::new(profile.profile_name(name).build())
            }
            None => {
                let chain = DefaultCredentialsChain::builder().configure(config).region(region);
                SharedCredentialsProvider::new(chain.build().await)
            }
        }
    }
}

/// How the SDK behaves, so that an update of it changes nothing.
pub(crate) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

#[async_trait]
impl TokenSource<Credentials> for Chain {
    async fn fetch(&self) -> Result<Expiring<Credentials>> {
        let provider = self.provider.get_or_init(|| self.provider()).await;
        let found = provider.provide_credentials().await.map_err(not_found)?;
        let expires = found.expiry();
        let secret = Secret::new(found.secret_access_key());
        let token = found.session_token().map(Secret::new);
        let mut credentials = Credentials::new(found.access_key_id(), &secret, token.as_ref())?;
        credentials.expires = expires;
        Ok(Expiring { value: credentials, expires })
    }
}

fn not_found(error: CredentialsError) -> Error {
    let (kind, retry, message) = match &error {
        CredentialsError::CredentialsNotLoaded(_) => {
            (ErrorKind::Unauthenticated, Retry::Never, NONE)
        }
        CredentialsError::ProviderTimedOut(_) => {
            (ErrorKind::Timeout, Retry::Later, "the source of credentials did not answer in time")
        }
        CredentialsError::InvalidConfiguration(_) => {
            (ErrorKind::Config, Retry::Never, "the credentials are configured wrongly")
        }
        _ => (ErrorKind::Unauthenticated, Retry::Later, "the source of credentials failed"),
    };
    Error::new(kind)
        .with_message(message)
        .with_outcome(polycloud_core::Outcome::NotApplied)
        .with_retry(retry)
        .with_source(error)
}

const NONE: &str = "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a \
                    profile (`aws configure`, `aws sso login`, AWS_PROFILE), or give the machine a \
                    role; for public data set the option anonymous=true";

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, profile, role, .. } = self;
        f.debug_struct("Chain")
            .field("region", region)
            .field("profile", profile)
            .field("role", role)
            .finish_non_exhaustive()
    }
}
