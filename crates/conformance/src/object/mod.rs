//! Cases of object stores and buckets.

use crate::case::Case;

mod conditions_read;
mod conditions_write;
// NOTE to part C: copy.rs, delete_many.rs, list.rs, versions.rs, buckets.rs and model.rs are being written by
// someone else now (part C2). Write the others: keys, ranges, conditions, attributes, tags, checksums, upload,
// multipart, update, races, payload. Remove this note when all are in.
mod kit;
mod put_get;
mod range;

/// The cases of each file.
pub(crate) static AREAS: &[&[Case]] =
    &[put_get::CASES, range::CASES, conditions_read::CASES, conditions_write::CASES];
