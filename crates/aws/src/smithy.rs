//! Our HTTP client as the one that the AWS SDK sends by, and our clock as the one that it waits by.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient as SdkHttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::future::{Either, select};
use http_body::Body as _;
use polycloud_core::clock::{Clock, Sleep as ClockSleep};
use polycloud_wire::client::{
    HttpClient, Reached, RequestBody, ResponseBody, SendError, SendErrorKind,
};

/// The most bytes of a body, in either direction: what goes through here is for control, not content.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Sends the requests of the SDK by a client of ours.
#[derive(Debug, Clone)]
pub(crate) struct SmithyClient(Arc<dyn HttpClient>);

impl SmithyClient {
    pub(crate) fn new(client: Arc<dyn HttpClient>) -> Self {
        Self(client)
    }
}

impl SdkHttpClient for SmithyClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        // The client cannot tell the two phases apart, so that one limit holds for both.
        let limit = settings
            .read_timeout()
            .map(|read| read.saturating_add(settings.connect_timeout().unwrap_or_default()));
        let timer = components.sleep_impl();
        SharedHttpConnector::new(Connector { client: Arc::clone(&self.0), limit, timer })
    }
}

#[derive(Debug)]
struct Connector {
    client: Arc<dyn HttpClient>,
    limit: Option<Duration>,
    timer: Option<SharedAsyncSleep>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = Arc::clone(&self.client);
        let sleep = self.limit.zip(self.timer.as_ref()).map(|(limit, timer)| timer.sleep(limit));
        HttpConnectorFuture::new(async move {
            let exchange = Box::pin(exchange(client, request));
            let Some(sleep) = sleep else { return exchange.await };
            match select(exchange, Box::pin(sleep)).await {
                Either::Left((result, _)) => result,
                Either::Right(_) => Err(ConnectorError::timeout("the answer took too long".into())),
            }
        })
    }
}

/// Waits, and tells the time, by a clock of ours.
#[derive(Debug, Clone)]
pub(crate) struct SmithyClock(Arc<dyn Clock>);

impl SmithyClock {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }
}

impl TimeSource for SmithyClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

impl AsyncSleep for SmithyClock {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(Shareable(Mutex::new(self.0.sleep(duration))))
    }
}

/// A sleep that may be looked at from several threads, as the SDK demands, though none does.
struct Shareable(Mutex<ClockSleep>);

impl Future for Shareable {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner);
        sleep.as_mut().poll(context)
    }
}

async fn exchange(
    client: Arc<dyn HttpClient>,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (head, body) = request.into_parts();
    let body = request_body(body).await?;
    let response = client.send(http::Request::from_parts(head, body)).await.map_err(failed)?;
    let (head, body) = response.into_parts();
    let body = SdkBody::from(response_body(body).await?);
    HttpResponse::try_from(http::Response::from_parts(head, body))
        .map_err(|error| ConnectorError::other(error.into(), None))
}

/// The body of a request of the SDK, in one piece.
pub(crate) async fn request_body(mut body: SdkBody) -> Result<RequestBody, ConnectorError> {
    if let Some(bytes) = body.bytes() {
        return Ok(Bytes::copy_from_slice(bytes).into());
    }
    let mut whole = BytesMut::new();
    let mut frames =
        futures::stream::poll_fn(move |context| std::pin::Pin::new(&mut body).poll_frame(context));
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(ConnectorError::user)?;
        if let Ok(piece) = frame.into_data() {
            append(&mut whole, &piece)?;
        }
    }
    Ok(whole.freeze().into())
}

async fn response_body(mut body: ResponseBody) -> Result<Bytes, ConnectorError> {
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next_chunk().await.map_err(failed)? {
        append(&mut whole, &piece)?;
    }
    Ok(whole.freeze())
}

fn append(whole: &mut BytesMut, piece: &[u8]) -> Result<(), ConnectorError> {
    if whole.len().saturating_add(piece.len()) > BODY_LIMIT {
        return Err(ConnectorError::other("a body above 64 MiB".into(), None));
    }
    whole.extend_from_slice(piece);
    Ok(())
}

