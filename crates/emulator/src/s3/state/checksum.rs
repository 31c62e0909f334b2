//! Checksums of contents: what clients send with uploads and read back with downloads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::error::{Result, S3Error};

/// An algorithm of the headers `x-amz-checksum-…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// As in `x-amz-checksum-algorithm`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The XML element of a value.
    pub(crate) const fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    pub(crate) fn digest(self, content: &[u8]) -> Vec<u8> {
        let crc = |algorithm| crc_fast::checksum(algorithm, content).to_be_bytes();
        match self {
            Self::Crc32 => low_half(crc(CrcAlgorithm::Crc32IsoHdlc)),
            Self::Crc32c => low_half(crc(CrcAlgorithm::Crc32Iscsi)),
            Self::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme).to_vec(),
            Self::Sha1 => Sha1::digest(content).to_vec(),
            Self::Sha256 => Sha256::digest(content).to_vec(),
        }
    }

    pub(crate) fn encoded(self, content: &[u8]) -> String {
        STANDARD.encode(self.digest(content))
    }

    /// Whether the whole object can be described by one checksum of its parts.
    pub(crate) const fn combines(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }
}

fn low_half(bytes: [u8; 8]) -> Vec<u8> {
    bytes.into_iter().skip(4).collect()
}

/// Over what the checksum of an object goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChecksumKind {
    FullObject,
    /// Over the checksums of the parts.
    Composite,
}

impl ChecksumKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::FullObject, Self::Composite].into_iter().find(|kind| kind.name() == name)
    }
}

/// The checksum of an object or of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: ChecksumKind,
    /// In base64; of a composite checksum with the number of parts.
    pub(crate) value: String,
}

impl Checksum {
    /// Computes it.
    pub(crate) fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let value = algorithm.encoded(content);
        Self { algorithm, kind: ChecksumKind::FullObject, value }
    }

    /// Takes the value of a client for a content that really has it.
    pub(crate) fn verified(algorithm: Algorithm, value: &str, content: &[u8]) -> Result<Self> {
        check_form(algorithm, value)?;
        let checksum = Self::of(algorithm, content);
        if checksum.value == value {
            return Ok(checksum);
        }
        Err(mismatch(algorithm))
    }

    /// The checksum over the checksums of parts.
    pub(crate) fn composite<'a>(
        algorithm: Algorithm,
        parts: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut count = 0_usize;
        let mut all = Vec::new();
        for part in parts {
            all.extend(STANDARD.decode(part).unwrap_or_default());
            count += 1;
        }
        let value = format!("{}-{count}", algorithm.encoded(&all));
        Self { algorithm, kind: ChecksumKind::Composite, value }
    }
}

pub(crate) fn mismatch(algorithm: Algorithm) -> S3Error {
    let name = algorithm.name();
    S3Error::new(
        "BadDigest",
        format!("The {name} you specified did not match the calculated checksum."),
    )
}

/// Checks that a value is base64 of as many bytes as the algorithm makes.
pub(crate) fn check_form(algorithm: Algorithm, value: &str) -> Result<()> {
    match STANDARD.decode(value) {
        Ok(bytes) if bytes.len() == algorithm.size() => Ok(()),
        _ => {
            let header = algorithm.header();
            Err(S3Error::invalid_request(format!("Value for {header} header is invalid.")))
        }
    }
}

/// Checks `Content-MD5`.
pub(crate) fn verify_md5(value: &str, content: &[u8]) -> Result<()> {
    let expected = STANDARD.decode(value).ok().filter(|bytes| bytes.len() == 16);
    let Some(expected) = expected else {
        let message = "The Content-MD5 you specified was invalid.";
        return Err(S3Error::new("InvalidDigest", message).with("Content-MD5", value));
    };
    let calculated = Md5::digest(content);
    if calculated.as_slice() == expected.as_slice() {
        return Ok(());
    }
    let message = "The Content-MD5 you specified did not match what we received.";
    Err(S3Error::new("BadDigest", message)
        .with("ExpectedDigest", value)
        .with("CalculatedDigest", STANDARD.encode(calculated)))
}

/// The ETag of a content, without quotes.
pub(crate) fn etag(content: &[u8]) -> String {
    hex(&Md5::digest(content))
}

/// The ETag of an object made of parts with these ETags, without quotes.
pub(crate) fn etag_of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Md5::new();
    let mut count = 0_usize;
    for part in parts {
        hash.update(unhex(part));
        count += 1;
    }
    format!("{}-{count}", hex(&hash.finalize()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.chars().filter_map(|digit| digit.to_digit(16)).collect::<Vec<_>>();
    let pairs = digits.chunks_exact(2);
    pairs
        .filter_map(|pair| u8::try_from(pair.iter().fold(0, |all, digit| all * 16 + digit)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let of = |algorithm: Algorithm| algorithm.encoded(b"123456789");
        assert_eq!(of(Algorithm::Crc32), "y/Q5Jg==");
        assert_eq!(of(Algorithm::Crc32c), "4waSgw==");
        assert_eq!(of(Algorithm::Crc64Nvme), "rosUhgp5mIg=");
        assert_eq!(of(Algorithm::Sha1), "98O8HYCOBHMq32eZZczDTKeuNEE=");
        assert_eq!(of(Algorithm::Sha256), "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=");
        assert_eq!(etag(b""), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn parts_make_an_etag_and_a_checksum() {
        let parts = [etag(b"a"), etag(b"b")];
        let both = [unhex(&parts[0]), unhex(&parts[1])].concat();
        let whole = etag_of_parts(parts.iter().map(String::as_str));
        assert_eq!(whole, format!("{}-2", etag(&both)));
        let sums = [Algorithm::Crc32.encoded(b"a"), Algorithm::Crc32.encoded(b"b")];
        let both = [Algorithm::Crc32.digest(b"a"), Algorithm::Crc32.digest(b"b")].concat();
        let whole = Checksum::composite(Algorithm::Crc32, sums.iter().map(String::as_str));
        assert_eq!(whole.value, format!("{}-2", Algorithm::Crc32.encoded(&both)));
    }

    #[test]
    fn digests_are_checked() {
        assert!(verify_md5("1B2M2Y8AsgTpgAmY7PhCfg==", b"").is_ok());
        assert_eq!(verify_md5("1B2M2Y8AsgTpgAmY7PhCfg==", b"x").unwrap_err().code, "BadDigest");
        assert_eq!(verify_md5("short", b"").unwrap_err().code, "InvalidDigest");
        let error = Checksum::verified(Algorithm::Crc32, "AAAA", b"").unwrap_err();
        assert_eq!(error.code, "InvalidRequest");
        let error = Checksum::verified(Algorithm::Crc32, "y/Q5Jg==", b"x").unwrap_err();
        assert_eq!(error.code, "BadDigest");
    }
}
