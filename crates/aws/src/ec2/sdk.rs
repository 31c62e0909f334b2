//! The SDK as serializer and parser: what it sends goes over our wire.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{IdentityCache, Region, StalledStreamProtectionConfig};
use aws_sdk_ec2::error::SdkError;
use aws_sdk_ec2::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpClient as SdkHttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use polycloud_core::clock::{Clock, Random};
use polycloud_core::{Error, ErrorKind, Outcome, Result};
use polycloud_wire::client::RequestBody;
use polycloud_wire::{Call, Class, Failure, Wire, json};

use super::action;
use super::config::Resolved;
use super::service::{Ec2Service, Protocol};
use crate::config::endpoint::Base;
use crate::credentials;
use crate::sign::SigV4;
use crate::smithy::{SmithyClock, request_body};

/// Bytes of an answer: a page of 1,000 instances is far below.
const DOCUMENT: usize = 64 * 1024 * 1024;

/// A service that is spoken to in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonService {
    /// Systems Manager, whose public parameters name images.
    Ssm,
    /// Service Quotas.
    ServiceQuotas,
}

/// Sends requests to the services of a region.
pub(super) struct Caller {
    client: Client,
    ec2: Wire<Ec2Service>,
    ssm: (Wire<Ec2Service>, String),
    quotas: (Wire<Ec2Service>, String),
}

impl Caller {
    pub(super) fn new(resolved: &Resolved) -> Self {
        let ec2 = wire(resolved, "ec2", Protocol::Query);
        let config = Config::builder()
            .behavior_version(credentials::behavior())
            .region(Region::new(resolved.region.clone()))
            .endpoint_url(resolved.endpoints.ec2.url())
            .http_client(WireClient(ec2.clone()))
            .time_source(SmithyClock::new(Arc::clone(&resolved.clock)))
            .sleep_impl(SmithyClock::new(Arc::clone(&resolved.clock)))
            // The wire signs, tries again and watches the time.
            .allow_no_auth()
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let url = |base: &Base| format!("{}/", base.url());
        Self {
            client: Client::from_conf(config),
            ec2,
            ssm: (wire(resolved, "ssm", Protocol::Json), url(&resolved.endpoints.ssm)),
            quotas: (
                wire(resolved, "servicequotas", Protocol::Json),
                url(&resolved.endpoints.quotas),
            ),
        }
    }

    /// The SDK's client, whose requests are sent by [`call`](Self::call).
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The clock.
    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        self.ec2.clock()
    }

    /// Where chance comes from.
    pub(super) fn random(&self) -> &Arc<dyn Random> {
        self.ec2.random()
    }

    /// The time as the service has it.
    pub(super) fn now(&self) -> SystemTime {
        self.ec2.server_time()
    }

    /// Sends a request of the SDK. `operation` is the action, for messages.
    pub(super) async fn call<T, E>(
        &self,
        operation: &'static str,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T>
    where
        E: StdError + Send + Sync + 'static,
    {
        send.await.map_err(|error| failed(operation, error))
    }

    /// Sends a request of the AWS JSON protocol. `target` is as in `X-Amz-Target`.
    pub(super) async fn json(
        &self,
        service: JsonService,
        target: &'static str,
        body: serde_json::Value,
    ) -> Result<serde_json::Value> {
        let (wire, url) = match service {
            JsonService::Ssm => &self.ssm,
            JsonService::ServiceQuotas => &self.quotas,
        };
        let operation = target.rsplit_once('.').map_or(target, |(_, operation)| operation);
        let body = Bytes::from(body.to_string());
        let make = || {
            http::Request::post(url.as_str())
                .header(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"))
                .header("x-amz-target", HeaderValue::from_static(target))
                .body(RequestBody::from(body.clone()))
                .map_err(|error| Error::config("the endpoint is no URL").with_source(error))
        };
        let call = Call { operation, class: action::class_of(operation, &[]), make: &make };
        let reply = wire.send(call, DOCUMENT).await.map_err(Error::from)?;
        json::from_slice(&reply.body, DOCUMENT)
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("ec2", &self.ec2).finish_non_exhaustive()
    }
}

fn wire(resolved: &Resolved, service: &'static str, dialect: Protocol) -> Wire<Ec2Service> {
    let service = Ec2Service {
        credentials: resolved.credentials.clone(),
        signer: SigV4::new(resolved.region.clone(), service),
        dialect,
    };
    Wire::builder(service, Arc::clone(&resolved.client))
        .clock(Arc::clone(&resolved.clock))
        .random(Arc::clone(&resolved.random))
        .retry(resolved.retry.clone())
        .timeouts(resolved.timeouts)
        .build()
}

/// What the SDK sends by.
#[derive(Debug, Clone)]
struct WireClient(Wire<Ec2Service>);

impl SdkHttpClient for WireClient {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for WireClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.0.clone();
        HttpConnectorFuture::new(async move { exchange(&wire, request).await })
    }
}

