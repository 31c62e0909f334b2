use std::collections::BTreeSet;

use http::{HeaderValue, StatusCode};
use polycloud_core::{Outcome, Retry};

use super::codes::{CODES, GENERAL};
use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

fn read(
    operation: &'static str,
    status: u16,
    pairs: &[(&'static str, &'static str)],
    body: &str,
) -> Refusal {
    let headers = headers(pairs);
    let status = StatusCode::from_u16(status).unwrap();
    refusal(&Answer { operation, status, headers: &headers, body: body.as_bytes() })
}

fn document(code: &str, message: &str, more: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message>{more}<RequestId>4442587FB7D0A2F9</RequestId>\
         <HostId>h/=</HostId></Error>"
    )
}

/// Code, status, kind, reason: what Amazon documents, row by row, and what its peers add.
#[rustfmt::skip]
const GOLDEN: &[(&str, u16, ErrorKind, Reason)] = {
    use ErrorKind as K;
    use Reason as R;
    &[
        ("NoSuchKey", 404, K::NotFound, R::Final),
        ("NoSuchBucket", 404, K::BucketNotFound, R::Final),
        ("NoSuchVersion", 404, K::VersionNotFound, R::Final),
        ("NoSuchUpload", 404, K::UploadNotFound, R::Final),
        ("NoSuchLifecycleConfiguration", 404, K::NotFound, R::Final),
        ("NoSuchTagSet", 404, K::NotFound, R::Final),
        ("NoSuchObjectLockConfiguration", 404, K::NotFound, R::Final),
        ("ObjectLockConfigurationNotFoundError", 404, K::NotFound, R::Final),
        ("ServerSideEncryptionConfigurationNotFoundError", 404, K::NotFound, R::Final),
        ("BucketAlreadyExists", 409, K::AlreadyExists, R::Final),
        ("BucketAlreadyOwnedByYou", 409, K::AlreadyExists, R::Final),
        ("BucketNotEmpty", 409, K::BucketNotEmpty, R::Final),
        ("PreconditionFailed", 412, K::PreconditionFailed, R::Final),
        ("NotModified", 304, K::NotModified, R::Final),
        ("ConditionalRequestConflict", 409, K::Conflict, R::Passing),
        ("OperationAborted", 409, K::Conflict, R::Passing),
        ("RestoreAlreadyInProgress", 409, K::Conflict, R::Final),
        ("InvalidBucketState", 409, K::InvalidState, R::Final),
        ("InvalidObjectState", 403, K::Archived, R::Final),
        ("ObjectNotInActiveTierError", 403, K::Archived, R::Final),
        ("ObjectAlreadyInActiveTierError", 403, K::InvalidState, R::Final),
        ("ObjectLocked", 400, K::Locked, R::Final),
        ("InvalidRetentionPeriod", 400, K::InvalidArgument, R::Final),
        ("InvalidRange", 416, K::RangeNotSatisfiable, R::Final),
        ("BadDigest", 400, K::ChecksumMismatch, R::Final),
        ("InvalidDigest", 400, K::InvalidArgument, R::Final),
        ("XAmzContentSHA256Mismatch", 400, K::ChecksumMismatch, R::Final),
        ("XAmzContentChecksumMismatch", 400, K::ChecksumMismatch, R::Final),
        ("IncompleteBody", 400, K::Unavailable, R::Passing),
        ("EntityTooLarge", 400, K::TooLarge, R::Final),
        ("MaxMessageLengthExceeded", 400, K::TooLarge, R::Final),
        ("EntityTooSmall", 400, K::InvalidArgument, R::Final),
        ("AccessDenied", 403, K::PermissionDenied, R::Final),
        ("AccessDeniedException", 403, K::PermissionDenied, R::Final),
        ("AllAccessDisabled", 403, K::PermissionDenied, R::Final),
        ("AccountProblem", 403, K::PermissionDenied, R::Final),
        ("InvalidPayer", 403, K::PermissionDenied, R::Final),
        ("NotSignedUp", 403, K::PermissionDenied, R::Final),
        ("UnauthorizedAccess", 403, K::PermissionDenied, R::Final),
        ("InvalidAccessKeyId", 403, K::Unauthenticated, R::Final),
        ("SignatureDoesNotMatch", 403, K::Unauthenticated, R::Final),
        ("InvalidSecurity", 403, K::Unauthenticated, R::Final),
        ("InvalidToken", 400, K::Unauthenticated, R::Final),
        ("MissingAuthenticationToken", 403, K::Unauthenticated, R::Final),
        ("MissingSecurityHeader", 400, K::Unauthenticated, R::Final),
        ("AuthorizationQueryParametersError", 400, K::Unauthenticated, R::Final),
        ("AuthorizationHeaderMalformed", 400, K::Unauthenticated, R::Final),
        ("ExpiredToken", 400, K::Unauthenticated, R::Expired),
        ("ExpiredTokenException", 400, K::Unauthenticated, R::Expired),
        ("TokenRefreshRequired", 400, K::Unauthenticated, R::Expired),
        ("RequestExpired", 400, K::Unauthenticated, R::Expired),
        ("RequestTimeTooSkewed", 403, K::Unauthenticated, R::Skewed),
        ("RequestInTheFuture", 403, K::Unauthenticated, R::Skewed),
        ("SlowDown", 503, K::RateLimited, R::Throttled),
        ("SlowDownRead", 503, K::RateLimited, R::Throttled),
        ("SlowDownWrite", 503, K::RateLimited, R::Throttled),
        ("Throttling", 400, K::RateLimited, R::Throttled),
        ("ThrottlingException", 400, K::RateLimited, R::Throttled),
        ("ThrottledException", 400, K::RateLimited, R::Throttled),
        ("RequestThrottled", 400, K::RateLimited, R::Throttled),
        ("RequestThrottledException", 400, K::RateLimited, R::Throttled),
        ("TooManyRequests", 429, K::RateLimited, R::Throttled),
        ("TooManyRequestsException", 429, K::RateLimited, R::Throttled),
        ("RequestLimitExceeded", 503, K::RateLimited, R::Throttled),
        ("BandwidthLimitExceeded", 509, K::RateLimited, R::Throttled),
        ("KMS.ThrottlingException", 400, K::RateLimited, R::Throttled),
        ("TooManyBuckets", 400, K::QuotaExceeded, R::Final),
        ("QuotaExceeded", 403, K::QuotaExceeded, R::Final),
        ("ServiceQuotaExceededException", 400, K::QuotaExceeded, R::Final),
        ("XMinioAdminBucketQuotaExceeded", 400, K::QuotaExceeded, R::Final),
        ("XMinioStorageFull", 507, K::StorageFull, R::Final),
        ("InsufficientStorage", 507, K::StorageFull, R::Final),
        ("ServiceUnavailable", 503, K::Unavailable, R::Throttled),
        ("XMinioServerNotInitialized", 503, K::Unavailable, R::Throttled),
        ("InternalError", 500, K::Unavailable, R::Failed),
        ("InternalFailure", 500, K::Unavailable, R::Failed),
        ("InternalServerError", 500, K::Unavailable, R::Failed),
        ("RequestTimeout", 400, K::Timeout, R::Failed),
        ("PermanentRedirect", 301, K::Config, R::Final),
        ("TemporaryRedirect", 307, K::Config, R::Final),
        ("MovedPermanently", 301, K::Config, R::Final),
        ("IllegalLocationConstraintException", 400, K::Config, R::Final),
        ("IncorrectEndpoint", 400, K::Config, R::Final),
        ("InvalidLocationConstraint", 400, K::InvalidArgument, R::Final),
        ("InvalidPart", 400, K::InvalidArgument, R::Final),
        ("InvalidPartOrder", 400, K::InvalidArgument, R::Final),
        ("InvalidPartNumber", 400, K::InvalidArgument, R::Final),
        ("MalformedXML", 400, K::InvalidArgument, R::Final),
        ("MalformedPOSTRequest", 400, K::InvalidArgument, R::Final),
        ("InvalidPolicyDocument", 400, K::InvalidArgument, R::Final),
        ("InvalidArgument", 400, K::InvalidArgument, R::Final),
        ("InvalidRequest", 400, K::InvalidArgument, R::Final),
        ("InvalidBucketName", 400, K::InvalidArgument, R::Final),
        ("InvalidStorageClass", 400, K::InvalidArgument, R::Final),
        ("InvalidEncryptionAlgorithmError", 400, K::InvalidArgument, R::Final),
        ("InvalidURI", 400, K::InvalidArgument, R::Final),
        ("InvalidTag", 400, K::InvalidArgument, R::Final),
        ("KeyTooLongError", 400, K::InvalidArgument, R::Final),
        ("MetadataTooLarge", 400, K::InvalidArgument, R::Final),
        ("MissingContentLength", 411, K::InvalidArgument, R::Final),
        ("MethodNotAllowed", 405, K::Unsupported, R::Final),
        ("NotImplemented", 501, K::Unsupported, R::Final),
        ("UnsupportedOperation", 400, K::Unsupported, R::Final),
        ("XMinioInvalidObjectName", 400, K::InvalidArgument, R::Final),
    ]
};

