//! The provider's backend, as one would be written.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, ETAG, IF_MATCH, RANGE};
use http::{HeaderValue, Request};
use polycloud_core::clock::{Clock, SeededRandom, Sleep};
use polycloud_core::page::PageToken;
use polycloud_core::retry::RetryPolicy;
use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::client::{HttpClient, HyperClient, RequestBody};
use polycloud_wire::redact::Secret;
use polycloud_wire::time::CivilTime;
use polycloud_wire::token::{Expiring, TokenCache, TokenSource};
use polycloud_wire::{Answer, Call, Class, Download, Reason, Refusal, Service, Wire, encode, json};
use serde::Deserialize;
use tokio::time::Instant;

use crate::server::Server;

const ENDPOINT: &str = "http://nimbus.test";
const ANSWER_LIMIT: usize = 64 * 1024;

/// The time of the test's runtime, which passes at once while nothing happens.
#[derive(Debug)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: String,
    #[serde(default)]
    message: String,
    request: Option<String>,
}

/// What the provider's error codes mean; all others mean what their status does.
fn refusal(answer: &Answer<'_>) -> Refusal {
    let by_status = Refusal::by_status(answer.status);
    let Ok(ErrorBody { error: detail }) = json::from_slice::<ErrorBody>(answer.body, ANSWER_LIMIT)
    else {
        return by_status;
    };
    let (kind, reason) = match detail.code.as_str() {
        "no_such_item" => (ErrorKind::NotFound, Reason::Final),
        "version_conflict" => (ErrorKind::PreconditionFailed, Reason::Final),
        "token_expired" => (ErrorKind::Unauthenticated, Reason::Expired),
        "busy" => (ErrorKind::RateLimited, Reason::Throttled),
        "try_again" => (ErrorKind::Unavailable, Reason::Passing),
        _ => (by_status.error.kind(), by_status.reason),
    };
    let mut error = Error::new(kind)
        .with_status(answer.status.as_u16())
        .with_code(detail.code)
        .with_message(detail.message);
    if let Some(request) = detail.request {
        error = error.with_request_id(request);
    }
    let wait = answer.headers.get("nimbus-wait-seconds").and_then(|wait| wait.to_str().ok());
    if let Some(seconds) = wait.and_then(|wait| wait.parse().ok()) {
        error = error.with_retry_after(Duration::from_secs(seconds));
    }
    Refusal::new(error, reason)
}

fn hidden_refusal(answer: &Answer<'_>) -> Option<Refusal> {
    answer.body.starts_with(b"{\"error\"").then(|| refusal(answer))
}

/// The service that hands out tokens, which takes none.
#[derive(Debug)]
struct SignIn;

impl Service for SignIn {
    type Credentials = ();

    fn provider(&self) -> &'static str {
        "nimbus"
    }

    async fn authorize(
        &self,
        _: &mut Request<RequestBody>,
        _: SystemTime,
    ) -> Result<Option<Arc<()>>> {
        Ok(None)
    }

    fn forget(&self, _: &Arc<()>) {}

    fn refusal(&self, answer: &Answer<'_>) -> Refusal {
        refusal(answer)
    }

    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal> {
        hidden_refusal(answer)
    }
}

#[derive(Debug)]
struct Tokens {
    wire: Wire<SignIn>,
    client_secret: Secret,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Secret,
    expires_in: u64,
}

#[async_trait]
impl TokenSource<Secret> for Tokens {
    async fn fetch(&self) -> Result<Expiring<Secret>> {
        let make = || {
            let body = format!(r#"{{"client_secret":"{}"}}"#, self.client_secret.expose());
            request("POST", "/token", RequestBody::from(Bytes::from(body)))
        };
        let call = Call { operation: "sign in", class: Class::Read, make: &make };
        let reply = self.wire.send(call, ANSWER_LIMIT).await?;
        let TokenAnswer { access_token, expires_in } = json::from_slice(&reply.body, ANSWER_LIMIT)?;
        let now = self.wire.clock().now();
        let expires = now.checked_add(Duration::from_secs(expires_in));
        Ok(Expiring { value: access_token, expires })
    }
}

#[derive(Debug)]
struct Nimbus {
    tokens: TokenCache<Secret>,
}

impl Service for Nimbus {
    type Credentials = Secret;

    fn provider(&self) -> &'static str {
        "nimbus"
    }

