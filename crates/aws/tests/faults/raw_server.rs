//! Servers that answer with bytes of any kind.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use polycloud_core::clock::Clock as _;
use polycloud_wire::client::{Connector, Io};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::lab::RuntimeClock;

/// What a server answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// This, and it waits for the next request.
    Say(Vec<u8>),
    /// This, and the end.
    Close(Vec<u8>),
    /// This, and then so many times that.
    Flood { head: Vec<u8>, unit: Vec<u8>, pause: Duration, times: u64 },
}

/// The answer to the request of a number.
pub(crate) type Attack = Arc<dyn Fn(u64) -> Answer + Send + Sync>;

/// A server that answers as it likes.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    attack: Attack,
    taken: AtomicU64,
    requests: AtomicU64,
    clock: Arc<RuntimeClock>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

#[async_trait]
impl Connector for Server {
    async fn connect(&self, _: &Uri) -> io::Result<Box<dyn Io>> {
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        tokio::spawn(Arc::clone(&self.0).serve(theirs));
        Ok(Box::new(ours))
    }
}

impl Server {
    pub(crate) fn new(attack: &Attack, clock: &Arc<RuntimeClock>) -> Self {
        Self(Arc::new(Inner {
            attack: Arc::clone(attack),
            taken: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            clock: Arc::clone(clock),
        }))
    }

    /// Bytes that the client took, or that are on their way to it.
    pub(crate) fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }
}

impl Inner {
    async fn serve(self: Arc<Self>, mut io: DuplexStream) {
        while read_request(&mut io).await.is_some() {
            let n = self.requests.fetch_add(1, Ordering::Relaxed);
            match (self.attack)(n) {
                Answer::Say(bytes) => {
                    if !self.write(&mut io, &bytes).await {
                        return;
                    }
                }
                Answer::Close(bytes) => {
                    self.write(&mut io, &bytes).await;
                    return;
                }
                Answer::Flood { head, unit, pause, times } => {
                    let mut goes_on = self.write(&mut io, &head).await;
                    for _ in 0..times {
                        if !goes_on {
                            return;
                        }
                        if !pause.is_zero() {
                            self.clock.sleep(pause).await;
                        }
                        goes_on = self.write(&mut io, &unit).await;
                    }
                }
            }
        }
    }

    /// Whether the client is still there.
    async fn write(&self, io: &mut DuplexStream, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match io.write(bytes).await {
                Ok(written) => {
                    self.taken.fetch_add(written as u64, Ordering::Relaxed);
                    bytes = &bytes[written..];
                }
                Err(_) => return false,
            }
        }
        true
    }
}

/// Reads a request and forgets it.
async fn read_request(io: &mut DuplexStream) -> Option<()> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(at) = all.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        let read = io.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        all.extend_from_slice(&buffer[..read]);
    };
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let mut left = (end + length).saturating_sub(all.len());
    while left > 0 {
        let read = io.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        left = left.saturating_sub(read);
    }
    Some(())
}

pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut all = format!(
        "HTTP/1.1 {status}\r\n{headers}etag: \"e\"\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
         content-length: {length}\r\n\r\n"
    )
    .into_bytes();
    all.extend_from_slice(body);
    all
}

pub(crate) fn ok(body: impl AsRef<[u8]>) -> Answer {
    Answer::Say(answer("200 OK", "", body.as_ref()))
}

pub(crate) fn always(answer: Answer) -> Attack {
    Arc::new(move |_| answer.clone())
}

pub(crate) fn flood(head: impl Into<Vec<u8>>, unit: impl Into<Vec<u8>>) -> Answer {
    Answer::Flood {
        head: head.into(),
        unit: unit.into(),
        pause: Duration::from_millis(20),
        times: u64::MAX,
    }
}
