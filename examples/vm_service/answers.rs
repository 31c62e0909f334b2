//! What requests are answered with: instances as JSON, and errors by their kind.

use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use polycloud::compute::{Instance, InstanceId, InstanceState, Labels};
use polycloud::page::PageToken;
use polycloud::prelude::InstanceName;
use polycloud::{Error, ErrorKind, Outcome, Retry};
use serde::Serialize;
use serde_json::{Value, json};

/// An instance, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct InstanceView {
    id: InstanceId,
    name: InstanceName,
    state: InstanceState,
    #[serde(rename = "type")]
    instance_type: String,
    image: Option<String>,
    zone: Option<String>,
    public_ips: Vec<IpAddr>,
    private_ips: Vec<IpAddr>,
    labels: Labels,
}

impl From<Instance> for InstanceView {
    fn from(instance: Instance) -> Self {
        Self {
            state: instance.state(),
            id: instance.id,
            name: instance.name,
            instance_type: instance.instance_type,
            image: instance.image,
            zone: instance.zone,
            public_ips: instance.public_ips,
            private_ips: instance.private_ips,
            labels: instance.labels,
        }
    }
}

/// A page of instances.
#[derive(Debug, Serialize)]
pub(crate) struct PageView {
    pub(crate) instances: Vec<InstanceView>,
    /// What to ask for next; unset on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<PageToken>,
}

/// What went wrong, for the client: a status, and a body that programs can read.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: Value,
    /// Seconds until the request may be sent again.
    retry_after: Option<u64>,
}

impl Problem {
    fn of_request(status: StatusCode, message: &str) -> Self {
        let kind = match status {
            StatusCode::NOT_FOUND => ErrorKind::NotFound,
            _ => ErrorKind::InvalidArgument,
        };
        let body = json!({"error": {"kind": kind.to_string(), "message": message}});
        Self { status, body, retry_after: None }
    }

    pub(crate) fn no_route() -> Self {
        Self::of_request(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    pub(crate) fn no_method() -> Self {
        Self::of_request(StatusCode::METHOD_NOT_ALLOWED, "this path has no such method")
    }
}

/// Which status tells an error to a client that knows nothing of the provider.
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::Conflict | ErrorKind::InvalidState => {
            StatusCode::CONFLICT
        }
        ErrorKind::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        // The machine belongs to somebody else, or the account may have no more.
        ErrorKind::PermissionDenied | ErrorKind::QuotaExceeded => StatusCode::FORBIDDEN,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::NoCapacity | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        // The service's own credentials, or an answer that makes no sense.
        ErrorKind::Unauthenticated | ErrorKind::InvalidResponse => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let left: Vec<String> = error.leaked().iter().map(ToString::to_string).collect();
        let took_effect = match error.outcome() {
            Outcome::Applied => Some(true),
            Outcome::NotApplied => Some(false),
            _ => None,
        };
        let body = json!({"error": {
            "kind": error.kind().to_string(),
            "message": error.to_string(),
            "took_effect": took_effect,
            "left_behind": left,
        }});
        let wait = error.retry_after().map(|wait| wait.as_secs().max(1));
        let retry_after = wait.or_else(|| (error.retry() == Retry::Later).then_some(1));
        Self { status: status(error.kind()), body, retry_after }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::of_request(rejection.status(), &rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::of_request(rejection.status(), &rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::of_request(rejection.status(), &rejection.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_quota_and_throttling_are_told_apart() {
        let problem = |kind| Problem::from(Error::new(kind));
        let throttled = problem(ErrorKind::RateLimited);
        assert_eq!((throttled.status.as_u16(), throttled.retry_after), (429, Some(1)));
        let full = problem(ErrorKind::NoCapacity);
        assert_eq!((full.status.as_u16(), full.retry_after), (503, None));
        assert_eq!(full.body["error"]["kind"], "no capacity");
        assert_eq!(problem(ErrorKind::QuotaExceeded).status.as_u16(), 403);
        assert_eq!(problem(ErrorKind::IdempotencyMismatch).status.as_u16(), 422);
    }
}