    async fn authorize(
        &self,
        request: &mut Request<RequestBody>,
        now: SystemTime,
    ) -> Result<Option<Arc<Secret>>> {
        let token = self.tokens.get().await?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose())).unwrap();
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let time = HeaderValue::try_from(CivilTime::from(now).compact()).unwrap();
        request.headers_mut().insert("nimbus-time", time);
        Ok(Some(token))
    }

    fn forget(&self, token: &Arc<Secret>) {
        self.tokens.invalidate(token);
    }

    fn refusal(&self, answer: &Answer<'_>) -> Refusal {
        refusal(answer)
    }

    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal> {
        hidden_refusal(answer)
    }
}

fn request(method: &str, target: &str, body: RequestBody) -> Result<Request<RequestBody>> {
    let request = Request::builder().method(method).uri(format!("{ENDPOINT}{target}"));
    request.body(body).map_err(|error| Error::invalid("malformed target").with_source(error))
}

#[derive(Deserialize)]
struct Page {
    items: Vec<String>,
    next: Option<String>,
}

/// What an application uses.
#[derive(Debug)]
pub(crate) struct Items(Wire<Nimbus>);

impl Items {
    pub(crate) fn new(server: &Server, retry: RetryPolicy) -> Self {
        let http: Arc<dyn HttpClient> =
            Arc::new(HyperClient::builder().connector(server.clone()).build());
        let clock: Arc<dyn Clock> = Arc::new(RuntimeClock(Instant::now()));
        let random = Arc::new(SeededRandom::new(3));
        let sign_in = Wire::builder(SignIn, Arc::clone(&http))
            .clock(Arc::clone(&clock))
            .random(random.clone())
            .build();
        let source = Arc::new(Tokens { wire: sign_in, client_secret: Secret::new("c4n4ry") });
        let tokens = TokenCache::new(source, Arc::clone(&clock), random.clone());
        let service = Nimbus { tokens };
        Self(Wire::builder(service, http).clock(clock).random(random).retry(retry).build())
    }

    pub(crate) async fn page(
        &self,
        token: Option<PageToken>,
    ) -> Result<(Vec<String>, Option<PageToken>)> {
        let make = || {
            let mut target = "/v1/items".to_owned();
            if let Some(token) = &token {
                target.push('?');
                encode::query(&[("page", token.as_str())], &mut target);
            }
            request("GET", &target, RequestBody::empty())
        };
        let call = Call { operation: "list", class: Class::Read, make: &make };
        let reply = self.0.send(call, ANSWER_LIMIT).await?;
        let Page { items, next } = json::from_slice(&reply.body, ANSWER_LIMIT)?;
        Ok((items, next.map(PageToken::new)))
    }

    pub(crate) async fn get(&self, name: &str) -> Result<Bytes> {
        let mut target = "/v1/items/".to_owned();
        encode::path(name, &mut target);
        let make = || request("GET", &target, RequestBody::empty());
        let call = Call { operation: "get", class: Class::Read, make: &make };
        let response = self.0.open(call).await?;
        let length = response.headers().get(CONTENT_LENGTH).and_then(|size| size.to_str().ok());
        let length = length.and_then(|size| size.parse().ok()).unwrap();
        let etag = response.headers().get(ETAG).cloned();
        let body = self.0.body(response, 0..length, 0, || Download {
            operation: "get",
            target: name.to_owned(),
            reopen: etag.clone().map(|etag| Box::new(rest(target.clone(), etag)) as _),
            etag,
        })?;
        body.bytes().await
    }

    pub(crate) async fn put(&self, name: &str, content: &'static str, new: bool) -> Result<()> {
        let mut target = "/v1/items/".to_owned();
        encode::path(name, &mut target);
        let make = || {
            let mut request =
                request("PUT", &target, Bytes::from_static(content.as_bytes()).into())?;
            if new {
                request.headers_mut().insert("nimbus-if-new", HeaderValue::from_static("yes"));
            }
            Ok(request)
        };
        let class = if new { Class::Conditional } else { Class::Idempotent };
        self.0.send(Call { operation: "put", class, make: &make }, ANSWER_LIMIT).await?;
        Ok(())
    }
}

/// Makes requests for the rest of this very version.
fn rest(
    target: String,
    etag: HeaderValue,
) -> impl Fn(&Range<u64>) -> Result<Request<RequestBody>> + Send + Sync {
    move |left| {
        let mut request = request("GET", &target, RequestBody::empty())?;
        let range = format!("bytes={}-{}", left.start, left.end - 1);
        request.headers_mut().insert(RANGE, range.parse().unwrap());
        request.headers_mut().insert(IF_MATCH, etag.clone());
        Ok(request)
    }
}
