//! What the emulator was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;

use crate::faults::Fault;

/// Requests are remembered up to so many; the oldest go first.
const MAX_REQUESTS: usize = 10_000;

/// Headers whose values are secrets.
const SECRET: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-amz-security-token",
    "x-aws-ec2-metadata-token",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-s3session-token",
];

/// A service of the emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Service {
    /// Amazon S3.
    S3,
    /// The security token service.
    Sts,
    /// The metadata service of an instance, and the credentials of containers.
    Imds,
    /// Amazon EC2, and what Systems Manager and Service Quotas tell about it.
    Ec2,
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// As in `x-amz-request-id`.
    pub id: String,
    /// Who was asked.
    pub service: Service,
    /// Name of the operation, such as `PutObject` or `RunInstances`.
    pub operation: String,
    /// The HTTP method.
    pub method: http::Method,
    /// The path as it was sent, without the query.
    pub path: String,
    /// Names of the parameters in the query, and to EC2 in the form, in the order received.
    pub query_names: Vec<String>,
    /// The access key whose signature was verified.
    pub signed_by: Option<String>,
    /// The status of the answer; None: the connection was broken instead.
    pub status: Option<u16>,
    /// Length of the body received, with its framing if it came in chunks.
    pub bytes_in: u64,
    /// Length of the body answered.
    pub bytes_out: u64,
    /// The fault that was injected.
    pub fault: Option<Fault>,
    /// The headers, a line each.
    pub(crate) head: Box<str>,
}

impl RecordedRequest {
    /// The headers; values that are secrets are replaced by `[redacted]`.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.lines().filter_map(|line| line.split_once(": "))
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The latest 10,000 requests in the order in which they ended. All clones are one.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<VecDeque<RecordedRequest>>>);

impl Journal {
    /// The requests, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().iter().cloned().collect()
    }

    /// How many requests were of an operation.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        self.lock().iter().filter(|request| request.operation == operation).count()
    }

    /// Forgets all requests.
    pub fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn record(&self, request: RecordedRequest) {
        let mut requests = self.lock();
        if requests.len() >= MAX_REQUESTS {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RecordedRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The headers a line each, without secrets. A copy: the originals share memory with what was received.
pub(crate) fn head(headers: &HeaderMap) -> Box<str> {
    let mut head = String::with_capacity(512);
    for (name, value) in headers {
        head.push_str(name.as_str());
        head.push_str(": ");
        if SECRET.contains(&name.as_str()) {
            head.push_str("[redacted]");
        } else {
            head.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
        head.push('\n');
    }
    head.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "h".parse().unwrap());
        for name in SECRET {
            headers.insert(name, "canary".parse().unwrap());
        }
        let head = head(&headers);
        assert!(!head.contains("canary"));
        assert!(head.starts_with("host: h\n"));
    }
}
