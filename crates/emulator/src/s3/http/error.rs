//! Errors as answers.

use http::StatusCode;

use super::reply;
use super::xml::Xml;
use crate::http::Response;
use crate::s3::state::error::S3Error;

/// The status of each code; of a code that is not listed it is 400.
const STATUS: [(StatusCode, &[&str]); 11] = [
    (StatusCode::MOVED_PERMANENTLY, &["PermanentRedirect"]),
    (StatusCode::TEMPORARY_REDIRECT, &["TemporaryRedirect", "Redirect"]),
    (
        StatusCode::FORBIDDEN,
        &[
            "AccessDenied",
            "AccessForbidden",
            "AccountProblem",
            "AllAccessDisabled",
            "InvalidAccessKeyId",
            "InvalidObjectState",
            "InvalidPayer",
            "InvalidSecurity",
            "NotSignedUp",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "UnauthorizedAccess",
        ],
    ),
    (
        StatusCode::NOT_FOUND,
        &[
            "NoSuchBucket",
            "NoSuchBucketPolicy",
            "NoSuchCORSConfiguration",
            "NoSuchKey",
            "NoSuchLifecycleConfiguration",
            "NoSuchPublicAccessBlockConfiguration",
            "NoSuchTagSet",
            "NoSuchUpload",
            "NoSuchVersion",
            "NoSuchWebsiteConfiguration",
            "ObjectLockConfigurationNotFoundError",
            "OwnershipControlsNotFoundError",
            "ReplicationConfigurationNotFoundError",
            "ServerSideEncryptionConfigurationNotFoundError",
        ],
    ),
    (StatusCode::METHOD_NOT_ALLOWED, &["MethodNotAllowed"]),
    (
        StatusCode::CONFLICT,
        &[
            "BucketAlreadyExists",
            "BucketAlreadyOwnedByYou",
            "BucketNotEmpty",
            "ConditionalRequestConflict",
            "InvalidBucketState",
            "OperationAborted",
            "RestoreAlreadyInProgress",
        ],
    ),
    (StatusCode::LENGTH_REQUIRED, &["MissingContentLength"]),
    (StatusCode::PRECONDITION_FAILED, &["PreconditionFailed"]),
    (StatusCode::RANGE_NOT_SATISFIABLE, &["InvalidRange", "InvalidPartNumber"]),
    (StatusCode::INTERNAL_SERVER_ERROR, &["InternalError"]),
    (StatusCode::SERVICE_UNAVAILABLE, &["ServiceUnavailable", "SlowDown", "Busy"]),
];

pub(super) fn status(code: &str) -> StatusCode {
    if code == "NotImplemented" {
        return StatusCode::NOT_IMPLEMENTED;
    }
    let found = STATUS.iter().find(|(_, codes)| codes.contains(&code));
    found.map_or(StatusCode::BAD_REQUEST, |(status, _)| *status)
}

/// The error document of S3 as an answer. The resource is the path of the request.
pub(crate) fn error_response(
    request_id: &str,
    code: &'static str,
    message: &str,
    resource: &str,
) -> Response {
    respond(&S3Error::new(code, message.to_owned()), request_id, resource)
}

pub(super) fn respond(error: &S3Error, request_id: &str, resource: &str) -> Response {
    let mut xml = Xml::plain("Error");
    xml.text("Code", error.code);
    xml.text("Message", &error.message);
    for (element, value) in &error.details {
        xml.text(element, value);
    }
    xml.text("Resource", resource);
    xml.text("RequestId", request_id);
    xml.text("HostId", &host_id(request_id));
    let mut response = reply::xml(xml);
    response.status = status(error.code);
    for (name, value) in &error.headers {
        reply::set(&mut response, name, value);
    }
    reply::set(&mut response, "x-amz-request-id", request_id);
    reply::set(&mut response, "x-amz-id-2", &host_id(request_id));
    response
}

/// The second id of a request, a function of the first.
pub(super) fn host_id(request_id: &str) -> String {
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(request_id.as_bytes()))
}
