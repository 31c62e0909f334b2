use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::HttpClient;
use super::body::{RequestBody, ResponseBody};
use super::error::{SendError, SendErrorKind};
use super::pool::{Connect, Pool, Transport};
use super::tls::{self, TlsConfig};

type BoxError = Box<dyn StdError + Send + Sync>;

/// HTTP/2 has many requests on a connection, which a task of its own has to drive.
#[cfg(feature = "http2")]
type Shared =
    hyper_util::client::legacy::Client<hyper_rustls::HttpsConnector<HttpConnector>, RequestBody>;

/// The built-in client: a pool of HTTP/1.1 connections, and HTTP/2 on request.
///
/// `TCP_NODELAY` is set, names are resolved by the system, and both address families are tried. The
/// certificates to trust are read at the first https request, so that plain http works on a machine that
/// has none. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct HyperClient(Arc<Pools>);

struct Pools {
    builder: HyperClientBuilder,
    plain: Pool,
    secure: OnceLock<Result<Secure, String>>,
}

enum Secure {
    Http1(Pool),
    #[cfg(feature = "http2")]
    Http2(Vec<Shared>, std::sync::atomic::AtomicUsize),
}

/// How to build a [`HyperClient`].
#[derive(Debug, Clone)]
pub struct HyperClientBuilder {
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle_connections: usize,
    #[cfg(feature = "http2")]
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
            #[cfg(feature = "http2")]
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
        let plain = match self.connector.clone() {
            Some(own) => self.pool(Box::new(move |uri| Box::pin(own_way(Arc::clone(&own), uri)))),
            None => self.pool(connect_by(self.http_connector(true))),
        };
        HyperClient(Arc::new(Pools { builder: self, plain, secure: OnceLock::new() }))
    }

    fn pool(&self, connect: Box<Connect>) -> Pool {
        Pool::new(connect, self.idle_timeout, self.idle_connections)
    }

    fn http_connector(&self, plain: bool) -> HttpConnector {
        let mut connector = HttpConnector::new();
        connector.enforce_http(plain);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(self.connect_timeout));
        connector
    }

    fn secure(&self) -> Result<Secure, String> {
        let config = self.tls.client().map_err(|error| error.to_string())?;
        let builder =
            hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_only();
        let tcp = self.http_connector(false);
        #[cfg(feature = "http2")]
        if self.http2_connections > 0 {
            use hyper_util::rt::{TokioExecutor, TokioTimer};

            let connector = builder.enable_all_versions().wrap_connector(tcp);
            let client = || {
                hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                    .pool_timer(TokioTimer::new())
                    .pool_idle_timeout(self.idle_timeout)
                    .build(connector.clone())
            };
            let clients = (0..self.http2_connections).map(|_| client()).collect();
            return Ok(Secure::Http2(clients, std::sync::atomic::AtomicUsize::new(0)));
        }
        Ok(Secure::Http1(self.pool(connect_by(builder.enable_http1().wrap_connector(tcp)))))
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

    fn secure(&self) -> Result<&Secure, SendError> {
        let secure = self.0.secure.get_or_init(|| self.0.builder.secure());
        secure.as_ref().map_err(|why| SendError::new(SendErrorKind::Tls).with_source(why.clone()))
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
        let pools = &*self.0;
        let https = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
        if !https || pools.builder.connector.is_some() {
            return pools.plain.send(request).await;
        }
        match self.secure()? {
            Secure::Http1(pool) => pool.send(request).await,
            #[cfg(feature = "http2")]
            Secure::Http2(clients, next) => {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let client = clients
                    .get(n % clients.len().max(1))
                    .ok_or_else(|| SendError::new(SendErrorKind::Connect))?;
                let response = client.request(request).await.map_err(classify_shared)?;
                Ok(response.map(ResponseBody::from))
            }
        }
    }
}

/// Makes connections by a connector of hyper.
fn connect_by<C>(connector: C) -> Box<Connect>
where
    C: tower_service::Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Transport + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send,
{
    Box::new(move |uri| {
        let mut connector = connector.clone();
        Box::pin(async move {
            match std::future::poll_fn(|context| connector.poll_ready(context)).await {
                Ok(()) => {}
                Err(error) => return Err(not_connected(error.into())),
            }
            let transport = connector.call(uri).await;
            transport
                .map(|transport| Box::new(transport) as Box<dyn Transport>)
                .map_err(|error| not_connected(error.into()))
        })
    })
}

async fn own_way(own: Arc<dyn Connector>, uri: Uri) -> Result<Box<dyn Transport>, SendError> {
    let io = own.connect(&uri).await.map_err(|error| not_connected(error.into()))?;
    Ok(Box::new(TokioIo::new(io)))
}

fn not_connected(error: BoxError) -> SendError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&*error);
    let mut kind = SendErrorKind::Connect;
    while let Some(error) = cause {
        if tls::is_error(error) {
            kind = SendErrorKind::Tls;
        }
        cause = error.source();
    }
    SendError::new(kind).with_source(error)
}

#[cfg(feature = "http2")]
fn classify_shared(error: hyper_util::client::legacy::Error) -> SendError {
    if error.is_connect() {
        return not_connected(error.into());
    }
    let mut unsent = false;
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        unsent |= error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        cause = error.source();
    }
    let reached = if unsent { super::Reached::Nothing } else { super::Reached::Perhaps };
    SendError::new(SendErrorKind::Closed).with_reached(reached).with_source(error)
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
