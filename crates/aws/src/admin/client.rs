use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    Builder, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::{Client, Config};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use polycloud_core::{Error, ErrorKind, Outcome, Result};
use polycloud_wire::client::{
    HttpClient, Reached, RequestBody, ResponseBody, SendError, SendErrorKind,
};
use polycloud_wire::{Reason, Refusal};

use crate::config::Account;
use crate::credentials::{self, CredentialSource};
use crate::error::{self, Details};
use crate::smithy::{SmithyClient, SmithyClock};

/// The SDK's client with our connections, clock, credentials and error table.
#[derive(Clone)]
pub(super) struct Caller {
    client: Client,
    http: Arc<dyn HttpClient>,
    credentials: CredentialSource,
}

impl Caller {
    pub(super) fn new(account: &Account) -> Self {
        let attempts = account.retry.attempts;
        let mut config = Config::builder()
            .behavior_version(credentials::behavior())
            .region(Region::new(account.region.clone()))
            .endpoint_url(account.base.url())
            .force_path_style(account.is_path_style("bucket"))
            .http_client(SmithyClient::new(Arc::clone(&account.client)))
            .time_source(SmithyClock::new(Arc::clone(&account.clock)))
            .sleep_impl(SmithyClock::new(Arc::clone(&account.clock)))
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // The source keeps what it has fetched, and forgets it when it is told to.
            .identity_cache(IdentityCache::no_cache());
        if account.credentials.is_anonymous() {
            config = config.allow_no_auth();
        } else {
            config = config.credentials_provider(Provider(account.credentials.clone()));
        }
        Self {
            client: Client::from_conf(config.build()),
            http: Arc::clone(&account.client),
            credentials: account.credentials.clone(),
        }
    }

    /// The same in another region, which at Amazon is another endpoint.
    pub(super) fn in_region(&self, account: &Account, region: &str) -> Result<Self> {
        if region == account.region {
            return Ok(self.clone());
        }
        Ok(Self::new(&account.in_region(region)?))
    }

    /// The region that a refusal tells of a bucket.
    pub(super) async fn told_region(&self, bucket: &str) -> Option<String> {
        match self.client.head_bucket().bucket(bucket).send().await {
            Err(SdkError::ServiceError(refused)) => {
                let region = refused.raw().headers().get("x-amz-bucket-region");
                region.filter(|region| !region.is_empty()).map(str::to_owned)
            }
            _ => None,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request of the SDK.
    pub(super) async fn call<T, E, Sent>(
        &self,
        operation: &'static str,
        send: impl Fn() -> Sent,
    ) -> Result<T>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        Sent: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        // What is wrong with the credentials is said in our words.
        let used = self.credentials.get().await?;
        match send().await.map_err(|error| refusal(operation, error)) {
            Ok(answer) => Ok(answer),
            Err(refusal) if refusal.reason == Reason::Expired => {
                if let Some(used) = used {
                    self.credentials.forget(&used);
                }
                self.credentials.get().await?;
                send().await.map_err(|error| self::refusal(operation, error).error)
            }
            Err(refusal) => Err(refusal.error),
        }
    }

    /// Watches whether an attempt of a request may have had its effect, though another one is answered.
    pub(super) fn watch(&self) -> Watch {
        Watch(Arc::new(Watched { http: Arc::clone(&self.http), unclear: AtomicBool::new(false) }))
    }
}

/// What became of the attempts of one request.
#[derive(Debug)]
pub(super) struct Watch(Arc<Watched>);

impl Watch {
    /// What makes a request to be watched.
    pub(super) fn config(&self) -> Builder {
        let watched: Arc<dyn HttpClient> = Arc::clone(&self.0) as _;
        Config::builder().http_client(SmithyClient::new(watched))
    }

