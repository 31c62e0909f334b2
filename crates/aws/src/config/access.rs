//! What the settings of all services have in common, and what comes of them.

use std::fmt;
use std::time::Duration;

use polycloud_core::retry::RetryPolicy;
use polycloud_core::{Error, Result};
use polycloud_wire::Timeouts;
use polycloud_wire::redact::Secret;
use serde::Serialize;

use super::endpoint::Base;
use crate::Session;
use crate::credentials::{Chain, CredentialSource, Credentials, Role};

/// Fields that every configuration has: who asks, and how patiently.
#[derive(Clone, Copy, Default)]
pub(crate) struct Access<'a> {
    pub(crate) profile: Option<&'a str>,
    pub(crate) access_key_id: Option<&'a str>,
    pub(crate) secret_access_key: Option<&'a Secret>,
    pub(crate) session_token: Option<&'a Secret>,
    pub(crate) role_arn: Option<&'a str>,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) anonymous: bool,
    pub(crate) allow_http: bool,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) first_byte_timeout_ms: Option<u64>,
    pub(crate) stall_timeout_ms: Option<u64>,
}

impl Access<'_> {
    /// Checks that the fields do not contradict each other.
    pub(crate) fn check(&self) -> Result<()> {
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
        } else if self.max_attempts == Some(0) {
            "max_attempts is at least 1, for the first attempt"
        } else {
            return Ok(());
        };
        Err(Error::config(why))
    }

    /// Checks that credentials are not told to everybody on the way to the endpoint.
    pub(crate) fn check_transport(&self, base: &Base) -> Result<()> {
        if base.secure || self.anonymous || self.allow_http || base.is_loopback() {
            return Ok(());
        }
        Err(Error::config(format!(
            "credentials would be used over plain http, with {}: use https, or set \
             allow_http=true if the network between is trusted",
            base.url()
        )))
    }

    pub(crate) fn credentials(&self, session: &Session, region: &str) -> Result<CredentialSource> {
        if self.anonymous {
            return Ok(CredentialSource::anonymous());
        }
        let fixed = match (self.access_key_id, self.secret_access_key) {
            (Some(id), Some(secret)) => Some(Credentials::new(id, secret, self.session_token)?),
            _ => None,
        };
        let role = self.role_arn.map(|arn| Role {
            arn: arn.to_owned(),
            external_id: self.external_id.map(str::to_owned),
        });
        match (fixed, role) {
            (Some(credentials), None) => Ok(CredentialSource::fixed(credentials)),
            (fixed, role) => {
                let chain = Chain::new(session, region)
                    .with_fixed(fixed)
                    .with_profile(self.profile.map(str::to_owned))
                    .with_role(role);
                Ok(CredentialSource::chain(chain, session))
            }
        }
    }

    pub(crate) fn retry(&self) -> RetryPolicy {
        let policy = RetryPolicy::default();
        match self.max_attempts {
            Some(attempts) => policy.with_attempts(attempts),
            None => policy,
        }
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        let mut timeouts = Timeouts::default();
        if let Some(limit) = self.first_byte_timeout_ms {
            timeouts = timeouts.with_first_byte(Duration::from_millis(limit));
        }
        if let Some(limit) = self.stall_timeout_ms {
            timeouts = timeouts.with_stall(Duration::from_millis(limit));
        }
        timeouts
    }

    /// Prints a configuration: what it would write, and that there are secrets.
    pub(crate) fn debug(
        &self,
        name: &str,
        config: &impl Serialize,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let mut s = f.debug_struct(name);
        // What is written again is no secret.
        if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(config) {
            for (name, value) in fields {
                s.field(&name, &value);
            }
        }
        for (name, secret) in
            [("secret_access_key", self.secret_access_key), ("session_token", self.session_token)]
        {
            if let Some(secret) = secret {
                s.field(name, secret);
            }
        }
        s.finish()
    }
}

/// That no place names a region; `example` is a URL with one.
pub(crate) fn no_region(example: &str) -> Error {
    Error::config(format!(
        "no region is named: set the option region, as in {example}, the variable AWS_REGION, or \
         region in the profile",
    ))
}

/// Builder methods that set an optional field.
macro_rules! setters {
    ($($(#[doc = $doc:literal])+ $set:ident($field:ident: $type:ty);)+) => {$(
        $(#[doc = $doc])+
        #[must_use]
        pub fn $set(mut self, $field: $type) -> Self {
            self.$field = Some($field.into());
            self
        }
    )+};
}

pub(crate) use setters;

/// For fields that are not written where they are off.
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}
