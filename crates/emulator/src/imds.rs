//! The metadata service of an instance (version 2), and the credentials of containers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::body::Incoming;
use serde_json::json;

use crate::auth::{same, sha256_hex};
use crate::credentials::Session;
use crate::date;
use crate::http::Response;
use crate::server::body;
use crate::server::exchange::{About, Broken, Exchange};

/// The role of the emulated instance.
pub(crate) const ROLE: &str = "test-role";

/// Where a container finds its credentials.
pub(crate) const CONTAINER_PATH: &str = "/v2/credentials/test";

/// Where a pod finds its credentials, with an authorization token.
pub(crate) const POD_PATH: &str = "/v1/credentials";

/// What a pod has to send as Authorization.
pub(crate) const POD_TOKEN: &str = "polycloud-test-pod-token";

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const INSTANCE: &str = "i-0123456789abcdef0";
const MAX_TOKENS: usize = 10_000;

/// Credentials are good for so long, and new ones are there so long before that.
const LIFETIME: Duration = Duration::from_secs(6 * 3600);
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// What the service remembers.
#[derive(Debug, Default)]
pub(crate) struct Metadata(Mutex<State>);

#[derive(Default)]
struct State {
    /// Tokens and when they end.
    tokens: BTreeMap<String, SystemTime>,
    issued: u64,
    session: Option<(SystemTime, Session)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}

impl Metadata {
    pub(crate) fn reset(&self) {
        *self.lock() = State::default();
    }

    fn issue_token(&self, now: SystemTime, ttl: Duration) -> String {
        let mut state = self.lock();
        state.issued += 1;
        let token = sha256_hex(format!("metadata token {}", state.issued).as_bytes());
        state.tokens.retain(|_, expires| *expires > now);
        if state.tokens.len() >= MAX_TOKENS {
            state.tokens.pop_first();
        }
        state.tokens.insert(token.clone(), now.checked_add(ttl).unwrap_or(now));
        token
    }

