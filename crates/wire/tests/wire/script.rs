//! A provider that does not exist, and a client that answers from a script.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::StreamBody;
use polycloud_core::clock::SeededRandom;
use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::client::{HttpClient, RequestBody, ResponseBody, SendError, SendErrorKind};
use polycloud_wire::{Answer, Reason, Refusal, Service, Wire};

/// Authorises with a number that grows each time credentials are fetched again.
#[derive(Debug, Default)]
pub(crate) struct Madeup {
    pub(crate) generation: AtomicU32,
}

impl Service for Madeup {
    type Credentials = u32;

    fn provider(&self) -> &'static str {
        "madeup"
    }

    async fn authorize(
        &self,
        request: &mut Request<RequestBody>,
        now: SystemTime,
    ) -> Result<Option<Arc<u32>>> {
        let generation = self.generation.load(Ordering::SeqCst);
        let mut token = format!("token-{generation}");
        let at = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        write!(token, " at {at}").unwrap();
        request.headers_mut().insert("authorization", token.parse().unwrap());
        Ok(Some(Arc::new(generation)))
    }

    fn forget(&self, generation: &Arc<u32>) {
        let next = **generation + 1;
        let _taken = self.generation.compare_exchange(
            **generation,
            next,
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
    }

    fn refusal(&self, answer: &Answer<'_>) -> Refusal {
        let error = |kind| Error::new(kind).with_status(answer.status.as_u16());
        match answer.body {
            b"expired" => Refusal::new(error(ErrorKind::Unauthenticated), Reason::Expired),
            b"clock" => Refusal::new(error(ErrorKind::Unauthenticated), Reason::Skewed),
            _ => Refusal::by_status(answer.status),
        }
    }

    fn hidden_refusal(&self, answer: &Answer<'_>) -> Option<Refusal> {
        (answer.body == b"oops").then(|| {
            Refusal::new(Error::new(ErrorKind::Unavailable).with_code("Oops"), Reason::Failed)
        })
    }
}

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answers.
    Say(u16, Vec<(&'static str, String)>, &'static str),
    /// Answers with chunks, and then ends, breaks or rests.
    Send(u16, Vec<(&'static str, String)>, Vec<&'static str>, End),
    /// Breaks the connection.
    Break(SendErrorKind),
    /// Never answers.
    Rest,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Clean,
    Broken,
    Silent,
}

pub(crate) fn say(status: u16, body: &'static str) -> Act {
    Act::Say(status, Vec::new(), body)
}

/// What a client saw of a request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
    pub(crate) at: tokio::time::Instant,
}

/// Answers from a script, and records what it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    acts: Arc<Mutex<VecDeque<Act>>>,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Script {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self { acts: Arc::new(Mutex::new(acts.into_iter().collect())), seen: Arc::default() }
    }

    pub(crate) fn wire(&self) -> Wire<Madeup> {
        Wire::builder(Madeup::default(), Arc::new(self.clone()))
            .random(Arc::new(SeededRandom::new(7)))
            .build()
    }

    pub(crate) fn left(&self) -> usize {
        self.acts.lock().unwrap().len()
    }

    pub(crate) fn header(&self, request: usize, name: &str) -> String {
        let seen = self.seen.lock().unwrap();
        seen[request].headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
    }

    /// How long was waited between two requests.
    pub(crate) fn pause(&self, request: usize) -> Duration {
        let seen = self.seen.lock().unwrap();
        seen[request + 1].at - seen[request].at
    }
}

fn response(status: u16, headers: &[(&'static str, String)]) -> http::response::Builder {
    let start = Response::builder().status(StatusCode::from_u16(status).unwrap());
    headers.iter().fold(start, |response, (name, value)| response.header(*name, value))
}

#[async_trait]
impl HttpClient for Script {
    async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, SendError> {
        let act = self.acts.lock().unwrap().pop_front().expect("one request too many");
        self.seen
            .lock()
            .unwrap()
            .push(Seen { headers: request.headers().clone(), at: tokio::time::Instant::now() });
        let (status, headers, chunks, end) = match act {
            Act::Break(kind) => return Err(SendError::new(kind)),
            Act::Rest => return std::future::pending().await,
            Act::Say(status, headers, body) => {
                let body = ResponseBody::new(Bytes::from_static(body.as_bytes()));
                return Ok(response(status, &headers).body(body).unwrap());
            }
            Act::Send(status, headers, chunks, end) => (status, headers, chunks, end),
        };
        let chunks = chunks.into_iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())));
        let tail = match end {
            End::Clean => stream::empty().boxed(),
            End::Broken => stream::iter([Err(std::io::Error::other("reset"))]).boxed(),
            End::Silent => stream::pending().boxed(),
        };
        let frames =
            stream::iter(chunks).chain(tail).map(|chunk| chunk.map(http_body::Frame::data));
        let body = ResponseBody::wrap(StreamBody::new(frames));
        Ok(response(status, &headers).body(body).unwrap())
    }
}
