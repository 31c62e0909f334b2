//! The state machine of S3: buckets, versions, uploads. It knows no HTTP; times, ids and limits are
//! passed in or kept in it, so that equal requests in equal order give equal answers.

pub(crate) mod bucket;
pub(crate) mod checksum;
pub(crate) mod conditions;
pub(crate) mod copy;
pub(crate) mod error;
pub(crate) mod ids;
pub(crate) mod lifecycle;
pub(crate) mod list;
pub(crate) mod list_versions;
pub(crate) mod multipart;
pub(crate) mod object;
pub(crate) mod persist;
pub(crate) mod policy;
pub(crate) mod tags;
#[cfg(test)]
mod tests;
pub(crate) mod uploads;

use std::collections::BTreeMap;

use bytes::Bytes;

use self::bucket::{Bucket, Stored};
use self::checksum::{Algorithm, Checksum};
use self::conditions::{ETags, WriteConditions};
use self::error::{Result, S3Error};
use self::ids::{IdKind, Ids};
use self::object::{Content, Headers, Object, StorageClass, Tag, Version, VersionRef};

/// The region of buckets whose creation names none.
pub(crate) const FIRST_REGION: &str = "us-east-1";
/// The longest key in bytes.
pub(crate) const KEY_BYTES: usize = 1024;

/// Limits that a test may lower.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The largest object of one upload request, and the largest part.
    pub(crate) put_bytes: u64,
    /// The largest object that one request copies.
    pub(crate) copy_bytes: u64,
    /// The smallest part that is not the last one.
    pub(crate) part_min_bytes: u64,
    /// Buckets of one account.
    pub(crate) buckets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let gib = 1 << 30;
        Self { put_bytes: 5 * gib, copy_bytes: 5 * gib, part_min_bytes: 5 << 20, buckets: 10_000 }
    }
}

/// All buckets of the emulated accounts.
#[derive(Debug, Default)]
pub(crate) struct S3State {
    pub(crate) limits: Limits,
    buckets: BTreeMap<String, Bucket>,
    ids: Ids,
}

/// An object to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewObject {
    pub(crate) body: Bytes,
    pub(crate) headers: Headers,
    pub(crate) tags: Vec<Tag>,
    pub(crate) storage_class: StorageClass,
    /// Verified; without one S3 computes its own.
    pub(crate) checksum: Option<Checksum>,
}

/// A version that a request reads.
#[derive(Debug, Clone)]
pub(crate) struct Found<'a> {
    pub(crate) version: &'a Version,
    pub(crate) object: &'a Object,
    /// Of a bucket that has versions.
    pub(crate) version_id: Option<String>,
}

/// What a request deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// The version that is gone, or the delete marker that was made.
    pub(crate) version_id: Option<String>,
    /// Whether a delete marker was made, or was deleted.
    pub(crate) marker: bool,
}

impl S3State {
    pub(crate) fn bucket(&self, name: &str) -> Result<&Bucket> {
        self.buckets.get(name).ok_or_else(|| S3Error::no_such_bucket(name))
    }

    /// A bucket that is about to change.
    pub(crate) fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket> {
        let bucket = self.buckets.get_mut(name).ok_or_else(|| S3Error::no_such_bucket(name))?;
        bucket.touch();
        Ok(bucket)
    }

    /// The buckets of an account in the order of their names.
    pub(crate) fn buckets_of(&self, account: &str) -> impl Iterator<Item = (&String, &Bucket)> {
        self.buckets.iter().filter(move |(_, bucket)| bucket.owner == account)
    }

    /// The region of a bucket, if there is one of this name.
    pub(crate) fn bucket_region(&self, name: &str) -> Option<&str> {
        self.buckets.get(name).map(|bucket| bucket.region.as_str())
    }

    pub(crate) fn create_bucket(
        &mut self,
        name: &str,
        region: &str,
        owner: &str,
        now: u64,
    ) -> Result<()> {
        bucket::check_name(name)?;
        if let Some(existing) = self.buckets.get(name) {
            let own = existing.owner == owner;
            // So it has always been there, and nowhere else.
            if own && region == FIRST_REGION && existing.region == FIRST_REGION {
                return Ok(());
            }
            return Err(bucket::taken(name, own));
        }
        if self.buckets_of(owner).count() >= self.limits.buckets {
            let message = "You have attempted to create more buckets than allowed";
            return Err(S3Error::new("TooManyBuckets", message));
        }
        self.buckets.insert(name.to_owned(), Bucket::new(owner, region, now, self.ids.take()));
        Ok(())
    }

    pub(crate) fn delete_bucket(&mut self, name: &str) -> Result<()> {
        if self.bucket(name)?.is_empty() {
            self.buckets.remove(name);
            return Ok(());
        }
        let message = "The bucket you tried to delete is not empty";
        Err(S3Error::new("BucketNotEmpty", message).with("BucketName", name))
    }

    pub(crate) fn put(
        &mut self,
        bucket: &str,
        key: &str,
        new: NewObject,
        conditions: &WriteConditions,
        now: u64,
    ) -> Result<Stored> {
        check_key(key)?;
        check_size(&new.body, self.limits.put_bytes)?;
        self.check_write(bucket, key, conditions)?;
        let content = Content::new(new.body);
        let checksum = new.checksum;
        let checksum =
            checksum.unwrap_or_else(|| Checksum::of(Algorithm::Crc64Nvme, &content.bytes));
        let object = Object {
            etag: checksum::etag(&content.bytes),
            content,
            headers: new.headers,
            tags: new.tags,
            storage_class: new.storage_class,
            checksum: Some(checksum),
            parts: Vec::new(),
            restored_until: None,
        };
        self.store(bucket, key, object, now)
    }

