//! Copies and changes in place, which S3 makes by copying an object onto itself.

use http::{HeaderMap, HeaderValue, Method};
use polycloud_core::capability::Feature;
use polycloud_core::object::{
    Access, CompleteOptions, CopyOptions, CopySource, ETag, HeadOptions, Key, ObjectMeta,
    ObjectUpdate, Part, PartNumber, Precondition, PutOptions, PutResult, Revision,
};
use polycloud_core::{Error, ErrorKind, Outcome, Result};
use polycloud_wire::{Call, Class, Failure, Reply, encode};

use super::document::required;
use super::headers::{
    self, COPY_SOURCE, COPY_SOURCE_IF_MATCH, METADATA_DIRECTIVE, TAGGING, TAGGING_DIRECTIVE,
};
use super::read::of_version;
use super::request::applies;
use super::write::{unknown, write_error};
use super::{DOCUMENT, S3Store};

const REPLACE: HeaderValue = HeaderValue::from_static("REPLACE");

/// How often a copy starts over because its source was replaced between two requests.
const RACES: u32 = 100;

/// Bytes of a part that is copied. Large parts are few requests; S3 copies them side by side.
const COPY_PART: u64 = 512 * 1024 * 1024;

/// Parts that are copied at a time.
const COPY_PARTS: usize = 8;

impl S3Store {
    pub(super) async fn copy_object(
        &self,
        from: &CopySource,
        to: &Key,
        options: &CopyOptions,
    ) -> Result<PutResult> {
        self.0.capabilities.check(from)?;
        self.0.capabilities.check(options)?;
        applies(from.precondition.as_ref(), Access::Read)?;
        applies(options.precondition.as_ref(), Access::Write)?;
        let mut race = 0;
        loop {
            let source = self.source(from).await?;
            match self.copy_from(from, &source, to, options).await {
                // Not the caller's condition, but ours: it is another object by now. A copy of either
                // will do, but its size has to be known.
                Err(Copied::SourceChanged) if race < RACES => race += 1,
                Err(Copied::SourceChanged) => {
                    return Err(Error::new(ErrorKind::Conflict)
                        .with_message("the source is replaced again and again"));
                }
                Err(Copied::Failed(error)) => return Err(error),
                Ok(result) => return Ok(result),
            }
        }
    }

    /// The object to copy, as it is now.
    pub(super) async fn source(&self, from: &CopySource) -> Result<ObjectMeta> {
        let head = of_version(from.version.as_ref());
        match &from.bucket {
            Some(bucket) => {
                self.sibling(bucket)?.look(&from.key, &head, from.precondition.as_ref()).await
            }
            None => self.look(&from.key, &head, from.precondition.as_ref()).await,
        }
    }

    async fn copy_from(
        &self,
        from: &CopySource,
        source: &ObjectMeta,
        to: &Key,
        options: &CopyOptions,
    ) -> Result<PutResult, Copied> {
        let replaces = options.attributes.is_some();
        let mut described = PutOptions::default();
        described.storage_class.clone_from(&options.storage_class);
        described.attributes = options.attributes.clone().unwrap_or_default();
        described.tags = options.tags.clone().unwrap_or_default();
        let condition = options.precondition.as_ref();
        if source.size > self.0.capabilities.limits.put_bytes.unwrap_or(u64::MAX) {
            return Ok(self.copy_in_parts(from, source, to, described, options).await?);
        }
        let mut sent = self.new_object(&described)?;
        let name = name_source(&self.0.info.bucket, from);
        sent.insert(COPY_SOURCE, headers::header_value(&name)?);
        if let Some(etag) = &source.revision.etag {
            sent.insert(COPY_SOURCE_IF_MATCH, headers::header_value(&etag.quoted())?);
        }
        let onto_itself = from.bucket.is_none() && from.key == *to && from.version.is_none();
        if replaces || onto_itself {
            sent.insert(METADATA_DIRECTIVE, REPLACE);
        }
        if onto_itself && !replaces {
            // S3 refuses a copy that changes nothing. Writing the same metadata again is a change.
            headers::set_attributes(&source.attributes.clone().unwrap_or_default(), &mut sent)?;
        }
        if let Some(tags) = &options.tags {
            sent.insert(TAGGING_DIRECTIVE, REPLACE);
            sent.insert(TAGGING, headers::header_value(&headers::tagging(tags))?);
        }
        self.send_copy(to, &sent, condition, source.size).await
    }

