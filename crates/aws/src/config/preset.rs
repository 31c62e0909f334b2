use polycloud_core::checksum::ChecksumAlgorithm;
use serde::{Deserialize, Serialize};

/// A service that speaks the protocol of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Preset {
    /// Amazon S3, and servers that do all that it does.
    Aws,
    /// Ceph's RADOS Gateway.
    Ceph,
    /// A service of which nothing is known: what not all of them do is not done.
    Generic,
    /// LocalStack.
    Localstack,
    /// MinIO.
    Minio,
    /// Cloudflare R2.
    R2,
}

/// What differs between services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quirks {
    /// Whether the bucket is in the path by default, and not in the host.
    pub(crate) path_style: bool,
    /// Whether a bucket is told its region when it is created, except in the first one, where creating
    /// one's own bucket again succeeds.
    pub(crate) classic_region: bool,
    /// The region to sign for, if none is named.
    pub(crate) region: Option<&'static str>,
    /// The checksum that is sent along with content by default.
    pub(crate) checksum: Option<ChecksumAlgorithm>,
    /// Whether CRC-64/NVME is known.
    pub(crate) crc64nvme: bool,
    /// Whether listings encode keys on request.
    pub(crate) encoding_type: bool,
    /// Whether `If-None-Match` and `If-Match` hold for writes, uploads too.
    pub(crate) conditional_put: bool,
    /// Whether `If-None-Match` and `If-Match` hold for the target of a copy.
    pub(crate) conditional_copy: bool,
    /// Whether `If-Match` holds for deletes.
    pub(crate) conditional_delete: bool,
    /// Whether the ETag of what was written by one put, unless it is encrypted by a key of one's own, is
    /// its MD5.
    pub(crate) etag_is_md5: bool,
    /// Whether buckets can keep versions.
    pub(crate) versions: bool,
    /// Whether objects have tags.
    pub(crate) tags: bool,
}

const AWS: Quirks = Quirks {
    path_style: false,
    classic_region: true,
    region: None,
    checksum: Some(ChecksumAlgorithm::Crc64Nvme),
    crc64nvme: true,
    encoding_type: true,
    conditional_put: true,
    conditional_copy: true,
    conditional_delete: true,
    etag_is_md5: true,
    versions: true,
    tags: true,
};

/// Most others: told by region `us-east-1`, with the bucket in the path.
const OTHER: Quirks = Quirks {
    path_style: true,
    classic_region: false,
    region: Some("us-east-1"),
    checksum: Some(ChecksumAlgorithm::Crc32c),
    crc64nvme: false,
    conditional_copy: false,
    conditional_delete: false,
    ..AWS
};

/// One row for each service.
const QUIRKS: [(Preset, Quirks); 6] = [
    (Preset::Aws, AWS),
    (Preset::Ceph, OTHER),
    (
        Preset::Generic,
        Quirks {
            checksum: None,
            conditional_put: false,
            etag_is_md5: false,
            versions: false,
            tags: false,
            ..OTHER
        },
    ),
    (
        Preset::Localstack,
        Quirks {
            checksum: Some(ChecksumAlgorithm::Crc64Nvme),
            crc64nvme: true,
            conditional_copy: true,
            ..OTHER
        },
    ),
    (Preset::Minio, OTHER),
    (Preset::R2, Quirks { region: Some("auto"), versions: false, tags: false, ..OTHER }),
];

impl Preset {
    /// How the service differs.
    pub(crate) fn quirks(self) -> Quirks {
        QUIRKS.iter().find(|(preset, _)| *preset == self).map_or(AWS, |(_, quirks)| *quirks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_one_row() {
        for (n, (preset, quirks)) in QUIRKS.iter().enumerate() {
            assert!(QUIRKS.iter().skip(n + 1).all(|(other, _)| other != preset), "{preset:?}");
            assert_eq!(preset.quirks(), *quirks);
            let checksum = quirks.checksum;
            assert!(quirks.crc64nvme || checksum != Some(ChecksumAlgorithm::Crc64Nvme));
        }
    }

    #[test]
    fn nothing_is_taken_for_granted_of_a_service_that_is_not_known() {
        let quirks = Preset::Generic.quirks();
        assert!(!quirks.conditional_put && !quirks.conditional_copy && !quirks.conditional_delete);
        assert!(!quirks.versions && !quirks.tags && quirks.checksum.is_none());
    }
}
