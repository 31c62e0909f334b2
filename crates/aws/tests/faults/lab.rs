//! A client and a server in one task's time: S3 in memory, on a clock that moves only when all wait.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use polycloud_aws::{Preset, S3Config, S3Store, Session};
use polycloud_core::clock::{Clock as _, SeededRandom};
use polycloud_core::object::{Key, MultipartStore, ObjectStore as _, UploadInfo};
use polycloud_emulator::{Emulator, EmulatorClock, Limits};
use polycloud_wire::client::{Connector, HyperClient, Io};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::paused::start;
pub(crate) use crate::paused::{RuntimeClock, on_paused_time};

pub(crate) const BUCKET: &str = "bucket";

/// The smallest part that is not the last one.
pub(crate) const PART: usize = 1024;

/// Of the emulator's account.
const CREDENTIALS: (&str, &str) =
    ("AKIAPOLYCLOUDTEST000", "polycloud/test+secret/of/the/emulator000");

/// No operation takes longer, whatever goes wrong.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Connections to the emulator, some of which fail before there is one.
#[derive(Clone)]
pub(crate) struct Network(Arc<Shared>);

struct Shared {
    emulator: Arc<Emulator>,
    refuse: AtomicU64,
    hang: AtomicU64,
    failed: AtomicU64,
    buffer: AtomicUsize,
}

impl Network {
    /// So many connections are refused from now on.
    pub(crate) fn refuse(&self, connections: u64) {
        self.0.refuse.store(connections, Ordering::Relaxed);
    }

    /// So many connections never come about.
    pub(crate) fn hang(&self, connections: u64) {
        self.0.hang.store(connections, Ordering::Relaxed);
    }

    /// So many bytes are on their way at most, from now on.
    pub(crate) fn narrow(&self, bytes: usize) {
        self.0.buffer.store(bytes, Ordering::Relaxed);
    }

    /// How many connections failed.
    pub(crate) fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    fn is_due(&self, counter: &AtomicU64) -> bool {
        let due = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        self.0.failed.fetch_add(u64::from(due.is_ok()), Ordering::Relaxed);
        due.is_ok()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

#[async_trait]
impl Connector for Network {
    async fn connect(&self, _: &Uri) -> io::Result<Box<dyn Io>> {
        if self.is_due(&self.0.refuse) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if self.is_due(&self.0.hang) {
            std::future::pending::<()>().await;
        }
        let (ours, theirs) = tokio::io::duplex(self.0.buffer.load(Ordering::Relaxed));
        tokio::spawn(self.0.emulator.serve_s3(theirs));
        Ok(Box::new(ours))
    }
}

/// An S3 in memory and its clock.
pub(crate) struct Lab {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) clock: Arc<RuntimeClock>,
    pub(crate) network: Network,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let mut limits = Limits::default();
        limits.part_min_bytes = PART as u64;
        let clock = EmulatorClock::runtime(start());
        let emulator = Emulator::builder().clock(clock).limits(limits).build().unwrap();
        emulator.create_bucket(BUCKET).unwrap();
        let emulator = Arc::new(emulator);
        let shared = Shared {
            emulator: Arc::clone(&emulator),
            refuse: AtomicU64::new(0),
            hang: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            buffer: AtomicUsize::new(64 * 1024),
        };
        Self { emulator, clock: Arc::new(RuntimeClock::new()), network: Network(Arc::new(shared)) }
    }

    /// A client with connections, a retry budget and a learned clock of its own.
    pub(crate) async fn store(&self, seed: u64) -> S3Store {
        store(self.network.clone(), Arc::clone(&self.clock), seed).await
    }

    /// Lets the bucket keep versions.
    pub(crate) async fn keep_versions(&self) {
        self.emulator.make_bucket_public(BUCKET).unwrap();
        let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.emulator.serve_s3(theirs));
        let request = format!(
            "PUT /{BUCKET}?versioning HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        ours.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Waits until all that a server was late with has happened.
    pub(crate) async fn settle(&self) {
        self.clock.sleep(Duration::from_secs(6 * 3600)).await;
    }

    /// The uploads that are neither completed nor aborted.
    pub(crate) async fn uploads(&self, store: &S3Store) -> Vec<UploadInfo> {
        let (mut uploads, mut token) = (Vec::new(), None);
        loop {
            let page = multipart(store).uploads("", token.as_ref()).await.unwrap();
            uploads.extend(page.uploads);
            token = page.next;
            if token.is_none() {
                return uploads;
            }
        }
    }
}

/// A client of whatever answers the connections.
pub(crate) async fn store(
    connector: impl Connector,
    clock: Arc<RuntimeClock>,
    seed: u64,
) -> S3Store {
    // The age of connections is told by another clock, and looking after them costs time here.
    let client =
        HyperClient::builder().connector(connector).idle_timeout(Duration::from_secs(86_400));
    let client = client.build();
    let session = Session::new()
        .with_client(Arc::new(client))
        .with_clock(clock)
        .with_random(Arc::new(SeededRandom::new(seed)));
    let (id, secret) = CREDENTIALS;
    S3Config::new(BUCKET)
        .with_preset(Preset::Aws)
        .with_region("us-east-1")
        .with_endpoint("http://127.0.0.1:9000")
        .with_path_style(true)
        .with_credentials(id, secret)
        .open(&session)
        .await
        .unwrap()
}

pub(crate) fn multipart(store: &S3Store) -> &dyn MultipartStore {
    store.multipart().unwrap()
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}
