//! Connections: used again if they are good, and never if they are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use futures::stream::{self, BoxStream, StreamExt};
use polycloud_core::object::{Payload, PayloadSource};
use polycloud_wire::client::{
    Connector, HttpClient, HyperClient, Io, Reached, RequestBody, ResponseBody, SendErrorKind,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// What a server does with a connection.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Answers one request after the other.
    Keeps,
    /// Announces that it closes the connection, and closes it.
    Closes,
    /// Closes the connection after an answer without having said so.
    Vanishes,
    /// Answers without a length: the end of the connection is the end of the body.
    Streams,
    /// Sends something behind its answer that nobody asked for.
    Babbles,
    /// Answers before it has read the request's body, which it never does.
    Hurries,
    /// Reads the request and closes the connection.
    Hangs,
}

#[derive(Debug)]
struct Server {
    manner: Manner,
    connections: Arc<AtomicUsize>,
}

#[async_trait]
impl Connector for Server {
    async fn connect(&self, _: &http::Uri) -> std::io::Result<Box<dyn Io>> {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(serve(theirs, self.manner));
        Ok(Box::new(ours))
    }
}

async fn serve(mut io: DuplexStream, manner: Manner) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let head = loop {
            if let Some(end) = seen.windows(4).position(|end| end == b"\r\n\r\n") {
                break seen.drain(..end + 4).collect::<Vec<u8>>();
            }
            match io.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => seen.extend_from_slice(&buffer[..read]),
            }
        };
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        if !matches!(manner, Manner::Hurries) {
            while seen.len() < length {
                let read = io.read(&mut buffer).await.unwrap();
                seen.extend_from_slice(&buffer[..read]);
            }
            seen.drain(..length);
        }
        let answer: &[u8] = match manner {
            Manner::Hangs => return,
            Manner::Closes => {
                b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello"
            }
            Manner::Streams => b"HTTP/1.1 200 OK\r\n\r\nhello",
            Manner::Babbles => {
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n"
            }
            Manner::Hurries => b"HTTP/1.1 403 Forbidden\r\ncontent-length: 5\r\n\r\nhello",
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        };
        io.write_all(answer).await.unwrap();
        match manner {
            Manner::Closes | Manner::Vanishes | Manner::Streams => return,
            Manner::Hurries => std::future::pending().await,
            _ => {}
        }
    }
}

struct Client {
    client: HyperClient,
    connections: Arc<AtomicUsize>,
}

impl Client {
    fn new(manner: Manner) -> Self {
        let connections = Arc::new(AtomicUsize::new(0));
        let server = Server { manner, connections: Arc::clone(&connections) };
        Self { client: HyperClient::builder().connector(server).build(), connections }
    }

    async fn open(&self, body: usize) -> http::Response<ResponseBody> {
        let body = RequestBody::from(Bytes::from(vec![b'x'; body]));
        let request = http::Request::builder().uri("http://host/path").body(body).unwrap();
        self.client.send(request).await.unwrap()
    }

    async fn read(&self, body: usize) -> String {
        let mut response = self.open(body).await;
        let mut all = Vec::new();
        while let Some(chunk) = response.body_mut().next_chunk().await.unwrap() {
            all.extend_from_slice(&chunk);
        }
        String::from_utf8(all).unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Lets the server's task do what it has to.
async fn a_while() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let client = Client::new(Manner::Keeps);
    for size in [0, 1, 100_000, 0] {
        assert_eq!(client.read(size).await, "hello");
    }
    assert_eq!(client.connections(), 1);
    let all = join_all((0..8).map(|_| client.read(10))).await;
    assert!(all.iter().all(|text| text == "hello"));
    assert!((2..=8).contains(&client.connections()), "one for each request under way");
    let before = client.connections();
    join_all((0..8).map(|_| client.read(10))).await;
    assert_eq!(client.connections(), before);
}

#[tokio::test]
async fn a_connection_that_ended_is_not() {
    for manner in [Manner::Closes, Manner::Vanishes, Manner::Streams] {
        let client = Client::new(manner);
        for n in 1..=3 {
            assert_eq!(client.read(10).await, "hello", "{manner:?}");
            a_while().await;
            assert_eq!(client.connections(), n, "{manner:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_with_a_body_left_in_it_is_not() {
    let client = Client::new(Manner::Keeps);
    drop(client.open(0).await);
    assert_eq!(client.read(0).await, "hello");
    assert_eq!(client.connections(), 2);
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_taken_for_none() {
    let client = Client::new(Manner::Babbles);
    assert_eq!(client.read(0).await, "hello");
    a_while().await;
    assert_eq!(client.read(0).await, "hello");
    assert_eq!(client.connections(), 2);
}

#[tokio::test]
async fn an_answer_may_come_before_the_request_has_gone() {
    let client = Client::new(Manner::Hurries);
    let response = client.open(50_000_000).await;
    assert_eq!(response.status(), 403);
}

#[derive(Debug)]
struct Lies(usize);

impl PayloadSource for Lies {
    fn len(&self) -> u64 {
        10
    }

    fn open(&self) -> BoxStream<'static, polycloud_core::Result<Bytes>> {
        let chunks = (0..self.0).map(|_| Ok(Bytes::from_static(b"12345")));
        stream::iter(chunks.collect::<Vec<_>>()).boxed()
    }
}

#[tokio::test]
async fn a_source_that_lies_about_its_length_is_not_believed() {
    for (chunks, honest) in [(0, false), (1, false), (2, true), (3, false), (100, false)] {
        let client = Client::new(Manner::Keeps);
        let body = RequestBody::from(&Payload::from_source(Lies(chunks)));
        let progress = body.progress().unwrap().clone();
        let request = http::Request::builder().uri("http://host/path").body(body).unwrap();
        let sent = client.client.send(request).await;
        assert_eq!(sent.is_ok(), honest, "{chunks} chunks");
        assert_eq!(progress.take_failure().is_none(), honest, "{chunks} chunks");
    }
}

#[tokio::test]
async fn a_request_that_arrived_is_not_sent_again() {
    let client = Client::new(Manner::Hangs);
    let request = http::Request::builder().uri("http://host/path").body(RequestBody::empty());
    let error = client.client.send(request.unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.reached()), (SendErrorKind::Closed, Reached::Perhaps));
    assert_eq!(client.connections(), 1);
}
