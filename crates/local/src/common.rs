//! What both stores are held to.

use polycloud_core::capability::{Capabilities, Feature, Limits, Support};
use polycloud_core::object::{Attributes, ObjectUpdate, Part, PartNumber, PutOptions};
use polycloud_core::{Error, Result};

/// What both embedded stores can do, but for what has no meaning without a provider: storage
/// classes, signed URLs, lifecycle rules, locations.
pub(crate) const CAPABILITIES: Capabilities = {
    use Feature as F;
    Capabilities::NONE.with_limits(LIMITS).with(
        Support::Native,
        &[
            F::RangeSuffix,
            F::ReadIfMatch,
            F::ReadIfNoneMatch,
            F::ReadIfDate,
            F::ReadVersion,
            F::WriteIfAbsent,
            F::WriteIfExists,
            F::WriteIfMatch,
            F::WriteIfNoneMatch,
            F::WriteIfDate,
            F::DeleteIfExists,
            F::DeleteIfMatch,
            F::DeleteIfOther,
            F::DeleteVersion,
            F::CopySourceCondition,
            F::CopyTargetCondition,
            F::CopySourceVersion,
            F::CopyAcrossBuckets,
            F::Attributes,
            F::Metadata,
            F::Tags,
            F::UpdateAttributes,
            F::UpdateTags,
            F::Crc32c,
            F::Crc64Nvme,
            F::Md5,
            F::Sha256,
            F::ListStartAfter,
            F::ListDelimiter,
            F::ListAttributes,
            F::ListTags,
            F::ListVersions,
            F::Multipart,
            F::MultipartCopy,
            F::BucketVersioning,
        ],
    )
};

pub(crate) const LIMITS: Limits = {
    let mut limits = Limits::NONE;
    limits.metadata_bytes = Some(2_048);
    limits.parts = 50_000;
    limits
};

/// Checks what every write of attributes has to respect.
pub(crate) fn check_attributes(attributes: &Attributes) -> Result<()> {
    let (size, limit) = (attributes.metadata().size(), LIMITS.metadata_bytes.unwrap_or(u64::MAX));
    if size <= limit {
        return Ok(());
    }
    Err(Error::invalid(format!("the metadata has {size} bytes, the store takes {limit}")))
}

/// Checks what `ObjectStore::update` promises to refuse.
pub(crate) fn check_update(update: &ObjectUpdate) -> Result<()> {
    let ObjectUpdate { attributes, tags, storage_class, .. } = update;
    if attributes.is_none() && tags.is_none() && storage_class.is_none() {
        return Err(Error::invalid("the update changes nothing"));
    }
    attributes.as_ref().map_or(Ok(()), check_attributes)
}

/// Refuses a condition at the start of an upload, where it would mean nothing.
pub(crate) fn check_create(options: &PutOptions) -> Result<()> {
    CAPABILITIES.check(options)?;
    if options.precondition.is_some() {
        return Err(Error::invalid(
            "the precondition of a multipart upload belongs to its completion",
        ));
    }
    check_attributes(&options.attributes)
}

/// Checks a list of parts against those that have arrived. `arrived` finds one by its number.
pub(crate) fn check_parts(
    parts: &[Part],
    mut arrived: impl FnMut(PartNumber) -> Option<Part>,
) -> Result<()> {
    if parts.is_empty() {
        return Err(Error::invalid("an upload is completed with at least one part"));
    }
    let mut before = None;
    for part in parts {
        if before >= Some(part.number) {
            return Err(Error::invalid(format!("part {} is out of order", part.number)));
        }
        if arrived(part.number).as_ref() != Some(part) {
            return Err(Error::invalid(format!("part {} is not one that was sent", part.number)));
        }
        before = Some(part.number);
    }
    Ok(())
}