fn failed(error: SendError) -> ConnectorError {
    let (kind, reached) = (error.kind(), error.reached());
    let source = Box::new(error);
    let error = match kind {
        SendErrorKind::Connect | SendErrorKind::Closed => ConnectorError::io(source),
        SendErrorKind::Stalled => ConnectorError::timeout(source),
        SendErrorKind::Tls | SendErrorKind::Source => ConnectorError::user(source),
        _ => ConnectorError::other(source, None),
    };
    if reached == Reached::Nothing { error.never_connected() } else { error }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;

    /// Answers with what it is told, and keeps what was sent.
    #[derive(Debug)]
    struct Canned {
        answer: Mutex<Option<Result<http::Response<ResponseBody>, SendError>>>,
        seen: Mutex<Vec<(http::request::Parts, Bytes)>>,
    }

    impl Canned {
        fn new(answer: Result<http::Response<ResponseBody>, SendError>) -> Arc<Self> {
            Arc::new(Self { answer: Mutex::new(Some(answer)), seen: Mutex::default() })
        }
    }

    #[async_trait]
    impl HttpClient for Canned {
        async fn send(
            &self,
            request: http::Request<RequestBody>,
        ) -> Result<http::Response<ResponseBody>, SendError> {
            let (head, body) = request.into_parts();
            self.seen.lock().unwrap().push((head, body.as_bytes().unwrap().clone()));
            self.answer.lock().unwrap().take().unwrap()
        }
    }

    fn request(body: SdkBody) -> HttpRequest {
        let request = http::Request::builder()
            .method("PUT")
            .uri("http://host.example/a%2Fb?x=%20y")
            .header("x-amz-a", "b")
            .body(body)
            .unwrap();
        HttpRequest::try_from(request).unwrap()
    }

    #[tokio::test]
    async fn requests_and_answers_pass_unchanged() {
        let answer = http::Response::builder()
            .status(403)
            .header("x-amz-request-id", "R1")
            .body(ResponseBody::new("<Error/>".into()))
            .unwrap();
        let client = Canned::new(Ok(answer));
        let response = exchange(client.clone(), request(SdkBody::from("text"))).await.unwrap();
        assert_eq!(response.status().as_u16(), 403);
        assert_eq!(response.headers().get("x-amz-request-id"), Some("R1"));
        assert_eq!(response.body().bytes(), Some(&b"<Error/>"[..]));
        let seen = client.seen.lock().unwrap();
        let (head, body) = &seen[0];
        assert_eq!((head.method.as_str(), &**body), ("PUT", &b"text"[..]));
        assert_eq!(head.uri, "http://host.example/a%2Fb?x=%20y");
        assert_eq!(head.headers["x-amz-a"], "b");
    }

    #[tokio::test]
    async fn streams_are_collected_up_to_the_limit() {
        let frames = |count: usize| {
            let frame =
                || Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(vec![7; 1 << 20])));
            let frames = futures::stream::iter((0..count).map(move |_| frame()));
            SdkBody::from_body_1_x(http_body_util::StreamBody::new(frames))
        };
        let body = request_body(frames(2)).await.unwrap();
        assert_eq!(body.size(), 2 << 20);
        assert!(request_body(frames(65)).await.is_err());
    }

    #[tokio::test]
    async fn failures_keep_their_nature() {
        for (kind, is_io, is_timeout, is_user) in [
            (SendErrorKind::Connect, true, false, false),
            (SendErrorKind::Closed, true, false, false),
            (SendErrorKind::Stalled, false, true, false),
            (SendErrorKind::Tls, false, false, true),
            (SendErrorKind::Malformed, false, false, false),
        ] {
            let client = Canned::new(Err(SendError::new(kind)));
            let error = exchange(client, request(SdkBody::empty())).await.unwrap_err();
            assert_eq!(
                (error.is_io(), error.is_timeout(), error.is_user()),
                (is_io, is_timeout, is_user),
                "{kind:?}"
            );
        }
    }
}
