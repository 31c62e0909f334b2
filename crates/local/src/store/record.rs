//! Attributes, tags and checksums of an object, in an extended attribute of its file.

use std::os::fd::AsFd;

use polycloud_core::checksum::ChecksumSet;
use polycloud_core::object::{Attributes, Tags, VersionId};
use polycloud_core::{Error, ErrorKind, Result};
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::root::failed;

const NAME: &str = "user.polycloud";

/// Largest record. ext4 keeps the extended attributes of a file in one block of 4 KiB, their names included.
pub(super) const MAX_BYTES: usize = 4_000;

/// What an object has besides its content. Most have nothing, and no extended attribute then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(rename = "a", default, skip_serializing_if = "Attributes::is_empty")]
    pub(super) attributes: Attributes,
    #[serde(rename = "t", default, skip_serializing_if = "Tags::is_empty")]
    pub(super) tags: Tags,
    #[serde(rename = "c", default, skip_serializing_if = "ChecksumSet::is_empty")]
    pub(super) checksums: ChecksumSet,
    /// The modification time that the checksums belong to, in nanoseconds: if the file has another one
    /// it was edited by another tool.
    #[serde(rename = "m", default, skip_serializing_if = "is_zero")]
    pub(super) stamp: u64,
    /// The version, once an update in place has given the file another modification time.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<VersionId>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Record {
    pub(super) fn is_empty(&self) -> bool {
        let Self { attributes, tags, checksums, stamp: _, version } = self;
        attributes.is_empty() && tags.is_empty() && checksums.is_empty() && version.is_none()
    }

    /// The bytes to store.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| Error::new(ErrorKind::Internal).with_source(error))?;
        if bytes.len() > MAX_BYTES {
            return Err(Error::invalid(format!(
                "attributes, metadata and tags take {} bytes together, the store has room for {MAX_BYTES}",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// Reads the record of a file; an empty one if there is none, or none that this library wrote.
    pub(super) fn read(file: impl AsFd) -> Result<Self> {
        let mut buffer = [0; MAX_BYTES];
        match rustix::fs::fgetxattr(file, NAME, &mut buffer) {
            Ok(len) => {
                let bytes = buffer.get(..len).unwrap_or_default();
                Ok(serde_json::from_slice(bytes).unwrap_or_default())
            }
            Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(Self::default()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Stores an encoded record, in place of the one before.
pub(super) fn write(file: impl AsFd, encoded: &[u8]) -> Result<()> {
    rustix::fs::fsetxattr(file, NAME, encoded, XattrFlags::empty()).map_err(|error| match error {
        Errno::NOTSUP => Error::new(ErrorKind::Unsupported)
            .with_message("this file system has no extended attributes, which keep metadata"),
        error => failed(error),
    })
}
