//! What configuration files and URLs say about EC2. Every field is explained in `docs/providers/aws.md`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use polycloud_core::Result;
use polycloud_core::clock::{Clock, Random};
use polycloud_core::retry::RetryPolicy;
use polycloud_wire::Timeouts;
use polycloud_wire::client::HttpClient;
use polycloud_wire::redact::Secret;
use serde::{Deserialize, Serialize};

use super::Ec2Compute;
use crate::Session;
use crate::config::access::{Access, is_false, no_region, setters};
use crate::config::endpoint::{Base, check_region};
use crate::credentials::CredentialSource;

/// How to open an [`Ec2Compute`].
///
/// What is not set comes from the environment and from the profile, as in the AWS CLI.
///
/// ```
/// use polycloud_aws::Ec2Config;
///
/// let config = Ec2Config::new("eu-west-1");
/// let emulated = Ec2Config::new("us-east-1")
///     .with_endpoint("http://127.0.0.1:4566")
///     .with_credentials("user", "password");
/// assert!(!format!("{emulated:?}").contains("password"));
/// # let _ = config;
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Ec2Config {
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The URL of the service, if it is not Amazon's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The profile in `~/.aws/config` and `~/.aws/credentials`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The access key ID. Its secret is needed too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// The secret access key. It is read, but never written again.
    #[serde(skip_serializing)]
    pub secret_access_key: Option<Secret>,
    /// The session token of temporary credentials. It is read, but never written again.
    #[serde(skip_serializing)]
    pub session_token: Option<Secret>,
    /// The role to assume with the credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The external ID that the role demands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether credentials may be used over plain http with another machine.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_http: bool,
    /// How often a request is sent at most, the first time included; 5 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// How many milliseconds an answer may take to begin; 30,000 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_timeout_ms: Option<u64>,
    /// How many milliseconds a body may rest; 20,000 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall_timeout_ms: Option<u64>,
    /// The subnet that instances are created in; the default one of the zone, if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// Whether instances are created so that they can be suspended, which encrypts their disks and makes
    /// them larger by the memory. Not all images and types can.
    #[serde(skip_serializing_if = "is_false")]
    pub hibernation: bool,
    /// The file that creates are written down in ahead of time, so that a sweep finds exactly what a
    /// killed program began; none if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<PathBuf>,
}

impl Ec2Config {
    /// A region, with all else from the environment.
    pub fn new(region: impl Into<String>) -> Self {
        Self { region: Some(region.into()), ..Self::default() }
    }

    setters! {
        /// Sets the region.
        with_region(region: impl Into<String>);
        /// Sets the URL of the service.
        with_endpoint(endpoint: impl Into<String>);
        /// Sets the profile.
        with_profile(profile: impl Into<String>);
        /// Sets the role to assume.
        with_role_arn(role_arn: impl Into<String>);
        /// Sets the external ID that the role demands.
        with_external_id(external_id: impl Into<String>);
        /// Sets how often a request is sent at most.
        with_max_attempts(max_attempts: u32);
        /// Sets how many milliseconds an answer may take to begin.
        with_first_byte_timeout_ms(first_byte_timeout_ms: u64);
        /// Sets how many milliseconds a body may rest.
        with_stall_timeout_ms(stall_timeout_ms: u64);
        /// Sets the subnet that instances are created in.
        with_subnet(subnet: impl Into<String>);
        /// Sets the file that creates are written down in ahead of time.
        with_journal(journal: impl Into<PathBuf>);
    }

    /// Sets the access key.
    #[must_use]
    pub fn with_credentials(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.access_key_id = Some(id.into());
        self.secret_access_key = Some(Secret::new(secret));
        self
    }

    /// Sets the session token of temporary credentials.
    #[must_use]
    pub fn with_session_token(mut self, session_token: impl Into<String>) -> Self {
        self.session_token = Some(Secret::new(session_token));
        self
    }

    /// Sets whether credentials may be used over plain http with another machine.
    #[must_use]
    pub fn with_allow_http(mut self, allow_http: bool) -> Self {
        self.allow_http = allow_http;
        self
    }

