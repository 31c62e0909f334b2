use std::error::Error as StdError;
use std::fmt;

use polycloud_core::{Error, ErrorKind, Outcome};

/// How far a request got that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reached {
    /// The client can prove that no byte of it left.
    Nothing,
    /// Some or all of it may have arrived, and may have been acted upon.
    Perhaps,
}

/// What went wrong with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// No connection: name not resolved, refused, unreachable, or not in time.
    Connect,
    /// The connection is not secure: a certificate that is not trusted, or no certificates to trust.
    Tls,
    /// The connection ended early.
    Closed,
    /// Nothing moved for too long.
    Stalled,
    /// The source of the request's body failed.
    Source,
    /// The answer is not HTTP, or above the limits for it.
    Malformed,
}

/// Why a request has no answer, or an answer no end.
#[derive(Debug)]
pub struct SendError {
    kind: SendErrorKind,
    reached: Reached,
    message: &'static str,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl SendError {
    /// An error of a request that may have arrived, unless its kind says that it cannot.
    #[must_use]
    pub fn new(kind: SendErrorKind) -> Self {
        let reached = match kind {
            SendErrorKind::Connect | SendErrorKind::Tls => Reached::Nothing,
            _ => Reached::Perhaps,
        };
        Self { kind, reached, message: "", source: None }
    }

    /// States how far the request got.
    #[must_use]
    pub fn with_reached(mut self, reached: Reached) -> Self {
        self.reached = reached;
        self
    }

    /// Adds what is to be known beside the kind.
    #[must_use]
    pub fn with_message(mut self, message: &'static str) -> Self {
        self.message = message;
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> SendErrorKind {
        self.kind
    }

    /// How far the request got.
    #[must_use]
    pub fn reached(&self) -> Reached {
        self.reached
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SendErrorKind::Connect => "no connection",
            SendErrorKind::Tls => "no secure connection",
            SendErrorKind::Closed => "the connection ended early",
            SendErrorKind::Stalled => "nothing moved for too long",
            SendErrorKind::Source => "the source of the body failed",
            SendErrorKind::Malformed => "the answer is malformed",
        })?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl StdError for SendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        let kind = match error.kind {
            SendErrorKind::Connect | SendErrorKind::Closed => ErrorKind::Unavailable,
            SendErrorKind::Tls => ErrorKind::Config,
            SendErrorKind::Stalled => ErrorKind::Timeout,
            SendErrorKind::Source => ErrorKind::SourceFailed,
            SendErrorKind::Malformed => ErrorKind::InvalidResponse,
        };
        let outcome = match error.reached {
            Reached::Nothing => Outcome::NotApplied,
            Reached::Perhaps => Outcome::Unknown,
        };
        Self::new(kind).with_message(error.to_string()).with_outcome(outcome).with_source(error)
    }
}
