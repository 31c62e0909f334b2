//! The one error type of polycloud.
//!
//! An [`Error`] is one word wide. It says what went wrong ([`kind`](Error::kind)), whether the
//! request took effect ([`outcome`](Error::outcome)), whether trying again can help
//! ([`retry`](Error::retry)) and how far the trouble reaches ([`radius`](Error::radius)), so that
//! callers decide by value and never by parsing text. `Display` prints this level only; the causes
//! are behind [`source`](std::error::Error::source).

mod kind;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub use self::kind::{BlastRadius, ErrorKind, Outcome, Retry};

/// The result of every fallible operation in polycloud.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync>;

/// A resource at a provider, named so that a person or [`sweep`](crate::compute::Sweep) can find it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ResourceRef {
    /// The provider's word for it, such as `instance`, `disk` or `multipart upload`.
    pub kind: Cow<'static, str>,
    /// The provider's identifier.
    pub id: String,
}

impl ResourceRef {
    /// Names a resource.
    pub fn new(kind: impl Into<Cow<'static, str>>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

/// An error of any polycloud operation. See the [module documentation](self).
///
/// ```
/// use polycloud_core::{Error, ErrorKind, Outcome};
///
/// let error = Error::new(ErrorKind::NotFound).with_operation("get").with_target("notes/today.txt");
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.outcome(), Outcome::NotApplied);
/// assert_eq!(error.to_string(), "get notes/today.txt: not found");
/// ```
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    retry: Retry,
    radius: BlastRadius,
    message: Cow<'static, str>,
    provider: Cow<'static, str>,
    operation: &'static str,
    target: String,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    object_size: Option<u64>,
    leaked: Vec<ResourceRef>,
    source: Option<Source>,
}

