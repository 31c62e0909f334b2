//! Who signs the requests.

mod chain;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::redact::Secret;
use polycloud_wire::token::TokenCache;

#[cfg(any(feature = "admin", feature = "ec2"))]
pub(crate) use self::chain::behavior;
pub(crate) use self::chain::{Chain, Role};
use crate::Session;

/// What a request is signed with.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Option<Secret>,
    pub(crate) expires: Option<SystemTime>,
}

impl Credentials {
    /// Long-lived credentials, or temporary ones of which nobody says when they end.
    ///
    /// # Errors
    /// `Unauthenticated` for what cannot be sent in a header.
    pub(crate) fn new(id: &str, secret: &Secret, token: Option<&Secret>) -> Result<Self> {
        let graphic = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        let broken = if !graphic(id) || id.contains(['/', ',']) {
            "the access key ID"
        } else if secret.expose().is_empty() {
            "the secret access key"
        } else if !token.is_none_or(|token| graphic(token.expose())) {
            "the session token"
        } else {
            return Ok(Self {
                access_key_id: id.to_owned(),
                secret_access_key: secret.clone(),
                session_token: token.cloned(),
                expires: None,
            });
        };
        Err(Error::new(ErrorKind::Unauthenticated)
            .with_message(format!("{broken} is empty or has characters that none has")))
    }

    /// The same for the AWS SDK.
    pub(crate) fn to_sdk(&self) -> aws_credential_types::Credentials {
        let Self { access_key_id, secret_access_key, session_token, expires } = self;
        aws_credential_types::Credentials::new(
            access_key_id,
            secret_access_key.expose(),
            session_token.as_ref().map(|token| token.expose().to_owned()),
            *expires,
            "polycloud",
        )
    }
}

/// Where credentials come from. Clones share what is fetched.
#[derive(Clone)]
pub(crate) struct CredentialSource(Source);

#[derive(Clone)]
enum Source {
    Anonymous,
    Fixed(Arc<Credentials>),
    Fetched(TokenCache<Credentials>),
}

impl CredentialSource {
    /// Requests are not signed.
    pub(crate) fn anonymous() -> Self {
        Self(Source::Anonymous)
    }

    /// Always these.
    pub(crate) fn fixed(credentials: Credentials) -> Self {
        Self(Source::Fixed(Arc::new(credentials)))
    }

    /// What the chain finds, fetched at the first use and renewed ahead of its end. Sends nothing.
    pub(crate) fn chain(chain: Chain, session: &Session) -> Self {
        let (clock, random) = (Arc::clone(&session.clock), Arc::clone(&session.random));
        Self(Source::Fetched(TokenCache::new(Arc::new(chain), clock, random)))
    }

    /// Whether requests are not signed.
    #[cfg(feature = "admin")]
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self.0, Source::Anonymous)
    }

    /// The credentials, if there is nothing to wait for.
    pub(crate) fn cached(&self) -> Option<Arc<Credentials>> {
        match &self.0 {
            Source::Anonymous => None,
            Source::Fixed(credentials) => Some(Arc::clone(credentials)),
            Source::Fetched(cache) => cache.cached(),
        }
    }

    /// The credentials, or `None` if requests are not signed.
    pub(crate) async fn get(&self) -> Result<Option<Arc<Credentials>>> {
        match &self.0 {
            Source::Anonymous => Ok(None),
            Source::Fixed(credentials) => Ok(Some(Arc::clone(credentials))),
            Source::Fetched(cache) => cache.get().await.map(Some),
        }
    }

    /// Drops these credentials, because the service calls them expired.
    pub(crate) fn forget(&self, credentials: &Arc<Credentials>) {
        if let Source::Fetched(cache) = &self.0 {
            cache.invalidate(credentials);
        }
    }
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Source::Anonymous => "anonymous",
            Source::Fixed(_) => "fixed",
            Source::Fetched(_) => "fetched",
        })
    }
}