    async fn send_copy(
        &self,
        to: &Key,
        sent: &HeaderMap,
        condition: Option<&Precondition>,
        size: u64,
    ) -> Result<PutResult, Copied> {
        let make =
            || self.request(Method::PUT, Some(to)).headers(sent).write_condition(condition).empty();
        let class = if condition.is_some() { Class::Conditional } else { Class::Idempotent };
        let call = Call { operation: "copy", class, make: &make };
        let Reply { headers, body, .. } = match self.0.wire.send(call, DOCUMENT).await {
            Ok(reply) => reply,
            Err(failure) => return Err(self.copy_failure(to, failure, condition).await),
        };
        let etag = ETag::new(required(&body, "ETag")?);
        let mut result = PutResult::new(Revision::new(etag, headers::version(&headers)), size);
        result.checksums = headers::checksums(&headers);
        Ok(result)
    }

    /// S3 answers the same to the caller's condition on the target and to ours on the source.
    async fn copy_failure(
        &self,
        to: &Key,
        failure: Failure,
        condition: Option<&Precondition>,
    ) -> Copied {
        if failure.ambiguous {
            return Copied::Failed(unknown(failure));
        }
        let error = Error::from(failure);
        if error.kind() != ErrorKind::PreconditionFailed {
            let target_missing = error.kind() == ErrorKind::NotFound && condition.is_some();
            let condition = condition.filter(|_| target_missing);
            return Copied::Failed(write_error(error, condition));
        }
        let Some(condition) = condition else { return Copied::SourceChanged };
        let current = match self.look(to, &HeadOptions::default(), None).await {
            Ok(meta) => Some(meta),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(other) => return Copied::Failed(other),
        };
        match condition.check(Access::Write, current.as_ref()) {
            Ok(()) => Copied::SourceChanged,
            Err(_) => Copied::Failed(write_error(error, Some(condition))),
        }
    }

    /// Copies what is too large for a single request. Metadata and tags are those of the source unless
    /// they are replaced, as in a single request.
    async fn copy_in_parts(
        &self,
        from: &CopySource,
        source: &ObjectMeta,
        to: &Key,
        mut described: PutOptions,
        options: &CopyOptions,
    ) -> Result<PutResult> {
        use futures::stream::{self, StreamExt as _, TryStreamExt as _};

        if options.attributes.is_none() {
            described.attributes = source.attributes.clone().unwrap_or_default();
        }
        if options.tags.is_none() {
            let version = from.version.as_ref().or(source.revision.version.as_ref());
            described.tags = match &from.bucket {
                Some(bucket) => self.sibling(bucket)?.tags(&from.key, version).await?,
                None => self.tags(&from.key, version).await?,
            };
        }
        let upload = self.create_upload(to, &described).await?;
        let limits = &self.0.capabilities.limits;
        let size = COPY_PART
            .min(limits.put_bytes.unwrap_or(COPY_PART))
            .max(source.size.div_ceil(u64::from(limits.parts)));
        let parts = (0..source.size.div_ceil(size)).map(|n| {
            let upload = &upload;
            async move {
                let number = PartNumber::new(u32::try_from(n + 1).unwrap_or(u32::MAX))?;
                let end = source.size.min((n + 1).saturating_mul(size));
                let range = n.saturating_mul(size)..end;
                self.copy_range(to, upload, number, from, source, &range).await
            }
        });
        let parts: Result<Vec<Part>> = stream::iter(parts).buffered(COPY_PARTS).try_collect().await;
        let mut complete = CompleteOptions::default();
        complete.precondition.clone_from(&options.precondition);
        let result = match parts {
            Ok(parts) => self.complete_upload(to, &upload, &parts, &complete).await,
            Err(error) => Err(error),
        };
        match result {
            Err(error) if error.outcome() != Outcome::Unknown => {
                let leaked = polycloud_core::ResourceRef::new("upload", upload.as_str());
                let aborted = self.abort_upload(to, &upload).await;
                Err(error.with_leaked(aborted.is_err().then_some(leaked)))
            }
            result => result,
        }
    }

