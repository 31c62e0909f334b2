use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, StatusCode};
use polycloud_core::{BlastRadius, ErrorKind, Outcome, Retry};
use polycloud_wire::{Reason, Refusal};

use super::super::codes::{BY_ENDING, CODES};
use super::super::error::refusal;
use super::super::service::Protocol;
use super::*;

/// Code, status, kind, reason, radius: what Amazon documents, row by row; codes of all services; codes
/// that are read by their ending; and what is not known at all.
#[rustfmt::skip]
const GOLDEN: &[(&str, u16, ErrorKind, Reason, BlastRadius)] = {
    use BlastRadius as B;
    use ErrorKind as K;
    use Reason as R;
    &[
        ("InsufficientInstanceCapacity", 500, K::NoCapacity, R::Final, B::Zone),
        ("InsufficientHostCapacity", 500, K::NoCapacity, R::Final, B::Zone),
        ("InsufficientReservedInstanceCapacity", 500, K::NoCapacity, R::Final, B::Zone),
        ("InsufficientCapacity", 500, K::NoCapacity, R::Final, B::Zone),
        ("InsufficientCapacityOnHost", 500, K::NoCapacity, R::Final, B::Zone),
        ("InsufficientVolumeCapacity", 500, K::NoCapacity, R::Final, B::Zone),
        ("InsufficientFreeAddressesInSubnet", 400, K::NoCapacity, R::Final, B::Zone),
        ("InsufficientAddressCapacity", 500, K::NoCapacity, R::Final, B::Region),
        ("UnfulfillableCapacity", 400, K::NoCapacity, R::Final, B::Zone),
        ("SpotMaxPriceTooLow", 400, K::NoCapacity, R::Final, B::Zone),
        ("VcpuLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("InstanceLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("MaxSpotInstanceCountExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("AddressLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("VolumeLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("MaxIOPSLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("SnapshotLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("ConcurrentSnapshotLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("PendingSnapshotLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("SecurityGroupLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("NetworkInterfaceLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("VpcLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("SubnetLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("HostLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("ResourceLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("ResourceCountExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("RulesPerSecurityGroupLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Request),
        ("SecurityGroupsPerInstanceLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Request),
        ("SecurityGroupsPerInterfaceLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Request),
        ("AttachmentLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Request),
        ("TagLimitExceeded", 400, K::InvalidArgument, R::Final, B::Request),
        ("EC2ThrottledException", 503, K::RateLimited, R::Throttled, B::Request),
        ("SnapshotCreationPerVolumeRateExceeded", 400, K::RateLimited, R::Final, B::Request),
        ("VolumeModificationRateExceeded", 400, K::RateLimited, R::Final, B::Request),
        ("AuthFailure", 401, K::Unauthenticated, R::Final, B::Account),
        ("InvalidClientTokenId", 400, K::Unauthenticated, R::Final, B::Account),
        ("UnrecognizedClientException", 400, K::Unauthenticated, R::Final, B::Account),
        ("InvalidSignatureException", 400, K::Unauthenticated, R::Final, B::Account),
        ("IncompleteSignature", 400, K::Unauthenticated, R::Final, B::Account),
        ("InvalidAccessKeyId", 400, K::Unauthenticated, R::Final, B::Account),
        ("UnauthorizedOperation", 403, K::PermissionDenied, R::Final, B::Request),
        ("TagPolicyViolation", 400, K::PermissionDenied, R::Final, B::Request),
        ("OptInRequired", 401, K::PermissionDenied, R::Final, B::Account),
        ("Blocked", 403, K::PermissionDenied, R::Final, B::Account),
        ("PendingVerification", 403, K::PermissionDenied, R::Final, B::Account),
        ("OperationNotPermitted", 400, K::Locked, R::Final, B::Request),
        ("InvalidInstanceID.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidInstanceID.Malformed", 400, K::NotFound, R::Final, B::Request),
        ("InvalidInstanceID", 400, K::NotFound, R::Final, B::Request),
        ("InvalidInstanceType", 400, K::NotFound, R::Final, B::Request),
        ("InvalidAMIID.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidAMIID.Malformed", 400, K::NotFound, R::Final, B::Request),
        ("InvalidGroup.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidGroupId.Malformed", 400, K::NotFound, R::Final, B::Request),
        ("InvalidSecurityGroupID.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidKeyPair.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidVolume.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidVolumeID.Malformed", 400, K::NotFound, R::Final, B::Request),
        ("InvalidAttachment.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidSnapshot.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidSnapshotID.Malformed", 400, K::NotFound, R::Final, B::Request),
        ("InvalidSubnetID.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidSubnet", 400, K::NotFound, R::Final, B::Request),
        ("InvalidVpcID.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidNetworkInterfaceID.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidPermission.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidPlacementGroup.Unknown", 400, K::NotFound, R::Final, B::Request),
        ("InvalidID", 400, K::NotFound, R::Final, B::Request),
        ("ParameterNotFound", 400, K::NotFound, R::Final, B::Request),
        ("ParameterVersionNotFound", 400, K::NotFound, R::Final, B::Request),
        ("NoSuchResourceException", 400, K::NotFound, R::Final, B::Request),
        ("InvalidGroup.Duplicate", 400, K::AlreadyExists, R::Final, B::Request),
        ("InvalidKeyPair.Duplicate", 400, K::AlreadyExists, R::Final, B::Request),
        ("InvalidPermission.Duplicate", 400, K::AlreadyExists, R::Final, B::Request),
        ("InvalidAMIName.Duplicate", 400, K::AlreadyExists, R::Final, B::Request),
        ("IdempotentParameterMismatch", 400, K::IdempotencyMismatch, R::Final, B::Request),
        ("IdempotentInstanceTerminated", 400, K::InvalidState, R::Final, B::Request),
        ("IncorrectInstanceState", 400, K::InvalidState, R::Final, B::Request),
        ("IncorrectState", 400, K::InvalidState, R::Final, B::Request),
        ("IncorrectModificationState", 400, K::InvalidState, R::Final, B::Request),
        ("InvalidAMIID.Unavailable", 400, K::InvalidState, R::Final, B::Request),
        ("DependencyViolation", 400, K::InvalidState, R::Final, B::Request),
        ("VolumeInUse", 400, K::InvalidState, R::Final, B::Request),
        ("InvalidGroup.InUse", 400, K::InvalidState, R::Final, B::Request),
        ("InvalidSnapshot.InUse", 400, K::InvalidState, R::Final, B::Request),
        ("ConcurrentTagAccess", 400, K::Conflict, R::Passing, B::Request),
        ("Unsupported", 400, K::Unsupported, R::Final, B::Zone),
        ("UnsupportedHibernationConfiguration", 400, K::Unsupported, R::Final, B::Request),
        ("UnsupportedInstanceAttribute", 400, K::Unsupported, R::Final, B::Request),
        ("UnsupportedHostConfiguration", 400, K::Unsupported, R::Final, B::Request),
        ("UnsupportedTenancy", 400, K::Unsupported, R::Final, B::Request),
        ("VPCIdNotSpecified", 400, K::Config, R::Final, B::Region),
        ("DefaultVpcDoesNotExist", 400, K::Config, R::Final, B::Region),
        ("MissingInput", 400, K::Config, R::Final, B::Region),
        ("Unavailable", 503, K::Unavailable, R::Failed, B::Request),
        ("ServiceUnavailable", 503, K::Unavailable, R::Failed, B::Request),
        ("ServiceException", 500, K::Unavailable, R::Failed, B::Request),
        ("InvalidParameter", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidParameterCombination", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidParameterValue", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidParameterDependency", 400, K::InvalidArgument, R::Final, B::Request),
        ("MissingParameter", 400, K::InvalidArgument, R::Final, B::Request),
        ("UnknownParameter", 400, K::InvalidArgument, R::Final, B::Request),
        ("ValidationError", 400, K::InvalidArgument, R::Final, B::Request),
        ("ValidationException", 400, K::InvalidArgument, R::Final, B::Request),
        ("IllegalArgumentException", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidNextToken", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidPaginationToken", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidPaginationTokenException", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidAvailabilityZone", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidUserData.Malformed", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidBlockDeviceMapping", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidKey.Format", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidKeyPair.Format", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidGroup.Reserved", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidVolume.ZoneMismatch", 400, K::InvalidArgument, R::Final, B::Request),
        ("RequestResourceCountExceeded", 400, K::InvalidArgument, R::Final, B::Request),
        ("InvalidAction", 400, K::Unsupported, R::Final, B::Request),
        ("RequestLimitExceeded", 503, K::RateLimited, R::Throttled, B::Request),
        ("Throttling", 400, K::RateLimited, R::Throttled, B::Request),
        ("ThrottlingException", 400, K::RateLimited, R::Throttled, B::Request),
        ("TooManyRequestsException", 400, K::RateLimited, R::Throttled, B::Request),
        ("SignatureDoesNotMatch", 403, K::Unauthenticated, R::Final, B::Account),
        ("ExpiredToken", 400, K::Unauthenticated, R::Expired, B::Account),
        ("ExpiredTokenException", 400, K::Unauthenticated, R::Expired, B::Account),
        ("RequestExpired", 400, K::Unauthenticated, R::Expired, B::Account),
        ("AccessDeniedException", 400, K::PermissionDenied, R::Final, B::Request),
        ("InternalError", 500, K::Unavailable, R::Failed, B::Request),
        ("InternalFailure", 500, K::Unavailable, R::Failed, B::Request),
        ("UnsupportedOperation", 400, K::Unsupported, R::Final, B::Request),
        ("InvalidRouteTableID.NotFound", 400, K::NotFound, R::Final, B::Request),
        ("InvalidCustomerGateway.Duplicate", 400, K::AlreadyExists, R::Final, B::Request),
        ("InvalidNetworkInterface.InUse", 400, K::InvalidState, R::Final, B::Request),
        ("InvalidVpnConnectionID.Malformed", 400, K::InvalidArgument, R::Final, B::Request),
        ("InternetGatewayLimitExceeded", 400, K::QuotaExceeded, R::Final, B::Region),
        ("InsufficientSomethingCapacity", 500, K::NoCapacity, R::Final, B::Zone),
        ("SomethingNew", 400, K::InvalidArgument, R::Final, B::Request),
        ("SomethingNew", 403, K::PermissionDenied, R::Final, B::Request),
        ("SomethingNew", 500, K::Unavailable, R::Failed, B::Request),
    ]
};

fn read(protocol: Protocol, status: u16, headers: &HeaderMap, body: &str) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap();
    let operation = "RunInstances";
    refusal(protocol, &polycloud_wire::Answer { operation, status, headers, body: body.as_bytes() })
}

#[test]
fn every_code_has_one_row_and_every_row_is_tested() {
    let table: BTreeSet<&str> = CODES.iter().map(|(code, ..)| *code).collect();
    assert_eq!(table.len(), CODES.len(), "a code is there twice");
    let golden: BTreeSet<&str> = GOLDEN.iter().map(|(code, ..)| *code).collect();
    let missing: Vec<_> = table.difference(&golden).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (ending, ..) in BY_ENDING {
        let by_ending = |code: &&str| code.ends_with(ending) && !table.contains(code);
        assert!(golden.iter().any(by_ending), "{ending}");
    }
}

#[test]
fn codes_mean_what_they_should() {
    for (code, status, kind, reason, radius) in GOLDEN {
        let body = error_document(code, "Their words.");
        let Refusal { error, reason: found } =
            read(Protocol::Query, *status, &HeaderMap::new(), &body);
        assert_eq!((error.kind(), found, error.radius()), (*kind, *reason, *radius), "{code}");
        assert_eq!((error.code(), error.status()), (Some(*code), Some(*status)));
        assert_eq!(error.request_id(), Some("ea966190-f9aa-478e-9ede-example"));
        assert!(error.message().starts_with("Their words"), "{error}");
        let unknown = *reason == Reason::Failed;
        assert_eq!(error.outcome() == Outcome::Unknown, unknown, "{code}");
        assert_eq!(error.retry() == Retry::Never, *reason == Reason::Final, "{code}");
    }
}

#[test]
fn refusals_in_json_are_read() {
    let mut headers = HeaderMap::new();
    headers.insert("x-amzn-requestid", HeaderValue::from_static("R7"));
    for kind in [
        "ParameterNotFound",
        "com.amazonaws.ssm#ParameterNotFound",
        "ParameterNotFound:http://internal.amazon.com/coral/com.amazonaws.ssm/",
    ] {
        let body = format!("{{\"__type\":\"{kind}\",\"message\":\"no\"}}");
        let error = read(Protocol::Json, 400, &headers, &body).error;
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("ParameterNotFound")));
        assert_eq!((error.message(), error.request_id()), ("no", Some("R7")));
    }
    headers.insert("x-amzn-errortype", HeaderValue::from_static("ThrottlingException:"));
    let Refusal { error, reason } = read(Protocol::Json, 400, &headers, "{\"Message\":\"slow\"}");
    assert_eq!((error.kind(), reason), (ErrorKind::RateLimited, Reason::Throttled));
    assert_eq!(error.message(), "slow");
    for body in ["", "no json", "[1]", "{\"__type\":1}"] {
        let error = read(Protocol::Json, 500, &HeaderMap::new(), body).error;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{body}");
    }
}

#[test]
fn what_newcomers_meet_says_what_to_do() {
    for (status, code, advice) in [
        (403, "UnauthorizedOperation", "ec2:RunInstances"),
        (403, "UnauthorizedOperation", "iam:PassRole"),
        (401, "AuthFailure", "AWS_ACCESS_KEY_ID"),
        (401, "OptInRequired", "switched on"),
        (400, "RequestExpired", "clock"),
        (400, "VcpuLimitExceeded", "Service Quotas"),
        (400, "VPCIdNotSpecified", "create-default-vpc"),
        (400, "MissingInput", "subnet"),
        (400, "OperationNotPermitted", "protection"),
    ] {
        let body = error_document(code, "W.");
        let error = read(Protocol::Query, status, &HeaderMap::new(), &body).error;
        assert!(error.message().contains(advice), "{code}: {error}");
    }
}

#[test]
fn hostile_documents_are_survived() {
    let long = "x".repeat(100_000);
    let read = |body: &str| read(Protocol::Query, 400, &HeaderMap::new(), body).error;
    assert!(read(&error_document(&long, &long)).to_string().len() < 1_000);
    let error = read(&error_document("InvalidParameterValue", "a&#10;\u{1b}[31mb"));
    assert!(!error.message().contains(|char: char| char.is_control()), "{error}");
    for body in ["", "<Response><Errors>", "<html>no</html>", "\u{0}"] {
        assert_eq!(read(body).kind(), ErrorKind::InvalidArgument, "{body}");
    }
}
