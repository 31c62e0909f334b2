//! The provider's server: hands out tokens, and answers all else from a script.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{HeaderMap, Request, Response, Uri};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use polycloud_wire::client::{Connector, Io};
use tokio::time::Instant;

pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

type Headers = Vec<(&'static str, String)>;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Answer(u16, Headers, String),
    /// Begins to answer and breaks the connection.
    Cut(u16, Headers, String),
    /// Reads the request and breaks the connection.
    Drop,
}

pub(crate) fn json(status: u16, body: &str) -> Act {
    Act::Answer(status, vec![("content-type", "application/json".into())], body.into())
}

pub(crate) fn refuse(status: u16, code: &str, headers: &[(&'static str, String)]) -> Act {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"No.","request":"req-7"}}}}"#);
    Act::Answer(status, headers.to_vec(), body)
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

#[derive(Debug, Default)]
struct State {
    acts: VecDeque<Act>,
    seen: Vec<Seen>,
    tokens: u32,
    failing: u32,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Server(Arc<Mutex<State>>);

impl Server {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        let state = State { acts: acts.into_iter().collect(), ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Lets the next requests for a token fail.
    pub(crate) fn fail_tokens(&self, count: u32) {
        self.0.lock().unwrap().failing = count;
    }

    /// How many tokens were handed out.
    pub(crate) fn tokens(&self) -> u32 {
        self.0.lock().unwrap().tokens
    }

    /// The requests for all else.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().seen.clone()
    }

    /// How much of the script is left.
    pub(crate) fn left(&self) -> usize {
        self.0.lock().unwrap().acts.len()
    }

    fn token(&self) -> Act {
        let mut state = self.0.lock().unwrap();
        if state.failing > 0 {
            state.failing -= 1;
            return refuse(503, "try_again", &[]);
        }
        state.tokens += 1;
        let (number, seconds) = (state.tokens, TOKEN_LIFETIME.as_secs());
        json(200, &format!(r#"{{"access_token":"token-{number}","expires_in":{seconds}}}"#))
    }

    async fn act(&self, request: Request<Incoming>) -> Act {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        if head.uri.path() == "/token" {
            assert_eq!(body, r#"{"client_secret":"c4n4ry"}"#);
            return self.token();
        }
        let mut state = self.0.lock().unwrap();
        state.seen.push(Seen {
            target: head.uri.to_string(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
            at: Instant::now(),
        });
        state.acts.pop_front().unwrap_or(Act::Drop)
    }
}

type Answer = Response<BoxBody<Bytes, io::Error>>;

fn answer(act: Act) -> io::Result<Answer> {
    let (status, headers, body, cut) = match act {
        Act::Answer(status, headers, body) => (status, headers, body, false),
        Act::Cut(status, headers, body) => (status, headers, body, true),
        Act::Drop => return Err(io::ErrorKind::ConnectionReset.into()),
    };
    let body = Bytes::from(body);
    let body = if cut {
        let begin = stream::iter([Ok(Frame::data(body))]);
        let end = stream::once(async {
            // Long enough for what there is to be sent.
            tokio::time::sleep(Duration::from_millis(1)).await;
            Err(io::ErrorKind::ConnectionReset.into())
        });
        BodyExt::boxed(StreamBody::new(begin.chain(end)))
    } else {
        Full::new(body).map_err(|never| match never {}).boxed()
    };
    let head = Response::builder().status(status);
    let head = headers.iter().fold(head, |head, (name, value)| head.header(*name, value));
    Ok(head.body(body).unwrap())
}

#[async_trait]
impl Connector for Server {
    async fn connect(&self, _uri: &Uri) -> io::Result<Box<dyn Io>> {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let state = self.clone();
        let service = service_fn(move |request| {
            let state = state.clone();
            async move { answer(state.act(request).await) }
        });
        // A connection that the script breaks ends with an error, as it should.
        tokio::spawn(
            http1::Builder::new()
                .auto_date_header(false)
                .serve_connection(TokioIo::new(server), service),
        );
        Ok(Box::new(client))
    }
}
