//! One request and its answer: what all services share.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use hyper::body::{Body as _, Incoming};

use super::core::Core;
use super::io::{Control, Cut, pause};
use crate::faults::{self, Asked, Fault, StallAt, error_document};
use crate::http::Response;
use crate::journal::{self, RecordedRequest, Service};
use crate::{date, ec2, sts};

/// The connection ends here without an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is broken by a fault")
    }
}

impl std::error::Error for Broken {}

/// The bucket and the key of a request to S3, and its parameters, as far as faults depend on them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About<'a> {
    pub(crate) bucket: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) query: &'a [(String, String)],
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) core: &'a Core,
    pub(crate) control: &'a Control,
    /// The time, wrong if that is the fault.
    pub(crate) now: SystemTime,
    pub(crate) record: RecordedRequest,
    has_body: bool,
    has_range: bool,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        core: &'a Core,
        control: &'a Control,
        service: Service,
        head: &http::request::Parts,
        body: &Incoming,
    ) -> Self {
        let record = RecordedRequest {
            id: core.next_id(),
            service,
            operation: String::new(),
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            query_names: Vec::new(),
            signed_by: None,
            status: None,
            bytes_in: 0,
            bytes_out: 0,
            fault: None,
            head: journal::head(&head.headers),
        };
        Self {
            core,
            control,
            now: core.clock.now(),
            record,
            has_body: !body.is_end_stream(),
            has_range: head.headers.contains_key(header::RANGE),
        }
    }

    /// Names the operation and decides what goes wrong with it.
    pub(crate) fn begin(&mut self, operation: String, about: About<'_>) -> Result<(), Broken> {
        let asked = Asked {
            service: self.record.service,
            operation: &operation,
            method: &self.record.method,
            bucket: about.bucket,
            key: about.key,
            has_body: self.has_body,
            has_range: self.has_range,
            has_token: faults::has_token(about.query),
        };
        self.record.fault = self.core.faults.decide(&self.record.id, &asked);
        self.record.operation = operation;
        self.record.query_names = about.query.iter().map(|(name, _)| name.clone()).collect();
        match self.record.fault {
            Some(Fault::ResetBeforeRead) => Err(self.broken()),
            Some(Fault::SkewedClock { seconds }) => {
                let skew = Duration::from_secs(seconds.unsigned_abs());
                let skewed = if seconds < 0 {
                    self.now.checked_sub(skew)
                } else {
                    self.now.checked_add(skew)
                };
                self.now = skewed.unwrap_or(self.now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Breaks the connection.
    pub(crate) fn broken(&self) -> Broken {
        self.control.reset();
        Broken
    }

    /// Up to which byte the body is read.
    pub(crate) fn stop_after(&self) -> Option<u64> {
        match self.record.fault {
            Some(Fault::ResetDuringBody { after_bytes }) => Some(after_bytes),
            _ => None,
        }
    }

    /// What goes wrong before the effect: an answer in place of it.
    pub(crate) async fn before(&self) -> Result<Option<Response>, Broken> {
        match &self.record.fault {
            Some(Fault::ResetBeforeResponse) => Err(self.broken()),
            Some(Fault::Stall { at: StallAt::BeforeEffect, duration }) => {
                pause(*duration).await;
                Ok(None)
            }
            Some(Fault::Status { status, code, retry_after }) => {
                let mut response = self.error(*status, code);
                let retry_after = retry_after.as_deref().map(HeaderValue::from_str);
                if let Some(Ok(value)) = retry_after {
                    response.headers.insert(header::RETRY_AFTER, value);
                }
                Ok(Some(response))
            }
            Some(Fault::ExpiredToken) => {
                let (status, code) = match self.record.service {
                    Service::S3 => (400, "ExpiredToken"),
                    Service::Ec2 => (400, "RequestExpired"),
                    Service::Sts | Service::Imds => (403, "ExpiredToken"),
                };
                Ok(Some(self.error(status, code)))
            }
            Some(Fault::ErrorIn200 { code, after_effect: false }) => {
                Ok(Some(self.error(200, code)))
            }
            _ => Ok(None),
        }
    }

    /// What goes wrong after the effect.
    pub(crate) fn after(&self, response: Response) -> Result<Response, Broken> {
        match &self.record.fault {
            Some(Fault::ResetAfterEffect) => Err(self.broken()),
            Some(Fault::ErrorAfterEffect { status, code }) => Ok(self.error(*status, code)),
            Some(Fault::ErrorIn200 { code, after_effect: true }) => Ok(self.error(200, code)),
            _ => Ok(response),
        }
    }

    /// What goes wrong on the way out, and what every answer carries.
    pub(crate) async fn finish(&mut self, response: &mut Response) {
        if self.record.method == Method::HEAD {
            response.body = Bytes::new();
        }
        let length = response.body.len() as u64;
        match self.record.fault {
            Some(Fault::Stall { at: StallAt::BeforeHeaders, duration }) => pause(duration).await,
            Some(Fault::Stall { at: StallAt::InBody { after_bytes }, duration }) => {
                self.control.cut(Cut::Stall(duration), after_bytes.min(length));
            }
            Some(Fault::ResetDuringResponse { after_bytes }) => {
                self.control.cut(Cut::Reset, after_bytes.min(length));
            }
            Some(Fault::TruncateBody { after_bytes }) if length > 0 => {
                self.control.cut(Cut::Close, after_bytes.min(length - 1));
            }
            _ => {}
        }
        if let Ok(date) = HeaderValue::from_str(&date::http_date(self.now)) {
            response.headers.insert(header::DATE, date);
        }
        if let header::Entry::Vacant(vacant) = response.headers.entry("x-amz-request-id")
            && let Ok(id) = HeaderValue::from_str(&self.record.id)
        {
            vacant.insert(id);
        }
        self.record.status = Some(response.status.as_u16());
        self.record.bytes_out = length;
    }

    /// An error as the service words it.
    pub(crate) fn error(&self, status: u16, code: &str) -> Response {
        let message = match code {
            "InternalError" => "We encountered an internal error. Please try again.",
            "SlowDown" => "Please reduce your request rate.",
            "ServiceUnavailable" => "Service is unable to handle request.",
            "ExpiredToken" => "The provided token has expired.",
            "RequestExpired" => "Request has expired.",
            "RequestLimitExceeded" => "Request limit exceeded.",
            _ => "The request failed.",
        };
        let id = &self.record.id;
        let body = match self.record.service {
            Service::S3 => error_document(code, message, &self.record.path, id),
            Service::Sts => sts::error_document(code, message, status < 500, id),
            Service::Imds => Bytes::new(),
            Service::Ec2 => ec2::fault_document(self, code, message),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        Response { status, headers, body }
    }
}
