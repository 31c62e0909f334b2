use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::meta::ObjectMeta;
use crate::capability::Feature;
use crate::error::{Error, ErrorKind, Result};

/// Identifies the content of an object. Opaque; held without the quotes of the HTTP header.
///
/// Two ETags are equal only if they are byte for byte the same. Equal ETags of the same key mean
/// equal content; nothing else may be read from one, it is not always an MD5.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ETag(SmolStr);

impl ETag {
    /// Takes the value of an HTTP header or of a listing, with or without quotes.
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        Self(bare.into())
    }

    /// The value without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value with quotes, as HTTP headers need it.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

/// Identifies one version of an object: an S3 version id, a GCS generation, an Azure version id.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct VersionId(SmolStr);

impl VersionId {
    /// Wraps a provider's identifier.
    pub fn new(id: impl AsRef<str>) -> Self {
        Self(id.as_ref().into())
    }

    /// The provider's identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! opaque_text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.as_str())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0.into()
            }
        }
    )+};
}
opaque_text!(ETag, VersionId);

/// What an object was at one moment: every read, write and listing returns it, and
/// [`Precondition::IfUnchanged`] takes it back.
///
/// It holds whatever the provider compares by, so that the same program does compare-and-swap by
/// ETag on S3 and Azure and by generation on Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revision {
    /// The ETag, where the provider returned one.
    pub etag: Option<ETag>,
    /// The version or generation, where the provider returned one.
    pub version: Option<VersionId>,
}

impl Revision {
    /// A revision of both parts.
    #[must_use]
    pub fn new(etag: impl Into<Option<ETag>>, version: impl Into<Option<VersionId>>) -> Self {
        Self { etag: etag.into(), version: version.into() }
    }

    /// Whether both were taken from the same object: they agree in every part that both have, and have
    /// one in common.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let etag = self.etag.as_ref().zip(other.etag.as_ref()).map(|(a, b)| a == b);
        let version = self.version.as_ref().zip(other.version.as_ref()).map(|(a, b)| a == b);
        match (etag, version) {
            (None, None) => false,
            (etag, version) => etag.unwrap_or(true) && version.unwrap_or(true),
        }
    }
}

/// What must hold for an operation to happen. The provider checks and acts in one atomic step.
///
/// One type for reads, writes, copies and deletes on every backend. A condition that does not hold
/// fails with a kind of its own: see [`check`](Self::check).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precondition {
    /// The key holds no object. For writes.
    IfAbsent,
    /// The key holds an object. For writes and deletes.
    IfExists,
    /// The object is still the one this revision was taken from.
    IfUnchanged(Revision),
    /// The object has this ETag.
    IfMatch(ETag),
    /// The object is missing or has another ETag.
    IfNoneMatch(ETag),
    /// The object was modified after this time, to the second.
    IfModifiedSince(SystemTime),
    /// The object was not modified after this time, to the second.
    IfUnmodifiedSince(SystemTime),
}

/// What a [`Precondition`] guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A get, a head, or the source of a copy.
    Read,
    /// A put, an upload, an update, or the target of a copy.
    Write,
    /// A delete.
    Delete,
}

impl Precondition {
    /// The feature that a backend needs for this condition, or `None` if the combination has no
    /// meaning on any provider.
    #[must_use]
    pub fn feature(&self, access: Access) -> Option<Feature> {
        use Access::{Delete, Read, Write};
        Some(match (self, access) {
            (Self::IfAbsent, Write) => Feature::WriteIfAbsent,
            (Self::IfAbsent, Read | Delete) | (Self::IfExists, Read) => return None,
            (Self::IfExists, Write) => Feature::WriteIfExists,
            (Self::IfExists, Delete) => Feature::DeleteIfExists,
            (Self::IfUnchanged(_) | Self::IfMatch(_), Read) => Feature::ReadIfMatch,
            (Self::IfUnchanged(_) | Self::IfMatch(_), Write) => Feature::WriteIfMatch,
            (Self::IfUnchanged(_) | Self::IfMatch(_), Delete) => Feature::DeleteIfMatch,
            (Self::IfNoneMatch(_), Read) => Feature::ReadIfNoneMatch,
            (Self::IfNoneMatch(_), Write) => Feature::WriteIfNoneMatch,
            (Self::IfModifiedSince(_) | Self::IfUnmodifiedSince(_), Read) => Feature::ReadIfDate,
            (Self::IfModifiedSince(_) | Self::IfUnmodifiedSince(_), Write) => Feature::WriteIfDate,
            (
                Self::IfNoneMatch(_) | Self::IfModifiedSince(_) | Self::IfUnmodifiedSince(_),
                Delete,
            ) => Feature::DeleteIfOther,
        })
    }

