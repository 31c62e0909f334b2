use std::fmt;

/// What went wrong, in terms that are the same on every provider.
///
/// Each variant says what happened and what helps. New kinds are added over time, so a `match`
/// needs a wildcard arm; [`Error::retry`](super::Error::retry) and [`Error::outcome`](super::Error::outcome) are the stable way to react to
/// kinds that a program does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object, instance or other named thing does not exist.
    NotFound,
    /// The bucket does not exist. Create it, or correct the URL.
    BucketNotFound,
    /// The object exists or existed, but not in the requested version.
    VersionNotFound,
    /// The multipart upload is unknown: it was completed, aborted or has expired.
    UploadNotFound,
    /// Something by that name exists already and the request was to create it.
    AlreadyExists,
    /// The stated [`Precondition`](crate::object::Precondition) does not hold. Read again, decide again.
    PreconditionFailed,
    /// A conditional read found the content unchanged. Use the copy you have.
    NotModified,
    /// Another request is changing the same thing right now. Try again.
    Conflict,
    /// The bucket still holds objects or versions.
    BucketNotEmpty,
    /// The range starts behind the end of the object; [`Error::object_size`](super::Error::object_size) tells its size.
    RangeNotSatisfiable,
    /// An argument is malformed or outside the documented limits. Nothing was sent.
    InvalidArgument,
    /// The object, part or batch is larger than the provider accepts.
    TooLarge,
    /// The content does not match its checksum. What was read must not be used.
    ChecksumMismatch,
    /// The object changed while it was being read, so that the rest would belong to another version.
    ObjectChanged,
    /// The caller's own stream or file failed, or was shorter or longer than declared.
    SourceFailed,
    /// No credentials, or they are not valid. Sign in again.
    Unauthenticated,
    /// The credentials are valid but do not allow this.
    PermissionDenied,
    /// A retention rule, legal hold or lease forbids the change.
    Locked,
    /// The object is in an archive class and has to be restored before it can be read.
    Archived,
    /// Too many requests. [`Error::retry_after`](super::Error::retry_after) may say how long to wait.
    RateLimited,
    /// An account limit is reached. Ask for more quota, or use another region.
    QuotaExceeded,
    /// The provider has no such machine to give right now. Another zone or type may have.
    NoCapacity,
    /// The disk or quota that holds the objects is full. What was there is intact.
    StorageFull,
    /// The operation ran out of its time.
    Timeout,
    /// The service could not be reached, or answered that it is unable to serve.
    Unavailable,
    /// The service, or the file behind it, answered with something that makes no sense.
    InvalidResponse,
    /// The configuration is wrong: unknown scheme, missing option, bad value.
    Config,
    /// The backend cannot do this. Nothing was sent.
    Unsupported,
    /// The instance is not in a state in which this can be done.
    InvalidState,
    /// The state that was waited for can no longer be reached.
    Unreachable,
    /// The same idempotency token was used before with other parameters.
    IdempotencyMismatch,
    /// The provider took the machine back.
    Preempted,
    /// The operation was cancelled before it was done.
    Cancelled,
    /// Anything else: a failed system call, a bug. The source tells more.
    Internal,
}

impl ErrorKind {
    /// Whether waiting and trying again can help, unless the error says otherwise.
    pub(super) fn default_retry(self) -> Retry {
        match self {
            Self::Conflict | Self::RateLimited | Self::Timeout | Self::Unavailable => Retry::Later,
            _ => Retry::Never,
        }
    }

    /// Whether the request took effect, unless the error says otherwise.
    ///
    /// Kinds that mean "refused" did not take effect; kinds that mean "the answer is lost" are unknown.
    pub(super) fn default_outcome(self) -> Outcome {
        match self {
            Self::Timeout
            | Self::Unavailable
            | Self::InvalidResponse
            | Self::Cancelled
            | Self::Internal => Outcome::Unknown,
            _ => Outcome::NotApplied,
        }
    }

    /// How far the trouble reaches, unless the error says otherwise.
    pub(super) fn default_radius(self) -> BlastRadius {
        match self {
            Self::NoCapacity => BlastRadius::Zone,
            Self::QuotaExceeded => BlastRadius::Region,
            Self::Unauthenticated => BlastRadius::Account,
            _ => BlastRadius::Request,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::BucketNotFound => "bucket not found",
            Self::VersionNotFound => "version not found",
            Self::UploadNotFound => "multipart upload not found",
            Self::AlreadyExists => "already exists",
            Self::PreconditionFailed => "precondition failed",
            Self::NotModified => "not modified",
            Self::Conflict => "conflicting request in progress",
            Self::BucketNotEmpty => "bucket not empty",
            Self::RangeNotSatisfiable => "range not satisfiable",
            Self::InvalidArgument => "invalid argument",
            Self::TooLarge => "too large",
            Self::ChecksumMismatch => "checksum mismatch",
            Self::ObjectChanged => "object changed during the read",
            Self::SourceFailed => "source of the data failed",
            Self::Unauthenticated => "not authenticated",
            Self::PermissionDenied => "permission denied",
            Self::Locked => "locked",
            Self::Archived => "archived",
            Self::RateLimited => "rate limited",
            Self::QuotaExceeded => "quota exceeded",
            Self::NoCapacity => "no capacity",
            Self::StorageFull => "storage full",
            Self::Timeout => "timed out",
            Self::Unavailable => "service unavailable",
            Self::InvalidResponse => "invalid response",
            Self::Config => "invalid configuration",
            Self::Unsupported => "unsupported",
            Self::InvalidState => "invalid state",
            Self::Unreachable => "state cannot be reached",
            Self::IdempotencyMismatch => "idempotency token reused with other parameters",
            Self::Preempted => "preempted",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal error",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Whether the failed request took effect at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing changed. The request can be sent again without harm.
    NotApplied,
    /// The change is in place; only what followed it failed.
    Applied,
    /// It cannot be told. Read the state back before sending the request again.
    Unknown,
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// The same request will fail in the same way.
    Never,
    /// The same request may succeed later.
    Later,
    /// The same request may succeed later, but the retries of this library are used up.
    Exhausted,
}

/// How far the trouble reaches: what a failover has to leave to get away from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum BlastRadius {
    /// This request only.
    Request,
    /// Requests of this kind in the zone.
    Zone,
    /// Requests of this kind in the region.
    Region,
    /// Everything that uses this account.
    Account,
    /// Everything at this provider.
    Provider,
}
