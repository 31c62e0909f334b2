//! Faults on purpose: by a script of rules or by a seed.

mod alter;
mod rates;
mod rule;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use self::alter::{alter, error_document, escape, has_token};
pub use self::rates::FaultRates;
use self::rates::Seeded;
pub use self::rule::Rule;
use crate::journal::Service;

/// Faults that were injected are remembered up to so many; the oldest go first.
const MAX_FIRED: usize = 100_000;

/// What goes wrong. Lengths are of bodies, without heads.
///
/// "Before the effect" means that the request was read and not carried out; "after the effect" that it
/// was carried out. A fault that cannot happen to a request, like a cut body of an answer to HEAD,
/// passes it by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The next connection is closed at once. Rules with it count connections, not requests.
    RefuseConnection,
    /// The connection is reset once the head of the request has arrived.
    ResetBeforeRead,
    /// The connection is reset once so much of the request's body has arrived.
    ResetDuringBody {
        /// Bytes that are read.
        after_bytes: u64,
    },
    /// The connection is reset before the effect.
    ResetBeforeResponse,
    /// The connection is reset after the effect.
    ResetAfterEffect,
    /// The connection is reset within the body of the answer, after the effect.
    ResetDuringResponse {
        /// Bytes of the body that are sent; all at most.
        after_bytes: u64,
    },
    /// The connection is closed in good order before the announced length is reached.
    TruncateBody {
        /// Bytes of the body that are sent; all but one at most.
        after_bytes: u64,
    },
    /// Nothing happens for a while, on the clock of the tokio runtime.
    Stall {
        /// Where.
        at: StallAt,
        /// How long.
        duration: Duration,
    },
    /// An error before the effect.
    Status {
        /// The HTTP status.
        status: u16,
        /// The code in the error document.
        code: String,
        /// The text of the Retry-After header.
        retry_after: Option<String>,
    },
    /// An error after the effect.
    ErrorAfterEffect {
        /// The HTTP status.
        status: u16,
        /// The code in the error document.
        code: String,
    },
    /// Status 200 with an error document as the body.
    ErrorIn200 {
        /// The code in the error document.
        code: String,
        /// Whether the request is carried out nevertheless.
        after_effect: bool,
    },
    /// 400 ExpiredToken before the effect.
    ExpiredToken,
    /// The service's clock is wrong by so many seconds for this request; ahead if positive.
    SkewedClock {
        /// Seconds ahead.
        seconds: i64,
    },
    /// A page of a listing names the token that it was asked with as the next one.
    RepeatedToken,
    /// A page of a listing ends in the middle; its length is announced as it is.
    PageCut,
    /// The object is replaced by other content of the same length just before it is read.
    EtagChange,
    /// One bit of the answered content is flipped.
    WrongChecksum,
    /// A range is answered with the whole object.
    RangeIgnored,
    /// The answered Content-Range is one byte off.
    WrongContentRange,
}

/// Where an answer stalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StallAt {
    /// The request has arrived; its effect comes late.
    BeforeEffect,
    /// The effect is there; the answer comes late.
    BeforeHeaders,
    /// Within the body of the answer.
    InBody {
        /// Bytes of the body that are sent before.
        after_bytes: u64,
    },
}

/// A fault that was injected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fired {
    /// Id of the request, as in `x-amz-request-id` and in the journal; empty for connections.
    pub request: String,
    /// Its operation; `Connect` for connections.
    pub operation: String,
    /// What went wrong.
    pub fault: Fault,
}

/// What a request asks for, as far as faults depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) service: Service,
    pub(crate) operation: &'a str,
    pub(crate) method: &'a http::Method,
    pub(crate) bucket: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) has_body: bool,
    pub(crate) has_range: bool,
    /// It continues a listing.
    pub(crate) has_token: bool,
}

impl Asked<'_> {
    fn lists(&self) -> bool {
        self.service == Service::S3
            && self.operation.starts_with("List")
            && self.operation != "ListBuckets"
    }
}

