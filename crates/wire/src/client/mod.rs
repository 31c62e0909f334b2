//! What sends a request, as a trait, and the bodies that go and come.

mod body;
mod error;
mod hyper;
mod pool;
#[cfg(feature = "reqwest")]
mod reqwest;
mod tls;

use std::fmt;

use async_trait::async_trait;

pub use self::body::{BodyFailed, Progress, RequestBody, ResponseBody};
pub use self::error::{Reached, SendError, SendErrorKind};
pub use self::hyper::{Connector, HyperClient, HyperClientBuilder, Io};
#[cfg(feature = "reqwest")]
pub use self::reqwest::ReqwestClient;
pub use self::tls::TlsConfig;

/// Sends one request and returns the head of its answer.
///
/// What an implementation must not do: follow redirects, retry a request that may have arrived, change
/// the path or the headers, or decode the body. Deadlines are the caller's business, except that of
/// connecting, which only the client can see. Dropping the future gives up, and a connection whose answer
/// was not read to its end is not used again.
#[async_trait]
pub trait HttpClient: fmt::Debug + Send + Sync + 'static {
    /// Sends the request.
    ///
    /// # Errors
    /// A [`SendError`], which says whether anything can have arrived.
    async fn send(
        &self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<ResponseBody>, SendError>;
}