#[test]
fn every_code_has_one_row_and_every_row_is_tested() {
    let table: BTreeSet<&str> = CODES.iter().chain(GENERAL).map(|(code, ..)| *code).collect();
    let golden: BTreeSet<&str> = GOLDEN.iter().map(|(code, ..)| *code).collect();
    assert_eq!(
        (table.len(), golden.len()),
        (CODES.len() + GENERAL.len(), GOLDEN.len()),
        "a code is there twice"
    );
    assert_eq!(table, golden);
}

#[test]
fn codes_mean_what_they_should() {
    for (code, status, kind, reason) in GOLDEN {
        let Refusal { error, reason: found } =
            read("put", *status, &[], &document(code, "Their words.", ""));
        assert_eq!((error.kind(), found), (*kind, *reason), "{code}");
        assert_eq!((error.code(), error.status()), (Some(*code), Some(*status)));
        assert_eq!(error.request_id(), Some("4442587FB7D0A2F9"));
        assert!(error.message().starts_with("Their words"), "{error}");
        let unknown = *reason == Reason::Failed;
        assert_eq!(error.outcome() == Outcome::Unknown, unknown, "{code}");
        assert_eq!(error.retry() == Retry::Never, *reason == Reason::Final, "{code}");
    }
}

#[test]
fn a_head_is_decided_by_its_status_and_headers() {
    let id = ("x-amz-request-id", "R1");
    for (status, kind) in [
        (304, ErrorKind::NotModified),
        (400, ErrorKind::InvalidArgument),
        (403, ErrorKind::PermissionDenied),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (412, ErrorKind::PreconditionFailed),
        (429, ErrorKind::RateLimited),
        (500, ErrorKind::Unavailable),
        (503, ErrorKind::Unavailable),
    ] {
        let Refusal { error, .. } = read("head", status, &[id], "");
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!((error.request_id(), error.code()), (Some("R1"), None));
    }
    let moved = read("head", 301, &[("x-amz-bucket-region", "eu-west-1")], "").error;
    assert_eq!(moved.kind(), ErrorKind::Config);
    assert!(moved.message().contains("region=eu-west-1"), "{moved}");
}

