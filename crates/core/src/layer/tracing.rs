use std::future::Future;

use tracing::field::{Empty, display};
use tracing::{Instrument, Span, debug_span};

use super::{Around, Call};
use crate::error::Result;

/// Makes a [`tracing`] span of every call.
///
/// The span is called `polycloud`, has the level DEBUG and the fields `provider`, `operation`,
/// `target`, and, once the call has returned, `outcome`: `ok`, or the kind of the error. Spans of
/// calls that are dropped have no outcome. Keys and ids of instances are shown; content, metadata and
/// credentials are not.
///
/// - **Order.** Outermost, to show what the caller sees. What the backend logs is inside the span
///   wherever the layer is.
/// - **Cancellation.** Safe: the span ends.
/// - **Cost.** Next to nothing while nobody listens.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Tracing;

impl Tracing {
    /// The layer.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Around for Tracing {
    async fn around<'a, T, F>(&'a self, call: Call<'a>, run: F) -> Result<T>
    where
        T: Send + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        let span = span(call);
        let result = run.instrument(span.clone()).await;
        match &result {
            Ok(_) => span.record("outcome", "ok"),
            Err(error) => span.record("outcome", display(error.kind())),
        };
        result
    }
}

fn span(call: Call<'_>) -> Span {
    let Call { provider, operation, target, .. } = call;
    debug_span!("polycloud", provider, operation, target = display(target), outcome = Empty)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{FakeStore, key};
    use super::*;
    use crate::object::ObjectStoreExt;
    use std::fmt::{Debug, Write};
    use std::sync::{Arc, Mutex};
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// Writes down what happens to spans.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);

    struct Line<'a>(&'a mut String);

    impl Visit for Line<'_> {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.0, " {field}={value:?}").unwrap();
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target().starts_with("polycloud_core::layer")
        }
        fn new_span(&self, span: &Attributes<'_>) -> Id {
            let mut log = self.0.lock().unwrap();
            log.push('\n');
            log.push_str(span.metadata().name());
            span.record(&mut Line(&mut log));
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, values: &Record<'_>) {
            values.record(&mut Line(&mut self.0.lock().unwrap()));
        }
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &Event<'_>) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[tokio::test]
    async fn calls_become_spans_with_their_outcome() {
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let store = super::super::store(Arc::new(FakeStore::default()), Tracing::new());
        store.put_bytes(&key("a\nb"), "text").await.unwrap();
        store.get_bytes(&key("c")).await.unwrap_err();
        let log = log.0.lock().unwrap();
        let spans: Vec<&str> = log.trim_start().lines().collect();
        assert_eq!(
            spans,
            [
                r#"polycloud provider="fake" operation="put" target=a\nb outcome="ok""#,
                r#"polycloud provider="fake" operation="get" target=c outcome=not found"#,
            ]
        );
    }
}
