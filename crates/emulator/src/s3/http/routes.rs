//! Which operation a request means.

use http::Method;

use super::context::Context;
use crate::s3::state::error::{Result, S3Error};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetLocation,
    GetVersioning,
    PutVersioning,
    GetLifecycle,
    PutLifecycle,
    DeleteLifecycle,
    GetBucketTagging,
    PutBucketTagging,
    DeleteBucketTagging,
    GetPolicy,
    PutPolicy,
    DeletePolicy,
    GetPolicyStatus,
    GetPublicAccess,
    PutPublicAccess,
    DeletePublicAccess,
    /// A configuration that cannot be changed here.
    GetFixed(&'static str),
    PutBucketAcl,
    ListObjects,
    ListObjectsV2,
    ListVersions,
    ListUploads,
    DeleteObjects,
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    DeleteObject,
    GetTagging,
    PutTagging,
    DeleteTagging,
    GetAttributes,
    GetObjectAcl,
    PutObjectAcl,
    GetLock(&'static str),
    Restore,
    CreateUpload,
    UploadPart,
    UploadPartCopy,
    CompleteUpload,
    AbortUpload,
    ListParts,
}

/// Configurations of a bucket with one answer for all.
const FIXED: [&str; 11] = [
    "acl",
    "cors",
    "website",
    "replication",
    "object-lock",
    "encryption",
    "ownershipControls",
    "requestPayment",
    "logging",
    "notification",
    "accelerate",
];

/// Configurations of a bucket that are not kept. Without this list a request to delete one of them would
/// be one to delete the bucket.
const UNKNOWN_OF_BUCKETS: [&str; 9] = [
    "abac",
    "analytics",
    "intelligent-tiering",
    "inventory",
    "metadataConfiguration",
    "metadataTable",
    "metrics",
    "object-ownership",
    "session",
];

/// What is asked of objects and not done, or done only by the methods that are looked at before.
const UNKNOWN_OF_OBJECTS: [&str; 8] =
    ["acl", "attributes", "encryption", "renameObject", "restore", "select", "torrent", "uploads"];

impl Operation {
    /// The permission that it needs.
    pub(super) const fn action(self, version: bool) -> &'static str {
        match self {
            Self::ListBuckets => "s3:ListAllMyBuckets",
            Self::CreateBucket => "s3:CreateBucket",
            Self::HeadBucket | Self::ListObjects | Self::ListObjectsV2 => "s3:ListBucket",
            Self::DeleteBucket => "s3:DeleteBucket",
            Self::GetLocation => "s3:GetBucketLocation",
            Self::GetVersioning => "s3:GetBucketVersioning",
            Self::PutVersioning => "s3:PutBucketVersioning",
            Self::GetLifecycle => "s3:GetLifecycleConfiguration",
            Self::PutLifecycle | Self::DeleteLifecycle => "s3:PutLifecycleConfiguration",
            Self::GetBucketTagging => "s3:GetBucketTagging",
            Self::PutBucketTagging | Self::DeleteBucketTagging => "s3:PutBucketTagging",
            Self::GetPolicy => "s3:GetBucketPolicy",
            Self::PutPolicy => "s3:PutBucketPolicy",
            Self::DeletePolicy => "s3:DeleteBucketPolicy",
            Self::GetPolicyStatus => "s3:GetBucketPolicyStatus",
            Self::GetPublicAccess => "s3:GetBucketPublicAccessBlock",
            Self::PutPublicAccess | Self::DeletePublicAccess => "s3:PutBucketPublicAccessBlock",
            Self::GetFixed(_) => "s3:GetBucketAcl",
            Self::PutBucketAcl => "s3:PutBucketAcl",
            Self::ListVersions => "s3:ListBucketVersions",
            Self::ListUploads => "s3:ListBucketMultipartUploads",
            Self::GetObject | Self::HeadObject if version => "s3:GetObjectVersion",
            Self::GetObject | Self::HeadObject | Self::GetAttributes => "s3:GetObject",
            Self::PutObject
            | Self::CopyObject
            | Self::CreateUpload
            | Self::UploadPart
            | Self::UploadPartCopy
            | Self::CompleteUpload => "s3:PutObject",
            Self::DeleteObject if version => "s3:DeleteObjectVersion",
            Self::DeleteObject | Self::DeleteObjects => "s3:DeleteObject",
            Self::GetTagging => "s3:GetObjectTagging",
            Self::PutTagging => "s3:PutObjectTagging",
            Self::DeleteTagging => "s3:DeleteObjectTagging",
            Self::GetObjectAcl => "s3:GetObjectAcl",
            Self::PutObjectAcl => "s3:PutObjectAcl",
            Self::GetLock(_) => "s3:GetObjectRetention",
            Self::Restore => "s3:RestoreObject",
            Self::AbortUpload => "s3:AbortMultipartUpload",
            Self::ListParts => "s3:ListMultipartUploadParts",
        }
    }
}