#[test]
fn a_bad_request_without_words_may_be_for_expired_credentials() {
    let refusal = read("head", 400, &[], "");
    let found = (refusal.error.kind(), refusal.reason);
    assert_eq!(found, (ErrorKind::InvalidArgument, Reason::Expired));
    let worded = read("get", 400, &[], &document("InvalidArgument", "no", ""));
    assert_eq!(worded.reason, Reason::Final);
}

#[test]
fn an_unknown_code_is_decided_by_the_status() {
    for (status, kind, reason) in [
        (400, ErrorKind::InvalidArgument, Reason::Final),
        (403, ErrorKind::PermissionDenied, Reason::Final),
        (404, ErrorKind::NotFound, Reason::Final),
        (500, ErrorKind::Unavailable, Reason::Failed),
        (503, ErrorKind::Unavailable, Reason::Throttled),
    ] {
        let found = read("get", status, &[], &document("SomethingNew", "Words", ""));
        assert_eq!((found.error.kind(), found.reason), (kind, reason));
        assert_eq!(found.error.code(), Some("SomethingNew"));
    }
}

#[test]
fn a_delete_marker_is_no_version_that_can_be_read() {
    let marker = ("x-amz-delete-marker", "true");
    let body = document("MethodNotAllowed", "The specified method is not allowed", "");
    assert_eq!(read("get", 405, &[marker], &body).error.kind(), ErrorKind::VersionNotFound);
    assert_eq!(read("head", 405, &[marker], "").error.kind(), ErrorKind::VersionNotFound);
    assert_eq!(read("get", 405, &[], &body).error.kind(), ErrorKind::Unsupported);
    let body = document("NoSuchKey", "The specified key does not exist.", "");
    assert_eq!(read("get", 404, &[marker], &body).error.kind(), ErrorKind::NotFound);
}

#[test]
fn the_size_of_the_object_is_told() {
    let more = "<RangeRequested>bytes=9-</RangeRequested><ActualObjectSize>5</ActualObjectSize>";
    let body = document("InvalidRange", "The requested range is not satisfiable", more);
    assert_eq!(read("get", 416, &[], &body).error.object_size(), Some(5));
    let range = ("content-range", "bytes */7");
    assert_eq!(read("get", 416, &[range], "").error.object_size(), Some(7));
    assert_eq!(read("get", 416, &[("content-range", "bytes */-1")], "").error.object_size(), None);
}