    fn is_good(&self, token: &str, now: SystemTime) -> bool {
        self.lock().tokens.get(token).is_some_and(|expires| *expires > now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers a request, or breaks the connection.
pub(crate) async fn answer(
    exchange: &mut Exchange<'_>,
    head: &http::request::Parts,
    incoming: Incoming,
) -> Result<Response, Broken> {
    let path = head.uri.path();
    exchange.begin(operation(path).to_owned(), About::default())?;
    if body::read(incoming, 1 << 16, exchange.stop_after()).await.is_err() {
        return Err(exchange.broken());
    }
    if let Some(response) = exchange.before().await? {
        return Ok(response);
    }
    let response = match path {
        "/latest/api/token" => token(exchange, &head.method, &head.headers),
        CONTAINER_PATH => only_get(&head.method, || container_credentials(exchange)),
        POD_PATH => only_get(&head.method, || {
            let given = head.headers.get(header::AUTHORIZATION).and_then(|text| text.to_str().ok());
            if same(given.unwrap_or_default(), POD_TOKEN) {
                container_credentials(exchange)
            } else {
                text(StatusCode::UNAUTHORIZED, "")
            }
        }),
        path => only_get(&head.method, || {
            let given = head.headers.get("x-aws-ec2-metadata-token");
            let given = given.and_then(|token| token.to_str().ok()).unwrap_or_default();
            if exchange.core.metadata.is_good(given, exchange.now) {
                metadata(exchange, path)
            } else {
                text(StatusCode::UNAUTHORIZED, "")
            }
        }),
    };
    exchange.after(response)
}

fn operation(path: &str) -> &'static str {
    match path {
        "/latest/api/token" => "GetToken",
        CONTAINER_PATH | POD_PATH => "GetContainerCredentials",
        path if path.starts_with("/latest/meta-data/iam/security-credentials/") => {
            if path.ends_with('/') { "ListRoles" } else { "GetCredentials" }
        }
        _ => "GetMetadata",
    }
}

fn only_get(method: &Method, answer: impl FnOnce() -> Response) -> Response {
    if *method == Method::GET { answer() } else { text(StatusCode::METHOD_NOT_ALLOWED, "") }
}

fn token(exchange: &Exchange<'_>, method: &Method, headers: &HeaderMap) -> Response {
    if *method != Method::PUT {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    // A request that came through a proxy must not get a token.
    if headers.contains_key("x-forwarded-for") {
        return text(StatusCode::FORBIDDEN, "");
    }
    let ttl = headers.get(TTL).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let Some(ttl) = ttl.filter(|ttl| (1..=21_600).contains(ttl)) else {
        return text(StatusCode::BAD_REQUEST, "");
    };
    let token = exchange.core.metadata.issue_token(exchange.now, Duration::from_secs(ttl));
    let mut response = text(StatusCode::OK, &token);
    response.headers.insert(TTL, ttl.into());
    response
}

fn metadata(exchange: &Exchange<'_>, path: &str) -> Response {
    let region = &exchange.core.region;
    let zone = format!("{region}a");
    let roles = "/latest/meta-data/iam/security-credentials/";
    let found = match path.strip_prefix("/latest/meta-data/").unwrap_or(path) {
        "" => "ami-id\niam/\ninstance-id\ninstance-type\nlocal-ipv4\nplacement/".to_owned(),
        "ami-id" => "ami-0123456789abcdef0".to_owned(),
        "instance-id" => INSTANCE.to_owned(),
        "instance-type" => "t3.micro".to_owned(),
        "local-ipv4" => "10.0.0.10".to_owned(),
        "placement/" => "availability-zone\nregion".to_owned(),
        "placement/region" => region.clone(),
        // Some clients ask for it as if it were a folder.
        "placement/availability-zone" | "placement/availability-zone/" => zone,
        "iam/" => "info\nsecurity-credentials/".to_owned(),
        "iam/security-credentials" | "iam/security-credentials/" => ROLE.to_owned(),
        "/latest/dynamic/instance-identity/document" => return identity_document(exchange, &zone),
        _ if path.strip_prefix(roles) == Some(ROLE) => return instance_credentials(exchange),
        _ => return text(StatusCode::NOT_FOUND, ""),
    };
    text(StatusCode::OK, &found)
}

fn identity_document(exchange: &Exchange<'_>, zone: &str) -> Response {
    let document = json!({
        "accountId": account(exchange),
        "architecture": "x86_64",
        "availabilityZone": zone,
        "imageId": "ami-0123456789abcdef0",
        "instanceId": INSTANCE,
        "instanceType": "t3.micro",
        "privateIp": "10.0.0.10",
        "region": exchange.core.region,
        "version": "2017-09-30",
    });
    text(StatusCode::OK, &document.to_string())
}

fn account(exchange: &Exchange<'_>) -> String {
    let first = exchange.core.accounts.first();
    let key = first.and_then(|first| exchange.core.keys.get(&first.access_key));
    key.map(|key| key.account.clone()).unwrap_or_default()
}

/// The credentials of the role: the same ones until shortly before they end.
fn session(exchange: &Exchange<'_>) -> (SystemTime, Session) {
    let now = exchange.now;
    let mut state = exchange.core.metadata.lock();
    let known = state
        .session
        .clone()
        .filter(|(_, session)| session.expires.duration_since(now).is_ok_and(|left| left > AHEAD));
    if let Some(known) = known {
        return known;
    }
    let account = account(exchange);
    let arn = format!("arn:aws:sts::{account}:assumed-role/{ROLE}/{INSTANCE}");
    let user = |key: &str| format!("AROA{}:{INSTANCE}", key.get(4..).unwrap_or_default());
    let issued = (now, exchange.core.keys.issue(&account, arn, user, now, LIFETIME));
    state.session = Some(issued.clone());
    issued
}

fn instance_credentials(exchange: &Exchange<'_>) -> Response {
    let (since, session) = session(exchange);
    let document = json!({
        "Code": "Success",
        "LastUpdated": date::extended(since),
        "Type": "AWS-HMAC",
        "AccessKeyId": session.credentials.access_key,
        "SecretAccessKey": session.credentials.secret_key,
        "Token": session.credentials.session_token,
        "Expiration": date::extended(session.expires),
    });
    text(StatusCode::OK, &document.to_string())
}

fn container_credentials(exchange: &Exchange<'_>) -> Response {
    let (_, session) = session(exchange);
    let document = json!({
        "RoleArn": format!("arn:aws:iam::{}:role/{ROLE}", account(exchange)),
        "AccessKeyId": session.credentials.access_key,
        "SecretAccessKey": session.credentials.secret_key,
        "Token": session.credentials.session_token,
        "Expiration": date::extended(session.expires),
    });
    let mut response = text(StatusCode::OK, &document.to_string());
    response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, text: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Response { status, headers, body: Bytes::copy_from_slice(text.as_bytes()) }
}
