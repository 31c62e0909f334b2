//! What is told of each attempt.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

use crate::attempt::{Fault, Taken};
use crate::wire::Call;

/// Metrics are found once for each operation: a program installs its recorder before it opens a store.
pub(crate) struct Telemetry {
    provider: &'static str,
    /// There are few operations: looking through them takes less time than hashing a name.
    operations: RwLock<Vec<(&'static str, Arc<Meters>)>>,
}

struct Meters {
    succeeded: Counter,
    failed: Counter,
    retried: Counter,
    duration: Histogram,
}

impl Telemetry {
    pub(crate) fn new(provider: &'static str) -> Self {
        Self { provider, operations: RwLock::default() }
    }

    /// Tells of one attempt: `earlier` are those before it.
    pub(crate) fn attempt(
        &self,
        call: &Call<'_>,
        earlier: u32,
        took: Duration,
        result: &Result<Taken, Fault>,
    ) {
        let meters = self.meters(call.operation);
        meters.duration.record(took);
        if earlier > 0 {
            meters.retried.increment(1);
        }
        match result {
            Ok(taken) => {
                meters.succeeded.increment(1);
                tracing::trace!(
                    provider = self.provider,
                    operation = call.operation,
                    attempt = earlier + 1,
                    status = taken.head.status.as_u16(),
                    ?took,
                    "answered"
                );
            }
            Err(fault) => {
                meters.failed.increment(1);
                tracing::debug!(
                    provider = self.provider,
                    operation = call.operation,
                    attempt = earlier + 1,
                    status = fault.error.status(),
                    code = fault.error.code(),
                    reason = ?fault.reason,
                    error = %fault.error,
                    ?took,
                    "attempt failed"
                );
            }
        }
    }

    fn meters(&self, operation: &'static str) -> Arc<Meters> {
        let known = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, meters)) = known.iter().find(|(name, _)| *name == operation) {
            return Arc::clone(meters);
        }
        drop(known);
        let meters = Arc::new(Meters::new(self.provider, operation));
        let mut known = self.operations.write().unwrap_or_else(PoisonError::into_inner);
        known.push((operation, Arc::clone(&meters)));
        meters
    }
}

impl Meters {
    fn new(provider: &'static str, operation: &'static str) -> Self {
        let count = |result: &'static str| {
            counter!("polycloud.http.attempts",
                "provider" => provider, "operation" => operation, "result" => result)
        };
        Self {
            succeeded: count("ok"),
            failed: count("error"),
            retried: counter!("polycloud.http.retries",
                "provider" => provider, "operation" => operation),
            duration: histogram!("polycloud.http.attempt.seconds",
                "provider" => provider, "operation" => operation),
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("provider", &self.provider).finish_non_exhaustive()
    }
}
