//! Signed URLs and forms.

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use polycloud_core::object::{Key, SignOptions, SignedRequest, Signer};
use polycloud_core::{Error, ErrorKind, Result, ResultExt as _};
use polycloud_wire::time;
use serde_json::json;

use super::S3Store;
use crate::PROVIDER;

/// How long S3 accepts a signature.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What an upload by an HTML form may do. See [`S3Store::sign_post`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostPolicy {
    /// How long the form can be used.
    pub expires_in: Duration,
    /// Fewest and most bytes of the file.
    pub size: Option<(u64, u64)>,
    /// Fields that the form has to have with exactly these values, such as `Content-Type`.
    pub fields: Vec<(String, String)>,
    /// Whether the key is only the beginning of the key that the form may write.
    pub key_is_prefix: bool,
}

impl PostPolicy {
    /// A form for one key, valid for this long.
    #[must_use]
    pub fn new(expires_in: Duration) -> Self {
        Self { expires_in, size: None, fields: Vec::new(), key_is_prefix: false }
    }

    /// Sets the fewest and most bytes of the file.
    #[must_use]
    pub fn with_size(mut self, fewest: u64, most: u64) -> Self {
        self.size = Some((fewest, most));
        self
    }

    /// Adds a field that the form has to have.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Lets the form write every key that begins with the signed one.
    #[must_use]
    pub fn with_key_as_prefix(mut self) -> Self {
        self.key_is_prefix = true;
        self
    }
}

/// A form by which someone without credentials uploads a file. Whoever has it has the access, so that its
/// fields are shown only by [`fields`](Self::fields).
#[derive(Clone)]
pub struct PostForm {
    url: String,
    fields: Vec<(String, String)>,
}

impl PostForm {
    /// Where to post it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The fields to send, all before the field `file`.
    #[must_use]
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }
}

impl std::fmt::Debug for PostForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostForm").field("url", &self.url).finish_non_exhaustive()
    }
}

fn check_expiry(expires_in: Duration) -> Result<()> {
    if (Duration::from_secs(1)..=LONGEST).contains(&expires_in) {
        return Ok(());
    }
    Err(Error::invalid("a signature is valid for 1 second to 7 days"))
}

fn nothing_to_sign_with() -> Error {
    Error::new(ErrorKind::Unauthenticated)
        .with_message("an anonymous store has no credentials to sign with")
}

#[async_trait]
impl Signer for S3Store {
    async fn sign(&self, key: &Key, options: &SignOptions) -> Result<SignedRequest> {
        self.sign_url(key, options).await.during(PROVIDER, "sign", key)
    }
}

impl S3Store {
    async fn sign_url(&self, key: &Key, options: &SignOptions) -> Result<SignedRequest> {
        check_expiry(options.expires_in)?;
        let methods = [Method::GET, Method::HEAD, Method::PUT, Method::DELETE];
        if !methods.contains(&options.method) {
            return Err(Error::invalid(format!("{} cannot be signed", options.method)));
        }
        let service = self.0.wire.service();
        let credentials = service.credentials.get().await?.ok_or_else(nothing_to_sign_with)?;
        let mut request = self.request(options.method.clone(), Some(key));
        for (name, value) in &options.query {
            request = request.query(name, value);
        }
        let request = request.empty()?;
        let url = service.signer.presign(
            &options.method,
            request.uri(),
            &options.headers,
            options.expires_in,
            &credentials,
            self.0.wire.server_time(),
        )?;
        Ok(SignedRequest::new(options.method.clone(), url, options.headers.clone()))
    }

    /// Signs a form by which a browser uploads one file to a key. Costs no request.
    ///
    /// See [Browser-based uploads](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html).
    ///
    /// # Errors
    /// `InvalidArgument` if it is to be valid for less than a second or more than 7 days;
    /// `Unauthenticated` if there is nothing to sign with.
    pub async fn sign_post(&self, key: &Key, policy: &PostPolicy) -> Result<PostForm> {
        self.sign_form(key, policy).await.during(PROVIDER, "sign_post", key)
    }

    async fn sign_form(&self, key: &Key, policy: &PostPolicy) -> Result<PostForm> {
        check_expiry(policy.expires_in)?;
        let service = self.0.wire.service();
        let credentials = service.credentials.get().await?.ok_or_else(nothing_to_sign_with)?;
        let now = self.0.wire.server_time();
        let expires = now
            .checked_add(policy.expires_in)
            .ok_or_else(|| Error::invalid("the form is valid for too long"))?;
        let document = |signed: &[(&'static str, String)]| {
            let mut conditions = vec![json!({"bucket": self.0.info.bucket})];
            conditions.push(if policy.key_is_prefix {
                json!(["starts-with", "$key", key.as_str()])
            } else {
                json!({"key": key.as_str()})
            });
            conditions.extend(signed.iter().map(|(name, value)| json!({*name: value})));
            conditions.extend(policy.fields.iter().map(|(name, value)| json!({name: value})));
            if let Some((fewest, most)) = policy.size {
                conditions.push(json!(["content-length-range", fewest, most]));
            }
            json!({"expiration": time::format_rfc3339(expires), "conditions": conditions})
                .to_string()
        };
        let mut fields = vec![("key".to_owned(), key.to_string())];
        fields.extend(policy.fields.iter().cloned());
        let signed = service.signer.sign_policy(document, &credentials, now);
        fields.extend(signed.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Ok(PostForm { url: self.0.endpoint.uri(None, "")?.to_string(), fields })
    }
}