    pub(super) fn is_unclear(&self) -> bool {
        self.0.unclear.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Watched {
    http: Arc<dyn HttpClient>,
    unclear: AtomicBool,
}

#[async_trait]
impl HttpClient for Watched {
    async fn send(
        &self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<ResponseBody>, SendError> {
        let result = self.http.send(request).await;
        let unclear = match &result {
            // A service that asks to slow down has not acted.
            Ok(answer) => answer.status().is_server_error() && answer.status().as_u16() != 503,
            Err(error) => error.reached() == Reached::Perhaps,
        };
        if unclear {
            self.unclear.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// Our credentials for the SDK.
struct Provider(CredentialSource);

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            match self.0.get().await {
                Ok(Some(credentials)) => Ok(credentials.to_sdk()),
                Ok(None) => Err(CredentialsError::not_loaded_no_source()),
                Err(error) => Err(CredentialsError::provider_error(error)),
            }
        })
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

/// What an error of the SDK means.
fn refusal<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Refusal
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match &error {
        SdkError::ServiceError(service) => {
            let headers = service.raw().headers();
            let header = |name: &str| headers.get(name).unwrap_or_default().into();
            // The SDK's name for a status is no code of the service.
            let code = service.err().code().filter(|code| *code != "NotFound");
            let details = Details {
                code: code.unwrap_or_default().into(),
                message: service.err().message().unwrap_or_default().into(),
                region: header("x-amz-bucket-region"),
                request_id: header("x-amz-request-id"),
                ..Details::default()
            };
            let Refusal { error, reason } =
                error::from_parts(operation, Some(service.raw().status().as_u16()), &details);
            // Nothing but the bucket is named by these requests.
            let missing = error.kind() == ErrorKind::NotFound && details.code.is_empty();
            let error = if missing { error.with_kind(ErrorKind::BucketNotFound) } else { error };
            Refusal::new(error, reason)
        }
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            let error =
                Error::new(ErrorKind::InvalidResponse).with_status(status).with_source(error);
            Refusal::new(error, Reason::Failed)
        }
        SdkError::ConstructionFailure(_) => {
            Refusal::new(Error::new(ErrorKind::InvalidArgument).with_source(error), Reason::Final)
        }
        _ => unanswered(error),
    }
}

/// What kept a request from being answered.
fn unanswered<E>(error: SdkError<E, HttpResponse>) -> Refusal
where
    E: StdError + Send + Sync + 'static,
{
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    let sent = loop {
        match cause {
            Some(error) => match error.downcast_ref::<SendError>() {
                Some(sent) => break Some(sent),
                None => cause = error.source(),
            },
            None => break None,
        }
    };
    let timed_out = matches!(&error, SdkError::TimeoutError(_))
        || matches!(&error, SdkError::DispatchFailure(failure) if failure.is_timeout());
    let (kind, reached, message) = match sent {
        Some(sent) => (kind_of(sent.kind()), sent.reached(), sent.to_string()),
        None if timed_out => (ErrorKind::Timeout, Reached::Perhaps, String::new()),
        None => (ErrorKind::Unavailable, Reached::Perhaps, String::new()),
    };
    let outcome = match reached {
        Reached::Nothing => Outcome::NotApplied,
        _ => Outcome::Unknown,
    };
    let error = Error::new(kind).with_message(message).with_source(error);
    let mut refusal = Refusal::new(error, Reason::Failed);
    refusal.error = refusal.error.with_outcome(outcome);
    refusal
}

fn kind_of(kind: SendErrorKind) -> ErrorKind {
    match kind {
        SendErrorKind::Stalled => ErrorKind::Timeout,
        SendErrorKind::Tls => ErrorKind::Config,
        SendErrorKind::Malformed => ErrorKind::InvalidResponse,
        _ => ErrorKind::Unavailable,
    }
}

/// A request that lacks what the SDK demands, which none of ours does.
pub(super) fn incomplete(error: aws_sdk_s3::error::BuildError) -> Error {
    Error::new(ErrorKind::Internal).with_outcome(Outcome::NotApplied).with_source(error)
}