    /// Sets whether instances are created so that they can be suspended.
    #[must_use]
    pub fn with_hibernation(mut self, hibernation: bool) -> Self {
        self.hibernation = hibernation;
        self
    }

    /// Opens the region. Reads the environment and the profile, and sends nothing.
    ///
    /// # Errors
    /// [`Config`](polycloud_core::ErrorKind::Config), naming the fix, if something is missing, malformed
    /// or contradictory.
    pub async fn open(&self, session: &Session) -> Result<Ec2Compute> {
        Ok(Ec2Compute::from_resolved(self.resolve(session).await?))
    }

    /// Finds out all that it takes to speak to the region. Sends nothing.
    pub(super) async fn resolve(&self, session: &Session) -> Result<Resolved> {
        let access = self.access();
        access.check()?;
        let settings = session.environment.settings(self.profile.as_deref()).await?;
        let named = |service: &str| self.endpoint.clone().or_else(|| settings.endpoint(service));
        let endpoint = named("EC2");
        let own = endpoint.as_deref().map(Base::parse).transpose()?;
        let own = own.filter(|base| !base.is_amazon());
        let region = match self.region.clone().or_else(|| settings.region()) {
            Some(region) => region,
            None if own.is_some() => "us-east-1".to_owned(),
            None => return Err(no_region("ec2://eu-west-1")),
        };
        check_region(&region)?;
        // What stands in for EC2 stands in for its sisters, too: they are not asked of Amazon.
        let base = |host: &str, service: &str| match (named(service), &own) {
            (Some(url), _) if self.endpoint.is_none() => Base::parse(&url),
            (_, Some(own)) => Ok(own.clone()),
            _ => Base::of_service(host, &region),
        };
        let ec2 = match &endpoint {
            Some(url) => Base::parse(url)?,
            None => Base::of_service("ec2", &region)?,
        };
        let endpoints = Endpoints {
            ec2,
            ssm: base("ssm", "SSM")?,
            quotas: base("servicequotas", "Service Quotas")?,
        };
        for base in [&endpoints.ec2, &endpoints.ssm, &endpoints.quotas] {
            access.check_transport(base)?;
        }
        Ok(Resolved {
            endpoints,
            endpoint: own.map(|base| base.url()),
            credentials: access.credentials(session, &region)?,
            region,
            retry: access.retry(),
            timeouts: access.timeouts(),
            client: Arc::clone(&session.client),
            clock: Arc::clone(&session.clock),
            random: Arc::clone(&session.random),
            subnet: self.subnet.clone(),
            hibernates: self.hibernation,
            journal: self.journal.clone(),
        })
    }

    fn access(&self) -> Access<'_> {
        Access {
            profile: self.profile.as_deref(),
            access_key_id: self.access_key_id.as_deref(),
            secret_access_key: self.secret_access_key.as_ref(),
            session_token: self.session_token.as_ref(),
            role_arn: self.role_arn.as_deref(),
            external_id: self.external_id.as_deref(),
            anonymous: false,
            allow_http: self.allow_http,
            max_attempts: self.max_attempts,
            first_byte_timeout_ms: self.first_byte_timeout_ms,
            stall_timeout_ms: self.stall_timeout_ms,
        }
    }
}

impl fmt::Debug for Ec2Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.access().debug("Ec2Config", self, f)
    }
}

/// A region, and all that it takes to speak to it.
#[derive(Debug, Clone)]
pub(super) struct Resolved {
    pub(super) region: String,
    pub(super) endpoints: Endpoints,
    /// The URL of what stands in for Amazon's service.
    pub(super) endpoint: Option<String>,
    pub(super) credentials: CredentialSource,
    pub(super) retry: RetryPolicy,
    pub(super) timeouts: Timeouts,
    pub(super) client: Arc<dyn HttpClient>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) subnet: Option<String>,
    pub(super) hibernates: bool,
    pub(super) journal: Option<PathBuf>,
}

/// Where each service is.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    pub(super) ec2: Base,
    pub(super) ssm: Base,
    pub(super) quotas: Base,
}