impl Fault {
    /// Whether it can happen to this request.
    fn applies(&self, asked: &Asked<'_>) -> bool {
        let read = asked.operation == "GetObject";
        let bodiless = asked.method == http::Method::HEAD;
        match self {
            Self::RefuseConnection => false,
            Self::ResetDuringBody { .. } => asked.has_body,
            Self::TruncateBody { .. }
            | Self::ErrorIn200 { .. }
            | Self::Stall { at: StallAt::InBody { .. }, .. } => !bodiless,
            Self::RepeatedToken => asked.lists() && asked.has_token,
            Self::PageCut => asked.lists(),
            Self::EtagChange | Self::WrongChecksum => read,
            Self::RangeIgnored | Self::WrongContentRange => read && asked.has_range,
            _ => true,
        }
    }
}

/// The faults of an emulator; there are none until some are asked for. All clones are one.
#[derive(Clone, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether there is a rule or a seed: without, requests do not wait for each other here.
    active: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    seeded: Option<Seeded>,
    fired: VecDeque<Fired>,
}

impl Faults {
    /// Replaces all rules by these.
    pub fn script(&self, rules: impl IntoIterator<Item = Rule>) {
        let rules = rules.into_iter().collect();
        self.change(|state| state.rules = rules);
    }

    /// Adds a rule behind the others.
    ///
    /// The first rule that fires for a request decides; those behind it do not count the request.
    pub fn push(&self, rule: impl Into<Rule>) {
        let rule = rule.into();
        self.change(|state| state.rules.push(rule));
    }

    /// Draws faults at these rates for requests to S3 and EC2 for which no rule fires.
    ///
    /// Equal seeds draw equal faults for equal sequences of requests.
    pub fn seeded(&self, seed: u64, rates: FaultRates) {
        self.change(|state| state.seeded = Some(Seeded::new(seed, rates)));
    }

    /// Ends all faults. What fired stays known.
    pub fn clear(&self) {
        self.change(|state| {
            state.rules.clear();
            state.seeded = None;
        });
    }

    /// What was injected, in order; the latest 100,000.
    #[must_use]
    pub fn fired(&self) -> Vec<Fired> {
        self.lock().fired.iter().cloned().collect()
    }

    /// Ends all faults and forgets what fired.
    pub(crate) fn reset(&self) {
        self.clear();
        self.lock().fired.clear();
    }

    /// The fault of a request.
    pub(crate) fn decide(&self, id: &str, asked: &Asked<'_>) -> Option<Fault> {
        if !self.0.active.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.lock();
        let by_rule = state.rules.iter_mut().find_map(|rule| rule.fire(asked));
        let fault = by_rule.or_else(|| state.seeded.as_mut()?.draw(asked))?;
        state.record(id, asked.operation, &fault);
        Some(fault)
    }

    /// Whether a connection is refused.
    pub(crate) fn refuses(&self, service: Service) -> bool {
        if !self.0.active.load(Ordering::Acquire) {
            return false;
        }
        let mut state = self.lock();
        let refused = state.rules.iter_mut().any(|rule| rule.refuse(service))
            || (matches!(service, Service::S3 | Service::Ec2)
                && state.seeded.as_mut().is_some_and(Seeded::refuses));
        if refused {
            state.record("", "Connect", &Fault::RefuseConnection);
        }
        refused
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let active = !state.rules.is_empty() || state.seeded.is_some();
        self.0.active.store(active, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn record(&mut self, id: &str, operation: &str, fault: &Fault) {
        if self.fired.len() >= MAX_FIRED {
            self.fired.pop_front();
        }
        let (request, operation) = (id.to_owned(), operation.to_owned());
        self.fired.push_back(Fired { request, operation, fault: fault.clone() });
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Faults")
            .field("rules", &state.rules)
            .field("seeded", &state.seeded)
            .field("fired", &state.fired.len())
            .finish()
    }
}