#[test]
fn a_wrong_region_is_named() {
    let region = "<Region>eu-central-1</Region>";
    let message = "The authorization header is malformed; the region 'us-east-1' is wrong";
    let body = document("AuthorizationHeaderMalformed", message, region);
    let error = read("get", 400, &[], &body).error;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("region=eu-central-1"), "{error}");
    let body = document("PermanentRedirect", "Use this endpoint", "<Endpoint>x</Endpoint>");
    let error = read("get", 301, &[("x-amz-bucket-region", "ap-south-1")], &body).error;
    assert!(error.message().contains("region=ap-south-1"), "{error}");
    let error = read("get", 301, &[], &body).error;
    assert!(error.message().contains("AWS_REGION"), "{error}");
}

#[test]
fn retention_is_told_from_permission() {
    let message = "Access Denied because object protected by object lock.";
    let error = read("delete", 403, &[], &document("AccessDenied", message, "")).error;
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert_eq!(entry("AccessDenied", message).error.kind(), ErrorKind::Locked);
    let message = "Object is WORM protected and cannot be overwritten";
    let error = read("put", 400, &[], &document("InvalidRequest", message, "")).error;
    assert_eq!(error.kind(), ErrorKind::Locked);
    let error = read("delete", 403, &[], &document("AccessDenied", "Access Denied", "")).error;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let message = "Bucket is missing Object Lock Configuration";
    let error = read("put", 400, &[], &document("InvalidRequest", message, "")).error;
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn what_newcomers_meet_says_what_to_do() {
    let time = "<ServerTime>2026-01-01T00:00:00Z</ServerTime>";
    for (operation, code, more, advice) in [
        ("get", "NoSuchBucket", "", "create the bucket"),
        ("get", "AccessDenied", "", "s3:GetObject"),
        ("put", "AccessDenied", "", "s3:PutObject"),
        ("list_page", "AccessDenied", "", "s3:ListBucket"),
        ("anything", "AccessDenied", "", "policy of the bucket"),
        ("get", "InvalidAccessKeyId", "", "AWS_ACCESS_KEY_ID"),
        ("get", "SignatureDoesNotMatch", "", "secret access key"),
        ("get", "ExpiredToken", "", "sign in again"),
        ("get", "RequestTimeTooSkewed", time, "2026-01-01T00:00:00Z"),
        ("get", "RequestTimeTooSkewed", "", "clock of this machine"),
        ("get", "InvalidObjectState", "", "restore the object"),
    ] {
        let error = read(operation, 403, &[], &document(code, "W", more)).error;
        assert!(error.message().contains(advice), "{code}: {error}");
    }
}

#[test]
fn a_refusal_hidden_in_a_success_is_found() {
    let headers = headers(&[("x-amz-request-id", "R2")]);
    let find = |body: &str| {
        let status = StatusCode::OK;
        hidden_refusal(&Answer {
            operation: "copy",
            status,
            headers: &headers,
            body: body.as_bytes(),
        })
    };
    let found = find(&format!("  \n {}", document("InternalError", "Try again", ""))).unwrap();
    assert_eq!((found.error.kind(), found.reason), (ErrorKind::Unavailable, Reason::Failed));
    let found = find("<Error><Code>SlowDown</Code><Message>m</Message></Error>").unwrap();
    assert_eq!(found.reason, Reason::Throttled);
    assert_eq!(found.error.request_id(), Some("R2"));
    let found = find("<Error xmlns=\"x\"><Code>SomethingNew</Code></Error>").unwrap();
    assert_eq!(found.error.outcome(), Outcome::Unknown);
    assert!(find("<Error/>").is_some());
    for body in [
        "",
        "{\"Error\": 1}",
        "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>",
        "<DeleteResult><Error><Code>AccessDenied</Code></Error></DeleteResult>",
        "<ErrorDocument/>",
        "<?xml version=\"1.0\"",
        "<?xml version=\"1.0\"?><ListBucketResult><Name>Error</Name></ListBucketResult>",
    ] {
        assert!(find(body).is_none(), "{body}");
    }
}

#[test]
fn hostile_documents_are_survived() {
    let long = "x".repeat(100_000);
    let error = read("get", 403, &[], &document(&long, &long, "")).error;
    assert!(error.to_string().len() < 1_000);
    let error = read("get", 403, &[], &document("AccessDenied", "a&#10;\u{1b}[31mb", "")).error;
    assert!(!error.message().contains(|char: char| char.is_control()), "{error}");
    for body in
        ["<Error><Code>NoSuchKey</Code>", "<html><body>no</body></html>", "\u{0}", "not XML"]
    {
        assert_eq!(read("get", 404, &[], body).error.kind(), ErrorKind::NotFound, "{body}");
    }
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\">]><Error><Code>&a;</Code></Error>";
    assert_eq!(read("get", 403, &[], laughs).error.code(), None);
}
