//! What a backend can do, stated as data, and the one place where it is checked.
//!
//! Every options type lists the [`Feature`]s that its set fields need ([`Requires`]). A backend
//! calls [`Capabilities::check`] first thing in every operation, so that an option it cannot honour
//! is refused with [`Unsupported`](ErrorKind::Unsupported) before any I/O and never ignored.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// How a backend provides a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Support {
    /// The provider does it in the request itself.
    Native,
    /// The backend does it with further requests, at the cost that its documentation states.
    Emulated,
    /// Not at all: asking for it fails before any I/O.
    Unsupported,
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Emulated => "emulated",
            Self::Unsupported => "unsupported",
        })
    }
}

macro_rules! features {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// Something that not every provider can do.
        ///
        /// What is missing here (whole-object and ranged reads, writes, deletes, listing by prefix;
        /// creating, reading, listing and terminating instances) every backend has to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Feature {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Feature {
            /// Every feature, in the order in which tables show them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// A short name for tables and messages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

features! {
    /// Read the last N bytes.
    RangeSuffix = "suffix ranges",
    /// Read only if the ETag or revision matches.
    ReadIfMatch = "read if match",
    /// Read only if the ETag differs.
    ReadIfNoneMatch = "read if none match",
    /// Read only if changed, or unchanged, since a time.
    ReadIfDate = "read by date",
    /// Read an older version.
    ReadVersion = "read by version",
    /// Put, upload or copy only if the key is free.
    WriteIfAbsent = "write if absent",
    /// Put, upload or copy only if the key holds an object, whatever its revision.
    WriteIfExists = "write if exists",
    /// Put, upload or copy only over the stated ETag or revision.
    WriteIfMatch = "write if match",
    /// Put, upload or copy unless the object has the stated ETag.
    WriteIfNoneMatch = "write if none match",
    /// Put, upload or copy only if changed, or unchanged, since a time.
    WriteIfDate = "write by date",
    /// Delete only if the object exists.
    DeleteIfExists = "delete if exists",
    /// Delete only the stated ETag or revision.
    DeleteIfMatch = "delete if match",
    /// Delete under any of the other conditions.
    DeleteIfOther = "delete by other conditions",
    /// Remove one version for good.
    DeleteVersion = "delete by version",
    /// Conditions on the source of a copy.
    CopySourceCondition = "copy source conditions",
    /// Conditions on the target of a copy, as far as writes have them.
    CopyTargetCondition = "copy target conditions",
    /// Copy from an older version, which is also how one is restored.
    CopySourceVersion = "copy from version",
    /// Copy from another bucket of the same provider.
    CopyAcrossBuckets = "copy across buckets",
    /// Content type, encoding, language, disposition and cache control.
    Attributes = "attributes",
    /// Names and values of the user's own.
    Metadata = "metadata",
    /// Tags, which providers index and bill apart from metadata.
    Tags = "tags",
    /// Storage classes other than the bucket's default.
    StorageClass = "storage class",
    /// Change attributes and metadata in place.
    UpdateAttributes = "update attributes",
    /// Change tags in place.
    UpdateTags = "update tags",
    /// Change the storage class in place.
    UpdateStorageClass = "update storage class",
    /// Store and verify CRC32C.
    Crc32c = "CRC32C",
    /// Store and verify CRC64NVME.
    Crc64Nvme = "CRC64NVME",
    /// Store and verify MD5.
    Md5 = "MD5",
    /// Store and verify SHA-256.
    Sha256 = "SHA-256",
    /// Start a listing behind a key.
    ListStartAfter = "list start after",
    /// Group keys by a delimiter other than `/`.
    ListDelimiter = "list any delimiter",
    /// List entries carry attributes and metadata.
    ListAttributes = "list attributes",
    /// List entries carry tags.
    ListTags = "list tags",
    /// List older versions and delete markers.
    ListVersions = "list versions",
    /// Parts that are uploaded, listed and completed one by one.
    Multipart = "multipart",
    /// A part that is copied from an object.
    MultipartCopy = "multipart copy",
    /// URLs that grant one request to whoever holds them.
    SignedUrls = "signed URLs",
    /// Switch a bucket's versioning on and off.
    BucketVersioning = "bucket versioning",
    /// Read and set a bucket's lifecycle rules.
    BucketLifecycle = "bucket lifecycle",
    /// Buckets in a location of choice.
    BucketLocation = "bucket location",

    /// A create that is repeated with its token makes no second instance.
    IdempotentCreate = "idempotent create",
    /// Create between min and max instances in one call, or none.
    CreateMany = "create min..max",
    /// Data that the instance runs or reads when it boots.
    UserData = "user data",
    /// Labels on instances.
    Labels = "labels",
    /// SSH keys for the login user.
    SshKeys = "SSH keys",
    /// A public address.
    PublicIp = "public IP",
    /// Ports that are open to the outside.
    Ingress = "ingress rules",
    /// Size and kind of the boot disk.
    BootDisk = "boot disk",
    /// Instances in a zone of choice.
    Zones = "zones",
    /// Interruptible instances at a lower price.
    Spot = "spot",
    /// Instances that hold an identity of the provider.
    InstanceIdentity = "instance identity",
    /// Stop and give the machine back.
    StopDeallocate = "stop: deallocate",
    /// Stop and keep the machine, which is billed.
    StopKeepAllocated = "stop: keep allocated",
    /// Stop with memory kept.
    StopSuspend = "stop: suspend",
    /// Stop at once, as if the power failed.
    StopForce = "stop: force",
    /// Restart through the guest's own shutdown.
    RestartGraceful = "restart: graceful",
    /// Restart at once.
    RestartForce = "restart: force",
    /// Choose the hardware by need instead of by type name.
    HardwareNeeds = "hardware by need",
    /// Choose the image by an alias such as `ubuntu:24.04`.
    ImageAlias = "image alias",
    /// Key pairs held by the provider.
    KeyPairs = "key pairs",
    /// Volumes and snapshots.
    Volumes = "volumes",
    /// Networks and subnets.
    Networks = "networks",
    /// Firewalls of their own.
    Firewalls = "firewalls",
    /// Images made from instances.
    Images = "images",
    /// Console output.
    Console = "console",
    /// Limits of the account.
    Quotas = "quotas",
    /// Change the hardware of a stopped instance.
    Resize = "resize",
    /// Prices per hour.
    Prices = "prices",
    /// Find and remove what a killed caller left behind.
    Sweep = "sweep",
}

impl Feature {
    /// Whether the feature belongs to [`Compute`](crate::compute::Compute), not to
    /// [`ObjectStore`](crate::object::ObjectStore).
    #[must_use]
    pub fn is_compute(self) -> bool {
        self >= Self::IdempotentCreate
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The sizes and counts within which a backend works. `None` means that there is no limit to speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest object, in bytes.
    pub object_bytes: Option<u64>,
    /// Largest body of a single put, in bytes.
    pub put_bytes: Option<u64>,
    /// Smallest part but the last of a multipart upload, in bytes.
    pub part_min_bytes: u64,
    /// Largest part, in bytes.
    pub part_max_bytes: Option<u64>,
    /// Most parts of an upload.
    pub parts: u32,
    /// Most entries of a list page.
    pub list_page: u32,
    /// Names and values of the user metadata together, in bytes.
    pub metadata_bytes: Option<u64>,
    /// Most items that one delete request can carry.
    pub delete_batch: u32,
    /// Largest user data of an instance, in bytes.
    pub user_data_bytes: Option<u64>,
    /// Most labels of an instance.
    pub labels: Option<u32>,
}

impl Limits {
    /// No limits but those of the types: 10,000 parts, pages of 1,000.
    pub const NONE: Self = Self {
        object_bytes: None,
        put_bytes: None,
        part_min_bytes: 0,
        part_max_bytes: None,
        parts: 10_000,
        list_page: 1_000,
        metadata_bytes: None,
        delete_batch: 1_000,
        user_data_bytes: None,
        labels: None,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::NONE
    }
}

/// What a backend can do and within which limits. Built once, in a `const` or a constructor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    support: [Support; Feature::ALL.len()],
    /// Whether listings come in the byte order of the keys.
    pub list_ordered: bool,
    /// The sizes and counts within which the backend works.
    pub limits: Limits,
}

impl Capabilities {
    /// A backend that has none of the optional features.
    pub const NONE: Self = Self {
        support: [Support::Unsupported; Feature::ALL.len()],
        list_ordered: true,
        limits: Limits::NONE,
    };

    /// Declares how the features are provided.
    #[must_use]
    #[allow(clippy::indexing_slicing, reason = "a feature's number is below `ALL.len()`")]
    pub const fn with(mut self, support: Support, features: &[Feature]) -> Self {
        let mut rest = features;
        while let [feature, tail @ ..] = rest {
            self.support[*feature as usize] = support;
            rest = tail;
        }
        self
    }

    /// Sets the limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How a feature is provided.
    #[must_use]
    #[allow(clippy::indexing_slicing, reason = "a feature's number is below `ALL.len()`")]
    pub fn support(&self, feature: Feature) -> Support {
        self.support[feature as usize]
    }

    /// Whether a feature is there, natively or emulated.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        self.support(feature) != Support::Unsupported
    }

    /// Refuses a feature that is not there.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported), naming the feature.
    pub fn require(&self, feature: Feature) -> Result<()> {
        if self.has(feature) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported).with_message(feature.as_str()))
    }

    /// Refuses options that need a feature that is not there. Costs no request.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported), naming the first missing feature.
    pub fn check(&self, options: &(impl Requires + ?Sized)) -> Result<()> {
        let mut missing = None;
        options.requires(&mut |feature| {
            if missing.is_none() && !self.has(feature) {
                missing = Some(feature);
            }
        });
        missing.map_or(Ok(()), |feature| self.require(feature))
    }
}

/// Options that know which features they need.
///
/// Implementations destructure `Self` without `..`, so that a new field cannot be forgotten.
pub trait Requires {
    /// Calls `need` with each feature that a set field asks for.
    fn requires(&self, need: &mut dyn FnMut(Feature));
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Wish(Feature);

    impl Requires for Wish {
        fn requires(&self, need: &mut dyn FnMut(Feature)) {
            need(self.0);
        }
    }

    const SOME: Capabilities = Capabilities::NONE
        .with(Support::Native, &[Feature::Tags, Feature::Spot])
        .with(Support::Emulated, &[Feature::RangeSuffix]);

    #[test]
    fn check_refuses_what_is_not_declared() {
        assert!(SOME.check(&Wish(Feature::Tags)).is_ok());
        assert!(SOME.check(&Wish(Feature::RangeSuffix)).is_ok());
        let error = SOME.check(&Wish(Feature::Md5)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.to_string(), "unsupported: MD5");
    }

    #[test]
    fn features_are_numbered_as_listed() {
        for (number, feature) in Feature::ALL.iter().enumerate() {
            assert_eq!(*feature as usize, number);
        }
        assert!(Feature::Spot.is_compute() && !Feature::BucketLocation.is_compute());
    }
}