impl Error {
    /// An error of this kind, with the outcome, retry advice and radius that the kind implies.
    #[must_use]
    pub fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner {
            kind,
            outcome: kind.default_outcome(),
            retry: kind.default_retry(),
            radius: kind.default_radius(),
            message: Cow::Borrowed(""),
            provider: Cow::Borrowed(""),
            operation: "",
            target: String::new(),
            status: None,
            code: None,
            request_id: None,
            retry_after: None,
            object_size: None,
            leaked: Vec::new(),
            source: None,
        }))
    }

    /// An [`InvalidArgument`](ErrorKind::InvalidArgument) with a message that says what is wrong.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidArgument).with_message(message)
    }

    /// A [`Config`](ErrorKind::Config) error with a message that names the fix.
    pub fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config).with_message(message)
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the request took effect.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// How far the trouble reaches.
    #[must_use]
    pub fn radius(&self) -> BlastRadius {
        self.0.radius
    }

    /// What went wrong in words, without the operation and the target; empty if the kind says it all.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The provider that answered, such as `aws` or `local`; empty before one was involved.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.0.provider
    }

    /// The trait method that failed, such as `put`; empty where there is none.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The key, bucket or instance it was about; empty where there is none.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.0.target
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The provider's own error code, such as `NoSuchKey`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The provider's identifier of the request, to quote in a support case.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the provider asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The size of the object in bytes, where a [`RangeNotSatisfiable`](ErrorKind::RangeNotSatisfiable) tells it.
    #[must_use]
    pub fn object_size(&self) -> Option<u64> {
        self.0.object_size
    }

    /// What the operation created, could not complete and could not remove again.
    #[must_use]
    pub fn leaked(&self) -> &[ResourceRef] {
        &self.0.leaked
    }

    /// The same error for another one who waited for the same thing. Its cause stays with this one.
    #[must_use]
    pub fn repeat(&self) -> Self {
        let Inner { kind, outcome, retry, radius, status, retry_after, object_size, .. } = *self.0;
        let Inner { message, provider, operation, target, code, request_id, leaked, .. } = &*self.0;
        Self(Box::new(Inner {
            kind,
            outcome,
            retry,
            radius,
            message: message.clone(),
            provider: provider.clone(),
            operation,
            target: target.clone(),
            status,
            code: code.clone(),
            request_id: request_id.clone(),
            retry_after,
            object_size,
            leaked: leaked.clone(),
            source: None,
        }))
    }

    /// Sets the kind and leaves all else as it is, for where the same answer means different things.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Sets the outcome.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Sets the retry advice.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Sets how far the trouble reaches.
    #[must_use]
    pub fn with_radius(mut self, radius: BlastRadius) -> Self {
        self.0.radius = radius;
        self
    }

    /// Sets the words.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Sets the provider.
    #[must_use]
    pub fn with_provider(mut self, provider: impl Into<Cow<'static, str>>) -> Self {
        self.0.provider = provider.into();
        self
    }

    /// Sets the trait method.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = operation;
        self
    }

    /// Sets what the operation was about.
    #[must_use]
    pub fn with_target(mut self, target: impl fmt::Display) -> Self {
        self.0.target = target.to_string();
        self
    }

    /// Sets the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Sets the provider's error code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Sets the provider's request identifier.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.0.request_id = Some(id.into());
        self
    }

    /// Sets how long the provider asked to wait.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Sets the size of the object.
    #[must_use]
    pub fn with_object_size(mut self, size: u64) -> Self {
        self.0.object_size = Some(size);
        self
    }

    /// Adds something that was left behind.
    #[must_use]
    pub fn with_leaked(mut self, leaked: impl IntoIterator<Item = ResourceRef>) -> Self {
        self.0.leaked.extend(leaked);
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, operation, target, code, leaked, .. } = &*self.0;
        match (operation.is_empty(), target.is_empty()) {
            (false, false) => write!(f, "{operation} {target}: ")?,
            (false, true) => write!(f, "{operation}: ")?,
            (true, false) => write!(f, "{target}: ")?,
            (true, true) => {}
        }
        write!(f, "{kind}")?;
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        if let Some(code) = code {
            write!(f, " ({code})")?;
        }
        for (i, resource) in leaked.iter().enumerate() {
            write!(f, "{} {resource}", if i == 0 { "; left behind:" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, outcome, retry, status, request_id, retry_after, source, .. } = &*self.0;
        let mut s = f.debug_struct("Error");
        s.field("kind", kind).field("text", &self.to_string());
        s.field("outcome", outcome).field("retry", retry);
        if let Some(status) = status {
            s.field("status", status);
        }
        if let Some(id) = request_id {
            s.field("request_id", id);
        }
        if let Some(after) = retry_after {
            s.field("retry_after", after);
        }
        if let Some(source) = source {
            s.field("source", source);
        }
        s.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

/// Adds the operation and its target to an error on its way out.
pub trait ResultExt<T> {
    /// Names the trait method and what it was about, unless an inner layer did so already.
    ///
    /// # Errors
    /// The same error, with the names filled in.
    fn during(
        self,
        provider: &'static str,
        operation: &'static str,
        target: impl fmt::Display,
    ) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T> {
    fn during(
        self,
        provider: &'static str,
        operation: &'static str,
        target: impl fmt::Display,
    ) -> Self {
        self.map_err(|mut error| {
            if error.0.operation.is_empty() {
                error.0.operation = operation;
            }
            if error.0.provider.is_empty() {
                error.0.provider = Cow::Borrowed(provider);
            }
            if error.0.target.is_empty() {
                error.0.target = target.to_string();
            }
            error
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn display_prints_its_own_level_only() {
        let cause = std::io::Error::other("the disk said no");
        let error = Error::new(ErrorKind::Internal).with_message("fsync failed").with_source(cause);
        assert_eq!(error.to_string(), "internal error: fsync failed");
        assert_eq!(StdError::source(&error).unwrap().to_string(), "the disk said no");
    }

    #[test]
    fn leaks_are_named() {
        let error = Error::new(ErrorKind::NoCapacity)
            .with_leaked([ResourceRef::new("disk", "d-1"), ResourceRef::new("address", "a-2")]);
        assert_eq!(error.to_string(), "no capacity; left behind: disk d-1, address a-2");
        assert_eq!(error.radius(), BlastRadius::Zone);
    }

    #[test]
    fn the_innermost_name_wins() {
        let inner: Result<()> = Err(Error::new(ErrorKind::NotFound).with_operation("head"));
        let error = inner.during("local", "get", "a/b").unwrap_err();
        assert_eq!(error.to_string(), "head a/b: not found");
        assert_eq!(error.provider(), "local");
    }
}