    /// Makes an object the current version of its key.
    fn store(&mut self, bucket: &str, key: &str, object: Object, now: u64) -> Result<Stored> {
        let number = self.ids.take();
        let etag = object.etag.clone();
        let checksum = object.checksum.clone();
        let bucket = self.bucket_mut(bucket)?;
        let null = bucket.insert(key, number, now, Some(Box::new(object)));
        let version_id = (!null).then(|| self.ids.encode(IdKind::Version, number));
        Ok(Stored { etag, checksum, version_id, modified: now })
    }

    /// Checks the conditions of a write against what is there.
    fn check_write(&self, bucket: &str, key: &str, conditions: &WriteConditions) -> Result<()> {
        let current = self.bucket(bucket)?.current(key).and_then(|version| version.object.as_ref());
        conditions.check(key, current.map(|object| object.etag.as_str()))
    }

    /// Which version a text means.
    pub(crate) fn version_ref(&self, text: &str) -> Result<VersionRef> {
        if text == "null" {
            return Ok(VersionRef::Null);
        }
        self.ids.decode(IdKind::Version, text).map(VersionRef::Number).ok_or_else(|| {
            S3Error::invalid_argument("Invalid version id specified", "versionId", text)
        })
    }

    /// The text of a version.
    pub(crate) fn version_id(&self, version: &Version) -> String {
        if version.null {
            return "null".to_owned();
        }
        self.ids.encode(IdKind::Version, version.number)
    }

    /// The version that a request names, or the current one.
    pub(crate) fn version(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<&Version> {
        check_key(key)?;
        let bucket = self.bucket(bucket)?;
        let Some(text) = version else {
            return bucket.current(key).ok_or_else(|| S3Error::no_such_key(key));
        };
        let wanted = self.version_ref(text)?;
        bucket.version(key, wanted).ok_or_else(|| S3Error::no_such_version(key, text))
    }

    /// The object that a request reads.
    pub(crate) fn read(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Found<'_>> {
        let found = self.version(bucket, key, version)?;
        let versioned = self.bucket(bucket)?.versioning.is_some();
        let version_id = versioned.then(|| self.version_id(found));
        if let Some(object) = &found.object {
            return Ok(Found { version: found, object, version_id });
        }
        let error = if version.is_none() {
            S3Error::no_such_key(key)
        } else {
            let message = "The specified method is not allowed against this resource.";
            S3Error::new("MethodNotAllowed", message)
                .with("Method", "GET")
                .with("ResourceType", "DeleteMarker")
                .with_header("allow", "DELETE")
                .with_header("last-modified", crate::s3::time::http_date(found.modified))
        };
        Err(error
            .with_header("x-amz-delete-marker", "true")
            .with_header("x-amz-version-id", self.version_id(found)))
    }

    /// The object that a request changes in place: its tags, or until when it is restored.
    pub(crate) fn object_mut(
        &mut self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(&mut Object, Option<String>)> {
        let found = self.read(bucket, key, version)?;
        let number = found.version.number;
        let version_id = found.version_id;
        let object = self.bucket_mut(bucket)?.object_mut(key, number);
        object.map(|object| (object, version_id)).ok_or_else(|| S3Error::no_such_key(key))
    }

    pub(crate) fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        if_match: Option<&ETags>,
        now: u64,
    ) -> Result<Deleted> {
        check_key(key)?;
        let wanted = version.map(|version| self.version_ref(version)).transpose()?;
        if let Some(etags) = if_match {
            self.check_delete(bucket, key, wanted, etags)?;
        }
        if let Some(wanted) = wanted {
            let gone = self.bucket_mut(bucket)?.remove(key, wanted);
            let marker = gone.is_some_and(|version| version.object.is_none());
            return Ok(Deleted { version_id: version.map(str::to_owned), marker });
        }
        if self.bucket(bucket)?.versioning.is_none() {
            self.bucket_mut(bucket)?.remove(key, VersionRef::Null);
            return Ok(Deleted { version_id: None, marker: false });
        }
        let number = self.ids.take();
        let null = self.bucket_mut(bucket)?.insert(key, number, now, None);
        let id = if null { "null".to_owned() } else { self.ids.encode(IdKind::Version, number) };
        Ok(Deleted { version_id: Some(id), marker: true })
    }

    fn check_delete(
        &self,
        bucket: &str,
        key: &str,
        version: Option<VersionRef>,
        etags: &ETags,
    ) -> Result<()> {
        let bucket = self.bucket(bucket)?;
        let found = match version {
            Some(wanted) => bucket.version(key, wanted),
            None => bucket.current(key),
        };
        match found {
            None => Err(S3Error::no_such_key(key)),
            Some(Version { object: Some(object), .. }) if etags.contain(&object.etag) => Ok(()),
            Some(_) => Err(S3Error::precondition_failed("If-Match")),
        }
    }

    /// A text that names the place where a listing goes on.
    pub(crate) fn token(&self, scope: &str, place: &str) -> String {
        self.ids.seal(scope, place)
    }

    /// The place that a token names.
    pub(crate) fn place(&self, scope: &str, token: &str) -> Result<String> {
        self.ids.unseal(scope, token).ok_or_else(|| {
            let message = "The continuation token provided is incorrect";
            S3Error::invalid_argument(message, "continuation-token", token)
        })
    }
}

pub(crate) fn check_key(key: &str) -> Result<()> {
    if key.len() <= KEY_BYTES {
        return Ok(());
    }
    Err(S3Error::new("KeyTooLongError", "Your key is too long")
        .with("Size", key.len().to_string())
        .with("MaxSizeAllowed", KEY_BYTES.to_string()))
}

fn check_size(body: &Bytes, limit: u64) -> Result<()> {
    let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
    if size > limit { Err(S3Error::too_large(size, limit)) } else { Ok(()) }
}
