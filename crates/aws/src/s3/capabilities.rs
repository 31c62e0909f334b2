//! What S3 can do, and what services that speak its protocol leave out.

use crate::config::Quirks;
use polycloud_core::capability::{Capabilities, Feature, Limits, Support};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
const TIB: u64 = 1024 * GIB;

/// The limits of S3 (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const LIMITS: Limits = limits();

const fn limits() -> Limits {
    let mut limits = Limits::NONE;
    limits.object_bytes = Some(5 * TIB);
    limits.put_bytes = Some(5 * GIB);
    limits.part_min_bytes = 5 * MIB;
    limits.part_max_bytes = Some(5 * GIB);
    limits.parts = 10_000;
    limits.list_page = 1_000;
    limits.metadata_bytes = Some(2 * 1024);
    limits.delete_batch = 1_000;
    limits
}

/// Amazon S3, or a service that leaves some of it out.
pub(crate) fn of(quirks: &Quirks) -> Capabilities {
    let Quirks {
        crc64nvme,
        etag_is_md5,
        conditional_put,
        conditional_copy,
        conditional_delete,
        versions,
        tags,
        ..
    } = *quirks;
    let missing: [(bool, &[Feature]); 7] = [
        (etag_is_md5, &[Feature::Md5]),
        (conditional_copy, &[Feature::CopyTargetCondition]),
        (crc64nvme, &[Feature::Crc64Nvme]),
        (conditional_put, &[Feature::WriteIfAbsent, Feature::WriteIfMatch]),
        (conditional_delete, &[Feature::DeleteIfExists, Feature::DeleteIfMatch]),
        (
            versions,
            &[
                Feature::ReadVersion,
                Feature::DeleteVersion,
                Feature::ListVersions,
                Feature::CopySourceVersion,
                Feature::BucketVersioning,
            ],
        ),
        (tags, &[Feature::Tags, Feature::UpdateTags]),
    ];
    missing
        .into_iter()
        .filter(|(has, _)| !has)
        .fold(S3, |capabilities, (_, features)| capabilities.with(Support::Unsupported, features))
}

/// Amazon S3.
const S3: Capabilities = Capabilities::NONE
    .with(
        Support::Native,
        &[
            Feature::RangeSuffix,
            Feature::ReadIfMatch,
            Feature::ReadIfNoneMatch,
            Feature::ReadIfDate,
            Feature::ReadVersion,
            Feature::WriteIfAbsent,
            Feature::WriteIfMatch,
            Feature::DeleteIfExists,
            Feature::DeleteIfMatch,
            Feature::DeleteVersion,
            Feature::CopySourceCondition,
            Feature::CopyTargetCondition,
            Feature::CopySourceVersion,
            Feature::CopyAcrossBuckets,
            Feature::Attributes,
            Feature::Metadata,
            Feature::Tags,
            Feature::StorageClass,
            Feature::UpdateTags,
            Feature::Crc32c,
            Feature::Crc64Nvme,
            Feature::Md5,
            Feature::Sha256,
            Feature::ListStartAfter,
            Feature::ListDelimiter,
            Feature::ListVersions,
            Feature::Multipart,
            Feature::MultipartCopy,
            Feature::SignedUrls,
            Feature::BucketVersioning,
            Feature::BucketLifecycle,
            Feature::BucketLocation,
        ],
    )
    .with(Support::Emulated, &[Feature::UpdateAttributes, Feature::UpdateStorageClass])
    .with_limits(LIMITS);
