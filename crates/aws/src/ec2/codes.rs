//! What the error codes of EC2, and of the services beside it, mean.

use polycloud_core::BlastRadius::{self, *};
use polycloud_core::ErrorKind::{self, *};
use polycloud_wire::Reason::{self, *};

/// A code, what it is to the caller, what follows for the retry loop, and how far it reaches.
pub(super) type Row = (&'static str, ErrorKind, Reason, BlastRadius);

/// One row for each code. What is neither here nor general is decided by [`BY_ENDING`], and then by the
/// status of the answer.
#[rustfmt::skip]
pub(super) const CODES: &[Row] = &[
    // What there is not enough of right now. The status is 500, and yet the service has not failed.
    ("InsufficientInstanceCapacity", NoCapacity, Final, Zone),
    ("InsufficientHostCapacity", NoCapacity, Final, Zone),
    ("InsufficientReservedInstanceCapacity", NoCapacity, Final, Zone),
    ("InsufficientCapacity", NoCapacity, Final, Zone),
    ("InsufficientCapacityOnHost", NoCapacity, Final, Zone),
    ("InsufficientVolumeCapacity", NoCapacity, Final, Zone),
    ("InsufficientFreeAddressesInSubnet", NoCapacity, Final, Zone),
    ("InsufficientAddressCapacity", NoCapacity, Final, Region),
    ("UnfulfillableCapacity", NoCapacity, Final, Zone),
    ("SpotMaxPriceTooLow", NoCapacity, Final, Zone),
    // What the account may have.
    ("VcpuLimitExceeded", QuotaExceeded, Final, Region),
    ("InstanceLimitExceeded", QuotaExceeded, Final, Region),
    ("MaxSpotInstanceCountExceeded", QuotaExceeded, Final, Region),
    ("AddressLimitExceeded", QuotaExceeded, Final, Region),
    ("VolumeLimitExceeded", QuotaExceeded, Final, Region),
    ("MaxIOPSLimitExceeded", QuotaExceeded, Final, Region),
    ("SnapshotLimitExceeded", QuotaExceeded, Final, Region),
    ("ConcurrentSnapshotLimitExceeded", QuotaExceeded, Final, Region),
    ("PendingSnapshotLimitExceeded", QuotaExceeded, Final, Region),
    ("SecurityGroupLimitExceeded", QuotaExceeded, Final, Region),
    ("NetworkInterfaceLimitExceeded", QuotaExceeded, Final, Region),
    ("VpcLimitExceeded", QuotaExceeded, Final, Region),
    ("SubnetLimitExceeded", QuotaExceeded, Final, Region),
    ("HostLimitExceeded", QuotaExceeded, Final, Region),
    ("ResourceLimitExceeded", QuotaExceeded, Final, Region),
    ("ResourceCountExceeded", QuotaExceeded, Final, Region),
    ("RulesPerSecurityGroupLimitExceeded", QuotaExceeded, Final, Request),
    ("SecurityGroupsPerInstanceLimitExceeded", QuotaExceeded, Final, Request),
    ("SecurityGroupsPerInterfaceLimitExceeded", QuotaExceeded, Final, Request),
    ("AttachmentLimitExceeded", QuotaExceeded, Final, Request),
    ("TagLimitExceeded", InvalidArgument, Final, Request),
    // How often it may ask.
    ("EC2ThrottledException", RateLimited, Throttled, Request),
    ("SnapshotCreationPerVolumeRateExceeded", RateLimited, Final, Request),
    ("VolumeModificationRateExceeded", RateLimited, Final, Request),
    // Who asks.
    ("AuthFailure", Unauthenticated, Final, Account),
    ("InvalidClientTokenId", Unauthenticated, Final, Account),
    ("UnrecognizedClientException", Unauthenticated, Final, Account),
    ("InvalidSignatureException", Unauthenticated, Final, Account),
    ("IncompleteSignature", Unauthenticated, Final, Account),
    ("InvalidAccessKeyId", Unauthenticated, Final, Account),
    ("UnauthorizedOperation", PermissionDenied, Final, Request),
    ("TagPolicyViolation", PermissionDenied, Final, Request),
    ("OptInRequired", PermissionDenied, Final, Account),
    ("Blocked", PermissionDenied, Final, Account),
    ("PendingVerification", PermissionDenied, Final, Account),
    ("OperationNotPermitted", Locked, Final, Request),
    // What is not there. An identifier of another form names nothing.
    ("InvalidInstanceID.NotFound", NotFound, Final, Request),
    ("InvalidInstanceID.Malformed", NotFound, Final, Request),
    ("InvalidInstanceID", NotFound, Final, Request),
    ("InvalidInstanceType", NotFound, Final, Request),
    ("InvalidAMIID.NotFound", NotFound, Final, Request),
    ("InvalidAMIID.Malformed", NotFound, Final, Request),
    ("InvalidGroup.NotFound", NotFound, Final, Request),
    ("InvalidGroupId.Malformed", NotFound, Final, Request),
    ("InvalidSecurityGroupID.NotFound", NotFound, Final, Request),
    ("InvalidKeyPair.NotFound", NotFound, Final, Request),
    ("InvalidVolume.NotFound", NotFound, Final, Request),
    ("InvalidVolumeID.Malformed", NotFound, Final, Request),
    ("InvalidAttachment.NotFound", NotFound, Final, Request),
    ("InvalidSnapshot.NotFound", NotFound, Final, Request),
    ("InvalidSnapshotID.Malformed", NotFound, Final, Request),
    ("InvalidSubnetID.NotFound", NotFound, Final, Request),
    ("InvalidSubnet", NotFound, Final, Request),
    ("InvalidVpcID.NotFound", NotFound, Final, Request),
    ("InvalidNetworkInterfaceID.NotFound", NotFound, Final, Request),
    ("InvalidPermission.NotFound", NotFound, Final, Request),
    ("InvalidPlacementGroup.Unknown", NotFound, Final, Request),
    ("InvalidID", NotFound, Final, Request),
    ("ParameterNotFound", NotFound, Final, Request),
    ("ParameterVersionNotFound", NotFound, Final, Request),
    ("NoSuchResourceException", NotFound, Final, Request),
    // What is there already.
    ("InvalidGroup.Duplicate", AlreadyExists, Final, Request),
    ("InvalidKeyPair.Duplicate", AlreadyExists, Final, Request),
    ("InvalidPermission.Duplicate", AlreadyExists, Final, Request),
    ("InvalidAMIName.Duplicate", AlreadyExists, Final, Request),
    ("IdempotentParameterMismatch", IdempotencyMismatch, Final, Request),
    ("IdempotentInstanceTerminated", InvalidState, Final, Request),
    // What is in the way.
    ("IncorrectInstanceState", InvalidState, Final, Request),
    ("IncorrectState", InvalidState, Final, Request),
    ("IncorrectModificationState", InvalidState, Final, Request),
    ("InvalidAMIID.Unavailable", InvalidState, Final, Request),
    ("DependencyViolation", InvalidState, Final, Request),
    ("VolumeInUse", InvalidState, Final, Request),
    ("InvalidGroup.InUse", InvalidState, Final, Request),
    ("InvalidSnapshot.InUse", InvalidState, Final, Request),
    ("ConcurrentTagAccess", Conflict, Passing, Request),
    // What cannot be done.
    ("Unsupported", Unsupported, Final, Zone),
    ("UnsupportedHibernationConfiguration", Unsupported, Final, Request),
    ("UnsupportedInstanceAttribute", Unsupported, Final, Request),
    ("UnsupportedHostConfiguration", Unsupported, Final, Request),
    ("UnsupportedTenancy", Unsupported, Final, Request),
    ("VPCIdNotSpecified", Config, Final, Region),
    ("DefaultVpcDoesNotExist", Config, Final, Region),
    ("MissingInput", Config, Final, Region),
    // What the service cannot do right now, perhaps after it has begun.
    ("Unavailable", Unavailable, Failed, Request),
    ("ServiceUnavailable", Unavailable, Failed, Request),
    ("ServiceException", Unavailable, Failed, Request),
    // What was asked.
    ("InvalidParameter", InvalidArgument, Final, Request),
    ("InvalidParameterCombination", InvalidArgument, Final, Request),
    ("InvalidParameterValue", InvalidArgument, Final, Request),
    ("InvalidParameterDependency", InvalidArgument, Final, Request),
    ("MissingParameter", InvalidArgument, Final, Request),
    ("UnknownParameter", InvalidArgument, Final, Request),
    ("ValidationError", InvalidArgument, Final, Request),
    ("ValidationException", InvalidArgument, Final, Request),
    ("IllegalArgumentException", InvalidArgument, Final, Request),
    ("InvalidNextToken", InvalidArgument, Final, Request),
    ("InvalidPaginationToken", InvalidArgument, Final, Request),
    ("InvalidPaginationTokenException", InvalidArgument, Final, Request),
    ("InvalidAvailabilityZone", InvalidArgument, Final, Request),
    ("InvalidUserData.Malformed", InvalidArgument, Final, Request),
    ("InvalidBlockDeviceMapping", InvalidArgument, Final, Request),
    ("InvalidKey.Format", InvalidArgument, Final, Request),
    ("InvalidKeyPair.Format", InvalidArgument, Final, Request),
    ("InvalidGroup.Reserved", InvalidArgument, Final, Request),
    ("InvalidVolume.ZoneMismatch", InvalidArgument, Final, Request),
    ("RequestResourceCountExceeded", InvalidArgument, Final, Request),
    ("InvalidAction", Unsupported, Final, Request),
];

/// What the hundreds of codes have in common that are made of a resource and what is wrong with it.
#[rustfmt::skip]
pub(super) const BY_ENDING: &[Row] = &[
    (".NotFound", NotFound, Final, Request),
    (".Duplicate", AlreadyExists, Final, Request),
    (".InUse", InvalidState, Final, Request),
    (".Malformed", InvalidArgument, Final, Request),
    ("LimitExceeded", QuotaExceeded, Final, Region),
    ("Capacity", NoCapacity, Final, Zone),
];

/// What a code means, if that is known.
pub(super) fn row(code: &str) -> Option<Row> {
    let exact = CODES.iter().find(|(name, ..)| *name == code).copied();
    let general = || {
        crate::error::codes::general(code)
            .map(|(name, kind, reason)| (*name, *kind, *reason, radius(*kind)))
    };
    let ending = || BY_ENDING.iter().find(|(ending, ..)| code.ends_with(ending)).copied();
    exact.or_else(general).or_else(ending)
}

/// How far trouble of a kind reaches where a code does not say.
fn radius(kind: ErrorKind) -> BlastRadius {
    polycloud_core::Error::new(kind).radius()
}