    /// Decides the condition against the object that the key holds now. Backends that keep their own
    /// state call this under the lock that also covers the change.
    ///
    /// A read of a missing object is [`NotFound`](ErrorKind::NotFound) before any condition counts.
    ///
    /// # Errors
    /// - [`AlreadyExists`](ErrorKind::AlreadyExists): `IfAbsent`, and there is an object.
    /// - [`NotModified`](ErrorKind::NotModified): `IfNoneMatch` or `IfModifiedSince` of a read.
    /// - [`PreconditionFailed`](ErrorKind::PreconditionFailed): everything else.
    /// - [`InvalidArgument`](ErrorKind::InvalidArgument): a combination without meaning.
    pub fn check(&self, access: Access, current: Option<&ObjectMeta>) -> Result<()> {
        if self.feature(access).is_none() {
            return Err(Error::invalid(format!("{self:?} does not apply to a {access:?}")));
        }
        let Some(current) = current else {
            return match (self, access) {
                (_, Access::Read) => Err(ErrorKind::NotFound.into()),
                (Self::IfAbsent | Self::IfNoneMatch(_), _) => Ok(()),
                _ => {
                    Err(Error::new(ErrorKind::PreconditionFailed)
                        .with_message("there is no object"))
                }
            };
        };
        let etag = current.revision.etag.as_ref();
        let holds = match self {
            Self::IfAbsent => return Err(ErrorKind::AlreadyExists.into()),
            Self::IfExists => true,
            Self::IfUnchanged(revision) => revision.is_same(&current.revision),
            Self::IfMatch(wanted) => etag == Some(wanted),
            Self::IfNoneMatch(unwanted) => etag != Some(unwanted),
            Self::IfModifiedSince(time) => seconds(current.last_modified) > seconds(*time),
            Self::IfUnmodifiedSince(time) => seconds(current.last_modified) <= seconds(*time),
        };
        if holds {
            return Ok(());
        }
        let unchanged = matches!(self, Self::IfNoneMatch(_) | Self::IfModifiedSince(_));
        Err(if unchanged && access == Access::Read {
            ErrorKind::NotModified.into()
        } else {
            Error::new(ErrorKind::PreconditionFailed).with_message("the object is another one")
        })
    }
}

/// HTTP dates have no fractions of a second, so conditions by date compare whole seconds.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Key;
    use std::time::Duration;

    fn object(etag: &str) -> ObjectMeta {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        ObjectMeta::new(Key::new("k").unwrap(), 0, at, Revision::new(ETag::new(etag), None))
    }

    fn kind(
        condition: &Precondition,
        access: Access,
        current: Option<&ObjectMeta>,
    ) -> Option<ErrorKind> {
        condition.check(access, current).err().map(|error| error.kind())
    }

    #[test]
    fn quotes_are_the_wires_business() {
        assert_eq!(ETag::new("\"0x8D\""), ETag::new("0x8D"));
        assert_eq!(ETag::new("0x8D").quoted(), "\"0x8D\"");
    }

    #[test]
    fn revisions_are_compared_by_what_both_have() {
        let revision = |etag: Option<&str>, version: Option<&str>| {
            Revision::new(etag.map(ETag::new), version.map(VersionId::new))
        };
        let full = revision(Some("e"), Some("v"));
        assert!(full.is_same(&full) && full.is_same(&revision(Some("e"), None)));
        assert!(!full.is_same(&revision(Some("e"), Some("w"))));
        assert!(!full.is_same(&revision(Some("f"), Some("v"))));
        assert!(!full.is_same(&revision(None, None)));
    }

    #[test]
    fn every_condition_in_every_access() {
        use Access::{Delete, Read, Write};
        use ErrorKind::{
            AlreadyExists, InvalidArgument, NotFound, NotModified, PreconditionFailed,
        };
        let (x, missing) = (object("x"), None);
        let here = Some(&x);
        let at = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        let same = Precondition::IfMatch(ETag::new("x"));
        let other = Precondition::IfMatch(ETag::new("y"));
        let none_same = Precondition::IfNoneMatch(ETag::new("x"));
        let rows = [
            (&Precondition::IfAbsent, Write, here, Some(AlreadyExists)),
            (&Precondition::IfAbsent, Write, missing, None),
            (&Precondition::IfAbsent, Read, here, Some(InvalidArgument)),
            (&Precondition::IfExists, Write, missing, Some(PreconditionFailed)),
            (&Precondition::IfExists, Delete, here, None),
            (&same, Read, here, None),
            (&same, Read, missing, Some(NotFound)),
            (&same, Write, missing, Some(PreconditionFailed)),
            (&other, Read, here, Some(PreconditionFailed)),
            (&other, Delete, here, Some(PreconditionFailed)),
            (&none_same, Read, here, Some(NotModified)),
            (&none_same, Write, here, Some(PreconditionFailed)),
            (&none_same, Write, missing, None),
            (&Precondition::IfModifiedSince(at(1000)), Read, here, Some(NotModified)),
            (&Precondition::IfModifiedSince(at(999)), Read, here, None),
            (&Precondition::IfUnmodifiedSince(at(1000)), Read, here, None),
            (&Precondition::IfUnmodifiedSince(at(999)), Write, here, Some(PreconditionFailed)),
        ];
        for (condition, access, current, expected) in rows {
            assert_eq!(kind(condition, access, current), expected, "{condition:?} {access:?}");
        }
    }
}
