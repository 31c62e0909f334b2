//! Between a client and the network: who is cut off at which request.

use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use polycloud_core::clock::Clock as _;
use polycloud_emulator::Ec2Controls;
use polycloud_wire::client::{HttpClient, HyperClient, RequestBody, ResponseBody, SendError};
use tokio::sync::Notify;

use crate::paused::RuntimeClock;

/// Where a request is when its caller goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Not sent yet.
    Before,
    /// On its way: it arrives after so long.
    Underway(Duration),
    /// Answered, and the answer was not looked at.
    After,
}

/// When a caller goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut {
    /// At the nth request, or at the nth of an operation; the first is 1.
    Request { operation: Option<&'static str>, nth: u64, moment: Moment },
    /// After so long.
    Time(Duration),
}

/// Something that is to hold after each answer.
pub(crate) type Watch = Arc<dyn Fn(&Ec2Controls) + Send + Sync>;

/// Counts requests, and stops its caller at one of them.
pub(crate) struct Tap {
    inner: Arc<HyperClient>,
    clock: Arc<RuntimeClock>,
    emulator: Ec2Controls,
    watch: Watch,
    state: Mutex<State>,
    gone: Notify,
}

#[derive(Default)]
struct State {
    cut: Option<(Option<&'static str>, u64, Moment)>,
}

impl Tap {
    pub(crate) fn new(
        inner: HyperClient,
        clock: Arc<RuntimeClock>,
        emulator: Ec2Controls,
        watch: Watch,
    ) -> Self {
        let (state, gone) = (Mutex::default(), Notify::new());
        Self { inner: Arc::new(inner), clock, emulator, watch, state, gone }
    }

    /// Does some work until it ends, or its caller goes: then there is no result.
    pub(crate) async fn until_cut<T>(
        &self,
        cut: Option<Cut>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut limit = Duration::from_secs(12 * 3600);
        let mut is_bounded = false;
        match cut {
            Some(Cut::Request { operation, nth, moment }) => {
                self.state().cut = Some((operation, nth, moment));
            }
            Some(Cut::Time(after)) => (limit, is_bounded) = (after, true),
            None => {}
        }
        let result = tokio::select! {
            biased;
            () = self.gone.notified() => None,
            result = work => Some(result),
            () = self.clock.sleep(limit) => {
                assert!(is_bounded, "there is no end to it");
                None
            }
        };
        self.state().cut = None;
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Whether the caller goes at this request.
    fn turn(&self, operation: &str) -> Option<Moment> {
        let mut state = self.state();
        let (wanted, left, moment) = state.cut.as_mut()?;
        if wanted.is_some_and(|wanted| wanted != operation) {
            return None;
        }
        *left -= 1;
        let moment = (*left == 0).then_some(*moment)?;
        state.cut = None;
        Some(moment)
    }

    async fn leave(&self) -> Result<http::Response<ResponseBody>, SendError> {
        self.gone.notify_one();
        pending().await
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

#[async_trait]
impl HttpClient for Tap {
    async fn send(
        &self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<ResponseBody>, SendError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let operation = operation(&head, &body);
        let request = http::Request::from_parts(head, RequestBody::from(body));
        match self.turn(&operation) {
            None => {
                let answer = self.inner.send(request).await;
                (self.watch)(&self.emulator);
                answer
            }
            Some(Moment::Before) => self.leave().await,
            Some(Moment::Underway(late)) => {
                let (inner, clock) = (Arc::clone(&self.inner), Arc::clone(&self.clock));
                tokio::spawn(async move {
                    clock.sleep(late).await;
                    // Nobody waits for the answer.
                    drop(inner.send(request).await);
                });
                self.leave().await
            }
            Some(Moment::After) => {
                drop(self.inner.send(request).await);
                self.leave().await
            }
        }
    }
}

fn operation(head: &http::request::Parts, body: &Bytes) -> String {
    if let Some(target) = head.headers.get("x-amz-target") {
        return target.to_str().unwrap().rsplit('.').next().unwrap().to_owned();
    }
    let body = std::str::from_utf8(body).unwrap();
    let action = body.split('&').find_map(|field| field.strip_prefix("Action="));
    action.unwrap_or("?").to_owned()
}
