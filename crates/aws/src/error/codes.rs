//! What error codes mean: those of all of Amazon's services, and those of S3 and of services that speak
//! its protocol.

use polycloud_core::ErrorKind::{self, *};
use polycloud_wire::Reason::{self, *};

/// A code, what it is to the caller, and what follows for the retry loop.
pub(crate) type Row = (&'static str, ErrorKind, Reason);

/// Codes that any service may send.
pub(crate) const GENERAL: &[Row] = &[
    ("AccessDenied", PermissionDenied, Final),
    ("AccessDeniedException", PermissionDenied, Final),
    ("UnauthorizedAccess", PermissionDenied, Final),
    ("SignatureDoesNotMatch", Unauthenticated, Final),
    ("InvalidToken", Unauthenticated, Final),
    ("MissingAuthenticationToken", Unauthenticated, Final),
    ("ExpiredToken", Unauthenticated, Expired),
    ("ExpiredTokenException", Unauthenticated, Expired),
    ("TokenRefreshRequired", Unauthenticated, Expired),
    ("RequestExpired", Unauthenticated, Expired),
    ("RequestTimeTooSkewed", Unauthenticated, Skewed),
    ("RequestInTheFuture", Unauthenticated, Skewed),
    ("Throttling", RateLimited, Throttled),
    ("ThrottlingException", RateLimited, Throttled),
    ("ThrottledException", RateLimited, Throttled),
    ("RequestThrottled", RateLimited, Throttled),
    ("RequestThrottledException", RateLimited, Throttled),
    ("TooManyRequests", RateLimited, Throttled),
    ("TooManyRequestsException", RateLimited, Throttled),
    ("RequestLimitExceeded", RateLimited, Throttled),
    ("BandwidthLimitExceeded", RateLimited, Throttled),
    ("QuotaExceeded", QuotaExceeded, Final),
    ("ServiceQuotaExceededException", QuotaExceeded, Final),
    ("ServiceUnavailable", Unavailable, Throttled),
    ("InternalError", Unavailable, Failed),
    ("InternalFailure", Unavailable, Failed),
    ("InternalServerError", Unavailable, Failed),
    ("RequestTimeout", Timeout, Failed),
    ("InvalidArgument", InvalidArgument, Final),
    ("InvalidRequest", InvalidArgument, Final),
    ("NotImplemented", Unsupported, Final),
    ("UnsupportedOperation", Unsupported, Final),
];

/// One row for each code of S3 that is not general. What is not here is decided by the status of the
/// answer.
pub(super) const CODES: &[Row] = &[
    // What is not there.
    ("NoSuchKey", NotFound, Final),
    ("NoSuchBucket", BucketNotFound, Final),
    ("NoSuchVersion", VersionNotFound, Final),
    ("NoSuchUpload", UploadNotFound, Final),
    ("NoSuchLifecycleConfiguration", NotFound, Final),
    ("NoSuchTagSet", NotFound, Final),
    ("NoSuchObjectLockConfiguration", NotFound, Final),
    ("ObjectLockConfigurationNotFoundError", NotFound, Final),
    ("ServerSideEncryptionConfigurationNotFoundError", NotFound, Final),
    // What is in the way.
    ("BucketAlreadyExists", AlreadyExists, Final),
    ("BucketAlreadyOwnedByYou", AlreadyExists, Final),
    ("BucketNotEmpty", BucketNotEmpty, Final),
    ("PreconditionFailed", PreconditionFailed, Final),
    ("NotModified", NotModified, Final),
    ("ConditionalRequestConflict", Conflict, Passing),
    ("OperationAborted", Conflict, Passing),
    ("RestoreAlreadyInProgress", Conflict, Final),
    ("InvalidBucketState", InvalidState, Final),
    ("InvalidObjectState", Archived, Final),
    ("ObjectNotInActiveTierError", Archived, Final),
    ("ObjectAlreadyInActiveTierError", InvalidState, Final),
    ("ObjectLocked", Locked, Final),
    ("InvalidRetentionPeriod", InvalidArgument, Final),
    // Content and its checksums.
    ("InvalidRange", RangeNotSatisfiable, Final),
    ("BadDigest", ChecksumMismatch, Final),
    ("InvalidDigest", InvalidArgument, Final),
    ("XAmzContentSHA256Mismatch", ChecksumMismatch, Final),
    ("XAmzContentChecksumMismatch", ChecksumMismatch, Final),
    ("IncompleteBody", Unavailable, Passing),
    ("EntityTooLarge", TooLarge, Final),
    ("MaxMessageLengthExceeded", TooLarge, Final),
    ("EntityTooSmall", InvalidArgument, Final),
    // Who asks.
    ("AllAccessDisabled", PermissionDenied, Final),
    ("AccountProblem", PermissionDenied, Final),
    ("InvalidPayer", PermissionDenied, Final),
    ("NotSignedUp", PermissionDenied, Final),
    ("InvalidAccessKeyId", Unauthenticated, Final),
    ("InvalidSecurity", Unauthenticated, Final),
    ("MissingSecurityHeader", Unauthenticated, Final),
    ("AuthorizationQueryParametersError", Unauthenticated, Final),
    // How often, and how much.
    ("SlowDown", RateLimited, Throttled),
    ("SlowDownRead", RateLimited, Throttled),
    ("SlowDownWrite", RateLimited, Throttled),
    ("KMS.ThrottlingException", RateLimited, Throttled),
    ("TooManyBuckets", QuotaExceeded, Final),
    ("XMinioAdminBucketQuotaExceeded", QuotaExceeded, Final),
    ("XMinioStorageFull", StorageFull, Final),
    ("InsufficientStorage", StorageFull, Final),
    // What the service cannot do right now.
    ("XMinioServerNotInitialized", Unavailable, Throttled),
    // Where the bucket is.
    ("PermanentRedirect", Config, Final),
    ("TemporaryRedirect", Config, Final),
    ("MovedPermanently", Config, Final),
    ("AuthorizationHeaderMalformed", Unauthenticated, Final),
    ("IllegalLocationConstraintException", Config, Final),
    ("IncorrectEndpoint", Config, Final),
    // What was asked.
    ("InvalidLocationConstraint", InvalidArgument, Final),
    ("InvalidPart", InvalidArgument, Final),
    ("InvalidPartOrder", InvalidArgument, Final),
    ("InvalidPartNumber", InvalidArgument, Final),
    ("MalformedXML", InvalidArgument, Final),
    ("MalformedPOSTRequest", InvalidArgument, Final),
    ("InvalidPolicyDocument", InvalidArgument, Final),
    ("InvalidBucketName", InvalidArgument, Final),
    ("InvalidStorageClass", InvalidArgument, Final),
    ("InvalidEncryptionAlgorithmError", InvalidArgument, Final),
    ("InvalidURI", InvalidArgument, Final),
    ("InvalidTag", InvalidArgument, Final),
    ("KeyTooLongError", InvalidArgument, Final),
    ("MetadataTooLarge", InvalidArgument, Final),
    ("MissingContentLength", InvalidArgument, Final),
    ("MethodNotAllowed", Unsupported, Final),
    ("XMinioInvalidObjectName", InvalidArgument, Final),
];

pub(super) fn row(code: &str) -> Option<&'static Row> {
    CODES.iter().find(|(name, ..)| *name == code).or_else(|| general(code))
}

/// What a code means that any service may send.
pub(crate) fn general(code: &str) -> Option<&'static Row> {
    GENERAL.iter().find(|(name, ..)| *name == code)
}
