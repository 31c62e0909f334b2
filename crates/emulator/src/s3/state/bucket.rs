//! A bucket: its configuration and its versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checksum::Checksum;
use super::error::{Result, S3Error};
use super::lifecycle::Lifecycle;
use super::object::{Object, Tag, Version, VersionRef};
use super::policy::{Policy, PublicAccessBlock};
use super::uploads::{Completed, Upload};

/// Whether new writes keep the old versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    Enabled,
    Suspended,
}

impl Versioning {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Suspended => "Suspended",
        }
    }
}

/// What is known of a stored object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) etag: String,
    pub(crate) checksum: Option<Checksum>,
    /// Of a bucket with versioning enabled.
    pub(crate) version_id: Option<String>,
    pub(crate) modified: u64,
}

/// A bucket. Every key has at least one version, the oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// The account.
    pub(crate) owner: String,
    pub(crate) region: String,
    pub(crate) created: u64,
    /// None: never configured.
    pub(crate) versioning: Option<Versioning>,
    pub(crate) lifecycle: Option<Lifecycle>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) policy: Option<Policy>,
    pub(crate) public_access: Option<PublicAccessBlock>,
    pub(crate) keys: BTreeMap<String, Vec<Version>>,
    /// Uploads in progress by key and in the order of their creation.
    #[serde(with = "super::persist::pairs")]
    pub(crate) uploads: BTreeMap<(String, u64), Upload>,
    /// Uploads that were completed lately: completing them again gives the same answer.
    pub(crate) completed: BTreeMap<u64, Completed>,
    /// Tells this bucket from an earlier one of the same name.
    pub(crate) number: u64,
    /// Counts changes, so that only what changed is saved.
    pub(crate) revision: u64,
}

impl Bucket {
    pub(crate) fn new(owner: &str, region: &str, created: u64, number: u64) -> Self {
        Self {
            owner: owner.to_owned(),
            region: region.to_owned(),
            created,
            versioning: None,
            lifecycle: None,
            tags: Vec::new(),
            policy: None,
            public_access: Some(PublicAccessBlock::ALL),
            keys: BTreeMap::new(),
            uploads: BTreeMap::new(),
            completed: BTreeMap::new(),
            number,
            revision: 0,
        }
    }

    pub(crate) const fn touch(&mut self) {
        self.revision = self.revision.saturating_add(1);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn current(&self, key: &str) -> Option<&Version> {
        self.keys.get(key)?.last()
    }

    pub(crate) fn version(&self, key: &str, wanted: VersionRef) -> Option<&Version> {
        self.keys.get(key)?.iter().rev().find(|version| version.is(wanted))
    }

    pub(crate) fn object_mut(&mut self, key: &str, number: u64) -> Option<&mut Object> {
        let versions = self.keys.get_mut(key)?;
        let version = versions.iter_mut().find(|version| version.number == number)?;
        version.object.as_deref_mut()
    }

    /// Adds a version, or replaces the null version unless versioning is enabled; true: a null version.
    pub(crate) fn insert(
        &mut self,
        key: &str,
        number: u64,
        modified: u64,
        object: Option<Box<Object>>,
    ) -> bool {
        let null = self.versioning != Some(Versioning::Enabled);
        let version = Version { number, null, modified, object };
        if let Some(versions) = self.keys.get_mut(key) {
            if null {
                versions.retain(|version| !version.null);
            }
            versions.push(version);
        } else {
            self.keys.insert(key.to_owned(), vec![version]);
        }
        null
    }

    pub(crate) fn remove(&mut self, key: &str, wanted: VersionRef) -> Option<Version> {
        let versions = self.keys.get_mut(key)?;
        let at = versions.iter().position(|version| version.is(wanted))?;
        let gone = versions.remove(at);
        if versions.is_empty() {
            self.keys.remove(key);
        }
        Some(gone)
    }
}

pub(crate) fn taken(name: &str, own: bool) -> S3Error {
    let (code, message) = if own {
        let message =
            "Your previous request to create the named bucket succeeded and you already own it.";
        ("BucketAlreadyOwnedByYou", message)
    } else {
        let message = "The requested bucket name is not available. The bucket namespace is shared by \
                       all users of the system. Please select a different name and try again.";
        ("BucketAlreadyExists", message)
    };
    S3Error::new(code, message).with("BucketName", name)
}

/// The rules for names of general purpose buckets.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let reserved_prefix = ["xn--", "sthree-", "amzn-s3-demo-"];
    let reserved_suffix = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let good = (3..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(edge)
        && name.ends_with(edge)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !reserved_prefix.iter().any(|prefix| name.starts_with(prefix))
        && !reserved_suffix.iter().any(|suffix| name.ends_with(suffix));
    if good {
        return Ok(());
    }
    Err(S3Error::new("InvalidBucketName", "The specified bucket is not valid.")
        .with("BucketName", name))
}
