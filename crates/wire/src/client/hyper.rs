use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::HttpClient;
use super::body::{RequestBody, ResponseBody};
use super::error::{Reached, SendError, SendErrorKind};
use super::tls::{self, TlsConfig};

/// The most header lines of an answer.
const HEADERS: usize = 256;

type Http = legacy::Client<HttpConnector, RequestBody>;
type Https = legacy::Client<hyper_rustls::HttpsConnector<HttpConnector>, RequestBody>;
type Own = legacy::Client<OwnConnector, RequestBody>;

/// The built-in client: a pool of HTTP/1.1 connections, and HTTP/2 on request.
///
/// `TCP_NODELAY` is set, names are resolved by the system, and both address families are tried. The
/// certificates to trust are read at the first https request, so that plain http works on a machine that
/// has none. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct HyperClient(Arc<Pools>);

struct Pools {
    builder: HyperClientBuilder,
    plain: Http,
    own: Option<Own>,
    /// Several, if one connection carries many requests.
    secure: OnceLock<Result<Vec<Https>, String>>,
    next: AtomicUsize,
}

/// How to build a [`HyperClient`].
#[derive(Debug, Clone)]
pub struct HyperClientBuilder {
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle_connections: usize,
    http2_connections: usize,
    tls: TlsConfig,
    connector: Option<Arc<dyn Connector>>,
}

impl Default for HyperClientBuilder {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(20),
            idle_connections: usize::MAX,
            http2_connections: 0,
            tls: TlsConfig::default(),
            connector: None,
        }
    }
}

impl HyperClientBuilder {
    /// Sets how long a connection may take, name resolution included; 5 seconds if unset.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long an unused connection is kept; 20 seconds if unset, which is less than servers do.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how many unused connections are kept for each host; all if unset.
    #[must_use]
    pub fn idle_connections(mut self, most: usize) -> Self {
        self.idle_connections = most;
        self
    }

    /// Speaks HTTP/2 with https servers that offer it, over this many connections; 0, which is the
    /// default, is HTTP/1.1 only. One HTTP/2 connection is slower than a pool of HTTP/1.1 ones wherever
    /// much data moves.
    #[cfg(feature = "http2")]
    #[must_use]
    pub fn http2_connections(mut self, connections: usize) -> Self {
        self.http2_connections = connections;
        self
    }

    /// Sets which certificates are trusted.
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = tls;
        self
    }

    /// Makes all connections by `connector`, for servers in the same process.
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Some(Arc::new(connector));
        self
    }

    /// Builds the client. Opens nothing.
    #[must_use]
    pub fn build(self) -> HyperClient {
        let plain = self.pool().build(self.http_connector(true));
        let own = self.connector.clone().map(|own| self.pool().build(OwnConnector(own)));
        HyperClient(Arc::new(Pools {
            builder: self,
            plain,
            own,
            secure: OnceLock::new(),
            next: AtomicUsize::new(0),
        }))
    }

    fn pool(&self) -> legacy::Builder {
        let mut pool = legacy::Client::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new())
            .pool_idle_timeout(self.idle_timeout)
            .pool_max_idle_per_host(self.idle_connections)
            .http1_max_headers(HEADERS);
        pool
    }

    fn http_connector(&self, plain: bool) -> HttpConnector {
        let mut connector = HttpConnector::new();
        connector.enforce_http(plain);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(self.connect_timeout));
        connector
    }

    fn secure(&self) -> Result<Vec<Https>, String> {
        let config = self.tls.client().map_err(|error| error.to_string())?;
        let connector = || {
            let builder = hyper_rustls::HttpsConnectorBuilder::new()
                .with_tls_config(config.clone())
                .https_only();
            #[cfg(feature = "http2")]
            if self.http2_connections > 0 {
                return builder.enable_all_versions().wrap_connector(self.http_connector(false));
            }
            builder.enable_http1().wrap_connector(self.http_connector(false))
        };
        Ok((0..self.http2_connections.max(1)).map(|_| self.pool().build(connector())).collect())
    }
}

impl HyperClient {
    /// A client with the defaults of [`HyperClientBuilder`].
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// How to build a client.
    #[must_use]
    pub fn builder() -> HyperClientBuilder {
        HyperClientBuilder::default()
    }

    fn secure(&self) -> Result<&Https, SendError> {
        let pools = &*self.0;
        match pools.secure.get_or_init(|| pools.builder.secure()) {
            Ok(clients) => {
                let n = pools.next.fetch_add(1, Ordering::Relaxed) % clients.len().max(1);
                clients.get(n).ok_or_else(|| SendError::new(SendErrorKind::Tls))
            }
            Err(why) => Err(SendError::new(SendErrorKind::Tls).with_source(why.clone())),
        }
    }
}

impl Default for HyperClient {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HyperClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HyperClient").field(&self.0.builder).finish()
    }
}

#[async_trait]
impl HttpClient for HyperClient {
    async fn send(
        &self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<ResponseBody>, SendError> {
        let response = if let Some(own) = &self.0.own {
            own.request(request)
        } else if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            self.secure()?.request(request)
        } else {
            self.0.plain.request(request)
        };
        Ok(response.await.map_err(classify)?.map(ResponseBody::from))
    }
}

fn classify(error: legacy::Error) -> SendError {
    let mut kind = if error.is_connect() { SendErrorKind::Connect } else { SendErrorKind::Closed };
    let mut unsent = false;
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
            unsent |= hyper.is_canceled();
            kind = match kind {
                SendErrorKind::Closed if hyper.is_parse() => SendErrorKind::Malformed,
                SendErrorKind::Closed if hyper.is_user() => SendErrorKind::Source,
                other => other,
            };
        }
        if tls::is_error(error) {
            kind = SendErrorKind::Tls;
        }
        cause = error.source();
    }
    let classified = SendError::new(kind);
    let reached = if unsent { Reached::Nothing } else { classified.reached() };
    classified.with_reached(reached).with_source(error)
}

pub(super) fn body_error(error: hyper::Error) -> SendError {
    let kind = if error.is_parse() { SendErrorKind::Malformed } else { SendErrorKind::Closed };
    SendError::new(kind).with_source(error)
}

/// Both directions of a connection.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Makes connections in place of the network.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// Connects to the host of a URI.
    async fn connect(&self, uri: &Uri) -> io::Result<Box<dyn Io>>;
}

#[derive(Debug, Clone)]
struct OwnConnector(Arc<dyn Connector>);

struct OwnIo(Box<dyn Io>);

impl Connection for OwnIo {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for OwnIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for OwnIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl tower_service::Service<Uri> for OwnConnector {
    type Response = TokioIo<OwnIo>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<OwnIo>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = Arc::clone(&self.0);
        Box::pin(async move { Ok(TokioIo::new(OwnIo(connector.connect(&uri).await?))) })
    }
}
