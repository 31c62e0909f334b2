use polycloud_core::checksum::{Checksum, ChecksumAlgorithm};
use polycloud_core::object::UploadId;

use crate::s3::headers;

/// An upload's id as S3 has it, the checksum of its parts, which S3 wants to be the same for all, and the
/// one that the whole is expected to have. It is written as `id~algorithm=checksum`, without the checksum
/// if none is expected, and as the bare id for the usual algorithm.
pub(super) struct Upload<'a> {
    pub(super) id: &'a str,
    pub(super) checksum: Option<ChecksumAlgorithm>,
    pub(super) expected: Option<Checksum>,
}

const ALGORITHMS: [(&str, Option<ChecksumAlgorithm>); 5] = [
    ("crc64nvme", Some(ChecksumAlgorithm::Crc64Nvme)),
    ("crc32c", Some(ChecksumAlgorithm::Crc32c)),
    ("sha256", Some(ChecksumAlgorithm::Sha256)),
    ("md5", Some(ChecksumAlgorithm::Md5)),
    ("none", None),
];

impl<'a> Upload<'a> {
    pub(super) fn parse(upload: &'a UploadId, usual: Option<ChecksumAlgorithm>) -> Self {
        let text = upload.as_str();
        let split = text.rsplit_once('~').and_then(|(id, rest)| {
            let (name, expected) = rest.split_once('=').unwrap_or((rest, ""));
            let (_, checksum) = ALGORITHMS.iter().find(|(known, _)| *known == name)?;
            let expected = checksum.and_then(|it| headers::parse_checksum(it, expected));
            Some(Self { id, checksum: *checksum, expected })
        });
        split.unwrap_or(Self { id: text, checksum: usual, expected: None })
    }

    pub(super) fn write(
        id: &str,
        checksum: Option<ChecksumAlgorithm>,
        usual: Option<ChecksumAlgorithm>,
    ) -> UploadId {
        match ALGORITHMS.iter().find(|(_, known)| *known == checksum) {
            Some((name, _)) if checksum != usual => UploadId::new(format!("{id}~{name}")),
            _ => UploadId::new(id),
        }
    }

    pub(super) fn expecting(id: &str, checksum: &Checksum) -> UploadId {
        let algorithm = Some(checksum.algorithm());
        let name = ALGORITHMS.iter().find(|(_, known)| *known == algorithm).map_or("", |it| it.0);
        UploadId::new(format!("{id}~{name}={}", headers::checksum_text(checksum)))
    }
}

/// The name that S3 has for a checksum of an upload; it has none for MD5.
pub(super) fn algorithm_name(algorithm: ChecksumAlgorithm) -> Option<&'static str> {
    match algorithm {
        ChecksumAlgorithm::Crc32c => Some("CRC32C"),
        ChecksumAlgorithm::Crc64Nvme => Some("CRC64NVME"),
        ChecksumAlgorithm::Sha256 => Some("SHA256"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_the_checksum_of_its_parts() {
        let usual = Some(ChecksumAlgorithm::Crc64Nvme);
        for checksum in [usual, Some(ChecksumAlgorithm::Crc32c), Some(ChecksumAlgorithm::Md5), None]
        {
            let id = Upload::write("2~abc.x", checksum, usual);
            let upload = Upload::parse(&id, usual);
            assert_eq!((upload.id, upload.checksum), ("2~abc.x", checksum), "{id}");
            assert_eq!(upload.expected, None);
        }
        for expected in [ChecksumAlgorithm::Crc64Nvme.of(b"x"), ChecksumAlgorithm::Crc32c.of(b"x")]
        {
            let id = Upload::expecting("2~abc.x", &expected);
            let upload = Upload::parse(&id, usual);
            assert_eq!((upload.id, upload.expected), ("2~abc.x", Some(expected)), "{id}");
        }
    }
}