    pub(super) async fn change(&self, key: &Key, update: &ObjectUpdate) -> Result<ObjectMeta> {
        self.0.capabilities.check(update)?;
        applies(update.precondition.as_ref(), Access::Write)?;
        let ObjectUpdate { precondition, attributes, tags, storage_class, .. } = update;
        if attributes.is_none() && tags.is_none() && storage_class.is_none() {
            return Err(Error::invalid("there is nothing to change"));
        }
        let head = HeadOptions::default();
        if attributes.is_none() && storage_class.is_none() && precondition.is_none() {
            // Tags are a resource of their own, which can be replaced by itself.
            self.set_tags(key, &tags.clone().unwrap_or_default()).await?;
            return self.changed_object(key).await;
        }
        let mut race = 0;
        loop {
            let current = self.look(key, &head, None).await?;
            if let Some(condition) = precondition {
                condition.check(Access::Write, Some(&current))?;
            }
            match self.rewrite(key, &current, update).await {
                Err(error) if is_race(&error) && race < RACES => race += 1,
                Err(error) if is_race(&error) => {
                    return Err(error.with_kind(ErrorKind::Conflict));
                }
                Err(error) => return Err(error),
                Ok(_) => return self.changed_object(key).await,
            }
        }
    }

    /// An object as it is behind a change that was made.
    async fn changed_object(&self, key: &Key) -> Result<ObjectMeta> {
        let has_tags = self.0.capabilities.has(Feature::Tags);
        let head = HeadOptions::default().with_tags(has_tags);
        let changed = self.head_object(key, &head).await;
        changed.map_err(|error| error.with_outcome(Outcome::Applied))
    }

    /// Copies an object onto itself with what is to be changed, provided that it is still the same.
    async fn rewrite(
        &self,
        key: &Key,
        current: &ObjectMeta,
        update: &ObjectUpdate,
    ) -> Result<PutResult> {
        let mut options = CopyOptions::default();
        options.attributes = update.attributes.clone().or_else(|| current.attributes.clone());
        options.tags.clone_from(&update.tags);
        options.storage_class =
            update.storage_class.clone().or_else(|| current.storage_class.clone());
        options.precondition = current.revision.etag.clone().map(Precondition::IfMatch);
        let from = CopySource::new(key.clone());
        match self.copy_from(&from, current, key, &options).await {
            Ok(result) => Ok(result),
            Err(Copied::SourceChanged) => Err(ErrorKind::PreconditionFailed.into()),
            Err(Copied::Failed(error)) => Err(error),
        }
    }
}

/// Whether an object was replaced or deleted between two requests.
fn is_race(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::NotFound)
}

/// Why there is no copy.
enum Copied {
    SourceChanged,
    Failed(Error),
}

impl From<Error> for Copied {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The source of a copy as S3 wants it: `/bucket/key?versionId=version`.
pub(super) fn name_source(own_bucket: &str, from: &CopySource) -> String {
    let bucket = from.bucket.as_ref().map_or(own_bucket, |bucket| bucket.as_str());
    let mut text = String::with_capacity(bucket.len() + from.key.len() + 48);
    text.push('/');
    text.push_str(bucket);
    text.push('/');
    encode::path(&from.key, &mut text);
    if let Some(version) = &from.version {
        text.push_str("?versionId=");
        encode::component(version.as_str(), &mut text);
    }
    text
}