/// Finds the operation of a request.
pub(super) fn route(context: &Context<'_>) -> Result<Operation> {
    let method = &context.request.method;
    if *method == Method::OPTIONS && context.request.bucket.is_some() {
        let message = "CORSResponse: CORS is not enabled for this bucket.";
        return Err(S3Error::new("AccessForbidden", message));
    }
    let found = match (&context.request.bucket, &context.request.key) {
        (None, _) => (*method == Method::GET).then_some(Operation::ListBuckets),
        (Some(_), None) => bucket(context, method)?,
        (Some(_), Some(_)) => object(context, method)?,
    };
    found.ok_or_else(|| {
        let kind = if context.request.key.is_some() { "OBJECT" } else { "BUCKET" };
        let kind = if context.request.bucket.is_some() { kind } else { "SERVICE" };
        let message = "The specified method is not allowed against this resource.";
        S3Error::new("MethodNotAllowed", message)
            .with("Method", method.as_str())
            .with("ResourceType", kind)
    })
}

/// The configurations that can be changed: none if the request means no such, the inner none if it cannot
/// be done to it.
fn configuration(context: &Context<'_>, method: &Method) -> Option<Option<Operation>> {
    use Operation as Op;
    let of = |name: &str, get, put, delete| {
        context.query(name).map(|_| match *method {
            Method::GET => Some(get),
            Method::PUT => put,
            Method::DELETE => delete,
            _ => None,
        })
    };
    let all = [
        of("location", Op::GetLocation, None, None),
        of("versioning", Op::GetVersioning, Some(Op::PutVersioning), None),
        of("lifecycle", Op::GetLifecycle, Some(Op::PutLifecycle), Some(Op::DeleteLifecycle)),
        of(
            "tagging",
            Op::GetBucketTagging,
            Some(Op::PutBucketTagging),
            Some(Op::DeleteBucketTagging),
        ),
        of("policy", Op::GetPolicy, Some(Op::PutPolicy), Some(Op::DeletePolicy)),
        of("policyStatus", Op::GetPolicyStatus, None, None),
        of(
            "publicAccessBlock",
            Op::GetPublicAccess,
            Some(Op::PutPublicAccess),
            Some(Op::DeletePublicAccess),
        ),
    ];
    all.into_iter().flatten().next()
}

fn bucket(context: &Context<'_>, method: &Method) -> Result<Option<Operation>> {
    use Operation as Op;
    let has = |name: &str| context.query(name).is_some();
    if let Some(found) = configuration(context, method) {
        return Ok(found);
    }
    if let Some(name) = FIXED.into_iter().find(|name| has(name)) {
        return match *method {
            Method::GET => Ok(Some(Op::GetFixed(name))),
            Method::PUT if name == "acl" => Ok(Some(Op::PutBucketAcl)),
            _ => Err(S3Error::not_implemented(name)),
        };
    }
    if let Some(name) = UNKNOWN_OF_BUCKETS.into_iter().find(|name| has(name)) {
        return Err(S3Error::not_implemented(name));
    }
    Ok(match *method {
        Method::GET if has("versions") => Some(Op::ListVersions),
        Method::GET if has("uploads") => Some(Op::ListUploads),
        Method::GET => match context.query("list-type") {
            Some("2") => Some(Op::ListObjectsV2),
            None | Some("1" | "") => Some(Op::ListObjects),
            Some(other) => {
                let message = "Invalid List Type specified in Request";
                return Err(S3Error::invalid_argument(message, "list-type", other));
            }
        },
        Method::HEAD => Some(Op::HeadBucket),
        Method::PUT => Some(Op::CreateBucket),
        Method::DELETE => Some(Op::DeleteBucket),
        Method::POST if has("delete") => Some(Op::DeleteObjects),
        _ => None,
    })
}

fn object(context: &Context<'_>, method: &Method) -> Result<Option<Operation>> {
    use Operation as Op;
    let has = |name: &str| context.query(name).is_some();
    let copies = context.header("x-amz-copy-source").is_some();
    let uploads = context.query("uploadId").is_some();
    for name in ["retention", "legal-hold"] {
        if has(name) {
            return Ok(Some(Op::GetLock(name)));
        }
    }
    let found = match *method {
        Method::GET if has("tagging") => Some(Op::GetTagging),
        Method::GET if has("acl") => Some(Op::GetObjectAcl),
        Method::GET if has("attributes") => Some(Op::GetAttributes),
        Method::GET if uploads => Some(Op::ListParts),
        Method::PUT if has("tagging") => Some(Op::PutTagging),
        Method::PUT if has("acl") => Some(Op::PutObjectAcl),
        Method::PUT if uploads && copies => Some(Op::UploadPartCopy),
        Method::PUT if uploads => Some(Op::UploadPart),
        Method::POST if has("uploads") => Some(Op::CreateUpload),
        Method::POST if uploads => Some(Op::CompleteUpload),
        Method::POST if has("restore") => Some(Op::Restore),
        Method::DELETE if has("tagging") => Some(Op::DeleteTagging),
        Method::DELETE if uploads => Some(Op::AbortUpload),
        _ => None,
    };
    if found.is_some() {
        return Ok(found);
    }
    if let Some(name) = UNKNOWN_OF_OBJECTS.into_iter().find(|name| has(name)) {
        return Err(S3Error::not_implemented(name));
    }
    Ok(match *method {
        Method::GET => Some(Op::GetObject),
        Method::HEAD => Some(Op::HeadObject),
        Method::PUT if copies => Some(Op::CopyObject),
        Method::PUT => Some(Op::PutObject),
        Method::DELETE => Some(Op::DeleteObject),
        _ => None,
    })
}