async fn exchange(
    wire: &Wire<Ec2Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (head, body) = request.into_parts();
    let body = match request_body(body).await?.as_bytes() {
        Some(bytes) => bytes.clone(),
        None => return Err(ConnectorError::user("a body that is no piece of bytes".into())),
    };
    let make = || {
        let mut request = http::Request::new(RequestBody::from(body.clone()));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        Ok(request)
    };
    let operation = action::name_in(&body);
    let class = action::class_of(operation, &body);
    match wire.send(Call { operation, class, make: &make }, DOCUMENT).await {
        Ok(reply) if reply.body.is_empty() => {
            let outcome = if class == Class::Read { Outcome::NotApplied } else { Outcome::Unknown };
            let error = Error::new(ErrorKind::InvalidResponse)
                .with_message(format!("the answer to {operation} is empty"));
            let failure = Failure::from(error.with_outcome(outcome));
            Err(ConnectorError::other(Box::new(WireFailed(failure)), None))
        }
        Ok(reply) => {
            let mut response = http::Response::new(SdkBody::from(reply.body));
            *response.status_mut() = reply.status;
            *response.headers_mut() = reply.headers;
            HttpResponse::try_from(response)
                .map_err(|error| ConnectorError::other(error.into(), None))
        }
        Err(failure) => Err(ConnectorError::other(Box::new(WireFailed(failure)), None)),
    }
}

/// A failure of the wire on its way through the SDK.
#[derive(Debug)]
struct WireFailed(Failure);

impl fmt::Display for WireFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.error.fmt(f)
    }
}

impl StdError for WireFailed {}

/// What an error of the SDK means.
fn failed<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Error
where
    E: StdError + Send + Sync + 'static,
{
    match error {
        SdkError::DispatchFailure(_) => match error.into_source().map(|source| source.downcast()) {
            Ok(Ok(connector)) => unanswered(operation, *connector),
            Ok(Err(source)) => internal(operation).with_source(source),
            Err(_) => internal(operation),
        },
        SdkError::ConstructionFailure(_) => Error::new(ErrorKind::InvalidArgument)
            .with_message(format!("{operation} cannot be asked for like this"))
            .with_source(error),
        SdkError::ResponseError(_) | SdkError::ServiceError(_) => {
            Error::new(ErrorKind::InvalidResponse)
                .with_message(format!("the answer to {operation} makes no sense"))
                .with_outcome(if action::is_read(operation) {
                    Outcome::NotApplied
                } else {
                    Outcome::Unknown
                })
                .with_source(error)
        }
        _ => internal(operation).with_source(error),
    }
}

fn unanswered(operation: &'static str, error: ConnectorError) -> Error {
    match error.into_source().downcast::<WireFailed>() {
        Ok(failed) => failed.0.into(),
        Err(source) => internal(operation).with_outcome(Outcome::NotApplied).with_source(source),
    }
}

fn internal(operation: &'static str) -> Error {
    Error::new(ErrorKind::Internal).with_message(format!("{operation} was not sent"))
}
