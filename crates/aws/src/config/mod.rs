//! What configuration files and URLs say about S3. Every field is explained in `docs/providers/aws.md`.

pub(crate) mod access;
pub(crate) mod endpoint;
mod environment;
mod preset;
mod resolve;
#[cfg(test)]
mod tests;

use std::fmt;

use polycloud_core::Result;
use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_wire::redact::Secret;
use serde::{Deserialize, Serialize};

use self::access::{is_false, setters};
pub(crate) use self::endpoint::Endpoint;
pub(crate) use self::environment::Environment;
pub use self::preset::Preset;
pub(crate) use self::preset::Quirks;
pub(crate) use self::resolve::{Account, Resolved};
use crate::{S3Store, Session};

/// How to open an [`S3Store`].
///
/// What is not set comes from the environment and from the profile, as in the AWS CLI.
///
/// ```
/// use polycloud_aws::{Preset, S3Config};
///
/// let config = S3Config::new("bucket").with_region("eu-west-1");
/// let own = S3Config::new("bucket")
///     .with_preset(Preset::Minio)
///     .with_endpoint("https://minio.example.com")
///     .with_credentials("user", "password");
/// assert!(!format!("{own:?}").contains("password"));
/// # let _ = config;
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct S3Config {
    /// The bucket, or the alias of an access point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The region of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The URL of the service, if it is not Amazon's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether the bucket is in the path of requests, and not in their host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// Which service it is. If unset: Amazon's, or [`Preset::Generic`] if the endpoint is somebody
    /// else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
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
    /// Whether requests are sent without credentials.
    #[serde(skip_serializing_if = "is_false")]
    pub anonymous: bool,
    /// Whether credentials may be used over plain http with another machine.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_http: bool,
    /// The checksum that is sent along with content; if unset, the best that the service knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<UploadChecksum>,
    /// Whether the SHA-256 of content is a part of the signature.
    #[serde(skip_serializing_if = "is_false")]
    pub sign_payload: bool,
    /// Whether the requester pays.
    #[serde(skip_serializing_if = "is_false")]
    pub requester_pays: bool,
    /// How the service encrypts what is written; as the bucket has it, if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sse: Option<Encryption>,
    /// The key for [`Encryption::Kms`]; the account's own key for S3, if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sse_kms_key_id: Option<String>,
    /// How often a request is sent at most, the first time included; 5 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// How many milliseconds an answer may take to begin; 30,000 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_timeout_ms: Option<u64>,
    /// How many milliseconds a body may rest; 20,000 if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall_timeout_ms: Option<u64>,
}

/// The checksum that is sent along with content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum UploadChecksum {
    /// None.
    None,
    /// CRC-32C.
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// MD5.
    Md5,
    /// SHA-256.
    Sha256,
}

impl UploadChecksum {
    fn algorithm(self) -> Option<ChecksumAlgorithm> {
        match self {
            Self::None => None,
            Self::Crc32c => Some(ChecksumAlgorithm::Crc32c),
            Self::Crc64Nvme => Some(ChecksumAlgorithm::Crc64Nvme),
            Self::Md5 => Some(ChecksumAlgorithm::Md5),
            Self::Sha256 => Some(ChecksumAlgorithm::Sha256),
        }
    }
}

/// How the service encrypts what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Encryption {
    /// By keys of S3.
    S3,
    /// By keys of the Key Management Service.
    Kms,
}

impl S3Config {
    /// A bucket, with all else from the environment.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: Some(bucket.into()), ..Self::default() }
    }

    setters! {
        /// Sets the region.
        with_region(region: impl Into<String>);
        /// Sets the URL of the service.
        with_endpoint(endpoint: impl Into<String>);
        /// Sets whether the bucket is in the path.
        with_path_style(path_style: bool);
        /// Sets which service it is.
        with_preset(preset: Preset);
        /// Sets the profile.
        with_profile(profile: impl Into<String>);
        /// Sets the role to assume.
        with_role_arn(role_arn: impl Into<String>);
        /// Sets the external ID that the role demands.
        with_external_id(external_id: impl Into<String>);
        /// Sets the checksum that is sent along with content.
        with_checksum(checksum: UploadChecksum);
        /// Sets how the service encrypts what is written.
        with_sse(sse: Encryption);
        /// Sets the key to encrypt by.
        with_sse_kms_key_id(sse_kms_key_id: impl Into<String>);
        /// Sets how often a request is sent at most.
        with_max_attempts(max_attempts: u32);
        /// Sets how many milliseconds an answer may take to begin.
        with_first_byte_timeout_ms(first_byte_timeout_ms: u64);
        /// Sets how many milliseconds a body may rest.
        with_stall_timeout_ms(stall_timeout_ms: u64);
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

    /// Sets whether requests are sent without credentials.
    #[must_use]
    pub fn with_anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Sets whether credentials may be used over plain http with another machine.
    #[must_use]
    pub fn with_allow_http(mut self, allow_http: bool) -> Self {
        self.allow_http = allow_http;
        self
    }

    /// Sets whether the SHA-256 of content is a part of the signature.
    #[must_use]
    pub fn with_sign_payload(mut self, sign_payload: bool) -> Self {
        self.sign_payload = sign_payload;
        self
    }

    /// Sets whether the requester pays.
    #[must_use]
    pub fn with_requester_pays(mut self, requester_pays: bool) -> Self {
        self.requester_pays = requester_pays;
        self
    }

    /// Opens the store. Reads the environment and the profile, and sends nothing.
    ///
    /// # Errors
    /// [`Config`](polycloud_core::ErrorKind::Config), naming the fix, if something is missing, malformed
    /// or contradictory.
    pub async fn open(&self, session: &Session) -> Result<S3Store> {
        let resolved = self.resolve(session).await?;
        S3Store::from_resolved(resolved)
    }
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.access().debug("S3Config", self, f)
    }
}
