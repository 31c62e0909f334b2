//! Copies inside the service.

use super::checksum::{self, Algorithm, Checksum, ChecksumKind};
use super::conditions::{ReadConditions, Verdict, WriteConditions};
use super::error::{Result, S3Error};
use super::object::{Headers, Object, StorageClass, Tag};
use super::{Found, S3State, check_key};
use crate::s3::state::bucket::Stored;

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopySource {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
    pub(crate) conditions: ReadConditions,
}

/// How a copy differs from its source.
#[derive(Debug, Clone, Default)]
pub(crate) struct CopyChanges {
    /// None: those of the source.
    pub(crate) headers: Option<Headers>,
    /// None: those of the source.
    pub(crate) tags: Option<Vec<Tag>>,
    /// None: `STANDARD`.
    pub(crate) storage_class: Option<StorageClass>,
    /// None: that of the source.
    pub(crate) algorithm: Option<Algorithm>,
    /// Whether encryption or the redirect was named, which allows a copy onto itself.
    pub(crate) other: bool,
}

/// A copy that was made.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    pub(crate) stored: Stored,
    pub(crate) source_version_id: Option<String>,
}

impl S3State {
    /// The object to copy, if the conditions on it hold.
    pub(crate) fn copy_source(&self, source: &CopySource) -> Result<Found<'_>> {
        let version = source.version.as_deref();
        let found = self.read(&source.bucket, &source.key, version).map_err(|error| {
            if error.code == "MethodNotAllowed" {
                let message = "The source of a copy request may not specifically refer to a delete \
                               marker by version id.";
                return S3Error::invalid_request(message);
            }
            S3Error { headers: Vec::new(), ..error }
        })?;
        match source.conditions.verdict(&found.object.etag, found.version.modified) {
            Verdict::Go => Ok(found),
            Verdict::NotModified(condition) | Verdict::Failed(condition) => {
                Err(S3Error::precondition_failed(source_condition(condition)))
            }
        }
    }

    pub(crate) fn copy(
        &mut self,
        source: &CopySource,
        bucket: &str,
        key: &str,
        changes: CopyChanges,
        conditions: &WriteConditions,
        now: u64,
    ) -> Result<Copied> {
        check_key(key)?;
        self.bucket(bucket)?;
        let found = self.copy_source(source)?;
        check_readable(found.object, now)?;
        let onto_itself = source.bucket == bucket && source.key == key && source.version.is_none();
        let changed = changes.headers.is_some() || changes.storage_class.is_some() || changes.other;
        if onto_itself && !changed {
            return Err(S3Error::invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself \
                 without changing the object's metadata, storage class, website redirect location \
                 or encryption attributes.",
            ));
        }
        if found.object.content.len() > self.limits.copy_bytes {
            let limit = self.limits.copy_bytes;
            return Err(S3Error::invalid_request(format!(
                "The specified copy source is larger than the maximum allowable size for a copy \
                 source: {limit}"
            )));
        }
        let object = copied(found.object, changes);
        let source_version_id = found.version_id;
        self.check_write(bucket, key, conditions)?;
        let stored = self.store(bucket, key, object, now)?;
        Ok(Copied { stored, source_version_id })
    }
}

/// A copy is one part, whatever the source was made of.
fn copied(source: &Object, changes: CopyChanges) -> Object {
    let content = source.content.clone();
    let kept = source.checksum.as_ref();
    let algorithm = changes
        .algorithm
        .or_else(|| kept.map(|checksum| checksum.algorithm))
        .unwrap_or(Algorithm::Crc64Nvme);
    let same = kept.filter(|checksum| {
        checksum.algorithm == algorithm && checksum.kind == ChecksumKind::FullObject
    });
    let checksum = same.cloned().unwrap_or_else(|| Checksum::of(algorithm, &content.bytes));
    let etag = if source.etag.contains('-') {
        checksum::etag(&content.bytes)
    } else {
        source.etag.clone()
    };
    Object {
        content,
        etag,
        headers: changes.headers.unwrap_or_else(|| Headers {
            // A redirect belongs to the request that sets it.
            system: (source.headers.system.iter())
                .filter(|(name, _)| name != "x-amz-website-redirect-location")
                .cloned()
                .collect(),
            metadata: source.headers.metadata.clone(),
        }),
        tags: changes.tags.unwrap_or_else(|| source.tags.clone()),
        storage_class: changes.storage_class.unwrap_or_default(),
        checksum: Some(checksum),
        parts: Vec::new(),
        restored_until: None,
    }
}

/// Refuses archived objects that were not restored.
pub(crate) fn check_readable(object: &Object, now: u64) -> Result<()> {
    let restored = object.restored_until.is_some_and(|until| now < until);
    if !object.storage_class.is_archive() || restored {
        return Ok(());
    }
    let message = "The operation is not valid for the object's storage class";
    Err(S3Error::new("InvalidObjectState", message)
        .with("StorageClass", object.storage_class.name()))
}

fn source_condition(condition: &str) -> &'static str {
    match condition {
        "If-Match" => "x-amz-copy-source-If-Match",
        "If-None-Match" => "x-amz-copy-source-If-None-Match",
        "If-Modified-Since" => "x-amz-copy-source-If-Modified-Since",
        _ => "x-amz-copy-source-If-Unmodified-Since",
    }
}
