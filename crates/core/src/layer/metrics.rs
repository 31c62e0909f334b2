use std::future::Future;
use std::sync::Arc;

use futures::stream::{StreamExt, TryStreamExt};
use metrics::{Counter, counter, histogram};

use super::{Around, Call};
use crate::clock::{Clock, SystemClock};
use crate::error::Result;
use crate::object::Body;

/// Counts and times calls through the [`metrics`] facade.
///
/// | name | kind | labels | what |
/// | --- | --- | --- | --- |
/// | `polycloud_calls_total` | counter | `provider`, `operation` | calls that were begun |
/// | `polycloud_errors_total` | counter | `provider`, `operation`, `kind` | calls that failed, by the name of their [`ErrorKind`](crate::ErrorKind) |
/// | `polycloud_call_seconds` | histogram | `provider`, `operation` | time until the call returned, well or not |
/// | `polycloud_bytes_total` | counter | `provider`, `direction` | content: `sent` by calls that succeeded, `received` as bodies are read |
///
/// - **Order.** Outside of [`ConcurrencyLimit`](super::ConcurrencyLimit) and
///   [`Timeout`](super::Timeout), so that waiting and time-outs are counted.
/// - **Cancellation.** A call that is dropped is counted as begun, and nowhere else.
/// - **Cost.** What the installed recorder costs; without one, next to nothing.
///
/// Time comes from the clock of the machine unless another one is injected.
#[derive(Debug, Clone)]
pub struct Metrics {
    clock: Arc<dyn Clock>,
}

impl Metrics {
    /// The layer.
    #[must_use]
    pub fn new() -> Self {
        Self { clock: SystemClock::shared() }
    }

    /// Sets where the time comes from.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Around for Metrics {
    async fn around<'a, T, F>(&'a self, call: Call<'a>, run: F) -> Result<T>
    where
        T: Send + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        let labels = [("provider", call.provider), ("operation", call.operation)];
        counter!("polycloud_calls_total", &labels).increment(1);
        let start = self.clock.monotonic();
        let result = run.await;
        let took = self.clock.monotonic().saturating_sub(start);
        histogram!("polycloud_call_seconds", &labels).record(took);
        match &result {
            Ok(_) if call.bytes > 0 => bytes(call.provider, "sent").increment(call.bytes),
            Ok(_) => {}
            Err(error) => {
                let [provider, operation] = labels.map(|(name, value)| (name, value.to_owned()));
                let labels = [provider, operation, ("kind", format!("{:?}", error.kind()))];
                counter!("polycloud_errors_total", &labels).increment(1);
            }
        }
        result
    }

    fn body(&self, call: Call<'_>, body: Body) -> Body {
        let received = bytes(call.provider, "received");
        let count = move |chunk: &bytes::Bytes| received.increment(chunk.len() as u64);
        Body::from_stream(body.into_stream().inspect_ok(count).boxed())
    }
}

fn bytes(provider: &'static str, direction: &'static str) -> Counter {
    counter!("polycloud_bytes_total", "provider" => provider, "direction" => direction)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{FakeStore, key};
    use super::*;
    use crate::clock::ManualClock;
    use crate::object::{ObjectStoreExt, UploadOptions};
    use futures::poll;
    use metrics::{
        CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString,
        Unit,
    };
    use std::collections::BTreeMap;
    use std::pin::pin;
    use std::sync::Mutex;
    use std::time::Duration;

    /// Adds up what is counted, by name and labels.
    #[derive(Default, Clone)]
    struct Sums(Arc<Mutex<BTreeMap<String, f64>>>);

    struct Sum(Sums, String);

    impl Sum {
        fn add(&self, value: f64) {
            *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
        }
    }

    impl CounterFn for Sum {
        fn increment(&self, value: u64) {
            self.add(value as f64);
        }
        fn absolute(&self, _: u64) {
            unreachable!("nothing is set");
        }
    }

    impl HistogramFn for Sum {
        fn record(&self, value: f64) {
            self.add(value);
        }
    }

    impl Sums {
        fn of(&self, key: &Key) -> Arc<Sum> {
            let labels: Vec<&str> = key.labels().map(|label| label.value()).collect();
            Arc::new(Sum(self.clone(), format!("{} {}", key.name(), labels.join(" "))))
        }
    }

    impl Recorder for Sums {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.of(key))
        }
        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }
        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(self.of(key))
        }
    }

    #[tokio::test]
    async fn calls_errors_times_and_bytes_are_counted() {
        let sums = Sums::default();
        let _guard = metrics::set_default_local_recorder(&sums);
        let (fake, clock) = (FakeStore::default(), ManualClock::new());
        let layer = Metrics::new().with_clock(Arc::new(clock.clone()));
        let store = super::super::store(Arc::new(fake.clone()), layer);
        let name = key("a");
        store.put_bytes(&name, "12345").await.unwrap();
        let mut upload = store.upload(&name, &UploadOptions::default()).await.unwrap();
        upload.write("67".into()).await.unwrap();
        upload.abort().await.unwrap();
        assert_eq!(store.get_bytes(&name).await.unwrap(), "12345");
        fake.hang(true);
        let missing = key("b");
        let mut head = pin!(store.exists(&missing));
        assert!(poll!(&mut head).is_pending());
        clock.advance(Duration::from_millis(250));
        fake.hang(false);
        assert!(!head.await.unwrap());

        let sums = sums.0.lock().unwrap();
        let at = |name: &str| sums.get(name).copied();
        for operation in ["put", "upload", "write", "abort", "get", "head"] {
            assert_eq!(at(&format!("polycloud_calls_total fake {operation}")), Some(1.0));
        }
        assert_eq!(at("polycloud_errors_total fake head NotFound"), Some(1.0));
        assert_eq!(at("polycloud_call_seconds fake head"), Some(0.25));
        assert_eq!(at("polycloud_call_seconds fake put"), Some(0.0));
        assert_eq!(at("polycloud_bytes_total fake sent"), Some(7.0));
        assert_eq!(at("polycloud_bytes_total fake received"), Some(5.0));
        assert_eq!(sums.keys().filter(|name| name.contains("errors")).count(), 1);
    }
}
