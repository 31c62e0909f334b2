//! Checksums of object content.

use std::fmt;

use crc_fast::CrcAlgorithm;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::capability::Feature;
use crate::error::{Error, ErrorKind, Result};

/// A way to compute a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// CRC-32C (Castagnoli, RFC 3720).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// MD5 (RFC 1321): detects accidents, not attacks.
    Md5,
    /// SHA-256 (FIPS 180-4).
    Sha256,
}

impl ChecksumAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Crc32c, Self::Crc64Nvme, Self::Md5, Self::Sha256];

    /// The feature that a backend needs for it.
    #[must_use]
    pub fn feature(self) -> Feature {
        match self {
            Self::Crc32c => Feature::Crc32c,
            Self::Crc64Nvme => Feature::Crc64Nvme,
            Self::Md5 => Feature::Md5,
            Self::Sha256 => Feature::Sha256,
        }
    }

    /// Starts a computation.
    #[must_use]
    pub fn hasher(self) -> Hasher {
        Hasher(match self {
            Self::Crc32c => State::Crc(self, crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi)),
            Self::Crc64Nvme => State::Crc(self, crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme)),
            Self::Md5 => State::Md5(Md5::new()),
            Self::Sha256 => State::Sha256(Sha256::new()),
        })
    }

    /// The checksum of `data`.
    #[must_use]
    pub fn of(self, data: &[u8]) -> Checksum {
        let mut hasher = self.hasher();
        hasher.update(data);
        hasher.finish()
    }
}

/// A checksum that is being computed.
#[derive(Debug, Clone)]
pub struct Hasher(State);

#[derive(Debug, Clone)]
enum State {
    Crc(ChecksumAlgorithm, crc_fast::Digest),
    Md5(Md5),
    Sha256(Sha256),
}

impl Hasher {
    /// Adds data.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Crc(_, digest) => digest.update(data),
            State::Md5(digest) => digest.update(data),
            State::Sha256(digest) => digest.update(data),
        }
    }

    /// The checksum of all data added.
    #[must_use]
    pub fn finish(self) -> Checksum {
        match self.0 {
            State::Crc(ChecksumAlgorithm::Crc32c, digest) => {
                // A 32-bit CRC fills the low half of the 64-bit register.
                Checksum::Crc32c(u32::try_from(digest.finalize() & 0xffff_ffff).unwrap_or(0))
            }
            State::Crc(_, digest) => Checksum::Crc64Nvme(digest.finalize()),
            State::Md5(digest) => Checksum::Md5(digest.finalize().into()),
            State::Sha256(digest) => Checksum::Sha256(digest.finalize().into()),
        }
    }
}

/// The checksum of some content. `Display` prints it as `algorithm:hex`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Checksum {
    /// CRC-32C.
    Crc32c(u32),
    /// CRC-64/NVME.
    Crc64Nvme(u64),
    /// MD5.
    Md5([u8; 16]),
    /// SHA-256.
    Sha256([u8; 32]),
}

impl Checksum {
    /// How it was computed.
    #[must_use]
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        match self {
            Self::Crc32c(_) => ChecksumAlgorithm::Crc32c,
            Self::Crc64Nvme(_) => ChecksumAlgorithm::Crc64Nvme,
            Self::Md5(_) => ChecksumAlgorithm::Md5,
            Self::Sha256(_) => ChecksumAlgorithm::Sha256,
        }
    }

    /// Fails unless `actual` is the same checksum.
    ///
    /// # Errors
    /// [`ChecksumMismatch`](ErrorKind::ChecksumMismatch), naming both.
    pub fn verify(&self, actual: &Self) -> Result<()> {
        if self == actual {
            return Ok(());
        }
        Err(Error::new(ErrorKind::ChecksumMismatch)
            .with_message(format!("expected {self}, got {actual}")))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]| {
            write!(f, "{name}:")?;
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        };
        match self {
            Self::Crc32c(crc) => hex(f, "crc32c", &crc.to_be_bytes()),
            Self::Crc64Nvme(crc) => hex(f, "crc64nvme", &crc.to_be_bytes()),
            Self::Md5(digest) => hex(f, "md5", digest),
            Self::Sha256(digest) => hex(f, "sha256", digest),
        }
    }
}

/// The checksums that a provider holds for an object: at most one per algorithm, cheapest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChecksumSet(Vec<Checksum>);

impl ChecksumSet {
    /// No checksums.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a checksum, in place of one of the same algorithm.
    pub fn insert(&mut self, checksum: Checksum) {
        self.0.retain(|have| have.algorithm() != checksum.algorithm());
        let at = self.0.partition_point(|have| have.algorithm() < checksum.algorithm());
        self.0.insert(at, checksum);
    }

    /// The checksum by this algorithm.
    #[must_use]
    pub fn get(&self, algorithm: ChecksumAlgorithm) -> Option<Checksum> {
        self.iter().find(|checksum| checksum.algorithm() == algorithm)
    }

    /// The one that is cheapest to verify.
    #[must_use]
    pub fn cheapest(&self) -> Option<Checksum> {
        self.0.first().copied()
    }

    /// All of them, cheapest first.
    pub fn iter(&self) -> impl Iterator<Item = Checksum> + '_ {
        self.0.iter().copied()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<Checksum> for ChecksumSet {
    fn extend<I: IntoIterator<Item = Checksum>>(&mut self, checksums: I) {
        checksums.into_iter().for_each(|checksum| self.insert(checksum));
    }
}

impl FromIterator<Checksum> for ChecksumSet {
    fn from_iter<I: IntoIterator<Item = Checksum>>(checksums: I) -> Self {
        let mut set = Self::new();
        set.extend(checksums);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the CRC catalogue, RFC 1321 and FIPS 180-4.
    #[test]
    fn official_check_values() {
        let cases = [
            (ChecksumAlgorithm::Crc32c, &b"123456789"[..], "crc32c:e3069283"),
            (ChecksumAlgorithm::Crc64Nvme, b"123456789", "crc64nvme:ae8b14860a799888"),
            (ChecksumAlgorithm::Md5, b"abc", "md5:900150983cd24fb0d6963f7d28e17f72"),
            (
                ChecksumAlgorithm::Sha256,
                b"abc",
                "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ];
        for (algorithm, data, expected) in cases {
            assert_eq!(algorithm.of(data).to_string(), expected);
        }
    }

    #[test]
    fn a_set_holds_one_of_each_and_verifies() {
        let set: ChecksumSet = ChecksumAlgorithm::ALL
            .into_iter()
            .rev()
            .chain(ChecksumAlgorithm::ALL)
            .map(|algorithm| algorithm.of(b"x"))
            .collect();
        assert_eq!(set.iter().count(), 4);
        assert_eq!(set.cheapest().unwrap().algorithm(), ChecksumAlgorithm::Crc32c);
        let md5 = set.get(ChecksumAlgorithm::Md5).unwrap();
        assert!(md5.verify(&ChecksumAlgorithm::Md5.of(b"x")).is_ok());
        let error = md5.verify(&ChecksumAlgorithm::Md5.of(b"y")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    }
}
