//! Objects, their versions and what they consist of.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::checksum::{Checksum, hex};

/// Bodies up to this size are copied out of the buffer in which they arrived, so that a small object
/// does not hold a large buffer.
const COPY_UP_TO: usize = 128 * 1024;

/// Immutable bytes, shared between copies of an object.
#[derive(Clone, Default)]
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    digest: Arc<OnceLock<String>>,
}

impl Content {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let bytes = if bytes.len() <= COPY_UP_TO { Bytes::copy_from_slice(&bytes) } else { bytes };
        Self { bytes, digest: Arc::default() }
    }

    /// A part of it, without a copy.
    pub(crate) fn slice(&self, range: std::ops::Range<usize>) -> Self {
        Self { bytes: self.bytes.slice(range), digest: Arc::default() }
    }

    /// What a stored description names; its bytes are set when the file was read.
    pub(crate) fn stored(digest: String) -> Self {
        Self { bytes: Bytes::new(), digest: Arc::new(OnceLock::from(digest)) }
    }

    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    /// SHA-256 in hex, the name of its file; computed once.
    pub(crate) fn digest(&self) -> &str {
        self.digest.get_or_init(|| hex(&Sha256::digest(&self.bytes)))
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.bytes.len())
    }
}

/// Headers that are stored with an object and come back with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Headers {
    /// `content-type` and its kin, names in lower case.
    pub(crate) system: Vec<(String, String)>,
    /// User metadata: names in lower case without `x-amz-meta-`.
    pub(crate) metadata: Vec<(String, String)>,
}

/// A tag of an object or of a bucket.
pub(crate) type Tag = (String, String);

/// Where S3 keeps an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StorageClass {
    #[default]
    Standard,
    ReducedRedundancy,
    StandardIa,
    OnezoneIa,
    IntelligentTiering,
    Glacier,
    DeepArchive,
    GlacierIr,
}

impl StorageClass {
    const ALL: [Self; 8] = [
        Self::Standard,
        Self::ReducedRedundancy,
        Self::StandardIa,
        Self::OnezoneIa,
        Self::IntelligentTiering,
        Self::Glacier,
        Self::DeepArchive,
        Self::GlacierIr,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::ReducedRedundancy => "REDUCED_REDUNDANCY",
            Self::StandardIa => "STANDARD_IA",
            Self::OnezoneIa => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
            Self::GlacierIr => "GLACIER_IR",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether an object has to be restored before it can be read.
    pub(crate) const fn is_archive(self) -> bool {
        matches!(self, Self::Glacier | Self::DeepArchive)
    }
}

/// A part of an object that was uploaded in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectPart {
    pub(crate) number: u16,
    pub(crate) size: u64,
    pub(crate) checksum: Option<Checksum>,
}

/// The content of a version and all that belongs to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) content: Content,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) headers: Headers,
    pub(crate) tags: Vec<Tag>,
    pub(crate) storage_class: StorageClass,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) parts: Vec<ObjectPart>,
    /// Seconds since 1970 until which an archived object can be read.
    pub(crate) restored_until: Option<u64>,
}

/// One version of a key: an object or a delete marker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Its place in the order of all events; tells it from other versions.
    pub(crate) number: u64,
    /// Whether it was written while versioning was not enabled.
    pub(crate) null: bool,
    /// Seconds since 1970: S3 keeps no finer time.
    pub(crate) modified: u64,
    /// None: a delete marker.
    pub(crate) object: Option<Box<Object>>,
}

/// Which version a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionRef {
    Null,
    Number(u64),
}

impl Version {
    pub(crate) const fn is(&self, wanted: VersionRef) -> bool {
        match wanted {
            VersionRef::Null => self.null,
            VersionRef::Number(number) => !self.null && self.number == number,
        }
    }
}
