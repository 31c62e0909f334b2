//! Rules of a script.

use super::{Asked, Fault};
use crate::journal::Service;

/// A fault, and the requests that it happens to.
///
/// Without further conditions it happens to the next request, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    fault: Fault,
    service: Option<Service>,
    operation: Option<String>,
    method: Option<http::Method>,
    bucket: Option<String>,
    key: Option<String>,
    nth: u64,
    times: u64,
    /// Requests that it could have happened to.
    seen: u64,
}

impl Rule {
    /// A rule for the next request.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            service: None,
            operation: None,
            method: None,
            bucket: None,
            key: None,
            nth: 1,
            times: 1,
            seen: 0,
        }
    }

    /// Only requests to this service.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Only this operation, by its name in the journal, such as `PutObject` or `AssumeRole`.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Only this method.
    #[must_use]
    pub fn method(mut self, method: http::Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only this bucket.
    #[must_use]
    pub fn bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = Some(bucket.into());
        self
    }

    /// Only this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// From the nth matching request on; the first is 1.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = nth.max(1);
        self
    }

    /// So many matching requests in a row.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// All matching requests.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    /// Counts the request if it matches, and tells the fault if it is its turn.
    pub(super) fn fire(&mut self, asked: &Asked<'_>) -> Option<Fault> {
        let matches = self.service.is_none_or(|wanted| wanted == asked.service)
            && self.operation.as_ref().is_none_or(|wanted| wanted == asked.operation)
            && self.method.as_ref().is_none_or(|wanted| wanted == asked.method)
            && self.bucket.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == asked.bucket)
            && self.key.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == asked.key)
            && self.fault.applies(asked);
        (matches && self.is_turn()).then(|| self.fault.clone())
    }

    /// Counts a connection if this rule is about connections.
    pub(super) fn refuse(&mut self, service: Service) -> bool {
        self.fault == Fault::RefuseConnection
            && self.service.is_none_or(|wanted| wanted == service)
            && self.is_turn()
    }

    fn is_turn(&mut self) -> bool {
        self.seen = self.seen.saturating_add(1);
        self.seen >= self.nth && self.seen - self.nth < self.times
    }
}

impl From<Fault> for Rule {
    fn from(fault: Fault) -> Self {
        Self::new(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Faults;

    fn asked<'a>(operation: &'a str, key: &'a str) -> Asked<'a> {
        Asked {
            service: Service::S3,
            operation,
            method: &http::Method::GET,
            bucket: Some("b"),
            key: Some(key),
            has_body: false,
            has_range: false,
            has_token: false,
        }
    }

    #[test]
    fn a_rule_counts_what_matches() {
        let mut rule =
            Rule::new(Fault::ExpiredToken).operation("GetObject").key("k").nth(2).times(2);
        let mut fires = |operation, key| rule.fire(&asked(operation, key)).is_some();
        assert!(!fires("GetObject", "k"));
        assert!(!fires("GetObject", "other"));
        assert!(!fires("PutObject", "k"));
        assert!(fires("GetObject", "k"));
        assert!(fires("GetObject", "k"));
        assert!(!fires("GetObject", "k"));
    }

    #[test]
    fn rules_fire_one_after_the_other() {
        let faults = Faults::default();
        assert_eq!(faults.decide("1", &asked("GetObject", "k")), None);
        faults.script([Rule::new(Fault::ResetBeforeRead), Rule::new(Fault::ExpiredToken)]);
        faults.push(Fault::RangeIgnored);
        let decide = || faults.decide("1", &asked("GetObject", "k"));
        assert_eq!(decide(), Some(Fault::ResetBeforeRead));
        assert_eq!(decide(), Some(Fault::ExpiredToken));
        // There is no range that could be ignored.
        assert_eq!(decide(), None);
        assert_eq!(faults.fired().len(), 2);
        assert!(!faults.refuses(Service::S3));
        faults.push(Fault::RefuseConnection);
        assert!(faults.refuses(Service::S3));
        assert!(!faults.refuses(Service::S3));
    }
}
