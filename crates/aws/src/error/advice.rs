//! What to do about errors that people meet first.

use std::borrow::Cow;

use polycloud_core::ErrorKind;

use super::Details;

/// What helps against an error; empty where the kind says it all.
pub(super) fn advice(kind: ErrorKind, operation: &str, details: &Details<'_>) -> Cow<'static, str> {
    match (&*details.code, kind) {
        (_, ErrorKind::Config) => wrong_region(details),
        ("RequestTimeTooSkewed" | "RequestInTheFuture", _) => wrong_clock(details),
        ("InvalidAccessKeyId", _) => "there is no such access key: check AWS_ACCESS_KEY_ID or the \
             profile, and at a service other than Amazon's its endpoint"
            .into(),
        ("SignatureDoesNotMatch", _) => "the secret access key does not belong to the access key \
             ID, or a proxy changed the request"
            .into(),
        (_, ErrorKind::Unauthenticated) if is_expired(details) => {
            "the credentials expired: sign in again".into()
        }
        (_, ErrorKind::BucketNotFound) => {
            "create the bucket, or correct its name, region or endpoint".into()
        }
        (_, ErrorKind::PermissionDenied) => denied(operation),
        (_, ErrorKind::Archived) => {
            "restore the object first, or copy it from a class that can be read".into()
        }
        ("EntityTooSmall", _) => "all parts but the last have at least 5 MiB".into(),
        ("InvalidPart", _) => "a part was not uploaded, or has another ETag".into(),
        ("InvalidPartOrder", _) => "parts are completed in ascending order".into(),
        _ => "".into(),
    }
}

fn is_expired(details: &Details<'_>) -> bool {
    matches!(
        &*details.code,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired"
    )
}

fn wrong_region(details: &Details<'_>) -> Cow<'static, str> {
    let region = super::clipped(&details.region, 64);
    if region.is_empty() {
        return "the bucket is in another region, or the endpoint is not that of its region: set \
                region (AWS_REGION) to the bucket's"
            .into();
    }
    format!("the bucket is in the region {region}: set region={region} (AWS_REGION)").into()
}

fn wrong_clock(details: &Details<'_>) -> Cow<'static, str> {
    let time = super::clipped(&details.server_time, 40);
    if time.is_empty() {
        return "the clock of this machine is wrong".into();
    }
    format!("the clock of this machine is wrong: the server has {time}").into()
}

fn denied(operation: &str) -> Cow<'static, str> {
    match permissions(operation) {
        "" => "the credentials, or a policy of the bucket, do not allow this".into(),
        names => format!("the credentials need the permission {names}").into(),
    }
}

/// The IAM actions that an operation needs, as in `docs/providers/aws.md`.
fn permissions(operation: &str) -> &'static str {
    match operation {
        "get" | "head" => {
            "s3:GetObject (s3:GetObjectVersion for a version; with s3:ListBucket a missing \
             key is told as missing)"
        }
        "get_tags" => "s3:GetObjectTagging",
        "set_tags" => "s3:PutObjectTagging",
        "put" | "put_part" | "complete_upload" | "create_upload" | "upload" => "s3:PutObject",
        "abort_upload" => "s3:AbortMultipartUpload",
        "parts" => "s3:ListMultipartUploadParts",
        "uploads" => "s3:ListBucketMultipartUploads",
        "delete" | "delete_many" => "s3:DeleteObject (s3:DeleteObjectVersion for a version)",
        "list_page" => "s3:ListBucket (s3:ListBucketVersions for versions)",
        "copy" | "copy_part" => "s3:GetObject for the source and s3:PutObject for the target",
        "update" => "s3:GetObject and s3:PutObject",
        "create_bucket" => "s3:CreateBucket",
        "delete_bucket" => "s3:DeleteBucket",
        "head_bucket" => "s3:ListBucket",
        "list_buckets" => "s3:ListAllMyBuckets",
        "set_versioning" => "s3:PutBucketVersioning",
        "lifecycle" => "s3:GetLifecycleConfiguration",
        "set_lifecycle" => "s3:PutLifecycleConfiguration",
        _ => "",
    }
}
